//! Timers: the deadlines of all keys and rules.
//!
//! Event time only grows, and most deadlines are "start + within": one rule schedules them in the
//! order in which they will come. So timers queue in a few sorted lanes, where adding and taking
//! are O(1). Only timers that fit no lane go to a heap. A timer is never searched for: an outdated
//! timer is recognised by its key's generation when it comes up.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::stream::keys::table::SlotId;
use kleene_event::time::Timestamp;

/// The number of lanes: enough for rules with a handful of different bounds.
const LANES: usize = 8;

/// A time at which the state of a key in a rule has to be advanced.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timer {
    pub(crate) at: Timestamp,
    pub(crate) rule: u32,
    /// The slot of the key, as it was when the timer was scheduled.
    pub(crate) id: SlotId,
}

impl Timer {
    /// Stands for a slot in the timer of a sweep.
    const SWEEP: u32 = u32::MAX;

    /// Returns a timer for the [sweep](super::sweeps) of a rule.
    pub(in crate::stream) fn of_sweep(at: Timestamp, rule: u32) -> Timer {
        Timer { at, rule, id: SlotId { slot: Timer::SWEEP, generation: 0 } }
    }

    pub(in crate::stream) fn is_of_sweep(&self) -> bool {
        self.id.slot == Timer::SWEEP
    }
}

