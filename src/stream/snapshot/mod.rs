//! An engine as bytes, and an engine again: [`Engine::snapshot`] and [`Builder::restore`].
//!
//! `docs/format.md` describes the bytes. They say what an engine holds in terms of rules, keys and
//! events, not how it lies in memory, so that another version with another layout can read them.
//! Nothing in them is believed: every number that is used as an index is checked, and nothing is
//! made room for that the bytes do not hold.

mod frame;
mod restore;
mod saved;
mod write;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::event::Portable;
use crate::hir::Rule;
use crate::stream::builder::Builder;
use crate::stream::change::replace::{Refused, Replacement};
use crate::stream::change::reshard;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::engine::Engine;
use crate::stream::error::BuildError;
use crate::stream::error::PushError;
use crate::stream::shard::Shard;
use crate::stream::stats::Stats;
use crate::value::Value;

impl<E: Portable> Engine<E> {
    /// All that the engine holds, as bytes: partial matches with what they have captured, events
    /// that wait for their time, deadlines, watermarks and sources, what is suppressed, and counts.
    /// What [`Builder::restore`] makes of them goes on as this engine does.
    ///
    /// Limits and the strategy of watermarks are not part of it, they are the builder's. What a
    /// [cold store](crate::stream::ColdStore) keeps is; where that has failed or cannot be read, no
    /// bytes are given, from which nothing is restored, and [`failure`](Engine::failure) says why.
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
    /// let mut engine = Engine::builder().rules(rules.clone()).build()?;
    /// engine.push(&event("paid", 7, 1)?, &mut Ignore)?;
    /// let bytes = engine.snapshot();
    ///
    /// let (mut restored, _) = Engine::builder().rules(rules.clone()).restore(&[&bytes])?;
    /// restored.push(&event("sent", 7, 2)?, &mut Ignore)?;
    /// assert_eq!(restored.stats().matches, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write::whole(self.ingest(), &mut bytes);
        bytes
    }

    /// All that the engine holds, as [`snapshot`](Engine::snapshot) gives it; from now on, keys that
    /// change are noted, so that [`snapshot_changes`](Engine::snapshot_changes) can follow.
    pub fn snapshot_base(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        *self.base_mut() = write::whole(self.ingest(), &mut bytes);
        let Dispatcher { groups, cold, .. } = &mut self.ingest_mut().dispatcher;
        for group in 0..u32::try_from(groups.len()).unwrap_or(u32::MAX) {
            groups.keys_mut(group).begin_changes();
        }
        if let Some(cold) = cold {
            cold.saved();
        }
        bytes
    }

    /// What has changed since the last [`snapshot_base`](Engine::snapshot_base) or snapshot of
    /// changes, to be [restored](Builder::restore) after all of those. It takes time and bytes in
    /// proportion to the keys that events or deadlines came to since then; what waits to be put in
    /// order and what is suppressed is in it as a whole.
    ///
    /// `None` where there is nothing to follow: no base was taken, or rules were replaced or time
    /// was ended since. Then it is time for another base. Nor is there anything where a [cold
    /// store](crate::stream::ColdStore) cannot be read, which [stops](Engine::failure) the engine.
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
    /// #     Record::from_fields(rules.schema(), "paid", [("order", order.into()), ("at", at.into())])
    /// # };
    /// let mut engine = Engine::builder().rules(rules.clone()).build()?;
    /// engine.push(&paid(7, 1)?, &mut Ignore)?;
    /// let base = engine.snapshot_base();
    /// engine.push(&paid(8, 2)?, &mut Ignore)?;
    /// let changes = engine.snapshot_changes().unwrap();
    ///
    /// let builder = Engine::<Record>::builder().rules(rules.clone());
    /// let (restored, _) = builder.restore(&[&base, &changes])?;
    /// assert_eq!(restored.stats().partials, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot_changes(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let base = self.base_mut().take()?;
        *self.base_mut() = Some(write::changes(self.ingest(), base, &mut bytes)?);
        let Dispatcher { groups, cold, .. } = &mut self.ingest_mut().dispatcher;
        for group in 0..u32::try_from(groups.len()).unwrap_or(u32::MAX) {
            groups.keys_mut(group).saved_changes();
        }
        if let Some(cold) = cold {
            cold.saved();
        }
        Some(bytes)
    }

    /// Several snapshots that hold each a part of the keys, and all the engine's state together:
    /// `shard` says for a rule and a key which of the `count` gets it (the rest of a division by
    /// `count`, where it is more). [`Builder::restore`] makes an engine of each alone, or of all of
    /// them.
    ///
    /// Counts go to the first. An event that waits for its time goes to each that has a rule and a
    /// key for it; so the shards' engines have to be given the later events of their keys only.
    pub fn snapshot_shards(
        &self,
        count: usize,
        mut shard: impl FnMut(&Rule, &[Value]) -> usize,
    ) -> Vec<Vec<u8>> {
        let mut shards = vec![Vec::new(); count.max(1)];
        for (index, bytes) in shards.iter_mut().enumerate() {
            let count = count.max(1);
            let mut is_in = |rule: &Rule, key: &[Value]| shard(rule, key) % count == index;
            write::shard(self.ingest(), index, &mut is_in, bytes);
        }
        shards
    }
}

