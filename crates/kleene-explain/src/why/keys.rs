//! The key that is traced, and the other keys of the stream.

use std::error::Error;
use std::fmt;

use hashbrown::HashSet;

use crate::explain::is_written;
use kleene_automata::exec::field_of;
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Value;
use kleene_syntax::hir::{Rule, StepKey};

/// The largest number of keys that are remembered, so that some can be named if the requested key
/// never occurs.
const KEPT: usize = 10_000;

/// The key that is asked for, as a person has written it: a text for each part of the rule's key.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    parts: Vec<String>,
    /// Other keys that occurred, in the order of their appearance, as long as the traced key has
    /// not.
    others: Vec<String>,
    known: HashSet<String>,
    /// True if there were more than are remembered.
    pub(super) more: bool,
    pub(super) occurred: bool,
}

/// The relation of an event to the traced key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// The event has the key.
    Ours,
    /// The event has the key, but the rule does not see events of its type.
    Unseen,
    /// The event has another key.
    Another,
    /// The event has no key.
    Keyless,
    /// The rule does not see its type, and it says nothing of the key.
    Foreign,
}

/// The error that a key fits no rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for KeyError {}

/// A key as it is typed, taken apart: `value`, `a,b`, or `name=value` in any order. Where the key
/// has one part, commas are its own.
pub(super) fn parse(rule: &Rule, texts: &[String]) -> Result<Vec<String>, KeyError> {
    let names: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
    if names.is_empty() {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let rule = &rule.name;
        return Err(KeyError(format!("the rule `{rule}` has no key: all events are one stream")));
    }
    let pieces: Vec<&str> = if names.len() == 1 {
        texts.iter().map(String::as_str).collect()
    } else {
        texts.iter().flat_map(|text| text.split(',')).map(str::trim).collect()
    };
    let mut parts: Vec<Option<String>> = vec![None; names.len()];
    for piece in &pieces {
        let named = piece.split_once('=').and_then(|(name, value)| {
            Some((names.iter().position(|known| *known == name.trim())?, value.trim()))
        });
        let free = parts.iter().position(Option::is_none);
        let (index, value) = match (named, free) {
            (Some(named), _) => named,
            (None, Some(free)) => (free, *piece),
            (None, None) => return Err(wrong_count(&names, pieces.len())),
        };
        parts[index] = Some(value.to_owned());
    }
    let found = pieces.len();
    parts.into_iter().collect::<Option<_>>().ok_or_else(|| wrong_count(&names, found))
}

/// Returns the key of an event for a rule; `None` if the rule does not see the event, or if a part
/// of its key is null. The rule has to have the numbers of the event's types
/// ([`Engine::rules`](kleene::Engine::rules)). If the steps of the rule give the event several keys,
/// this is the first of them.
pub fn key_of<E: Event>(rule: &Rule, event: &E) -> Option<Vec<Value>> {
    let ty = event.type_id();
    rule.types.binary_search(&ty).ok()?;
    if let Some(keys) = several(rule, event) {
        return keys.into_iter().next().map(|(key, _)| key);
    }
    let values = rule.key.iter().map(|part| {
        let (_, field) = part.fields.iter().find(|(of, _)| *of == ty)?;
        let value = field_of(event, field);
        (!value.is_null()).then(|| value.to_value().canonical())
    });
    values.collect()
}

/// Returns the different keys that the steps of a rule give an event, each with the variants of step
/// keys that give it; `None` if all steps give events of the type the same key.
fn several<E: Event>(rule: &Rule, event: &E) -> Option<Vec<(Vec<Value>, u64)>> {
    let of = rule.step_keys.iter().find(|keys| keys.ty == event.type_id())?;
    let mut keys: Vec<(Vec<Value>, u64)> = Vec::new();
    for StepKey { fields, variants } in &of.keys {
        let values = fields.iter().map(|field| field_of(event, field).to_value().canonical());
        let values: Vec<Value> = values.collect();
        match keys.iter_mut().find(|(known, _)| *known == values) {
            _ if values.iter().any(Value::is_null) => {}
            Some((_, known)) => *known |= variants,
            None => keys.push((values, *variants)),
        }
    }
    Some(keys)
}

/// The values of a key, as [`parse`] gives what is typed.
pub(super) fn written(rule: &Rule, key: &[Value]) -> Result<Vec<String>, KeyError> {
    if key.len() != rule.key.len() {
        let names: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
        return Err(wrong_count(&names, key.len()));
    }
    Ok(key.iter().map(plain).collect())
}

