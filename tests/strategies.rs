//! The strategy that the planner picks, which makes no difference to what is reported.

use std::fmt::Write as _;

use crate::machines::{WORKLOADS, Workload};
use kleene::schema::TypeId;
use kleene::{Engine, Event as _, Output, Record, RuleSet, Timestamp, Value};
use kleene_automata::nfa::{Program, Strategy};
use kleene_test::random;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

const EVENTS: &str = "event a { at: time, k: int, v: int }
event b { at: time, k: int, v: int }
event c { at: time, k: int, v: int }
";

/// The program of the only rule, whose body this is.
fn program(body: &str) -> Program {
    let text = format!("{EVENTS}rule r {{ key k {body} }}");
    let rules = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    Program::new(&rules.rules()[0].pattern).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_planner_picks_by_the_shape_of_the_pattern() {
    let window = |count| Strategy::CountingWindow { count };
    for (body, strategy) in [
        ("match a{3} within 1m", window(3)),
        ("match a{3}", window(3)),
        ("match a[v > 1]{30} as h within 1m skip none", window(30)),
        ("from * match a{3 next} within 1m", window(3)),
        ("match a[v > 1]{3 next} within 1m", window(3)),
        ("match a{2} as x within 1m skip to last x", window(2)),
        ("match a[v > 1] within 1m", window(1)),
        ("match a -> b within 1m", Strategy::Deterministic),
        ("match a -> b[v == a.v] -> c within 1m skip none", Strategy::Deterministic),
        ("match a -> next b{1.. next greedy} -> next c within 1m", Strategy::Deterministic),
        (
            "match a -> next a[v < prev.v]{1.. next greedy} -> next b within 1m",
            Strategy::SharedSuffix,
        ),
        // Also where those that begin later are a step behind, or begin only at some events.
        ("match a -> next a[v < prev.v * 2]{3.. next greedy} -> next b", Strategy::SharedSuffix),
        (
            "match a[v > 1] -> next a[v < prev.v]{1.. next greedy} -> next a within 1m",
            Strategy::SharedSuffix,
        ),
        // What begins later asks something else, is not dropped by the match, or goes on alone.
        (
            "match a as x -> next a[v < x.v]{1.. next greedy} -> next b within 1m",
            Strategy::Deterministic,
        ),
        (
            "match a -> next a[v < prev.v]{1.. next greedy} -> next b skip none",
            Strategy::Deterministic,
        ),
        (
            "match a -> next a[v < 3] -> next a[v > 3]{1.. next greedy} -> next b",
            Strategy::Deterministic,
        ),
        ("match a -> a[v < prev.v]{1.. next greedy} -> next b within 1m", Strategy::Deterministic),
        ("match a -> not b -> c within 1m", Strategy::Deterministic),
        ("match a{3} -> b within 1m", Strategy::Deterministic),
        ("match a -> any b within 1m", Strategy::General),
        // Partial matches multiply, whatever a match drops.
        ("match a{3 any} within 1m", Strategy::Compact),
        ("match a -> any b -> c within 1m", Strategy::Compact),
        ("match a -> any b as x -> c within 1m skip to first x", Strategy::Compact),
        ("match a -> any b as x -> c within 1m skip to last x", Strategy::Compact),
        ("match a -> any b -> c within 1m skip past last ordered", Strategy::Compact),
        ("match a[v > 1]{2} -> any b within 1m skip none", Strategy::Compact),
        ("match a{1.. any each} -> b within 1m skip to next", Strategy::Compact),
        ("match a -> b within 1m skip none report count", Strategy::Compact),
        ("match a{3} within 1m skip none report count", window(3)),
        ("match a -> any b -> c within 1m on timeout emit { k }", Strategy::Compact),
        ("match a{1.. any each} -> b within 1m skip none on timeout emit { k }", Strategy::Compact),
        (
            "match a -> any b -> not c within 1m skip past last ordered on timeout emit { k }",
            Strategy::Compact,
        ),
        // A deadline is a pass over the graph: what does not multiply is listed.
        ("match a -> any b within 1m skip past last on timeout emit { k }", Strategy::General),
        (
            "match a -> b within 1m skip none report count on timeout emit { k }",
            Strategy::Deterministic,
        ),
        // What reads all that was captured is listed.
        ("match a{1.. any each} as x -> b[x[1].v == v] skip none", Strategy::General),
        ("match a{2..4} within 1m", Strategy::Deterministic),
        ("match a -> b -> not c within 1m", Strategy::Deterministic),
        ("match a -> not c for 10s within 1m", Strategy::General),
        ("match (a -> b){2} as r -> c[v > count(r)] within 1m", Strategy::General),
        ("match a and b within 1m", Strategy::General),
    ] {
        let program = program(body);
        assert_eq!(program.strategy(), strategy, "{body}: {:?}", program.why_general());
        assert_eq!(program.why_general().is_some(), strategy == Strategy::General, "{body}");
    }
}

/// The properties of random chains are about the strategy that they are made for.
#[test]
fn many_random_chains_share_suffixes() {
    let mut runner = TestRunner::deterministic();
    let chains = (0..200).map(|_| {
        let chain = random::chain().new_tree(&mut runner).expect("nothing is filtered");
        Program::new(&chain.current().build().0).expect("it is small").strategy()
    });
    let shared = chains.filter(|strategy| *strategy == Strategy::SharedSuffix).count();
    assert!((40..180).contains(&shared), "{shared} of 200");
}

#[test]
fn the_planner_knows_the_workloads() {
    let strategies = WORKLOADS.map(|workload| {
        let rules = workload.rule_set(1);
        Program::new(&rules.rules()[0].pattern).expect("it is within the limits").strategy()
    });
    let window = |count| Strategy::CountingWindow { count };
    assert_eq!(
        strategies,
        [
            Strategy::Deterministic,
            window(3),
            window(5),
            window(30),
            Strategy::Deterministic,
            Strategy::SharedSuffix,
            Strategy::Compact,
            Strategy::Deterministic,
        ]
    );
}

/// Returns the outputs for a generated stream.
fn reported(workload: &Workload, rules: &RuleSet, general: bool, seed: u64) -> Vec<String> {
    let events = workload.generate(rules.schema(), 1500, seed);
    let builder = workload.builder(&rules.clone()).in_order();
    let builder = if general { builder.general_strategy() } else { builder };
    let mut engine: Engine<Record> = builder.build().expect("the rules fit");
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&events, &mut reported).expect("no limit is reached");
    engine.end_time(&mut reported).expect("no limit fails");
    reported.iter().map(|output| format!("{output:?}")).collect()
}

