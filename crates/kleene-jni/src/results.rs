//! Results as bytes, which `KleeneResult.java` reads.
//!
//! Each result is a byte with its kind, the length of its content as a 32-bit integer, its time in
//! milliseconds as a 64-bit integer (both little endian), and its content. Numbers, texts and values
//! are written as in snapshots (docs/format.md). The kinds:
//!
//! | kind | content |
//! |---|---|
//! | 0 match, 1 timeout | rule `text`, version and id `n`; key: count `n`, names `text` and `value`s; time of the first event and of the report, `i`; how many matches the set has, `n`, and a `bool` if there are more; `bool`, and if it is true the last captured step `text`; awaited steps: count `n` and `text`s; captured events: count `n`, each step `text`, type `text`, time `i`, fields: count `n`, names `text` and `value`s; emitted: count `n`, names `text` and `value`s; the line of JSON as `bytes`, or none |
//! | 2 limit | rule `text`, version `n`, key as above, time `i`, limit `text`, dropped `n`, the line of JSON as `bytes` |
//! | 3 rejected | reason `text`, type `text`, time `i`, fields as above |
//!
//! A limit that concerns all rules has an empty rule.

use std::sync::Arc;

use kleene::schema::{FieldId, Schema};
use kleene::stream::{Late, Overflow, Rejected};
use kleene::value::ValueRef;
use kleene::{Event as _, Match, Record, Sink, Timeout, Timestamp};
use kleene_event::util::wire::{put_bytes, put_i64, put_len, put_u64};
use kleene_event::value::wire::put_value;
use kleene_report::output::{EventForm, LineForm, Shapes};

const MATCH: u8 = 0;
const TIMEOUT: u8 = 1;
const LIMIT: u8 = 2;
const REJECTED: u8 = 3;

/// The bytes of results whose memory is kept.
const KEPT_BYTES: usize = 16 << 20;

/// The parts of a result that a host can leave out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResultParts {
    /// True if results have the captured events.
    pub events: bool,
    /// True if results have the line of JSON that `kleene run` writes.
    pub json: bool,
}

/// A sink that writes results as bytes.
#[derive(Debug)]
pub struct ResultWriter {
    bytes: Vec<u8>,
    /// The number of bytes that were read.
    read: usize,
    schema: Arc<Schema>,
    shapes: Option<Shapes>,
    events: bool,
}

impl ResultWriter {
    /// Makes a writer for events of this schema.
    pub fn new(schema: &Arc<Schema>, time_field: &str, parts: ResultParts) -> ResultWriter {
        let form = if parts.events { EventForm::Full } else { EventForm::None };
        let shapes = || Shapes::new(schema, time_field.into(), LineForm::Json).with_events(form);
        let shapes = parts.json.then(shapes);
        ResultWriter {
            bytes: Vec::new(),
            read: 0,
            schema: schema.clone(),
            shapes,
            events: parts.events,
        }
    }

    /// Returns what was written since the last [`drop_read`](ResultWriter::drop_read).
    pub fn read(&mut self) -> &[u8] {
        self.read = self.bytes.len();
        &self.bytes
    }

    /// Drops what was read. The memory of many results is kept for the next ones, and that of very
    /// many is not.
    pub fn drop_read(&mut self) {
        self.bytes.drain(..self.read);
        self.bytes.shrink_to(KEPT_BYTES);
        self.read = 0;
    }

    /// Takes over the results of another writer that were not read.
    pub fn continue_from(&mut self, other: &mut ResultWriter) {
        other.drop_read();
        self.bytes.append(&mut other.bytes);
    }

