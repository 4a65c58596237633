//! An index of what waits by a value that was captured.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::hash::{DefaultHasher, Hash, Hasher as _};

use hashbrown::{HashMap, HashSet, hash_map};

use crate::exec::registers::{RegisterFile, Registers};
use crate::nfa::Shift;
use kleene_event::time::Timestamp;
use kleene_event::value::ValueRef;
use kleene_syntax::hir::eval::Relation;

/// The place of a value in an index: where values are equal, their places are, and where values are
/// in order, their places are. Different values can have the same place.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::exec::forms) struct Coarse {
    class: Class,
    number: u64,
}

/// Values of different classes do not compare.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Class {
    Bool,
    Number,
    Time,
    Duration,
    Text,
    /// Several values together.
    Several,
    /// Compared with all: nothing is known of the order of these.
    Other,
}

/// The order of the places of values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Equal values.
    Equal,
    /// Values below, or above.
    Sorted,
}

/// What an index orders what waits by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum By {
    /// Nothing: none has a value.
    Nothing,
    /// The values of registers that have to be equal to those of the event: a bit for each register
    /// below [`MOST_EQUAL`].
    Equal(u64),
    /// The value of a register.
    Sorted(usize),
}

/// The number of registers that an index of equal values can have.
pub(super) const MOST_EQUAL: usize = 64;

/// The places from one to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlaceRange {
    from: Coarse,
    to: Coarse,
}

/// What waits in a state, by values that were captured.
#[derive(Clone, Debug)]
pub(super) struct ValueIndex<Id> {
    pub(super) by: By,
    entries: ValueEntries<Id>,
    /// What has values of which no order is known: it is always found.
    unordered: HashSet<Id>,
    /// What has values that compare with nothing, as null: it is never found.
    without: HashSet<Id>,
}

/// The entries of an index. No order comes from the hashes: what is found is sorted.
#[derive(Clone, Debug)]
enum ValueEntries<Id> {
    /// Values that have to be equal, by [`Coarse::key`]. An entry has 32 bytes, so it is in one line
    /// of a cache: with the whole place it had 40.
    Equal(HashMap<u64, InPlace<Id>>),
    /// Values in order.
    Sorted(BTreeMap<Coarse, InPlace<Id>>),
}

/// What is in one place. Mostly a value was captured once, which needs no tree.
#[derive(Clone, Debug)]
enum InPlace<Id> {
    One(Id),
    #[expect(clippy::box_collection, reason = "the set is rare, and would make each entry larger")]
    Several(Box<BTreeSet<Id>>),
}

impl Coarse {
    /// Returns the place of a value; `None` for what compares with nothing, as null.
    #[inline]
    pub(super) fn of(value: ValueRef<'_>, order: Order) -> Option<Coarse> {
        let (class, number) = match value {
            ValueRef::Null => return None,
            ValueRef::Bool(value) => (Class::Bool, u64::from(value)),
            #[expect(clippy::cast_precision_loss, reason = "rounding keeps the order")]
            ValueRef::Int(value) => (Class::Number, of_float(value as f64)),
            ValueRef::Float(value) if value.is_nan() => return None,
            ValueRef::Float(value) => (Class::Number, of_float(value)),
            ValueRef::Time(value) => (Class::Time, of_int(value.as_millis())),
            ValueRef::Duration(value) => (Class::Duration, of_int(value)),
            ValueRef::String(text) => (Class::Text, of_text(text, order)),
            _ => (Class::Other, 0),
        };
        Some(Coarse { class, number })
    }

    /// Returns the places in which a value can be, less a constant; `None` if they are not known.
    ///
    /// A captured float was added to the constant and rounded, by less than 1 where integers are
    /// exact floats.
    pub(super) fn shifted(value: ValueRef<'_>, shift: Shift) -> Option<PlaceRange> {
        const EXACT: u64 = 1 << 51;
        let at = |value| Coarse::of(value, Order::Sorted).filter(|place| place.is_known());
        let exactly = |value| at(value).map(PlaceRange::only);
        match (value, shift) {
            (value, Shift::Nothing) => exactly(value),
            (ValueRef::Int(int), Shift::By(by)) => {
                if int.unsigned_abs() >= EXACT || by.unsigned_abs() >= EXACT {
                    return None;
                }
                let int = int - by;
                let (from, to) = (at(ValueRef::Int(int - 1))?, at(ValueRef::Int(int + 1))?);
                Some(PlaceRange { from, to })
            }
            (ValueRef::Time(time), Shift::Millis(by)) => {
                let millis = time.as_millis().checked_sub(by)?;
                exactly(ValueRef::Time(Timestamp::from_millis(millis)))
            }
            (ValueRef::Duration(millis), Shift::Millis(by)) => {
                exactly(ValueRef::Duration(millis.checked_sub(by)?))
            }
            _ => None,
        }
    }

