//! The key of an event: read in place, and hashed.
//!
//! Two fast paths are here. A key of one number or text is compared in the event.
//!
//! When it applies: the key has one part, and its value in the event is an integer or a text.
//!
//! Why it is right: equal values of these types have one canonical spelling, so a comparison in
//! place gives the same answer as a comparison of stored keys.
//!
//! What it saves: no key is built before it has to be stored. Without it, W1 takes 1.09 times the
//! instructions, W2 1.27 (docs/performance.md).
//!
//! Which test holds it: `tests/equal_keys.rs`.
//!
//! The key of a rule without a key is not read at all: it has no parts, and its hash is known. W10
//! takes 1.4 times as long without that. `tests/joined.rs` holds it, with all rules without a key.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, Equivalent};
use smallvec::SmallVec;

use crate::stream::keys::key::{Key, spread};
use crate::stream::keys::reader::KeyReader;
use crate::util::spread::Spread;
use kleene_automata::exec::field_of;
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::expr::FieldRef;

/// True if no part of an event's key is null.
#[inline]
pub(crate) fn has_key<E: Event>(event: &E, reader: &KeyReader<E>) -> bool {
    reader.fields.iter().all(|field| !field_of(event, field).is_null())
        || reader.compute(event).is_some()
}

/// Returns the [`KeyRef::spread`] hash of an event's key, which is the same in every engine. `None`
/// if a part of the key is null.
#[inline]
pub(crate) fn shard_hash<E: Event>(event: &E, reader: &KeyReader<E>) -> Option<u64> {
    let mut state = Spread::default();
    for field in &reader.fields {
        let value = field_of(event, field);
        if value.is_null() {
            return reader.compute(event).map(|key| spread(&key));
        }
        value.hash_into(&mut state);
    }
    Some(state.finish())
}

/// The hasher of keys, with seeds that no outsider can predict.
#[derive(Clone, Debug)]
pub(crate) struct KeyHasher {
    any: DefaultHashBuilder,
    /// For keys that are one number, which are the most common.
    seeds: [u64; 2],
    /// The hash of the key without parts.
    pub(super) nothing: u32,
}

impl Default for KeyHasher {
    fn default() -> KeyHasher {
        let any = DefaultHashBuilder::default();
        let seeds = [any.hash_one(0), any.hash_one(1) | 1];
        let hasher = KeyHasher { any, seeds, nothing: 0 };
        KeyHasher { nothing: hasher.many(&[]), ..hasher }
    }
}

impl KeyHasher {
    /// Returns the [hash](KeyRef::hash) of an event's key. `None` if a part of the key is null.
    #[inline(always)]
    pub(crate) fn of<E: Event>(&self, event: &E, reader: &KeyReader<E>) -> Option<u32> {
        if let [FieldRef::Declared(field)] = &*reader.fields {
            let value = event.field(*field);
            if let ValueRef::Int(number) = value {
                return Some(self.int(number));
            }
            if let ValueRef::String(text) = value {
                return Some(self.text(text));
            }
        }
        if reader.fields.is_empty() {
            return Some(self.nothing);
        }
        self.of_any(event, reader)
    }

    #[inline(never)]
    fn of_any<E: Event>(&self, event: &E, reader: &KeyReader<E>) -> Option<u32> {
        KeyRef::read(event, reader, self).map(|key| key.hash)
    }

    #[inline(always)]
    fn one(&self, value: ValueRef<'_>) -> u32 {
        match value {
            ValueRef::Int(number) => self.int(number),
            ValueRef::String(text) => self.text(text),
            value => self.many(&[value]),
        }
    }

    #[inline(always)]
    pub(super) fn int(&self, number: i64) -> u32 {
        let number = number.cast_unsigned() ^ self.seeds[0];
        let wide = u128::from(number) * u128::from(self.seeds[1]);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let halves = (wide as u64, (wide >> 64) as u64);
        fold(halves.0 ^ halves.1)
    }

    /// Returns the hash of a text. Out of line: what it needs is then in registers, where an inlined
    /// copy stores it for the closure that may not be called.
    #[inline(never)]
    pub(super) fn text(&self, text: &str) -> u32 {
        let mut state = self.any.build_hasher();
        state.write(text.as_bytes());
        fold(state.finish())
    }

