//! A key that is stored: its values.

use std::hash::{Hash, Hasher};
use std::ops::Deref;

use smallvec::SmallVec;

use crate::util::spread::Spread;
use kleene_event::value::Value;

/// A key's values in the order of the key parts, each in its canonical spelling
/// ([`Value::canonical`]): equal keys have equal bytes.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    One(Value),
    /// Any other number of parts.
    Many(Box<[Value]>),
}

impl Deref for Key {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        match self {
            Key::One(value) => std::slice::from_ref(value),
            Key::Many(values) => values,
        }
    }
}

impl FromIterator<Value> for Key {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Key {
        let mut values: SmallVec<[Value; 1]> = values.into_iter().map(Value::canonical).collect();
        match (values.pop(), values.is_empty()) {
            (Some(value), true) => Key::One(value),
            (last, _) => Key::Many(values.into_iter().chain(last).collect()),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl Hash for Key {
    /// As `KeyRef` does: the keys of one table have the same number of parts.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|value| value.hash(state));
    }
}

/// Returns the hash of a key that is the same in every engine.
pub(crate) fn spread(key: &[Value]) -> u64 {
    let mut state = Spread::default();
    for value in key {
        value.as_ref().hash_into(&mut state);
    }
    state.finish()
}
