//! The time of a tracer, and the events that wait until time has come.

use std::sync::Arc;

use crate::stream::{Progress, Reorder, SourceId, WatermarkStrategy};
use crate::time::Timestamp;

/// The time that a tracer has reached, and the events that wait for later times.
pub(in crate::why) struct TraceTime<E> {
    pub(in crate::why) strategy: WatermarkStrategy,
    pub(super) progress: Progress,
    pub(super) source: SourceId,
    pub(super) buffer: Reorder<Arrived<E>>,
    pub(super) watermark: Timestamp,
    /// The event that moved time last: its line and its time.
    pub(super) moved_by: Option<(Option<u64>, Timestamp)>,
    /// The time of the newest event.
    pub(in crate::why) newest: Option<Timestamp>,
}

/// An event that waits for time to pass.
#[derive(Clone, Debug)]
pub(super) struct Arrived<E> {
    pub(super) event: E,
    pub(super) line: Option<u64>,
    pub(super) is_seen: bool,
    pub(super) made_by: Option<Arc<str>>,
    /// The variants of step keys that the event has in the stream of the key.
    pub(super) step_keys: u64,
}

impl<E: Clone> TraceTime<E> {
    pub(super) fn new(strategy: WatermarkStrategy) -> TraceTime<E> {
        let mut progress = Progress::new(strategy);
        TraceTime {
            strategy,
            source: progress.source(""),
            progress,
            buffer: Reorder::new(),
            watermark: Timestamp::MIN,
            moved_by: None,
            newest: None,
        }
    }
}
