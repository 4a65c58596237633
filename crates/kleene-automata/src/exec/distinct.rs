//! The values of `distinct`: in the order of their first occurrence, with a lookup in O(1).

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::exec::kept::KeptValues;
use kleene_event::value::{Kind, Same, Value, ValueRef, equal_int};
use kleene_syntax::hir::eval;

/// Different values, none of them null.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinct {
    kept: KeptValues,
    /// The positions of values, for lookups. A set of copies would take five times the memory, and
    /// with thousands of partial matches memory takes most of the time.
    seen: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The types of the values.
    kinds: Option<Kind>,
    has_nan: bool,
}

impl Distinct {
    /// The values in order.
    pub(super) fn kept(&self) -> &KeptValues {
        &self.kept
    }

    /// Returns the approximate size of the values and of the lookup table in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let positions = self.kept.values().len() * 2 * size_of::<u32>();
        self.kept.bytes() + positions as u64
    }

    fn find(&self, value: ValueRef<'_>) -> Option<&u32> {
        let is_same = |at: &u32| self.kept.values()[*at as usize].as_ref().is_same(value);
        self.seen.find(self.hasher.hash_one(Same(value)), is_same)
    }

    /// True if the same value is there. `1` and `1.0` are not the same: `distinct` keeps both.
    pub(super) fn has_same(&self, value: ValueRef<'_>) -> bool {
        self.find(value).is_some()
    }

    /// True if the values of another set are among these.
    pub(super) fn contains(&self, other: &Distinct) -> bool {
        other.kept.values().iter().all(|value| self.has_same(value.as_ref()))
    }

    /// Returns the types of the values; `None` if there are no values.
    pub(super) fn kinds(&self) -> Option<Kind> {
        self.kinds
    }

    /// True if a value is NaN.
    pub(super) fn has_nan(&self) -> bool {
        self.has_nan
    }

    /// Adds a value.
    pub(super) fn push(&mut self, value: Value) {
        self.kinds = Some(self.kinds.map_or(value.kind(), |kinds| kinds.or(value.kind())));
        self.has_nan |= matches!(value, Value::Float(x) if x.is_nan());
        let at = u32::try_from(self.kept.values().len()).unwrap_or(u32::MAX);
        let hash = self.hasher.hash_one(&value);
        self.kept.push(value);
        let values = self.kept.values();
        let rehash = |at: &u32| self.hasher.hash_one(&values[*at as usize]);
        self.seen.insert_unique(hash, at, rehash);
    }

    /// True if one of the values equals `value` as conditions compare, for which `1` equals `1.0`:
    /// what [`eval::has_item`] says of them.
    pub(super) fn has(&self, value: ValueRef<'_>) -> Option<bool> {
        let Some(kinds) = self.kinds else { return Some(false) };
        let comparable = match value {
            // No value compares with these.
            ValueRef::Null => return None,
            ValueRef::Float(x) if x.is_nan() => return None,
            // Lists are equal if their items are, however these are written: no look-up finds that.
            ValueRef::List(_) | ValueRef::Items(_) | ValueRef::Record(_) => {
                let values = self.kept.values().iter();
                return eval::has_item(values.map(Value::as_ref), value);
            }
            ValueRef::Int(_) | ValueRef::Float(_) => Kind::NUMBER,
            other => other.kind(),
        };
        let has_other_form = || match other_form(value) {
            Some(other) if kinds.intersects(other.kind()) => self.has_same(other),
            _ => false,
        };
        if self.has_same(value) || has_other_form() {
            return Some(true);
        }
        (kinds.is_subset_of(comparable) && !self.has_nan).then_some(false)
    }
}

/// Returns the integer that equals a float, or the float that equals an integer.
fn other_form(value: ValueRef<'_>) -> Option<ValueRef<'static>> {
    match value {
        ValueRef::Int(int) => {
            #[expect(clippy::cast_precision_loss, reason = "compared exactly below")]
            let float = ValueRef::Float(int as f64);
            (float.compare(value) == Some(std::cmp::Ordering::Equal)).then_some(float)
        }
        ValueRef::Float(x) => equal_int(x).map(ValueRef::Int),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use kleene_event::time::Timestamp;

    /// Values that equal others in every way in which values can.
    fn values() -> Vec<Value> {
        let big = 9_007_199_254_740_993; // 2^53 + 1
        let ints = [0, 1, -1, big, big - 1, i64::MAX, i64::MIN];
        let floats = [0.0, -0.0, 1.0, -1.0, 0.5, 9_007_199_254_740_992.0, f64::NAN, f64::INFINITY];
        let edges = [9_223_372_036_854_775_808.0, -9_223_372_036_854_775_808.0];
        let mut values: Vec<Value> = ints.map(Value::Int).into();
        values.extend(floats.into_iter().chain(edges).map(Value::Float));
        values.extend(["", "a", "1"].map(Value::from));
        values.extend([Value::Bool(true), Value::Bool(false), Value::Duration(1)]);
        values.push(Value::Time(Timestamp::from_millis(1)));
        values.extend(["1.2.3.4", "::ffff:1.2.3.4"].map(|ip| Value::Ip(ip.parse().unwrap())));
        for item in [Value::Int(1), Value::Float(1.0), Value::Null] {
            values.push(Value::List(Arc::from([item.clone()])));
            values.push(Value::Record(Arc::from([(Arc::from("f"), item)])));
        }
        values
    }

    proptest! {
        #[test]
        fn a_look_up_says_what_a_scan_says(picks in prop::collection::vec(0..29_usize, 0..6)) {
            let all = values();
            let mut distinct = Distinct::default();
            for pick in picks {
                let value = &all[pick % all.len()];
                if !distinct.has_same(value.as_ref()) {
                    distinct.push(value.clone());
                }
            }
            for value in all.iter().chain([&Value::Null]) {
                let scanned =
                    eval::has_item(distinct.kept.values().iter().map(Value::as_ref), value.as_ref());
                prop_assert_eq!(distinct.has(value.as_ref()), scanned, "{} in {:?}", value, &distinct);
            }
        }
    }
}
