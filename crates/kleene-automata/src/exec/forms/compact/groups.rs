//! The groups of a key: partial matches with the same future.

use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;

use super::chain_sums::{ChainSums, DividedGroup, joined};
use super::index::{GroupFacts, GroupIndex, GroupSums};
use crate::exec::dag::{Dag, DagEvent, NONE, Preference};
use crate::exec::registers::{RegisterFile, Registers};
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::{Live, StateId};
use kleene_event::event::Event;

/// The head of a run that stands for a group: it has captured events, which no condition reads.
const CAPTURED: u32 = u32::MAX - 1;

/// A state in which all partial matches of a group wait, with all that later events read of them.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct Configuration {
    pub(in crate::exec) state: StateId,
    pub(in crate::exec) registers: Registers,
    /// The time of the last captured event; [`i64::MIN`] if nothing reads it.
    pub(in crate::exec) last: i64,
    /// The time at which the wait ends, without the pattern's own bound, which follows from starts.
    pub(in crate::exec) deadline: i64,
}

impl Configuration {
    /// Returns a run that conditions and guards take for any partial match of the group.
    pub(super) fn as_run(&self) -> Run {
        let Configuration { state, registers, last, deadline } = *self;
        // With this start the pattern's own bound is never over.
        Run { state, head: CAPTURED, registers, start_seq: 0, start: i64::MAX, last, deadline }
    }

    pub(super) fn of_run(run: &Run) -> Configuration {
        let Run { state, registers, last, deadline, .. } = *run;
        Configuration { state, registers, last, deadline }
    }
}

/// The configurations of a group. There is one, unless partial matches with the same events can wait
/// in several states.
pub(in crate::exec) type Configurations = SmallVec<[Configuration; 1]>;

/// Partial matches with the same configurations.
#[derive(Clone, Debug)]
pub(in crate::exec) struct RunGroup {
    pub(in crate::exec) configurations: Configurations,
    /// The node of their events.
    pub(in crate::exec) root: u32,
    /// Their sums, if the pattern has a running sum; `None` until they are asked for.
    pub(super) sums: Option<Box<ChainSums>>,
    /// Bytes that are equal for equal configurations, and their hash.
    footprint: Box<[u8]>,
    pub(super) hash: u64,
    /// The number by which an index knows the group.
    pub(super) number: u64,
}

impl RunGroup {
    /// True if the configurations of both are equal.
    pub(super) fn is_same(&self, other: &RunGroup) -> bool {
        self.hash == other.hash && self.footprint == other.footprint
    }

    /// Returns what follows from the group. `bound` is the pattern's own bound.
    pub(super) fn facts(&self, dag: &Dag, bound: WholeBound) -> GroupFacts {
        let oldest = dag.oldest(self.root).time;
        let whole = match bound.notice {
            Notice::Later => bound.end(dag.newest(self.root).time),
            Notice::AtOnce => bound.end(oldest),
        };
        let waits = self.configurations.iter().map(|configuration| configuration.deadline);
        let deadline = waits.fold(whole, i64::min);
        GroupFacts { deadline, oldest, count: dag.count(self.root).0 }
    }

    /// Returns the size in bytes, without the configurations on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.heap_size() + size_of::<RunGroup>()
    }

    /// Returns the heap size in bytes, without the configurations.
    fn heap_size(&self) -> usize {
        self.footprint.len() + self.sums.as_ref().map_or(0, |sums| sums.bytes())
    }
}

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

/// The pattern's own bound in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct WholeBound {
    pub(super) millis: Option<i64>,
    pub(super) notice: Notice,
}

impl WholeBound {
    /// Returns when what started at `start` is over.
    fn end(self, start: i64) -> i64 {
        self.millis.map_or(i64::MAX, |millis| start.saturating_add(millis))
    }
}

