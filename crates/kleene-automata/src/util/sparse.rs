//! A table by number with few entries among many numbers.

use hashbrown::HashMap;

/// The number of cells for each entry that are worth a lookup without a hash.
const CELLS_PER_ENTRY: usize = 16;

/// Values by number. A lookup near the lowest number reads one cell, and any other a hash map, so
/// that the table is as large as its entries are many.
///
/// A plain table would be as long as the highest number. Where each of 100,000 rules has a table by
/// the number of an event type, those are 20 GB. A hash map alone takes 40 instructions for a
/// lookup, which events of most rules do several times.
#[derive(Debug)]
pub struct SparseTable<T> {
    first: usize,
    /// The values of the numbers from `first` on.
    near: Box<[T]>,
    /// The values of all later numbers.
    far: HashMap<usize, T>,
    /// The value of numbers without an entry.
    absent: T,
}

impl<T: Copy + Default> Default for SparseTable<T> {
    fn default() -> Self {
        SparseTable::of(&[])
    }
}

impl<T: Copy + Default> SparseTable<T> {
    /// Returns a table with these entries, where all other numbers have the default value.
    pub fn of(entries: &[(usize, T)]) -> SparseTable<T> {
        SparseTable::new(entries, T::default())
    }
}

impl<T: Copy> SparseTable<T> {
    /// Returns a table with these entries, where all other numbers have the value `absent`. Of
    /// several entries with one number, the last counts.
    pub(crate) fn new(entries: &[(usize, T)], absent: T) -> SparseTable<T> {
        let numbers = || entries.iter().map(|(number, _)| *number);
        let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
        let mut near = vec![absent; (last - first + 1).min(CELLS_PER_ENTRY * entries.len())];
        let mut far = HashMap::new();
        for (number, value) in entries {
            match near.get_mut(number - first) {
                Some(cell) => *cell = *value,
                None => _ = far.insert(*number, *value),
            }
        }
        SparseTable { first, near: near.into(), far, absent }
    }

    /// Returns the value of a number.
    #[inline(always)]
    pub fn get(&self, number: usize) -> T {
        match self.near.get(number.wrapping_sub(self.first)) {
            Some(value) => *value,
            None => self.get_far(number),
        }
    }

    #[inline(never)]
    fn get_far(&self, number: usize) -> T {
        self.far.get(&number).copied().unwrap_or(self.absent)
    }

    /// True if there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.near.is_empty()
    }

    /// Returns the heap size in bytes.
    pub(crate) fn heap_size(&self) -> usize {
        size_of_val(&*self.near) + self.far.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_near_and_far_and_take_space_by_their_number() {
        let entries = [(7, 'a'), (9, 'b'), (50_000, 'c'), (9, 'd'), (6, 'e')];
        let table = SparseTable::new(&entries, '-');
        for (number, value) in [
            (5, '-'),
            (6, 'e'),
            (7, 'a'),
            (8, '-'),
            (9, 'd'),
            (49_999, '-'),
            (50_000, 'c'),
            (usize::MAX, '-'),
        ] {
            assert_eq!(table.get(number), value, "{number}");
        }
        assert!(table.heap_size() < 1000, "{}", table.heap_size());
        let empty = SparseTable::new(&[], '-');
        assert!(empty.is_empty() && empty.get(0) == '-' && empty.heap_size() == 0);
    }
}
