//! Functions for the code that `#[derive(Event)]` generates; not for other callers.

use crate::event::{EventTime, FieldValue, Fields, MapValue, TimeUnit};
use crate::schema::{EventType, Field, FieldId, FieldType, Schema};
use crate::time::Timestamp;
use crate::value::ValueRef;

/// Returns the heap size of the first `count` fields of an event in bytes.
pub fn heap_size<E: crate::event::Event>(event: &E, count: usize) -> usize {
    (0..count).map(|field| event.field(FieldId::new(field)).heap_size()).sum()
}

/// Returns the part of `path` after `name` and a dot.
pub fn behind<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    path.strip_prefix(name)?.strip_prefix('.')
}

/// Reads an entry of a map in a nested struct.
pub fn nested_entry<'e, T: Fields>(field: Option<&'e T>, path: &str) -> ValueRef<'e> {
    field.map_or(ValueRef::Null, |field| field.entry(path))
}

/// The heap of a nested struct, in bytes.
pub fn nested_heap_size<T: Fields>(field: Option<&T>) -> usize {
    field.map_or(0, T::entries_heap_size)
}

/// Returns the flat index of the first field out of range in a nested struct that begins at
/// `start`.
#[inline]
pub fn nested_range<T: Fields>(field: Option<&T>, start: usize) -> Option<usize> {
    Some(start + field?.out_of_range()?)
}

/// True if rules can read the value of a field.
#[inline]
pub fn is_in_range<T: FieldValue>(field: &T) -> bool {
    !T::HAS_RANGE || field.is_in_range()
}

/// Adds the field of a map, below `prefix`.
pub fn push_map<M: MapValue>(prefix: &str, name: &str, out: &mut Vec<Field>) {
    let name = format!("{name}{}", EventType::ENTRIES);
    let (name, ty) = (path_of(prefix, &name), M::value_type());
    out.push(Field { name, ty, optional: true });
}

/// A number that is a time, or an `Option` of one.
pub trait TimeField {
    /// True if there may be none.
    const OPTIONAL: bool;
    /// Returns the time; `None` if the field is empty.
    fn time_value(&self, unit: TimeUnit) -> Option<Timestamp>;
}

impl<T: EventTime> TimeField for T {
    const OPTIONAL: bool = false;

    fn time_value(&self, unit: TimeUnit) -> Option<Timestamp> {
        Some(self.event_time(unit))
    }
}

impl<T: EventTime> TimeField for Option<T> {
    const OPTIONAL: bool = true;

    fn time_value(&self, unit: TimeUnit) -> Option<Timestamp> {
        self.as_ref().map(|time| time.event_time(unit))
    }
}

/// A number that may be beyond `i64`, or an `Option` of one.
pub trait Saturate {
    /// True if there may be none.
    const OPTIONAL: bool;
    /// Returns the number, at most the largest `int`; `None` if the field is empty.
    fn saturated(&self) -> Option<i64>;
}

macro_rules! saturate {
    ($($int:ty),*) => {
        $(impl Saturate for $int {
            const OPTIONAL: bool = false;

            fn saturated(&self) -> Option<i64> {
                Some(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        })*
    };
}

saturate!(u64, usize);

impl<T: Saturate> Saturate for Option<T> {
    const OPTIONAL: bool = true;

    fn saturated(&self) -> Option<i64> {
        self.as_ref().and_then(T::saturated)
    }
}

/// Reads a time that a field has as a number.
pub fn time_value<T: TimeField>(field: &T, unit: TimeUnit) -> ValueRef<'static> {
    field.time_value(unit).map_or(ValueRef::Null, ValueRef::Time)
}

/// Reads a number that may be beyond `int`.
pub fn saturated<T: Saturate>(field: &T) -> ValueRef<'static> {
    field.saturated().map_or(ValueRef::Null, ValueRef::Int)
}

/// Reads a field of a nested struct.
pub fn nested<T: Fields>(field: Option<&T>, index: usize) -> ValueRef<'_> {
    field.map_or(ValueRef::Null, |field| field.field_at(index))
}

/// Adds a field, below `prefix`.
pub fn push_field(prefix: &str, name: &str, ty: FieldType, optional: bool, out: &mut Vec<Field>) {
    out.push(Field { name: path_of(prefix, name), ty, optional });
}

fn path_of(prefix: &str, name: &str) -> std::sync::Arc<str> {
    if prefix.is_empty() { name.into() } else { format!("{prefix}.{name}").into() }
}

/// Adds the fields of a nested struct, below `prefix`.
pub fn push_nested<T: Fields>(prefix: &str, name: &str, optional: bool, out: &mut Vec<Field>) {
    if prefix.is_empty() {
        T::append_fields(name, optional, out);
    } else {
        T::append_fields(&format!("{prefix}.{name}"), optional, out);
    }
}

/// Makes an event type of its fields.
pub fn event_type(name: &str, fields: Vec<Field>, time: Option<usize>) -> EventType {
    EventType { name: name.into(), fields, time: time.map(FieldId::new), open: false }
}

/// Makes the event type of a struct.
pub fn struct_type<T: Fields>(name: &str, time: Option<usize>) -> EventType {
    let mut fields = Vec::with_capacity(T::COUNT);
    T::append_fields("", false, &mut fields);
    event_type(name, fields, time)
}

/// Returns the schema of types with different names.
pub fn schema(types: impl IntoIterator<Item = EventType>) -> Option<Schema> {
    let mut schema = Schema::new();
    for ty in types {
        schema.add(ty);
    }
    Some(schema)
}

/// True if no two names are equal. Evaluated when the deriving program is compiled.
pub const fn distinct(names: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        let mut j = i + 1;
        while j < names.len() {
            if equal(names[i].as_bytes(), names[j].as_bytes()) {
                return false;
            }
            j += 1;
        }
        i += 1;
    }
    true
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
