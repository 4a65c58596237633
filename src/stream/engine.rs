//! The engine: events and watermarks in, results out.

use std::fmt;
use std::sync::Arc;

use crate::event::{Event, bytes_of};
use crate::exec::Matcher;
use crate::hir::Rule;
use crate::schema::Schema;
use crate::stream::builder::Builder;
use crate::stream::dispatch::index::Found;
use crate::stream::dispatch::prefetch::Foreseen;
use crate::stream::dispatch::routes::Routes;
use crate::stream::error::{Failure, PushError};
use crate::stream::ingest::reorder::{Lent, Reorder};
use crate::stream::ingest::watermark::{Progress, SourceId, Strategy};
use crate::stream::keys::cold::{Cold, Shown};
use crate::stream::keys::groups::Groups;
use crate::stream::limits::Limits;
use crate::stream::limits::Matching;
use crate::stream::output::matched::{Partial, RuleInfo};
use crate::stream::output::reason::Reason;
use crate::stream::output::sink::{Late, Overflow, Rejected, Sink};
use crate::stream::rule::accounting::Books;
use crate::stream::rule::runtime::Running;
use crate::stream::rule::timers::{Timer, Timers};
use crate::stream::snapshot::Identity;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// Runs rules over a stream of events. See the [module](crate::stream) for what it promises.
pub struct Engine<E: Event> {
    /// What the numbers of types and fields mean.
    pub(super) schema: Arc<Schema>,
    pub(super) rules: Vec<Running<E>>,
    /// What rules hold, by key.
    pub(super) groups: Groups,
    pub(super) routes: Routes,
    pub(super) progress: Progress,
    pub(super) buffer: Reorder<E>,
    /// What the events in the buffer take.
    pub(super) buffer_bytes: u64,
    pub(super) timers: Timers,
    /// No event at or before this time is taken any more.
    pub(super) watermark: Timestamp,
    /// How many events have been released.
    pub(super) released: u64,
    pub(super) matching: Matching,
    pub(super) books: Books<E>,
    pub(super) finished: bool,
    /// What keeps the keys that have been idle.
    pub(super) cold: Option<Box<Cold<E>>>,
    /// When it has to bring some of them back; `MAX` where there are none.
    pub(super) wake: Timestamp,
    /// The time of the newest event, where events can come out of order.
    pub(super) newest: Timestamp,
    /// The source of events that are pushed without one.
    pub(super) main: Option<SourceId>,
    /// The snapshot that the next changes follow.
    pub(super) base: Option<Identity>,
    /// Scratch for timers that have come up.
    pub(super) due: Vec<Timer>,
    /// Scratch for the rules that an event is looked up for.
    pub(super) found: Vec<Found>,
}

