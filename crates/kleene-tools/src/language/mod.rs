//! Rules for an editor while they are typed: completions, the meaning of names, and the places
//! where they are declared.
//!
//! All of it has to work in text that is half typed, and rests on [`scan`], which knows no mistakes.

mod complete;
mod names;
pub mod scan;
mod words;

pub use complete::{Completion, CompletionKind, complete};
pub use names::{File, Meaning, Member, Set, plain};
