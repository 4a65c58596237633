//! The parts into which the states before and after a silence are divided.
//!
//! [`silence`](super::silence) says why they are.

use hashbrown::{HashMap, HashSet};

use crate::nfa::states::StateId;
use kleene_syntax::hir::Length;

/// The parts into which the states are divided.
#[derive(Default)]
pub(super) struct Division {
    /// The stops of the `not`s that have a time.
    pub(super) timed: HashSet<StateId>,
    /// The states after a greedy loop and the last silence, with the time of that silence.
    pub(super) closing: HashMap<StateId, Length>,
    pub(super) before: HashMap<StateId, StateId>,
    pub(super) over: HashMap<StateId, StateId>,
    /// By state, and whether the state also waits for the end of the silence: the part that is
    /// closed with the silence.
    pub(super) closed: HashMap<(StateId, bool), StateId>,
    /// The states that were divided, with their parts.
    // A state with one part is recorded as well, so that each state is looked at once.
    pub(super) parts: HashMap<StateId, Vec<StateId>>,
}
