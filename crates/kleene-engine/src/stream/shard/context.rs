//! The context of a shard: the shard of each rule's keys, and the shard's position in the stream.

use std::sync::Arc;

use crate::stream::limits::EngineLimits;
use crate::stream::output::order::{Phase, Position};
use crate::stream::shard::undivided::{UndividedReason, fails, whole};
use kleene_automata::exec::OutcomeKind;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Rule;

/// A shard's part of the work.
#[derive(Debug)]
pub(in crate::stream) struct ShardContext {
    pub(in crate::stream) index: u32,
    pub(in crate::stream) of: u32,
    /// The placement of each rule's keys.
    placements: Arc<[Placement]>,
    divides_all: bool,
    /// The limits of all shards together.
    limits: EngineLimits,
    /// The number of released events, for [`Position`]. Derived events do not count as released:
    /// they are in the first shard alone.
    released: u64,
    time: Timestamp,
    phase: Phase,
    rule: u32,
    /// The number of the event's key, of those that it has in the rule.
    ordinal: usize,
    /// The number of open partial matches after the last event.
    open: u64,
    pub(in crate::stream) changes: Option<Vec<i64>>,
}

/// The placement of a rule's keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum Placement {
    /// The hash of a key selects the shard.
    Divided,
    /// All keys are in the shard with this number.
    Whole(u32),
    /// All keys are in the first shard, and the rule reads derived events.
    Fed,
}

impl ShardContext {
    pub(in crate::stream) fn new(
        index: u32,
        of: u32,
        placements: Arc<[Placement]>,
        limits: EngineLimits,
    ) -> ShardContext {
        let (released, time, phase) = (0, Timestamp::MIN, Phase::Deadline);
        let divides_all = placements.iter().all(|home| *home == Placement::Divided);
        ShardContext {
            index,
            of,
            placements,
            divides_all,
            limits,
            released,
            time,
            phase,
            rule: 0,
            ordinal: 0,
            open: 0,
            changes: None,
        }
    }

    pub(in crate::stream) fn index(&self) -> usize {
        self.index as usize
    }

    pub(in crate::stream) fn limits(&self) -> EngineLimits {
        self.limits
    }

    /// Returns the number of events that were given to rules, without derived events.
    pub(in crate::stream) fn released(&self) -> u64 {
        self.released
    }

    /// Sets the number of the next event.
    pub(in crate::stream) fn set_released(&mut self, released: u64) {
        self.released = released;
    }

    /// True if the rule reads derived events and numbers events for itself.
    pub(in crate::stream) fn is_fed(&self, rule: u32) -> bool {
        self.placements[rule as usize] == Placement::Fed
    }

    /// Returns the number of the shard, out of `of`, that owns the key with this hash.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "less than `of`")]
    pub(in crate::stream) fn owner(hash: u64, of: u32) -> usize {
        // As good as the remainder, and without a division.
        ((u128::from(hash) * u128::from(of)) >> 64) as usize
    }

    /// True if this shard reports outputs that do not depend on keys.
    pub(in crate::stream) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// True if this shard owns the key with this hash, if keys are divided.
    #[inline]
    pub(in crate::stream) fn owns(&self, hash: u64) -> bool {
        ShardContext::owner(hash, self.of) == self.index as usize
    }

    /// True if the keys of all rules are divided.
    #[inline]
    pub(in crate::stream) fn divides_all(&self) -> bool {
        self.divides_all
    }

    /// Returns true in the first part if the rule's keys are divided, and in the second if
    /// undivided keys are in this shard.
    #[inline]
    fn home(&self, rule: u32) -> (bool, bool) {
        match self.placements[rule as usize] {
            Placement::Divided => (true, false),
            Placement::Whole(shard) => (false, shard == self.index),
            Placement::Fed => (false, self.index == 0),
        }
    }

    /// Returns the sequence number of an event for a rule. The number is the same in all shards.
    /// `seq` is the number in this shard, which counts for rules that read derived events.
    #[inline]
    fn number(&self, rule: u32, seq: u64) -> u64 {
        if self.placements[rule as usize] == Placement::Fed { seq } else { self.released }
    }

    /// Sets the position to the deadlines of this moment.
    pub(in crate::stream) fn enter_moment(&mut self, time: Timestamp) {
        if time > self.time {
            self.time = time;
            self.phase = Phase::Deadline;
        }
    }

    /// Sets the position to a derived event.
    pub(in crate::stream) fn enter_derived(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
        self.phase = Phase::Derived;
    }

