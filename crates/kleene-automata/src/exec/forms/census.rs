//! The census of a key with many runs: in which states they wait.

use smallvec::SmallVec;

use crate::exec::run::Run;
use crate::nfa::StateId;
use kleene_event::value::Kind;

/// The number of runs from which a key has a census. In builds with debug assertions few are
/// enough, so that all tests have one.
pub(super) const CROWDED: usize = if cfg!(debug_assertions) { 4 } else { 256 };

/// How many runs of a key wait in which state.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub(super) states: SmallVec<[(StateId, u32); 4]>,
    /// The number of all runs. Where it is another, runs have come or gone, and the census is void.
    count: usize,
    /// True if no run has an earlier deadline than the one before it.
    is_in_order: bool,
    pub(super) nesting: ValueNesting,
}

/// The order of the values that the runs in a [loop](crate::nfa::DistinctLoop) have taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueNesting {
    /// It is not known; this number of events has come since the runs were counted.
    Unknown(usize),
    /// The values of a run contain those of every newer run, and all are of one type. If there are
    /// no values, they are of [`Kind::NEVER`].
    Nested(Kind),
    /// The values are of several types, or of one in which equal values can differ, or one is NaN.
    Mixed,
}

impl Default for ValueNesting {
    fn default() -> ValueNesting {
        ValueNesting::Unknown(0)
    }
}

impl ValueNesting {
    /// The types of which two values compare, except NaN, and are equal only if they are the same.
    const EXACT: [Kind; 7] =
        [Kind::BOOL, Kind::INT, Kind::FLOAT, Kind::STRING, Kind::TIME, Kind::DURATION, Kind::IP];

    /// Returns the nesting of runs that may take values of these types, too. No run keeps a null.
    pub(super) fn and(self, kind: Kind) -> ValueNesting {
        match self {
            ValueNesting::Nested(known) if kind == Kind::NULL || kind == known => self,
            ValueNesting::Nested(Kind::NEVER) if ValueNesting::EXACT.contains(&kind) => {
                ValueNesting::Nested(kind)
            }
            ValueNesting::Nested(_) | ValueNesting::Mixed => ValueNesting::Mixed,
            ValueNesting::Unknown(events) => ValueNesting::Unknown(events + 1),
        }
    }
}

impl Census {
    pub(super) fn of(runs: &[Run]) -> Census {
        let mut census = Census { is_in_order: true, ..Census::default() };
        census.add(runs, 0);
        census
    }

    /// Counts the runs from the first that have come behind all others.
    pub(super) fn add(&mut self, runs: &[Run], first: usize) {
        for run in &runs[first..] {
            self.come(run.state);
        }
        let last = &runs[first.saturating_sub(1)..];
        self.is_in_order &= last.is_sorted_by_key(|run| run.deadline);
    }

    /// Leaves out runs that go.
    pub(super) fn remove(&mut self, runs: &[Run]) {
        for run in runs {
            self.go(run.state);
        }
    }

    /// Notes that a run has moved from one state to another, or is gone.
    pub(super) fn note(&mut self, from: StateId, to: Option<StateId>) {
        self.go(from);
        if let Some(to) = to {
            self.come(to);
        }
    }

    fn come(&mut self, state: StateId) {
        self.count += 1;
        match self.states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => self.states.push((state, 1)),
        }
    }

    fn go(&mut self, state: StateId) {
        self.count -= 1;
        if let Some(at) = self.states.iter().position(|(known, _)| *known == state) {
            self.states[at].1 -= 1;
            if self.states[at].1 == 0 {
                self.states.swap_remove(at);
            }
        }
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
