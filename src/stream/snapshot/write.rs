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
use crate::stream::snapshot::frame::{Section, SnapshotFrame};
use crate::stream::snapshot::saved::{COUNTERS, HAS_MAIN, HAS_NEWEST, IS_FINISHED};
use crate::stream::stats::Stats;
use kleene_automata::exec::Image;
use kleene_event::event::{Event, Portable};
use kleene_event::schema::{EventType, FieldType, Schema};
use kleene_event::util::fnv::Fnv;
use kleene_event::util::wire::{put_bytes, put_i64, put_len, put_u64};
use kleene_event::value::Value;
use kleene_event::value::wire::{put_value, put_values};
use kleene_syntax::hir::{Once, Rule};

/// Selects the keys to write.
type Filter<'f> = dyn FnMut(&Rule, &[Value]) -> bool + 'f;

/// Writes the state of an engine. Returns `None` and writes nothing if a cold store cannot be read.
pub(super) fn whole<E: Portable>(engine: &Ingest<E>, out: &mut Vec<u8>) -> Option<Identity> {
    SnapshotWriter { engine, base: None, share: None, filter: None, part: None }.write(out)
}

/// Writes the changes since the snapshot `base`. Returns `None` and writes nothing if a cold store
/// cannot be read.
pub(super) fn changes<E: Portable>(
    engine: &Ingest<E>,
    base: Identity,
    out: &mut Vec<u8>,
) -> Option<Identity> {
    SnapshotWriter { engine, base: Some(base), share: None, filter: None, part: None }.write(out)
}

/// Writes the state of some keys: one of several parts. The first part has the state that cannot be
/// divided.
pub(super) fn shard<E: Portable>(
    engine: &Ingest<E>,
    share: usize,
    filter: &mut Filter<'_>,
    out: &mut Vec<u8>,
) {
    SnapshotWriter { engine, base: None, share: Some(share), filter: Some(filter), part: None }
        .write(out);
}

/// Writes the state of one of several shards. `all` are the counts of all shards. The first shard
/// writes the state that is equal in all shards.
pub(super) fn part<E: Portable>(
    engine: &Ingest<E>,
    share: &ShardContext,
    all: Stats,
    out: &mut Vec<u8>,
) {
    let numbers = engine.dispatcher().fed_numbers(share);
    let part = Some(ShardPart { share, all, numbers });
    SnapshotWriter { engine, base: None, share: Some(share.index()), filter: None, part }
        .write(out);
}

