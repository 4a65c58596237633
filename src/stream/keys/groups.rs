//! Which rules share their keys: one look-up for an event finds what all of them hold.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::KeyState;
use crate::hir::expr::FieldRef;
use crate::hir::{KeyPart, Rule};
use crate::schema::TypeId;
use crate::stream::dispatch::index::Seat;
use crate::stream::keys::table::{KeyHasher, KeyRef, Partition};

/// The groups of rules that have the same key.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    all: Vec<Group>,
    /// Those whose key has these parts.
    by_parts: HashMap<Box<[Arc<str>]>, Vec<u32>>,
    pub(in crate::stream) hasher: KeyHasher,
}

/// Rules that have the same key: its parts have the same names, and where two of the rules see the
/// same type of event, the parts are in the same fields.
#[derive(Debug, Default)]
struct Group {
    /// By event type, where some rule sees it.
    fields: HashMap<TypeId, Box<[FieldRef]>>,
    keys: Partition,
}

impl Groups {
    /// No groups, for keys that are hashed in the same way.
    pub(in crate::stream) fn empty_like(other: &Groups) -> Groups {
        Groups { hasher: other.hasher.clone(), ..Groups::default() }
    }

    /// The group of a rule, made if there is none that it fits.
    pub(in crate::stream) fn join(&mut self, rule: &Rule) -> u32 {
        let wanted: Vec<(TypeId, Box<[FieldRef]>)> =
            rule.types.iter().map(|ty| (*ty, key_fields(&rule.key, *ty))).collect();
        let parts: Box<[Arc<str>]> = rule.key.iter().map(|part| part.name.clone()).collect();
        let alike = self.by_parts.entry(parts).or_default();
        let fits = |group: &u32| {
            let known = &self.all[*group as usize].fields;
            wanted.iter().all(|(ty, fields)| known.get(ty).is_none_or(|known| known == fields))
        };
        let found = alike.iter().copied().find(fits).unwrap_or_else(|| {
            let group = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
            self.all.push(Group::default());
            alike.push(group);
            group
        });
        self.all[found as usize].fields.extend(wanted);
        found
    }

    pub(in crate::stream) fn len(&self) -> usize {
        self.all.len()
    }

    /// The fields that hold the key of a group in events of this type.
    pub(in crate::stream) fn fields(&self, group: u32, ty: TypeId) -> Box<[FieldRef]> {
        self.all[group as usize].fields.get(&ty).cloned().unwrap_or_default()
    }

    #[inline]
    pub(in crate::stream) fn keys(&self, group: u32) -> &Partition {
        &self.all[group as usize].keys
    }

    #[inline]
    pub(in crate::stream) fn keys_mut(&mut self, group: u32) -> &mut Partition {
        &mut self.all[group as usize].keys
    }

    #[inline(always)]
    pub(in crate::stream) fn keys_and_hasher(
        &mut self,
        group: u32,
    ) -> (&mut Partition, &KeyHasher) {
        (&mut self.all[group as usize].keys, &self.hasher)
    }

    /// Gives those of the rules, which are in order, to `found` that hold something for the keys of an
    /// event.
    pub(in crate::stream) fn held_among(
        &self,
        seats: &[Seat],
        visits: &[Option<Visit<'_>>],
        mut found: impl FnMut(u32, u32),
    ) {
        let held = |visit: &Visit<'_>| match visit.slot {
            Some(slot) => self.keys(visit.group).slot(slot).held(),
            None => &[],
        };
        let all: usize = visits.iter().flatten().map(|visit| held(visit).len()).sum();
        if seats.len() <= all {
            for &(rule, place) in seats {
                let visit = visits.get(place as usize).and_then(Option::as_ref);
                let held = visit.map_or(&[][..], held);
                if held.binary_search_by_key(&rule, |held| held.rule).is_ok() {
                    found(rule, place);
                }
            }
        } else {
            for (place, visit) in (0..).zip(visits) {
                for held in visit.iter().flat_map(&held) {
                    if seats.binary_search(&(held.rule, place)).is_ok() {
                        found(held.rule, place);
                    }
                }
            }
        }
    }

