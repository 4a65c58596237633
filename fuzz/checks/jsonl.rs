//! Any bytes as JSON lines.

use kleene_input::Format;

use super::input;

pub(crate) fn check(data: &[u8]) {
    input::check(Format::Jsonl, data);
}
