//! A run that divides keys among threads ([`Division::Keys`](crate::division::Division::Keys)).
//!
//! Lines are parsed, events matched and results written at the same time.
//!
//! ```text
//! blocks of lines --> N parsers --in order--> N shards: match, render --> merge: write
//! ```
//!
//! All queues between threads are bounded, and the bytes of input in them are. Broken lines, late
//! events and results are reported in the order in which one thread reports them: everything that
//! comes of a block of lines is reported before what comes of the next block.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use hashbrown::HashMap;
use kleene::schema::TypeId;
use kleene::stream::{
    EngineBuilder, Late, Match, Overflow, RejectReason, Rejected, Sink, Stats, Timeout,
};
use kleene::{Event as _, Record, Timestamp};
use kleene_runner::{
    Batch, Collector, Config, Ended, Outlet, Panicked, Pipeline, ReportedStep, Step, in_order,
};

use super::outlets::Outlets;
use super::stop::{Stop, stopped};
use crate::args::RunArgs;
use crate::byte_budget::{ByteBudget, Permit};
use crate::division::Division;
use crate::interrupt::Interrupt;
use crate::profile::{Parts, ResultTimes, ThreadTimes};
use crate::review::EventCounts;
use kleene_input::{Arrival, Block, Blocks, Cursor, InputItem, Origin, Parser, TimeUnit};
use kleene_report::counts::Counts;
use kleene_report::output::Shapes;
use kleene_report::tally::Tally;

/// The number of blocks that may wait before and behind each thread.
const WAITING: usize = 2;

/// The number of bytes of input between the reader and the writer, for each thread. A longer line
/// passes alone.
const IN_FLIGHT: usize = 8 << 20;
const IN_FLIGHT_PER_THREAD: usize = 1 << 20;

/// The results of a run over a whole input.
pub(super) struct Finished {
    pub(super) stop: Stop,
    pub(super) stats: Stats,
    pub(super) outlets: Outlets,
    pub(super) counts: Counts,
    /// True if nothing at all was in the input.
    pub(super) is_empty: bool,
    /// The names of the columns, in CSV.
    pub(super) header: Vec<String>,
    /// Where the time went, if that was measured.
    pub(super) profile: Option<Parts>,
}

/// Moves events from the input through the engine, divided by keys among threads, until something
/// ends it. As many threads parse.
pub(super) fn run(
    args: &RunArgs,
    engine: EngineBuilder<Record>,
    blocks: &Blocks,
    mut parser: Parser,
    mut outlets: Outlets,
    interrupt: &Interrupt,
) -> Result<Finished> {
    let asked = args.matching.threads.unwrap_or(1);
    let threads = usize::from(asked);
    let times = args.measuring.profile.then(|| Arc::new(ThreadTimes::new()));
    if times.is_some() {
        outlets.output.measure();
    }
    let next = || match &times {
        None => next(blocks, interrupt),
        Some(times) => times.wait(|| next(blocks, interrupt)),
    };
    let unit = outlets.review.unit();
    // The header of CSV comes first: all parsers need it.
    let (mut is_empty, mut stop, mut first) = (true, None, Vec::new());
    while stop.is_none() && !parser.is_ready() {
        match next() {
            Ok(block) => {
                is_empty = false;
                // There is nobody yet who could use its memory again.
                let parsed = Parsed::new(&mut parser, unit, block, Vec::new(), mpsc::channel().0);
                stop = parsed.unreadable.clone().map(|reason| Stop::CannotRead(anyhow!(reason)));
                first.push(parsed);
            }
            Err(end) => stop = Some(end),
        }
    }
    let shapes = outlets.output.shapes().clone();
    let report = PageCollector::new(outlets, parser.clone());
    let page_times = times.clone();
    let page = move || Page::new(&shapes, page_times.as_deref());
    let config = Config::default().threads(threads).waiting(WAITING);
    let mut crew: Crew = Pipeline::start(engine, config, page, report)?;
    if first.into_iter().all(|parsed| crew.send(parsed).is_ok()) && stop.is_none() {
        let budget = ByteBudget::new(IN_FLIGHT + threads * IN_FLIGHT_PER_THREAD);
        let (mut inlet, outlet) = in_order(threads, 1, || {
            let (mut parser, times) = (parser.clone(), times.clone());
            let (home, spent) = mpsc::channel();
            move |(block, permit)| {
                // Memory that was allocated by this thread is freed by this thread, which
                // allocators handle best.
                let entries = spent.try_iter().map(cleared).last().unwrap_or_default();
                let parse = || Parsed::new(&mut parser, unit, block, entries, home.clone());
                let mut parsed = match &times {
                    None => parse(),
                    Some(times) => times.parse(parse),
                };
                parsed.permit = Some(permit);
                parsed
            }
        })?;
        let passing = thread::Builder::new().name(String::from("pass"));
        let passing = passing.spawn(move || pass(crew, outlet))?;
        stop = Some(loop {
            match next() {
                Ok(block) => {
                    is_empty = false;
                    let permit = budget.acquire(block.size());
                    if inlet.send((block, permit)).is_err() {
                        break Stop::CannotWrite;
                    }
                }
                Err(end) => break end,
            }
        });
        drop(inlet);
        let (passed, result) = passing.join().map_err(|_| anyhow!("a thread has panicked"))?;
        crew = passed;
        result?;
    }
    let stop = stop.unwrap_or(Stop::CannotWrite);
    let steps = times.as_ref().map(|_| crew.steps_by_rule().unwrap_or_default());
    let ended = end(crew, &stop, args)?;
    let PageCollector { mut outlets, counts, busy, .. } = ended.collector;
    outlets.output.flush();
    let profile = match (&times, outlets.output.times(), steps) {
        (Some(times), Some(results), Some(steps)) => {
            Some(times.parts(busy, results, steps, Division::Keys(asked)))
        }
        _ => None,
    };
    let stop = ended.failure.map_or(stop, |failure| Stop::Failed(stopped(failure)));
    let (stats, header) = (ended.stats, parser.header());
    Ok(Finished { stop, stats, outlets, counts, is_empty, header, profile })
}

