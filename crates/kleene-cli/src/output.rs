//! Results, one a line: JSON objects, or short lines for people (`--brief`).

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kleene::hir::Report;
use kleene::schema::{EventType, FieldId, Schema};
use kleene::stream::MatchSet;
use kleene::value::{Value, ValueRef};
use kleene::{Event as _, Match, Record, Timeout};
use smallvec::SmallVec;

use crate::disk::{self, Written};

/// Writes matches and timeouts.
pub(crate) struct Output {
    writer: BufWriter<Box<dyn Write + Send>>,
    /// What is written to, if it is a regular file.
    file: Option<File>,
    /// The directory that has its name, until that is for good.
    directory: Option<PathBuf>,
    /// True if someone may be waiting to read.
    is_live: bool,
    /// True if it goes to the terminal.
    is_terminal: bool,
    /// What writing failed with; nothing is written after that.
    failure: Option<io::Error>,
    has_unflushed: bool,
    line: Vec<u8>,
    shapes: Shapes,
}

/// How results are written: one line each.
#[derive(Clone)]
pub(crate) struct Shapes {
    /// By type id.
    all: Arc<[Shape]>,
    /// The name of the time of events that declare none.
    time_field: Arc<str>,
    /// True if lines are short, and no JSON.
    is_brief: bool,
}

/// How the events of a type are written.
struct Shape {
    name: Arc<str>,
    /// True if a declared field of that name stands for the type already.
    has_type_field: bool,
    /// The name under which the event's time is written first.
    time_name: Arc<str>,
    /// The fields but that of the event time, in the order of declaration.
    fields: Vec<Member>,
}

/// A field or an object of fields.
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

