//! The branches of alternatives that are laid out: where each of them stands, and what is waited
//! for.

use hashbrown::HashMap;

use crate::nfa::guard::GuardId;
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{Length, StepId};

/// The position of each branch.
/// Two combinations with equal positions are one state: `Alternatives::made`.
pub(super) type Places = Vec<Standing>;

/// The position of a branch.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Standing {
    /// The branch waits here for its first event.
    Ready(StateId),
    /// The branch has begun, and waits here for its next event.
    Begun(StateId),
    Done,
    /// The branch is not needed: enough other branches have begun.
    Unneeded,
    /// A silence that goes on.
    Quiet,
    /// A silence that was broken.
    Broken,
}

impl Standing {
    pub(super) fn state(self) -> Option<StateId> {
        match self {
            Standing::Ready(state) | Standing::Begun(state) => Some(state),
            Standing::Done | Standing::Unneeded | Standing::Quiet | Standing::Broken => None,
        }
    }

    pub(super) fn has_begun(self) -> bool {
        matches!(self, Standing::Begun(_) | Standing::Done)
    }
}

/// Alternatives under construction.
pub(super) struct Alternatives {
    pub(super) count: usize,
    /// For each branch the clock of its last event, if it has one, and the clock of the sequence
    /// around it.
    pub(super) clocks: Vec<Option<u32>>,
    pub(super) since: Option<u32>,
    /// For each branch the state in which it waits for its first event once another branch has
    /// begun.
    pub(super) later: Vec<StateId>,
    /// The state at which each branch ends.
    pub(super) end: StateId,
    /// The state that follows the group.
    pub(super) sink: StateId,
    /// The branches that are silences.
    pub(super) quiet: Vec<Option<Quiet>>,
    /// True if the group ends the pattern.
    pub(super) is_last: bool,
    /// The wait in one state, if there are too many operands for a state for each set of them.
    pub(super) wait: Option<SetWait>,
    pub(super) made: HashMap<Places, StateId>,
    pub(super) open: Vec<(Places, StateId)>,
}

/// A branch that is a silence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    /// The step that must not come.
    pub(super) step: StepId,
    /// True for an event that violates the silence.
    pub(super) violated: GuardId,
    pub(super) time: Length,
    /// The clock that has the time of the event before the group.
    pub(super) clock: u32,
}

/// The wait of a group in one state.
#[derive(Debug)]
pub(super) struct SetWait {
    /// The clock that holds the set.
    pub(super) set: u32,
    /// By operand: its events, in their order.
    pub(super) operands: Vec<Vec<OperandEvent>>,
    /// The guard that more than one operand has to be completed.
    pub(super) more: GuardId,
    /// The guard that one operand is enough.
    pub(super) one: GuardId,
    /// The state, once it is laid out.
    pub(super) state: Option<StateId>,
}

/// An event of an operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperandEvent {
    /// The number of the event in the set.
    pub(super) number: u8,
    /// The guards that it is waited for, and that it is not. They are made before the conditions of
    /// the operands, since a guard tests its parts in the order of their ids.
    pub(super) is_due: GuardId,
    pub(super) is_not_due: GuardId,
}

impl SetWait {
    pub(super) fn add(&self, event: OperandEvent) -> ClockOp {
        ClockOp::Add { set: self.set, event: event.number }
    }
}
