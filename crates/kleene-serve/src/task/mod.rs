//! One engine with its sources: blocks of input go in, pages of results come out. A task has no
//! thread, no file and no clock but the one that it is given.

mod lane;
mod page;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hashbrown::HashMap;
use kleene::event::EventBatch;
use kleene::stream::{
    EngineBuilder, Late, LimitKind, Match, Overflow, PushError, Refused, RejectReason, Rejected,
    Replacement, SourceId, SourceProgress, Timeout,
};
use kleene::{Engine, Event as _, Record, RuleSet, Sink, Timestamp};
use kleene_host::spill::Spill;
use kleene_input::{AheadBlock, AheadParser, BatchReader, Block, InputItem, Origin};
use kleene_report::output::EventForm;
use kleene_report::reasons::{event_time, late_reason};

use self::lane::Lane;
use crate::config::Config;

pub(crate) use self::lane::LaneCounts;
pub(crate) use self::page::{Page, PageResult};
use self::page::{PageContent, PageShapes};

/// The maximum number of events that are pushed at once.
const MAX_EVENTS: usize = 8192;

/// The counts of a rule since the service started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RuleCounts {
    pub(crate) matches: u64,
    pub(crate) timeouts: u64,
    pub(crate) limits: u64,
}

/// One engine with its sources.
#[derive(Debug)]
pub(crate) struct Task {
    engine: Engine<Record>,
    lanes: Vec<Lane>,
    /// Sources of the last checkpoint that are not configured any more, until nobody waits for them.
    gone: Vec<SourceId>,
    reports: Reports,
    content: PageContent,
    /// Events that have come to the engine.
    arrived: u64,
    /// The bound on the delay of events.
    bound: Duration,
}

/// What becomes of the engine's reports.
#[derive(Debug)]
struct Reports {
    shapes: PageShapes,
    rules: HashMap<Arc<str>, RuleCounts>,
    limits: HashMap<LimitKind, u64>,
}

impl Reports {
    /// Makes a sink of reports that concern no event of a source: time has moved.
    fn of_time<'a>(&'a mut self, page: &'a mut Page) -> Collector<'a> {
        Collector { reports: self, page, source: None, lines: Lines::None }
    }
}

/// The state of a source for people.
#[derive(Clone, Debug)]
pub(crate) struct LaneStatus {
    pub(crate) name: String,
    pub(crate) counts: LaneCounts,
    pub(crate) watermark: Timestamp,
    pub(crate) is_idle: bool,
}

impl Task {
    /// Makes a task with the state of snapshots: a whole one, and the changes that follow it. Returns
    /// the verdicts of rules that are not as they were.
    pub(crate) fn new(
        config: &Config,
        rules: &RuleSet,
        snapshots: &[Vec<u8>],
    ) -> Result<(Task, Option<Replacement>)> {
        let builder = builder(config, rules)?;
        let (mut engine, replacement) = if snapshots.is_empty() {
            (builder.build()?, None)
        } else {
            let parts: Vec<&[u8]> = snapshots.iter().map(Vec::as_slice).collect();
            let restored = builder.restore(&parts).context("cannot go on from this state");
            restored.map(|(engine, replacement)| (engine, Some(replacement)))?
        };
        let sources = config.sources.iter();
        let lanes: Vec<Lane> = sources.map(|source| Lane::new(source, &mut engine)).collect();
        let gone = sources_gone(&mut engine, &lanes);
        let content = content(config);
        let shapes = PageShapes::new(&content, &engine);
        let task = Task {
            arrived: engine.stats().events,
            engine,
            lanes,
            gone,
            reports: Reports { shapes, rules: HashMap::new(), limits: HashMap::new() },
            content,
            bound: config.out_of_order.unwrap_or_default(),
        };
        Ok((task, replacement))
    }

    pub(crate) fn engine(&self) -> &Engine<Record> {
        &self.engine
    }

    /// Returns the engine's snapshot: the changes since the last one if `can_follow` and there is a
    /// base for them. Also returns true if the snapshot is whole.
    pub(crate) fn snapshot(&mut self, can_follow: bool) -> (Vec<u8>, bool) {
        match can_follow.then(|| self.engine.snapshot_changes()).flatten() {
            Some(changes) => (changes, false),
            None => (self.engine.snapshot_base(), true),
        }
    }

