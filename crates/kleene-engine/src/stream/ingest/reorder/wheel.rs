//! A queue by time, for times that only advance: a hierarchical timing wheel.
//!
//! The wheel has levels of 256 slots. A slot of a level is as long as all slots of the level below.
//! The slots of the lowest level are single milliseconds, and each slot is a queue. A value goes to
//! the level in which its time differs from the current time. When time comes to a slot of a higher
//! level, its values are dealt out to the levels below.
//!
//! Nothing is compared or sorted. A value moves at most once for each level, and twice if it waits
//! for some seconds, independent of the order and number of values.
//!
//! This is the hierarchical timing wheel of Varghese and Lauck (1987) with the levels of the radix
//! heap of Ahuja, Mehlhorn, Orlin and Tarjan (1990). The tests below compare it with a sort and
//! bound the number of moves.

use smallvec::SmallVec;

use kleene_event::time::Timestamp;
use kleene_event::util::order;

/// Marks the end of a list.
const NONE: u32 = u32::MAX;

/// The number of time bits that one level distinguishes.
const BITS: u32 = 8;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = (u64::BITS / BITS) as usize;

/// The maximum number of values in a slot that [`look_into`](Wheel::look_into) sorts.
const MOST_LOOKED_INTO: usize = 32;

/// Returns numbers by time, and within one time in the order in which they were added.
///
/// A new time must be after every `to` of [`take_until`](Wheel::take_until) so far.
#[derive(Debug)]
pub(super) struct Wheel {
    /// All levels, or none before the first value.
    levels: Vec<WheelLevel>,
    /// A bit for each level with values.
    occupied: u32,
    /// The current time: a time's level is the highest in which it differs from `base`. No value is
    /// before `base`.
    base: u64,
    /// A lower bound of all values' times.
    next: u64,
    nodes: Vec<WheelNode>,
    /// The first node of the free list.
    free: u32,
    len: usize,
    /// The number of insertions into queues.
    #[cfg(test)]
    moves: usize,
}

#[derive(Clone, Debug)]
struct WheelLevel {
    /// A bit for each slot with values.
    occupied: [u64; SLOTS / 64],
    /// The first and the last node of each slot with values.
    slots: [(u32, u32); SLOTS],
}

/// A value in the queue of a slot, or a free node.
#[derive(Clone, Copy, Debug)]
struct WheelNode {
    value: u32,
    time: u64,
    next: u32,
}

/// Maps times to numbers from 0 in the same order.
#[inline]
fn rank(time: Timestamp) -> u64 {
    time.as_millis().cast_unsigned() ^ 1 << 63
}

