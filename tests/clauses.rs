//! `suppress`, `once`, `limit` and `emit as` in an engine: order, batches, counters, failure. What
//! they mean is in `testdata/suite`.

use std::time::Duration;

use kleene::stream::{Engine, Ignore, Output, PushError};
use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
use kleene_test::random;
use kleene_test::steps::as_rules;
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
    Engine::builder().rules(rules).build().expect("the rules fit")
}

/// Returns the outputs, shortly: `rule@end`, `-` before what was suppressed, `~` before what
/// `having` filtered, `!` for an overflow.
fn brief(outputs: &[Output<Record>]) -> String {
    let one = |output: &Output<Record>| match output {
        Output::Match(found) => format!("{}@{}", found.rule, found.reported_at.as_millis()),
        Output::Filtered(found) => format!("~{}@{}", found.rule, found.reported_at.as_millis()),
        Output::Suppressed(found) => format!("-{}@{}", found.rule, found.reported_at.as_millis()),
        Output::Timeout(expired) => {
            format!("{}?@{}", expired.found.rule, expired.found.reported_at.as_millis())
        }
        Output::Overflowed(what) => format!("!{what}"),
        other => format!("{other:?}"),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_suppressed_is_counted_and_reported_as_such() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for time in [0, 5, 9, 10, 25] {
        engine.push(&event(&rules, "a", time, 1, 0), &mut out).unwrap();
    }
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "r@0 -r@5 -r@9 r@10 r@25");
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.suppressed, stats.overflowed), (3, 2, 0));
}

#[test]
fn what_having_filters_is_counted_and_starts_no_suppress() {
    let rules = rules(
        "rule r { key k  match a -> b  emit { sum: a.v + b.v }  having sum > 3  suppress 10ms }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for (time, ty, value) in
        [(0, "a", 1), (1, "b", 2), (2, "b", 9), (3, "a", 1), (4, "b", 3), (5, "a", 9), (6, "b", 9)]
    {
        engine.push(&event(&rules, ty, time, 1, value), &mut out).unwrap();
    }
    engine.end_time(&mut out).unwrap();
    // The match that is filtered has used up its events: b@2 finds no `a`.
    assert_eq!(brief(&out), "~r@1 r@4 -r@6");
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.filtered, stats.suppressed), (1, 1, 1));
}

#[test]
fn a_rule_remembers_so_many_keys_and_reports_what_is_beyond() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine = Engine::builder().rules(&rules).limit_suppressed(1).build().expect("it fits");
    let mut out = Vec::new();
    for (time, key) in [(0, 1), (1, 2), (2, 2), (3, 1), (10, 2), (11, 2)] {
        engine.push(&event(&rules, "a", time, key, 0), &mut out).unwrap();
    }
    let reported = brief(&out);
    assert_eq!(reported.matches("remembers too many keys").count(), 2, "{reported}");
    let stats = engine.stats();
    // The key 2 is reported at 1 and 2; at 10 there is room for it.
    assert_eq!((stats.matches, stats.suppressed, stats.overflowed), (4, 2, 2));
}

#[test]
fn a_key_that_is_over_keeps_nothing_but_its_mark() {
    let rules = rules(
        "rule r { key k  match a -> b[v > a.v]  within 1s  skip none  on timeout emit { k }  once }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for (time, ty, key, value) in [
        (0, "a", 1, 5),
        (1, "a", 1, 1),
        (2, "a", 2, 1),
        (3, "b", 1, 3),
        (4, "a", 1, 0),
        (5, "b", 1, 9),
    ] {
        engine.push(&event(&rules, ty, time, key, value), &mut out).unwrap();
    }
    // The key 1 is over: a@0 ended without a word, a@4 began nothing.
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.ended, stats.partials, stats.keys), (1, 1, 1, 1));
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "r@3 r?@1002");
}

#[test]
fn a_rule_that_is_over_drops_what_all_keys_have_open() {
    let rules = rules(
        "rule r { key k  match a -> not b for 10ms  once per rule }
         rule other { key k  match a -> b  within 1s }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for key in 0..100 {
        engine.push(&event(&rules, "a", key, key, 0), &mut out).unwrap();
    }
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.ended), (1, 9), "those of 1 to 9 ms were open: {stats:?}");
    // Of the other rule, nothing was dropped.
    assert_eq!((stats.partials, stats.keys), (100, 100));
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "r@10");
}

