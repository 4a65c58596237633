//! The key table: the keys of a group of rules and their state.
//!
//! One fast path is here: slots are retained for keys without state.
//!
//! When it applies: a rule alone reads its types and its deadlines only free memory, so sweeps find
//! the slots.
//!
//! Why it is right: an empty slot holds nothing that could be reported. A quota bounds the retained
//! slots; it grows with the number of keys.
//!
//! What it saves: the removal of a key and its insertion when the key comes again. Without it, W3
//! takes 1.06 times the instructions, W6 1.17 (docs/performance.md).
//!
//! Which test holds it: `tests/idle_keys.rs`.

use hashbrown::HashTable;

use crate::stream::keys::changes::Changes;
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::{KeyHasher, KeyRef};
use crate::stream::keys::reader::KeyReader;
use kleene_automata::exec::KeyState;
use kleene_automata::util::slab::Slab;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::util::prefetch::prefetch_at;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::expr::FieldRef;

/// The keys with state of some rule of a group.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    table: HashTable<KeyTableEntry>,
    slots: Slab<Slot>,
    generation: u32,
    /// The size of the state that does not fit into slots, in bytes.
    spilled: usize,
    /// The number of slots retained for keys without state, in case the keys come again soon.
    idle: usize,
    /// The changes since a snapshot, if they are recorded.
    pub(crate) changes: Option<Box<Changes>>,
}

/// The slot of a key, with the key's hash. Neither a miss nor growth of the table reads the slot.
#[derive(Clone, Copy, Debug)]
struct KeyTableEntry {
    hash: u32,
    slot: u32,
}

/// A key and its state.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    held: KeyEntry,
    /// No two slots of a table have the same generation (until 2^32 keys have come and gone).
    pub(crate) generation: u32,
    hash: u32,
}

impl Slot {
    /// Returns the key's state, by rule.
    #[inline]
    pub(crate) fn held(&self) -> &[RuleState] {
        self.held.as_slice()
    }

    pub(crate) fn held_mut(&mut self) -> &mut [RuleState] {
        self.held.as_mut_slice()
    }

    /// True if the only rule of the group has no state for the key any more.
    fn is_idle(&self) -> bool {
        matches!(&self.held, KeyEntry::One(held) if held.state.is_idle())
    }

    /// Returns the [hash](KeyRef::hash) of the key.
    pub(crate) fn hash(&self) -> u32 {
        self.hash
    }
}

/// The state of a rule for a key.
#[derive(Debug)]
pub(crate) struct RuleState {
    pub(crate) rule: u32,
    /// The time of the timer that counts; `MAX` if no timer is scheduled.
    pub(crate) armed: Timestamp,
    pub(crate) state: KeyState,
}

/// A slot as long as one key has it: the next key of the slot has another generation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SlotId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The state of a rule for a key, and its position.
#[derive(Debug)]
pub(crate) struct At<'k> {
    pub(crate) key: &'k Key,
    pub(crate) id: SlotId,
    pub(crate) held: &'k mut RuleState,
}

/// The state of a group's rules for a key. The common case, one rule, takes no more memory.
#[derive(Debug)]
enum KeyEntry {
    One(RuleState),
    /// Any other number of rules.
    Many(Vec<RuleState>),
}

