//! The times of a run on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::results::ResultTimes;
use super::sampler::Stopwatch;
use super::table::{Parts, share};
use crate::division::Division;

/// The times that several threads share.
#[derive(Debug)]
pub(crate) struct ThreadTimes {
    watch: Stopwatch,
    /// The times of parsing and of waiting for input, in nanoseconds.
    parsed: AtomicU64,
    waited: AtomicU64,
    /// The number of pages.
    pages: AtomicU64,
}

impl ThreadTimes {
    pub(crate) fn new() -> ThreadTimes {
        let (parsed, waited, pages) = Default::default();
        ThreadTimes { watch: Stopwatch::new(), parsed, waited, pages }
    }

    /// Parses a block.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce() -> T) -> T {
        measured(&self.parsed, parse)
    }

    /// Waits for a block of input.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> T {
        measured(&self.waited, wait)
    }

    /// Returns the times of the results of one shard for one block.
    pub(crate) fn page(&self) -> ResultTimes {
        ResultTimes::seeded(self.watch, self.pages.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the parts of the time of all threads. `busy` is the time of the shards.
    pub(crate) fn parts(
        &self,
        busy: Duration,
        results: &ResultTimes,
        steps: Vec<(Arc<str>, u64)>,
        division: Division,
    ) -> Parts {
        let matched = busy.saturating_sub(results.rendered());
        let all = steps.iter().map(|(_, steps)| steps).sum();
        let by_rule = steps.into_iter().filter(|(_, steps)| *steps > 0);
        Parts {
            read: nanos(&self.parsed),
            matched,
            by_rule: by_rule.map(|(name, steps)| (name, share(matched, steps, all))).collect(),
            write: results.rendered(),
            hand_over: results.handed_over(),
            wait: nanos(&self.waited),
            elapsed: Duration::ZERO,
            division,
        }
    }
}

fn measured<T>(sum: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    sum.fetch_add(took, Ordering::Relaxed);
    result
}

fn nanos(sum: &AtomicU64) -> Duration {
    Duration::from_nanos(sum.load(Ordering::Relaxed))
}
