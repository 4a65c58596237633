//! Events as JSON, one object a line, straight into a record's values.
//!
//! A line is read twice: up to its type, and then whole with that type's layout. The type is
//! usually among the first fields, so that the first reading is short; in return the second knows
//! what each field must be, keeps nothing in between, and skips what no rule declares. Names are
//! compared with those that followed each other in the event before, and looked up where they
//! differ.

#[cfg(test)]
mod properties;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use kleene::Record;
use kleene::event::BatchBuilder;
use kleene::schema::{Field, FieldType};
use kleene::value::Value;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Deserializer;

use crate::layout::{Assembly, Layouts, Node, Reading};
use crate::scalar::{Scalar, Spelling, from_json, wrong_element};
use reader::{FaultKind, JsonFault, Reader, Scratch};

/// Reads lines of JSON as events.
#[derive(Clone, Debug)]
pub(crate) struct JsonParser {
    layouts: Layouts,
    /// The names on the way to the type.
    type_path: Vec<String>,
    /// The last type that is not declared.
    unknown: String,
    assembly: Assembly,
    scratch: Scratch,
}

impl JsonParser {
    /// A parser for events of the given layouts.
    pub(crate) fn new(layouts: Layouts) -> JsonParser {
        let type_path = layouts.reading.type_field.split('.').map(String::from).collect();
        let unknown = layouts.reading.fixed_type.clone().unwrap_or_default();
        let (assembly, scratch) = (Assembly::default(), Scratch::default());
        JsonParser { layouts, type_path, unknown, assembly, scratch }
    }

    /// Returns the layouts of events, to change them.
    pub(crate) fn layouts_mut(&mut self) -> &mut Layouts {
        &mut self.layouts
    }

    /// The event on a line: `None` if its type is not declared, the reason if it is not one.
    pub(crate) fn parse(&mut self, line: &str) -> Result<Option<Record>, String> {
        let Some(number) = self.assemble(line)? else { return Ok(None) };
        let (layout, reading) = self.layouts.get(Some(number));
        self.assembly.finish(layout, reading).map(Some)
    }

    /// Adds the event on a line to a batch. Returns false if its type is not declared.
    ///
    /// # Errors
    /// The reason why the line is not an event.
    pub(crate) fn add(&mut self, line: &str, batch: &mut BatchBuilder) -> Result<bool, String> {
        let Some(number) = self.assemble(line)? else { return Ok(false) };
        let (layout, reading) = self.layouts.get(Some(number));
        self.assembly.finish_into(batch, layout, reading).map(|()| true)
    }

    /// Reads a line. Returns the number of its type, if it is declared.
    fn assemble(&mut self, line: &str) -> Result<Option<usize>, String> {
        let number = match &self.layouts.reading.fixed_type {
            // It is what every event would be reported as.
            Some(_) => self.layouts.find(&self.unknown),
            None => self.find_type(line)?,
        };
        let (layout, reading) = self.layouts.get(number);
        let mut event = Event {
            fields: &layout.fields,
            open: layout.open,
            reading,
            assembly: &mut self.assembly,
            reader: Reader::new(line, &mut self.scratch),
        };
        event.assembly.start(layout.fields.len());
        let extra = event.whole(&mut layout.root).map_err(|fault| reason(line, fault))?;
        self.assembly.extra = extra;
        Ok(number)
    }

    /// The type of the last line whose type was not declared.
    pub(crate) fn unknown(&self) -> &str {
        &self.unknown
    }

    /// The number of the type of a line, if it is declared.
    fn find_type(&mut self, line: &str) -> Result<Option<usize>, String> {
        let mut reader = Reader::new(line, &mut self.scratch);
        let mut types = TypeNames { layouts: &mut self.layouts, unknown: &mut self.unknown };
        let found = seek(&mut reader, &self.type_path, &mut |reader| types.read(reader));
        match found {
            Ok(Some(Ok(number))) => Ok(number),
            Ok(Some(Err(reason))) => Err(format!("field `{}`: {reason}", self.type_path.join("."))),
            Ok(None) => {
                Err(format!("no event type: missing field `{}`", self.layouts.reading.type_field))
            }
            Err(fault) => Err(reason(line, fault)),
        }
    }
}

