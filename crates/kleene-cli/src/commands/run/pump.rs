//! From the input into the engine, until something ends it.

use anyhow::{Result, anyhow};
use kleene::event::EventBatch;
use kleene::stream::Engine;
use kleene::{Record, Timestamp};
use kleene_report::reasons::event_time;

use super::current::Current;
use super::outlets::{Lines, Outlets, OutputPrinter};
use super::stop::{Stop, stopped};
use crate::interrupt::Interrupt;
use crate::source::EventSource;
use crate::state::State;
use kleene_input::{Fill, InputItem};
use kleene_report::counts::Counts;

/// The maximum number of lines of a batch.
pub(super) const MAX_LINES: usize = 8192;

/// Moves events from the input into the engine until something ends it.
pub(super) fn pump(
    feed: &mut EventSource,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    interrupt: &Interrupt,
    current: &mut Current<'_>,
) -> Stop {
    loop {
        current.follow(feed, engine, outlets);
        // No line after the event that exceeds a limit may be counted.
        let most = if current.loaded.can_fail { 1 } else { MAX_LINES };
        let limit = current.state.as_ref().map_or(most, |state| state.lines_left(most));
        let start = outlets.start_parsing();
        let batch = feed.read_batch(limit, |name| counts.saw_unknown(name));
        let taken = if let Some((batch, lines)) = batch {
            let start = start.and_then(|start| outlets.end_parsing(start, engine));
            let pushed = push(&batch, feed, engine, outlets, current);
            if let Some(start) = start {
                outlets.end_matching(start, engine);
            }
            feed.give_back(batch);
            Some((pushed, lines))
        } else {
            let lines = feed.lines_of_item();
            let item = feed.next_item();
            item.map(|item| (take(item, engine, outlets, counts, current), lines))
        };
        if let Some((taken, lines)) = taken {
            if let Err(stop) = taken {
                return stop;
            }
            if current.state.as_mut().is_some_and(|state| state.count(lines))
                && let Err(error) = current.keep(feed, engine, outlets, counts)
            {
                return Stop::Failed(error);
            }
            if interrupt.is_set() {
                return Stop::Interrupted;
            }
            continue;
        }
        current.follow_clock(engine, outlets);
        if let Some(error) = engine.failure() {
            return Stop::Failed(stopped(error.clone()));
        }
        outlets.output.flush_if_live();
        if outlets.has_failed() {
            return Stop::CannotWrite;
        }
        if current.state.as_ref().is_some_and(State::is_time)
            && let Err(error) = current.keep(feed, engine, outlets, counts)
        {
            return Stop::Failed(error);
        }
        let stats = engine.stats();
        let events = stats.events + counts.unknown;
        outlets.progress.update(events, stats.matches, stats.timeouts);
        let patience = current.patience();
        let fill = outlets.wait(|| feed.fill_within(patience));
        if interrupt.is_set() {
            return Stop::Interrupted;
        }
        match fill {
            Ok(Fill::More | Fill::Woken | Fill::TimedOut) => {}
            Ok(Fill::End) => return Stop::End,
            Err(error) => return Stop::unreadable(error),
        }
    }
}

/// Pushes a batch of events into the engine.
fn push(
    batch: &EventBatch,
    feed: &EventSource,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    current: &mut Current<'_>,
) -> Result<(), Stop> {
    outlets.review.events(batch, |number| feed.origin(number));
    let times = batch.rows().map(|row| row.time());
    current.newest = current.newest.max(times.filter(|time| *time < Timestamp::MAX).max());
    current.has_come |= !batch.is_empty();
    let lines = Lines::OfBatch { feed, batch, first: current.arrived };
    current.arrived += batch.len() as u64;
    let mut sink = OutputPrinter { outlets, lines };
    engine.push_columns(batch, &mut sink).map_err(|error| Stop::Failed(stopped(error)))
}

/// Does what a line asks for that does not come in a batch: the first event after a header, and
/// what is no event of a declared type.
fn take(
    item: InputItem<'_>,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    current: &mut Current<'_>,
) -> Result<(), Stop> {
    match item {
        InputItem::Event(event, origin) => {
            outlets.review.event(&event, &origin);
            current.newest = current.newest.max(event_time(&event));
            current.has_come = true;
            current.arrived += 1;
            let mut sink = OutputPrinter { outlets, lines: Lines::One(origin) };
            engine.push(&event, &mut sink).map_err(|error| Stop::Failed(stopped(error)))?;
        }
        InputItem::Unknown(name) => counts.saw_unknown(name),
        InputItem::Rejected(origin, reason) => {
            counts.rejected += 1;
            outlets.reject(origin, &reason);
        }
        InputItem::Unreadable(reason) => return Err(Stop::CannotRead(anyhow!(reason))),
    }
    Ok(())
}
