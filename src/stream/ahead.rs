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
use crate::stream::failure::PushError;
use crate::stream::partition::KeyRef;
use crate::stream::reorder::Lent;
use crate::stream::routes::Lone;
use crate::stream::running::Running;
use crate::stream::sink::Sink;
use crate::stream::watermark::SourceId;
use crate::time::Timestamp;

/// How many events are looked at together.
pub(super) const TOGETHER: usize = 16;

/// From so many keys on what is held of them is more than caches have room for.
pub(super) const MANY_KEYS: u64 = 1 << 15;

/// What was found for an event before its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreseen {
    /// Of its key.
    pub(super) hash: u32,
    /// Where its key was, with the slot's generation.
    pub(super) slot: Option<(u32, u32)>,
}

/// What was found for the next events of the buffer.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    found: SmallVec<[Option<Foreseen>; TOGETHER]>,
    next: usize,
}

impl Ahead {
    /// What was found for the event whose turn it is.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Foreseen> {
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
    /// Takes events as [`push_from`](Engine::push_from) does one after the other.
    pub(super) fn push_sorted<'a, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        mut events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        let lent = &mut Lent::nothing();
        while !self.has_many_keys() {
            let Some(event) = events.next() else { return Ok(()) };
            self.take(source, event, None, lent, sink)?;
        }
        let mut found = [None; TOGETHER];
        loop {
            let few: SmallVec<[&E; TOGETHER]> = events.by_ref().take(TOGETHER).collect();
            if few.is_empty() {
                return Ok(());
            }
            self.look_ahead(&few, &mut found);
            for (event, found) in few.into_iter().zip(&found) {
                self.take(source, event, found.as_ref(), lent, sink)?;
            }
        }
    }

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

    /// Finds the keys of events, and has fetched what will be needed of them. Each step is a loop of its
    /// own: what one asks for comes while it asks for the others'.
    fn look_ahead(&self, events: &[&E], found: &mut [Option<Foreseen>]) {
        let Engine { rules, groups, routes, .. } = self;
        let lone = |event: &E| routes.types.get(event.type_id().index())?.lone.as_ref();
        for (event, found) in events.iter().zip(&mut *found) {
            *found = lone(event).and_then(|Lone { fields, .. }| {
                let hash = KeyRef::read(*event, fields, &groups.hasher)?.hash();
                Some(Foreseen { hash, slot: None })
            });
        }
        for (event, found) in events.iter().zip(&mut *found) {
            if let Some(Foreseen { hash, slot: place }) = found
                && let Some(Lone { group, .. }) = lone(event)
                && let keys = groups.keys(*group)
                && let Some(slot) = keys.find_hash(*hash)
            {
                keys.prefetch(slot);
                *place = Some((slot, 0));
            }
        }
        let mut held = [None; TOGETHER];
        for ((event, found), held) in events.iter().zip(&mut *found).zip(&mut held) {
            if let Some(Foreseen { hash, slot: place }) = found
                && let Some((slot, _)) = *place
                && let Some(Lone { rule, group, fields, .. }) = lone(event)
            {
                let key = KeyRef::read_hashed(*event, fields, *hash);
                let keys = groups.keys(*group);
                *place = key.and_then(|key| keys.generation_of(slot, &key).map(|it| (slot, it)));
                if place.is_some()
                    && let Some(of_rule) = keys.held(slot, *rule)
                {
                    *held = Some((&rules[*rule as usize], &of_rule.state, event.time()));
                }
            }
        }
        fetch(&held);
    }
}

/// Has fetched what rules will need of keys at these times.
#[inline(always)]
pub(super) fn fetch<E: Event>(held: &[Option<(&Running<E>, &KeyState, Timestamp)>; TOGETHER]) {
    for step in 0..FETCHES {
        for (rule, state, time) in held.iter().flatten() {
            rule.matcher.prefetch(&rule.store, state, *time, step);
        }
    }
}
