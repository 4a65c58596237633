//! The tables of an automaton: states, edges, clock operations and bounds.

use crate::nfa::guard::GuardId;
use kleene_event::define_id;
use kleene_syntax::hir::{ConditionId, ItemKind, Length, Pattern, StepId};

define_id! {
    /// A state of an automaton.
    pub StateId
}

/// A range of one of the automaton's tables.
pub(crate) type Range = std::ops::Range<u32>;

pub(super) fn index_range(range: &Range) -> std::ops::Range<usize> {
    range.start as usize..range.end as usize
}

/// A state in which a partial match waits.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each fact is asked by itself")]
pub struct State {
    /// The edges of the state: stops first, then takes and ignores.
    pub(crate) edges: Range,
    /// When an event that was taken on the way here completes the match: a guard over that event
    /// and what was captured before it.
    pub accept: Option<GuardId>,
    /// True if a partial match that waits here is complete when its time runs out. One that can grow
    /// no more is so, too.
    pub accepts_at_deadline: bool,
    /// True if what completes it is a silence with a time of its own: one that the time of the
    /// whole pattern cuts short completes nothing.
    pub ends_in_silence: bool,
    /// True if a partial match that waits here is complete when it can grow no more.
    pub accepts_when_exhausted: bool,
    /// The bounds that end the wait, besides the pattern's own.
    pub(crate) bounds: Range,
    /// True if a partial match can wait here: an edge leads on.
    pub live: bool,
}

/// One effect that an event can have on a partial match that waits in a state.
#[derive(Clone, Debug)]
pub struct Edge {
    /// When the event has the effect.
    pub guard: GuardId,
    /// The effect.
    pub action: Action,
    /// The operations on the clocks.
    pub(crate) clocks: Range,
}

/// The effect of an edge.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// The partial match is given up.
    Stop,
    /// The event is captured as `step`.
    Take {
        /// The step.
        step: StepId,
        /// The next state.
        target: StateId,
    },
    /// The event is skipped.
    Ignore {
        /// The next state.
        target: StateId,
    },
    /// The event is skipped and completes the match without being part of it.
    Complete,
}

/// The operation of an edge on a group's clock, which holds the time of a repetition's first event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ClockOp {
    /// To the event's time.
    Set(u32),
    /// To the event's time unless it is set.
    SetIfUnset(u32),
    /// To nothing: the repetition ends.
    Unset(u32),
    /// To nothing: a repetition starts and ends with this event.
    Pass(u32),
    /// To nothing: the repetition has ended before this event.
    Clear(u32),
    /// Adds an event of an operand to the set that the clock holds.
    Add {
        /// The clock.
        set: u32,
        /// The number of the event.
        event: u8,
    },
}

impl ClockOp {
    /// Returns the number of the operation, without its clock. Hashes of automata hold it.
    pub(crate) fn kind(self) -> u8 {
        match self {
            ClockOp::Set(_) => 0,
            ClockOp::SetIfUnset(_) => 1,
            ClockOp::Unset(_) => 2,
            ClockOp::Pass(_) => 3,
            ClockOp::Clear(_) => 4,
            ClockOp::Add { .. } => 5,
        }
    }

    /// Returns the number of the event that it adds, from 1; 0 for other operations. Hashes of
    /// automata hold it.
    pub(crate) fn operand_event(self) -> u8 {
        match self {
            ClockOp::Add { event, .. } => event + 1,
            _ => 0,
        }
    }

    /// Returns the number of the clock.
    pub(crate) fn clock(self) -> u32 {
        match self {
            ClockOp::Set(clock)
            | ClockOp::SetIfUnset(clock)
            | ClockOp::Unset(clock)
            | ClockOp::Pass(clock)
            | ClockOp::Clear(clock)
            | ClockOp::Add { set: clock, .. } => clock,
        }
    }
}

/// When a partial match that waits in a state runs out of time: so long after `since`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bound {
    pub since: Since,
    /// The clock that frees of the bound once it is set.
    pub unless_set: Option<u32>,
    /// True if the partial match still has time at that moment.
    pub included: bool,
    pub after: Length,
}

/// The time that a bound starts from.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Since {
    /// The event captured last.
    Last,
    /// A clock; there is no bound while it is not set.
    Clock(u32),
}

/// A leading `not`: what must not come for a time before a match starts.
#[derive(Clone, Copy, Debug)]
pub struct LeadingNot {
    /// What must not come.
    pub condition: ConditionId,
    /// For how long, in milliseconds.
    pub millis: i64,
}

impl LeadingNot {
    pub(super) fn of(pattern: &Pattern) -> Option<LeadingNot> {
        let first = pattern.body.items.first()?;
        let ItemKind::Not { condition, .. } = first.kind else { return None };
        Some(LeadingNot { condition, millis: first.gap?.max?.as_millis()? })
    }

    /// Returns the time from which on the last violation no longer matters.
    pub(crate) fn ends(&self, last_violation: Option<i64>) -> i64 {
        last_violation.map_or(i64::MAX, |last_violation| last_violation.saturating_add(self.millis))
    }
}
