//! Writing: from an engine to bytes.

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::ruleset::RuleSet;
use crate::stream::engine::Identity;
use crate::stream::error::{PushError, PushFailure};
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::keys::changes::Changes;
use crate::stream::keys::cold::{Cold, Which};
use crate::stream::keys::key::{Key, spread};
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::keys::table::RuleState;
use crate::stream::keys::wire::{Keys, put_event, put_key};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::shard::context::ShardContext;
use crate::stream::shard::undivided::{across_keys, suppressed_key};
use crate::stream::snapshot::division::{ByPart, KeyDivision};
use crate::stream::snapshot::frame::{FIRST_CONTENTS, Section, SnapshotFrame};
use crate::stream::snapshot::saved::{COUNTERS, HAS_MAIN, HAS_NEWEST, IS_FINISHED};
use crate::stream::stats::Stats;
use kleene_automata::exec::Image;
use kleene_event::event::{Event, Portable};
use kleene_event::schema::{EventType, Schema, put_field_type};
use kleene_event::time::Timestamp;
use kleene_event::util::fnv::Fnv;
use kleene_event::util::wire::{put_bytes, put_i64, put_len, put_u64};
use kleene_event::value::Value;
use kleene_event::value::wire::{put_value, put_values};

/// Writes the state of an engine. Returns `None` if a cold store cannot be read.
pub(super) fn whole<E: Portable>(engine: &Ingest<E>) -> Option<(Vec<u8>, Identity)> {
    SnapshotWriter { engine, extent: SnapshotExtent::Whole }.write_one()
}

/// Writes the changes since the snapshot `base`. Returns `None` if a cold store cannot be read.
pub(super) fn changes<E: Portable>(
    engine: &Ingest<E>,
    base: Identity,
) -> Option<(Vec<u8>, Identity)> {
    SnapshotWriter { engine, extent: SnapshotExtent::Changes(base) }.write_one()
}

/// Writes the state of an engine as several parts. A part that would hold nothing has no bytes. The
/// first part has the state that cannot be divided, and always has bytes, unless a cold store
/// cannot be read: then no part has bytes.
pub(super) fn divided<E: Portable>(
    engine: &Ingest<E>,
    mut division: KeyDivision<'_>,
) -> Vec<Vec<u8>> {
    let parts = SnapshotWriter { engine, extent: SnapshotExtent::Divided }.write(&mut division);
    parts.into_iter().map(|part| part.map(|(bytes, _)| bytes).unwrap_or_default()).collect()
}

/// Writes the state of one of several shards. `all` are the counts of all shards. The first shard
/// writes the state that is equal in all shards.
pub(super) fn shard<E: Portable>(
    engine: &Ingest<E>,
    share: &ShardContext,
    all: Stats,
) -> Option<(Vec<u8>, Identity)> {
    let numbers = engine.dispatcher().fed_numbers(share);
    let shard = ShardPart { share, all, numbers };
    SnapshotWriter { engine, extent: SnapshotExtent::Shard(&shard) }.write_one()
}

struct SnapshotWriter<'e, E: Event> {
    engine: &'e Ingest<E>,
    extent: SnapshotExtent<'e>,
}

/// What a writer writes.
enum SnapshotExtent<'e> {
    /// All that the engine holds.
    Whole,
    /// The changes since this snapshot.
    Changes(Identity),
    /// All that the engine holds, in several parts.
    Divided,
    /// All that one of several shards holds.
    Shard(&'e ShardPart<'e>),
}

impl<'e> SnapshotExtent<'e> {
    /// Returns the snapshot that the changes follow.
    fn base(&self) -> Option<Identity> {
        if let SnapshotExtent::Changes(base) = self { Some(*base) } else { None }
    }

    /// Returns the place among the shards, if the engine is one of several.
    fn shard(&self) -> Option<&ShardPart<'e>> {
        if let SnapshotExtent::Shard(shard) = self { Some(shard) } else { None }
    }
}

/// The place of a shard among the others.
struct ShardPart<'e> {
    share: &'e ShardContext,
    /// The counts of all shards together.
    all: Stats,
    /// The numbers of events of rules that are fed by others, as they are written.
    numbers: HashMap<u64, u64>,
}

impl ShardPart<'_> {
    /// Returns the number of events with a sequence number.
    fn released(&self) -> u64 {
        self.share.released() + self.numbers.len() as u64
    }

    /// Numbers the events as all shards do.
    fn renumber<E>(&self, rule: u32, image: &mut Image<&E>) {
        if self.share.is_fed(rule) {
            let number = |seq: &u64| self.numbers.get(seq).copied().unwrap_or_default();
            image.events.iter_mut().for_each(|(seq, _)| *seq = number(seq));
        }
    }
}

