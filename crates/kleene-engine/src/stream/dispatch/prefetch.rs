//! Prefetching: the keys of a group of events are looked up before the first of them is dispatched.
//!
//! When it applies: at least `MIN_OPEN_RUNS` partial matches are open, so that their state does not
//! fit into caches, and no rule has `limit .. fail`.
//!
//! Why it is right: a lookup ahead of its turn changes nothing and gives only a hint. The event
//! checks the slot again when its turn comes, since the key can go or come until then.
//!
//! What it saves: an event of a key that was not used for a while waits for memory several times:
//! for the table of keys, the key's slot, the rule's state, and the events that the rule drops. One
//! after the other, these waits cost more than the matching. A group of up to 64 lookups waits for
//! all of them at once (`kleene_event::util::prefetch`). The events of the next group are fetched
//! between those of this one, when memory is idle. This is group prefetching as of Chen et al.,
//! "Improving hash join performance through prefetching", 2004. Without it, W3 takes 1.41 times as
//! long, although with 6 % fewer instructions (docs/performance.md).
//!
//! Conditions on events are as good as random to a processor, and a mispredicted branch costs more
//! than a lookup. So the answers are kept as bits, and each step loops over the events with work to
//! do.
//!
//! Which test holds it: `a_batch_is_its_events_one_by_one` and
//! `keys_that_were_looked_up_ahead_can_go_and_come_back_before_their_turn` in `tests/batches.rs`.

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::routes::Route;
use crate::stream::keys::GROUP_SIZE;
use kleene_automata::exec::FETCHES;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// Stands for a missing rule or slot.
const NONE: u32 = u32::MAX;

/// A group of consecutive events.
pub(in crate::stream) struct EventGroup<'e, E> {
    /// The events. Unused entries repeat the first event.
    events: [&'e E; GROUP_SIZE],
    count: usize,
}

impl<'e, E> EventGroup<'e, E> {
    /// Takes the next events; `None` if there are none.
    #[inline(always)]
    pub(in crate::stream) fn take(
        mut events: impl Iterator<Item = &'e E>,
    ) -> Option<EventGroup<'e, E>> {
        let mut few = EventGroup { events: [events.next()?; GROUP_SIZE], count: 1 };
        for (place, event) in few.events[1..].iter_mut().zip(events) {
            *place = event;
            few.count += 1;
        }
        Some(few)
    }

    #[inline(always)]
    pub(in crate::stream) fn events(&self) -> &[&'e E] {
        &self.events[..self.count]
    }

    #[inline(always)]
    pub(in crate::stream) fn at(&self, place: usize) -> &'e E {
        self.events[place % GROUP_SIZE]
    }
}

/// A group of consecutive events that are dispatched one after the other, after their keys were
/// looked up.
pub(in crate::stream) trait EventRun<E> {
    /// The number of events, at least one.
    fn len(&self) -> usize;

    /// Returns the time of the last event.
    fn last_time(&self) -> Timestamp;

    /// Returns an event.
    fn event(&mut self, place: usize) -> &E;

    /// Prefetches a part of the next group, while the event at `place` is matched.
    fn fetch_beside(&self, _place: usize) {}

    /// Prefetches what [`fetch_beside`](EventRun::fetch_beside) has not prefetched before `place`.
    fn fetch_from(&self, _place: usize) {}
}

/// A group with the group after it.
pub(in crate::stream) struct GroupRun<'g, 'e, E> {
    pub(in crate::stream) few: &'g EventGroup<'e, E>,
    pub(in crate::stream) next: Option<&'g EventGroup<'e, E>>,
}

