//! Rules for an editor while they are typed: completion, the meaning of names, the places where they
//! are declared, diagnostics with fixes, and declarations inferred from a sample of events.
//!
//! All of it works in text that is half typed, and rests on [`scan`], which knows no mistakes.
//! Everything here is a function of its arguments: no file, no thread, no clock, no output. A version
//! belongs to the version of `kleene` with the same number.

#![forbid(unsafe_code)]

mod complete;
pub mod diagnostics;
pub mod fixes;
pub mod infer;
mod names;
pub mod scan;
pub mod utf16;
mod words;

pub use complete::{Completion, CompletionKind, complete};
pub use names::{File, Meaning, Member, Set, plain};
