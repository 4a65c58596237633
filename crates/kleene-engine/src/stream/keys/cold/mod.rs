//! State larger than memory: the state of idle keys is evicted to a store.
//!
//! An engine with a [`ColdStore`] evicts the state of keys without recent events, so that about the
//! configured number of keys stays in memory. For each evicted key the engine keeps a fingerprint.
//! An event finds its evicted key by the fingerprint and loads the key. Entries that are written
//! together are sorted by deadline. A chunk of entries is loaded just before its first deadline, so
//! deadlines cost no memory and stay exact. Outputs and their order are the same with and without a
//! store.
//!
//! The clock algorithm of page replacement finds idle keys: a hand goes round the keys, evicts
//! those without an event since its last visit, and clears the marks of the others.

pub(in crate::stream) mod entry;
pub(in crate::stream) mod index;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::sync::OnceLock;

use crate::stream::error::{PushError, PushFailure};
use crate::stream::keys::changes::Bits;
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::keys::table::RuleState;
use crate::stream::rule::runtime::RuleRuntime;
use entry::{Codec, ColdKey, EntryScratch};
use index::ColdIndex;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// A store of numbered entries for an [`Engine`](crate::stream::Engine) whose state does not fit
/// into memory; see [`EngineBuilder::cold_store`](crate::stream::EngineBuilder::cold_store).
///
/// The store is scratch space. It is empty when an engine gets it, no one reads it after the engine
/// is gone, and snapshots contain its entries. It need not survive a crash.
pub trait ColdStore: Send + Sync {
    /// Stores all entries or none. Numbers rise, and are greater than all numbers before them.
    ///
    /// # Errors
    /// The reason why the entries were not stored. The engine stops.
    fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError>;

    /// Returns the entry with the least number that is at least `from`; `None` if all numbers are
    /// less.
    ///
    /// # Errors
    /// The reason why the store cannot be read. The engine stops.
    fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError>;

    /// Removes an entry. Later calls of [`next`](ColdStore::next) must not return a removed entry,
    /// whenever the store reuses its space.
    ///
    /// # Errors
    /// The reason why the entry was not removed. The engine stops.
    fn remove(&mut self, number: u64) -> Result<(), ColdError>;
}

/// The error of a [`ColdStore`].
pub type ColdError = Box<dyn Error + Send + Sync>;

/// The maximum number of keys that are written at once.
const MOST_AT_ONCE: u64 = 1 << 16;

/// The maximum number of keys that are loaded together for their first deadline.
pub(in crate::stream) const MOST_IN_CHUNK: u64 = 64;

/// The engine's knowledge of evicted keys.
pub(in crate::stream) struct Cold<E: Event> {
    pub(in crate::stream) store: Box<dyn ColdStore>,
    pub(in crate::stream) codec: Codec<E>,
    /// The number of keys that may be in memory.
    pub(in crate::stream) limit: u64,
    /// The number of keys in memory at which the hand looks for idle keys.
    pub(in crate::stream) full: u64,
    pub(in crate::stream) index: ColdIndex,
    /// The number of the next entry.
    pub(in crate::stream) next: u64,
    /// Chunks of entries by their first deadline: the deadline, the number of the first entry, and
    /// the number of entries.
    pub(in crate::stream) chunks: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    /// By group: the slots with an event since the last visit of the hand.
    pub(in crate::stream) touched: Vec<Bits>,
    /// The group and slot at which the hand continues.
    pub(in crate::stream) hand: (u32, u32),
    /// By rule: the number of partial matches in entries. A sum of counts of 64 bits fits.
    pub(in crate::stream) partials: Vec<u128>,
    /// The entries that no snapshot has, if changes are recorded.
    pub(in crate::stream) unsaved: Vec<u64>,
    /// A failure during a call that only reads.
    trouble: OnceLock<PushError>,
    /// The state of evicted keys, decoded for inspection.
    pub(in crate::stream) shown: OnceLock<Shown<E>>,
}

/// The state of all keys that are not in memory.
pub(in crate::stream) struct Shown<E: Event> {
    pub(in crate::stream) scratch: EntryScratch<E>,
    pub(in crate::stream) keys: Vec<(Key, Vec<RuleState>)>,
}

/// Returns the error that stops an engine whose store fails.
#[cold]
pub(in crate::stream) fn failed(doing: &str, error: &(dyn Error + 'static)) -> PushError {
    let mut message = format!("{doing}: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        message = format!("{message}: {error}");
        source = error.source();
    }
    PushError(PushFailure::Cold(message.into()))
}

#[cold]
pub(in crate::stream) fn damaged(number: u64) -> PushError {
    let message = format!("has kept what is not entry {number} as it was written");
    PushError(PushFailure::Cold(message.into()))
}

#[cold]
pub(in crate::stream) fn lost() -> PushError {
    PushError(PushFailure::Cold("has lost an entry".into()))
}

/// The selection of keys for a scan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum Which {
    All,
    /// Keys that no snapshot has.
    Unsaved,
}

impl<E: Event> Cold<E> {
    pub(in crate::stream) fn new(
        store: Box<dyn ColdStore>,
        codec: Codec<E>,
        limit: u64,
    ) -> Cold<E> {
        Cold {
            store,
            codec,
            limit,
            full: limit,
            index: ColdIndex::default(),
            next: 0,
            chunks: BinaryHeap::new(),
            touched: Vec::new(),
            hand: (0, 0),
            partials: Vec::new(),
            unsaved: Vec::new(),
            trouble: OnceLock::new(),
            shown: OnceLock::new(),
        }
    }

