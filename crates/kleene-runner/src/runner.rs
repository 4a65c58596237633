//! Events in, outputs out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use kleene::event::Portable;
use kleene::schema::Schema;
use kleene::stream::{
    EngineBuilder, Late, Match, Output, Overflow, Rejected, Replacement, Sink, SourceId, Stats,
    Timeout,
};
use kleene::{Event, RuleSet, Timestamp};

use crate::batch::{Batch, Step};
use crate::error::{Panicked, ReplaceError, StartError, Stopped};
use crate::merge::{Collector, ReportedStep};
use crate::pipeline::{Config, Ended, Pipeline};

/// Runs rules on several threads. A runner takes events one by one and reports the outputs of one
/// [`Engine`](kleene::Engine), in the order of one engine. [`Runner::builder`] makes one.
#[derive(Debug)]
pub struct Runner<E: Event, F> {
    pipeline: Pipeline<E, Steps<E>, Callback<F>>,
    /// The steps that are not sent yet.
    steps: Vec<Own<E>>,
    batch: usize,
}

/// A step that owns its event.
#[derive(Debug)]
enum Own<E> {
    Event(E),
    EventFrom(SourceId, E),
    Advance(Timestamp),
    AdvanceSource(SourceId, Timestamp),
    Idle(SourceId),
    EndInput,
}

#[derive(Debug)]
struct Steps<E>(Vec<Own<E>>);

impl<E: Event + Send + Sync + 'static> Batch<E> for Steps<E> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn step(&self, number: usize) -> Option<Step<'_, E>> {
        Some(match self.0.get(number)? {
            Own::Event(event) => Step::Event(event),
            Own::EventFrom(source, event) => Step::EventFrom(*source, event),
            Own::Advance(to) => Step::Advance(*to),
            Own::AdvanceSource(source, to) => Step::AdvanceSource(*source, *to),
            Own::Idle(source) => Step::Idle(*source),
            Own::EndInput => Step::EndInput,
        })
    }
}

/// A collector that calls a function with each output.
pub struct Callback<F>(F);

impl<F> fmt::Debug for Callback<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

impl<B, E, F> Collector<B, Page<E>> for Callback<F>
where
    F: FnMut(Output<E>) + Send + 'static,
{
    fn reported(&mut self, _: ReportedStep<'_, B>, page: &mut Page<E>) {
        if let Some(output) = page.0.pop_front() {
            (self.0)(output);
        }
    }
}

