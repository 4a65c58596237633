//! The runs of a key in the joined form, by their beginning and by what they wait for.
//!
//! Three views of the same runs, by what is asked of them:
//! ```text
//! runs        by start, then by number: reports, `skip`, and deadlines if they are in this order
//! waiting     by state and captured value: which runs can this event move?
//! deadlines   by deadline, only if it does not follow the order of the starts
//! ```
//!
//! An example with `match a as x -> b[v == x.v]`, after a1, a2 and another a2:
//! ```text
//! runs        (seq 0, 1) (seq 1, 2) (seq 2, 3)
//! waiting     state b:  1 -> (0, 1)    2 -> (1, 2), (2, 3)
//! ```
//!
//! Invariants:
//! * A run is in all views or in none. `add` and `remove_from` are the only ways in and out.
//! * A run is removed while its registers have the values with which it was added: its places in
//!   `waiting` are computed from them. So `places` is read before a run moves.
//! * `made` differs for all runs, so runs with the same start are apart. It starts at 1, and
//!   `made: 0` is before all runs of a start.
//!
//! Ids are no positions in a list: a run that goes would change those of all runs after it.
//!
//! Which test holds it: `a_busy_key_finds_what_a_list_does` in `tests/joined.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::exec::captures::CaptureArena;
use crate::exec::forms::waiting::{Savings, ValuePlaces, WaitingIndex};
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use kleene_event::event::Event;

/// The runs of a key, by their beginning and by what they wait for.
#[derive(Clone, Debug, Default)]
pub(in crate::exec::forms) struct JoinedRuns {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) waiting: WaitingIndex<RunId>,
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

impl JoinedRuns {
    /// Returns no runs. Their deadlines come in any order.
    pub(super) fn unordered() -> JoinedRuns {
        JoinedRuns { deadlines: Some(BTreeSet::new()), ..JoinedRuns::default() }
    }

    /// Counts an event for which the index has found this number of runs.
    pub(super) fn record_found(&mut self, found: usize) {
        self.savings.record(found, self.runs.len());
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
        // The nodes of a B-tree are two thirds full on average.
        let of_each = |size: usize, count: usize| size * count * 3 / 2;
        let deadlines = self.deadlines.as_ref().map_or(0, BTreeSet::len);
        of_each(size_of::<(RunId, Run)>(), self.runs.len())
            + of_each(size_of::<(i64, RunId)>(), deadlines)
            + self.waiting.memory_usage()
    }

    pub(super) fn add(&mut self, file: &RegisterFile, run: Run) {
        self.made += 1;
        // The start comes first in the order, so a map in the order of ids is in the order of
        // starts.
        let id = RunId { start_seq: run.start_seq, made: self.made };
        self.runs.insert(id, run);
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.insert((run.deadline, id));
        }
        self.waiting.add(file, (run.state, run.registers), id);
    }

    /// Removes a run. The caller takes over its hold on the store.
    fn remove(&mut self, file: &RegisterFile, id: RunId) -> Option<Run> {
        let run = self.runs.get(&id)?;
        let places = self.places(file, run);
        self.remove_from(id, &places)
    }

    /// Returns the places of a run in the indexes of its state.
    pub(super) fn places(&self, file: &RegisterFile, run: &Run) -> ValuePlaces {
        self.waiting.places(file, (run.state, run.registers))
    }

    /// Removes a run from its [places](JoinedRuns::places).
    pub(super) fn remove_from(&mut self, id: RunId, places: &ValuePlaces) -> Option<Run> {
        let run = self.runs.remove(&id)?;
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(&(run.deadline, id));
        }
        self.waiting.remove(run.state, places, id);
        Some(run)
    }

    /// Returns the run that runs out of time first, with its deadline.
    pub(super) fn first_over(&self) -> Option<(i64, RunId)> {
        match &self.deadlines {
            Some(deadlines) => deadlines.first().copied(),
            // The oldest run is the first to run out, so no set of deadlines is needed.
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
        // What `skip` drops is a range of starts.
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
        self.savings.pays()
    }
}
