//! Events as JSON, one object a line, straight into a record's values.
//!
//! A line is read twice: up to its type, and then whole with that type's layout. The type is
//! usually among the first fields, so that the first reading is short; in return the second knows
//! what each field must be, keeps nothing in between, and skips what no rule declares.

use std::fmt;
use std::sync::Arc;

use kleene::Record;
use kleene::schema::FieldType;
use kleene::value::Value;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use crate::layout::{Assembly, Entry, Layouts, Node};
use crate::scalar::{Scalar, from_json};
use crate::time::TimeUnit;

/// Reads lines of JSON as events.
#[derive(Clone, Debug)]
pub(crate) struct JsonParser {
    layouts: Layouts,
    /// The names on the way to the type.
    type_path: Vec<String>,
    /// The type of the last line.
    type_name: String,
    seen: Vec<bool>,
}

impl JsonParser {
    /// A parser for events of the given layouts.
    pub(crate) fn new(layouts: Layouts) -> JsonParser {
        let type_path = layouts.reading.type_field.split('.').map(String::from).collect();
        let type_name = layouts.reading.fixed_type.clone().unwrap_or_default();
        JsonParser { layouts, type_path, type_name, seen: Vec::new() }
    }

    /// What events look like from now on.
    pub(crate) fn layouts_mut(&mut self) -> &mut Layouts {
        &mut self.layouts
    }

    /// The event on a line: `None` if its type is not declared, the reason if it is not one.
    pub(crate) fn parse(&mut self, line: &str) -> Result<Option<Record>, String> {
        if self.layouts.reading.fixed_type.is_none() {
            self.find_type(line)?;
        }
        let layout = self.layouts.of(&self.type_name);
        let is_known = layout.is_some();
        let layout = layout.map_or_else(|| self.layouts.nothing(), |(_, layout)| layout);
        let mut assembly = Assembly::new(layout, &self.layouts.reading, &mut self.seen);
        let mut json = Deserializer::from_str(line);
        let seed = ObjectSeed { node: &layout.root, assembly: &mut assembly };
        let extra = seed
            .deserialize(&mut json)
            .and_then(|extra| json.end().map(|()| extra))
            .map_err(|error| syntax_reason(&error))?;
        if !is_known {
            return Ok(None);
        }
        assembly.extra = extra;
        assembly.finish().map(Some)
    }

    /// The type of the line that was parsed last.
    pub(crate) fn type_name(&self) -> &str {
        &self.type_name
    }

    fn find_type(&mut self, line: &str) -> Result<(), String> {
        let mut found = None;
        let seed = TypeSeed { path: &self.type_path, name: &mut self.type_name, found: &mut found };
        // The reading stops at the type, which serde_json takes for an error.
        let result = seed.deserialize(&mut Deserializer::from_str(line));
        match (found, result) {
            (Some(result), _) => {
                result.map_err(|reason| format!("field `{}`: {reason}", self.type_path.join(".")))
            }
            (None, Err(error)) => Err(syntax_reason(&error)),
            (None, Ok(())) => {
                Err(format!("no event type: missing field `{}`", self.layouts.reading.type_field))
            }
        }
    }
}

