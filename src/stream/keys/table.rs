//! The keys of a group of rules and what each of them holds.

use hashbrown::HashTable;

use crate::event::Event;
use crate::exec::KeyState;
use crate::hir::expr::FieldRef;
use crate::stream::keys::changes::Changes;
use crate::stream::keys::key::{Key, KeyHasher, KeyRef};
use crate::time::Timestamp;
use crate::util::prefetch_at;
use crate::util::slab::Slab;
use crate::value::{Value, ValueRef};

/// The keys for which some rule of a group has something open.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    table: HashTable<Entry>,
    slots: Slab<Slot>,
    generation: u32,
    /// Bytes of what does not fit into slots.
    spilled: usize,
    /// How many slots are left to keys for which nothing is held, in case they come again soon.
    idle: usize,
    /// What has changed since a snapshot, where someone wants to know.
    pub(crate) changes: Option<Box<Changes>>,
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
    held: KeyEntry,
    /// No two slots of a partition have the same one (until 2^32 keys have come and gone).
    pub(crate) generation: u32,
    hash: u32,
}

impl Slot {
    /// What rules hold for the key, by rule.
    #[inline]
    pub(crate) fn held(&self) -> &[RuleState] {
        self.held.as_slice()
    }

    pub(crate) fn held_mut(&mut self) -> &mut [RuleState] {
        self.held.as_mut_slice()
    }

    /// Whether the only rule of the group holds nothing for the key any more.
    fn is_idle(&self) -> bool {
        matches!(&self.held, KeyEntry::One(held) if held.state.is_idle())
    }

    /// The [hash](KeyRef::hash) of the key.
    pub(crate) fn hash(&self) -> u32 {
        self.hash
    }
}

/// What a rule holds for a key.
#[derive(Debug)]
pub(crate) struct RuleState {
    pub(crate) rule: u32,
    /// When the timer that counts comes up; `MAX` where none is set.
    pub(crate) armed: Timestamp,
    pub(crate) state: KeyState,
}

/// What a rule holds for a key, and where.
#[derive(Debug)]
pub(crate) struct At<'k> {
    pub(crate) key: &'k Key,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) held: &'k mut RuleState,
}

/// What the rules of a group hold for a key. Most often it is one of them: no more memory then.
#[derive(Debug)]
enum KeyEntry {
    One(RuleState),
    /// Any other number of them.
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

    /// Drops what is idle, and brings the rest into the order of rules. Says whether it is empty.
    fn tidy(&mut self) -> bool {
        match self {
            KeyEntry::One(held) => held.state.is_idle(),
            KeyEntry::Many(held) => {
                held.retain(|held| !held.state.is_idle());
                // What is new stands in order behind what is in order.
                held.sort_by_key(|held| held.rule);
                if held.capacity() >= 16 && held.len() <= held.capacity() / 4 {
                    held.shrink_to(2 * held.len());
                }
                held.is_empty()
            }
        }
    }

    /// The same where it is known what is idle, by place, and how much is in order already: for
    /// keys for which a great many rules hold something.
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

/// Up to so many changes of what rules hold for a key are made one by one.
const FEW: usize = 4;

/// So many slots are left to keys for which nothing is held, and one for each so many keys.
const IDLE: usize = 64;
const KEYS_PER_IDLE: usize = 4;

/// All 64 bits that the table wants from the 32 that are kept.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl KeyTable {
    pub(crate) fn find(&self, key: &KeyRef<'_>) -> Option<u32> {
        self.find_key(key.hash, |other| key.is_key(other))
    }

    /// The slot of the key of this hash of which `is_key` is true.
    #[inline(always)]
    fn find_key(&self, hash: u32, is_key: impl Fn(&Key) -> bool) -> Option<u32> {
        let slot = self.find_hash(hash)?;
        if is_key(&self.slots.get(slot).key) { Some(slot) } else { self.find_among(hash, is_key) }
    }

    /// The same where another key has its hash.
    #[cold]
    fn find_among(&self, hash: u32, is_key: impl Fn(&Key) -> bool) -> Option<u32> {
        let found = self.table.find(spread(hash), |entry| {
            entry.hash == hash && is_key(&self.slots.get(entry.slot).key)
        });
        found.map(|entry| entry.slot)
    }

