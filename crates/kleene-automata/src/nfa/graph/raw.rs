//! The graph of a pattern: states with take, ignore and proceed transitions.

use hashbrown::HashSet;

use crate::nfa::guard::{GuardId, Guards};
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{Length, StepId};

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

impl Graph {
    /// Drops those of the `originals` that no other state leads to: states after a greedy loop, of
    /// which only the copies are waited in that leave the loop its events.
    pub(super) fn drop_unreachable(&mut self, originals: &HashSet<StateId>) {
        let mut is_kept = vec![false; self.states.len()];
        let all = (0..self.states.len()).map(StateId::new);
        let mut open: Vec<StateId> = all.filter(|state| !originals.contains(state)).collect();
        open.push(self.start);
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut is_kept[state.index()], true) {
                continue;
            }
            let raw = &self.states[state.index()];
            open.extend(raw.transitions.iter().map(|transition| transition.target));
            open.extend(&raw.required);
        }
        let mut kept = 0;
        let number = |is_kept: &bool| {
            kept += usize::from(*is_kept);
            StateId::new(kept.saturating_sub(1))
        };
        let numbers: Vec<StateId> = is_kept.iter().map(number).collect();
        let mut keeps = is_kept.iter();
        self.states.retain(|_| keeps.next().copied().unwrap_or(false));
        for raw in &mut self.states {
            for transition in &mut raw.transitions {
                // The ends in `branches` are names of groups only.
                transition.target = numbers[transition.target.index()];
            }
            for state in &mut raw.required {
                *state = numbers[state.index()];
            }
        }
        self.start = numbers[self.start.index()];
    }
}

#[derive(Clone, Debug)]
pub(in crate::nfa) struct RawState {
    pub(in crate::nfa) role: Role,
    pub(in crate::nfa) transitions: Vec<Transition>,
    /// The repetitions of clocked groups that the state is part of, outermost first.
    pub(in crate::nfa) instances: Vec<usize>,
    /// True if a `longest` loop that waits here is complete when it can grow no more.
    pub(in crate::nfa) accepts_when_exhausted: bool,
    /// For alternatives: the states of the branches that have begun and have to go on.
    pub(in crate::nfa) required: Vec<StateId>,
    /// The longest time that a partial match waits here after its last event.
    pub(in crate::nfa) closes: Option<Length>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::nfa) enum Role {
    /// Waits for an event of a step, or is a joint between repetitions.
    Normal,
    /// Tests whether the very next event violates a `next not`.
    NextNot,
    /// The match is complete.
    Final,
    /// A `not` was violated.
    Stop,
    /// A `not` at the end: complete when time runs out, at the latest when the given time has
    /// passed since the last event.
    Pending(Option<Length>),
    /// The end of several branches, where only silences are waited for: complete when `time` has
    /// passed since the clock.
    Quiet { time: Length, clock: u32 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::nfa) enum Verb {
    /// Captures the event as the step.
    Take(StepId),
    /// Skips the event.
    Ignore,
    /// Goes on to the target with the same event.
    Proceed,
    /// Ends the match before the event, which a `longest` loop cannot take.
    Complete,
}

#[derive(Clone, Debug)]
pub(in crate::nfa) struct Transition {
    pub(in crate::nfa) verb: Verb,
    pub(in crate::nfa) target: StateId,
    pub(in crate::nfa) guard: GuardId,
    /// The part of the guard that constrains the time since the event before.
    pub(in crate::nfa) gap: Option<GuardId>,
    /// For an ignore: true if the event may be skipped although it fits, because another branch of
    /// the alternatives takes it.
    pub(in crate::nfa) skip: GuardId,
    /// For a take on one of several branches: the repetitions of clocked groups that it takes part
    /// in.
    pub(in crate::nfa) instances: Option<Vec<usize>>,
    /// For a take: its operations on the clocks that no group has.
    pub(in crate::nfa) marks: Vec<ClockOp>,
    /// For a transition to the stop of a `not`: true if the step that waits in the same state is
    /// behind that `not`. An event that this step takes is not between.
    pub(in crate::nfa) is_behind: bool,
    /// The branches that the transition belongs to, outermost first: for each group of alternatives
    /// its end, and the index of the branch.
    pub(in crate::nfa) branches: Vec<(StateId, usize)>,
}

/// One repetition of a group whose time is bounded.
#[derive(Clone, Copy, Debug)]
pub(in crate::nfa) struct ClockedRepetition {
    pub(in crate::nfa) clock: u32,
    pub(in crate::nfa) within: Option<Length>,
}
