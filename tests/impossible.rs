//! Rules that can never match are refused, and those that are accepted match a stream that is made
//! for them: every pair of facts about a field, and every small choice of gaps, silences and
//! `within`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use kleene::stream::Output;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

/// The names of the rules that match.
fn matching(text: &str, events: &[(i64, &str, Option<f64>)]) -> Vec<String> {
    let rules = RuleSet::parse(text).unwrap_or_else(|e| panic!("{e}"));
    let record = |(millis, ty, x): &(i64, &str, Option<f64>)| {
        let known = x.map(|x| ("x", Value::Float(x)));
        let fields = [("k", Value::Int(1)), ("at", Timestamp::from_millis(*millis).into())];
        Record::from_fields(rules.schema(), ty, fields.into_iter().chain(known)).unwrap()
    };
    let records: Vec<Record> = events.iter().map(record).collect();
    let mut engine = Engine::builder().rules(&rules).in_order().build().unwrap();
    let mut outputs: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&records, &mut outputs).unwrap();
    engine.end_time(&mut outputs).unwrap();
    let mut names: Vec<String> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Match(found) => Some(found.rule.to_string()),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// True if the text is refused, and for this reason alone.
fn is_refused(text: &str, code: &str) -> bool {
    let Err(error) = RuleSet::parse(text) else { return false };
    for report in error.diagnostics() {
        let found = report.diagnostic.code.as_str();
        assert!(found == code || found.starts_with('W'), "{error}");
    }
    true
}

/// A condition on `x`, and a function that is true for the values that fulfil it.
type Fact = (String, Box<dyn Fn(Option<f64>) -> bool>);

fn facts() -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let holds = |op: &str, a: f64, b: f64| match op {
        "==" => (a - b).abs() < 0.1,
        "!=" => (a - b).abs() > 0.1,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    };
    for op in ["==", "!=", "<", "<=", ">", ">="] {
        for with in [1.0, 2.0, 3.0] {
            let says = move |x: Option<f64>, so: bool| x.is_some_and(|x| holds(op, x, with) == so);
            facts.push((format!("x {op} {with:.1}"), Box::new(move |x| says(x, true))));
            facts.push((format!("not (x {op} {with:.1})"), Box::new(move |x| says(x, false))));
        }
    }
    for list in [&[1.0][..], &[1.0, 2.0], &[2.0, 3.0]] {
        let says = move |x: Option<f64>, so: bool| x.is_some_and(|x| list.contains(&x) == so);
        facts.push((format!("x in {list:?}"), Box::new(move |x| says(x, true))));
        facts.push((format!("x not in {list:?}"), Box::new(move |x| says(x, false))));
    }
    facts.push(("x is null".to_owned(), Box::new(|x| x.is_none())));
    facts.push(("x is not null".to_owned(), Box::new(|x| x.is_some())));
    facts
}

#[test]
fn two_facts_are_refused_exactly_where_no_event_fulfils_both() {
    let declared = "event a { k: int, x: float?, at: time }\n";
    let values: Vec<Option<f64>> =
        std::iter::once(None).chain((0..10).map(|half| Some(f64::from(half) / 2.0))).collect();
    let (facts, mut accepted, mut rules) = (facts(), String::from(declared), 0);
    let mut refused = 0;
    for (index, (one, is_one)) in facts.iter().enumerate() {
        for (other, is_other) in &facts[index..] {
            let can_be = values.iter().any(|x| is_one(*x) && is_other(*x));
            let rule =
                format!("rule r{rules} {{ key k  match a[{one} and {other}]  skip none }}\n");
            let text = format!("{declared}{rule}");
            assert_eq!(is_refused(&text, "E0411"), !can_be, "{one} and {other}");
            if can_be {
                let _ = write!(accepted, "{rule}");
                rules += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(rules > 300 && refused > 100, "{rules} and {refused}");
    let events: Vec<_> = (0..).zip(&values).map(|(at, x)| (at * 1000, "a", *x)).collect();
    assert_eq!(matching(&accepted, &events).len(), rules);
}

#[test]
fn times_are_refused_exactly_where_within_is_over_before_them() {
    let declared = "event a { k: int, x: float?, at: time }
                    event b { k: int, x: float?, at: time }
                    event c { k: int, x: float?, at: time }\n";
    let mut accepted = 0;
    for (first, silence, within) in
        (1..5).flat_map(|f| (1..5).flat_map(move |s| (1..9).map(move |w| (f, s, w))))
    {
        for (pattern, ends) in [
            (format!("a ->[{first}s..] b -> not c for {silence}s -> a"), true),
            (format!("a ->[{first}s..] b -> not c for {silence}s"), false),
        ] {
            let text = format!("{declared}rule r {{ key k  match {pattern}  within {within}s }}");
            let can_be = first + silence < within;
            let is_sound = RuleSet::parse(&text).is_ok();
            assert_eq!(is_sound, can_be, "{pattern} within {within}s");
            if can_be {
                let mut events = vec![(0, "a", None), (first * 1000, "b", None)];
                if ends {
                    events.push(((first + silence) * 1000, "a", None));
                }
                assert_eq!(matching(&text, &events), ["r"], "{pattern} within {within}s");
                accepted += 1;
            }
        }
    }
    assert!(accepted > 50, "{accepted}");
}