    /// Replaces the rules between two events.
    pub(crate) fn replace(&mut self, rules: &RuleSet) -> Result<Replacement, Refused> {
        // The verdicts count what can still go on.
        self.engine.sweep();
        let replacement = self.engine.replace_rules(rules)?;
        for lane in &mut self.lanes {
            lane.reader.renew(self.engine.schema(), rules.schema());
        }
        self.reports.shapes = PageShapes::new(&self.content, &self.engine);
        Ok(replacement)
    }

    /// Returns a parser for the thread that reads a source.
    pub(crate) fn parse_ahead(&mut self, lane: usize) -> AheadParser {
        self.lanes[lane].reader.parse_ahead(MAX_EVENTS)
    }

    /// Pushes the events of a block of a source.
    ///
    /// # Errors
    /// A rule's `limit .. fail` was exceeded, or idle keys cannot be read or written.
    pub(crate) fn push(
        &mut self,
        lane: usize,
        block: impl Into<AheadBlock>,
        now: Instant,
        page: &mut Page,
    ) -> Result<(), PushError> {
        let block = block.into();
        let Lane { reader, counts, .. } = &mut self.lanes[lane];
        counts.bytes += block.block().bytes().len() as u64;
        reader.begin(block);
        loop {
            let Lane { reader, counts, .. } = &mut self.lanes[lane];
            let mut unknown = 0;
            let read = reader.read_batch(MAX_EVENTS, |_| unknown += 1);
            counts.unknown += unknown;
            if let Some((events, lines)) = read {
                counts.events += lines as u64;
                self.push_batch(lane, events, now, page)?;
            } else if !self.push_line(lane, now, page)? {
                return Ok(());
            }
        }
    }

    /// Returns the block that was pushed, whose memory can be used again.
    #[cfg(feature = "kafka")]
    pub(crate) fn take_block(&mut self, lane: usize) -> Block {
        self.lanes[lane].reader.take_block()
    }

    /// Counts records without a value, which delete a key.
    #[cfg(feature = "kafka")]
    pub(crate) fn count_deletions(&mut self, lane: usize, records: u64) {
        self.lanes[lane].counts.deletions += records;
    }

    /// Rejects a record that cannot be decoded: `origin` is its partition and its offset.
    #[cfg(feature = "kafka")]
    pub(crate) fn reject(
        &mut self,
        lane: usize,
        origin: (i32, i64),
        (value, reason): (&[u8], &str),
        page: &mut Page,
    ) {
        let lane = &mut self.lanes[lane];
        lane.counts.rejected += 1;
        page.reject_record(&lane.source.name, origin, (value, reason));
    }

    fn push_batch(
        &mut self,
        lane: usize,
        events: EventBatch,
        now: Instant,
        page: &mut Page,
    ) -> Result<(), PushError> {
        let Task { engine, lanes, reports, arrived, .. } = self;
        let Lane { id, reader, counts, progress, source, .. } = &mut lanes[lane];
        let first = *arrived;
        *arrived += events.len() as u64;
        let times = events.rows().map(|row| row.time());
        progress.saw(times.filter(|time| *time < Timestamp::MAX).max(), now);
        let lines = Lines::Batch { reader, first };
        let mut sink = Collector { reports, page, source: Some((&source.name, counts)), lines };
        let pushed = engine.push_columns_from(*id, &events, &mut sink);
        reader.give_back(events);
        pushed
    }

    /// Pushes the next line of a block, which is in no batch. Returns false at the end of the block.
    fn push_line(&mut self, lane: usize, now: Instant, page: &mut Page) -> Result<bool, PushError> {
        let Task { engine, lanes, reports, arrived, .. } = self;
        let Lane { id, reader, counts, progress, is_unreadable, source } = &mut lanes[lane];
        let line = reader.block().line();
        match reader.next_item() {
            None => return Ok(false),
            Some(InputItem::Event(event, origin)) => {
                counts.events += 1;
                *arrived += 1;
                progress.saw(event_time(&event), now);
                let (source, lines) = (Some((&*source.name, counts)), Lines::One(origin));
                let mut sink = Collector { reports, page, source, lines };
                engine.push_from(*id, &event, &mut sink)?;
            }
            Some(InputItem::Unknown(_)) => {
                counts.events += 1;
                counts.unknown += 1;
            }
            Some(InputItem::Rejected(origin, reason)) => {
                counts.rejected += 1;
                page.reject(&source.name, origin, &reason);
            }
            Some(InputItem::Unreadable(reason)) => {
                // All lines of the block are lost.
                counts.rejected += reader.position().line - line;
                if !std::mem::replace(is_unreadable, true) {
                    page.reject(&source.name, Origin { line, text: b"" }, &reason);
                    tracing::error!(source = source.name, "no event can be read: {reason}");
                }
            }
        }
        Ok(true)
    }