impl KeyEntry {
    #[inline]
    fn as_slice(&self) -> &[RuleState] {
        match self {
            KeyEntry::One(held) => std::slice::from_ref(held),
            KeyEntry::Many(held) => held,
        }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [RuleState] {
        match self {
            KeyEntry::One(held) => std::slice::from_mut(held),
            KeyEntry::Many(held) => held,
        }
    }

    fn push(&mut self, new: RuleState) {
        match self {
            KeyEntry::Many(held) => held.push(new),
            KeyEntry::One(_) => {
                let mut both = Vec::with_capacity(2);
                if let KeyEntry::One(first) = std::mem::replace(self, KeyEntry::Many(Vec::new())) {
                    both.push(first);
                }
                both.push(new);
                *self = KeyEntry::Many(both);
            }
        }
    }

    /// Drops empty states and sorts the rest by rule. Returns true if nothing is left.
    fn tidy(&mut self) -> bool {
        match self {
            KeyEntry::One(held) => held.state.is_idle(),
            KeyEntry::Many(held) => {
                held.retain(|held| !held.state.is_idle());
                // New states are sorted among themselves and follow the sorted ones.
                held.sort_by_key(|held| held.rule);
                if held.capacity() >= 16 && held.len() <= held.capacity() / 4 {
                    held.shrink_to(2 * held.len());
                }
                held.is_empty()
            }
        }
    }

    /// Drops the empty states at the positions `idle` and sorts the rest; the first `sorted`
    /// positions are in order already. Faster than [`tidy`](KeyEntry::tidy) for keys with state of
    /// very many rules.
    fn tidy_at(&mut self, idle: &[u32], mut sorted: usize) -> bool {
        let KeyEntry::Many(held) = self else { return self.tidy() };
        if idle.len() + held.len().saturating_sub(sorted) > FEW {
            return self.tidy();
        }
        for &place in idle.iter().rev() {
            held.remove(place as usize);
            sorted -= usize::from((place as usize) < sorted);
        }
        for new in sorted..held.len() {
            let rule = held[new].rule;
            let place = held[..new].partition_point(|held| held.rule < rule);
            held[place..=new].rotate_right(1);
        }
        held.is_empty()
    }

    fn spilled(&self) -> usize {
        match self {
            KeyEntry::One(_) => 0,
            KeyEntry::Many(held) => held.capacity() * size_of::<RuleState>(),
        }
    }
}

/// The maximum number of changes to a key's state that are made one by one.
const FEW: usize = 4;

/// The minimum quota of retained slots. The quota grows by one for each `KEYS_PER_IDLE` keys.
const IDLE: usize = 64;
const KEYS_PER_IDLE: usize = 4;

/// Returns the 64 bits that the table needs from the 32 bits that are stored.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl KeyTable {
    pub(crate) fn find(&self, key: &KeyRef<'_>) -> Option<u32> {
        self.find_key(key.hash, |other| key.is_key(other))
    }

    /// Returns the slot of the key with this hash for which `is_key` is true.
    #[inline(always)]
    fn find_key(&self, hash: u32, is_key: impl Fn(&Key) -> bool) -> Option<u32> {
        let slot = self.find_hash(hash)?;
        if is_key(&self.slots.get(slot).key) { Some(slot) } else { self.find_among(hash, is_key) }
    }

    /// Returns the slot of a key if another key has its hash.
    #[cold]
    fn find_among(&self, hash: u32, is_key: impl Fn(&Key) -> bool) -> Option<u32> {
        let found = self.table.find(spread(hash), |entry| {
            entry.hash == hash && is_key(&self.slots.get(entry.slot).key)
        });
        found.map(|entry| entry.slot)
    }

    /// Returns the hash of an event's key, and the key's slot if there is one. `found` is a hint
    /// for the slot, and `known` the hash if it is known. `None` if a part of the key is null.
    ///
    /// The values of most keys, one number or one text, are compared in place. A copy would be read
    /// in other portions than it was written, and the processor would wait for the write.
    #[inline(always)]
    pub(crate) fn look_up<E: Event>(
        &self,
        event: &E,
        reader: &KeyReader<E>,
        (found, known): (Option<u32>, Option<u32>),
        hasher: &KeyHasher,
    ) -> Option<(u32, Option<u32>)> {
        if let [FieldRef::Declared(field)] = &*reader.fields {
            let value = event.field(*field);
            if let ValueRef::Int(number) = value {
                let is_key = |key: &Key| matches!(key, Key::One(Value::Int(key)) if *key == number);
                let hash = || known.unwrap_or_else(|| hasher.int(number));
                return Some(self.look_up_usual(found, is_key, hash));
            }
            if let ValueRef::String(text) = value {
                let is_key =
                    |key: &Key| matches!(key, Key::One(Value::String(key)) if **key == *text);
                let hash = || known.unwrap_or_else(|| hasher.text(text));
                return Some(self.look_up_usual(found, is_key, hash));
            }
        }
        // A table of such keys has only this one.
        if reader.fields.is_empty() {
            return Some(self.look_up_usual(found, |_| true, || hasher.nothing));
        }
        self.look_up_any(event, reader, found, hasher)
    }

    #[inline(always)]
    fn look_up_usual(
        &self,
        found: Option<u32>,
        is_key: impl Fn(&Key) -> bool,
        hash: impl Fn() -> u32,
    ) -> (u32, Option<u32>) {
        if let Some(place) = found
            && let Some(slot) = self.slots.try_get(place)
            && is_key(&slot.key)
        {
            return (slot.hash, found);
        }
        let hash = hash();
        (hash, self.find_key(hash, is_key))
    }

