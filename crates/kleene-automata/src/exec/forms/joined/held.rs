//! The runs of a key in the joined form, by their beginning and by what they wait for.
//!
//! Four views of the same runs, by what is asked of them:
//! ```text
//! ring        by start: reports, `skip`, and deadlines if they are in this order
//! apart       by start, in a tree: the runs that have no slot in the ring
//! waiting     by state and captured value: which runs can this event move?
//! deadlines   by deadline, only if it does not follow the order of the starts
//! ```
//!
//! An example with `match a as x -> b[v == x.v]`, after a1, a2 and another a2:
//! ```text
//! ring        1: (seq 0)    2: (seq 1)    3: (seq 2)
//! waiting     state b:  1 -> (0, 1)    2 -> (1, 2), (2, 3)
//! ```
//!
//! A run that starts gets a slot of the [ring](super::ring). The first successor of a run gets the
//! slot of that run, as it has the same start. Two kinds of runs are apart: further successors, and
//! old runs when most slots are empty.
//!
//! Invariants:
//! * A run is in the ring or apart, and in each of the other views. `add` and `remove` are the only
//!   ways in and out.
//! * A run is removed before it moves, while its registers have the values with which it was added:
//!   its places in `waiting` are computed from them.
//! * Numbers differ for all runs, so runs with the same start are distinct. A run that has always
//!   been apart has a number from `APART` on, which is no number of a slot.
//! * Between two events, the slots at both ends of the ring have runs, and at most half of the
//!   slots are empty, apart from a few: memory is bounded by the runs that there are. To make it so
//!   costs as much as the runs that have gone.
//! * Between two events, the first deadline is that of the run which is over first
//!   ([`first_over`](JoinedRuns::first_over)): `trim` finds it anew after that run has gone.
//!
//! Which test holds it: `a_busy_key_finds_what_a_list_does` in `tests/joined.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::ring::RunRing;
use crate::exec::captures::CaptureArena;
use crate::exec::forms::waiting::{FEW, Savings, WaitingIndex};
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use kleene_event::event::Event;

/// The first number of the runs that have never been in the ring.
const APART: u64 = 1 << 63;

/// Stands for a first deadline that has to be found anew.
const UNKNOWN: i64 = i64::MIN;

/// The runs of a key, by their beginning and by what they wait for.
#[derive(Clone, Debug)]
pub(in crate::exec::forms) struct JoinedRuns {
    pub(super) runs: RunsByStart,
    pub(super) waiting: WaitingIndex<RunId>,
    /// The deadlines of the runs, where they are not in the order of the beginnings.
    deadlines: Option<BTreeSet<(i64, RunId)>>,
    /// The first deadline; `i64::MAX` if there are no runs. [`UNKNOWN`] if the run that had it has
    /// gone. Each event asks for it twice: W10 takes 1.05 times the instructions without this field.
    first_deadline: i64,
    savings: Savings,
    /// A buffer for the runs that an event finds. It is empty between two events.
    pub(super) found: Vec<RunId>,
}

/// The runs of a key by their beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct RunsByStart {
    ring: RunRing,
    apart: BTreeMap<RunId, Run>,
    /// The number of runs that have got a number of those apart.
    made_apart: u64,
}

/// A run: the number of its first event, and a number that is different for each run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct RunId {
    start_seq: u64,
    number: u64,
}

impl RunId {
    fn of((number, run): (u64, &Run)) -> RunId {
        RunId { start_seq: run.start_seq, number }
    }
}

impl RunsByStart {
    fn len(&self) -> usize {
        self.ring.len() + self.apart.len()
    }

    /// Returns a run that there is.
    pub(super) fn get(&self, id: RunId) -> &Run {
        self.ring.get(id.number).unwrap_or_else(|| &self.apart[&id])
    }

    /// Adds a run. If it is the successor of a run that has gone since the last
    /// [`trim`](RunsByStart::trim), it gets that run's slot.
    fn add(&mut self, run: Run, before: Option<RunId>) -> RunId {
        let number = match before {
            Some(before) if self.ring.refill(before.number, run) => before.number,
            None if self.ring.can_push(run.start_seq) => self.ring.push(run),
            _ => {
                self.made_apart += 1;
                let number = APART + self.made_apart;
                self.apart.insert(RunId::of((number, &run)), run);
                number
            }
        };
        RunId::of((number, &run))
    }

    fn remove(&mut self, id: RunId) -> Option<Run> {
        self.ring.take(id.number).or_else(|| self.apart.remove(&id))
    }

    /// Drops empty slots after runs have gone: those at both ends, and others if they are most.
    fn trim(&mut self) {
        self.ring.trim();
        while self.ring.empty_count() > self.ring.len() + FEW {
            // A run that has stayed much longer than those after it goes to the tree.
            let Some((number, run)) = self.ring.pop() else { return };
            self.apart.insert(RunId::of((number, &run)), run);
        }
    }

