//! State that moves from engine to engine: from and to shards, and from snapshots.

use hashbrown::HashMap;

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::limits::EngineLimits;
use crate::stream::rule::context::SweepContext;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::shard::context::ShardContext;
use crate::stream::stats::Stats;
use kleene_automata::exec::{Image, OpenCount};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Dispatcher<E> {
    /// Returns a dispatcher with the same rules that has no state, and has numbered `released`
    /// events.
    pub(in crate::stream) fn empty_like(
        &self,
        limits: EngineLimits,
        released: u64,
    ) -> Dispatcher<E> {
        let rules = self.rules.iter().map(RuleRuntime::empty_like).collect();
        let (schema, indexed) = (self.schema().clone(), self.routes.indexed);
        let mut dispatcher = Dispatcher::new(schema, rules, indexed, limits, self.matching());
        dispatcher.set_released(released);
        dispatcher.set_failure(self.accounting.failure.as_ref());
        dispatcher
    }

    /// Adds the derived events that wait in another engine.
    pub(in crate::stream) fn copy_derived(&mut self, other: &Dispatcher<E>) {
        for (time, event) in other.derived() {
            self.accounting.derived.add(*time, event.clone());
        }
    }

    /// Adds a derived event that waits for its time.
    pub(in crate::stream) fn add_derived(&mut self, time: Timestamp, event: E) {
        self.accounting.derived.add(time, event);
    }

    /// Returns the derived events that wait for their time.
    pub(in crate::stream) fn derived(&self) -> impl Iterator<Item = &(Timestamp, E)> {
        self.accounting.derived.iter()
    }

    /// Drops the derived events that wait: another shard counts them.
    pub(in crate::stream) fn drop_derived(&mut self) {
        while self.accounting.derived.take().is_some() {}
    }

    /// Adds the counts of another engine, whose state this one takes in.
    pub(in crate::stream) fn add_counts(&mut self, mut other: Stats) {
        let counters = other.counters_mut().into_iter();
        counters
            .zip(self.accounting.stats.counters_mut())
            .for_each(|(one, all)| *all = all.saturating_add(*one));
    }

    /// Records that as many partial matches were open at once as there are now.
    pub(in crate::stream) fn raise_peak(&mut self) {
        let stats = &mut self.accounting.stats;
        stats.peak_partials = stats.peak_partials.max(stats.open());
    }

    /// Continues from these counts.
    pub(in crate::stream) fn count_as(&mut self, all: &Stats) {
        let mut all = *all;
        let counters = self.accounting.stats.counters_mut().into_iter().zip(all.counters_mut());
        counters.for_each(|(own, counter)| *own = *counter);
    }

    /// Calls `take` with the state of each rule and key: the rule, the key, its next check, and its
    /// image.
    pub(in crate::stream) fn each_held(
        &self,
        mut take: impl FnMut(u32, &Key, Timestamp, Image<E>),
    ) {
        let mut image = Image::default();
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            for (_, slot) in self.groups.keys(group).slots() {
                for held in slot.held() {
                    self.rules[held.rule as usize].export(&held.state, &mut image);
                    take(held.rule, &slot.key, held.armed, image.take_owned());
                }
            }
        }
    }

    /// Adds state of a key from another shard to a rule. Returns false if the rule already has
    /// state for the key. The caller has to recompute the sums of bytes.
    pub(in crate::stream) fn admit(
        &mut self,
        rule: usize,
        key: &Key,
        armed: Timestamp,
        image: Image<E>,
    ) -> bool {
        let Dispatcher { rules, groups, timers, accounting, .. } = self;
        let running = &mut rules[rule];
        let index = u32::try_from(rule).unwrap_or(u32::MAX);
        let key = KeyRef::of(key, &groups.hasher);
        let keys = groups.keys_mut(running.group());
        let slot = keys.find(&key);
        if slot.is_some_and(|slot| keys.place(slot, index).is_some()) {
            return false;
        }
        let state = running.import(image, &mut accounting.stats);
        if state.is_idle() {
            return true;
        }
        accounting.stats.count(OpenCount::default(), state.open_count());
        accounting.stats.keys += 1;
        let slot = if let Some(slot) = slot {
            keys.add(slot, index, state);
            keys.tidy(slot);
            slot
        } else {
            keys.insert(&key, index, state)
        };
        if let Some(place) = keys.place(slot, index) {
            let (now, stats) = (Timestamp::MIN, &mut accounting.stats);
            let cx = &mut SweepContext { rule: index, now, timers, stats };
            running.reschedule(keys, (slot, place), armed, cx);
        }
        true
    }

    /// New numbers for the events that rules have captured that are fed by others. Those rules see
    /// events that are in no other shard, and number all events for themselves: an event of theirs can
    /// have the number of another one of a divided rule. The new numbers come after all numbers of
    /// divided rules, in the same order.
    pub(in crate::stream) fn fed_numbers(&self, share: &ShardContext) -> HashMap<u64, u64> {
        let mut numbers: Vec<u64> = Vec::new();
        let mut image = Image::default();
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let slots = self.groups.keys(group).slots();
            for held in
                slots.flat_map(|(_, slot)| slot.held()).filter(|held| share.is_fed(held.rule))
            {
                self.rules[held.rule as usize].export(&held.state, &mut image);
                numbers.extend(image.events.iter().map(|(seq, _)| *seq));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().zip(share.released()..).collect()
    }
}
