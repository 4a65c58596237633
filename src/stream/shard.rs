//! One engine's work on several threads: shards that have the same rules and divide their keys.
//!
//! Every shard takes every event and every watermark in the same order, so that time, what is late
//! and the numbers of events are the same in all. Each matches the keys that are its own; a hash says
//! whose a key is. What they tell is brought together by its [`Position`]: all shards give one after
//! the other what one engine would.
//!
//! ```
//! use kleene::stream::{Ignore, Shard, Stats};
//! use kleene::{Engine, Record, RuleSet, Timestamp, Value};
//!
//! let rules = RuleSet::parse(
//!     "event hit { user: string, at: time }
//!      rule twice { key user  match hit{2}  within 1m  emit { user } }",
//! )?;
//! let schema = rules.schema().clone();
//! let mut shards: Vec<Shard<Record>> = Engine::builder().rules(rules).shards(2)?;
//! for (second, user) in (0..).zip(["ann", "bob", "cid", "bob", "ann"]) {
//!     let at = Value::Time(Timestamp::from_millis(1000 * second));
//!     let hit = Record::from_fields(&schema, "hit", [("user", user.into()), ("at", at)])?;
//!     for shard in &mut shards {
//!         shard.push(&hit, &mut Ignore)?;
//!     }
//! }
//! let stats: Stats = shards.iter().map(Shard::stats).sum();
//! assert_eq!((stats.events, stats.matches), (5, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::event::Event;
use crate::hir::{Emit, Expr, LimitPolicy, Once, Rule};
use crate::schema::{Schema, TypeId};
use crate::stream::engine::Engine;
use crate::stream::error::PushError;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::stream::rule::emitter::Limits;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// One of several engines that divide the keys of the same rules between them, made by
/// [`Builder::shards`](crate::stream::Builder::shards).
///
/// All of them have to be given the same events, watermarks and sources in the same order. What has
/// nothing to do with keys (late events, the reorder buffer, events of unknown types) is told and
/// counted by the first alone, so that the [sum](Stats#impl-Sum<Stats>-for-Stats) of their counts is
/// that of one engine.
pub struct Shard<E: Event>(pub(super) Engine<E>);

impl<E: Event> fmt::Debug for Shard<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("part", &self.0.books.share.as_ref().map(|share| (share.index, share.of)))
            .field("engine", &self.0)
            .finish()
    }
}

/// The engine is the only shard: all keys are its own.
impl<E: Event> From<Engine<E>> for Shard<E> {
    fn from(engine: Engine<E>) -> Shard<E> {
        Shard(engine)
    }
}

impl<E: Event> Shard<E> {
    /// Takes an event of the only source, as [`Engine::push`] does.
    #[inline]
    pub fn push<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) -> Result<(), PushError> {
        self.0.push(event, sink)
    }

    /// Takes an event of one of several sources, as [`Engine::push_from`] does.
    #[inline]
    pub fn push_from<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.0.push_from(source, event, sink)
    }

    /// The source of this name, made if it is new: the same in all shards if they are asked in the
    /// same order.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.0.source(name)
    }

    /// A watermark of the only source, as for [`Engine::advance`].
    pub fn advance<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, sink: &mut S) {
        self.0.advance(to, sink);
    }

    /// A watermark of one of several sources, as for [`Engine::advance_source`].
    pub fn advance_source<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) {
        self.0.advance_source(source, to, sink);
    }

    /// `source` has nothing to say for now, as for [`Engine::set_idle`].
    pub fn set_idle<S: Sink<E> + ?Sized>(&mut self, source: SourceId, sink: &mut S) {
        self.0.set_idle(source, sink);
    }

    /// The end of time, as for [`Engine::finish`].
    pub fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        self.0.finish(sink);
    }

    /// Why nothing is done any more, as for [`Engine::failure`].
    pub fn failure(&self) -> Option<&PushError> {
        self.0.failure()
    }

    /// What the numbers of event types and fields mean, as for [`Engine::schema`].
    pub fn schema(&self) -> &Arc<Schema> {
        self.0.schema()
    }

    /// Bytes of heap that the shard holds, about: without what events own.
    pub fn memory_usage(&self) -> usize {
        self.0.memory_usage()
    }

    /// What this shard has counted: those of all shards add up to what one engine counts, but for
    /// [`Stats::peak_partials`], which is the most that this shard ever had at once.
    pub fn stats(&self) -> Stats {
        let stats = self.0.stats();
        match &self.0.books.share {
            Some(share) if share.index > 0 => Stats {
                events: 0,
                late: 0,
                rejected: 0,
                unknown: 0,
                keyless: 0,
                buffered: 0,
                buffered_bytes: 0,
                ..stats
            },
            _ => stats,
        }
    }

    /// By how much the number of open partial matches has changed up to each event that rules were
    /// given since the last call; they are kept from the first call on. All shards have changes for
    /// the same events, and their running sum shows the peak that one engine would count. Always
    /// empty where this is the only shard.
    pub fn take_changes(&mut self) -> Vec<i32> {
        let Some(share) = &mut self.0.books.share else { return Vec::new() };
        share.changes.replace(Vec::new()).unwrap_or_default()
    }
}

