//! Runs and groups that wait for a value: a busy key, which finds them by it, reports what a key that
//! lists its runs does.

use std::fmt::Write as _;

use kleene::stream::{EngineBuilder, Output};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use proptest::prelude::*;

const EVENTS: &str = "event a { at: time, n: int, f: float?, s: string?, d: duration }
event b { at: time, n: int, f: float?, s: string?, d: duration }
event c { at: time, n: int, f: float?, s: string?, d: duration }
";

const STEPS: [&str; 24] = [
    "a as x -> b[n == x.n] as y",
    "a as x -> b[n > x.n] as y -> c[s == x.s] as z",
    "a as x -> b[f <= x.f] as y -> c[n != y.n] as z",
    "a as x -> b[n == x.f and s == x.s] as y",
    "a as x -> not b[s == x.s] -> c[d >= x.d] as z",
    "a as x -> not b[n == x.n] for 3s",
    "a as x -> b[f == x.n]{2} as y -> c[s <= x.s] as z",
    "a as x ->[1s..4s] b[n < x.n] as y -> c as z",
    "a as x -> next b[n == x.n] as y -> c[at > y.at] as z",
    "a as x -> (b[n == x.n] as y or c[s > x.s] as z)",
    "a as x -> b[n < x.n] as y -> a[n == y.n] as z -> c[n == z.n]",
    "a as x -> a[x.n < n and n <= x.f] as y",
    "a{2} as x -> b[n > last(x.n)] as y",
    "a as x -> b[n == x.n and f == x.f] as y",
    "a as x -> b[n == x.n and s == x.s and d >= x.d] as y -> c[n == y.n and f == x.f] as z",
    "a as x -> not c[n == x.n] for 2s -> b[s == x.s] as y",
    "a as x -> b[at - x.at > 1500ms] as y",
    "a as x -> b[at - x.at < 1s and at - x.at >= 250ms] as y -> c[x.at + 3s <= at] as z",
    "a as x -> b[n > x.n + 1] as y -> c[n - 2 <= y.n] as z",
    "a as x -> b[n == x.f + 2] as y -> c[f - 1 == y.n] as z",
    "a as x -> b[n - x.f >= 2] as y -> c[1 - y.n <= n] as z",
    "a as x -> b[n >= x.n + 9223372036854775800 or s is null] as y",
    "a as x -> b[n > x.n and len(s) > 7] as y -> c[d - 1ms == y.d] as z",
    "a as x -> b[n == x.n and f > count(x)] as y -> c[n + n == y.n] as z",
];

/// Steps whose partial matches multiply: groups that wait for a value. The first step is found in many
/// groups, as each has a value of its own.
const MULTIPLYING: [&str; 12] = [
    "a as x -> any b[n == x.n and d >= x.d] as y -> c as z",
    "a as x -> any b[n >= x.n] as y -> c[f == x.f] as z",
    "a as x -> any a[n == x.n] as y -> any c[s == y.s] as z",
    "a as x -> any b[s == x.s]{1..2 any each} as y -> not c[n == x.n] for 2s",
    "a as x -> any b as y -> not c[n > x.n]",
    "a as x -> any b[at - x.at >= 500ms] as y -> any c[n == y.n] as z",
    "a as x ->[..3s] any b[n < x.n] as y ->[1s..] any c[n == y.n] as z",
    "a as x -> any b[n == x.n or s == x.s] as y -> c[n == x.n] as z",
    "a as x -> not b[n == x.n] -> any c[f >= x.f] as y -> any b as z",
    "a as x -> any (b[n == x.n] as y -> c[d == x.d]){1.. any each} as z",
    "a as x -> any b[n == x.n] as y -> (c[s == x.s] or not b[n == x.n] for 1s)",
    "a as x -> any b[n != x.n] as y -> any b[n == x.n] as z -> any c[n == y.n]",
];

const SKIPS: [&str; 5] = ["", "skip none", "skip to next", "skip to last x", "skip to first x"];

