//! Watermarks: the progress of event time in each source and in the engine.

use std::sync::Arc;

use kleene_event::time::Timestamp;

/// The origin of watermarks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WatermarkStrategy {
    /// Events come in time order.
    Sorted,
    /// Events come at most this many milliseconds late.
    OutOfOrder(i64),
    /// The host advances the watermark.
    Source,
}

/// A source of events, made by [`Engine::source`](crate::stream::Engine::source). Only the engine
/// that made the source can use it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SourceId(pub(crate) u32);

/// The progress of one source: see [`Engine::sources`](crate::stream::Engine::sources).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SourceProgress<'a> {
    /// The name of the source; empty for the source of events that are pushed without one.
    pub name: &'a str,
    /// The source sends no event at or before this time. [`Timestamp::MIN`] before its first event
    /// or watermark.
    pub watermark: Timestamp,
    /// True if the other sources do not wait for this one.
    pub is_idle: bool,
}

#[derive(Clone, Debug)]
struct EventSource {
    name: Arc<str>,
    /// The source sends no event at or before this time.
    watermark: Timestamp,
    idle: bool,
}

/// The progress of all sources.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    strategy: WatermarkStrategy,
    sources: Vec<EventSource>,
}

impl Progress {
    pub(crate) fn new(strategy: WatermarkStrategy) -> Progress {
        Progress { strategy, sources: Vec::new() }
    }

    pub(crate) fn strategy(&self) -> WatermarkStrategy {
        self.strategy
    }

    /// Returns the source with this name. A new name makes a new source.
    pub(crate) fn source(&mut self, name: &str) -> SourceId {
        let index = self.sources.iter().position(|source| &*source.name == name);
        let index = index.unwrap_or_else(|| {
            let (watermark, idle) = (Timestamp::MIN, false);
            self.sources.push(EventSource { name: name.into(), watermark, idle });
            self.sources.len() - 1
        });
        SourceId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Returns the progress of each source.
    pub(crate) fn sources(&self) -> impl ExactSizeIterator<Item = SourceProgress<'_>> {
        self.sources.iter().map(|source| SourceProgress {
            name: &source.name,
            watermark: source.watermark,
            is_idle: source.idle,
        })
    }

    /// Restores a source. If another part of the stream has restored the source before, the lesser
    /// watermark counts, and the source is idle only if it is idle in both parts.
    pub(crate) fn restore(&mut self, name: &str, watermark: Timestamp, idle: bool) {
        match self.sources.iter_mut().find(|source| &*source.name == name) {
            Some(source) => {
                source.watermark = source.watermark.min(watermark);
                source.idle &= idle;
            }
            None => self.sources.push(EventSource { name: name.into(), watermark, idle }),
        }
    }

    /// Holds a source up: it may send events after this time, also if it said that it does not.
    pub(crate) fn hold(&mut self, name: &str, watermark: Timestamp) {
        if let Some(source) = self.sources.iter_mut().find(|source| &*source.name == name) {
            source.watermark = source.watermark.min(watermark);
        }
    }

    /// True if events need no buffer: events are in time order and there is at most one source.
    #[inline]
    pub(crate) fn is_sorted(&self) -> bool {
        self.strategy == WatermarkStrategy::Sorted && self.sources.len() <= 1
    }

    /// True if there is no other source.
    pub(crate) fn is_only(&self) -> bool {
        self.sources.len() <= 1
    }

    /// An event of this time came from `source`, which is thereby not idle.
    #[inline]
    pub(crate) fn observe(&mut self, source: SourceId, time: Timestamp) {
        let bound = match self.strategy {
            WatermarkStrategy::Sorted => 0,
            WatermarkStrategy::OutOfOrder(bound) => bound,
            WatermarkStrategy::Source => {
                self.advance(source, Timestamp::MIN);
                return;
            }
        };
        self.advance(source, time.plus_millis(-bound - 1));
    }

    /// `source` says that no event at or before `to` will come, and that it is not idle.
    #[inline]
    pub(crate) fn advance(&mut self, source: SourceId, to: Timestamp) {
        if let Some(source) = self.sources.get_mut(source.0 as usize) {
            source.watermark = source.watermark.max(to);
            source.idle = false;
        }
    }

    /// No source sends an event at or before `to`. An idle source stays idle.
    pub(crate) fn advance_all(&mut self, to: Timestamp) {
        for source in &mut self.sources {
            source.watermark = source.watermark.max(to);
        }
    }

    /// Marks `source` as idle, so that the other sources do not wait for it.
    pub(crate) fn set_idle(&mut self, source: SourceId) {
        if let Some(source) = self.sources.get_mut(source.0 as usize) {
            source.idle = true;
        }
    }

    /// Returns the least watermark of the sources that are not idle. If all sources are idle,
    /// returns the greatest.
    #[inline]
    pub(crate) fn watermark(&self) -> Timestamp {
        if let [source] = self.sources.as_slice() {
            return source.watermark;
        }
        let live = self.sources.iter().filter(|source| !source.idle);
        let least = live.map(|source| source.watermark).min();
        least
            .or_else(|| self.sources.iter().map(|source| source.watermark).max())
            .unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(progress: &Progress) -> i64 {
        progress.watermark().as_millis()
    }

    #[test]
    fn the_watermark_is_the_least_of_the_live_sources() {
        let at = Timestamp::from_millis;
        let mut progress = Progress::new(WatermarkStrategy::OutOfOrder(10));
        let (a, b) = (progress.source("a"), progress.source("b"));
        assert_eq!(progress.source("a"), a);
        progress.observe(a, at(100));
        assert_eq!(progress.watermark(), Timestamp::MIN);
        progress.observe(b, at(50));
        assert_eq!(millis(&progress), 39);
        progress.observe(b, at(20));
        assert_eq!(millis(&progress), 39);
        progress.set_idle(b);
        assert_eq!(millis(&progress), 89);
        progress.set_idle(a);
        assert_eq!(millis(&progress), 89);
        progress.advance(b, at(200));
        assert_eq!(millis(&progress), 199 + 1);
        progress.observe(a, at(101));
        assert_eq!(millis(&progress), 90);
    }

    #[test]
    fn bounds_do_not_overflow() {
        let mut progress = Progress::new(WatermarkStrategy::OutOfOrder(i64::MAX));
        let source = progress.source("");
        progress.observe(source, Timestamp::MIN.plus_millis(1));
        assert_eq!(progress.watermark(), Timestamp::MIN);
    }
}