    /// Sets the position to an event.
    #[inline]
    pub(in crate::stream) fn enter_event(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::Event;
    }

    /// Records that an event went to all rules, and that `open` partial matches are open.
    #[inline]
    pub(in crate::stream) fn leave_event(&mut self, open: u64) {
        if let Some(changes) = &mut self.changes {
            let change = i128::from(open) - i128::from(self.open);
            let change = change.clamp(i64::MIN.into(), i64::MAX.into());
            #[expect(clippy::cast_possible_truncation, reason = "clamped")]
            let change = change as i64;
            changes.push(change);
            self.open = self.open.saturating_add_signed(change);
        }
        self.released += 1;
        self.time = Timestamp::MIN;
        self.phase = Phase::Deadline;
    }

    /// Skips sequence numbers that an event has taken beyond its own. Derived events have numbers of
    /// the first shard alone.
    pub(in crate::stream) fn skip_numbers(&mut self, count: u64) {
        if self.phase == Phase::Event {
            self.released += count;
        }
    }

    /// Sets the position to the end of the stream.
    pub(in crate::stream) fn enter_end(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::End;
    }

    /// Sets the position to an event for a rule. `owned` is true if this shard owns the key.
    /// Returns the event's [number](ShardContext::number); `None` if the event is for another
    /// shard.
    #[inline]
    pub(in crate::stream) fn enter(&mut self, rule: u32, owned: bool, seq: u64) -> Option<u64> {
        let (is_divided, is_here) = self.home(rule);
        if !(is_here || is_divided && owned) {
            return None;
        }
        self.enter_rule(rule);
        self.ordinal = 0;
        Some(self.number(rule, seq))
    }

    /// Sets the position to one of the keys that an event has in the rule, after
    /// [`enter`](ShardContext::enter).
    pub(in crate::stream) fn enter_key(&mut self, ordinal: usize) {
        self.ordinal = ordinal;
    }

    /// Sets the position to outputs of this rule.
    #[inline]
    pub(in crate::stream) fn enter_rule(&mut self, rule: u32) {
        self.rule = rule;
    }

    /// Returns the position of a match or timeout.
    pub(in crate::stream) fn position(&self, kind: OutcomeKind, start: u64) -> Position {
        let is_match = kind == OutcomeKind::Match;
        let ShardContext { released, time, phase, rule, ordinal, .. } = *self;
        match phase {
            // One shard reports all outputs of one event for one key.
            Phase::Event => {
                let start = ordinal as u64;
                Position { released, time, phase, rule, start, ..Position::default() }
            }
            Phase::Derived => Position { released, time, phase, ..Position::default() },
            Phase::Deadline | Phase::End => {
                Position { released, time, phase, rule, is_match, start }
            }
        }
    }

    /// Returns the position of an event that no rule reads, after the outputs up to `watermark`.
    pub(in crate::stream) fn now(&self, watermark: Timestamp) -> Position {
        let time = self.time.max(watermark);
        Position { released: self.released, time, phase: Phase::Derived, ..Position::default() }
    }
}

/// Returns the number of useful shards, up to `of`, and the placement of each rule's keys.
///
/// The keys of three kinds of rules stay in one shard: rules without a key; rules whose `suppress`
/// or `once` concerns more than one key; and rules that feed each other (`emit as`), in the first
/// shard, since derived events come in the order in which they were made. With `limit .. fail`,
/// nothing is divided.
pub(in crate::stream) fn divide(rules: &[Arc<Rule>], of: u32) -> (u32, Arc<[Placement]>) {
    let of = of.max(1);
    let can_fail = fails(rules.iter()).is_some();
    let mut alone = 0;
    let place = |reason: Option<UndividedReason>| match reason {
        None => Placement::Divided,
        Some(UndividedReason::Fed) => Placement::Fed,
        Some(UndividedReason::Feeds) => Placement::Whole(0),
        Some(_) => {
            // The first shard has more to do than the others.
            alone += 1;
            Placement::Whole(of - 1 - (alone - 1) % of)
        }
    };
    let placements: Vec<Placement> = whole(rules).into_iter().map(place).collect();
    let is_of_use =
        |shard| placements.iter().any(|home| matches!(home, Placement::Whole(at) if *at == shard));
    let is_divided = placements.contains(&Placement::Divided);
    let is_one = can_fail || of < 2 || !is_divided && !(1..of).any(is_of_use);
    (if is_one { 1 } else { of }, placements.into())
}
