//! The conversion of Rust fields to values. `#[derive(Event)]` generates code against this module.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::schema::{Field, FieldType};
use crate::time::{Timestamp, duration_to_millis};
use crate::value::{Items, ValueRef};

/// A Rust type that can be a field of an event: it has a field type, and lends its value without
/// allocation.
///
/// Implement the trait for a newtype to use the newtype in events:
///
/// ```
/// use kleene::event::FieldValue;
/// use kleene::schema::FieldType;
/// use kleene::ValueRef;
///
/// struct OrderId(String);
///
/// impl FieldValue for OrderId {
///     fn field_type() -> FieldType {
///         FieldType::String
///     }
///     fn value(&self) -> ValueRef<'_> {
///         ValueRef::String(&self.0)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an event",
    label = "not a type of field",
    note = "fields are bool, i8..i64, u8..u64, usize, f32, f64, strings, Duration, Timestamp, \
            SystemTime, IP addresses, Option and Vec of these, and maps of these by name",
    note = "leave it out with #[event(skip)], flatten a struct that derives Fields with \
            #[event(nested)], or implement kleene::event::FieldValue for it"
)]
pub trait FieldValue {
    /// Returns the type that rules read.
    fn field_type() -> FieldType;

    /// True if the value can be null.
    fn is_optional() -> bool {
        false
    }

    /// Returns the value, borrowed.
    fn value(&self) -> ValueRef<'_>;

    /// True if the type has values that rules cannot read, such as a `u64` beyond `i64::MAX`.
    const HAS_RANGE: bool = false;

    /// True if rules can read this value. The engine rejects an event with a field out of range.
    fn is_in_range(&self) -> bool {
        true
    }
}

/// A Rust type that holds a point in time. Numbers count in a [`TimeUnit`] from the Unix epoch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a time",
    label = "not a time",
    note = "times are kleene::Timestamp, std::time::SystemTime, and i32, i64, u32, u64 and f64 in \
            the unit that #[event(unit = \"ms\")] gives"
)]
pub trait EventTime {
    /// Returns the time. The result saturates at the ends of the range.
    fn event_time(&self, unit: TimeUnit) -> Timestamp;
}

/// The named fields of a struct, flattened. `#[derive(Fields)]` implements the trait for structs
/// that are part of an event, `#[derive(Event)]` for events.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no named fields that can be flattened",
    note = "add #[derive(kleene::Fields)] to `{Self}`"
)]
pub trait Fields {
    /// The number of fields, including those of nested structs.
    const COUNT: usize;

    /// Appends the fields in order. `prefix` is put before their names. With `optional` all of the
    /// fields may be null, because the struct as a whole may be missing.
    fn append_fields(prefix: &str, optional: bool, out: &mut Vec<Field>);

    /// Returns the value of the field at `index`. The value is null if `index` is at or above
    /// [`COUNT`](Fields::COUNT), and for a map, which [`entry`](Fields::entry) reads.
    fn field_at(&self, index: usize) -> ValueRef<'_>;

    /// Returns the value of an entry of a map among the fields, such as `labels.env`; null if the
    /// map has no entry of this name.
    fn entry(&self, _path: &str) -> ValueRef<'_> {
        ValueRef::Null
    }

    /// Returns the approximate heap size of the maps among the fields in bytes.
    fn entries_heap_size(&self) -> usize {
        0
    }

    /// Returns the index of the first field with a value that rules cannot read.
    fn out_of_range(&self) -> Option<usize> {
        None
    }
}

