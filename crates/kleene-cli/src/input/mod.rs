//! From bytes to events.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod lines;
mod scalar;
pub(crate) mod time;

use std::str::Utf8Error;

fn too_long(length: u64) -> String {
    format!("the line is too long: {length} bytes (--max-line allows more)")
}

fn not_utf8(error: &Utf8Error) -> String {
    format!("not UTF-8 at column {}", error.valid_up_to() + 1)
}
