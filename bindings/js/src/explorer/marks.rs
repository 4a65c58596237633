//! Snapshots of an engine along a run, so that any moment of it can be looked at again.

use kleene::stream::Engine;

use kleene_wasm_engine::Indexed;

/// The maximum number of snapshots that are kept.
const MOST: usize = 48;
/// The maximum size of all snapshots in bytes.
const MOST_BYTES: usize = 64 << 20;
/// The number of events after which the first snapshot is taken.
const FIRST: usize = 2048;

/// Snapshots, each with the number of events before it.
#[derive(Debug)]
pub(super) struct Marks {
    all: Vec<(usize, Vec<u8>)>,
    bytes: usize,
    every: usize,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks { all: Vec::new(), bytes: 0, every: FIRST }
    }
}

impl Marks {
    /// Takes a snapshot if it is time for one. Where they become too many, every other one is
    /// given up, and they are taken half as often from then on.
    #[inline]
    pub(super) fn at(&mut self, events: usize, engine: &Engine<Indexed>) {
        if events.is_multiple_of(self.every) && events > 0 {
            self.take(events, engine);
        }
    }

    #[cold]
    fn take(&mut self, events: usize, engine: &Engine<Indexed>) {
        let snapshot = engine.snapshot();
        self.bytes += snapshot.len();
        self.all.push((events, snapshot));
        while self.all.len() > MOST || self.bytes > MOST_BYTES && !self.all.is_empty() {
            self.every = self.every.saturating_mul(2);
            self.all.retain(|(events, _)| events.is_multiple_of(self.every));
            self.bytes = self.all.iter().map(|(_, snapshot)| snapshot.len()).sum();
        }
    }

    /// The last snapshot before a number of events, if there is one.
    pub(super) fn before(&self, events: usize) -> Option<(usize, &[u8])> {
        let index = self.all.partition_point(|(taken, _)| *taken <= events).checked_sub(1)?;
        self.all.get(index).map(|(taken, snapshot)| (*taken, snapshot.as_slice()))
    }

    /// The bytes that they take.
    pub(super) fn memory_usage(&self) -> usize {
        self.bytes
    }
}