#[test]
fn a_rule_marks_so_many_keys_and_reports_what_is_beyond() {
    let rules = rules("rule r { key k  match a  once }");
    let mut engine = Engine::builder().rules(&rules).limit_suppressed(1).build().expect("it fits");
    let mut out = Vec::new();
    for (time, key) in [(0, 1), (1, 1), (2, 2), (3, 2)] {
        engine.push(&event(&rules, "a", time, key, 0), &mut out).unwrap();
    }
    assert_eq!(brief(&out).matches("`once` of the rule `r` remembers too many keys").count(), 2);
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.suppressed, stats.overflowed), (3, 0, 2));
}

#[test]
fn what_is_over_stays_over_in_a_snapshot_and_after_an_edit() {
    let with = |clause: &str| {
        rules(&format!("rule r {{ key k  match a -> b  emit {{ n: a.v }}  {clause} }}"))
    };
    for (clause, edited, reported) in [
        ("once", "once  within 1h", "r@1 r@21"),
        ("once per rule", "once per rule  within 1h", "r@1"),
        // Another `once`, and one that comes back, begin anew.
        ("once", "once per rule", "r@1 r@11"),
        ("once", "", "r@1 r@11 r@21 r@31"),
        ("", "once", "r@1 r@11 r@21"),
    ] {
        let (before, after) = (with(clause), with(edited));
        let mut engine = engine(&before);
        let mut out = Vec::new();
        let mut two = |engine: &mut Engine<Record>, time, key| {
            engine.push(&event(&before, "a", time, key, 1), &mut out).unwrap();
            engine.push(&event(&before, "b", time + 1, key, 1), &mut out).unwrap();
        };
        two(&mut engine, 0, 1);
        let bytes = engine.snapshot();
        let (mut engine, _) = Engine::builder().rules(&before).restore(&[&bytes]).unwrap();
        engine.replace_rules(&after).unwrap();
        two(&mut engine, 10, 1);
        two(&mut engine, 20, 2);
        two(&mut engine, 30, 2);
        assert_eq!(brief(&out), reported, "{clause:?}, then {edited:?}");
    }
}

#[test]
fn a_silence_is_repeated_so_often_and_reports_what_is_beyond() {
    let rules =
        rules("rule r { key k  match a -> not b for 1s repeat  emit { n: match.repetition } }");
    let builder = Engine::builder().rules(&rules).limit_repetitions(3);
    let mut engine = builder.build().expect("it fits");
    let mut out = Vec::new();
    engine.push(&event(&rules, "a", 0, 1, 0), &mut out).unwrap();
    // A year passes at once.
    engine.advance(Timestamp::from_millis(365 * 86_400_000), &mut out).unwrap();
    assert_eq!(
        brief(&out),
        "r@1000 r@2000 r@3000 !a silence has lasted too long: 1 of the rule `r` will not be repeated \
         any more (`repeat`)"
    );
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.overflowed, stats.partials, stats.keys), (3, 1, 0, 0));
}

/// Two keys reach the limit at one deadline: each has a report of its own, after its last match.
#[test]
fn a_limit_names_the_key_that_it_touches() {
    let rules = rules("rule r { key k  match a -> not b for 1s repeat }");
    let builder = Engine::builder().rules(&rules).limit_repetitions(2);
    let mut engine = builder.build().expect("it fits");
    let mut out = Vec::new();
    for key in [1, 2] {
        engine.push(&event(&rules, "a", 0, key, 0), &mut out).unwrap();
    }
    engine.advance(Timestamp::from_millis(60_000), &mut out).unwrap();
    let limited = out.iter().filter_map(|output| match output {
        Output::Overflowed(overflow) => Some(overflow),
        _ => None,
    });
    let limited: Vec<_> = limited.collect();
    let version = rules.rules()[0].version;
    for (overflow, k) in limited.iter().zip([1, 2]) {
        let key = overflow.key.as_ref().expect("a rule has reached it");
        assert_eq!((&*key.rule, overflow.limit.as_str()), ("r", "repetitions"));
        assert_eq!((overflow.dropped, key.version), (1, version));
        assert_eq!(overflow.time, Timestamp::from_millis(2000));
        assert_eq!(key.parts, [("k".into(), Value::Int(k))]);
    }
    assert_eq!((limited.len(), out.len()), (2, 6));
}

#[test]
fn a_year_of_silence_is_bounded_by_default() {
    let rules = rules("rule r { key k  match a -> not b for 1s repeat }");
    let mut engine = engine(&rules);
    engine.push(&event(&rules, "a", 0, 1, 0), &mut Ignore).unwrap();
    engine.advance(Timestamp::from_millis(365 * 86_400_000), &mut Ignore).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.overflowed, stats.partials), (100_000, 1, 0));
}

