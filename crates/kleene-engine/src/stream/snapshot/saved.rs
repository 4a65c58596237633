//! The contents of a snapshot's sections, except for the keys.

use std::sync::Arc;

use crate::stream::engine::Identity;
use crate::stream::error::{LimitFailure, PushError, PushFailure};
use crate::stream::keys::key::Key;
use crate::stream::keys::wire::{KeyDecoder, SavedKey};
use crate::stream::snapshot::RestoreError;
use crate::stream::snapshot::frame::{Section, Sections};
use crate::stream::stats::Stats;
use kleene_event::event::Portable;
use kleene_event::schema::{EventType, Field, FieldId, FieldType, Schema};
use kleene_event::time::Timestamp;
use kleene_event::util::wire::Reader;
use kleene_event::value::wire::{read_value, read_values};

/// The number of counters in a snapshot, in the order of [`Stats::counters_mut`]. The first
/// snapshots had twelve.
pub(super) const COUNTERS: usize = 15;

// Flags of the engine.
pub(super) const IS_FINISHED: u8 = 1;
pub(super) const HAS_MAIN: u8 = 2;
/// Since version 7.
pub(super) const HAS_NEWEST: u8 = 4;

/// A count that no stream reaches. Counting on from it never overflows.
const MOST: u64 = 1 << 62;

/// One part of a snapshot to restore.
pub(super) struct SavedPart<'a, E> {
    pub(super) identity: Identity,
    /// The snapshot that these changes follow.
    pub(super) base: Option<Identity>,
    pub(super) engine: SavedEngine,
    /// The schema; `None` in changes, which have the schema and rules of their base.
    pub(super) schema: Option<Schema>,
    pub(super) rules: Option<Vec<SavedRule>>,
    pub(super) texts: Vec<&'a [u8]>,
    /// With their order.
    pub(super) buffer: Vec<(u64, E)>,
    /// With their order.
    pub(super) derived: Vec<(u64, Timestamp, E)>,
    /// The sections that are read once it is known which rules suppress matches.
    sections: Sections<'a>,
}

/// The state of an engine, except the state of its rules.
#[derive(Debug)]
pub(super) struct SavedEngine {
    pub(super) finished: bool,
    pub(super) has_main: bool,
    /// Equal in parts that number events alike; 0 if there is only one part.
    pub(super) numbering: u64,
    pub(super) watermark: Timestamp,
    /// The time of the newest event.
    pub(super) newest: Timestamp,
    pub(super) released: u64,
    pub(super) sources: Vec<(Arc<str>, Timestamp, bool)>,
    pub(super) stats: Stats,
    pub(super) failure: Option<PushError>,
}

/// A rule in a snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SavedRule {
    pub(super) name: Arc<str>,
    pub(super) version: u64,
    pub(super) layout: u64,
    pub(super) key_width: usize,
    pub(super) is_text: bool,
    pub(super) suppresses: bool,
    pub(super) text: Option<usize>,
}

impl<'a, E: Portable> SavedPart<'a, E> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<SavedPart<'a, E>, RestoreError> {
        let sections = Sections::read(bytes)?;
        let base = sections.optional(Section::Base, |reader| {
            let checksum = u32::from_le_bytes(reader.array()?);
            Some(Identity { checksum, length: u64::from_le_bytes(reader.array()?) })
        })?;
        let mut is_event = true;
        let mut event = |reader: &mut Reader<'a>| {
            let bytes = reader.bytes()?;
            let event = E::from_bytes(bytes);
            is_event &= event.is_some();
            event
        };
        let buffer = sections.required(Section::Buffer, |reader| {
            reader.list(|reader| Some((reader.u64()?, event(reader)?)))
        });
        let derived = sections.required(Section::Derived, |reader| {
            reader.list(|reader| {
                let number = reader.u64()?;
                let time = Timestamp::from_millis(reader.i64()?);
                Some((number, time, event(reader)?))
            })
        });
        if !is_event {
            return Err(RestoreError::Event);
        }
        Ok(SavedPart {
            identity: sections.identity,
            base,
            engine: sections.required(Section::Engine, read_engine)?,
            schema: sections.optional(Section::Schema, read_schema)?,
            rules: sections.optional(Section::Rules, read_rules)?,
            texts: sections
                .optional(Section::Texts, |reader| reader.list(Reader::bytes))?
                .unwrap_or_default(),
            buffer: buffer?,
            derived: derived?,
            sections,
        })
    }

    /// Returns the suppressed keys of each of `rules` that suppresses matches, with the end of each
    /// suppression.
    pub(super) fn suppressed(
        &self,
        rules: &[SavedRule],
    ) -> Result<Vec<Vec<(Timestamp, Key)>>, RestoreError> {
        let watermark = self.engine.watermark.as_millis();
        self.sections.required(Section::Suppressed, |reader| {
            let mut entries = || {
                reader.list(|reader| {
                    let until = Timestamp::from_millis(watermark.wrapping_add(reader.i64()?));
                    Some((until, read_values(reader)?.into_iter().collect()))
                })
            };
            let of_rule =
                |rule: &SavedRule| if rule.suppresses { entries() } else { Some(Vec::new()) };
            rules.iter().map(of_rule).collect()
        })
    }

    /// Calls `take` with each key of the part.
    pub(super) fn keys(
        &self,
        rules: &[SavedRule],
        mut take: impl FnMut(SavedKey<'a, E>) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let mut stopped = Ok(());
        let mut is_event = true;
        let width = |rule: usize| rules.get(rule).map(|rule| rule.key_width);
        let read = self.sections.required(Section::Keys, |reader| {
            let SavedEngine { watermark, released, .. } = self.engine;
            let mut keys = KeyDecoder::new(reader.bool()?, watermark, released);
            while !reader.is_at_end() {
                let key = keys.read(reader, &width);
                is_event = keys.is_event;
                stopped = take(key?);
                stopped.as_ref().ok()?;
            }
            Some(())
        });
        stopped?;
        if !is_event {
            return Err(RestoreError::Event);
        }
        read
    }
}

