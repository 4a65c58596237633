//! Which keys have changed since a snapshot, so that the next one can be of those alone.

use crate::stream::keys::key::Key;

/// What a partition notes while someone wants its changes: bits and numbers, as most keys have not
/// changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The slots that something came to, each once.
    touched: Vec<u32>,
    is_touched: Bits,
    /// The slots whose keys are in a snapshot.
    is_saved: Bits,
    /// Keys that are in a snapshot and hold nothing any more.
    gone: Vec<Key>,
}

impl Changes {
    /// Notes that something comes to what is held in a slot.
    #[inline]
    pub(crate) fn touch(&mut self, slot: u32) {
        if self.is_touched.set(slot) {
            self.touched.push(slot);
        }
    }

    /// Notes that a slot is given up, which was this key's.
    pub(crate) fn remove(&mut self, slot: u32, key: Key) {
        if self.is_saved.clear(slot) {
            self.gone.push(key);
        }
    }

    /// Notes that a slot is given up whose key is kept elsewhere. Says whether a snapshot is yet to
    /// have what is kept.
    pub(crate) fn put_away(&mut self, slot: u32) -> bool {
        self.is_saved.clear(slot);
        self.is_touched.get(slot)
    }

    /// Notes that a key came back to a slot, which a snapshot may have: it is gone once it is removed.
    pub(crate) fn brought_back(&mut self, slot: u32) {
        self.is_saved.set(slot);
    }

    /// The slots that something came to; some of them are given up.
    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// Keys that hold nothing any more; some of them may hold something again.
    pub(crate) fn gone(&self) -> &[Key] {
        &self.gone
    }

    /// Begins anew after a snapshot; `is_there` says of a slot whether it is a key's.
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
    /// Whether the bit was not set before.
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

    /// Whether the bit was set before.
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
