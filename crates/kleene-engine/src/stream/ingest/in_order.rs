//! In-order ingest: events of one source in time order go to the rules without a buffer.
//!
//! When it applies: events come in order, the reorder buffer is empty, there is at most one source,
//! and delivery is direct (`Dispatcher::delivers_directly`). Any other event takes the general
//! path, `Ingest::ingest`.
//!
//! Why it is right: an event that passes these checks would be released as soon as it comes. None
//! of the conditions can change within a batch, so one check covers all events of the batch.
//!
//! What it saves: the checks for each event, and for keys that are not in a cache the wait for
//! memory (see `dispatch/prefetch.rs`). Without it, W1 to W6 take 1.09 to 1.28 times the
//! instructions (docs/performance.md).
//!
//! Which test holds it: `a_batch_is_its_events_one_by_one` in `tests/batches.rs` compares outputs
//! and counts with those of single pushes.

use crate::stream::dispatch::prefetch::{EventGroup, EventRun, GroupHints, GroupRun, KeyHint};
use crate::stream::dispatch::schedule::DueUntil;
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::{Ingest, Owned};
use crate::stream::ingest::path::IngestPath;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::receiver::Receiver;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Ingest<E> {
    /// Ingests one event.
    ///
    /// # Errors
    /// [`PushError`] if a limit or a cold store has stopped the engine, or the stream is finished.
    #[inline(always)]
    pub(in crate::stream) fn ingest_one<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.is_direct() {
            self.ingest_only(source, event, sink)
        } else {
            self.ingest(source, event, KeyHint::NOTHING, &mut Lent::nothing(), sink)
        }
    }

    /// Ingests an event that the reorder buffer may keep.
    ///
    /// # Errors
    /// [`PushError`] as for [`ingest_one`](Ingest::ingest_one).
    pub(in crate::stream) fn ingest_owned<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.is_direct() {
            return self.ingest_only(source, &event, sink);
        }
        self.ingest(source, Owned(event), KeyHint::NOTHING, &mut Lent::nothing(), sink)
    }

    /// Ingests an event that is alone in its call, where it [can be direct](Ingest::is_direct).
    #[inline(always)]
    fn ingest_only<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let result = self.ingest_next::<true, S>(source, event, KeyHint::NOTHING, sink);
        self.clock.settle(source);
        result
    }

    /// Ingests events with the result of one [`push_from`](crate::stream::Engine::push_from) for
    /// each.
    ///
    /// # Errors
    /// [`PushError`] as for [`ingest_one`](Ingest::ingest_one).
    pub(in crate::stream) fn ingest_in_order<'a, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        if self.is_direct() {
            let result = self.ingest_all::<true, S>(source, events, sink);
            self.clock.settle(source);
            result
        } else {
            self.ingest_all::<false, S>(source, events, sink)
        }
    }

    fn ingest_all<'a, const DIRECT: bool, S: Receiver<E> + ?Sized>(
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

    /// Ingests a group of events after their keys were looked up, and prefetches the `next` group.
    #[inline(never)]
    fn ingest_group<const DIRECT: bool, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        few: &EventGroup<'_, E>,
        next: Option<&EventGroup<'_, E>>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let mut seen = GroupHints::NOTHING;
        self.dispatcher.look_ahead(few, &mut seen);
        if DIRECT && self.clock.are_ahead(few.events()) {
            self.paths.count(IngestPath::Classified, few.events().len());
            self.ingest_classified(&mut GroupRun { few, next }, &seen, sink);
            return Ok(());
        }
        for (&event, seen) in few.events().iter().zip(seen.of) {
            self.ingest_next::<DIRECT, S>(source, event, seen, sink)?;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn ingest_next<const DIRECT: bool, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let time = event.time();
        if DIRECT && self.clock.is_ahead(event, time) {
            self.ingest_direct(event, time, hint, sink);
            return Ok(());
        }
        self.ingest_apart(source, event, hint, sink)
    }

    #[inline(never)]
    fn ingest_apart<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest(source, event, hint, &mut Lent::nothing(), sink)
    }

    /// Ingests a group in which only the `wanted` events may act. The other events only advance
    /// time.
    ///
    /// Matching leaves memory idle, so the next group is prefetched meanwhile, a few events for
    /// each event that is dispatched. Prefetches all at once would wait for each other.
    #[inline(always)]
    pub(super) fn ingest_classified<S: Receiver<E> + ?Sized>(
        &mut self,
        run: &mut impl EventRun<E>,
        seen: &GroupHints,
        sink: &mut S,
    ) {
        let last = run.last_time();
        let (first, mut taken) = (self.dispatcher.released(), 0);
        for place in seen.wanted.iter() {
            run.fetch_beside(place);
            let event = run.event(place);
            self.dispatcher.number_idle(place - taken);
            let time = event.time();
            self.arrive(time, place + 1 - taken);
            taken = place + 1;
            let hint = seen.of[place];
            // An event with the hash of a key was found to be of a type that a rule reads.
            if hint.hash().is_some()
                || self.dispatcher.is_named(event, self.clock.watermark(), sink)
            {
                self.dispatcher.dispatch::<true, S>(event, time, hint, sink);
            }
        }
        run.fetch_from(taken);
        let rest = run.len() - taken;
        self.dispatcher.number_idle(rest);
        self.arrive(last, rest);
        if self.dispatcher.is_due(last) {
            self.dispatcher.dispatch_due(last, DueUntil::Open, sink);
        }
        self.dispatcher.tidy_up_since(first, last);
    }

    /// Counts `events` arrivals and advances the watermark to just before `time`, the time of the
    /// last one.
    #[inline(always)]
    fn arrive(&mut self, time: Timestamp, events: usize) {
        self.dispatcher.count_events(events);
        self.clock.arrive(time);
    }

    /// True if every event of a batch that is after the watermark can go to the rules at once.
    pub(super) fn is_direct(&self) -> bool {
        self.clock.is_sorted()
            && self.buffer.len() == 0
            && self.dispatcher.delivers_directly()
            && !self.clock.has_ended()
    }

    /// Ingests an event of this time, which is after the watermark.
    #[inline(always)]
    fn ingest_direct<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        time: Timestamp,
        hint: KeyHint,
        sink: &mut S,
    ) {
        self.paths.count(IngestPath::Direct, 1);
        self.arrive(time, 1);
        if self.dispatcher.is_named(event, self.clock.watermark(), sink) {
            self.dispatcher.dispatch::<true, S>(event, time, hint, sink);
        } else if self.dispatcher.is_due(time) {
            self.dispatcher.dispatch_due(time, DueUntil::Open, sink);
        }
    }
}