    fn many(&self, values: &[ValueRef<'_>]) -> u32 {
        let mut state = self.any.build_hasher();
        for value in values {
            value.hash_into(&mut state);
        }
        fold(state.finish())
    }

    /// Returns the hash of a stored key. It equals the hash of the same key in an event.
    fn owned(&self, key: &[Value]) -> u32 {
        if let [one] = key {
            return self.one(one.as_ref());
        }
        let values: SmallVec<[ValueRef<'_>; 3]> = key.iter().map(Value::as_ref).collect();
        self.many(&values)
    }
}

/// An event's key values, borrowed, and their hash.
#[derive(Debug)]
pub(crate) struct KeyRef<'a> {
    values: Values<'a>,
    pub(super) hash: u32,
}

#[derive(Debug)]
enum Values<'a> {
    One(ValueRef<'a>),
    /// Any other number of parts.
    Many(SmallVec<[ValueRef<'a>; 3]>),
    /// A key that closures of the host have computed.
    Computed(Key),
}

impl<'a> KeyRef<'a> {
    /// Returns a key of one part, which must not be null.
    #[inline(always)]
    fn one(value: ValueRef<'a>, hasher: &KeyHasher) -> KeyRef<'a> {
        KeyRef { values: Values::One(value), hash: hasher.one(value) }
    }

    /// Reads an event's key. `None` if a part of the key is null.
    #[inline(always)]
    pub(crate) fn read<E: Event>(
        event: &'a E,
        reader: &KeyReader<E>,
        hasher: &KeyHasher,
    ) -> Option<KeyRef<'a>> {
        let [field] = &*reader.fields else { return KeyRef::read_many(event, reader, hasher) };
        let value = field_of(event, field);
        if value.is_null() {
            return KeyRef::compute(event, reader, hasher);
        }
        Some(KeyRef::one(value, hasher))
    }

    /// Reads an event's key with a known hash.
    #[inline(always)]
    pub(crate) fn read_hashed<E: Event>(
        event: &'a E,
        reader: &KeyReader<E>,
        hash: u32,
    ) -> Option<KeyRef<'a>> {
        if let [field] = &*reader.fields {
            let value = field_of(event, field);
            if !value.is_null() {
                return Some(KeyRef { values: Values::One(value), hash });
            }
        }
        KeyRef::read_hashed_many(event, reader, hash)
    }

    #[inline(never)]
    fn read_hashed_many<E: Event>(
        event: &'a E,
        reader: &KeyReader<E>,
        hash: u32,
    ) -> Option<KeyRef<'a>> {
        let values = read_values(event, &reader.fields).map(Values::Many);
        let values = values.or_else(|| reader.compute(event).map(Values::Computed))?;
        Some(KeyRef { values, hash })
    }

    fn read_many<E: Event>(
        event: &'a E,
        reader: &KeyReader<E>,
        hasher: &KeyHasher,
    ) -> Option<KeyRef<'a>> {
        let Some(values) = read_values(event, &reader.fields) else {
            return KeyRef::compute(event, reader, hasher);
        };
        let hash = hasher.many(&values);
        Some(KeyRef { values: Values::Many(values), hash })
    }

    /// Computes the key of an event with a null field.
    #[cold]
    fn compute<E: Event>(
        event: &'a E,
        reader: &KeyReader<E>,
        hasher: &KeyHasher,
    ) -> Option<KeyRef<'a>> {
        let key = reader.compute(event)?;
        let hash = hasher.owned(&key);
        Some(KeyRef { values: Values::Computed(key), hash })
    }

    /// Returns a key that was read before.
    pub(crate) fn of(key: &'a [Value], hasher: &KeyHasher) -> KeyRef<'a> {
        if let [one] = key {
            return KeyRef::one(one.as_ref(), hasher);
        }
        let values: SmallVec<_> = key.iter().map(Value::as_ref).collect();
        let hash = hasher.many(&values);
        KeyRef { values: Values::Many(values), hash }
    }

    /// Returns a hash that is the same in every engine.
    pub(crate) fn spread(&self) -> u64 {
        let mut state = Spread::default();
        self.hash_into(&mut state);
        state.finish()
    }

    fn hash_into<H: Hasher>(&self, state: &mut H) {
        match &self.values {
            Values::One(one) => one.hash_into(state),
            Values::Many(many) => many.iter().for_each(|value| value.hash_into(state)),
            Values::Computed(key) => key.hash(state),
        }
    }

    #[inline(always)]
    pub(crate) fn to_key(&self) -> Key {
        match &self.values {
            // These have one spelling.
            Values::One(ValueRef::Int(number)) => Key::One(Value::Int(*number)),
            Values::One(ValueRef::String(text)) => Key::One(Value::String((*text).into())),
            _ => self.to_any_key(),
        }
    }

    #[inline(never)]
    fn to_any_key(&self) -> Key {
        match &self.values {
            Values::One(one) => Key::One(one.to_value().canonical()),
            Values::Many(many) => many.iter().map(|value| value.to_value()).collect(),
            Values::Computed(key) => key.clone(),
        }
    }

    fn parts(&self) -> SmallVec<[ValueRef<'_>; 3]> {
        match &self.values {
            Values::One(one) => SmallVec::from_iter([*one]),
            Values::Many(many) => many.iter().copied().collect(),
            Values::Computed(key) => key.iter().map(Value::as_ref).collect(),
        }
    }

    /// True if both are the same key.
    pub(crate) fn is_same(&self, other: &KeyRef<'_>) -> bool {
        let (own, others) = (self.parts(), other.parts());
        self.hash == other.hash
            && own.len() == others.len()
            && own.iter().zip(&others).all(|(a, b)| a.is_same(*b))
    }

    /// Returns the hash of lookups.
    pub(crate) fn hash(&self) -> u32 {
        self.hash
    }

    #[inline(always)]
    pub(crate) fn is_key(&self, key: &Key) -> bool {
        match (key, &self.values) {
            (Key::One(Value::Int(key)), Values::One(ValueRef::Int(value))) => value == key,
            (Key::One(Value::String(key)), Values::One(ValueRef::String(value))) => {
                **key == **value
            }
            (_, Values::One(value)) => {
                matches!(&**key, [key] if value.is_same(key.as_ref()))
            }
            (_, Values::Many(values)) => {
                values.iter().zip(&**key).all(|(value, key)| value.is_same(key.as_ref()))
            }
            (_, Values::Computed(computed)) => computed == key,
        }
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_into(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.is_key(key)
    }
}

/// Reads a key of several parts; `None` if one of them is null.
fn read_values<'a, E: Event>(
    event: &'a E,
    fields: &[FieldRef],
) -> Option<SmallVec<[ValueRef<'a>; 3]>> {
    let values = fields.iter().map(|field| Some(field_of(event, field)).filter(|it| !it.is_null()));
    values.collect()
}

/// Returns the hash in the width that is stored.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}
