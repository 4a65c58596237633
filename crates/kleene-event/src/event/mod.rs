//! The [`Event`] trait, and [`Record`], an event made at run time.

mod field;
mod map;
mod portable;
mod portable_field;
mod record;
#[cfg(feature = "serde")]
mod serial;

pub use field::{EventTime, FieldValue, Fields, StructEvent, TimeUnit, derived};
pub use map::MapValue;
pub use portable::Portable;
pub use portable_field::PortableField;
pub use record::RecordError;
#[cfg(feature = "serde")]
pub use serial::SerializeEvent;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use triomphe::{Arc as CountedArc, ThinArc};

use crate::schema::{EventType, FieldId, Schema, TypeId};
use crate::time::Timestamp;
use crate::util::prefetch::{prefetch, prefetch_address};
use crate::value::{Value, ValueRef, named};

/// An event: an event type, an event time and fields.
///
/// Implement the trait with `#[derive(Event)]` for a struct or an enum, or use [`Record`] for
/// events whose types are known at run time only. The engine clones an event when a partial match
/// or the reorder buffer keeps it, so cloning should be cheap. `Box`, `Rc` and `Arc` of events are
/// events. References are events as well, for events that outlive the engine:
///
/// ```
/// use kleene::stream::{Engine, Output};
/// use kleene::{Record, RuleSet, Timestamp};
///
/// let rules = RuleSet::parse("event paid { at: time } rule two { match paid -> paid }")?;
/// let event = |at: i64| {
///     let at = Timestamp::from_millis(at);
///     Record::from_fields(rules.schema(), "paid", [("at", at.into())])
/// };
/// let events = [event(1)?, event(2)?];
/// let borrowed: Vec<&Record> = events.iter().collect();
/// let mut engine: Engine<&Record> = Engine::builder().rules(&rules).build()?;
/// let mut reported: Vec<Output<&Record>> = Vec::new();
/// engine.push_batch(&borrowed, &mut reported)?;
/// let [Output::Match(found)] = &reported[..] else { panic!("there is one match") };
/// assert!(std::ptr::eq(found.captures[1].1, &events[1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Event: Clone {
    /// Returns the event types that values of this Rust type can have. [`type_id`](Event::type_id)
    /// and [`field`](Event::field) use the ids of this schema. An engine links the ids by name to
    /// the types that its rules declare.
    ///
    /// `None` if the rules' own schema numbers the fields, as for [`Record`].
    fn schema() -> Option<Schema>;

    /// Returns the event's type.
    fn type_id(&self) -> TypeId;

    /// Returns the event's time.
    fn time(&self) -> Timestamp;

    /// Returns the value of a field of the event's type; null if the field is missing.
    fn field(&self, field: FieldId) -> ValueRef<'_>;

    /// Returns the value of a field that the event's type does not declare (an open type, `..`), or
    /// of an entry of a map: `labels.env`.
    fn dynamic_field(&self, _path: &str) -> ValueRef<'_> {
        ValueRef::Null
    }

    /// Returns the first field with a value that rules cannot read, such as a `u64` beyond
    /// `i64::MAX`. An engine rejects the event.
    #[inline]
    fn out_of_range(&self) -> Option<FieldId> {
        None
    }

    /// Returns a label of the event for messages, such as the text that the event came from.
    fn describe(&self) -> Option<&str> {
        None
    }

    /// Returns the approximate heap size of the event in bytes. The size of the value itself does
    /// not count.
    ///
    /// The engine calls this function each time it keeps or drops the event. The function should be
    /// cheap and must always return the same number for one event. Memory limits use the number.
    /// The default, 0, is right for events without text; `#[derive(Event)]` adds up the text in the
    /// fields that rules read.
    fn heap_size(&self) -> usize {
        0
    }

    /// Prefetches the memory that the event points to, before the engine drops the event. This is
    /// only a hint to the processor. The default does nothing and is right for events that own
    /// nothing.
    ///
    /// Hints are no trait of their own; ARCHITECTURE.md says why.
    #[inline(always)]
    fn prefetch(&self) {}

    /// Prefetches the memory that matching reads: the event's fields. Fields may lie in more cache
    /// lines than [`prefetch`](Event::prefetch) fetches. The default calls `prefetch`.
    #[inline(always)]
    fn prefetch_fields(&self) {
        self.prefetch();
    }

    /// True if [`make`](Event::make) returns events.
    const CAN_BE_MADE: bool = false;

    /// Makes an event of the record that a rule emits for other rules (`emit as`). The arguments
    /// are the type, the time, the values by [`FieldId`], and the undeclared fields of an open
    /// type.
    ///
    /// Returns `None`, the default, if events cannot be made at run time. An engine with a rule
    /// that feeds other rules then fails to build.
    fn make(
        _ty: TypeId,
        _time: Timestamp,
        _values: Vec<Value>,
        _extra: Vec<(Arc<str>, Value)>,
    ) -> Option<Self> {
        None
    }
}

