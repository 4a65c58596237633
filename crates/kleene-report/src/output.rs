//! Outputs, one a line: JSON objects, or short lines for people.

use std::borrow::Borrow;
use std::io::Write as _;
use std::sync::Arc;

use kleene::schema::{EventType, FieldId, Schema};
use kleene::stream::{MatchSet, Overflow};
use kleene::value::{Value, ValueRef};
use kleene::{Event, Match, Record, Timeout};
use kleene_syntax::hir::Report;
use smallvec::SmallVec;

/// The form of a line of output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LineForm {
    /// A JSON object.
    Json,
    /// A short line for people.
    Brief,
}

/// The layout of results: one line each.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// By type id.
    all: Arc<[Shape]>,
    /// The name of the time of events that declare none.
    time_field: Arc<str>,
    form: LineForm,
}

/// The layout of the events of a type.
#[derive(Debug)]
struct Shape {
    name: Arc<str>,
    /// True if a declared field already has the type under that name.
    has_type_field: bool,
    /// The name under which the event's time is written first.
    time_name: Arc<str>,
    /// The fields except the event time, in the order of declaration.
    fields: Vec<Member>,
}

/// A field or an object of fields.
#[derive(Debug)]
enum Member {
    Field(Arc<str>, FieldId),
    Object(Arc<str>, Vec<Member>),
}

impl Shape {
    fn new(ty: &EventType, time_field: &str) -> Shape {
        let time_name = match ty.time {
            Some(id) => ty.field(id).name.clone(),
            None => time_field.into(),
        };
        let mut fields = Vec::new();
        for (index, field) in ty.fields.iter().enumerate() {
            if field.name != time_name {
                insert(&mut fields, &field.name, FieldId::new(index));
            }
        }
        let has_type_field = ty.field_id("type").is_some();
        Shape { name: ty.name.clone(), has_type_field, time_name, fields }
    }
}

fn insert(members: &mut Vec<Member>, path: &str, id: FieldId) {
    let Some((name, rest)) = path.split_once('.') else {
        members.push(Member::Field(path.into(), id));
        return;
    };
    for member in &mut *members {
        if let Member::Object(object, inner) = member
            && **object == *name
        {
            return insert(inner, rest, id);
        }
    }
    let mut inner = Vec::new();
    insert(&mut inner, rest, id);
    members.push(Member::Object(name.into(), inner));
}

impl Shapes {
    /// Makes the layout for events of the types of `schema`. Events without a declared time have it
    /// under `time_field`.
    pub fn new(schema: &Schema, time_field: Arc<str>, form: LineForm) -> Shapes {
        let all = schema.types().map(|(_, ty)| Shape::new(ty, &time_field)).collect();
        Shapes { all, time_field, form }
    }

    /// Returns the layout for events of the types of another schema.
    #[must_use]
    pub fn renewed(&self, schema: &Schema) -> Shapes {
        Shapes::new(schema, self.time_field.clone(), self.form)
    }

    /// Adds the line of a match.
    pub fn matched<E: Event + Borrow<Record>>(&self, line: &mut Vec<u8>, found: &Match<'_, E>) {
        if self.form == LineForm::Brief {
            return write_brief(line, "", found);
        }
        self.write(line, "match", found, None);
    }

    /// Adds the line of a timeout.
    pub fn timed_out<E: Event + Borrow<Record>>(
        &self,
        line: &mut Vec<u8>,
        timeout: &Timeout<'_, E>,
    ) {
        if self.form == LineForm::Brief {
            return write_brief(line, "timeout  ", timeout.as_match());
        }
        self.write(line, "timeout", timeout.as_match(), Some(timeout));
    }

    /// Adds the line of a limit that was reached for a key of a rule. Other limits have no line.
    pub fn limited(&self, line: &mut Vec<u8>, overflow: &Overflow) {
        let Some(of) = &overflow.key else { return };
        let (rule, limit) = (&*of.rule, overflow.limit.as_str());
        let key = || of.parts.iter().map(|(name, value)| (name, value.as_ref()));
        if self.form == LineForm::Brief {
            // Writing to memory does not fail.
            let _ = write!(line, "{}  {rule}  limit  {limit}  ", ValueRef::Time(overflow.time));
            key().for_each(|(name, value)| write_pair(line, name, value));
            let _ = writeln!(line, "dropped={}", overflow.dropped);
            return;
        }
        line.extend_from_slice(b"{\"rule\":");
        write_text(line, rule);
        line.extend_from_slice(b",\"version\":");
        write_hex(line, of.version);
        line.extend_from_slice(b",\"kind\":\"limit\",\"key\":{");
        let mut comma = Comma::default();
        for (name, value) in key() {
            comma.name(line, name);
            write_value(line, value);
        }
        line.extend_from_slice(b"},\"end\":");
        write_value(line, ValueRef::Time(overflow.time));
        line.extend_from_slice(b",\"limit\":");
        write_text(line, limit);
        let _ = writeln!(line, ",\"dropped\":{}}}", overflow.dropped);
    }

