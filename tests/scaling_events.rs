//! The costs of a hostile stream: work in proportion to its length, or no more for each event than
//! the limit on steps allows.
//!
//! Work is counted in steps ([`Engine::steps`]), not timed, so that a busy machine changes nothing.
//! Where steps can't report, as where time is spent within one, a stream is timed three times, with
//! room for noise.

use std::time::{Duration, Instant};

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, Ignore, Output};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

const EVENTS: &str = "event a { ts: time, k: int, v: int }\nevent b { ts: time, k: int, v: int }\n";

fn builder(rule: &str) -> EngineBuilder<Record> {
    let text = format!("{EVENTS}rule r {{ key k  {rule} }}");
    let rules = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    Engine::builder().rules(&rules)
}

fn event(ty: usize, at: i64, k: i64, v: i64) -> Record {
    let time = Timestamp::from_millis(at);
    Record::new(TypeId::new(ty), time, vec![Value::Time(time), k.into(), v.into()])
}

/// Four times the stream may cost so many times the steps: a little more than four.
fn costs_in_proportion(what: &str, n: i64, steps: impl Fn(i64) -> u64) {
    let [small, middle, large] = [n, 2 * n, 4 * n].map(steps);
    let counted = (small, middle, large);
    assert!(small >= n.unsigned_abs(), "{what}: too little was counted: {counted:?}");
    assert!(large <= 5 * small, "{what} of {n}, {} and {}: {counted:?}", 2 * n, 4 * n);
}

/// The same by the clock. Four times the stream may take ten times as long, which leaves room for a
/// noisy machine: what is quadratic takes sixteen times as long.
fn takes_in_proportion(what: &str, n: i64, run: impl Fn(i64)) {
    let time = |n| {
        let start = Instant::now();
        run(n);
        start.elapsed().max(Duration::from_millis(2))
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let [small, large] = [n, 4 * n].map(time);
        if large <= 10 * small {
            return;
        }
        seen.push((small, large));
    }
    panic!("{what} of {n} and {}: {seen:?}", 4 * n);
}

/// The engine after `n` events of type `a`, a millisecond apart.
fn after(builder: EngineBuilder<Record>, n: i64, key: impl Fn(i64) -> i64) -> Engine<Record> {
    let mut engine = builder.build().expect("it fits");
    for at in 0..n {
        engine.push(&event(0, at, key(at), at), &mut Ignore).expect("it fits");
    }
    engine
}

/// One partial match that captures all events: each costs the same, however many came before.
#[test]
fn a_loop_that_looks_back() {
    for condition in [
        "v not in distinct(x.v)",
        "sum(x.v) >= 0",
        "count(x) == 0 or avg(x.v) >= 0",
        "count(x) == 0 or min(x.v) >= 0 and max(x.v) >= 0",
        "count(x) == 0 or first(x.v) >= 0 and last(x.v) >= 0",
        "count(x) == 0 or stddev(x.v) >= 0",
    ] {
        let rule = format!("match b -> a[{condition}]{{1..}} as x -> b");
        let run = |n| {
            let mut engine = builder(&rule).build().expect("it fits");
            engine.push(&event(1, 0, 1, 0), &mut Ignore).expect("it fits");
            for at in 1..n {
                engine.push(&event(0, at, 1, at), &mut Ignore).expect("it fits");
            }
            assert!(engine.stats().captured_bytes > 40 * n.unsigned_abs(), "{condition}");
            engine.steps()
        };
        costs_in_proportion(condition, 500, run);
        takes_in_proportion(condition, 1000, |n| {
            run(n);
        });
    }
}

/// Many partial matches that look back: an event costs a step for each, and no more.
#[test]
fn many_loops_that_look_back() {
    for condition in ["v not in distinct(x.v)", "sum(x.v) >= 0"] {
        let rule = format!("match a[{condition}]{{5000}} as x  skip none");
        costs_in_proportion(condition, 50, |n| {
            let mut engine = after(builder(&rule), n, |_| 1);
            let before = engine.steps();
            engine.push(&event(0, n, 1, n), &mut Ignore).expect("it fits");
            engine.steps() - before
        });
    }
}

