//! Values through serde. Formats that people read get what JSON would have: times in RFC 3339,
//! durations as rules spell them, addresses as text; these come back as text. Other formats get
//! tagged values, which come back as they were.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::time::{Timestamp, format_millis};
use crate::value::{ListRef, Value, ValueRef};

/// The most entries of a list or record that are taken room for before they are seen.
const MAX_RESERVED: usize = 1024;

/// The form for formats that people do not read. The variants are in the order of the variants of
/// [`Tagged`].
#[derive(serde::Serialize)]
#[serde(rename = "Value")]
enum TaggedRef<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(&'a str),
    Time(Timestamp),
    Duration(i64),
    Ip(IpAddr),
    List(Vec<ValueRef<'a>>),
    Record(Vec<(&'a str, &'a Value)>),
}

#[derive(serde::Deserialize)]
#[serde(rename = "Value")]
enum Tagged {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    Time(Timestamp),
    Duration(i64),
    Ip(IpAddr),
    List(Vec<Value>),
    Record(Vec<(String, Value)>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().serialize(serializer)
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return tagged(*self).serialize(serializer);
        }
        match *self {
            ValueRef::Null => serializer.serialize_none(),
            ValueRef::Bool(b) => serializer.serialize_bool(b),
            ValueRef::Int(i) => serializer.serialize_i64(i),
            ValueRef::Float(x) => serializer.serialize_f64(x),
            ValueRef::String(s) => serializer.serialize_str(s),
            ValueRef::Time(time) => time.serialize(serializer),
            ValueRef::Duration(millis) => serializer.serialize_str(&format_millis(millis)),
            ValueRef::Ip(ip) => ip.serialize(serializer),
            ValueRef::List(items) => serializer.collect_seq(items),
            ValueRef::Items(items) => serializer.collect_seq(ListRef::Items(items).iter()),
            ValueRef::Record(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(&**name, value)?;
                }
                map.end()
            }
        }
    }
}

fn tagged(value: ValueRef<'_>) -> TaggedRef<'_> {
    match value {
        ValueRef::Null => TaggedRef::Null,
        ValueRef::Bool(b) => TaggedRef::Bool(b),
        ValueRef::Int(i) => TaggedRef::Int(i),
        ValueRef::Float(x) => TaggedRef::Float(x),
        ValueRef::String(s) => TaggedRef::String(s),
        ValueRef::Time(time) => TaggedRef::Time(time),
        ValueRef::Duration(millis) => TaggedRef::Duration(millis),
        ValueRef::Ip(ip) => TaggedRef::Ip(ip),
        ValueRef::List(items) => TaggedRef::List(ListRef::Values(items).iter().collect()),
        ValueRef::Items(items) => TaggedRef::List(ListRef::Items(items).iter().collect()),
        ValueRef::Record(fields) => {
            TaggedRef::Record(fields.iter().map(|(name, value)| (&**name, value)).collect())
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(AnyValue);
        }
        Ok(match Tagged::deserialize(deserializer)? {
            Tagged::Null => Value::Null,
            Tagged::Bool(b) => Value::Bool(b),
            Tagged::Int(i) => Value::Int(i),
            Tagged::Float(x) => Value::Float(x),
            Tagged::String(s) => Value::String(s.into()),
            Tagged::Time(time) => Value::Time(time),
            Tagged::Duration(millis) => Value::Duration(millis),
            Tagged::Ip(ip) => Value::Ip(ip),
            Tagged::List(items) => Value::List(items.into()),
            Tagged::Record(fields) => Value::Record(
                fields.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            ),
        })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    /// Beyond `i64`, a number becomes a float.
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "as documented")]
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(MAX_RESERVED));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields: Vec<(Arc<str>, Value)> =
            Vec::with_capacity(entries.size_hint().unwrap_or(0).min(MAX_RESERVED));
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            fields.push((name.into(), value));
        }
        Ok(Value::Record(fields.into()))
    }
}

/// RFC 3339 where people read it, otherwise milliseconds since the epoch.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.as_millis())
        }
    }
}

/// Takes milliseconds since the epoch where people read it, too.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(AnyTime)
        } else {
            i64::deserialize(deserializer).map(Timestamp::from_millis)
        }
    }
}

struct AnyTime;

impl Visitor<'_> for AnyTime {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in RFC 3339 or milliseconds since 1970")
    }

    fn visit_i64<E>(self, millis: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::from_millis(millis))
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Timestamp, E> {
        i64::try_from(millis)
            .map(Timestamp::from_millis)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(millis), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}
