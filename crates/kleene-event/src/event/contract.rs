//! The [`Event`] trait, and events behind references and shared pointers.

use std::rc::Rc;
use std::sync::Arc;

use crate::schema::{EventType, FieldId, Schema, TypeId};
use crate::time::Timestamp;
use crate::util::prefetch::prefetch;
use crate::value::{Value, ValueRef};

/// An event: an event type, an event time and fields.
///
/// Implement the trait with `#[derive(Event)]` for a struct or an enum, or use
/// [`Record`](crate::event::Record) for events whose types are known at run time only. The engine
/// clones an event when a partial match or the reorder buffer keeps it, so cloning should be cheap.
/// `Box`, `Rc` and `Arc` of events are events. References are events as well, for events that
/// outlive the engine:
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
    /// `None` if the rules' own schema numbers the fields, as for [`Record`](crate::event::Record).
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

/// An event of one type. `#[derive(Event)]` implements the trait for structs. The variants of an
/// enum that derives [`Event`](crate::event::Event) hold struct events.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event of one type",
    note = "a variant of an event enum holds one struct that derives kleene::Event"
)]
pub trait StructEvent: Event {
    /// The event type's name.
    const NAME: &'static str;

    /// Returns the event type, called `name` if a name is given.
    fn event_type(name: Option<&str>) -> EventType;
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