/// Ends a run: reports what is reported at the end of the input, or of time.
fn end(mut crew: Crew, stop: &Stop, args: &RunArgs) -> Result<Ended<PageCollector>> {
    Ok(match stop {
        Stop::End if args.events.end_of_time => crew.end_time()?,
        Stop::End => {
            // If this fails, `stop` returns the reason.
            let _ = crew.send(Parsed::end());
            // The summary counts what can still go on.
            let _ = crew.sweep();
            crew.stop()?
        }
        _ => {
            let _ = crew.sweep();
            crew.stop()?
        }
    })
}

type Crew = Pipeline<Record, Parsed, PageCollector>;

/// The next block, or why there is none.
fn next(blocks: &Blocks, interrupt: &Interrupt) -> Result<Block, Stop> {
    loop {
        if interrupt.is_set() {
            return Err(Stop::Interrupted);
        }
        match blocks.wait() {
            Ok(Arrival::Block(block)) => return Ok(block),
            Ok(Arrival::Woken | Arrival::TimedOut) => {}
            Ok(Arrival::End) => return Err(Stop::End),
            Err(error) => return Err(Stop::unreadable(error)),
        }
    }
}

/// Gives parsed blocks to the shards, in order.
fn pass(crew: Crew, mut outlet: Outlet<Parsed>) -> (Crew, Result<(), Panicked>) {
    loop {
        match outlet.next() {
            Ok(Some(parsed)) => {
                if crew.send(parsed).is_err() {
                    return (crew, Ok(()));
                }
            }
            Ok(None) => return (crew, Ok(())),
            Err(panicked) => return (crew, Err(panicked)),
        }
    }
}

/// The content of a block of lines.
struct Parsed {
    block: Block,
    entries: Vec<Entry>,
    /// The names of the types that are not declared.
    unknown: Vec<String>,
    /// The counts of its events.
    seen: EventCounts,
    /// The reason why nothing can be read from this input.
    unreadable: Option<String>,
    /// The channel that takes the entries back when all is reported.
    home: Sender<Vec<Entry>>,
    /// The bytes of the block, if they are counted.
    permit: Option<Permit>,
}

impl Drop for Parsed {
    fn drop(&mut self) {
        // Fails when nothing is parsed any more.
        let _ = self.home.send(std::mem::take(&mut self.entries));
    }
}

fn cleared(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.clear();
    entries
}

/// The content of a line.
enum Entry {
    /// An event; where its line starts.
    Event(Record, Cursor),
    /// An event of a type that is not declared; which name.
    Unknown(usize),
    /// It is no event; where it starts.
    Rejected(Cursor),
    /// No line: the end of the input.
    EndInput,
}

