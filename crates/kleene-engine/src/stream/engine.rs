//! The engine: events and watermarks in, results out.

use std::fmt;
use std::sync::Arc;

use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::watermark::{SourceId, SourceProgress};
use crate::stream::output::receiver::{Plain, Receiver};
use crate::stream::output::sink::Sink;
use crate::stream::output::{matched::RuleInfo, owned::Output, partial::Partial};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::stats::Stats;
use kleene_automata::exec::Matcher;
use kleene_event::event::{Event, EventBatch, Record};
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Rule;

/// Runs rules over a stream of events. The [module](crate::stream) documents its guarantees.
///
/// ```
/// use kleene::{Engine, Event, RuleSet, Timestamp, on_match};
///
/// #[derive(Clone, Event)]
/// struct Login { user: String, ok: bool, at: Timestamp }
///
/// let rules = RuleSet::parse_for::<Login>(
///     "rule guessed { key user  match login[not ok]{2} -> login[ok]  within 1m }",
/// )?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut found = Vec::new();
/// let mut sink = on_match(|guessed| found.push(guessed.reported_at()));
/// for (second, ok) in [(1, false), (2, false), (3, true)] {
///     let at = Timestamp::from_millis(1000 * second);
///     engine.push(&Login { user: "ann".into(), ok, at }, &mut sink)?;
/// }
/// engine.end_time(&mut sink)?; // no event comes any more: what waits for time is reported
/// assert_eq!(found, [Timestamp::from_millis(3000)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[repr(C)] // As for `Ingest`.
pub struct Engine<E: Event> {
    ingest: Ingest<E>,
    /// The base that the next snapshot of changes refers to.
    base: Option<Identity>,
}

/// The checksum and length that identify a snapshot. A snapshot of changes stores the identity of
/// the snapshot before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) struct Identity {
    pub(in crate::stream) checksum: u32,
    pub(in crate::stream) length: u64,
}

