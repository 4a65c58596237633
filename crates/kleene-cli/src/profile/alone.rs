//! The times of a run of one engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use kleene::Record;
use kleene::stream::Engine;

use super::results::ResultTimes;
use super::sampler::Stopwatch;
use super::table::{Parts, share};
use crate::division::Division;

/// The times of the thread that matches, in a run of one engine.
#[derive(Debug)]
pub(crate) struct Profile {
    watch: Stopwatch,
    /// The time of parsing.
    parsed: Duration,
    /// The time of matching.
    matched: Duration,
    /// The part of it that is in batches for which the rule took steps.
    by_rule: HashMap<Arc<str>, Duration>,
    /// The time of waiting for the next block of input.
    waited: Duration,
    /// The steps of each rule before a batch.
    steps: Vec<u64>,
}

impl Profile {
    pub(crate) fn new() -> Profile {
        Profile {
            watch: Stopwatch::new(),
            parsed: Duration::ZERO,
            matched: Duration::ZERO,
            by_rule: HashMap::new(),
            waited: Duration::ZERO,
            steps: Vec::new(),
        }
    }

    /// The batch whose parsing began at `start` is parsed: the engine is next. Returns its start.
    pub(crate) fn end_parsing(
        &mut self,
        start: Instant,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) -> Instant {
        self.parsed += self.watch.between(start, Instant::now());
        self.start_matching(engine, results)
    }

    /// Starts to time the engine.
    pub(crate) fn start_matching(
        &mut self,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) -> Instant {
        self.steps.clear();
        self.steps.extend(engine.steps_by_rule().map(|(_, steps)| steps));
        results.enter();
        Instant::now()
    }

    /// The engine is done.
    pub(crate) fn end_matching(
        &mut self,
        start: Instant,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) {
        let took = self.watch.between(start, Instant::now()).saturating_sub(results.leave());
        self.matched += took;
        let taken = || {
            let steps = engine.steps_by_rule().zip(&self.steps);
            steps.map(|((rule, after), before)| (rule, after.saturating_sub(*before)))
        };
        let all = taken().map(|(_, steps)| steps).sum();
        for (rule, steps) in taken().filter(|(_, steps)| *steps > 0) {
            *self.by_rule.entry_ref(&rule.name).or_default() += share(took, steps, all);
        }
    }

    /// Waits for input.
    pub(crate) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = wait();
        self.waited += start.elapsed();
        result
    }

    /// Returns the parts of the time of a run on one thread.
    pub(crate) fn parts(self, elapsed: Duration, results: &ResultTimes) -> Parts {
        let mut parts = self.sums(elapsed, results);
        parts.fit();
        parts
    }

    /// Returns the parts of the time of a run whose input was also parsed by another thread.
    pub(crate) fn parts_of_stages(self, parsed: Duration, results: &ResultTimes) -> Parts {
        let parts = self.sums(Duration::ZERO, results);
        Parts { read: parts.read + parsed, division: Division::Stages, ..parts }
    }

    fn sums(self, elapsed: Duration, results: &ResultTimes) -> Parts {
        Parts {
            read: self.parsed,
            matched: self.matched,
            by_rule: self.by_rule.into_iter().collect(),
            write: results.rendered(),
            hand_over: results.handed_over(),
            wait: self.waited,
            elapsed,
            division: Division::Alone,
        }
    }
}
