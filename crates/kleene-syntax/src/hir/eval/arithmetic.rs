//! Arithmetic on values.

use std::sync::Arc;

use super::size::LARGEST;
use crate::hir::expr::BinaryOp;
use kleene_event::time::Timestamp;
use kleene_event::value::{Kind, Value, ValueRef, int_part};

/// `a op b` for an arithmetic operator. Integers stay integers except under `/`, which gives a
/// float. Null where a result would overflow or be too large, is no number, or where the types
/// don't go together.
pub(crate) fn arithmetic(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> Value {
    use ValueRef::{Duration, Float, Int, String, Time};
    match (a, b) {
        (Int(a), Int(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Rem => a.checked_rem(b),
                _ => return float_arithmetic(op, Int(a).as_f64(), Int(b).as_f64()),
            };
            result.map_or(Value::Null, Value::Int)
        }
        (Int(_) | Float(_), Int(_) | Float(_)) => float_arithmetic(op, a.as_f64(), b.as_f64()),
        (String(a), String(b)) if op == BinaryOp::Add => {
            if a.len().saturating_add(b.len()) > LARGEST {
                return Value::Null;
            }
            let mut text = std::string::String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Value::String(Arc::from(text))
        }
        (Time(a), Time(b)) if op == BinaryOp::Sub => {
            a.as_millis().checked_sub(b.as_millis()).map_or(Value::Null, Value::Duration)
        }
        (Time(a), Duration(b)) => {
            let result = match op {
                BinaryOp::Add => a.as_millis().checked_add(b),
                BinaryOp::Sub => a.as_millis().checked_sub(b),
                _ => None,
            };
            result.map_or(Value::Null, |t| Value::Time(Timestamp::from_millis(t)))
        }
        (Duration(a), Time(b)) if op == BinaryOp::Add => a
            .checked_add(b.as_millis())
            .map_or(Value::Null, |t| Value::Time(Timestamp::from_millis(t))),
        (Duration(a), Duration(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Rem => a.checked_rem(b),
                BinaryOp::Div => return float_arithmetic(op, Int(a).as_f64(), Int(b).as_f64()),
                _ => None,
            };
            result.map_or(Value::Null, Value::Duration)
        }
        (Duration(a), Int(b)) => {
            let result = match op {
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Div => a.checked_div(b),
                _ => None,
            };
            result.map_or(Value::Null, Value::Duration)
        }
        (Duration(a), Float(b)) if matches!(op, BinaryOp::Mul | BinaryOp::Div) => {
            match float_arithmetic(op, Int(a).as_f64(), Some(b)) {
                Value::Float(millis) => to_int(millis).map_or(Value::Null, Value::Duration),
                _ => Value::Null,
            }
        }
        (Int(_) | Float(_), Duration(_)) if op == BinaryOp::Mul => arithmetic(op, b, a),
        _ => Value::Null,
    }
}

fn float_arithmetic(op: BinaryOp, a: Option<f64>, b: Option<f64>) -> Value {
    let (Some(a), Some(b)) = (a, b) else { return Value::Null };
    // Division by zero comes out infinite or as NaN.
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a % b,
        _ => f64::NAN,
    };
    if result.is_finite() { Value::Float(result) } else { Value::Null }
}

/// The nearest integer, where there is one.
pub(crate) fn to_int(x: f64) -> Option<i64> {
    int_part(x.round())
}

/// True if `a op b` is null because `b` is zero.
#[cold]
pub(super) fn divides_by_zero(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    let divides = Kind::NUMBER.or(Kind::DURATION);
    let zero = match b {
        ValueRef::Int(b) | ValueRef::Duration(b) => b == 0,
        ValueRef::Float(b) => b == 0.0,
        _ => false,
    };
    zero && matches!(op, BinaryOp::Div | BinaryOp::Rem) && a.kind().is_subset_of(divides)
}
