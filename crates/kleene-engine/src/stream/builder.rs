//! The configuration of an engine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::pattern::Pattern;
use crate::ruleset::RuleSet;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::engine::Engine;
use crate::stream::error::BuildError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Reorder;
use crate::stream::ingest::watermark::WatermarkStrategy;
use crate::stream::keys::cold::entry::Codec;
use crate::stream::keys::cold::{Cold, ColdStore};
use crate::stream::limits::{EngineLimits, Matching};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::spec::{Preparation, Relink, RuleSpec, link};
use crate::stream::shard::Shard;
use crate::stream::shard::context::{ShardContext, divide};
use kleene_automata::exec::StrategyChoice;
use kleene_event::event::{Event, Portable};
use kleene_event::schema::Schema;
use kleene_event::time::duration_to_millis;
use kleene_syntax::hir::Rule;

/// Configures an [`Engine`].
///
/// ```
/// use std::time::Duration;
///
/// use kleene::stream::Ignore;
/// use kleene::{Engine, Record, RuleSet, Timestamp};
///
/// let rules = RuleSet::parse("event paid { at: time } rule twice { match paid{2} }")?;
/// let paid = |second: i64| {
///     let at = Timestamp::from_millis(1000 * second);
///     Record::from_fields(rules.schema(), "paid", [("at", at.into())])
/// };
/// let mut engine = Engine::builder()
///     .rules(&rules)
///     .out_of_order(Duration::from_secs(5))
///     .limit_partials(1_000_000)
///     .build()?;
/// for second in [10, 7, 3] {
///     engine.push(&paid(second)?, &mut Ignore)?;
/// }
/// engine.end_time(&mut Ignore)?;
/// // Seven seconds behind is more than five.
/// assert_eq!((engine.stats().events, engine.stats().late, engine.stats().matches), (3, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EngineBuilder<E: Event> {
    pub(in crate::stream) rules: Vec<RuleSpec<E>>,
    pub(in crate::stream) strategy: WatermarkStrategy,
    pub(in crate::stream) limits: EngineLimits,
    pub(in crate::stream) matching: Matching,
    pub(in crate::stream) indexed: bool,
    pub(in crate::stream) join: JoinAt,
    /// The store for the state of idle keys.
    pub(in crate::stream) cold: Option<Box<Cold<E>>>,
}

/// The watermark of an engine that is restored from the parts of several.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum JoinAt {
    /// That of all parts. Parts at different watermarks are refused.
    Alike,
    /// The earliest of the parts.
    Earliest,
}

impl<E: Event> fmt::Debug for EngineBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|given| &given.rule.name).collect();
        f.debug_struct("EngineBuilder")
            .field("rules", &rules)
            .field("strategy", &self.strategy)
            .field("limits", &(self.limits, self.matching))
            .finish_non_exhaustive()
    }
}

impl<E: Event> Default for EngineBuilder<E> {
    fn default() -> Self {
        EngineBuilder::new()
    }
}

impl<E: Event> EngineBuilder<E> {
    /// Returns a builder without rules, for events in time order.
    pub fn new() -> EngineBuilder<E> {
        EngineBuilder {
            rules: Vec::new(),
            strategy: WatermarkStrategy::Sorted,
            limits: EngineLimits {
                buffered: 10_000_000,
                buffered_bytes: 4 << 30,
                partials: 50_000_000,
                captured_bytes: 16 << 30,
                suppressed: 10_000_000,
            },
            matching: Matching::default(),
            indexed: true,
            join: JoinAt::Alike,
            cold: None,
        }
    }

    /// Adds the rules of a rule set.
    ///
    /// If the events have a schema of their own (a derived Rust type), the rules are linked to it
    /// by the names of types and fields. [`build`](EngineBuilder::build) then fails if the events
    /// lack a type that a pattern names, lack a field that a rule reads, or declare the field with
    /// another type.
    #[must_use]
    pub fn rules(mut self, rules: &RuleSet) -> Self {
        self.rules.extend(RuleSpec::of(rules));
        self
    }

    /// Adds the rules of a rule set for which `choose` returns true.
    #[must_use]
    pub fn rules_where(mut self, rules: &RuleSet, mut choose: impl FnMut(&Rule) -> bool) -> Self {
        self.rules.extend(RuleSpec::of(rules).filter(|spec| choose(&spec.rule)));
        self
    }