impl<E: Event> fmt::Debug for Engine<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules().map(|rule| &rule.name).collect();
        f.debug_struct("Engine")
            .field("rules", &rules)
            .field("watermark", &self.ingest.watermark())
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

    /// Returns the engine's state for changes. The base of the next snapshot of changes stays.
    pub(in crate::stream) fn ingest_mut(&mut self) -> &mut Ingest<E> {
        &mut self.ingest
    }

    /// Returns the base that the next snapshot of changes refers to.
    pub(in crate::stream) fn base_mut(&mut self) -> &mut Option<Identity> {
        &mut self.base
    }

    /// Pushes an event of the only source. A defect of the event itself is reported to the sink.
    ///
    /// # Errors
    /// [`PushError`] after [`end_time`](Engine::end_time), after a key exceeded a rule's `limit ...
    /// fail`, and after a [cold store](crate::stream::ColdStore) failed. The engine then does no
    /// more work, and every later push fails in the same way.
    #[inline]
    pub fn push<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.push_from(source, event, sink)
    }

    /// Pushes several events of the only source, with the same result as one [`push`](Engine::push)
    /// for each.
    ///
    /// Batches are faster in two cases. If events wait in the reorder buffer, only the events that
    /// outlast the call are cloned. If events come in time order and very many partial matches are
    /// open, the engine takes up to 64 events from `events` and looks up their keys before it
    /// matches the first.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push). The events after the one that failed are not
    /// matched.
    pub fn push_batch<'a, S: Sink<E> + ?Sized>(
        &mut self,
        events: impl IntoIterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        let source = self.ingest.main_source();
        if self.ingest.expects_order() {
            self.ingest.ingest_in_order(source, events.into_iter(), &mut Plain(sink))
        } else {
            self.ingest.ingest_lent(source, events.into_iter(), &mut Plain(sink))
        }
    }

    /// Pushes an event that the engine may keep, with the same result as [`push`](Engine::push). An
    /// event that waits in the reorder buffer is then not cloned.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push).
    pub fn push_owned<S: Sink<E> + ?Sized>(
        &mut self,
        event: E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.ingest.ingest_owned(source, event, &mut Plain(sink))
    }

    /// Returns an iterator over the outputs of these events, for a host that asks for outputs
    /// instead of passing a sink.
    ///
    /// The iterator pushes an event when it has no output left of the event before. An error is the
    /// last item. Events that the iterator has not reached when it is dropped are not pushed.
    ///
    /// ```
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Event, RuleSet, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// struct Login { user: String, ok: bool, at: Timestamp }
    ///
    /// let rules = RuleSet::parse_for::<Login>(
    ///     "rule guessed { key user  match login[not ok]{2} -> login[ok]  within 1m  emit { user } }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// let login = |ok, second: i64| {
    ///     Login { user: "ann".into(), ok, at: Timestamp::from_millis(1000 * second) }
    /// };
    /// let logins = [login(false, 1), login(false, 2), login(true, 3)];
    /// let outputs: Vec<Output<Login>> = engine.outputs(&logins).collect::<Result<_, _>>()?;
    /// assert!(matches!(&outputs[..], [Output::Match(found)] if &*found.rule == "guessed"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outputs<'a, I>(&mut self, events: I) -> Outputs<'_, E, I::IntoIter>
    where
        I: IntoIterator<Item = &'a E>,
        E: 'a,
    {
        let (ready, failure, is_over) = (Vec::new(), None, false);
        Outputs { engine: self, events: events.into_iter(), ready, failure, is_over }
    }

    /// Returns the source with this name. A new name makes a new source.
    ///
    /// Each source has its own watermark, and the engine's watermark is the least of them. A source
    /// without any event or watermark holds all others back until it is [idle](Engine::set_idle).
    /// The host chooses the names. Make all sources before the first event is pushed, since time
    /// never goes back.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.ingest.source(name)
    }

    /// Pushes an event of one of several sources.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push).
    pub fn push_from<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest.ingest_one(source, event, &mut Plain(sink))
    }

    /// Returns the error that stopped the engine: a rule with `limit ... fail` had too many partial
    /// matches, or a [cold store](crate::stream::ColdStore) failed. `None` if the engine has not
    /// failed.
    pub fn failure(&self) -> Option<&PushError> {
        self.ingest.dispatcher().failure()
    }

    /// Advances the watermark of `source`: no event at or before `to` will come from it any more.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push). Time then stands still.
    pub fn advance_source<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest.advance_source(source, to, &mut Plain(sink))
    }

    /// Advances the watermark of the only source: no event at or before `to` will come any more.
    ///
    /// The watermark adds to what the builder's strategy derives from the events. An engine that
    /// was built with
    /// [`watermarks_from_source`](crate::stream::EngineBuilder::watermarks_from_source) moves by
    /// these calls alone. Time never goes back: a watermark before the current one changes nothing.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push). Time then stands still.
    pub fn advance<S: Sink<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.advance_source(source, to, sink)
    }

    /// Marks `source` as idle: the other sources do not wait for it until its next event or
    /// watermark. An event of the source is late if it is at or before the engine's watermark.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push). Time then stands still.
    pub fn set_idle<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest.set_idle(source, &mut Plain(sink))
    }

    /// Ends the input for now, as at the end of a file: releases all buffered events, and moves
    /// time to the newest event. Deadlines after that event stay open, and later events continue
    /// from there. An event that is not newer is late.
    ///
    /// The end of an input is not the end of time: a `not` that still waits may be violated by the
    /// next input. [`end_time`](Engine::end_time) ends both.
    ///
    /// # Errors
    /// [`PushError`] as for [`push`](Engine::push). Time then stands still.
    ///
    /// ```
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    ///
    /// let rules = RuleSet::parse(
    ///     "event paid { at: time }  event sent { at: time }
    ///      rule unsent { match paid -> not sent for 1h }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// let mut outputs: Vec<Output<Record>> = Vec::new();
    /// let at = Timestamp::from_millis(0);
    /// engine.push(&Record::from_fields(rules.schema(), "paid", [("at", at.into())])?, &mut outputs)?;
    /// engine.end_input(&mut outputs)?;
    /// assert_eq!(outputs.len(), 0); // `sent` may come in the next file
    /// engine.end_time(&mut outputs)?;
    /// assert_eq!(outputs.len(), 1);
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn end_input<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) -> Result<(), PushError> {
        self.ingest.end_input(&mut Plain(sink))
    }

    /// Ends time: releases all buffered events, fires all deadlines and reports their outputs. Every
    /// later push fails. A second call does nothing.
    ///
    /// # Errors
    /// [`PushError`] if a rule's `limit ... fail` or a cold store has stopped the engine, now or
    /// before. The outputs after that moment are missing.
    pub fn end_time<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) -> Result<(), PushError> {
        self.end_time_to(&mut Plain(sink))
    }

    /// Ends the time of an engine or of a shard.
    pub(in crate::stream) fn end_time_to<R: Receiver<E> + ?Sized>(
        &mut self,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        if !self.ingest.has_ended() {
            self.base = None;
            self.ingest.end_time(receiver);
        }
        self.ingest.so_far()
    }

    /// True if [`end_time`](Engine::end_time) was called.
    pub fn has_ended(&self) -> bool {
        self.ingest.has_ended()
    }

    /// Returns the first time at which a watermark changes anything: it releases an event that waits,
    /// a deadline passes, or the engine forgets what is out of time. `None` if it never would.
    ///
    /// A host that wakes the engine at these times alone, and at its events, misses nothing.
    ///
    /// ```
    /// use kleene::stream::Ignore;
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    ///
    /// let rules = RuleSet::parse(
    ///     "event paid { at: time }  event sent { at: time }
    ///      rule unsent { match paid -> not sent for 1h }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).watermarks_from_source().build()?;
    /// let at = Timestamp::from_millis(5);
    /// let paid = Record::from_fields(rules.schema(), "paid", [("at", at.into())])?;
    /// engine.push(&paid, &mut Ignore)?;
    /// assert_eq!(engine.next_due(), Some(at));
    /// engine.advance(at, &mut Ignore)?;
    /// assert_eq!(engine.next_due(), Some(Timestamp::from_millis(3_600_005)));
    /// engine.advance(Timestamp::from_millis(3_600_005), &mut Ignore)?;
    /// assert!(engine.next_due().is_none() && engine.is_blank());
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn next_due(&self) -> Option<Timestamp> {
        self.ingest.next_due()
    }

    /// True if nothing is left of the events so far but counts and the watermark: no event waits, no
    /// partial match is open, and no match is remembered (`suppress`, `once`).
    pub fn is_blank(&self) -> bool {
        let stats = self.ingest.stats();
        stats.buffered == 0 && stats.keys == 0 && self.ingest.dispatcher().remembers_nothing()
    }

    /// Returns the engine's watermark. An event at or before the watermark is late.
    pub fn watermark(&self) -> Timestamp {
        self.ingest.watermark()
    }

    /// Returns the progress of each source, in the order in which they were made.
    ///
    /// The source with the least watermark holds the clock: the engine waits for it. A host can
    /// report which source that is, and since when.
    ///
    /// ```
    /// use kleene::stream::Ignore;
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    ///
    /// let rules = RuleSet::parse("event paid { at: time }  rule twice { match paid{2} }")?;
    /// let mut engine = Engine::<Record>::builder().rules(&rules).build()?;
    /// let (shop, _) = (engine.source("shop"), engine.source("bank"));
    /// engine.advance_source(shop, Timestamp::from_millis(5), &mut Ignore)?;
    /// let holder = engine.sources().filter(|source| !source.is_idle).min_by_key(|it| it.watermark);
    /// assert_eq!(holder.map(|source| source.name), Some("bank"));
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn sources(&self) -> impl ExactSizeIterator<Item = SourceProgress<'_>> {
        self.ingest.sources()
    }

    /// Returns the schema that numbers the event types and fields of this engine.
    ///
    /// The schema is the schema of the Rust event type. If the event type has no schema
    /// ([`Record`](kleene_event::event::Record)), the schema holds the types that the rules
    /// declare. After a [replacement](Engine::replace_rules), new types and fields follow the old
    /// ones.
    pub fn schema(&self) -> &Arc<Schema> {
        self.ingest.dispatcher().schema()
    }

    /// Returns the rules in their order. Their types and fields have the numbers of
    /// [`schema`](Engine::schema).
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.ingest.dispatcher().rules().iter().map(RuleRuntime::rule)
    }

    /// Collects the open partial matches of the rule with this name, ordered by first event. A rule
    /// that reports no timeouts may list partial matches for a while after their deadline. Of a key
    /// whose partial matches are held in the compact form, the first 1,000 are listed;
    /// [`Stats::partials`] counts all.
    ///
    /// The call is meant for inspection: its time is in proportion to the open partial matches.
    /// Keys in a [cold store](crate::stream::ColdStore) are read into memory and stay there until
    /// one of them changes. If the store cannot be read, its keys are missing from the result and
    /// the engine [stops](Engine::failure).
    pub fn collect_partials(&self, rule: &str) -> Vec<Partial<'_, E>> {
        self.ingest.dispatcher().partials(rule)
    }

    /// Returns the first rule with its matcher, for callers that run the rule without an engine.
    pub fn into_rule(self) -> Option<(RuleInfo, Matcher<E>)> {
        let rules = self.ingest.into_dispatcher().into_rules();
        rules.into_iter().next().map(RuleRuntime::into_parts)
    }

    /// Drops the partial matches that are out of time and report nothing, so that
    /// [`Stats::partials`](crate::stream::Stats::partials) counts only those that can still grow.
    ///
    /// Results are the same without this call: an engine drops them on its own, but later. The time
    /// is in proportion to the keys with state. Keys in a [cold store](crate::stream::ColdStore) are
    /// left out.
    pub fn sweep(&mut self) {
        let now = self.ingest.next_moment();
        self.ingest.dispatcher_mut().sweep(now);
    }

    /// Returns counts since the engine was built, and the size of its current state.
    pub fn stats(&self) -> Stats {
        self.ingest.stats()
    }

    /// Returns the number of matching steps since the engine was built or its rules were replaced.
    ///
    /// A step is one partial match that is tried against an event or a point in time, or one that
    /// is made. Steps measure the engine's work independently of the machine. The number depends on
    /// the strategies of the rules and is not part of snapshots.
    pub fn steps(&self) -> u64 {
        self.ingest.dispatcher().rules().iter().map(RuleRuntime::steps).sum()
    }

    /// Returns each rule with its number of [steps](Engine::steps), in the order of the rules.
    pub fn steps_by_rule(&self) -> impl ExactSizeIterator<Item = (&Arc<Rule>, u64)> {
        self.ingest.dispatcher().rules().iter().map(|rule| (rule.rule(), rule.steps()))
    }

    /// Returns the approximate heap size of the engine in bytes. Heap that events own is not
    /// included.
    pub fn memory_usage(&self) -> usize {
        self.ingest.memory_usage()
    }
}

