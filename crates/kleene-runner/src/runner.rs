//! Events in, outputs out.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use kleene::event::Portable;
use kleene::schema::Schema;
use kleene::stream::{
    Late, Match, Output, Overflow, Rejected, Replacement, Shard, Sink, SourceId, Stats, Timeout,
};
use kleene::{Event, RuleSet, Timestamp};

use crate::batch::{Batch, Step};
use crate::error::{Panicked, ReplaceError, Stopped};
use crate::merge::{Collector, ReportedStep};
use crate::pipeline::{Config, Ended, Pipeline};

/// Takes events one by one, as an [`Engine`](kleene::Engine) does, and reports what one engine
/// would.
///
/// Sources are to be made on all shards, in the same order, before they are given to it
/// ([`Shard::source`]).
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
        })
    }
}

/// Calls a function with each thing that is reported.
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
    /// Starts a thread for each shard, and one that calls `reported` with each thing that is
    /// reported.
    ///
    /// # Errors
    /// If no more threads can be started.
    pub fn start(shards: Vec<Shard<E>>, config: Config, reported: F) -> io::Result<Runner<E, F>> {
        let pipeline = Pipeline::start(shards, config, Page::default, Callback(reported))?;
        Ok(Runner { pipeline, steps: Vec::new(), batch: config.batch.max(1) })
    }

    /// Takes an event of the only source. Waits while too much is to be done already.
    ///
    /// # Errors
    /// If a thread has ended; to [finish](Runner::finish) says why.
    pub fn push(&mut self, event: E) -> Result<(), Stopped> {
        self.add(Own::Event(event))
    }

    /// Takes an event of one of several sources.
    ///
    /// # Errors
    /// As for [`push`](Runner::push); so with all that follow.
    pub fn push_from(&mut self, source: SourceId, event: E) -> Result<(), Stopped> {
        self.add(Own::EventFrom(source, event))
    }

    /// The only source says that no event at or before `to` will come any more.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    pub fn advance(&mut self, to: Timestamp) -> Result<(), Stopped> {
        self.add(Own::Advance(to))
    }

    /// `source` says that no event at or before `to` will come from it any more.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    pub fn advance_source(&mut self, source: SourceId, to: Timestamp) -> Result<(), Stopped> {
        self.add(Own::AdvanceSource(source, to))
    }

    /// `source` has nothing to say for now.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    pub fn set_idle(&mut self, source: SourceId) -> Result<(), Stopped> {
        self.add(Own::Idle(source))
    }

    /// Gives the shards what has come so far, without waiting for more to make a batch of.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    pub fn flush(&mut self) -> Result<(), Stopped> {
        if self.steps.is_empty() {
            return Ok(());
        }
        let steps = std::mem::replace(&mut self.steps, Vec::with_capacity(self.batch.min(1 << 16)));
        self.pipeline.send(Steps(steps))
    }

    /// Returns what the numbers of event types and fields mean, as for
    /// [`Engine::schema`](kleene::Engine::schema). Make [`Record`](kleene::Record)s with these
    /// after rules were [replaced](Runner::replace_rules) or restored.
    pub fn schema(&self) -> &Arc<Schema> {
        self.pipeline.schema()
    }

    /// The counts of all shards together, after all that was pushed. Waits until what comes of it
    /// is reported.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    pub fn stats(&mut self) -> Result<Stats, Stopped> {
        self.flush()?;
        self.pipeline.stats()
    }

    /// Replaces the rules that came from rule text, between the event that was pushed last and the
    /// next one, in all shards or in none. The report equals the report of
    /// [`Engine::replace_rules`](kleene::Engine::replace_rules) on one engine: its counts are sums
    /// over all shards.
    ///
    /// It waits until what comes of the events before is reported. So a listener must not wait for
    /// the thread that calls it. The new rules are divided between the threads that there are: as
    /// many as there were shards at the start. Where only one shard is of use to them, the other
    /// threads wait. It takes time in proportion to what is open, and for a moment twice its
    /// memory.
    ///
    /// # Errors
    /// If a rule cannot be run over these events; then the old rules go on. Or if a thread has
    /// ended.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Event, RuleSet, Timestamp};
    /// use kleene_runner::{Config, Runner};
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
    /// let shards = Engine::builder().rules(rules(5)?).shards(2)?;
    /// let (sender, found) = mpsc::channel();
    /// let mut runner = Runner::start(shards, Config::default(), move |output: Output<Hit>| {
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
    /// assert_eq!(runner.finish()?.stats.matches, 1);
    /// assert_eq!(found.iter().count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_rules(&mut self, rules: &RuleSet) -> Result<Replacement, ReplaceError> {
        self.flush()?;
        self.pipeline.replace_rules(rules)
    }

    /// Waits until what comes of all that was pushed is reported, and ends the threads. What is
    /// open is not reported: a [snapshot](Runner::snapshot) that was taken before has it.
    ///
    /// # Errors
    /// If a thread has panicked.
    pub fn stop(mut self) -> Result<Ended<Callback<F>>, Panicked> {
        // If a thread has ended, `stop` says why.
        let _ = self.flush();
        self.pipeline.stop()
    }

    /// The end of time: what is open is reported. Waits until everything is.
    ///
    /// # Errors
    /// If a thread has panicked.
    pub fn finish(mut self) -> Result<Ended<Callback<F>>, Panicked> {
        // If a thread has ended, `finish` says why.
        let _ = self.flush();
        self.pipeline.finish()
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
    /// All that the shards hold after the event that was pushed last, as bytes: one part for each
    /// shard. Results of the events before are reported before it returns, and results of later
    /// events are not. So a listener must not wait for the thread that calls it.
    ///
    /// [`EngineBuilder::restore_shards`](kleene::stream::EngineBuilder::restore_shards) makes
    /// shards for a new runner of all parts together, any number of them, and
    /// [`EngineBuilder::restore`](kleene::stream::EngineBuilder::restore) one engine.
    ///
    /// # Errors
    /// As for [`push`](Runner::push).
    ///
    /// ```
    /// use kleene::stream::Output;
    /// use kleene::{Engine, Record, RuleSet, Timestamp};
    /// use kleene_runner::{Config, Runner};
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
    /// let shards = Engine::builder().rules(rules.clone()).shards(2)?;
    /// let mut runner = Runner::start(shards, Config::default(), |_: Output<Record>| {})?;
    /// for user in 0..10 {
    ///     runner.push(hit(1, user)?)?;
    /// }
    /// let parts = runner.snapshot()?;
    /// runner.stop()?;
    ///
    /// // Later, on three threads.
    /// let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    /// let (shards, _) = Engine::builder().rules(rules.clone()).restore_shards(3, &parts)?;
    /// let mut runner = Runner::start(shards, Config::default(), |_: Output<Record>| {})?;
    /// for user in 0..10 {
    ///     runner.push(hit(2, user)?)?;
    /// }
    /// assert_eq!(runner.finish()?.stats.matches, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&mut self) -> Result<Vec<Vec<u8>>, Stopped> {
        self.flush()?;
        self.pipeline.snapshot()
    }
}

/// The reports of a shard for a batch.
struct Page<E>(VecDeque<Output<E>>);

impl<E> Default for Page<E> {
    fn default() -> Self {
        Page(VecDeque::new())
    }
}

impl<E: Event> Page<E> {
    /// Adds what `report` reports to a sink that owns.
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
