//! Input that wants to break something: the engine takes it, or says what it does not take, and
//! goes on.

use std::time::Duration;

use kleene::stream::{Ignore, Output};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

const RULES: &str = "
event a { ts: time, k: string, n: int, x: float }
event b { ts: time, k: string, n: int, x: float }
rule pair { key k  match a -> b within 10s skip none emit { k, n: a.n + b.n, x: a.x * b.x }  on timeout emit { k } }
";

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn event(ty: usize, at: i64, key: &str, n: i64, x: f64) -> Record {
    let time = Timestamp::from_millis(at);
    let values = vec![Value::Time(time), key.into(), n.into(), Value::Float(x)];
    Record::new(kleene::schema::TypeId::new(ty), time, values)
}

fn reported(outputs: &[Output<Record>]) -> (usize, usize, usize, usize) {
    let count =
        |is: fn(&Output<Record>) -> bool| outputs.iter().filter(|output| is(output)).count();
    (
        count(|output| matches!(output, Output::Match(_))),
        count(|output| matches!(output, Output::Timeout(_))),
        count(|output| matches!(output, Output::Late { .. })),
        count(|output| matches!(output, Output::Rejected { .. })),
    )
}

#[test]
fn clocks_that_jump_make_events_late_or_rejected_and_nothing_else() {
    let builder = Engine::builder().rules(&rules(RULES));
    let mut engine = builder.out_of_order(Duration::from_secs(5)).build().unwrap();
    let mut outputs = Vec::new();
    let day = 86_400_000;
    let times = [
        (0, 1000),
        // A day ahead: time has gone there, for everybody.
        (1, day),
        (1, 2000),
        (0, day + 1),
        (1, day + 2),
        (0, i64::MIN),
        (0, i64::MIN + 1),
        (0, i64::MAX),
        (0, i64::MAX - 1),
        (1, day + 3),
        (1, i64::MAX - 1),
    ];
    for (ty, at) in times {
        engine.push(&event(ty, at, "k", 1, 1.0), &mut outputs).unwrap();
    }
    engine.end_time(&mut outputs).unwrap();
    // The order at 1000 runs out; the pairs of the day after and of the end of time are found.
    assert_eq!(reported(&outputs), (2, 1, 3, 2));
    assert_eq!(engine.stats().events, 11);
    assert_eq!(engine.stats().partials, 0);
}

#[test]
fn a_watermark_that_stalls_fills_the_buffer_to_its_limit_and_is_reported() {
    let builder = Engine::builder().rules(&rules(RULES)).limit_buffered(100);
    let mut engine = builder.watermarks_from_source().build().unwrap();
    let mut outputs = Vec::new();
    for at in 0..1000 {
        engine.push(&event(0, at, "k", 1, 1.0), &mut outputs).unwrap();
        assert!(engine.stats().buffered <= 100);
    }
    // Backwards does nothing.
    engine.advance(Timestamp::from_millis(5), &mut outputs).unwrap();
    let overflows = outputs.iter().filter(|output| matches!(output, Output::Overflowed(_)));
    assert_eq!(overflows.count(), 900);
    assert_eq!(engine.stats().overflowed, 900);
    assert_eq!(engine.stats().partials, 900);
    engine.end_time(&mut outputs).unwrap();
    assert_eq!(engine.stats().timeouts, 1000, "no event is lost");
}

#[test]
fn an_idle_source_holds_the_others_up_until_it_is_said_to_be_idle() {
    let builder = Engine::builder().rules(&rules(RULES));
    let mut engine = builder.out_of_order(Duration::ZERO).build().unwrap();
    let (one, other) = (engine.source("one"), engine.source("other"));
    for at in 0..100 {
        engine
            .push_from(one, &event(at % 2, i64::try_from(at).unwrap(), "k", 1, 1.0), &mut Ignore)
            .unwrap();
    }
    assert_eq!((engine.stats().matches, engine.stats().buffered), (0, 100));
    engine.set_idle(other, &mut Ignore).unwrap();
    assert!(engine.stats().matches > 0 && engine.stats().buffered <= 1);
}

