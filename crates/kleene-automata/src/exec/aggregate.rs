//! The accumulators of `count`, `sum` and the other aggregates. Values are added one at a time.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::exec::distinct::Distinct;
use crate::exec::kept::KeptValues;
use kleene_event::util::wire::{Reader, put_i64};
use kleene_event::value::wire::{put_value, put_values, read_value, read_values};
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval;
use kleene_syntax::hir::expr::AggregateOp;

/// An aggregate in progress.
///
/// Adding a value takes O(1); `distinct` and `collect` keep the values. Nulls are left out. A value
/// cannot be removed again.
///
/// A clone takes O(1), too: the values of `distinct` and `collect` are shared until one of the
/// clones adds a value, which copies them. So a partial match with two branches pays only on a
/// branch that captures more.
#[derive(Clone, Debug)]
pub(crate) struct Accumulator(AggregateState);

#[derive(Clone, Debug)]
enum AggregateState {
    Count(i64),
    Sum(Sum),
    Avg(Sum, i64),
    /// The least or greatest value so far, by the ordering.
    Extreme(Ordering, Value),
    First(Value),
    Last(Value),
    Distinct(Arc<Distinct>),
    Collect(Arc<KeptValues>),
    /// Welford's algorithm: the number of values, their mean, and the sum of squared distances from
    /// it.
    Stddev(i64, f64, f64),
}

/// A running sum. Integers stay integers until they overflow or meet a float.
#[derive(Clone, Copy, Debug)]
enum Sum {
    Int(i64),
    Float(f64),
    /// Of durations, in milliseconds.
    Duration(i64),
    /// Of things that don't add up, or of durations that overflowed.
    Nothing,
}

impl Sum {
    fn add(self, value: ValueRef<'_>) -> Sum {
        match (self, value) {
            (Sum::Int(sum), ValueRef::Int(i)) => match sum.checked_add(i) {
                Some(sum) => Sum::Int(sum),
                None => Sum::Float(as_float(sum) + as_float(i)),
            },
            (Sum::Int(sum), ValueRef::Float(x)) => Sum::Float(as_float(sum) + x),
            (Sum::Float(sum), ValueRef::Int(i)) => Sum::Float(sum + as_float(i)),
            (Sum::Float(sum), ValueRef::Float(x)) => Sum::Float(sum + x),
            // A sum starts as the integer 0, whatever comes.
            (Sum::Int(0), ValueRef::Duration(d)) => Sum::Duration(d),
            (Sum::Duration(sum), ValueRef::Duration(d)) => {
                sum.checked_add(d).map_or(Sum::Nothing, Sum::Duration)
            }
            _ => Sum::Nothing,
        }
    }

    fn value(self) -> Value {
        match self {
            Sum::Int(sum) => Value::Int(sum),
            Sum::Float(sum) => finite(sum),
            Sum::Duration(sum) => Value::Duration(sum),
            Sum::Nothing => Value::Null,
        }
    }
}

impl Accumulator {
    /// Returns an accumulator without values.
    pub(crate) fn new(op: AggregateOp) -> Accumulator {
        Accumulator(match op {
            AggregateOp::Count => AggregateState::Count(0),
            AggregateOp::Sum => AggregateState::Sum(Sum::Int(0)),
            AggregateOp::Avg => AggregateState::Avg(Sum::Int(0), 0),
            AggregateOp::Min => AggregateState::Extreme(Ordering::Less, Value::Null),
            AggregateOp::Max => AggregateState::Extreme(Ordering::Greater, Value::Null),
            AggregateOp::First => AggregateState::First(Value::Null),
            AggregateOp::Last => AggregateState::Last(Value::Null),
            AggregateOp::Distinct => AggregateState::Distinct(Arc::default()),
            AggregateOp::Collect => AggregateState::Collect(Arc::default()),
            AggregateOp::Stddev => AggregateState::Stddev(0, 0.0, 0.0),
        })
    }

