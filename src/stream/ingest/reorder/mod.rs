//! Events that wait until no older one can come.
//!
//! A caller who has many events can lend them: then only those that still wait in the end are
//! cloned. [`wheel`] puts them in order.

mod wheel;

use std::ops::Deref;

use crate::stream::ingest::reorder::wheel::Wheel;
use crate::time::Timestamp;
use crate::util::slab::Slab;

/// A buffer that gives events by time, and by arrival within one time.
#[derive(Debug)]
pub(crate) struct Reorder<E> {
    /// Places of events: in the slab here, or with [`LENT`] among those that are lent.
    wheel: Wheel,
    own: Slab<E>,
}

/// Marks the place of an event that is lent.
const LENT: u32 = 1 << 31;

/// Events that wait in a buffer and belong to someone else.
#[derive(Debug)]
pub(crate) struct Lent<'a, E> {
    /// Each with its place in the buffer.
    events: Slab<(&'a E, u32)>,
}

/// An event that has waited for its time.
#[derive(Debug)]
pub(crate) enum Due<'a, E> {
    Own(E),
    Lent(&'a E),
}

impl<E> Deref for Due<'_, E> {
    type Target = E;

    #[inline]
    fn deref(&self) -> &E {
        match self {
            Due::Own(event) => event,
            Due::Lent(event) => event,
        }
    }
}

impl<E> Lent<'_, E> {
    /// Whether something is lent.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.events.len() > 0
    }

    pub(crate) fn nothing() -> Self {
        Lent { events: Slab::default() }
    }
}

impl<E> Reorder<E> {
    /// How many events can wait at once.
    pub(crate) const MOST: usize = LENT as usize - 1;

    pub(crate) fn new() -> Reorder<E> {
        Reorder { wheel: Wheel::new(), own: Slab::default() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    /// Adds an event. It has to be after what was asked for before.
    pub(crate) fn add(&mut self, time: Timestamp, event: E) {
        let place = self.own.insert(event);
        self.wheel.add(time, place);
    }

    /// The same for an event that is lent. Until [`keep`](Reorder::keep) was called, all else needs
    /// the same `lent`.
    #[inline]
    pub(crate) fn lend<'a>(&mut self, time: Timestamp, event: &'a E, lent: &mut Lent<'a, E>) {
        let place = self.wheel.add(time, lent.events.next_index() | LENT);
        lent.events.insert((event, place));
    }

    /// The time of the oldest event.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.wheel.first()
    }

    /// Takes the oldest event out if it is not after `to`.
    #[inline]
    pub(crate) fn take_until<'a>(
        &mut self,
        to: Timestamp,
        lent: &mut Lent<'a, E>,
    ) -> Option<Due<'a, E>> {
        let place = self.wheel.take_until(to)?;
        Some(match place & LENT {
            0 => Due::Own(self.own.remove(place)),
            _ => Due::Lent(lent.events.remove(place & !LENT).0),
        })
    }

    /// Up to so many of the next events that will be taken and are not after `to`, in order; none
    /// perhaps although there are some.
    pub(crate) fn look_into<'a>(
        &'a self,
        to: Timestamp,
        count: usize,
        lent: &'a Lent<'_, E>,
    ) -> impl Iterator<Item = &'a E> {
        let places = self.wheel.look_into(to, count).into_iter().take(count);
        places.map(|(_, place)| match place & LENT {
            0 => self.own.get(place),
            _ => lent.events.get(place & !LENT).0,
        })
    }

    /// The events in the order in which they will be taken. Nothing is lent now.
    pub(crate) fn in_order(&self) -> Vec<&E> {
        let places = self.wheel.in_order().into_iter();
        places.filter_map(|place| self.own.try_get(place)).collect()
    }

    /// Heap bytes, without what the events own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.wheel.memory_usage() + self.own.memory_usage()
    }
}

impl<E: Clone> Reorder<E> {
    /// Gives the events that are lent back: what still waits is cloned.
    pub(crate) fn keep(&mut self, lent: &mut Lent<'_, E>) {
        for (event, place) in std::mem::take(&mut lent.events).values_mut() {
            self.wheel.replace(*place, self.own.insert(E::clone(event)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_beyond_the_loan_is_cloned() {
        use std::rc::Rc;

        let at = Timestamp::from_millis;
        let events: Vec<Rc<i64>> = [30, 10, 40, 20, 30].into_iter().map(Rc::new).collect();
        let mut buffer = Reorder::new();
        buffer.add(at(25), Rc::new(25));
        let mut lent = Lent::nothing();
        for event in &events {
            buffer.lend(at(**event), event, &mut lent);
        }
        let mut taken = Vec::new();
        while let Some(event) = buffer.take_until(at(29), &mut lent) {
            taken.push(**event);
        }
        assert_eq!((taken, buffer.len()), (vec![10, 20, 25], 3));
        buffer.keep(&mut lent);
        let counts = events.iter().map(Rc::strong_count);
        assert!(counts.eq([2, 1, 2, 1, 2]));
        assert!(buffer.in_order().into_iter().map(|event| **event).eq([30, 30, 40]));
        let kept = std::iter::from_fn(|| buffer.take_until(Timestamp::MAX, &mut Lent::nothing()));
        let kept: Vec<Rc<i64>> = kept.map(|event| event.clone()).collect();
        assert!(Rc::ptr_eq(&kept[0], &events[0]) && Rc::ptr_eq(&kept[1], &events[4]));
    }
}