impl<E, F> Runner<E, F>
where
    E: Event + Send + Sync + 'static,
    F: FnMut(Output<E>) + Send + 'static,
{
    pub(crate) fn start(
        engine: EngineBuilder<E>,
        config: Config,
        sink: F,
    ) -> Result<Runner<E, F>, StartError> {
        let pipeline = Pipeline::start(engine, config, Page::default, Callback(sink))?;
        Ok(Runner { pipeline, steps: Vec::new(), batch: config.batch.max(1) })
    }

    /// Returns the number of threads that match. It can be lower than the number that was asked for:
    /// [`undivided`](Runner::undivided) returns the reason.
    pub fn threads(&self) -> usize {
        self.pipeline.threads()
    }

    /// Returns the reason why fewer threads match than were asked for; `None` if all do.
    pub fn undivided(&self) -> Option<&str> {
        self.pipeline.undivided()
    }

    /// Returns the source with this name, as [`Engine::source`](kleene::Engine::source) does. A new
    /// name makes a new source. Make all sources before the first event is pushed. The call waits
    /// until the events before it are matched.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn source(&mut self, name: &str) -> Result<SourceId, Stopped> {
        self.flush()?;
        self.pipeline.source(name)
    }

    /// Pushes an event of the only source. Waits while the queues between threads are full.
    ///
    /// # Errors
    /// [`Stopped`] if a thread has ended; [`stop`](Runner::stop) returns the reason.
    pub fn push(&mut self, event: E) -> Result<(), Stopped> {
        self.add(Own::Event(event))
    }

    /// Pushes an event of one of several sources.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn push_from(&mut self, source: SourceId, event: E) -> Result<(), Stopped> {
        self.add(Own::EventFrom(source, event))
    }

    /// Advances the watermark of the only source: no event at or before `to` will come any more.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn advance(&mut self, to: Timestamp) -> Result<(), Stopped> {
        self.add(Own::Advance(to))
    }

    /// Advances the watermark of `source`: no event at or before `to` will come from it any more.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn advance_source(&mut self, source: SourceId, to: Timestamp) -> Result<(), Stopped> {
        self.add(Own::AdvanceSource(source, to))
    }

    /// Marks `source` as idle: the other sources do not wait for it until its next event or
    /// watermark.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn set_idle(&mut self, source: SourceId) -> Result<(), Stopped> {
        self.add(Own::Idle(source))
    }

    /// Ends the input for now, as [`Engine::end_input`](kleene::Engine::end_input) does, and sends
    /// the batch. Later events continue from there.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn end_input(&mut self) -> Result<(), Stopped> {
        self.add(Own::EndInput)?;
        self.flush()
    }

    /// Sends the events that were pushed so far, without waiting for a full batch.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn flush(&mut self) -> Result<(), Stopped> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let steps = std::mem::replace(&mut self.steps, Vec::with_capacity(self.batch.min(1 << 16)));
        self.pipeline.send(Steps(steps))
    }

    /// Returns the schema that numbers event types and fields, as
    /// [`Engine::schema`](kleene::Engine::schema) does. Make [`Record`](kleene::Record)s with these
    /// after rules were [replaced](Runner::replace_rules) or restored.
    pub fn schema(&self) -> &Arc<Schema> {
        self.pipeline.schema()
    }

    /// Returns the counts of one engine after all events that were pushed. Waits until their outputs
    /// are reported.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    pub fn stats(&mut self) -> Result<Stats, Stopped> {
        self.flush()?;
        self.pipeline.stats()
    }

    /// Replaces the rules that came from rule text, between the event that was pushed last and the
    /// next one, on all threads or on none. The report equals the report of
    /// [`Engine::replace_rules`](kleene::Engine::replace_rules) on one engine.
    ///
    /// The call waits until the outputs of the events before are reported, so the sink must not wait
    /// for the thread that calls. The keys of the new rules are divided among the same threads. A
    /// thread without a key to match waits. The call takes time in proportion to the open partial
    /// matches, and for a moment twice their memory.
    ///
    /// # Errors
    /// [`ReplaceError::Refused`] if a rule cannot run over these events; the old rules
    /// then continue. [`ReplaceError::Stopped`] if a thread has ended.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use kleene::{Event, RuleSet, Timestamp};
    /// use kleene_runner::Runner;
    ///
    /// #[derive(Clone, Event)]
    /// struct Hit { user: u32, at: Timestamp }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rules = |count: u32| RuleSet::parse(&format!(
    ///     "event hit {{ user: int, at: time }}
    ///      rule often {{ key user  match hit{{{count}}}  within 1m  emit {{ user }} }}",
    /// ));
    /// let hit = |second: i64, user| Hit { user, at: Timestamp::from_millis(1000 * second) };
    ///
    /// let (sender, found) = mpsc::channel();
    /// let mut runner = Runner::builder().rules(&rules(5)?).threads(2).start(move |output| {
    ///     let _ = sender.send(output);
    /// })?;
    /// for user in 0..10 {
    ///     runner.push(hit(1, user))?;
    /// }
    /// let replacement = runner.replace_rules(&rules(3)?)?;
    /// let often = replacement.rule("often").unwrap();
    /// assert_eq!((often.kept, often.dropped), (10, 0));
    ///
    /// runner.push(hit(2, 7))?;
    /// runner.push(hit(3, 7))?;
    /// assert_eq!(runner.end_time()?.stats.matches, 1);
    /// assert_eq!(found.iter().count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_rules(&mut self, rules: &RuleSet) -> Result<Replacement, ReplaceError> {
        self.flush()?;
        self.pipeline.replace_rules(rules)
    }

    /// Waits until the outputs of all events are reported, and ends the threads. Open partial matches
    /// are not reported; a [snapshot](Runner::snapshot) that was taken before holds them.
    ///
    /// # Errors
    /// [`Panicked`] if a thread has panicked.
    pub fn stop(mut self) -> Result<Ended<Callback<F>>, Panicked> {
        // If a thread has ended, `stop` says why.
        let _ = self.flush();
        self.pipeline.stop()
    }

    /// Ends time, as [`Engine::end_time`](kleene::Engine::end_time) does: all deadlines fire. Waits
    /// until everything is reported, and ends the threads.
    ///
    /// # Errors
    /// [`Panicked`] if a thread has panicked.
    pub fn end_time(mut self) -> Result<Ended<Callback<F>>, Panicked> {
        // If a thread has ended, `end_time` says why.
        let _ = self.flush();
        self.pipeline.end_time()
    }

    fn add(&mut self, step: Own<E>) -> Result<(), Stopped> {
        self.steps.push(step);
        if self.steps.len() < self.batch { Ok(()) } else { self.flush() }
    }
}