/// A set of values for each of many partial matches: what an event costs does not grow with the sets.
/// So the budget of steps bounds its time.
#[test]
fn many_sets_that_grow() {
    let rule = "match a[v not in distinct(x.v)]{10000} as x  skip none
                limit 100 partials drop newest";
    takes_in_proportion("100 sets", 1000, |n| {
        let engine = after(builder(rule), n, |_| 1);
        assert_eq!(engine.stats().partials, 100);
        // Each set has almost all values, which are different, and each value is 24 bytes there.
        assert!(engine.stats().captured_bytes > 100 * (n - 200).unsigned_abs() * 24);
    });
}

/// At its limits, what an exploding rule costs for an event does not depend on how long it goes on.
#[test]
fn an_exploding_rule_at_its_limits() {
    let most = 1000;
    for (limit, clause) in [
        (most, ""),
        (usize::MAX, "limit 1000 partials drop oldest"),
        (usize::MAX, "limit 1000 partials drop newest"),
    ] {
        for steps in ["a{1.. any each} as x -> b", "a -> any a -> any a -> any a -> any b"] {
            let rule = format!("match {steps}  skip none  {clause}");
            let limited = || builder(&rule).without_compact_strategy().limit_steps_per_event(limit);
            let mut engine = after(limited(), 100, |_| 1);
            // One that can go on along two branches takes a step for each, and counts once.
            let is_full = |partials: u64| {
                if clause.is_empty() {
                    partials > 500 && partials <= 1000
                } else {
                    partials == 1000
                }
            };
            assert!(is_full(engine.stats().partials), "{rule}: {}", engine.stats().partials);
            for at in 100..200 {
                let before = engine.steps();
                engine.push(&event(0, at, 1, at), &mut Ignore).expect("it fits");
                let spent = engine.steps() - before;
                // Those that are there, what each becomes, and the one that begins: a partial match
                // can be at two places, and takes a step for each.
                assert!(spent <= 6 * 1000 + 4, "{rule}: {spent} steps");
                assert!(is_full(engine.stats().partials), "{rule}: {}", engine.stats().partials);
            }
            assert!(engine.stats().overflowed >= 100, "{rule}");
            costs_in_proportion(&rule, 1000, |n| after(limited(), n, |_| 1).steps());
        }
    }
}

/// Many partial matches that an event does nothing to.
#[test]
fn a_condition_that_is_false() {
    for condition in ["v == -1", "v == x.v - 1000000", "v < 0 or x.v < 0"] {
        let rule = format!("match a as x -> b[{condition}]  skip none");
        costs_in_proportion(condition, 500, |n| {
            let mut engine = after(builder(&rule), n, |_| 1);
            let before = engine.steps();
            for at in 0..3 {
                engine.push(&event(1, n + at, 1, 1), &mut Ignore).expect("it fits");
            }
            assert_eq!(engine.stats().partials, n.unsigned_abs(), "{rule}");
            engine.steps() - before + n.unsigned_abs()
        });
    }
}

/// Many partial matches that no event can move, by its type or by a condition on the event alone.
#[test]
fn what_cannot_move_is_not_visited() {
    for rule in [
        "match a -> not b for 1h",
        "match a{3} -> not b for 1h",
        "match a as x -> a[v < 0 and v < x.v]  skip none",
        "match a as x -> b[v > x.v]  within 1h  on timeout emit { k }",
        // One partial match ends with each event.
        "match a -> not b for 100ms",
        "match a as x -> b[v > x.v]  within 100ms  on timeout emit { k }",
    ] {
        costs_in_proportion(rule, 1000, |n| after(builder(rule), n, |_| 1).steps());
    }
}

/// Many partial matches in a loop that takes each value once: few are asked for a value that all of
/// them have.
#[test]
fn a_value_that_all_have_is_asked_of_few() {
    for rule in [
        "match a[v not in distinct(x.v)]{10} as x",
        "match a[v >= 0 and v not in distinct(x.v)]{10} as x  within 1h  skip none",
        "match a[v not in distinct(x.v)]{10} as x -> b  within 1h  skip none",
        "match a[v not in distinct(x.v)]{10} as x  limit 100000 partials drop oldest",
    ] {
        costs_in_proportion(rule, 2000, |n| {
            let mut engine = builder(rule).build().expect("it fits");
            for at in 0..n {
                engine.push(&event(0, at, 1, at % 3), &mut Ignore).expect("it fits");
            }
            engine.steps()
        });
    }
}

