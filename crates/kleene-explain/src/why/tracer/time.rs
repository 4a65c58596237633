//! The time of a tracer, and the events that wait until time has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use kleene_event::time::Timestamp;

/// The time that a tracer has reached, and the events that wait for later times.
pub(in crate::why) struct TraceTime<E> {
    /// The milliseconds that events may come late; `None` if they come in time order.
    pub(in crate::why) out_of_order: Option<i64>,
    /// No event at or before this time will come.
    promised: Timestamp,
    /// Events that wait, by their time and by their number in the input.
    buffer: BTreeMap<(Timestamp, u64), Arrived<E>>,
    added: u64,
    /// The time up to which events were released.
    pub(super) watermark: Timestamp,
    /// The event that moved time last: its line and its time.
    pub(super) moved_by: Option<(Option<u64>, Timestamp)>,
    /// The time of the newest event.
    pub(in crate::why) newest: Option<Timestamp>,
}

/// An event that waits for time to pass.
#[derive(Clone, Debug)]
pub(super) struct Arrived<E> {
    pub(super) event: E,
    pub(super) line: Option<u64>,
    pub(super) is_seen: bool,
    pub(super) made_by: Option<Arc<str>>,
    /// The variants of step keys that the event has in the stream of the key.
    pub(super) step_keys: u64,
}

impl<E> TraceTime<E> {
    pub(super) fn new(out_of_order: Option<i64>) -> TraceTime<E> {
        TraceTime {
            out_of_order,
            promised: Timestamp::MIN,
            buffer: BTreeMap::new(),
            added: 0,
            watermark: Timestamp::MIN,
            moved_by: None,
            newest: None,
        }
    }

    /// The watermark that the events so far promise.
    pub(super) fn promised(&self) -> Timestamp {
        self.promised
    }

    /// An event of this time has come.
    pub(super) fn observe(&mut self, time: Timestamp) {
        self.promise(time.plus_millis(-self.out_of_order.unwrap_or(0) - 1));
    }

    /// No event at or before `to` will come.
    pub(super) fn promise(&mut self, to: Timestamp) {
        self.promised = self.promised.max(to);
    }

    /// Keeps an event until time has come to it.
    pub(super) fn add(&mut self, time: Timestamp, arrived: Arrived<E>) {
        self.buffer.insert((time, self.added), arrived);
        self.added += 1;
    }

    /// Removes and returns the oldest event that waits, if its time is at or before `to`.
    pub(super) fn take_until(&mut self, to: Timestamp) -> Option<Arrived<E>> {
        let first = self.buffer.first_entry().filter(|entry| entry.key().0 <= to)?;
        Some(first.remove())
    }

    /// Returns the number of events that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.buffer.len() as u64
    }
}