/// An event that can be a `T`: an enum of events with a variant `T`, or `T` itself.
///
/// `#[derive(Event)]` implements the trait for every variant that holds a struct, and for a struct
/// with itself. The pattern builder's `of` requires the trait.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is never a `{T}`",
    note = "`{T}` has to be held by a variant of the enum `{Self}`, which derives kleene::Event"
)]
pub trait AsVariant<T>: Event {
    /// Returns the event as a `T`; `None` if the event is of another type.
    fn as_variant(&self) -> Option<&T>;

    /// Returns the event type of a `T` in this type's [`schema`](Event::schema).
    fn variant_type() -> TypeId;
}

/// Returns the approximate size of a kept event in bytes, with its heap.
#[inline]
pub fn bytes_of<E: Event>(event: &E) -> u64 {
    (size_of::<E>() as u64).saturating_add(event.heap_size() as u64)
}

/// The methods of a pointer to an event that read the event.
macro_rules! read_through {
    () => {
        fn schema() -> Option<Schema> {
            E::schema()
        }

        #[inline(always)]
        fn type_id(&self) -> TypeId {
            E::type_id(self)
        }

        #[inline(always)]
        fn time(&self) -> Timestamp {
            E::time(self)
        }

        #[inline(always)]
        fn field(&self, field: FieldId) -> ValueRef<'_> {
            E::field(self, field)
        }

        fn dynamic_field(&self, path: &str) -> ValueRef<'_> {
            E::dynamic_field(self, path)
        }

        #[inline(always)]
        fn out_of_range(&self) -> Option<FieldId> {
            E::out_of_range(self)
        }

        fn describe(&self) -> Option<&str> {
            E::describe(self)
        }

        #[inline(always)]
        fn prefetch(&self) {
            prefetch::<E>(self);
        }
    };
}

macro_rules! forwarded_variants {
    ($($event:ty),*) => {
        $(impl<T, E: AsVariant<T>> AsVariant<T> for $event {
            fn as_variant(&self) -> Option<&T> {
                E::as_variant(self)
            }

            fn variant_type() -> TypeId {
                E::variant_type()
            }
        })*
    };
}

macro_rules! forwarded_events {
    ($($pointer:ident),*) => {
        $(impl<E: Event> Event for $pointer<E>
        where
            $pointer<E>: Clone,
        {
            read_through!();

            fn heap_size(&self) -> usize {
                // Each owner of a shared pointer counts all of it.
                size_of::<E>() + E::heap_size(self)
            }

            const CAN_BE_MADE: bool = E::CAN_BE_MADE;

            fn make(
                ty: TypeId,
                time: Timestamp,
                values: Vec<Value>,
                extra: Vec<(Arc<str>, Value)>,
            ) -> Option<Self> {
                E::make(ty, time, values, extra).map($pointer::new)
            }
        }

        impl<E: StructEvent> StructEvent for $pointer<E> {
            const NAME: &'static str = E::NAME;

            fn event_type(name: Option<&str>) -> EventType {
                E::event_type(name)
            }
        })*
    };
}

// An `Arc` of a big event is what the engine can keep cheaply.
forwarded_events!(Box, Rc, Arc);
forwarded_variants!(Box<E>, Rc<E>, Arc<E>, &E);

// Events that outlive the engine are kept without a count of their owners.
impl<E: Event> Event for &E {
    read_through!();
}