    /// Adds the value of one event. To count events, add any value but null.
    pub(crate) fn add(&mut self, value: ValueRef<'_>) {
        if value.is_null() {
            return;
        }
        match &mut self.0 {
            AggregateState::Count(n) => *n += 1,
            AggregateState::Sum(sum) => *sum = sum.add(value),
            AggregateState::Avg(sum, n) => {
                *sum = sum.add(value);
                *n += 1;
            }
            AggregateState::Extreme(wanted, best) => {
                let not_a_number = matches!(value, ValueRef::Float(x) if x.is_nan());
                let better = best.is_null() || value.compare(best.as_ref()) == Some(*wanted);
                if better && !not_a_number {
                    *best = value.to_value();
                }
            }
            AggregateState::First(first) => {
                if first.is_null() {
                    *first = value.to_value();
                }
            }
            AggregateState::Last(last) => *last = value.to_value(),
            AggregateState::Distinct(values) => {
                if !values.kept().is_too_large() && !values.has_same(value) {
                    Arc::make_mut(values).push(value.to_value());
                }
            }
            AggregateState::Collect(values) if values.is_too_large() => {}
            AggregateState::Collect(values) => Arc::make_mut(values).push(value.to_value()),
            AggregateState::Stddev(n, mean, squares) => {
                if let Some(x) = value.as_f64() {
                    *n += 1;
                    let distance = x - *mean;
                    *mean += distance / as_float(*n);
                    *squares += distance * (x - *mean);
                }
            }
        }
    }

    /// Returns the approximate size of the kept values in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.0 {
            AggregateState::Distinct(values) => values.bytes(),
            _ => self.kept().map_or(0, KeptValues::bytes),
        }
    }

    /// Returns the kept values.
    fn kept(&self) -> Option<&KeptValues> {
        match &self.0 {
            AggregateState::Distinct(values) => Some(values.kept()),
            AggregateState::Collect(values) => Some(values),
            _ => None,
        }
    }

    /// Returns the different values, if the aggregate is `distinct`.
    pub(super) fn distinct(&self) -> Option<&Distinct> {
        match &self.0 {
            AggregateState::Distinct(values) => Some(values),
            _ => None,
        }
    }

    /// True if more was added than can be kept: the aggregate is null.
    pub(crate) fn is_too_large(&self) -> bool {
        self.kept().is_some_and(KeptValues::is_too_large)
    }

    /// The aggregate where it is a list, without a copy; null where that is too large.
    pub(crate) fn list(&self) -> Option<ValueRef<'_>> {
        let kept = self.kept()?;
        Some(if kept.is_too_large() { ValueRef::Null } else { ValueRef::List(kept.values()) })
    }

    /// True if the aggregate, which is a list, has an item that equals `value`: what
    /// [`has_item`](eval::has_item) says of it. Of `distinct` that is a look-up.
    pub(crate) fn has(&self, value: ValueRef<'_>) -> Option<bool> {
        match &self.0 {
            AggregateState::Distinct(values) if !values.kept().is_too_large() => values.has(value),
            _ => eval::list_has(self.list()?, value),
        }
    }

    /// The aggregate of what was added so far.
    pub(crate) fn value(&self) -> Value {
        match &self.0 {
            AggregateState::Count(n) => Value::Int(*n),
            AggregateState::Sum(sum) => sum.value(),
            AggregateState::Avg(_, 0)
            | AggregateState::Avg(Sum::Nothing, _)
            | AggregateState::Stddev(0, ..) => Value::Null,
            AggregateState::Avg(Sum::Int(sum), n) => Value::Float(as_float(*sum) / as_float(*n)),
            AggregateState::Avg(Sum::Float(sum), n) => finite(sum / as_float(*n)),
            AggregateState::Avg(Sum::Duration(sum), n) => Value::Duration(sum / n),
            AggregateState::Extreme(_, value)
            | AggregateState::First(value)
            | AggregateState::Last(value) => value.clone(),
            AggregateState::Distinct(_) | AggregateState::Collect(_) => {
                self.list().map_or(Value::Null, ValueRef::to_value)
            }
            AggregateState::Stddev(n, _, squares) => {
                finite((squares / as_float(*n)).max(0.0).sqrt())
            }
        }
    }
}

