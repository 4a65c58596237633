//! `suppress` and `once`: matches that are not reported because of an earlier match.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher as _, Hash};

use hashbrown::{DefaultHashBuilder, Equivalent, HashTable};

use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::output::matched::Match;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::ValueRef;
use kleene_syntax::hir::{Once, Suppress};

/// The suppressed keys of a rule, and the end of each suppression.
///
/// An entry is dropped as soon as its time is over, so there are never more entries than matches
/// that were reported within the last `suppress` duration. With `once`, an entry marks a key that
/// is over. An entry without values marks the whole rule. These entries last until the end of the
/// stream.
///
/// A key is stored once. A heap that had the keys, too, took half of the memory.
#[derive(Debug, Default)]
pub(crate) struct SuppressionTable {
    /// The suppressed keys with the ends of their suppressions.
    reported: HashTable<(Key, Timestamp)>,
    /// The ends in their order, each with the hash of its key. What never ends is not here. The end
    /// of a key that was suppressed anew in between is out of date.
    ends: BinaryHeap<Reverse<(Timestamp, u64)>>,
    /// The hashes of the keys that never end and are in no snapshot yet, if changes are recorded.
    unsaved: Option<Vec<u64>>,
    hasher: DefaultHashBuilder,
}

/// The verdict on a match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SuppressVerdict {
    /// The match is reported.
    Reported,
    /// The match is reported, but there is no room for an entry.
    NotRemembered,
    /// The match is not reported.
    Suppressed,
}

impl SuppressionTable {
    /// Returns the verdict on a match. A reported match gets an entry if there are fewer than
    /// `limit` others.
    pub(crate) fn judge<E: Event>(
        &mut self,
        suppress: &Suppress,
        found: &Match<'_, E>,
        limit: usize,
    ) -> SuppressVerdict {
        // At the end of the stream, matches are reported in the order of their starts. The match
        // before may have ended later, and its entry says nothing about other keys.
        let now = found.reported_at();
        let key: Key = match &suppress.by {
            Some(by) => by.iter().map(|expr| found.value(expr).into_owned()).collect(),
            None => found.key_slice().iter().cloned().collect(),
        };
        if self.end_of(&key).is_some_and(|until| until > now) {
            return SuppressVerdict::Suppressed;
        }
        let ValueRef::Duration(millis @ 1..) = found.value(&suppress.duration).as_ref() else {
            return SuppressVerdict::Reported;
        };
        if self.reported.len() >= limit {
            self.forget(now);
        }
        if self.reported.len() >= limit {
            return SuppressVerdict::NotRemembered;
        }
        self.remember(key, now.plus_millis(millis));
        SuppressVerdict::Reported
    }

    /// True if a rule with `once` is over, as a whole or for this key.
    #[inline]
    pub(crate) fn is_over(&self, once: Once, key: &KeyRef<'_>) -> bool {
        !self.reported.is_empty() && (once == Once::Rule || self.end_of(key).is_some())
    }

    /// True if a rule with `once` is over for the key of this match.
    pub(crate) fn is_over_for<E: Event>(&self, once: Once, found: &Match<'_, E>) -> bool {
        !self.reported.is_empty() && self.end_of(&mark(once, found)).is_some()
    }

    /// Marks the scope that `once` ends with this match as over. Returns false if there is no room
    /// for an entry.
    pub(crate) fn mark_over<E: Event>(
        &mut self,
        once: Once,
        found: &Match<'_, E>,
        limit: usize,
    ) -> bool {
        let has_room = self.reported.len() < limit;
        if has_room {
            self.remember(mark(once, found), Timestamp::MAX);
        }
        has_room
    }