#[test]
fn each_report_of_a_silence_has_an_id_of_its_own() {
    let rules = rules("rule r { key k  match a -> not b for 5ms repeat  suppress 8ms }");
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    engine.push(&event(&rules, "a", 0, 1, 0), &mut out).unwrap();
    engine.advance(Timestamp::from_millis(22), &mut out).unwrap();
    assert_eq!(brief(&out), "r@5 -r@10 r@15 -r@20");
    let ids: std::collections::HashSet<_> = out
        .iter()
        .filter_map(|output| match output {
            Output::Match(found) | Output::Suppressed(found) => Some(found.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 4);
    // At the end of the stream it is reported once more.
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "r@5 -r@10 r@15 -r@20 r@25");
}

#[test]
fn a_silence_goes_on_repeating_after_a_snapshot_and_an_edit() {
    let with = |text: &str| rules(&format!("rule r {{ key k  match a -> not b for {text} }}"));
    for (before, after, reported) in [
        ("5ms repeat", "5ms repeat", "r@5 r@10 r@15 r@20 r@25"),
        ("5ms repeat", "5ms repeat  emit { n: match.repetition }", "r@5 r@10 r@15 r@20 r@25"),
        ("5ms repeat", "7ms repeat", "r@5 r@10 r@14 r@21"),
        ("5ms repeat", "5ms repeat  within 22ms", "r@5 r@10 r@15 r@20"),
        // It was a match already, and is not repeated any more.
        ("5ms repeat", "5ms", "r@5 r@10"),
        ("13ms", "13ms repeat", "r@13"),
        ("20ms", "5ms repeat", "r@13 r@15 r@20 r@25"),
    ] {
        let (before, after) = (with(before), with(after));
        let mut engine = engine(&before);
        let mut out = Vec::new();
        engine.push(&event(&before, "a", 0, 1, 1), &mut out).unwrap();
        engine.advance(Timestamp::from_millis(12), &mut out).unwrap();
        let bytes = engine.snapshot();
        let (mut engine, _) = Engine::builder().rules(&before).restore(&[&bytes]).unwrap();
        engine.replace_rules(&after).unwrap();
        engine.advance(Timestamp::from_millis(25), &mut out).unwrap();
        assert_eq!(brief(&out), reported);
    }
}

#[test]
fn what_is_over_is_not_kept() {
    let rules = rules("rule r { key k  match a  suppress 10ms }");
    let mut engine = engine(&rules);
    for key in 0..10_000 {
        engine.push(&event(&rules, "a", 0, key, 0), &mut Ignore).unwrap();
    }
    engine.advance(Timestamp::from_millis(9), &mut Ignore).unwrap();
    let before = engine.memory_usage();
    engine.advance(Timestamp::from_millis(10), &mut Ignore).unwrap();
    assert!(engine.memory_usage() < before / 2, "{before}, then {}", engine.memory_usage());
}

#[test]
fn what_a_limit_drops_is_counted_and_reported() {
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
        let reported = brief(&out);
        assert!(reported.ends_with("r@12 r@12"), "{reported}");
        assert_eq!(reported.matches("1 of the rule `r` were dropped").count(), 3, "{reported}");
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
    let reported = out.len();
    let advanced = engine.advance(Timestamp::from_millis(5000), &mut out);
    assert_eq!(advanced.map_err(|error| error.to_string()), Err(message.to_owned()));
    assert!(engine.end_time(&mut out).is_err());
    assert_eq!(out.len(), reported, "nothing is reported after it");
    assert_eq!((engine.stats().events, engine.stats().overflowed), (4, 1));
}

#[test]
fn a_failure_that_a_watermark_runs_into_is_to_be_seen() {
    let rules = rules("rule r { key k  match a -> b  within 1s  limit 1 partials fail }");
    let builder = Engine::builder().rules(&rules).out_of_order(Duration::from_secs(1));
    let mut engine = builder.build().expect("it fits");
    for time in [3, 1, 2] {
        engine.push(&event(&rules, "a", time, 1, 0), &mut Ignore).unwrap();
    }
    assert!(engine.failure().is_none());
    let failed = engine.advance(Timestamp::from_millis(2), &mut Ignore).unwrap_err();
    assert_eq!(engine.failure(), Some(&failed));
    assert!(engine.push(&event(&rules, "a", 2000, 1, 0), &mut Ignore).is_err());
}

/// Times of orders and payments, and what comes of what is not paid.
const UNPAID: &str = "
rule unpaid  { key k  match a -> b  within 10ms  skip none  on timeout emit as open { k, n: match.step } }
rule two     { key k  match open{2} as o  within 100ms  emit as twice { k, last: match.end } }
rule silence { key k  match twice -> not b for 5ms }
";

#[test]
fn deadlines_and_derived_events_come_in_the_order_of_time() {
    let rules = rules(UNPAID);
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    // The first two time out at 10 and 12, which `two` notes at 12, `silence` at 17.
    for time in [0, 2, 13] {
        engine.push(&event(&rules, "a", time, 1, 0), &mut out).unwrap();
    }
    assert_eq!(brief(&out), "unpaid?@10 unpaid?@12 two@12");
    engine.advance(Timestamp::from_millis(16), &mut out).unwrap();
    assert_eq!(brief(&out), "unpaid?@10 unpaid?@12 two@12");
    // One step of time brings the rest, each at its own moment.
    engine.advance(Timestamp::from_millis(1000), &mut out).unwrap();
    assert_eq!(brief(&out), "unpaid?@10 unpaid?@12 two@12 silence@17 unpaid?@23");
    let stats = engine.stats();
    assert_eq!((stats.events, stats.derived, stats.matches, stats.timeouts), (3, 4, 2, 3));
    assert_eq!((stats.buffered, stats.late, stats.unknown), (0, 0, 0));
}

#[test]
fn a_derived_event_waits_until_its_moment_is_over() {
    let rules = rules(
        "rule seen { key k  match a  emit as sign { k } }
         rule after { key k  match sign -> next a  within 1s }
         rule both { key k  match a -> next sign  within 1s }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    engine.push(&event(&rules, "a", 5, 1, 0), &mut out).unwrap();
    assert_eq!((brief(&out).as_str(), engine.stats().buffered), ("seen@5", 1));
    engine.push(&event(&rules, "a", 5, 2, 0), &mut out).unwrap();
    assert_eq!((brief(&out).as_str(), engine.stats().buffered), ("seen@5 seen@5", 2));
    engine.advance(Timestamp::from_millis(5), &mut out).unwrap();
    assert_eq!(brief(&out), "seen@5 seen@5 both@5 both@5");
    assert_eq!(engine.stats().buffered, 0);
    engine.push(&event(&rules, "a", 6, 1, 0), &mut out).unwrap();
    assert_eq!(brief(&out), "seen@5 seen@5 both@5 both@5 seen@6 after@6");
}

#[test]
fn the_end_of_the_stream_brings_what_follows_from_it() {
    let rules = rules(UNPAID);
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    engine
        .push_batch(&[event(&rules, "a", 0, 1, 0), event(&rules, "a", 0, 1, 0)], &mut out)
        .unwrap();
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "unpaid?@10 unpaid?@10 two@10 silence@15");
}

#[test]
fn what_is_not_as_declared_is_rejected_and_reported() {
    let rules = rules(
        "event alert { k: int, v: int, who: string, at: time }
         event open { k: int, at: time, .. }
         rule feeds { key k  match open as o  emit as alert { k, v: o.v, who: o.who } }
         rule reads { key k  match alert }",
    );
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    for (time, v, who) in [
        (1, Value::Int(1), "ann".into()),
        (2, "x".into(), "ann".into()),
        (3, Value::Int(3), Value::Null),
    ] {
        let at = Timestamp::from_millis(time).into();
        let fields = [("k", Value::Int(1)), ("at", at), ("v", v), ("who", who)];
        let event = Record::from_fields(rules.schema(), "open", fields).unwrap();
        engine.push(&event, &mut out).unwrap();
    }
    engine.end_time(&mut out).unwrap();
    let rejected: Vec<String> = out
        .iter()
        .filter_map(|output| match output {
            Output::Rejected { event, reason, .. } => {
                Some(format!("{}: {reason}", event.time().as_millis()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        rejected,
        [
            "2: what the rule `feeds` feeds to others is not as declared: `alert.v` is int, not string",
            "3: what the rule `feeds` feeds to others is not as declared: `alert.who` is string, not null",
        ]
    );
    let stats = engine.stats();
    assert_eq!((stats.matches, stats.derived, stats.rejected), (4, 1, 2));
}

#[test]
fn so_many_derived_events_wait_at_most() {
    let rules = rules(
        "rule seen { key k  match a  emit as sign { k } }
         rule after { key k  match sign }",
    );
    let builder = Engine::builder().rules(&rules).limit_buffered(2);
    let mut engine = builder.build().unwrap();
    let mut out = Vec::new();
    for key in 0..3 {
        engine.push(&event(&rules, "a", 5, key, 0), &mut out).unwrap();
    }
    engine.end_time(&mut out).unwrap();
    assert_eq!(
        brief(&out),
        "seen@5 seen@5 seen@5 !too many events that rules made wait: one of the rule `seen` was \
         dropped after@5 after@5"
    );
    assert_eq!((engine.stats().derived, engine.stats().overflowed), (2, 1));
}

#[test]
fn what_no_rule_reads_is_not_made() {
    let rules = rules("rule seen { key k  match a  emit as sign { k } }");
    let mut engine = engine(&rules);
    engine.push(&event(&rules, "a", 5, 1, 0), &mut Ignore).unwrap();
    assert_eq!((engine.stats().matches, engine.stats().derived), (1, 0));
}

#[test]
fn rules_that_feed_others_can_be_replaced_while_events_wait() {
    let text = |bound: &str| {
        rules(&format!(
            "rule often {{ key k  match a  emit as sign {{ k }}  suppress 10ms }}
             rule after {{ key k  match sign -> not b for {bound} }}",
        ))
    };
    let rules = text("5ms");
    let mut engine = engine(&rules);
    let mut out = Vec::new();
    engine.push(&event(&rules, "a", 1, 1, 0), &mut out).unwrap();
    engine.replace_rules(&text("7ms")).unwrap();
    // What was made and what is kept quiet go on.
    engine.push(&event(&rules, "a", 2, 1, 0), &mut out).unwrap();
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "often@1 -often@2 after@8");
}

#[test]
fn what_a_rule_feeds_can_have_other_fields_after_a_replacement() {
    let before = rules(
        "rule seen { key k  match a as x  emit as sign { k, old: x.v } }
         rule after { key k  match sign{2}  within 1s }",
    );
    let after = rules(
        "rule seen { key k  match a as x  emit as sign { v: x.v, k, at: match.end } }
         rule after { key k  match sign{2} as s  within 1s  emit { first: s[0].v, last: s[1].v } }",
    );
    let mut engine = engine(&before);
    let mut out = Vec::new();
    engine.push(&event(&before, "a", 1, 1, 5), &mut out).unwrap();
    engine.replace_rules(&after).unwrap();
    engine.push(&event(&before, "a", 2, 1, 6), &mut out).unwrap();
    engine.push(&event(&before, "a", 3, 1, 7), &mut out).unwrap();
    engine.end_time(&mut out).unwrap();
    assert_eq!(brief(&out), "seen@1 seen@2 after@2 seen@3");
    let Output::Match(found) = &out[2] else { panic!("{out:?}") };
    // What waited was made by the rule before.
    assert_eq!(found.emit.to_string(), "{ first: null, last: 6 }");
}

#[cfg(feature = "derive")]
#[test]
fn events_of_rust_types_cannot_be_made() {
    #[derive(Clone, kleene::Event)]
    struct A {
        k: i64,
        v: i64,
        at: Timestamp,
    }

    let feeds = "rule seen { key k  match a  emit as sign { k } }";
    let unread = Engine::<A>::builder().rules(&rules(feeds)).build();
    assert!(unread.is_ok(), "{unread:?}");
    let mut engine = unread.unwrap();
    engine.push(&A { k: 1, v: 2, at: Timestamp::from_millis(1) }, &mut Ignore).unwrap();
    assert_eq!(engine.stats().matches, 1);

    let read = rules(&format!("{feeds} rule after {{ key k  match sign }}"));
    let error = Engine::<A>::builder().rules(&read).build().unwrap_err();
    assert_eq!(error.rule(), "seen");
    assert_eq!(
        error.to_string(),
        "the rule `seen` feeds other rules (`emit as`), but events of this Rust type can't be made at \
         run time: `Record`s can"
    );
    let refused = engine.replace_rules(&read).unwrap_err();
    assert!(refused.to_string().contains("the rule `seen` feeds other rules"), "{refused}");
}

/// Rules that feed others, and below the line those that only read.
const FEEDERS: &str = "
rule signs { key k  match a[v > 1] as x  emit as sign { k, v: x.v, at: match.end } }
rule quiet { key k  match a -> not b for 3ms  skip none  emit as sign { k, v: a.v, at: match.end } }
rule late  { key k  match a -> b  within 6ms  skip none  on timeout emit as open { k, v: a.v, at: match.end } }
";
const READERS: &str = "
rule both  { key k  match open -> sign  within 20ms  skip none }
rule next1 { key k  match sign -> next a  within 9ms  skip none  on timeout emit { k } }
rule next2 { key k  from a, b, sign, open  match open -> next sign[v > open.v]  skip none }
rule still { key k  match sign -> not open for 4ms  skip none }
rule alone { key k  match a -> not sign for 2ms  skip none }
rule pairs { key k  match sign{2 next} as s -> open  within 15ms }
rule all   { match (open or sign){3}  within 10ms }
";

/// The rules of one of two texts, with the types of both.
fn part(whole: &RuleSet, names: &RuleSet) -> Engine<Record> {
    let schema = whole.schema().clone();
    let rules = whole.rules().iter().filter(|rule| names.rule(&rule.name).is_some());
    let builder =
        rules.fold(Engine::builder(), |builder, rule| builder.rule(schema.clone(), rule.clone()));
    builder.build().expect("the rules fit")
}

const SUITE: &str = "
rule reader { key k  match chain{2} as c -> not sign for 4ms  skip none }
rule signs  { key k  match a[v > 1] as x  emit as sign { k, v: x.v, at: match.end } }
rule chains { key k  match sign[v > 2] as x  emit as chain { k, v: x.v }  suppress 2ms }
rule lates  { key k  match a -> b  within 6ms  skip none  on timeout emit as chain { k, v: a.v } }
rule mixed  { key k  match chain -> next a  within 9ms  skip none }
rule often  { key k  match a  suppress 3ms }
rule pairs  { key k  match a -> b[v > a.v]  within 9ms  skip none  suppress 4ms }
rule few    { key k  match a -> b  within 20ms  skip none  limit 2 partials drop oldest }
rule fewer  { key k  match a -> b  within 20ms  skip none  limit 1 partials drop newest }
rule silent { key k  match a -> not b for 5ms  skip none  suppress 6ms }
rule onces  { key k  match a -> b  within 9ms  on timeout emit as chain { k, v: a.v }  once }
rule first  { key k  match a -> not b for 5ms  emit as sign { k, v: a.v, at: match.end }  once per rule }
rule still  { key k  match a -> not b for 3ms repeat  emit as sign { k, v: a.v, at: match.end }  within 30ms }
rule again  { key k  match a{1..2 each} as all -> not b for 4ms repeat  skip none  within 20ms }
rule worthy { key k  match a -> b  within 9ms  skip none  emit as chain { k, v: a.v + b.v }  having v > 2  suppress 2ms }
";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A rule with `once` reports what it reports without, up to the first match: of each
    /// key, or of all.
    #[test]
    fn once_is_all_up_to_the_first_match(
        pattern in random::runnable(),
        events in random::stream(),
        key in prop::sample::select(vec!["", "key v", "key type"]),
        whole in any::<bool>(),
    ) {
        let Some(plain) = as_rules(&pattern.0, key) else { return Ok(()) };
        let clause = if whole { "once per rule" } else { "once" };
        let Some(once) = as_rules(&pattern.0, &format!("{key} {clause}")) else { return Ok(()) };
        let reported = |rules: &RuleSet| {
            let mut engine = engine(rules);
            let mut out: Vec<Output<Record>> = Vec::new();
            for event in &events.0 {
                engine.push(event, &mut out).expect("it has not ended");
            }
            engine.end_time(&mut out).unwrap();
            let lines = out.iter().filter_map(|output| match output {
                Output::Match(found) => Some((true, found)),
                Output::Timeout(expired) => Some((false, &expired.found)),
                _ => None,
            });
            let line = |(is_match, found): (bool, &kleene::stream::OwnedMatch<Record>)| {
                (is_match, format!("{:?}", found.key), format!("{:?} {}", found.captures, found.reported_at))
            };
            lines.map(line).collect::<Vec<_>>()
        };
        let mut over: Vec<String> = Vec::new();
        let mut expected = reported(&plain);
        expected.retain(|(is_match, key, _)| {
            let is_open = if whole { over.is_empty() } else { !over.contains(key) };
            if *is_match {
                over.push(key.clone());
            }
            is_open
        });
        prop_assert_eq!(reported(&once), expected);
    }
}

/// Patterns that end with a silence, without its length.
const SILENCES: &str = "a -> not b | a -> not a | a -> not (b or a[v > 2]) | a{2} as two -> not b \
    | (a or b[v > 1]) -> not b[v > 2] | a -> b{1..2 each} as bs -> not a | (a and b) -> a[v > 1] as c -> not a \
    | (a -> b within 9ms){1..2 each} as round -> not a | a -> b[v > a.v] -> not (a or b)";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A silence that repeats reports what silences of one, two, three periods report.
    #[test]
    fn a_repeated_silence_is_silences_of_each_length(
        steps in prop::collection::vec((any::<bool>(), 0..7_i64, 0..2_i64, 0..4_i64), 0..12),
        pattern in 0..9_usize,
        period in 1..5_i64,
    ) {
        const PERIODS: i64 = 12;
        let pattern = SILENCES.split(" | ").nth(pattern).expect("there are as many").trim();
        let text = |millis: i64, repeat: &str| {
            format!("rule r {{ key k  match {pattern} for {millis}ms {repeat}  skip none }}")
        };
        let horizon = |events: &[Record]| events.last().map_or(0, |last| last.time().as_millis());
        let reported = |text: &str| -> Vec<String> {
            let rules = rules(text);
            let mut time = 0;
            let events: Vec<Record> = steps.iter().map(|&(first, gap, key, value)| {
                time += gap;
                event(&rules, if first { "a" } else { "b" }, time, key, value)
            }).collect();
            let mut engine = engine(&rules);
            let mut out: Vec<Output<Record>> = Vec::new();
            for event in &events {
                engine.push(event, &mut out).expect("it has not ended");
            }
            engine.advance(Timestamp::from_millis(horizon(&events) + PERIODS), &mut out).unwrap();
            out.iter().filter_map(|output| match output {
                Output::Match(found) => Some(format!("{:?} {:?}", found.reported_at, found.captures)),
                _ => None,
            }).collect()
        };
        let mut repeated = reported(&text(period, "repeat"));
        let longest = (steps.iter().map(|step| step.1).sum::<i64>() + PERIODS) / period + 1;
        let mut each: Vec<String> =
            (1..=longest).flat_map(|times| reported(&text(period * times, ""))).collect();
        repeated.sort();
        each.sort();
        prop_assert_eq!(repeated, each);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn neither_batches_nor_watermarks_change_what_is_reported(
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
        whole.end_time(&mut expected).unwrap();

        let builder = Engine::builder().rules(&rules).watermarks_from_source();
        let mut stepping = builder.build().unwrap();
        let mut found = Vec::new();
        for (event, advances) in &events {
            stepping.push(event, &mut found).unwrap();
            if *advances {
                let before = event.time().plus_millis(-1);
                stepping.advance(before, &mut found).unwrap();
            }
        }
        stepping.end_time(&mut found).unwrap();
        prop_assert_eq!(brief(&found), brief(&expected));
        let (a, b) = (stepping.stats(), whole.stats());
        prop_assert_eq!((a.matches, a.suppressed, a.overflowed), (b.matches, b.suppressed, b.overflowed));
        prop_assert_eq!((a.derived, a.rejected, a.filtered), (b.derived, 0, b.filtered));

        // Any order of arrival that keeps the order of events of one time is the same stream.
        let builder = Engine::builder().rules(&rules).out_of_order(Duration::from_millis(3));
        let mut late = builder.build().unwrap();
        let mut shuffled: Vec<&Record> = events.iter().map(|(event, _)| event).collect();
        shuffled.sort_by_key(|event| {
            let time = event.time().as_millis();
            time + (time * 7919) % 3
        });
        let mut found = Vec::new();
        late.push_batch(shuffled, &mut found).unwrap();
        late.end_time(&mut found).unwrap();
        prop_assert_eq!(brief(&found), brief(&expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Events that rules feed are to other rules as if they had come from outside, after the events
    /// of its time.
    #[test]
    fn derived_events_are_as_if_they_had_come_from_outside(
        steps in prop::collection::vec((any::<bool>(), 0..4_i64, 0..2_i64, 0..4_i64), 0..40),
    ) {
        let declared = "event sign { k: int, v: int, at: time } event open { k: int, v: int, at: time }";
        let whole = rules(&format!("{declared}{FEEDERS}{READERS}"));
        let mut time = 0;
        let events: Vec<Record> = steps
            .iter()
            .map(|&(first, gap, key, value)| {
                time += gap;
                event(&whole, if first { "a" } else { "b" }, time, key, value)
            })
            .collect();

        let feeders = rules(&format!("{declared}{FEEDERS}"));
        let mut out = Vec::new();
        let mut first = part(&whole, &feeders);
        first.push_batch(&events, &mut out).unwrap();
        first.end_time(&mut out).unwrap();
        let mut stream = events.clone();
        for output in &out {
            let found = match output {
                Output::Match(found) => found,
                Output::Timeout(expired) => &expired.found,
                other => panic!("{other:?}"),
            };
            let ty = if &*found.rule == "late" { "open" } else { "sign" };
            // Its matches emit nothing.
            let Value::Record(fields) = &found.emit else { continue };
            let fields = fields.iter().map(|(name, value)| (&**name, value.clone()));
            stream.push(Record::from_fields(whole.schema(), ty, fields).expect("as declared"));
        }
        // Stable: those from outside first, then in the order in which they were reported.
        stream.sort_by_key(kleene::Event::time);
        let mut expected = Vec::new();
        let mut second = part(&whole, &rules(&format!("{declared}{READERS}")));
        second.push_batch(&stream, &mut expected).unwrap();
        second.end_time(&mut expected).unwrap();

        let mut together = engine(&whole);
        let mut found = Vec::new();
        together.push_batch(&events, &mut found).unwrap();
        together.end_time(&mut found).unwrap();
        prop_assert_eq!(together.stats().derived, (stream.len() - events.len()) as u64);
        let is_reader = |output: &Output<Record>| match output {
            Output::Match(found) => feeders.rule(&found.rule).is_none(),
            Output::Timeout(expired) => feeders.rule(&expired.found.rule).is_none(),
            _ => true,
        };
        found.retain(is_reader);
        prop_assert_eq!(found, expected);
    }
}

/// Events `a` or `b` with gaps, keys and values.
fn made(rules: &RuleSet, steps: &[(bool, i64, i64, i64)]) -> Vec<Record> {
    let mut time = 0;
    let make = |&(first, gap, key, value): &(bool, i64, i64, i64)| {
        time += gap;
        event(rules, if first { "a" } else { "b" }, time, key, value)
    };
    steps.iter().map(make).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn suppress_is_what_a_list_of_the_last_reported_says(
        steps in prop::collection::vec((any::<bool>(), 0..5_i64, 0..3_i64, 0..3_i64), 0..60),
        millis in 1..12_i64,
        by in prop::option::of(prop::sample::select(vec!["v", "w", "v, w"])),
    ) {
        let text = |suppress: &str| rules(&format!(
            "rule r {{ key k  match a -> any b  within 9ms  skip none  emit {{ v: a.v, w: b.v }}  {suppress} }}"
        ));
        let names: Vec<&str> = by.iter().flat_map(|by| by.split(", ")).collect();
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        let (plain, quiet) = (text(""), text(&format!("suppress {millis}ms{by}")));
        let events = made(&plain, &steps);
        let run = |rules: &RuleSet| {
            let (mut engine, mut out) = (engine(rules), Vec::new());
            engine.push_batch(&events, &mut out).unwrap();
            engine.end_time(&mut out).unwrap();
            out
        };
        let mut last: Vec<(String, i64)> = Vec::new();
        let mut expected = Vec::new();
        for output in run(&plain) {
            let Output::Match(found) = output else { panic!("{output:?}") };
            let Value::Record(fields) = &found.emit else { panic!("{found:?}") };
            let same = match names.as_slice() {
                [] => format!("{:?}", found.key),
                names => {
                    let named = fields.iter().filter(|(name, _)| names.contains(&&**name));
                    format!("{:?}", named.collect::<Vec<_>>())
                }
            };
            let now = found.reported_at.as_millis();
            let is_quiet = last.iter().any(|(reported, at)| *reported == same && now - at < millis);
            if !is_quiet {
                last.push((same, now));
            }
            expected.push((is_quiet, found.reported_at, found.captures));
        }
        let reported = run(&quiet).into_iter().map(|output| match output {
            Output::Match(found) => (false, found.reported_at, found.captures),
            Output::Suppressed(found) => (true, found.reported_at, found.captures),
            other => panic!("{other:?}"),
        });
        prop_assert_eq!(reported.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_limit_is_what_a_list_of_starts_says(
        steps in prop::collection::vec((any::<bool>(), 0..5_i64, 0..2_i64, 0..3_i64), 0..60),
        limit in 1..4_usize,
        drops_oldest in any::<bool>(),
    ) {
        let policy = if drops_oldest { "oldest" } else { "newest" };
        let rules = rules(&format!(
            "rule r {{ key k  match a -> b  within 15ms  skip none  limit {limit} partials drop {policy} }}"
        ));
        let events = made(&rules, &steps);
        let mut open: Vec<Vec<i64>> = vec![Vec::new(); 2];
        let mut expected = Vec::new();
        let mut dropped = 0;
        for (event, (first, _, key, _)) in events.iter().zip(&steps) {
            let now = event.time().as_millis();
            let open = &mut open[usize::try_from(*key).expect("it is small")];
            open.retain(|start| now - start < 15);
            if !first {
                expected.extend(open.drain(..).map(|start| (start, now)));
                continue;
            }
            open.push(now);
            if open.len() > limit {
                dropped += 1;
                open.remove(if drops_oldest { 0 } else { limit });
            }
        }
        let (mut engine, mut out) = (engine(&rules), Vec::new());
        engine.push_batch(&events, &mut out).unwrap();
        engine.end_time(&mut out).unwrap();
        let reported = out.iter().filter_map(|output| match output {
            Output::Match(found) => Some((found.first_event_at.as_millis(), found.reported_at.as_millis())),
            _ => None,
        });
        prop_assert_eq!(reported.collect::<Vec<_>>(), expected);
        prop_assert_eq!(engine.stats().overflowed, dropped);
    }
}
