//! The compact form in an engine: limits, snapshots, edits of rules, keys elsewhere, and shards.

use std::time::Duration;

use kleene::stream::{EngineBuilder, Ignore, LimitKind, Output, Overflow, Verdict};
use kleene::{Engine, Event as _, Match, Record, RuleSet, Timestamp, Value, on_match};
use kleene_automata::nfa::{Program, Strategy};
use kleene_engine::{Plain, Shard};
use kleene_test::random::{self, Built};
use kleene_test::restore::{Step, restoring_changes_nothing, they_go_on_alike};
use kleene_test::shelf::Shelf;
use kleene_test::steps::{as_rules, shuffled};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use crate::properties::{compactable, skips};

const EVENTS: &str = "event a { at: time, k: int, v: int }
event b { at: time, k: int, v: int }
event c { at: time, k: int, v: int }
";

/// All sets of the `b`s between an `a` and a `c`.
const SETS: &str = "match a -> any b{1.. any each} -> any c within 1h skip none";

/// A rule with this body.
fn rules(body: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ key k {body} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules)
}

/// An event of key 1 at this second.
fn event(rules: &RuleSet, ty: &str, second: i64, v: i64) -> Record {
    let at = Timestamp::from_millis(1000 * second);
    let fields = [("at", Value::Time(at)), ("k", Value::Int(1)), ("v", Value::Int(v))];
    Record::from_fields(rules.schema(), ty, fields).expect("it is declared so")
}

/// Events from `a b b c` and the like, one each second; the values rise from 0.
fn events(rules: &RuleSet, types: &str) -> Vec<Record> {
    (0..).zip(types.split_whitespace()).map(|(at, ty)| event(rules, ty, at, at)).collect()
}

/// The values of the events of each match.
fn shown(reported: &[Output<Record>]) -> Vec<Vec<i64>> {
    let value = |event: &Record| match event.field(kleene::schema::FieldId::new(2)).to_value() {
        Value::Int(value) => value,
        other => panic!("{other}"),
    };
    let found = reported.iter().filter_map(|output| match output {
        Output::Match(found) => Some(found.captures.iter().map(|(_, one)| value(one)).collect()),
        _ => None,
    });
    found.collect()
}

#[test]
fn what_a_match_skips_leaves_no_group_that_is_over() {
    // Both `a` wait for a `b` in one group. The match of the second one ends what started with it;
    // the first one is out of time, and in no set that was complete.
    let body = "match (a[v == 1] as one or (a as other -> any b)) -> any c within 4s skip to next";
    let rules = rules(body);
    let mut engine = builder(&rules).compact_strategy().in_order().build().expect("it can be run");
    for (ty, second, v) in [("a", 0, 0), ("a", 3, 1), ("c", 4, 2)] {
        engine.push(&event(&rules, ty, second, v), &mut Ignore).expect("no limit fails");
    }
    assert_eq!(engine.stats().matches, 1);
    assert_eq!(engine.stats().partials, 0, "nothing that is over is counted");
    let restored = builder(&rules).compact_strategy().in_order().restore(&[&engine.snapshot()]);
    assert_eq!(restored.expect("it is whole").0.stats().partials, 0);
}

/// As many `a` as `b` and `c`: all triples are complete with the last `a`.
#[test]
fn what_multiplies_is_never_made_whatever_a_match_drops() {
    let n = 300;
    for (skip, due) in [
        ("skip past last", 1),
        ("skip to next report first 3", 3),
        ("skip to first y", 1),
        ("skip to last x", 1),
        ("skip none report first 3", 3),
    ] {
        let rules = rules(&format!(
            "match a as w -> any b as x -> any c as y -> a as z  within 1h  {skip}"
        ));
        let mut engine = builder(&rules).in_order().build().expect("it can be run");
        let mut reported = Vec::new();
        for at in 0..=3 * n {
            let ty = ["a", "b", "c", "a"][usize::try_from(at / n).expect("it is small")];
            engine.push(&event(&rules, ty, at, at), &mut reported).expect("no limit fails");
        }
        let values = shown(&reported);
        assert_eq!(values.len(), due, "{skip}: {values:?}");
        assert_eq!(values[0], [0, n, 2 * n, 3 * n], "{skip}: the first in the defined order");
        assert_eq!(engine.stats().overflowed, 0, "{skip}");
        let most = 100 * n.unsigned_abs();
        assert!(engine.steps() < most, "{skip}: {} steps", engine.steps());
    }
}

