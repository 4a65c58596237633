//! Totals over a set of matches: `matches.sum(step.field)` and its like.
//!
//! A total does not depend on the order in which values are added, so that it can be added up match
//! by match or node by node. Integers and durations are exact; only sums of floats are rounded.

use std::cmp::Ordering;

use kleene_event::value::{Kind, Value, ValueRef};
use kleene_syntax::hir::expr::AggregateOp;

/// A total in progress.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    op: AggregateOp,
    sum: WeightedSum,
    /// The number of values.
    count: u128,
    /// The least or greatest value so far, by `op`.
    extreme: Value,
}

/// A sum of numbers and durations.
#[derive(Clone, Copy, Debug)]
struct WeightedSum {
    /// The integers, or the durations in milliseconds.
    whole: i128,
    /// The floats, and the integers that are too large together.
    float: f64,
    /// The types of what was added.
    kinds: Kind,
    /// True if the whole numbers are too large together.
    is_spilled: bool,
}

impl Total {
    /// Returns a total without values.
    pub(crate) fn new(op: AggregateOp) -> Total {
        let sum = WeightedSum { whole: 0, float: 0.0, kinds: Kind::NEVER, is_spilled: false };
        Total { op, sum, count: 0, extreme: Value::Null }
    }

    /// Adds a value the given number of times. Null is left out.
    pub(crate) fn add(&mut self, value: ValueRef<'_>, times: u64) {
        if value.is_null() || times == 0 {
            return;
        }
        match self.op {
            AggregateOp::Sum | AggregateOp::Avg => {
                self.count = self.count.saturating_add(times.into());
                self.sum.add(value, times);
            }
            AggregateOp::Min => self.compete(value, Ordering::Less),
            AggregateOp::Max => self.compete(value, Ordering::Greater),
            _ => {}
        }
    }

    /// Adds all that was added to another total of the same operation.
    #[cfg(test)]
    pub(crate) fn merge(&mut self, other: &Total) {
        self.count = self.count.saturating_add(other.count);
        self.sum.merge(&other.sum);
        if !other.extreme.is_null() {
            self.add(other.extreme.as_ref(), 1);
        }
    }

    /// Keeps the better one of two values; of equal ones of two types the one whose type comes
    /// first.
    fn compete(&mut self, value: ValueRef<'_>, wanted: Ordering) {
        if matches!(value, ValueRef::Float(x) if x.is_nan()) {
            return;
        }
        let best = self.extreme.as_ref();
        let by_type = || rank(value).cmp(&rank(best));
        let is_better = best.is_null()
            || match value.compare(best) {
                Some(Ordering::Equal) => by_type().is_lt(),
                Some(order) => order == wanted,
                None => by_type() == wanted,
            };
        if is_better {
            self.extreme = value.to_value();
        }
    }

    /// Returns the total of what was added so far.
    pub(crate) fn value(&self) -> Value {
        match self.op {
            AggregateOp::Sum => self.sum.value(),
            AggregateOp::Avg => self.sum.average(self.count),
            _ => self.extreme.clone(),
        }
    }
}

