//! Lines for people, on standard error.

use std::io::Write as _;

/// Prints a line to standard error.
pub(crate) fn say(line: &str) {
    // If standard error is closed there is nobody to report.
    let _ = writeln!(std::io::stderr(), "{line}");
}
