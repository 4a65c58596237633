//! Events and watermarks as they arrive.

use crate::event::{Event, bytes_of};
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::prefetch::{Ahead, Few, Foreseen};
use crate::stream::error::{Failure, PushError};
use crate::stream::ingest::reorder::{Lent, Reorder};
use crate::stream::ingest::watermark::{Progress, SourceId, Strategy};
use crate::stream::keys::TOGETHER;
use crate::stream::output::reason::Reason;
use crate::stream::output::sink::{Late, Overflow, Rejected, Sink};
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// How far time has come, and the events that wait for it.
pub(in crate::stream) struct Ingest<E: Event> {
    pub(in crate::stream) dispatcher: Dispatcher<E>,
    pub(in crate::stream) progress: Progress,
    pub(in crate::stream) buffer: Reorder<E>,
    /// What the events in the buffer take.
    pub(in crate::stream) buffer_bytes: u64,
    /// No event at or before this time is taken any more.
    pub(in crate::stream) watermark: Timestamp,
    /// The time of the newest event, where events can come out of order.
    pub(in crate::stream) newest: Timestamp,
    /// The source of events that are pushed without one.
    pub(in crate::stream) main: Option<SourceId>,
    pub(in crate::stream) finished: bool,
}

impl<E: Event> Ingest<E> {
    pub(in crate::stream) fn new(dispatcher: Dispatcher<E>, strategy: Strategy) -> Ingest<E> {
        Ingest {
            dispatcher,
            progress: Progress::new(strategy),
            buffer: Reorder::new(),
            buffer_bytes: 0,
            watermark: Timestamp::MIN,
            newest: Timestamp::MIN,
            main: None,
            finished: false,
        }
    }

    #[inline]
    pub(in crate::stream) fn main_source(&mut self) -> SourceId {
        match self.main {
            Some(source) => source,
            None => *self.main.insert(self.progress.source("")),
        }
    }

