//! Code that the front doors of Kleene share: the program `kleene`, its language server, and the
//! package for JavaScript.
//!
//! Everything here is a function of its arguments: no file, no thread, no clock, no output. It is
//! published for those programs, and changes with them.

pub mod counts;
pub mod diagnostics;
pub mod fixes;
pub mod infer;
pub mod language;
pub mod output;
pub mod reasons;
pub mod tally;
pub mod test_report;
pub mod utf16;
pub mod why;