impl Engine<Record> {
    /// Pushes the events of a batch of columns of the only source, with the same result as one
    /// [`push`](Engine::push) for each.
    ///
    /// The rows are read in place: no record is made of an event that no partial match and no
    /// reorder buffer keeps, and one record of each event that they do. Conditions that look at one
    /// event are asked for whole columns where only one rule reads the type, and events come in
    /// order. The types of the batch are those of [`schema`](Engine::schema).
    ///
    /// # Errors
    /// [`PushError`] as for [`push_batch`](Engine::push_batch).
    ///
    /// ```
    /// use kleene::event::{Column, ColumnValues, TypeColumns};
    /// use kleene::{Engine, RuleSet, on_match};
    ///
    /// let rules = RuleSet::parse(
    ///     "event hit { address: int, at: time }
    ///      rule busy { key address  match hit{3}  within 1s  emit { address } }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// let address = Column::new(ColumnValues::Int(vec![7, 7, 9, 7].into()));
    /// let at = Column::new(ColumnValues::Time(vec![0, 100, 200, 300].into()));
    /// let columns = [("address", address), ("at", at)];
    /// let hits = TypeColumns::new(engine.schema(), "hit", columns)?;
    /// let mut busy = Vec::new();
    /// let mut sink = on_match(|found| busy.extend(found.get("address").map(|a| a.as_i64())));
    /// engine.push_columns(&hits.into(), &mut sink)?;
    /// assert_eq!(busy, [Some(7)]);
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn push_columns<S: Sink<Record> + ?Sized>(
        &mut self,
        batch: &EventBatch,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.push_columns_from(source, batch, sink)
    }

