//! Merges the reports of the shards for one batch into the order of a single engine.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use kleene::Event;
use kleene::stream::{Late, Match, Overflow, PushError, Rejected, Sink, Stats, Timeout};
use kleene_engine::Position;

/// Receives the outputs of all shards, in order. One separate thread calls it.
///
/// `P` is a page: what one shard reports one batch. Shards write to it as a [`Sink`], and each call
/// of [`reported`](Collector::reported) means the next thing that is on the page.
pub trait Collector<B, P>: Send + 'static {
    /// Takes the next output in the order of all shards: the next one on `page`.
    fn reported(&mut self, reported: ReportedStep<'_, B>, page: &mut P);

    /// Called when all outputs of a batch were reported, or those of the end of time. `Break` ends
    /// the run: nothing more is reported, and [`Pipeline::send`](crate::Pipeline::send) fails soon.
    fn done(&mut self, reported: ReportedStep<'_, B>, stats: &Stats) -> ControlFlow<()> {
        let _ = (reported, stats);
        ControlFlow::Continue(())
    }
}

/// The step of a batch that reported something.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReportedStep<'a, B> {
    /// The batch; `None` at the end of time.
    pub batch: Option<&'a B>,
    /// The number of the step in the batch. When all was reported, the number of steps that were
    /// taken: less than there are where a rule's limit has stopped everything.
    pub step: usize,
    /// When all was reported: the time that the shards took for the batch, in sum. Else zero.
    pub busy: Duration,
}

/// The reports of a shard for a batch.
pub(crate) struct Part<B, P> {
    /// From the first shard.
    pub(crate) batch: Option<Arc<B>>,
    pub(crate) page: P,
    /// One for each thing on the page.
    pub(crate) tags: Vec<Tag>,
    pub(crate) changes: Vec<i64>,
    pub(crate) stats: Stats,
    pub(crate) failure: Option<PushError>,
    /// The number of steps taken.
    pub(crate) steps: usize,
    /// The time that they took.
    pub(crate) busy: Duration,
    /// True if the thread has a shard. Those that have none report nothing.
    pub(crate) has_shard: bool,
    /// From the first shard, where the part is of a cut.
    pub(crate) cut: Option<Cut>,
}

/// A moment between two batches, at which the host waits until all before it is reported.
pub(crate) struct Cut {
    /// Takes the counts of all shards together.
    pub(crate) done: Sender<Stats>,
    /// True if other shards continue from here.
    pub(crate) is_new: bool,
}

/// The position of an output among those of all shards in a batch.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tag {
    step: u32,
    position: Position,
}

/// Notes where each thing stands that goes to a page.
pub(crate) struct Tagging<'a, P> {
    page: &'a mut P,
    tags: &'a mut Vec<Tag>,
    now: Tag,
}

impl<'a, P> Tagging<'a, P> {
    pub(crate) fn new(page: &'a mut P, tags: &'a mut Vec<Tag>) -> Tagging<'a, P> {
        Tagging { page, tags, now: Tag { step: 0, position: Position::default() } }
    }

    #[inline]
    pub(crate) fn step(&mut self, step: usize) {
        self.now.step = u32::try_from(step).unwrap_or(u32::MAX);
    }

    fn tag(&mut self) -> &mut P {
        self.tags.push(self.now);
        self.page
    }
}

impl<E: Event, P: Sink<E>> Sink<E> for Tagging<'_, P> {
    fn matched(&mut self, found: Match<'_, E>) {
        self.tag().matched(found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.tag().timed_out(timeout);
    }

    fn filtered(&mut self, found: Match<'_, E>) {
        self.tag().filtered(found);
    }

    fn suppressed(&mut self, found: Match<'_, E>) {
        self.tag().suppressed(found);
    }

    fn late(&mut self, late: Late<'_, E>) {
        self.tag().late(late);
    }

    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        self.tag().rejected(rejected);
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.tag().overflowed(overflow);
    }
}

impl<E: Event, P: Sink<E>> kleene_engine::Receiver<E> for Tagging<'_, P> {
    type Sink = Self;

    #[inline]
    fn outputs(&mut self) -> &mut Self {
        self
    }

    #[inline]
    fn at(&mut self, position: Position) {
        self.now.position = position;
    }
}