/// The directory of a file, which has its name.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// A file to write to: anew, or from a length on that it has at least.
pub(crate) fn open_from(path: &Path, kept: Option<u64>) -> io::Result<File> {
    let Some(kept) = kept else {
        // It is made with `O_CREAT` alone, and emptied only once it is known to be a file.
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.is_file() {
            disk::set_len(&file, 0)?;
        }
        return Ok(file);
    };
    let mut file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    if length < kept {
        let text = format!("it had {kept} bytes at the last checkpoint, and has only {length} now");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    disk::set_len(&file, kept)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

impl Output {
    /// Opens a file to write to, or standard output for `-`. Events without a declared time have it
    /// under `time_field`. With `is_brief`, lines are short, and for people.
    ///
    /// What is in a file is lost, unless it is to be kept up to a length: then writing goes on
    /// there.
    pub(crate) fn open(
        path: &Path,
        kept: Option<u64>,
        schema: &Schema,
        time_field: &str,
        is_brief: bool,
    ) -> Result<Output> {
        let mut regular = None;
        let (writer, is_live, is_terminal): (Box<dyn Write + Send>, _, _) =
            if path == Path::new("-") {
                let stdout = io::stdout();
                let is_terminal = stdout.is_terminal();
                (Box::new(stdout), true, is_terminal)
            } else {
                let file = open_from(path, kept)
                    .with_context(|| format!("cannot write the output {}", path.display()))?;
                let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
                regular = file.try_clone().ok().filter(|_| is_file);
                (Box::new(Written(file)), !is_file, false)
            };
        Ok(Output {
            writer: BufWriter::with_capacity(64 << 10, writer),
            directory: regular.as_ref().map(|_| directory_of(path)),
            file: regular,
            is_live,
            is_terminal,
            failure: None,
            has_unflushed: false,
            line: Vec::new(),
            shapes: Shapes::new(schema, time_field.into(), is_brief),
        })
    }

    /// How it writes results.
    pub(crate) fn shapes(&self) -> Shapes {
        self.shapes.clone()
    }

    /// Goes on with events of the types of `schema`.
    pub(crate) fn renew(&mut self, schema: &Schema) {
        self.shapes = Shapes::new(schema, self.shapes.time_field.clone(), self.shapes.is_brief);
    }

    /// Writes a match.
    pub(crate) fn matched(&mut self, found: &Match<'_, Record>) {
        self.write(|shapes, line| shapes.matched(line, found));
    }

    /// Writes a timeout.
    pub(crate) fn timed_out(&mut self, timeout: &Timeout<'_, Record>) {
        self.write(|shapes, line| shapes.timed_out(line, timeout));
    }

    /// Hands over what was written so far, if someone may be waiting for it.
    pub(crate) fn flush_if_live(&mut self) {
        if self.is_live && self.has_unflushed {
            self.flush();
        }
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) {
        self.has_unflushed = false;
        if self.failure.is_none() {
            self.failure = self.writer.flush().err();
        }
    }

    /// Makes sure that what was written so far outlives the machine's going down, and gives how
    /// long it is, if it is a file.
    pub(crate) fn settle(&mut self) -> Option<u64> {
        self.flush();
        let file = self.file.as_mut()?;
        let synced = disk::sync_data(file).and_then(|()| match &self.directory {
            Some(directory) => disk::sync_directory(directory),
            None => Ok(()),
        });
        match synced.and_then(|()| file.stream_position()) {
            Ok(length) => {
                self.directory = None;
                Some(length)
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    /// What writing failed with, if it did.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// True if it goes to the terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// True if writing failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn write(&mut self, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        if self.has_failed() {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        write(&self.shapes, &mut line);
        self.write_line(&line);
        self.line = line;
    }

    /// Writes a line that [`Shapes`] made.
    pub(crate) fn write_line(&mut self, line: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.writer.write_all(line).err();
            self.has_unflushed = true;
        }
    }
}

impl Shapes {
    fn new(schema: &Schema, time_field: Arc<str>, is_brief: bool) -> Shapes {
        let all = schema.types().map(|(_, ty)| Shape::new(ty, &time_field)).collect();
        Shapes { all, time_field, is_brief }
    }

    /// Adds the line of a match.
    pub(crate) fn matched(&self, line: &mut Vec<u8>, found: &Match<'_, Record>) {
        if self.is_brief {
            return write_brief(line, "", found);
        }
        self.write(line, "match", found, None);
    }

    /// Adds the line of a timeout.
    pub(crate) fn timed_out(&self, line: &mut Vec<u8>, timeout: &Timeout<'_, Record>) {
        if self.is_brief {
            return write_brief(line, "timeout  ", timeout.as_match());
        }
        self.write(line, "timeout", timeout.as_match(), Some(timeout));
    }

    fn write(
        &self,
        line: &mut Vec<u8>,
        kind: &str,
        found: &Match<'_, Record>,
        timeout: Option<&Timeout<'_, Record>>,
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
        for (name, value) in found.key() {
            comma.name(line, name);
            write_value(line, value.as_ref());
        }
        line.extend_from_slice(b"},\"start\":");
        write_value(line, ValueRef::Time(found.start()));
        line.extend_from_slice(b",\"end\":");
        write_value(line, ValueRef::Time(found.end()));
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
    fn write_events(&self, line: &mut Vec<u8>, found: &Match<'_, Record>) {
        let mut names: SmallVec<[&Arc<str>; 8]> = SmallVec::new();
        for (name, _) in found.events() {
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
            for (_, event) in found.events().filter(|(of, _)| *of == name) {
                comma.next(line);
                self.write_event(line, event);
            }
            line.push(b']');
        }
        line.push(b'}');
    }

    fn write_event(&self, line: &mut Vec<u8>, event: &Record) {
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
fn set_of<'a>(found: &Match<'a, Record>) -> Option<MatchSet<'a, Record>> {
    let set = found.set();
    (found.rule().pattern.report != Report::All && set.count() > 0).then_some(set)
}

/// Writes the short line of a result: when it ended, its rule, and what is emitted, or else the
/// key.
fn write_brief(line: &mut Vec<u8>, kind: &str, found: &Match<'_, Record>) {
    // Writing to memory does not fail.
    let _ = write!(line, "{}  {}  {kind}", ValueRef::Time(found.end()), found.rule().name);
    let fields = found.emit();
    if fields.len() > 0 {
        fields.for_each(|(name, value)| write_pair(line, name, value.as_ref()));
    } else {
        found.key().for_each(|(name, value)| write_pair(line, name, value.as_ref()));
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
pub(crate) fn write_text(line: &mut Vec<u8>, text: &str) {
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
pub(crate) fn write_value(line: &mut Vec<u8>, value: ValueRef<'_>) {
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