impl<E: Portable> Builder<E> {
    /// Makes the engine that a snapshot was taken of, with the rules and limits of this builder.
    ///
    /// `parts` is one snapshot, or [several of parts of the keys](Engine::snapshot_shards), each
    /// with the [changes](Engine::snapshot_changes) that follow it. Engines whose snapshots are put together have to be at one
    /// watermark ([`Engine::advance`]).
    ///
    /// Where the rules are others than those of the snapshot, what goes on is what would go on if
    /// they were [replaced](Engine::replace_rules); what becomes of each is reported. The snapshot has
    /// the text of the old rules with it. Rules that were built in Rust go on if they have the same
    /// name and the same [version](Rule::version). As after a replacement, events are to be made
    /// with the numbers of [`Engine::schema`].
    ///
    /// # Errors
    /// Bytes that are no snapshot or were damaged, parts that do not belong together, and rules
    /// that cannot be run over these events.
    pub fn restore(self, parts: &[&[u8]]) -> Result<(Engine<E>, Replacement), RestoreError> {
        restore::restore(self, parts)
    }
}

impl<E: Portable> Shard<E> {
    /// All that the shard holds, as bytes. [`Builder::restore`] makes one engine of the bytes of all
    /// shards, and [`Builder::restore_shards`] any number of shards.
    ///
    /// Take the snapshots of all shards after the same calls. `all` are the counts of one engine at
    /// this moment: the sum of [`Shard::stats`] with the peak that the host follows
    /// ([`Shard::take_changes`]). One part without the others is not of use.
    pub fn snapshot(&self, all: &Stats) -> Vec<u8> {
        let ingest = self.0.ingest();
        let Some(share) = &ingest.dispatcher.accounting.share else { return self.0.snapshot() };
        let mut bytes = Vec::new();
        write::part(ingest, share, *all, &mut bytes);
        bytes
    }
}

impl<E: Portable> Builder<E> {
    /// Makes up to `of` shards of a snapshot, as [`restore`](Builder::restore) makes one engine of
    /// it. The snapshot may be of one engine, or of any number of [shards](Shard::snapshot).
    ///
    /// It takes for a moment twice the memory of what is open.
    ///
    /// ```
    /// use kleene::stream::{Ignore, Shard, Stats};
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
    /// let mut engine = Engine::builder().rules(rules.clone()).build()?;
    /// for order in 0..10 {
    ///     engine.push(&event("paid", order, order)?, &mut Ignore)?;
    /// }
    /// let bytes = engine.snapshot();
    ///
    /// let (mut shards, _) = Engine::builder().rules(rules.clone()).restore_shards(3, &[&bytes])?;
    /// for order in 0..10 {
    ///     let sent = event("sent", order, 10 + order)?;
    ///     for shard in &mut shards {
    ///         shard.push(&sent, &mut Ignore)?;
    ///     }
    /// }
    /// let stats: Stats = shards.iter().map(Shard::stats).sum();
    /// assert_eq!((shards.len(), stats.events, stats.matches), (3, 20, 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`restore`](Builder::restore) does.
    pub fn restore_shards(
        self,
        of: usize,
        parts: &[&[u8]],
    ) -> Result<(Vec<Shard<E>>, Replacement), RestoreError> {
        let (engine, replacement) = restore::restore(self, parts)?;
        Ok((reshard::split(engine, of), replacement))
    }
}

/// Why no engine can be made of bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes are something else.
    NotASnapshot,
    /// A later version of this library wrote them, in this version of the format.
    Version(u16),
    /// The checksum is another one: bytes are missing or are not what was written.
    Damaged,
    /// The checksum is right, but the bytes make no sense.
    #[non_exhaustive]
    Malformed {
        /// The section that makes none.
        section: &'static str,
    },
    /// There is no part at all.
    Nothing,
    /// Changes without what they follow: these parts, counted from 0, follow none before them.
    Unfounded(usize),
    /// Parts were taken under different rules, by their names.
    OtherRules(Arc<str>),
    /// Parts are from engines that are not at the same watermark.
    OtherTime,
    /// A key of this rule is in two parts.
    Overlap(Arc<str>),
    /// An event could not be read; it may be of another Rust type.
    Event,
    /// A rule cannot be run over these events.
    Build(BuildError),
    /// The rules cannot take the place of those of the snapshot.
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
                "the parts are from engines at different watermarks; advance all of them to the \
                 same before their snapshots are taken",
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