    /// Returns the number of keys that are written at once.
    pub(in crate::stream) fn at_once(&self) -> u64 {
        (self.limit / 8).clamp(1, MOST_AT_ONCE)
    }

    /// Returns the first deadline of the next chunk.
    pub(in crate::stream) fn wake(&self) -> Timestamp {
        self.chunks.peek().map_or(Timestamp::MAX, |Reverse((at, ..))| *at)
    }

    /// Returns the number of a rule's partial matches in entries, at most `u64::MAX`.
    pub(in crate::stream) fn partials(&self, rule: usize) -> u64 {
        let partials = self.partials.get(rule).copied().unwrap_or_default();
        u64::try_from(partials).unwrap_or(u64::MAX)
    }

    /// Returns the failure of a call that only read.
    pub(in crate::stream) fn trouble(&self) -> Option<&PushError> {
        self.trouble.get()
    }

    /// Records that a snapshot has all current entries.
    pub(in crate::stream) fn saved(&mut self) {
        self.unsaved.clear();
    }

    pub(in crate::stream) fn partials_mut(&mut self, rule: u32) -> &mut u128 {
        let rule = rule as usize;
        if self.partials.len() <= rule {
            self.partials.resize(rule + 1, 0);
        }
        &mut self.partials[rule]
    }

    /// Marks a slot as used since the last visit of the hand.
    pub(in crate::stream) fn touch(&mut self, group: u32, slot: u32) {
        let group = group as usize;
        if self.touched.len() <= group {
            self.touched.resize_with(group + 1, Bits::default);
        }
        self.touched[group].set(slot);
    }

    /// Returns the first entry at or after a number, read for these rules.
    pub(in crate::stream) fn next_entry(
        &self,
        from: u64,
        rules: &[RuleRuntime<E>],
    ) -> Result<Option<(u64, ColdKey<E>)>, PushError> {
        let next = self.store.next(from).map_err(|error| failed("cannot read", &*error))?;
        let Some((number, bytes)) = next else { return Ok(None) };
        let frozen = (self.codec.read)(&bytes, rules).ok_or_else(|| damaged(number))?;
        Ok(Some((number, frozen)))
    }

    /// Returns the entry of a key of a group.
    pub(in crate::stream) fn find(
        &self,
        group: u32,
        key: &KeyRef<'_>,
        rules: &[RuleRuntime<E>],
    ) -> Result<Option<(u64, ColdKey<E>)>, PushError> {
        for number in self.index.find(fingerprint(group, key.hash())) {
            match self.next_entry(number, rules)? {
                Some((found, frozen)) if found == number => {
                    if frozen.group == group && key.is_key(&frozen.key) {
                        return Ok(Some((number, frozen)));
                    }
                }
                _ => return Err(lost()),
            }
        }
        Ok(None)
    }

    /// Calls `look` with each key, its state and the stores of the state. An error is kept to stop
    /// the engine; a caller that must not miss a key has to check it.
    pub(in crate::stream) fn look(
        &self,
        which: Which,
        rules: &[RuleRuntime<E>],
        mut look: impl FnMut(u32, &Key, &mut Vec<RuleState>, &mut EntryScratch<E>),
    ) -> Result<(), PushError> {
        let mut scratch = EntryScratch::new(rules);
        let looked = self.each(which, rules, |_, frozen| {
            let (group, key) = (frozen.group, frozen.key.clone());
            let mut held = scratch.take_in(rules, frozen);
            look(group, &key, &mut held, &mut scratch);
            scratch.give_up(rules, held);
        });
        if let Err(error) = &looked {
            // The first error says more than those that follow from it.
            let _ = self.trouble.set(error.clone());
        }
        looked
    }

    /// Calls `take` with each entry in the order of their numbers.
    pub(in crate::stream) fn each(
        &self,
        which: Which,
        rules: &[RuleRuntime<E>],
        mut take: impl FnMut(u64, ColdKey<E>),
    ) -> Result<(), PushError> {
        if which == Which::Unsaved {
            for &number in &self.unsaved {
                // It may have been brought back since.
                if let Some((found, frozen)) = self.next_entry(number, rules)?
                    && found == number
                {
                    take(number, frozen);
                }
            }
            return Ok(());
        }
        let (mut from, mut count) = (0, 0);
        while let Some((number, frozen)) = self.next_entry(from, rules)? {
            count += 1;
            from = number + 1;
            take(number, frozen);
        }
        if count == self.index.len() { Ok(()) } else { Err(lost()) }
    }

    /// Returns the state in all entries, in memory until something changes.
    pub(in crate::stream) fn show(&self, rules: &[RuleRuntime<E>]) -> &Shown<E> {
        self.shown.get_or_init(|| {
            let (mut scratch, mut keys) = (EntryScratch::new(rules), Vec::new());
            let shown = self.each(Which::All, rules, |_, frozen| {
                keys.push((frozen.key.clone(), scratch.take_in(rules, frozen)));
            });
            if let Err(error) = shown {
                let _ = self.trouble.set(error);
            }
            Shown { scratch, keys }
        })
    }

    /// Returns the heap size in bytes, without the store's own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.index.memory_usage()
            + self.chunks.capacity() * size_of::<(Timestamp, u64, u32)>()
            + self.touched.iter().map(Bits::memory_usage).sum::<usize>()
            + self.unsaved.capacity() * size_of::<u64>()
    }
}

/// Returns the fingerprint of a key of a group, by the key's hash.
pub(in crate::stream) fn fingerprint(group: u32, hash: u32) -> u32 {
    hash ^ group.wrapping_mul(0x9e37_79b9)
}
