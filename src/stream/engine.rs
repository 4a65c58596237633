//! The engine: events and watermarks in, results out.

use std::fmt;
use std::sync::Arc;

use crate::event::Event;
use crate::exec::Matcher;
use crate::hir::Rule;
use crate::schema::Schema;
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::matched::{Partial, RuleInfo};
use crate::stream::output::sink::Sink;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// Runs rules over a stream of events. See the [module](crate::stream) for what it promises.
#[repr(C)] // As for `Ingest`.
pub struct Engine<E: Event> {
    ingest: Ingest<E>,
    /// The snapshot that the next changes follow.
    base: Option<Identity>,
}

/// what distinguishes a snapshot from all others that it could be taken for: changes say with it what they
/// follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) struct Identity {
    pub(in crate::stream) checksum: u32,
    pub(in crate::stream) length: u64,
}

impl<E: Event> fmt::Debug for Engine<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> =
            self.ingest.dispatcher.rules.iter().map(|rule| &rule.info.rule.name).collect();
        f.debug_struct("Engine")
            .field("rules", &rules)
            .field("watermark", &self.ingest.watermark)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<E: Event> Engine<E> {
    pub(in crate::stream) fn new(ingest: Ingest<E>) -> Engine<E> {
        Engine { ingest, base: None }
    }

    pub(in crate::stream) fn ingest(&self) -> &Ingest<E> {
        &self.ingest
    }

    /// What the engine holds, to be changed. The snapshot that the next changes follow stays.
    pub(in crate::stream) fn ingest_mut(&mut self) -> &mut Ingest<E> {
        &mut self.ingest
    }

    /// The snapshot that the next changes follow.
    pub(in crate::stream) fn base_mut(&mut self) -> &mut Option<Identity> {
        &mut self.base
    }

    /// Takes an event of the only source.
    ///
    /// Fails after [`finish`](Engine::finish), and where a key has more partial matches than a rule
    /// with `limit ... fail` allows: then nothing is done any more, and every later event fails in
    /// the same way. What is wrong with an event itself is reported to the sink.
    #[inline]
    pub fn push<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.push_from(source, event, sink)
    }

    /// Takes several events of the only source, as [`push`](Engine::push) does one after the other.
    /// Where events have to wait to be put in order, those that need not wait beyond the call are
    /// not cloned. Where they come in order and very many partial matches are open, up to 64 are
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
        let source = self.ingest.main_source();
        if self.ingest.progress.is_sorted() {
            self.ingest.ingest_in_order(source, events.into_iter(), sink)
        } else {
            self.ingest.ingest_lent(source, events.into_iter(), sink)
        }
    }

    /// The source of this name, made if it is new.
    ///
    /// Each source has a watermark of its own, and that of the engine is the least of theirs: a
    /// source that has not said anything yet holds all others up until it is
    /// [idle](Engine::set_idle). The names are the host's; sources should be made before the first
    /// event is pushed, since time never goes back.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.ingest.progress.source(name)
    }

    /// Takes an event of one of several sources.
    pub fn push_from<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest.ingest_one(source, event, sink)
    }

    /// Why nothing is done any more: a rule with `limit ... fail` had too many partial matches, or a
    /// [cold store](crate::stream::ColdStore) has failed. What
    /// [`advance`](Engine::advance) and [`finish`](Engine::finish) run into is to be seen here.
    pub fn failure(&self) -> Option<&PushError> {
        self.ingest.dispatcher.failure()
    }

    /// `source` says that no event at or before `to` will come from it any more.
    pub fn advance_source<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) {
        // The end of time is what `finish` means.
        self.ingest.progress.advance(source, to.min(Timestamp::MAX.plus_millis(-1)));
        self.ingest.release_reached(&mut Lent::nothing(), sink);
    }

    /// The only source says that no event at or before `to` will come any more: a watermark.
    ///
    /// It adds to what the strategy finds out by itself; an engine that was built with
    /// [`watermarks_from_source`](crate::stream::Builder::watermarks_from_source) moves by these alone. Time never
    /// goes back: a watermark that is behind changes nothing.
    pub fn advance<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, sink: &mut S) {
        let source = self.ingest.main_source();
        self.advance_source(source, to, sink);
    }

    /// `source` has nothing to say for now: the others do not wait for it until an event or
    /// watermark of it comes. Its events that are then behind the others are late.
    pub fn set_idle<S: Sink<E> + ?Sized>(&mut self, source: SourceId, sink: &mut S) {
        self.ingest.progress.set_idle(source);
        self.ingest.release_reached(&mut Lent::nothing(), sink);
    }

    /// The end of time: everything that is buffered is released, and what is open is reported. Events
    /// can't be pushed any more.
    pub fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        if !self.ingest.finished {
            self.base = None;
            self.ingest.finish(sink);
        }
    }

    /// Whether the end of time has come: [`finish`](Engine::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.ingest.finished
    }

    /// How far time has come: no event at or before this is taken any more.
    pub fn watermark(&self) -> Timestamp {
        self.ingest.watermark
    }

    /// What the numbers of event types and fields mean: those of the events' own type, or where they
    /// have none ([`Record`](crate::Record)) those that the rules declare. Where rules were
    /// [replaced](Engine::replace_rules), new types and fields come after those that were there.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.ingest.dispatcher.schema
    }

    /// The rules in their order, with the type and field numbers of the events.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.ingest.dispatcher.rules.iter().map(|rule| &rule.info.rule)
    }

    /// The partial matches of the rule of this name that are open now, by their first events. Where
    /// nothing is reported when time runs out, some may be shown for a while after their deadline.
    ///
    /// For people who look: it takes time in proportion to what is open. What a [cold
    /// store](crate::stream::ColdStore) keeps is in memory from then on until some of it changes;
    /// where it cannot be read, it is not among them, and the engine [stops](Engine::failure).
    pub fn partials(&self, rule: &str) -> Vec<Partial<'_, E>> {
        self.ingest.dispatcher.partials(rule)
    }

    /// The first rule as it is run, for those who follow it by other means.
    pub(crate) fn into_rule(self) -> Option<(RuleInfo, Matcher<E>)> {
        let RuleRuntime { info, matcher, .. } = self.ingest.dispatcher.rules.into_iter().next()?;
        Some((info, matcher))
    }

    /// Counts since the engine was built, and what it holds now.
    pub fn stats(&self) -> Stats {
        self.ingest.stats()
    }

    /// How many steps matching has taken with these rules since the engine was built or they were
    /// replaced. A step is a partial match that an event or a moment was tried against, or one that
    /// was made: what an engine does, counted where a clock would say how busy the machine was. It
    /// depends on the strategies of the rules, and is not part of snapshots.
    pub fn steps(&self) -> u64 {
        self.ingest.dispatcher.rules.iter().map(|rule| rule.store.steps()).sum()
    }

    /// Bytes of heap that the engine holds, about: without what events own.
    pub fn memory_usage(&self) -> usize {
        self.ingest.memory_usage()
    }
}
