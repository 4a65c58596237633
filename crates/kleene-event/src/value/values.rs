//! The owned value and the borrowed value: comparison, hash and text.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::Equivalent;

use crate::time::{Timestamp, duration_to_millis, format_millis};
use crate::value::Kind;

/// A value that owns its data. Cloning is cheap: text and lists are shared.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Missing or null.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit floating-point number.
    Float(f64),
    /// Text.
    String(Arc<str>),
    /// A moment in event time.
    Time(Timestamp),
    /// A span of time in milliseconds.
    Duration(i64),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A list of values.
    List(Arc<[Value]>),
    /// Named values in the order in which they were given.
    Record(Arc<[(Arc<str>, Value)]>),
}

/// A value borrowed from an event. Copying it copies a few machine words.
#[derive(Clone, Copy, Debug, Default)]
pub enum ValueRef<'a> {
    /// Missing or null.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit floating-point number.
    Float(f64),
    /// Text.
    String(&'a str),
    /// A moment in event time.
    Time(Timestamp),
    /// A span of time in milliseconds.
    Duration(i64),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A list of values.
    List(&'a [Value]),
    /// A list that an event holds in a form of its own, such as a `Vec<String>`. It equals a `List`
    /// of the same values; [`as_list`](ValueRef::as_list) reads both.
    Items(&'a dyn Items),
    /// Named values.
    Record(&'a [(Arc<str>, Value)]),
}

/// A list in an event that is not made of [`Value`]s, such as a `Vec<String>`. It lends its items
/// one by one, without allocation.
///
/// A `Vec` of any [`FieldValue`](crate::event::FieldValue) implements it. Implement it for another
/// collection to lend it as [`ValueRef::Items`].
pub trait Items {
    /// The number of items.
    fn len(&self) -> usize;

    /// The item at an index from 0; null beyond the last.
    fn get(&self, index: usize) -> ValueRef<'_>;

    /// True if there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The approximate heap size of one item in bytes, without what the item itself owns.
    fn item_size(&self) -> usize {
        size_of::<Value>()
    }
}

impl Value {
    /// Returns the value, borrowed.
    #[inline(always)]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(b) => ValueRef::Bool(*b),
            Value::Int(i) => ValueRef::Int(*i),
            Value::Float(x) => ValueRef::Float(*x),
            Value::String(s) => ValueRef::String(s),
            Value::Time(t) => ValueRef::Time(*t),
            Value::Duration(d) => ValueRef::Duration(*d),
            Value::Ip(ip) => ValueRef::Ip(*ip),
            Value::List(items) => ValueRef::List(items),
            Value::Record(fields) => ValueRef::Record(fields),
        }
    }

    /// True if this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The set that holds just this value's type.
    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    /// The one spelling of this value and of all values that equal it: one zero and one NaN, also
    /// within lists and records.
    ///
    /// Keys are made of canonical values. A key is forgotten when nothing is open for it, and read
    /// again from a snapshot or a cold store. The first spelling of a key is therefore not always
    /// remembered, and outputs for equal keys must not depend on the spelling.
    #[inline]
    #[must_use]
    pub fn canonical(self) -> Value {
        if self.is_canonical() { self } else { self.to_canonical() }
    }

    fn to_canonical(&self) -> Value {
        match self {
            Value::Float(x) => Value::Float(f64::from_bits(canonical_bits(*x))),
            Value::List(items) => Value::List(items.iter().map(Value::to_canonical).collect()),
            Value::Record(fields) => {
                let canonical =
                    |(name, value): &(Arc<str>, Value)| (name.clone(), value.to_canonical());
                Value::Record(fields.iter().map(canonical).collect())
            }
            other => other.clone(),
        }
    }

    #[inline]
    fn is_canonical(&self) -> bool {
        match self {
            Value::Float(x) => x.to_bits() == canonical_bits(*x),
            Value::List(items) => items.iter().all(Value::is_canonical),
            Value::Record(fields) => fields.iter().all(|(_, value)| value.is_canonical()),
            _ => true,
        }
    }
}

/// The size of the two counts beside what is shared.
const COUNTS: usize = 2 * size_of::<usize>();

impl ValueRef<'_> {
    /// Returns the value, owned.
    #[inline]
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(b) => Value::Bool(b),
            ValueRef::Int(i) => Value::Int(i),
            ValueRef::Float(x) => Value::Float(x),
            ValueRef::String(s) => Value::String(s.into()),
            ValueRef::Time(t) => Value::Time(t),
            ValueRef::Duration(d) => Value::Duration(d),
            ValueRef::Ip(ip) => Value::Ip(ip),
            ValueRef::List(items) => Value::List(items.into()),
            ValueRef::Items(_) => Value::List(self.items().map(ValueRef::to_value).collect()),
            ValueRef::Record(fields) => Value::Record(fields.into()),
        }
    }

    /// Returns the heap size of an owned copy in bytes, about.
    #[inline]
    pub fn heap_size(self) -> usize {
        match self {
            ValueRef::String(text) => COUNTS + text.len(),
            ValueRef::List(_) | ValueRef::Items(_) | ValueRef::Record(_) => self.heap_of_parts(),
            _ => 0,
        }
    }

    #[inline(never)]
    fn heap_of_parts(self) -> usize {
        match self {
            ValueRef::List(_) | ValueRef::Items(_) => match self.as_list() {
                Some(list) => COUNTS + list.heap_size(),
                None => COUNTS,
            },
            ValueRef::Record(fields) => {
                let of = |(name, value): &(Arc<str>, Value)| {
                    COUNTS + name.len() + value.as_ref().heap_size()
                };
                COUNTS + size_of_val(fields) + fields.iter().map(of).sum::<usize>()
            }
            _ => 0,
        }
    }

    /// True if this is [`ValueRef::Null`].
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The set that holds just this value's type.
    pub fn kind(self) -> Kind {
        match self {
            ValueRef::Null => Kind::NULL,
            ValueRef::Bool(_) => Kind::BOOL,
            ValueRef::Int(_) => Kind::INT,
            ValueRef::Float(_) => Kind::FLOAT,
            ValueRef::String(_) => Kind::STRING,
            ValueRef::Time(_) => Kind::TIME,
            ValueRef::Duration(_) => Kind::DURATION,
            ValueRef::Ip(_) => Kind::IP,
            ValueRef::List(_) | ValueRef::Items(_) => Kind::LIST,
            ValueRef::Record(_) => Kind::RECORD,
        }
    }

    /// Compares two values as conditions do. `None` if either is null, if the types do not compare,
    /// or if one is NaN. Integers and floats compare as numbers.
    pub fn compare(self, other: ValueRef<'_>) -> Option<Ordering> {
        match (self, other) {
            (ValueRef::Bool(a), ValueRef::Bool(b)) => Some(a.cmp(&b)),
            (ValueRef::Int(a), ValueRef::Int(b))
            | (ValueRef::Duration(a), ValueRef::Duration(b)) => Some(a.cmp(&b)),
            (ValueRef::Float(a), ValueRef::Float(b)) => a.partial_cmp(&b),
            (ValueRef::Int(a), ValueRef::Float(b)) => compare_int_float(a, b),
            (ValueRef::Float(a), ValueRef::Int(b)) => {
                compare_int_float(b, a).map(Ordering::reverse)
            }
            (ValueRef::String(a), ValueRef::String(b)) => Some(a.cmp(b)),
            (ValueRef::Time(a), ValueRef::Time(b)) => Some(a.cmp(&b)),
            (ValueRef::Ip(a), ValueRef::Ip(b)) => Some(a.cmp(&b)),
            _ => self.as_list()?.compare(other.as_list()?),
        }
    }
}

