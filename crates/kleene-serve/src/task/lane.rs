//! A source as a task sees it: bytes to events, counts, and silence.

use std::time::Instant;

use kleene::stream::SourceId;
use kleene::{Engine, Record, Timestamp};
use kleene_input::{BatchReader, Parser};

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
    pub(super) reader: BatchReader,
    pub(super) counts: LaneCounts,
    pub(super) progress: LaneProgress,
    /// True if no event can be read from the input: it has a header that cannot be read.
    pub(super) is_unreadable: bool,
    pub(super) source: Source,
}

/// How far a source has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneProgress {
    /// The time of the newest event.
    pub(super) newest: Timestamp,
    /// The moment at which the last event came.
    pub(super) since: Instant,
    /// True if the source has sent nothing for as long as the file says, or has ended.
    pub(super) is_silent: bool,
}

impl LaneProgress {
    /// An event has come.
    pub(super) fn saw(&mut self, newest: Option<Timestamp>, now: Instant) {
        self.newest = self.newest.max(newest.unwrap_or(Timestamp::MIN));
        self.since = now;
        self.is_silent = false;
    }
}

impl Lane {
    pub(super) fn new(source: &Source, engine: &mut Engine<Record>) -> Lane {
        let id = engine.source(&source.name);
        let parser = Parser::new(source.form, engine.schema(), source.reading.clone());
        let (newest, since, is_silent) = (Timestamp::MIN, Instant::now(), false);
        Lane {
            id,
            reader: BatchReader::new(parser),
            counts: LaneCounts::default(),
            progress: LaneProgress { newest, since, is_silent },
            is_unreadable: false,
            source: source.clone(),
        }
    }

    /// True if the source has become silent by now.
    pub(super) fn becomes_silent(&self, now: Instant) -> bool {
        let is_over = |after| now.saturating_duration_since(self.progress.since) >= after;
        !self.progress.is_silent && self.source.idle_after.is_some_and(is_over)
    }

    /// True if time may follow the clock while the source is silent.
    pub(super) fn may_be_idle(&self) -> bool {
        self.source.idle_after.is_some()
    }
}