impl<E: Event> EventRun<E> for GroupRun<'_, '_, E> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.few.count
    }

    #[inline(always)]
    fn last_time(&self) -> Timestamp {
        self.few.at(self.few.count - 1).time()
    }

    #[inline(always)]
    fn event(&mut self, place: usize) -> &E {
        self.few.at(place)
    }

    #[inline(always)]
    fn fetch_beside(&self, place: usize) {
        if let Some(next) = self.next {
            // Most wanted events are next to one that does nothing.
            next.at(place.wrapping_sub(1)).prefetch_fields();
            next.at(place).prefetch_fields();
        }
    }

    #[inline(always)]
    fn fetch_from(&self, place: usize) {
        for event in self.next.iter().filter_map(|next| next.events().get(place..)).flatten() {
            event.prefetch_fields();
        }
    }
}

/// The result of a lookup ahead of an event's turn.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct KeyHint {
    /// The group of the event's key and the hash of that key, if the key is looked up.
    group: u32,
    hash: u32,
    /// True if `hash` is that of the key of this very event.
    is_hashed: bool,
    /// The only rule that reads the event, or [`NONE`].
    rule: u32,
    /// The slot of a key with that hash, or [`NONE`].
    slot: u32,
    /// True if the event [passes](super::routes::DirectRoute::passes) the prefilter.
    pub(in crate::stream) passes: Option<bool>,
}

impl KeyHint {
    pub(in crate::stream) const NOTHING: KeyHint =
        KeyHint { group: 0, hash: 0, is_hashed: false, rule: NONE, slot: NONE, passes: None };

    /// Returns the slot of a key with the hash of the event's key.
    #[inline(always)]
    pub(in crate::stream) fn slot(&self) -> Option<u32> {
        Some(self.slot).filter(|slot| *slot != NONE)
    }

    /// Returns the hash of the event's key if it is known: the event has a type of these rules, and
    /// no part of its key is null.
    #[inline(always)]
    pub(in crate::stream) fn hash(&self) -> Option<u32> {
        self.is_hashed.then_some(self.hash)
    }
}

/// The hints for a group of events.
#[derive(Debug)]
pub(in crate::stream) struct GroupHints {
    /// The hint for each event.
    pub(in crate::stream) of: [KeyHint; GROUP_SIZE],
    /// The events that may act; the others only advance time.
    pub(in crate::stream) wanted: EventSet,
}

impl GroupHints {
    pub(in crate::stream) const NOTHING: GroupHints =
        GroupHints { of: [KeyHint::NOTHING; GROUP_SIZE], wanted: EventSet(0) };
}

/// The hints for the next events of the buffer.
#[derive(Debug)]
pub(in crate::stream) struct NextHints {
    seen: GroupHints,
    next: usize,
    count: usize,
}

impl Default for NextHints {
    fn default() -> NextHints {
        NextHints { seen: GroupHints::NOTHING, next: 0, count: 0 }
    }
}

impl NextHints {
    /// Returns the hint for the event whose turn it is. The event may be another than the one that
    /// was foreseen, so the hash is not certain.
    #[inline]
    pub(in crate::stream) fn next(&mut self) -> KeyHint {
        let seen =
            if self.is_over() { KeyHint::NOTHING } else { self.seen.of[self.next % GROUP_SIZE] };
        self.next += 1;
        KeyHint { is_hashed: false, ..seen }
    }

    /// True if there is no hint for the next event.
    #[inline]
    pub(in crate::stream) fn is_over(&self) -> bool {
        self.next >= self.count
    }
}

/// Positions of events in a group, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::stream) struct EventSet(u64);

impl EventSet {
    /// Adds a position if `counts`.
    #[inline(always)]
    pub(in crate::stream) fn add(&mut self, place: usize, counts: bool) {
        self.0 |= u64::from(counts) << (place % GROUP_SIZE);
    }

    /// Returns the positions in order.
    #[inline(always)]
    pub(in crate::stream) fn iter(self) -> impl Iterator<Item = usize> {
        let EventSet(mut rest) = self;
        std::iter::from_fn(move || {
            let place = rest.trailing_zeros() as usize % GROUP_SIZE;
            rest &= rest.checked_sub(1)?;
            Some(place)
        })
    }
}

