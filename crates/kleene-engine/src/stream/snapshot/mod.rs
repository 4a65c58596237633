//! Snapshots: the state of an engine as bytes ([`Engine::snapshot`], [`EngineBuilder::restore`]).
//!
//! `docs/format.md` describes the bytes. The format is in terms of rules, keys and events, not of
//! the layout in memory, so that a version with another layout can read it. Reading trusts no byte:
//! every number that is used as an index is checked, and no memory is reserved beyond what the
//! bytes hold.

mod division;
mod frame;
mod restore;
mod saved;
mod write;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::stream::builder::EngineBuilder;
use crate::stream::change::replacement::{Refused, Replacement};
use crate::stream::change::reshard;
use crate::stream::engine::Engine;
use crate::stream::error::BuildError;
use crate::stream::error::PushError;
use crate::stream::shard::Shard;
use crate::stream::snapshot::division::KeyDivision;
use crate::stream::stats::Stats;
use kleene_event::event::Portable;
use kleene_event::value::Value;
use kleene_syntax::hir::Rule;

impl<E: Portable> Engine<E> {
    /// Returns the state of the engine as bytes: partial matches with their captured events,
    /// buffered events, deadlines, watermarks and sources, suppressed keys, and counts. An engine
    /// that [`EngineBuilder::restore`] makes of the bytes continues as this engine does.
    ///
    /// Limits and the watermark strategy are not part of the snapshot; the builder sets them. Keys
    /// in a [cold store](crate::stream::ColdStore) are part of the snapshot. If the store has
    /// failed or cannot be read, the result is empty and cannot be restored, and
    /// [`failure`](Engine::failure) returns the reason.
    ///
    /// ```
    /// use kleene::stream::Ignore;
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
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// engine.push(&event("paid", 7, 1)?, &mut Ignore)?;
    /// let bytes = engine.snapshot();
    ///
    /// let (mut restored, _) = Engine::builder().rules(&rules).restore(&[&bytes])?;
    /// restored.push(&event("sent", 7, 2)?, &mut Ignore)?;
    /// assert_eq!(restored.stats().matches, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Vec<u8> {
        write::whole(self.ingest()).map(|(bytes, _)| bytes).unwrap_or_default()
    }

    /// Returns the state of the engine as bytes, as [`snapshot`](Engine::snapshot) does, and starts
    /// to record changed keys. [`snapshot_changes`](Engine::snapshot_changes) can then follow.
    pub fn snapshot_base(&mut self) -> Vec<u8> {
        let (bytes, identity) = write::whole(self.ingest()).unzip();
        *self.base_mut() = identity;
        self.ingest_mut().dispatcher_mut().begin_changes();
        bytes.unwrap_or_default()
    }

    /// Returns the changes since the last [`snapshot_base`](Engine::snapshot_base) or
    /// `snapshot_changes`. [Restore](EngineBuilder::restore) the changes after all of these
    /// snapshots.
    ///
    /// The call takes time and bytes in proportion to the keys with an event or a deadline since
    /// then, and to the keys that `once` has ended since then. Buffered events and the keys that
    /// `suppress` remembers are written as a whole.
    ///
    /// Returns `None` if no base was taken, or if rules were replaced or the stream was finished
    /// since: take another base. Returns `None` as well if a [cold store](crate::stream::ColdStore)
    /// cannot be read, which [stops](Engine::failure) the engine.
    ///
    /// ```
    /// # use kleene::stream::Ignore;
    /// # use kleene::{Engine, Record, RuleSet, Timestamp};
    /// # let rules = RuleSet::parse(
    /// #     "event paid { order: int, at: time }
    /// #      rule twice { key order  match paid{2} within 2d }",
    /// # )?;
    /// # let paid = |order: i64, second: i64| {
    /// #     let at = Timestamp::from_millis(1000 * second);
    /// #     let fields = [("order", order.into()), ("at", at.into())];
    /// #     Record::from_fields(rules.schema(), "paid", fields)
    /// # };
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// engine.push(&paid(7, 1)?, &mut Ignore)?;
    /// let base = engine.snapshot_base();
    /// engine.push(&paid(8, 2)?, &mut Ignore)?;
    /// let changes = engine.snapshot_changes().unwrap();
    ///
    /// let builder = Engine::<Record>::builder().rules(&rules);
    /// let (restored, _) = builder.restore(&[&base, &changes])?;
    /// assert_eq!(restored.stats().partials, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot_changes(&mut self) -> Option<Vec<u8>> {
        let base = self.base_mut().take()?;
        let (bytes, identity) = write::changes(self.ingest(), base)?;
        *self.base_mut() = Some(identity);
        self.ingest_mut().dispatcher_mut().saved_changes();
        Some(bytes)
    }
}