/// Where something stands in the order of all that is told; see [`Sink::at`].
///
/// Positions of one call of several shards (`push`, `advance`, `finish`, ...) can be compared: what
/// has the lesser one is told first. What has the same one comes from one shard, and stays in order.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// How many events were given to rules before.
    released: u64,
    time: Timestamp,
    phase: Phase,
    rule: u32,
    is_match: bool,
    start: u64,
}

/// What happens between two events, and then with the second: in this order at one time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Phase {
    #[default]
    Deadline,
    Derived,
    /// The event itself: after all times.
    Event,
    /// Nothing can come any more.
    End,
}

/// What a shard knows of its part.
#[derive(Debug)]
pub(super) struct Share {
    index: u32,
    of: u32,
    /// Where the keys of each rule are.
    homes: Arc<[Home]>,
    divides_all: bool,
    /// The limits of all shards together.
    limits: Limits,
    /// How far it has come, for [`Position`]. Events that rules made are not counted as released:
    /// they are in the first shard alone.
    released: u64,
    time: Timestamp,
    phase: Phase,
    rule: u32,
    /// How many partial matches were open after the last event, and how that came about.
    open: u64,
    changes: Option<Vec<i32>>,
}

/// Where the keys of a rule are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Home {
    /// Each where its hash says.
    Divided,
    /// All in the shard of this number.
    Whole(u32),
    /// The same, and the rule sees what other rules make.
    Fed,
}

impl Share {
    pub(super) fn new(index: u32, of: u32, homes: Arc<[Home]>, limits: Limits) -> Share {
        let (released, time, phase) = (0, Timestamp::MIN, Phase::Deadline);
        let divides_all = homes.iter().all(|home| *home == Home::Divided);
        Share {
            index,
            of,
            homes,
            divides_all,
            limits,
            released,
            time,
            phase,
            rule: 0,
            open: 0,
            changes: None,
        }
    }

