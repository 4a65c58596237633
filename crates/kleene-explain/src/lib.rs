//! Kleene's rules explained.
//!
//! [`explain`] says in words and as a picture what a rule looks for and what it costs; [`why`] says
//! event by event why it did or did not match for a key; [`testing`] runs the tests in rule files.
//!
//! It is for programs that show rules to people. A program that only runs rules needs `kleene` alone.

#![forbid(unsafe_code)]

pub mod explain;
mod lines;
pub mod testing;
pub mod why;
