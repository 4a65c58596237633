//! The keys that changed since a snapshot, so that the next snapshot can contain those alone.

use crate::stream::keys::key::Key;

/// The changes of a key table since a snapshot, as bits and numbers: most keys have not changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The changed slots, each once.
    touched: Vec<u32>,
    is_touched: Bits,
    /// The slots whose keys are in a snapshot.
    is_saved: Bits,
    /// The keys that are in a snapshot and have no state any more.
    gone: Vec<Key>,
}

impl Changes {
    /// Records that the state in a slot changes.
    #[inline]
    pub(crate) fn touch(&mut self, slot: u32) {
        if self.is_touched.set(slot) {
            self.touched.push(slot);
        }
    }

    /// Records that the slot of this key is removed.
    pub(crate) fn remove(&mut self, slot: u32, key: Key) {
        if self.is_saved.clear(slot) {
            self.gone.push(key);
        }
    }

    /// Records that a slot is removed because its key is evicted to a cold store. Returns true if
    /// no snapshot has the key's current state.
    pub(crate) fn put_away(&mut self, slot: u32) -> bool {
        self.is_saved.clear(slot);
        self.is_touched.get(slot)
    }

    /// Records that an evicted key was loaded into a slot. A snapshot may have the key: the key is
    /// then gone once the slot is removed.
    pub(crate) fn brought_back(&mut self, slot: u32) {
        self.is_saved.set(slot);
    }

    /// Returns the changed slots. Some of them may be removed.
    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// Returns the keys that lost their state. Some of them may have state again.
    pub(crate) fn gone(&self) -> &[Key] {
        &self.gone
    }

    /// Starts over after a snapshot. `is_there` is true for the slots of keys.
    pub(crate) fn saved(&mut self, is_there: impl Fn(u32) -> bool) {
        for slot in self.touched.drain(..) {
            self.is_touched.clear(slot);
            if is_there(slot) {
                self.is_saved.set(slot);
            }
        }
        self.gone.clear();
    }

    /// Heap bytes, without what key values own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.touched.capacity() * size_of::<u32>()
            + self.is_touched.memory_usage()
            + self.is_saved.memory_usage()
            + self.gone.capacity() * size_of::<Key>()
    }
}

/// A set of slots.
#[derive(Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// Sets a bit. Returns true if the bit was not set before.
    #[inline]
    pub(crate) fn set(&mut self, index: u32) -> bool {
        let word = index as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let before = self.0[word];
        self.0[word] |= 1 << (index % 64);
        before != self.0[word]
    }

    /// Clears a bit. Returns true if the bit was set before.
    pub(crate) fn clear(&mut self, index: u32) -> bool {
        let Some(word) = self.0.get_mut(index as usize / 64) else { return false };
        let before = *word;
        *word &= !(1 << (index % 64));
        before != *word
    }

    fn get(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word & 1 << (index % 64) != 0)
    }

    /// Heap bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}