    /// Returns the place of several values together, from the place of each: `None` if one compares
    /// with nothing, or if there are none.
    pub(super) fn of_several(mut places: impl Iterator<Item = Option<Coarse>>) -> Option<Coarse> {
        let first = places.next()??;
        places.try_fold(first, |several, place| Some(several.and(place?)))
    }

    /// Returns the place of two values together.
    fn and(self, other: Coarse) -> Coarse {
        if !self.is_known() || !other.is_known() {
            return Coarse { class: Class::Other, number: 0 };
        }
        let mut hasher = DefaultHasher::new();
        (self, other).hash(&mut hasher);
        Coarse { class: Class::Several, number: hasher.finish() }
    }

    /// Returns a number that is equal for equal places. It can be equal for others.
    fn key(self) -> u64 {
        self.number ^ (self.class as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// True if the values at this place are in an order that the index knows.
    pub(super) fn is_known(self) -> bool {
        self.class != Class::Other
    }
}

impl PlaceRange {
    /// Returns this place only.
    pub(super) fn only(place: Coarse) -> PlaceRange {
        PlaceRange { from: place, to: place }
    }

    /// Returns the places of the values to which a value in one of these can be in the relation.
    pub(super) fn in_relation(self, relation: Relation) -> PlaceRange {
        let PlaceRange { from, to } = self;
        match relation {
            Relation::Lt | Relation::Le => {
                PlaceRange { to: Coarse { number: u64::MAX, ..from }, from }
            }
            Relation::Gt | Relation::Ge => PlaceRange { from: Coarse { number: 0, ..to }, to },
            Relation::Eq | Relation::Ne | Relation::Like => self,
        }
    }

    /// Returns the places that are among others, too.
    pub(super) fn and(self, other: PlaceRange) -> Option<PlaceRange> {
        let both = PlaceRange { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from <= both.to).then_some(both)
    }
}

/// The bits of a float, in its order; both zeros are one.
fn of_float(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn of_int(value: i64) -> u64 {
    value.cast_unsigned() ^ 1 << 63
}

/// The first bytes of a text, where the order counts.
fn of_text(text: &str, order: Order) -> u64 {
    match order {
        Order::Equal => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        }
        Order::Sorted => {
            let mut first = [0; 8];
            let count = text.len().min(first.len());
            first[..count].copy_from_slice(&text.as_bytes()[..count]);
            u64::from_be_bytes(first)
        }
    }
}

impl<Id: Copy + Ord + Hash> ValueIndex<Id> {
    pub(super) fn new(by: By) -> ValueIndex<Id> {
        let entries = match by {
            By::Nothing | By::Equal(_) => ValueEntries::Equal(HashMap::new()),
            By::Sorted(_) => ValueEntries::Sorted(BTreeMap::new()),
        };
        ValueIndex { by, entries, unordered: HashSet::new(), without: HashSet::new() }
    }

    /// Returns the place of what has these registers; `None` where its value compares with nothing.
    #[inline]
    pub(super) fn place(&self, file: &RegisterFile, registers: Registers) -> Option<Coarse> {
        let place = |register, order| Coarse::of(file.value(registers, register), order);
        match self.by {
            By::Nothing => None,
            By::Equal(registers) if registers.is_power_of_two() => {
                place(registers.trailing_zeros() as usize, Order::Equal)
            }
            By::Equal(registers) => {
                let several = (0..MOST_EQUAL).filter(|one| registers >> one & 1 == 1);
                Coarse::of_several(several.map(|one| place(one, Order::Equal)))
            }
            By::Sorted(register) => place(register, Order::Sorted),
        }
    }

    pub(super) fn add(&mut self, place: Option<Coarse>, id: Id) {
        let Some(place) = place.filter(|place| place.is_known()) else {
            self.apart(place).insert(id);
            return;
        };
        match &mut self.entries {
            ValueEntries::Sorted(entries) => match entries.entry(place) {
                btree_map::Entry::Occupied(there) => there.into_mut().add(id),
                btree_map::Entry::Vacant(free) => {
                    free.insert(InPlace::One(id));
                }
            },
            ValueEntries::Equal(entries) => match entries.entry(place.key()) {
                hash_map::Entry::Occupied(there) => there.into_mut().add(id),
                hash_map::Entry::Vacant(free) => {
                    free.insert(InPlace::One(id));
                }
            },
        }
    }

    pub(super) fn remove(&mut self, place: Option<Coarse>, id: Id) {
        let Some(place) = place.filter(|place| place.is_known()) else {
            self.apart(place).remove(&id);
            return;
        };
        match &mut self.entries {
            ValueEntries::Sorted(entries) => {
                if let btree_map::Entry::Occupied(mut there) = entries.entry(place)
                    && !there.get_mut().is_left_without(id)
                {
                    there.remove();
                }
            }
            ValueEntries::Equal(entries) => {
                if let hash_map::Entry::Occupied(mut there) = entries.entry(place.key())
                    && !there.get_mut().is_left_without(id)
                {
                    there.remove();
                }
            }
        }
    }

    /// Returns the set of what has no place among the entries.
    fn apart(&mut self, place: Option<Coarse>) -> &mut HashSet<Id> {
        if place.is_some() { &mut self.unordered } else { &mut self.without }
    }

    /// Adds what is in these places to `out`, and what is in places that are not known.
    pub(super) fn find(&self, places: &PlaceRange, out: &mut Vec<Id>) {
        match &self.entries {
            ValueEntries::Equal(entries) => {
                if let Some(there) = entries.get(&places.from.key()) {
                    there.add_to(out);
                }
            }
            ValueEntries::Sorted(entries) => {
                entries.range(places.from..=places.to).for_each(|(_, there)| there.add_to(out));
            }
        }
        if !self.unordered.is_empty() {
            out.extend(&self.unordered);
        }
    }

    /// Adds all that there is to `out`.
    pub(super) fn all(&self, out: &mut Vec<Id>) {
        match &self.entries {
            ValueEntries::Equal(entries) => entries.values().for_each(|there| there.add_to(out)),
            ValueEntries::Sorted(entries) => entries.values().for_each(|there| there.add_to(out)),
        }
        out.extend(&self.unordered);
        out.extend(&self.without);
    }
}

impl<Id: Copy + Ord> InPlace<Id> {
    fn add(&mut self, id: Id) {
        match self {
            InPlace::One(one) => *self = InPlace::Several(Box::new(BTreeSet::from([*one, id]))),
            InPlace::Several(ids) => {
                ids.insert(id);
            }
        }
    }

    /// Removes one of several. Returns false if nothing else is here.
    fn is_left_without(&mut self, id: Id) -> bool {
        match self {
            InPlace::Several(ids) if ids.len() > 1 => {
                ids.remove(&id);
                true
            }
            _ => false,
        }
    }

    fn add_to(&self, out: &mut Vec<Id>) {
        match self {
            InPlace::One(id) => out.push(*id),
            InPlace::Several(ids) => out.extend(ids.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_event::time::Timestamp;
    use kleene_event::value::Value;

    #[test]
    fn places_are_in_the_order_of_the_values() {
        let ints = [i64::MIN, -(1 << 53) - 1, -1, 0, 1, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
        let floats = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 0.5, 9_007_199_254_740_992.0];
        let texts = ["", "a", "ab", "order-1", "order-12345", "order-12346", "\u{f6}", "\0"];
        let mut values: Vec<Value> = vec![Value::Null, Value::Bool(false), Value::Bool(true)];
        values.extend(ints.map(Value::Int));
        values.extend(ints.map(Value::Duration));
        values.extend(ints.map(|millis| Value::Time(Timestamp::from_millis(millis))));
        values.extend(floats.map(Value::Float));
        values.extend([f64::INFINITY, f64::NAN].map(Value::Float));
        values.extend(texts.map(|text| Value::String(text.into())));
        let place = |value: &Value, order| Coarse::of(value.as_ref(), order);
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            if Relation::Eq.holds(a.as_ref(), b.as_ref()) {
                assert_eq!(place(a, Order::Equal), place(b, Order::Equal), "{a:?} {b:?}");
                assert!(place(a, Order::Equal).is_some(), "{a:?}");
            }
            if Relation::Le.holds(a.as_ref(), b.as_ref()) {
                let (a, b) = (place(a, Order::Sorted), place(b, Order::Sorted));
                assert!(a.is_some() && a <= b, "{a:?} {b:?}");
                assert_eq!(a.map(|a| a.class), b.map(|b| b.class));
            }
        }
    }
}
