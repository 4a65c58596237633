//! The reasons why events are not used, in words.

use kleene::value::{Value, ValueRef};
use kleene::{Event, Timestamp};

use crate::output::write_text;

/// Returns the time of an event; `None` if events cannot have it.
pub fn event_time<E: Event>(event: &E) -> Option<Timestamp> {
    Some(event.time()).filter(|time| *time < Timestamp::MAX)
}

/// The number of characters of the input that are kept with a rejected event.
pub const INPUT_KEPT: usize = 1000;

/// Writes the end of the line of a rejected event, which has begun with where the event was: the
/// reason and the first characters of the input. What is not UTF-8 is replaced.
pub fn write_reject(line: &mut Vec<u8>, reason: &str, input: &[u8]) {
    line.extend_from_slice(b",\"reason\":");
    write_text(line, reason);
    line.extend_from_slice(b",\"input\":");
    // Cut roughly first: the text may be long, and characters have at most 4 bytes.
    let text = String::from_utf8_lossy(&input[..input.len().min(4 * INPUT_KEPT)]);
    write_text(line, &text.chars().take(INPUT_KEPT).collect::<String>());
    line.extend_from_slice(b"}\n");
}

/// Returns the reason for a late event: `late by 1h: ...`. An event is late if it is not after the
/// watermark.
pub fn late_reason(time: Timestamp, watermark: Timestamp) -> String {
    let by = Value::Duration(watermark.millis_since(time).saturating_add(1));
    format!("late by {by}: its time {} has passed already", ValueRef::Time(time))
}