impl Wheel {
    pub(super) fn new() -> Wheel {
        Wheel {
            levels: Vec::new(),
            occupied: 0,
            base: 0,
            next: u64::MAX,
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            #[cfg(test)]
            moves: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a value and returns its index, which is valid until the value is taken.
    #[inline]
    pub(super) fn add(&mut self, time: Timestamp, value: u32) -> u32 {
        // A value from before the last one taken comes next.
        let time = rank(time).max(self.base);
        let node = WheelNode { value, time, next: NONE };
        let index = self.free;
        let index = if let Some(place) = self.nodes.get_mut(index as usize) {
            self.free = place.next;
            *place = node;
            index
        } else {
            let index = u32::try_from(self.nodes.len()).expect("fewer than 2^32 wait");
            self.nodes.push(node);
            index
        };
        if self.levels.is_empty() {
            self.levels.resize(LEVELS, WheelLevel::new());
        }
        self.len += 1;
        self.next = self.next.min(time);
        self.place(index, time);
        index
    }

    /// Replaces the value at the index of a node that was not taken yet.
    pub(super) fn replace(&mut self, place: u32, value: u32) {
        self.nodes[place as usize].value = value;
    }

    /// Removes and returns the oldest value if its time is at or before `to`.
    #[inline]
    pub(super) fn take_until(&mut self, to: Timestamp) -> Option<u32> {
        let to = rank(to);
        if to < self.next { None } else { self.look(to) }
    }

    fn look(&mut self, to: u64) -> Option<u32> {
        while self.occupied & 1 == 0 {
            let Some((level, slot)) = self.first_slot() else {
                self.next = u64::MAX;
                return None;
            };
            let start = self.start(level, slot);
            if start > to {
                self.next = start;
                return None;
            }
            self.base = start;
            self.deal_out(level, slot);
        }
        let slot = self.levels.first()?.first_slot()?;
        let start = self.base >> BITS << BITS | slot as u64;
        if start > to {
            self.next = start;
            return None;
        }
        self.base = start;
        Some(self.pop(slot))
    }

    /// Returns about `count` of the next values with a time at or before `to`, in order, with their
    /// times. Only values that are found with little effort are returned: the result may be empty
    /// although there are values.
    pub(super) fn look_into(&self, to: Timestamp, count: usize) -> SmallVec<[(u64, u32); 64]> {
        let mut next = SmallVec::new();
        let to = rank(to);
        for (index, level) in self.levels.iter().enumerate() {
            if self.occupied >> index & 1 == 0 {
                continue;
            }
            for slot in level.slots() {
                if next.len() >= count || self.start(index, slot) > to {
                    return next;
                }
                let before = next.len();
                // The values of a slot of the lowest level are in order, so its first ones are the
                // next ones. No value of a later slot may follow before all of them are there.
                let most = if index == 0 { count - before } else { MOST_LOOKED_INTO + 1 };
                let queue = self.queue(index, slot);
                next.extend(queue.map(|node| (node.time, node.value)).take(most));
                if index > 0 {
                    if next.len() > before + MOST_LOOKED_INTO {
                        next.truncate(before);
                        return next;
                    }
                    next[before..].sort_by_key(|(time, _)| *time);
                    while next.last().is_some_and(|(time, _)| *time > to) {
                        next.pop();
                    }
                }
            }
        }
        next
    }

    /// Returns the time of the oldest value.
    pub(super) fn first(&self) -> Option<Timestamp> {
        let (level, slot) = self.first_slot()?;
        let least = self.queue(level, slot).map(|node| node.time).min()?;
        Some(Timestamp::from_millis((least ^ 1 << 63).cast_signed()))
    }

    /// Returns all values in order.
    pub(super) fn in_order(&self) -> Vec<u32> {
        let mut nodes: Vec<&WheelNode> = Vec::with_capacity(self.len);
        for (index, level) in self.levels.iter().enumerate() {
            nodes.extend(level.slots().flat_map(|slot| self.queue(index, slot)));
        }
        // Values of one time are in one queue, by arrival.
        order::sort_by_key(&mut nodes, |node| node.time);
        nodes.into_iter().map(|node| node.value).collect()
    }

    /// Returns the heap size in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        self.levels.capacity() * size_of::<WheelLevel>()
            + self.nodes.capacity() * size_of::<WheelNode>()
    }

    /// Appends a node to the queue of its time.
    #[inline]
    fn place(&mut self, index: u32, time: u64) {
        #[cfg(test)]
        {
            self.moves += 1;
        }
        let level = ((time ^ self.base) | 1).ilog2() / BITS;
        let slot = slot_of(time, level as usize);
        self.occupied |= 1 << level;
        self.levels[level as usize].append(slot, index, &mut self.nodes);
    }

    /// Returns the level and slot of the oldest value. Values of a lower level are older.
    #[inline]
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.levels.get(level)?.first_slot()?))
    }

    /// Returns the first time of a slot.
    #[inline]
    fn start(&self, level: usize, slot: usize) -> u64 {
        let shift = level * BITS as usize;
        // In two steps: at the highest level all bits go.
        (self.base >> shift >> BITS << BITS | slot as u64) << shift
    }

    /// Removes the first node of a slot of the lowest level.
    #[inline]
    fn pop(&mut self, slot: usize) -> u32 {
        let (first, last) = &mut self.levels[0].slots[slot];
        let index = *first;
        let node = &mut self.nodes[index as usize];
        if index == *last {
            self.vacate(0, slot);
        } else {
            *first = node.next;
        }
        let node = &mut self.nodes[index as usize];
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        node.value
    }

    /// Moves the values of a slot to the levels below, after `base` was set to the slot's start.
    fn deal_out(&mut self, level: usize, slot: usize) {
        let (mut index, last) = self.levels[level].slots[slot];
        self.vacate(level, slot);
        // The events of one slot of the second level differ in the lowest level alone.
        let lowest = (level == 1).then(|| self.levels.first_mut()).flatten();
        if let Some(lowest) = lowest {
            self.occupied |= 1;
            loop {
                let node = &mut self.nodes[index as usize];
                let next = std::mem::replace(&mut node.next, NONE);
                let slot = slot_of(node.time, 0);
                lowest.append(slot, index, &mut self.nodes);
                #[cfg(test)]
                {
                    self.moves += 1;
                }
                if index == last {
                    return;
                }
                index = next;
            }
        }
        loop {
            let node = &mut self.nodes[index as usize];
            let next = std::mem::replace(&mut node.next, NONE);
            let time = node.time;
            self.place(index, time);
            if index == last {
                break;
            }
            index = next;
        }
    }

    #[inline]
    fn vacate(&mut self, level: usize, slot: usize) {
        let occupied = &mut self.levels[level].occupied;
        let word = &mut occupied[slot / 64];
        *word &= !(1 << (slot % 64));
        if *word == 0 && occupied.iter().all(|word| *word == 0) {
            self.occupied &= !(1 << level);
        }
    }

    /// Returns the nodes of a slot with values, by arrival.
    fn queue(&self, level: usize, slot: usize) -> impl Iterator<Item = &WheelNode> {
        let (first, last) = self.levels[level].slots[slot];
        let nodes = std::iter::successors(Some(first), move |index| {
            (*index != last).then(|| self.nodes[*index as usize].next)
        });
        nodes.map(|index| &self.nodes[index as usize])
    }
}