#[test]
fn every_strategy_reports_the_same() {
    for workload in WORKLOADS.iter().filter(|workload| workload.id != "W7") {
        let rules = workload.rule_set(5);
        for seed in 0..3 {
            let general = reported(workload, &rules, true, seed);
            assert_eq!(reported(workload, &rules, false, seed), general, "{} {seed}", workload.id);
            assert!(!general.is_empty(), "{} {seed}", workload.id);
        }
    }
}

/// A match that drops all that has begun ends the work on its event early; what the limit drops
/// before it is reported counts all the same.
#[test]
fn limits_count_the_same() {
    let workload = Workload::of("W6").expect("it is one of them");
    let rules = workload.rule_set(5);
    let events = workload.generate(rules.schema(), 1500, 0);
    let mut overflowed = Vec::new();
    for limit in 1..=6 {
        let [single, general] = [false, true].map(|general| {
            let builder = workload.builder(&rules.clone()).in_order().limit_partials_per_key(limit);
            let builder = if general { builder.general_strategy() } else { builder };
            let mut engine: Engine<Record> = builder.build().expect("the rules fit");
            let mut reported: Vec<Output<Record>> = Vec::new();
            engine.push_batch(&events, &mut reported).expect("the newest give way");
            engine.end_time(&mut reported).unwrap();
            (format!("{reported:?}"), engine.stats())
        });
        assert_eq!(single.0, general.0, "{limit}");
        assert_eq!(format!("{:?}", single.1), format!("{:?}", general.1), "{limit}");
        overflowed.push(single.1.overflowed);
    }
    assert!(overflowed[0] > overflowed[1] && overflowed[1] > 0, "{overflowed:?}");
}

