//! How far event time has come: what each source has said, and what follows for all.

use std::sync::Arc;

use crate::time::Timestamp;

/// Where watermarks come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Strategy {
    /// Events come in time order.
    Sorted,
    /// Events come at most so many milliseconds late.
    OutOfOrder(i64),
    /// The host says how far time has come.
    Source,
}

/// A source of events, made by [`Engine::source`](crate::stream::Engine::source). It means
/// something to the engine that made it only.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SourceId(pub(crate) u32);

#[derive(Clone, Debug)]
struct Source {
    name: Arc<str>,
    /// No event with this time or an earlier one will come from it.
    watermark: Timestamp,
    idle: bool,
}

/// The progress of all sources.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    strategy: Strategy,
    sources: Vec<Source>,
}

impl Progress {
    pub(crate) fn new(strategy: Strategy) -> Progress {
        Progress { strategy, sources: Vec::new() }
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The source of this name, made if it is new.
    pub(crate) fn source(&mut self, name: &str) -> SourceId {
        let index = self.sources.iter().position(|source| &*source.name == name);
        let index = index.unwrap_or_else(|| {
            let (watermark, idle) = (Timestamp::MIN, false);
            self.sources.push(Source { name: name.into(), watermark, idle });
            self.sources.len() - 1
        });
        SourceId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The sources: their names, their watermarks, and whether they are idle.
    pub(crate) fn saved(&self) -> Vec<(&str, Timestamp, bool)> {
        let sources = self.sources.iter();
        sources.map(|source| (&*source.name, source.watermark, source.idle)).collect()
    }

    /// Puts a source back to where it was. Where it is known already, another part of a stream has
    /// it, too: it is as far as the one that is behind.
    pub(crate) fn restore(&mut self, name: &str, watermark: Timestamp, idle: bool) {
        match self.sources.iter_mut().find(|source| &*source.name == name) {
            Some(source) => {
                source.watermark = source.watermark.min(watermark);
                source.idle &= idle;
            }
            None => self.sources.push(Source { name: name.into(), watermark, idle }),
        }
    }

    /// Whether events can be taken as they come: they are in time order, and there is one source.
    #[inline]
    pub(crate) fn is_sorted(&self) -> bool {
        self.strategy == Strategy::Sorted && self.sources.len() <= 1
    }

    /// An event of this time came from `source`, which is thereby not idle.
    #[inline]
    pub(crate) fn observe(&mut self, source: SourceId, time: Timestamp) {
        let bound = match self.strategy {
            Strategy::Sorted => 0,
            Strategy::OutOfOrder(bound) => bound,
            Strategy::Source => {
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

    /// `source` has nothing to say for now; the others need not wait for it.
    pub(crate) fn set_idle(&mut self, source: SourceId) {
        if let Some(source) = self.sources.get_mut(source.0 as usize) {
            source.idle = true;
        }
    }

    /// The least watermark of the sources that are not idle; where all are, the greatest.
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
        let mut progress = Progress::new(Strategy::OutOfOrder(10));
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
        let mut progress = Progress::new(Strategy::OutOfOrder(i64::MAX));
        let source = progress.source("");
        progress.observe(source, Timestamp::MIN.plus_millis(1));
        assert_eq!(progress.watermark(), Timestamp::MIN);
    }
}
