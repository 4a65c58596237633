//! The greedy loops that are open, and the copies of states that keep events for them.
//!
//! [`greedy`](super::greedy) says why states are copied.

use hashbrown::{HashMap, HashSet};

use crate::nfa::guard::GuardId;
use crate::nfa::states::StateId;
use kleene_syntax::hir::Length;

/// The events that an open loop can take.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct OpenLoop {
    /// The events that fit it. An event that completes a match does not fit, at any time.
    pub(super) fits: GuardId,
    /// Those of them that it can take, as time has it.
    pub(super) takes: GuardId,
    /// The events that end the loop: its `until`, once it has begun.
    pub(super) until: GuardId,
    /// True if the loop can take the very next event only.
    pub(super) is_next: bool,
    /// The innermost group with a `within` that it ends, by [`OpenLoops::bounded`].
    pub(super) bounded: Option<usize>,
}

/// A group with a `within` that a greedy loop ends: the loop can take nothing once that is over. Only
/// groups that come once: of others, the time of the next repetition is on the same clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundedGroup {
    pub(super) within: Length,
    pub(super) clock: u32,
    /// The repetition of the clock. The states behind the group are part of it as long as the loop
    /// is open.
    pub(super) instance: usize,
    /// The group around it.
    pub(super) outer: Option<usize>,
}

/// The copies of states that keep events for open loops.
#[derive(Debug, Default)]
pub(super) struct OpenLoops {
    pub(super) copies: HashMap<(StateId, OpenLoop), StateId>,
    /// The joints of groups that are being laid out, with the copies that wait for them.
    pub(super) joints: HashMap<StateId, Vec<(OpenLoop, StateId)>>,
    pub(super) bounded: Vec<BoundedGroup>,
    /// The innermost of them that is being laid out.
    pub(super) inside: Option<usize>,
    /// The number of groups that come again around what is being laid out.
    pub(super) repeating: usize,
}

impl OpenLoops {
    /// Returns the states that have a copy.
    pub(super) fn originals(&self) -> HashSet<StateId> {
        self.copies.keys().map(|(state, _)| *state).collect()
    }

    /// Returns the groups around a loop that it ends, innermost first.
    pub(super) fn around(&self, innermost: Option<usize>) -> impl Iterator<Item = BoundedGroup> {
        let group = |number: usize| self.bounded[number];
        std::iter::successors(innermost.map(group), move |one| one.outer.map(group))
    }
}
