//! The groups of a key: partial matches with the same future.
//!
//! An example with `match a -> any b -> c within 10s`, after a1 a2 b3:
//! ```text
//! all[0]   waits for b   root: union(a1, a2)         2 partial matches
//! all[1]   waits for c   root: b3 over that union    2 partial matches
//! ```
//! A `b4` makes a successor that waits for `c`, with b4 over the same union. It has the
//! configurations of `all[1]`, so the two become one group, whose root is the union of both nodes:
//! 4 partial matches.
//!
//! When a start is over, nothing is touched: its chains are in nodes together with others.
//! ```text
//! Notice::Later    nothing is reported of it. `stale` says when a collection is worth a pass:
//!                  half of the pattern's bound after the oldest start is over
//! Notice::AtOnce   `deadline` is the end of the oldest start, as it is reported
//! ```
//! So with `within 10s` and nothing to report, the graph is collected for time at most once in 5 s
//! of the stream.
//!
//! ```text
//! list of groups --(many groups)--> index --(few groups)-> list
//!                                     `---(does not pay)-> list, and no index again (`is_listed`)
//! ```
//!
//! Invariants:
//! * No two groups have the same configurations, and no two have a chain in common.
//! * `open`, `deadline` and `stale` follow from the groups (`settle`). They are the same after a
//!   restart, whatever garbage the graph has. With an index they are added up there, and compared
//!   in builds with debug assertions.
//! * An index knows the position of each group and what its root adds to the sums. `take`,
//!   `set_root` and `add` keep both up to date; what changes more drops the index.
//!
//! Rejected: a collection whenever a start is over. It is a pass over the graph, and would be one
//! for each event of a stream that starts at each event.
//!
//! Which test holds it: `groups_of_each_construct_are_few` in `tests/compact_constructs.rs`,
//! `a_window_that_moves_takes_no_more_memory` and `a_group_is_forgotten_with_its_last_start` in
//! `tests/compact.rs`, and `a_key_finds_groups_that_it_could_list` in `tests/joined.rs`.

use std::ops::Range;

use hashbrown::HashTable;

use super::chain_sums::{ChainSums, DividedGroup, joined};
use super::group::{
    Configuration, Configurations, GroupFacts, Notice, RunGroup, WholeBound, group_of,
};
use super::index::GroupIndex;
use crate::exec::dag::{Dag, DagEvent, NONE, Preference};
use crate::exec::forms::waiting::{FEW as FEW_WAITING, MANY as MANY_WAITING};
use crate::exec::registers::RegisterFile;
use crate::exec::store::Store;
use crate::nfa::Live;
use kleene_event::event::Event;

/// The partial matches of one key in the compact form.
#[derive(Clone, Debug)]
pub(in crate::exec) struct MatchGroups {
    pub(in crate::exec) dag: Dag,
    pub(in crate::exec) all: Vec<RunGroup>,
    /// The index of the groups, if there are many.
    pub(super) index: Option<Box<GroupIndex>>,
    /// True if an index was tried in vain.
    pub(super) is_listed: bool,
    /// The node of the matches that wait for older partial matches (`ordered`), or [`NONE`].
    pub(super) waiting: u32,
    /// The groups whose parts differ in what their sums fulfil.
    pub(super) divided: Vec<DividedGroup>,
    /// The sum of the absolute values of all summands of a running sum, if it is known.
    pub(super) magnitude: Option<u64>,
    /// The number of partial matches that the groups stand for, at most `u64::MAX`. Those whose
    /// time is over count until their nodes are dropped.
    pub(in crate::exec::forms) open: u64,
    /// The time at which the oldest partial match has been over for half of the pattern's own
    /// bound, so that what is over is dropped.
    pub(super) stale: i64,
    /// The first time at which a group or a configuration is over.
    pub(super) deadline: i64,
    /// The time of the key: what is over then is gone, or will be without a report.
    pub(super) now: i64,
}

/// A group that an event makes, or adds to a group with the same configurations.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) configurations: Configurations,
    pub(super) root: u32,
    pub(super) sums: Option<Box<ChainSums>>,
}