/// A key with hundreds of partial matches, of which the first run out of time again and again, some
/// wait for a number of their own, and some go on.
#[test]
fn keys_with_many_partial_matches_report_the_same() {
    for body in [
        "match a -> b[v == a.v] -> c[v == a.v] within 300ms skip none",
        "match a -> b[v == a.v] -> not a[v == b.v] -> c within 300ms skip none",
        "match a -> b[v == a.v] -> c[v == a.v] within 300ms skip past last",
        "match a -> b[v >= a.v] within 200ms skip to next",
        "match a -> b[v == a.v] within 300ms skip none on timeout emit { k }",
    ] {
        let rules = RuleSet::parse(&format!("{EVENTS}rule r {{ key k {body} }}")).expect(body);
        let mut random = 1_u64;
        let mut at = 0;
        let events = (0..4000).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            at += i64::from((random >> 35).is_multiple_of(64)) * 150
                + i64::from(random >> 50 & 1 == 1);
            let time = Timestamp::from_millis(at);
            // Numbers that fit into a run beside those that do not, and some that are missing.
            let number = match random >> 41 & 15 {
                0 => Value::Null,
                1 => Value::Int(1 << 50),
                number => Value::Int(number.cast_signed()),
            };
            let ty = TypeId::new([0, 0, 0, 1, 2][(random >> 33) as usize % 5]);
            Record::new(ty, time, [Value::Time(time), Value::Int(1), number])
        });
        let events: Vec<Record> = events.collect();
        let [single, general] = [false, true].map(|general| {
            let builder = Engine::builder().rules(&rules).in_order();
            let builder = if general { builder.general_strategy() } else { builder };
            let mut engine: Engine<Record> = builder.build().expect("the rules fit");
            let (mut reported, mut open) = (Vec::<Output<Record>>::new(), Vec::new());
            for some in events.chunks(500) {
                engine.push_batch(some, &mut reported).expect("there is no limit");
                open.push((engine.stats().partials, engine.stats().peak_partials));
            }
            engine.end_time(&mut reported).unwrap();
            (format!("{reported:?}"), engine.stats(), open)
        });
        assert!(single.1.peak_partials > 30, "{body}: {:?}", single.1);
        assert!(single.1.matches > 20, "{body}: {:?}", single.1);
        assert!(single.0 == general.0, "{body}");
        assert_eq!((single.1, single.2), (general.1, general.2), "{body}");
    }
}

/// Returns the open partial matches of the only rule, as text.
fn open(engine: &Engine<Record>) -> String {
    let mut open = String::new();
    for partial in engine.collect_partials("r") {
        let events: Vec<_> = partial.captures().collect();
        let (awaits, deadline) = (partial.awaits().collect::<Vec<_>>(), partial.deadline());
        let _ = writeln!(open, "{events:?} {awaits:?} {deadline:?}");
    }
    open
}

