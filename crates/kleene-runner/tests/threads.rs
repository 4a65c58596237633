//! Events between threads: back-pressure, ends, panics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kleene::stream::{EngineBuilder, Match, Output, Sink, Stats};
use kleene::{Engine, Event, Pattern, Timestamp};
use kleene_runner::{
    Batch, Collector, Config, Pipeline, ReportedStep, Runner, RunnerBuilder, Step, Stopped,
    in_order,
};

#[derive(Clone, Debug, Event, PartialEq)]
struct Hit {
    user: i64,
    at: Timestamp,
}

fn hit(number: i64) -> Hit {
    Hit { user: number % 10, at: Timestamp::from_millis(number) }
}

/// Every hit is a match; a hit of `bad` panics.
fn hits(bad: i64) -> EngineBuilder<Hit> {
    let pattern = Pattern::<Hit>::begin("hit")
        .when(move |hit| {
            assert!(hit.at.as_millis() != bad, "a condition that panics");
            true
        })
        .key("user")
        .build()
        .unwrap();
    Engine::builder().pattern("hits", &pattern)
}

fn runner(bad: i64, threads: usize) -> RunnerBuilder<Hit> {
    Runner::builder().engine(|_| hits(bad)).threads(threads)
}

/// Waits for something that must not hang.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    result.recv_timeout(Duration::from_mins(1)).expect("it ends")
}

#[test]
fn a_slow_listener_holds_up_who_pushes() {
    let (allow, allowed) = mpsc::channel::<()>();
    let pushed = Arc::new(AtomicUsize::new(0));
    let reported = move |_: Output<Hit>| {
        // Fails once all are allowed.
        let _ = allowed.recv();
    };
    let builder = runner(-1, 2).batch(10).waiting(2);
    let mut runner = builder.start(reported).unwrap();
    let count = Arc::clone(&pushed);
    let pushing = std::thread::spawn(move || {
        for number in 0..1000 {
            runner.push(hit(number)).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
        runner.end_time().unwrap().stats
    });
    // Until nothing moves any more.
    let mut before = usize::MAX;
    while before != pushed.load(Ordering::SeqCst) {
        before = pushed.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200));
    }
    // Two batches before and two behind each shard, one in each thread's hands, one being made.
    assert!(before <= 10 * (2 + 1 + 2 + 1 + 1), "{before} were pushed while nobody listened");
    drop(allow);
    assert_eq!(in_time(move || pushing.join().unwrap()).matches, 1000);
}

#[test]
fn a_shard_that_panics_ends_the_run() {
    for of in [1, 2, 3] {
        let panicked = in_time(move || {
            let mut runner = runner(500, of).batch(10).start(|_| {}).unwrap();
            let pushed = (0..1_000_000).try_for_each(|number| runner.push(hit(number)));
            assert_eq!(pushed, Err(Stopped));
            runner.end_time().unwrap_err()
        });
        assert_eq!(panicked.message(), "a condition that panics");
    }
}

#[test]
fn a_listener_that_panics_ends_the_run() {
    let panicked = in_time(|| {
        let reported = |output| match output {
            Output::Match(found) => {
                assert!(found.reported_at.as_millis() < 500, "a listener that panics");
            }
            other => panic!("{other:?}"),
        };
        let mut runner = runner(-1, 2).batch(10).start(reported).unwrap();
        let pushed = (0..1_000_000).try_for_each(|number| runner.push(hit(number)));
        assert_eq!(pushed, Err(Stopped));
        runner.end_time().unwrap_err()
    });
    assert_eq!(panicked.message(), "a listener that panics");
}

/// A batch of the host's own, and a page that keeps no more than a number.
struct Range(std::ops::Range<i64>, Vec<Hit>);

impl Batch<Hit> for Range {
    fn len(&self) -> usize {
        self.1.len()
    }

    fn step(&self, number: usize) -> Option<Step<'_, Hit>> {
        // Every third is nothing for engines.
        (!number.is_multiple_of(3)).then(|| Step::Event(&self.1[number]))
    }
}

fn range(range: std::ops::Range<i64>) -> Range {
    Range(range.clone(), range.map(hit).collect())
}

#[derive(Default)]
struct Times(std::collections::VecDeque<i64>);

impl Sink<Hit> for Times {
    fn matched(&mut self, found: Match<'_, Hit>) {
        self.0.push_back(found.reported_at().as_millis());
    }
}

