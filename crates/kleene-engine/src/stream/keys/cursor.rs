//! The cursor: the position of an event's key while the event goes from rule to rule.

use smallvec::SmallVec;

use crate::stream::keys::groups::Groups;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::keys::reader::KeyReader;
use crate::stream::keys::table::KeyTable;
use kleene_automata::exec::KeyState;
use kleene_event::event::Event;

/// An event's key in a group, and the position in its slot while the event goes from rule to rule.
#[derive(Debug)]
pub(in crate::stream) struct KeyCursor<'e> {
    pub(in crate::stream) group: u32,
    pub(in crate::stream) key: KeyRef<'e>,
    pub(in crate::stream) slot: Option<u32>,
    /// The length of the slot's prefix that is in the order of rules.
    pub(in crate::stream) sorted: usize,
    /// The first position in the slot that may belong to a later rule.
    next: usize,
    /// The positions in the slot without state.
    pub(in crate::stream) idle: SmallVec<[u32; 2]>,
}

impl<'e> KeyCursor<'e> {
    /// Reads an event's key. `None` if a part of the key is null. `found` is a hint for the key's
    /// slot.
    #[inline]
    pub(in crate::stream) fn new<E: Event>(
        event: &'e E,
        group: u32,
        reader: &KeyReader<E>,
        groups: &Groups,
        found: Option<u32>,
    ) -> Option<KeyCursor<'e>> {
        let keys = groups.keys(group);
        let (key, slot) = keys.look_up_key(event, reader, found, &groups.hasher)?;
        let sorted = slot.map_or(0, |slot| keys.slot(slot).held().len());
        Some(KeyCursor { group, key, slot, sorted, next: 0, idle: SmallVec::new() })
    }

    /// Returns the cursor of a key that was read before.
    pub(in crate::stream) fn of_key(key: KeyRef<'e>, group: u32, groups: &Groups) -> KeyCursor<'e> {
        let keys = groups.keys(group);
        let slot = keys.find(&key);
        let sorted = slot.map_or(0, |slot| keys.slot(slot).held().len());
        KeyCursor { group, key, slot, sorted, next: 0, idle: SmallVec::new() }
    }

    /// Returns the position of a rule's state in the slot. Call the function for rules in their
    /// order.
    #[inline]
    pub(in crate::stream) fn place(&mut self, keys: &KeyTable, rule: u32) -> Option<(u32, usize)> {
        let slot = self.slot?;
        let held = &keys.slot(slot).held()[self.next..self.sorted];
        if held.first()?.rule < rule {
            self.next += held.partition_point(|held| held.rule < rule);
        }
        let held = keys.slot(slot).held()[..self.sorted].get(self.next)?;
        (held.rule == rule).then_some((slot, self.next))
    }

    /// Drops empty states and sorts new states, after the last rule.
    #[inline]
    pub(in crate::stream) fn end(&self, keys: &mut KeyTable) {
        if let Some(slot) = self.slot
            && (!self.idle.is_empty() || keys.slot(slot).held().len() > self.sorted)
        {
            keys.tidy_at(slot, &self.idle, self.sorted);
        }
    }

    /// Adds the new state of a rule and returns its position.
    pub(in crate::stream) fn add(
        &mut self,
        keys: &mut KeyTable,
        rule: u32,
        state: KeyState,
    ) -> (u32, usize) {
        if let Some(slot) = self.slot {
            keys.add(slot, rule, state);
            return (slot, keys.slot(slot).held().len() - 1);
        }
        let slot = keys.insert(&self.key, rule, state);
        (self.slot, self.sorted) = (Some(slot), 1);
        // Later rules follow the new state.
        self.next = 1;
        (slot, 0)
    }
}