impl WheelLevel {
    fn new() -> WheelLevel {
        WheelLevel { occupied: [0; SLOTS / 64], slots: [(NONE, NONE); SLOTS] }
    }

    /// Appends a node to a slot's queue.
    #[inline(always)]
    fn append(&mut self, slot: usize, index: u32, nodes: &mut [WheelNode]) {
        let (word, bit) = (&mut self.occupied[slot / 64], 1 << (slot % 64));
        let (first, last) = &mut self.slots[slot];
        if *word & bit == 0 {
            *word |= bit;
            *first = index;
        } else {
            nodes[*last as usize].next = index;
        }
        *last = index;
    }

    /// Returns the first slot with values.
    #[inline(always)]
    fn first_slot(&self) -> Option<usize> {
        let words = self.occupied.iter().zip((0..).step_by(64));
        let (word, before) = words.into_iter().find(|(word, _)| **word != 0)?;
        Some(before + word.trailing_zeros() as usize)
    }

    /// Returns the slots with values, in order.
    fn slots(&self) -> impl Iterator<Item = usize> {
        let words = self.occupied.iter().zip((0..).step_by(64));
        words.flat_map(|(&word, before)| {
            let rest = std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
            let rest = rest.take_while(|word| *word != 0);
            rest.map(move |word| before + word.trailing_zeros() as usize)
        })
    }
}

