//! Rules in words.

mod words;

pub use words::Failed;

pub(crate) use words::{Words, is_written, shown};