/// The unit of a number that is a time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// All units, the shortest first.
    pub const ALL: [TimeUnit; 4] =
        [TimeUnit::Nanos, TimeUnit::Micros, TimeUnit::Millis, TimeUnit::Seconds];

    /// Returns the symbol of the unit: `s`, `ms`, `us` or `ns`.
    pub fn as_str(self) -> &'static str {
        match self {
            TimeUnit::Seconds => "s",
            TimeUnit::Millis => "ms",
            TimeUnit::Micros => "us",
            TimeUnit::Nanos => "ns",
        }
    }

    /// Returns the name of the unit, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            TimeUnit::Seconds => "seconds",
            TimeUnit::Millis => "milliseconds",
            TimeUnit::Micros => "microseconds",
            TimeUnit::Nanos => "nanoseconds",
        }
    }

    /// Returns the number of units in a second.
    pub fn per_second(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1,
            TimeUnit::Millis => 1000,
            TimeUnit::Micros => 1_000_000,
            TimeUnit::Nanos => 1_000_000_000,
        }
    }

    /// Returns the time `count` units after the Unix epoch. The result saturates, and fractions of
    /// a millisecond are rounded down.
    pub fn timestamp(self, count: i64) -> Timestamp {
        Timestamp::from_millis(match self {
            TimeUnit::Seconds => count.saturating_mul(1000),
            TimeUnit::Millis => count,
            TimeUnit::Micros => count.div_euclid(1000),
            TimeUnit::Nanos => count.div_euclid(1_000_000),
        })
    }
}

macro_rules! field_values {
    ($($rust:ty => $variant:ident($convert:expr)),* $(,)?) => {
        $(impl FieldValue for $rust {
            fn field_type() -> FieldType {
                FieldType::$variant
            }

            fn value(&self) -> ValueRef<'_> {
                let convert: fn(&$rust) -> _ = $convert;
                ValueRef::$variant(convert(self))
            }
        })*
    };
}

field_values! {
    bool => Bool(|x| *x),
    i8 => Int(|x| i64::from(*x)),
    i16 => Int(|x| i64::from(*x)),
    i32 => Int(|x| i64::from(*x)),
    i64 => Int(|x| *x),
    u8 => Int(|x| i64::from(*x)),
    u16 => Int(|x| i64::from(*x)),
    u32 => Int(|x| i64::from(*x)),
    f32 => Float(|x| f64::from(*x)),
    f64 => Float(|x| *x),
    Duration => Duration(|x| duration_to_millis(*x)),
    Timestamp => Time(|x| *x),
    SystemTime => Time(|x| Timestamp::from(*x)),
    IpAddr => Ip(|x| *x),
    Ipv4Addr => Ip(|x| IpAddr::V4(*x)),
    Ipv6Addr => Ip(|x| IpAddr::V6(*x)),
}

impl FieldValue for str {
    fn field_type() -> FieldType {
        FieldType::String
    }

    fn value(&self) -> ValueRef<'_> {
        ValueRef::String(self)
    }
}

impl FieldValue for String {
    fn field_type() -> FieldType {
        FieldType::String
    }

    fn value(&self) -> ValueRef<'_> {
        ValueRef::String(self)
    }
}

macro_rules! forwarded_field_values {
    ($($pointer:ty $(where T: $bound:path)?),* $(,)?) => {
        $(impl<T: FieldValue + ?Sized> FieldValue for $pointer $(where T: $bound)? {
            fn field_type() -> FieldType {
                T::field_type()
            }

            fn is_optional() -> bool {
                T::is_optional()
            }

            fn value(&self) -> ValueRef<'_> {
                (**self).value()
            }

            const HAS_RANGE: bool = T::HAS_RANGE;

            fn is_in_range(&self) -> bool {
                (**self).is_in_range()
            }
        })*
    };
}

forwarded_field_values!(&T, Box<T>, Rc<T>, Arc<T>, Cow<'_, T> where T: ToOwned);

impl<T: FieldValue> FieldValue for Option<T> {
    fn field_type() -> FieldType {
        T::field_type()
    }

    fn is_optional() -> bool {
        true
    }

    fn value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, T::value)
    }

    const HAS_RANGE: bool = T::HAS_RANGE;

    fn is_in_range(&self) -> bool {
        self.as_ref().is_none_or(T::is_in_range)
    }
}

/// Rules read it as a list.
impl<T: FieldValue> FieldValue for Vec<T> {
    fn field_type() -> FieldType {
        FieldType::List(Box::new(T::field_type()))
    }

