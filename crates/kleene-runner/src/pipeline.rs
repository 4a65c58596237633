//! Shards on threads of their own, and a thread that merges their reports.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kleene::Event;
use kleene::event::Portable;
use kleene::schema::Schema;
use kleene::stream::{EngineBuilder, PushError, Replacement, Sink, Stats};
use kleene_engine::Shard;

use crate::batch::Batch;
use crate::error::{Panicked, StartError, Stopped};
use crate::merge::{Collector, Cut, Merged, Part, Tagging, merge};

/// The number of threads, and limits on the items that wait between them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The number of threads that match; by default as many as the machine runs at once. Fewer
    /// start if more have nothing to divide: see [`Pipeline::undivided`].
    pub threads: usize,
    /// The number of batches that may wait for each shard, and for the merge of each shard's
    /// reports; at least 1, and 4 by default.
    pub waiting: usize,
    /// The number of events in a batch of the [`Runner`](crate::Runner); 1024 by default. Outputs
    /// wait until a batch is full or [flushed](crate::Runner::flush).
    pub batch: usize,
}

impl Default for Config {
    fn default() -> Config {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Config { threads, waiting: 4, batch: 1024 }
    }
}

impl Config {
    /// Returns the configuration with another [`threads`](Config::threads).
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Config {
        self.threads = threads;
        self
    }

    /// Returns the configuration with another [`waiting`](Config::waiting).
    #[must_use]
    pub fn waiting(mut self, batches: usize) -> Config {
        self.waiting = batches;
        self
    }

    /// Returns the configuration with another [`batch`](Config::batch).
    #[must_use]
    pub fn batch(mut self, events: usize) -> Config {
        self.batch = events;
        self
    }
}

/// Engines that divide the keys of the same rules, each on a thread of its own: shards. Dropping it
/// ends them without reporting what is open.
pub struct Pipeline<E: Event, B, C> {
    pub(crate) lanes: Vec<SyncSender<Message<E, B>>>,
    /// The schema that gives the numbers of types and fields their meaning in the shards.
    pub(crate) schema: Arc<Schema>,
    shards: Vec<JoinHandle<()>>,
    merger: JoinHandle<Merged<C>>,
    /// The reason why there are fewer shards than were asked for.
    undivided: Option<String>,
}

/// A message to a shard.
pub(crate) enum Message<E: Event, B> {
    Batch(Arc<B>),
    EndTime,
    /// Something between two batches.
    Cut(Action<E>, Option<Cut>),
}

/// Work on the shard of a thread, if it has one.
pub(crate) type Action<E> = Box<dyn FnOnce(&mut Option<Shard<E>>) + Send>;

/// The result of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended<C> {
    /// The collector, which took all reports.
    pub collector: C,
    /// The counts of all shards together: those that one engine would have.
    pub stats: Stats,
    /// The reason why the run was stopped, if a rule's `limit ... fail` stopped it.
    pub failure: Option<PushError>,
}

impl<E: Event, B, C> fmt::Debug for Pipeline<E, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("shards", &self.lanes.len()).finish_non_exhaustive()
    }
}

impl<E, B, C> Pipeline<E, B, C>
where
    E: Event + Send + Sync + 'static,
    B: Batch<E>,
{
    /// Builds shards with the rules and settings of `engine`, and starts a thread for each shard and
    /// one for the collector. `page` makes the sinks that shards write to, one for each batch and
    /// shard.
    ///
    /// # Errors
    /// [`StartError`] if a rule does not fit the events, or the operating system starts no more
    /// threads.
    pub fn start<P: Sink<E> + Send + 'static>(
        engine: EngineBuilder<E>,
        config: Config,
        page: impl Fn() -> P + Send + Sync + 'static,
        collector: C,
    ) -> Result<Pipeline<E, B, C>, StartError>
    where
        C: Collector<B, P>,
    {
        let shards = Shard::build(engine, config.threads)?;
        Ok(Pipeline::run(shards, config, page, collector)?)
    }

    fn run<P: Sink<E> + Send + 'static>(
        shards: Vec<Shard<E>>,
        config: Config,
        page: impl Fn() -> P + Send + Sync + 'static,
        collector: C,
    ) -> io::Result<Pipeline<E, B, C>>
    where
        C: Collector<B, P>,
    {
        let undivided = Shard::undivided(&shards, config.threads);
        let page = Arc::new(page);
        let waiting = config.waiting.max(1);
        let schema = shards.first().map(|shard| shard.schema().clone()).unwrap_or_default();
        let peak = shards.iter().map(|shard| shard.stats().peak_partials).sum();
        let (mut lanes, mut threads, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (index, shard) in shards.into_iter().enumerate() {
            let (lane, messages) = mpsc::sync_channel(waiting);
            let (sender, parts) = mpsc::sync_channel(waiting);
            let page = Arc::clone(&page);
            let thread = thread::Builder::new().name(format!("shard-{index}"));
            threads.push(thread.spawn(move || {
                let mut shard = Some(shard);
                work(&mut shard, index == 0, &messages, &sender, &*page);
            })?);
            lanes.push(lane);
            results.push(parts);
        }
        let thread = thread::Builder::new().name(String::from("merge"));
        let merger = thread.spawn(move || merge(&results, collector, peak))?;
        Ok(Pipeline { lanes, schema, shards: threads, merger, undivided })
    }

    /// Returns the number of shards. It can be lower than [`Config::threads`]:
    /// [`undivided`](Pipeline::undivided) returns the reason.
    pub fn threads(&self) -> usize {
        self.lanes.len()
    }

    /// Returns the reason why there are fewer shards than were asked for, in words; `None` if there
    /// are not.
    ///
    /// A rule with `limit .. fail` stops one engine, which knows when. A [cold
    /// store](kleene::stream::ColdStore) belongs to one engine. Without keys there is nothing to
    /// divide: a rule without a key, a rule that feeds other rules or reads what they make, and a
    /// rule whose `suppress` or `once` concerns several keys stay in one shard.
    pub fn undivided(&self) -> Option<&str> {
        self.undivided.as_deref()
    }

    /// Sends a batch to all shards. Waits while too many batches wait already.
    ///
    /// # Errors
    /// If a thread has ended; [`end_time`](Pipeline::end_time) returns the reason.
    pub fn send(&self, batch: B) -> Result<(), Stopped> {
        let batch = Arc::new(batch);
        for lane in &self.lanes {
            lane.send(Message::Batch(Arc::clone(&batch))).map_err(|_| Stopped)?;
        }
        Ok(())
    }

    /// Ends time, so that open partial matches are reported, and waits until all is reported.
    ///
    /// # Errors
    /// If a thread has panicked.
    pub fn end_time(self) -> Result<Ended<C>, Panicked> {
        for lane in &self.lanes {
            // Fails if a thread has ended, which is reported below.
            let _ = lane.send(Message::EndTime);
        }
        self.stop()
    }

    /// Waits until all batches are done. Open partial matches are not reported.
    ///
    /// # Errors
    /// If a thread has panicked.
    pub fn stop(self) -> Result<Ended<C>, Panicked> {
        drop(self.lanes);
        let merged = self.merger.join();
        let mut panicked = None;
        for shard in self.shards {
            if let Err(payload) = shard.join() {
                panicked.get_or_insert(Panicked::new(&*payload));
            }
        }
        match (panicked, merged) {
            (Some(panicked), _) => Err(panicked),
            (None, Err(payload)) => Err(Panicked::new(&*payload)),
            (None, Ok(Merged { collector, stats, failure })) => {
                Ok(Ended { collector, stats, failure })
            }
        }
    }
}