/// Reads an object up to the value at `path`, which is given to `found`.
fn seek<T>(
    reader: &mut Reader<'_>,
    path: &[String],
    found: &mut impl FnMut(&mut Reader<'_>) -> Result<T, JsonFault>,
) -> Result<Option<T>, JsonFault> {
    let [first, rest @ ..] = path else { return reader.skip().map(|()| None) };
    if reader.peek() != Some(b'{') {
        return reader.fault(FaultKind::Syntax);
    }
    reader.enter()?;
    let mut is_first = true;
    while reader.member(std::mem::take(&mut is_first))? {
        let name = reader.name()?;
        let leads_there = if name == first {
            rest.is_empty()
        } else {
            !rest.is_empty() && name.split('.').eq(path.iter().map(String::as_str))
        };
        let leads_deeper = !leads_there && name == first;
        if !leads_there {
            if leads_deeper && reader.peek() == Some(b'{') {
                if let Some(value) = seek(reader, rest, found)? {
                    return Ok(Some(value));
                }
            } else {
                reader.skip()?;
            }
            continue;
        }
        return found(reader).map(Some);
    }
    Ok(None)
}

/// Reads the event type.
struct TypeNames<'a> {
    layouts: &'a mut Layouts,
    /// The last type that is not declared.
    unknown: &'a mut String,
}

impl TypeNames<'_> {
    /// Reads the value of the field that holds the type. Returns the number of the type, if it is
    /// declared, or the reason why the value is not a type.
    fn read(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<Result<Option<usize>, String>, JsonFault> {
        match reader.peek() {
            Some(b'[') if !self.layouts.reading.is_strict => return self.list(reader),
            Some(b'[') => return Ok(Err(String::from("expected the event type, found a list"))),
            Some(b'{') => return Ok(Err(String::from("expected the event type, found an object"))),
            _ => {}
        }
        Ok(match reader.scalar()? {
            Scalar::Text(name) => Ok(self.find(name)),
            other => Err(format!("expected the event type, found {other}")),
        })
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let number = self.layouts.find(name);
        if number.is_none() {
            name.clone_into(self.unknown);
        }
        number
    }

    /// Reads a list of names, of which one may be declared. Without one, the first is the unknown
    /// type.
    #[cold]
    fn list(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<Result<Option<usize>, String>, JsonFault> {
        reader.enter()?;
        let mut known: Option<(usize, String)> = None;
        let mut first: Option<String> = None;
        let mut problem = None;
        let mut is_first = true;
        while reader.element(std::mem::take(&mut is_first))? {
            let found = match reader.peek() {
                Some(b'[' | b'{') => {
                    reader.skip()?;
                    Err(String::from("a list or an object"))
                }
                _ => match reader.scalar()? {
                    Scalar::Text(name) => Ok(name.to_owned()),
                    other => Err(other.to_string()),
                },
            };
            let name = match found {
                Ok(name) => name,
                Err(found) => {
                    problem
                        .get_or_insert(format!("expected the event type, found {found} in a list"));
                    continue;
                }
            };
            match (self.layouts.find(&name), &known) {
                (Some(number), None) => known = Some((number, name)),
                (Some(number), Some((other, of))) if number != *other => {
                    problem.get_or_insert(format!(
                        "`{of}` and `{name}` are both declared, but an event has only one type \
                         (with `--type`, all events have the same type)"
                    ));
                }
                _ => drop(first.get_or_insert(name)),
            }
        }
        Ok(match (problem, known, first) {
            (Some(problem), ..) => Err(problem),
            (None, Some((number, _)), _) => Ok(Some(number)),
            (None, None, Some(name)) => {
                *self.unknown = name;
                Ok(None)
            }
            (None, None, None) => Err(String::from("expected the event type, found an empty list")),
        })
    }
}

/// An event that is being read.
struct Event<'a> {
    fields: &'a [Field],
    open: bool,
    reading: &'a Reading,
    assembly: &'a mut Assembly,
    reader: Reader<'a>,
}