/// The result when all threads have ended.
pub(crate) struct Merged<C> {
    pub(crate) collector: C,
    pub(crate) stats: Stats,
    pub(crate) failure: Option<PushError>,
}

/// Reports the collector batch after batch until a shard or the collector ends.
pub(crate) fn merge<B, P, C: Collector<B, P>>(
    shards: &[Receiver<Part<B, P>>],
    collector: C,
    peak: u64,
) -> Merged<C> {
    let mut merged = Merged { collector, stats: Stats::default(), failure: None };
    let mut open = Open::from_peak(peak);
    let mut parts: Vec<Part<B, P>> = Vec::with_capacity(shards.len());
    loop {
        parts.clear();
        for shard in shards {
            // Shards end when there is nothing more to come, or by a panic.
            let Ok(part) = shard.recv() else { return merged };
            parts.push(part);
        }
        let batch = parts[0].batch.take();
        let batch = batch.as_deref();
        report(&mut parts, batch, &mut merged.collector);
        let cut = parts[0].cut.take();
        let stats: Stats = parts.iter().map(|part| part.stats).sum();
        if cut.as_ref().is_some_and(|cut| cut.is_new) {
            open = Open::from_peak(stats.peak_partials);
        }
        let shards = parts.iter().filter(|part| part.has_shard).count();
        if shards > 0 {
            merged.stats = stats;
        }
        if shards > 1 {
            merged.stats.peak_partials = open.peak(&parts);
        }
        merged.failure = parts.iter_mut().find_map(|part| part.failure.take());
        if let Some(Cut { done, .. }) = cut {
            if merged.failure.is_some() {
                return merged;
            }
            // Nobody waits where the host has panicked.
            let _ = done.send(merged.stats);
            continue;
        }
        let busy = parts.iter().map(|part| part.busy).sum();
        let reported = ReportedStep { batch, step: parts[0].steps, busy };
        let goes_on = merged.collector.done(reported, &merged.stats);
        if goes_on.is_break() || merged.failure.is_some() {
            return merged;
        }
    }
}

/// Reports what is on the pages, the least tag first.
fn report<B, P, C: Collector<B, P>>(
    parts: &mut [Part<B, P>],
    batch: Option<&B>,
    collector: &mut C,
) {
    let mut next = vec![0; parts.len()];
    let head = |parts: &[Part<B, P>], next: &[usize], shard: usize| {
        parts[shard].tags.get(next[shard]).copied()
    };
    loop {
        let heads = (0..parts.len()).filter_map(|shard| Some((head(parts, &next, shard)?, shard)));
        let Some((_, shard)) = heads.min() else { return };
        let others = (0..parts.len()).filter(|other| *other != shard);
        let until = others.filter_map(|other| head(parts, &next, other)).min();
        // One shard often has several things to report before any other.
        while let Some(tag) = head(parts, &next, shard)
            && until.is_none_or(|until| tag <= until)
        {
            next[shard] += 1;
            let (step, busy) = (tag.step as usize, Duration::ZERO);
            let reported = ReportedStep { batch, step, busy };
            collector.reported(reported, &mut parts[shard].page);
        }
    }
}

/// The number of open partial matches of all shards together.
struct Open {
    now: i128,
    peak: i128,
}

impl Open {
    /// Begins with shards that report what they hold with their first changes.
    fn from_peak(peak: u64) -> Open {
        Open { now: 0, peak: peak.into() }
    }

    /// The most that were ever open after an event. All parts speak of the same events.
    fn peak<B, P>(&mut self, parts: &[Part<B, P>]) -> u64 {
        let (first, others) = parts.split_at(1);
        for (index, change) in first[0].changes.iter().enumerate() {
            self.now += i128::from(*change);
            for other in others {
                self.now += i128::from(other.changes.get(index).copied().unwrap_or(0));
            }
            self.peak = self.peak.max(self.now);
        }
        u64::try_from(self.peak.max(0)).unwrap_or(u64::MAX)
    }
}