impl<E, B, C> Pipeline<E, B, C>
where
    E: Event + Portable + Send + Sync + 'static,
    B: Batch<E>,
{
    /// Starts threads as [`start`](Pipeline::start) does, with the state of a
    /// [snapshot](Pipeline::snapshot) of any number of shards, or of
    /// [one engine](kleene::Engine::snapshot). The report says how the rules have changed since.
    ///
    /// # Errors
    /// [`StartError`] as for [`start`](Pipeline::start), and if the snapshot cannot be restored.
    pub fn restore<P: Sink<E> + Send + 'static>(
        engine: EngineBuilder<E>,
        parts: &[impl AsRef<[u8]>],
        config: Config,
        page: impl Fn() -> P + Send + Sync + 'static,
        collector: C,
    ) -> Result<(Pipeline<E, B, C>, Replacement), StartError>
    where
        C: Collector<B, P>,
    {
        let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
        let (shards, replacement) = Shard::restore(engine, config.threads, &parts)?;
        Ok((Pipeline::run(shards, config, page, collector)?, replacement))
    }
}

/// Handles messages until there are no more, or until the thread that merges has ended.
fn work<E: Event, B: Batch<E>, P: Sink<E>>(
    shard: &mut Option<Shard<E>>,
    is_first: bool,
    messages: &Receiver<Message<E, B>>,
    results: &SyncSender<Part<B, P>>,
    page: &impl Fn() -> P,
) {
    // From the first call on, the shard keeps its changes.
    shard.as_mut().map(Shard::take_changes);
    while let Ok(message) = messages.recv() {
        // Two looks at the clock for each batch.
        let started = Instant::now();
        let (mut page, mut tags, mut steps, mut cut) = (page(), Vec::new(), 0, None);
        let mut sink = Tagging::new(&mut page, &mut tags);
        let batch = match message {
            Message::Batch(batch) => {
                if let Some(shard) = shard {
                    steps = take(shard, &*batch, &mut sink);
                }
                Some(batch).filter(|_| is_first)
            }
            Message::EndTime => {
                if let Some(shard) = shard {
                    // The failure is in the part below.
                    let _ = shard.end_time(&mut sink);
                }
                None
            }
            Message::Cut(action, answer) => {
                action(shard);
                cut = answer;
                None
            }
        };
        let (changes, stats, failure) = match shard {
            Some(shard) => (shard.take_changes(), shard.stats(), shard.failure().cloned()),
            None => Default::default(),
        };
        let (has_shard, busy) = (shard.is_some(), started.elapsed());
        let part = Part { batch, page, tags, changes, stats, failure, steps, busy, has_shard, cut };
        if results.send(part).is_err() {
            return;
        }
    }
}

/// Pushes the steps of a batch until a limit stops the shard. Returns their number.
fn take<E: Event, B: Batch<E>, P: Sink<E>>(
    shard: &mut Shard<E>,
    batch: &B,
    sink: &mut Tagging<'_, P>,
) -> usize {
    let mut steps = 0;
    while steps < batch.len() && shard.failure().is_none() {
        sink.step(steps);
        steps += 1;
        if let Some(step) = batch.step(steps - 1)
            && step.take(shard, sink).is_err()
        {
            break;
        }
    }
    steps
}
