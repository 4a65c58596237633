//! Events that wait until no older one can come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Timestamp;
use crate::util::slab::Slab;

/// A buffer that gives events by time, and by arrival within one time.
///
/// The heap holds places, not events: those can be big, and a heap moves its entries a lot.
#[derive(Debug)]
pub(crate) struct Reorder<E> {
    order: BinaryHeap<Reverse<Place>>,
    events: Slab<E>,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    time: Timestamp,
    arrival: u64,
    slot: u32,
}

impl<E> Reorder<E> {
    pub(crate) fn new() -> Reorder<E> {
        Reorder { order: BinaryHeap::new(), events: Slab::default(), arrivals: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn add(&mut self, time: Timestamp, event: E) {
        let slot = self.events.insert(event);
        self.order.push(Reverse(Place { time, arrival: self.arrivals, slot }));
        self.arrivals += 1;
    }

    /// The time of the oldest event.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.order.peek().map(|Reverse(place)| place.time)
    }

    /// Takes the oldest event out if it is not after `to`.
    pub(crate) fn take_until(&mut self, to: Timestamp) -> Option<E> {
        if self.first()? > to {
            return None;
        }
        let Reverse(place) = self.order.pop()?;
        Some(self.events.remove(place.slot))
    }

    /// The events in the order in which they will be taken.
    pub(crate) fn in_order(&self) -> Vec<&E> {
        let mut places: Vec<Place> = self.order.iter().map(|Reverse(place)| *place).collect();
        places.sort_unstable();
        places.iter().map(|place| self.events.get(place.slot)).collect()
    }

    /// Heap bytes, without what the events own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.order.capacity() * size_of::<Place>() + self.events.memory_usage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_ties_by_arrival() {
        let mut buffer = Reorder::new();
        for (time, name) in [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')] {
            buffer.add(Timestamp::from_millis(time), name);
        }
        let take = |buffer: &mut Reorder<char>, to| {
            std::iter::from_fn(|| buffer.take_until(Timestamp::from_millis(to))).collect::<String>()
        };
        assert_eq!(take(&mut buffer, 0), "");
        assert_eq!(take(&mut buffer, 2), "bed");
        assert_eq!(take(&mut buffer, 9), "ac");
        assert_eq!(buffer.len(), 0);
    }
}