fn rules(steps: &str, skip: &str, timeouts: bool) -> RuleSet {
    let timeouts = if timeouts { "on timeout emit { x: count(x) }" } else { "" };
    let text = format!("{EVENTS}rule r {{ match {steps}  within 6s  {skip}  {timeouts} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The type, the time since the event before, and a number from which its fields are made.
type Made = (u8, u8, u8);

fn event(rules: &RuleSet, (ty, _, number): Made, at: i64) -> Record {
    let ty = ["a", "a", "b", "c"][usize::from(ty % 4)];
    let at = Timestamp::from_millis(at);
    let n = i64::from(number % 5);
    let float = [Some(0.5), Some(2.0), None, Some(f64::from(number % 4)), Some(f64::NAN)];
    let text = [Some("order-1"), Some("order-12"), None, Some("order-123456789")];
    let fields = [
        ("at", Value::Time(at)),
        ("n", Value::Int(n)),
        ("f", float[usize::from(number / 5) % 5].map_or(Value::Null, Value::Float)),
        ("s", text[usize::from(number / 3) % 4].map_or(Value::Null, Into::into)),
        ("d", Value::Duration(i64::from(number % 3))),
    ];
    Record::from_fields(rules.schema(), ty, fields).expect("it is declared so")
}

/// What an engine reports; it is stopped and restored after the event `stop`.
fn reported(
    rules: &RuleSet,
    with: impl Fn(EngineBuilder<Record>) -> EngineBuilder<Record>,
    made: &[Made],
    stop: usize,
) -> (String, u64) {
    let builder = || with(Engine::builder().rules(rules).in_order());
    let mut engine = builder().build().expect("it can be run");
    let (mut outputs, mut text) = (Vec::new(), String::new());
    let mut at = 0;
    for (number, made) in made.iter().enumerate() {
        // Some twenty partial matches are open at once: enough for a busy key.
        at += 1000 * i64::from(made.1 % 3) / 8;
        engine.push(&event(rules, *made, at), &mut outputs).expect("no limit fails");
        if number == stop {
            let bytes = engine.snapshot();
            engine = builder().restore(&[&bytes]).expect("it was written by the same rules").0;
        }
    }
    let open = engine.stats().partials;
    engine.end_time(&mut outputs).expect("no limit fails");
    for output in &outputs {
        let (kind, found) = match output {
            Output::Match(found) => ("match", found),
            Output::Timeout(timeout) => ("timeout", &timeout.found),
            _ => continue,
        };
        let _ = writeln!(text, "{kind} {:?} {:?}", found.reported_at, found.captures);
    }
    (text, open)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn a_busy_key_finds_what_a_list_does(
        (steps, skip, timeouts) in (0..STEPS.len(), 0..SKIPS.len(), any::<bool>()),
        made in prop::collection::vec(any::<Made>(), 1..120),
        stop in 0_usize..120,
    ) {
        let rules = rules(STEPS[steps], SKIPS[skip], timeouts);
        let joined = reported(&rules, |builder| builder, &made, stop);
        let listed = reported(&rules, EngineBuilder::general_strategy, &made, usize::MAX);
        prop_assert_eq!(joined, listed, "{} {}", STEPS[steps], SKIPS[skip]);
    }

    #[test]
    fn a_key_finds_groups_that_it_could_list(
        (steps, skip, timeouts) in (0..MULTIPLYING.len(), 0..SKIPS.len(), any::<bool>()),
        made in prop::collection::vec(any::<Made>(), 1..140),
        stop in 0_usize..80,
    ) {
        let rules = rules(MULTIPLYING[steps], SKIPS[skip], timeouts);
        // A group may count a partial match that is over until its events are dropped.
        let (indexed, _) = reported(&rules, EngineBuilder::compact_strategy, &made, stop);
        let (listed, _) = reported(&rules, EngineBuilder::general_strategy, &made, usize::MAX);
        prop_assert_eq!(indexed, listed, "{} {}", MULTIPLYING[steps], SKIPS[skip]);
    }
}