impl<E, F> Runner<E, F>
where
    E: Event + Portable + Send + Sync + 'static,
    F: FnMut(Output<E>) + Send + 'static,
{
    pub(crate) fn restore(
        engine: EngineBuilder<E>,
        parts: &[impl AsRef<[u8]>],
        config: Config,
        sink: F,
    ) -> Result<(Runner<E, F>, Replacement), StartError> {
        let (pipeline, replacement) =
            Pipeline::restore(engine, parts, config, Page::default, Callback(sink))?;
        let runner = Runner { pipeline, steps: Vec::new(), batch: config.batch.max(1) };
        Ok((runner, replacement))
    }

    /// Returns the whole state after the event that was pushed last as bytes, one part for each
    /// thread. The outputs of the events before are reported before the call returns, so the sink
    /// must not wait for the thread that calls.
    ///
    /// [`RunnerBuilder::restore`](crate::RunnerBuilder::restore) makes a runner of all parts together,
    /// with any number of threads.
    /// [`EngineBuilder::restore`](kleene::stream::EngineBuilder::restore) makes one engine.
    ///
    /// # Errors
    /// [`Stopped`] as for [`push`](Runner::push).
    ///
    /// ```
    /// use kleene::{Record, RuleSet, Timestamp};
    /// use kleene_runner::Runner;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rules = RuleSet::parse(
    ///     "event hit { user: int, at: time }
    ///      rule twice { key user  match hit{2}  within 1m  emit { user } }",
    /// )?;
    /// let hit = |second: i64, user: i64| {
    ///     let at = Timestamp::from_millis(1000 * second);
    ///     Record::from_fields(rules.schema(), "hit", [("user", user.into()), ("at", at.into())])
    /// };
    /// let mut runner = Runner::builder().rules(&rules).threads(2).start(|_| {})?;
    /// for user in 0..10 {
    ///     runner.push(hit(1, user)?)?;
    /// }
    /// let parts = runner.snapshot()?;
    /// runner.stop()?;
    ///
    /// // Later, on three threads.
    /// let (mut runner, _) = Runner::builder().rules(&rules).threads(3).restore(&parts, |_| {})?;
    /// for user in 0..10 {
    ///     runner.push(hit(2, user)?)?;
    /// }
    /// assert_eq!(runner.end_time()?.stats.matches, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&mut self) -> Result<Vec<Vec<u8>>, Stopped> {
        self.flush()?;
        self.pipeline.snapshot()
    }
}

/// The outputs of a shard for a batch.
struct Page<E>(VecDeque<Output<E>>);

impl<E> Default for Page<E> {
    fn default() -> Self {
        Page(VecDeque::new())
    }
}

impl<E: Event> Page<E> {
    /// Adds the outputs that `report` writes to an owning sink.
    fn add(&mut self, report: impl FnOnce(&mut Vec<Output<E>>)) {
        let mut one = Vec::with_capacity(1);
        report(&mut one);
        self.0.extend(one);
    }
}

impl<E: Event> Sink<E> for Page<E> {
    fn matched(&mut self, found: Match<'_, E>) {
        self.0.push_back(Output::Match(found.to_owned()));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.0.push_back(Output::Timeout(timeout.to_owned()));
    }

    fn filtered(&mut self, found: Match<'_, E>) {
        self.0.push_back(Output::Filtered(found.to_owned()));
    }

    fn suppressed(&mut self, found: Match<'_, E>) {
        self.0.push_back(Output::Suppressed(found.to_owned()));
    }

    fn late(&mut self, late: Late<'_, E>) {
        self.add(|all| all.late(late));
    }

    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        self.add(|all| all.rejected(rejected));
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.add(|all| Sink::<E>::overflowed(all, overflow));
    }
}
