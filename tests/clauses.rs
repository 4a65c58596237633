//! `suppress` and `limit` in an engine: order, batches, counters, failure. What they mean is in
//! `testdata/suite`.

use std::time::Duration;

use kleene::stream::{Engine, Ignore, Output, PushError};
use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
use proptest::prelude::*;

const EVENTS: &str = "event a { k: int, v: int, at: time } event b { k: int, v: int, at: time }\n";

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(&format!("{EVENTS}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

fn event(rules: &RuleSet, ty: &str, time: i64, key: i64, value: i64) -> Record {
    let at = Timestamp::from_millis(time).into();
    let fields = [("k", Value::Int(key)), ("v", Value::Int(value)), ("at", at)];
    Record::from_fields(rules.schema(), ty, fields).expect("it is as declared")
}

fn engine(rules: &RuleSet) -> Engine<Record> {
    Engine::builder().rules(rules.clone()).build().expect("the rules fit")
}

/// What was told, shortly: `rule@end`, `-` before what was suppressed, `!` for an overflow.
fn brief(outputs: &[Output<Record>]) -> String {
    let one = |output: &Output<Record>| match output {
        Output::Match(found) => format!("{}@{}", found.rule, found.end.as_millis()),
        Output::Suppressed(found) => format!("-{}@{}", found.rule, found.end.as_millis()),
        Output::Timeout(expired) => {
            format!("{}?@{}", expired.found.rule, expired.found.end.as_millis())
        }
        Output::Overflowed { what, .. } => format!("!{what}"),
        other => format!("{other:?}"),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_suppressed_is_counted_and_told_as_such() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for time in [0, 5, 9, 10, 25] {
        engine.push(&event(&rules, "a", time, 1, 0), &mut out).unwrap();
    }
    engine.finish(&mut out);
    assert_eq!(brief(&out), "r@0 -r@5 -r@9 r@10 r@25");
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.suppressed, stats.overflowed), (3, 2, 0));
}

#[test]
fn a_rule_remembers_so_many_keys_and_tells_what_is_beyond() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine =
        Engine::builder().rules(rules.clone()).limit_suppressed(1).build().expect("it fits");
    let mut out = Vec::new();
    for (time, key) in [(0, 1), (1, 2), (2, 2), (3, 1), (10, 2), (11, 2)] {
        engine.push(&event(&rules, "a", time, key, 0), &mut out).unwrap();
    }
    let told = brief(&out);
    assert_eq!(told.matches("remembers too many keys").count(), 2, "{told}");
    let stats = engine.stats();
    // The key 2 is told at 1 and 2; at 10 there is room for it.
    assert_eq!((stats.matches, stats.suppressed, stats.overflowed), (4, 2, 2));
}

#[test]
fn what_is_over_is_not_kept() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine = engine(&rules);
    for key in 0..10_000 {
        engine.push(&event(&rules, "a", 0, key, 0), &mut Ignore).unwrap();
    }
    engine.advance(Timestamp::from_millis(9), &mut Ignore);
    let before = engine.memory_usage();
    engine.advance(Timestamp::from_millis(10), &mut Ignore);
    assert!(engine.memory_usage() < before / 2, "{before}, then {}", engine.memory_usage());
}

#[test]
fn what_a_limit_drops_is_counted_and_told() {
    for policy in ["drop oldest", "drop newest"] {
        let rules = rules(&format!(
            "rule r {{ key k  match a -> b  within 1s  skip none  limit 2 partials {policy} }}"
        ));
        let mut engine = engine(&rules);
        let mut out = Vec::new();
        for time in 0..5 {
            engine.push(&event(&rules, "a", time, 1, 0), &mut out).unwrap();
        }
        engine.push(&event(&rules, "b", 12, 1, 0), &mut out).unwrap();
        let told = brief(&out);
        assert!(told.ends_with("r@12 r@12"), "{told}");
        assert_eq!(told.matches("1 of the rule `r` were dropped").count(), 3, "{told}");
        assert_eq!((engine.stats().overflowed, engine.stats().peak_partials), (3, 2));
    }
}

