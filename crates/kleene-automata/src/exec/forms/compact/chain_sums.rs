//! The sums of the partial matches of a group, in order.
//!
//! [`sums`](super::sums) says when they are kept, and why their order stays.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use crate::nfa::SumSide;

/// The sums of the partial matches of a group, by their starts and in order.
#[derive(Clone, Debug, Default)]
pub(in crate::exec) struct ChainSums {
    /// The sum of a partial match that lacks nothing.
    total: i64,
    /// By the sequence number of the start.
    starts: BTreeMap<u64, StartSum>,
    /// What each partial match lacks, with its start: the greatest sum first.
    order: BTreeSet<(i64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct StartSum {
    /// The difference between the total and the sum.
    lacks: i64,
    /// The time of the start.
    time: i64,
}

impl ChainSums {
    /// The approximate heap size for each partial match. The nodes of a B-tree are two thirds full
    /// on average.
    const EACH: usize = (size_of::<(u64, StartSum)>() + size_of::<(i64, u64)>()) * 3 / 2;

    /// Returns the sums of a partial match that begins now, without its first event.
    pub(super) fn of_start(seq: u64, time: i64) -> ChainSums {
        let mut sums = ChainSums::default();
        sums.insert((seq, time), 0);
        sums
    }

    pub(super) fn insert(&mut self, (seq, time): (u64, i64), sum: i64) {
        let lacks = self.total - sum;
        self.starts.insert(seq, StartSum { lacks, time });
        self.order.insert((lacks, seq));
    }

    /// Adds an event to all partial matches.
    pub(super) fn add(&mut self, summand: i64) {
        self.total += summand;
    }

    /// Returns the heap size in bytes, approximately.
    pub(super) fn bytes(&self) -> usize {
        size_of::<ChainSums>() + self.starts.len() * ChainSums::EACH
    }

    /// Returns the sums of both. The time is in proportion to the smaller part.
    fn joined(self, other: ChainSums) -> ChainSums {
        let (mut large, small) =
            if self.starts.len() < other.starts.len() { (other, self) } else { (self, other) };
        for (seq, StartSum { lacks, time }) in small.starts {
            large.insert((seq, time), small.total - lacks);
        }
        large
    }

    /// Drops the starts that are over.
    pub(super) fn drop_over(&mut self, is_over: impl Fn(i64) -> bool) {
        while let Some(first) = self.starts.first_entry().filter(|first| is_over(first.get().time))
        {
            let (seq, StartSum { lacks, .. }) = first.remove_entry();
            self.order.remove(&(lacks, seq));
        }
    }

    /// Returns the starts on one side of the order up to the first whose sum is not as `holds`
    /// says, by their sums.
    pub(super) fn fulfilling(&self, side: SumSide, mut holds: impl FnMut(i64) -> bool) -> Vec<u64> {
        let mut is_found = |(lacks, _): &&(i64, u64)| holds(self.total - lacks);
        match side {
            SumSide::Greater => {
                self.order.iter().take_while(&mut is_found).map(|one| one.1).collect()
            }
            SumSide::Smaller => {
                self.order.iter().rev().take_while(&mut is_found).map(|one| one.1).collect()
            }
        }
    }

    /// Returns the starts in their order.
    pub(super) fn starts(&self) -> Vec<u64> {
        self.starts.keys().copied().collect()
    }

    /// Removes and returns the sums of these starts.
    pub(super) fn split_off(&mut self, starts: &[u64]) -> ChainSums {
        let mut part = ChainSums { total: self.total, ..ChainSums::default() };
        for seq in starts {
            if let Some(StartSum { lacks, time }) = self.starts.remove(seq) {
                self.order.remove(&(lacks, *seq));
                part.insert((*seq, time), self.total - lacks);
            }
        }
        part
    }
}

/// Returns the sums of two groups that become one; `None` if those of a group are not known.
pub(super) fn joined(
    one: Option<Box<ChainSums>>,
    other: Option<Box<ChainSums>>,
) -> Option<Box<ChainSums>> {
    Some(Box::new(one?.joined(*other?)))
}

/// A group that was divided, as long as its parts can become one again.
#[derive(Clone, Debug)]
pub(in crate::exec) struct DividedGroup {
    /// The node that the group had.
    pub(super) whole: u32,
    /// The nodes of its parts.
    pub(super) parts: SmallVec<[u32; 2]>,
}
