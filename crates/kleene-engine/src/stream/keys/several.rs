//! Events with several keys in one rule: steps of one type that take the key from different fields.
//!
//! Such an event takes a sequence number for each of its keys, so that what begins with it under
//! several keys has a defined order. The numbers depend on the event and the rules alone, so that
//! all shards agree about them.

use smallvec::SmallVec;

use crate::stream::keys::key_ref::{KeyHasher, KeyRef};
use crate::stream::keys::reader::{KeyClosures, KeyReader};
use kleene_event::event::Event;
use kleene_syntax::hir::{KeyPart, StepKeys};

/// A rule, and the readers of the keys that its steps give the events of one type.
#[derive(Debug)]
pub(in crate::stream) struct SeveralKeys<E> {
    pub(in crate::stream) rule: u32,
    /// The group of the rule, which is alone in it.
    pub(in crate::stream) group: u32,
    /// Each with the variants of step keys that it reads.
    readers: Vec<(KeyReader<E>, u64)>,
}

/// One of the different keys of an event.
#[derive(Debug)]
pub(in crate::stream) struct OneKey<'e> {
    pub(in crate::stream) key: KeyRef<'e>,
    /// The variants of step keys that give this key.
    pub(in crate::stream) variants: u64,
}

impl<E: Event> SeveralKeys<E> {
    pub(in crate::stream) fn new(
        (rule, group): (u32, u32),
        keys: &StepKeys,
        closures: Option<&KeyClosures<E>>,
    ) -> SeveralKeys<E> {
        let reader = |fields: &[_]| KeyReader::new(fields.into(), closures.cloned());
        let readers = keys.keys.iter().map(|key| (reader(&key.fields), key.variants)).collect();
        SeveralKeys { rule, group, readers }
    }

    /// Returns the different keys of an event, in the order of the readers. A key with a null part
    /// is left out.
    pub(in crate::stream) fn keys<'e>(
        &self,
        event: &'e E,
        hasher: &KeyHasher,
    ) -> SmallVec<[OneKey<'e>; 2]> {
        let mut keys: SmallVec<[OneKey<'e>; 2]> = SmallVec::new();
        for (reader, variants) in &self.readers {
            let Some(key) = KeyRef::read(event, reader, hasher) else { continue };
            match keys.iter_mut().find(|known| known.key.is_same(&key)) {
                Some(known) => known.variants |= variants,
                None => keys.push(OneKey { key, variants: *variants }),
            }
        }
        keys
    }
}

/// True if the keys of both rules are in the same fields of the types that both see.
pub(in crate::stream) fn are_alike(
    (before, before_parts): (&[StepKeys], &[KeyPart]),
    (after, after_parts): (&[StepKeys], &[KeyPart]),
) -> bool {
    let sees = |parts: &[KeyPart], of: &StepKeys| {
        parts.iter().any(|part| part.fields.iter().any(|(ty, _)| *ty == of.ty))
    };
    let has = |all: &[StepKeys], parts: &[KeyPart], of: &StepKeys| match all
        .iter()
        .find(|keys| keys.ty == of.ty)
    {
        Some(keys) => {
            keys.keys.len() == of.keys.len()
                && of.keys.iter().all(|key| keys.keys.iter().any(|k| k.fields == key.fields))
        }
        None => !sees(parts, of),
    };
    before.iter().all(|keys| has(after, after_parts, keys))
        && after.iter().all(|keys| has(before, before_parts, keys))
}
