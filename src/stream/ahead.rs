//! Events in time order, a few at a time.
//!
//! An event of a key that has not been seen for a while waits for memory several times: for the
//! table of keys, the key's slot, what the rule holds, the events that it gives up. One after the
//! other such waits cost more than the matching. So the keys of a few events are looked up before
//! the first of them is given to the rules, and the processor is told what to fetch for each (the
//! `prefetch-index` crate): it waits for all of them at once. What was found is handed over. This is
//! group prefetching as of Chen et al., "Improving hash join performance through prefetching", 2004.

use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::{FETCHES, KeyState};
use crate::stream::engine::Engine;
use crate::stream::reorder::Lent;
use crate::stream::routes::{Lone, Route};
use crate::stream::running::Running;
use crate::time::Timestamp;

/// How many events are looked at together.
pub(super) const TOGETHER: usize = 16;

/// From so many keys on what is held of them is more than caches have room for.
pub(super) const MANY_KEYS: u64 = 1 << 15;

/// What was seen of an event before its turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Foreseen {
    /// The slot of a key that has the hash of the event's.
    pub(super) slot: Option<u32>,
    /// Whether the event fulfils [what it must](Lone::is_met) to do anything.
    pub(super) is_met: Option<bool>,
}

/// What was seen of the next events of the buffer.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    foreseen: SmallVec<[Foreseen; TOGETHER]>,
    next: usize,
}

impl Ahead {
    /// What was seen of the event whose turn it is.
    #[inline]
    pub(super) fn next(&mut self) -> Foreseen {
        let foreseen = self.foreseen.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        foreseen
    }

    /// Whether nothing is known of the next event.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.foreseen.len()
    }
}

impl<E: Event> Engine<E> {
    /// Looks at the next events of the buffer. Of some it may be seen only later that they are next.
    #[inline(never)]
    pub(super) fn foresee(&self, to: Timestamp, lent: &Lent<'_, E>, ahead: &mut Ahead) {
        let few = self.buffer.look_into(to, TOGETHER, lent);
        let few: SmallVec<[&E; TOGETHER]> = few.collect();
        ahead.next = 0;
        ahead.foreseen.resize(few.len(), Foreseen::default());
        self.look_ahead(&few, &mut ahead.foreseen);
    }

    /// Whether events are to be looked at before their turn. Where a limit fails, no event after the
    /// one that exceeds it has been taken.
    #[inline]
    pub(super) fn has_many_keys(&self) -> bool {
        self.books.stats.keys >= MANY_KEYS && !self.routes.can_fail
    }

    /// Finds the slots of events' keys, and has fetched what will be needed of them. Each step is a loop
    /// of its own: what one asks for comes while it asks for the others'. Whether a slot is the key's is
    /// looked at when it is the event's turn; until then the key can go, or come.
    pub(super) fn look_ahead(&self, events: &[&E], foreseen: &mut [Foreseen]) {
        let Engine { rules, groups, routes, .. } = self;
        let mut sought: SmallVec<[(usize, &Lone, u32); TOGETHER]> = SmallVec::new();
        foreseen.fill(Foreseen::default());
        for (place, &event) in events.iter().enumerate() {
            let Some(Route { lone: Some(lone), .. }) = routes.types.get(event.type_id().index())
            else {
                continue;
            };
            let is_met = lone.is_met(event);
            foreseen[place].is_met = is_met;
            if is_met != Some(false)
                && let Some(hash) = groups.hasher.of(event, &lone.fields)
            {
                sought.push((place, lone, hash));
            }
        }
        for &(place, Lone { group, .. }, hash) in &sought {
            let keys = groups.keys(*group);
            if let Some(slot) = keys.find_hash(hash) {
                keys.prefetch(slot);
                foreseen[place].slot = Some(slot);
            }
        }
        let mut held = SmallVec::new();
        for &(place, Lone { rule, group, .. }, _) in &sought {
            if let Some(slot) = foreseen[place].slot
                && let Some(of_rule) = groups.keys(*group).held(slot, *rule)
            {
                held.push((&rules[*rule as usize], &of_rule.state, events[place].time()));
            }
        }
        fetch(&held);
    }
}

/// What rules hold, each to be looked at when time has come to a moment.
pub(super) type Wanted<'a, E> = SmallVec<[(&'a Running<E>, &'a KeyState, Timestamp); TOGETHER]>;

/// Has fetched what rules will need of what they hold.
#[inline(always)]
pub(super) fn fetch<E: Event>(wanted: &Wanted<'_, E>) {
    for step in 0..FETCHES {
        for (rule, state, time) in wanted {
            rule.matcher.prefetch(&rule.store, state, *time, step);
        }
    }
}
