//! The general path of ingest: events and watermarks as they arrive.

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::prefetch::{EventGroup, KeyHint, NextHints};
use crate::stream::dispatch::schedule::DueUntil;
use crate::stream::error::{PushError, PushFailure};
use crate::stream::ingest::buffer::EventBuffer;
use crate::stream::ingest::clock::InputClock;
use crate::stream::ingest::path::{IngestPath, Paths};
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::{SourceId, SourceProgress, WatermarkStrategy};
use crate::stream::keys::GROUP_SIZE;
use crate::stream::output::reason::RejectReason;
use crate::stream::output::receiver::Receiver;
use crate::stream::stats::Stats;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// An event as it arrives: borrowed, or owned so that the reorder buffer need not clone it.
pub(in crate::stream) trait Arrival<E> {
    fn event(&self) -> &E;

    fn into_event(self) -> E;
}

impl<E: Event> Arrival<E> for &E {
    #[inline(always)]
    fn event(&self) -> &E {
        self
    }

    #[inline(always)]
    fn into_event(self) -> E {
        E::clone(self)
    }
}

/// An event that the engine may keep.
pub(in crate::stream) struct Owned<E>(pub(in crate::stream) E);

impl<E> Arrival<E> for Owned<E> {
    #[inline(always)]
    fn event(&self) -> &E {
        &self.0
    }

    #[inline(always)]
    fn into_event(self) -> E {
        self.0
    }
}

/// The watermark, the events that wait for it, and the dispatcher that gets them.
///
/// The dispatcher is the first field, at the address of the whole. Inlined code then needs one
/// pointer for both.
#[repr(C)]
pub(in crate::stream) struct Ingest<E: Event> {
    pub(super) dispatcher: Dispatcher<E>,
    pub(super) clock: InputClock,
    pub(super) buffer: EventBuffer<E>,
    pub(super) paths: Paths,
}

impl<E: Event> Ingest<E> {
    pub(in crate::stream) fn new(
        dispatcher: Dispatcher<E>,
        strategy: WatermarkStrategy,
    ) -> Ingest<E> {
        Ingest {
            dispatcher,
            clock: InputClock::new(strategy),
            buffer: EventBuffer::new(),
            paths: Paths::default(),
        }
    }

    /// Returns the dispatcher, to read what it holds.
    pub(in crate::stream) fn dispatcher(&self) -> &Dispatcher<E> {
        &self.dispatcher
    }

    /// Returns the dispatcher, to change its rules or to restore their state between two events.
    pub(in crate::stream) fn dispatcher_mut(&mut self) -> &mut Dispatcher<E> {
        &mut self.dispatcher
    }

    /// Returns the dispatcher: no event comes any more.
    pub(in crate::stream) fn into_dispatcher(self) -> Dispatcher<E> {
        self.dispatcher
    }

    /// Returns the watermark: an event at or before this time is late.
    pub(in crate::stream) fn watermark(&self) -> Timestamp {
        self.clock.watermark()
    }

    /// Returns the first time after the watermark.
    pub(in crate::stream) fn next_moment(&self) -> Timestamp {
        self.clock.watermark().plus_millis(1)
    }

    /// Returns the first time at which a watermark changes anything.
    pub(in crate::stream) fn next_due(&self) -> Option<Timestamp> {
        self.buffer.first().into_iter().chain(self.dispatcher.next_due()).min()
    }

    /// Returns the time of the newest event.
    pub(in crate::stream) fn newest(&self) -> Timestamp {
        self.clock.newest()
    }

    /// True if time has ended.
    pub(in crate::stream) fn has_ended(&self) -> bool {
        self.clock.has_ended()
    }

    /// True if events need no buffer: they are expected in the order of time.
    pub(in crate::stream) fn expects_order(&self) -> bool {
        self.clock.is_sorted()
    }

    /// Returns the source with this name. A new name makes a new source.
    pub(in crate::stream) fn source(&mut self, name: &str) -> SourceId {
        self.clock.source(name)
    }

    /// Returns the source of events that are pushed without one.
    #[inline]
    pub(in crate::stream) fn main_source(&mut self) -> SourceId {
        self.clock.main_source()
    }

    /// True if events were pushed without a source.
    pub(in crate::stream) fn has_main_source(&self) -> bool {
        self.clock.has_main_source()
    }

