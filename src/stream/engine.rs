//! The engine: events and watermarks in, results out.

use std::fmt;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashSet};
use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::{self, KeyState, Matcher, Outcome, OutcomeKind, Store};
use crate::hir::expr::FieldRef;
use crate::hir::{Emit, Length, LimitPolicy, Rule};
use crate::nfa::Program;
use crate::schema::{Schema, TypeId};
use crate::stream::builder::{BuildError, Builder};
use crate::stream::derived::{Derived, Feeder};
use crate::stream::partition::{KeyRef, Partition, Slot};
use crate::stream::reorder::Reorder;
use crate::stream::sink::{Late, Overflow, Reason, Rejected, Sink};
use crate::stream::stats::Stats;
use crate::stream::suppress::{Quiet, Verdict};
use crate::stream::timers::{Timer, Timers};
use crate::stream::told::{Match, Partial, RuleInfo, Timeout};
use crate::stream::watermark::{Progress, SourceId, Strategy};
use crate::time::Timestamp;
use crate::value::Value;

/// Released events between two looks for what rules need not keep quiet any more.
const FORGET_EVERY: u64 = 1024;

/// Runs rules over a stream of events. See the [module](crate::stream) for what it promises.
pub struct Engine<E: Event> {
    /// What the numbers of types and fields mean.
    pub(super) schema: Arc<Schema>,
    pub(super) rules: Vec<Running<E>>,
    pub(super) routes: Routes,
    progress: Progress,
    buffer: Reorder<E>,
    pub(super) timers: Timers,
    /// No event at or before this time is taken any more.
    pub(super) watermark: Timestamp,
    /// How many events have been released.
    released: u64,
    /// What a key of a rule may hold.
    pub(super) per_key: exec::Limits,
    pub(super) books: Books<E>,
    finished: bool,
    /// The source of events that are pushed without one.
    main: Option<SourceId>,
    /// Scratch for timers that have come up.
    due: Vec<Timer>,
}

/// What may grow how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) buffered: usize,
    pub(crate) partials: u64,
    /// Of one rule.
    pub(crate) suppressed: usize,
}

/// What all rules write to.
pub(super) struct Books<E> {
    limits: Limits,
    pub(super) stats: Stats,
    /// What rules have made for other rules, and no rule has seen yet.
    derived: Derived<E>,
    /// Why nothing is done any more.
    failure: Option<PushError>,
}

/// A rule and what it holds.
pub(crate) struct Running<E: Event> {
    pub(super) info: RuleInfo,
    pub(super) matcher: Matcher<E>,
    pub(super) store: Store<E>,
    pub(super) keys: Partition,
    /// The event types that are declared with the rule; those of the events where `None`.
    pub(super) declared: Option<Arc<Schema>>,
    /// Whether it comes from rule text, so that it can be replaced.
    pub(super) is_text: bool,
    pub(super) voice: Voice,
    /// By how many milliseconds its timers may be late: not 0 only where nothing can be told at a
    /// deadline, so that timers merely free memory.
    slack: i64,
}

impl<E: Event> Running<E> {
    pub(crate) fn new(
        info: RuleInfo,
        matcher: Matcher<E>,
        declared: Option<Arc<Schema>>,
        is_text: bool,
    ) -> Running<E> {
        let (store, slack) = (matcher.create_store(), slack(matcher.program()));
        let (keys, voice) = (Partition::default(), Voice::new(&info.rule));
        Running { info, matcher, store, keys, declared, is_text, voice, slack }
    }

    /// Prepares what this rule makes for other rules, of which some see the types `read`. Fails where
    /// there can be no such events.
    pub(super) fn link(&mut self, read: &HashSet<TypeId>) -> Result<(), BuildError> {
        let RuleInfo { rule, schema, .. } = &self.info;
        let link = |emit: Option<&Emit>| match emit {
            Some(emit) if emit.feeds.is_some_and(|ty| read.contains(&ty)) => {
                let feeder = Feeder::new(emit, schema).filter(|_| E::CAN_BE_MADE);
                feeder.map(Some).ok_or_else(|| BuildError::cannot_be_made(&rule.name))
            }
            _ => Ok(None),
        };
        self.voice.on_match = link(rule.emit.as_ref())?;
        self.voice.on_timeout = link(rule.on_timeout.as_ref())?;
        Ok(())
    }
}

