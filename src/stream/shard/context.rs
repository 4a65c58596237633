//! Where the keys of each rule are among several shards, and how far one of them has come.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::hir::{Emit, Expr, LimitPolicy, Once, Rule};
use crate::schema::TypeId;
use crate::stream::limits::Limits;
use crate::stream::output::order::{Phase, Position};
use crate::time::Timestamp;

/// What a shard knows of its part.
#[derive(Debug)]
pub(in crate::stream) struct ShardContext {
    pub(in crate::stream) index: u32,
    pub(in crate::stream) of: u32,
    /// Where the keys of each rule are.
    placements: Arc<[Placement]>,
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
    pub(in crate::stream) changes: Option<Vec<i32>>,
}

/// Where the keys of a rule are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum Placement {
    /// Each where its hash says.
    Divided,
    /// All in the shard of this number.
    Whole(u32),
    /// The same, and the rule sees what other rules make.
    Fed,
}

impl ShardContext {
    pub(in crate::stream) fn new(
        index: u32,
        of: u32,
        placements: Arc<[Placement]>,
        limits: Limits,
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
            open: 0,
            changes: None,
        }
    }

    pub(in crate::stream) fn index(&self) -> usize {
        self.index as usize
    }

    pub(in crate::stream) fn limits(&self) -> Limits {
        self.limits
    }

    /// How many events were given to rules, without those that rules made.
    pub(in crate::stream) fn released(&self) -> u64 {
        self.released
    }

    /// Events get numbers from here on.
    pub(in crate::stream) fn set_released(&mut self, released: u64) {
        self.released = released;
    }

    /// True if the rule sees what other rules make, and numbers events for itself.
    pub(in crate::stream) fn is_fed(&self, rule: u32) -> bool {
        self.placements[rule as usize] == Placement::Fed
    }

    /// The number of the shard, of so many, that has the key with this hash where keys are divided.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "less than `of`")]
    pub(in crate::stream) fn owner(hash: u64, of: u32) -> usize {
        // As good as the remainder, and without a division.
        ((u128::from(hash) * u128::from(of)) >> 64) as usize
    }

    /// Whether this shard reports what all of them notice.
    pub(in crate::stream) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Whether a key with this hash is this shard's own, where keys are divided.
    #[inline]
    pub(in crate::stream) fn owns(&self, hash: u64) -> bool {
        ShardContext::owner(hash, self.of) == self.index as usize
    }

    /// Whether all rules' keys are divided.
    #[inline]
    pub(in crate::stream) fn divides_all(&self) -> bool {
        self.divides_all
    }

    /// Whether the rule's keys are divided, and if not, whether they are here.
    #[inline]
    fn home(&self, rule: u32) -> (bool, bool) {
        match self.placements[rule as usize] {
            Placement::Divided => (true, false),
            Placement::Whole(shard) => (false, shard == self.index),
            Placement::Fed => (false, self.index == 0),
        }
    }

    /// The number of an event, of which `seq` were given to rules in this shard before: the same in
    /// all shards for all that can be there.
    #[inline]
    fn number(&self, rule: u32, seq: u64) -> u64 {
        if self.placements[rule as usize] == Placement::Fed { seq } else { self.released }
    }

    /// Deadlines of this moment come now.
    pub(in crate::stream) fn enter_moment(&mut self, time: Timestamp) {
        if time > self.time {
            self.time = time;
            self.phase = Phase::Deadline;
        }
    }

    /// An event that a rule made comes now.
    pub(in crate::stream) fn enter_derived(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
        self.phase = Phase::Derived;
    }

    /// An event comes now.
    #[inline]
    pub(in crate::stream) fn enter_event(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::Event;
    }

    /// The event was given to all rules, and so many partial matches are open.
    #[inline]
    pub(in crate::stream) fn leave_event(&mut self, open: u64) {
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

    /// What is reported now is reported because there is no more.
    pub(in crate::stream) fn enter_end(&mut self) {
        self.time = Timestamp::MAX;
        self.phase = Phase::End;
    }

    /// An event comes to a rule, of a key that is this shard's own where `owned`. Gives its
    /// [number](ShardContext::number); `None` where it is another shard's business.
    #[inline]
    pub(in crate::stream) fn enter(&mut self, rule: u32, owned: bool, seq: u64) -> Option<u64> {
        let (is_divided, is_here) = self.home(rule);
        if !(is_here || is_divided && owned) {
            return None;
        }
        self.enter_rule(rule);
        Some(self.number(rule, seq))
    }

    /// What is reported now is of this rule.
    #[inline]
    pub(in crate::stream) fn enter_rule(&mut self, rule: u32) {
        self.rule = rule;
    }

    /// The position of a match or timeout.
    pub(in crate::stream) fn position(&self, is_match: bool, start: u64) -> Position {
        let ShardContext { released, time, phase, rule, .. } = *self;
        match phase {
            // One event has one key in a rule, so that one shard reports all that comes of it.
            Phase::Event => Position { released, time, phase, rule, ..Position::default() },
            Phase::Derived => Position { released, time, phase, ..Position::default() },
            Phase::Deadline | Phase::End => {
                Position { released, time, phase, rule, is_match, start }
            }
        }
    }

    /// The position of what is reported for an event that no rule sees, when all up to `watermark` is.
    pub(in crate::stream) fn now(&self, watermark: Timestamp) -> Position {
        let time = self.time.max(watermark);
        Position { released: self.released, time, phase: Phase::Derived, ..Position::default() }
    }
}

/// Where the keys of each rule are if there are up to `of` shards, and how many are of use.
///
/// Whole stay, in one shard: rules without a key; rules whose `suppress` or `once` speaks of more than one key;
/// and in the first, all that feed each other (`emit as`), since what they make comes in the order in
/// which it was made. Where a limit may stop everything, nothing is divided.
pub(in crate::stream) fn divide(rules: &[Arc<Rule>], of: u32) -> (u32, Arc<[Placement]>) {
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
    let placements: Vec<Placement> = rules
        .iter()
        .map(|rule| {
            if rule.types.iter().any(|ty| made.contains(ty)) {
                Placement::Fed
            } else if feeds(&rule.emit).or(feeds(&rule.on_timeout)).is_some() {
                Placement::Whole(0)
            } else if rule.key.is_empty() || suppresses_across_keys(rule) {
                // The first shard has more to do than the others.
                whole += 1;
                Placement::Whole(of - 1 - (whole - 1) % of)
            } else {
                Placement::Divided
            }
        })
        .collect();
    let is_of_use =
        |shard| placements.iter().any(|home| matches!(home, Placement::Whole(at) if *at == shard));
    let is_divided = placements.contains(&Placement::Divided);
    let is_one = can_fail || of < 2 || !is_divided && !(1..of).any(is_of_use);
    (if is_one { 1 } else { of }, placements.into())
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
