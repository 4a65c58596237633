//! The reorder buffer: events that wait until no older event can come.
//!
//! The caller of a batch lends its events. Only the events that still wait at the end of the call
//! are cloned. [`wheel`] orders the events.

mod wheel;

use std::ops::Deref;

use crate::stream::ingest::reorder::wheel::Wheel;
use kleene_automata::util::slab::Slab;
use kleene_event::time::Timestamp;

/// A buffer that returns events by time, and within one time by arrival.
#[derive(Debug)]
pub(crate) struct Reorder<E> {
    /// Indices of events: in the slab of the buffer or, with [`LENT`], in the slab of lent events.
    wheel: Wheel,
    own: Slab<E>,
}

/// The bit that marks the index of a lent event.
const LENT: u32 = 1 << 31;

/// Events that wait in a buffer and are borrowed from the caller.
#[derive(Debug)]
pub(crate) struct Lent<'a, E> {
    /// Each event with its index in the wheel.
    events: Slab<(&'a E, u32)>,
}

/// An event whose time has come.
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
    /// True if any event is lent.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn nothing() -> Self {
        Lent { events: Slab::default() }
    }
}

impl<E> Reorder<E> {
    /// The maximum number of events that can wait at once.
    pub(crate) const MOST: usize = LENT as usize - 1;

    pub(crate) fn new() -> Reorder<E> {
        Reorder { wheel: Wheel::new(), own: Slab::default() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    /// Adds an event. Its time must be after every `to` of [`take_until`](Reorder::take_until) so
    /// far.
    pub(crate) fn add(&mut self, time: Timestamp, event: E) {
        let place = self.own.insert(event);
        self.wheel.add(time, place);
    }

    /// Adds a lent event, under the condition of [`add`](Reorder::add). Until
    /// [`keep`](Reorder::keep) is called, all calls must get the same `lent`.
    #[inline]
    pub(crate) fn lend<'a>(&mut self, time: Timestamp, event: &'a E, lent: &mut Lent<'a, E>) {
        let place = self.wheel.add(time, lent.events.next_index() | LENT);
        lent.events.insert((event, place));
    }

    /// Returns the time of the oldest event.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.wheel.first()
    }

    /// Removes and returns the oldest event if its time is at or before `to`.
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

    /// Returns up to `count` of the next events with a time at or before `to`, in order. The result
    /// may be empty although the buffer has some.
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

    /// Returns all events in order. No event may be lent.
    pub(crate) fn in_order(&self) -> Vec<&E> {
        let places = self.wheel.in_order().into_iter();
        places.filter_map(|place| self.own.try_get(place)).collect()
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.wheel.memory_usage() + self.own.memory_usage()
    }
}

impl<E: Clone> Reorder<E> {
    /// Ends the loan of events: clones those that still wait.
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
