//! Groups of rules that share their keys: one lookup for an event finds the state of all of them.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::stream::keys::key_ref::KeyHasher;
use crate::stream::keys::table::KeyTable;
use kleene_event::schema::TypeId;
use kleene_event::util::order;
use kleene_syntax::hir::expr::FieldRef;
use kleene_syntax::hir::{KeyPart, Rule};

/// The groups of rules with the same key.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    all: Vec<KeyGroup>,
    /// The groups by the parts of their key.
    by_parts: HashMap<Box<[Arc<str>]>, Vec<u32>>,
    pub(in crate::stream) hasher: KeyHasher,
}

/// Rules with the same key. The parts have the same names, and if two of the rules read the same
/// type of event, the parts are in the same fields. A rule whose key closures compute is alone,
/// because closures cannot be compared; so is a rule whose events have several keys.
#[derive(Debug, Default)]
struct KeyGroup {
    /// By event type, for types that some rule reads.
    fields: HashMap<TypeId, Box<[FieldRef]>>,
    keys: KeyTable,
}

impl Groups {
    /// Returns no groups, with the hasher of `other`.
    pub(in crate::stream) fn empty_like(other: &Groups) -> Groups {
        Groups { hasher: other.hasher.clone(), ..Groups::default() }
    }

    /// Returns the group of a rule. Makes a new group if the rule fits none.
    pub(in crate::stream) fn join(&mut self, rule: &Rule) -> u32 {
        if rule.key.iter().any(|part| part.is_computed) || !rule.step_keys.is_empty() {
            return self.add(key_fields(rule));
        }
        let wanted = key_fields(rule);
        let parts: Box<[Arc<str>]> = rule.key.iter().map(|part| part.name.clone()).collect();
        let alike = self.by_parts.entry(parts).or_default();
        let fits = |group: &u32| {
            let known = &self.all[*group as usize].fields;
            wanted.iter().all(|(ty, fields)| known.get(ty).is_none_or(|known| known == fields))
        };
        if let Some(found) = alike.iter().copied().find(fits) {
            self.all[found as usize].fields.extend(wanted);
            return found;
        }
        alike.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.add(wanted)
    }

    /// Adds a group of a rule with these fields.
    fn add(&mut self, fields: Vec<(TypeId, Box<[FieldRef]>)>) -> u32 {
        let fields = fields.into_iter().collect();
        self.all.push(KeyGroup { fields, keys: KeyTable::default() });
        u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
    }

    pub(in crate::stream) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the fields that hold the key of a group in events of this type.
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

    /// Returns, by rule, the slots in which the rule has state.
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

    /// Evicts the slots of keys without state.
    pub(in crate::stream) fn evict_idle(&mut self) {
        self.all.iter_mut().for_each(|group| group.keys.evict_idle());
    }

    /// Drops all state.
    pub(in crate::stream) fn clear(&mut self) {
        for group in &mut self.all {
            group.keys = KeyTable::default();
        }
    }

    /// Returns the heap size in bytes, without heap that key values and states own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        self.all.iter().map(|group| group.keys.memory_usage()).sum()
    }
}

/// Returns the fields of the key parts in events of each type that a rule reads. A missing part gets
/// a field that is always null.
fn key_fields(rule: &Rule) -> Vec<(TypeId, Box<[FieldRef]>)> {
    // Both the types and the fields of a part can be many.
    let by_type = |part: &KeyPart| {
        let mut fields = part.fields.clone();
        order::sort_by_key(&mut fields, |(ty, _)| *ty);
        fields
    };
    let parts: Vec<Vec<(TypeId, FieldRef)>> = rule.key.iter().map(by_type).collect();
    let fields_of = |ty: &TypeId| {
        let field = |part: &Vec<(TypeId, FieldRef)>| {
            let field = part.binary_search_by_key(ty, |(id, _)| *id).ok();
            field.map_or_else(|| FieldRef::ByType(Arc::new([])), |field| part[field].1.clone())
        };
        (*ty, parts.iter().map(field).collect())
    };
    rule.types.iter().map(fields_of).collect()
}
