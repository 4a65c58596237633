//! Aggregates in conditions: each way to match, also when the engine is restored from a snapshot at
//! any event, finds what the reference finds, which adds up all captured events each time anew.

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, Output};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_automata::exec::reference::Reference;
use proptest::prelude::*;

const EVENTS: &str = "event a { ts: time, v: float? }\nevent b { ts: time, v: float? }\n";

/// Conditions that read what came before.
const CONDITIONS: [&str; 8] = [
    "v not in distinct(x.v)",
    "v in distinct(x.v) or count(x) < 2",
    "len(distinct(x.v)) < 3",
    "v not in collect(x.v)",
    "sum(x.v) < 3 or sum(x.v) is null",
    "v >= min(x.v) or v is null or count(x) == 0",
    "avg(x.v) != 1 or count(x.v) < 2",
    "max(x.v) is null or first(x.v) == v or last(x.v) != v",
];

const LOOPS: [&str; 3] =
    ["a[..]{3} as x", "a[..]{1..} as x -> next b", "a[..]{2.. any each} as x -> b"];

/// The values that a field from a host can hold: also what was not declared.
fn values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        Value::Int(1),
        Value::Int(2),
        Value::Int(i64::MAX),
        Value::Float(1.0),
        Value::Float(0.1),
        Value::Float(0.2),
        Value::Float(-0.0),
        Value::Float(1e300),
        Value::Float(f64::NAN),
        Value::from("1"),
        Value::Duration(1),
    ])
}

fn event((ty, value): &(usize, Value), at: usize) -> Record {
    let time = Timestamp::from_millis(i64::try_from(at).expect("it fits"));
    Record::new(TypeId::new(*ty), time, vec![Value::Time(time), value.clone()])
}

/// The captured events of each match, by their times.
fn found(outputs: &[Output<Record>]) -> Vec<Vec<i64>> {
    let times = |output: &Output<Record>| match output {
        Output::Match(found) => {
            found.captures.iter().map(|(_, event)| event.time().as_millis()).collect()
        }
        other => panic!("{other:?}"),
    };
    outputs.iter().map(times).collect()
}

fn pushed(
    builder: &dyn Fn() -> EngineBuilder<Record>,
    events: &[Record],
    restored: bool,
) -> Vec<Vec<i64>> {
    let mut engine: Engine<Record> = builder().build().expect("it fits");
    let mut outputs = Vec::new();
    for event in events {
        if restored {
            engine = builder().restore(&[&engine.snapshot()]).expect("it fits").0;
        }
        engine.push(event, &mut outputs).expect("it fits");
    }
    engine.end_time(&mut outputs).expect("no limit fails");
    found(&outputs)
}

/// Checks that each way to match finds what the reference finds.
fn agrees(rule: &str, steps: &[(usize, Value)]) -> Result<(), TestCaseError> {
    let rules = RuleSet::parse(&format!("{EVENTS}rule r {{ {rule} }}")).expect("it fits");
    let events: Vec<Record> = (0..).zip(steps).map(|(at, step)| event(step, at)).collect();
    let builder = || Engine::builder().rules(&rules);
    let expected = pushed(&builder, &events, false);
    prop_assert_eq!(&pushed(&builder, &events, true), &expected, "restored: {}", rule);
    let general = || builder().general_strategy();
    prop_assert_eq!(&pushed(&general, &events, false), &expected, "general: {}", rule);
    let pattern = &rules.rules()[0].pattern;
    let mut reference = Reference::new(pattern, Vec::new()).expect("it fits");
    let mut reported = Vec::new();
    for event in events {
        reported.extend(reference.advance(event.time()));
        reported.extend(reference.push(event));
    }
    reported.extend(reference.finish());
    let time = |at: usize| i64::try_from(at).expect("it fits");
    let reported: Vec<Vec<i64>> = reported
        .iter()
        .map(|reported| reported.captures.iter().map(|(_, at)| time(*at)).collect())
        .collect();
    prop_assert_eq!(&reported, &expected, "reference: {}", rule);
    Ok(())
}

proptest! {
    #[test]
    fn all_ways_to_match_agree(
        steps in prop::collection::vec((prop::sample::select(vec![0, 0, 0, 1_usize]), values()), 0..9),
        condition in prop::sample::select(CONDITIONS.to_vec()),
        of in prop::sample::select(LOOPS.to_vec()),
    ) {
        let pattern = of.replace("..]", &format!("{condition}]"));
        agrees(&format!("match {pattern}  skip none"), &steps)?;
    }

    /// In loops that take each value once, the runs without a value are found by bisection if many
    /// are open. `values` says how often an odd value comes that ends this.
    #[test]
    fn values_that_many_have_are_found_by_bisection(
        steps in prop::collection::vec((prop::sample::select(vec![0, 0, 0, 0, 1_usize]), 0..5_i64), 0..40),
        are_floats in prop::bool::ANY,
        odd in prop::option::of((0..40_usize, values())),
        rule in prop::sample::select(vec![
            "match a[v not in distinct(x.v)]{3} as x",
            "match a[v > 0 and v not in distinct(x.v)]{4} as x",
            "match b -> a[v not in distinct(x.v)]{3} as x",
            "match a[v not in distinct(x.v)]{4} as x -> b",
            "match a[v not in distinct(x.v)]{3} as x -> b[v > 1] -> b",
            "match a[v not in distinct(x.v) and v > 0]{4} as x  within 20ms",
            "match b as y -> b[v > y.v] -> a[v not in distinct(x.v)]{3} as x",
            "match a[v not in distinct(x.v)]{1..} as x -> b[v < 2]",
            "match (a[v not in distinct(x.v)] as x -> b){2}",
        ]),
        skip in prop::sample::select(vec!["skip none", "skip past last", "skip to next"]),
    ) {
        let value = |v: i64| match v {
            4 => Value::Null,
            3 if are_floats => Value::Float(-0.0),
            _ if are_floats => Value::Float(i32::try_from(v).expect("it is small").into()),
            _ => Value::Int(v),
        };
        let mut steps: Vec<_> = steps.into_iter().map(|(ty, v)| (ty, value(v))).collect();
        if let Some((at, odd)) = odd
            && let Some(step) = steps.get_mut(at)
        {
            *step = (0, odd);
        }
        agrees(&format!("{rule}  {skip}"), &steps)?;
    }
}