fn read_engine(reader: &mut Reader<'_>) -> Option<SavedEngine> {
    let flags = reader.u8().filter(|flags| *flags <= IS_FINISHED | HAS_MAIN | HAS_NEWEST)?;
    let numbering = u64::from_le_bytes(reader.array()?);
    let watermark = Timestamp::from_millis(reader.i64()?);
    let newest = if flags & HAS_NEWEST == 0 { i64::MIN } else { reader.i64()? };
    let released = reader.u64().filter(|released| *released < MOST)?;
    let sources = reader.list(|reader| {
        let name = reader.str()?.into();
        Some((name, Timestamp::from_millis(reader.i64()?), reader.bool()?))
    })?;
    let mut stats = Stats::default();
    let counters = reader.count().filter(|counters| (12..=COUNTERS).contains(counters))?;
    for counter in stats.counters_mut().into_iter().take(counters) {
        *counter = reader.u64()?;
    }
    // What the compact form stands for has no bound; these counts saturate.
    let (peak, ended) = (stats.peak_partials, stats.ended);
    (stats.peak_partials, stats.ended) = (0, 0);
    if stats.counters_mut().into_iter().any(|counter| *counter >= MOST) {
        return None;
    }
    (stats.peak_partials, stats.ended) = (peak, ended);
    let failure = if reader.bool()? {
        Some(PushError(PushFailure::Limit(Arc::new(read_failure(reader)?))))
    } else {
        None
    };
    Some(SavedEngine {
        finished: flags & IS_FINISHED != 0,
        has_main: flags & HAS_MAIN != 0,
        numbering,
        watermark,
        newest: Timestamp::from_millis(newest),
        released,
        sources,
        stats,
        failure,
    })
}

fn read_failure(reader: &mut Reader<'_>) -> Option<LimitFailure> {
    let rule = reader.str()?.into();
    let key = reader.list(|reader| Some((reader.str()?.into(), read_value(reader)?)))?;
    let limit = usize::try_from(reader.u64()?).ok()?;
    Some(LimitFailure { rule, key, limit, at: Timestamp::from_millis(reader.i64()?) })
}

fn read_schema(reader: &mut Reader<'_>) -> Option<Schema> {
    /// `list<list<..>>`: more than anyone declares.
    const MAX_LISTS: usize = 32;
    let mut schema = Schema::new();
    for _ in 0..reader.count()? {
        let name = reader.str()?.into();
        let open = reader.bool()?;
        let time = usize::try_from(reader.u64()?).ok()?;
        let fields = reader.list(|reader| {
            let name = reader.str()?.into();
            let optional = reader.bool()?;
            let lists = usize::try_from(reader.u64()?).ok().filter(|lists| *lists <= MAX_LISTS)?;
            let element = match reader.u8()? {
                0 => FieldType::Bool,
                1 => FieldType::Int,
                2 => FieldType::Float,
                3 => FieldType::String,
                4 => FieldType::Time,
                5 => FieldType::Duration,
                6 => FieldType::Ip,
                7 => FieldType::Any,
                _ => return None,
            };
            let ty = (0..lists).fold(element, |element, _| FieldType::List(Box::new(element)));
            Some(Field { name, ty, optional })
        })?;
        let time = time.checked_sub(1);
        if time.is_some_and(|time| time >= fields.len()) {
            return None;
        }
        schema.add(EventType { name, fields, time: time.map(FieldId::new), open })?;
    }
    Some(schema)
}

fn read_rules(reader: &mut Reader<'_>) -> Option<Vec<SavedRule>> {
    reader.list(|reader| {
        Some(SavedRule {
            name: reader.str()?.into(),
            version: u64::from_le_bytes(reader.array()?),
            layout: u64::from_le_bytes(reader.array()?),
            key_width: usize::try_from(reader.u64()?).ok()?,
            is_text: reader.bool()?,
            suppresses: reader.bool()?,
            text: usize::try_from(reader.u64()?).ok()?.checked_sub(1),
        })
    })
}