impl WeightedSum {
    #[expect(clippy::cast_precision_loss, reason = "a float is what there is")]
    fn add(&mut self, value: ValueRef<'_>, times: u64) {
        self.kinds = self.kinds.or(value.kind());
        let whole = match value {
            ValueRef::Int(whole) | ValueRef::Duration(whole) => whole,
            ValueRef::Float(number) => {
                self.float += number * times as f64;
                return;
            }
            _ => return,
        };
        match i128::from(whole).checked_mul(times.into()) {
            Some(product) => self.add_whole(product),
            None => self.spill(whole as f64 * times as f64),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is what there is")]
    fn add_whole(&mut self, whole: i128) {
        match self.whole.checked_add(whole) {
            Some(sum) => self.whole = sum,
            None => self.spill(whole as f64),
        }
    }

    /// Adds what is too large for whole numbers.
    fn spill(&mut self, number: f64) {
        self.is_spilled = true;
        self.float += number;
    }

    #[cfg(test)]
    fn merge(&mut self, other: &WeightedSum) {
        self.kinds = self.kinds.or(other.kinds);
        self.is_spilled |= other.is_spilled;
        self.float += other.float;
        self.add_whole(other.whole);
    }

    /// Returns the sum in milliseconds if all is durations, `None` if all is numbers.
    ///
    /// # Errors
    /// If it is neither, or if durations are too large together: there is no sum.
    fn millis(&self) -> Result<Option<i128>, ()> {
        if self.kinds.is_subset_of(Kind::NUMBER) {
            return Ok(None);
        }
        let is_sum = self.kinds == Kind::DURATION && !self.is_spilled;
        if is_sum { Ok(Some(self.whole)) } else { Err(()) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is what there is")]
    fn as_float(&self) -> f64 {
        self.float + self.whole as f64
    }

    fn value(&self) -> Value {
        let is_whole = !self.is_spilled && !self.kinds.intersects(Kind::FLOAT);
        match (self.millis(), i64::try_from(self.whole)) {
            (Ok(None), Ok(whole)) if is_whole => Value::Int(whole),
            (Ok(None), _) => finite(self.as_float()),
            (Ok(Some(_)), Ok(millis)) => Value::Duration(millis),
            _ => Value::Null,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is what there is")]
    fn average(&self, count: u128) -> Value {
        let Ok(number) = i128::try_from(count) else { return Value::Null };
        match self.millis() {
            _ if number == 0 => Value::Null,
            Ok(None) => finite(self.as_float() / count as f64),
            Ok(Some(millis)) => i64::try_from(millis / number).map_or(Value::Null, Value::Duration),
            Err(()) => Value::Null,
        }
    }
}

/// A float, or null for what is none.
fn finite(number: f64) -> Value {
    if number.is_finite() { Value::Float(number) } else { Value::Null }
}

/// The place of a value's type among the types.
fn rank(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Bool(_) => 1,
        ValueRef::Int(_) => 2,
        ValueRef::Float(_) => 3,
        ValueRef::String(_) => 4,
        ValueRef::Time(_) => 5,
        ValueRef::Duration(_) => 6,
        ValueRef::Ip(_) => 7,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(op: AggregateOp, values: &[(Value, u64)]) -> Value {
        let mut total = Total::new(op);
        for (value, times) in values {
            total.add(value.as_ref(), *times);
        }
        // In the other order, and in two parts, it is the same.
        let (mut first, mut second) = (Total::new(op), Total::new(op));
        for (index, (value, times)) in values.iter().enumerate().rev() {
            let part = if index % 2 == 0 { &mut first } else { &mut second };
            part.add(value.as_ref(), *times);
        }
        first.merge(&second);
        assert_eq!(first.value(), total.value());
        total.value()
    }

    #[test]
    fn sums_are_exact_as_long_as_they_are_integers() {
        let sum = |values: &[(Value, u64)]| total(AggregateOp::Sum, values);
        assert_eq!(sum(&[]), Value::Int(0));
        assert_eq!(
            sum(&[(Value::Int(3), 2), (Value::Null, 9), (Value::Int(-1), 1)]),
            Value::Int(5)
        );
        // Large terms that cancel out do not lose precision on the way.
        let large = (Value::Int(i64::MAX), u64::MAX);
        let back = (Value::Int(-i64::MAX), u64::MAX);
        assert_eq!(sum(&[large.clone(), (Value::Int(7), 1), back]), Value::Int(7));
        assert_eq!(sum(&[(Value::Int(i64::MAX), 2)]), Value::Float(18_446_744_073_709_551_614.0));
        assert_eq!(sum(&[(Value::Float(0.5), 3), (Value::Int(1), 1)]), Value::Float(2.5));
        assert!(matches!(sum(&[large.clone(), large.clone(), large]), Value::Float(x) if x > 5e38));
    }

    #[test]
    fn durations_add_up_to_durations() {
        let sum = |values: &[(Value, u64)]| total(AggregateOp::Sum, values);
        assert_eq!(sum(&[(Value::Duration(40), 2)]), Value::Duration(80));
        assert_eq!(sum(&[(Value::Duration(40), 2), (Value::Int(1), 1)]), Value::Null);
        assert_eq!(sum(&[(Value::Duration(i64::MAX), 2)]), Value::Null);
        assert_eq!(sum(&vec![(Value::Duration(i64::MAX), u64::MAX); 4]), Value::Null);
        assert_eq!(sum(&[("a".into(), 1)]), Value::Null);
        let avg = |values: &[(Value, u64)]| total(AggregateOp::Avg, values);
        assert_eq!(avg(&[(Value::Duration(40), 3), (Value::Duration(80), 1)]), Value::Duration(50));
    }

    #[test]
    fn averages_count_each_value_as_often_as_it_was_added() {
        let avg = |values: &[(Value, u64)]| total(AggregateOp::Avg, values);
        assert_eq!(avg(&[]), Value::Null);
        assert_eq!(avg(&[(Value::Int(1), 3), (Value::Int(5), 1)]), Value::Float(2.0));
        assert_eq!(avg(&[(Value::Float(1.5), 1), (Value::Int(2), 1)]), Value::Float(1.75));
    }

    #[test]
    fn extremes_do_not_depend_on_the_order() {
        let values = [
            (Value::Float(2.0), 1),
            (Value::Int(2), 5),
            (Value::Float(f64::NAN), 1),
            (Value::Int(9), 1),
        ];
        assert_eq!(total(AggregateOp::Min, &values), Value::Int(2));
        assert_eq!(total(AggregateOp::Max, &values), Value::Int(9));
        assert_eq!(total(AggregateOp::Max, &[]), Value::Null);
        let mixed = [("a".into(), 1), (Value::Int(1), 1)];
        assert_eq!(total(AggregateOp::Max, &mixed), "a".into());
        assert_eq!(total(AggregateOp::Min, &mixed), Value::Int(1));
    }
}