/// What becomes of a rule's matches and timeouts.
pub(super) struct Voice {
    /// What it keeps quiet, if it has `suppress`.
    pub(super) quiet: Option<Quiet>,
    /// The events that matches make, where a rule sees them.
    on_match: Option<Feeder>,
    on_timeout: Option<Feeder>,
}

impl Voice {
    fn new(rule: &Rule) -> Voice {
        let quiet = rule.suppress.as_ref().map(|_| Quiet::default());
        Voice { quiet, on_match: None, on_timeout: None }
    }

    /// Tells a match or timeout, and makes the event that it is to other rules.
    #[inline]
    fn tell<E: Event, S: Sink<E> + ?Sized>(
        &mut self,
        told: Match<'_, E>,
        kind: OutcomeKind,
        schema: &Schema,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let feeder = match kind {
            OutcomeKind::Match => {
                if let Some(quiet) = &mut self.quiet
                    && is_suppressed(quiet, told, books, sink)
                {
                    return;
                }
                books.stats.matches += 1;
                sink.matched(told);
                &self.on_match
            }
            OutcomeKind::Timeout => {
                books.stats.timeouts += 1;
                sink.timed_out(Timeout::new(told));
                &self.on_timeout
            }
        };
        if let Some(feeder) = feeder {
            feed(feeder, told, schema, books, sink);
        }
    }
}

fn is_suppressed<E: Event, S: Sink<E> + ?Sized>(
    quiet: &mut Quiet,
    found: Match<'_, E>,
    books: &mut Books<E>,
    sink: &mut S,
) -> bool {
    let Some(suppress) = &found.rule().suppress else { return false };
    let verdict = quiet.judge(suppress, &found, books.limits.suppressed);
    match verdict {
        Verdict::Told => {}
        Verdict::Suppressed => {
            books.stats.suppressed += 1;
            sink.suppressed(found);
        }
        Verdict::NotRemembered => {
            books.stats.overflowed += 1;
            sink.overflowed(Overflow::Suppressed { rule: found.rule() });
        }
    }
    verdict == Verdict::Suppressed
}

/// Makes the event that a match or timeout is to other rules.
fn feed<E: Event, S: Sink<E> + ?Sized>(
    feeder: &Feeder,
    told: Match<'_, E>,
    schema: &Schema,
    books: &mut Books<E>,
    sink: &mut S,
) {
    match feeder.make(&told, schema) {
        Some((event, None)) => {
            if books.derived.len() >= books.limits.buffered {
                books.stats.overflowed += 1;
                sink.overflowed(Overflow::Derived { rule: told.rule() });
                return;
            }
            books.stats.derived += 1;
            books.derived.add(told.end(), event);
        }
        Some((event, Some(reason))) => {
            books.stats.rejected += 1;
            sink.rejected(Rejected { event: &event, reason });
        }
        None => books.stats.rejected += 1,
    }
}

/// An eighth of `within` for rules that tell nothing at deadlines: a key that stays busy then sets a
/// timer for every few of its partial matches, not for each.
fn slack(program: &Program) -> i64 {
    match program.within().and_then(Length::as_millis) {
        Some(within) if !program.tells_at_deadlines() => within / 8,
        _ => 0,
    }
}

/// Which rules see which events.
pub(crate) struct Routes {
    /// By type id.
    types: Vec<Route>,
    hasher: DefaultHashBuilder,
}

#[derive(Default)]
struct Route {
    /// Whether the rules declare the type.
    declared: bool,
    /// The different keys that rules want of this type.
    keys: Vec<Box<[FieldRef]>>,
    /// The rules in order, each with the key that it wants.
    rules: Vec<(u32, u32)>,
}

impl Routes {
    /// For events of the types of `schema`, of which the rules declare some.
    pub(crate) fn new<E: Event>(schema: &Schema, rules: &[Running<E>]) -> Routes {
        let mut routes = Routes { types: Vec::new(), hasher: DefaultHashBuilder::default() };
        routes.renew(schema, rules);
        routes
    }