/// An event whose type is known at run time: values in the order of a [`Schema`]'s fields.
///
/// Making a record takes a single allocation. Cloning copies three words.
///
/// ```
/// use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
///
/// let rules = RuleSet::parse("event paid { order: int, at: time }")?;
/// let at = Timestamp::from_millis(1000);
/// let fields = [("order", 7.into()), ("at", at.into())];
/// let by_name = Record::from_fields(rules.schema(), "paid", fields)?;
///
/// // By number, where many events of a type are made.
/// let paid = rules.schema().type_id("paid").unwrap();
/// let by_number = Record::new(paid, at, [Value::Int(7), Value::Time(at)]);
/// assert_eq!((&by_number, by_number.time()), (&by_name, at));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Record {
    /// The declared fields, followed by one record with the undeclared fields, if there are any.
    /// The pointer is thin because the engine keeps very many records.
    values: ThinArc<Notes, Value>,
    time: Timestamp,
    type_id: TypeId,
}

/// What a record notes beside its values.
#[derive(Clone, Copy, PartialEq)]
struct Notes {
    /// The heap size in bytes; 4 GiB for a larger one.
    heap: u32,
    /// True if the last value holds the undeclared fields.
    has_extra: bool,
}

/// The meaning of a record's last value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LastValue {
    Field,
    /// The undeclared fields of an open type.
    Extra,
}

impl Record {
    /// Makes an event of type `type_id` with `values` in the order of that type's fields. Missing
    /// values at the end are null. `type_id` must be of the schema of the rules that read the
    /// event.
    pub fn new(
        type_id: TypeId,
        time: Timestamp,
        values: impl IntoIterator<Item = Value>,
    ) -> Record {
        Record::of(type_id, time, values.into_iter(), LastValue::Field)
    }

    /// Makes a record of these values.
    #[inline]
    fn of(
        type_id: TypeId,
        time: Timestamp,
        mut values: impl Iterator<Item = Value>,
        last: LastValue,
    ) -> Record {
        let notes = Notes { heap: 0, has_extra: last == LastValue::Extra };
        let mut values = match values.size_hint() {
            // They are written to where they stay.
            (count, Some(most)) if count == most => {
                let values = (0..count).map(|_| values.next().unwrap_or_default());
                ThinArc::from_header_and_iter(notes, values)
            }
            _ => ThinArc::from_header_and_iter(notes, values.collect::<Vec<_>>().into_iter()),
        };
        let heap = heap_size(&values.slice);
        values.with_arc_mut(|values| {
            if let Some(values) = CountedArc::get_mut(values) {
                values.header_mut().heap = heap;
            }
        });
        Record { values, time, type_id }
    }

    /// Makes an event of type `type_id` with `values` and with undeclared fields of an open type.
    pub fn with_extra(
        type_id: TypeId,
        time: Timestamp,
        values: impl IntoIterator<Item = Value>,
        extra: impl Into<Box<[(Arc<str>, Value)]>>,
    ) -> Record {
        let extra: Box<[_]> = extra.into();
        if extra.is_empty() {
            return Record::new(type_id, time, values);
        }
        let extra = std::iter::once(Value::Record(extra.into()));
        Record::of(type_id, time, values.into_iter().chain(extra), LastValue::Extra)
    }

    /// Makes an event of the type called `ty` from its fields by name. The event time is the value
    /// of the type's time field. Fields that are not given are null. An integer is converted for a
    /// float field.
    ///
    /// # Errors
    /// [`RecordError`] for an unknown type or field, a value of another type than declared, a
    /// missing field that is not optional, or a type without a field for the time.
    ///
    /// ```
    /// use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
    ///
    /// let rules = RuleSet::parse("event paid { order: int, amount: float?, at: time }")?;
    /// let at = Timestamp::from_millis(1000);
    /// let fields = [("order", 7.into()), ("at", at.into())];
    /// let paid = Record::from_fields(rules.schema(), "paid", fields)?;
    /// assert_eq!((paid.time(), &paid.values()[0]), (at, &Value::Int(7)));
    ///
    /// let error = Record::from_fields(rules.schema(), "paid", [("ordr", 7.into())]).unwrap_err();
    /// assert_eq!(error.to_string(), "`paid` has no field `ordr`: did you mean `order`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_fields<'a>(
        schema: &Schema,
        ty: &str,
        fields: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Record, RecordError> {
        record::from_fields(schema, ty, fields)
    }