    pub(super) fn index(&self) -> usize {
        self.index as usize
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// How many events were given to rules, without those that rules made.
    pub(super) fn released(&self) -> u64 {
        self.released
    }

    /// Events get numbers from here on.
    pub(super) fn set_released(&mut self, released: u64) {
        self.released = released;
    }

    /// True if the rule sees what other rules make, and numbers events for itself.
    pub(super) fn is_fed(&self, rule: u32) -> bool {
        self.homes[rule as usize] == Home::Fed
    }

    /// The number of the shard, of so many, that has the key with this hash where keys are divided.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "less than `of`")]
    pub(super) fn owner(hash: u64, of: u32) -> usize {
        // As good as the remainder, and without a division.
        ((u128::from(hash) * u128::from(of)) >> 64) as usize
    }

    /// Whether this shard tells what all of them notice.
    pub(super) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Whether a key with this hash is this shard's own, where keys are divided.
    #[inline]
    pub(super) fn owns(&self, hash: u64) -> bool {
        Share::owner(hash, self.of) == self.index as usize
    }

    /// Whether all rules' keys are divided.
    #[inline]
    pub(super) fn divides_all(&self) -> bool {
        self.divides_all
    }

    /// Whether the rule's keys are divided, and if not, whether they are here.
    #[inline]
    fn home(&self, rule: u32) -> (bool, bool) {
        match self.homes[rule as usize] {
            Home::Divided => (true, false),
            Home::Whole(shard) => (false, shard == self.index),
            Home::Fed => (false, self.index == 0),
        }
    }

    /// The number of an event, of which `seq` were given to rules in this shard before: the same in
    /// all shards for all that can be there.
    #[inline]
    fn number(&self, rule: u32, seq: u64) -> u64 {
        if self.homes[rule as usize] == Home::Fed { seq } else { self.released }
    }

    /// Deadlines of this moment come now.
    pub(super) fn enter_moment(&mut self, time: Timestamp) {
        if time > self.time {
            self.time = time;
            self.phase = Phase::Deadline;
        }
    }

    /// An event that a rule made comes now.
    pub(super) fn enter_derived(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
        self.phase = Phase::Derived;
    }

    /// An event comes now.
    #[inline]
    pub(super) fn enter_event(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::Event;
    }

    /// The event was given to all rules, and so many partial matches are open.
    #[inline]
    pub(super) fn leave_event(&mut self, open: u64) {
        if let Some(changes) = &mut self.changes {
            let change = open.cast_signed() - self.open.cast_signed();
            let change = change.clamp(i32::MIN.into(), i32::MAX.into());
            #[expect(clippy::cast_possible_truncation, reason = "clamped")]
            changes.push(change as i32);
            self.open = self.open.saturating_add_signed(change);
        }
        self.released += 1;
        self.time = Timestamp::MIN;
        self.phase = Phase::Deadline;
    }

    /// What is told now is told because there is no more.
    pub(super) fn enter_end(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::End;
    }

    /// An event comes to a rule, of a key that is this shard's own where `owned`. Gives its
    /// [number](Share::number); `None` where it is another shard's business.
    #[inline]
    pub(super) fn enter(&mut self, rule: u32, owned: bool, seq: u64) -> Option<u64> {
        let (is_divided, is_here) = self.home(rule);
        if !(is_here || is_divided && owned) {
            return None;
        }
        self.enter_rule(rule);
        Some(self.number(rule, seq))
    }

    /// What is told now is of this rule.
    #[inline]
    pub(super) fn enter_rule(&mut self, rule: u32) {
        self.rule = rule;
    }

    /// The position of a match or timeout.
    pub(super) fn position(&self, is_match: bool, start: u64) -> Position {
        let Share { released, time, phase, rule, .. } = *self;
        match phase {
            // One event has one key in a rule, so that one shard tells all that comes of it.
            Phase::Event => Position { released, time, phase, rule, ..Position::default() },
            Phase::Derived => Position { released, time, phase, ..Position::default() },
            Phase::Deadline | Phase::End => {
                Position { released, time, phase, rule, is_match, start }
            }
        }
    }

    /// The position of what is told of an event that no rule sees, when all up to `watermark` is.
    pub(super) fn now(&self, watermark: Timestamp) -> Position {
        let time = self.time.max(watermark);
        Position { released: self.released, time, phase: Phase::Derived, ..Position::default() }
    }
}

/// Where the keys of each rule are if there are up to `of` shards, and how many are of use.
///
/// Whole stay, in one shard: rules without a key; rules whose `suppress` or `once` speaks of more than one key;
/// and in the first, all that feed each other (`emit as`), since what they make comes in the order in
/// which it was made. Where a limit may stop everything, nothing is divided.
pub(super) fn divide(rules: &[Arc<Rule>], of: u32) -> (u32, Arc<[Home]>) {
    let of = of.max(1);
    let read: HashSet<TypeId> = rules.iter().flat_map(|rule| &rule.types).copied().collect();
    let feeds = |emit: &Option<Emit>| {
        emit.as_ref().and_then(|emit| emit.feeds).filter(|ty| read.contains(ty))
    };
    let made: HashSet<TypeId> = rules
        .iter()
        .flat_map(|rule| [feeds(&rule.emit), feeds(&rule.on_timeout)])
        .flatten()
        .collect();
    let can_fail =
        rules.iter().any(|rule| rule.limit.is_some_and(|limit| limit.policy == LimitPolicy::Fail));
    let mut whole = 0;
    let homes: Vec<Home> = rules
        .iter()
        .map(|rule| {
            if rule.types.iter().any(|ty| made.contains(ty)) {
                Home::Fed
            } else if feeds(&rule.emit).or(feeds(&rule.on_timeout)).is_some() {
                Home::Whole(0)
            } else if rule.key.is_empty() || suppresses_across_keys(rule) {
                // The first shard has more to do than the others.
                whole += 1;
                Home::Whole(of - 1 - (whole - 1) % of)
            } else {
                Home::Divided
            }
        })
        .collect();
    let is_of_use =
        |shard| homes.iter().any(|home| matches!(home, Home::Whole(at) if *at == shard));
    let is_divided = homes.contains(&Home::Divided);
    let is_one = can_fail || of < 2 || !is_divided && !(1..of).any(is_of_use);
    (if is_one { 1 } else { of }, homes.into())
}

/// Whether a match of one key of a rule can keep those of another quiet.
fn suppresses_across_keys(rule: &Rule) -> bool {
    if rule.once == Some(Once::Rule) {
        return true;
    }
    let by = rule.suppress.as_ref().and_then(|suppress| suppress.by.as_ref());
    by.is_some_and(|by| {
        let has = |part| by.iter().any(|expr| matches!(expr, Expr::Key(index) if *index == part));
        !(0..rule.key.len()).all(has)
    })
}
