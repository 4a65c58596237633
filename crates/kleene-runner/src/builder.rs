//! The configuration of a runner.

use std::time::Duration;

use kleene::event::Portable;
use kleene::stream::{EngineBuilder, Output, Replacement};
use kleene::{Engine, Event, RuleSet};

use crate::error::StartError;
use crate::pipeline::Config;
use crate::runner::Runner;

/// Configures a [`Runner`].
///
/// ```
/// use kleene::{Event, RuleSet, Timestamp};
/// use kleene_runner::Runner;
///
/// #[derive(Clone, Event)]
/// struct Hit { user: u32, at: Timestamp }
///
/// let rules = RuleSet::parse_for::<Hit>("rule twice { key user  match hit{2} }")?;
/// let mut runner = Runner::builder().rules(&rules).threads(4).start(|output| drop(output))?;
/// for user in [1, 2, 2, 1] {
///     runner.push(Hit { user, at: Timestamp::from_millis(0) })?;
/// }
/// assert_eq!((runner.threads(), runner.undivided()), (4, None));
/// assert_eq!(runner.end_time()?.stats.matches, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct RunnerBuilder<E: Event> {
    engine: EngineBuilder<E>,
    config: Config,
}

impl<E> Runner<E, fn(Output<E>)>
where
    E: Event + Send + Sync + 'static,
{
    /// Returns a builder without rules, for events in time order.
    pub fn builder() -> RunnerBuilder<E> {
        RunnerBuilder::new()
    }
}

impl<E: Event + Send + Sync + 'static> RunnerBuilder<E> {
    fn new() -> RunnerBuilder<E> {
        RunnerBuilder { engine: Engine::builder(), config: Config::default() }
    }

    /// Adds the rules of a rule set, as [`EngineBuilder::rules`] does.
    pub fn rules(mut self, rules: &RuleSet) -> Self {
        self.engine = self.engine.rules(rules);
        self
    }

    /// Accepts events up to `bound` older than the newest event, as [`EngineBuilder::out_of_order`]
    /// does.
    pub fn out_of_order(mut self, bound: Duration) -> Self {
        self.engine = self.engine.out_of_order(bound);
        self
    }

    /// Changes any setting of the engines: patterns, limits, watermarks.
    ///
    /// ```
    /// use kleene::{RuleSet, Record};
    /// use kleene_runner::Runner;
    ///
    /// let rules = RuleSet::parse("event hit { at: time }  rule twice { match hit{2} }")?;
    /// let builder = Runner::<Record, _>::builder().rules(&rules);
    /// let runner = builder.engine(|engine| engine.limit_partials(1_000_000)).start(|_| {})?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn engine(mut self, change: impl FnOnce(EngineBuilder<E>) -> EngineBuilder<E>) -> Self {
        self.engine = change(self.engine);
        self
    }

    /// Sets the number of threads that match; by default as many as the machine runs at once. The
    /// number is lower if more threads have nothing to divide: see [`Runner::undivided`].
    pub fn threads(mut self, threads: usize) -> Self {
        self.config.threads = threads;
        self
    }

    /// Sets the number of events in a batch; 1024 by default. Outputs wait until a batch is full or
    /// [flushed](Runner::flush).
    pub fn batch(mut self, events: usize) -> Self {
        self.config.batch = events;
        self
    }

    /// Sets the number of batches that may wait for each thread; at least 1, and 4 by default.
    pub fn waiting(mut self, batches: usize) -> Self {
        self.config.waiting = batches;
        self
    }

    /// Starts the threads, and a thread that calls `sink` with each output.
    ///
    /// # Errors
    /// [`StartError`] if a rule does not fit the events, or the operating system starts no more
    /// threads.
    pub fn start<F>(self, sink: F) -> Result<Runner<E, F>, StartError>
    where
        F: FnMut(Output<E>) + Send + 'static,
    {
        Runner::start(self.engine, self.config, sink)
    }
}

impl<E: Event + Portable + Send + Sync + 'static> RunnerBuilder<E> {
    /// Starts the threads with the state of a [snapshot](Runner::snapshot) of a runner with any
    /// number of threads. The report says how the rules have changed since.
    ///
    /// # Errors
    /// [`StartError`] as for [`start`](RunnerBuilder::start), and if the snapshot cannot be restored.
    pub fn restore<F>(
        self,
        parts: &[impl AsRef<[u8]>],
        sink: F,
    ) -> Result<(Runner<E, F>, Replacement), StartError>
    where
        F: FnMut(Output<E>) + Send + 'static,
    {
        Runner::restore(self.engine, parts, self.config, sink)
    }
}