/// What multiplies is counted when time has passed, too: 40 `b` are 2^40 - 1 sets. The outputs of two
/// keys with one deadline are held until both have reported.
#[test]
fn what_multiplies_is_counted_at_a_deadline() {
    let all = (1_u64 << 40) - 1;
    // A silence begins with the last event: each `b` ends sets of its own.
    for (end, due) in [
        ("-> not c for 1m", vec![(99, 1 << 38), (99, 1 << 38), (100, 1 << 39), (100, 1 << 39)]),
        ("-> not c", vec![(600, all), (600, all)]),
        ("-> c{1.. longest}", vec![(600, all)]),
    ] {
        let body = format!("match a -> any b{{1.. any each}} as x {end}  within 10m  skip none");
        let rules = rules(&format!("{body}  report count"));
        let mut engine = builder(&rules).in_order().build().expect("it can be run");
        let mut found = Vec::new();
        let mut sink = on_match(|one: Match<'_, Record>| {
            found.push((one.reported_at().as_millis() / 1000, one.set().count()));
        });
        for second in 0..=40 {
            let ty = if second == 0 { "a" } else { "b" };
            for key in [1, 2] {
                let at = Timestamp::from_millis(1000 * second);
                let fields = [("at", Value::Time(at)), ("k", Value::Int(key)), ("v", 0.into())];
                let event = Record::from_fields(rules.schema(), ty, fields).expect("it is known");
                engine.push(&event, &mut sink).expect("no limit fails");
            }
        }
        if end.contains("longest") {
            engine.push(&event(&rules, "c", 41, 0), &mut sink).expect("no limit fails");
        }
        engine.advance(Timestamp::from_millis(3_600_000), &mut sink).expect("no limit fails");
        assert_eq!(engine.stats().overflowed, 0, "{end}");
        assert!(engine.steps() < 20_000, "{end}: {} steps", engine.steps());
        drop(engine);
        assert_eq!(found[found.len() - due.len()..], due, "{end}");
    }
}

/// The runs of a busy key become groups, which hold each event once.
#[test]
fn a_busy_key_reports_what_a_quiet_one_does() {
    for body in [
        "match a{1..} as x -> b within 1h",
        "match a{3..} as x -> b within 1h skip to next",
        "match a{2..} -> any b as y -> c within 1h skip none",
        "match (a -> c?){2..} as x -> b within 1h",
        "match a{3} -> c{2..} -> b within 1h skip past last",
        "match a -> a[v < 0] or b within 1h skip none",
    ] {
        let rules = rules(body);
        let run = |builder: EngineBuilder<Record>| {
            let (mut reported, mut most) = (Vec::new(), 0);
            let mut engine = builder.in_order().build().expect("it can be run");
            for at in 0..120 {
                let ty = if at % 40 == 39 { "b" } else { ["a", "a", "a", "c"][at % 4] };
                let at = i64::try_from(at).expect("it is small");
                engine.push(&event(&rules, ty, at, at), &mut reported).expect("no limit fails");
                most = most.max(engine.stats().captured_bytes);
            }
            (shown(&reported), engine.stats().partials, most)
        };
        let (grouped, listed) = (run(builder(&rules)), run(builder(&rules).general_strategy()));
        assert_eq!(grouped.0, listed.0, "{body}");
        assert!(!grouped.0.is_empty(), "{body} matches nothing here");
        assert_eq!(grouped.1, listed.1, "{body}: open partial matches");
        // Each event once, and a node or two for each.
        assert!(grouped.2 < 120 * 400, "{body}: {} bytes, {} listed", grouped.2, listed.2);
    }
}

