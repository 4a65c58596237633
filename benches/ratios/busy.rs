//! W9 to W11: keys with very many open partial matches.

use std::time::{Duration, Instant};

use kleene::stream::{Engine, Match, Timeout};
use kleene::{Event, Record, RuleSet, Sink, Timestamp, Value};

use crate::Options;
use crate::measure::peak;
use crate::report::{Bound, Figure, Report, mib};

const EVENTS: &str = "event a { ts: time, id: int }
event b { ts: time, id: int }
event c { ts: time, id: int }
event d { ts: time, id: int }
";

/// The ids of these workloads.
pub(crate) const IDS: [&str; 3] = ["W9", "W10", "W11"];

/// A thousand begin a second, and each second one event completes all that are open.
const HOT: &str = "match a -> any b within 1m skip none report count";

/// The seconds in which a partial match of [`HOT`] is open.
const OPEN: i64 = 60;

/// Joined by a value, without a key.
const JOINED: &str =
    "match a as x -> b[id == x.id] within 10m skip none on timeout emit { id: x.id }";

/// The same with a key.
const KEYED: &str = "key id match a -> b within 10m skip none on timeout emit { id }";

/// The default skip: the first of all combinations.
const FIRST: &str = "match a -> any b -> any c -> d within 1h";

/// Counts what is reported.
#[derive(Debug, Default)]
struct Counter {
    /// Of the sets, so that each match counts.
    matches: u64,
    timeouts: u64,
}

impl<E: Event> Sink<E> for Counter {
    fn matched(&mut self, found: Match<'_, E>) {
        self.matches += found.set().count();
    }

    fn timed_out(&mut self, _: Timeout<'_, E>) {
        self.timeouts += 1;
    }
}

fn rules(body: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ {body} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// An event of the type `a`, `b`, `c` or `d`.
fn event(rules: &RuleSet, ty: &str, at: i64, id: i64) -> Record {
    let of = rules.schema().type_id(ty).expect("it is declared");
    let at = Timestamp::from_millis(at);
    Record::new(of, at, [Value::Time(at), Value::Int(id)])
}

/// Pushes events that are made as they are pushed. Returns the time of the pushes, the number of
/// events, and what was reported.
fn run(
    rules: &RuleSet,
    events: impl Iterator<Item = Vec<Record>>,
    report: &mut Report,
) -> (Duration, u64, Counter) {
    let mut engine: Engine<Record> =
        Engine::builder().rules(rules).in_order().build().expect("it can be run");
    let (mut took, mut count, mut counter) = (Duration::ZERO, 0, Counter::default());
    for batch in events {
        let start = Instant::now();
        engine.push_batch(&batch, &mut counter).expect("no limit fails");
        took += start.elapsed();
        count += batch.len() as u64;
    }
    let start = Instant::now();
    engine.end_time(&mut counter).expect("no limit fails");
    let overflowed = engine.stats().overflowed;
    if overflowed > 0 {
        report.wrong.push(format!("busy keys: {overflowed} gave way"));
    }
    (took + start.elapsed(), count, counter)
}

/// Measures one of them, and says if other matches and timeouts were reported than are `due`.
fn measure(
    name: &str,
    rules: &RuleSet,
    events: impl Iterator<Item = Vec<Record>>,
    due: (u64, u64),
    report: &mut Report,
) -> f64 {
    let mut result = (Duration::ZERO, 0, Counter::default());
    let held = peak(|| result = run(rules, events, report));
    let (took, count, counter) = result;
    if (counter.matches, counter.timeouts) != due {
        report.wrong.push(format!("{name}: {counter:?}, and {due:?} are due"));
    }
    let each = took.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    report.figures.push(Figure {
        name: format!("{name}: an event"),
        value: each,
        unit: "us",
        bound: Some(Bound::AtMost { hold: 10.0, aim: 2.0 }),
        note: format!("{count} events, {:.1} s, {:.0} MiB", took.as_secs_f64(), mib(held)),
    });
    each
}

/// Measures W9 to W11, as far as they are wanted.
pub(crate) fn all(options: &Options, report: &mut Report) {
    if options.wants("W9") {
        hot_key(if options.test { 90 } else { 3600 }, report);
    }
    if options.wants("W10") {
        join(if options.test { 1000 } else { 500_000 }, report);
    }
    if options.wants("W11") {
        first_of_all(if options.test { 3 } else { 100 }, report);
    }
}

/// W9: a hot key, counted.
fn hot_key(seconds: i64, report: &mut Report) {
    let rules = rules(HOT);
    let of_second = |second: i64| {
        let starts = (0..1000).map(|at| event(&rules, "a", 1000 * second + at, 0));
        starts.chain([event(&rules, "b", 1000 * second + 999, 0)]).collect()
    };
    let due: i64 = (0..seconds).map(|second| 1000 * (second + 1).min(OPEN)).sum();
    let events = (0..seconds).map(of_second);
    measure("W9: a hot key, counted", &rules, events, (due.unsigned_abs(), 0), report);
}

/// W10: a join of two types without a key, beside the same rule with one. Nine of ten are joined,
/// after five minutes.
fn join(pairs: i64, report: &mut Report) {
    const BATCH: u16 = 1000;
    const LATER: i64 = 30_000;
    let due = (0..pairs).filter(|id| id % 10 != 0).count() as u64;
    let due = (due, pairs.unsigned_abs() - due);
    let mut each = [0.0; 2];
    for ((name, body), each) in
        [("W10: joined by a value", JOINED), ("W10: the same, keyed", KEYED)].iter().zip(&mut each)
    {
        let rules = rules(body);
        let batch = |first: i64| {
            (first..first + i64::from(BATCH))
                .flat_map(|number| {
                    let joined = number - LATER;
                    let ends = joined >= 0 && joined % 10 != 0 && joined < pairs;
                    let begin = (number < pairs).then(|| event(&rules, "a", 10 * number, number));
                    let end = ends.then(|| event(&rules, "b", 10 * number, joined));
                    [begin, end]
                })
                .flatten()
                .collect()
        };
        let starts = (0..pairs + LATER + i64::from(BATCH)).step_by(usize::from(BATCH));
        *each = measure(name, &rules, starts.map(batch), due, report);
    }
    report.figures.push(Figure {
        name: "W10: without a key, against with one".into(),
        value: each[0] / each[1].max(1e-9),
        unit: "times the time",
        bound: None,
        note: String::new(),
    });
}

/// W11: a million combinations for each end, and a default skip that reports the first.
fn first_of_all(blocks: i64, report: &mut Report) {
    let rules = rules(FIRST);
    let block = |number: i64| {
        let types = ["a", "b", "c"].into_iter().flat_map(|ty| std::iter::repeat_n(ty, 1000));
        let types = types.chain(["d"]);
        types.zip(3001 * number..).map(|(ty, at)| event(&rules, ty, at, 0)).collect()
    };
    let due = (blocks.unsigned_abs(), 0);
    measure("W11: the first of 10^9", &rules, (0..blocks).map(block), due, report);
}
