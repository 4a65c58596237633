//! Events that come in order, from one source: the shortest way to the rules.
//!
//! What cannot change while a batch is taken is asked once for all of its events: whether there is
//! another source, whether something waits to be put in order, whether there is a cold store, and
//! whether the engine is a shard.

use crate::event::Event;
use crate::stream::dispatch::prefetch::{Few, Foreseen, Seen};
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::time::Timestamp;

impl<E: Event> Ingest<E> {
    /// Takes an event.
    #[inline(always)]
    pub(in crate::stream) fn push_one<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.is_straight() {
            self.take_one::<true, S>(source, event, Foreseen::NOTHING, sink)
        } else {
            self.take(source, event, Foreseen::NOTHING, &mut Lent::nothing(), sink)
        }
    }

    /// Takes events as [`push_from`](crate::Engine::push_from) does one after the other.
    pub(in crate::stream) fn push_sorted<'a, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        if self.is_straight() {
            self.push_all::<true, S>(source, events, sink)
        } else {
            self.push_all::<false, S>(source, events, sink)
        }
    }

    fn push_all<'a, const STRAIGHT: bool, S: Sink<E> + ?Sized>(
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
                self.take_one::<STRAIGHT, S>(source, event, Foreseen::NOTHING, sink)?;
            }
            let Some(mut few) = Few::take(&mut events) else { return Ok(()) };
            loop {
                let next = if self.dispatcher.holds_much() { Few::take(&mut events) } else { None };
                self.take_together::<STRAIGHT, S>(source, &few, next.as_ref(), sink)?;
                let Some(next) = next else { break };
                few = next;
            }
        }
    }

    /// Takes a few events whose keys are looked up before, and has the `next` ones fetched meanwhile.
    #[inline(never)]
    fn take_together<const STRAIGHT: bool, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        few: &Few<'_, E>,
        next: Option<&Few<'_, E>>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let mut seen = Seen::NOTHING;
        self.dispatcher.look_ahead(few, &mut seen);
        if STRAIGHT && self.are_ahead(few.events()) {
            self.take_wanted(source, few, next, &seen, sink);
            return Ok(());
        }
        for (&event, seen) in few.events().iter().zip(seen.of) {
            self.take_one::<STRAIGHT, S>(source, event, seen, sink)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn take_one<const STRAIGHT: bool, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if STRAIGHT && self.is_ahead(event) {
            self.take_straight(source, event, foreseen, sink);
            return Ok(());
        }
        self.take_found(source, event, foreseen, sink)
    }

    #[inline(never)]
    fn take_found<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.take(source, event, foreseen, &mut Lent::nothing(), sink)
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
    fn take_wanted<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        few: &Few<'_, E>,
        next: Option<&Few<'_, E>>,
        seen: &Seen,
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
            self.come_to(source, event.time(), place + 1 - taken);
            taken = place + 1;
            if self.dispatcher.is_named(event) {
                self.dispatcher.release_straight(event, seen.of[place], sink);
            }
        }
        for event in next.iter().filter_map(|next| next.events().get(taken..)).flatten() {
            event.prefetch_fields();
        }
        let rest = few.events().len() - taken;
        self.dispatcher.released += rest as u64;
        self.come_to(source, last, rest);
        if self.dispatcher.is_due(last) {
            self.dispatcher.catch_up(last, false, sink);
        }
        // The numbers at which this is done else may all have been of events that do nothing.
        self.dispatcher.tidy_up(first..self.dispatcher.released, last);
    }

    /// Takes note of the next so many events, of which this is the last one's time.
    #[inline(always)]
    fn come_to(&mut self, source: SourceId, time: Timestamp, events: usize) {
        self.dispatcher.books.stats.events += events as u64;
        self.watermark = time.plus_millis(-1);
        self.progress.advance(source, self.watermark);
    }

    /// Whether events that are after the watermark can go to the rules at once, all of a batch.
    fn is_straight(&self) -> bool {
        self.progress.is_sorted()
            && self.buffer.len() == 0
            && self.dispatcher.releases_straight()
            && !self.finished
    }

    /// Does what [`take`](Ingest::take) does with an event that is after the watermark.
    #[inline(always)]
    fn take_straight<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
        let time = event.time();
        self.come_to(source, time, 1);
        if self.dispatcher.is_named(event) {
            self.dispatcher.release_straight(event, foreseen, sink);
        } else if self.dispatcher.is_due(time) {
            self.dispatcher.catch_up(time, false, sink);
        }
    }
}
