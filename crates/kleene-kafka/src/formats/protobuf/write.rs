//! A message as JSON.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};

use super::super::error::DecodeError;
use super::super::json::Json;
use super::super::time::Moment;

/// The messages of Google's `wrappers.proto`, in the package `google.protobuf`.
const WRAPPERS: [&str; 9] = [
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "StringValue",
    "UInt32Value",
    "UInt64Value",
];

const NANOS_PER_MILLI: i128 = 1_000_000;

/// Writes a message as JSON.
pub(super) fn write(message: &DynamicMessage, json: &mut Json<'_>) -> Result<(), DecodeError> {
    let descriptor = message.descriptor();
    if let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") {
        match name {
            "Timestamp" => return timestamp(message, json),
            "Duration" => return duration(message, json),
            "Struct" => return member(message, "fields", json),
            "ListValue" => return member(message, "values", json),
            "Value" => return any_value(message, json),
            name if WRAPPERS.contains(&name) => return member(message, "value", json),
            _ => {}
        }
    }
    json.open(b'{')?;
    let mut is_first = true;
    for field in descriptor.fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            json.add(b",")?;
        }
        json.text(field.name())?;
        json.add(b":")?;
        field_value(message, &field, json)?;
    }
    json.close(b'}')
}

fn field_value(
    message: &DynamicMessage,
    field: &FieldDescriptor,
    json: &mut Json<'_>,
) -> Result<(), DecodeError> {
    let kind = field.kind();
    match &*message.get_field(field) {
        Value::List(items) => {
            json.open(b'[')?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.add(b",")?;
                }
                value(item, &kind, json)?;
            }
            json.close(b']')
        }
        Value::Map(entries) => {
            let kind = match &kind {
                Kind::Message(entry) => entry.map_entry_value_field().kind(),
                kind => kind.clone(),
            };
            // In order, so that the same record is always the same line.
            let mut entries: Vec<(&MapKey, &Value)> = entries.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            json.open(b'{')?;
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    json.add(b",")?;
                }
                json.text(&key_text(key))?;
                json.add(b":")?;
                value(item, &kind, json)?;
            }
            json.close(b'}')
        }
        single => value(single, &kind, json),
    }
}

fn value(value: &Value, kind: &Kind, json: &mut Json<'_>) -> Result<(), DecodeError> {
    match value {
        Value::Bool(value) => json.bool(*value),
        Value::I32(number) => json.number(*number),
        Value::I64(number) => json.number(*number),
        Value::U32(number) => json.number(*number),
        Value::U64(number) => json.number(*number),
        Value::F32(number) => json.f32(*number),
        Value::F64(number) => json.f64(*number),
        Value::String(text) => json.text(text),
        Value::Bytes(bytes) => json.base64(bytes),
        Value::EnumNumber(number) => match kind {
            Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => json.null(),
            Kind::Enum(kind) => match kind.get_value(*number) {
                Some(value) => json.text(value.name()),
                // A value of a newer schema.
                None => json.number(*number),
            },
            _ => json.number(*number),
        },
        Value::Message(message) => write(message, json),
        Value::List(_) | Value::Map(_) => {
            Err(DecodeError::poison("a list or a map is within another"))
        }
    }
}

fn key_text(key: &MapKey) -> Cow<'_, str> {
    match key {
        MapKey::Bool(key) => key.to_string().into(),
        MapKey::I32(key) => key.to_string().into(),
        MapKey::I64(key) => key.to_string().into(),
        MapKey::U32(key) => key.to_string().into(),
        MapKey::U64(key) => key.to_string().into(),
        MapKey::String(key) => key.into(),
    }
}

/// Writes a field instead of its message.
fn member(message: &DynamicMessage, name: &str, json: &mut Json<'_>) -> Result<(), DecodeError> {
    match message.descriptor().get_field_by_name(name) {
        Some(field) => field_value(message, &field, json),
        None => json.null(),
    }
}

/// Writes `google.protobuf.Value`: the member of its `oneof` that is set.
fn any_value(message: &DynamicMessage, json: &mut Json<'_>) -> Result<(), DecodeError> {
    let set = message.descriptor().fields().find(|field| message.has_field(field));
    match set {
        Some(field) => field_value(message, &field, json),
        None => json.null(),
    }
}

/// Returns the fields `seconds` and `nanos`.
fn seconds_and_nanos(message: &DynamicMessage) -> (i64, i32) {
    let field = |name| message.get_field_by_name(name);
    let seconds = field("seconds").and_then(|value| value.as_i64()).unwrap_or_default();
    let nanos = field("nanos").and_then(|value| value.as_i32()).unwrap_or_default();
    (seconds, nanos)
}

fn timestamp(message: &DynamicMessage, json: &mut Json<'_>) -> Result<(), DecodeError> {
    let (seconds, nanos) = seconds_and_nanos(message);
    match Moment::shortest(seconds, nanos) {
        Some(moment) => {
            json.add(b"")?;
            moment.write(json.out());
            Ok(())
        }
        None => json.null(),
    }
}

/// Writes milliseconds, with a fraction where the duration has one.
fn duration(message: &DynamicMessage, json: &mut Json<'_>) -> Result<(), DecodeError> {
    let (seconds, nanos) = seconds_and_nanos(message);
    let nanos = i128::from(seconds) * 1000 * NANOS_PER_MILLI + i128::from(nanos);
    let fraction = nanos.unsigned_abs() % NANOS_PER_MILLI.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let mut text = format!("{sign}{}", nanos.unsigned_abs() / NANOS_PER_MILLI.unsigned_abs());
    if fraction > 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    json.add(text.as_bytes())
}
