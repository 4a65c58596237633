//! The numbers that are not one workload over its stream.

use std::time::{Duration, Instant};

use kleene::stream::Engine;
use kleene::{Event, Record, RuleSet, Timestamp, Value};

use crate::measure::{self, median, peak, ratio, time, time_engine};
use crate::report::{Bound, Figure, Report, mib};
use crate::sizes;
use crate::suite::{Counts, Workload, run};
use crate::{Options, busy, explosive};

/// The longest time of one run of W8, whatever the number of rules: the stream is cut to fit.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures something and reports it; fails where a stream cannot be read.
type Measure = fn(&Options, &mut Report) -> Result<(), String>;

pub(crate) fn all(options: &Options, report: &mut Report) -> Result<(), String> {
    let all: [(&str, Measure); 7] = [
        ("W1", open_partials),
        ("W1", sizes::by_kind_of_rule),
        ("W5", nobody_asks),
        ("W7", powerset),
        ("W7", explosive::all),
        ("W8", compile),
        ("W8", many_rules),
    ];
    for (id, figure) in all {
        if options.wants(id) {
            figure(options, report)?;
        }
    }
    busy::all(options, report);
    Ok(())
}

fn workload(id: &str) -> &'static Workload {
    Workload::of(id).expect("the suite has it")
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(n: usize) -> f64 {
    n as f64
}

/// W1 with so many orders open at once: what one costs.
#[expect(clippy::unnecessary_wraps, reason = "as all figures")]
fn open_partials(options: &Options, report: &mut Report) -> Result<(), String> {
    let orders: usize = if options.test { 1000 } else { 1_000_000 };
    let rules = workload("W1").rule_set(1);
    let created = rules.schema().type_id("order_created").expect("W1 has it");
    let mut events = Vec::with_capacity(orders);
    let records = allocation_counter::measure(|| {
        events.extend((0..).take(orders).map(|order| {
            // All within half a minute: nobody runs out of time.
            let time = Timestamp::from_millis(order * 30_000 / 1_000_000);
            let values = [
                Value::Time(time),
                Value::Int(order),
                Value::Int(order % 50_000),
                Value::Float(9.5),
            ];
            Record::new(created, time, values)
        }));
    });
    let mut engine = workload("W1").engine(&rules);
    let held = allocation_counter::measure(|| measure::push(&mut engine, &events));
    if engine.stats().partials != orders as u64 {
        report.wrong.push(format!("{orders} orders: {:?}", engine.stats()));
    }
    let per_order = |bytes: i64| float(usize::try_from(bytes).unwrap_or(0)) / float(orders);
    report.figures.push(Figure {
        name: "one open partial match of W1 (key, run, captures, timer)".into(),
        value: per_order(held.bytes_current),
        unit: "bytes",
        bound: Some(Bound::AtMost { hold: 300.0, aim: 120.0 }),
        note: format!(
            "{orders} orders open, {:.0} bytes each while tables grow; without their records, which \
             the caller parsed, {:.0} bytes each",
            per_order(i64::try_from(held.bytes_max).unwrap_or(i64::MAX)),
            per_order(records.bytes_current),
        ),
    });
    Ok(())
}

/// Events of types that are declared and that no rule names, and of types that nothing declares.
fn nobody_asks(options: &Options, report: &mut Report) -> Result<(), String> {
    let workload = workload("W5");
    let rules = workload.rule_set(1);
    let named: Vec<_> = ["view", "cart", "order", "pay"]
        .iter()
        .filter_map(|name| rules.schema().type_id(name))
        .collect();
    let mut events = measure::events(workload, &rules, options)?;
    events.retain(|event| !named.contains(&event.type_id()));
    let took: Vec<Duration> = (0..options.runs)
        .map(|_| {
            let (took, counts) = time_engine(workload.engine(&rules.clone()), &events);
            report.check("W5", "events that no rule names", counts, Counts::default());
            took
        })
        .collect();
    let took = median(&took).unwrap_or_default();
    report.figures.push(Figure {
        name: "events that no rule names".into(),
        value: float(events.len()) / took.as_secs_f64().max(1e-9) / 1e6,
        unit: "M events/s",
        bound: Some(Bound::AtLeast { hold: 30.0, aim: 60.0 }),
        note: format!("{} reviews and likes of W5", events.len()),
    });
    Ok(())
}