    #[inline(never)]
    fn look_up_any<E: Event>(
        &self,
        event: &E,
        reader: &KeyReader<E>,
        found: Option<u32>,
        hasher: &KeyHasher,
    ) -> Option<(u32, Option<u32>)> {
        self.look_up_key(event, reader, found, hasher).map(|(key, slot)| (key.hash, slot))
    }

    /// Returns an event's key and its slot if there is one, as [`look_up`](KeyTable::look_up) does.
    #[inline]
    pub(crate) fn look_up_key<'e, E: Event>(
        &self,
        event: &'e E,
        reader: &KeyReader<E>,
        found: Option<u32>,
        hasher: &KeyHasher,
    ) -> Option<(KeyRef<'e>, Option<u32>)> {
        if let Some(place) = found
            && let Some(slot) = self.slots.try_get(place)
            && let Some(key) = KeyRef::read_hashed(event, reader, slot.hash)
            && key.is_key(&slot.key)
        {
            return Some((key, found));
        }
        let key = KeyRef::read(event, reader, hasher)?;
        let slot = self.find(&key);
        Some((key, slot))
    }

    /// Returns the first slot of a key with this hash, in most cases the only one. The slot is not
    /// read.
    #[inline(always)]
    pub(crate) fn find_hash(&self, hash: u32) -> Option<u32> {
        self.table.find(spread(hash), |entry| entry.hash == hash).map(|entry| entry.slot)
    }

    /// Prefetches a slot.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: u32) {
        self.slots.prefetch(slot);
    }

    /// Prefetches the position at which the search for a rule starts in a slot with several states.
    #[inline(always)]
    pub(crate) fn prefetch_held(&self, slot: u32) {
        if let KeyEntry::Many(held) = &self.slots.get(slot).held {
            prefetch_at(held, u32::try_from(held.len() / 2).unwrap_or(0));
        }
    }

    /// Adds a new key with the state of a rule.
    pub(crate) fn insert(&mut self, key: &KeyRef<'_>, rule: u32, state: KeyState) -> u32 {
        self.insert_slot(key.to_key(), key.hash, || RuleState {
            rule,
            armed: Timestamp::MAX,
            state,
        })
    }

    /// Adds a new key for a rule whose state follows in a moment.
    #[inline(always)]
    pub(crate) fn insert_idle(&mut self, key: &KeyRef<'_>, rule: u32) -> u32 {
        self.insert_slot(key.to_key(), key.hash, || {
            let (armed, state) = (Timestamp::MAX, KeyState::default());
            RuleState { rule, armed, state }
        })
    }

    #[inline(always)]
    fn insert_slot(&mut self, key: Key, hash: u32, make: impl FnOnce() -> RuleState) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let slot = self.slots.insert_with(|| {
            let held = KeyEntry::One(make());
            Slot { key, held, generation, hash }
        });
        self.link(slot, hash);
        slot
    }

    /// Adds a new slot to the table.
    fn link(&mut self, slot: u32, hash: u32) {
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let entry = KeyTableEntry { hash, slot };
        self.table.insert_unique(spread(hash), entry, |entry| spread(entry.hash));
    }

    /// Adds a rule's state to a key's slot, after all others until the slot is made
    /// [tidy](KeyTable::tidy).
    pub(crate) fn add(&mut self, slot: u32, rule: u32, state: KeyState) {
        self.push(slot, RuleState { rule, armed: Timestamp::MAX, state });
    }

    fn push(&mut self, slot: u32, held: RuleState) {
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let holdings = &mut self.slots.get_mut(slot).held;
        let before = holdings.spilled();
        holdings.push(held);
        self.spilled = self.spilled + holdings.spilled() - before;
    }

    /// Drops empty states in a slot, and the slot if nothing is left. The work waits until here so
    /// that an event that changes many rules moves the slot's content once.
    pub(crate) fn tidy(&mut self, slot: u32) {
        self.tidy_with(slot, KeyEntry::tidy);
    }

    /// Drops the empty states at the sorted positions `idle` of a slot, and the slot if nothing is
    /// left. The first `sorted` states of the slot are in order already.
    #[inline]
    pub(crate) fn tidy_at(&mut self, slot: u32, idle: &[u32], sorted: usize) {
        self.tidy_with(slot, |holdings| holdings.tidy_at(idle, sorted));
    }

    #[inline]
    fn tidy_with(&mut self, slot: u32, tidy: impl FnOnce(&mut KeyEntry) -> bool) {
        let holdings = &mut self.slots.get_mut(slot).held;
        let before = holdings.spilled();
        let is_empty = tidy(holdings);
        self.spilled = self.spilled + holdings.spilled() - before;
        if is_empty {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        if let Some(changes) = &mut self.changes {
            changes.remove(slot, self.slots.get(slot).key.clone());
        }
        self.slots.discard(slot);
    }

    /// Removes a slot from the table and from the count of bytes.
    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Slot { hash, held, .. } = self.slots.get(slot);
        self.spilled -= held.spilled();
        if let Ok(entry) = self.table.find_entry(spread(*hash), |entry| entry.slot == slot) {
            entry.remove();
        }
    }

    /// Removes a key that is evicted to a cold store. Returns true in the second part if no
    /// snapshot has the key's current state.
    pub(crate) fn put_away(&mut self, slot: u32) -> (Slot, bool) {
        let is_changed = self.changes.as_mut().is_some_and(|changes| changes.put_away(slot));
        self.unlink(slot);
        (self.slots.remove(slot), is_changed)
    }

    /// Records that the key of a slot was loaded from a cold store.
    pub(crate) fn brought_back(&mut self, slot: u32) {
        if let Some(changes) = &mut self.changes {
            changes.brought_back(slot);
        }
    }

    #[inline]
    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        self.slots.get(slot)
    }

    /// Returns the slot if it still has this generation.
    #[inline]
    pub(crate) fn living(&self, id: SlotId) -> Option<&Slot> {
        self.slots.try_get(id.slot).filter(|slot| slot.generation == id.generation)
    }

    /// Returns the state at a position of a slot.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, slot: u32, place: usize) -> At<'_> {
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let Slot { key, held, generation, .. } = self.slots.get_mut(slot);
        let id = SlotId { slot, generation: *generation };
        At { key, id, held: &mut held.as_mut_slice()[place] }
    }

    /// Returns a rule's state in a tidy slot and its position.
    #[inline(always)]
    pub(crate) fn of_rule(&mut self, slot: u32, rule: u32) -> Option<(usize, At<'_>)> {
        let Slot { key, held, generation, .. } = self.slots.get_mut(slot);
        let (place, held) = match held {
            KeyEntry::One(held) => (0, Some(held).filter(|held| held.rule == rule)?),
            KeyEntry::Many(held) => {
                let place = held.binary_search_by_key(&rule, |held| held.rule).ok()?;
                (place, held.get_mut(place)?)
            }
        };
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let id = SlotId { slot, generation: *generation };
        Some((place, At { key, id, held }))
    }

    /// Drops the empty state at a position of a tidy slot, and the slot if nothing is left.
    #[inline]
    pub(crate) fn drop_at(&mut self, slot: u32, place: usize) {
        match &self.slots.get(slot).held {
            KeyEntry::One(_) => self.remove(slot),
            KeyEntry::Many(held) => {
                let sorted = held.len();
                // A slot has fewer positions than there are rules.
                self.tidy_at(slot, &[u32::try_from(place).unwrap_or(u32::MAX)], sorted);
            }
        }
    }

    /// Retains the slot of a key without state so that it can be reused. Returns false if the quota
    /// is full, if no sweep will visit the slot, or if changes are recorded.
    ///
    /// A key that comes again and again then need not be removed and inserted each time. Lookups
    /// find a retained key; for all else the key is gone. The sweep evicts the slot.
    #[inline]
    pub(crate) fn retain(&mut self, slot: u32) -> bool {
        let is_noted = matches!(&self.slots.get(slot).held,
            KeyEntry::One(held) if held.armed < Timestamp::MAX);
        let has_room = self.idle < IDLE + self.table.len() / KEYS_PER_IDLE;
        let is_left = is_noted && has_room && self.changes.is_none();
        self.idle += usize::from(is_left);
        is_left
    }

    /// Counts a [retained](KeyTable::retain) slot as in use again: its key has come again.
    #[inline]
    pub(crate) fn reactivate(&mut self) {
        self.idle -= 1;
    }

    /// Evicts a [retained](KeyTable::retain) slot.
    pub(crate) fn evict(&mut self, slot: u32) {
        self.idle -= 1;
        self.remove(slot);
    }

    /// Evicts all [retained](KeyTable::retain) slots.
    pub(crate) fn evict_idle(&mut self) {
        if self.idle > 0 {
            let entries = self.table.iter().map(|entry| entry.slot);
            let idle: Vec<u32> = entries.filter(|slot| self.slots.get(*slot).is_idle()).collect();
            for slot in idle {
                self.evict(slot);
            }
            debug_assert_eq!(self.idle, 0, "each slot that is left, and no other, is counted");
        }
    }

    /// Returns the position of a rule's state in a tidy slot.
    #[inline]
    pub(crate) fn place(&self, slot: u32, rule: u32) -> Option<usize> {
        match self.slots.get(slot).held() {
            [held] => (held.rule == rule).then_some(0),
            held => held.binary_search_by_key(&rule, |held| held.rule).ok(),
        }
    }

    /// Returns the position of a rule's state in a tidy slot, if the slot still has this generation
    /// and its timer is scheduled for `at`.
    #[inline]
    pub(crate) fn armed(&self, id: SlotId, rule: u32, at: Timestamp) -> Option<usize> {
        let held = self.living(id)?.held();
        self.place(id.slot, rule).filter(|place| held[*place].armed == at)
    }

    /// Returns a rule's state in a tidy slot.
    #[inline(always)]
    pub(crate) fn held(&self, slot: u32, rule: u32) -> Option<&RuleState> {
        let place = self.place(slot, rule)?;
        self.slots.get(slot).held().get(place)
    }

    /// Returns the slots of all keys with state, in no particular order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let slots = self.table.iter().map(|entry| (entry.slot, self.slots.get(entry.slot)));
        slots.filter(|(_, slot)| !slot.is_idle())
    }

    /// Renumbers the rules of all states, and drops the states of rules without a new number.
    pub(crate) fn renumber(&mut self, mut number: impl FnMut(u32) -> Option<u32>) {
        let slots: Vec<u32> = self.table.iter().map(|entry| entry.slot).collect();
        for slot in slots {
            for held in self.slots.get_mut(slot).held.as_mut_slice() {
                match number(held.rule) {
                    Some(rule) => held.rule = rule,
                    None => held.state = KeyState::default(),
                }
            }
            self.tidy(slot);
        }
    }

    /// Moves the state of the rules for which `is_moved` is true to another table with the same
    /// hasher. No timer is scheduled there.
    pub(crate) fn move_rules(&mut self, other: &mut KeyTable, is_moved: impl Fn(u32) -> bool) {
        let slots: Vec<u32> = self.table.iter().map(|entry| entry.slot).collect();
        for slot in slots {
            let Slot { key, held, hash, .. } = self.slots.get_mut(slot);
            let (key, hash) = (key.clone(), *hash);
            for held in held.as_mut_slice().iter_mut().filter(|held| is_moved(held.rule)) {
                let state = std::mem::take(&mut held.state);
                let held = RuleState { rule: held.rule, armed: Timestamp::MAX, state };
                let found = other.table.find(spread(hash), |entry| {
                    entry.hash == hash && other.slots.get(entry.slot).key == key
                });
                if let Some(slot) = found.map(|entry| entry.slot) {
                    other.push(slot, held);
                    other.tidy(slot);
                } else {
                    other.insert_slot(key.clone(), hash, || held);
                }
            }
            self.tidy(slot);
        }
    }

    /// Starts to record changes.
    pub(crate) fn begin_changes(&mut self) {
        self.evict_idle();
        let mut changes = Box::<Changes>::default();
        self.table.iter().for_each(|entry| changes.touch(entry.slot));
        changes.saved(|_| true);
        self.changes = Some(changes);
    }

    /// Clears the recorded changes: a snapshot has them.
    pub(crate) fn saved_changes(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.saved(|slot| self.slots.try_get(slot).is_some());
        }
    }

    /// Returns a number that is greater than all slots.
    pub(crate) fn span(&self) -> u32 {
        self.slots.span()
    }

    /// Returns the slot if it is a key's.
    pub(crate) fn try_slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.try_get(slot)
    }

    /// Returns the heap size in bytes, without heap that key values and states own.
    pub(crate) fn memory_usage(&self) -> usize {
        let changes = self.changes.as_ref().map_or(0, |changes| changes.memory_usage());
        self.table.allocation_size() + self.slots.memory_usage() + self.spilled + changes
    }
}
