//! The time of writing results.

use std::time::{Duration, Instant};

use super::sampler::{Sampler, Stopwatch};

/// One result of this many is timed.
const ONE_OF: u32 = 16;

/// The time that was spent on results.
#[derive(Clone, Debug)]
pub(crate) struct ResultTimes {
    sampler: Sampler,
    watch: Stopwatch,
    /// The time of making lines, estimated.
    rendered: Duration,
    /// The time of giving lines to a file or a pipe.
    handed_over: Duration,
    /// The time of both since the start of what is timed; `None` if nothing is.
    within: Option<Duration>,
}

impl ResultTimes {
    pub(crate) fn new() -> ResultTimes {
        ResultTimes::of(Sampler::new(ONE_OF), Stopwatch::new())
    }

    pub(super) fn of(sampler: Sampler, watch: Stopwatch) -> ResultTimes {
        let (rendered, handed_over) = (Duration::ZERO, Duration::ZERO);
        ResultTimes { sampler, watch, rendered, handed_over, within: None }
    }

    /// Makes times for one of many pages; each has another seed.
    pub(super) fn seeded(watch: Stopwatch, seed: u64) -> ResultTimes {
        ResultTimes::of(Sampler::seeded(ONE_OF, seed), watch)
    }

    /// Makes a line, and times it if it is its turn.
    #[inline]
    pub(crate) fn render(&mut self, render: impl FnOnce()) {
        let Some(stands_for) = self.sampler.next() else { return render() };
        let start = Instant::now();
        render();
        let took = self.watch.between(start, Instant::now()) * stands_for;
        self.rendered += took;
        if let Some(within) = &mut self.within {
            *within += took;
        }
    }

    /// Gives lines to a file.
    pub(crate) fn hand_over<T>(&mut self, write: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = write();
        let took = start.elapsed();
        self.handed_over += took;
        if let Some(within) = &mut self.within {
            *within += took;
        }
        result
    }

    /// Adds up the time of results from now on.
    pub(super) fn enter(&mut self) {
        self.within = Some(Duration::ZERO);
    }

    /// Returns the time that was spent on results since `enter`.
    pub(super) fn leave(&mut self) -> Duration {
        self.within.take().unwrap_or_default()
    }

    /// Returns the time of making lines.
    pub(super) fn rendered(&self) -> Duration {
        self.rendered
    }

    /// Returns the time of giving lines to a file.
    pub(super) fn handed_over(&self) -> Duration {
        self.handed_over
    }

    /// Adds the time of making lines on a page, which has none afterwards.
    pub(crate) fn take(&mut self, page: &mut ResultTimes) {
        self.rendered += std::mem::take(&mut page.rendered);
    }
}