/// A queue of timers by time.
#[derive(Debug)]
pub(crate) struct Timers {
    lanes: [VecDeque<Timer>; LANES],
    /// The number of lanes that were ever used, which are the first.
    used: usize,
    heap: BinaryHeap<Reverse<Timer>>,
    /// The least time of all timers; `MAX` if there is none.
    next: Timestamp,
    len: usize,
    /// The number of keys with a timer of their own or in the sweep of a rule.
    keys: usize,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            lanes: Default::default(),
            used: 0,
            heap: BinaryHeap::new(),
            next: Timestamp::MAX,
            len: 0,
            keys: 0,
        }
    }

    /// Returns the number of keys with a timer or in a sweep. Some of them may be gone.
    #[inline]
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Counts keys that are scheduled for sweeps.
    #[inline]
    pub(in crate::stream) fn note(&mut self, keys: usize) {
        self.keys += keys;
    }

    /// Counts keys that sweeps have visited.
    pub(in crate::stream) fn forget(&mut self, keys: usize) {
        self.keys = self.keys.saturating_sub(keys);
    }

    /// Returns the time of the next timer; `MAX` if there is none.
    #[inline]
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Schedules a timer. Inlined, so that most timers are written in place.
    #[inline(always)]
    pub(crate) fn add(&mut self, timer: Timer) {
        self.len += 1;
        self.keys += usize::from(!timer.is_of_sweep());
        self.next = self.next.min(timer.at);
        let [first, ..] = &mut self.lanes;
        if first.back().is_none_or(|last| last.at <= timer.at) {
            first.push_back(timer);
            self.used = self.used.max(1);
        } else {
            self.add_behind(timer);
        }
    }

    #[inline(never)]
    fn add_behind(&mut self, timer: Timer) {
        for (index, lane) in self.lanes.iter_mut().enumerate().skip(1) {
            if lane.back().is_none_or(|last| last.at <= timer.at) {
                lane.push_back(timer);
                self.used = self.used.max(index + 1);
                return;
            }
        }
        self.heap.push(Reverse(timer));
    }

    /// Takes the next timer if it is quickly known to be the only one of its moment.
    #[inline]
    fn take_only(&mut self) -> Option<Timer> {
        let [lane, ..] = &mut self.lanes;
        if self.used > 1 || !self.heap.is_empty() {
            return None;
        }
        let next = lane.get(1).map_or(Timestamp::MAX, |timer| timer.at);
        let timer = *lane.front().filter(|timer| timer.at < next)?;
        lane.pop_front();
        self.len -= 1;
        self.keys -= usize::from(!timer.is_of_sweep());
        self.next = next;
        Some(timer)
    }

    /// Fills `due` with the timers of the next moment, each once and sorted by rule, and returns
    /// that moment.
    pub(crate) fn take_next(&mut self, due: &mut Vec<Timer>) -> Timestamp {
        due.clear();
        // Most come one by one.
        if let Some(timer) = self.take_only() {
            due.push(timer);
            return timer.at;
        }
        let at = self.next;
        let mut next = Timestamp::MAX;
        for lane in &mut self.lanes[..self.used] {
            while let Some(&timer) = lane.front() {
                if timer.at != at {
                    next = next.min(timer.at);
                    break;
                }
                due.push(timer);
                lane.pop_front();
            }
        }
        while let Some(Reverse(timer)) = self.heap.peek() {
            if timer.at != at {
                next = next.min(timer.at);
                break;
            }
            due.push(*timer);
            self.heap.pop();
        }
        self.len -= due.len();
        self.keys -= due.iter().filter(|timer| !timer.is_of_sweep()).count();
        self.next = next;
        if due.len() > 1 {
            due.sort_unstable();
            // A key whose deadline moved forward and back has scheduled one moment twice.
            due.dedup();
        }
        at
    }

    /// Removes the timers for which `wanted` is false. The caller has to recount the keys in
    /// sweeps.
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&Timer) -> bool) {
        for lane in &mut self.lanes {
            lane.retain(&mut wanted);
        }
        self.heap.retain(|Reverse(timer)| wanted(timer));
        self.len = self.lanes.iter().map(VecDeque::len).sum::<usize>() + self.heap.len();
        let timers =
            self.lanes.iter().flatten().chain(self.heap.iter().map(|Reverse(timer)| timer));
        self.keys = timers.filter(|timer| !timer.is_of_sweep()).count();
        let firsts = self.lanes.iter().filter_map(|lane| lane.front().map(|timer| timer.at));
        let first = firsts.chain(self.heap.peek().map(|Reverse(timer)| timer.at)).min();
        self.next = first.unwrap_or(Timestamp::MAX);
    }

    /// Renumbers the rules of all timers, and removes the timers of rules without a new number.
    pub(crate) fn renumber(&mut self, mut number: impl FnMut(u32) -> Option<u32>) {
        let mut change = |timer: &mut Timer| match number(timer.rule) {
            Some(rule) => {
                timer.rule = rule;
                true
            }
            None => false,
        };
        for lane in &mut self.lanes {
            lane.retain_mut(&mut change);
        }
        let mut others = std::mem::take(&mut self.heap).into_vec();
        others.retain_mut(|Reverse(timer)| change(timer));
        self.heap = others.into();
        self.retain(|_| true);
    }

    /// Returns the heap size in bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        let lanes = self.lanes.iter().map(VecDeque::capacity).sum::<usize>();
        (lanes + self.heap.capacity()) * size_of::<Timer>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(at: i64, rule: u32) -> Timer {
        let id = SlotId { slot: 0, generation: 0 };
        Timer { at: Timestamp::from_millis(at), rule, id }
    }

    #[test]
    fn timers_come_by_time_then_rule_from_lanes_and_heap_alike() {
        let mut timers = Timers::new();
        // Falling times: each fits no lane that is there, so that the last go to the heap.
        for at in (0..20).rev() {
            timers.add(timer(at, 1));
            timers.add(timer(at, 0));
        }
        let mut seen = Vec::new();
        while timers.len() > 0 {
            let mut due = Vec::new();
            let at = timers.take_next(&mut due);
            seen.extend(due.iter().map(|timer| (timer.at.as_millis(), timer.rule)));
            assert!(due.iter().all(|timer| timer.at == at));
        }
        let expected: Vec<_> = (0..20).flat_map(|at| [(at, 0), (at, 1)]).collect();
        assert_eq!(seen, expected);
        assert_eq!(timers.next(), Timestamp::MAX);
    }

    #[test]
    fn a_moment_that_is_asked_for_twice_comes_once() {
        let mut timers = Timers::new();
        for at in [30, 10, 30] {
            timers.add(timer(at, 0));
        }
        let mut due = Vec::new();
        assert_eq!(timers.take_next(&mut due).as_millis(), 10);
        assert_eq!(timers.take_next(&mut due).as_millis(), 30);
        assert_eq!((due.len(), timers.len()), (1, 0));
    }

    #[test]
    fn the_only_timer_of_a_moment_is_taken_alone() {
        let mut timers = Timers::new();
        for at in [10, 20, 20, 30] {
            timers.add(timer(at, 0));
        }
        let mut due = Vec::new();
        assert_eq!(timers.take_only(), Some(timer(10, 0)));
        assert_eq!((timers.take_only(), timers.next().as_millis()), (None, 20));
        assert_eq!((timers.take_next(&mut due).as_millis(), due.len()), (20, 1));
        assert_eq!(timers.take_only(), Some(timer(30, 0)));
        assert_eq!((timers.take_only(), timers.next(), timers.len()), (None, Timestamp::MAX, 0));
        // An earlier one opens a second lane, in which others may be due.
        timers.add(timer(50, 0));
        timers.add(timer(40, 0));
        assert_eq!((timers.take_only(), timers.next().as_millis()), (None, 40));
        assert_eq!((timers.keys(), timers.len()), (2, 2));
    }

    #[test]
    fn unwanted_timers_can_be_thrown_away() {
        let mut timers = Timers::new();
        for at in (0..20).rev() {
            timers.add(timer(at, 0));
        }
        timers.retain(|timer| timer.at.as_millis() % 7 == 6);
        assert_eq!((timers.len(), timers.next()), (2, Timestamp::from_millis(6)));
    }
}
