//! A group: partial matches with the same future.

use std::hash::BuildHasher as _;

use hashbrown::DefaultHashBuilder;
use smallvec::SmallVec;

use super::chain_sums::ChainSums;
use crate::exec::dag::Dag;
use crate::exec::registers::{RegisterFile, Registers};
use crate::exec::run::Run;
use crate::nfa::{Live, StateId};

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
    pub(super) fn heap_size(&self) -> usize {
        self.footprint.len() + self.sums.as_ref().map_or(0, |sums| sums.bytes())
    }
}

/// The pattern's own bound in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct WholeBound {
    pub(super) millis: Option<i64>,
    pub(super) notice: Notice,
}

impl WholeBound {
    /// Returns when what started at `start` is over.
    pub(super) fn end(self, start: i64) -> i64 {
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

/// Returns a group without equal configurations, and with its footprint.
pub(super) fn group_of(
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
