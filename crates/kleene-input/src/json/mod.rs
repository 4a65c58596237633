//! Events as JSON, one object a line, straight into a record's values.
//!
//! A line is read twice: up to its type, and then whole with that type's layout. The type is
//! usually among the first fields, so that the first reading is short; in return the second knows
//! what each field must be, keeps nothing in between, and skips what no rule declares. Names are
//! compared with those that followed each other in the event before, and looked up where they differ.

mod reader;

use std::fmt;
use std::sync::Arc;

use kleene::Record;
use kleene::schema::{Field, FieldType};
use kleene::value::Value;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Deserializer;

use crate::layout::{Assembly, Layouts, Node, Reading};
use crate::scalar::{Scalar, from_json};
use crate::time::TimeUnit;
use reader::{Fault, FaultKind, Reader, Scratch};

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

    /// What events look like from now on.
    pub(crate) fn layouts_mut(&mut self) -> &mut Layouts {
        &mut self.layouts
    }

    /// The event on a line: `None` if its type is not declared, the reason if it is not one.
    pub(crate) fn parse(&mut self, line: &str) -> Result<Option<Record>, String> {
        let number = match &self.layouts.reading.fixed_type {
            // It is what every event would be told as.
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
        if number.is_none() {
            return Ok(None);
        }
        self.assembly.extra = extra;
        self.assembly.finish(layout, reading).map(Some)
    }

    /// The type of the last line whose type was not declared.
    pub(crate) fn unknown(&self) -> &str {
        &self.unknown
    }

    /// The number of the type of a line, if it is declared.
    fn find_type(&mut self, line: &str) -> Result<Option<usize>, String> {
        let mut reader = Reader::new(line, &mut self.scratch);
        let found = seek(&mut reader, &self.type_path, &mut |found| match found {
            Scalar::Text(name) => {
                let number = self.layouts.find(name);
                if number.is_none() {
                    name.clone_into(&mut self.unknown);
                }
                Ok(number)
            }
            other => Err(format!("expected the event type, found {other}")),
        });
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
    found: &mut impl FnMut(Scalar<'_>) -> Result<T, String>,
) -> Result<Option<Result<T, String>>, Fault> {
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
        let next = reader.peek();
        if !leads_there {
            if leads_deeper && next == Some(b'{') {
                if let Some(value) = seek(reader, rest, found)? {
                    return Ok(Some(value));
                }
            } else {
                reader.skip()?;
            }
            continue;
        }
        return Ok(Some(match next {
            Some(b'[') => Err(String::from("expected the event type, found a list")),
            Some(b'{') => Err(String::from("expected the event type, found an object")),
            _ => found(reader.scalar()?),
        }));
    }
    Ok(None)
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
    fn whole(&mut self, root: &mut Node) -> Result<Vec<(Arc<str>, Value)>, Fault> {
        if self.reader.peek() != Some(b'{') {
            return self.reader.fault(FaultKind::Syntax);
        }
        let extra = self.object(root)?;
        self.reader.end().map(|()| extra)
    }

    /// Reads an object's fields; gives the undeclared ones of an open type. It goes only as deep as
    /// names are declared.
    fn object(&mut self, node: &mut Node) -> Result<Vec<(Arc<str>, Value)>, Fault> {
        self.reader.enter()?;
        let unit = self.reading.unit;
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
                let value = value(&mut self.reader, &field.ty, unit)?;
                if entry.is_time {
                    self.assembly.set_named_time(self.reading, &value);
                }
                self.assembly.set(field, index, value);
            } else if entry.is_time {
                let value = value(&mut self.reader, &FieldType::Time, unit)?;
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
    /// fields in it will tell whether they can be.
    fn child(&mut self, node: &mut Node) -> Result<Vec<(Arc<str>, Value)>, Fault> {
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

/// A value of a declared type, or why it is none.
#[inline]
fn value(
    reader: &mut Reader<'_>,
    ty: &FieldType,
    unit: TimeUnit,
) -> Result<Result<Value, String>, Fault> {
    match (reader.peek(), ty) {
        (_, FieldType::Any) => dynamic(reader).map(Ok),
        (Some(b'['), FieldType::List(element)) => list(reader, ty, element, unit),
        (Some(b'['), _) => {
            reader.skip()?;
            Ok(Err(format!("expected {ty}, found a list")))
        }
        (Some(b'{'), _) => {
            reader.skip()?;
            Ok(Err(format!("expected {ty}, found an object")))
        }
        _ => Ok(from_json(ty, reader.scalar()?, unit)),
    }
}

/// A list of a declared type, which is nested no deeper than its declaration, or why it is none.
fn list(
    reader: &mut Reader<'_>,
    ty: &FieldType,
    element: &FieldType,
    unit: TimeUnit,
) -> Result<Result<Value, String>, Fault> {
    reader.enter()?;
    let mut values = Vec::new();
    let mut is_first = true;
    let mut problem = None;
    while reader.element(std::mem::take(&mut is_first))? {
        if problem.is_some() {
            reader.skip()?;
            continue;
        }
        let reason = match value(reader, element, unit)? {
            Ok(Value::Null) => format!("expected {element}, found null"),
            Ok(value) => {
                values.push(value);
                continue;
            }
            Err(reason) => reason,
        };
        let place = ordinal(values.len() + 1);
        problem = Some(format!("expected {ty}, the {place} element: {reason}"));
    }
    Ok(problem.map_or_else(|| Ok(Value::List(values.into())), Err))
}

fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Any value, for a field that is not declared. The reader knows how deep that may go.
fn dynamic(reader: &mut Reader<'_>) -> Result<Value, Fault> {
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
pub(crate) fn list_from_text(ty: &FieldType, text: &str, unit: TimeUnit) -> Result<Value, String> {
    let mut scratch = Scratch::default();
    let mut reader = Reader::new(text, &mut scratch);
    match value(&mut reader, ty, unit).and_then(|value| reader.end().map(|()| value)) {
        Ok(Ok(Value::Null)) => Err(format!("expected {ty}, found null")),
        Ok(value) => value,
        Err(_) => Err(format!("expected {ty} as JSON ([...]), found {}", Scalar::Text(text))),
    }
}

/// Why a line is no object of JSON, in the words of `serde_json`.
#[cold]
fn reason(line: &str, fault: Fault) -> String {
    let mut json = Deserializer::from_str(line);
    let told = json.deserialize_any(Skeleton).and_then(|()| json.end());
    match (told, fault.kind) {
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

/// An object of which nothing is kept.
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

#[cfg(test)]
mod tests {
    use kleene::Event as _;
    use kleene::schema::{EventType, Field, FieldId, Schema};

    use super::*;
    use crate::layout::Reading;

    fn schema() -> Schema {
        let field =
            |name: &str, ty: FieldType, optional: bool| Field { name: name.into(), ty, optional };
        let list = FieldType::List(Box::new(FieldType::String));
        let mut schema = Schema::new();
        let types = [
            EventType {
                name: "order".into(),
                fields: vec![
                    field("id", FieldType::String, false),
                    field("amount", FieldType::Float, true),
                    field("n", FieldType::Int, true),
                    field("at", FieldType::Time, false),
                    field("addr.city", FieldType::String, true),
                    field("addr.geo.zip", FieldType::Int, true),
                    field("tags", list, true),
                    field("from", FieldType::Ip, true),
                    field("took", FieldType::Duration, true),
                    field("ok", FieldType::Bool, true),
                ],
                time: Some(FieldId::new(3)),
                open: false,
            },
            EventType {
                name: "log".into(),
                fields: vec![field("http.status", FieldType::Int, false)],
                time: None,
                open: true,
            },
            EventType { name: "ping".into(), fields: Vec::new(), time: None, open: false },
        ];
        for ty in types {
            schema.add(ty).unwrap();
        }
        schema
    }

    fn parser() -> JsonParser {
        JsonParser::new(Layouts::new(
            &schema(),
            Reading {
                type_field: String::from("type"),
                fixed_type: None,
                time_field: String::from("ts"),
                prefers_time_field: false,
                unit: TimeUnit::Ms,
            },
        ))
    }

    /// The event's time, values and extra fields, `unknown`, or the reason why it is none.
    fn read(parser: &mut JsonParser, line: &str) -> String {
        match parser.parse(line) {
            Ok(None) => format!("unknown {}", parser.unknown()),
            Err(reason) => reason,
            Ok(Some(event)) => {
                let values = event.values().iter().map(ToString::to_string);
                let extra = event.extra().iter().map(|(name, value)| format!("{name}={value}"));
                let all: Vec<String> = values.chain(extra).collect();
                format!("{} {}", event.time().as_millis(), all.join(" "))
            }
        }
    }

    #[test]
    fn lines_become_events_or_reasons() {
        let cases = [
            (
                r#"{"type":"order","id":"a","amount":2,"n":3.0,"at":5,"addr":{"city":"x","geo":{"zip":7}},"tags":["p","q"],"from":"1.2.3.4","took":"1m","ok":true}"#,
                r#"5 "a" 2.0 3 1970-01-01T00:00:00.005Z "x" 7 ["p", "q"] 1.2.3.4 1m true"#,
            ),
            (
                r#" { "other": [{"type": 5}], "at": "1970-01-01T00:00:01Z", "addr.city": "\u0041", "id": "\n", "type": "order" } "#,
                "1000 \"\\n\" null null 1970-01-01T00:00:01Z \"A\" null null null null null",
            ),
            (
                r#"{"type":"order","id":"a","ts":7,"amount":null,"addr":null}"#,
                r#"7 "a" null null 1970-01-01T00:00:00.007Z null null null null null null"#,
            ),
            (
                r#"{"type":"order","id":"a","ts":"garbage","at":7}"#,
                r#"7 "a" null null 1970-01-01T00:00:00.007Z null null null null null null"#,
            ),
            (
                r#"{"type":"log","http":{"status":200,"path":"/"},"a":{"b":[1,2.5,null]},"ts":1,"ok":false}"#,
                r#"1 200 http={ path: "/" } a={ b: [1, 2.5, null] } ok=false"#,
            ),
            (r#"{"type":"ping","ts":1473023700250}"#, "1473023700250 "),
            (r#"{"type":"pong","x":{}}"#, "unknown pong"),
            (r#"{"type":"pong","x":{}} x"#, "not JSON: trailing characters at column 24"),
            ("hello", "not JSON: expected value at column 1"),
            ("{", "not JSON: EOF while parsing an object at column 1"),
            ("5", "not an event: found integer 5, expected an object at column 1"),
            ("[1]", "not an event: found a list, expected an object at column 1"),
            (r#"{"a":1}"#, "no event type: missing field `type`"),
            (r#"{"type":5}"#, "field `type`: expected the event type, found the number 5"),
            (r#"{"type":["x"]}"#, "field `type`: expected the event type, found a list"),
            (r#"{"type":"ping","type":"ping","ts":1}"#, "field `type` is given twice"),
            (r#"{"type":"ping","ts":1,"ts":1}"#, "field `ts` is given twice"),
            (r#"{"type":"order","at":1}"#, "missing field `id`"),
            (
                r#"{"type":"order","at":1,"id":null}"#,
                "field `id` is null, and not declared as optional (`string?`)",
            ),
            (r#"{"type":"order","at":1,"id":"a","id":"b"}"#, "field `id` is given twice"),
            (
                r#"{"type":"order","at":1,"id":7}"#,
                "field `id`: expected string, found the number 7",
            ),
            (
                r#"{"type":"order","at":1,"id":{"x":1}}"#,
                "field `id`: expected string, found an object",
            ),
            (
                r#"{"type":"order","at":1,"id":"a","amount":"12"}"#,
                r#"field `amount`: expected float, found the text "12""#,
            ),
            (
                r#"{"type":"order","at":1,"id":"a","n":9223372036854775808}"#,
                "field `n`: 9.223372036854776e18 is out of range for int",
            ),
            (
                r#"{"type":"order","at":1,"id":"a","n":1.5}"#,
                "field `n`: expected int, found the number 1.5",
            ),
            (
                r#"{"type":"order","at":1,"id":"a","amount":1e999}"#,
                "not JSON: number out of range at column 46",
            ),
            (
                r#"{"type":"order","at":1,"id":"a","addr":"x"}"#,
                r#"field `addr`: expected an object, found the text "x""#,
            ),
            (
                r#"{"type":"order","at":1,"id":"a","tags":["x",null]}"#,
                "field `tags`: expected list<string>, the 2nd element: expected string, found null",
            ),
            (
                r#"{"type":"order","at":1,"id":"a","from":"300.1.1.1"}"#,
                r#"field `from`: expected an IP address, found the text "300.1.1.1""#,
            ),
            (r#"{"type":"order","id":"a"}"#, "no event time: neither `at` nor `ts` is given"),
            (r#"{"type":"ping"}"#, "no event time: missing field `ts`"),
            (
                r#"{"type":"ping","ts":"noon"}"#,
                "field `ts`: expected a time such as 2016-09-04T21:15:00Z or an epoch number, \
                 found the text \"noon\"",
            ),
            (
                r#"{"type":"ping","ts":1473023700250000}"#,
                "field `ts`: 1473023700250000 milliseconds is out of range, the year is not \
                 between 0 and 9999 (is --time-unit right?)",
            ),
        ];
        let mut parser = parser();
        for (line, expected) in cases {
            assert_eq!(read(&mut parser, line), expected, "{line}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut parser = parser();
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            let line = format!(r#"{{"type":"log","http":{{"status":1}},"ts":1,"a":{value}}}"#);
            assert!(read(&mut parser, &line).starts_with("not JSON: recursion limit exceeded"));
        }
    }

    #[test]
    fn type_and_time_can_be_nested_or_given() {
        let mut reading = parser().layouts.reading;
        reading.type_field = String::from("event.kind");
        reading.time_field = String::from("event.at");
        reading.prefers_time_field = true;
        let mut nested = JsonParser::new(Layouts::new(&schema(), reading.clone()));
        for line in [
            r#"{"event":{"at":3,"kind":"order"},"id":"a","at":9}"#,
            r#"{"id":"a","at":9,"event.at":3,"event":{},"event.kind":"order"}"#,
        ] {
            let expected =
                r#"3 "a" null null 1970-01-01T00:00:00.009Z null null null null null null"#;
            assert_eq!(read(&mut nested, line), expected);
        }
        assert_eq!(
            read(&mut nested, r#"{"event":5,"ts":1}"#),
            "no event type: missing field `event.kind`"
        );
        reading.fixed_type = Some(String::from("ping"));
        let mut fixed = JsonParser::new(Layouts::new(&schema(), reading));
        assert_eq!(read(&mut fixed, r#"{"type":"order","event.at":3}"#), "3 ");
    }
}