    /// Marks sources that have been silent for long, and moves time with the clock where all are.
    ///
    /// # Errors
    /// As for [`push`](Task::push).
    pub(crate) fn tick(&mut self, now: Instant, page: &mut Page) -> Result<(), PushError> {
        let Task { engine, lanes, reports, bound, .. } = self;
        let mut sink = reports.of_time(page);
        for source in self.gone.drain(..) {
            engine.set_idle(source, &mut sink)?;
        }
        for lane in lanes.iter_mut().filter(|lane| lane.becomes_silent(now)) {
            lane.progress.is_silent = true;
            engine.set_idle(lane.id, &mut sink)?;
            tracing::debug!(
                source = lane.source.name,
                "the source is silent: the others do not wait for it"
            );
        }
        if !lanes.iter().all(|lane| lane.progress.is_silent) {
            return Ok(());
        }
        let newest = lanes.iter().filter(|lane| lane.may_be_idle());
        let newest = newest.max_by_key(|lane| lane.progress.newest);
        if let Some(lane) = newest.filter(|lane| lane.progress.newest > Timestamp::MIN) {
            let elapsed = millis(now.saturating_duration_since(lane.progress.since));
            let watermark = lane.progress.newest.plus_millis(elapsed).plus_millis(-millis(*bound));
            if watermark > engine.watermark() {
                engine.advance_source(lane.id, watermark, &mut sink)?;
                engine.set_idle(lane.id, &mut sink)?;
            }
        }
        Ok(())
    }

    /// The input of a source has ended: the others do not wait for it.
    ///
    /// # Errors
    /// As for [`push`](Task::push).
    pub(crate) fn end_source(&mut self, lane: usize, page: &mut Page) -> Result<(), PushError> {
        let lane = &mut self.lanes[lane];
        lane.progress.is_silent = true;
        self.engine.set_idle(lane.id, &mut self.reports.of_time(page))
    }

    /// The input of a source starts again with another file.
    pub(crate) fn restart_source(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.reader.restart();
        lane.is_unreadable = false;
    }

    /// Reads the header of an input that is read on from a later position.
    pub(crate) fn read_header(&mut self, lane: usize, beginning: &Block) {
        // The header was readable when the input was begun.
        let _ = self.lanes[lane].reader.read_header(beginning);
    }

    /// Returns the progress of a source.
    fn progress_of(&self, lane: &Lane) -> Option<SourceProgress<'_>> {
        self.engine.sources().find(|source| source.name == lane.source.name)
    }

    /// Returns the source for which the others wait, with the least watermark.
    pub(crate) fn clock_holder(&self) -> Option<usize> {
        let all = self.lanes.iter().map(|lane| self.progress_of(lane)).enumerate();
        let live =
            all.filter_map(|(lane, progress)| Some((lane, progress.filter(|it| !it.is_idle)?)));
        live.min_by_key(|(_, progress)| progress.watermark).map(|(lane, _)| lane)
    }

    /// Returns the watermark of a source.
    pub(crate) fn watermark_of(&self, lane: usize) -> Timestamp {
        let progress = self.progress_of(&self.lanes[lane]);
        progress.map_or(Timestamp::MIN, |source| source.watermark)
    }

    /// Returns the state of each source.
    pub(crate) fn status_of_sources(&self) -> Vec<LaneStatus> {
        let status = |lane: &Lane| {
            let progress = self.progress_of(lane);
            LaneStatus {
                name: lane.source.name.clone(),
                counts: lane.counts,
                watermark: progress.map_or(Timestamp::MIN, |source| source.watermark),
                is_idle: progress.is_some_and(|source| source.is_idle),
            }
        };
        self.lanes.iter().map(status).collect()
    }

    /// Returns the counts of each rule since the service started.
    pub(crate) fn counts_of_rules(&self) -> impl Iterator<Item = (&Arc<str>, RuleCounts)> {
        let counts = |name| self.reports.rules.get(name).copied().unwrap_or_default();
        self.engine.rules().map(move |rule| (&rule.name, counts(&rule.name)))
    }

    /// Returns how often each limit was reached.
    pub(crate) fn reached_limits(&self) -> impl Iterator<Item = (LimitKind, u64)> {
        self.reports.limits.iter().map(|(kind, count)| (*kind, *count))
    }
}

