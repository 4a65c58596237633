//! A queue of runs in which a run keeps its number until it goes.
//!
//! When it applies: the runs of the joined form, which start in the order of events and go in any
//! order.
//!
//! Why it is right: the number of a run is its position plus the number of the first slot. A run
//! that goes leaves its slot empty, so the positions of the others stay. Slots are dropped at the
//! ends only.
//!
//! What it saves: a look-up by number is a subtraction, and runs next to each other in time are
//! next to each other in memory. A tree by start took three descents for a run of W10: W10 took
//! 1.16 times as long with it.
//!
//! Which test holds it: `runs_are_found_and_in_order_whichever_go` in `held.rs`, and
//! `a_busy_key_finds_what_a_list_does` in `tests/joined.rs`.
//!
//! ```text
//! numbers     7    8    9    10   11
//! slots       r7   --   --   r10  r11        the next run gets 12
//! r7 goes                    r10  r11        the first slot is 10
//! ```
//!
//! Invariant: slots are in the order of starts, empty ones too. So the runs of a start are found by
//! bisection.

use std::collections::VecDeque;
use std::ops::Range;

use crate::exec::run::Run;

/// The runs of a key that are found by number.
#[derive(Clone, Debug, Default)]
pub(super) struct RunRing {
    slots: VecDeque<RingSlot>,
    /// The number of the first slot.
    first: u64,
    /// The number of slots with a run.
    filled: usize,
}

#[derive(Clone, Copy, Debug)]
struct RingSlot {
    /// The run that is or was here: an empty slot keeps its start.
    run: Run,
    is_filled: bool,
}

impl RunRing {
    /// Returns the number of runs.
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// Returns the number of empty slots.
    pub(super) fn empty_count(&self) -> usize {
        self.slots.len() - self.filled
    }

    /// Returns the heap size in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        self.slots.capacity() * size_of::<RingSlot>()
    }

    /// True if a run with this start belongs after all others.
    pub(super) fn can_push(&self, start_seq: u64) -> bool {
        self.slots.back().is_none_or(|last| last.run.start_seq <= start_seq)
    }

    /// Adds a run after all others. Returns its number.
    pub(super) fn push(&mut self, run: Run) -> u64 {
        let number = self.first + self.slots.len() as u64;
        self.slots.push_back(RingSlot { run, is_filled: true });
        self.filled += 1;
        number
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// Returns the run with this number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<&Run> {
        let slot = self.slots.get(self.index(number)?)?;
        slot.is_filled.then_some(&slot.run)
    }

    /// Removes and returns the run with this number. Its slot stays.
    pub(super) fn take(&mut self, number: u64) -> Option<Run> {
        let index = self.index(number)?;
        let slot = self.slots.get_mut(index).filter(|slot| slot.is_filled)?;
        slot.is_filled = false;
        self.filled -= 1;
        Some(slot.run)
    }

    /// Puts a run into the empty slot with this number. Returns false if it is not there or not empty.
    pub(super) fn refill(&mut self, number: u64, run: Run) -> bool {
        let slot = self.index(number).and_then(|index| self.slots.get_mut(index));
        let Some(slot) = slot.filter(|slot| !slot.is_filled) else { return false };
        *slot = RingSlot { run, is_filled: true };
        self.filled += 1;
        true
    }

    /// Drops the empty slots at both ends.
    pub(super) fn trim(&mut self) {
        while self.slots.front().is_some_and(|slot| !slot.is_filled) {
            self.slots.pop_front();
            self.first += 1;
        }
        while self.slots.back().is_some_and(|slot| !slot.is_filled) {
            self.slots.pop_back();
        }
    }

    /// Removes and returns the first run and its number, with its slot.
    pub(super) fn pop(&mut self) -> Option<(u64, Run)> {
        let number = self.first;
        let run = self.take(number)?;
        self.trim();
        Some((number, run))
    }

    /// Returns the first run and its number. There must be no empty slots at the front.
    pub(super) fn first(&self) -> Option<(u64, &Run)> {
        Some((self.first, self.get(self.first)?))
    }

    /// Returns the last run and its number. There must be no empty slots at the back.
    pub(super) fn last(&self) -> Option<(u64, &Run)> {
        let last = self.first + (self.slots.len() as u64).checked_sub(1)?;
        Some((last, self.get(last)?))
    }

    /// Returns the runs and their numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Run)> {
        let numbered = (self.first..).zip(&self.slots);
        numbered.filter(|(_, slot)| slot.is_filled).map(|(number, slot)| (number, &slot.run))
    }

    /// Returns the numbers of the slots with these starts.
    pub(super) fn numbers_of(&self, starts: &Range<u64>) -> Range<u64> {
        let number_of = |start_seq: u64| {
            let index = self.slots.partition_point(|slot| slot.run.start_seq < start_seq);
            self.first + index as u64
        };
        number_of(starts.start)..number_of(starts.end)
    }
}