impl MatchGroups {
    pub(in crate::exec) fn new(preference: Preference) -> MatchGroups {
        MatchGroups {
            dag: Dag::new(preference),
            all: Vec::new(),
            index: None,
            is_listed: false,
            waiting: NONE,
            divided: Vec::new(),
            magnitude: None,
            open: 0,
            stale: i64::MAX,
            deadline: i64::MAX,
            now: i64::MIN,
        }
    }

    /// Returns the number of configurations of all groups: an event takes a step for each.
    pub(in crate::exec::forms) fn configuration_count(&self) -> usize {
        match &self.index {
            Some(index) => index.configuration_count(),
            None => self.all.iter().map(|group| group.configurations.len()).sum(),
        }
    }

    /// Returns the number of partial matches that the groups stand for, at most `u64::MAX`. No two
    /// groups have partial matches with the same events. Matches that wait count, too.
    pub(super) fn count(&self) -> u64 {
        let of = |sum: u64, group: &RunGroup| sum.saturating_add(self.dag.count(group.root).0);
        self.all.iter().fold(self.waiting_count(), of)
    }

    /// Returns the number of matches that wait for older partial matches.
    pub(in crate::exec) fn waiting_count(&self) -> u64 {
        if self.waiting == NONE { 0 } else { self.dag.count(self.waiting).0 }
    }

    /// Counts a pass over the graph: eight nodes are a step.
    pub(super) fn count_pass<E>(&self, store: &mut Store<E>) {
        store.counts.steps += self.dag.len() as u64 / 8;
    }

