//! Shards: engines with the same rules that divide the keys, so that several threads share the
//! work.
//!
//! Every shard reads every event and every watermark in the same order. Time, lateness and the
//! numbers of events therefore agree in all shards. Each shard matches its own keys; a hash of the
//! key selects the shard. The crate `kleene-runner` runs each shard on a thread and merges the
//! outputs: merged, all shards report the outputs of one engine in the order of one engine.
//!
//! ```
//! use kleene::stream::{Ignore, Stats};
//! use kleene::{Engine, Record, RuleSet, Timestamp, Value};
//! use kleene_engine::{Plain, Shard};
//!
//! let rules = RuleSet::parse(
//!     "event hit { user: string, at: time }
//!      rule twice { key user  match hit{2}  within 1m  emit { user } }",
//! )?;
//! let schema = rules.schema().clone();
//! let mut shards: Vec<Shard<Record>> = Shard::build(Engine::builder().rules(&rules), 2)?;
//! for (second, user) in (0..).zip(["ann", "bob", "cid", "bob", "ann"]) {
//!     let at = Value::Time(Timestamp::from_millis(1000 * second));
//!     let hit = Record::from_fields(&schema, "hit", [("user", user.into()), ("at", at)])?;
//!     for shard in &mut shards {
//!         shard.push(&hit, &mut Plain(&mut Ignore))?;
//!     }
//! }
//! let stats: Stats = shards.iter().map(Shard::stats).sum();
//! assert_eq!((stats.events, stats.matches), (5, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(in crate::stream) mod context;
pub(in crate::stream) mod undivided;

use std::fmt;
use std::sync::Arc;

use crate::stream::engine::Engine;
use crate::stream::error::PushError;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::receiver::Receiver;
use crate::stream::shard::context::ShardContext;
use crate::stream::shard::undivided::fails;
use crate::stream::stats::Stats;
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Rule;

/// One of several engines that divide the keys of the same rules, built by [`Shard::build`].
///
/// Push the same events, watermarks and sources to all shards in the same order. Counts and reports
/// that do not depend on keys (late events, the reorder buffer, events of unknown types) come from
/// the first shard alone. The [sum](Stats#impl-Sum<Stats>-for-Stats) of all counts is therefore the
/// count of a single engine.
pub struct Shard<E: Event>(pub(in crate::stream) Engine<E>);

impl<E: Event> fmt::Debug for Shard<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.share().map(|share| (share.index, share.of));
        f.debug_struct("Shard").field("part", &part).field("engine", &self.0).finish()
    }
}

impl<E: Event> Shard<E> {
    /// Returns the reason why there are fewer shards than were asked for, in words; `None` if there
    /// are not.
    ///
    /// A rule with `limit .. fail` stops one engine, which knows when; a
    /// [cold store](crate::stream::ColdStore) belongs to one engine. Without keys there is nothing to
    /// divide: a rule without a key, a rule that feeds other rules or reads what they make, and a rule
    /// whose `suppress` or `once` concerns several keys stay in one shard.
    pub fn undivided(shards: &[Shard<E>], asked: usize) -> Option<String> {
        let first = shards.first().filter(|_| shards.len() < asked)?;
        if first.0.ingest().dispatcher().has_cold_store() {
            return Some(String::from("a cold store belongs to one engine"));
        }
        Some(match fails(first.0.rules()) {
            Some(rule) => format!("rule `{rule}` has `limit .. fail`"),
            None => String::from("no rule has keys that can be divided"),
        })
    }

    /// Pushes an event of the only source, as [`Engine::push`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::push`].
    #[inline]
    pub fn push<R: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        let source = self.0.ingest_mut().main_source();
        self.push_from(source, event, receiver)
    }

    /// Pushes an event of one of several sources, as [`Engine::push_from`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::push`].
    #[inline]
    pub fn push_from<R: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        self.0.ingest_mut().ingest_one(source, event, receiver)
    }

    /// Returns the source with this name. A new name makes a new source. All shards give the same
    /// id if they are asked for the names in the same order.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.0.source(name)
    }

    /// Advances the watermark of the only source, as [`Engine::advance`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::advance`].
    pub fn advance<R: Receiver<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        let source = self.0.ingest_mut().main_source();
        self.advance_source(source, to, receiver)
    }

    /// Advances the watermark of one of several sources, as [`Engine::advance_source`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::advance`].
    pub fn advance_source<R: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        self.0.ingest_mut().advance_source(source, to, receiver)
    }

    /// Marks `source` as idle, as [`Engine::set_idle`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::set_idle`].
    pub fn set_idle<R: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        self.0.ingest_mut().set_idle(source, receiver)
    }

    /// Ends the input for now, as [`Engine::end_input`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::end_input`].
    pub fn end_input<R: Receiver<E> + ?Sized>(
        &mut self,
        receiver: &mut R,
    ) -> Result<(), PushError> {
        self.0.ingest_mut().end_input(receiver)
    }

    /// Ends time, as [`Engine::end_time`] does.
    ///
    /// # Errors
    /// [`PushError`] as for [`Engine::end_time`].
    pub fn end_time<R: Receiver<E> + ?Sized>(&mut self, receiver: &mut R) -> Result<(), PushError> {
        self.0.end_time_to(receiver)
    }

    /// Returns the error that stopped the shard, as [`Engine::failure`] does.
    pub fn failure(&self) -> Option<&PushError> {
        self.0.failure()
    }

    /// Returns the schema that numbers event types and fields, as [`Engine::schema`] does.
    pub fn schema(&self) -> &Arc<Schema> {
        self.0.schema()
    }

    /// Drops the partial matches that are out of time and report nothing, as
    /// [`Engine::sweep`](crate::stream::Engine::sweep) does.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Returns each rule with the number of steps that this shard took for it, as
    /// [`Engine::steps_by_rule`] does.
    pub fn steps_by_rule(&self) -> impl ExactSizeIterator<Item = (&Arc<Rule>, u64)> {
        self.0.steps_by_rule()
    }

    /// Returns the counts of this shard. The counts of all shards add up to those of one engine,
    /// except [`Stats::peak_partials`], which is the peak of this shard alone.
    pub fn stats(&self) -> Stats {
        let stats = self.0.stats();
        match self.share() {
            Some(share) if share.index > 0 => Stats {
                events: 0,
                late: 0,
                rejected: 0,
                unknown: 0,
                keyless: 0,
                buffered: 0,
                buffered_bytes: 0,
                ..stats
            },
            _ => stats,
        }
    }

    /// Returns the changes in the number of open partial matches since the last call, one for each
    /// event that was given to rules.
    ///
    /// Changes are recorded from the first call on. All shards record changes for the same events,
    /// and the running sum over all shards gives the peak that one engine would count. The result
    /// is always empty if there is only one shard.
    pub fn take_changes(&mut self) -> Vec<i64> {
        self.0.ingest_mut().dispatcher_mut().take_changes()
    }

    /// Returns the place among the shards; `None` if there is only one.
    fn share(&self) -> Option<&ShardContext> {
        self.0.ingest().dispatcher().share()
    }
}