    fn value(&self) -> ValueRef<'_> {
        ValueRef::Items(self)
    }

    const HAS_RANGE: bool = T::HAS_RANGE;

    fn is_in_range(&self) -> bool {
        !T::HAS_RANGE || self.iter().all(T::is_in_range)
    }
}

impl<T: FieldValue> Items for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> ValueRef<'_> {
        self.as_slice().get(index).map_or(ValueRef::Null, T::value)
    }

    fn item_size(&self) -> usize {
        size_of::<T>()
    }
}

macro_rules! big_integers {
    ($($int:ty),*) => {
        $(
            /// Rules read it as an `int`. An event in which it is beyond `i64::MAX` is rejected.
            impl FieldValue for $int {
                fn field_type() -> FieldType {
                    FieldType::Int
                }

                fn value(&self) -> ValueRef<'_> {
                    ValueRef::Int(i64::try_from(*self).unwrap_or(i64::MAX))
                }

                const HAS_RANGE: bool = true;

                fn is_in_range(&self) -> bool {
                    i64::try_from(*self).is_ok()
                }
            }
        )*
    };
}

big_integers!(u64, usize);

impl EventTime for Timestamp {
    fn event_time(&self, _unit: TimeUnit) -> Timestamp {
        *self
    }
}

impl EventTime for SystemTime {
    fn event_time(&self, _unit: TimeUnit) -> Timestamp {
        Timestamp::from(*self)
    }
}

macro_rules! integer_times {
    ($($int:ty),*) => {
        $(impl EventTime for $int {
            fn event_time(&self, unit: TimeUnit) -> Timestamp {
                unit.timestamp(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        })*
    };
}

integer_times!(i32, i64, u32, u64);

impl EventTime for f64 {
    fn event_time(&self, unit: TimeUnit) -> Timestamp {
        let millis = match unit {
            TimeUnit::Seconds => self * 1e3,
            TimeUnit::Millis => *self,
            TimeUnit::Micros => self / 1e3,
            TimeUnit::Nanos => self / 1e6,
        };
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as documented")]
        Timestamp::from_millis(millis.floor() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_times_in_their_unit_and_saturate() {
        let cases = [
            (TimeUnit::Seconds.timestamp(2), 2000),
            (TimeUnit::Millis.timestamp(-2), -2),
            (TimeUnit::Micros.timestamp(-1), -1),
            (TimeUnit::Nanos.timestamp(1_999_999), 1),
            (TimeUnit::Seconds.timestamp(i64::MAX), i64::MAX),
            (u64::MAX.event_time(TimeUnit::Millis), i64::MAX),
            (u32::MAX.event_time(TimeUnit::Seconds), 4_294_967_295_000),
            (1.25_f64.event_time(TimeUnit::Seconds), 1250),
            (f64::INFINITY.event_time(TimeUnit::Micros), i64::MAX),
            (f64::NAN.event_time(TimeUnit::Nanos), 0),
        ];
        for (i, (time, millis)) in cases.into_iter().enumerate() {
            assert_eq!(time.as_millis(), millis, "case {i}");
        }
    }

    #[test]
    fn values_are_lent_through_pointers_and_options() {
        let cases: [(&dyn Fn() -> String, &str); 6] = [
            (&|| Some(Arc::<str>::from("a")).value().to_string(), "\"a\""),
            (&|| Cow::Borrowed("b").value().to_string(), "\"b\""),
            (&|| None::<Box<str>>.value().to_string(), "null"),
            (&|| Duration::MAX.value().to_string(), &crate::time::format_millis(i64::MAX)),
            (&|| Ipv4Addr::LOCALHOST.value().to_string(), "127.0.0.1"),
            (&|| Some(&1.5_f32).value().to_string(), "1.5"),
        ];
        for (value, text) in cases {
            assert_eq!(value(), text);
        }
    }

    #[test]
    fn equal_names_are_found() {
        assert!(crate::event::derived::distinct(&["a", "b", "ab"]));
        assert!(!crate::event::derived::distinct(&["a", "b", "a"]));
    }
}