/// Returns the sources of a checkpoint that are not configured any more.
fn sources_gone(engine: &mut Engine<Record>, lanes: &[Lane]) -> Vec<SourceId> {
    let is_gone = |name: &str| lanes.iter().all(|lane| lane.source.name != name);
    let live = engine.sources().filter(|source| !source.is_idle);
    let names = live.map(|source| source.name.to_owned());
    let gone: Vec<String> = names.filter(|name| is_gone(name)).collect();
    for name in &gone {
        tracing::warn!(source = name, "the source is gone: the others do not wait for it any more");
    }
    gone.iter().map(|name| engine.source(name)).collect()
}

/// Returns what the sinks want of results; streams over HTTP want all fields of events.
fn content(config: &Config) -> PageContent {
    let mut forms: Vec<EventForm> = config.sinks.iter().map(|sink| sink.events).collect();
    if config.has_streams() {
        forms.push(EventForm::Full);
    }
    PageContent { forms, keeps_keys: config.sinks.iter().any(|sink| sink.topic().is_some()) }
}

fn builder(config: &Config, rules: &RuleSet) -> Result<EngineBuilder<Record>> {
    let limits = &config.limits;
    let mut builder = Engine::builder().rules(rules).limit_buffered(limits.buffered);
    if let Some(partials) = limits.partials {
        builder = builder.limit_partials(partials);
    }
    if let Some(bytes) = limits.captured {
        builder = builder.limit_captured_bytes(bytes);
    }
    if let Some((folder, keys)) = &limits.spill {
        builder = builder.cold_store(Spill::create(folder)?, *keys);
    }
    Ok(match config.out_of_order {
        Some(bound) => builder.out_of_order(bound),
        None => builder.in_order(),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The lines of the events that the engine reports of.
enum Lines<'a> {
    None,
    One(Origin<'a>),
    Batch {
        reader: &'a BatchReader,
        /// The number of events that had come to the engine before.
        first: u64,
    },
}

impl Lines<'_> {
    /// Returns the line of the event with this number among all that came to the engine.
    fn of_arrival(&self, arrival: u64) -> Option<Origin<'_>> {
        match self {
            Lines::None => None,
            Lines::One(origin) => Some(*origin),
            Lines::Batch { reader, first } => {
                reader.origin(usize::try_from(arrival.checked_sub(*first)?).ok()?)
            }
        }
    }
}

/// Takes what the engine reports.
struct Collector<'a> {
    reports: &'a mut Reports,
    page: &'a mut Page,
    /// The source whose events are pushed.
    source: Option<(&'a str, &'a mut LaneCounts)>,
    lines: Lines<'a>,
}

impl Collector<'_> {
    fn count(&mut self, rule: &Arc<str>) -> &mut RuleCounts {
        self.reports.rules.entry_ref(rule).or_default()
    }

    fn reject(&mut self, arrival: u64, reason: &str) {
        let Some((name, _)) = &self.source else { return };
        let Some(origin) = self.lines.of_arrival(arrival) else { return };
        self.page.reject(name, origin, reason);
    }
}

impl Sink<Record> for Collector<'_> {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.count(&found.rule().name).matches += 1;
        self.reports.shapes.matched(self.page, &found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.count(&timeout.rule().name).timeouts += 1;
        self.reports.shapes.timed_out(self.page, &timeout);
    }

    fn late(&mut self, late: Late<'_, Record>) {
        if let Some((name, counts)) = &mut self.source {
            counts.late += 1;
            // The first, and then ever more rarely.
            if counts.late.is_power_of_two() {
                let (count, time) = (counts.late, late.event.time());
                tracing::warn!(
                    source = name,
                    count,
                    "late events: the watermark is at {}, the event at {time}",
                    late.watermark
                );
            }
        }
        self.reject(late.arrival, &late_reason(late.event.time(), late.watermark));
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        if let RejectReason::Mismatch { .. } = rejected.reason {
            // A rule made it: the line that is read is not to blame.
            tracing::warn!("{}", rejected.reason);
            return;
        }
        if let Some((_, counts)) = &mut self.source {
            counts.rejected += 1;
        }
        self.reject(rejected.arrival, &rejected.reason.to_string());
    }

    fn overflowed(&mut self, overflow: Overflow) {
        let times = self.reports.limits.entry(overflow.limit).or_default();
        *times += 1;
        // The first, and then ever more rarely.
        if times.is_power_of_two() {
            tracing::warn!(times = *times, "limit reached: {overflow}");
        }
        if let Some(key) = &overflow.key {
            self.count(&key.rule).limits += 1;
        }
        self.reports.shapes.limited(self.page, &overflow);
    }
}
