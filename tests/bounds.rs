//! Limits of memory: what gives way, that it is counted and reported, and that the rest goes on.

use std::time::Duration;

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, Output};
use kleene::{Engine, Event, Record, RuleSet, Timestamp, Value};
use proptest::prelude::*;

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn builder(text: &str) -> EngineBuilder<Record> {
    Engine::builder().rules(&rules(text))
}

/// An event with a key and a text.
fn event(ty: usize, at: i64, k: i64, text: &str) -> Record {
    let at = Timestamp::from_millis(at);
    Record::new(TypeId::new(ty), at, [Value::Time(at), Value::Int(k), text.into()])
}

fn overflows(reported: &[Output<Record>]) -> usize {
    reported.iter().filter(|reported| matches!(reported, Output::Overflowed(_))).count()
}

#[test]
fn an_event_says_what_it_takes() {
    // What is shared has two counts, a record how many own it and how many values there are. A
    // record says its size in units of 16 bytes.
    let of = |counts: usize, values: usize, text: usize| {
        let counted = counts * 2 * size_of::<usize>();
        (counted + values * size_of::<Value>() + text).next_multiple_of(16)
    };
    let (short, long) = (event(0, 1, 1, ""), event(0, 1, 1, &"x".repeat(1000)));
    assert_eq!((short.heap_size(), long.heap_size()), (of(2, 3, 0), of(2, 3, 1000)));
    // Beyond 4 KiB it is computed.
    for text in [3_900, 4_000, 100_000] {
        assert_eq!(event(0, 1, 1, &"x".repeat(text)).heap_size(), of(2, 3, text));
    }
    let list = Value::List([Value::from("ab"), Value::Null].into());
    let nested = Record::new(TypeId::new(0), long.time(), [list]);
    assert_eq!(nested.heap_size(), of(3, 3, 2));
    let extra = [("some".into(), "text".repeat(99).into())];
    let open = Record::with_extra(TypeId::new(0), long.time(), [Value::Int(1)], extra);
    assert!((396..600).contains(&open.heap_size()));
    let shared = std::sync::Arc::new(long.clone());
    assert_eq!(shared.heap_size(), size_of::<Record>() + long.heap_size());
}

#[cfg(feature = "derive")]
#[test]
fn a_derived_event_takes_what_its_texts_do() {
    #[derive(Clone, Event)]
    struct Paid {
        at: Timestamp,
        user: String,
        note: Option<String>,
    }

    #[derive(Clone, Event)]
    enum Shop {
        Paid(Paid),
        Closed { at: Timestamp, by: String },
    }

    let at = Timestamp::from_millis(1);
    let paid = |note: Option<&str>| Paid { at, user: "ann".into(), note: note.map(str::to_owned) };
    let without = paid(None).heap_size();
    assert!(without >= 3);
    let with = paid(Some(&"x".repeat(500))).heap_size();
    assert!((500..600).contains(&(with - without)), "{with}");
    assert_eq!(Shop::Paid(paid(None)).heap_size(), without);
    let closed = Shop::Closed { at, by: "y".repeat(70) }.heap_size();
    assert!((70..170).contains(&closed), "{closed}");
}

const PAIRS: &str = "
event a { ts: time, k: int, t: string }
event b { ts: time, k: int, t: string }
rule pair { key k  match a -> b within 10s  skip none  emit { k } }
";

#[test]
fn events_that_wait_take_no_more_than_they_may() {
    let text = "x".repeat(10_000);
    let limit = 55_000;
    let events: Vec<Record> = (0..100).rev().map(|at| event(0, at, 1, &text)).collect();
    for in_one in [false, true] {
        let waiting = builder(PAIRS).watermarks_from_source().limit_buffered_bytes(limit);
        let mut engine = waiting.build().unwrap();
        let mut reported = Vec::new();
        if in_one {
            engine.push_batch(&events, &mut reported).unwrap();
        } else {
            for event in &events {
                engine.push(event, &mut reported).unwrap();
                assert!(engine.stats().buffered <= 5);
            }
        }
        let stats = engine.stats();
        // The sixth event moves time to itself, the oldest; what is older still is then late.
        assert_eq!((stats.overflowed, stats.late, stats.buffered), (1, 94, 5));
        assert_eq!((overflows(&reported), stats.partials), (1, 1));
        engine.end_time(&mut reported).unwrap();
        assert_eq!(engine.stats().partials, 0);
    }
    // One that is larger than all may be, alone.
    let waiting = builder(PAIRS).out_of_order(Duration::from_secs(1)).limit_buffered_bytes(100);
    let mut engine = waiting.build().unwrap();
    let mut reported = Vec::new();
    engine.push_batch([&event(0, 1, 1, &text), &event(1, 2, 1, &text)], &mut reported).unwrap();
    assert_eq!((engine.stats().overflowed, engine.stats().matches), (2, 1));
}

