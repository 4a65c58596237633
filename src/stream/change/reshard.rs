//! Joining of shards to one engine, and division of an engine into shards.
//!
//! Replaced rules may need another division than before, and a snapshot may be restored to another
//! number of shards. So the state of all shards moves to one engine, and from there to new shards.
//! The alternative is to replace the rules of each shard in place. That would be faster if no rule
//! moves to another shard, but a rule that begins to feed another one does move.

use hashbrown::HashMap;

use crate::ruleset::RuleSet;
use crate::stream::change::replacement::{Refused, Replacement};
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::engine::Engine;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::limits::EngineLimits;
use crate::stream::rule::context::SweepContext;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::suppress::SuppressionTable;
use crate::stream::shard::Shard;
use crate::stream::shard::context::{Placement, ShardContext, divide};
use crate::stream::stats::Stats;
use kleene_automata::exec::{Image, OpenCount};
use kleene_event::event::{Event, bytes_of};
use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::{Expr, Rule};

impl<E: Event> Shard<E> {
    /// Replaces the rules of all shards, between two events, as [`Engine::replace_rules`] does for
    /// one engine. Returns up to `of` new shards and one result for all of them.
    ///
    /// `shards` are all shards of one stream, after the same calls. `all` are the counts of one
    /// engine at this moment: the sum of [`Shard::stats`] with the peak that the host follows
    /// ([`Shard::take_changes`]).
    ///
    /// The call takes time in proportion to the open partial matches, and for a moment twice their
    /// memory.
    ///
    /// # Errors
    /// [`Refused`] in the second part of the result if a rule cannot be run over these events. The
    /// returned shards then continue with the old rules.
    pub fn replace_rules(
        shards: Vec<Shard<E>>,
        of: usize,
        all: &Stats,
        rules: &RuleSet,
    ) -> (Vec<Shard<E>>, Result<Replacement, Refused>) {
        let Some(mut engine) = join(shards, all) else {
            return (Vec::new(), Ok(Replacement::default()));
        };
        let result = engine.replace_rules(rules);
        (split(engine, of), result)
    }
}

/// Returns one engine with the state of all shards; `None` if `shards` is empty.
fn join<E: Event>(mut shards: Vec<Shard<E>>, all: &Stats) -> Option<Engine<E>> {
    let first = shards.first()?.0.ingest();
    let Some(share) = &first.dispatcher.accounting.share else {
        return Some(shards.swap_remove(0).0);
    };
    let (limits, numbers) = (share.limits(), fed_numbers(&first.dispatcher, share));
    let released = share.released() + numbers.len() as u64;
    let mut ingest = first.empty_like(limits, released);
    ingest.take_waiting(first);
    ingest.dispatcher.count_as(all);
    // A match of one key is in one shard, so that no two keep the same quiet.
    for Shard(shard) in &shards {
        let shard = &shard.ingest().dispatcher;
        for (of_shard, rule) in shard.rules.iter().zip(&mut ingest.dispatcher.rules) {
            if let (Some(from), Some(to)) = (of_shard.suppression(), rule.suppression_mut()) {
                from.entries().for_each(|(until, key)| to.restore(key.clone(), until));
            }
        }
        let share = shard.accounting.share.as_deref();
        shard.each_held(|rule, key, armed, mut image| {
            if share.is_some_and(|share| share.is_fed(rule)) {
                let number = |seq: &u64| numbers.get(seq).copied().unwrap_or_default();
                image.events.iter_mut().for_each(|(seq, _)| *seq = number(seq));
            }
            ingest.dispatcher.admit(rule as usize, key, armed, image);
        });
    }
    ingest.dispatcher.account();
    Some(Engine::new(ingest))
}