#[test]
fn a_set_is_listed_up_to_the_limit() {
    let rules = rules(SETS);
    let mut reported = Vec::new();
    let engine = builder(&rules).compact_strategy().limit_matches_per_set(5).build();
    let mut engine = engine.expect("it can be run");
    let types = format!("a {} c", "b ".repeat(60));
    for event in events(&rules, &types) {
        engine.push(&event, &mut reported).expect("no limit fails");
    }
    let overflowed: Vec<_> = reported
        .iter()
        .filter_map(|output| match output {
            Output::Overflowed(Overflow { limit: LimitKind::MatchesPerSet, dropped, .. }) => {
                Some(*dropped)
            }
            _ => None,
        })
        .collect();
    assert_eq!(overflowed, [(1 << 60) - 1 - 5]);
    let found = shown(&reported);
    let all: Vec<i64> = (0..62).collect();
    let without = |left_out: usize| {
        let mut rest = all.clone();
        rest.remove(left_out);
        rest
    };
    // The longest, and then those whose events come earlier from the last one backwards.
    assert_eq!(found, [all.clone(), without(60), without(59), without(58), without(57)]);
    assert_eq!(engine.stats().overflowed, 1);
}

#[test]
fn nodes_and_groups_are_limited() {
    let rules = rules("match a -> any b[v > prev.v]{1.. any each} -> any c within 1h skip none");
    let of = |limited: fn(EngineBuilder<Record>) -> EngineBuilder<Record>| {
        let mut engine = limited(builder(&rules).compact_strategy()).build().expect("it runs");
        let mut reported = Vec::new();
        for event in events(&rules, &format!("a {}", "b a ".repeat(40))) {
            engine.push(&event, &mut reported).expect("no limit fails");
        }
        let is_graph = |output: &&Output<Record>| {
            matches!(
                output,
                Output::Overflowed(Overflow { limit: LimitKind::GraphNodesPerKey, .. })
            )
        };
        let is_steps = |output: &&Output<Record>| {
            matches!(output, Output::Overflowed(Overflow { limit: LimitKind::StepsPerEvent, .. }))
        };
        let of_graph = reported.iter().filter(is_graph).count() as u64;
        let of_steps = reported.iter().filter(is_steps).count() as u64;
        assert_eq!(of_graph + of_steps, engine.stats().overflowed);
        (of_graph > 0, of_steps > 0)
    };
    assert_eq!(of(|builder| builder), (false, false));
    assert_eq!(of(|builder| builder.limit_graph_nodes_per_key(40)), (true, false));
    assert_eq!(of(|builder| builder.limit_steps_per_event(100)), (false, true));
    // This limit is about partial matches that are listed.
    assert_eq!(of(|builder| builder.limit_partials_per_key(4)), (false, false));
}

/// Each sum is a group, and all partial matches have the same start: half of the groups give way, and
/// the key goes on.
#[test]
fn partial_matches_of_one_start_give_way_in_part() {
    type Limited = fn(EngineBuilder<Record>) -> EngineBuilder<Record>;
    let rules = rules(
        "match a -> any b[sum(x.v) + v < 100000]{1.. any each} as x -> any c within 1h skip none \
         report longest",
    );
    let mut all = vec![event(&rules, "a", 0, 0)];
    all.extend((0..12).map(|at| event(&rules, "b", 1 + at, 1 << at)));
    all.push(event(&rules, "c", 20, 0));
    let limits: [(Limited, &str); 3] = [
        (|builder| builder, ""),
        (|builder| builder.limit_steps_per_event(800), "steps_per_event"),
        (|builder| builder.limit_graph_nodes_per_key(300), "graph_nodes_per_key"),
    ];
    for (limited, name) in limits {
        let mut engine = limited(builder(&rules).compact_strategy()).build().expect("it runs");
        let mut reported = Vec::new();
        engine.push_batch(&all, &mut reported).expect("no limit fails");
        assert_eq!(engine.stats().matches, 1, "{name}");
        for output in &reported {
            let Output::Overflowed(overflow) = output else { continue };
            assert_eq!(overflow.limit.as_str(), name);
        }
        assert_eq!(reported.len() > 1, !name.is_empty(), "{reported:?}");
    }
}