impl<'e, E: Portable> SnapshotWriter<'e, E> {
    fn write_one(&self) -> Option<(Vec<u8>, Identity)> {
        self.write(&mut KeyDivision::one()).pop().flatten()
    }

    /// Writes all parts in one pass. Returns `None` for parts that hold nothing, and for all parts
    /// if a cold store cannot be read.
    fn write(&self, division: &mut KeyDivision<'_>) -> Vec<Option<(Vec<u8>, Identity)>> {
        let contents = self.contents(division);
        let first = self.extent.shard().map_or(0, |shard| shard.share.index());
        let mut heads = vec![self.head(first)];
        if division.count() > 1 {
            heads.push(self.head(first + 1));
        }
        let mut parts = BegunParts {
            heads,
            begun: (0..division.count()).map(|_| None).collect(),
            shares: self.engine.dispatcher().rules().len() > 1,
            watermark: self.engine.watermark(),
            contents,
        };
        parts.begin();
        self.keys(division, &mut parts);
        // An engine that failed in the middle of an event has no state from which it could
        // continue.
        if matches!(self.engine.dispatcher().failure(), Some(PushError(PushFailure::Cold(_)))) {
            parts.begun.iter_mut().for_each(|part| *part = None);
        }
        if matches!(self.extent, SnapshotExtent::Divided) {
            number_alike(&mut parts.begun);
        }
        parts.begun.into_iter().map(|part| part.map(BegunPart::end)).collect()
    }

    /// Writes what precedes the contents in the part with this number.
    fn head(&self, part: usize) -> SnapshotFrame {
        let mut frame = SnapshotFrame::begin();
        let base = self.extent.base();
        if let Some(base) = base {
            frame.section(Section::Base, |out| {
                out.extend_from_slice(&base.checksum.to_le_bytes());
                out.extend_from_slice(&base.length.to_le_bytes());
            });
        }
        frame.section(Section::Engine, |out| self.engine(part, out));
        if base.is_none() {
            let texts = texts(self.engine.dispatcher().rules());
            frame
                .section(Section::Schema, |out| put_schema(out, self.engine.dispatcher().schema()));
            frame.section(Section::Rules, |out| {
                put_rules(out, self.engine.dispatcher().rules(), &texts);
            });
            frame.section(Section::Texts, |out| {
                put_len(out, texts.len());
                for rules in &texts {
                    let mut origin = Vec::new();
                    rules.write_origin(&mut origin);
                    put_bytes(out, &origin);
                }
            });
        }
        frame
    }

    fn engine(&self, part: usize, out: &mut Vec<u8>) {
        let (engine, shard) = (self.engine, self.extent.shard());
        out.push(
            HAS_NEWEST
                | if engine.has_ended() { IS_FINISHED } else { 0 }
                | if engine.has_main_source() { HAS_MAIN } else { 0 },
        );
        // Of one engine at one moment: the numbers of events mean the same in all parts.
        let numbering = match self.extent {
            SnapshotExtent::Whole | SnapshotExtent::Changes(_) => 0,
            SnapshotExtent::Divided | SnapshotExtent::Shard(_) => self.numbering(),
        };
        out.extend_from_slice(&numbering.to_le_bytes());
        put_i64(out, engine.watermark().as_millis());
        put_i64(out, engine.newest().as_millis());
        put_u64(out, shard.map_or(engine.dispatcher().released(), ShardPart::released));
        let sources = engine.sources();
        put_len(out, sources.len());
        for source in sources {
            put_bytes(out, source.name.as_bytes());
            put_i64(out, source.watermark.as_millis());
            out.push(u8::from(source.is_idle));
        }
        let mut stats = shard.map_or_else(|| engine.stats(), |shard| shard.all);
        put_len(out, COUNTERS);
        for counter in stats.counters_mut() {
            put_u64(out, if part == 0 { *counter } else { 0 });
        }
        match engine.dispatcher().check_running() {
            Err(PushError(PushFailure::Limit(failure))) => {
                out.push(1);
                put_bytes(out, failure.rule.as_bytes());
                put_len(out, failure.key.len());
                for (name, value) in &failure.key {
                    put_bytes(out, name.as_bytes());
                    put_value(out, value.as_ref());
                }
                put_len(out, failure.limit);
                put_i64(out, failure.at.as_millis());
            }
            _ => out.push(0),
        }
    }

