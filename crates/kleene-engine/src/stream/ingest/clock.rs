//! The clock of an engine's input: the watermark, and the sources that advance it.

use crate::stream::ingest::watermark::{Progress, SourceId, SourceProgress, WatermarkStrategy};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The time that the input of an engine has reached.
#[derive(Clone, Debug)]
pub(super) struct InputClock {
    progress: Progress,
    /// An event at or before this time is late.
    watermark: Timestamp,
    /// The time of the newest event.
    newest: Timestamp,
    /// The source of events that are pushed without one.
    main: Option<SourceId>,
    /// True if time has ended.
    has_ended: bool,
    /// True if events of the only source came in order since it was [settled](InputClock::settle).
    is_unsettled: bool,
}

impl InputClock {
    pub(super) fn new(strategy: WatermarkStrategy) -> InputClock {
        InputClock {
            progress: Progress::new(strategy),
            watermark: Timestamp::MIN,
            newest: Timestamp::MIN,
            main: None,
            has_ended: false,
            is_unsettled: false,
        }
    }

    /// Returns the origin of watermarks.
    pub(super) fn strategy(&self) -> WatermarkStrategy {
        self.progress.strategy()
    }

    /// Returns the watermark: an event at or before this time is late.
    #[inline(always)]
    pub(super) fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// Returns the time of the newest event.
    pub(super) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Returns the time of the newest event or the watermark, whichever is later.
    pub(super) fn last_time(&self) -> Timestamp {
        let come = self.watermark.plus_millis(i64::from(self.is_sorted()));
        come.max(self.newest)
    }

    /// True if time has ended.
    #[inline(always)]
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// True if events need no buffer: events are in time order and there is at most one source.
    #[inline]
    pub(super) fn is_sorted(&self) -> bool {
        self.progress.is_sorted()
    }

    /// True if there is no source beside the one that events come from.
    pub(super) fn has_one_source(&self) -> bool {
        self.progress.is_only()
    }

    /// Returns the watermark that the sources have reached, if it is after the watermark.
    #[inline]
    pub(super) fn reached(&self) -> Option<Timestamp> {
        let reached = self.progress.watermark();
        (reached > self.watermark).then_some(reached)
    }

    /// True if an event of this time is after the watermark, and its time and values are valid.
    #[inline(always)]
    pub(super) fn is_ahead<E: Event>(&self, event: &E, time: Timestamp) -> bool {
        self.watermark < time && time < Timestamp::MAX && event.out_of_range().is_none()
    }

    /// True if events are in order, after the watermark, and have valid times and values.
    #[inline(always)]
    pub(super) fn are_ahead<E: Event>(&self, events: &[&E]) -> bool {
        self.are_times_ahead(events.iter().map(|event| E::time(event)))
            & events.iter().all(|event| event.out_of_range().is_none())
    }

    /// True if times are in order, after the watermark, and valid.
    #[inline(always)]
    pub(super) fn are_times_ahead(&self, times: impl Iterator<Item = Timestamp>) -> bool {
        let mut last = self.watermark.plus_millis(1);
        let mut are = self.watermark < Timestamp::MAX;
        for time in times {
            are &= last <= time;
            last = time;
        }
        are && last < Timestamp::MAX
    }
}

/// Moving on.
impl InputClock {
    /// An event of this time came from a source. The watermark stays.
    #[inline]
    pub(super) fn observe(&mut self, source: SourceId, time: Timestamp) {
        self.progress.observe(source, time);
    }

    /// An event of this time is in time: it may be the newest.
    #[inline]
    pub(super) fn accept(&mut self, time: Timestamp) {
        self.newest = self.newest.max(time);
    }

    /// An event of this time came in order: the watermark is just before it.
    #[inline]
    pub(super) fn accept_in_order(&mut self, time: Timestamp) {
        self.accept(time);
        self.watermark = time.plus_millis(-1);
    }

    /// The events of the only source came in order up to this time. After the last of them, the
    /// source is [settled](InputClock::settle).
    #[inline(always)]
    pub(super) fn arrive(&mut self, time: Timestamp) {
        // Parts that were joined at the earliest watermark may have newer events.
        self.accept_in_order(time);
        self.is_unsettled = true;
    }

    /// Advances the only source to the watermark if events of it have arrived. Between two calls of a
    /// host it is always done: to do it for each event took 2 % of the instructions of W2.
    #[inline]
    pub(super) fn settle(&mut self, source: SourceId) {
        if std::mem::take(&mut self.is_unsettled) {
            self.progress.advance(source, self.watermark);
        }
    }

    /// Moves the watermark.
    pub(super) fn set_watermark(&mut self, to: Timestamp) {
        self.watermark = to;
    }

    /// Ends time.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Advances the watermark of a source. The end of time is what [`end`](InputClock::end) means.
    pub(super) fn advance_source(&mut self, source: SourceId, to: Timestamp) {
        self.progress.advance(source, to.min(Timestamp::MAX.plus_millis(-1)));
    }

    /// Advances the watermarks of all sources to the newest event.
    pub(super) fn advance_to_newest(&mut self) {
        self.progress.advance_all(self.newest.min(Timestamp::MAX.plus_millis(-1)));
    }

    /// Marks a source as idle.
    pub(super) fn set_idle(&mut self, source: SourceId) {
        self.progress.set_idle(source);
    }
}

/// The sources.
impl InputClock {
    /// Returns the source with this name. A new name makes a new source.
    pub(super) fn source(&mut self, name: &str) -> SourceId {
        self.progress.source(name)
    }

    /// Returns the source of events that are pushed without one.
    #[inline]
    pub(super) fn main_source(&mut self) -> SourceId {
        match self.main {
            Some(source) => source,
            None => *self.main.insert(self.progress.source("")),
        }
    }

    /// True if events were pushed without a source.
    pub(super) fn has_main_source(&self) -> bool {
        self.main.is_some()
    }

    /// Returns the progress of each source.
    pub(super) fn sources(&self) -> impl ExactSizeIterator<Item = SourceProgress<'_>> {
        self.progress.sources()
    }

    /// Continues at the moment of a snapshot.
    pub(super) fn restore(&mut self, watermark: Timestamp, newest: Timestamp, has_ended: bool) {
        self.watermark = watermark;
        self.accept(newest);
        self.has_ended = has_ended;
    }

    /// Continues a source of a snapshot.
    pub(super) fn restore_source(&mut self, name: &str, watermark: Timestamp, idle: bool) {
        self.progress.restore(name, watermark, idle);
    }

    /// Holds a source of a snapshot up to a time that another part of the stream has reached.
    pub(super) fn hold_source(&mut self, name: &str, watermark: Timestamp) {
        self.progress.hold(name, watermark);
    }
}
