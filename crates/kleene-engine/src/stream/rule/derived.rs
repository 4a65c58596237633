//! Derived events, which rules make for other rules: `emit as`.
//!
//! A derived event has the time of its match or timeout. So it never comes before released events,
//! and derived events are made in the order of their time. They wait until no other event of their
//! time can come.

use std::collections::VecDeque;

use kleene_event::event::{Event, bytes_of};
use kleene_event::time::Timestamp;

/// The derived events that wait for their moment to be over, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Derived<E> {
    events: VecDeque<(Timestamp, E)>,
    /// Bytes of the events.
    bytes: u64,
}

impl<E> Derived<E> {
    pub(crate) fn new() -> Derived<E> {
        Derived { events: VecDeque::new(), bytes: 0 }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns the time of the next event.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.events.front().map(|(time, _)| *time)
    }

    /// Returns the bytes of the events.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the events in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Timestamp, E)> {
        self.events.iter()
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.events.capacity() * size_of::<(Timestamp, E)>()
    }
}

impl<E: Event> Derived<E> {
    /// Adds an event. No event after `time` may be there already.
    pub(crate) fn add(&mut self, time: Timestamp, event: E) {
        self.bytes += bytes_of(&event);
        self.events.push_back((time, event));
    }

    pub(crate) fn take(&mut self) -> Option<E> {
        let (_, event) = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        Some(event)
    }
}