    /// Returns the runs in order.
    fn iter(&self) -> impl Iterator<Item = (RunId, &Run)> {
        let mut ring = self.ring.iter().map(|one| (RunId::of(one), one.1)).peekable();
        let mut apart = self.apart.iter().map(|(id, run)| (*id, run)).peekable();
        std::iter::from_fn(move || match (ring.peek(), apart.peek()) {
            (Some((id, _)), Some((other, _))) if other < id => apart.next(),
            (Some(_), _) => ring.next(),
            (None, _) => apart.next(),
        })
    }

    /// Returns the first run.
    fn first(&self) -> Option<(RunId, &Run)> {
        let of_ring = self.ring.first().map(|one| (RunId::of(one), one.1));
        match (of_ring, self.apart.first_key_value()) {
            (Some((id, _)), Some((other, run))) if *other < id => Some((*other, run)),
            (None, Some((other, run))) => Some((*other, run)),
            (of_ring, _) => of_ring,
        }
    }

    /// Returns the last run.
    fn last(&self) -> Option<(RunId, &Run)> {
        let of_ring = self.ring.last().map(|one| (RunId::of(one), one.1));
        match (of_ring, self.apart.last_key_value()) {
            (Some((id, _)), Some((other, run))) if *other > id => Some((*other, run)),
            (None, Some((other, run))) => Some((*other, run)),
            (of_ring, _) => of_ring,
        }
    }

    /// Returns the runs that began with these events, in any order.
    fn of_starts(&self, starts: &Range<u64>) -> Vec<RunId> {
        let of_ring = self
            .ring
            .numbers_of(starts)
            .filter_map(|number| self.ring.get(number).map(|run| RunId::of((number, run))));
        let first_of = |start_seq| RunId { start_seq, number: 0 };
        let apart = self.apart.range(first_of(starts.start)..first_of(starts.end));
        of_ring.chain(apart.map(|(id, _)| *id)).collect()
    }
}

impl JoinedRuns {
    /// Returns no runs. If the deadlines are `in_order`, they follow the order of the starts.
    pub(super) fn new(in_order: bool) -> JoinedRuns {
        JoinedRuns {
            runs: RunsByStart::default(),
            waiting: WaitingIndex::default(),
            deadlines: (!in_order).then(BTreeSet::new),
            first_deadline: i64::MAX,
            savings: Savings::default(),
            found: Vec::new(),
        }
    }

    /// Counts an event for which the index has found this number of runs.
    pub(super) fn record_found(&mut self, found: usize) {
        self.savings.record(found, self.runs.len());
    }

