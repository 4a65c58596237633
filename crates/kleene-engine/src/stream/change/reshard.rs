//! Joining of shards to one engine, and division of an engine into shards.
//!
//! Replaced rules may need another division than before, and a snapshot may be restored to another
//! number of shards. So the state of all shards moves to one engine, and from there to new shards.
//! The alternative is to replace the rules of each shard in place. That would be faster if no rule
//! moves to another shard, but a rule that begins to feed another one does move.

use crate::ruleset::RuleSet;
use crate::stream::change::replacement::{Refused, Replacement};
use crate::stream::engine::Engine;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::rule::suppress::SuppressionTable;
use crate::stream::shard::Shard;
use crate::stream::shard::context::{Placement, ShardContext, divide};
use crate::stream::shard::undivided::suppressed_key;
use crate::stream::stats::Stats;
use kleene_event::event::Event;
use kleene_event::value::Value;

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
    let Some(share) = first.dispatcher().share() else {
        return Some(shards.swap_remove(0).0);
    };
    let (limits, numbers) = (share.limits(), first.dispatcher().fed_numbers(share));
    let released = share.released() + numbers.len() as u64;
    let mut ingest = first.empty_like(limits, released);
    ingest.take_waiting(first);
    ingest.dispatcher_mut().count_as(all);
    // A match of one key is in one shard, so that no two keep the same quiet.
    for Shard(shard) in &shards {
        let shard = shard.ingest().dispatcher();
        for (index, rule) in shard.rules().iter().enumerate() {
            for (until, key) in rule.suppression().into_iter().flat_map(SuppressionTable::entries) {
                ingest.dispatcher_mut().suppress(index, key.clone(), until);
            }
        }
        let share = shard.share();
        shard.each_held(|rule, key, armed, mut image| {
            if share.is_some_and(|share| share.is_fed(rule)) {
                let number = |seq: &u64| numbers.get(seq).copied().unwrap_or_default();
                image.events.iter_mut().for_each(|(seq, _)| *seq = number(seq));
            }
            ingest.dispatcher_mut().admit(rule as usize, key, armed, image);
        });
    }
    ingest.dispatcher_mut().account();
    Some(Engine::new(ingest))
}

/// Divides the state of an engine among up to `of` shards.
pub(in crate::stream) fn split<E: Event>(engine: Engine<E>, of: usize) -> Vec<Shard<E>> {
    let whole = engine.ingest();
    let dispatcher = whole.dispatcher();
    let of = if dispatcher.has_cold_store() { 1 } else { of };
    let rules: Vec<_> = engine.rules().cloned().collect();
    let (of, placements) = divide(&rules, u32::try_from(of).unwrap_or(u32::MAX));
    if of == 1 {
        return vec![Shard(engine)];
    }
    let limits = *dispatcher.limits();
    let mut shards: Vec<Ingest<E>> = (0..of)
        .map(|index| {
            let mut shard = whole.empty_like(limits.divided(of), dispatcher.released());
            shard.take_waiting(whole);
            let mut share = ShardContext::new(index, of, placements.clone(), limits);
            share.set_released(dispatcher.released());
            shard.dispatcher_mut().set_share(share);
            shard
        })
        .collect();
    for other in &mut shards[1..] {
        // Events that rules have made are counted by the first shard alone.
        other.dispatcher_mut().drop_derived();
    }
    shards[0].dispatcher_mut().count_as(&engine.stats());
    let owner = |rule: usize, key: &[Value]| match placements[rule] {
        Placement::Divided => {
            ShardContext::owner(KeyRef::of(key, dispatcher.key_hasher()).spread(), of)
        }
        Placement::Whole(shard) => shard as usize,
        Placement::Fed => 0,
    };
    for (index, rule) in dispatcher.rules().iter().enumerate() {
        for (until, key) in rule.suppression().into_iter().flat_map(SuppressionTable::entries) {
            let shard = &mut shards[owner(index, &suppressed_key(rule.rule(), key))];
            shard.dispatcher_mut().suppress(index, key.clone(), until);
        }
    }
    dispatcher.each_held(|rule, key, armed, image| {
        shards[owner(rule as usize, key)].dispatcher_mut().admit(rule as usize, key, armed, image);
    });
    for shard in &mut shards {
        shard.dispatcher_mut().account();
    }
    shards.into_iter().map(|shard| Shard(Engine::new(shard))).collect()
}