    /// The hash of an event's key, and its slot if it has one; perhaps it is this one, that was `found`
    /// for it. `None` where a part of the key is null.
    ///
    /// The values of most keys, one number or one text, are looked at where they are: to copy what was
    /// written a moment ago, in other portions, is to wait for it.
    #[inline(always)]
    pub(crate) fn look_up<E: Event>(
        &self,
        event: &E,
        fields: &[FieldRef],
        found: Option<u32>,
        hasher: &KeyHasher,
    ) -> Option<(u32, Option<u32>)> {
        if let [FieldRef::Declared(field)] = fields {
            if let ValueRef::Int(number) = event.field(*field) {
                let is_key = |key: &Key| matches!(key, Key::One(Value::Int(key)) if *key == number);
                return Some(self.look_up_usual(found, is_key, || hasher.int(number)));
            }
            if let ValueRef::String(text) = event.field(*field) {
                let is_key =
                    |key: &Key| matches!(key, Key::One(Value::String(key)) if **key == *text);
                return Some(self.look_up_usual(found, is_key, || hasher.text(text)));
            }
        }
        self.look_up_any(event, fields, found, hasher)
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
        fields: &[FieldRef],
        found: Option<u32>,
        hasher: &KeyHasher,
    ) -> Option<(u32, Option<u32>)> {
        self.look_up_key(event, fields, found, hasher).map(|(key, slot)| (key.hash, slot))
    }