/// Of `n` partial matches that wait for a value, and as many events: the number of matches, and the
/// steps.
fn joined(rule: &str, n: i64, value: impl Fn(i64) -> i64) -> (u64, u64) {
    let mut engine = after(builder(rule), n, |_| 1);
    for at in 0..n {
        engine.push(&event(1, n + at, 1, value(at)), &mut Ignore).expect("it fits");
    }
    (engine.stats().matches, engine.steps())
}

/// Many partial matches that wait for a value: an event costs a step for each that it finds.
#[test]
fn what_waits_for_a_value_is_found_by_it() {
    // One is found by each event.
    for rule in [
        "match a as x -> b[v == x.v]  within 1h  skip none",
        "match a as x -> b[v == x.v]  within 1h  skip to next",
        "match a as x -> b[v == x.v and k == x.k]  within 1h  skip none",
        "match a as x -> b[v <= x.v and v >= x.v]  within 1h  skip none",
        "match a as x ->[1ms..] b[v == x.v]  within 1h  skip none  on timeout emit { k }",
    ] {
        costs_in_proportion(rule, 1000, |n| {
            let (matches, steps) = joined(rule, n, |at| at);
            assert_eq!(matches, n.unsigned_abs(), "{rule}");
            steps
        });
    }
    // None is found: each event is above all of them.
    for rule in [
        "match a as x -> b[v < x.v]  within 1h",
        "match a as x -> b[v == x.v] -> b[v < x.v]  within 1h",
        "match a as x -> not b[v <= x.v] -> b[v < x.v]  within 1h  skip none",
        "match a as x -> b[v < x.v + 1]  within 1h",
        "match a as x -> b[v == x.v - 1 and v != x.k]  within 1h  skip none",
    ] {
        costs_in_proportion(rule, 1000, |n| {
            let (matches, steps) = joined(rule, n, |at| 1_000_000 + at);
            assert_eq!(matches, 0, "{rule}");
            steps
        });
    }
    // What is worked out from a captured value is asked for each.
    let (matches, steps) = joined("match a as x -> b[v < x.v * 2]  within 1h", 1000, |_| 1_000_000);
    assert!((matches, steps > 1_000_000) == (0, true), "{steps}");
}

/// Many groups that wait for a value: an event costs a step for each that it finds, and a deadline
/// one for each that it ends.
#[test]
fn groups_that_wait_for_a_value_are_found_by_it() {
    for rule in [
        "match a as x -> any b[v <= x.v] -> b[v < x.v]  within 1h  on timeout emit { k }",
        "match a as x -> any b[v <= x.v] -> b[v < x.v]  within 1h  skip none",
        "match a as x -> any b[v == x.v - 1 and v != x.k] -> any b  within 1h  skip to next",
    ] {
        costs_in_proportion(rule, 1000, |n| {
            let (matches, steps) = joined(rule, n, |at| 1_000_000 + at);
            assert_eq!(matches, 0, "{rule}");
            steps
        });
    }
    // Each event finds one, whose events go on as another group.
    for rule in [
        "match a as x -> any b[v == x.v] as y -> b[v == y.v + 1000000]  within 1h  skip none",
        "match a as x -> any b[v == x.v] -> b[v == x.v - 1]  within 1h  on timeout emit { k }",
    ] {
        costs_in_proportion(rule, 1000, |n| {
            let (matches, steps) = joined(rule, n, |at| at);
            assert_eq!(matches, 0, "{rule}");
            steps
        });
    }
    // Each start is over at a moment of its own.
    for rule in [
        "match a as x -> any b[v < x.v] -> b  within 1h  on timeout emit { k }",
        "match a -> any b -> b  within 1h  on timeout emit { k }",
        "match a as x -> any b[v < x.v] -> b  within 1h",
        "match a as x -> any a[v < x.v] -> not b[v == x.v] for 1h  within 2h",
    ] {
        costs_in_proportion(rule, 1000, |n| {
            let mut engine = after(builder(rule), n, |_| 1);
            let before = engine.steps();
            engine
                .advance(Timestamp::from_millis(100_000_000), &mut Ignore)
                .expect("no limit fails");
            let timeouts = if rule.contains("timeout") { n.unsigned_abs() } else { 0 };
            assert_eq!((engine.stats().timeouts, engine.stats().partials), (timeouts, 0), "{rule}");
            engine.steps() - before
        });
    }
}