    /// [Pushes](Engine::push_columns) a batch of columns of one of several sources.
    ///
    /// # Errors
    /// [`PushError`] as for [`push_columns`](Engine::push_columns).
    pub fn push_columns_from<S: Sink<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        batch: &EventBatch,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.ingest.ingest_columns(source, batch, &mut Plain(sink))
    }

    /// Pushes the events of a batch of columns of the only source, and then advances the watermark to
    /// `to`, with the same result as [`push_columns`](Engine::push_columns) and
    /// [`advance`](Engine::advance).
    ///
    /// A host that moves time itself
    /// ([`watermarks_from_source`](crate::stream::EngineBuilder::watermarks_from_source)) can hold a
    /// batch until the watermark passes its events. Then no record is made of them to wait, and events
    /// in order need no reorder buffer. Rejected events may be reported earlier or later among the
    /// other outputs.
    ///
    /// # Errors
    /// [`PushError`] as for [`push_batch`](Engine::push_batch).
    ///
    /// ```
    /// use kleene::event::{Column, ColumnValues, TypeColumns};
    /// use kleene::{Engine, RuleSet, Timestamp, on_match};
    ///
    /// let rules = RuleSet::parse(
    ///     "event hit { address: int, at: time }
    ///      rule busy { key address  match hit{3}  within 1s }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).watermarks_from_source().build()?;
    /// let address = Column::new(ColumnValues::Int(vec![7, 7, 9, 7].into()));
    /// let at = Column::new(ColumnValues::Time(vec![0, 100, 200, 300].into()));
    /// let hits = TypeColumns::new(engine.schema(), "hit", [("address", address), ("at", at)])?;
    /// let mut found = 0;
    /// let to = Timestamp::from_millis(300);
    /// engine.push_columns_until(&hits.into(), to, &mut on_match(|_| found += 1))?;
    /// assert_eq!((found, engine.watermark()), (1, to));
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn push_columns_until<S: Sink<Record> + ?Sized>(
        &mut self,
        batch: &EventBatch,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let source = self.ingest.main_source();
        self.ingest.ingest_columns_until(source, batch, to, &mut Plain(sink))
    }
}

/// The iterator of [`Engine::outputs`].
#[must_use = "nothing is pushed before the iterator is asked for an output"]
pub struct Outputs<'e, E: Event, I> {
    engine: &'e mut Engine<E>,
    events: I,
    /// The outputs of the last event, in reverse order once they are given out.
    ready: Vec<Output<E>>,
    failure: Option<PushError>,
    /// True after a failure.
    is_over: bool,
}

impl<E: Event, I> fmt::Debug for Outputs<'_, E, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl<'a, E: Event + 'a, I: Iterator<Item = &'a E>> Iterator for Outputs<'_, E, I> {
    type Item = Result<Output<E>, PushError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(output) = self.ready.pop() {
                return Some(Ok(output));
            }
            if let Some(failure) = self.failure.take() {
                self.is_over = true;
                return Some(Err(failure));
            }
            if self.is_over {
                return None;
            }
            let event = self.events.next()?;
            // The outputs before a failure come first.
            self.failure = self.engine.push(event, &mut self.ready).err();
            self.ready.reverse();
        }
    }
}
