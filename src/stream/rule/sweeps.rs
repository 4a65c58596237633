//! When to look for what has run out of time without a word.
//!
//! Where a rule reports nothing at deadlines, they only free memory, and need not be exact: a key has
//! one place in a list at a time, for a moment after all that it holds now is over. What came since
//! is seen then, and it is put into a later list. So a busy key costs nothing until then, and an
//! event does not ask for a deadline.

use std::collections::VecDeque;

use crate::time::Timestamp;

/// A key's slot, and its generation when it was noted.
pub(in crate::stream) type Noted = (u32, u32);

/// Which keys of a rule are to be looked at when.
#[derive(Debug)]
pub(in crate::stream) struct Sweeps {
    /// Moments are multiples of so many milliseconds.
    grain: i64,
    /// Few at a time, in no order.
    moments: VecDeque<(Timestamp, Vec<Noted>)>,
    /// Lists to use again.
    spare: Vec<Vec<Noted>>,
    len: usize,
}

impl Sweeps {
    pub(in crate::stream) fn new(grain: i64) -> Sweeps {
        Sweeps { grain: grain.max(1), moments: VecDeque::new(), spare: Vec::new(), len: 0 }
    }

    /// The first moment for a look at or after a deadline.
    #[inline]
    pub(in crate::stream) fn after(&self, deadline: Timestamp) -> Timestamp {
        let millis = deadline.as_millis();
        Timestamp::from_millis(millis.saturating_add(-millis.rem_euclid(self.grain) + self.grain))
    }

    /// Notes a key for a moment. Says whether it is the first for it.
    pub(in crate::stream) fn add(&mut self, at: Timestamp, noted: Noted) -> bool {
        self.len += 1;
        if let Some((_, list)) = self.moments.iter_mut().rev().find(|(moment, _)| *moment == at) {
            list.push(noted);
            return false;
        }
        let mut list = self.spare.pop().unwrap_or_default();
        list.push(noted);
        self.moments.push_back((at, list));
        true
    }

    /// The keys that were noted for a moment.
    pub(in crate::stream) fn take(&mut self, at: Timestamp) -> Vec<Noted> {
        let place = self.moments.iter().position(|(moment, _)| *moment == at);
        let list = place.and_then(|place| self.moments.remove(place));
        let list = list.map(|(_, list)| list).unwrap_or_default();
        self.len -= list.len();
        list
    }

    /// Takes back a list for its space.
    pub(in crate::stream) fn give_back(&mut self, mut list: Vec<Noted>) {
        list.clear();
        // A list of a rush would be kept for ever.
        if list.capacity() <= 1024 || list.capacity() / 2 <= self.len {
            self.spare.push(list);
        }
    }

    /// How many keys are noted, of which some may be gone.
    pub(in crate::stream) fn len(&self) -> usize {
        self.len
    }

    /// Throws away the notes that `wanted` refuses; their moments stay.
    pub(in crate::stream) fn retain(&mut self, mut wanted: impl FnMut(Timestamp, Noted) -> bool) {
        for (at, list) in &mut self.moments {
            list.retain(|noted| wanted(*at, *noted));
        }
        self.len = self.moments.iter().map(|(_, list)| list.len()).sum();
    }

    /// Throws all notes away.
    pub(in crate::stream) fn clear(&mut self) {
        self.moments.clear();
        self.len = 0;
    }

    /// Heap bytes.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        let lists = self.moments.iter().map(|(_, list)| list).chain(&self.spare);
        lists.map(|list| list.capacity() * size_of::<Noted>()).sum::<usize>()
            + self.moments.capacity() * size_of::<(Timestamp, Vec<Noted>)>()
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
        assert!(sweeps.add(at(10), (1, 1)));
        assert!(sweeps.add(at(20), (2, 1)));
        assert!(!sweeps.add(at(10), (3, 1)));
        assert_eq!(sweeps.take(at(10)), [(1, 1), (3, 1)]);
        assert_eq!((sweeps.take(at(10)), sweeps.len()), (vec![], 1));
        sweeps.retain(|moment, (slot, _)| moment != at(20) || slot != 2);
        assert_eq!((sweeps.take(at(20)), sweeps.len()), (vec![], 0));
    }
}