    /// Returns a number that is equal in all parts and hardly ever in two engines; never 0.
    fn numbering(&self) -> u64 {
        let mut hash = Fnv::new();
        let (mut stats, released) = match self.extent.shard() {
            Some(shard) => (shard.all, shard.share.released()),
            None => (self.engine.stats(), self.engine.dispatcher().released()),
        };
        let mut number = |number: u64| hash.write(&number.to_le_bytes());
        number(released);
        number(self.engine.watermark().as_millis().cast_unsigned());
        stats.counters_mut().into_iter().for_each(|counter| number(*counter));
        self.engine.dispatcher().rules().iter().for_each(|rule| number(rule.rule().version));
        hash.finish() | 1
    }

    /// Divides what the engine holds beside the keys.
    fn contents(&self, division: &mut KeyDivision<'_>) -> Contents<'e, E> {
        let (mut buffer, mut derived) = (Vec::new(), Vec::new());
        if self.extent.shard().is_none_or(|shard| shard.share.is_first()) {
            for (number, event) in (0..).zip(self.engine.buffered()) {
                let parts = self.parts_of(event, division);
                buffer.extend(parts.into_iter().map(|part| (part, (number, event))));
            }
        }
        for (number, (time, event)) in (0..).zip(self.engine.dispatcher().derived()) {
            let parts = self.parts_of(event, division);
            derived.extend(parts.into_iter().map(|part| (part, (number, *time, event))));
        }
        buffer.sort_unstable_by_key(|(part, (number, _))| (*part, *number));
        derived.sort_unstable_by_key(|(part, (number, ..))| (*part, *number));
        let suppressed = self.suppressed(division);
        Contents { buffer: ByPart::new(buffer), derived: ByPart::new(derived), suppressed }
    }

    /// Returns the parts of an event: those of its keys, each once.
    fn parts_of(&self, event: &E, division: &mut KeyDivision<'_>) -> SmallVec<[usize; 2]> {
        let mut parts = SmallVec::new();
        if division.count() > 1 {
            for (rule, keys) in self.engine.dispatcher().keys_of(event).into_iter().flatten() {
                parts.extend(keys.iter().map(|key| division.part(rule, key)));
            }
            parts.sort_unstable();
            parts.dedup();
        }
        if parts.is_empty() {
            // It is counted once that it has no key.
            parts.push(0);
        }
        parts
    }

    /// Divides the entries of each rule that suppresses or has `once`.
    fn suppressed(&self, division: &mut KeyDivision<'_>) -> Vec<Suppressed<'e>> {
        let mut suppressed = Vec::new();
        for rule in self.engine.dispatcher().rules() {
            let Some(suppression) = rule.suppression() else { continue };
            let is_by_key = across_keys(rule.rule()).is_none();
            let is_divided = is_by_key && division.count() > 1;
            let mut part = |entry: &Key| {
                let key = is_divided.then(|| suppressed_key(rule.rule(), entry));
                key.map_or(0, |key| division.part(rule.rule(), &key))
            };
            let mut entries: Vec<(usize, (Timestamp, &Key))> = match self.extent.base() {
                Some(_) => suppression.changed().map(|entry| (part(entry.1), entry)).collect(),
                None => suppression.entries().map(|entry| (part(entry.1), entry)).collect(),
            };
            // The order of a table is another one in each engine.
            entries.sort_by_cached_key(|(part, (until, key))| (*part, *until, spread(key)));
            let entries = ByPart::new(entries);
            suppressed.push(if is_by_key || division.count() == 1 {
                Suppressed::Divided(entries)
            } else {
                let mut bytes = Vec::new();
                put_entries(&mut bytes, entries.of(0), self.engine.watermark());
                Suppressed::InEachPart(bytes)
            });
        }
        suppressed
    }

    fn keys(&self, division: &mut KeyDivision<'_>, parts: &mut BegunParts<'_, E>) {
        let dispatcher = self.engine.dispatcher();
        let cold = dispatcher.cold();
        let cold = cold.map(|cold| self.cold_keys(cold, division, parts)).unwrap_or_default();
        let mut image = Image::default();
        for group in 0..u32::try_from(dispatcher.groups().len()).unwrap_or(u32::MAX) {
            let partition = dispatcher.groups().keys(group);
            let changes = partition.changes.as_deref().filter(|_| self.extent.base().is_some());
            let mut slots: Vec<u32> = match changes {
                Some(changes) => changes.touched().to_vec(),
                None => partition.slots().map(|(slot, _)| slot).collect(),
            };
            slots.sort_unstable();
            for slot in slots.into_iter().filter_map(|slot| partition.try_slot(slot)) {
                let held = divided_states(dispatcher.rules(), &slot.key, slot.held(), division);
                for of_part in held.chunk_by(|(part, _), (next, _)| part == next) {
                    let (out, keys) = parts.keys(of_part[0].0);
                    put_key(out, group, &slot.key, of_part.len());
                    for (_, held) in of_part {
                        dispatcher.rules()[held.rule as usize].export(&held.state, &mut image);
                        if let Some(shard) = self.extent.shard() {
                            shard.renumber(held.rule, &mut image);
                        }
                        keys.put(out, held, &image);
                    }
                }
            }
            for key in changes.map_or(&[][..], Changes::gone) {
                // It may have come again.
                let is_here = partition.find(&KeyRef::of(key, dispatcher.key_hasher())).is_some();
                if !is_here && !cold.contains(&(group, key.clone())) {
                    put_key(parts.keys(0).0, group, key, 0);
                }
            }
        }
    }

    /// Writes the keys that are not in memory. Returns the keys that have changed.
    fn cold_keys(
        &self,
        cold: &Cold<E>,
        division: &mut KeyDivision<'_>,
        parts: &mut BegunParts<'_, E>,
    ) -> HashSet<(u32, Key)> {
        let rules = self.engine.dispatcher().rules();
        let mut changed = HashSet::new();
        let is_changes = self.extent.base().is_some();
        let which = if is_changes { Which::Unsaved } else { Which::All };
        // If that is not possible, the engine has failed.
        let _ = cold.look(which, rules, |group, key, held, scratch| {
            let held = divided_states(rules, key, held, division);
            let mut image = Image::default();
            for of_part in held.chunk_by(|(part, _), (next, _)| part == next) {
                let (out, keys) = parts.keys(of_part[0].0);
                put_key(out, group, key, of_part.len());
                for (_, held) in of_part {
                    if let Some(store) = scratch.store(held.rule) {
                        rules[held.rule as usize].matcher().export(store, &held.state, &mut image);
                        keys.put(out, held, &image);
                    }
                }
            }
            if is_changes && !held.is_empty() {
                changed.insert((group, key.clone()));
            }
        });
        changed
    }
}

/// Returns the state of each rule for a key with the part that the state belongs to, ordered by
/// part.
fn divided_states<'h, E: Event>(
    rules: &[RuleRuntime<E>],
    key: &Key,
    held: &'h [RuleState],
    division: &mut KeyDivision<'_>,
) -> SmallVec<[(usize, &'h RuleState); 1]> {
    let part = |held: &'h RuleState| (division.part(rules[held.rule as usize].rule(), key), held);
    let mut held: SmallVec<[_; 1]> = held.iter().map(part).collect();
    held.sort_by_key(|(part, _)| *part);
    held
}

/// Changes the number that is equal in all parts, so that it depends on all that they hold. Engines
/// with the same counts, as two that have seen one event each, would share it otherwise.
fn number_alike(parts: &mut [Option<BegunPart>]) {
    let mut hash = Fnv::new();
    for (index, part) in (0_u64..).zip(&*parts) {
        let Some(part) = part else { continue };
        hash.write(&index.to_le_bytes());
        hash.write(&part.frame.checksum().to_le_bytes());
    }
    let numbering = (hash.finish() | 1).to_le_bytes();
    for part in parts.iter_mut().flatten() {
        // Behind the flags of the engine.
        part.frame.replace(FIRST_CONTENTS + 1, &numbering);
    }
}

/// What an engine holds beside the keys, divided.
struct Contents<'e, E> {
    /// Events with their position.
    buffer: ByPart<(u64, &'e E)>,
    /// Events with their position and the time at which they were made.
    derived: ByPart<(u64, Timestamp, &'e E)>,
    suppressed: Vec<Suppressed<'e>>,
}

/// The entries of a rule that suppresses or has `once`.
enum Suppressed<'e> {
    Divided(ByPart<(Timestamp, &'e Key)>),
    /// Entries that concern several keys, as bytes. They are the same in all parts.
    InEachPart(Vec<u8>),
}

fn put_entries<'e>(
    out: &mut Vec<u8>,
    entries: impl ExactSizeIterator<Item = &'e (Timestamp, &'e Key)>,
    watermark: Timestamp,
) {
    put_len(out, entries.len());
    for (until, key) in entries {
        put_i64(out, until.as_millis().wrapping_sub(watermark.as_millis()));
        put_values(out, key.iter().map(Value::as_ref));
    }
}

/// The parts of a snapshot while they are written. A part begins when it gets something to hold.
struct BegunParts<'e, E> {
    /// What precedes the contents of the first part, and of all others.
    heads: Vec<SnapshotFrame>,
    contents: Contents<'e, E>,
    begun: Vec<Option<BegunPart>>,
    /// True if several rules can capture an event.
    shares: bool,
    watermark: Timestamp,
}

/// A part of which all is written, except for further keys.
struct BegunPart {
    frame: SnapshotFrame,
    keys: Keys,
}

impl BegunPart {
    fn end(mut self) -> (Vec<u8>, Identity) {
        self.frame.close();
        self.frame.end()
    }
}

impl<E: Portable> BegunParts<'_, E> {
    /// Begins the first part, and those with other contents than keys.
    fn begin(&mut self) {
        let Contents { buffer, derived, suppressed } = &self.contents;
        let mut parts: Vec<usize> = buffer.parts().chain(derived.parts()).collect();
        for entries in suppressed {
            if let Suppressed::Divided(entries) = entries {
                parts.extend(entries.parts());
            }
        }
        parts.push(0);
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            self.keys(part);
        }
    }

    /// Returns the place for the keys of a part.
    fn keys(&mut self, part: usize) -> (&mut Vec<u8>, &mut Keys) {
        let BegunParts { heads, contents, begun, shares, watermark } = self;
        let part = begun[part].get_or_insert_with(|| {
            let mut frame = heads[part.min(heads.len() - 1)].clone();
            contents.put(part, *watermark, &mut frame);
            frame.open(Section::Keys);
            frame.contents().push(u8::from(*shares));
            BegunPart { frame, keys: Keys::new(*shares, *watermark) }
        });
        (part.frame.contents(), &mut part.keys)
    }
}

