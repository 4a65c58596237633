//! Functions of lists.

use std::cmp::Ordering;

use super::function::{DEFAULTS, Function};
use kleene_event::value::{Kind, Value, ValueRef};

pub(super) const LARGEST: Function = Function {
    name: "largest",
    params: &[("list", Kind::LIST), ("n", Kind::INT)],
    required: 2,
    result: Kind::LIST.or(Kind::NULL),
    about: "The `n` largest values of a list, the largest first; equal values each count. Values \
            that can't be compared with the others are skipped: null, and values of another type.",
    examples: &[
        ("largest([3, 9, 4, 9], 3)", "[9, 9, 4]"),
        ("largest([1.5, 2], 5)", "[2, 1.5]"),
        ("largest([\"b\", null, \"a\"], 1)", "[\"b\"]"),
        ("largest([1, 2], 0)", "[]"),
        ("largest(null, 2)", "null"),
    ],
    call: |args| ranked(args, Ordering::reverse),
    ..DEFAULTS
};

pub(super) const SMALLEST: Function = Function {
    name: "smallest",
    params: &[("list", Kind::LIST), ("n", Kind::INT)],
    required: 2,
    result: Kind::LIST.or(Kind::NULL),
    about: "The `n` smallest values of a list, the smallest first; equal values each count. Values \
            that can't be compared with the others are skipped: null, and values of another type.",
    examples: &[
        ("smallest([3, 9, 4, 9], 3)", "[3, 4, 9]"),
        ("smallest([\"b\", null, \"a\"], 1)", "[\"a\"]"),
        ("smallest([], 1)", "[]"),
        ("smallest([1], null)", "null"),
    ],
    call: |args| ranked(args, |order| order),
    ..DEFAULTS
};

/// The first `n` values of a list in the order that `direct` makes of the natural one.
fn ranked(args: &[ValueRef<'_>], direct: fn(Ordering) -> Ordering) -> Value {
    let &[list, ValueRef::Int(n)] = args else { return Value::Null };
    let Some(items) = list.as_list() else { return Value::Null };
    let ordered = |item: &ValueRef<'_>| item.compare(*item).is_some();
    let Some(first) = items.iter().find(ordered) else { return Value::List([].into()) };
    // All that compare with one value compare with each other, so that the order is total.
    let comparable = |item: &ValueRef<'_>| ordered(item) && item.compare(first).is_some();
    let mut kept: Vec<ValueRef<'_>> = items.iter().filter(comparable).collect();
    kept.sort_by(|a, b| direct(a.compare(*b).unwrap_or(Ordering::Equal)));
    kept.truncate(usize::try_from(n).unwrap_or(0));
    Value::List(kept.into_iter().map(ValueRef::to_value).collect())
}