/// The limit on what is listed of a set is the same in every strategy.
#[test]
fn every_strategy_lists_up_to_the_limit() {
    for report in ["all", "first 6", "last 6"] {
        let rules = rules(&format!(
            "match a -> any b{{1.. any each}} -> any c within 1h skip none report {report}"
        ));
        let of = |builder: EngineBuilder<Record>| {
            let mut engine = builder.limit_matches_per_set(4).build().expect("it runs");
            let mut reported = Vec::new();
            engine
                .push_batch(&events(&rules, "a b b b b c"), &mut reported)
                .expect("no limit fails");
            let unlisted: Vec<u64> = reported
                .iter()
                .filter_map(|output| match output {
                    Output::Overflowed(Overflow {
                        limit: LimitKind::MatchesPerSet,
                        dropped,
                        ..
                    }) => Some(*dropped),
                    _ => None,
                })
                .collect();
            (shown(&reported), unlisted, engine.stats().matches)
        };
        let grouped = of(builder(&rules).compact_strategy());
        assert_eq!(grouped, of(builder(&rules).general_strategy()), "{report}");
        let wanted = if report == "all" { 15 } else { 6 };
        assert_eq!((grouped.1.as_slice(), grouped.2), (&[wanted - 4][..], 4), "{report}");
    }
}

#[test]
fn a_group_is_forgotten_with_its_last_start() {
    let rules = rules("match a -> any b{1.. any each} -> any c within 10s skip none");
    let mut engine = builder(&rules).compact_strategy().build().expect("it can be run");
    let mut reported: Vec<Output<Record>> = Vec::new();
    let mut most = 0;
    for second in 0..5000 {
        let ty = if second % 2 == 0 { "a" } else { "b" };
        engine.push(&event(&rules, ty, second, 0), &mut reported).expect("no limit fails");
        most = most.max(engine.memory_usage());
    }
    // Ten seconds have 10 events; nothing of the others is kept.
    assert!(most < 200_000, "{most} bytes");
    engine.push(&event(&rules, "c", 5000, 0), &mut reported).expect("no limit fails");
    // Starts at 4992 to 4998, of which each has the sets of the `b`s behind it.
    assert_eq!(reported.len(), (1..=4).map(|bs| (1 << bs) - 1).sum::<usize>());
    engine.advance(Timestamp::from_millis(5_100_000), &mut reported).expect("time moves on");
    assert_eq!(engine.stats().partials, 0);
}

#[test]
fn the_bytes_of_graphs_are_limited() {
    // Each sum is a group, and each event adds a node to every group: events alone are few bytes.
    let rules = rules(
        "match a -> any b[sum(x.v) + v < 500]{1.. any each} as x -> any c within 1h skip none",
    );
    let run = |limit: u64| {
        let engine = builder(&rules).compact_strategy().limit_captured_bytes(limit).build();
        let (mut engine, mut reported) = (engine.expect("it can be run"), Vec::new());
        let mut most = 0;
        for event in events(&rules, &format!("a {}", "b ".repeat(300))) {
            engine.push(&event, &mut reported).expect("no limit fails");
            most = most.max(engine.stats().captured_bytes);
        }
        (most, engine.stats().overflowed)
    };
    let (most, overflowed) = run(u64::MAX);
    assert!(most > 1_000_000 && overflowed == 0, "{most} bytes, {overflowed}");
    let (most, overflowed) = run(200_000);
    assert!(most <= 200_000 && overflowed > 0, "{most} bytes, {overflowed}");
}

/// The `emit` of each result as text, with the count of its set; `+` where there are more.
fn emitted(rules: &RuleSet, events: &[Record]) -> Vec<String> {
    let mut engine = builder(rules).compact_strategy().build().expect("it can be run");
    let mut results = Vec::new();
    let mut sink = on_match(|found: Match<'_, Record>| {
        let more = if found.set().is_saturated() { "+" } else { "" };
        results.push(format!("{}{more} {}", found.set().count(), found.to_record()));
    });
    for event in events {
        engine.push(event, &mut sink).expect("no limit fails");
    }
    results
}