impl Event<'_> {
    /// Reads a whole line; gives the undeclared fields of an open type.
    fn whole(&mut self, root: &mut Node) -> Result<Vec<(Arc<str>, Value)>, JsonFault> {
        if self.reader.peek() != Some(b'{') {
            return self.reader.fault(FaultKind::Syntax);
        }
        let extra = self.object(root)?;
        self.reader.end().map(|()| extra)
    }

    /// Reads an object's fields; returns the undeclared ones of an open type. It goes only as deep
    /// as names are declared.
    fn object(&mut self, node: &mut Node) -> Result<Vec<(Arc<str>, Value)>, JsonFault> {
        self.reader.enter()?;
        let spelling = self.reading.spelling();
        let mut extra = Vec::new();
        let (mut is_first, mut last) = (true, None);
        while self.reader.member(std::mem::take(&mut is_first))? {
            let number = match node.expected(last) {
                Some((number, name)) if self.reader.take_name(name)? => number,
                _ => {
                    let name = self.reader.name()?;
                    if let Some(number) = node.find(last, name) {
                        number
                    } else {
                        if self.open {
                            let name = name.into();
                            extra.push((name, dynamic(&mut self.reader)?));
                        } else {
                            self.reader.skip()?;
                        }
                        continue;
                    }
                }
            };
            last = Some(number);
            let (name, entry) = node.key(number);
            if entry.is_type {
                self.assembly.saw_type(self.reading);
            }
            if let Some(index) = entry.field {
                let field = &self.fields[index];
                if field.ty == FieldType::String
                    && !entry.is_time
                    && self.reader.peek() == Some(b'"')
                    && let Scalar::Text(text) = self.reader.scalar()?
                {
                    self.assembly.set_text(field, index, text);
                    continue;
                }
                let value = value(&mut self.reader, &field.ty, spelling)?;
                if entry.is_time {
                    self.assembly.set_named_time(self.reading, &value);
                }
                self.assembly.set(field, index, value);
            } else if entry.is_time {
                let value = value(&mut self.reader, &FieldType::Time, spelling)?;
                self.assembly.set_named_time(self.reading, &value);
            } else if let Some(child) = &mut entry.child {
                let rest = self.child(child)?;
                if !rest.is_empty() {
                    extra.push((name.clone(), Value::Record(rest.into())));
                }
            } else if self.open && !entry.is_type {
                extra.push((name.clone(), dynamic(&mut self.reader)?));
            } else {
                self.reader.skip()?;
            }
        }
        Ok(extra)
    }

    /// Reads the value of a field that is declared as an object. Null is as good as missing; the
    /// fields in it will report whether they can be.
    fn child(&mut self, node: &mut Node) -> Result<Vec<(Arc<str>, Value)>, JsonFault> {
        let found = match self.reader.peek() {
            Some(b'{') => return self.object(node),
            Some(b'[') => {
                self.reader.skip()?;
                String::from("a list")
            }
            _ => match self.reader.scalar()? {
                Scalar::Null => return Ok(Vec::new()),
                other => other.to_string(),
            },
        };
        if node.holds_fields() {
            let path = &node.path;
            self.assembly.problem(|| format!("field `{path}`: expected an object, found {found}"));
        }
        Ok(Vec::new())
    }
}

/// Reads a value of a declared type, or returns the reason why it is not one.
#[inline]
fn value(
    reader: &mut Reader<'_>,
    ty: &FieldType,
    spelling: Spelling,
) -> Result<Result<Value, String>, JsonFault> {
    match (reader.peek(), ty) {
        (_, FieldType::Any) => dynamic(reader).map(Ok),
        (Some(b'['), FieldType::List(element)) => list(reader, ty, element, spelling),
        (Some(b'['), _) => {
            reader.skip()?;
            Ok(Err(format!("expected {ty}, found a list")))
        }
        (Some(b'{'), _) => {
            reader.skip()?;
            Ok(Err(format!("expected {ty}, found an object")))
        }
        _ => Ok(from_json(ty, reader.scalar()?, spelling)),
    }
}

