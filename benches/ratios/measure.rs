//! Runs of the engine and of the state machines by hand, and what they took.

use std::time::{Duration, Instant};

use kleene::stream::{Engine, Ignore};
use kleene::{Event, Record, RuleSet};

use crate::Options;
use crate::report::{Report, Row};
use crate::suite::{Counts, Workload, read, run, shuffle};

/// Of the streams that are made up.
const SEED: u64 = 1;

/// Returns the time of `work`. The allocator does not count meanwhile, which would slow it.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let mut result = None;
    allocation_counter::opt_out(|| {
        let start = Instant::now();
        let done = work();
        result = Some((start.elapsed(), done));
    });
    result.expect("the closure has run")
}

/// Pushes all events to the end of time; what it takes to drop the engine counts, too.
pub(crate) fn time_engine(mut engine: Engine<Record>, events: &[Record]) -> (Duration, Counts) {
    time(move || run(&mut engine, events))
}

/// The most bytes that `work` held at once, beyond what was there before.
pub(crate) fn peak(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).bytes_max
}

/// Returns the median; of an even number of values the upper of the two in the middle.
pub(crate) fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut values = values.to_vec();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}

/// Of one thing to another, `a / b`.
pub(crate) fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(1e-9)
}

/// The events of a workload, read from the directory or made up, in time order.
pub(crate) fn events(
    workload: &Workload,
    rules: &RuleSet,
    options: &Options,
) -> Result<Vec<Record>, String> {
    match &options.dir {
        Some(dir) => read(&dir.join(workload.name).with_extension("csv"), rules.schema()),
        None => Ok(workload.generate(rules.schema(), options.events, SEED)),
    }
}

/// Measures one workload: sorted against the state machine by hand, out of order against sorted.
pub(crate) fn workload(
    workload: &Workload,
    options: &Options,
    report: &mut Report,
) -> Result<(), String> {
    let rules = workload.rule_set(1);
    let events = events(workload, &rules, options)?;
    let by_hand = |events: &[Record]| time(|| (workload.baseline)(events, 1));
    let expected = by_hand(&events).1;
    if let Some((count, full)) = workload.full
        && count == events.len()
        && full != expected
    {
        report.wrong.push(format!(
            "{}: the state machine by hand finds {expected:?}, and {full:?} is right",
            workload.id
        ));
    }
    let (disordered, in_order) = disorder(&events, options.out_of_order);
    let expected_late = by_hand(&in_order).1;
    drop(in_order);
    let bound = Duration::from_millis(options.out_of_order.into());
    let late_engine = || {
        let builder = workload.builder(&rules.clone()).out_of_order(bound);
        builder.build().map_err(|error| error.to_string())
    };

    let (mut engine, mut baseline, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let (took, counts) = time_engine(workload.engine(&rules.clone()), &events);
        report.check(workload.id, "sorted", counts, expected);
        engine.push(took);
        baseline.push(by_hand(&events).0);
        let (took, counts) = time_engine(late_engine()?, &disordered);
        report.check(workload.id, "out of order", counts, expected_late);
        late.push(took);
    }
    // Neighbours in time are compared: the machine was as busy for both.
    let ratios = |a: &[Duration], b: &[Duration]| {
        let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| ratio(*a, *b)).collect();
        median(&ratios).unwrap_or_default()
    };
    let mut fresh = workload.engine(&rules.clone());
    report.rows.push(Row {
        id: workload.id,
        name: workload.name,
        events: events.len(),
        counts: expected,
        engine: median(&engine).unwrap_or_default(),
        baseline: median(&baseline).unwrap_or_default(),
        share: ratios(&baseline, &engine),
        out_of_order: ratios(&engine, &late),
        peak: peak(|| {
            run(&mut fresh, &events);
        }),
        peak_by_hand: peak(|| {
            (workload.baseline)(&events, 1);
        }),
    });
    Ok(())
}

/// The events as they come when each is late by up to `bound` milliseconds, and the same by time:
/// those of one time stay in the order of arrival, as the reorder buffer has it.
fn disorder(events: &[Record], bound: u32) -> (Vec<Record>, Vec<Record>) {
    let disordered = shuffle(events, bound);
    let mut in_order = disordered.clone();
    in_order.sort_by_key(Event::time);
    (disordered, in_order)
}

/// Pushes events without going to the end of time.
pub(crate) fn push(engine: &mut Engine<Record>, events: &[Record]) {
    engine.push_batch(events, &mut Ignore).expect("an engine that is not finished takes events");
}
