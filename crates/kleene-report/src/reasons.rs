//! The reasons why events are not used, in words.

use kleene::value::{Value, ValueRef};
use kleene::{Event, Timestamp};

/// Returns the time of an event; `None` if events cannot have it.
pub fn event_time<E: Event>(event: &E) -> Option<Timestamp> {
    Some(event.time()).filter(|time| *time < Timestamp::MAX)
}

/// Returns the reason for a late event: `late by 1h: ...`. An event is late if it is not after the
/// watermark.
pub fn late_reason(time: Timestamp, watermark: Timestamp) -> String {
    let by = Value::Duration(watermark.millis_since(time).saturating_add(1));
    format!("late by {by}: its time {} has passed already", ValueRef::Time(time))
}
