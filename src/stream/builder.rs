//! What an engine is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Portable};
use crate::exec::HostCondition;
use crate::hir::Rule;
use crate::nfa::Known;
use crate::pattern::Pattern;
use crate::ruleset::RuleSet;
use crate::schema::Schema;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::engine::Engine;
use crate::stream::error::BuildError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Reorder;
use crate::stream::ingest::watermark::Strategy;
use crate::stream::keys::cold::entry::Codec;
use crate::stream::keys::cold::{Cold, ColdStore};
use crate::stream::limits::{Limits, Matching};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::spec::{RuleSpec, link};
use crate::stream::shard::Shard;
use crate::stream::shard::context::{ShardContext, divide};
use crate::time::duration_to_millis;

/// Configures an [`Engine`].
pub struct Builder<E: Event> {
    pub(in crate::stream) rules: Vec<RuleSpec<E>>,
    pub(in crate::stream) strategy: Strategy,
    pub(in crate::stream) limits: Limits,
    pub(in crate::stream) matching: Matching,
    pub(in crate::stream) indexed: bool,
    /// What keeps the keys that have been idle.
    pub(in crate::stream) cold: Option<Box<Cold<E>>>,
}

impl<E: Event> fmt::Debug for Builder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|given| &given.rule.name).collect();
        f.debug_struct("Builder")
            .field("rules", &rules)
            .field("strategy", &self.strategy)
            .field("limits", &(self.limits, self.matching))
            .finish_non_exhaustive()
    }
}

impl<E: Event> Default for Builder<E> {
    fn default() -> Self {
        Builder::new()
    }
}

impl<E: Event> Builder<E> {
    /// No rules yet, and events that come in time order.
    pub fn new() -> Builder<E> {
        Builder {
            rules: Vec::new(),
            strategy: Strategy::Sorted,
            limits: Limits {
                buffered: 10_000_000,
                buffered_bytes: 4 << 30,
                partials: 50_000_000,
                captured_bytes: 16 << 30,
                suppressed: 10_000_000,
            },
            matching: Matching::default(),
            indexed: true,
            cold: None,
        }
    }

    /// Adds the rules of a rule file.
    ///
    /// Where events have a schema of their own (a derived Rust type), the rules are linked to it by
    /// the names of types and fields. [`build`](Builder::build) fails if the events lack a type that
    /// a pattern names or a field that a rule reads, or if a field is of another type.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a handle that is cheap to clone")]
    pub fn rules(mut self, rules: RuleSet) -> Self {
        self.rules.extend(RuleSpec::of(&rules));
        self
    }

    /// Adds a checked rule whose types and fields are numbered by `schema`, as
    /// [`rules`](Builder::rules) adds all those of a file. It is among those that
    /// [`Engine::replace_rules`] replaces.
    #[must_use]
    pub fn rule(mut self, schema: Arc<Schema>, rule: Arc<Rule>) -> Self {
        self.rules.push(RuleSpec::text(schema, rule, None));
        self
    }

    /// Adds a pattern that was built in Rust, as a rule called `name`.
    #[must_use]
    pub fn pattern(mut self, name: &str, pattern: &Pattern<E>) -> Self {
        let rule = Arc::new(pattern.to_rule(name));
        let host = pattern.host_conditions().to_vec();
        let schema = pattern.schema().cloned();
        self.rules.push(RuleSpec { rule, host, schema, is_text: false, text: None });
        self
    }

    /// Adds a rule whose types and fields are numbered as the events number them, with the host's
    /// closures that its conditions refer to.
    #[must_use]
    pub fn rule_with(mut self, rule: Arc<Rule>, host: Vec<HostCondition<E>>) -> Self {
        self.rules.push(RuleSpec { rule, host, schema: None, is_text: false, text: None });
        self
    }