    /// The same for other rules; keys that are known stay where they are.
    pub(super) fn renew<E: Event>(&mut self, schema: &Schema, rules: &[Running<E>]) {
        let mut routes: Vec<Route> = Vec::new();
        routes.resize_with(schema.len(), Route::default);
        // The rules of one file share what it declares.
        let mut last: Option<&Schema> = None;
        for (index, running) in (0..).zip(rules) {
            let declared = running.declared.as_deref().unwrap_or(schema);
            if !last.is_some_and(|last| std::ptr::eq(last, declared)) {
                for (_, ty) in declared.types() {
                    if let Some(id) = schema.type_id(&ty.name) {
                        routes[id.index()].declared = true;
                    }
                }
            }
            last = Some(declared);
            let rule = &running.info.rule;
            for ty in &rule.types {
                let Some(route) = routes.get_mut(ty.index()) else { continue };
                let key: Box<[FieldRef]> =
                    rule.key.iter().map(|part| field_of(&part.fields, *ty)).collect();
                let at = route.keys.iter().position(|other| *other == key).unwrap_or_else(|| {
                    route.keys.push(key);
                    route.keys.len() - 1
                });
                route.rules.push((index, u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        self.types = routes;
    }
}

/// The field that holds a key part in events of type `ty`; one that is always null if there is none.
fn field_of(fields: &[(TypeId, FieldRef)], ty: TypeId) -> FieldRef {
    let field = fields.iter().find(|(id, _)| *id == ty).map(|(_, field)| field.clone());
    field.unwrap_or_else(|| FieldRef::ByType(Arc::new([])))
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
        routes: Routes,
        strategy: Strategy,
        limits: Limits,
        per_key: exec::Limits,
    ) -> Engine<E> {
        Engine {
            schema,
            rules,
            routes,
            progress: Progress::new(strategy),
            buffer: Reorder::new(),
            timers: Timers::new(),
            watermark: Timestamp::MIN,
            released: 0,
            per_key,
            books: Books {
                limits,
                stats: Stats::default(),
                derived: Derived::new(),
                failure: None,
            },
            finished: false,
            main: None,
            due: Vec::new(),
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
    pub fn push_batch<'a, S: Sink<E> + ?Sized>(
        &mut self,
        events: impl IntoIterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        let source = self.main_source();
        events.into_iter().try_for_each(|event| self.push_from(source, event, sink))
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
        if self.finished || self.books.failure.is_some() {
            return Err(self.books.failure.clone().unwrap_or(PushError(Failure::Finished)));
        }
        self.books.stats.events += 1;
        let time = event.time();
        if time <= self.watermark {
            self.refuse(source, event, sink);
            return self.so_far();
        }
        if time == Timestamp::MAX {
            self.reject(event, sink);
            return Ok(());
        }
        let named = match self.routes.types.get(event.type_id().index()) {
            Some(route) if route.declared => !route.rules.is_empty(),
            _ => {
                self.books.stats.unknown += 1;
                false
            }
        };
        self.progress.observe(source, time);
        if self.progress.is_sorted() && self.buffer.len() == 0 {
            self.watermark = self.watermark.max(self.progress.watermark());
            if named {
                self.release(event, sink);
            } else if self.is_due(time) {
                self.catch_up(time, false, sink);
            }
            return self.so_far();
        }
        if named {
            self.buffer.add(time, event.clone());
        }
        self.follow(sink);
        if self.buffer.len() > self.books.limits.buffered
            && self.books.failure.is_none()
            && let Some(oldest) = self.buffer.first()
        {
            self.books.stats.overflowed += 1;
            sink.overflowed(Overflow::Reorder { watermark: oldest });
            self.move_to(oldest, sink);
        }
        self.so_far()
    }

    /// Fails if a limit has stopped the engine.
    #[inline]
    fn so_far(&self) -> Result<(), PushError> {
        match &self.books.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// Why nothing is done any more: a rule with `limit ... fail` had too many partial matches. What
    /// [`advance`](Engine::advance) and [`finish`](Engine::finish) run into is to be seen here.
    pub fn failure(&self) -> Option<&PushError> {
        self.books.failure.as_ref()
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
        self.follow(sink);
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
        self.follow(sink);
    }

    /// The end of time: everything that is buffered is released, and what is open is told. Events
    /// can't be pushed any more.
    pub fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        if self.finished {
            return;
        }
        if self.books.failure.is_none() {
            self.move_to(Timestamp::MAX, sink);
        }
        self.finished = true;
        let Engine { rules, books, .. } = self;
        for rule in rules {
            if books.failure.is_none() {
                // What has no deadline can still be complete now that nothing can come any more. No
                // other rule sees it: its moment is over.
                rule.voice.on_match = None;
                let slots = rule.keys.slots();
                expire(rule, &slots, Timestamp::MAX, books, sink);
            }
            books.stats.divided_by_zero += rule.store.divisions_by_zero();
            rule.store = rule.matcher.create_store();
            rule.keys = Partition::default();
        }
        books.stats.partials = 0;
        books.stats.keys = 0;
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
    /// For people who look: it takes time in proportion to what is open.
    pub fn partials(&self, rule: &str) -> Vec<Partial<'_, E>> {
        let mut partials = Vec::new();
        for running in self.rules.iter().filter(|running| *running.info.rule.name == *rule) {
            let Running { info, matcher, store, keys, .. } = running;
            for slot in keys.slots() {
                let Slot { key, state, .. } = keys.slot(slot);
                let open = matcher.open(store, state).into_iter();
                partials.extend(open.map(|open| Partial::new(info, key, open)));
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
        let stats = &self.books.stats;
        Stats {
            buffered: (self.buffer.len() + self.books.derived.len()) as u64,
            divided_by_zero: stats.divided_by_zero + divisions,
            ..*stats
        }
    }

    /// Bytes of heap that the engine holds, about: without what events own.
    pub fn memory_usage(&self) -> usize {
        let rules = self.rules.iter();
        rules.map(Running::memory_usage).sum::<usize>()
            + self.buffer.memory_usage()
            + self.books.derived.memory_usage()
            + self.timers.memory_usage()
    }

    #[cold]
    fn refuse<S: Sink<E> + ?Sized>(&mut self, source: SourceId, event: &E, sink: &mut S) {
        if event.time() == Timestamp::MIN {
            self.reject(event, sink);
            return;
        }
        // Late, but a sign of life.
        self.progress.observe(source, event.time());
        self.books.stats.late += 1;
        sink.late(Late { event, watermark: self.watermark });
        self.follow(sink);
    }

    #[cold]
    fn reject<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        self.books.stats.rejected += 1;
        sink.rejected(Rejected { event, reason: Reason::TimeOutOfRange });
    }

    /// Moves on to where the sources are.
    #[inline]
    fn follow<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        let watermark = self.progress.watermark();
        if watermark > self.watermark && !self.finished && self.books.failure.is_none() {
            self.move_to(watermark, sink);
        }
    }

    /// Releases events and fires deadlines up to and including `to`, after which no event of that
    /// time can come.
    fn move_to<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, sink: &mut S) {
        self.watermark = to;
        while self.books.failure.is_none()
            && let Some(event) = self.buffer.take_until(to)
        {
            self.release(&event, sink);
        }
        self.catch_up(to, true, sink);
        self.forget(to);
    }

    /// Gives an event to the rules, after what is due before it.
    #[inline]
    fn release<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        if self.is_due(event.time()) {
            self.catch_up(event.time(), false, sink);
        }
        if self.books.failure.is_none() {
            self.deliver(event, sink);
        }
    }

    /// Whether something may have to be done before an event of time `to`.
    #[inline]
    fn is_due(&self, to: Timestamp) -> bool {
        self.timers.next() <= to || !self.books.derived.is_empty()
    }

    /// Fires the deadlines up to and including `to`, and gives the rules what other rules have made
    /// before it; up to and including it where the moment `is_over`. At one time deadlines come
    /// first and derived events last.
    fn catch_up<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, is_over: bool, sink: &mut S) {
        while self.books.failure.is_none() {
            let derived = self.books.derived.next();
            let timer = self.timers.next();
            if self.timers.len() > 0
                && timer <= to
                && derived.is_none_or(|derived| timer <= derived)
            {
                self.fire_next(sink);
            } else if derived.is_some_and(|derived| derived < to || is_over && derived == to)
                && let Some(event) = self.books.derived.take()
            {
                self.deliver(&event, sink);
            } else {
                break;
            }
        }
    }

    /// Drops what rules need not keep quiet any more at `now`.
    fn forget(&mut self, now: Timestamp) {
        for rule in &mut self.rules {
            if let Some(quiet) = &mut rule.voice.quiet {
                quiet.forget(now);
            }
        }
    }

    fn deliver<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) {
        let seq = self.released;
        self.released += 1;
        if seq.is_multiple_of(FORGET_EVERY) {
            self.forget(event.time());
        }
        let Engine { rules, routes, timers, books, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        let keys = route.keys.iter().map(|fields| KeyRef::read(event, fields, &routes.hasher));
        let keys: SmallVec<[Option<KeyRef<'_>>; 1]> = keys.collect();
        if keys.iter().any(Option::is_none) {
            books.stats.keyless += 1;
        }
        for &(index, key) in &route.rules {
            if let Some(key) = &keys[key as usize] {
                let rule = &mut rules[index as usize];
                rule.take(index, key, event, seq, timers, books, sink);
                if books.stats.partials > books.limits.partials {
                    rule.overflow(key, books, sink);
                }
                if books.failure.is_some() {
                    return;
                }
            }
        }
        if timers.len() > 64 && timers.len() as u64 / 2 > books.stats.keys {
            // Each key has one timer that counts: more than half are of keys that are gone.
            timers.retain(|timer| {
                let living = rules[timer.rule as usize].keys.living(timer.slot, timer.generation);
                living.is_some_and(|slot| slot.armed == timer.at)
            });
        }
    }

    /// Fires the deadlines of the next moment that has any.
    fn fire_next<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        let Engine { rules, timers, books, due, .. } = self;
        let mut slots: SmallVec<[u32; 16]> = SmallVec::new();
        let now = timers.take_next(due);
        for of_rule in due.chunk_by(|a, b| a.rule == b.rule) {
            let index = of_rule[0].rule;
            let rule = &mut rules[index as usize];
            slots.clear();
            slots.extend(of_rule.iter().filter_map(|timer| {
                let slot = rule.keys.living(timer.slot, timer.generation)?;
                (slot.armed == now).then_some(timer.slot)
            }));
            expire(rule, &slots, now, books, sink);
            for &slot in &slots {
                rule.keys.slot_mut(slot).armed = Timestamp::MAX;
                rule.settle(index, slot, timers, &mut books.stats);
            }
        }
    }
}

/// Moves the keys in `slots` to `now` and tells what comes of it, by start.
fn expire<E: Event, S: Sink<E> + ?Sized>(
    rule: &mut Running<E>,
    slots: &[u32],
    now: Timestamp,
    books: &mut Books<E>,
    sink: &mut S,
) {
    let Running { info, matcher, store, keys, voice, .. } = rule;
    let schema = &*info.schema;
    if let [slot] = *slots {
        let Slot { key, state, .. } = keys.slot_mut(slot);
        let before = state.run_count();
        move_on(matcher, store, state, now, &mut |outcome| {
            voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
        });
        count(&mut books.stats, before, state.run_count());
        return;
    }
    // Keys are independent, but what they tell at one moment has one order.
    let mut held = Vec::new();
    for &slot in slots {
        let state = &mut keys.slot_mut(slot).state;
        let before = state.run_count();
        move_on(matcher, store, state, now, &mut |outcome| {
            let order = (outcome.kind() == OutcomeKind::Match, outcome.start_seq());
            held.push((order, slot, outcome.hold()));
        });
        count(&mut books.stats, before, state.run_count());
    }
    held.sort_by_key(|(order, ..)| *order);
    for (_, slot, held) in &held {
        let outcome = held.outcome(matcher.program());
        let told = Match::new(info, &keys.slot(*slot).key, outcome);
        voice.tell(told, outcome.kind(), schema, books, sink);
    }
}

/// Moves a key's time. Only the end of the stream is at the end of time.
fn move_on<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    now: Timestamp,
    tell: &mut impl FnMut(Outcome<'_, E>),
) {
    if now == Timestamp::MAX {
        matcher.finish(store, state, tell);
    } else {
        matcher.advance(store, state, now, tell);
    }
}

/// Notes that a key that had `before` partial matches has `after`.
#[inline]
fn count(stats: &mut Stats, before: usize, after: usize) {
    stats.partials = stats.partials + after as u64 - before as u64;
    stats.peak_partials = stats.peak_partials.max(stats.partials);
}

impl<E: Event> Running<E> {
    fn memory_usage(&self) -> usize {
        let quiet = self.voice.quiet.as_ref().map_or(0, Quiet::memory_usage);
        self.keys.memory_usage() + self.store.memory_usage() + quiet
    }