    /// Returns the progress of each source.
    pub(in crate::stream) fn sources(&self) -> impl ExactSizeIterator<Item = SourceProgress<'_>> {
        self.clock.sources()
    }

    /// Returns the events that wait for the watermark, in the order of time.
    pub(in crate::stream) fn buffered(&self) -> Vec<&E> {
        self.buffer.in_order()
    }

    /// Advances the watermark of a source.
    ///
    /// # Errors
    /// [`PushError`] if the engine has stopped, before or now.
    pub(in crate::stream) fn advance_source<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.check_open()?;
        self.clock.advance_source(source, to);
        self.release_reached(&mut Lent::nothing(), sink);
        self.so_far()
    }

    /// Marks a source as idle.
    ///
    /// # Errors
    /// [`PushError`] if the engine has stopped, before or now.
    pub(in crate::stream) fn set_idle<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.check_open()?;
        self.clock.set_idle(source);
        self.release_reached(&mut Lent::nothing(), sink);
        self.so_far()
    }

    /// Ends the input for now: releases all buffered events and moves time to the newest event.
    ///
    /// # Errors
    /// [`PushError`] if the engine has stopped, before or now.
    pub(in crate::stream) fn end_input<S: Receiver<E> + ?Sized>(
        &mut self,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.check_open()?;
        self.clock.advance_to_newest();
        self.release_reached(&mut Lent::nothing(), sink);
        self.so_far()
    }

    /// Ends time: releases all buffered events and reports all open outputs.
    pub(in crate::stream) fn end_time<S: Receiver<E> + ?Sized>(&mut self, sink: &mut S) {
        // A repeating silence repeats up to the last event, and once more.
        let last = self.clock.last_time();
        if self.dispatcher.repeats()
            && !self.dispatcher.has_failed()
            && last > self.clock.watermark()
            && last < Timestamp::MAX
        {
            self.release_until(last, &mut Lent::nothing(), sink);
        }
        self.dispatcher.end_repetitions();
        if !self.dispatcher.has_failed() {
            self.release_until(Timestamp::MAX, &mut Lent::nothing(), sink);
        }
        self.clock.end();
        self.dispatcher.end_time(sink);
    }

    /// Returns counts since the engine was built, and the size of its current state.
    pub(in crate::stream) fn stats(&self) -> Stats {
        let stats = self.dispatcher.stats();
        Stats {
            buffered: stats.buffered + self.buffer.len() as u64,
            buffered_bytes: stats.buffered_bytes + self.buffer.bytes(),
            ..stats
        }
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.dispatcher.memory_usage() + self.buffer.memory_usage()
    }

    /// Fails if the engine has stopped or the stream is finished.
    #[cold]
    fn check_open(&self) -> Result<(), PushError> {
        self.so_far()?;
        if self.clock.has_ended() { Err(PushError(PushFailure::Finished)) } else { Ok(()) }
    }

    /// Ingests an event while other events are lent.
    #[inline(always)]
    pub(super) fn ingest<A: Arrival<E>, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        arrival: A,
        hint: KeyHint,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let event = arrival.event();
        if self.clock.has_ended() || self.dispatcher.has_failed() {
            return self.check_open();
        }
        self.dispatcher.count_events(1);
        let time = event.time();
        if event.out_of_range().is_some() {
            self.report_rejected(event, sink);
            return Ok(());
        }
        if time <= self.clock.watermark() {
            self.report_late(source, event, lent, sink);
            return self.so_far();
        }
        if time == Timestamp::MAX {
            self.report_rejected(event, sink);
            return Ok(());
        }
        let named = self.dispatcher.is_named(event, self.clock.watermark(), sink);
        self.clock.observe(source, time);
        if self.clock.is_sorted() && self.buffer.len() == 0 {
            // The event is after the watermark, and no other source holds time up.
            self.clock.accept_in_order(time);
            self.paths.count(IngestPath::Observed, 1);
            if named {
                self.dispatcher.dispatch::<false, S>(event, time, hint, sink);
            } else if self.dispatcher.is_due(time) {
                self.dispatcher.dispatch_due(time, DueUntil::Open, sink);
            }
            return self.so_far();
        }
        self.buffer_event(arrival, named, lent, sink)
    }

    /// Adds an event to the reorder buffer.
    #[inline(never)]
    fn buffer_event<A: Arrival<E>, S: Receiver<E> + ?Sized>(
        &mut self,
        arrival: A,
        named: bool,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.paths.count(IngestPath::Buffered, 1);
        self.clock.accept(arrival.event().time());
        if named {
            self.buffer.add(arrival.into_event());
        }
        self.release_reached(lent, sink);
        while !self.buffer.is_within(self.dispatcher.limits())
            && !self.dispatcher.has_failed()
            && let Some(oldest) = self.buffer.first()
        {
            self.dispatcher.report_full_buffer(oldest, self.clock.watermark(), sink);
            self.release_until(oldest, lent, sink);
        }
        self.so_far()
    }

    /// Returns the error of a limit that has stopped the engine.
    #[inline]
    pub(in crate::stream) fn so_far(&self) -> Result<(), PushError> {
        self.dispatcher.check_running()
    }

    /// Releases events and fires deadlines up to and including `to`. No event at or before `to` can
    /// come afterwards.
    fn release_until<S: Receiver<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        self.clock.set_watermark(to);
        let is_direct = self.dispatcher.delivers_directly();
        let mut ahead = (lent.is_used() && self.dispatcher.holds_much()).then(NextHints::default);
        while !self.dispatcher.has_failed() {
            if let Some(ahead) = ahead.as_mut().filter(|ahead| ahead.is_over()) {
                self.foresee(to, lent, ahead);
            }
            let Some(event) = self.buffer.take_until(to, lent) else { break };
            let hint = ahead.as_mut().map_or(KeyHint::NOTHING, NextHints::next);
            if is_direct {
                self.dispatcher.dispatch::<true, S>(&event, event.time(), hint, sink);
            } else {
                self.dispatcher.dispatch_observed(&event, hint, sink);
            }
        }
        self.dispatcher.dispatch_due(to, DueUntil::Over, sink);
        self.dispatcher.forget(to);
    }

    /// Dispatches the events that wait and are not newer than `first`, the next event in order.
    /// Returns false if others wait.
    pub(super) fn release_before<S: Receiver<E> + ?Sized>(
        &mut self,
        first: Timestamp,
        sink: &mut S,
    ) -> bool {
        if self.buffer.len() > 0 {
            self.release_until(first.plus_millis(-1), &mut Lent::nothing(), sink);
        }
        // Those of the same time came before it. Deadlines of this time are not over.
        while !self.dispatcher.has_failed()
            && let Some(event) = self.buffer.take_until(first, &mut Lent::nothing())
        {
            self.clock.accept_in_order(first);
            self.dispatcher.dispatch_observed(&event, KeyHint::NOTHING, sink);
        }
        self.buffer.len() == 0
    }

    /// Classifies the next events of the buffer before their turn. Some of the next events may be
    /// missed; they are dispatched without a hint.
    #[inline(never)]
    fn foresee(&self, to: Timestamp, lent: &Lent<'_, E>, ahead: &mut NextHints) {
        *ahead = NextHints::default();
        if let Some(few) = EventGroup::take(self.buffer.look_into(to, GROUP_SIZE, lent)) {
            self.dispatcher.look_at_next(&few, ahead);
        }
    }

    #[cold]
    fn report_late<S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        if event.time() == Timestamp::MIN {
            self.report_rejected(event, sink);
            return;
        }
        // The event is late, but shows that the source is not idle.
        self.clock.observe(source, event.time());
        self.dispatcher.report_late(event, self.clock.watermark(), sink);
        self.release_reached(lent, sink);
    }

    #[cold]
    fn report_rejected<S: Receiver<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        let watermark = self.clock.watermark();
        self.dispatcher.reject(event, watermark, sink, |schema| match event.out_of_range() {
            None => RejectReason::TimeOutOfRange,
            Some(field) => {
                let ty = schema.ty(event.type_id());
                let field = format!("{}.{}", ty.name, ty.field(field).name).into();
                RejectReason::FieldOutOfRange { field }
            }
        });
    }

    /// Releases events up to the watermark of the sources.
    #[inline]
    pub(super) fn release_reached<S: Receiver<E> + ?Sized>(
        &mut self,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        if let Some(watermark) = self.clock.reached()
            && !self.clock.has_ended()
            && !self.dispatcher.has_failed()
        {
            self.release_until(watermark, lent, sink);
        }
    }
}
