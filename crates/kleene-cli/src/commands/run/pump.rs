//! From the input into the engine, until something ends it.

use anyhow::{Result, anyhow};
use kleene::Record;
use kleene::stream::Engine;
use kleene_report::reasons::event_time;

use super::current::Current;
use super::outlets::{Outlets, OutputPrinter};
use super::stop::{Stop, stopped};
use crate::interrupt::Interrupt;
use crate::state::State;
use kleene_input::{Feed, Fill, Item};
use kleene_report::counts::Counts;

/// Moves events from the input into the engine until something ends it.
pub(super) fn pump(
    feed: &mut Feed,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    interrupt: &Interrupt,
    current: &mut Current<'_>,
) -> Stop {
    loop {
        current.follow(feed, engine, outlets);
        let sample = outlets.start_parsing();
        if let Some(item) = feed.next_item() {
            let sample = sample.and_then(|sample| outlets.end_parsing(sample, engine));
            if let Err(stop) = take(item, engine, outlets, counts, current) {
                return stop;
            }
            if let Some(sample) = sample {
                outlets.end_matching(sample, engine);
            }
            if current.state.as_mut().is_some_and(State::count)
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

/// Does what one line of the input asks for.
fn take(
    item: Item<'_>,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    current: &mut Current<'_>,
) -> Result<(), Stop> {
    match item {
        Item::Event(event, origin) => {
            outlets.review.event(&event, &origin);
            current.newest = current.newest.max(event_time(&event));
            current.has_come = true;
            let mut sink = OutputPrinter { outlets, origin: Some(origin) };
            engine.push(&event, &mut sink).map_err(|error| Stop::Failed(stopped(error)))?;
        }
        Item::Unknown(name) => counts.saw_unknown(name),
        Item::Rejected(origin, reason) => {
            counts.rejected += 1;
            outlets.reject(origin, &reason);
        }
        Item::Unreadable(reason) => return Err(Stop::CannotRead(anyhow!(reason))),
    }
    Ok(())
}