fn wrong_count(names: &[&str], found: usize) -> KeyError {
    let example: Vec<String> = names.iter().map(|name| format!("{name}=...")).collect();
    KeyError(format!(
        "the key has {} ({}), {found} given; write it as {}",
        if names.len() == 1 { String::from("1 part") } else { format!("{} parts", names.len()) },
        names.join(", "),
        example.join(",")
    ))
}

impl Wanted {
    pub(super) fn new(parts: Vec<String>) -> Wanted {
        let occurred = parts.is_empty();
        let (others, known) = (Vec::new(), HashSet::new());
        Wanted { parts, others, known, more: false, occurred }
    }

    /// Returns the relation of an event to the traced key, with the key if it is the traced one and
    /// the variants of step keys that give it.
    pub(super) fn whose<E: Event>(
        &mut self,
        rule: &Rule,
        schema: &Schema,
        event: &E,
    ) -> (Whose, Vec<Value>, u64) {
        let Some(keys) = several(rule, event) else {
            let (whose, key) = self.whose_only(rule, schema, event);
            return (whose, key, u64::MAX);
        };
        let whose = if keys.is_empty() { Whose::Keyless } else { Whose::Another };
        for (key, variants) in keys {
            if is_key(&self.parts, key.iter()) {
                self.occurred = true;
                return (Whose::Ours, key, variants);
            }
            self.remember(&key);
        }
        (whose, Vec::new(), 0)
    }

    /// As [`whose`](Wanted::whose), of an event that has one key at most.
    fn whose_only<E: Event>(
        &mut self,
        rule: &Rule,
        schema: &Schema,
        event: &E,
    ) -> (Whose, Vec<Value>) {
        let ty = event.type_id();
        let is_seen = rule.types.binary_search(&ty).is_ok();
        let mut values = Vec::with_capacity(rule.key.len());
        for part in &rule.key {
            let field = part.fields.iter().find(|(of, _)| *of == ty);
            let value = match field {
                Some((_, field)) => field_of(event, field).to_value(),
                // Of a type that the rule does not see: the field of the same name, if it has one.
                None if !is_seen && ty.index() < schema.len() => {
                    let field = schema.ty(ty).field_id(&part.name);
                    field.map_or(Value::Null, |field| event.field(field).to_value())
                }
                None => Value::Null,
            };
            values.push(value.canonical());
        }
        let whose = match (values.iter().any(Value::is_null), is_seen) {
            (true, true) => Whose::Keyless,
            (false, is_seen) if is_key(&self.parts, values.iter()) => {
                self.occurred |= is_seen;
                if is_seen { Whose::Ours } else { Whose::Unseen }
            }
            (false, true) => {
                self.remember(&values);
                Whose::Another
            }
            (_, false) => Whose::Foreign,
        };
        (whose, values)
    }

    fn remember(&mut self, values: &[Value]) {
        if self.occurred {
            self.others = Vec::new();
            self.known = HashSet::new();
            return;
        }
        let text = values.iter().map(plain).collect::<Vec<_>>().join(",");
        if self.known.contains(&text) {
            return;
        }
        if self.others.len() >= KEPT {
            self.more = true;
            return;
        }
        self.known.insert(text.clone());
        self.others.push(text);
    }

    /// The parts of the key as they were asked for.
    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The key as it was asked for.
    pub(super) fn text(&self) -> String {
        self.parts.join(",")
    }

    /// Returns keys that occurred: the nearest to the traced key, then the first ones; and the
    /// number of keys.
    pub(super) fn suggestions(&self, count: usize) -> (Option<&str>, Vec<&str>, usize) {
        let near = nearest(&self.text(), self.others.iter().map(String::as_str));
        let others = self.others.iter().map(String::as_str);
        let others = others.filter(|other| Some(*other) != near).take(count);
        (near, others.collect(), self.others.len())
    }
}

/// True if these are the values that were written as `parts`.
pub(super) fn is_key<'v>(
    parts: &[String],
    values: impl ExactSizeIterator<Item = &'v Value>,
) -> bool {
    values.len() == parts.len()
        && values.zip(parts).all(|(value, text)| is_written(value.as_ref(), text))
}

/// A value without quotes, as it is typed.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        value => value.to_string(),
    }
}
