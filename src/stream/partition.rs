//! The keys of one rule and what each of them holds.

use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::{KeyState, field_of};
use crate::hir::expr::FieldRef;
use crate::time::Timestamp;
use crate::util::slab::Slab;
use crate::value::{Value, ValueRef};

/// A key's values, in the order of the rule's key parts.
pub(crate) type Key = SmallVec<[Value; 1]>;

/// An event's key values, read but not copied, and their hash.
#[derive(Debug)]
pub(crate) struct KeyRef<'a> {
    values: SmallVec<[ValueRef<'a>; 1]>,
    hash: u32,
}

impl<'a> KeyRef<'a> {
    /// Reads an event's key. `None` where a part of it is null.
    #[inline]
    pub(crate) fn read<E: Event>(
        event: &'a E,
        fields: &[FieldRef],
        hasher: &DefaultHashBuilder,
    ) -> Option<KeyRef<'a>> {
        let mut values = SmallVec::new();
        let mut state = hasher.build_hasher();
        for field in fields {
            let value = field_of(event, field);
            if value.is_null() {
                return None;
            }
            value.hash_into(&mut state);
            values.push(value);
        }
        let hash = state.finish();
        #[expect(clippy::cast_possible_truncation, reason = "folded to the width that is stored")]
        Some(KeyRef { values, hash: (hash ^ (hash >> 32)) as u32 })
    }

    pub(crate) fn to_key(&self) -> Key {
        self.values.iter().map(|value| value.to_value()).collect()
    }

    fn is_key(&self, key: &[Value]) -> bool {
        self.values.iter().zip(key).all(|(value, key)| value.is_same(key.as_ref()))
    }
}

/// The keys of one rule that have something open.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    table: HashTable<Entry>,
    slots: Slab<Slot>,
    generation: u32,
}

/// A key's place. The hash is kept beside it, so that neither a miss nor growth looks at the slot.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    slot: u32,
}

/// What is kept of a key.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) state: KeyState,
    /// When the timer that counts comes up; `MAX` where none is set.
    pub(crate) armed: Timestamp,
    /// No two slots of a rule have the same one (until 2^32 keys have come and gone).
    pub(crate) generation: u32,
    hash: u32,
}

/// All 64 bits that the table wants from the 32 that are kept.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Partition {
    #[inline]
    pub(crate) fn find(&self, key: &KeyRef<'_>) -> Option<u32> {
        let found = self.table.find(spread(key.hash), |entry| {
            entry.hash == key.hash && key.is_key(&self.slots.get(entry.slot).key)
        });
        found.map(|entry| entry.slot)
    }

    /// Adds a key that is not there yet.
    pub(crate) fn insert(&mut self, key: &KeyRef<'_>, state: KeyState) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.slots.insert(Slot {
            key: key.to_key(),
            state,
            armed: Timestamp::MAX,
            generation: self.generation,
            hash: key.hash,
        });
        let entry = Entry { hash: key.hash, slot };
        self.table.insert_unique(spread(key.hash), entry, |entry| spread(entry.hash));
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let hash = self.slots.remove(slot).hash;
        if let Ok(entry) = self.table.find_entry(spread(hash), |entry| entry.slot == slot) {
            entry.remove();
        }
    }

    pub(crate) fn slot_mut(&mut self, slot: u32) -> &mut Slot {
        self.slots.get_mut(slot)
    }

    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        self.slots.get(slot)
    }

    /// The slot, if it still is of this generation.
    pub(crate) fn living(&self, slot: u32, generation: u32) -> Option<&Slot> {
        self.slots.try_get(slot).filter(|slot| slot.generation == generation)
    }

    /// What every key holds, in no particular order.
    pub(crate) fn states_mut(&mut self) -> impl Iterator<Item = &mut KeyState> {
        self.slots.values_mut().map(|slot| &mut slot.state)
    }

    /// All slots, in no particular order.
    pub(crate) fn slots(&self) -> Vec<u32> {
        self.table.iter().map(|entry| entry.slot).collect()
    }

    /// Heap bytes, without what key values and states own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.table.allocation_size() + self.slots.memory_usage()
    }
}
