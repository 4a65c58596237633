//! Events that come in order, from one source: the shortest way to the rules.
//!
//! What cannot change while a batch is taken is asked once for all of its events: whether there is
//! another source, whether something waits to be put in order, whether there is a cold store, and
//! whether the engine is a shard.

use crate::event::Event;
use crate::stream::dispatch::prefetch::{EventGroup, GroupHints, KeyHint};
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::time::Timestamp;

impl<E: Event> Ingest<E> {
    /// Takes an event.
    #[inline(always)]
    pub(in crate::stream) fn ingest_one<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.is_direct() {
            self.ingest_next::<true, S>(source, event, KeyHint::NOTHING, sink)
        } else {
            self.ingest(source, event, KeyHint::NOTHING, &mut Lent::nothing(), sink)
        }
    }

    /// Takes events as [`push_from`](crate::Engine::push_from) does one after the other.
    pub(in crate::stream) fn ingest_in_order<'a, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        if self.is_direct() {
            self.ingest_all::<true, S>(source, events, sink)
        } else {
            self.ingest_all::<false, S>(source, events, sink)
        }
    }

    fn ingest_all<'a, const DIRECT: bool, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        mut events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        loop {
            while !self.dispatcher.holds_much() {
                let Some(event) = events.next() else { return Ok(()) };
                self.ingest_next::<DIRECT, S>(source, event, KeyHint::NOTHING, sink)?;
            }
            let Some(mut few) = EventGroup::take(&mut events) else { return Ok(()) };
            loop {
                let next =
                    if self.dispatcher.holds_much() { EventGroup::take(&mut events) } else { None };
                self.ingest_group::<DIRECT, S>(source, &few, next.as_ref(), sink)?;
                let Some(next) = next else { break };
                few = next;
            }
        }
    }

    /// Takes a few events whose keys are looked up before, and has the `next` ones fetched meanwhile.
    #[inline(never)]
    fn ingest_group<const DIRECT: bool, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        few: &EventGroup<'_, E>,
        next: Option<&EventGroup<'_, E>>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let mut seen = GroupHints::NOTHING;
        self.dispatcher.look_ahead(few, &mut seen);
        if DIRECT && self.are_ahead(few.events()) {
            self.ingest_classified(source, few, next, &seen, sink);
            return Ok(());
        }
        for (&event, seen) in few.events().iter().zip(seen.of) {
            self.ingest_next::<DIRECT, S>(source, event, seen, sink)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn ingest_next<const DIRECT: bool, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if DIRECT && self.is_ahead(event) {
            self.ingest_direct(source, event, hint, sink);
            return Ok(());
        }
        self.ingest_apart(source, event, hint, sink)
    }

    #[inline(never)]
    fn ingest_apart<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest(source, event, hint, &mut Lent::nothing(), sink)
    }

    /// Whether an event is after the watermark, at a time that events can have.
    #[inline(always)]
    fn is_ahead(&self, event: &E) -> bool {
        self.watermark < event.time()
            && event.time() < Timestamp::MAX
            && event.out_of_range().is_none()
    }

    /// Whether events are after the watermark and in order, at times that events can have.
    #[inline(always)]
    fn are_ahead(&self, events: &[&E]) -> bool {
        let mut last = self.watermark.plus_millis(1);
        let mut are = self.watermark < Timestamp::MAX;
        for event in events {
            are &= last <= event.time() && event.out_of_range().is_none();
            last = event.time();
        }
        are && last < Timestamp::MAX
    }

    /// Takes events of which all but those at these places do nothing but move time on.
    ///
    /// While they are taken memory has little to do. So then it is asked for the events that are `next`,
    /// one for each event that is taken: more at once would have to wait for each other.
    #[inline(always)]
    fn ingest_classified<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        few: &EventGroup<'_, E>,
        next: Option<&EventGroup<'_, E>>,
        seen: &GroupHints,
        sink: &mut S,
    ) {
        let Some(last) = few.events().last().map(|last| E::time(last)) else { return };
        let (first, mut taken) = (self.dispatcher.released, 0);
        for place in seen.wanted.iter() {
            let event = few.at(place);
            if let Some(next) = next {
                // Most often one does something that is next to one that does nothing.
                next.at(place.wrapping_sub(1)).prefetch_fields();
                next.at(place).prefetch_fields();
            }
            // Each event of a type that is named has a number.
            self.dispatcher.released += (place - taken) as u64;
            self.arrive(source, event.time(), place + 1 - taken);
            taken = place + 1;
            if self.dispatcher.is_named(event) {
                self.dispatcher.dispatch_direct(event, seen.of[place], sink);
            }
        }
        for event in next.iter().filter_map(|next| next.events().get(taken..)).flatten() {
            event.prefetch_fields();
        }
        let rest = few.events().len() - taken;
        self.dispatcher.released += rest as u64;
        self.arrive(source, last, rest);
        if self.dispatcher.is_due(last) {
            self.dispatcher.dispatch_due(last, false, sink);
        }
        // The numbers at which this is done else may all have been of events that do nothing.
        self.dispatcher.tidy_up(first..self.dispatcher.released, last);
    }

    /// Takes note of the next so many events, of which this is the last one's time.
    #[inline(always)]
    fn arrive(&mut self, source: SourceId, time: Timestamp, events: usize) {
        self.count_arrivals(events);
        self.watermark = time.plus_millis(-1);
        self.progress.advance(source, self.watermark);
    }

    /// Whether events that are after the watermark can go to the rules at once, all of a batch.
    fn is_direct(&self) -> bool {
        self.progress.is_sorted()
            && self.buffer.len() == 0
            && self.dispatcher.delivers_directly()
            && !self.finished
    }

    /// Ingests an event that is after the watermark.
    #[inline(always)]
    fn ingest_direct<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) {
        let time = event.time();
        self.arrive(source, time, 1);
        if self.dispatcher.is_named(event) {
            self.dispatcher.dispatch_direct(event, hint, sink);
        } else if self.dispatcher.is_due(time) {
            self.dispatcher.dispatch_due(time, false, sink);
        }
    }
}