/// Returns the slot of a time at a level.
#[inline]
fn slot_of(time: u64, level: usize) -> usize {
    (time >> (level * BITS as usize)).to_le_bytes()[0].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn take(buffer: &mut Wheel, to: Timestamp) -> Vec<u32> {
        std::iter::from_fn(|| buffer.take_until(to)).collect()
    }

    #[test]
    fn events_come_by_time_and_ties_by_arrival() {
        let mut buffer = Wheel::new();
        for (time, name) in [(3, 1), (1, 2), (3, 3), (2, 4), (1, 5)] {
            buffer.add(at(time), name);
        }
        assert_eq!(buffer.first(), Some(at(1)));
        assert!(take(&mut buffer, at(0)).is_empty());
        assert_eq!(take(&mut buffer, at(2)), [2, 5, 4]);
        assert_eq!(buffer.first(), Some(at(3)));
        assert_eq!(take(&mut buffer, at(9)), [1, 3]);
        assert_eq!((buffer.len(), buffer.first()), (0, None));
    }

    #[test]
    fn times_at_the_edges_of_the_range_are_kept_apart() {
        let edges =
            [i64::MIN, i64::MIN + 1, -1, 0, 1, 255, 256, 65_535, 65_536, i64::MAX - 1, i64::MAX];
        let mut buffer = Wheel::new();
        for (number, time) in (0..11).zip(edges).rev() {
            buffer.add(at(time), number);
        }
        assert!(buffer.in_order().into_iter().eq(0..11));
        for (number, time) in (0..).zip(edges) {
            assert_eq!(buffer.first(), Some(at(time)));
            assert_eq!(take(&mut buffer, at(time)), [number]);
        }
        assert!(take(&mut buffer, Timestamp::MAX).is_empty());
    }

    #[test]
    fn an_event_from_before_what_was_taken_comes_next() {
        let mut buffer = Wheel::new();
        buffer.add(at(1000), 1);
        buffer.add(at(2000), 3);
        assert_eq!(take(&mut buffer, at(1000)), [1]);
        buffer.add(at(10), 2);
        assert_eq!(take(&mut buffer, at(1500)), [2]);
        assert_eq!(take(&mut buffer, at(2000)), [3]);
    }

    #[test]
    fn events_seen_ahead_are_the_next_ones_however_many_have_one_time() {
        for per_time in [1, 32, 33, 34, 40, 64, 100] {
            let mut buffer = Wheel::new();
            // The first one starts a block of the lowest level, which all next ones are in.
            buffer.add(at(1024), u32::MAX);
            for value in 0..200 {
                buffer.add(at(1025 + i64::from(value / per_time)), value);
            }
            assert_eq!(buffer.take_until(at(1024)), Some(u32::MAX));
            let next = buffer.look_into(at(2000), 64);
            let next: Vec<u32> = next.into_iter().map(|(_, value)| value).collect();
            assert_eq!(next, (0..64).collect::<Vec<_>>(), "{per_time} events of one time");
        }
    }

    /// A model of the buffer that looks at all events each time.
    #[derive(Default)]
    struct Sorted(Vec<(i64, u32)>);

    impl Sorted {
        fn take_until(&mut self, to: i64) -> Vec<u32> {
            self.0.sort_unstable();
            let split = self.0.partition_point(|(time, _)| *time <= to);
            self.0.drain(..split).map(|(_, arrival)| arrival).collect()
        }
    }

    /// Pushes events and compares the buffer with the model. With each event, the newest time
    /// advances by its `step`, and the event is its `lateness` behind, in milliseconds. Events that
    /// are `bound` behind the newest time are taken, as an engine takes them.
    fn same_as_sorted(start: i64, bound: i64, events: &[(i64, i64)]) -> Result<(), TestCaseError> {
        let (mut buffer, mut sorted) = (Wheel::new(), Sorted::default());
        let (mut newest, mut taken) = (start, i64::MIN);
        for (arrival, &(step, lateness)) in (0..).zip(events) {
            newest = newest.saturating_add(step);
            let time = newest.saturating_sub(lateness);
            if time > taken {
                buffer.add(at(time), arrival);
                sorted.0.push((time, arrival));
            }
            if arrival % 3 > 0 {
                taken = taken.max(newest.saturating_sub(bound).saturating_sub(1));
            }
            let next = buffer.look_into(at(taken), 5);
            let next: Vec<u32> = next.into_iter().map(|(_, arrival)| arrival).collect();
            let due = take(&mut buffer, at(taken));
            prop_assert_eq!(&due, &sorted.take_until(taken));
            prop_assert!(due.starts_with(&next), "{:?} {:?}", next, due);
            prop_assert_eq!(buffer.len(), sorted.0.len());
            let in_order: Vec<u32> = sorted.0.iter().map(|(_, arrival)| *arrival).collect();
            prop_assert_eq!(buffer.in_order(), in_order);
            let first = sorted.0.first().map(|(time, _)| at(*time));
            prop_assert_eq!(buffer.first(), first);
        }
        prop_assert_eq!(take(&mut buffer, Timestamp::MAX), sorted.take_until(i64::MAX));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_order_is_that_of_a_sort(
            start in prop_oneof![Just(0), Just(1_700_000_000_000), any::<i64>()],
            bound in prop_oneof![0..10_i64, 0..10_000_i64, 0..i64::MAX],
            events in prop::collection::vec(
                (
                    prop_oneof![8 => 0..3_i64, 4 => 0..300_i64, 2 => 0..100_000_i64, 1 => 0..i64::MAX],
                    prop_oneof![4 => Just(0), 4 => 0..10_i64, 4 => 0..6000_i64, 1 => 0..i64::MAX],
                ),
                0..200,
            ),
        ) {
            same_as_sorted(start, bound, &events)?;
        }
    }

    /// Orders that are bad for lanes, for buckets and for insertion: an event moves at most once
    /// for each level, and the space of taken events is used again.
    #[test]
    fn no_order_makes_the_buffer_slow() {
        const EVENTS: i64 = 1 << 16;
        let falling = |index: i64| EVENTS - index;
        let one_time = |_| 7;
        let far_apart = |index: i64| index << 44 | (EVENTS - index);
        let scattered = |index: i64| index.reverse_bits() >> 1 & i64::MAX;
        for time in [falling as fn(i64) -> i64, one_time, far_apart, scattered] {
            let mut buffer = Wheel::new();
            let mut expected: Vec<(i64, u32)> = (0..EVENTS).map(time).zip(0..).collect();
            for (time, index) in &expected {
                buffer.add(at(*time), *index);
                // An engine asks with each event.
                assert_eq!(buffer.take_until(at(-1)), None);
            }
            expected.sort_unstable();
            for (time, index) in &expected {
                assert_eq!(buffer.take_until(at(*time)), Some(*index));
            }
            assert!(buffer.moves <= expected.len() * LEVELS, "{}", buffer.moves);
            let last = at(expected[expected.len() - 1].0);
            for _ in 0..2 * EVENTS {
                buffer.add(last, 0);
                assert_eq!(buffer.take_until(last), Some(0));
            }
            assert_eq!(buffer.nodes.len(), expected.len());
        }
    }
}
