//! The index of evicted keys: a few bytes for each.

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

/// The numbers of entries by the fingerprints of keys. Two keys can have one fingerprint; the entry
/// contains the key.
#[derive(Debug, Default)]
pub(in crate::stream) struct ColdIndex {
    table: HashTable<IndexEntry>,
}

/// 32 bits of fingerprint and 48 bits of a number, in ten bytes because there are many.
#[derive(Clone, Copy, Debug)]
struct IndexEntry([u8; 10]);

/// The bound of entry numbers. A million new entries a second reach it after nine years.
pub(in crate::stream) const NUMBERS: u64 = 1 << 48;

impl IndexEntry {
    fn new(fingerprint: u32, number: u64) -> IndexEntry {
        let mut bytes = [0; 10];
        bytes[..4].copy_from_slice(&fingerprint.to_le_bytes());
        bytes[4..].copy_from_slice(&number.to_le_bytes()[..6]);
        IndexEntry(bytes)
    }

    fn fingerprint(self) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[..4]);
        u32::from_le_bytes(bytes)
    }

    fn number(self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.0[4..]);
        u64::from_le_bytes(bytes)
    }
}

/// Returns the 64 bits that the table needs.
fn spread(fingerprint: u32) -> u64 {
    u64::from(fingerprint).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl ColdIndex {
    pub(in crate::stream) fn len(&self) -> usize {
        self.table.len()
    }

    pub(in crate::stream) fn insert(&mut self, fingerprint: u32, number: u64) {
        let entry = IndexEntry::new(fingerprint, number);
        let hash = |entry: &IndexEntry| spread(entry.fingerprint());
        self.table.insert_unique(spread(fingerprint), entry, hash);
    }

    /// Returns the entries that may belong to a key with this fingerprint.
    #[inline]
    pub(in crate::stream) fn find(&self, fingerprint: u32) -> impl Iterator<Item = u64> {
        let alike = self.table.iter_hash(spread(fingerprint));
        let same = alike.filter(move |entry| entry.fingerprint() == fingerprint);
        same.map(|entry| entry.number())
    }

    /// Removes an entry. Returns true if it was there.
    pub(in crate::stream) fn remove(&mut self, fingerprint: u32, number: u64) -> bool {
        let found = self.table.find_entry(spread(fingerprint), |entry| {
            entry.fingerprint() == fingerprint && entry.number() == number
        });
        found.map(OccupiedEntry::remove).is_ok()
    }

    /// Returns the heap size in bytes.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_one_fingerprint_are_reported_apart_by_their_numbers() {
        let mut index = ColdIndex::default();
        for number in [1, 7, NUMBERS - 1] {
            index.insert(u32::MAX, number);
        }
        index.insert(3, 2);
        let mut found: Vec<u64> = index.find(u32::MAX).collect();
        found.sort_unstable();
        assert_eq!((found, index.find(4).count()), (vec![1, 7, NUMBERS - 1], 0));
        assert!(index.remove(u32::MAX, 7));
        assert!(!index.remove(u32::MAX, 7) && !index.remove(3, 1));
        assert_eq!((index.find(u32::MAX).count(), index.len()), (2, 3));
    }
}