#[test]
fn counts_are_exact_up_to_the_largest_number_and_saturate_beyond() {
    let rules = rules(
        "match a -> any b{1.. any each} as x -> any c within 1h skip none report count
         emit { n: matches.count, sum: matches.sum(x.k), min: matches.min(x.v), avg: matches.avg(x.k) }",
    );
    let of = |m: usize| emitted(&rules, &events(&rules, &format!("a {}c", "b ".repeat(m))));
    assert_eq!(of(5), ["31 { n: 31, sum: 80, min: 1, avg: 1.0 }"]);
    // 62 times 2^61 is too large for an integer.
    assert_eq!(
        of(62)[0].split(' ').take(4).collect::<Vec<_>>(),
        ["4611686018427387903", "{", "n:", "4611686018427387903,"]
    );
    assert!(of(62)[0].contains("min: 1, avg: 1.0"), "{:?}", of(62));
    // A value of the language is an integer of 64 bits with a sign, a count has none.
    assert!(of(64)[0].starts_with("18446744073709551615 { n: 9223372036854775807, sum: "));
    assert!(of(64)[0].ends_with("min: 1, avg: 1.0 }"), "{:?}", of(64));
    for m in [65, 66, 130, 1000] {
        let expected =
            "18446744073709551615+ { n: 9223372036854775807, sum: null, min: 1, avg: null }";
        assert_eq!(of(m), [expected], "{m}");
    }
}

#[test]
fn totals_leave_out_nulls_and_what_was_not_captured() {
    let text = |clauses: &str| {
        format!(
            "match a -> any b{{0..1 each}} as x -> any c within 1h skip none {clauses}
             emit {{ n: matches.count, sum: matches.sum(x.v), avg: matches.avg(x.v),
                     min: matches.min(x.v), max: matches.max(x.v) }}"
        )
    };
    for report in ["count", "longest", "shortest", "first 1", "last 1"] {
        let text = text(&format!("report {report}"));
        let events = EVENTS.replace("v: int", "v: int?");
        let rules = RuleSet::parse(&format!("{events}rule r {{ key k {text} }}"));
        let rules = rules.unwrap_or_else(|error| panic!("{error}"));
        let null = |second: i64| {
            let at = Timestamp::from_millis(1000 * second);
            let fields = [("at", Value::Time(at)), ("k", Value::Int(1))];
            Record::from_fields(rules.schema(), "b", fields).expect("it is declared so")
        };
        // Nothing is captured, then a null, then a value: each event at the same time.
        let of = |between: Vec<Record>| {
            let mut all = vec![event(&rules, "a", 1, 0)];
            all.extend(between);
            all.push(event(&rules, "c", 1, 0));
            emitted(&rules, &all)
        };
        let nothing = "{ n: 1, sum: 0, avg: null, min: null, max: null }";
        assert_eq!(of(vec![]), [format!("1 {nothing}")], "{report}");
        let nothing = "{ n: 2, sum: 0, avg: null, min: null, max: null }";
        assert_eq!(of(vec![null(1)]), [format!("2 {nothing}")], "{report}");
        let some = "{ n: 4, sum: 7, avg: 3.5, min: -2, max: 9 }";
        let values = vec![null(1), event(&rules, "b", 1, 9), event(&rules, "b", 1, -2)];
        assert_eq!(of(values), [format!("4 {some}")], "{report}");
    }
}

/// A million events of one key, of which the last thousand are open: memory depends on the
/// window alone, and an event costs the same however many came before.
#[test]
fn a_window_that_moves_takes_no_more_memory() {
    let events = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };
    for (condition, report) in [("", "count"), ("[v > prev.v]", "count"), ("", "longest")] {
        let rules = rules(&format!(
            "match a -> any b{condition}{{1.. any each}} as x -> any c within 1000s skip none
             report {report} emit {{ n: matches.count }}"
        ));
        let mut engine = builder(&rules).build().expect("it can be run");
        let mut sets = 0;
        let mut sink = on_match(|_: Match<'_, Record>| sets += 1);
        let (mut first, mut later) = (0, 0);
        for at in 0..events {
            let ty = match at % 500 {
                0 => "a",
                499 => "c",
                _ => "b",
            };
            engine.push(&event(&rules, ty, at, at % 7), &mut sink).expect("no limit fails");
            let held = engine.memory_usage() as u64 + engine.stats().captured_bytes;
            let most = if at < 10_000 { &mut first } else { &mut later };
            *most = held.max(*most);
        }
        assert!(later <= 2 * first && later < 4 << 20, "{condition}: {first}, then {later} bytes");
        assert_eq!((engine.stats().overflowed, sets), (0, events / 500), "{condition}");
    }
}

