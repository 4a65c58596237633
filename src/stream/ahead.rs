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

/// The slots that were found for the next events of the buffer.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    found: SmallVec<[Option<u32>; TOGETHER]>,
    next: usize,
}

impl Ahead {
    /// The slot that was found for the event whose turn it is.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u32> {
        let found = self.found.get(self.next).copied().flatten();
        self.next += 1;
        found
    }

    /// Whether nothing is known of the next event.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.found.len()
    }
}

impl<E: Event> Engine<E> {
    /// Looks at the next events of the buffer. Of some it may be seen only later that they are next.
    #[inline(never)]
    pub(super) fn foresee(&self, to: Timestamp, lent: &Lent<'_, E>, ahead: &mut Ahead) {
        let few = self.buffer.look_into(to, TOGETHER, lent);
        let few: SmallVec<[&E; TOGETHER]> = few.collect();
        ahead.next = 0;
        ahead.found.resize(few.len(), None);
        self.look_ahead(&few, &mut ahead.found);
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
    pub(super) fn look_ahead(&self, events: &[&E], found: &mut [Option<u32>]) {
        let Engine { rules, groups, routes, .. } = self;
        let mut sought: SmallVec<[(usize, &Lone, u32); TOGETHER]> = SmallVec::new();
        found.fill(None);
        for (place, &event) in events.iter().enumerate() {
            if let Some(Route { lone: Some(lone), .. }) = routes.types.get(event.type_id().index())
                && let Some(hash) = groups.hasher.of(event, &lone.fields)
            {
                sought.push((place, lone, hash));
            }
        }
        for &(place, Lone { group, .. }, hash) in &sought {
            let keys = groups.keys(*group);
            if let Some(slot) = keys.find_hash(hash) {
                keys.prefetch(slot);
                found[place] = Some(slot);
            }
        }
        let mut held = SmallVec::new();
        for &(place, Lone { rule, group, .. }, _) in &sought {
            if let Some(slot) = found[place]
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