    fn write<E: Event + Borrow<Record>>(
        &self,
        line: &mut Vec<u8>,
        kind: &str,
        found: &Match<'_, E>,
        timeout: Option<&Timeout<'_, E>>,
    ) {
        line.extend_from_slice(b"{\"rule\":");
        write_text(line, &found.rule().name);
        line.extend_from_slice(b",\"version\":");
        write_hex(line, found.rule().version);
        line.extend_from_slice(b",\"kind\":");
        write_text(line, kind);
        line.extend_from_slice(b",\"id\":");
        write_hex(line, found.id().as_u64());
        line.extend_from_slice(b",\"key\":{");
        let mut comma = Comma::default();
        for (name, value) in found.key_values() {
            comma.name(line, name);
            write_value(line, value.as_ref());
        }
        line.extend_from_slice(b"},\"start\":");
        write_value(line, ValueRef::Time(found.first_event_at()));
        line.extend_from_slice(b",\"end\":");
        write_value(line, ValueRef::Time(found.reported_at()));
        if let Some(set) = set_of(found) {
            // Writing to memory does not fail.
            let _ = write!(line, ",\"count\":{}", set.count());
            if set.is_saturated() {
                line.extend_from_slice(b",\"saturated\":true");
            }
        }
        if let Some(timeout) = timeout {
            line.extend_from_slice(b",\"reached\":");
            let reached = timeout.reached();
            write_value(line, reached.map_or(ValueRef::Null, |name| ValueRef::String(name)));
            line.extend_from_slice(b",\"awaits\":[");
            let mut comma = Comma::default();
            for name in timeout.awaits() {
                comma.next(line);
                write_text(line, name);
            }
            line.push(b']');
        }
        line.extend_from_slice(b",\"events\":");
        self.write_events(line, found);
        line.extend_from_slice(b",\"emit\":");
        match found.to_record() {
            Value::Null => line.extend_from_slice(b"{}"),
            emit => write_value(line, emit.as_ref()),
        }
        line.extend_from_slice(b"}\n");
    }

    /// The events by the names of their steps, in the order in which the steps were reached.
    fn write_events<E: Event + Borrow<Record>>(&self, line: &mut Vec<u8>, found: &Match<'_, E>) {
        let mut names: SmallVec<[&Arc<str>; 8]> = SmallVec::new();
        for (name, _) in found.captures() {
            // Events of one step mostly come one after the other.
            if names.last() != Some(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
        line.push(b'{');
        let mut comma = Comma::default();
        for name in names {
            comma.name(line, name);
            line.push(b'[');
            let mut comma = Comma::default();
            for (_, event) in found.captures().filter(|(of, _)| *of == name) {
                comma.next(line);
                self.write_event(line, event.borrow());
            }
            line.push(b']');
        }
        line.push(b'}');
    }

    /// Adds an event as an object.
    pub fn write_event(&self, line: &mut Vec<u8>, event: &Record) {
        let shape = &self.all[event.type_id().index()];
        line.push(b'{');
        let mut comma = Comma::default();
        if !shape.has_type_field {
            comma.name(line, "type");
            write_text(line, &shape.name);
        }
        comma.name(line, &shape.time_name);
        write_value(line, ValueRef::Time(event.time()));
        write_members(line, &mut comma, &shape.fields, event, event.extra());
        line.push(b'}');
    }
}

/// Writes the fields that are there, those of open types last. What an object has of both declared
/// and undeclared fields is put together again.
fn write_members(
    line: &mut Vec<u8>,
    comma: &mut Comma,
    members: &[Member],
    event: &Record,
    extra: &[(Arc<str>, Value)],
) {
    for member in members {
        match member {
            Member::Field(name, id) => {
                let value = event.field(*id);
                if !value.is_null() {
                    comma.name(line, name);
                    write_value(line, value);
                }
            }
            Member::Object(name, members) => {
                let rest = extra.iter().find(|(undeclared, _)| undeclared == name);
                let rest = match rest {
                    Some((_, Value::Record(fields))) => &**fields,
                    _ => &[],
                };
                let (length, before) = (line.len(), comma.clone());
                comma.name(line, name);
                line.push(b'{');
                let mut inner = Comma::default();
                write_members(line, &mut inner, members, event, rest);
                line.push(b'}');
                if inner.is_first() {
                    line.truncate(length);
                    *comma = before;
                }
            }
        }
    }
    let is_object = |name: &Arc<str>| {
        members.iter().any(|member| matches!(member, Member::Object(object, _) if object == name))
    };
    for (name, value) in extra.iter().filter(|(name, _)| !is_object(name)) {
        comma.name(line, name);
        write_value(line, value.as_ref());
    }
}

/// The set that a match belongs to, if its rule reports sets otherwise than match by match.
fn set_of<'a, E: Event>(found: &Match<'a, E>) -> Option<MatchSet<'a, E>> {
    let set = found.set();
    (found.rule().pattern.report != Report::All && set.count() > 0).then_some(set)
}

