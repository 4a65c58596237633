//! The partial matches of one key.

use smallvec::SmallVec;

use crate::exec::store::NIL;
use crate::hir::StageId;
use crate::nfa::StateId;

/// One key's partial matches. It means something with its [`Store`](super::Store) only.
///
/// A few machine words while the key has at most one partial match.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// In the order of their first events.
    pub(super) runs: SmallVec<[Run; 1]>,
    /// The last events that count, under the counting window.
    pub(super) window: Queue,
    /// What few patterns need.
    rest: Option<Box<Rest>>,
}

/// What a key holds under few patterns only.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest {
    /// Matches that wait for older partial matches (`ordered`), in the order in which they will be
    /// told.
    pub(super) completed: Vec<Completed>,
    /// When the event last came that must not have come before a match starts, while that matters.
    pub(super) broken: Option<i64>,
}

impl KeyState {
    pub(super) fn completed(&self) -> &[Completed] {
        self.rest.as_ref().map_or(&[], |rest| &rest.completed)
    }

    pub(super) fn completed_mut(&mut self) -> &mut Vec<Completed> {
        &mut self.rest.get_or_insert_default().completed
    }

    /// The matches that wait, which do so no longer.
    pub(super) fn take_completed(&mut self) -> Vec<Completed> {
        self.rest.as_mut().map(|rest| std::mem::take(&mut rest.completed)).unwrap_or_default()
    }

    pub(super) fn broken(&self) -> Option<i64> {
        self.rest.as_ref()?.broken
    }

    pub(super) fn set_broken(&mut self, broken: Option<i64>) {
        if broken.is_some() || self.rest.is_some() {
            self.rest.get_or_insert_default().broken = broken;
        }
    }

    /// Whether nothing is open: the host may drop the state.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.run_count() == 0 && self.broken().is_none()
    }

    /// How many partial matches are open. One that waits in several places counts for each.
    #[inline]
    pub fn run_count(&self) -> usize {
        self.runs.len() + self.completed().len() + self.window.len as usize
    }

    /// Heap bytes of the state itself, without what its store holds for it.
    pub fn memory_usage(&self) -> usize {
        let spilled = if self.runs.spilled() { self.runs.capacity() } else { 0 };
        spilled * size_of::<Run>()
            + self.rest.as_ref().map_or(0, |rest| {
                size_of::<Rest>() + rest.completed.capacity() * size_of::<Completed>()
            })
    }
}

/// A queue of events in a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: u32,
    /// When the partial match that starts with the first event runs out of time; `i64::MAX` if it
    /// does not.
    pub(super) deadline: i64,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { first: NIL, last: NIL, len: 0, deadline: i64::MAX }
    }
}

/// A partial match in one place of the automaton.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) state: StateId,
    /// The last captured event's node.
    pub(super) head: u32,
    /// Its registers and clocks.
    pub(super) extra: u32,
    /// The first event's number and time.
    pub(super) start_seq: u64,
    pub(super) start: i64,
    /// The last captured event's time.
    pub(super) last: i64,
    /// When it runs out of time; `i64::MAX` if it does not.
    pub(super) deadline: i64,
}

/// A match that was not told yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completed {
    pub(super) head: u32,
    /// The step that has captured the event that is at hand, where that is not in the store.
    pub(super) tail: Option<StageId>,
    pub(super) start_seq: u64,
    pub(super) start: i64,
    pub(super) last: i64,
}
