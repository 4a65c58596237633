//! Functions of numbers.

use std::cmp::Ordering;

use super::function::{DEFAULTS, Function};
use kleene_event::value::{Kind, Value, ValueRef, int_part};

const COMPARABLE: Kind = Kind::ANY.without(Kind::LIST).without(Kind::RECORD);

fn rounded(args: &[ValueRef<'_>], round: fn(f64) -> f64) -> Value {
    match args {
        [ValueRef::Int(i)] => Value::Int(*i),
        [ValueRef::Float(x)] => int_part(round(*x)).map_or(Value::Null, Value::Int),
        _ => Value::Null,
    }
}

fn extreme(args: &[ValueRef<'_>], wanted: Ordering) -> Value {
    let mut args = args.iter();
    let Some(&first) = args.next() else { return Value::Null };
    let mut best = first;
    for &arg in args {
        match arg.compare(best) {
            Some(ordering) if ordering == wanted => best = arg,
            Some(_) => {}
            None => return Value::Null,
        }
    }
    best.to_value()
}

pub(super) const ABS: Function = Function {
    name: "abs",
    params: &[("x", Kind::NUMBER.or(Kind::DURATION))],
    required: 1,
    about: "The number or duration without its sign.",
    examples: &[("abs(-3)", "3"), ("abs(-1.5)", "1.5"), ("abs(-2m)", "2m")],
    call: |args| match args {
        [ValueRef::Int(i)] => i.checked_abs().map_or(Value::Null, Value::Int),
        [ValueRef::Float(x)] => Value::Float(x.abs()),
        [ValueRef::Duration(d)] => d.checked_abs().map_or(Value::Null, Value::Duration),
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const ROUND: Function = Function {
    name: "round",
    params: &[("x", Kind::NUMBER), ("digits", Kind::INT)],
    required: 1,
    result: Kind::NUMBER,
    about: "The nearest integer, halves away from zero; with `digits`, the nearest float with that \
            number of decimals.",
    examples: &[
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(3.14159, 2)", "3.14"),
        ("round(7, 2)", "7.0"),
    ],
    call: |args| match args {
        [x, ValueRef::Int(digits)] => {
            let (Some(x), Ok(digits)) = (x.as_f64(), i32::try_from(*digits)) else {
                return Value::Null;
            };
            let factor = 10_f64.powi(digits.clamp(-300, 300));
            let result = (x * factor).round() / factor;
            Value::Float(if result.is_finite() { result } else { x })
        }
        [_, _] => Value::Null,
        _ => rounded(args, f64::round),
    },
    ..DEFAULTS
};

pub(super) const FLOOR: Function = Function {
    name: "floor",
    params: &[("x", Kind::NUMBER)],
    required: 1,
    result: Kind::INT,
    about: "The largest integer that is not above x.",
    examples: &[("floor(2.9)", "2"), ("floor(-2.1)", "-3"), ("floor(7 / 2)", "3")],
    call: |args| rounded(args, f64::floor),
    ..DEFAULTS
};

pub(super) const CEIL: Function = Function {
    name: "ceil",
    params: &[("x", Kind::NUMBER)],
    required: 1,
    result: Kind::INT,
    about: "The smallest integer that is not below x.",
    examples: &[("ceil(2.1)", "3"), ("ceil(1e300)", "null")],
    call: |args| rounded(args, f64::ceil),
    ..DEFAULTS
};

pub(super) const MIN: Function = Function {
    name: "min",
    params: &[("a", COMPARABLE), ("b", COMPARABLE)],
    required: 2,
    variadic: true,
    about: "The smallest of two or more values; null if one is null. With one captured field, the \
            aggregate.",
    examples: &[("min(3, 1.5, 2)", "1.5"), ("min(1, null)", "null"), ("min(5s, 1m)", "5s")],
    call: |args| extreme(args, Ordering::Less),
    ..DEFAULTS
};

pub(super) const MAX: Function = Function {
    name: "max",
    params: &[("a", COMPARABLE), ("b", COMPARABLE)],
    required: 2,
    variadic: true,
    about: "The largest of two or more values; null if one is null. With one captured field, the \
            aggregate.",
    examples: &[("max(3, 1.5)", "3"), ("max(\"a\", \"b\")", "\"b\"")],
    call: |args| extreme(args, Ordering::Greater),
    ..DEFAULTS
};