    /// Returns the size of the graph in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let of_groups = match &self.index {
            Some(index) => index.bytes(),
            None => self.all.iter().map(RunGroup::bytes).sum(),
        };
        self.dag.bytes() + of_groups as u64
    }

    /// Returns the heap size in bytes.
    pub(in crate::exec::forms) fn memory_usage(&self) -> usize {
        let of = |group: &RunGroup| {
            let spilled = group.configurations.spilled();
            let capacity = if spilled { group.configurations.capacity() } else { 0 };
            group.heap_size() + capacity * size_of::<Configuration>()
        };
        size_of::<MatchGroups>()
            + self.dag.memory_usage()
            + self.all.capacity() * size_of::<RunGroup>()
            + self.all.iter().map(of).sum::<usize>()
            + self.index.as_ref().map_or(0, |index| index.memory_usage())
    }

    /// Sets what follows from the groups: the number of partial matches, the first deadline, and
    /// the time at which what is over is dropped. `bound` is the pattern's own bound.
    ///
    /// All of these are the same after a restart, which keeps no node that nothing needs.
    pub(super) fn settle(&mut self, bound: WholeBound) {
        // A match that waits is reported as soon as the last older partial match is over.
        let notice = if self.waiting == NONE { bound.notice } else { Notice::AtOnce };
        let bound = WholeBound { notice, ..bound };
        let of_all = |groups: &MatchGroups| {
            let facts = groups.all.iter().map(|group| group.facts(&groups.dag, bound));
            let none = GroupFacts { deadline: i64::MAX, oldest: i64::MAX, count: 0 };
            facts.fold(none, GroupFacts::and)
        };
        let facts = match &self.index {
            Some(index) => index.facts(),
            None => of_all(self),
        };
        debug_assert_eq!(facts, of_all(self), "the index has every group as it is");
        self.open = facts.count.saturating_add(self.waiting_count());
        self.deadline = facts.deadline;
        self.stale = bound.end(facts.oldest).saturating_add(bound.millis.unwrap_or(0) / 2);
    }

    /// Returns the time at which the newest partial match of a group is over.
    pub(super) fn end_of(&self, group: &RunGroup, bound: WholeBound) -> i64 {
        bound.end(self.dag.newest(group.root).time)
    }

    /// Returns the last time at which a group is over.
    pub(super) fn last_deadline(&self, bound: WholeBound) -> i64 {
        let end = |group: &RunGroup| {
            let waits = group.configurations.iter().map(|configuration| configuration.deadline);
            waits.max().unwrap_or(i64::MIN).min(self.end_of(group, bound))
        };
        self.all.iter().map(end).max().unwrap_or(i64::MIN)
    }

    /// Drops what is over at `time`.
    pub(super) fn expire<E: Event>(
        &mut self,
        store: &mut Store<E>,
        live: &[Live],
        bound: WholeBound,
        time: i64,
    ) {
        self.now = self.now.max(time);
        // Most moments end nothing, which is known without a look at the groups.
        if time < self.deadline {
            return;
        }
        let over = self.over_at(time);
        store.counts.steps += over.len() as u64;
        // A group that loses a configuration can be equal to another one, so it is added anew.
        let mut changed = Vec::new();
        // From the last one on: a group that goes leaves its place to the last.
        for at in over.into_iter().rev() {
            let group = &self.all[at];
            let is_over = self.end_of(group, bound) <= time;
            let ends = |configuration: &Configuration| is_over || configuration.deadline <= time;
            if !group.configurations.iter().any(ends) {
                continue;
            }
            let RunGroup { mut configurations, root, sums, .. } = self.take(&store.file, at);
            configurations.retain(|configuration| {
                let goes = ends(configuration);
                if goes {
                    store.file.release(configuration.registers);
                }
                !goes
            });
            if !configurations.is_empty() {
                changed.push(Successor { configurations, root, sums });
            }
        }
        self.add(store, live, changed.drain(..));
        self.settle(bound);
    }

    /// Adds groups. A group with the same configurations as another one is merged into it.
    ///
    /// The registers of a merged group are released: those of the other have the same values, as
    /// far as anything reads them.
    pub(super) fn add<E: Event>(
        &mut self,
        store: &mut Store<E>,
        live: &[Live],
        successors: impl Iterator<Item = Successor>,
    ) {
        let mut table = Table::default();
        for Successor { configurations, root, sums } in successors {
            let Store { file, scratch, .. } = &mut *store;
            let mut group = group_of(file, live, (configurations, root), &scratch.meeting.hasher);
            group.sums = sums;
            let same = match &self.index {
                Some(index) => index.find(&self.all, &group),
                None => table.find(&self.all, &group),
            };
            if let Some(same) = same {
                // A new start becomes part of the tree of starts, which `side` divides on one path.
                let root = self.dag.with_newer(root, self.all[same].root);
                self.set_root(same, root);
                let known = &mut self.all[same];
                known.sums = joined(known.sums.take(), group.sums);
                for configuration in group.configurations {
                    store.file.release(configuration.registers);
                }
                continue;
            }
            match &mut self.index {
                Some(index) => {
                    index.add(&store.file, &self.dag, (self.all.len(), &mut group));
                }
                None => table.add(&self.all, &group),
            }
            self.all.push(group);
        }
    }

    /// Drops the partial matches whose start is not kept, and every node that nothing needs.
    pub(super) fn collect<E: Event>(
        &mut self,
        store: &mut Store<E>,
        completed: &mut u32,
        keeps: impl Fn(&DagEvent) -> bool,
    ) {
        self.count_pass(store);
        // If nothing is dropped, sums and index stay valid: only the numbers of nodes change.
        let open = self.count();
        let roots = self.all.iter_mut().map(|group| &mut group.root);
        let divided = self.divided.iter_mut();
        let divided = divided.flat_map(|group| group.parts.iter_mut().chain([&mut group.whole]));
        let roots = roots.chain(divided).chain([completed, &mut self.waiting]);
        let arena = &mut store.arena;
        self.dag.collect(roots, keeps, |event| arena.release_event(event));
        self.drop_empty(&mut store.file);
        self.forget_divided();
        if self.count() != open {
            // They are found anew for the partial matches that are left.
            self.all.iter_mut().for_each(|group| group.sums = None);
            self.magnitude = None;
            self.index = None;
        }
    }

    /// Drops the groups that have no partial matches any more.
    ///
    /// A group whose starts are all dropped has no node. Its registers are all that is left to
    /// release.
    pub(super) fn drop_empty(&mut self, file: &mut RegisterFile) {
        self.all.retain(|group| {
            if group.root == NONE {
                group.configurations.iter().for_each(|one| file.release(one.registers));
            }
            group.root != NONE
        });
    }

    /// Drops the groups at these positions, and every node that nothing needs then.
    pub(super) fn drop_groups<E: Event>(&mut self, store: &mut Store<E>, positions: Range<usize>) {
        self.index = None;
        for group in self.all.drain(positions) {
            group.configurations.iter().for_each(|one| store.file.release(one.registers));
        }
        self.collect(store, &mut { NONE }, |_| true);
    }

    /// Releases everything.
    ///
    /// Events of the graph are released once each, as the graph has one reference to each.
    pub(super) fn clear<E: Event>(self, store: &mut Store<E>) {
        for group in self.all {
            group.configurations.iter().for_each(|one| store.file.release(one.registers));
        }
        for moment in self.dag.moments() {
            store.arena.release_event(moment.event);
        }
    }
}

