//! The partial matches of one key.

use smallvec::SmallVec;

use crate::exec::captures::NIL;
use crate::exec::pool::RunPool;
use crate::exec::registers::Registers;
use crate::hir::StageId;
use crate::nfa::StateId;

/// The partial matches of one key. A key's state is valid only with its [`Store`](super::Store).
///
/// The state takes a few machine words while the key has at most one partial match.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    open: Open,
    /// State that only few patterns need.
    rest: Option<Box<Rest>>,
}

/// Partial matches in the order of their first events.
pub(super) type Runs = SmallVec<[Run; 1]>;

#[derive(Clone, Debug)]
enum Open {
    Runs {
        /// How many of the first ones are gone: a key with many drops them together.
        gone: u32,
        runs: Runs,
    },
    /// Counting window: the last events that count.
    Window(Queue),
    /// Shared suffix: the representative, the number of its suffixes, and the time at which the last
    /// suffix started. The representative's chain marks the nodes of the suffixes' first events.
    SharedSuffix { suffixes: u32, newest: i64, representative: Run },
}

impl Default for Open {
    #[inline]
    fn default() -> Open {
        Open::Runs { gone: 0, runs: SmallVec::new() }
    }
}

/// The number of runs up to which a key's runs are moved at once when the first of them go.
const FEW: usize = 16;

/// Removes the first `count` runs, and the runs that are gone already.
fn move_up(gone: &mut u32, runs: &mut Runs, count: usize) {
    runs.copy_within(count.., 0);
    runs.truncate(runs.len() - count);
    *gone = 0;
}

/// State of a key that only few patterns need.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest {
    /// Matches that wait for older partial matches (`ordered`), in the order of their reports.
    pub(super) completed: Vec<Completed>,
    /// The time of the last violation of a leading `not`, while it matters.
    pub(super) last_violation: Option<i64>,
    /// The deadlines of all runs, the first of them last; empty if their order is not known.
    deadlines: Vec<i64>,
}

impl KeyState {
    /// Returns the deadlines of all runs, the first of them last, if their order is known.
    #[inline]
    pub(super) fn deadlines(&self) -> Option<&[i64]> {
        let deadlines = &self.rest.as_ref()?.deadlines;
        // Removing runs by other means than their deadlines makes the list invalid.
        (deadlines.len() == self.runs().len()).then_some(deadlines)
    }

    /// Returns the first deadline of the runs. Not inlined: it is not needed if runs are in the
    /// order of their deadlines, which is the most common case.
    #[inline(never)]
    pub(super) fn first_deadline(&self) -> i64 {
        let first = match self.deadlines() {
            Some(sorted) => sorted.last().copied(),
            None => self.runs().iter().map(|run| run.deadline).min(),
        };
        first.unwrap_or(i64::MAX)
    }

    /// Sorts the deadlines of all runs. The order is valid until an event comes.
    pub(super) fn sort_deadlines(&mut self) {
        let mut deadlines: Vec<i64> = self.runs().iter().map(|run| run.deadline).collect();
        deadlines.sort_unstable_by_key(|deadline| std::cmp::Reverse(*deadline));
        self.rest.get_or_insert_default().deadlines = deadlines;
    }

    /// Removes the deadlines up to `to`, and returns their number.
    pub(super) fn drop_deadlines(&mut self, to: i64) -> usize {
        let Some(rest) = &mut self.rest else { return 0 };
        let kept = rest.deadlines.partition_point(|deadline| *deadline > to);
        let dropped = rest.deadlines.len() - kept;
        rest.deadlines.truncate(kept);
        if kept == 0 {
            rest.deadlines = Vec::new();
        }
        dropped
    }

