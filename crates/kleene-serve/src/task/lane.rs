//! A source as a task sees it: bytes to events, counts, and silence.

use std::time::Instant;

use kleene::event::BatchBuilder;
use kleene::stream::SourceId;
use kleene::{Engine, Record, Timestamp};
use kleene_input::{Cursor, Parser};

use crate::config::Source;

/// The counts of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneCounts {
    /// Lines or records that hold an event, also one of an unknown type.
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) unknown: u64,
    /// Records of Kafka without a value, which delete a key.
    pub(crate) deletions: u64,
}

/// A source of a task.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: SourceId,
    pub(super) parser: Parser,
    pub(super) batch: BatchBuilder,
    /// The start of the line of each event of the batch.
    pub(super) starts: Vec<Cursor>,
    pub(super) counts: LaneCounts,
    /// The time of the newest event.
    pub(super) newest: Timestamp,
    /// The moment at which the last event came.
    pub(super) since: Instant,
    /// True if the source has sent nothing for as long as the file says, or has ended.
    pub(super) is_silent: bool,
    pub(super) source: Source,
}

impl Lane {
    pub(super) fn new(source: &Source, engine: &mut Engine<Record>) -> Lane {
        let id = engine.source(&source.name);
        let parser = Parser::new(source.form, engine.schema(), source.reading.clone());
        Lane {
            id,
            parser,
            batch: BatchBuilder::new(),
            starts: Vec::new(),
            counts: LaneCounts::default(),
            newest: Timestamp::MIN,
            since: Instant::now(),
            is_silent: false,
            source: source.clone(),
        }
    }

    /// Reads another input from its start.
    pub(super) fn restart(&mut self, engine: &Engine<Record>) {
        let Source { form, reading, .. } = &self.source;
        self.parser = Parser::new(*form, engine.schema(), reading.clone());
    }

    /// An event has come.
    pub(super) fn saw(&mut self, newest: Option<Timestamp>, now: Instant) {
        self.newest = self.newest.max(newest.unwrap_or(Timestamp::MIN));
        self.since = now;
        self.is_silent = false;
    }

    /// True if the source has become silent by now.
    pub(super) fn becomes_silent(&self, now: Instant) -> bool {
        let is_over = |after| now.saturating_duration_since(self.since) >= after;
        !self.is_silent && self.source.idle_after.is_some_and(is_over)
    }

    /// True if time may follow the clock while the source is silent.
    pub(super) fn may_be_idle(&self) -> bool {
        self.source.idle_after.is_some()
    }
}
