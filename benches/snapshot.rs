//! The cost of a snapshot: writing and reading one of a million open keys, and the pause that a
//! checkpoint makes in an engine with these keys, for a full snapshot and for one of the changes
//! alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kleene::stream::{Engine, EngineBuilder, Ignore};
use kleene::{Record, RuleSet, Timestamp, Value};

/// Orders that wait for their payment.
const OPEN: i64 = 1_000_000;

/// Events between two snapshots of changes: a tenth of a second of a busy stream.
const BETWEEN: i64 = 10_000;

const RULES: &str = "
event created { order: string, amount: float, at: time }
event paid    { order: string, at: time }
rule unpaid   { key order  match created -> paid within 30d  on timeout emit { order } }
";

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules)
}

/// The creation of the order with this number, in its millisecond.
fn created(rules: &RuleSet, number: i64) -> Record {
    let order = Value::from(format!("order-{number}"));
    let at = Value::Time(Timestamp::from_millis(number));
    let fields = [("order", order), ("amount", Value::Float(9.5)), ("at", at)];
    match Record::from_fields(rules.schema(), "created", fields) {
        Ok(event) => event,
        Err(error) => panic!("{error}"),
    }
}

fn push(engine: &mut Engine<Record>, rules: &RuleSet, from: i64, to: i64) {
    for number in from..to {
        engine.push(&created(rules, number), &mut Ignore).expect("it has not ended");
    }
}

fn snapshots(criterion: &mut Criterion) {
    let rules = match RuleSet::parse(RULES) {
        Ok(rules) => rules,
        Err(error) => panic!("{error}"),
    };
    let mut engine = builder(&rules).build().expect("they can be run");
    push(&mut engine, &rules, 0, OPEN);
    assert_eq!(engine.stats().keys, OPEN.unsigned_abs());
    let bytes = engine.snapshot();

    let mut group = criterion.benchmark_group("a million open keys");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(5));
    let (elements, length) = (OPEN.unsigned_abs(), bytes.len() as u64);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes: length });
    group.bench_function("the pause of a whole snapshot", |bencher| {
        bencher.iter(|| black_box(engine.snapshot()));
    });
    group.bench_function("restore", |bencher| {
        bencher.iter(|| match builder(&rules).restore(&[&bytes]) {
            Ok((engine, _)) => assert_eq!(engine.stats().keys, elements),
            Err(error) => panic!("{error}"),
        });
    });
    let mut last = OPEN;
    let base = engine.snapshot_base();
    assert_eq!(base.len(), bytes.len());
    group.throughput(Throughput::Elements(BETWEEN.unsigned_abs()));
    group.bench_function(format!("the pause of changes after {BETWEEN} events"), |bencher| {
        bencher.iter_custom(|rounds| {
            let mut paused = Duration::ZERO;
            for _ in 0..rounds {
                push(&mut engine, &rules, last, last + BETWEEN);
                last += BETWEEN;
                let start = Instant::now();
                let changes = black_box(engine.snapshot_changes());
                paused += start.elapsed();
                assert!(changes.is_some_and(|changes| changes.len() < bytes.len() / 10));
            }
            paused
        });
    });
    group.finish();
}

criterion_group!(benches, snapshots);
criterion_main!(benches);