/// W7 with twenty `b`s: all their sets, reported one by one.
#[expect(clippy::unnecessary_wraps, reason = "as all figures")]
fn powerset(options: &Options, report: &mut Report) -> Result<(), String> {
    let m = if options.test { 8 } else { 20 };
    let workload = workload("W7");
    let rules = workload.rule_set(1);
    let event = |name: &str, time: i64| {
        let id = rules.schema().type_id(name).expect("W7 has it");
        let time = Timestamp::from_millis(time);
        Record::new(id, time, [Value::Time(time), Value::Int(0), Value::Int(0)])
    };
    let mut events = vec![event("a", 0)];
    events.extend((1..=m).map(|at| event("b", at)));
    events.push(event("c", m + 1));
    let expected = Counts { matches: (1 << m) - 1, timeouts: 0 };
    // Counting what is allocated costs little next to so many matches.
    let mut engine = workload.engine(&rules);
    let (mut took, mut counts) = (Duration::ZERO, Counts::default());
    let held = peak(|| {
        let start = Instant::now();
        counts = run(&mut engine, &events);
        took = start.elapsed();
    });
    report.check("W7", "the sets of one c", counts, expected);
    report.figures.push(Figure {
        name: format!("W7: 2^{m} - 1 matches reported"),
        value: took.as_secs_f64(),
        unit: "s",
        bound: Some(Bound::AtMost { hold: 5.0, aim: 1.0 }),
        note: String::new(),
    });
    report.figures.push(Figure {
        name: format!("W7: 2^{m} - 1 matches, peak heap"),
        value: mib(held),
        unit: "MiB",
        bound: Some(Bound::AtMost { hold: 1024.0, aim: 256.0 }),
        note: String::new(),
    });
    Ok(())
}

/// From the text of 10,000 rules to an engine that runs them.
#[expect(clippy::unnecessary_wraps, reason = "as all figures")]
fn compile(options: &Options, report: &mut Report) -> Result<(), String> {
    let rules = if options.test { 10 } else { 10_000 };
    let text = workload("W8").text(rules);
    let took: Vec<Duration> = (0..options.runs.min(3))
        .map(|_| {
            let (took, built) = time(|| {
                let rules = RuleSet::parse(&text).ok()?;
                Engine::<Record>::builder().rules(&rules).build().ok()
            });
            if built.is_none() {
                report.wrong.push(format!("W8: {rules} rules make no engine"));
            }
            took
        })
        .collect();
    report.figures.push(Figure {
        name: format!("compile {rules} rules from text"),
        value: median(&took).unwrap_or_default().as_secs_f64(),
        unit: "s",
        bound: Some(Bound::AtMost { hold: 2.0, aim: 0.5 }),
        note: format!("{} KiB of text, to an engine", text.len() / 1024),
    });
    Ok(())
}

/// W8 with more and more rules, next to one rule over the same events.
fn many_rules(options: &Options, report: &mut Report) -> Result<(), String> {
    let workload = workload("W8");
    let one = workload.rule_set(1);
    let all = measure::events(workload, &one, options)?;
    let counts: &[usize] = if options.test { &[1, 10] } else { &[1, 10, 100, 1000, 10_000] };
    for &rules in counts {
        eprintln!("W8 with {rules} rules ...");
        let set = workload.rule_set(rules);
        let pilot = &all[..all.len().min(2000)];
        let (took, _) = time_engine(workload.engine(&set.clone()), pilot);
        let all_would_take = took.mul_f64(float(all.len()) / float(pilot.len().max(1)));
        let part = (ratio(PATIENCE, all_would_take)).min(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of the length"
        )]
        let events = &all[..((float(all.len()) * part) as usize).max(pilot.len())];
        let is_slow = all_would_take > PATIENCE / 4;
        let expected = (workload.baseline)(events, rules);
        let expected_of_one = (workload.baseline)(events, 1);
        let (mut times, mut rates, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..if is_slow { 1 } else { options.runs } {
            let (took, found) = time_engine(workload.engine(&set.clone()), events);
            report.check("W8", &format!("{rules} rules"), found, expected);
            let (took_one, found) = time_engine(workload.engine(&one.clone()), events);
            report.check("W8", "1 rule", found, expected_of_one);
            let (by_hand, _) = time(|| (workload.baseline)(events, rules));
            times.push(ratio(took, took_one));
            rates.push(float(events.len()) / took.as_secs_f64().max(1e-9) / 1e6);
            shares.push(ratio(by_hand, took));
        }
        let bound = (rules == 1000).then_some(Bound::AtMost { hold: 4.0, aim: 1.5 });
        report.figures.push(Figure {
            name: format!("W8: {rules} rules against 1"),
            value: median(&times).unwrap_or_default(),
            unit: "times the time",
            bound,
            note: format!(
                "{:.3} M events/s, {:.3} of by hand, {} events, {} matches, {}",
                median(&rates).unwrap_or_default(),
                median(&shares).unwrap_or_default(),
                events.len(),
                expected.matches,
                if is_slow { "one run" } else { "median" },
            ),
        });
    }
    Ok(())
}