impl<E: Event> fmt::Debug for Engine<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|rule| &rule.info.rule.name).collect();
        f.debug_struct("Engine")
            .field("rules", &rules)
            .field("watermark", &self.watermark)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<E: Event> Engine<E> {
    /// Starts the configuration of an engine.
    pub fn builder() -> Builder<E> {
        Builder::new()
    }

    pub(crate) fn new(
        schema: Arc<Schema>,
        rules: Vec<Running<E>>,
        groups: Groups,
        routes: Routes,
        strategy: Strategy,
        limits: Limits,
        matching: Matching,
    ) -> Engine<E> {
        Engine {
            schema,
            rules,
            groups,
            routes,
            progress: Progress::new(strategy),
            buffer: Reorder::new(),
            buffer_bytes: 0,
            timers: Timers::new(),
            watermark: Timestamp::MIN,
            released: 0,
            matching,
            books: Books::new(limits),
            finished: false,
            cold: None,
            wake: Timestamp::MAX,
            newest: Timestamp::MIN,
            main: None,
            base: None,
            due: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Takes an event of the only source.
    ///
    /// Fails after [`finish`](Engine::finish), and where a key has more partial matches than a rule
    /// with `limit ... fail` allows: then nothing is done any more, and every later event fails in
    /// the same way. What is wrong with an event itself is told to the sink.
    #[inline]
    pub fn push<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) -> Result<(), PushError> {
        let source = self.main_source();
        self.push_from(source, event, sink)
    }

    /// Takes several events of the only source, as [`push`](Engine::push) does one after the other.
    /// Where events have to wait to be put in order, those that need not wait beyond the call are
    /// not cloned. Where they come in order and very many partial matches are open, up to sixteen are
    /// taken from `events` and their keys looked up before the first is matched, which is
    /// faster than one by one.
    pub fn push_batch<'a, S: Sink<E> + ?Sized>(
        &mut self,
        events: impl IntoIterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        let source = self.main_source();
        if self.progress.is_sorted() {
            self.push_sorted(source, events.into_iter(), sink)
        } else {
            self.push_lent(source, events.into_iter(), sink)
        }
    }

    /// The source of this name, made if it is new.
    ///
    /// Each source has a watermark of its own, and that of the engine is the least of theirs: a
    /// source that has not said anything yet holds all others up until it is
    /// [idle](Engine::set_idle). The names are the host's; sources should be made before the first
    /// event is pushed, since time never goes back.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.progress.source(name)
    }

    fn main_source(&mut self) -> SourceId {
        match self.main {
            Some(source) => source,
            None => *self.main.insert(self.progress.source("")),
        }
    }

    /// Takes an event of one of several sources.
    pub fn push_from<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.push_one(source, event, sink)
    }

    /// Takes an event while others are lent.
    #[inline(always)]
    pub(super) fn take<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        foreseen: Foreseen,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if self.finished || self.books.failure.is_some() {
            return Err(self.books.failure.clone().unwrap_or(PushError(Failure::Finished)));
        }
        self.books.stats.events += 1;
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
        let named = self.is_named(event);
        self.progress.observe(source, time);
        if self.progress.is_sorted() && self.buffer.len() == 0 {
            // The event is after the watermark, and no other source holds time up.
            self.watermark = time.plus_millis(-1);
            if named {
                self.release(event, foreseen, sink);
            } else if self.is_due(time) {
                self.catch_up(time, false, sink);
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
            && self.books.failure.is_none()
            && let Some(oldest) = self.buffer.first()
        {
            if self.books.tells_all() {
                self.books.stats.overflowed += 1;
                self.books.stand(self.watermark, sink);
                sink.overflowed(Overflow::Reorder { watermark: oldest });
            }
            self.move_to(oldest, lent, sink);
        }
        self.so_far()
    }

    /// Fails if a limit has stopped the engine.
    #[inline]
    pub(super) fn so_far(&self) -> Result<(), PushError> {
        match &self.books.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// Why nothing is done any more: a rule with `limit ... fail` had too many partial matches, or a
    /// [cold store](crate::stream::ColdStore) has failed. What
    /// [`advance`](Engine::advance) and [`finish`](Engine::finish) run into is to be seen here.
    pub fn failure(&self) -> Option<&PushError> {
        self.books.failure.as_ref().or_else(|| self.cold.as_ref()?.trouble())
    }

    /// The time of the newest event, or how far time has come if that is later.
    fn last_time(&self) -> Timestamp {
        let come = self.watermark.plus_millis(i64::from(self.progress.is_sorted()));
        come.max(self.newest)
    }

    /// `source` says that no event at or before `to` will come from it any more.
    pub fn advance_source<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) {
        // The end of time is what `finish` means.
        self.progress.advance(source, to.min(Timestamp::MAX.plus_millis(-1)));
        self.follow(&mut Lent::nothing(), sink);
    }

    /// The only source says that no event at or before `to` will come any more: a watermark.
    ///
    /// It adds to what the strategy finds out by itself; an engine that was built with
    /// [`watermarks_from_source`](Builder::watermarks_from_source) moves by these alone. Time never
    /// goes back: a watermark that is behind changes nothing.
    pub fn advance<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, sink: &mut S) {
        let source = self.main_source();
        self.advance_source(source, to, sink);
    }

    /// `source` has nothing to say for now: the others do not wait for it until an event or
    /// watermark of it comes. Its events that are then behind the others are late.
    pub fn set_idle<S: Sink<E> + ?Sized>(&mut self, source: SourceId, sink: &mut S) {
        self.progress.set_idle(source);
        self.follow(&mut Lent::nothing(), sink);
    }

    /// The end of time: everything that is buffered is released, and what is open is told. Events
    /// can't be pushed any more.
    pub fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        if self.finished {
            return;
        }
        // Silences that repeat do so up to the last event, and once more.
        let repeats = self.rules.iter().any(|rule| rule.matcher.program().repeat.is_some());
        let last = self.last_time();
        if repeats && self.books.failure.is_none() && last > self.watermark && last < Timestamp::MAX
        {
            self.move_to(last, &mut Lent::nothing(), sink);
        }
        self.rules.iter_mut().for_each(|rule| rule.store.end());
        if self.books.failure.is_none() {
            self.move_to(Timestamp::MAX, &mut Lent::nothing(), sink);
        }
        self.end_cold();
        self.finished = true;
        self.base = None;
        let Engine { rules, groups, books, .. } = self;
        if let Some(share) = &mut books.share {
            share.enter_end();
        }
        let slots = groups.slots_by_rule(rules.len());
        for ((index, rule), slots) in (0..).zip(rules).zip(slots) {
            if books.failure.is_none() {
                if let Some(share) = &mut books.share {
                    share.enter_rule(index);
                }
                // What has no deadline can still be complete now that nothing can come any more. No
                // other rule sees it: its moment is over.
                rule.voice.on_match = None;
                let keys = groups.keys_mut(rule.group);
                let place = |slot| Some((slot, keys.place(slot, index)?));
                let places: Vec<(u32, usize)> = slots.into_iter().filter_map(place).collect();
                rule.expire(keys, &places, Timestamp::MAX, books, sink);
            }
            books.stats.divided_by_zero += rule.store.divisions_by_zero();
            books.stats.values_too_large += rule.store.values_too_large();
            rule.store = rule.matcher.create_store();
            rule.accounted = 0;
        }
        groups.clear();
        books.stats.partials = 0;
        books.stats.captured_bytes = 0;
        books.stats.keys = 0;
        books.stats.cold = 0;
        (self.cold, self.wake) = (None, Timestamp::MAX);
    }

    /// Whether the end of time has come: [`finish`](Engine::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// How far time has come: no event at or before this is taken any more.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// What the numbers of event types and fields mean: those of the events' own type, or where they
    /// have none ([`Record`](crate::Record)) those that the rules declare. Where rules were
    /// [replaced](Engine::replace_rules), new types and fields come after those that were there.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The rules in their order, with the type and field numbers of the events.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.rules.iter().map(|rule| &rule.info.rule)
    }

    /// The partial matches of the rule of this name that are open now, by their first events. Where
    /// nothing is told when time runs out, some may be shown for a while after their deadline.
    ///
    /// For people who look: it takes time in proportion to what is open. What a [cold
    /// store](crate::stream::ColdStore) keeps is in memory from then on until some of it changes;
    /// where it cannot be read, it is not among them, and the engine [stops](Engine::failure).
    pub fn partials(&self, rule: &str) -> Vec<Partial<'_, E>> {
        let mut partials = Vec::new();
        for (index, running) in (0..).zip(&self.rules) {
            let Running { info, matcher, store, group, .. } = running;
            if *info.rule.name != *rule {
                continue;
            }
            for (_, slot) in self.groups.keys(*group).slots() {
                for held in slot.held().iter().filter(|held| held.rule == index) {
                    let open = matcher.open(store, &held.state).into_iter();
                    partials.extend(open.map(|open| Partial::new(info, &slot.key, open)));
                }
            }
            let Some(cold) = self.cold.as_ref().filter(|_| self.books.stats.cold > 0) else {
                continue;
            };
            let Shown { scratch, keys } = cold.show(&self.rules);
            let Some(store) = scratch.store(index) else { continue };
            for (key, held) in keys {
                for held in held.iter().filter(|held| held.rule == index) {
                    let open = matcher.open(store, &held.state).into_iter();
                    partials.extend(open.map(|open| Partial::new(info, key, open)));
                }
            }
        }
        // Partial matches with the same first event are of one key, and in order already.
        partials.sort_by_key(Partial::start_seq);
        partials
    }

    /// The first rule as it is run, for those who follow it by other means.
    pub(crate) fn into_rule(self) -> Option<(RuleInfo, Matcher<E>)> {
        let Running { info, matcher, .. } = self.rules.into_iter().next()?;
        Some((info, matcher))
    }

    /// Counts since the engine was built, and what it holds now.
    pub fn stats(&self) -> Stats {
        let divisions: u64 = self.rules.iter().map(|rule| rule.store.divisions_by_zero()).sum();
        let too_large: u64 = self.rules.iter().map(|rule| rule.store.values_too_large()).sum();
        let stats = &self.books.stats;
        Stats {
            buffered: (self.buffer.len() + self.books.derived.len()) as u64,
            buffered_bytes: self.buffer_bytes + self.books.derived.bytes(),
            divided_by_zero: stats.divided_by_zero + divisions,
            values_too_large: stats.values_too_large + too_large,
            ..*stats
        }
    }

    /// How many steps matching has taken with these rules since the engine was built or they were
    /// replaced. A step is a partial match that an event or a moment was tried against, or one that
    /// was made: what an engine does, counted where a clock would say how busy the machine was. It
    /// depends on the strategies of the rules, and is not part of snapshots.
    pub fn steps(&self) -> u64 {
        self.rules.iter().map(|rule| rule.store.steps()).sum()
    }

    /// Bytes of heap that the engine holds, about: without what events own.
    pub fn memory_usage(&self) -> usize {
        let rules = self.rules.iter();
        rules.map(Running::memory_usage).sum::<usize>()
            + self.groups.memory_usage()
            + self.buffer.memory_usage()
            + self.books.derived.memory_usage()
            + self.timers.memory_usage()
            + self.cold.as_ref().map_or(0, |cold| cold.memory_usage())
    }

    /// Sums up what the rules hold, after it was put there by other means than events.
    pub(super) fn account(&mut self) {
        self.rules.iter_mut().for_each(|rule| rule.accounted = rule.store.captured_bytes());
        let all = self.rules.iter().map(|rule| rule.accounted);
        self.books.stats.captured_bytes = all.sum();
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
        self.books.stats.late += 1;
        if self.books.tells_all() {
            self.books.stand(self.watermark, sink);
            sink.late(Late { event, watermark: self.watermark });
        }
        self.follow(lent, sink);
    }

    #[cold]
    fn reject<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        self.books.stats.rejected += 1;
        if !self.books.tells_all() {
            return;
        }
        self.books.stand(self.watermark, sink);
        let reason = match event.out_of_range() {
            None => Reason::TimeOutOfRange,
            Some(field) => {
                let ty = self.schema.ty(event.type_id());
                let field = format!("{}.{}", ty.name, ty.field(field).name).into();
                Reason::FieldOutOfRange { field }
            }
        };
        sink.rejected(Rejected { event, reason });
    }

    /// Whether so many events of so many bytes may wait to be put in order.
    #[inline]
    pub(super) fn has_room(&self, events: usize, bytes: u64) -> bool {
        let limits = &self.books.limits;
        events <= limits.buffered && bytes <= limits.buffered_bytes
    }

    /// Whether some rule names the event's type.
    #[inline]
    pub(super) fn is_named(&mut self, event: &E) -> bool {
        match self.routes.types.get(event.type_id().index()) {
            Some(route) if route.declared => !route.groups.is_empty(),
            _ => {
                self.books.stats.unknown += 1;
                false
            }
        }
    }

    /// Moves on to where the sources are.
    #[inline]
    pub(super) fn follow<S: Sink<E> + ?Sized>(&mut self, lent: &mut Lent<'_, E>, sink: &mut S) {
        let watermark = self.progress.watermark();
        if watermark > self.watermark && !self.finished && self.books.failure.is_none() {
            self.move_to(watermark, lent, sink);
        }
    }
}
