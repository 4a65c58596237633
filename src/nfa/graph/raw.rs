//! The graph of a pattern: states with take, ignore and proceed transitions.

use crate::hir::{Length, StepId};
use crate::nfa::guard::{GuardId, Guards};
use crate::nfa::states::StateId;

/// A pattern laid out.
#[derive(Debug)]
pub(in crate::nfa) struct Graph {
    pub(in crate::nfa) states: Vec<RawState>,
    pub(in crate::nfa) guards: Guards,
    pub(in crate::nfa) start: StateId,
    /// The repetitions of groups that have a clock, by [`RawState::instances`].
    pub(in crate::nfa) instances: Vec<ClockedRepetition>,
    pub(in crate::nfa) clocks: usize,
    /// The named groups, each with its clock.
    pub(in crate::nfa) named: Vec<(StepId, u32)>,
}

#[derive(Clone, Debug)]
pub(in crate::nfa) struct RawState {
    pub(in crate::nfa) role: Role,
    pub(in crate::nfa) transitions: Vec<Transition>,
    /// The repetitions of clocked groups that the state is part of, outermost first.
    pub(in crate::nfa) instances: Vec<usize>,
    /// True if a `longest` loop that waits here is complete when it can grow no more.
    pub(in crate::nfa) accepts_when_exhausted: bool,
    /// Of alternatives: where those wait that have begun and have to go on.
    pub(in crate::nfa) required: Vec<StateId>,
    /// The longest time that a partial match waits here after its last event.
    pub(in crate::nfa) closes: Option<Length>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::nfa) enum Role {
    /// Waits for an event of a step, or is a joint between repetitions.
    Normal,
    /// Looks whether the very next event violates a `next not`.
    NextNot,
    /// The match is complete.
    Final,
    /// A `not` was violated.
    Stop,
    /// A `not` at the end: complete when time runs out, at the latest so long after the last event.
    Pending(Option<Length>),
    /// The end of several branches, where only silences are waited for: complete when `time` has
    /// passed since the clock.
    Quiet { time: Length, clock: u32 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::nfa) enum Verb {
    /// Captures the event as the step.
    Take(StepId),
    /// Skips it.
    Ignore,
    /// Goes on to the target with the same event.
    Proceed,
}

#[derive(Clone, Debug)]
pub(in crate::nfa) struct Transition {
    pub(in crate::nfa) verb: Verb,
    pub(in crate::nfa) target: StateId,
    pub(in crate::nfa) guard: GuardId,
    /// The part of the guard that constrains the time since the event before.
    pub(in crate::nfa) gap: Option<GuardId>,
    /// Of an ignore: when the event may be skipped although it fits, because another way of a group
    /// of alternatives takes it.
    pub(in crate::nfa) skip: GuardId,
    /// Of a take on one of several branches: the repetitions of clocked groups that it takes part
    /// in.
    pub(in crate::nfa) instances: Option<Vec<usize>>,
    /// Of a take: the clocks that it sets to the event's time.
    pub(in crate::nfa) marks: Vec<u32>,
    /// Of one that leads to the stop of a `not`: whether what is taken where it stands comes behind
    /// that `not`, so that it is not between.
    pub(in crate::nfa) is_behind: bool,
    /// The branches that it is on, outermost first: for each group of alternatives its end, and
    /// which branch.
    pub(in crate::nfa) branches: Vec<(StateId, usize)>,
}

/// One repetition of a group whose time is bounded.
#[derive(Clone, Copy, Debug)]
pub(in crate::nfa) struct ClockedRepetition {
    pub(in crate::nfa) clock: u32,
    pub(in crate::nfa) within: Option<Length>,
}