/// Rules whose partial matches end at different moments, and what each of them reports.
const ENDING: [(&str, i64, i64); 6] = [
    ("match a -> b  within 1h  skip none", 0, 0),
    ("match a -> b  within 1h  skip none  on timeout emit { k }", 0, 1),
    ("match a ->[..1h] b -> b  within 2h  skip none  on timeout emit { k }", 0, 1),
    ("match a -> not b for 30m  skip none", 1, 0),
    ("match a -> not b  within 1h  skip none", 1, 0),
    ("match a as x -> not b for 30m -> a  within 1h  on timeout emit { k }", 0, 1),
];

/// Time jumps: each partial match is looked at once, not once for each deadline before its own.
#[test]
fn many_partial_matches_of_a_key_end_at_once() {
    for (rule, matches, timeouts) in ENDING {
        for general in [false, true] {
            costs_in_proportion(rule, 300, |n| {
                let builder = builder(rule);
                // A busy key would have groups, which end in one step.
                let builder = if general {
                    builder.general_strategy()
                } else {
                    builder.without_compact_strategy()
                };
                let mut engine = after(builder, n, |_| 1);
                let before = engine.steps();
                engine.advance(Timestamp::from_millis(100_000_000), &mut Ignore).unwrap();
                let stats = engine.stats();
                let reported = (stats.partials, stats.matches, stats.timeouts);
                let expected = (n * matches, n * timeouts);
                assert_eq!(
                    reported,
                    (0, expected.0.unsigned_abs(), expected.1.unsigned_abs()),
                    "{rule}"
                );
                engine.steps() - before
            });
        }
    }
}

#[test]
fn many_keys_end_at_once() {
    for (rule, matches, timeouts) in ENDING {
        costs_in_proportion(rule, 300, |n| {
            let mut engine = after(builder(rule), n, |at| at);
            assert_eq!(engine.stats().keys, n.unsigned_abs());
            let before = engine.steps();
            engine.advance(Timestamp::from_millis(100_000_000), &mut Ignore).unwrap();
            let stats = engine.stats();
            let expected = (0, (n * matches).unsigned_abs(), (n * timeouts).unsigned_abs());
            assert_eq!((stats.keys, stats.matches, stats.timeouts), expected, "{rule}");
            engine.steps() - before
        });
        takes_in_proportion(rule, 500, |n| {
            let mut engine = after(builder(rule), n, |at| at);
            engine.advance(Timestamp::from_millis(100_000_000), &mut Ignore).unwrap();
        });
    }
}

/// Moments that end many partial matches, some of which a match drops before their own moment.
#[test]
fn what_ends_at_once_is_what_ends_one_by_one() {
    for skip in ["none", "past last", "to next", "to first x", "to last x"] {
        for pattern in [
            "a[v < 200]{1..2} as x -> not b for 30m",
            "a as x -> not b for 10ms -> a?",
            "(a as x -> not b for 40ms) or (a as y -> a as z -> not b for 20ms)",
        ] {
            let text = format!(
                "{EVENTS}rule r {{ key k  match {pattern}  within 1h  skip {skip}  on timeout emit {{ k }} }}"
            );
            let Ok(rules) = RuleSet::parse(&text) else { continue };
            let run = |moments: &mut dyn Iterator<Item = i64>| {
                let mut engine = Engine::builder().rules(&rules).build().expect("it fits");
                let mut reported: Vec<Output<Record>> = Vec::new();
                for at in 0..40 {
                    engine.push(&event(0, at, 1, at), &mut reported).expect("it fits");
                }
                for at in moments.chain([8_000_000]) {
                    engine.advance(Timestamp::from_millis(at), &mut reported).unwrap();
                }
                reported
            };
            let at_once = run(&mut std::iter::empty());
            let around = |moment: i64| moment..moment + 90;
            let moments = around(40).chain(around(1_800_000)).chain(around(3_600_000));
            let one_by_one = run(&mut moments.clone());
            assert!(!at_once.is_empty(), "{text}");
            assert_eq!(at_once, one_by_one, "{text}");
        }
    }
}