impl<E: Event> Dispatcher<E> {
    /// Looks up the keys of the next events.
    pub(in crate::stream) fn look_at_next(&self, few: &EventGroup<'_, E>, ahead: &mut NextHints) {
        ahead.count = few.count;
        self.look_ahead(few, &mut ahead.seen);
    }

    /// Finds the slots of events' keys and prefetches their state. Each step is a separate loop, so
    /// that the memory accesses of one event overlap with those of the others. The event's turn
    /// checks that the slot is the key's; until then the key can go or come.
    ///
    /// `seen` must be empty.
    pub(in crate::stream) fn look_ahead(&self, few: &EventGroup<'_, E>, seen: &mut GroupHints) {
        let sought;
        (seen.wanted, sought) = self.classify(few, &mut seen.of);
        self.find_keys(sought, &mut seen.of, |place| few.at(place).time());
    }

    /// Finds the slots of the keys of the `sought` events, and prefetches their state. `time` gives
    /// the time of an event.
    #[inline(always)]
    pub(in crate::stream) fn find_keys(
        &self,
        sought: EventSet,
        seen: &mut [KeyHint; GROUP_SIZE],
        time: impl Fn(usize) -> Timestamp,
    ) {
        for place in sought.iter() {
            let seen = &mut seen[place];
            let keys = self.groups.keys(seen.group);
            if let Some(slot) = keys.find_hash(seen.hash) {
                keys.prefetch(slot);
                seen.slot = slot;
            }
        }
        let mut rest = sought;
        for step in 0..FETCHES {
            let mut more = EventSet::default();
            for place in rest.iter() {
                let KeyHint { group, rule, slot, .. } = seen[place];
                if slot == NONE {
                    continue;
                }
                let keys = self.groups.keys(group);
                let Some(runtime) = self.rules.get(rule as usize) else {
                    // The rules that will read their state are not known yet.
                    keys.prefetch_held(slot);
                    continue;
                };
                if let Some(held) = keys.held(slot, rule) {
                    more.add(place, runtime.prefetch(&held.state, time(place), step));
                }
            }
            rest = more;
        }
    }

    /// Returns the events that may act, and those whose keys are to be looked up.
    #[inline(always)]
    fn classify(
        &self,
        few: &EventGroup<'_, E>,
        seen: &mut [KeyHint; GROUP_SIZE],
    ) -> (EventSet, EventSet) {
        let (mut wanted, mut sought) = (EventSet::default(), EventSet::default());
        for (place, (event, seen)) in few.events().iter().zip(seen).enumerate() {
            let (is_wanted, is_sought) = self.classify_event(*event, None, seen);
            wanted.add(place, is_wanted);
            sought.add(place, is_sought);
        }
        (wanted, sought)
    }

    /// Returns true if an event may act, and true if its key is to be looked up. `passes` is the
    /// answer of the prefilter, if it is known.
    #[inline(always)]
    pub(in crate::stream) fn classify_event(
        &self,
        event: &E,
        passes: Option<bool>,
        seen: &mut KeyHint,
    ) -> (bool, bool) {
        let Dispatcher { groups, routes, .. } = self;
        let route = routes.types.get(event.type_id().index());
        if route.is_some_and(|route| route.is_foreign(event.type_id())) {
            // It is rejected when its turn comes.
            return (true, false);
        }
        let (group, reader) = if let Some(direct) = route.and_then(|route| route.direct.as_ref()) {
            seen.rule = direct.rule;
            seen.passes = passes.or_else(|| direct.passes(event));
            (direct.group, &direct.reader)
        } else if let Some((group, reader)) = route.and_then(Route::only_group) {
            (*group, reader)
        } else {
            return (true, false);
        };
        let hash = groups.hasher.of(event, reader);
        (seen.group, seen.hash, seen.is_hashed) = (group, hash.unwrap_or_default(), hash.is_some());
        let may_act = seen.passes != Some(false);
        // The only key of a rule without `key` is in a cache.
        let is_sought = may_act & hash.is_some() & !reader.fields().is_empty();
        // An event without a key is counted.
        (may_act | hash.is_none(), is_sought)
    }
}
