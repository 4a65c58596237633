//! Sweeps: the schedule on which expired state is dropped without any output.
//!
//! When it applies: a rule reports nothing at deadlines, so its deadlines only free memory.
//!
//! Why it is right: no output depends on when expired state is dropped. A key is in one list at a
//! time, for a moment after all its current deadlines. If newer state is there at that moment, the
//! key moves to a later list.
//!
//! What it saves: a busy key costs nothing between sweeps, and an event schedules no timer. Without
//! it, W4 takes 1.60 times the instructions, W6 1.18; W8 takes 6 % fewer (docs/performance.md).
//!
//! Which test holds it: `tests/idle_keys.rs`.

use std::collections::VecDeque;

use crate::stream::keys::table::SlotId;
use kleene_event::time::Timestamp;

/// The keys of a rule by the moment of their sweep.
#[derive(Debug)]
pub(in crate::stream) struct Sweeps {
    /// The moments of sweeps are multiples of this number of milliseconds.
    grain: i64,
    /// The lists by moment. There are few at a time, in no order.
    moments: VecDeque<(Timestamp, Vec<SlotId>)>,
    /// Lists for reuse.
    spare: Vec<Vec<SlotId>>,
    len: usize,
}

impl Sweeps {
    pub(in crate::stream) fn new(grain: i64) -> Sweeps {
        Sweeps { grain: grain.max(1), moments: VecDeque::new(), spare: Vec::new(), len: 0 }
    }

    /// Returns the first moment of a sweep at or after a deadline.
    #[inline]
    pub(in crate::stream) fn after(&self, deadline: Timestamp) -> Timestamp {
        let millis = deadline.as_millis();
        Timestamp::from_millis(millis.saturating_add(-millis.rem_euclid(self.grain) + self.grain))
    }

    /// Schedules a key for a moment. Returns true if the key is the first for the moment.
    pub(in crate::stream) fn add(&mut self, at: Timestamp, id: SlotId) -> bool {
        self.len += 1;
        if let Some((_, list)) = self.moments.iter_mut().rev().find(|(moment, _)| *moment == at) {
            list.push(id);
            return false;
        }
        let mut list = self.spare.pop().unwrap_or_default();
        list.push(id);
        self.moments.push_back((at, list));
        true
    }

    /// Returns the keys that are scheduled for a moment.
    pub(in crate::stream) fn take(&mut self, at: Timestamp) -> Vec<SlotId> {
        let place = self.moments.iter().position(|(moment, _)| *moment == at);
        let list = place.and_then(|place| self.moments.remove(place));
        let list = list.map(|(_, list)| list).unwrap_or_default();
        self.len -= list.len();
        list
    }

    /// Keeps a list for reuse.
    pub(in crate::stream) fn give_back(&mut self, mut list: Vec<SlotId>) {
        list.clear();
        // A list that grew in a burst is dropped, or its memory would never be freed.
        if list.capacity() <= 1024 || list.capacity() / 2 <= self.len {
            self.spare.push(list);
        }
    }

    /// Returns the number of scheduled keys. Some of them may be gone.
    pub(in crate::stream) fn len(&self) -> usize {
        self.len
    }

    /// Removes the entries for which `wanted` is false. Their moments stay.
    pub(in crate::stream) fn retain(&mut self, mut wanted: impl FnMut(Timestamp, SlotId) -> bool) {
        for (at, list) in &mut self.moments {
            list.retain(|id| wanted(*at, *id));
        }
        self.len = self.moments.iter().map(|(_, list)| list.len()).sum();
    }

    /// Removes all entries.
    pub(in crate::stream) fn clear(&mut self) {
        self.moments.clear();
        self.len = 0;
    }

    /// Returns the heap size in bytes.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        let lists = self.moments.iter().map(|(_, list)| list).chain(&self.spare);
        lists.map(|list| list.capacity() * size_of::<SlotId>()).sum::<usize>()
            + self.moments.capacity() * size_of::<(Timestamp, Vec<SlotId>)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_after_deadlines_by_at_most_a_grain() {
        let sweeps = Sweeps::new(50);
        let after = |millis| sweeps.after(Timestamp::from_millis(millis)).as_millis();
        assert_eq!([after(-51), after(-50), after(0), after(49), after(50)], [-50, 0, 50, 50, 100]);
        assert_eq!(after(i64::MAX - 1), i64::MAX);
    }

    #[test]
    fn a_key_comes_at_its_moment() {
        let mut sweeps = Sweeps::new(10);
        let at = Timestamp::from_millis;
        let [one, two, three] = [1, 2, 3].map(|slot| SlotId { slot, generation: 1 });
        assert!(sweeps.add(at(10), one));
        assert!(sweeps.add(at(20), two));
        assert!(!sweeps.add(at(10), three));
        assert_eq!(sweeps.take(at(10)), [one, three]);
        assert_eq!((sweeps.take(at(10)), sweeps.len()), (vec![], 1));
        sweeps.retain(|moment, id| moment != at(20) || id != two);
        assert_eq!((sweeps.take(at(20)), sweeps.len()), (vec![], 0));
    }
}