/// Compares without rounding the integer: `2^53 + 1` is more than `2^53` as a float.
fn compare_int_float(int: i64, float: f64) -> Option<Ordering> {
    let Some(whole) = int_part(float) else {
        // Every integer is between the floats that are out of range.
        return 0.0_f64.partial_cmp(&float);
    };
    Some(
        int.cmp(&whole)
            .then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)),
    )
}

/// The part of a float before the point, if an integer can hold it.
#[inline]
pub fn int_part(x: f64) -> Option<i64> {
    // 2^63: every i64 is below it, and at or above its negative. No NaN is in the range.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "in range, checked here")]
    (-LIMIT..LIMIT).contains(&x).then_some(x as i64)
}

/// The integer that equals a float, if there is one.
#[inline]
pub fn equal_int(x: f64) -> Option<i64> {
    int_part(x).filter(|_| x.fract() == 0.0)
}

/// Structural equality, for keys, tests and collections: null equals null, floats compare by bits
/// with one NaN and one zero, and an integer does not equal a float.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.as_ref().is_same(other.as_ref())
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash_into(state);
    }
}

impl ValueRef<'_> {
    /// Structural equality, as [`Value`]s are equal.
    pub fn is_same(self, other: ValueRef<'_>) -> bool {
        match (self, other) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
            (ValueRef::Int(a), ValueRef::Int(b))
            | (ValueRef::Duration(a), ValueRef::Duration(b)) => a == b,
            (ValueRef::Float(a), ValueRef::Float(b)) => canonical_bits(a) == canonical_bits(b),
            (ValueRef::String(a), ValueRef::String(b)) => a == b,
            (ValueRef::Time(a), ValueRef::Time(b)) => a == b,
            (ValueRef::Ip(a), ValueRef::Ip(b)) => a == b,
            (ValueRef::List(a), ValueRef::List(b)) => a == b,
            (ValueRef::Record(a), ValueRef::Record(b)) => a == b,
            _ => match (self.as_list(), other.as_list()) {
                (Some(a), Some(b)) => a.is_same(b),
                _ => false,
            },
        }
    }

    /// Hashes the value as [`Value`] does, so that a borrowed value finds an owned one.
    pub fn hash_into<H: Hasher>(self, state: &mut H) {
        // Both forms of a list are one value.
        let form = if let ValueRef::Items(_) = self { ValueRef::List(&[]) } else { self };
        std::mem::discriminant(&form).hash(state);
        match self {
            ValueRef::Null => {}
            ValueRef::Bool(b) => b.hash(state),
            ValueRef::Int(i) | ValueRef::Duration(i) => i.hash(state),
            ValueRef::Float(x) => canonical_bits(x).hash(state),
            ValueRef::String(s) => s.hash(state),
            ValueRef::Time(t) => t.hash(state),
            ValueRef::Ip(ip) => ip.hash(state),
            ValueRef::List(items) => items.hash(state),
            ValueRef::Items(items) => {
                // As a slice of values is hashed.
                items.len().hash(state);
                self.items().for_each(|item| item.hash_into(state));
            }
            ValueRef::Record(fields) => fields.hash(state),
        }
    }
}

