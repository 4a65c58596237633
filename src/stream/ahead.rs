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

use crate::stream::running::Running;
use crate::time::Timestamp;

/// How many events are looked at together.
pub(super) const TOGETHER: usize = 16;

/// From so many partial matches on what is held is more than caches have room for.
pub(super) const MANY: u64 = 1 << 15;

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

/// An event's key.
struct Sought {
    /// The event's place among those that are looked at together.
    place: usize,
    group: u32,
    /// The rule, where only one sees the event.
    rule: Option<u32>,
    hash: u32,
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
    pub(super) fn holds_much(&self) -> bool {
        self.books.stats.partials >= MANY && !self.routes.can_fail
    }

    /// Finds the slots of events' keys, and has fetched what will be needed of them. Each step is a loop
    /// of its own: what one asks for comes while it asks for the others'. Whether a slot is the key's is
    /// looked at when it is the event's turn; until then the key can go, or come.
    pub(super) fn look_ahead(&self, events: &[&E], foreseen: &mut [Foreseen]) {
        let Engine { rules, groups, routes, .. } = self;
        let mut sought: SmallVec<[Sought; TOGETHER]> = SmallVec::new();
        foreseen.fill(Foreseen::default());
        for (place, &event) in events.iter().enumerate() {
            let Some(route) = routes.types.get(event.type_id().index()) else { continue };
            let Some((group, fields)) = route.only_group() else { continue };
            if let Some(lone) = &route.lone {
                foreseen[place].is_met = lone.is_met(event);
                if foreseen[place].is_met == Some(false) {
                    continue;
                }
            }
            if let Some(hash) = groups.hasher.of(event, fields) {
                let rule = route.lone.as_ref().map(|lone| lone.rule);
                sought.push(Sought { place, group: *group, rule, hash });
            }
        }
        for &Sought { place, group, hash, .. } in &sought {
            let keys = groups.keys(group);
            if let Some(slot) = keys.find_hash(hash) {
                keys.prefetch(slot);
                foreseen[place].slot = Some(slot);
            }
        }
        let mut held = Wanted::new();
        for &Sought { place, group, rule, .. } in &sought {
            let Some(slot) = foreseen[place].slot else { continue };
            let keys = groups.keys(group);
            match rule {
                Some(rule) => {
                    if let Some(of_rule) = keys.held(slot, rule) {
                        held.push((&rules[rule as usize], &of_rule.state, events[place].time()));
                    }
                }
                // Which rules will look at what they hold is not known yet.
                None => keys.prefetch_held(slot),
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