impl MatchGroups {
    /// Makes the index if there are many groups and it has not been tried in vain.
    pub(super) fn index_many(&mut self, file: &RegisterFile, bound: WholeBound) {
        if self.index.is_some() || self.is_listed || self.all.len() < MANY_WAITING {
            return;
        }
        let mut index = GroupIndex::new(bound);
        for (position, group) in self.all.iter_mut().enumerate() {
            index.add(file, &self.dag, (position, group));
        }
        self.index = Some(Box::new(index));
    }

    /// Drops the index where it takes more time than a list of the groups, or few are left.
    pub(super) fn drop_useless_index(&mut self) {
        let Some(index) = &self.index else { return };
        let is_busy = self.all.len() >= FEW_WAITING;
        if !is_busy || !index.pays() {
            self.is_listed = is_busy;
            self.index = None;
        }
    }

    /// Removes and returns the group at a position, while its registers still have their values.
    /// The last group takes its place.
    pub(super) fn take(&mut self, file: &RegisterFile, at: usize) -> RunGroup {
        if let Some(index) = &mut self.index {
            index.remove(file, &self.dag, &self.all[at]);
        }
        // The order of the groups has no meaning: reports are in the order of chains.
        let group = self.all.swap_remove(at);
        if let (Some(index), Some(moved)) = (&mut self.index, self.all.get(at)) {
            index.move_to(moved, at);
        }
        group
    }

    /// Replaces the node of the group at a position.
    pub(super) fn set_root(&mut self, at: usize, root: u32) {
        let group = &mut self.all[at];
        if let Some(index) = &mut self.index {
            // The index has sums over all groups, from which the old root is taken out before.
            index.forget(group, &self.dag);
            group.root = root;
            index.note(group, &self.dag);
        } else {
            group.root = root;
        }
    }

    /// Returns the positions of all groups of which something is over at a time, in their order;
    /// others can be among them.
    pub(super) fn over_at(&self, time: i64) -> Vec<usize> {
        match &self.index {
            Some(index) => index.over_at(time),
            None => (0..self.all.len()).collect(),
        }
    }
}

/// The groups by their footprints, where there are many.
#[derive(Debug, Default)]
struct Table {
    by_hash: HashTable<usize>,
    is_made: bool,
}

/// The number of groups up to which they are compared one by one.
const FEW: usize = 16;

impl Table {
    fn find(&mut self, all: &[RunGroup], wanted: &RunGroup) -> Option<usize> {
        let is_same = |one: &RunGroup| one.is_same(wanted);
        if all.len() < FEW {
            return all.iter().position(is_same);
        }
        // The table is made at the first look-up among many groups, and lasts for one event.
        if !self.is_made {
            self.is_made = true;
            self.by_hash.reserve(2 * all.len(), |at: &usize| all[*at].hash);
            for (at, group) in all.iter().enumerate() {
                self.by_hash.insert_unique(group.hash, at, |at: &usize| all[*at].hash);
            }
        }
        self.by_hash.find(wanted.hash, |at| is_same(&all[*at])).copied()
    }

    /// Records a group that is added after all others.
    fn add(&mut self, all: &[RunGroup], new: &RunGroup) {
        if self.is_made {
            let rehash = |at: &usize| all.get(*at).map_or(new.hash, |group| group.hash);
            self.by_hash.insert_unique(new.hash, all.len(), rehash);
        }
    }
}