    /// Events come in time order, which is the default: nothing is buffered. One that is older than
    /// the one before is late. With several [sources](Engine::source) each of them is in order, and
    /// events are buffered to bring the sources together.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.strategy = Strategy::Sorted;
        self
    }

    /// Events come at most `bound` later than a newer one: an event that is exactly so much older
    /// than the newest is still in time. Results wait until time has gone on by `bound`.
    #[must_use]
    pub fn out_of_order(mut self, bound: Duration) -> Self {
        self.strategy = Strategy::OutOfOrder(duration_to_millis(bound));
        self
    }

    /// Time moves only when the host says so, with [`Engine::advance`] or
    /// [`Engine::advance_source`].
    #[must_use]
    pub fn watermarks_from_source(mut self) -> Self {
        self.strategy = Strategy::Source;
        self
    }

    /// How many events are buffered at most until time has passed them; 10 million by default.
    /// Where one more comes, time is moved on to the oldest of them, as if a watermark had come: no
    /// event is lost, but what then comes from before is late. The sink is notified each time. The same
    /// number of events that rules made (`emit as`) wait at most; one more is dropped. More than two
    /// billion can't wait.
    #[must_use]
    pub fn limit_buffered(mut self, events: usize) -> Self {
        self.limits.buffered = events.min(Reorder::<E>::MOST - 1);
        self
    }

    /// How many bytes the events that are buffered take at most, as
    /// [`Event::heap_size`](crate::Event::heap_size) says; 4 GiB by default. Beyond it, time is moved
    /// on as for [`limit_buffered`](Builder::limit_buffered), to one event after the other until the
    /// rest is below it. Events that rules made may take as much.
    #[must_use]
    pub fn limit_buffered_bytes(mut self, bytes: u64) -> Self {
        self.limits.buffered_bytes = bytes;
        self
    }

    /// How many partial matches are open at most, over all rules and keys; 50 million by default.
    /// Where an event makes more, those of its key are dropped, and the sink is notified. A key that is
    /// remembered without one, for a silence that was broken, counts as one.
    #[must_use]
    pub fn limit_partials(mut self, partials: u64) -> Self {
        self.limits.partials = partials;
        self
    }

    /// How many bytes all captured events take at most, with what rules have collected of them, as
    /// [`Event::heap_size`](crate::Event::heap_size) says; 16 GiB by default. An event that several
    /// partial matches of a rule share counts once. Where an event makes them take more, the partial
    /// matches of its key are dropped, and the sink is notified.
    #[must_use]
    pub fn limit_captured_bytes(mut self, bytes: u64) -> Self {
        self.limits.captured_bytes = bytes;
        self
    }

    /// How many partial matches one key of one rule has at most, where the rule itself does not say
    /// (`limit`); 4 million by default. Beyond it no new ones are started, and the sink is notified.
    #[must_use]
    pub fn limit_partials_per_key(mut self, partials: usize) -> Self {
        self.matching.per_key.partial_matches_per_key = partials;
        self
    }

    /// How many steps one event takes at most in one rule and key; about a million by default. A
    /// partial match that the event is tried against is a step, or 8 if an event can lead it
    /// several ways on and it has aggregates or groups. Where conditions go through captured events (`x[2]`, `collect`, the
    /// count of a group, closures that see captures), it takes one more for each event that it has
    /// captured. Where the next event would take more, the oldest
    /// partial matches of the key give way, whatever the rule's `limit` says, and the sink is notified:
    /// [`Overflow::Steps`](crate::stream::Overflow::Steps). So no stream makes an event cost
    /// more than that.
    #[must_use]
    pub fn limit_steps_per_event(mut self, steps: usize) -> Self {
        self.matching.per_key.steps_per_event = steps;
        self
    }

    /// How often one silence is reported that repeats (`not x for 5m repeat`); 100,000 times by
    /// default. After that its partial match ends, and the sink is notified.
    #[must_use]
    pub fn limit_repetitions(mut self, times: u64) -> Self {
        self.matching.per_key.repetitions = times;
        self
    }

    /// How many keys the `suppress` of one rule remembers at most; 10 million by default. Beyond it,
    /// matches are reported without keeping others quiet, and the sink is notified.
    #[must_use]
    pub fn limit_suppressed(mut self, keys: usize) -> Self {
        self.limits.suppressed = keys;
        self
    }

    /// Matches every rule with the [general strategy](crate::nfa::Strategy::General), whatever its
    /// pattern allows. It reports the same; this is for who wants to see that, or what strategies are
    /// worth.
    #[must_use]
    pub fn general_strategy(mut self) -> Self {
        self.matching.general = true;
        self
    }

    /// Every rule looks at each event of its types, whether it can start with it or not. For tests:
    /// it changes nothing but speed.
    #[doc(hidden)]
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.indexed = false;
        self
    }

    /// Makes the engine. Fails where a rule cannot be run, or does not fit the events.
    pub fn build(mut self) -> Result<Engine<E>, BuildError> {
        let cold = self.cold.take();
        let (strategy, limits, matching) = (self.strategy, self.limits, self.matching);
        let indexed = self.indexed;
        let (schema, rules) = self.start()?;
        let mut dispatcher = Dispatcher::new(schema, rules, indexed, limits, matching);
        dispatcher.cold = cold;
        Ok(Engine::new(Ingest::new(dispatcher, strategy)))
    }

    /// Makes up to `of` engines that divide the work by keys: see [`Shard`]. There are fewer where
    /// more would be of no use, and one only where a rule's `limit ... fail` may stop all, or where there
    /// is a [cold store](Builder::cold_store).
    ///
    /// The limits over all keys ([`limit_partials`](Builder::limit_partials),
    /// [`limit_captured_bytes`](Builder::limit_captured_bytes) and
    /// [`limit_suppressed`](Builder::limit_suppressed)) are divided, too: where one of them is reached,
    /// which is reported, the results can be others than those of one engine.
    ///
    /// # Errors
    /// As [`build`](Builder::build) does.
    pub fn shards(mut self, of: usize) -> Result<Vec<Shard<E>>, BuildError> {
        let mut cold = self.cold.take();
        let of = if cold.is_some() { 1 } else { of };
        let (strategy, whole, matching) = (self.strategy, self.limits, self.matching);
        let indexed = self.indexed;
        let (schema, first) = self.start()?;
        let rules: Vec<Arc<Rule>> = first.iter().map(|rule| rule.info.rule.clone()).collect();
        let (of, placements) = divide(&rules, u32::try_from(of).unwrap_or(u32::MAX));
        let limits = whole.divided(of);
        let mut copies = vec![first];
        for _ in 1..of {
            let mut rules: Vec<RuleRuntime<E>> = copies[0].iter().map(RuleRuntime::anew).collect();
            link(&mut rules)?;
            copies.push(rules);
        }
        let make = |(index, rules): (u32, Vec<RuleRuntime<E>>)| {
            let schema = schema.clone();
            let mut dispatcher = Dispatcher::new(schema, rules, indexed, limits, matching);
            dispatcher.cold = cold.take();
            if of > 1 {
                let share = ShardContext::new(index, of, placements.clone(), whole);
                dispatcher.accounting.share = Some(Box::new(share));
            }
            Shard::from(Engine::new(Ingest::new(dispatcher, strategy)))
        };
        Ok((0..).zip(copies).map(make).collect())
    }

    /// The rules, ready to run, and what the numbers of their events mean.
    fn start(self) -> Result<(Arc<Schema>, Vec<RuleRuntime<E>>), BuildError> {
        let own = E::schema().map(Arc::new);
        let first = self.rules.iter().find_map(|given| given.schema.clone());
        let schema = own.clone().or(first).unwrap_or_default();
        let mut rules = Vec::with_capacity(self.rules.len());
        let mut known = Known::default();
        for given in self.rules {
            rules.push(given.start(&schema, own.is_some(), self.matching, &mut known)?);
        }
        link(&mut rules)?;
        Ok((schema, rules))
    }
}