/// The list that a JSON text holds.
pub(crate) fn list_from_text(ty: &FieldType, text: &str, unit: TimeUnit) -> Result<Value, String> {
    let mut json = Deserializer::from_str(text);
    let value = ValueSeed { ty, unit }.deserialize(&mut json);
    match (value, json.end()) {
        (Ok(value), Ok(())) => value.and_then(|value| match value {
            Value::Null => Err(format!("expected {ty}, found null")),
            value => Ok(value),
        }),
        _ => Err(format!("expected {ty} as JSON ([...]), found {}", Scalar::Text(text))),
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

/// The visitor methods for all that is no list and no object, each giving `$scalar` to `$body`.
macro_rules! visit_scalars {
    ($value:ty, |$self:ident, $scalar:ident| $body:expr) => {
        fn visit_unit<E: Error>($self) -> Result<$value, E> {
            let $scalar = Scalar::Null;
            Ok($body)
        }

        fn visit_bool<E: Error>($self, value: bool) -> Result<$value, E> {
            let $scalar = Scalar::Bool(value);
            Ok($body)
        }

        fn visit_i64<E: Error>($self, value: i64) -> Result<$value, E> {
            let $scalar = Scalar::Int(value);
            Ok($body)
        }

        fn visit_u64<E: Error>($self, value: u64) -> Result<$value, E> {
            #[expect(clippy::cast_precision_loss, reason = "beyond i64: only good for a float")]
            let $scalar = i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int);
            Ok($body)
        }

        fn visit_f64<E: Error>($self, value: f64) -> Result<$value, E> {
            let $scalar = Scalar::Float(value);
            Ok($body)
        }

        fn visit_str<E: Error>($self, value: &str) -> Result<$value, E> {
            let $scalar = Scalar::Text(value);
            Ok($body)
        }
    };
}

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<(), A::Error> {
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Reads an object up to its type.
struct TypeSeed<'a> {
    path: &'a [String],
    name: &'a mut String,
    found: &'a mut Option<Result<(), String>>,
}

impl<'de> DeserializeSeed<'de> for TypeSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TypeSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let [first, rest @ ..] = self.path else { return skip_object(map) };
        while let Some(way) = map.next_key_seed(WaySeed { first, rest })? {
            match way {
                Way::There => {
                    map.next_value_seed(NameSeed { name: self.name, found: self.found })?;
                }
                Way::Deeper => map.next_value_seed(DeeperSeed(TypeSeed {
                    path: rest,
                    name: self.name,
                    found: self.found,
                }))?,
                Way::Elsewhere => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if self.found.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether a key leads to the type.
enum Way {
    There,
    Deeper,
    Elsewhere,
}

struct WaySeed<'a> {
    first: &'a str,
    rest: &'a [String],
}

impl<'de> DeserializeSeed<'de> for WaySeed<'_> {
    type Value = Way;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Way, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for WaySeed<'_> {
    type Value = Way;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Way, E> {
        let WaySeed { first, rest } = self;
        if key == first {
            return Ok(if rest.is_empty() { Way::There } else { Way::Deeper });
        }
        let dotted = !rest.is_empty()
            && key.split('.').eq(std::iter::once(first).chain(rest.iter().map(String::as_str)));
        Ok(if dotted { Way::There } else { Way::Elsewhere })
    }
}

/// An object on the way to the type; anything else there is passed over.
struct DeeperSeed<'a>(TypeSeed<'a>);

impl<'de> DeserializeSeed<'de> for DeeperSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DeeperSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_scalars!((), |self, _scalar| ());

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        skip_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.visit_map(object)
    }
}

/// The type's name itself.
struct NameSeed<'a> {
    name: &'a mut String,
    found: &'a mut Option<Result<(), String>>,
}

impl NameSeed<'_> {
    fn set(self, scalar: Scalar<'_>) {
        *self.found = Some(match scalar {
            Scalar::Text(text) => {
                self.name.clear();
                self.name.push_str(text);
                Ok(())
            }
            other => Err(format!("expected the event type, found {other}")),
        });
    }
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event type")
    }

    visit_scalars!((), |self, scalar| self.set(scalar));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        *self.found = Some(Err(String::from("expected the event type, found a list")));
        skip_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        *self.found = Some(Err(String::from("expected the event type, found an object")));
        skip_object(object)
    }
}

