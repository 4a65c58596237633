//! An index of the groups of a busy key, by what they wait for and by their deadlines.
//!
//! When it applies: a key has many groups, as a condition still reads what they captured
//! (`a as x -> any b[v <= x.v] -> c`), and an event finds few of them. Not with a running sum, which
//! divides groups, nor with `ordered`.
//!
//! Why it is right: [`waiting`](crate::exec::forms::waiting) says which groups an event leaves as
//! they are. What the index knows of a group is what a pass over all groups finds: in builds with
//! debug assertions, [`MatchGroups::settle`] compares the two after each event.
//!
//! What it saves: a look at each group by each event and by each deadline. 20,000 groups and as many
//! events took 60 s.
//!
//! Which test holds it: `groups_that_wait_for_a_value_are_found_by_it` in `tests/scaling_events.rs`
//! for the steps, and the tests of the compact form, where sixteen groups are many.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashTable};

use super::groups::{MatchGroups, RunGroup, WholeBound};
use crate::exec::dag::Dag;
use crate::exec::forms::waiting::{FEW, MANY, Savings, Waiting};
use crate::exec::matcher::Walk;
use crate::exec::registers::RegisterFile;
use kleene_event::event::Event;

/// The index of the groups of a key.
#[derive(Clone, Debug)]
pub(super) struct GroupIndex {
    bound: WholeBound,
    /// The position of each group, by its number.
    positions: HashMap<u64, usize>,
    /// The number of each group, by the hash of its footprint.
    by_hash: HashTable<Hashed>,
    waiting: Waiting<Member>,
    deadlines: BTreeSet<(i64, u64)>,
    /// By the time of the oldest start.
    oldest: BTreeSet<(i64, u64)>,
    sums: GroupSums,
    /// The number of groups that were added.
    made: u64,
    savings: Savings,
}

#[derive(Clone, Copy, Debug)]
struct Hashed {
    hash: u64,
    number: u64,
}

/// A configuration of a group.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Member {
    group: u64,
    configuration: usize,
}

/// What follows from a group, or from all groups together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GroupFacts {
    /// The first time at which the group or a configuration is over.
    pub(super) deadline: i64,
    /// The time of the oldest start.
    pub(super) oldest: i64,
    /// The number of partial matches, at most `u64::MAX`.
    pub(super) count: u64,
}

impl GroupFacts {
    /// Returns what is said of two groups together.
    pub(super) fn and(self, other: GroupFacts) -> GroupFacts {
        GroupFacts {
            deadline: self.deadline.min(other.deadline),
            oldest: self.oldest.min(other.oldest),
            count: self.count.saturating_add(other.count),
        }
    }
}

/// What is added up over all groups.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct GroupSums {
    count: u128,
    bytes: usize,
    configurations: usize,
}

impl GroupSums {
    pub(super) fn of(dag: &Dag, all: &[RunGroup]) -> GroupSums {
        let mut sums = GroupSums::default();
        for group in all {
            sums.add(group, dag.count(group.root).0);
        }
        sums
    }

    fn add(&mut self, group: &RunGroup, count: u64) {
        self.count += u128::from(count);
        self.bytes += group.bytes();
        self.configurations += group.configurations.len();
    }

    fn remove(&mut self, group: &RunGroup, count: u64) {
        self.count -= u128::from(count);
        self.bytes -= group.bytes();
        self.configurations -= group.configurations.len();
    }

    /// Returns the number of partial matches, at most `u64::MAX`.
    pub(super) fn count(self) -> u64 {
        u64::try_from(self.count).unwrap_or(u64::MAX)
    }

    /// Returns the size of the groups in bytes, without their graph.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    pub(super) fn configurations(self) -> usize {
        self.configurations
    }
}

impl GroupIndex {
    fn new(bound: WholeBound) -> GroupIndex {
        GroupIndex {
            bound,
            positions: HashMap::new(),
            by_hash: HashTable::new(),
            waiting: Waiting::default(),
            deadlines: BTreeSet::new(),
            oldest: BTreeSet::new(),
            sums: GroupSums::default(),
            made: 0,
            savings: Savings::default(),
        }
    }

    /// Adds a group at this position, and numbers it.
    pub(super) fn add(
        &mut self,
        file: &RegisterFile,
        dag: &Dag,
        (position, group): (usize, &mut RunGroup),
    ) {
        self.made += 1;
        group.number = self.made;
        self.positions.insert(group.number, position);
        let hashed = Hashed { hash: group.hash, number: group.number };
        self.by_hash.insert_unique(group.hash, hashed, |one| one.hash);
        for (configuration, one) in group.configurations.iter().enumerate() {
            let member = Member { group: group.number, configuration };
            self.waiting.add(file, (one.state, one.registers), member);
        }
        self.note(group, group.facts(dag, self.bound));
    }