    /// Returns the value of the field with this name, dotted for a nested field: `address.city`.
    /// Undeclared fields of an open type are found by their path, too. `None` if the event's type has
    /// no such field.
    ///
    /// `schema` is the schema of the rules that read the event, or of the
    /// engine.
    ///
    /// ```
    /// use kleene::{Record, RuleSet, Timestamp, Value};
    ///
    /// let rules = RuleSet::parse("event paid { by: { name: string }, at: time, .. }")?;
    /// let at = Timestamp::from_millis(0);
    /// let fields = [("by.name", "ann".into()), ("at", at.into()), ("note", "late".into())];
    /// let paid = Record::from_fields(rules.schema(), "paid", fields)?;
    /// assert_eq!(paid.get(rules.schema(), "by.name").and_then(Value::as_str), Some("ann"));
    /// assert_eq!(paid.get(rules.schema(), "note").and_then(Value::as_str), Some("late"));
    /// assert_eq!(paid.get(rules.schema(), "nmae"), None);
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn get(&self, schema: &Schema, path: &str) -> Option<&Value> {
        match schema.field_id(self.type_id, path) {
            Some(field) => Some(self.values().get(field.index()).unwrap_or(&Value::Null)),
            None => self.undeclared(path),
        }
    }

    /// Returns the undeclared field at a dotted path.
    fn undeclared(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = named(self.extra(), parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Returns the undeclared fields in their order of arrival.
    pub fn extra(&self) -> &[(Arc<str>, Value)] {
        match self.values.slice.last() {
            Some(Value::Record(extra)) if self.has_extra() => extra,
            _ => &[],
        }
    }

    #[inline]
    fn has_extra(&self) -> bool {
        self.values.header.header.has_extra
    }

    /// Returns the values of the declared fields by [`FieldId`].
    #[inline(always)]
    pub fn values(&self) -> &[Value] {
        &self.values.slice[..self.values.slice.len() - usize::from(self.has_extra())]
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { time, type_id, .. } = self;
        let mut shown = f.debug_struct("Record");
        shown.field("type_id", type_id).field("time", time).field("values", &self.values());
        if self.has_extra() {
            shown.field("extra", &self.extra());
        }
        shown.finish()
    }
}

/// Returns the heap size of a [`Record`] of these values in bytes; 4 GiB for a larger one.
fn heap_size(values: &[Value]) -> u32 {
    // The number of owners, and the number of values.
    const COUNTS: usize = 2 * size_of::<usize>();
    let heap = values.iter().map(|value| value.as_ref().heap_size()).sum::<usize>();
    u32::try_from(heap.saturating_add(COUNTS + size_of::<Notes>() + size_of_val(values)))
        .unwrap_or(u32::MAX)
}

/// The cache line size of most processors, in bytes. On others the hint is less useful.
const CACHE_LINE: usize = 64;

impl Event for Record {
    const CAN_BE_MADE: bool = true;

    fn schema() -> Option<Schema> {
        None
    }

    fn make(
        ty: TypeId,
        time: Timestamp,
        values: Vec<Value>,
        extra: Vec<(Arc<str>, Value)>,
    ) -> Option<Record> {
        Some(Record::with_extra(ty, time, values, extra))
    }

    #[inline]
    fn type_id(&self) -> TypeId {
        self.type_id
    }

    #[inline]
    fn time(&self) -> Timestamp {
        self.time
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.values.header.header.heap as usize
    }

    #[inline(always)]
    fn prefetch(&self) {
        prefetch_address(self.values.heap_ptr());
    }

    #[inline(always)]
    fn prefetch_fields(&self) {
        let values = self.values.heap_ptr();
        prefetch_address(values);
        // The number of values is stored there, too, so it is not known yet. Two lines hold most
        // records.
        prefetch_address(values.wrapping_byte_add(CACHE_LINE));
    }

    #[inline(always)]
    fn field(&self, field: FieldId) -> ValueRef<'_> {
        let values = &self.values.slice;
        match values.get(field.index()) {
            // The undeclared fields are one record behind the others, and no declared field. Only a
            // record can be that one, so other values need no test.
            Some(Value::Record(_)) if self.has_extra() && field.index() + 1 == values.len() => {
                ValueRef::Null
            }
            Some(value) => value.as_ref(),
            None => ValueRef::Null,
        }
    }

    fn dynamic_field(&self, path: &str) -> ValueRef<'_> {
        self.undeclared(path).map_or(ValueRef::Null, Value::as_ref)
    }
}