impl<E: Portable> EngineBuilder<E> {
    /// Builds the engine of a snapshot, with the rules and limits of this builder.
    ///
    /// `parts` is one snapshot, or several with parts of the keys, as a runner with threads gives
    /// them, each followed by its [changes](Engine::snapshot_changes). Engines whose snapshots are
    /// joined have to be at one watermark ([`Engine::advance`]), or the engine continues at the
    /// earliest one ([`join_at_earliest`](EngineBuilder::join_at_earliest)).
    ///
    /// If the rules changed since the snapshot, the same state continues as after a
    /// [replacement](Engine::replace_rules), and the result lists the verdict on each rule. The
    /// snapshot contains the text of the old rules. Rules that were built in Rust continue if their
    /// name and [version](Rule::version) are the same. As after a replacement, build new events
    /// with the numbers of [`Engine::schema`].
    ///
    /// # Errors
    /// [`RestoreError`] if bytes are no snapshot or were damaged, if parts do not belong together,
    /// if a rule cannot be run over these events, or if a cold store fails.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kleene::stream::{Ignore, Verdict};
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    ///
    /// let rules = RuleSet::parse("event paid { at: time } rule twice { match paid{2} }")?;
    /// let paid = |second: i64| {
    ///     let at = Timestamp::from_millis(1000 * second);
    ///     Record::from_fields(rules.schema(), "paid", [("at", at.into())])
    /// };
    /// // Limits and the watermark strategy are the builder's: they are not in the bytes.
    /// let builder = || {
    ///     Engine::builder().rules(&rules).out_of_order(Duration::from_secs(5))
    /// };
    /// let mut engine = builder().build()?;
    /// engine.push(&paid(1)?, &mut Ignore)?;
    /// let bytes = engine.snapshot();
    ///
    /// let (mut restored, replacement) = builder().restore(&[&bytes])?;
    /// assert_eq!(replacement.rule("twice").unwrap().verdict, Verdict::Unchanged);
    /// restored.push(&paid(2)?, &mut Ignore)?;
    /// restored.end_time(&mut Ignore)?;
    /// assert_eq!(restored.stats().matches, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(self, parts: &[&[u8]]) -> Result<(Engine<E>, Replacement), RestoreError> {
        restore::restore(self, parts)
    }
}

impl<E: Portable> Shard<E> {
    /// Returns the state of the shard as bytes. [`EngineBuilder::restore`] makes one engine of the
    /// bytes of all shards, and [`Shard::restore`] any number of shards.
    ///
    /// Take the snapshots of all shards after the same calls. `all` are the counts of one engine at
    /// this moment: the sum of [`Shard::stats`] with the peak that the host follows
    /// ([`Shard::take_changes`]). One part cannot be restored without the others.
    pub fn snapshot(&self, all: &Stats) -> Vec<u8> {
        let ingest = self.0.ingest();
        let Some(share) = ingest.dispatcher().share() else { return self.0.snapshot() };
        write::shard(ingest, share, *all).map(|(bytes, _)| bytes).unwrap_or_default()
    }

    /// Builds up to `of` shards of a snapshot, as [`EngineBuilder::restore`] builds one engine. The
    /// snapshot may be of one engine, or of any number of [shards](Shard::snapshot).
    ///
    /// The call takes for a moment twice the memory of the open partial matches.
    ///
    /// # Errors
    /// [`RestoreError`] as for [`EngineBuilder::restore`].
    ///
    /// ```
    /// use kleene::stream::{Ignore, Stats};
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    /// use kleene_engine::{Plain, Shard};
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
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// for order in 0..10 {
    ///     engine.push(&event("paid", order, order)?, &mut Ignore)?;
    /// }
    /// let bytes = engine.snapshot();
    ///
    /// let (mut shards, _) = Shard::restore(Engine::builder().rules(&rules), 3, &[&bytes])?;
    /// for order in 0..10 {
    ///     let sent = event("sent", order, 10 + order)?;
    ///     for shard in &mut shards {
    ///         shard.push(&sent, &mut Plain(&mut Ignore))?;
    ///     }
    /// }
    /// let stats: Stats = shards.iter().map(Shard::stats).sum();
    /// assert_eq!((shards.len(), stats.events, stats.matches), (3, 20, 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(
        builder: EngineBuilder<E>,
        of: usize,
        parts: &[&[u8]],
    ) -> Result<(Vec<Shard<E>>, Replacement), RestoreError> {
        let (engine, replacement) = restore::restore(builder, parts)?;
        Ok((reshard::split(engine, of), replacement))
    }

    /// Returns `count` snapshots that each hold a part of the keys and together hold the state of
    /// `engine`. `shard` maps a rule and a key to a snapshot; the result is taken modulo `count`.
    /// [`EngineBuilder::restore`] makes an engine of each snapshot alone or of all of them.
    ///
    /// Counts go to the first snapshot. A buffered event goes to each snapshot that has a rule and
    /// a key for it. Push to each restored engine only the later events of its own keys.
    ///
    /// The call makes one pass over the keys, so that `count` can be large. It calls `shard` once
    /// for the state of a rule for a key, and once for each other mention of a key: by a buffered
    /// event or by an entry of `suppress` or `once`. `shard` has to give the same answer each time.
    ///
    /// A snapshot without bytes stands for nothing: no key, no buffered event, no event for other
    /// rules, no key that `suppress` or `once` remembers. Do not store it, and do not restore it:
    /// [`EngineBuilder::restore`] refuses it, since bytes may have been lost. The first snapshot
    /// always has bytes, unless a [cold store](crate::stream::ColdStore) has failed or cannot be
    /// read. Then no snapshot has bytes, and [`Engine::failure`] returns the reason.
    ///
    /// ```
    /// use kleene::stream::Ignore;
    /// use kleene::{Engine, Record, RuleSet, Timestamp, Value};
    /// use kleene_engine::Shard;
    ///
    /// let rules = RuleSet::parse(
    ///     "event paid { order: int, at: time }
    ///      rule twice { key order  match paid{2} within 2d }",
    /// )?;
    /// let paid = |order: i64, second: i64| {
    ///     let at = Timestamp::from_millis(1000 * second);
    ///     let fields = [("order", order.into()), ("at", at.into())];
    ///     Record::from_fields(rules.schema(), "paid", fields)
    /// };
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// for order in [3, 7, 8] {
    ///     engine.push(&paid(order, order)?, &mut Ignore)?;
    /// }
    /// let parts = Shard::split_snapshot(&engine, 5, |_, key| match key {
    ///     [Value::Int(order)] => order.unsigned_abs() as usize,
    ///     _ => 0,
    /// });
    /// let has_bytes: Vec<bool> = parts.iter().map(|part| !part.is_empty()).collect();
    /// assert_eq!(has_bytes, [true, false, true, true, false]); // counts, 7, and 3 with 8
    ///
    /// let stored: Vec<&[u8]> =
    ///     parts.iter().map(Vec::as_slice).filter(|part| !part.is_empty()).collect();
    /// let (restored, _) = Engine::<Record>::builder().rules(&rules).restore(&stored)?;
    /// assert_eq!(restored.stats(), engine.stats());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split_snapshot(
        engine: &Engine<E>,
        count: usize,
        mut shard: impl FnMut(&Rule, &[Value]) -> usize,
    ) -> Vec<Vec<u8>> {
        write::divided(engine.ingest(), KeyDivision::of(count, &mut shard))
    }
}

