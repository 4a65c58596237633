//! Which rules share their keys: one look-up for an event finds what all of them hold.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::hir::expr::FieldRef;
use crate::hir::{KeyPart, Rule};
use crate::schema::TypeId;
use crate::stream::keys::key::KeyHasher;
use crate::stream::keys::table::KeyTable;

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
    keys: KeyTable,
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
    pub(in crate::stream) fn keys(&self, group: u32) -> &KeyTable {
        &self.all[group as usize].keys
    }

    #[inline]
    pub(in crate::stream) fn keys_mut(&mut self, group: u32) -> &mut KeyTable {
        &mut self.all[group as usize].keys
    }

    #[inline(always)]
    pub(in crate::stream) fn keys_and_hasher(&mut self, group: u32) -> (&mut KeyTable, &KeyHasher) {
        (&mut self.all[group as usize].keys, &self.hasher)
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
    pub(in crate::stream) fn evict_idle(&mut self) {
        self.all.iter_mut().for_each(|group| group.keys.evict_idle());
    }

    /// Drops everything that is held.
    pub(in crate::stream) fn clear(&mut self) {
        for group in &mut self.all {
            group.keys = KeyTable::default();
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