/// A representative runs out of time before its suffixes, or reaches the limit with them; in
/// between an engine goes on from a snapshot, with the same strategy or the other.
#[test]
fn suffixes_go_on_when_their_representative_is_gone() {
    for body in [
        "match a as s -> next a[v < prev.v]{1.. next greedy} as t -> next a as u within 20ms",
        "match a as s -> next a[v <= prev.v]{3.. next greedy} as t -> next b as u within 30ms",
        "match a as s -> next a[v * 2 <= prev.v * 3]{2 next} as t -> next a[v * 2 <= prev.v * 3]{2.. next greedy} as u
            -> next a[v > 2] as w within 15ms on timeout emit { k, n: count(t) }",
        "match a[v < 4] as s -> next a[v != 1]{2.. next greedy} as t -> next a as u within 12ms on timeout emit { k }",
        "match a as s -> next a[v <= prev.v]{2.. next greedy} as t -> next a as u within 25ms limit 4 partials drop newest",
        "match a as s -> next a[v <= prev.v]{2.. next greedy} as t -> next a as u within 25ms
            limit 5 partials drop oldest on timeout emit { k }",
        "match a as s -> next a[v <= prev.v]{1.. next greedy} as t -> next a as u",
        // What it keeps beside its events is more than a word.
        "match a as s -> next a[v <= prev.v and at > prev.at]{2.. next greedy} as t -> next a as u within 20ms",
    ] {
        assert_eq!(program(body).strategy(), Strategy::SharedSuffix, "{body}");
        let rules = RuleSet::parse(&format!("{EVENTS}rule r {{ key k {body} }}")).expect(body);
        let mut random = 7_u64;
        let mut at = 0;
        let events = (0..6000).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            at += 1 + i64::from((random >> 33) as u32 % 7);
            let time = Timestamp::from_millis(at);
            let number = match random >> 41 & 31 {
                0 => Value::Null,
                1 => Value::Float(2.5),
                number => Value::Int((number % 6).cast_signed()),
            };
            let ty = TypeId::new(usize::from((random >> 50).is_multiple_of(9)));
            Record::new(ty, time, [Value::Time(time), Value::Int(1), number])
        });
        let events: Vec<Record> = events.collect();
        let builder = |general| {
            let builder = Engine::builder().rules(&rules).in_order();
            if general { builder.general_strategy() } else { builder }
        };
        let new = |general| -> Engine<Record> { builder(general).build().expect("the rules fit") };
        let (mut shared, mut general) = (new(false), new(true));
        let (mut most, mut matches) = (0, 0);
        for (number, event) in events.iter().enumerate() {
            let (mut reported, mut expected) = (Vec::<Output<Record>>::new(), Vec::new());
            shared.push(event, &mut reported).expect("limits drop");
            general.push(event, &mut expected).expect("limits drop");
            assert_eq!(reported, expected, "{body}: event {number}");
            // Deadlines that report nothing are noticed late.
            for engine in [&mut shared, &mut general] {
                engine.advance(event.time(), &mut reported).unwrap();
            }
            // Who shares events with whom is not the same.
            let stats = [&shared, &general].map(|engine| {
                let mut stats = engine.stats();
                stats.captured_bytes = 0;
                stats
            });
            assert_eq!(stats[0], stats[1], "{body}: event {number}");
            assert_eq!(open(&shared), open(&general), "{body}: event {number}");
            most = most.max(shared.stats().partials);
            matches = shared.stats().matches;
            if number % 40 == 0 {
                let again = |general| {
                    let restored = builder(general).restore(&[&shared.snapshot()]);
                    restored.unwrap_or_else(|error| panic!("{body}: {error}")).0
                };
                (shared, general) = (again(number % 160 == 0), again(true));
            }
        }
        assert!(most > 2 && matches > 5, "{body}: {most}, {matches}");
    }
}

/// A price that falls for long: a thousand partial matches of up to a thousand events are that many
/// events, and not half a million.
#[test]
fn suffixes_take_no_memory() {
    let body = "match a as s -> next a[v < prev.v]{1.. next greedy} as t -> next a as u within 1s";
    let rules = RuleSet::parse(&format!("{EVENTS}rule r {{ key k {body} }}")).expect(body);
    let builder = || Engine::builder().rules(&rules).in_order();
    let mut engine: Engine<Record> = builder().build().expect("the rules fit");
    let mut reported: Vec<Output<Record>> = Vec::new();
    for at in 0..3000 {
        let values = |v| [Value::Time(Timestamp::from_millis(at)), Value::Int(1), Value::Int(v)];
        let event = Record::new(TypeId::new(0), Timestamp::from_millis(at), values(-at));
        engine.push(&event, &mut reported).expect("there is no limit");
    }
    assert_eq!((engine.stats().partials, reported.len()), (1000, 0));
    let memory = engine.memory_usage();
    assert!(memory < 300_000, "{memory} bytes");
    let (restored, _) = builder().restore(&[&engine.snapshot()]).expect("it is whole");
    assert_eq!(restored.stats(), engine.stats());
    assert!(restored.memory_usage() < 300_000, "{} bytes", restored.memory_usage());
}