#[test]
fn an_edit_carries_groups_over() {
    let old = rules(SETS);
    let types = format!("a {}", "b ".repeat(70));
    let start = || {
        let mut engine =
            builder(&old).compact_strategy().limit_matches_per_set(3).build().expect("it runs");
        let mut reported: Vec<Output<Record>> = Vec::new();
        for event in events(&old, &types) {
            engine.push(&event, &mut reported).expect("no limit fails");
        }
        (engine, reported)
    };
    // 2^70 partial matches go on with another last step and another result.
    let (mut engine, mut reported) = start();
    let new = "match a -> any b{1.. any each} -> any c[v == 7] within 2h skip none emit { k }";
    let done = engine.replace_rules(&rules(new)).expect("it can be run");
    assert!(matches!(done.rules[0].verdict, Verdict::Kept), "{done}");
    engine.push(&event(&old, "c", 80, 6), &mut reported).expect("no limit fails");
    assert_eq!(shown(&reported).len(), 0);
    engine.push(&event(&old, "c", 3700, 7), &mut reported).expect("no limit fails");
    let found = shown(&reported);
    assert_eq!((found.len(), found[0].len()), (3, 72));
    // A shorter time ends all of them.
    let (mut engine, mut reported) = start();
    let new = "match a -> any b{1.. any each} -> any c within 1m skip none";
    engine.replace_rules(&rules(new)).expect("it can be run");
    engine.push(&event(&old, "c", 80, 6), &mut reported).expect("no limit fails");
    assert_eq!(shown(&reported).len(), 0);
}

/// Random patterns that can be held in the compact form.
fn pattern() -> impl proptest::strategy::Strategy<Value = Built> {
    (random::pattern(), skips()).prop_filter_map("not compact", |(pattern, skip)| {
        let pattern = compactable(pattern.repaired().build(), skip);
        let program = Program::new(&pattern.0).ok()?;
        program.why_not_compact().is_none().then_some(pattern)
    })
}