/// The reason why bytes could not be restored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes are not a snapshot.
    NotASnapshot,
    /// A later version of the library wrote the snapshot, in this version of the format.
    Version(u16),
    /// The checksum does not fit the bytes: bytes are missing or changed.
    Damaged,
    /// The checksum is right, but the contents are invalid.
    #[non_exhaustive]
    Malformed {
        /// The section with the invalid contents.
        section: &'static str,
    },
    /// There are no parts.
    Nothing,
    /// A part holds changes without the snapshot that they follow. The number is the index of the
    /// part, counted from 0.
    Unfounded(usize),
    /// Parts were taken under different rules. The name is the name of a rule that differs.
    OtherRules(Arc<str>),
    /// Parts are from engines at different watermarks, or only some of them have ended. With
    /// [`EngineBuilder::join_at_earliest`], only some have ended.
    OtherTime,
    /// Two parts hold the same key of this rule.
    Overlap(Arc<str>),
    /// An event could not be read. The snapshot may be of another Rust event type.
    Event,
    /// A rule cannot be run over these events.
    Build(BuildError),
    /// The rules of the builder cannot replace those of the snapshot.
    Refused(Refused),
    /// A [cold store](crate::stream::ColdStore) has failed.
    Cold(PushError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::NotASnapshot => f.write_str("this is no snapshot"),
            RestoreError::Version(version) => write!(
                f,
                "the snapshot is of version {version} of the format, which a later version of \
                 Kleene wrote"
            ),
            RestoreError::Damaged => {
                f.write_str("the snapshot is damaged: its checksum does not fit its bytes")
            }
            RestoreError::Malformed { section } => {
                write!(f, "the snapshot makes no sense in its section `{section}`")
            }
            RestoreError::Nothing => f.write_str("there is no snapshot to restore"),
            RestoreError::Unfounded(part) => write!(
                f,
                "part {part} holds changes, but the snapshot that they follow is not before it"
            ),
            RestoreError::OtherRules(rule) => write!(
                f,
                "the parts were not taken under the same rules: `{rule}` is not in all of them, or \
                 not the same"
            ),
            RestoreError::OtherTime => f.write_str(
                "the parts are from engines at different watermarks, or only some of them have \
                 ended; advance all of them to the same before their snapshots are taken, or join \
                 those that have not ended at the earliest (`join_at_earliest`)",
            ),
            RestoreError::Overlap(rule) => {
                write!(f, "two parts hold the same key of the rule `{rule}`")
            }
            RestoreError::Event => f.write_str(
                "the snapshot holds an event that cannot be read; is it of another Rust type?",
            ),
            RestoreError::Build(error) => error.fmt(f),
            RestoreError::Refused(refused) => refused.fmt(f),
            RestoreError::Cold(error) => error.fmt(f),
        }
    }
}

impl Error for RestoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RestoreError::Build(error) => error.source(),
            _ => None,
        }
    }
}

impl From<BuildError> for RestoreError {
    fn from(error: BuildError) -> RestoreError {
        RestoreError::Build(error)
    }
}
