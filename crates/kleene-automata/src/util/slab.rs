//! A vector whose freed places are used again; indices stay valid until their entry is removed.

use kleene_event::util::prefetch::prefetch_at;

#[derive(Clone, Debug)]
enum SlabEntry<T> {
    Full(T),
    /// The next free place, or `u32::MAX` at the end of the list.
    Free(u32),
}

/// A pool of values addressed by `u32`.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    entries: Vec<SlabEntry<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { entries: Vec::new(), free: u32::MAX, len: 0 }
    }
}

impl<T> Slab<T> {
    /// The index that the next value will get.
    #[inline(always)]
    pub fn next_index(&self) -> u32 {
        if self.free == u32::MAX { self.span() } else { self.free }
    }

    /// Stores `value` and gives its index.
    #[inline(always)]
    pub fn insert(&mut self, value: T) -> u32 {
        self.insert_with(|| value)
    }

    /// Stores what `make` makes, and gives its index. It is made last, so that it need not be put
    /// anywhere in between: to move what was written a moment ago is to wait for it.
    #[inline(always)]
    pub fn insert_with(&mut self, make: impl FnOnce() -> T) -> u32 {
        let index = self.free;
        let Some(entry) = self.entries.get_mut(index as usize) else { return self.push(make()) };
        let next = match *entry {
            SlabEntry::Free(next) => next,
            SlabEntry::Full(_) => unreachable!("the free list only links free places"),
        };
        // A free place has nothing to drop.
        std::mem::forget(std::mem::replace(entry, SlabEntry::Full(make())));
        self.free = next;
        self.len += 1;
        // The next value is written to this entry, which may have been free for long.
        self.prefetch(if next == u32::MAX { index } else { next });
        index
    }

    /// Stores `value` behind all others.
    #[inline(never)]
    fn push(&mut self, value: T) -> u32 {
        let index = u32::try_from(self.entries.len()).ok().filter(|index| *index < u32::MAX);
        self.entries.push(SlabEntry::Full(value));
        self.len += 1;
        index.expect("a slab holds fewer than 2^32")
    }

    /// Takes the value at `index` out. The index must be one that `insert` gave.
    #[inline]
    pub fn remove(&mut self, index: u32) -> T {
        let entry =
            std::mem::replace(&mut self.entries[index as usize], SlabEntry::Free(self.free));
        self.free = index;
        self.len -= 1;
        match entry {
            SlabEntry::Full(value) => value,
            SlabEntry::Free(_) => unreachable!("an index is removed once"),
        }
    }

    /// Drops the value at `index` where it is. The index must be one that `insert` gave.
    #[inline]
    pub fn discard(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        debug_assert!(matches!(entry, SlabEntry::Full(_)), "an index is removed once");
        *entry = SlabEntry::Free(self.free);
        self.free = index;
        self.len -= 1;
    }

    /// The value at `index`, if there is one now.
    #[inline]
    pub fn try_get(&self, index: u32) -> Option<&T> {
        match self.entries.get(index as usize) {
            Some(SlabEntry::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// Has the processor fetch the value at `index`.
    #[inline(always)]
    pub fn prefetch(&self, index: u32) {
        prefetch_at(&self.entries, index);
    }

    /// Returns an entry that is there.
    #[inline(always)]
    pub fn get(&self, index: u32) -> &T {
        match &self.entries[index as usize] {
            SlabEntry::Full(value) => value,
            SlabEntry::Free(_) => unreachable!("an index is not used after its removal"),
        }
    }

    /// Returns an entry that is there.
    #[inline(always)]
    pub fn get_mut(&mut self, index: u32) -> &mut T {
        match &mut self.entries[index as usize] {
            SlabEntry::Full(value) => value,
            SlabEntry::Free(_) => unreachable!("an index is not used after its removal"),
        }
    }

    /// Drops all values. No index is valid any more.
    pub fn clear(&mut self) {
        self.entries.clear();
        (self.free, self.len) = (u32::MAX, 0);
    }

    /// Every value that is stored.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            SlabEntry::Full(value) => Some(value),
            SlabEntry::Free(_) => None,
        })
    }

    /// All indices are below this.
    #[inline]
    pub fn span(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Returns the number of stored values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes of the pool itself, without what its values own.
    pub fn memory_usage(&self) -> usize {
        self.entries.capacity() * size_of::<SlabEntry<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_places_are_used_again() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((slab.remove(a), slab.next_index()), ('a', a));
        let c = slab.insert('c');
        assert_eq!((c, *slab.get(b), *slab.get(c), slab.len()), (a, 'b', 'c', 2));
    }
}