    /// Returns the runs by their beginning.
    pub(in crate::exec::forms) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().map(|(_, run)| run)
    }

    pub(in crate::exec::forms) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Returns the heap size in bytes, approximately.
    pub(in crate::exec::forms) fn memory_usage(&self) -> usize {
        // The nodes of a B-tree are two thirds full on average.
        let of_each = |size: usize, count: usize| size * count * 3 / 2;
        let deadlines = self.deadlines.as_ref().map_or(0, BTreeSet::len);
        self.runs.ring.memory_usage()
            + of_each(size_of::<(RunId, Run)>(), self.runs.apart.len())
            + of_each(size_of::<(i64, RunId)>(), deadlines)
            + self.waiting.memory_usage()
    }

    /// Adds a run, which may be the successor of one that has gone `before`.
    pub(super) fn add(&mut self, file: &RegisterFile, run: Run, before: Option<RunId>) {
        let id = self.runs.add(run, before);
        match &mut self.deadlines {
            Some(deadlines) => {
                deadlines.insert((run.deadline, id));
                self.first_deadline = self.first_deadline.min(run.deadline);
            }
            // A damaged snapshot can have deadlines in another order. That of the first run counts,
            // as it is the one that can be over.
            None if self.runs.len() == 1 => self.first_deadline = run.deadline,
            None => {}
        }
        self.waiting.add(file, (run.state, run.registers), id);
    }

    /// Removes a run. The caller takes over its hold on the store, and
    /// [trims](JoinedRuns::trim) what is left.
    pub(super) fn remove(&mut self, file: &RegisterFile, id: RunId) -> Option<Run> {
        let run = self.runs.remove(id)?;
        if run.deadline <= self.first_deadline {
            self.first_deadline = UNKNOWN;
        }
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(&(run.deadline, id));
        }
        self.waiting.remove(file, (run.state, run.registers), id);
        Some(run)
    }

    /// Drops what runs have left that are gone. An event and a deadline end with it.
    pub(super) fn trim(&mut self) {
        self.runs.trim();
        if self.first_deadline == UNKNOWN {
            self.first_deadline = self.first_over().map_or(i64::MAX, |(deadline, _)| deadline);
        }
    }

    /// Returns the first deadline of all runs; `i64::MAX` if there are no runs.
    #[inline]
    pub(super) fn first_deadline(&self) -> i64 {
        self.first_deadline
    }

    /// Returns the run that runs out of time first, with its deadline.
    fn first_over(&self) -> Option<(i64, RunId)> {
        match &self.deadlines {
            Some(deadlines) => deadlines.first().copied(),
            // The oldest run is the first to run out, so no set of deadlines is needed.
            None => self.runs.first().map(|(id, run)| (run.deadline, id)),
        }
    }

    /// Returns the deadline of the run that runs out of time last.
    pub(super) fn last_deadline(&self) -> Option<i64> {
        match &self.deadlines {
            Some(deadlines) => deadlines.last().map(|(deadline, _)| *deadline),
            None => self.runs.last().map(|(_, run)| run.deadline),
        }
    }

    /// Removes and returns a run that is over at `to`.
    pub(super) fn take_over(&mut self, file: &RegisterFile, to: i64) -> Option<Run> {
        let (_, id) = self.first_over().filter(|(deadline, _)| *deadline <= to)?;
        let run = self.remove(file, id);
        self.trim();
        run
    }

    /// Removes the runs that began with these events, and what they hold in the store. Returns
    /// their number.
    pub(in crate::exec::forms) fn drop_starts<E: Event>(
        &mut self,
        arena: &mut CaptureArena<E>,
        file: &mut RegisterFile,
        dropped: &Range<u64>,
    ) -> u64 {
        // What `skip` drops is a range of starts.
        let ids = self.runs.of_starts(dropped);
        for id in &ids {
            if let Some(run) = self.remove(file, *id) {
                arena.release(run.head);
                file.release(run.registers);
            }
        }
        self.trim();
        ids.len() as u64
    }

    /// True if the index takes less time than a list of the runs.
    pub(super) fn pays(&self) -> bool {
        self.savings.pays()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::registers::Registers;
    use crate::nfa::StateId;

    fn run(start_seq: u64, head: u32) -> Run {
        let (state, registers) = (StateId::new(0), Registers::NOTHING);
        Run { state, head, registers, start_seq, start: 0, last: 0, deadline: i64::MAX }
    }

    /// A generator of small numbers.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as usize % bound
        }
    }

    fn check(runs: &RunsByStart, there: &BTreeMap<RunId, u32>) {
        let ids = || there.keys().copied();
        assert!(runs.iter().map(|(id, _)| id).eq(ids()));
        assert!(ids().all(|id| runs.get(id).head == there[&id]));
        assert_eq!(runs.len(), there.len());
        assert_eq!(runs.first().map(|(id, _)| id), ids().next());
        assert_eq!(runs.last().map(|(id, _)| id), ids().next_back());
        assert!(runs.ring.empty_count() <= runs.ring.len() + FEW, "memory is bounded");
    }

    #[test]
    fn runs_are_found_and_in_order_whichever_go() {
        for seed in 0..60 {
            let mut numbers = Numbers(seed);
            let (mut runs, mut there) = (RunsByStart::default(), BTreeMap::new());
            let mut head = 0;
            // Few runs are open with some seeds, many with others.
            let goes = 1 + numbers.below(4);
            for start_seq in 0..600 {
                for _ in 0..numbers.below(3) {
                    head += 1;
                    let id = runs.add(run(start_seq, head), None);
                    assert_eq!(there.insert(id, head), None, "each run has its own number");
                }
                for _ in 0..numbers.below(goes) {
                    let open: Vec<RunId> = runs.iter().map(|(id, _)| id).collect();
                    let Some(last) = open.len().checked_sub(1) else { break };
                    // Old runs stay longer than new ones, or go first.
                    let back = numbers.below(8).min(last);
                    let at = if seed % 2 == 0 { last - back } else { numbers.below(last + 1) };
                    let id = open[at];
                    assert!(runs.remove(id).is_some_and(|run| there.remove(&id) == Some(run.head)));
                    for _ in 0..numbers.below(4).saturating_sub(1) {
                        head += 1;
                        let successor = runs.add(run(id.start_seq, head), Some(id));
                        assert_eq!(there.insert(successor, head), None);
                    }
                }
                runs.trim();
                check(&runs, &there);
                if numbers.below(40) == 0 {
                    let from = numbers.below(600) as u64;
                    let starts = from..from + numbers.below(60) as u64;
                    let mut ids = runs.of_starts(&starts);
                    ids.sort_unstable();
                    let due = there.keys().filter(|id| starts.contains(&id.start_seq));
                    assert!(ids.iter().eq(due), "{starts:?}");
                    for id in ids {
                        runs.remove(id);
                        there.remove(&id);
                    }
                    runs.trim();
                    check(&runs, &there);
                }
            }
        }
    }
}
