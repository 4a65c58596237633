//! Each workload over a small generated stream, the engine beside the state machine that was
//! written by hand for it, and the ratio of the two. A wrong count fails the measurement.
//!
//! `examples/workloads.rs` measures the same on the full streams.

#[path = "workloads/mod.rs"]
mod suite;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kleene::Record;
use suite::{WORKLOADS, Workload, run};

const EVENTS: usize = 50_000;
const SEED: u64 = 1;

/// The number of rules of W8.
const RULES: usize = 100;

fn workloads(criterion: &mut Criterion) {
    for workload in &WORKLOADS {
        let rules = workload.rule_set(RULES);
        let events = workload.generate(rules.schema(), EVENTS, SEED);
        let counts = run(&mut workload.engine(&rules.clone()), &events);
        let mut group = criterion.benchmark_group(workload.id);
        group.throughput(Throughput::Elements(events.len() as u64)).sample_size(10);
        group.bench_function("engine", |bencher| {
            bencher.iter_batched_ref(
                || workload.engine(&rules.clone()),
                |engine| assert_eq!(run(engine, &events), counts),
                BatchSize::LargeInput,
            );
        });
        assert_eq!((workload.baseline)(&events, RULES), counts, "{}", workload.id);
        group.bench_function("baseline", |bencher| {
            bencher.iter(|| (workload.baseline)(black_box(&events), RULES));
        });
        group.finish();
        if std::env::args().all(|arg| arg != "--test") {
            report_ratio(workload, &events);
        }
    }
}

/// Prints how much of the hand-written state machine's speed the engine reaches.
fn report_ratio(workload: &Workload, events: &[Record]) {
    let rules = workload.rule_set(RULES);
    let best = |run: &mut dyn FnMut() -> Duration| (0..5).map(|_| run()).min().unwrap_or_default();
    let engine = best(&mut || {
        let mut engine = workload.engine(&rules.clone());
        let start = Instant::now();
        black_box(run(&mut engine, events));
        start.elapsed()
    });
    let by_hand = best(&mut || {
        let start = Instant::now();
        black_box((workload.baseline)(black_box(events), RULES));
        start.elapsed()
    });
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        let share = by_hand.as_secs_f64() / engine.as_secs_f64();
        println!("{}: {share:.2} of the speed of the state machine by hand", workload.id);
    }
}

criterion_group!(benches, workloads);
criterion_main!(benches);