struct SnapshotWriter<'e, 'f, E: Event> {
    engine: &'e Ingest<E>,
    /// The snapshot that the changes follow.
    base: Option<Identity>,
    share: Option<usize>,
    filter: Option<&'f mut Filter<'f>>,
    /// The place among the shards, if the engine is one of several.
    part: Option<ShardPart<'e>>,
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

impl<E: Portable> SnapshotWriter<'_, '_, E> {
    fn write(mut self, out: &mut Vec<u8>) -> Option<Identity> {
        let mut frame = SnapshotFrame::begin(out);
        if let Some(base) = self.base {
            frame.section(Section::Base, |out| {
                out.extend_from_slice(&base.checksum.to_le_bytes());
                out.extend_from_slice(&base.length.to_le_bytes());
            });
        }
        frame.section(Section::Engine, |out| self.engine(out));
        if self.base.is_none() {
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
        frame.section(Section::Buffer, |out| self.buffer(out));
        frame.section(Section::Derived, |out| self.derived(out));
        frame.section(Section::Suppressed, |out| self.suppressed(out));
        frame.section(Section::Keys, |out| self.keys(out));
        let identity = frame.end();
        // An engine that failed in the middle of an event has no state from which it could
        // continue.
        if matches!(self.engine.dispatcher().failure(), Some(PushError(PushFailure::Cold(_)))) {
            out.clear();
            return None;
        }
        Some(identity)
    }

    fn engine(&self, out: &mut Vec<u8>) {
        let engine = self.engine;
        let is_first = self.share.is_none_or(|share| share == 0);
        out.push(
            HAS_NEWEST
                | if engine.has_ended() { IS_FINISHED } else { 0 }
                | if engine.has_main_source() { HAS_MAIN } else { 0 },
        );
        // Of one engine at one moment: the numbers of events mean the same in all shares.
        out.extend_from_slice(&self.share.map_or(0, |_| self.numbering()).to_le_bytes());
        put_i64(out, engine.watermark().as_millis());
        put_i64(out, engine.newest().as_millis());
        put_u64(
            out,
            self.part.as_ref().map_or(engine.dispatcher().released(), ShardPart::released),
        );
        let sources = engine.sources();
        put_len(out, sources.len());
        for (name, watermark, idle) in sources {
            put_bytes(out, name.as_bytes());
            put_i64(out, watermark.as_millis());
            out.push(u8::from(idle));
        }
        let mut stats = self.part.as_ref().map_or_else(|| engine.stats(), |part| part.all);
        put_len(out, COUNTERS);
        for counter in stats.counters_mut() {
            put_u64(out, if is_first { *counter } else { 0 });
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
        let (mut stats, released) = match &self.part {
            Some(part) => (part.all, part.share.released()),
            None => (self.engine.stats(), self.engine.dispatcher().released()),
        };
        let mut number = |number: u64| hash.write(&number.to_le_bytes());
        number(released);
        number(self.engine.watermark().as_millis().cast_unsigned());
        stats.counters_mut().into_iter().for_each(|counter| number(*counter));
        self.engine.dispatcher().rules().iter().for_each(|rule| number(rule.rule().version));
        hash.finish() | 1
    }

    /// True if an event belongs to this part: it has a rule and a key for the event.
    fn wants(&mut self, event: &E) -> bool {
        let (Some(filter), Some(share)) = (&mut self.filter, self.share) else { return true };
        let Some(readers) = self.engine.dispatcher().keys_of(event) else { return share == 0 };
        let mut has_key = false;
        for (rule, keys) in readers {
            has_key |= !keys.is_empty();
            if keys.iter().any(|key| filter(rule, key)) {
                return true;
            }
        }
        // It is counted once that it has none.
        !has_key && share == 0
    }

    fn buffer(&mut self, out: &mut Vec<u8>) {
        let mut events: Vec<_> = (0..).zip(self.engine.buffered()).collect();
        if self.part.as_ref().is_some_and(|part| !part.share.is_first()) {
            events.clear();
        }
        events.retain(|(_, event)| self.wants(event));
        put_len(out, events.len());
        let mut scratch = Vec::new();
        for (number, event) in events {
            put_u64(out, number);
            put_event(out, event, &mut scratch);
        }
    }

    fn derived(&mut self, out: &mut Vec<u8>) {
        let mut events: Vec<_> = (0..).zip(self.engine.dispatcher().derived()).collect();
        events.retain(|(_, (_, event))| self.wants(event));
        put_len(out, events.len());
        let mut scratch = Vec::new();
        for (number, (time, event)) in events {
            put_u64(out, number);
            put_i64(out, time.as_millis());
            put_event(out, event, &mut scratch);
        }
    }

    fn suppressed(&mut self, out: &mut Vec<u8>) {
        let watermark = self.engine.watermark().as_millis();
        for rule in self.engine.dispatcher().rules() {
            let Some(suppression) = rule.suppression() else { continue };
            // A suppression that is not by the key is the same in all shares.
            let is_by_key = rule.rule().suppress.as_ref().is_some_and(|by| by.by.is_none())
                || rule.once() == Some(Once::Key);
            let mut entries: Vec<_> = match self.base {
                Some(_) => suppression.changed().collect(),
                None => suppression.entries().collect(),
            };
            if let Some(filter) = self.filter.as_mut().filter(|_| is_by_key) {
                entries.retain(|(_, key)| filter(rule.rule(), key));
            }
            // The order of a table is another one in each engine.
            entries.sort_by_cached_key(|(until, key)| (*until, spread(key)));
            put_len(out, entries.len());
            for (until, key) in entries {
                put_i64(out, until.as_millis().wrapping_sub(watermark));
                put_values(out, key.iter().map(Value::as_ref));
            }
        }
    }

    fn keys(&mut self, out: &mut Vec<u8>) {
        let (dispatcher, watermark) = (self.engine.dispatcher(), self.engine.watermark());
        let mut keys = Keys::new(dispatcher.rules().len() > 1, watermark);
        out.push(u8::from(keys.shares));
        let cold = dispatcher.cold();
        let cold = cold.map(|cold| self.cold_keys(cold, &mut keys, out)).unwrap_or_default();
        let mut image = Image::default();
        for group in 0..u32::try_from(dispatcher.groups().len()).unwrap_or(u32::MAX) {
            let partition = dispatcher.groups().keys(group);
            let changes = partition.changes.as_deref().filter(|_| self.base.is_some());
            let mut slots: Vec<u32> = match changes {
                Some(changes) => changes.touched().to_vec(),
                None => partition.slots().map(|(slot, _)| slot).collect(),
            };
            slots.sort_unstable();
            for slot in slots.into_iter().filter_map(|slot| partition.try_slot(slot)) {
                let rule = |held: &RuleState| &dispatcher.rules()[held.rule as usize];
                let mut held: SmallVec<[&RuleState; 1]> = slot.held().iter().collect();
                if let Some(filter) = &mut self.filter {
                    held.retain(|held| filter(rule(held).rule(), &slot.key));
                }
                if held.is_empty() {
                    continue;
                }
                put_key(out, group, &slot.key, held.len());
                for held in held {
                    rule(held).export(&held.state, &mut image);
                    if let Some(part) = &self.part {
                        part.renumber(held.rule, &mut image);
                    }
                    keys.put(out, held, &image);
                }
            }
            for key in changes.map_or(&[][..], Changes::gone) {
                // It may have come again.
                let is_here = partition.find(&KeyRef::of(key, dispatcher.key_hasher())).is_some();
                if !is_here && !cold.contains(&(group, key.clone())) {
                    put_key(out, group, key, 0);
                }
            }
        }
    }
}

impl<E: Portable> SnapshotWriter<'_, '_, E> {
    /// Writes the keys that are not in memory. Gives those that have changed.
    fn cold_keys(
        &mut self,
        cold: &Cold<E>,
        keys: &mut Keys,
        out: &mut Vec<u8>,
    ) -> HashSet<(u32, Key)> {
        let rules = self.engine.dispatcher().rules();
        let mut changed = HashSet::new();
        let which = if self.base.is_some() { Which::Unsaved } else { Which::All };
        // If that is not possible, the engine has failed.
        let _ = cold.look(which, rules, |group, key, held, scratch| {
            let mut held: SmallVec<[&RuleState; 1]> = held.iter().collect();
            if let Some(filter) = &mut self.filter {
                held.retain(|held| filter(rules[held.rule as usize].rule(), key));
            }
            if held.is_empty() {
                return;
            }
            put_key(out, group, key, held.len());
            let mut image = Image::default();
            for held in held {
                if let Some(store) = scratch.store(held.rule) {
                    rules[held.rule as usize].matcher().export(store, &held.state, &mut image);
                    keys.put(out, held, &image);
                }
            }
            if which == Which::Unsaved {
                changed.insert((group, key.clone()));
            }
        });
        changed
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
            let (mut lists, mut ty) = (0, &field.ty);
            while let FieldType::List(element) = ty {
                (lists, ty) = (lists + 1, element);
            }
            put_len(out, lists);
            out.push(match ty {
                FieldType::Bool => 0,
                FieldType::Int => 1,
                FieldType::Float => 2,
                FieldType::String => 3,
                FieldType::Time => 4,
                FieldType::Duration => 5,
                FieldType::Ip => 6,
                FieldType::Any | FieldType::List(_) => 7,
            });
        }
    }
}
