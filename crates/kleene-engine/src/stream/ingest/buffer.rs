//! The events that wait for the watermark, and their bytes.

use crate::stream::ingest::reorder::{Due, Lent, Reorder};
use crate::stream::limits::EngineLimits;
use kleene_event::event::{Event, bytes_of};
use kleene_event::time::Timestamp;

/// The reorder buffer with the number of bytes that its events take.
#[derive(Debug)]
pub(super) struct EventBuffer<E> {
    events: Reorder<E>,
    bytes: u64,
}

impl<E: Event> EventBuffer<E> {
    pub(super) fn new() -> EventBuffer<E> {
        EventBuffer { events: Reorder::new(), bytes: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns the bytes of the events.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if no more events wait than the limits allow.
    #[inline]
    pub(super) fn is_within(&self, limits: &EngineLimits) -> bool {
        self.len() <= limits.buffered && self.bytes <= limits.buffered_bytes
    }

    /// True if another event of `bytes` bytes may wait.
    #[inline]
    pub(super) fn has_room_for(&self, bytes: u64, limits: &EngineLimits) -> bool {
        self.len() < limits.buffered && self.bytes + bytes <= limits.buffered_bytes
    }

    /// Adds an event. Its time must be after all that were taken.
    pub(super) fn add(&mut self, event: E) {
        self.bytes += bytes_of(&event);
        self.events.add(event.time(), event);
    }

    /// Adds a lent event of `bytes` bytes. All calls get the same `lent` until it is
    /// [kept](EventBuffer::keep).
    #[inline]
    pub(super) fn lend<'a>(&mut self, event: &'a E, bytes: u64, lent: &mut Lent<'a, E>) {
        self.bytes += bytes;
        self.events.lend(event.time(), event, lent);
    }

    /// Ends the loan of events: clones those that still wait.
    pub(super) fn keep(&mut self, lent: &mut Lent<'_, E>) {
        self.events.keep(lent);
    }

    /// Returns the time of the oldest event.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.events.first()
    }

    /// Removes and returns the oldest event if its time is at or before `to`.
    #[inline]
    pub(super) fn take_until<'a>(
        &mut self,
        to: Timestamp,
        lent: &mut Lent<'a, E>,
    ) -> Option<Due<'a, E>> {
        let event = self.events.take_until(to, lent)?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&*event));
        Some(event)
    }

    /// Returns up to `count` of the next events with a time at or before `to`, in order. The result
    /// may be empty although the buffer has some.
    pub(super) fn look_into<'a>(
        &'a self,
        to: Timestamp,
        count: usize,
        lent: &'a Lent<'_, E>,
    ) -> impl Iterator<Item = &'a E> {
        self.events.look_into(to, count, lent)
    }

    /// Returns all events in order. No event may be lent.
    pub(super) fn in_order(&self) -> Vec<&E> {
        self.events.in_order()
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(super) fn memory_usage(&self) -> usize {
        self.events.memory_usage()
    }
}
