//! A result as a line of JSON, divided into the values of columns.

use std::borrow::Cow;
use std::fmt;

use kleene::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The values of a result. Those that are missing are `None`.
#[derive(Default)]
pub(crate) struct ResultLine<'a> {
    pub(crate) rule: Option<Cow<'a, str>>,
    pub(crate) version: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    /// Milliseconds since 1970.
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    /// JSON.
    pub(crate) key: Option<&'a str>,
    pub(crate) count: Option<i64>,
    /// JSON.
    pub(crate) emit: Option<&'a str>,
    /// JSON.
    pub(crate) events: Option<&'a str>,
    /// JSON: an object of the members that have no column.
    pub(crate) details: Option<String>,
}

impl<'a> ResultLine<'a> {
    /// Reads a line.
    pub(crate) fn of(line: &'a [u8]) -> Result<ResultLine<'a>, String> {
        let Members(members) = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let mut read = ResultLine::default();
        let mut details = String::new();
        for (name, value) in members {
            let is_read = match &*name {
                "rule" => set(&mut read.rule, text(value)),
                "version" => set(&mut read.version, text(value)),
                "kind" => set(&mut read.kind, text(value)),
                "id" => set(&mut read.id, text(value)),
                "start" => set(&mut read.start, millis(value)),
                "end" => set(&mut read.end, millis(value)),
                "count" => set(&mut read.count, serde_json::from_str(value).ok()),
                "key" => set(&mut read.key, Some(value)),
                "emit" => set(&mut read.emit, Some(value)),
                "events" => set(&mut read.events, Some(value)),
                _ => false,
            };
            if !is_read {
                details.push(if details.is_empty() { '{' } else { ',' });
                // Writing to memory does not fail.
                let name = serde_json::to_string(&name).unwrap_or_default();
                details.extend([&*name, ":", value]);
            }
        }
        if !details.is_empty() {
            details.push('}');
            read.details = Some(details);
        }
        Ok(read)
    }
}

/// Sets a value. Returns false, and sets nothing, if `value` is `None` or was set before.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let is_free = place.is_none() && value.is_some();
    if is_free {
        *place = value;
    }
    is_free
}

fn text(json: &str) -> Option<Cow<'_, str>> {
    // `Cow` itself is never borrowed.
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

fn millis(json: &str) -> Option<i64> {
    text(json)?.parse::<Timestamp>().ok().map(Timestamp::as_millis)
}

/// The members of an object, in their order, each value as its text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Members<'de>, D::Error> {
        json.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = object.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            members.push((name, value.get()));
        }
        Ok(members)
    }
}