    /// Adds one checked rule. `schema` numbers its types and fields. [`Engine::replace_rules`]
    /// replaces the rule along with those that [`rules`](EngineBuilder::rules) adds.
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
        let program = Some(pattern.program().clone());
        let key_closures = pattern.key_closures();
        let (is_text, text) = (false, None);
        self.rules.push(RuleSpec { rule, host, key_closures, schema, is_text, text, program });
        self
    }

    /// Expects events in time order, without a buffer. This is the default.
    ///
    /// An event that is older than the one before it is late. With several
    /// [sources](Engine::source), the events of each source are in order, and the engine buffers
    /// events to merge the sources.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.strategy = WatermarkStrategy::Sorted;
        self
    }

    /// Accepts events up to `bound` older than the newest event of their source. An event that is
    /// exactly `bound` older than the newest is still in time. Outputs wait until event time has
    /// advanced by `bound`.
    #[must_use]
    pub fn out_of_order(mut self, bound: Duration) -> Self {
        self.strategy = WatermarkStrategy::OutOfOrder(duration_to_millis(bound));
        self
    }

    /// Advances time only by [`Engine::advance`] and [`Engine::advance_source`].
    #[must_use]
    pub fn watermarks_from_source(mut self) -> Self {
        self.strategy = WatermarkStrategy::Source;
        self
    }

    /// Limits the number of events in the reorder buffer; 10 million by default, and at most about
    /// two billion.
    ///
    /// If one more event comes, the watermark advances to the oldest buffered event. No event is
    /// dropped, but older events that come afterwards are late. Each time is reported as
    /// [`LimitKind::Buffered`](crate::stream::LimitKind::Buffered). The same limit applies to waiting
    /// events that rules made (`emit as`); one more of those is dropped and reported.
    #[must_use]
    pub fn limit_buffered(mut self, events: usize) -> Self {
        self.limits.buffered = events.min(Reorder::<E>::MOST - 1);
        self
    }

    /// Limits the size of the reorder buffer in bytes, by
    /// [`Event::heap_size`](kleene_event::event::Event::heap_size); 4 GiB by default.
    ///
    /// Above the limit, the watermark advances as for
    /// [`limit_buffered`](EngineBuilder::limit_buffered), event by event, until the rest fits. The
    /// same limit applies to waiting events that rules made (`emit as`).
    #[must_use]
    pub fn limit_buffered_bytes(mut self, bytes: u64) -> Self {
        self.limits.buffered_bytes = bytes;
        self
    }

    /// Limits the number of open partial matches over all rules and keys, where they are held one by
    /// one; 50 million by default. Those of the compact form count by the [bytes of their
    /// graphs](EngineBuilder::limit_captured_bytes).
    ///
    /// If an event exceeds the limit, the partial matches of its key are dropped and the sink is
    /// notified. A key without a partial match that is remembered for the last violation of a
    /// leading `not` counts as one.
    #[must_use]
    pub fn limit_partials(mut self, partials: u64) -> Self {
        self.limits.partials = partials;
        self
    }

    /// Limits the size of all captured events, the graphs of the compact form, and the values that
    /// rules collect from them, in bytes by
    /// [`Event::heap_size`](kleene_event::event::Event::heap_size); 16 GiB by default.
    ///
    /// An event that several partial matches of a rule share counts once. If an event exceeds the
    /// limit, the partial matches of its key are dropped and the sink is notified.
    #[must_use]
    pub fn limit_captured_bytes(mut self, bytes: u64) -> Self {
        self.limits.captured_bytes = bytes;
        self
    }

    /// Limits the number of partial matches of one key in one rule, where they are held one by one;
    /// 4 million by default. A rule's own `limit` overrides the number. At the limit no new partial
    /// match starts, and the sink is notified.
    ///
    /// The compact form can represent any number of partial matches, and has a separate limit:
    /// [`limit_graph_nodes_per_key`](EngineBuilder::limit_graph_nodes_per_key). A rule with a
    /// `limit` is never in the compact form.
    #[must_use]
    pub fn limit_partials_per_key(mut self, partials: usize) -> Self {
        self.matching.per_key.partial_matches_per_key = partials;
        self
    }

    /// Limits the number of nodes in the graph that holds the partial matches of one key in one
    /// rule, where the rule is in the [compact form](kleene_automata::nfa::Strategy::Compact); about 4
    /// million by default, 56 bytes each. At the limit the newest partial matches are dropped. The
    /// sink receives [`LimitKind::GraphNodesPerKey`](crate::stream::LimitKind::GraphNodesPerKey).
    #[must_use]
    pub fn limit_graph_nodes_per_key(mut self, nodes: usize) -> Self {
        self.matching.per_key.graph_nodes_per_key = nodes;
        self
    }

    /// Limits the number of matching steps for one event in one rule and key; about a million by
    /// default.
    ///
    /// Trying the event against one partial match is one step, or 8 steps if the event can lead the
    /// partial match along several branches and the partial match has aggregates or groups.
    /// Conditions that walk captured events (`x[2]`, `collect`, the count of a group, closures that
    /// read captures) add one step for each event that the partial match has captured.
    ///
    /// If the next event would exceed the limit, the oldest partial matches of the key are dropped,
    /// also in a rule with another `limit` policy. The sink receives
    /// [`LimitKind::StepsPerEvent`](crate::stream::LimitKind::StepsPerEvent). The limit bounds the
    /// cost of an event for every input.
    #[must_use]
    pub fn limit_steps_per_event(mut self, steps: usize) -> Self {
        self.matching.per_key.steps_per_event = steps;
        self
    }

    /// Limits the number of matches that are listed of those that one event completes; 1,048,576 by
    /// default. The first ones in their order are reported, with every strategy. The sink receives
    /// [`LimitKind::MatchesPerSet`](crate::stream::LimitKind::MatchesPerSet) with the number of the
    /// others. In the compact form, the limit holds for the timeouts of one key and deadline, too.
    ///
    /// A pattern under `skip none` can have 2^60 matches of 60 events. `report count` counts them
    /// without a limit.
    #[must_use]
    pub fn limit_matches_per_set(mut self, matches: usize) -> Self {
        self.matching.per_key.matches_per_set = matches;
        self
    }

    /// Limits the number of reports of one repeating silence (`not x for 5m repeat`); 100,000 by
    /// default. After the last report the partial match ends, and the sink is notified.
    #[must_use]
    pub fn limit_repetitions(mut self, times: u64) -> Self {
        self.matching.per_key.repetitions = times;
        self
    }

    /// Limits the number of keys that the `suppress` or `once` of one rule remembers; 10 million by
    /// default. At the limit, a match is reported without suppressing later matches, and the sink
    /// is notified.
    #[must_use]
    pub fn limit_suppressed(mut self, keys: usize) -> Self {
        self.limits.suppressed = keys;
        self
    }

    /// Matches every rule with the [general strategy](kleene_automata::nfa::Strategy::General),
    /// even if its pattern allows a faster one. Results are identical. Useful for tests and
    /// benchmarks.
    #[must_use]
    pub fn general_strategy(mut self) -> Self {
        self.matching.choice = StrategyChoice::General;
        self
    }

    /// Matches every rule with the [compact form](kleene_automata::nfa::Strategy::Compact) whose
    /// pattern can be held in it. Results are identical. Useful for tests and benchmarks.
    #[must_use]
    pub fn compact_strategy(mut self) -> Self {
        self.matching.choice = StrategyChoice::Compact;
        self
    }

    /// Matches no rule with the [compact form](kleene_automata::nfa::Strategy::Compact). Results
    /// are identical as long as partial matches stay within the limits. Useful for tests and
    /// benchmarks.
    #[must_use]
    pub fn without_compact_strategy(mut self) -> Self {
        self.matching.choice = StrategyChoice::Listed;
        self
    }

    /// Disables the index of rules: every rule reads each event of its types. Results are
    /// identical. Useful for tests.
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.indexed = false;
        self
    }

    /// Restores parts of engines at different watermarks at the earliest of these watermarks.
    /// Without the option, [`restore`](EngineBuilder::restore) refuses such parts.
    ///
    /// This is for a host that snapshots its engines at different moments of event time, and
    /// restores them in another division. Deadlines, suppressions and buffered events keep their
    /// times. The engine reports nothing again: what was reported up to the watermark of a part is
    /// no part of its state.
    ///
    /// The host has to keep the watermark of each part ([`Engine::watermark`]) together with the
    /// part. **An event of a key at or before the watermark of the part that the key came from was
    /// late there, and must not be pushed**: the engine takes it, since its own watermark is
    /// earlier, and the results of the key are undefined. Once the engine's watermark has reached
    /// the latest watermark of the parts, there is nothing to heed any more.
    ///
    /// A part that holds nothing has no bytes and no watermark. If its
    /// watermark is earlier than those of the other parts, events of its keys would be late. The
    /// snapshot of a new engine as one more part prevents this: it is at the earliest time of all.
    ///
    /// Parts of which only some have [ended](Engine::end_time) are refused with the option, too. A
    /// source that a part does not have counts as one that has reached the watermark of the part.
    ///
    /// ```
    /// use kleene::stream::{Ignore, RestoreError};
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
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
    /// let builder = || Engine::<Record>::builder().rules(&rules);
    /// let (mut one, mut other) = (builder().build()?, builder().build()?);
    /// one.push(&event("paid", 1, 10)?, &mut Ignore)?;
    /// other.push(&event("paid", 2, 20)?, &mut Ignore)?;
    /// let parts = [one.snapshot(), other.snapshot()];
    /// let parts = parts.each_ref().map(Vec::as_slice);
    /// assert_eq!(builder().restore(&parts).err(), Some(RestoreError::OtherTime));
    ///
    /// let (mut joined, _) = builder().join_at_earliest().restore(&parts)?;
    /// assert_eq!(joined.watermark(), one.watermark());
    /// joined.push(&event("sent", 1, 15)?, &mut Ignore)?; // of order 2, it would be late
    /// joined.push(&event("sent", 2, 25)?, &mut Ignore)?;
    /// assert_eq!(joined.stats().matches, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_at_earliest(mut self) -> Self {
        self.join = JoinAt::Earliest;
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// [`BuildError`] if a rule does not fit the events. The rules of a rule set and patterns are
    /// compiled already and cannot fail for any other reason. A [`rule`](EngineBuilder::rule) that
    /// the host made itself is compiled here, and fails if it has no automaton.
    pub fn build(mut self) -> Result<Engine<E>, BuildError> {
        let cold = self.cold.take();
        let (strategy, limits, matching) = (self.strategy, self.limits, self.matching);
        let indexed = self.indexed;
        let (schema, rules) = self.start()?;
        let mut dispatcher = Dispatcher::new(schema, rules, indexed, limits, matching);
        dispatcher.set_cold(cold);
        Ok(Engine::new(Ingest::new(dispatcher, strategy)))
    }

    /// Returns the rules, ready to run, and the schema that numbers their events.
    fn start(self) -> Result<(Arc<Schema>, Vec<RuleRuntime<E>>), BuildError> {
        let own = E::schema().map(Arc::new);
        let first = self.rules.iter().find_map(|given| given.schema.clone());
        let schema = own.clone().or(first).unwrap_or_default();
        let mut rules = Vec::with_capacity(self.rules.len());
        let mut prepared = Preparation::default();
        let relink = if own.is_some() { Relink::Allowed } else { Relink::Refused };
        for given in self.rules {
            rules.push(given.start(&schema, relink, self.matching, &mut prepared)?);
        }
        link(&mut rules)?;
        Ok((schema, rules))
    }
}