    /// The end of time: releases everything that is buffered, and reports what is open.
    pub(in crate::stream) fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        // Silences that repeat do so up to the last event, and once more.
        let last = self.last_time();
        let has_failed = self.dispatcher.books.failure.is_some();
        if self.dispatcher.repeats()
            && !has_failed
            && last > self.watermark
            && last < Timestamp::MAX
        {
            self.move_to(last, &mut Lent::nothing(), sink);
        }
        self.dispatcher.rules.iter_mut().for_each(|rule| rule.store.end());
        if self.dispatcher.books.failure.is_none() {
            self.move_to(Timestamp::MAX, &mut Lent::nothing(), sink);
        }
        self.finished = true;
        self.dispatcher.finish(sink);
    }

    /// Counts since the engine was built, and what it holds now.
    pub(in crate::stream) fn stats(&self) -> Stats {
        let (divisions, too_large) = self.dispatcher.mistakes();
        let books = &self.dispatcher.books;
        Stats {
            buffered: (self.buffer.len() + books.derived.len()) as u64,
            buffered_bytes: self.buffer_bytes + books.derived.bytes(),
            divided_by_zero: books.stats.divided_by_zero + divisions,
            values_too_large: books.stats.values_too_large + too_large,
            ..books.stats
        }
    }

    /// Heap bytes, without what events own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.dispatcher.memory_usage() + self.buffer.memory_usage()
    }

    /// The first moment that is not over.
    pub(in crate::stream) fn next_moment(&self) -> Timestamp {
        self.watermark.plus_millis(1)
    }

    /// Takes an event while others are lent.
    #[inline(always)]
    pub(in crate::stream) fn take<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        foreseen: Foreseen,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.finished || self.dispatcher.books.failure.is_some() {
            return Err(self
                .dispatcher
                .books
                .failure
                .clone()
                .unwrap_or(PushError(Failure::Finished)));
        }
        self.dispatcher.books.stats.events += 1;
        let time = event.time();
        if event.out_of_range().is_some() {
            self.reject(event, sink);
            return Ok(());
        }
        if time <= self.watermark {
            self.refuse(source, event, lent, sink);
            return self.so_far();
        }
        if time == Timestamp::MAX {
            self.reject(event, sink);
            return Ok(());
        }
        let named = self.dispatcher.is_named(event);
        self.progress.observe(source, time);
        if self.progress.is_sorted() && self.buffer.len() == 0 {
            // The event is after the watermark, and no other source holds time up.
            self.watermark = time.plus_millis(-1);
            if named {
                self.dispatcher.release(event, foreseen, sink);
            } else if self.dispatcher.is_due(time) {
                self.dispatcher.catch_up(time, false, sink);
            }
            return self.so_far();
        }
        self.put_in_order(event, named, lent, sink)
    }

    /// Takes an event that may have to wait for others.
    #[inline(never)]
    fn put_in_order<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        named: bool,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.newest = self.newest.max(event.time());
        if named {
            self.buffer_bytes += bytes_of(event);
            self.buffer.add(event.time(), event.clone());
        }
        self.follow(lent, sink);
        while !self.has_room(self.buffer.len(), self.buffer_bytes)
            && self.dispatcher.books.failure.is_none()
            && let Some(oldest) = self.buffer.first()
        {
            if self.dispatcher.books.tells_all() {
                self.dispatcher.books.stats.overflowed += 1;
                self.dispatcher.books.stand(self.watermark, sink);
                sink.overflowed(Overflow::Reorder { watermark: oldest });
            }
            self.move_to(oldest, lent, sink);
        }
        self.so_far()
    }

    /// Fails if a limit has stopped the engine.
    #[inline]
    pub(in crate::stream) fn so_far(&self) -> Result<(), PushError> {
        match &self.dispatcher.books.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// Releases events and fires deadlines up to and including `to`, after which no event of that
    /// time can come.
    pub(in crate::stream) fn move_to<S: Sink<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        self.watermark = to;
        let is_straight = self.dispatcher.releases_straight();
        let mut ahead = (lent.is_used() && self.dispatcher.holds_much()).then(Ahead::default);
        while self.dispatcher.books.failure.is_none() {
            if let Some(ahead) = ahead.as_mut().filter(|ahead| ahead.is_over()) {
                self.foresee(to, lent, ahead);
            }
            let Some(event) = self.buffer.take_until(to, lent) else { break };
            self.buffer_bytes = self.buffer_bytes.saturating_sub(bytes_of(&*event));
            let foreseen = ahead.as_mut().map_or(Foreseen::NOTHING, Ahead::next);
            if is_straight {
                self.dispatcher.release_straight(&event, foreseen, sink);
            } else {
                self.dispatcher.release_apart(&event, foreseen, sink);
            }
        }
        self.dispatcher.catch_up(to, true, sink);
        self.dispatcher.forget(to);
    }

    /// Looks at the next events of the buffer. Of some it may be seen only later that they are next.
    #[inline(never)]
    pub(in crate::stream) fn foresee(&self, to: Timestamp, lent: &Lent<'_, E>, ahead: &mut Ahead) {
        *ahead = Ahead::default();
        if let Some(few) = Few::take(self.buffer.look_into(to, TOGETHER, lent)) {
            self.dispatcher.look_at_next(&few, ahead);
        }
    }

    /// The time of the newest event, or how far time has come if that is later.
    fn last_time(&self) -> Timestamp {
        let come = self.watermark.plus_millis(i64::from(self.progress.is_sorted()));
        come.max(self.newest)
    }

    #[cold]
    fn refuse<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        if event.time() == Timestamp::MIN {
            self.reject(event, sink);
            return;
        }
        // Late, but a sign of life.
        self.progress.observe(source, event.time());
        self.dispatcher.books.stats.late += 1;
        if self.dispatcher.books.tells_all() {
            self.dispatcher.books.stand(self.watermark, sink);
            sink.late(Late { event, watermark: self.watermark });
        }
        self.follow(lent, sink);
    }

    #[cold]
    fn reject<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        self.dispatcher.books.stats.rejected += 1;
        if !self.dispatcher.books.tells_all() {
            return;
        }
        self.dispatcher.books.stand(self.watermark, sink);
        let reason = match event.out_of_range() {
            None => Reason::TimeOutOfRange,
            Some(field) => {
                let ty = self.dispatcher.schema.ty(event.type_id());
                let field = format!("{}.{}", ty.name, ty.field(field).name).into();
                Reason::FieldOutOfRange { field }
            }
        };
        sink.rejected(Rejected { event, reason });
    }

    /// Whether so many events of so many bytes may wait to be put in order.
    #[inline]
    pub(in crate::stream) fn has_room(&self, events: usize, bytes: u64) -> bool {
        let limits = &self.dispatcher.books.limits;
        events <= limits.buffered && bytes <= limits.buffered_bytes
    }

    /// Moves on to where the sources are.
    #[inline]
    pub(in crate::stream) fn follow<S: Sink<E> + ?Sized>(
        &mut self,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        let watermark = self.progress.watermark();
        if watermark > self.watermark && !self.finished && self.dispatcher.books.failure.is_none() {
            self.move_to(watermark, lent, sink);
        }
    }
}