/// Reads an object's fields into an event; gives the undeclared ones of an open type.
struct ObjectSeed<'n, 'a, 's> {
    node: &'n Node,
    assembly: &'s mut Assembly<'a>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_, '_> {
    type Value = Vec<(Arc<str>, Value)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, '_, '_> {
    type Value = Vec<(Arc<str>, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let ObjectSeed { node, assembly } = self;
        let unit = assembly.reading.unit;
        let mut extra = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed { node, open: assembly.layout.open })? {
            let entry = match key {
                Key::Known(entry) => entry,
                Key::Skipped => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Key::Undeclared(name) => {
                    extra.push((name, map.next_value_seed(DynamicSeed)?));
                    continue;
                }
            };
            if entry.is_type {
                assembly.saw_type();
            }
            if let Some(index) = entry.field {
                let value = map.next_value_seed(ValueSeed { ty: assembly.ty(index), unit })?;
                if entry.is_time {
                    assembly.set_named_time(&value);
                }
                assembly.set(index, value);
            } else if entry.is_time {
                let value = map.next_value_seed(ValueSeed { ty: &FieldType::Time, unit })?;
                assembly.set_named_time(&value);
            } else if let Some(child) = &entry.child {
                let rest = map.next_value_seed(ChildSeed(ObjectSeed { node: child, assembly }))?;
                if !rest.is_empty() {
                    let name = child.path.rsplit('.').next().unwrap_or_default();
                    extra.push((name.into(), Value::Record(rest.into())));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(extra)
    }
}

/// A field that is declared as an object.
struct ChildSeed<'n, 'a, 's>(ObjectSeed<'n, 'a, 's>);

impl ChildSeed<'_, '_, '_> {
    /// Null is as good as missing; the fields in it will tell whether they can be.
    fn set(self, found: impl fmt::Display, is_null: bool) -> Vec<(Arc<str>, Value)> {
        let ObjectSeed { node, assembly } = self.0;
        if !is_null && node.holds_fields() {
            let path = &node.path;
            assembly.problem(|| format!("field `{path}`: expected an object, found {found}"));
        }
        Vec::new()
    }
}

impl<'de> DeserializeSeed<'de> for ChildSeed<'_, '_, '_> {
    type Value = Vec<(Arc<str>, Value)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ChildSeed<'_, '_, '_> {
    type Value = Vec<(Arc<str>, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_scalars!(Self::Value, |self, scalar| self.set(scalar, matches!(scalar, Scalar::Null)));

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        skip_list(list)?;
        Ok(self.set("a list", false))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        self.0.visit_map(object)
    }
}

/// What a name in an object means.
enum Key<'n> {
    Known(&'n Entry),
    Skipped,
    Undeclared(Arc<str>),
}

struct KeySeed<'n> {
    node: &'n Node,
    open: bool,
}

impl<'de, 'n> DeserializeSeed<'de> for KeySeed<'n> {
    type Value = Key<'n>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Key<'n>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for KeySeed<'n> {
    type Value = Key<'n>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key<'n>, E> {
        Ok(match self.node.get(name) {
            Some(entry) => Key::Known(entry),
            None if self.open => Key::Undeclared(name.into()),
            None => Key::Skipped,
        })
    }
}

/// A value of a declared type, or why it is none.
struct ValueSeed<'a> {
    ty: &'a FieldType,
    unit: TimeUnit,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Result<Value, String>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        if *self.ty == FieldType::Any {
            return DynamicSeed.deserialize(json).map(Ok);
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Result<Value, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_scalars!(Self::Value, |self, scalar| from_json(self.ty, scalar, self.unit));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let FieldType::List(element) = self.ty else {
            skip_list(list)?;
            return Ok(Err(format!("expected {}, found a list", self.ty)));
        };
        let mut values = Vec::new();
        while let Some(value) =
            list.next_element_seed(ValueSeed { ty: element, unit: self.unit })?
        {
            let reason = match value {
                Ok(Value::Null) => format!("expected {element}, found null"),
                Ok(value) => {
                    values.push(value);
                    continue;
                }
                Err(reason) => reason,
            };
            skip_list(list)?;
            let place = ordinal(values.len() + 1);
            return Ok(Err(format!("expected {}, the {place} element: {reason}", self.ty)));
        }
        Ok(Ok(Value::List(values.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        skip_object(object)?;
        Ok(Err(format!("expected {}, found an object", self.ty)))
    }
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

/// Any value, for a field that is not declared.
struct DynamicSeed;

impl<'de> DeserializeSeed<'de> for DynamicSeed {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DynamicSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_scalars!(Value, |self, scalar| match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Int(i),
        Scalar::Float(x) => Value::Float(x),
        Scalar::Text(text) => Value::String(text.into()),
    });

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(DynamicSeed)? {
            values.push(value);
        }
        Ok(Value::List(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = object.next_key::<Box<str>>()? {
            fields.push((name.into(), object.next_value_seed(DynamicSeed)?));
        }
        Ok(Value::Record(fields.into()))
    }
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
            Ok(None) => format!("unknown {}", parser.type_name()),
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
