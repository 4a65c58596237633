//! The times of a run on one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use kleene::Record;
use kleene::stream::Engine;

use super::results::ResultTimes;
use super::sampler::{Sampler, Stopwatch};
use super::table::{Parts, share};

/// One event of this many is timed, or one of the number of rules if that is larger: before and
/// after the event, each rule is asked for its steps.
const ONE_OF: u32 = 64;

/// The times of a run on one thread.
#[derive(Debug)]
pub(crate) struct Profile {
    sampler: Sampler,
    watch: Stopwatch,
    /// The time of parsing, estimated.
    parsed: Duration,
    /// The time of matching, estimated.
    matched: Duration,
    /// The part of it that is in events for which the rule took steps.
    by_rule: HashMap<Arc<str>, Duration>,
    /// The time of waiting for the next block of input.
    waited: Duration,
    /// The steps of each rule before an event.
    steps: Vec<u64>,
}

/// A line of the input that is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    stands_for: u32,
    /// The start of the stage.
    start: Instant,
}

impl Profile {
    pub(crate) fn new(engine: &Engine<Record>) -> Profile {
        let one_of = ONE_OF.max(u32::try_from(engine.rules().len()).unwrap_or(u32::MAX / 2));
        Profile {
            sampler: Sampler::new(one_of),
            watch: Stopwatch::new(),
            parsed: Duration::ZERO,
            matched: Duration::ZERO,
            by_rule: HashMap::new(),
            waited: Duration::ZERO,
            steps: Vec::new(),
        }
    }

    /// Starts to time the parsing of the next line, if it is its turn.
    #[inline]
    pub(crate) fn start_parsing(&mut self) -> Option<Sample> {
        let stands_for = self.sampler.next()?;
        Some(Sample { stands_for, start: Instant::now() })
    }

    /// The line is parsed: the engine is next.
    pub(crate) fn end_parsing(
        &mut self,
        sample: Sample,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) -> Sample {
        self.parsed += self.watch.between(sample.start, Instant::now()) * sample.stands_for;
        self.start_matching(sample.stands_for, engine, results)
    }

    /// Starts to time the engine.
    pub(crate) fn start_matching(
        &mut self,
        stands_for: u32,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) -> Sample {
        self.steps.clear();
        self.steps.extend(engine.steps_by_rule().map(|(_, steps)| steps));
        results.enter();
        Sample { stands_for, start: Instant::now() }
    }

    /// The engine is done.
    pub(crate) fn end_matching(
        &mut self,
        sample: Sample,
        engine: &Engine<Record>,
        results: &mut ResultTimes,
    ) {
        let took = self.watch.between(sample.start, Instant::now());
        let took = took.saturating_sub(results.leave()) * sample.stands_for;
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

    /// Returns the parts of the time of the whole run.
    pub(crate) fn parts(self, elapsed: Duration, results: &ResultTimes) -> Parts {
        let mut parts = Parts {
            read: self.parsed,
            matched: self.matched,
            by_rule: self.by_rule.into_iter().collect(),
            write: results.rendered(),
            hand_over: results.handed_over(),
            wait: self.waited,
            elapsed,
            threads: 1,
        };
        parts.fit();
        parts
    }
}
