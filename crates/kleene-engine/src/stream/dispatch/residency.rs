//! Residency: eviction of idle keys to a cold store, and loading of evicted keys.

use std::cmp::Reverse;

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::error::PushError;
use crate::stream::keys::cold::entry::{ColdKey, EntryScratch};
use crate::stream::keys::cold::index::NUMBERS;
use crate::stream::keys::cold::{ColdError, MOST_IN_CHUNK, Which, failed, fingerprint, lost};
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::keys::several::OneKey;
use crate::stream::keys::table::Slot;
use crate::stream::rule::context::SweepContext;
use kleene_automata::exec::Outcome;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Dispatcher<E> {
    /// True if idle keys go to a cold store.
    pub(in crate::stream) fn has_cold_store(&self) -> bool {
        self.cold.is_some()
    }

    /// Prepares an event's dispatch: makes room in memory, and loads the event's keys.
    pub(super) fn ensure_resident(&mut self, event: &E) {
        let Some(cold) = &mut self.cold else { return };
        if let Some(trouble) = cold.trouble() {
            self.accounting.failure = Some(trouble.clone());
            return;
        }
        if self.accounting.stats.keys - self.accounting.stats.cold > cold.full {
            self.make_room(event.time().plus_millis(1));
        }
        let route = |engine: &Self, place: usize| {
            let route = engine.routes.types.get(event.type_id().index())?;
            let (group, reader) = route.groups.get(place)?;
            Some((*group, KeyRef::read(event, reader, &engine.groups.hasher)))
        };
        for place in 0.. {
            let Some((group, key)) = route(self, place) else { break };
            if let Some(key) = key {
                self.load(group, &key);
            }
        }
        let several = |engine: &Self, place: usize| {
            let route = engine.routes.types.get(event.type_id().index())?;
            let of = route.several.get(place)?;
            Some((of.group, of.keys(event, &engine.groups.hasher)))
        };
        for place in 0.. {
            let Some((group, keys)) = several(self, place) else { return };
            for OneKey { key, .. } in keys {
                self.load(group, &key);
            }
        }
    }

    /// Loads a key of a rule into memory, and marks the key so that it stays for a while.
    pub(in crate::stream) fn load_for(&mut self, rule: usize, key: &Key) {
        let group = self.rules[rule].group();
        self.load(group, &KeyRef::of(key, &self.groups.hasher.clone()));
    }

    /// Loads a key into memory, and marks the key so that it stays for a while.
    fn load(&mut self, group: u32, key: &KeyRef<'_>) {
        let Some(cold) = &mut self.cold else { return };
        if let Some(slot) = self.groups.keys(group).find(key) {
            cold.touch(group, slot);
            return;
        }
        let brought = match cold.find(group, key, &self.rules) {
            Ok(None) => return,
            Ok(Some((number, frozen))) => self.reload(number, frozen, Timestamp::MIN),
            Err(error) => Err(error),
        };
        self.check(brought);
    }

    /// Evicts idle keys if there are too many in memory, except keys with a deadline up to
    /// `horizon`.
    pub(in crate::stream) fn make_room(&mut self, horizon: Timestamp) {
        let Dispatcher { groups, accounting, cold, .. } = self;
        let Some(cold) = cold else { return };
        let here = accounting.stats.keys - accounting.stats.cold;
        if here <= cold.full {
            return;
        }
        let wanted = here - cold.limit + cold.at_once();
        let (mut idle, mut found) = (Vec::new(), 0);
        let group_count = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let places: u64 = (0..group_count).map(|group| u64::from(groups.keys(group).span())).sum();
        // Two rounds: the second round finds the marks that the first has cleared.
        for _ in 0..2 * (places + u64::from(group_count)) {
            let (group, slot) = cold.hand;
            if group >= group_count {
                cold.hand = (0, 0);
                continue;
            }
            if slot >= groups.keys(group).span() {
                cold.hand = (group + 1, 0);
                continue;
            }
            cold.hand = (group, slot + 1);
            let Some(content) = groups.keys(group).try_slot(slot) else { continue };
            let is_idle = !cold.touched.get_mut(group as usize).is_some_and(|of| of.clear(slot));
            let due = first_deadline(content);
            if is_idle && due > horizon {
                idle.push((due, group, slot));
                found += content.held().len() as u64;
                if found >= wanted {
                    break;
                }
            }
        }
        idle.sort_unstable();
        // With few keys, the hand comes to the same ones twice.
        idle.dedup();
        for batch in idle.chunks(usize::try_from(cold.at_once()).unwrap_or(usize::MAX)) {
            let frozen = self.evict(batch);
            if self.check(frozen) {
                return;
            }
        }
        // If no key is idle, some more keys must come before the next search is worth its cost.
        let here = self.accounting.stats.keys - self.accounting.stats.cold;
        if let Some(cold) = &mut self.cold {
            cold.full = cold.limit.max(here + cold.at_once());
        }
    }

    /// Stops the engine if `result` is an error of the store. Returns true if it is.
    fn check(&mut self, result: Result<(), PushError>) -> bool {
        let Err(error) = result else { return false };
        self.accounting.failure = Some(error);
        true
    }

    /// Writes the slots to the store and evicts them. The slots must be sorted by their first
    /// timers.
    ///
    /// # Errors
    /// [`PushError`] if the store fails.
    fn evict(&mut self, slots: &[(Timestamp, u32, u32)]) -> Result<(), PushError> {
        let Dispatcher { rules, groups, accounting, cold, wake, .. } = self;
        let Some(cold) = cold else { return Ok(()) };
        let count = slots.len() as u64;
        if NUMBERS - cold.next <= count {
            return Err(failed("cannot write", &*ColdError::from("all numbers were given")));
        }
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(slots.len()));
        for &(_, group, slot) in slots {
            (cold.codec.write)(&mut bytes, group, groups.keys(group).slot(slot), rules);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let entries: Vec<(u64, &[u8])> =
            (cold.next..).zip(starts.zip(&ends).map(|(start, end)| &bytes[start..*end])).collect();
        cold.store.put(&entries).map_err(|error| failed("cannot write", &*error))?;
        cold.shown.take();
        let per_chunk = (count / 8).clamp(1, MOST_IN_CHUNK);
        for (number, chunk) in (cold.next..)
            .step_by(usize::try_from(per_chunk).unwrap_or(1))
            .zip(slots.chunks(usize::try_from(per_chunk).unwrap_or(1)))
        {
            let due = chunk[0].0;
            if due < Timestamp::MAX {
                let count = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                cold.chunks.push(Reverse((due, number, count)));
            }
        }
        *wake = cold.wake();
        for (number, &(_, group, slot)) in (cold.next..).zip(slots) {
            let keys = groups.keys_mut(group);
            let (mut content, is_changed) = keys.put_away(slot);
            cold.index.insert(fingerprint(group, content.hash()), number);
            if is_changed {
                cold.unsaved.push(number);
            }
            for held in content.held_mut() {
                *cold.partials_mut(held.rule) += u128::from(held.state.partial_count());
                rules[held.rule as usize].clear(&mut held.state, &mut accounting.stats);
            }
            accounting.stats.cold += content.held().len() as u64;
        }
        cold.next += count;
        Ok(())
    }

    /// Loads an evicted key. State that a sweep would drop `now` is dropped at once, since all keys
    /// of a rule that come up at one moment need not fit into memory.
    ///
    /// # Errors
    /// [`PushError`] if the store fails.
    fn reload(&mut self, number: u64, frozen: ColdKey<E>, now: Timestamp) -> Result<(), PushError> {
        let Dispatcher { rules, groups, timers, accounting, cold, .. } = self;
        let Some(cold) = cold else { return Ok(()) };
        let ColdKey { group, key, held } = frozen;
        let key = KeyRef::of(&key, &groups.hasher);
        cold.store.remove(number).map_err(|error| failed("cannot write", &*error))?;
        if !cold.index.remove(fingerprint(group, key.hash()), number) {
            return Err(lost());
        }
        cold.shown.take();
        let keys = groups.keys_mut(group);
        let mut slot = None;
        let mut armed = Vec::with_capacity(held.len());
        for (rule, at, image) in held {
            let partials = cold.partials_mut(rule);
            *partials = partials.saturating_sub(image.partial_count().into());
            accounting.stats.cold = accounting.stats.cold.saturating_sub(1);
            let state = rules[rule as usize].import(image, &mut accounting.stats);
            match slot {
                None => slot = Some(keys.insert(&key, rule, state)),
                // The states come in the order of rules.
                Some(slot) => keys.add(slot, rule, state),
            }
            armed.push((rule, at));
        }
        let Some(slot) = slot else { return Ok(()) };
        keys.brought_back(slot);
        cold.touch(group, slot);
        // The last one first: the places of the others stay where one is dropped.
        for (place, (rule, at)) in armed.into_iter().enumerate().rev() {
            let running = &mut rules[rule as usize];
            let cx = &mut SweepContext { rule, now, timers, stats: &mut accounting.stats };
            running.reschedule(keys, (slot, place), at, cx);
        }
        Ok(())
    }

    /// Loads the next keys whose deadlines come up.
    pub(super) fn load_due(&mut self) {
        let Some(cold) = &mut self.cold else { return };
        let next = cold.chunks.pop();
        self.wake = cold.wake();
        let Some(Reverse((at, first, count))) = next else { return };
        let brought = self.load_range(first, first + u64::from(count), at);
        if !self.check(brought) {
            self.make_room(at);
        }
    }

    /// Loads all keys, before rules get other numbers. Returns true if the store fails.
    pub(in crate::stream) fn load_all(&mut self) -> bool {
        let brought = self.load_range(0, NUMBERS, Timestamp::MIN);
        let is_empty = self.cold.as_ref().is_none_or(|cold| cold.index.len() == 0);
        if self.check(brought.and(if is_empty { Ok(()) } else { Err(lost()) })) {
            return true;
        }
        if let Some(cold) = &mut self.cold {
            cold.chunks.clear();
            cold.unsaved.clear();
            cold.touched.clear();
            cold.partials.clear();
            (cold.hand, cold.full) = ((0, 0), cold.limit);
            self.wake = Timestamp::MAX;
        }
        false
    }

    /// Loads the entries with these numbers, except those to be dropped `now`.
    ///
    /// # Errors
    /// [`PushError`] if the store fails.
    fn load_range(&mut self, first: u64, end: u64, now: Timestamp) -> Result<(), PushError> {
        let mut from = first;
        while from < end
            && let Some(cold) = &self.cold
            && let Some((number, frozen)) = cold.next_entry(from, &self.rules)?
            && number < end
        {
            self.reload(number, frozen, now)?;
            from = number + 1;
        }
        Ok(())
    }

    /// Loads, at the end of the stream, the keys with something left to report, because the reports
    /// have one order over all keys. All other keys are dropped.
    pub(super) fn finish_cold(&mut self) {
        let Some(cold) = self.cold.as_deref().filter(|_| self.accounting.failure.is_none()) else {
            return;
        };
        let mut reporting = Vec::new();
        let mut scratch = EntryScratch::new(&self.rules);
        let looked = cold.each(Which::All, &self.rules, |number, frozen| {
            let mut held = scratch.take_in(&self.rules, frozen);
            let mut reports = false;
            for held in &mut held {
                let matcher = self.rules[held.rule as usize].matcher();
                if let Some(store) = scratch.store_mut(held.rule) {
                    let report: &mut dyn FnMut(Outcome<'_, E>) = &mut |_| reports = true;
                    matcher.end_time(store, &mut held.state, report);
                }
            }
            if reports {
                reporting.push(number);
            }
            scratch.give_up(&self.rules, held);
        });
        let brought = looked.and_then(|()| {
            reporting
                .into_iter()
                .try_for_each(|number| self.load_range(number, number + 1, Timestamp::MIN))
        });
        self.check(brought);
    }
}

/// Returns the time of a key's first timer.
fn first_deadline(slot: &Slot) -> Timestamp {
    slot.held().iter().map(|held| held.armed).min().unwrap_or(Timestamp::MAX)
}