    /// Invalidates the order of deadlines, because runs change.
    #[inline]
    pub(super) fn forget_deadlines(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.deadlines = Vec::new();
        }
    }

    #[inline(always)]
    pub(super) fn runs(&self) -> &[Run] {
        match &self.open {
            Open::Runs { gone, runs } => &runs[*gone as usize..],
            Open::Window(_) | Open::SharedSuffix { .. } => &[],
        }
    }

    /// Returns the runs, to be changed in place.
    #[inline]
    pub(super) fn runs_in_place(&mut self) -> &mut [Run] {
        match &mut self.open {
            Open::Runs { gone, runs } => &mut runs[*gone as usize..],
            Open::Window(_) | Open::SharedSuffix { .. } => &mut [],
        }
    }

    /// Removes the first `count` runs. With many runs, the time is in proportion to `count` on
    /// average.
    pub(super) fn drop_first(&mut self, count: usize) {
        let Open::Runs { gone, runs } = &mut self.open else { return };
        let first = *gone as usize + count;
        match u32::try_from(first) {
            Ok(first) if runs.len() > FEW && 2 * first as usize <= runs.len() => *gone = first,
            _ => move_up(gone, runs, first),
        }
    }

    /// Removes all runs but the first `count`; `count` is at least one.
    #[inline]
    pub(super) fn keep_first(&mut self, count: usize) {
        let Open::Runs { gone, runs } = &mut self.open else { return };
        runs.truncate(*gone as usize + count);
    }

    /// Removes all runs, and returns their list to the pool.
    #[inline(always)]
    pub(super) fn clear_runs(&mut self, pool: &mut RunPool) {
        let Open::Runs { gone, runs } = &mut self.open else { return };
        *gone = 0;
        runs.clear();
        pool.take_back(runs);
    }

    /// Adds a run behind all others. The events of a window must have been removed before.
    ///
    /// Inlined, so that the run is written in place: a copy of freshly written memory waits for the
    /// write.
    #[inline(always)]
    pub(super) fn add_run(&mut self, run: Run, pool: &mut RunPool) {
        let has_room =
            matches!(&self.open, Open::Runs { runs, .. } if runs.len() < runs.capacity());
        if !has_room {
            self.make_room(pool);
        }
        if let Open::Runs { runs, .. } = &mut self.open {
            runs.push(run);
        }
    }

    #[inline(never)]
    fn make_room(&mut self, pool: &mut RunPool) {
        match &mut self.open {
            Open::Runs { gone, runs } => {
                if *gone as usize > runs.len() / 8 {
                    let count = *gone as usize;
                    move_up(gone, runs, count);
                }
                pool.make_room(runs, 1);
            }
            Open::Window(_) | Open::SharedSuffix { .. } => {
                self.runs_mut();
            }
        }
    }

    /// Changes the form of the key. The state of the old form must have been removed before.
    #[inline(always)]
    fn change_to(&mut self, form: Open) {
        debug_assert_eq!(self.run_count(), self.completed().len(), "a key has one form at a time");
        self.open = form;
    }

    /// Returns the runs, to be changed. The state of a window or a representative must have been removed
    /// before.
    #[inline]
    pub(super) fn runs_mut(&mut self) -> &mut Runs {
        if !matches!(self.open, Open::Runs { .. }) {
            self.change_to(Open::default());
        }
        match &mut self.open {
            Open::Runs { gone, runs } => {
                if *gone > 0 {
                    let count = *gone as usize;
                    move_up(gone, runs, count);
                }
                runs
            }
            Open::Window(_) | Open::SharedSuffix { .. } => unreachable!("it was made runs above"),
        }
    }

    #[inline]
    pub(super) fn window(&self) -> Queue {
        self.queue().copied().unwrap_or_default()
    }

    /// Returns the window, if there is one.
    #[inline(always)]
    pub(super) fn queue(&self) -> Option<&Queue> {
        match &self.open {
            Open::Window(window) => Some(window),
            Open::Runs { .. } | Open::SharedSuffix { .. } => None,
        }
    }

    /// Returns the window to be changed, if there is one.
    #[inline(always)]
    pub(super) fn queue_mut(&mut self) -> Option<&mut Queue> {
        match &mut self.open {
            Open::Window(window) => Some(window),
            Open::Runs { .. } | Open::SharedSuffix { .. } => None,
        }
    }

    /// Returns the window to be changed, and makes one if there is none. There must be no runs.
    #[inline]
    pub(super) fn window_mut(&mut self) -> &mut Queue {
        if !matches!(self.open, Open::Window(_)) {
            self.change_to(Open::Window(Queue::default()));
        }
        match &mut self.open {
            Open::Window(window) => window,
            Open::Runs { .. } | Open::SharedSuffix { .. } => {
                unreachable!("it was made a window above")
            }
        }
    }

    /// Returns the representative.
    #[inline(always)]
    pub(super) fn representative(&self) -> Option<&Run> {
        match &self.open {
            Open::SharedSuffix { representative, .. } => Some(representative),
            Open::Runs { .. } | Open::Window(_) => None,
        }
    }

    /// Returns the representative to be changed, the number of its suffixes, and the time at which
    /// the last of them started.
    #[inline(always)]
    pub(super) fn shared_suffix_mut(&mut self) -> Option<(&mut Run, &mut u32, &mut i64)> {
        match &mut self.open {
            Open::SharedSuffix { suffixes, newest, representative } => {
                Some((representative, suffixes, newest))
            }
            Open::Runs { .. } | Open::Window(_) => None,
        }
    }

    /// Returns the time at which the last partial match that is not a run started.
    #[inline]
    pub(super) fn newest(&self) -> Option<i64> {
        match &self.open {
            Open::SharedSuffix { newest, .. } => Some(*newest),
            Open::Window(window) if !window.is_empty() => Some(window.newest),
            Open::Runs { .. } | Open::Window(_) => None,
        }
    }

    /// Sets the representative. There must be no other state, except a former representative that is
    /// dropped.
    #[inline(always)]
    pub(super) fn set_representative(&mut self, representative: Run, suffixes: u32, newest: i64) {
        debug_assert!(
            self.runs().is_empty() && self.window().is_empty(),
            "a key has runs or a representative"
        );
        self.open = Open::SharedSuffix { suffixes, newest, representative };
    }

    /// Removes the representative and its suffixes, and returns the representative.
    #[inline(always)]
    pub(super) fn take_representative(&mut self) -> Option<Run> {
        let representative = *self.representative()?;
        self.open = Open::default();
        Some(representative)
    }

    #[inline]
    pub(super) fn completed(&self) -> &[Completed] {
        self.rest.as_ref().map_or(&[], |rest| &rest.completed)
    }

    pub(super) fn completed_mut(&mut self) -> &mut Vec<Completed> {
        &mut self.rest.get_or_insert_default().completed
    }

    /// Removes and returns the matches that wait.
    pub(super) fn take_completed(&mut self) -> Vec<Completed> {
        self.rest.as_mut().map(|rest| std::mem::take(&mut rest.completed)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn last_violation(&self) -> Option<i64> {
        self.rest.as_ref()?.last_violation
    }

    pub(super) fn set_last_violation(&mut self, last_violation: Option<i64>) {
        if last_violation.is_some() || self.rest.is_some() {
            self.rest.get_or_insert_default().last_violation = last_violation;
        }
    }

    /// True if nothing is open, so that the host may drop the state.
    #[inline(always)]
    pub fn is_idle(&self) -> bool {
        self.run_count() == 0 && self.last_violation().is_none()
    }

    /// Returns the number of open partial matches. A partial match with several branches counts
    /// once for each.
    #[inline(always)]
    pub fn run_count(&self) -> usize {
        let open = match &self.open {
            Open::Runs { gone, runs } => runs.len() - *gone as usize,
            Open::Window(window) => window.len as usize,
            Open::SharedSuffix { suffixes, .. } => 1 + *suffixes as usize,
        };
        open + self.completed().len()
    }

    /// Returns the heap size of the state in bytes, without its events in the store.
    pub fn memory_usage(&self) -> usize {
        let spilled = match &self.open {
            Open::Runs { runs, .. } if runs.spilled() => runs.capacity(),
            _ => 0,
        };
        spilled * size_of::<Run>()
            + self.rest.as_ref().map_or(0, |rest| {
                size_of::<Rest>()
                    + rest.completed.capacity() * size_of::<Completed>()
                    + rest.deadlines.capacity() * size_of::<i64>()
            })
    }
}

/// A queue of events in the chunks of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The chunks of its first and last event; [`NIL`] while it is empty.
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: u32,
    /// The number of entries of the first chunk before the first event.
    pub(super) skipped: u32,
    /// The deadline of the partial match that starts with the first event; `i64::MAX` if there is
    /// none.
    pub(super) deadline: i64,
    /// The time of the last event. When all events are over is then known without reading them.
    pub(super) newest: i64,
}

impl Default for Queue {
    #[inline]
    fn default() -> Queue {
        Queue { first: NIL, last: NIL, len: 0, skipped: 0, deadline: i64::MAX, newest: i64::MIN }
    }
}

impl Queue {
    /// Returns the chunks at both ends, which may be one.
    #[inline(always)]
    pub(super) fn ends(&self) -> impl Iterator<Item = u32> + use<> {
        let first = Some(self.first).filter(|chunk| *chunk != self.last);
        first.into_iter().chain(Some(self.last).filter(|chunk| *chunk != NIL))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

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
    pub(super) tail: Option<StageId>,
    pub(super) start_seq: u64,
    pub(super) start: i64,
    pub(super) last: i64,
    /// The number of this report of a repeating silence; 0 for other matches.
    pub(super) repetition: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_are_millions_of_stays_small() {
        assert_eq!((size_of::<Run>(), size_of::<KeyState>()), (48, 72));
    }
}