#[test]
fn a_limit_that_fails_stops_the_engine_for_good() {
    let rules = rules(
        "rule r { key k  match a -> b  within 1s  skip none  limit 2 partials fail }
         rule other { key k  match a  }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    let mut push = |time, key| {
        let result = engine.push(&event(&rules, "a", time, key, 0), &mut out);
        result.map_err(|error: PushError| error.to_string())
    };
    assert_eq!((push(0, 1), push(1, 1), push(1, 2)), (Ok(()), Ok(()), Ok(())));
    let message = "the rule `r` would have more than 2 partial matches open for k = 1 at \
                   1970-01-01T00:00:00.002Z, and its limit says that this is to fail";
    assert_eq!(push(2, 1), Err(message.to_owned()));
    assert_eq!(push(3, 7), Err(message.to_owned()));
    assert_eq!(engine.failure().and_then(PushError::rule), Some("r"));
    let told = out.len();
    engine.advance(Timestamp::from_millis(5000), &mut out);
    engine.finish(&mut out);
    assert_eq!(out.len(), told, "nothing is told after it");
    assert_eq!((engine.stats().events, engine.stats().overflowed), (4, 1));
}

#[test]
fn a_failure_that_a_watermark_runs_into_is_to_be_seen() {
    let rules = rules("rule r { key k  match a -> b  within 1s  limit 1 partials fail }");
    let builder = Engine::builder().rules(rules.clone()).out_of_order(Duration::from_secs(1));
    let mut engine = builder.build().expect("it fits");
    for time in [3, 1, 2] {
        engine.push(&event(&rules, "a", time, 1, 0), &mut Ignore).unwrap();
    }
    assert!(engine.failure().is_none());
    engine.advance(Timestamp::from_millis(2), &mut Ignore);
    assert!(engine.failure().is_some());
    assert!(engine.push(&event(&rules, "a", 2000, 1, 0), &mut Ignore).is_err());
}

const SUITE: &str = "
rule often  { key k  match a  suppress 3ms }
rule pairs  { key k  match a -> b[v > a.v]  within 9ms  skip none  suppress 4ms }
rule few    { key k  match a -> b  within 20ms  skip none  limit 2 partials drop oldest }
rule fewer  { key k  match a -> b  within 20ms  skip none  limit 1 partials drop newest }
rule silent { key k  match a -> not b for 5ms  skip none  suppress 6ms }
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn neither_batches_nor_watermarks_change_what_is_told(
        steps in prop::collection::vec((any::<bool>(), 0..4_i64, 0..3_i64, 0..4_i64, any::<bool>()), 0..60),
    ) {
        let rules = rules(SUITE);
        let mut time = 0;
        let events: Vec<(Record, bool)> = steps
            .iter()
            .map(|&(first, gap, key, value, advances)| {
                time += gap;
                (event(&rules, if first { "a" } else { "b" }, time, key, value), advances)
            })
            .collect();
        let mut whole = engine(&rules);
        let mut expected = Vec::new();
        whole.push_batch(events.iter().map(|(event, _)| event), &mut expected).unwrap();
        whole.finish(&mut expected);

        let builder = Engine::builder().rules(rules.clone()).watermarks_from_source();
        let mut stepping = builder.build().unwrap();
        let mut found = Vec::new();
        for (event, advances) in &events {
            stepping.push(event, &mut found).unwrap();
            if *advances {
                let before = event.time().plus_millis(-1);
                stepping.advance(before, &mut found);
            }
        }
        stepping.finish(&mut found);
        prop_assert_eq!(brief(&found), brief(&expected));
        let (a, b) = (stepping.stats(), whole.stats());
        prop_assert_eq!((a.matches, a.suppressed, a.overflowed), (b.matches, b.suppressed, b.overflowed));
    }
}