#[test]
fn events_that_rules_made_take_no_more_than_they_may() {
    let text = "
event a { ts: time, k: int, t: string }
event seen { ts: time, t: string }
rule see { match a as x  skip none  emit as seen { t: x.t } }
rule twice { match seen -> seen  within 1s }
";
    let mut engine = builder(text).limit_buffered_bytes(55_000).build().unwrap();
    let mut reported = Vec::new();
    // All of one moment: what is made of them waits until it is over.
    let events: Vec<Record> = (0..20).map(|k| event(0, 7, k, &"x".repeat(10_000))).collect();
    engine.push_batch(&events, &mut reported).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.derived, stats.overflowed, stats.matches), (5, 15, 20));
    engine.end_time(&mut reported).unwrap();
    assert_eq!(engine.stats().matches, 22);
}

#[test]
fn a_rule_cannot_make_a_text_without_end() {
    // Each rule makes of a text one that is sixteen times as long.
    let sum = ["x.t"; 16].join(" + ");
    let mut text = String::from("event t0 { ts: time, t: string? }\n");
    for (i, last) in (1..8).zip(0..) {
        let ty = format!("event t{i} {{ ts: time, t: string? }}\n");
        let emit = format!("emit as t{i} {{ t: {sum} }}");
        let rule = format!("rule r{i} {{ match t{last} as x  skip none  {emit} }}\n");
        text.extend([ty, rule]);
    }
    let mut engine = builder(&text).build().unwrap();
    let at = Timestamp::from_millis(1);
    let first = Record::new(TypeId::new(0), at, [Value::Time(at), "0123456789abcdef".into()]);
    let mut reported = Vec::new();
    engine.push(&first, &mut reported).unwrap();
    engine.end_time(&mut reported).unwrap();
    let length = |reported: &Output<Record>| match reported {
        Output::Match(found) => match &found.emit {
            Value::Record(fields) => match &fields[0].1 {
                Value::String(text) => Some(text.len()),
                _ => None,
            },
            other => panic!("{other}"),
        },
        other => panic!("{other:?}"),
    };
    let lengths: Vec<_> = reported.iter().map(length).collect();
    let powers = [8, 12, 16, 20, 24].map(|bits| Some(1 << bits));
    assert_eq!(lengths[..5], powers);
    // What is null is no text to add to.
    assert_eq!(lengths[5..], [None, None]);
    // Reported and fed on, the text is made twice.
    assert_eq!(engine.stats().values_too_large, 2);
}