impl Parsed {
    /// Parses a block; `entries` has no more than space.
    fn new(
        parser: &mut Parser,
        unit: TimeUnit,
        block: Block,
        mut entries: Vec<Entry>,
        home: Sender<Vec<Entry>>,
    ) -> Parsed {
        let (mut unknown, mut unreadable, mut seen) = (Vec::new(), None, EventCounts::default());
        let permit = None;
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut cursor = Cursor::default();
        // The entry of the first record begins behind the header: it may be read again there.
        if let Err(reason) = parser.read_header(&block, &mut cursor) {
            let unreadable = Some(reason);
            return Parsed { block, entries, unknown, seen, unreadable, home, permit };
        }
        loop {
            let start = cursor;
            entries.push(match parser.next_item(&block, &mut cursor) {
                Some(InputItem::Event(event, origin)) => {
                    seen.event(&event, &origin, unit);
                    Entry::Event(event, start)
                }
                Some(InputItem::Unknown(name)) => {
                    Entry::Unknown(names.get(name).copied().unwrap_or_else(|| {
                        names.insert(name.to_owned(), unknown.len());
                        unknown.push(name.to_owned());
                        unknown.len() - 1
                    }))
                }
                // Its reason is worked out again when it is reported.
                Some(InputItem::Rejected(..)) => Entry::Rejected(start),
                Some(InputItem::Unreadable(reason)) => {
                    unreadable = Some(reason);
                    break;
                }
                None => break,
            });
        }
        Parsed { block, entries, unknown, seen, unreadable, home, permit }
    }

    /// Returns the step after the last block: the end of the input.
    fn end() -> Parsed {
        Parsed {
            block: Block::default(),
            entries: vec![Entry::EndInput],
            unknown: Vec::new(),
            seen: EventCounts::default(),
            unreadable: None,
            home: mpsc::channel().0,
            permit: None,
        }
    }
}

impl Batch<Record> for Parsed {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn step(&self, number: usize) -> Option<Step<'_, Record>> {
        match self.entries.get(number)? {
            Entry::Event(event, _) => Some(Step::Event(event)),
            Entry::EndInput => Some(Step::EndInput),
            Entry::Unknown(_) | Entry::Rejected(_) => None,
        }
    }
}

/// The rendered reports of a shard for a block.
struct Page {
    shapes: Shapes,
    tally: Tally,
    lines: Vec<u8>,
    notes: Vec<Note>,
    /// The time that the lines take, if it is measured.
    times: Option<ResultTimes>,
    /// The positions up to which both were reported.
    at: usize,
    reported: usize,
}

/// One thing that was reported.
enum Note {
    /// A result; where its line ends.
    Line(usize),
    /// The reason why the event of the step is no good.
    Reject(String),
    /// The event of the step came too late: its type and its time, and the watermark.
    Late(TypeId, Timestamp, Timestamp),
    /// A rule feeds others what does not fit.
    Mismatch(String),
    /// A limit was reached: the message, and where the line of its key ends, if there is one.
    Limit(String, usize),
    /// Not for users.
    Nothing,
}

impl Page {
    fn new(shapes: &Shapes, times: Option<&ThreadTimes>) -> Page {
        let (shapes, tally) = (shapes.clone(), Tally::default());
        let times = times.map(ThreadTimes::page);
        Page { shapes, tally, lines: Vec::new(), notes: Vec::new(), times, at: 0, reported: 0 }
    }

    /// Writes a line, and notes it.
    fn write(&mut self, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        match &mut self.times {
            None => write(&self.shapes, &mut self.lines),
            Some(times) => times.render(|| write(&self.shapes, &mut self.lines)),
        }
        self.notes.push(Note::Line(self.lines.len()));
    }
}

impl Sink<Record> for Page {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.tally.matched(&found.rule().name);
        self.write(|shapes, lines| shapes.matched(lines, &found));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.tally.timed_out(&timeout.rule().name);
        self.write(|shapes, lines| shapes.timed_out(lines, &timeout));
    }

    fn filtered(&mut self, _: Match<'_, Record>) {
        self.notes.push(Note::Nothing);
    }

    fn suppressed(&mut self, _: Match<'_, Record>) {
        self.notes.push(Note::Nothing);
    }

    fn late(&mut self, late: Late<'_, Record>) {
        let event = late.event;
        self.notes.push(Note::Late(event.type_id(), event.time(), late.watermark));
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        let text = rejected.reason.to_string();
        self.notes.push(match rejected.reason {
            RejectReason::Mismatch { .. } => Note::Mismatch(text),
            _ => Note::Reject(text),
        });
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.shapes.limited(&mut self.lines, &overflow);
        self.notes.push(Note::Limit(Outlets::limit_text(&overflow), self.lines.len()));
    }
}