/// As a snapshot holds them. What is read goes on as what was written would have.
impl Accumulator {
    /// Appends what was added so far. Which aggregate it is, is to be known otherwise.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            AggregateState::Count(n) => put_i64(out, *n),
            AggregateState::Sum(sum) => sum.write(out),
            AggregateState::Avg(sum, n) => {
                put_i64(out, *n);
                sum.write(out);
            }
            AggregateState::Extreme(_, value)
            | AggregateState::First(value)
            | AggregateState::Last(value) => {
                put_value(out, value.as_ref());
            }
            AggregateState::Distinct(_) | AggregateState::Collect(_) => {
                let values = self.kept().map_or(&[][..], KeptValues::values);
                put_values(out, values.iter().map(Value::as_ref));
            }
            AggregateState::Stddev(n, mean, squares) => {
                put_i64(out, *n);
                out.extend_from_slice(&mean.to_bits().to_le_bytes());
                out.extend_from_slice(&squares.to_bits().to_le_bytes());
            }
        }
    }

    /// Reads an aggregate of this kind from a snapshot; `None` if the bytes do not hold one.
    pub(crate) fn read(reader: &mut Reader<'_>, op: AggregateOp) -> Option<Accumulator> {
        /// No stream has more events, so that counting on never overflows.
        const MOST: i64 = 1 << 62;
        let count = |reader: &mut Reader<'_>| reader.i64().filter(|n| (0..MOST).contains(n));
        let float =
            |reader: &mut Reader<'_>| Some(f64::from_bits(u64::from_le_bytes(reader.array()?)));
        Some(Accumulator(match op {
            AggregateOp::Count => AggregateState::Count(count(reader)?),
            AggregateOp::Sum => AggregateState::Sum(Sum::read(reader)?),
            AggregateOp::Avg => {
                let n = count(reader)?;
                AggregateState::Avg(Sum::read(reader)?, n)
            }
            AggregateOp::Min => AggregateState::Extreme(Ordering::Less, read_value(reader)?),
            AggregateOp::Max => AggregateState::Extreme(Ordering::Greater, read_value(reader)?),
            AggregateOp::First => AggregateState::First(read_value(reader)?),
            AggregateOp::Last => AggregateState::Last(read_value(reader)?),
            AggregateOp::Distinct => {
                let mut values = Distinct::default();
                read_values(reader)?.into_iter().for_each(|value| values.push(value));
                AggregateState::Distinct(Arc::new(values))
            }
            AggregateOp::Collect => AggregateState::Collect(Arc::new(read_values(reader)?.into())),
            AggregateOp::Stddev => {
                let n = count(reader)?;
                AggregateState::Stddev(n, float(reader)?, float(reader)?)
            }
        }))
    }
}