impl<E: Event> Shard<E> {
    /// Builds up to `of` engines that divide the work by keys, with the rules and settings of
    /// `builder`.
    ///
    /// The number is lower if more shards would be of no use. It is one if a rule's `limit ...
    /// fail` may stop the engine, or if there is a [cold store](EngineBuilder::cold_store).
    /// [`Shard::undivided`] returns the reason.
    ///
    /// The limits over all keys ([`limit_partials`](EngineBuilder::limit_partials),
    /// [`limit_captured_bytes`](EngineBuilder::limit_captured_bytes) and
    /// [`limit_suppressed`](EngineBuilder::limit_suppressed)) are divided among the shards. If a
    /// shard reaches one of them, the overflow is reported and the results may differ from those of
    /// one engine.
    ///
    /// # Errors
    /// [`BuildError`] as for [`EngineBuilder::build`].
    pub fn build(mut builder: EngineBuilder<E>, of: usize) -> Result<Vec<Shard<E>>, BuildError> {
        let mut cold = builder.cold.take();
        let of = if cold.is_some() { 1 } else { of };
        let (strategy, whole, matching) = (builder.strategy, builder.limits, builder.matching);
        let indexed = builder.indexed;
        let (schema, first) = builder.start()?;
        let rules: Vec<Arc<Rule>> = first.iter().map(|rule| rule.rule().clone()).collect();
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
            dispatcher.set_cold(cold.take());
            if of > 1 {
                let share = ShardContext::new(index, of, placements.clone(), whole);
                dispatcher.set_share(share);
            }
            Shard(Engine::new(Ingest::new(dispatcher, strategy)))
        };
        Ok((0..).zip(copies).map(make).collect())
    }
}