/// Divides the state of an engine among up to `of` shards.
pub(in crate::stream) fn split<E: Event>(engine: Engine<E>, of: usize) -> Vec<Shard<E>> {
    let whole = engine.ingest();
    let dispatcher = &whole.dispatcher;
    let of = if dispatcher.cold.is_some() { 1 } else { of };
    let rules: Vec<_> = engine.rules().cloned().collect();
    let (of, placements) = divide(&rules, u32::try_from(of).unwrap_or(u32::MAX));
    if of == 1 {
        return vec![Shard::from(engine)];
    }
    let limits = dispatcher.accounting.limits;
    let mut shards: Vec<Ingest<E>> = (0..of)
        .map(|index| {
            let mut shard = whole.empty_like(limits.divided(of), dispatcher.released);
            shard.take_waiting(whole);
            let mut share = ShardContext::new(index, of, placements.clone(), limits);
            share.set_released(dispatcher.released);
            shard.dispatcher.set_share(share);
            shard
        })
        .collect();
    for other in &mut shards[1..] {
        // Events that rules have made are counted by the first shard alone.
        while other.dispatcher.accounting.derived.take().is_some() {}
    }
    shards[0].dispatcher.count_as(&engine.stats());
    let owner = |rule: usize, key: &[Value]| match placements[rule] {
        Placement::Divided => {
            ShardContext::owner(KeyRef::of(key, &dispatcher.groups.hasher).spread(), of)
        }
        Placement::Whole(shard) => shard as usize,
        Placement::Fed => 0,
    };
    for (index, rule) in dispatcher.rules.iter().enumerate() {
        for (until, key) in rule.suppression().into_iter().flat_map(SuppressionTable::entries) {
            let shard = &mut shards[owner(index, &suppressed_key(rule.rule(), key))];
            if let Some(suppression) = shard.dispatcher.rules[index].suppression_mut() {
                suppression.restore(key.clone(), until);
            }
        }
    }
    dispatcher.each_held(|rule, key, armed, image| {
        shards[owner(rule as usize, key)].dispatcher.admit(rule as usize, key, armed, image);
    });
    for shard in &mut shards {
        shard.dispatcher.account();
    }
    shards.into_iter().map(|shard| Shard::from(Engine::new(shard))).collect()
}

/// Returns the key of the matches that an entry of `suppress` suppresses. If the rule's keys are
/// divided, the entry has every part of the key.
fn suppressed_key(rule: &Rule, entry: &Key) -> Vec<Value> {
    let Some(by) = rule.suppress.as_ref().and_then(|suppress| suppress.by.as_ref()) else {
        return entry.to_vec();
    };
    let part = |part| by.iter().position(|expr| matches!(expr, Expr::Key(index) if *index == part));
    (0..rule.key.len()).filter_map(|index| entry.get(part(index)?).cloned()).collect()
}

/// New numbers for the events that rules have captured that are fed by others. Those rules see
/// events that are in no other shard, and number all events for themselves: an event of theirs can
/// have the number of another one of a divided rule. The new numbers come after all numbers of
/// divided rules, in the same order.
pub(in crate::stream) fn fed_numbers<E: Event>(
    dispatcher: &Dispatcher<E>,
    share: &ShardContext,
) -> HashMap<u64, u64> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut image = Image::default();
    for group in 0..u32::try_from(dispatcher.groups.len()).unwrap_or(u32::MAX) {
        let slots = dispatcher.groups.keys(group).slots();
        for held in slots.flat_map(|(_, slot)| slot.held()).filter(|held| share.is_fed(held.rule)) {
            dispatcher.rules[held.rule as usize].export(&held.state, &mut image);
            numbers.extend(image.events.iter().map(|(seq, _)| *seq));
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().zip(share.released()..).collect()
}

impl<E: Event> Ingest<E> {
    /// An ingest with the same rules at the same moment that holds nothing.
    fn empty_like(&self, limits: EngineLimits, released: u64) -> Ingest<E> {
        let old = &self.dispatcher;
        let rules: Vec<RuleRuntime<E>> = old.rules.iter().map(RuleRuntime::empty_like).collect();
        let (schema, indexed) = (old.schema.clone(), old.routes.indexed);
        let mut dispatcher = Dispatcher::new(schema, rules, indexed, limits, old.matching);
        dispatcher.released = released;
        dispatcher.set_failure(old.accounting.failure.as_ref());
        let mut ingest = Ingest::new(dispatcher, self.progress.strategy());
        ingest.progress = self.progress.clone();
        ingest.main = self.main;
        ingest.watermark = self.watermark;
        ingest.finished = self.finished;
        ingest
    }

    /// Adds the events that wait in another engine.
    fn take_waiting(&mut self, other: &Ingest<E>) {
        self.newest = self.newest.max(other.newest);
        for event in other.buffer.in_order() {
            self.buffer_bytes += bytes_of(event);
            self.buffer.add(event.time(), event.clone());
        }
        for (time, event) in other.dispatcher.accounting.derived.iter() {
            self.dispatcher.accounting.derived.add(*time, event.clone());
        }
    }
}

impl<E: Event> Dispatcher<E> {
    /// Goes on from these counts.
    fn count_as(&mut self, all: &Stats) {
        let mut all = *all;
        let counters = self.accounting.stats.counters_mut().into_iter().zip(all.counters_mut());
        counters.for_each(|(own, counter)| *own = *counter);
    }

    /// Gives `take` all that rules hold: the rule, the key, when it is looked at, and what it is.
    fn each_held(&self, mut take: impl FnMut(u32, &Key, Timestamp, Image<E>)) {
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

    /// Gives a rule what was held for a key elsewhere. False if it holds something for it already.
    /// The sums of bytes are to be made anew after it.
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
}