impl<E: Portable> Contents<'_, E> {
    /// Writes the sections of a part.
    fn put(&self, part: usize, watermark: Timestamp, frame: &mut SnapshotFrame) {
        let mut scratch = Vec::new();
        frame.section(Section::Buffer, |out| {
            let events = self.buffer.of(part);
            put_len(out, events.len());
            for (number, event) in events {
                put_u64(out, *number);
                put_event(out, *event, &mut scratch);
            }
        });
        frame.section(Section::Derived, |out| {
            let events = self.derived.of(part);
            put_len(out, events.len());
            for (number, time, event) in events {
                put_u64(out, *number);
                put_i64(out, time.as_millis());
                put_event(out, *event, &mut scratch);
            }
        });
        frame.section(Section::Suppressed, |out| {
            for entries in &self.suppressed {
                match entries {
                    Suppressed::Divided(entries) => {
                        put_entries(out, entries.of(part), watermark);
                    }
                    Suppressed::InEachPart(bytes) => out.extend_from_slice(bytes),
                }
            }
        });
    }
}

/// The rule sets that the rules are of, each once.
fn texts<E: Event>(rules: &[RuleRuntime<E>]) -> Vec<RuleSet> {
    let mut texts: Vec<RuleSet> = Vec::new();
    for text in rules.iter().filter_map(RuleRuntime::text) {
        // Rules of one set follow each other.
        if !texts.iter().rev().any(|other| other.is(text)) {
            texts.push(text.clone());
        }
    }
    texts
}

fn put_rules<E: Event>(out: &mut Vec<u8>, rules: &[RuleRuntime<E>], texts: &[RuleSet]) {
    put_len(out, rules.len());
    for running in rules {
        let rule = running.rule();
        put_bytes(out, rule.name.as_bytes());
        out.extend_from_slice(&rule.version.to_le_bytes());
        out.extend_from_slice(&running.program().layout().to_le_bytes());
        put_len(out, rule.key.len());
        out.push(u8::from(running.is_text()));
        out.push(u8::from(running.suppression().is_some()));
        let text = running.text().and_then(|text| texts.iter().position(|other| other.is(text)));
        put_len(out, text.map_or(0, |text| text + 1));
    }
}

fn put_schema(out: &mut Vec<u8>, schema: &Schema) {
    put_len(out, schema.len());
    for (_, EventType { name, fields, time, open }) in schema.types() {
        put_bytes(out, name.as_bytes());
        out.push(u8::from(*open));
        put_len(out, time.map_or(0, |time| time.index() + 1));
        put_len(out, fields.len());
        for field in fields {
            put_bytes(out, field.name.as_bytes());
            out.push(u8::from(field.optional));
            put_field_type(out, &field.ty);
        }
    }
}