/// Writes the short line of a result: when it ended, its rule, and what is emitted, or else the
/// key.
fn write_brief<E: Event>(line: &mut Vec<u8>, kind: &str, found: &Match<'_, E>) {
    // Writing to memory does not fail.
    let _ = write!(line, "{}  {}  {kind}", ValueRef::Time(found.reported_at()), found.rule().name);
    let fields = found.emit();
    if fields.len() > 0 {
        fields.for_each(|(name, value)| write_pair(line, name, value.as_ref()));
    } else {
        found.key_values().for_each(|(name, value)| write_pair(line, name, value.as_ref()));
        if let Some(set) = set_of(found) {
            let more = if set.is_saturated() { "+" } else { "" };
            let _ = write!(line, "matches={}{more}", set.count());
        }
    }
    line.truncate(line.trim_ascii_end().len());
    line.push(b'\n');
}

/// Writes `name=value` and a blank. A text is written as it is where it is one word; else in
/// quotes, and with what a terminal would obey escaped.
fn write_pair(line: &mut Vec<u8>, name: &str, value: ValueRef<'_>) {
    let is_plain = |c: char| !(c.is_control() || c.is_whitespace() || "\"\\={}[]".contains(c));
    line.extend_from_slice(name.as_bytes());
    line.push(b'=');
    match value {
        ValueRef::String(text) if !text.is_empty() && text.chars().all(is_plain) => {
            line.extend_from_slice(text.as_bytes());
        }
        // Writing to memory does not fail.
        ValueRef::String(text) => drop(write!(line, "{text:?}")),
        ValueRef::Time(_) | ValueRef::Duration(_) | ValueRef::Ip(_) => {
            drop(write!(line, "{value}"));
        }
        value => write_value(line, value),
    }
    line.push(b' ');
}

/// Puts a comma before each but the first.
#[derive(Clone, Default)]
struct Comma(bool);

impl Comma {
    fn next(&mut self, line: &mut Vec<u8>) {
        if self.0 {
            line.push(b',');
        }
        self.0 = true;
    }

    fn name(&mut self, line: &mut Vec<u8>, name: &str) {
        self.next(line);
        write_text(line, name);
        line.push(b':');
    }

    fn is_first(&self) -> bool {
        !self.0
    }
}

/// Writes a string of JSON.
pub fn write_text(line: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\') {
        return write_json(line, text);
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
}

/// Writes a number as a string of 16 hexadecimal digits.
fn write_hex(line: &mut Vec<u8>, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    for byte in number.to_be_bytes() {
        line.push(DIGITS[usize::from(byte >> 4)]);
        line.push(DIGITS[usize::from(byte & 15)]);
    }
    line.push(b'"');
}

/// Writes a value as JSON: times as RFC 3339, durations as rules spell them, addresses as text,
/// floats that JSON has no number for as null.
pub fn write_value(line: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => line.extend_from_slice(b"null"),
        ValueRef::Bool(b) => write_json(line, &b),
        ValueRef::Int(i) => write_json(line, &i),
        ValueRef::Float(x) => write_json(line, &x),
        ValueRef::String(text) => write_text(line, text),
        // None of these has a character that needs escaping.
        ValueRef::Time(_) | ValueRef::Duration(_) | ValueRef::Ip(_) => {
            line.push(b'"');
            // Writing to memory does not fail.
            let _ = write!(line, "{value}");
            line.push(b'"');
        }
        ValueRef::List(items) => {
            line.push(b'[');
            let mut comma = Comma::default();
            for item in items {
                comma.next(line);
                write_value(line, item.as_ref());
            }
            line.push(b']');
        }
        ValueRef::Items(items) => {
            line.push(b'[');
            let mut comma = Comma::default();
            for index in 0..items.len() {
                comma.next(line);
                write_value(line, items.get(index));
            }
            line.push(b']');
        }
        ValueRef::Record(fields) => {
            line.push(b'{');
            let mut comma = Comma::default();
            for (name, value) in fields {
                comma.name(line, name);
                write_value(line, value.as_ref());
            }
            line.push(b'}');
        }
    }
}

fn write_json<T: serde::Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) {
    // Writing text and numbers to memory does not fail.
    let _ = serde_json::to_writer(line, value);
}
