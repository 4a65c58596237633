//! The census of a key with many runs: in which states they wait.

use smallvec::SmallVec;

use crate::exec::run::Run;
use crate::nfa::StateId;

/// The number of runs from which a key has a census. In builds with debug assertions few are
/// enough, so that all tests have one.
pub(super) const CROWDED: usize = if cfg!(debug_assertions) { 4 } else { 64 };

/// How many runs of a key wait in which state.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub(super) states: SmallVec<[(StateId, u32); 4]>,
    /// The number of all runs. Where it is another, runs have come or gone, and the census is void.
    count: usize,
    /// True if no run has an earlier deadline than the one before it.
    is_in_order: bool,
}

impl Census {
    pub(super) fn of(runs: &[Run]) -> Census {
        let mut census = Census { is_in_order: true, ..Census::default() };
        census.add(runs, None);
        census
    }

    /// Counts the runs that have come behind all others.
    pub(super) fn add(&mut self, runs: &[Run], before: Option<&Run>) {
        for run in runs {
            match self.states.iter_mut().find(|(state, _)| *state == run.state) {
                Some((_, count)) => *count += 1,
                None => self.states.push((run.state, 1)),
            }
        }
        self.count += runs.len();
        let deadlines = before.into_iter().chain(runs).map(|run| run.deadline);
        self.is_in_order &= deadlines.is_sorted();
    }

    /// Leaves out runs that go, or that an event may move.
    pub(super) fn remove(&mut self, runs: &[Run]) {
        for run in runs {
            if let Some((_, count)) = self.states.iter_mut().find(|(state, _)| *state == run.state)
            {
                *count -= 1;
            }
        }
        self.states.retain(|(_, count)| *count > 0);
        self.count -= runs.len();
    }

    /// Returns the number of runs that it is about.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// True if no run has an earlier deadline than the one before it.
    pub(super) fn is_in_order(&self) -> bool {
        self.is_in_order
    }
}
