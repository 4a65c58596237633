//! One engine's work on several threads: shards that have the same rules and divide their keys.
//!
//! Every shard takes every event and every watermark in the same order, so that time, what is late
//! and the numbers of events are the same in all. Each matches the keys that are its own; a hash says
//! whose a key is. What they report is brought together by its [`Position`](crate::stream::Position): all shards give one after
//! the other what one engine would.
//!
//! ```
//! use kleene::stream::{Ignore, Shard, Stats};
//! use kleene::{Engine, Record, RuleSet, Timestamp, Value};
//!
//! let rules = RuleSet::parse(
//!     "event hit { user: string, at: time }
//!      rule twice { key user  match hit{2}  within 1m  emit { user } }",
//! )?;
//! let schema = rules.schema().clone();
//! let mut shards: Vec<Shard<Record>> = Engine::builder().rules(rules).shards(2)?;
//! for (second, user) in (0..).zip(["ann", "bob", "cid", "bob", "ann"]) {
//!     let at = Value::Time(Timestamp::from_millis(1000 * second));
//!     let hit = Record::from_fields(&schema, "hit", [("user", user.into()), ("at", at)])?;
//!     for shard in &mut shards {
//!         shard.push(&hit, &mut Ignore)?;
//!     }
//! }
//! let stats: Stats = shards.iter().map(Shard::stats).sum();
//! assert_eq!((stats.events, stats.matches), (5, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(in crate::stream) mod context;

use std::fmt;
use std::sync::Arc;

use crate::event::Event;
use crate::schema::Schema;
use crate::stream::engine::Engine;
use crate::stream::error::PushError;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// One of several engines that divide the keys of the same rules between them, made by
/// [`Builder::shards`](crate::stream::Builder::shards).
///
/// All of them have to be given the same events, watermarks and sources in the same order. What has
/// nothing to do with keys (late events, the reorder buffer, events of unknown types) is reported and
/// counted by the first alone, so that the [sum](Stats#impl-Sum<Stats>-for-Stats) of their counts is
/// that of one engine.
pub struct Shard<E: Event>(pub(in crate::stream) Engine<E>);

impl<E: Event> fmt::Debug for Shard<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field(
                "part",
                &self
                    .0
                    .ingest()
                    .dispatcher
                    .accounting
                    .share
                    .as_ref()
                    .map(|share| (share.index, share.of)),
            )
            .field("engine", &self.0)
            .finish()
    }
}

/// The engine is the only shard: all keys are its own.
impl<E: Event> From<Engine<E>> for Shard<E> {
    fn from(engine: Engine<E>) -> Shard<E> {
        Shard(engine)
    }
}

impl<E: Event> Shard<E> {
    /// Takes an event of the only source, as [`Engine::push`] does.
    #[inline]
    pub fn push<S: Sink<E> + ?Sized>(&mut self, event: &E, sink: &mut S) -> Result<(), PushError> {
        self.0.push(event, sink)
    }

    /// Takes an event of one of several sources, as [`Engine::push_from`] does.
    #[inline]
    pub fn push_from<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        event: &E,
        sink: &mut S,
    ) -> Result<(), PushError> {
        self.0.push_from(source, event, sink)
    }

    /// The source of this name, made if it is new: the same in all shards if they are asked in the
    /// same order.
    pub fn source(&mut self, name: &str) -> SourceId {
        self.0.source(name)
    }

    /// A watermark of the only source, as for [`Engine::advance`].
    pub fn advance<S: Sink<E> + ?Sized>(&mut self, to: Timestamp, sink: &mut S) {
        self.0.advance(to, sink);
    }

    /// A watermark of one of several sources, as for [`Engine::advance_source`].
    pub fn advance_source<S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        to: Timestamp,
        sink: &mut S,
    ) {
        self.0.advance_source(source, to, sink);
    }

    /// `source` has nothing to say for now, as for [`Engine::set_idle`].
    pub fn set_idle<S: Sink<E> + ?Sized>(&mut self, source: SourceId, sink: &mut S) {
        self.0.set_idle(source, sink);
    }

    /// The end of time, as for [`Engine::finish`].
    pub fn finish<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        self.0.finish(sink);
    }

    /// Why nothing is done any more, as for [`Engine::failure`].
    pub fn failure(&self) -> Option<&PushError> {
        self.0.failure()
    }

    /// What the numbers of event types and fields mean, as for [`Engine::schema`].
    pub fn schema(&self) -> &Arc<Schema> {
        self.0.schema()
    }

    /// Bytes of heap that the shard holds, about: without what events own.
    pub fn memory_usage(&self) -> usize {
        self.0.memory_usage()
    }

    /// What this shard has counted: those of all shards add up to what one engine counts, but for
    /// [`Stats::peak_partials`], which is the most that this shard ever had at once.
    pub fn stats(&self) -> Stats {
        let stats = self.0.stats();
        match &self.0.ingest().dispatcher.accounting.share {
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

    /// By how much the number of open partial matches has changed up to each event that rules were
    /// given since the last call; they are kept from the first call on. All shards have changes for
    /// the same events, and their running sum shows the peak that one engine would count. Always
    /// empty where this is the only shard.
    pub fn take_changes(&mut self) -> Vec<i32> {
        let Some(share) = &mut self.0.ingest_mut().dispatcher.accounting.share else {
            return Vec::new();
        };
        share.changes.replace(Vec::new()).unwrap_or_default()
    }
}
