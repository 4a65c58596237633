//! Patterns whose matches multiply, counted and listed in the compact form.

use std::time::{Duration, Instant};

use kleene::stream::Engine;
use kleene::{Record, RuleSet, Timestamp, Value, on_match};

use crate::Options;
use crate::measure::peak;
use crate::report::{Figure, Report, mib};

const EVENTS: &str = "event a { ts: time, k: int, v: int }
event b { ts: time, k: int, v: int }
event c { ts: time, k: int, v: int }
";

/// All sets of the `b`s between an `a` and a `c`, counted.
const SETS: &str = "match a -> any b{1.. any each} -> any c within 1h skip none report count";

/// The same item from first to last.
const CORRELATED: &str = "match a -> any b[v == a.v]{1.. any each} -> any c[v == a.v] \
    skip none report count";

/// As long as a sum stays small.
const SUM: &str = "match a -> any b[sum(b.v) + v < 1000]{1.. any each} -> any c \
    skip none report count";

fn rules(body: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ key k {body} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn event(rules: &RuleSet, ty: &str, at: i64, v: i64) -> Record {
    let id = rules.schema().type_id(ty).expect("it is declared");
    let at = Timestamp::from_millis(at);
    Record::new(id, at, [Value::Time(at), Value::Int(0), Value::Int(v)])
}

/// Returns the time of the events, and the number of matches that were counted and reported.
fn run(rules: &RuleSet, events: &[Record]) -> (Duration, u64, usize) {
    let builder = Engine::builder().rules(rules).limit_partials_per_key(1 << 26);
    let builder = builder.limit_matches_per_set(1 << 26).in_order();
    let mut engine: Engine<Record> = builder.build().expect("it can be run");
    let (mut counted, mut reported) = (0_u64, 0);
    let mut sink = on_match(|found: kleene::stream::Match<'_, Record>| {
        reported += 1;
        if reported == 1 {
            counted = found.set().count();
        }
    });
    let start = Instant::now();
    engine.push_batch(events, &mut sink).expect("no limit fails");
    let took = start.elapsed();
    (took, counted, reported)
}

/// One `a`, so many `b`, one `c`.
fn one_set(rules: &RuleSet, m: i64) -> Vec<Record> {
    let mut events = vec![event(rules, "a", 0, 0)];
    events.extend((1..=m).map(|at| event(rules, "b", at, 0)));
    events.push(event(rules, "c", m + 1, 0));
    events
}

/// Measures the figures of docs/explosive-patterns.md.
#[expect(clippy::unnecessary_wraps, reason = "as all figures")]
pub(crate) fn all(options: &Options, report: &mut Report) -> Result<(), String> {
    let mut figure = |name: String, value: f64, unit: &'static str, note: String| {
        report.figures.push(Figure { name, value, unit, bound: None, note });
    };
    let small = options.test;
    let counting = rules(SETS);
    for m in [24, if small { 50 } else { 1000 }] {
        let events = one_set(&counting, m);
        let mut result = (Duration::ZERO, 0, 0);
        let held = peak(|| result = run(&counting, &events));
        let name = format!("W7: the sets of {m} events counted");
        let millis = result.0.as_secs_f64() * 1e3;
        figure(name, millis, "ms", format!("{:.2} MiB, {} matches", mib(held), result.1));
    }
    // Many open starts: the cost of an event for each of them.
    for starts in [100, if small { 200 } else { 1000 }, if small { 300 } else { 10_000 }] {
        let mut events: Vec<Record> = (0..starts).map(|at| event(&counting, "a", at, 0)).collect();
        events.extend((0..starts).map(|at| event(&counting, "b", starts + at, 0)));
        events.extend((0..100).map(|at| event(&counting, "c", 2 * starts + at, 0)));
        let (took, ..) = run(&counting, &events);
        let each = took.as_secs_f64() * 1e6 / f64::from(u32::try_from(events.len()).unwrap_or(1));
        figure(format!("W7: an event with {starts} open starts"), each, "us", String::new());
    }
    for (name, body) in [("correlated", CORRELATED), ("running sum", SUM)] {
        let rules = rules(body);
        for count in [1000, 2000, if small { 3000 } else { 10_000 }] {
            let event = |at: i64| {
                let ty = match at % 3 {
                    0 => "a",
                    1 => "b",
                    _ => "c",
                };
                let v = at * 7919 % 100;
                event(&rules, ty, at, v)
            };
            let events: Vec<Record> = (0..count / if small { 10 } else { 1 }).map(event).collect();
            let mut took = Duration::ZERO;
            let held = peak(|| took = run(&rules, &events).0);
            let note = format!("{:.0} MiB", mib(held));
            figure(format!("{name}: {count} events of a key"), took.as_secs_f64(), "s", note);
        }
    }
    let listing = rules(&SETS.replace("report count", ""));
    for m in if small { [8, 9] } else { [20, 24] } {
        let events = one_set(&listing, m);
        let mut result = (Duration::ZERO, 0, 0);
        let held = peak(|| result = run(&listing, &events));
        let rate = f64::from(u32::try_from(result.2).unwrap_or(u32::MAX)) / result.0.as_secs_f64();
        let note = format!("{:.1} MiB", mib(held));
        figure(format!("W7: the sets of {m} events listed"), rate / 1e6, "M matches/s", note);
    }
    Ok(())
}