/// Reads a list of a declared type, nested no deeper than its declaration, or returns the reason
/// why it is not one.
fn list(
    reader: &mut Reader<'_>,
    ty: &FieldType,
    element: &FieldType,
    spelling: Spelling,
) -> Result<Result<Value, String>, JsonFault> {
    reader.enter()?;
    let mut values = Vec::new();
    let mut is_first = true;
    let mut problem = None;
    while reader.element(std::mem::take(&mut is_first))? {
        if problem.is_some() {
            reader.skip()?;
            continue;
        }
        let reason = match value(reader, element, spelling)? {
            Ok(Value::Null) => format!("expected {element}, found null"),
            Ok(value) => {
                values.push(value);
                continue;
            }
            Err(reason) => reason,
        };
        problem = Some(wrong_element(ty, values.len() + 1, &reason));
    }
    Ok(problem.map_or_else(|| Ok(Value::List(values.into())), Err))
}

/// Any value, for a field that is not declared. The reader knows how deep that may go.
fn dynamic(reader: &mut Reader<'_>) -> Result<Value, JsonFault> {
    let mut is_first = true;
    match reader.peek() {
        Some(b'[') => {
            reader.enter()?;
            let mut values = Vec::new();
            while reader.element(std::mem::take(&mut is_first))? {
                values.push(dynamic(reader)?);
            }
            Ok(Value::List(values.into()))
        }
        Some(b'{') => {
            reader.enter()?;
            let mut fields = Vec::new();
            while reader.member(std::mem::take(&mut is_first))? {
                let name = Arc::from(reader.name()?);
                fields.push((name, dynamic(reader)?));
            }
            Ok(Value::Record(fields.into()))
        }
        _ => Ok(match reader.scalar()? {
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Int(i) => Value::Int(i),
            Scalar::Float(x) => Value::Float(x),
            Scalar::Text(text) => Value::String(text.into()),
        }),
    }
}

/// The list that a JSON text holds.
pub(crate) fn list_from_text(
    ty: &FieldType,
    text: &str,
    spelling: Spelling,
) -> Result<Value, String> {
    let mut scratch = Scratch::default();
    let mut reader = Reader::new(text, &mut scratch);
    match value(&mut reader, ty, spelling).and_then(|value| reader.end().map(|()| value)) {
        Ok(Ok(Value::Null)) => Err(format!("expected {ty}, found null")),
        Ok(value) => value,
        Err(_) => Err(format!("expected {ty} as JSON ([...]), found {}", Scalar::Text(text))),
    }
}

/// The reason why a line is not a JSON object, in the words of `serde_json`.
#[cold]
fn reason(line: &str, fault: JsonFault) -> String {
    let mut json = Deserializer::from_str(line);
    let reported = json.deserialize_any(Skeleton).and_then(|()| json.end());
    match (reported, fault.kind) {
        (Err(error), FaultKind::Syntax) => syntax_reason(&error),
        (Err(error), _) if error.column() <= fault.at => syntax_reason(&error),
        (_, kind) => {
            let what = match kind {
                FaultKind::Range => "number out of range",
                FaultKind::Surrogate => "half of a surrogate pair in escapes",
                FaultKind::Depth => "recursion limit exceeded",
                FaultKind::Syntax => "it cannot be read",
            };
            format!("not JSON: {what} at column {}", fault.at)
        }
    }
}

/// An object whose content is dropped.
struct Skeleton;

impl<'de> Visitor<'de> for Skeleton {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// The message of `serde_json` with the place said in the manner of one line.
pub(crate) fn syntax_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
    let message = message.strip_prefix("invalid type: ").map_or_else(
        || format!("not JSON: {message}"),
        |message| {
            format!(
                "not an event: found {}",
                message.replace('`', "").replacen("sequence", "a list", 1)
            )
        },
    );
    if error.column() > 0 { format!("{message} at column {}", error.column()) } else { message }
}
