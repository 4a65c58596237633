//! What the front doors of Kleene report: the program `kleene` and the package for JavaScript write
//! outputs, counts, tallies, reasons and results of tests with this crate.
//!
//! Everything here is a function of its arguments: no file, no thread, no clock, no output. A version
//! belongs to the version of `kleene` with the same number.

#![forbid(unsafe_code)]

pub mod counts;
pub mod output;
pub mod reasons;
pub mod tally;
pub mod test_report;
pub mod totals;
pub mod why;