/// Finds the value in a set or a map that [is the same](ValueRef::is_same), without owning it.
#[derive(Debug)]
pub struct Same<'a>(pub ValueRef<'a>);

impl Hash for Same<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

impl Equivalent<Value> for Same<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        self.0.is_same(key.as_ref())
    }
}

/// The bits of a float with one zero and one NaN: equal floats have equal bits.
pub fn canonical_bits(float: f64) -> u64 {
    if float.is_nan() {
        f64::NAN.to_bits()
    } else if float == 0.0 {
        0
    } else {
        float.to_bits()
    }
}

/// Writes the value as a rule would spell it: text in quotes, durations as `1h30m`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// Writes the value as a rule would spell it: text in quotes, durations as `1h30m`.
impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueRef::Null => f.write_str("null"),
            ValueRef::Bool(b) => b.fmt(f),
            ValueRef::Int(i) => i.fmt(f),
            ValueRef::Float(x) => write!(f, "{x:?}"),
            ValueRef::String(s) => write!(f, "{s:?}"),
            ValueRef::Time(t) => t.fmt(f),
            ValueRef::Duration(d) => f.write_str(&format_millis(*d)),
            ValueRef::Ip(ip) => ip.fmt(f),
            ValueRef::List(_) | ValueRef::Items(_) => {
                f.write_str("[")?;
                for (i, item) in self.items().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            ValueRef::Record(fields) => {
                f.write_str("{ ")?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{name}: {value}")?;
                }
                f.write_str(" }")
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(value.into())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Value {
        Value::Time(value)
    }
}

/// Whole milliseconds, at most `i64::MAX`.
impl From<Duration> for Value {
    fn from(value: Duration) -> Value {
        Value::Duration(duration_to_millis(value))
    }
}

impl From<IpAddr> for Value {
    fn from(value: IpAddr) -> Value {
        Value::Ip(value)
    }
}

/// `None` is null.
impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_types_without_rounding() {
        let big = 9_007_199_254_740_993; // 2^53 + 1
        let cases = [
            (ValueRef::Int(1), ValueRef::Float(1.0), Some(Ordering::Equal)),
            (ValueRef::Int(1), ValueRef::Float(1.5), Some(Ordering::Less)),
            (ValueRef::Int(-1), ValueRef::Float(-1.5), Some(Ordering::Greater)),
            (ValueRef::Int(big), ValueRef::Float(9_007_199_254_740_992.0), Some(Ordering::Greater)),
            (ValueRef::Int(i64::MAX), ValueRef::Float(9.3e18), Some(Ordering::Less)),
            (ValueRef::Int(0), ValueRef::Float(f64::NAN), None),
            (ValueRef::Null, ValueRef::Null, None),
            (ValueRef::String("a"), ValueRef::Int(1), None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.compare(b), expected, "{a} with {b}");
            assert_eq!(b.compare(a), expected.map(Ordering::reverse), "{b} with {a}");
        }
    }
}
