//! A pool of run lists.
//!
//! When it applies: a key has more than one run, so that they are not in the key itself.
//!
//! Why it is right: a list of the pool is empty, and only its space is used again.
//!
//! What it saves: if keys come and go at the same rate, no list is allocated.
//!
//! Which test holds it: `lists_are_used_again_by_size` below, and
//! `nothing_is_allocated_where_nothing_matches_or_begins` in `tests/allocs.rs`.

use crate::exec::run::{Run, Runs};

/// The number of list sizes in the pool: 2, 4, 8, up to 64 partial matches.
const SIZES: usize = 6;

/// The maximum number of lists of one size.
const MOST: usize = 64;

/// A pool of lists for reuse.
#[derive(Debug, Default)]
pub(super) struct RunPool {
    /// By the logarithm of their size, from 2 on.
    lists: [Vec<Vec<Run>>; SIZES],
}

impl Clone for RunPool {
    /// Returns an empty pool, since lists are space alone.
    fn clone(&self) -> RunPool {
        RunPool::default()
    }
}

impl RunPool {
    /// Makes room for `more` partial matches, in a list of the pool if there is one.
    #[inline(always)]
    pub(super) fn make_room(&mut self, runs: &mut Runs, more: usize) {
        let wanted = runs.len() + more;
        if wanted > runs.capacity() {
            self.enlarge(runs, wanted);
        }
    }

    #[inline(never)]
    fn enlarge(&mut self, runs: &mut Runs, wanted: usize) {
        let wanted = wanted.next_power_of_two();
        let Some(mut list) = self.lists.get_mut(index_of(wanted)).and_then(Vec::pop) else {
            runs.reserve_exact(wanted - runs.len());
            return;
        };
        // Most often there is one, which is in no list.
        if let [one] = runs[..] {
            list.push(one);
        } else {
            list.extend_from_slice(runs);
        }
        self.keep(std::mem::replace(runs, Runs::from_vec(list)));
    }

    /// Returns the list of a key without partial matches to the pool.
    #[inline(always)]
    pub(super) fn take_back(&mut self, runs: &mut Runs) {
        if runs.spilled() && runs.is_empty() {
            self.keep(std::mem::take(runs));
        }
    }

    /// Keeps a list for its space, if it is one.
    #[inline]
    fn keep(&mut self, runs: Runs) {
        if !runs.spilled() {
            return;
        }
        let mut list = runs.into_vec();
        list.clear();
        if list.capacity().is_power_of_two()
            && let Some(lists) = self.lists.get_mut(index_of(list.capacity()))
            && lists.len() < MOST
        {
            lists.push(list);
        }
    }

    /// Returns the heap size in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        let of_size = |lists: &Vec<Vec<Run>>| {
            let runs: usize = lists.iter().map(Vec::capacity).sum();
            runs * size_of::<Run>() + lists.capacity() * size_of::<Vec<Run>>()
        };
        self.lists.iter().map(of_size).sum()
    }
}

/// Returns the index of the lists of this size, a power of two from 2 on; beyond the last index if
/// no such lists are kept.
fn index_of(size: usize) -> usize {
    (size.ilog2() as usize).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::captures::NIL;
    use crate::exec::registers::Registers;
    use crate::nfa::StateId;

    fn run(start: i64) -> Run {
        let state = StateId::new(0);
        let registers = Registers::NOTHING;
        Run { state, head: NIL, registers, start_seq: 0, start, last: start, deadline: i64::MAX }
    }

    #[test]
    fn lists_are_used_again_by_size() {
        let mut pool = RunPool::default();
        let mut fill = |runs: &mut Runs, count: i64| {
            for start in 0..count {
                pool.make_room(runs, 1);
                runs.push(run(start));
            }
            assert!(runs.iter().map(|run| run.start).eq(0..count));
            let at = runs.as_ptr();
            runs.clear();
            pool.take_back(runs);
            assert_eq!(runs.capacity(), 1);
            (at, pool.lists.iter().map(Vec::len).collect::<Vec<_>>())
        };
        let mut runs = Runs::new();
        assert_eq!(fill(&mut runs, 1).1, [0; SIZES]);
        assert_eq!(fill(&mut runs, 2).1, [1, 0, 0, 0, 0, 0]);
        // The two is made larger where there is no other list.
        let (five, kept) = fill(&mut runs, 5);
        assert_eq!(kept, [0, 0, 1, 0, 0, 0]);
        assert_eq!(fill(&mut runs, 2).1, [1, 0, 1, 0, 0, 0]);
        let (again, kept) = fill(&mut runs, 5);
        assert_eq!((again, kept), (five, vec![0, 1, 1, 0, 0, 0]));
        // What has become larger than any that are kept is let go of.
        assert_eq!(fill(&mut runs, 100).1, [1, 1, 0, 0, 0, 0]);
    }
}