impl Sum {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Sum::Int(sum) => put_value(out, ValueRef::Int(sum)),
            Sum::Float(sum) => put_value(out, ValueRef::Float(sum)),
            Sum::Duration(sum) => put_value(out, ValueRef::Duration(sum)),
            Sum::Nothing => put_value(out, ValueRef::Null),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Sum> {
        Some(match read_value(reader)? {
            Value::Int(sum) => Sum::Int(sum),
            Value::Float(sum) => Sum::Float(sum),
            Value::Duration(sum) => Sum::Duration(sum),
            Value::Null => Sum::Nothing,
            _ => return None,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "where floats begin, exactness ends")]
fn as_float(int: i64) -> f64 {
    int as f64
}

fn finite(x: f64) -> Value {
    if x.is_finite() { Value::Float(x) } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::kept::MOST_KEPT;

    #[test]
    fn each_aggregate_gives_what_its_name_says() {
        use AggregateOp::{Avg, Collect, Count, Distinct, First, Last, Max, Min, Stddev, Sum};
        let none: &[Value] = &[];
        let ints = &[Value::Null, Value::Int(4), Value::Int(2), Value::Int(4), Value::Null];
        let mixed = &[Value::Int(1), Value::Float(0.5)];
        let huge = &[Value::Int(i64::MAX), Value::Int(1)];
        let spans = &[Value::Duration(1000), Value::Duration(3000)];
        let odd = &[Value::from("b"), Value::from("a"), Value::Float(f64::NAN)];
        let cases: &[(AggregateOp, &[Value], &str)] = &[
            (Count, none, "0"),
            (Count, ints, "3"),
            (Sum, none, "0"),
            (Sum, ints, "10"),
            (Sum, mixed, "1.5"),
            (Sum, huge, "9.223372036854776e18"),
            (Sum, spans, "4s"),
            (Sum, odd, "null"),
            (Avg, none, "null"),
            (Avg, ints, "3.3333333333333335"),
            (Avg, spans, "2s"),
            (Min, none, "null"),
            (Min, ints, "2"),
            (Min, mixed, "0.5"),
            (Max, odd, "\"b\""),
            (Max, ints, "4"),
            (First, ints, "4"),
            (First, none, "null"),
            (Last, ints, "4"),
            (Last, mixed, "0.5"),
            (Distinct, ints, "[4, 2]"),
            (Collect, ints, "[4, 2, 4]"),
            (Collect, none, "[]"),
            (Stddev, none, "null"),
            (Stddev, mixed, "0.25"),
            (Stddev, huge, "4.611686018427388e18"),
        ];
        for (op, values, expected) in cases {
            let mut accumulator = Accumulator::new(*op);
            for value in *values {
                accumulator.add(value.as_ref());
            }
            assert_eq!(accumulator.value().to_string(), *expected, "{op:?} of {values:?}");
        }
    }

    #[test]
    fn what_is_kept_has_an_end() {
        for op in [AggregateOp::Distinct, AggregateOp::Collect] {
            let mut accumulator = Accumulator::new(op);
            let numbers = (0..).map(Value::Int);
            for value in numbers.take(MOST_KEPT) {
                accumulator.add(value.as_ref());
            }
            let Value::List(all) = accumulator.value() else { panic!("{op:?} is a list") };
            assert_eq!((all.len(), accumulator.is_too_large()), (MOST_KEPT, false));
            for _ in 0..2 {
                accumulator.add(ValueRef::Int(-1));
                accumulator.add(ValueRef::Int(-2));
                assert_eq!((accumulator.value(), accumulator.is_too_large()), (Value::Null, true));
                let kept = accumulator.kept().expect("it keeps values");
                assert_eq!(kept.values().len(), MOST_KEPT + 1);
                // `distinct` finds a value by its position.
                let finds = if op == AggregateOp::Distinct { 2 * size_of::<u32>() } else { 0 };
                let each = size_of::<Value>() + finds;
                assert_eq!(accumulator.bytes(), (kept.values().len() * each) as u64);
            }
        }
    }

    #[test]
    fn what_was_saved_goes_on_alike() {
        use AggregateOp::{Avg, Collect, Count, Distinct, First, Last, Max, Min, Stddev, Sum};
        let streams: [&[Value]; 3] = [
            &[Value::Int(4), Value::Null, Value::Int(i64::MAX), Value::Float(0.5), Value::Int(4)],
            &[Value::Duration(5), Value::Duration(i64::MAX), Value::Duration(1)],
            &[Value::from("b"), Value::Float(f64::NAN), Value::from("a")],
        ];
        for op in [Avg, Collect, Count, Distinct, First, Last, Max, Min, Stddev, Sum] {
            for values in streams {
                for at in 0..=values.len() {
                    let mut whole = Accumulator::new(op);
                    values[..at].iter().for_each(|value| whole.add(value.as_ref()));
                    let mut bytes = Vec::new();
                    whole.write(&mut bytes);
                    let mut reader = Reader::new(&bytes);
                    let mut restored = Accumulator::read(&mut reader, op).expect("it was written");
                    assert!(reader.is_at_end());
                    for value in &values[at..] {
                        whole.add(value.as_ref());
                        restored.add(value.as_ref());
                    }
                    let (whole, restored) = (whole.value(), restored.value());
                    assert_eq!(whole.to_string(), restored.to_string(), "{op:?} of {values:?}");
                }
            }
        }
    }
}
