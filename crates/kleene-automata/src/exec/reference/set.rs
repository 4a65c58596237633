//! Sets of matches: what is reported of those that one event, or one deadline, completes.
//!
//! An example: `report longest` with the total `sum(b.v)`. One event completes the matches
//! `a1 b2 x4`, `a1 b2 b3 x4` and `a1 b3 x4`. The set has a count of 3 and a sum of 2 + 2 + 3 + 3 =
//! 10, and the second match alone is reported, with both. The totals are over all matches, whatever
//! `report` chooses.
//!
//! Each total is added up anew over all events of all matches, so an event counts once for each
//! match that it is in. The compact form counts the same on a graph without listing the matches.
//! This list is what it is held against.
//!
//! Sums are exact where all values are integers and the result fits 64 bits. Otherwise the result
//! is a float; one that is not finite is null. Nulls are left out, and a value that is no number
//! makes the sum null. Of no values at all, the sum is 0 and the mean null.
//!
//! Which test holds it: `every_report_reports_what_the_reference_reports` and
//! `large_sets_report_what_the_reference_reports` in `tests/sets.rs`.

use std::cmp::Ordering;

use super::partial::Captures;
use super::view::View;
use super::{Reference, ReferenceOutput, ReferenceSet};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::expr::{Aggregate, AggregateOp};
use kleene_syntax::hir::{Report, eval};

impl<E: Event> Reference<E> {
    /// Returns what is reported of a set of matches, which is in order.
    pub(super) fn report(&self, set: Vec<Captures>, at: Timestamp) -> Vec<ReferenceOutput> {
        let totals = self.pattern.totals.iter().map(|total| self.total(total, &set)).collect();
        let of_set = ReferenceSet { count: set.len() as u64, totals };
        let longest = set.iter().map(|captures| captures.len()).max();
        let shortest = set.iter().map(|captures| captures.len()).min();
        let mut reported: Vec<Captures> = match self.pattern.report {
            Report::All => set,
            Report::Count => set.into_iter().take(1).collect(),
            Report::First(most) => set.into_iter().take(most.get() as usize).collect(),
            Report::Last(most) => {
                let left_out = set.len().saturating_sub(most.get() as usize);
                set.into_iter().skip(left_out).collect()
            }
            Report::Longest => set.into_iter().filter(|one| Some(one.len()) == longest).collect(),
            Report::Shortest => set.into_iter().filter(|one| Some(one.len()) == shortest).collect(),
        };
        if matches!(self.pattern.report, Report::Longest | Report::Shortest) {
            // Of several with the same length, the first in order is reported.
            reported.truncate(1);
        }
        let output = |captures: Captures| ReferenceOutput {
            is_match: true,
            captures: captures.events,
            at,
            set: of_set.clone(),
        };
        reported.into_iter().map(output).collect()
    }

    /// Returns a total over all that a step has captured in all matches of a set.
    fn total(&self, total: &Aggregate, set: &[Captures]) -> Value {
        let Some(arg) = &total.arg else { return Value::Null };
        let mut values: Vec<Value> = Vec::new();
        for captures in set {
            for &(_, event) in captures.iter().filter(|(step, _)| *step == total.step) {
                let view = View {
                    candidate: &self.events[event],
                    captures,
                    events: &self.events,
                    step_keys: u64::MAX,
                };
                values.push(eval::eval(arg, &view).into_owned());
            }
        }
        values.retain(|value| !value.is_null());
        // In 128 bits no list of events in memory can overflow.
        let numbers: Option<Vec<i128>> = values.iter().map(whole).collect();
        match total.op {
            AggregateOp::Min => best(values, Ordering::is_lt),
            AggregateOp::Max => best(values, Ordering::is_gt),
            _ if values.iter().all(|value| matches!(value, Value::Duration(_))) => {
                durations(total.op, &numbers.unwrap_or_default())
            }
            _ => sum_of_numbers(total.op, &values, numbers),
        }
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) | Value::Duration(number) => Some(i128::from(*number)),
        _ => None,
    }
}

/// Returns the sum or the mean of durations; of nothing at all 0 or null.
fn durations(op: AggregateOp, numbers: &[i128]) -> Value {
    let sum: i128 = numbers.iter().sum();
    let of = |number: i128| i64::try_from(number).map_or(Value::Null, Value::Duration);
    match (op, numbers.len() as i128) {
        (AggregateOp::Sum, 0) => Value::Int(0),
        (AggregateOp::Sum, _) => of(sum),
        (_, 0) => Value::Null,
        (_, count) => of(sum / count),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float is what there is")]
fn sum_of_numbers(op: AggregateOp, values: &[Value], integers: Option<Vec<i128>>) -> Value {
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    if !values.iter().all(is_number) {
        return Value::Null;
    }
    let exact = integers.map(|numbers| numbers.iter().sum::<i128>());
    // The integers are added up exactly and converted once: the order of the matches cannot change
    // their part.
    let integers: i128 = values.iter().filter_map(whole).sum();
    let float = |value: &Value| if let Value::Float(x) = value { Some(*x) } else { None };
    let sum = values.iter().filter_map(float).sum::<f64>() + integers as f64;
    let finite = |x: f64| if x.is_finite() { Value::Float(x) } else { Value::Null };
    match (op, exact.and_then(|exact| i64::try_from(exact).ok())) {
        (AggregateOp::Sum, Some(exact)) => Value::Int(exact),
        (AggregateOp::Sum, None) => finite(sum),
        _ => finite(sum / values.len() as f64),
    }
}

/// Returns the value that goes before all others.
fn best(values: Vec<Value>, wins: impl Fn(Ordering) -> bool) -> Value {
    let mut best = Value::Null;
    for value in values {
        let order = value.as_ref().compare(best.as_ref());
        // A value that cannot be compared with the best one is left out.
        if best.is_null() || order.is_some_and(&wins) {
            best = value;
        }
    }
    best
}