    /// Gives an event to the key that it is of.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the parts of an engine that a rule needs")]
    fn take<S: Sink<E> + ?Sized>(
        &mut self,
        index: u32,
        key: &KeyRef<'_>,
        event: &E,
        seq: u64,
        timers: &mut Timers,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let Running { info, matcher, store, keys, voice, .. } = self;
        let schema = &*info.schema;
        let dropped;
        let slot = if let Some(slot) = keys.find(key) {
            let Slot { key, state, .. } = keys.slot_mut(slot);
            let before = state.run_count();
            let mut tell = |outcome: Outcome<'_, E>| {
                voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
            };
            dropped = matcher.push(store, state, event, seq, &mut tell);
            count(&mut books.stats, before, state.run_count());
            slot
        } else {
            // Most events start nothing, and then the key need not be remembered.
            let mut state = KeyState::default();
            let mut owned = None;
            let mut tell = |outcome: Outcome<'_, E>| {
                let key = owned.get_or_insert_with(|| key.to_key());
                voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
            };
            dropped = matcher.push(store, &mut state, event, seq, &mut tell);
            if state.is_idle() {
                return;
            }
            count(&mut books.stats, 0, state.run_count());
            books.stats.keys += 1;
            keys.insert(key, state)
        };
        if dropped > 0 {
            books.stats.overflowed += 1;
            sink.overflowed(Overflow::Partials { rule: &info.rule, dropped });
            let limits = matcher.limits();
            if limits.policy == LimitPolicy::Fail {
                let (rule, key) = (info.rule.name.clone(), keys.slot(slot).key.to_vec());
                let key = info.rule.key.iter().map(|part| part.name.clone()).zip(key).collect();
                let (limit, at) = (limits.partial_matches_per_key, event.time());
                let failure = LimitFailure { rule, key, limit, at };
                books.failure = Some(PushError(Failure::Limit(Arc::new(failure))));
            }
        }
        self.settle(index, slot, timers, &mut books.stats);
    }

    /// Drops a key that has nothing open, or makes sure that a timer waits for its next deadline.
    #[inline]
    pub(super) fn settle(&mut self, index: u32, slot: u32, timers: &mut Timers, stats: &mut Stats) {
        let place = self.keys.slot_mut(slot);
        if place.state.is_idle() {
            self.drop_key(slot, stats);
            return;
        }
        let Some(deadline) = self.matcher.deadline(&place.state) else { return };
        let at = deadline.plus_millis(self.slack);
        if at < place.armed {
            place.armed = at;
            timers.add(Timer { at, rule: index, slot, generation: place.generation });
        }
    }

    fn drop_key(&mut self, slot: u32, stats: &mut Stats) {
        self.keys.remove(slot);
        stats.keys -= 1;
    }

    /// Drops the partial matches of the key that made them too many.
    #[cold]
    fn overflow<S: Sink<E> + ?Sized>(
        &mut self,
        key: &KeyRef<'_>,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let Some(slot) = self.keys.find(key) else { return };
        let state = &mut self.keys.slot_mut(slot).state;
        let dropped = state.run_count();
        self.matcher.clear(&mut self.store, state);
        count(&mut books.stats, dropped, 0);
        self.drop_key(slot, &mut books.stats);
        books.stats.overflowed += 1;
        sink.overflowed(Overflow::Partials { rule: &self.info.rule, dropped });
    }
}

/// An event cannot be taken, and neither can any later one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PushError(Failure);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Failure {
    Finished,
    Limit(Arc<LimitFailure>),
}

#[derive(Debug, Eq, PartialEq)]
struct LimitFailure {
    rule: Arc<str>,
    key: Vec<(Arc<str>, Value)>,
    limit: usize,
    at: Timestamp,
}

impl PushError {
    /// The name of the rule that had more partial matches than its `limit ... fail` allows; `None`
    /// where the engine was finished before.
    pub fn rule(&self) -> Option<&str> {
        match &self.0 {
            Failure::Finished => None,
            Failure::Limit(failure) => Some(&failure.rule),
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitFailure { rule, key, limit, at } = match &self.0 {
            Failure::Finished => {
                return f
                    .write_str("the engine was finished: no event can come after the end of time");
            }
            Failure::Limit(failure) => &**failure,
        };
        write!(f, "the rule `{rule}` would have more than {limit} partial matches open")?;
        for (index, (name, value)) in key.iter().enumerate() {
            write!(f, "{} {name} = {value}", if index == 0 { " for" } else { "," })?;
        }
        write!(f, " at {at}, and its limit says that this is to fail")
    }
}

impl std::error::Error for PushError {}