/// Writes what all shards report.
struct PageCollector {
    outlets: Outlets,
    counts: Counts,
    /// Parses a line once more where its text is needed.
    parser: Parser,
    /// The entry of the block that is looked at next.
    next: usize,
    /// The time that the shards took.
    busy: Duration,
}

impl PageCollector {
    fn new(outlets: Outlets, parser: Parser) -> PageCollector {
        let (counts, next, busy) = (Counts::default(), 0, Duration::ZERO);
        PageCollector { outlets, counts, parser, next, busy }
    }

    /// Reports the lines before this entry that are no events.
    fn pass_to(&mut self, parsed: &Parsed, end: usize) {
        for entry in &parsed.entries[self.next.min(end)..end] {
            match entry {
                Entry::Event(..) | Entry::EndInput => {}
                Entry::Unknown(name) => self.counts.saw_unknown(&parsed.unknown[*name]),
                Entry::Rejected(start) => {
                    let mut cursor = *start;
                    let item = self.parser.next_item(&parsed.block, &mut cursor);
                    if let Some(InputItem::Rejected(origin, reason)) = item {
                        self.counts.rejected += 1;
                        self.outlets.reject(origin, &reason);
                    }
                }
            }
        }
        self.next = end;
    }

    /// Calls `report` with the origin of an event.
    fn at_event(
        &mut self,
        batch: Option<&Parsed>,
        step: usize,
        report: impl FnOnce(&mut Outlets, Option<Origin<'_>>),
    ) {
        let entry = batch.and_then(|parsed| Some((parsed, parsed.entries.get(step)?)));
        if let Some((parsed, Entry::Event(_, start))) = entry {
            let mut cursor = *start;
            if let Some(InputItem::Event(_, origin)) =
                self.parser.next_item(&parsed.block, &mut cursor)
            {
                report(&mut self.outlets, Some(origin));
                return;
            }
        }
        report(&mut self.outlets, None);
    }
}

impl Collector<Parsed, Page> for PageCollector {
    fn reported(&mut self, reported: ReportedStep<'_, Parsed>, page: &mut Page) {
        let Some(note) = page.notes.get_mut(page.reported) else { return };
        page.reported += 1;
        // All of the page at once, with the first of it.
        self.outlets.tally.take(&mut page.tally);
        if let (Some(times), Some(of_page)) = (self.outlets.output.times(), &mut page.times) {
            times.take(of_page);
        }
        if let Note::Line(end) = *note {
            self.outlets.output.write_line(&page.lines[page.at..end]);
            page.at = end;
            return;
        }
        if let Some(parsed) = reported.batch {
            self.pass_to(parsed, reported.step);
        }
        match std::mem::replace(note, Note::Nothing) {
            Note::Line(_) | Note::Nothing => {}
            Note::Reject(reason) => {
                self.at_event(reported.batch, reported.step, |outlets, origin| {
                    if let Some(origin) = origin {
                        outlets.reject(origin, &reason);
                    }
                });
            }
            Note::Late(ty, time, watermark) => {
                self.at_event(reported.batch, reported.step, |outlets, origin| {
                    if let Some(origin) = origin {
                        outlets.late(origin, ty, time, watermark);
                    }
                });
            }
            Note::Mismatch(text) => self.outlets.report_mismatch(&text),
            Note::Limit(text, end) => {
                if end > page.at {
                    self.outlets.output.write_line(&page.lines[page.at..end]);
                    page.at = end;
                }
                self.at_event(reported.batch, reported.step, |outlets, origin| {
                    outlets.report_limit(origin.map_or(0, |origin| origin.line), &text);
                });
            }
        }
    }

    fn done(&mut self, reported: ReportedStep<'_, Parsed>, stats: &Stats) -> ControlFlow<()> {
        self.busy += reported.busy;
        if let Some(parsed) = reported.batch {
            self.pass_to(parsed, reported.step);
            self.outlets.review.merge(&parsed.seen);
            self.next = 0;
        }
        self.outlets.output.flush_if_live();
        let events = stats.events + self.counts.unknown;
        self.outlets.progress.update(events, stats.matches, stats.timeouts);
        if self.outlets.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