impl<E: Portable> Builder<E> {
    /// Keeps in `store` what keys hold that have been idle, so that about `keys_in_memory` stay in
    /// memory, counted as in [`Stats::keys`](crate::stream::Stats::keys). The engine then reports the
    /// same as without, in the same order; only
    /// [`limit_captured_bytes`](Builder::limit_captured_bytes) is of what is in memory. The other limits
    /// are of all that is open.
    ///
    /// Each key that is kept takes 13 to 25 bytes of memory, and 38 for the moment in which the table
    /// of them doubles. Whatever looks at all keys
    /// ([`Engine::partials`](crate::Engine::partials), a
    /// [replacement](crate::Engine::replace_rules) of rules) brings them into memory; a snapshot is
    /// bytes in memory of all keys. [`shards`](Builder::shards) makes one engine only.
    ///
    /// Where the store fails, the engine stops: see
    /// [`Engine::failure`](crate::Engine::failure). Nothing that it holds is lost silently.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use kleene::stream::{ColdError, ColdStore, Ignore};
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    ///
    /// #[derive(Default)]
    /// struct Elsewhere(BTreeMap<u64, Vec<u8>>);
    ///
    /// impl ColdStore for Elsewhere {
    ///     fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError> {
    ///         self.0.extend(entries.iter().map(|(number, bytes)| (*number, bytes.to_vec())));
    ///         Ok(())
    ///     }
    ///
    ///     fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError> {
    ///         let next = self.0.range(from..).next();
    ///         Ok(next.map(|(number, bytes)| (*number, bytes.clone())))
    ///     }
    ///
    ///     fn remove(&mut self, number: u64) -> Result<(), ColdError> {
    ///         self.0.remove(&number);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let rules = RuleSet::parse(
    ///     "event paid { order: int, at: time }
    ///      event sent { order: int, at: time }
    ///      rule done  { key order  match paid -> sent within 2d }",
    /// )?;
    /// let event = |ty, order: i64, second: i64| {
    ///     let at = Timestamp::from_millis(1000 * second);
    ///     Record::from_fields(rules.schema(), ty, [("order", order.into()), ("at", at.into())])
    /// };
    /// let builder = Engine::builder().rules(rules.clone());
    /// let mut engine = builder.cold_store(Elsewhere::default(), 100).build()?;
    /// for order in 0..10_000 {
    ///     engine.push(&event("paid", order, order)?, &mut Ignore)?;
    /// }
    /// engine.push(&event("sent", 7, 10_000)?, &mut Ignore)?;
    /// assert_eq!(engine.stats().matches, 1);
    /// assert_eq!(engine.stats().keys, 9_999);
    /// assert!(engine.stats().cold > 9_800);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cold_store(mut self, store: impl ColdStore + 'static, keys_in_memory: u64) -> Self {
        self.cold = Some(Box::new(Cold::new(Box::new(store), Codec::new(), keys_in_memory)));
        self
    }
}

impl<E: Event> Engine<E> {
    /// Starts the configuration of an engine.
    pub fn builder() -> Builder<E> {
        Builder::new()
    }
}