    /// By rule: the slots in which it holds something.
    pub(in crate::stream) fn slots_by_rule(&self, rules: usize) -> Vec<Vec<u32>> {
        let mut slots = vec![Vec::new(); rules];
        for group in &self.all {
            for (slot, content) in group.keys.slots() {
                for held in content.held() {
                    slots[held.rule as usize].push(slot);
                }
            }
        }
        slots
    }

    /// Gives up the slots that were left to keys for which nothing is held.
    pub(in crate::stream) fn give_up_idle(&mut self) {
        self.all.iter_mut().for_each(|group| group.keys.give_up_idle());
    }

    /// Drops everything that is held.
    pub(in crate::stream) fn clear(&mut self) {
        for group in &mut self.all {
            group.keys = Partition::default();
        }
    }

    /// Heap bytes, without what key values and states own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.all.iter().map(|group| group.keys.memory_usage()).sum()
    }
}

/// The fields that hold the key parts in events of type `ty`; one that is always null where there is
/// none.
fn key_fields(key: &[KeyPart], ty: TypeId) -> Box<[FieldRef]> {
    let field = |part: &KeyPart| {
        let field = part.fields.iter().find(|(id, _)| *id == ty).map(|(_, field)| field.clone());
        field.unwrap_or_else(|| FieldRef::ByType(Arc::new([])))
    };
    key.iter().map(field).collect()
}

/// An event's key in a group, and where in the group it is while the event goes to one rule after
/// the other.
#[derive(Debug)]
pub(in crate::stream) struct Visit<'e> {
    pub(in crate::stream) group: u32,
    pub(in crate::stream) key: KeyRef<'e>,
    pub(in crate::stream) slot: Option<u32>,
    /// How much of the slot is in the order of rules.
    pub(in crate::stream) sorted: usize,
    /// The first place in it that may be of a rule that comes yet.
    cursor: usize,
    /// The places in it of what is idle now.
    pub(in crate::stream) idle: SmallVec<[u32; 2]>,
}

impl<'e> Visit<'e> {
    /// `None` where a part of the event's key is null. Its slot is perhaps the one that was `found`.
    #[inline]
    pub(in crate::stream) fn new<E: Event>(
        event: &'e E,
        group: u32,
        fields: &[FieldRef],
        groups: &Groups,
        found: Option<u32>,
    ) -> Option<Visit<'e>> {
        let keys = groups.keys(group);
        let (key, slot) = keys.look_up_key(event, fields, found, &groups.hasher)?;
        let sorted = slot.map_or(0, |slot| keys.slot(slot).held().len());
        Some(Visit { group, key, slot, sorted, cursor: 0, idle: SmallVec::new() })
    }

    /// Where in its slot a rule's holdings are. Rules come in their order.
    #[inline]
    pub(in crate::stream) fn place(&mut self, keys: &Partition, rule: u32) -> Option<(u32, usize)> {
        let slot = self.slot?;
        let held = &keys.slot(slot).held()[self.cursor..self.sorted];
        if held.first()?.rule < rule {
            self.cursor += held.partition_point(|held| held.rule < rule);
        }
        let held = keys.slot(slot).held()[..self.sorted].get(self.cursor)?;
        (held.rule == rule).then_some((slot, self.cursor))
    }

    /// Drops what is idle and brings what is new into order, behind the last rule.
    #[inline]
    pub(in crate::stream) fn end(&self, keys: &mut Partition) {
        if let Some(slot) = self.slot
            && (!self.idle.is_empty() || keys.slot(slot).held().len() > self.sorted)
        {
            keys.tidy_at(slot, &self.idle, self.sorted);
        }
    }

    /// Adds what a rule holds now and has not held before. Gives its place.
    pub(in crate::stream) fn add(
        &mut self,
        keys: &mut Partition,
        rule: u32,
        state: KeyState,
    ) -> (u32, usize) {
        if let Some(slot) = self.slot {
            keys.add(slot, rule, state);
            return (slot, keys.slot(slot).held().len() - 1);
        }
        let slot = keys.insert(&self.key, rule, state);
        (self.slot, self.sorted) = (Some(slot), 1);
        // Later rules come behind it.
        self.cursor = 1;
        (slot, 0)
    }
}
