//! Events in time order, a few at a time.
//!
//! An event of a key that has not been seen for a while waits for memory several times: for the
//! table of keys, the key's slot, what the rule holds, the events that it gives up. One after the
//! other such waits cost more than the matching. So the keys of a few events are looked up before
//! the first of them is given to the rules, and the processor is asked to fetch what each needs (the
//! `prefetch-index` crate): it waits for all of them at once. What was found is handed over. This is
//! group prefetching as of Chen et al., "Improving hash join performance through prefetching", 2004.
//! The events of the next group are asked for between those of this one, when memory has little to do.
//!
//! What rules ask of events is as good as random to a processor, which loses more by a branch that it
//! did not foresee than the look-up takes. So answers are kept as bits, and each step goes through the
//! events for which there is something to do.

use crate::event::Event;
use crate::exec::FETCHES;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::routes::Route;
use crate::stream::keys::GROUP_SIZE;
use crate::stream::rule::runtime::RuleRuntime;

/// In the place of a rule or slot.
const NONE: u32 = u32::MAX;

/// A few events in a row.
pub(in crate::stream) struct EventGroup<'e, E> {
    /// Behind the last there is the first once more.
    events: [&'e E; GROUP_SIZE],
    count: usize,
}

impl<'e, E> EventGroup<'e, E> {
    /// The next events; `None` if there are none.
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

/// What was seen of an event before its turn.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct KeyHint {
    /// The group of its key, and that key's hash, if it is looked up.
    group: u32,
    hash: u32,
    /// The only rule that sees it, or [`NONE`].
    rule: u32,
    /// The slot of a key that has that hash, or [`NONE`].
    slot: u32,
    /// Whether the event fulfils [what it must](super::routes::DirectRoute::is_met) to do anything.
    pub(in crate::stream) is_met: Option<bool>,
}

impl KeyHint {
    pub(in crate::stream) const NOTHING: KeyHint =
        KeyHint { group: 0, hash: 0, rule: NONE, slot: NONE, is_met: None };

    /// The slot of a key that has the hash of the event's, if there is one.
    #[inline(always)]
    pub(in crate::stream) fn slot(&self) -> Option<u32> {
        Some(self.slot).filter(|slot| *slot != NONE)
    }
}

/// What was seen of a few events.
#[derive(Debug)]
pub(in crate::stream) struct GroupHints {
    /// Of each event.
    pub(in crate::stream) of: [KeyHint; GROUP_SIZE],
    /// The events that may do something; the others do nothing but move time on.
    pub(in crate::stream) wanted: EventSet,
}

impl GroupHints {
    pub(in crate::stream) const NOTHING: GroupHints =
        GroupHints { of: [KeyHint::NOTHING; GROUP_SIZE], wanted: EventSet(0) };
}

/// What was seen of the next events of the buffer.
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
    /// What was seen of the event whose turn it is.
    #[inline]
    pub(in crate::stream) fn next(&mut self) -> KeyHint {
        let seen =
            if self.is_over() { KeyHint::NOTHING } else { self.seen.of[self.next % GROUP_SIZE] };
        self.next += 1;
        seen
    }

    /// Whether nothing is known of the next event.
    #[inline]
    pub(in crate::stream) fn is_over(&self) -> bool {
        self.next >= self.count
    }
}

/// Places of events that are looked at together, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::stream) struct EventSet(u64);

impl EventSet {
    /// Adds a place if it `counts`.
    #[inline(always)]
    fn add(&mut self, place: usize, counts: bool) {
        self.0 |= u64::from(counts) << (place % GROUP_SIZE);
    }

    /// The places, in order.
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
    /// Looks at events that come next.
    pub(in crate::stream) fn look_at_next(&self, few: &EventGroup<'_, E>, ahead: &mut NextHints) {
        ahead.count = few.count;
        self.look_ahead(few, &mut ahead.seen);
    }

    /// Finds the slots of events' keys, and has fetched what will be needed of them. Each step is a loop
    /// of its own: what one asks for comes while it asks for the others'. Whether a slot is the key's is
    /// looked at when it is the event's turn; until then the key can go, or come.
    ///
    /// Nothing has been `seen` before.
    pub(in crate::stream) fn look_ahead(&self, few: &EventGroup<'_, E>, seen: &mut GroupHints) {
        let GroupHints { of: seen, wanted } = seen;
        let sought;
        (*wanted, sought) = self.classify(few, seen);
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
                let Some(RuleRuntime { matcher, store, .. }) = self.rules.get(rule as usize) else {
                    // Which rules will look at what they hold is not known yet.
                    keys.prefetch_held(slot);
                    continue;
                };
                if let Some(held) = keys.held(slot, rule) {
                    let time = few.at(place).time();
                    more.add(place, matcher.prefetch(store, &held.state, time, step));
                }
            }
            rest = more;
        }
    }

    /// The events of which it is not known yet that they do nothing, and those whose keys are to be
    /// looked up.
    #[inline(always)]
    fn classify(
        &self,
        few: &EventGroup<'_, E>,
        seen: &mut [KeyHint; GROUP_SIZE],
    ) -> (EventSet, EventSet) {
        let Dispatcher { groups, routes, .. } = self;
        let (mut wanted, mut sought) = (EventSet::default(), EventSet::default());
        for (place, (event, seen)) in few.events().iter().zip(seen).enumerate() {
            let route = routes.types.get(event.type_id().index());
            let (group, fields) =
                if let Some(direct) = route.and_then(|route| route.direct.as_ref()) {
                    seen.rule = direct.rule;
                    seen.is_met = direct.is_met(*event);
                    (direct.group, &direct.fields)
                } else if let Some((group, fields)) = route.and_then(Route::only_group) {
                    (*group, fields)
                } else {
                    wanted.add(place, true);
                    continue;
                };
            let hash = groups.hasher.of(*event, fields);
            (seen.group, seen.hash) = (group, hash.unwrap_or_default());
            let may_act = seen.is_met != Some(false);
            // One without a key is counted.
            wanted.add(place, may_act | hash.is_none());
            sought.add(place, may_act & hash.is_some());
        }
        (wanted, sought)
    }
}
