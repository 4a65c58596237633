//! The reasons why a line, or a whole input, cannot be read.

use std::str::Utf8Error;

pub(crate) fn too_long(length: u64) -> String {
    format!("the line is too long: {length} bytes (--max-line allows more)")
}

pub(crate) fn unreadable_header(reason: &str) -> String {
    format!("the CSV header cannot be read: {reason}")
}

pub(crate) fn not_utf8(error: &Utf8Error) -> String {
    format!("not UTF-8 at column {}", error.valid_up_to() + 1)
}
