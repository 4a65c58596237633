//! Partial and complete matches of a key: what every form of state makes of them.

use smallvec::SmallVec;

use crate::exec::registers::Registers;
use crate::nfa::StateId;
use kleene_syntax::hir::StepId;

/// Partial matches in the order of their first events.
pub(super) type Runs = SmallVec<[Run; 1]>;

/// A partial match in one state of the automaton.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) state: StateId,
    /// The node of the last captured event.
    pub(super) head: u32,
    /// The registers and clocks.
    pub(super) registers: Registers,
    /// The sequence number and time of the first event.
    pub(super) start_seq: u64,
    pub(super) start: i64,
    /// The time of the last captured event.
    pub(super) last: i64,
    /// The time at which the partial match runs out of time; `i64::MAX` if it does not.
    pub(super) deadline: i64,
}

/// A match that was not reported yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completed {
    /// The node of the last captured event.
    pub(super) head: u32,
    /// The step that has captured the current event, if that event is not in the store.
    pub(super) tail: Option<StepId>,
    pub(super) start_seq: u64,
    pub(super) start: i64,
    pub(super) last: i64,
    /// The number of this report of a repeating silence; 0 for other matches.
    pub(super) repetition: u64,
}

/// Returns the match that a run has become, without a reference to its events.
pub(super) fn completed(run: &Run) -> Completed {
    let Run { head, start_seq, start, last, .. } = *run;
    Completed { head, tail: None, start_seq, start, last, repetition: 0 }
}
