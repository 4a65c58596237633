//! Events in, outputs out.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use kleene::stream::{Late, Match, Output, Overflow, Rejected, Shard, Sink, SourceId, Timeout};
use kleene::{Event, Timestamp};

use crate::batch::{Batch, Step};
use crate::error::{Panicked, Stopped};
use crate::merge::{Collector, Told};
use crate::pipeline::{Config, Ended, Pipeline};

/// Takes events one by one, as an [`Engine`](kleene::Engine) does, and tells what one engine would.
///
/// Sources are to be made on all shards, in the same order, before they are given to it
/// ([`Shard::source`]).
#[derive(Debug)]
pub struct Runner<E: Event, F> {
    pipeline: Pipeline<E, Steps<E>, Tell<F>>,
    /// What is not sent yet.
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

/// Calls a function with each thing that is told.
pub struct Tell<F>(F);

impl<F> fmt::Debug for Tell<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell(..)")
    }
}

impl<B, E, F> Collector<B, Page<E>> for Tell<F>
where
    F: FnMut(Output<E>) + Send + 'static,
{
    fn told(&mut self, _: Told<'_, B>, page: &mut Page<E>) {
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
    /// Starts a thread for each shard, and one that calls `told` with each thing that is told.
    ///
    /// # Errors
    /// If no more threads can be started.
    pub fn start(shards: Vec<Shard<E>>, config: Config, told: F) -> io::Result<Runner<E, F>> {
        let pipeline = Pipeline::start(shards, config, Page::default, Tell(told))?;
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

    /// The end of time: what is open is told. Waits until everything is.
    ///
    /// # Errors
    /// If a thread has panicked.
    pub fn finish(mut self) -> Result<Ended<Tell<F>>, Panicked> {
        // Where a thread has ended, to finish says why.
        let _ = self.flush();
        self.pipeline.finish()
    }

    fn add(&mut self, step: Own<E>) -> Result<(), Stopped> {
        self.steps.push(step);
        if self.steps.len() < self.batch { Ok(()) } else { self.flush() }
    }
}

/// What a shard tells of a batch.
struct Page<E>(VecDeque<Output<E>>);

impl<E> Default for Page<E> {
    fn default() -> Self {
        Page(VecDeque::new())
    }
}

impl<E: Event> Page<E> {
    /// Adds what `tell` tells to a sink that owns.
    fn add(&mut self, tell: impl FnOnce(&mut Vec<Output<E>>)) {
        let mut one = Vec::with_capacity(1);
        tell(&mut one);
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

    fn overflowed(&mut self, overflow: Overflow<'_>) {
        self.add(|all| Sink::<E>::overflowed(all, overflow));
    }
}