    /// Returns the suppressed keys with the ends of their suppressions, in any order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Timestamp, &Key)> {
        self.reported.iter().map(|(key, until)| (*until, key))
    }

    /// Returns the first time at which an entry may be forgotten.
    pub(crate) fn first_end(&self) -> Option<Timestamp> {
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    /// Returns the entries that changes since the last snapshot have to hold, in any order: those
    /// that end, as a whole, and those that never end and are new.
    ///
    /// Entries that never end are never removed, so a snapshot and its changes together have all of
    /// them. Two keys with one hash can be among the new ones although one of them was saved.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (Timestamp, &Key)> {
        let unsaved = self.unsaved.as_deref().unwrap_or_default();
        let is_of = move |hash: u64| {
            move |(key, until): &&(Key, Timestamp)| {
                *until == Timestamp::MAX && self.hasher.hash_one(key) == hash
            }
        };
        let new = unsaved.iter().flat_map(move |&hash| {
            self.reported.iter_hash(hash).filter(is_of(hash)).map(|(key, until)| (*until, key))
        });
        // Nothing ends in a rule with `once`: no entry is looked at.
        let all = if self.ends.is_empty() { None } else { Some(self.entries()) };
        new.chain(all.into_iter().flatten().filter(|(until, _)| *until < Timestamp::MAX))
    }

    /// Records the entries that are new from now on: a snapshot has all others.
    pub(crate) fn record_changes(&mut self) {
        self.unsaved = Some(Vec::new());
    }

    /// Restores an entry of a snapshot.
    pub(crate) fn restore(&mut self, key: Key, until: Timestamp) {
        if self.end_of(&key).is_none() {
            self.remember(key, until);
        }
    }

    /// Returns the end of a key's suppression.
    #[inline]
    fn end_of<K: Hash + Equivalent<Key>>(&self, key: &K) -> Option<Timestamp> {
        let is_key = |entry: &(Key, Timestamp)| key.equivalent(&entry.0);
        self.reported.find(self.hasher.hash_one(key), is_key).map(|(_, until)| *until)
    }

    fn remember(&mut self, key: Key, until: Timestamp) {
        let hash = self.hasher.hash_one(&key);
        if until < Timestamp::MAX {
            self.ends.push(Reverse((until, hash)));
        } else if let Some(unsaved) = &mut self.unsaved {
            unsaved.push(hash);
        }
        if let Some(entry) = self.reported.find_mut(hash, |entry| entry.0 == key) {
            entry.1 = until;
        } else {
            let rehash = |entry: &(Key, Timestamp)| self.hasher.hash_one(&entry.0);
            self.reported.insert_unique(hash, (key, until), rehash);
        }
    }

    /// Drops the entries that are over at `now`. A match at exactly that time is reported again.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some(end) = self.ends.peek()
            && end.0.0 <= now
        {
            let (until, hash) = end.0;
            self.ends.pop();
            if let Ok(entry) = self.reported.find_entry(hash, |entry| entry.1 == until) {
                entry.remove();
            }
        }
        // The table shrinks after a burst, but not at once, since bursts come repeatedly.
        if self.reported.capacity() > 64 && self.reported.len() < self.reported.capacity() / 8 {
            let rehash = |entry: &(Key, Timestamp)| self.hasher.hash_one(&entry.0);
            self.reported.shrink_to(2 * self.reported.len(), rehash);
            self.ends.shrink_to(2 * self.ends.len());
        }
    }

    /// Returns the approximate heap size in bytes, without heap that values own.
    pub(crate) fn memory_usage(&self) -> usize {
        let unsaved = self.unsaved.as_ref().map_or(0, Vec::capacity);
        self.reported.allocation_size()
            + self.ends.capacity() * size_of::<(Timestamp, u64)>()
            + unsaved * size_of::<u64>()
    }
}

/// Returns the entry that marks a rule with `once` as over after this match.
fn mark<E: Event>(once: Once, found: &Match<'_, E>) -> Key {
    match once {
        Once::Key => found.key_slice().iter().cloned().collect(),
        Once::Rule => std::iter::empty().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_event::value::Value;

    #[test]
    fn a_key_is_stored_once() {
        let key = |number: i64| -> Key { [Value::Int(number)].into_iter().collect() };
        for (until, most) in [(Timestamp::MAX, 50), (Timestamp::from_millis(7), 75)] {
            let mut suppression = SuppressionTable::default();
            (0..100_000).for_each(|number| suppression.remember(key(number), until));
            let each = suppression.memory_usage() / 100_000;
            assert!(each <= most, "{each} bytes for a key until {until:?}");
        }
    }

    #[test]
    fn changes_have_what_is_new_and_what_ends() {
        let at = Timestamp::from_millis;
        let key = |number: i64| -> Key { [Value::Int(number)].into_iter().collect() };
        let mut suppression = SuppressionTable::default();
        suppression.remember(key(1), Timestamp::MAX);
        suppression.record_changes();
        let changed = |suppression: &SuppressionTable| {
            let mut all: Vec<_> =
                suppression.changed().map(|(until, key)| (until, key[0].clone())).collect();
            all.sort_by_key(|(until, key)| (*until, key.to_string()));
            all
        };
        assert_eq!(changed(&suppression), []);
        suppression.remember(key(2), Timestamp::MAX);
        suppression.remember(key(3), Timestamp::MAX);
        let new = [(Timestamp::MAX, Value::Int(2)), (Timestamp::MAX, Value::Int(3))];
        assert_eq!(changed(&suppression), new);
        suppression.record_changes();
        assert_eq!(changed(&suppression), []);
        suppression.remember(key(4), at(7));
        for _ in 0..2 {
            assert_eq!(changed(&suppression), [(at(7), Value::Int(4))]);
            suppression.record_changes();
        }
        assert_eq!(suppression.entries().count(), 4);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let at = Timestamp::from_millis;
        let key = |number: i64| -> Key { [Value::Int(number)].into_iter().collect() };
        let mut suppression = SuppressionTable::default();
        for number in 0..10 {
            suppression.remember(key(number), at(100 + number / 2));
        }
        let empty = SuppressionTable::default().memory_usage();
        suppression.forget(at(99));
        assert_eq!((suppression.reported.len(), suppression.ends.len()), (10, 10));
        // A match at the very moment is reported again.
        suppression.forget(at(100));
        assert!(suppression.end_of(&key(1)).is_none() && suppression.end_of(&key(2)).is_some());
        assert!(suppression.memory_usage() > empty);
        suppression.forget(at(1000));
        assert_eq!((suppression.reported.len(), suppression.ends.len()), (0, 0));
        // A mark of `once` outlives the end of the stream.
        suppression.remember(key(7), Timestamp::MAX);
        suppression.forget(Timestamp::MAX);
        assert!(suppression.end_of(&key(7)).is_some());
    }
}