#[test]
fn keys_of_a_megabyte_are_keys() {
    let mut engine: Engine<Record> = Engine::builder().rules(&rules(RULES)).build().unwrap();
    let mut outputs = Vec::new();
    let keys = [0, 1].map(|last| format!("{}{last}", "k\0".repeat(1 << 19)));
    for (at, (ty, key)) in [(0, 0), (0, 1), (1, 1), (1, 0)].into_iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        engine.push(&event(ty, at, &keys[key], 1, 1.0), &mut outputs).unwrap();
    }
    engine.end_time(&mut outputs).unwrap();
    assert_eq!(reported(&outputs), (2, 0, 0, 0));
    assert_eq!(engine.stats().keys, 0);
}

#[test]
fn numbers_at_the_edges_are_numbers_or_null() {
    let mut engine: Engine<Record> = Engine::builder().rules(&rules(RULES)).build().unwrap();
    let floats =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324];
    let ints = [i64::MIN, -1, 0, 1, i64::MAX];
    let (mut outputs, mut at, mut pushed) = (Vec::new(), 0, 0);
    for x in floats {
        for n in ints {
            for ty in [0, 1] {
                engine.push(&event(ty, at, "k", n, x), &mut outputs).unwrap();
                at += 1;
            }
            pushed += 1;
            // Each pair is over before the next one.
            at += 20_000;
        }
    }
    engine.end_time(&mut outputs).unwrap();
    assert_eq!(reported(&outputs).0, pushed);
    for output in &outputs {
        let Output::Match(found) = output else { panic!("{output:?}") };
        // What it emits can be shown.
        assert!(!found.emit.to_string().is_empty());
    }
}

#[test]
fn keys_that_are_no_number_are_one_key_or_none() {
    let rules = rules(
        "event a { ts: time, x: float }\n\
         rule twice { key x match a -> a within 10s }",
    );
    let mut engine: Engine<Record> = Engine::builder().rules(&rules).build().unwrap();
    let mut push = |at: i64, x: f64| {
        let time = Timestamp::from_millis(at);
        let values = vec![Value::Time(time), Value::Float(x)];
        engine
            .push(&Record::new(kleene::schema::TypeId::new(0), time, values), &mut Ignore)
            .unwrap();
        engine.stats()
    };
    push(0, 0.0);
    assert_eq!(push(1, -0.0).matches, 1, "zero is zero");
    push(2, f64::NAN);
    let stats = push(3, f64::NAN);
    assert!(stats.keys <= 1, "what is not equal to itself would never be found again: {stats:?}");
}

#[test]
fn ten_thousand_fields_are_read_by_number() {
    let fields: Vec<String> = (0..10_000).map(|i| format!("f{i}: int")).collect();
    let rules = rules(&format!(
        "event wide {{ ts: time, {} }}\n\
         rule last {{ key f0 match wide[f9999 == 9999] -> wide[f5000 == f4999 + 1] within 1m }}",
        fields.join(", ")
    ));
    let mut engine: Engine<Record> = Engine::builder().rules(&rules).build().unwrap();
    for at in 0..3 {
        let time = Timestamp::from_millis(at);
        let values = [Value::Time(time)].into_iter().chain((0..10_000).map(Value::Int));
        let event = Record::new(kleene::schema::TypeId::new(0), time, values.collect::<Vec<_>>());
        engine.push(&event, &mut Ignore).unwrap();
    }
    engine.end_time(&mut Ignore).unwrap();
    assert_eq!(engine.stats().matches, 1);
}

#[test]
fn what_costs_too_much_to_compile_is_refused() {
    let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    let rule = |condition: &str| {
        RuleSet::parse(&format!(
            "event a {{ ts: time, s: string }}\nrule r {{ match a[{condition}] }}"
        ))
    };
    assert!(rule(&format!("{} == 1", nested(10))).is_ok());
    for n in [1000, 100_000] {
        assert!(rule(&format!("{} == 1", nested(n))).is_err());
        assert!(rule(&format!("{}true", "not ".repeat(n))).is_err());
    }
    assert!(rule("s ~ \"(a{1000}){1000}\"").is_err());
    let groups = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
    let rules = format!("event a {{ ts: time }}\nrule r {{ match {groups} }}");
    assert!(RuleSet::parse(&rules).is_err());
}
