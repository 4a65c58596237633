//! Expressions of rule text as an engine computes them, where more than a rule's own tests can show
//! is to be seen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kleene::stream::Output;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

const EVENTS: &str = "event a { k: int, n: int, x: float, took: duration, at: time }\n";

/// The events of type `a` with these numbers as `n`, one a second.
fn events(rules: &RuleSet, numbers: &[i64]) -> Vec<Record> {
    let event = |(second, n): (i64, &i64)| {
        let fields = [
            ("k", Value::Int(1)),
            ("n", Value::Int(*n)),
            ("x", Value::Float(0.0)),
            ("took", Value::Duration(0)),
            ("at", Timestamp::from_millis(second * 1000).into()),
        ];
        Record::from_fields(rules.schema(), "a", fields).unwrap()
    };
    (1..).zip(numbers).map(event).collect()
}

/// How often a rule divides by zero over events with these numbers, and how often it matches.
fn divisions(rule: &str, numbers: &[i64]) -> (u64, u64) {
    let rules = RuleSet::parse(&format!("{EVENTS}{rule}")).unwrap_or_else(|e| panic!("{e}"));
    let mut engine = Engine::builder().rules(&rules).in_order().build().unwrap();
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&events(&rules, numbers), &mut reported).unwrap();
    let before = engine.stats().divided_by_zero;
    engine.end_time(&mut reported).unwrap();
    let stats = engine.stats();
    assert!(before <= stats.divided_by_zero);
    (stats.divided_by_zero, stats.matches)
}

#[test]
fn divisions_by_zero_are_null_and_counted() {
    let numbers = [1, 0, 2, 0, 0];
    for (rule, expected) in [
        // Conditions: the comparison with null is false.
        ("rule r { key k  match a[10 / n > 1]  skip none }", (3, 2)),
        ("rule r { key k  match a[10 % n == 0]  skip none }", (3, 2)),
        ("rule r { key k  match a[x / n == x]  skip none }", (3, 2)),
        ("rule r { key k  match a[1m / (n * 1s) > 1]  skip none }", (3, 2)),
        ("rule r { key k  match a[took / took > 0.5]  skip none }", (5, 0)),
        // What is not computed divides nothing.
        ("rule r { key k  match a[n > 0 and 10 / n > 1]  skip none }", (0, 2)),
        ("rule r { key k  match a[if n == 0 then false else 10 / n > 1]  skip none }", (0, 2)),
        // Emits, and arguments of aggregates there and in conditions.
        ("rule r { key k  match a  skip none  emit { q: 1 / a.n } }", (3, 5)),
        ("rule r { key k  match a{5} as t  emit { q: sum(1 / t.n) } }", (3, 1)),
        // There each of the partial matches 1..2, 1..4 and 2..5 has a sum of its own. That of 2..5
        // is computed also where the match of 1..5 drops it.
        ("rule r { key k  match a{4} as t -> a[sum(1 / t.n) > 1] as z }", (2 + 4 + 4, 1)),
        (
            "rule r { key k  match a{4} as t -> a[sum(1 / t.n) > 1] as z  skip none }",
            (2 + 4 + 4, 1),
        ),
    ] {
        assert_eq!(divisions(rule, &numbers), expected, "{rule}");
    }
}

#[test]
fn what_is_null_otherwise_is_no_division_by_zero() {
    let overflow = "rule r { key k  match a[n * n > 1]  skip none }";
    assert_eq!(divisions(overflow, &[i64::MAX, 2]), (0, 1));
}