impl<E: Portable> EngineBuilder<E> {
    /// Moves the state of idle keys to `store`, so that about `keys_in_memory` keys stay in memory.
    /// Keys are counted as in [`Stats::keys`](crate::stream::Stats::keys).
    ///
    /// Results and their order are the same as without a store.
    /// [`limit_captured_bytes`](EngineBuilder::limit_captured_bytes) covers only the keys in
    /// memory; the other limits cover all keys.
    ///
    /// Each key in the store takes 13 to 25 bytes of memory, and 38 bytes while the index doubles
    /// its size. Operations over all keys ([`Engine::collect_partials`], a
    /// [replacement](Engine::replace_rules) of rules) load all keys into memory. A snapshot holds
    /// the bytes of all keys in memory. An engine with a cold store is not divided among threads.
    ///
    /// If the store fails, the engine stops: see [`Engine::failure`]. No state is lost silently.
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
    /// let builder = Engine::builder().rules(&rules);
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
    /// Returns a new [`EngineBuilder`].
    pub fn builder() -> EngineBuilder<E> {
        EngineBuilder::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_automata::nfa::Program;
    use kleene_event::event::Record;
    use kleene_event::time::Timestamp;

    fn programs<E: Event>(engine: &Engine<E>) -> Vec<*const Program> {
        let rules = engine.ingest().dispatcher().rules().iter();
        rules.map(|rule| Arc::as_ptr(rule.program())).collect()
    }

    const RULES: &str = "event paid { order: int, at: time }
        event sent { at: time, order: int }
        rule one { key order match paid -> sent within 1h }
        rule two { key order match paid -> not sent for 1h }";

    /// What derived code names.
    mod names {
        pub(super) use kleene_event::time::Timestamp;
        pub(super) use kleene_event::value::ValueRef;
        pub(super) use kleene_event::{event, schema};
    }

    #[derive(Clone, kleene_derive::Event)]
    #[event(crate = "names")]
    #[expect(dead_code, reason = "only its numbers of types and fields count")]
    enum Shop {
        Sent { order: i64, at: Timestamp },
        Paid { order: i64, at: Timestamp },
    }

    #[test]
    fn engines_of_a_rule_set_share_its_automata() {
        let rules = RuleSet::parse(RULES).expect("they are right");
        let build = || EngineBuilder::<Record>::new().rules(&rules).build().expect("they fit");
        let compiled: Vec<_> = (0..2)
            .filter_map(|number| {
                Some(Arc::as_ptr(
                    &rules.linked(rules.schema()).rule(number)?.as_ref().ok()?.program,
                ))
            })
            .collect();
        assert_eq!(compiled.len(), 2);
        let (one, other) = (build(), build());
        assert_eq!((programs(&one), programs(&other)), (compiled.clone(), compiled.clone()));
        let shards =
            Shard::build(EngineBuilder::<Record>::new().rules(&rules), 2).expect("they fit");
        assert_eq!(shards.len(), 2);
        let some = EngineBuilder::<Record>::new().rules_where(&rules, |rule| &*rule.name == "two");
        assert_eq!(programs(&some.build().expect("it fits")), compiled[1..]);
        // A replacement by the same rules compiles nothing, either.
        let mut engine = build();
        engine.replace_rules(&rules).expect("they fit");
        assert_eq!(programs(&engine), compiled);
    }

    #[test]
    fn engines_over_a_rust_type_share_the_automata_of_that_type() {
        let rules = RuleSet::parse(RULES).expect("they are right");
        let build = || EngineBuilder::<Shop>::new().rules(&rules).build().expect("they fit");
        let before = rules.memory_usage();
        let (one, other) = (build(), build());
        assert_eq!(programs(&one), programs(&other));
        assert!(rules.memory_usage() > before, "the set keeps what it has compiled");
        let records = EngineBuilder::<Record>::new().rules(&rules).build().expect("they fit");
        assert_ne!(programs(&one), programs(&records));
        // Types that the Rust type has declared have its numbers.
        let text = kleene_syntax::diagnostic::Source::new(
            "shop.cep",
            RULES.lines().skip(2).collect::<String>(),
        );
        let own = RuleSet::builder().events::<Shop>().source(text).build().expect("they are right");
        let before = own.memory_usage();
        EngineBuilder::<Shop>::new().rules(&own).build().expect("they fit");
        assert_eq!(own.memory_usage(), before);
    }

    #[test]
    fn engines_of_a_pattern_share_its_automaton() {
        let pattern = || {
            let pattern = Pattern::<Shop>::begin("a").followed_by("b").key("order");
            pattern.within(Duration::from_mins(1)).build().expect("it is right")
        };
        let (first, second) = (pattern(), pattern());
        let build = || {
            let builder = EngineBuilder::new().pattern("first", &first).pattern("second", &second);
            builder.build().expect("they fit")
        };
        let (one, other) = (build(), build());
        assert_eq!(programs(&one)[0], Arc::as_ptr(first.program()));
        assert_eq!(programs(&one)[0], programs(&other)[0]);
        // Patterns that were compiled apart share their automaton within an engine.
        let rules = one.ingest().dispatcher().rules();
        let automaton = |rule: usize| Arc::as_ptr(rules[rule].program().automaton());
        assert_eq!(automaton(0), automaton(1));
    }
}