/// Returns the outputs, without the rule's version.
fn texts(reported: &[Output<Record>]) -> Vec<String> {
    let text = |output: &Output<Record>| match output {
        Output::Match(found) => {
            format!("{:?} {:?} {:?}", found.key, found.captures, found.reported_at)
        }
        other => format!("{other:?}"),
    };
    reported.iter().map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restored_groups_go_on_as_never_stopped(
        pattern in pattern(),
        events in random::stream(),
        late in prop::collection::vec(0..4_i64, 13),
        restore in prop::collection::vec(any::<bool>(), 13),
        key in prop::sample::select(vec!["", "key v"]),
    ) {
        let Some(rules) = as_rules(&pattern.0, key) else { return Ok(()) };
        let steps: Vec<Step> = shuffled(&events.0, &late);
        let start = || {
            let builder = builder(&rules).compact_strategy();
            Some(builder.out_of_order(Duration::from_millis(2)))
        };
        let restores = |index: usize| restore.get(index).copied().unwrap_or(true);
        let done = restoring_changes_nothing(start, &steps, restores);
        prop_assert!(done.is_ok(), "{}", done.unwrap_err());
    }

    #[test]
    fn groups_in_a_cold_store_report_the_same(
        pattern in pattern(),
        events in random::stream(),
        late in prop::collection::vec(0..4_i64, 13),
        restore in prop::collection::vec(prop::bool::weighted(0.2), 13),
        keys in 0..3_u64,
    ) {
        let Some(rules) = as_rules(&pattern.0, "key v") else { return Ok(()) };
        let start = || {
            let builder = builder(&rules).compact_strategy();
            builder.out_of_order(Duration::from_millis(2))
        };
        let done = they_go_on_alike(
            || Some(start()),
            || Some(start().cold_store(Shelf::default(), keys)),
            &shuffled(&events.0, &late),
            |index| restore.get(index).copied().unwrap_or_default(),
        );
        prop_assert!(done.is_ok(), "{}", done.unwrap_err());
    }

    #[test]
    fn shards_with_groups_report_the_same(pattern in pattern(), events in random::stream()) {
        let Some(rules) = as_rules(&pattern.0, "key v") else { return Ok(()) };
        let Ok(mut one) = builder(&rules).compact_strategy().build() else { return Ok(()) };
        let Ok(shards) = Shard::build(builder(&rules).compact_strategy(), 3) else { return Ok(()) };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for event in &events.0 {
            one.push(event, &mut expected).expect("no limit fails");
        }
        for mut shard in shards {
            for event in &events.0 {
                shard.push(event, &mut Plain(&mut reported)).expect("no limit fails");
            }
        }
        // Which shard comes first does not matter here.
        let (mut expected, mut reported) = (texts(&expected), texts(&reported));
        expected.sort();
        reported.sort();
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn groups_become_runs_and_groups_again(
        pattern in pattern(),
        events in random::stream(),
        moment in 0..13_usize,
        back in 0..13_usize,
    ) {
        // Two engines with the same rules, of which one goes to the general strategy and back.
        let Some(rules) = as_rules(&pattern.0, "key v") else { return Ok(()) };
        let Ok(mut plain) = builder(&rules).general_strategy().build() else { return Ok(()) };
        let Ok(mut other) = builder(&rules).compact_strategy().build() else { return Ok(()) };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for (index, event) in events.0.iter().enumerate() {
            if index == moment || index == back {
                let bytes = other.snapshot();
                let next = builder(&rules);
                let is_general = index == moment;
                let next =
                    if is_general { next.general_strategy() } else { next.compact_strategy() };
                other = next.restore(&[&bytes]).expect("it was written just now").0;
            }
            plain.push(event, &mut expected).expect("it has not ended");
            other.push(event, &mut reported).expect("it has not ended");
            prop_assert_eq!(texts(&reported), texts(&expected), "event {}", index);
            if plain.stats().partials > 1500 {
                break;
            }
        }
    }

    #[test]
    fn edited_rules_report_what_the_general_strategy_reports(
        pattern in pattern(),
        events in random::stream(),
        moment in 0..13_usize,
    ) {
        let Some(old) = as_rules(&pattern.0, "key v") else { return Ok(()) };
        let Some(new) = as_rules(&pattern.0, "key v emit { reported: 1 }") else { return Ok(()) };
        let Ok(mut plain) = builder(&old).general_strategy().build() else { return Ok(()) };
        let Ok(mut compact) = builder(&old).compact_strategy().build() else { return Ok(()) };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for (index, event) in events.0.iter().enumerate() {
            if index == moment {
                plain.replace_rules(&new).expect("it can be run");
                compact.replace_rules(&new).expect("it can be run");
            }
            plain.push(event, &mut expected).expect("it has not ended");
            compact.push(event, &mut reported).expect("it has not ended");
            prop_assert_eq!(texts(&reported), texts(&expected), "event {}", index);
            if plain.stats().partials > 1500 {
                break;
            }
        }
    }
}

#[test]
fn the_planner_picks_the_compact_form_where_partial_matches_multiply() {
    let strategy = |body: &str| {
        Program::new(&rules(body).rules()[0].pattern).expect("it is within the limits").strategy()
    };
    for body in [SETS, "match a -> any b within 1m skip to next"] {
        assert_eq!(strategy(body), Strategy::Compact, "{body}");
    }
    for body in ["match a -> any b within 1m", "match a -> b within 1m skip none"] {
        assert_ne!(strategy(body), Strategy::Compact, "{body}");
    }
}