    /// The same with the key in the place of its hash.
    #[inline]
    pub(crate) fn look_up_key<'e, E: Event>(
        &self,
        event: &'e E,
        fields: &[FieldRef],
        found: Option<u32>,
        hasher: &KeyHasher,
    ) -> Option<(KeyRef<'e>, Option<u32>)> {
        if let Some(place) = found
            && let Some(slot) = self.slots.try_get(place)
            && let Some(key) = KeyRef::read_hashed(event, fields, slot.hash)
            && key.is_key(&slot.key)
        {
            return Some((key, found));
        }
        let key = KeyRef::read(event, fields, hasher)?;
        let slot = self.find(&key);
        Some((key, slot))
    }

    /// The first slot of a key with this hash, most often the only one. The slot is not looked at.
    #[inline(always)]
    pub(crate) fn find_hash(&self, hash: u32) -> Option<u32> {
        self.table.find(spread(hash), |entry| entry.hash == hash).map(|entry| entry.slot)
    }

    /// Has a slot fetched.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: u32) {
        self.slots.prefetch(slot);
    }

    /// Has fetched where the search for a rule begins in a slot of several.
    #[inline(always)]
    pub(crate) fn prefetch_held(&self, slot: u32) {
        if let KeyEntry::Many(held) = &self.slots.get(slot).held {
            prefetch_at(held, u32::try_from(held.len() / 2).unwrap_or(0));
        }
    }

    /// Adds a key that is not there yet, for a rule that holds something.
    pub(crate) fn insert(&mut self, key: &KeyRef<'_>, rule: u32, state: KeyState) -> u32 {
        self.insert_slot(key.to_key(), key.hash, || RuleState {
            rule,
            armed: Timestamp::MAX,
            state,
        })
    }

    /// The same for a rule that will hold something in a moment.
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

    /// Puts a new slot into the table.
    fn link(&mut self, slot: u32, hash: u32) {
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let entry = Entry { hash, slot };
        self.table.insert_unique(spread(hash), entry, |entry| spread(entry.hash));
    }

    /// Adds what a rule holds to a key's slot, behind all others until the slot is made
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

    /// Drops what is idle in a slot, and the slot if nothing is left in it. It is given up to now
    /// so that what an event does to many rules moves a slot's content once.
    pub(crate) fn tidy(&mut self, slot: u32) {
        self.tidy_with(slot, KeyEntry::tidy);
    }

    /// The same where it is known at which places of the slot something is idle, in order, and how
    /// much of it is in order.
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

    /// Takes a slot that is to be given up out of the table and the count of bytes.
    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Slot { hash, held, .. } = self.slots.get(slot);
        self.spilled -= held.spilled();
        if let Ok(entry) = self.table.find_entry(spread(*hash), |entry| entry.slot == slot) {
            entry.remove();
        }
    }

    /// Takes a key out that is kept elsewhere, and says whether a snapshot is yet to have it.
    pub(crate) fn put_away(&mut self, slot: u32) -> (Slot, bool) {
        let is_changed = self.changes.as_mut().is_some_and(|changes| changes.put_away(slot));
        self.unlink(slot);
        (self.slots.remove(slot), is_changed)
    }

    /// Notes that the key of a slot was kept elsewhere until now.
    pub(crate) fn brought_back(&mut self, slot: u32) {
        if let Some(changes) = &mut self.changes {
            changes.brought_back(slot);
        }
    }

    #[inline]
    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        self.slots.get(slot)
    }

    /// The slot, if it still is of this generation.
    #[inline]
    pub(crate) fn living(&self, slot: u32, generation: u32) -> Option<&Slot> {
        self.slots.try_get(slot).filter(|slot| slot.generation == generation)
    }

    /// What stands at this place in a slot.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, slot: u32, place: usize) -> At<'_> {
        if let Some(changes) = &mut self.changes {
            changes.touch(slot);
        }
        let Slot { key, held, generation, .. } = self.slots.get_mut(slot);
        At { key, slot, generation: *generation, held: &mut held.as_mut_slice()[place] }
    }

    /// What a rule holds in a slot that is tidy, and where it stands.
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
        Some((place, At { key, slot, generation: *generation, held }))
    }

    /// Drops what is idle at this place of a slot that is tidy, and the slot if nothing is left.
    #[inline]
    pub(crate) fn drop_at(&mut self, slot: u32, place: usize) {
        match &self.slots.get(slot).held {
            KeyEntry::One(_) => self.remove(slot),
            KeyEntry::Many(held) => {
                let sorted = held.len();
                // A slot has fewer places than there are rules.
                self.tidy_at(slot, &[u32::try_from(place).unwrap_or(u32::MAX)], sorted);
            }
        }
    }

    /// Leaves a slot to its key, for which the only rule of the group holds nothing for now: where a
    /// key comes again and again, it need not be taken out and put in each time. To everyone but
    /// [`find`](KeyTable::find) the key is gone. Only what is noted for a sweep, which gives the
    /// slot up, is left, and not too much of that. Says whether it is.
    #[inline]
    pub(crate) fn retain(&mut self, slot: u32) -> bool {
        let is_noted = matches!(&self.slots.get(slot).held,
            KeyEntry::One(held) if held.armed < Timestamp::MAX);
        let has_room = self.idle < IDLE + self.table.len() / KEYS_PER_IDLE;
        let is_left = is_noted && has_room && self.changes.is_none();
        self.idle += usize::from(is_left);
        is_left
    }

    /// Takes note that the key of a slot that was [left](KeyTable::retain) has come again.
    #[inline]
    pub(crate) fn reactivate(&mut self) {
        self.idle -= 1;
    }

    /// Gives up a slot that was [left](KeyTable::retain) to its key.
    pub(crate) fn evict(&mut self, slot: u32) {
        self.idle -= 1;
        self.remove(slot);
    }

    /// Gives up all slots that were [left](KeyTable::retain) to their keys.
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

    /// Where in a slot that is tidy a rule's holdings stand.
    #[inline]
    pub(crate) fn place(&self, slot: u32, rule: u32) -> Option<usize> {
        match self.slots.get(slot).held() {
            [held] => (held.rule == rule).then_some(0),
            held => held.binary_search_by_key(&rule, |held| held.rule).ok(),
        }
    }

    /// Where what a rule holds stands in a slot that is tidy, if the slot still is of this generation
    /// and there is to be a look at it `at` that time.
    #[inline]
    pub(crate) fn armed(
        &self,
        (slot, generation): (u32, u32),
        rule: u32,
        at: Timestamp,
    ) -> Option<usize> {
        let held = self.living(slot, generation)?.held();
        self.place(slot, rule).filter(|place| held[*place].armed == at)
    }

    /// What a rule holds in a slot that is tidy.
    #[inline(always)]
    pub(crate) fn held(&self, slot: u32, rule: u32) -> Option<&RuleState> {
        let place = self.place(slot, rule)?;
        self.slots.get(slot).held().get(place)
    }

    /// The slots of all keys for which something is held, in no particular order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let slots = self.table.iter().map(|entry| (entry.slot, self.slots.get(entry.slot)));
        slots.filter(|(_, slot)| !slot.is_idle())
    }

    /// Gives what each rule holds another rule's number, and drops that of rules that get none.
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

    /// Moves what the rules that `is_moved` names hold over to another partition, whose keys are
    /// hashed in the same way. No timer is set for it there.
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

    /// From now on, what changes is noted.
    pub(crate) fn begin_changes(&mut self) {
        self.evict_idle();
        let mut changes = Box::<Changes>::default();
        self.table.iter().for_each(|entry| changes.touch(entry.slot));
        changes.saved(|_| true);
        self.changes = Some(changes);
    }

    /// A snapshot has all that was noted.
    pub(crate) fn saved_changes(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.saved(|slot| self.slots.try_get(slot).is_some());
        }
    }

    /// All slots are below this.
    pub(crate) fn span(&self) -> u32 {
        self.slots.span()
    }

    /// The slot, if it is a key's.
    pub(crate) fn try_slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.try_get(slot)
    }

    /// Heap bytes, without what key values and states own.
    pub(crate) fn memory_usage(&self) -> usize {
        let changes = self.changes.as_ref().map_or(0, |changes| changes.memory_usage());
        self.table.allocation_size() + self.slots.memory_usage() + self.spilled + changes
    }
}
