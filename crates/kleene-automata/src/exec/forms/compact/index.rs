//! An index of the groups of a busy key, by what they wait for and by their deadlines.
//!
//! When it applies: a key has many groups, as a condition still reads what they captured
//! (`a as x -> any b[v <= x.v] -> c`), and an event finds few of them. Not with a running sum, which
//! divides groups, nor with `ordered`.
//!
//! Why it is right: [`waiting`](crate::exec::forms::waiting) says which groups an event leaves as
//! they are. What the index knows of a group is what a pass over all groups finds: in builds with
//! debug assertions, [`MatchGroups::settle`](super::groups::MatchGroups::settle) compares the two
//! after each event.
//!
//! What it saves: a look at each group by each event and by each deadline. 20,000 groups and as many
//! events took 60 s.
//!
//! Which test holds it: `groups_that_wait_for_a_value_are_found_by_it` in `tests/scaling_events.rs`
//! for the steps, and the tests of the compact form, where sixteen groups are many.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashTable};

use super::group::{GroupFacts, RunGroup, WholeBound};
use crate::exec::dag::Dag;
use crate::exec::forms::waiting::{Savings, WaitingIndex};
use crate::exec::registers::{RegisterFile, Registers};

/// The index of the groups of a key.
#[derive(Clone, Debug)]
pub(super) struct GroupIndex {
    bound: WholeBound,
    /// The position of each group, by its number.
    positions: HashMap<u64, usize>,
    /// The number of each group, by the hash of its footprint.
    by_hash: HashTable<Hashed>,
    waiting: WaitingIndex<GroupMember>,
    deadlines: BTreeSet<(i64, u64)>,
    /// By the time of the oldest start.
    oldest: BTreeSet<(i64, u64)>,
    /// The number of partial matches of all groups.
    count: u128,
    /// The size of all groups in bytes, without their graph.
    bytes: usize,
    /// The number of configurations of all groups.
    configurations: usize,
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
pub(super) struct GroupMember {
    group: u64,
    configuration: usize,
}

impl GroupIndex {
    pub(super) fn new(bound: WholeBound) -> GroupIndex {
        GroupIndex {
            bound,
            positions: HashMap::new(),
            by_hash: HashTable::new(),
            waiting: WaitingIndex::default(),
            deadlines: BTreeSet::new(),
            oldest: BTreeSet::new(),
            count: 0,
            bytes: 0,
            configurations: 0,
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
            let member = GroupMember { group: group.number, configuration };
            self.waiting.add(file, (one.state, one.registers), member);
        }
        self.note(group, dag);
    }

    /// Removes a group while its registers still have their values.
    pub(super) fn remove(&mut self, file: &RegisterFile, dag: &Dag, group: &RunGroup) {
        self.positions.remove(&group.number);
        let is_it = |one: &Hashed| one.number == group.number;
        if let Ok(there) = self.by_hash.find_entry(group.hash, is_it) {
            there.remove();
        }
        for (configuration, one) in group.configurations.iter().enumerate() {
            let member = GroupMember { group: group.number, configuration };
            self.waiting.remove(file, (one.state, one.registers), member);
        }
        self.forget(group, dag);
    }

    /// Notes what follows from a group.
    pub(super) fn note(&mut self, group: &RunGroup, dag: &Dag) {
        let facts = group.facts(dag, self.bound);
        self.deadlines.insert((facts.deadline, group.number));
        self.oldest.insert((facts.oldest, group.number));
        self.count += u128::from(facts.count);
        self.bytes += group.bytes();
        self.configurations += group.configurations.len();
    }

    /// Forgets what follows from a group as it is.
    pub(super) fn forget(&mut self, group: &RunGroup, dag: &Dag) {
        let facts = group.facts(dag, self.bound);
        self.deadlines.remove(&(facts.deadline, group.number));
        self.oldest.remove(&(facts.oldest, group.number));
        self.count -= u128::from(facts.count);
        self.bytes -= group.bytes();
        self.configurations -= group.configurations.len();
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
            count: u64::try_from(self.count).unwrap_or(u64::MAX),
        }
    }

    /// Returns the size of all groups in bytes, without their graph.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of configurations of all groups.
    pub(super) fn configuration_count(&self) -> usize {
        self.configurations
    }

    /// Notes the new position of a group.
    pub(super) fn move_to(&mut self, group: &RunGroup, position: usize) {
        self.positions.insert(group.number, position);
    }

    /// Returns the positions of the groups of which something is over at a time, in their order.
    pub(super) fn over_at(&self, time: i64) -> Vec<usize> {
        let over = self.deadlines.range(..=(time, u64::MAX));
        let mut over: Vec<usize> = over.map(|(_, number)| self.positions[number]).collect();
        over.sort_unstable();
        over
    }

    /// Returns the positions of the groups of which `find` finds a configuration, in their order.
    pub(super) fn found(
        &mut self,
        all: &[RunGroup],
        find: impl FnOnce(
            &mut WaitingIndex<GroupMember>,
            &dyn Fn(&GroupMember) -> Registers,
            &mut Vec<GroupMember>,
        ),
    ) -> Vec<usize> {
        let positions = &self.positions;
        let registers_of = |one: &GroupMember| {
            all[positions[&one.group]].configurations[one.configuration].registers
        };
        let mut members = Vec::new();
        find(&mut self.waiting, &registers_of, &mut members);
        let mut found: Vec<usize> = members.iter().map(|one| positions[&one.group]).collect();
        found.sort_unstable();
        found.dedup();
        self.savings.record(found.len(), all.len());
        found
    }

    /// True if the index takes less time than a list of the groups.
    pub(super) fn pays(&self) -> bool {
        self.savings.pays()
    }

    /// Returns the heap size in bytes, approximately.
    pub(super) fn memory_usage(&self) -> usize {
        let each = size_of::<(u64, usize)>() + size_of::<Hashed>() + 2 * size_of::<(i64, u64)>();
        self.positions.len() * each * 3 / 2 + self.waiting.memory_usage()
    }
}