/// When a start that is out of time is noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Notice {
    /// Nothing is reported of it, so it is dropped later, together with others.
    Later,
    /// Its partial matches can be complete at that moment, or are reported as timeouts.
    AtOnce,
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
        self.sums().configurations()
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

    /// Returns what is added up over all groups.
    fn sums(&self) -> GroupSums {
        match &self.index {
            Some(index) => index.sums(),
            None => GroupSums::of(&self.dag, &self.all),
        }
    }

    /// Counts a pass over the graph: eight nodes are a step.
    pub(super) fn count_pass<E>(&self, store: &mut Store<E>) {
        store.counts.steps += self.dag.len() as u64 / 8;
    }

    /// Returns the size of the graph in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.dag.bytes() + self.sums().bytes() as u64
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
        if time < self.deadline {
            return;
        }
        let over = self.over_at(time);
        store.counts.steps += over.len() as u64;
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

    /// Adds groups. Those with the same configurations as another become one with it.
    pub(super) fn add<E: Event>(
        &mut self,
        store: &mut Store<E>,
        live: &[Live],
        successors: impl Iterator<Item = Successor>,
    ) {
        let mut table = Table::default();
        for Successor { configurations, root, sums } in successors {
            let Store { file, scratch, .. } = &mut *store;
            let mut group = group(file, live, (configurations, root), &scratch.meeting.hasher);
            group.sums = sums;
            let same = match &self.index {
                Some(index) => index.find(&self.all, &group),
                None => table.find(&self.all, &group),
            };
            if let Some(same) = same {
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
    pub(super) fn clear<E: Event>(self, store: &mut Store<E>) {
        for group in self.all {
            group.configurations.iter().for_each(|one| store.file.release(one.registers));
        }
        for moment in self.dag.moments() {
            store.arena.release_event(moment.event);
        }
    }
}

/// Returns a group without equal configurations, and with its footprint.
fn group(
    file: &mut RegisterFile,
    live: &[Live],
    (mut configurations, root): (Configurations, u32),
    hasher: &DefaultHashBuilder,
) -> RunGroup {
    let mut footprint = Vec::new();
    if let [only] = configurations[..] {
        write_identity(file, live, &only, &mut footprint);
    } else {
        let mut known: Vec<(Vec<u8>, Configuration)> = Vec::new();
        for configuration in configurations {
            let mut bytes = Vec::new();
            write_identity(file, live, &configuration, &mut bytes);
            match known.binary_search_by(|(other, _)| other.cmp(&bytes)) {
                Ok(_) => file.release(configuration.registers),
                Err(at) => known.insert(at, (bytes, configuration)),
            }
        }
        for (bytes, _) in &known {
            footprint.extend_from_slice(bytes);
        }
        configurations = known.into_iter().map(|(_, configuration)| configuration).collect();
    }
    // Values come from outside: the hash is seeded.
    let hash = hasher.hash_one(&footprint);
    RunGroup { configurations, root, sums: None, footprint: footprint.into(), hash, number: 0 }
}

/// Appends bytes that are equal for configurations with the same future.
fn write_identity(
    file: &RegisterFile,
    live: &[Live],
    configuration: &Configuration,
    out: &mut Vec<u8>,
) {
    let state = configuration.state.index();
    out.extend_from_slice(&u32::try_from(state).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&configuration.last.to_le_bytes());
    for (clock, time) in file.times(configuration.registers).iter().enumerate() {
        if live[state].has_clock(clock) {
            out.extend_from_slice(&time.to_le_bytes());
        }
    }
    for index in live[state].register_numbers() {
        file.write_identity(configuration.registers, index, out);
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
        if !self.is_made {
            self.is_made = true;
            self.by_hash.reserve(2 * all.len(), |at: &usize| all[*at].hash);
            for (at, group) in all.iter().enumerate() {
                self.by_hash.insert_unique(group.hash, at, |at: &usize| all[*at].hash);
            }
        }
        self.by_hash.find(wanted.hash, |at| is_same(&all[*at])).copied()
    }

    /// Notes a group that is added behind all others.
    fn add(&mut self, all: &[RunGroup], new: &RunGroup) {
        if self.is_made {
            let rehash = |at: &usize| all.get(*at).map_or(new.hash, |group| group.hash);
            self.by_hash.insert_unique(new.hash, all.len(), rehash);
        }
    }
}