#[test]
fn a_text_that_replace_makes_is_bounded() {
    let text = "event t { ts: time, t: string }\n\
                rule r { match t as x  skip none  emit { t: replace(x.t, \"x\", \"xy\") } }";
    let mut engine = builder(text).build().unwrap();
    let mut reported = Vec::new();
    // The text and all that comes into it count.
    for (length, at) in [((1 << 20) / 3, 1), ((1 << 20) / 3 + 1, 2)] {
        let at = Timestamp::from_millis(at);
        let event = Record::new(TypeId::new(0), at, [Value::Time(at), "x".repeat(length).into()]);
        engine.push(&event, &mut reported).unwrap();
    }
    engine.end_time(&mut reported).unwrap();
    let is_null = |reported: &Output<Record>| match reported {
        Output::Match(found) => match &found.emit {
            Value::Record(fields) => fields[0].1.is_null(),
            other => panic!("{other}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(reported.iter().map(is_null).collect::<Vec<_>>(), [false, true]);
}

/// One rule for each strategy, and what keeps more than events: registers with text and lists.
const HOLDING: [&str; 7] = [
    "match a -> b within 1m  skip none",
    "match a{3} within 1m",
    "match a -> any b{1..} -> c within 1m  skip none",
    "match a as x -> any b[t != x.t]{1..5 any each} as y -> c[t == x.t] within 1m",
    "match a{1..4 any each} as x -> b[len(collect(x.t)) > 2] within 1m  limit 9 partials drop oldest",
    "match a{1..4 any each} as x -> b[t in distinct(x.t)] within 1m  limit 9 partials drop newest",
    "match a as x -> not b[t == x.t] for 30s",
];

fn holding(clauses: &str) -> String {
    let types = ["a", "b", "c"].map(|ty| format!("event {ty} {{ ts: time, k: int, t: string }}\n"));
    format!("{}rule r {{ key k  {clauses} }}", types.concat())
}

proptest! {
    #[test]
    fn bytes_are_those_of_what_is_open(
        steps in prop::collection::vec((0..3_usize, 0..2000_i64, 0..3_i64, 0..300_usize), 0..60),
        at in 0..60_usize,
    ) {
        let mut time = 0;
        let mut make = |(ty, wait, k, size): (usize, i64, i64, usize)| {
            time += wait;
            event(ty, time, k, &"x".repeat(size))
        };
        let events: Vec<Record> = steps.into_iter().map(&mut make).collect();
        for (clauses, general) in HOLDING.iter().flat_map(|text| [(text, false), (text, true)]) {
            let text = holding(clauses);
            let builder = || {
                let builder = builder(&text);
                if general { builder.general_strategy() } else { builder }
            };
            let mut engine = builder().build().unwrap();
            let mut reported: Vec<Output<Record>> = Vec::new();
            let (before, after) = events.split_at(at.min(events.len()));
            engine.push_batch(before, &mut reported).unwrap();
            let stats = engine.stats();
            prop_assert_eq!(stats.captured_bytes == 0, stats.partials == 0, "{}", text);
            let bytes = engine.snapshot();
            let (mut engine, _) = builder().restore(&[&bytes]).unwrap();
            // What nothing needs any more goes with the old graph of the compact form, which busy keys
            // can have, too.
            let least = if general { 0 } else { stats.captured_bytes };
            let kept = |engine: &Engine<Record>| engine.stats().captured_bytes.max(least);
            prop_assert_eq!(kept(&engine), stats.captured_bytes, "{}", text);
            engine.replace_rules(&rules(&format!("{text}\n# the same"))).unwrap();
            prop_assert_eq!(kept(&engine), stats.captured_bytes, "{}", text);
            let longer = text.replace("within 1m", "within 2m").replace("for 30s", "for 40s");
            engine.replace_rules(&rules(&longer)).unwrap();
            let stats = engine.stats();
            prop_assert_eq!(stats.captured_bytes == 0, stats.partials == 0, "{}", text);
            engine.push_batch(after, &mut reported).unwrap();
            engine.advance(Timestamp::from_millis(10_000_000), &mut reported).unwrap();
            let stats = engine.stats();
            prop_assert_eq!((stats.captured_bytes, stats.partials), (0, 0), "{}", text);
        }
    }
}

#[test]
fn what_partial_matches_share_counts_once() {
    let text = holding("match a as x -> any b{1.. any each} -> c within 1m  skip none");
    let mut engine = builder(&text).without_compact_strategy().build().unwrap();
    let long = "x".repeat(10_000);
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push(&event(0, 1, 1, &long), &mut reported).unwrap();
    let of_one = engine.stats().captured_bytes;
    assert!((10_000..10_300).contains(&of_one), "{of_one}");
    for at in 0..8 {
        engine.push(&event(1, 2 + at, 1, &long), &mut reported).unwrap();
    }
    let stats = engine.stats();
    assert_eq!(stats.captured_bytes, 9 * of_one);
    assert!(stats.partials >= 256);
}

/// Events that a key has begun to count give way to limits like anything else.
#[test]
fn events_that_count_are_limited_under_every_strategy() {
    let text = holding("match a{4} within 1m");
    let long = "x".repeat(1000);
    let limits: [fn(EngineBuilder<Record>) -> EngineBuilder<Record>; 2] =
        [|builder| builder.limit_partials(7), |builder| builder.limit_captured_bytes(9000)];
    // So fast that nothing runs out of time, and so that two events of a key never do.
    for (limit, pace, least) in [(limits[0], 1, 6), (limits[1], 1, 6), (limits[0], 7000, 1)] {
        let [mut counting, mut general] = [false, true].map(|general| {
            let limited = limit(builder(&text));
            let limited = if general { limited.general_strategy() } else { limited };
            limited.build().unwrap()
        });
        let (mut reported, mut expected) = (Vec::new(), Vec::new());
        for at in 0..60 {
            let event = event(0, at * pace, at % 5, &long);
            counting.push(&event, &mut reported).unwrap();
            general.push(&event, &mut expected).unwrap();
            assert_eq!(counting.stats(), general.stats());
            assert!(counting.stats().partials <= 8);
        }
        assert_eq!(reported, expected);
        assert!(counting.stats().overflowed >= least, "{:?}", counting.stats());
    }
}

#[test]
fn captured_events_take_no_more_than_they_may() {
    let long = "x".repeat(10_000);
    for clauses in HOLDING {
        for general in [false, true] {
            let limited = builder(&holding(clauses)).limit_captured_bytes(105_000);
            let limited = if general { limited.general_strategy() } else { limited };
            let mut engine = limited.build().unwrap();
            let mut reported: Vec<Output<Record>> = Vec::new();
            // Keys that each hold one event; the eleventh and all after it give way.
            for k in 0..20 {
                engine.push(&event(0, k, k, &long), &mut reported).unwrap();
                assert!(engine.stats().captured_bytes <= 105_000);
            }
            let stats = engine.stats();
            assert!((2..=10).contains(&stats.keys), "{clauses}: {stats:?}");
            assert_eq!((stats.overflowed, overflows(&reported)), (20 - stats.keys, reported.len()));
            let Output::Overflowed(what) = &reported[0] else { panic!("{reported:?}") };
            assert_eq!(
                what.to_string(),
                "captured events take too much memory: 1 partial matches of the rule `r` were \
                 dropped"
            );
            // What is short still fits, and time makes room.
            engine.push(&event(0, 30, 77, "short"), &mut reported).unwrap();
            assert_eq!(engine.stats().keys, stats.keys + 1);
            engine.advance(Timestamp::from_millis(10_000_000), &mut reported).unwrap();
            engine.push(&event(0, 20_000_000, 99, &long), &mut reported).unwrap();
            assert_eq!((engine.stats().keys, engine.stats().overflowed), (1, stats.overflowed));
        }
    }
}

#[test]
fn what_a_rule_collects_counts() {
    let text =
        holding("match a{1.. any each} as x -> b[len(collect(x.t)) == 0] within 1m  skip none");
    let mut engine = builder(&text).limit_captured_bytes(1 << 20).build().unwrap();
    let mut reported: Vec<Output<Record>> = Vec::new();
    // Small events, and twice as many lists of their texts with each.
    for at in 0..14 {
        engine.push(&event(0, at, 1, "some text"), &mut reported).unwrap();
        assert!(engine.stats().captured_bytes <= 1 << 20);
    }
    assert!(overflows(&reported) >= 1, "{:?}", engine.stats());
}

#[test]
fn keys_that_have_broken_a_silence_count_as_partial_matches() {
    let text = holding("match not a for 10s -> b  emit { k }");
    let mut engine = builder(&text).limit_partials(5).build().unwrap();
    let mut reported: Vec<Output<Record>> = Vec::new();
    for k in 0..20 {
        engine.push(&event(0, k, k, ""), &mut reported).unwrap();
        assert!(engine.stats().keys <= 5);
    }
    assert_eq!((engine.stats().overflowed, overflows(&reported)), (15, 15));
    engine.push(&event(1, 100, 0, ""), &mut reported).unwrap();
    assert_eq!(engine.stats().matches, 0);
    engine.advance(Timestamp::from_millis(100_000), &mut reported).unwrap();
    assert_eq!(engine.stats().keys, 0);
}
