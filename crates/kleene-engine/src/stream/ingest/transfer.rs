//! Ingest of an engine that takes over from others: from and to shards, and from snapshots.

use crate::stream::ingest::arrivals::Ingest;
use crate::stream::limits::EngineLimits;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Ingest<E> {
    /// An ingest with the same rules at the same moment that holds nothing.
    pub(in crate::stream) fn empty_like(&self, limits: EngineLimits, released: u64) -> Ingest<E> {
        let dispatcher = self.dispatcher.empty_like(limits, released);
        Ingest { clock: self.clock.clone(), ..Ingest::new(dispatcher, self.clock.strategy()) }
    }

    /// Adds the events that wait in another engine.
    pub(in crate::stream) fn take_waiting(&mut self, other: &Ingest<E>) {
        self.clock.accept(other.clock.newest());
        for event in other.buffer.in_order() {
            self.buffer.add(event.clone());
        }
        self.dispatcher.copy_derived(&other.dispatcher);
    }

    /// Continues at the moment of a snapshot.
    pub(in crate::stream) fn restore_time(
        &mut self,
        watermark: Timestamp,
        newest: Timestamp,
        finished: bool,
    ) {
        self.clock.restore(watermark, newest, finished);
    }

    /// Continues a source of a snapshot.
    pub(in crate::stream) fn restore_source(
        &mut self,
        name: &str,
        watermark: Timestamp,
        idle: bool,
    ) {
        self.clock.restore_source(name, watermark, idle);
    }

    /// Holds a source of a snapshot up: another part does not have it, and has reached this time.
    pub(in crate::stream) fn hold_source(&mut self, name: &str, watermark: Timestamp) {
        self.clock.hold_source(name, watermark);
    }

    /// Adds a buffered event of a snapshot. Returns false if the event cannot have been buffered.
    pub(in crate::stream) fn restore_buffered(&mut self, event: &E) -> bool {
        let time = event.time();
        // An engine that has stopped still has what it did not get to.
        let is_over = time <= self.clock.watermark() && !self.dispatcher.has_failed();
        if is_over || time == Timestamp::MAX {
            return false;
        }
        self.clock.accept(time);
        self.buffer.add(event.clone());
        true
    }
}