    /// Writes a result: its kind, its length, its time, and what `content` writes.
    fn result(&mut self, kind: u8, time: Timestamp, content: impl FnOnce(&Self, &mut Vec<u8>)) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.push(kind);
        let length = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&time.as_millis().to_le_bytes());
        let start = bytes.len();
        content(self, &mut bytes);
        // A result beyond 4 GiB does not fit into an array of Java in any case.
        let content = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
        bytes[length..length + 4].copy_from_slice(&content.to_le_bytes());
        self.bytes = bytes;
    }

    fn found(
        &self,
        out: &mut Vec<u8>,
        found: &Match<'_, Record>,
        timeout: Option<&Timeout<'_, Record>>,
    ) {
        let rule = found.rule();
        put_text(out, &rule.name);
        put_u64(out, rule.version);
        put_u64(out, found.id().as_u64());
        put_len(out, rule.key.len());
        for (name, value) in found.key_values() {
            put_text(out, name);
            put_value(out, value.as_ref());
        }
        put_time(out, found.first_event_at());
        put_time(out, found.reported_at());
        put_u64(out, found.set().count());
        out.push(u8::from(found.set().is_saturated()));
        let reached = timeout.and_then(Timeout::reached);
        out.push(u8::from(reached.is_some()));
        if let Some(step) = reached {
            put_text(out, step);
        }
        let awaits: Vec<_> = timeout.into_iter().flat_map(Timeout::awaits).collect();
        put_len(out, awaits.len());
        for step in awaits {
            put_text(out, step);
        }
        if self.events {
            let captures = found.captures();
            put_len(out, captures.len());
            for (step, event) in captures {
                put_text(out, step);
                self.event(out, event);
            }
        } else {
            put_len(out, 0);
        }
        let emit = found.emit();
        put_len(out, emit.len());
        for (name, value) in emit {
            put_text(out, name);
            put_value(out, value.as_ref());
        }
        self.json(out, |shapes, line| match timeout {
            Some(timeout) => shapes.timed_out(line, timeout),
            None => shapes.matched(line, found),
        });
    }

    /// Writes the type, the time and the fields of an event that are not null.
    fn event(&self, out: &mut Vec<u8>, event: &Record) {
        let ty = self.schema.ty(event.type_id());
        put_text(out, &ty.name);
        put_time(out, event.time());
        let declared = ty.fields.iter().enumerate();
        let fields = declared
            .map(|(field, declared)| (&declared.name, event.field(FieldId::new(field))))
            .filter(|(_, value)| !matches!(value, ValueRef::Null));
        let extra = event.extra();
        put_len(out, fields.clone().count() + extra.len());
        for (name, value) in fields {
            put_text(out, name);
            put_value(out, value);
        }
        for (name, value) in extra {
            put_text(out, name);
            put_value(out, value.as_ref());
        }
    }

    /// Writes the line of JSON, if there are lines.
    fn json(&self, out: &mut Vec<u8>, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        let mut line = Vec::new();
        if let Some(shapes) = &self.shapes {
            write(shapes, &mut line);
        }
        put_bytes(out, line.trim_ascii_end());
    }
}

impl Sink<Record> for ResultWriter {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.result(MATCH, found.reported_at(), |writer, out| writer.found(out, &found, None));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.result(TIMEOUT, timeout.reported_at(), |writer, out| {
            writer.found(out, timeout.as_match(), Some(&timeout));
        });
    }

    fn late(&mut self, late: Late<'_, Record>) {
        // The host keeps late events out. One that comes all the same is not lost.
        self.result(REJECTED, late.event.time(), |writer, out| {
            put_text(out, "the event is late");
            writer.event(out, late.event);
        });
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        self.result(REJECTED, rejected.event.time(), |writer, out| {
            put_text(out, &rejected.reason.to_string());
            writer.event(out, rejected.event);
        });
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.result(LIMIT, overflow.time, |writer, out| {
            let key = overflow.key.as_deref();
            put_text(out, key.map_or("", |key| &key.rule));
            put_u64(out, key.map_or(0, |key| key.version));
            let parts = key.map_or(&[][..], |key| &key.parts);
            put_len(out, parts.len());
            for (name, value) in parts {
                put_text(out, name);
                put_value(out, value.as_ref());
            }
            put_time(out, overflow.time);
            put_text(out, overflow.limit.as_str());
            put_u64(out, overflow.dropped);
            writer.json(out, |shapes, line| shapes.limited(line, &overflow));
        });
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    put_i64(out, time.as_millis());
}