/// Sums over a loop, of partial matches that all begin with an event of their own.
#[test]
fn sums_of_a_loop_are_kept_in_order() {
    for (rule, reported) in [
        ("match a{1..} as x -> b[sum(x.v) > 1000000000000]  within 1h", 0),
        ("match a{1..} as x -> b[sum(x.v) > 1000000000000]  skip none", 0),
        ("match a{1..} as x -> b[count(x) < v]  within 1h  skip none", 0),
        // What is out of time would be enough, and what is not is not.
        ("match a{1..} as x -> b[count(x) > 101]  within 100ms", 0),
        ("match a{1..} as x -> b[count(x) >= 16]  within 100ms", 1),
        ("match a{1..} as x -> b[count(x) <= 8]  within 100ms  skip none", 1),
    ] {
        let run = |n| {
            let mut engine = builder(rule).build().expect("it fits");
            let mut outputs = Vec::new();
            for at in 0..n {
                let ty = usize::from(at % 8 == 7);
                engine.push(&event(ty, at, 1, -at % 5), &mut outputs).expect("it fits");
            }
            assert_eq!(!outputs.is_empty(), reported > 0, "{rule}");
            engine
        };
        costs_in_proportion(rule, 1500, |n| run(n).steps());
        costs_in_proportion(rule, 1500, |n| run(n).memory_usage() as u64);
    }
}

/// Partial matches that multiply are listed when their time is over, and cost little until then.
#[test]
fn timeouts_that_multiply_cost_little_before_they_are_reported() {
    let most = 1000;
    for rule in [
        "match a as x -> any b{1.. any each} -> any b[v < 0]  within 1h  skip none",
        "match a as x -> any b{1.. any each} -> any b[v < 0]  within 1h",
        "match a as x -> any b -> any b -> any b[v < 0]  within 1h",
        "match a as x -> any b{1.. any each} -> any b[v < 0]  within 1h  skip to next ordered",
    ] {
        let rule = &format!("{rule}  on timeout emit {{ k, step: match.step }}");
        let run = |n: i64| {
            let mut engine = builder(rule).limit_matches_per_set(most).build().expect("it fits");
            for at in 0..n {
                let is_start = at % 50 == 0;
                engine
                    .push(&event(usize::from(!is_start), at, 1, at), &mut Ignore)
                    .expect("it fits");
            }
            assert_eq!((engine.stats().overflowed, engine.stats().timeouts), (0, 0), "{rule}");
            engine
        };
        // There are about 2^n partial matches, or n^2.
        assert!(run(200).stats().partials > 10_000, "{rule}");
        costs_in_proportion(rule, 200, |n| run(n).steps());
        costs_in_proportion(rule, 200, |n| run(n).memory_usage() as u64);
        // Each start has a deadline of its own, and each deadline is a pass over the graph.
        let ended = |n: i64| {
            let mut engine = run(n);
            let before = engine.steps();
            engine
                .advance(Timestamp::from_millis(100_000_000), &mut Ignore)
                .expect("no limit fails");
            (engine.steps() - before, engine.stats())
        };
        let [(small, _), (large, stats)] = [200, 800].map(ended);
        assert!(large <= 20 * small + 1000, "{rule}: {small}, {large} steps");
        let limit = 16 * most as u64;
        assert!(stats.timeouts > limit / 2 && stats.timeouts <= limit, "{rule}: {stats:?}");
        assert!(stats.overflowed > 0 && stats.partials == 0, "{rule}: {stats:?}");
    }
}
