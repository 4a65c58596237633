//! The runs of a key in the joined form, by their beginning and by what they wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hashbrown::HashSet;
use smallvec::SmallVec;

use super::index::{Coarse, ValueIndex};
use crate::exec::captures::CaptureArena;
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use crate::nfa::StateId;
use kleene_event::event::Event;

/// The number of runs from which a key has the joined form. A list of fewer runs is looked through
/// in less time: from 256 on, W5 took 1.04 times the time. In builds with debug assertions few are
/// enough, so that tests see both forms.
pub(in crate::exec) const MANY: usize = if cfg!(debug_assertions) { 16 } else { 1024 };

/// The number of runs below which a key has the form of runs again.
pub(super) const FEW: usize = MANY / 4;

/// The number of events after which it is asked whether the index pays.
const TRIAL: u64 = 64;

/// The time that it takes to find and move a run, in looks at a run in a list.
const FOUND: u64 = 8;

/// The runs of a key, by their beginning and by what they wait for.
#[derive(Clone, Debug, Default)]
pub(in crate::exec::forms) struct JoinedRuns {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) waiting: SmallVec<[InState; 4]>,
    /// The deadlines of the runs, where they are not in the order of the beginnings.
    deadlines: Option<BTreeSet<(i64, RunId)>>,
    /// The number of runs that were added.
    made: u64,
    savings: Savings,
}

/// A run: the number of its first event, and a number that is different for each run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct RunId {
    pub(super) start_seq: u64,
    pub(super) made: u64,
}

/// The runs that wait in one state.
#[derive(Clone, Debug)]
pub(super) struct InState {
    pub(super) state: StateId,
    /// In no order: what is found is sorted.
    pub(super) runs: HashSet<RunId>,
    /// The indexes that events have asked for.
    pub(super) indexes: SmallVec<[ValueIndex; 1]>,
}

/// The work that the index saves: the number of events, of looks at runs in a list, and of runs
/// that the index has found.
#[derive(Clone, Copy, Debug, Default)]
struct Savings {
    events: u64,
    listed: u64,
    found: u64,
}

impl JoinedRuns {
    /// Returns no runs. Their deadlines come in any order.
    pub(super) fn unordered() -> JoinedRuns {
        JoinedRuns { deadlines: Some(BTreeSet::new()), ..JoinedRuns::default() }
    }

    /// Counts an event for which the index has found this number of runs.
    pub(super) fn record_found(&mut self, found: usize) {
        let savings = &mut self.savings;
        savings.events += 1;
        savings.listed += self.runs.len() as u64;
        savings.found += found as u64;
    }

    /// Returns the runs by their beginning.
    pub(in crate::exec::forms) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    pub(in crate::exec::forms) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Returns the heap size in bytes, approximately.
    pub(in crate::exec::forms) fn memory_usage(&self) -> usize {
        // The nodes of a B-tree are two thirds full on average, and so are tables of hashes.
        let of_each = |size: usize, count: usize| size * count * 3 / 2;
        let waiting = self.waiting.iter().map(|waiting| {
            // Almost every run has a place in each index.
            let runs = waiting.runs.len();
            of_each(size_of::<RunId>(), runs)
                + of_each(size_of::<(Coarse, RunId)>(), runs * waiting.indexes.len())
        });
        let deadlines = self.deadlines.as_ref().map_or(0, BTreeSet::len);
        of_each(size_of::<(RunId, Run)>(), self.runs.len())
            + of_each(size_of::<(i64, RunId)>(), deadlines)
            + waiting.sum::<usize>()
    }

    pub(super) fn add(&mut self, file: &RegisterFile, run: Run) {
        self.made += 1;
        let id = RunId { start_seq: run.start_seq, made: self.made };
        self.runs.insert(id, run);
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.insert((run.deadline, id));
        }
        let known = self.waiting.iter().position(|one| one.state == run.state);
        let known = known.unwrap_or_else(|| {
            let (runs, indexes) = (HashSet::new(), SmallVec::new());
            self.waiting.push(InState { state: run.state, runs, indexes });
            self.waiting.len() - 1
        });
        let waiting = &mut self.waiting[known];
        waiting.runs.insert(id);
        for index in &mut waiting.indexes {
            index.add(index.place(file, &run), id);
        }
    }

    /// Removes a run. What it holds in the store is the caller's.
    fn remove(&mut self, file: &RegisterFile, id: RunId) -> Option<Run> {
        let run = self.runs.get(&id)?;
        let places = self.places(file, run);
        self.remove_from(id, &places)
    }

    /// Returns the places of a run in the indexes of its state.
    pub(super) fn places(&self, file: &RegisterFile, run: &Run) -> SmallVec<[Option<Coarse>; 2]> {
        let waiting = self.waiting.iter().find(|one| one.state == run.state);
        let indexes = waiting.map_or(&[][..], |waiting| &waiting.indexes);
        indexes.iter().map(|index| index.place(file, run)).collect()
    }

    /// Removes a run from its [places](JoinedRuns::places).
    pub(super) fn remove_from(&mut self, id: RunId, places: &[Option<Coarse>]) -> Option<Run> {
        let run = self.runs.remove(&id)?;
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(&(run.deadline, id));
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|one| one.state == run.state) {
            waiting.runs.remove(&id);
            for (index, place) in waiting.indexes.iter_mut().zip(places) {
                index.remove(*place, id);
            }
        }
        Some(run)
    }

    /// Returns the run that runs out of time first, with its deadline.
    pub(super) fn first_over(&self) -> Option<(i64, RunId)> {
        match &self.deadlines {
            Some(deadlines) => deadlines.first().copied(),
            None => self.runs.first_key_value().map(|(id, run)| (run.deadline, *id)),
        }
    }

    /// Returns the deadline of the run that runs out of time last.
    pub(super) fn last_deadline(&self) -> Option<i64> {
        match &self.deadlines {
            Some(deadlines) => deadlines.last().map(|(deadline, _)| *deadline),
            None => self.runs.last_key_value().map(|(_, run)| run.deadline),
        }
    }

    /// Removes and returns a run that is over at `to`.
    pub(super) fn take_over(&mut self, file: &RegisterFile, to: i64) -> Option<Run> {
        let (_, id) = self.first_over().filter(|(deadline, _)| *deadline <= to)?;
        self.remove(file, id)
    }

    /// Removes the runs that began with these events, and what they hold in the store. Returns
    /// their number.
    pub(in crate::exec::forms) fn drop_starts<E: Event>(
        &mut self,
        arena: &mut CaptureArena<E>,
        file: &mut RegisterFile,
        dropped: &Range<u64>,
    ) -> u64 {
        let first_of = |start_seq| RunId { start_seq, made: 0 };
        let range = first_of(dropped.start)..first_of(dropped.end);
        let ids: Vec<RunId> = self.runs.range(range).map(|(id, _)| *id).collect();
        for id in &ids {
            if let Some(run) = self.remove(file, *id) {
                arena.release(run.head);
                file.release(run.registers);
            }
        }
        ids.len() as u64
    }

    /// True if the index takes less time than a list of the runs.
    pub(super) fn pays(&self) -> bool {
        let Savings { events, listed, found } = self.savings;
        events < TRIAL || found.saturating_mul(FOUND) <= listed
    }
}