    /// Removes a group while its registers still have their values.
    fn remove(&mut self, file: &RegisterFile, dag: &Dag, group: &RunGroup) {
        self.positions.remove(&group.number);
        let is_it = |one: &Hashed| one.number == group.number;
        if let Ok(there) = self.by_hash.find_entry(group.hash, is_it) {
            there.remove();
        }
        for (configuration, one) in group.configurations.iter().enumerate() {
            let member = Member { group: group.number, configuration };
            let places = self.waiting.places(file, (one.state, one.registers));
            self.waiting.remove(one.state, &places, member);
        }
        self.forget(group, group.facts(dag, self.bound));
    }

    fn note(&mut self, group: &RunGroup, facts: GroupFacts) {
        self.deadlines.insert((facts.deadline, group.number));
        self.oldest.insert((facts.oldest, group.number));
        self.sums.add(group, facts.count);
    }

    fn forget(&mut self, group: &RunGroup, facts: GroupFacts) {
        self.deadlines.remove(&(facts.deadline, group.number));
        self.oldest.remove(&(facts.oldest, group.number));
        self.sums.remove(group, facts.count);
    }

    /// Returns the position of the group with the same configurations as another.
    pub(super) fn find(&self, all: &[RunGroup], wanted: &RunGroup) -> Option<usize> {
        let is_same = |one: &Hashed| {
            one.hash == wanted.hash
                && self.positions.get(&one.number).is_some_and(|at| all[*at].is_same(wanted))
        };
        let found = self.by_hash.find(wanted.hash, is_same)?;
        self.positions.get(&found.number).copied()
    }

    /// Returns what is said of all groups together.
    pub(super) fn facts(&self) -> GroupFacts {
        let first = |times: &BTreeSet<(i64, u64)>| times.first().map_or(i64::MAX, |first| first.0);
        GroupFacts {
            deadline: first(&self.deadlines),
            oldest: first(&self.oldest),
            count: self.sums.count(),
        }
    }

    pub(super) fn sums(&self) -> GroupSums {
        self.sums
    }

    /// Returns the heap size in bytes, approximately.
    pub(super) fn memory_usage(&self) -> usize {
        let each = size_of::<(u64, usize)>() + size_of::<Hashed>() + 2 * size_of::<(i64, u64)>();
        self.positions.len() * each * 3 / 2 + self.waiting.memory_usage()
    }
}

impl MatchGroups {
    /// Makes the index if there are many groups and it has not been tried in vain.
    pub(super) fn index_many(&mut self, file: &RegisterFile, bound: WholeBound) {
        if self.index.is_some() || self.is_listed || self.all.len() < MANY {
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
        let is_busy = self.all.len() >= FEW;
        if !is_busy || !index.savings.pays() {
            self.is_listed = is_busy;
            self.index = None;
        }
    }

    /// Removes and returns the group at a position, while its registers still have their values. The
    /// last group takes its place.
    pub(super) fn take(&mut self, file: &RegisterFile, at: usize) -> RunGroup {
        if let Some(index) = &mut self.index {
            index.remove(file, &self.dag, &self.all[at]);
        }
        let group = self.all.swap_remove(at);
        if let (Some(index), Some(moved)) = (&mut self.index, self.all.get(at)) {
            index.positions.insert(moved.number, at);
        }
        group
    }

    /// Replaces the node of the group at a position.
    pub(super) fn set_root(&mut self, at: usize, root: u32) {
        let group = &mut self.all[at];
        if let Some(index) = &mut self.index {
            index.forget(group, group.facts(&self.dag, index.bound));
            group.root = root;
            index.note(group, group.facts(&self.dag, index.bound));
        } else {
            group.root = root;
        }
    }

    /// Returns the positions of all groups of which something is over at a time, in their order;
    /// others can be among them.
    pub(super) fn over_at(&self, time: i64) -> Vec<usize> {
        let Some(index) = &self.index else { return (0..self.all.len()).collect() };
        let over = index.deadlines.range(..=(time, u64::MAX));
        let mut over: Vec<usize> = over.map(|(_, number)| index.positions[number]).collect();
        over.sort_unstable();
        over
    }
}

impl<E: Event> Walk<'_, E> {
    /// Returns the positions of the groups that the event can move, in their order, if there is an
    /// index.
    pub(super) fn indexed_groups(
        &mut self,
        groups: &mut MatchGroups,
        event_epoch: u64,
    ) -> Option<Vec<usize>> {
        let MatchGroups { all, index, .. } = groups;
        let GroupIndex { waiting, positions, savings, .. } = index.as_deref_mut()?;
        let registers_of =
            |one: &Member| all[positions[&one.group]].configurations[one.configuration].registers;
        let members = self.find_movable(waiting, registers_of, event_epoch);
        let mut found: Vec<usize> = members.iter().map(|one| positions[&one.group]).collect();
        found.sort_unstable();
        found.dedup();
        savings.record(found.len(), all.len());
        Some(found)
    }
}