/// Ends after this number of batches.
struct Until(usize, Vec<(usize, i64)>);

impl Collector<Range, Times> for Until {
    fn reported(&mut self, reported: ReportedStep<'_, Range>, page: &mut Times) {
        let end = page.0.pop_front().expect("it was reported");
        let batch = reported.batch.expect("nothing is reported at the end");
        assert_eq!(batch.0.start + i64::try_from(reported.step).unwrap(), end);
        self.1.push((reported.step, end));
    }

    fn done(&mut self, reported: ReportedStep<'_, Range>, stats: &Stats) -> ControlFlow<()> {
        if let Some(batch) = reported.batch {
            assert_eq!(reported.step, batch.len());
            assert_eq!(stats.matches, self.1.len() as u64);
        }
        self.0 -= 1;
        if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn batches_and_pages_can_be_of_any_kind() {
    let (config, until) = (Config::default().threads(3), Until(usize::MAX, Vec::new()));
    let pipeline = Pipeline::start(hits(-1), config, Times::default, until).unwrap();
    assert_eq!((pipeline.threads(), pipeline.undivided()), (3, None));
    for start in (0..300).step_by(30) {
        pipeline.send(range(start..start + 30)).unwrap();
    }
    let ended = pipeline.stop().unwrap();
    assert_eq!((ended.stats.events, ended.stats.matches), (200, 200));
    let expected = (0..300).filter(|number| number % 3 != 0);
    assert!(ended.collector.1.iter().map(|(_, end)| *end).eq(expected));
}

#[test]
fn a_collector_can_end_the_run() {
    let ended = in_time(|| {
        let (config, until) = (Config::default().threads(2), Until(5, Vec::new()));
        let pipeline = Pipeline::start(hits(-1), config, Times::default, until).unwrap();
        let mut starts = (0..).step_by(30);
        while pipeline.send(range(starts.next().unwrap()..starts.next().unwrap())).is_ok() {}
        pipeline.end_time().unwrap()
    });
    assert_eq!(ended.collector.0, 0);
    assert_eq!(ended.stats.matches, ended.collector.1.len() as u64);
}

#[test]
fn a_runner_that_is_dropped_ends_its_threads() {
    let (sender, reported) = mpsc::channel();
    let reported_by = move |output: Output<Hit>| sender.send(output).unwrap();
    let mut runner = runner(-1, 2).start(reported_by).unwrap();
    for number in 0..100 {
        runner.push(hit(number)).unwrap();
    }
    runner.flush().unwrap();
    drop(runner);
    // Ends when the thread that reports has let its end of the channel go.
    assert_eq!(in_time(move || reported.iter().count()), 100);
}

#[test]
fn work_comes_out_in_order_and_waits_for_who_takes_it() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let (mut inlet, mut outlet) = in_order(3, 2, || {
        let count = Arc::clone(&count);
        move |number: u64| {
            // Some take longer than others.
            let end = Instant::now() + Duration::from_micros(number % 7 * 100);
            while Instant::now() < end {}
            count.fetch_add(1, Ordering::SeqCst);
            number * 2
        }
    })
    .unwrap();
    let feeding = std::thread::spawn(move || (0..500).try_for_each(|number| inlet.send(number)));
    std::thread::sleep(Duration::from_millis(300));
    // Each thread has two results waiting and one in hand.
    assert!(done.load(Ordering::SeqCst) <= 3 * 3);
    let results =
        in_time(move || std::iter::from_fn(move || outlet.next().unwrap()).collect::<Vec<_>>());
    assert!(results.into_iter().eq((0..500).map(|number| number * 2)));
    assert_eq!(feeding.join().unwrap(), Ok(()));
}

#[test]
fn work_that_panics_is_reported_in_its_place() {
    let (mut inlet, mut outlet) = in_order(2, 1, || {
        |number: u64| {
            assert!(number != 5, "work that panics");
            number
        }
    })
    .unwrap();
    let feeding = std::thread::spawn(move || (0..100).try_for_each(|number| inlet.send(number)));
    let (results, error) = in_time(move || {
        let mut results = Vec::new();
        loop {
            match outlet.next() {
                Ok(Some(number)) => results.push(number),
                Ok(None) => panic!("the panic is reported"),
                Err(error) => return (results, error),
            }
        }
    });
    assert_eq!((results, error.message()), (vec![0, 1, 2, 3, 4], "work that panics"));
    assert_eq!(in_time(move || feeding.join().unwrap()), Err(Stopped));
}
