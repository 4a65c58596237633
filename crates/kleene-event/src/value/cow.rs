//! Values that are borrowed if they exist, and owned if they were computed.

use std::fmt;
use std::time::Duration;

use crate::time::Timestamp;
use crate::value::{Value, ValueRef};

/// A value that is borrowed if it exists somewhere, and owned if it was computed.
///
/// [`as_ref`](ValueCow::as_ref) reads either; the methods for the common types are here, too.
///
/// ```
/// use kleene::value::ValueCow;
/// use kleene::{Value, ValueRef};
///
/// let (text, sum) = (ValueCow::Borrowed(ValueRef::String("ann")), ValueCow::Owned(3.into()));
/// assert_eq!((text.as_str(), sum.as_i64()), (Some("ann"), Some(3)));
/// assert_eq!(format!("{text} {sum}"), "\"ann\" 3");
/// assert_eq!(text.into_owned(), Value::from("ann"));
/// ```
#[derive(Clone)]
pub enum ValueCow<'a> {
    /// A value that is borrowed.
    Borrowed(ValueRef<'a>),
    /// A value that was computed.
    Owned(Value),
}

impl ValueCow<'_> {
    /// Borrows the value.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            ValueCow::Borrowed(value) => *value,
            ValueCow::Owned(value) => value.as_ref(),
        }
    }

    /// Returns the value, copied if it is borrowed.
    pub fn into_owned(self) -> Value {
        match self {
            ValueCow::Borrowed(value) => value.to_value(),
            ValueCow::Owned(value) => value,
        }
    }

    /// Returns the bool; `None` for a value of another type.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_ref().as_bool()
    }

    /// Returns the integer; `None` for a value of another type, also for a float.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_ref().as_i64()
    }

    /// Returns the float, or the integer as a float; `None` for a value of another type.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_ref().as_f64()
    }

    /// Returns the text; `None` for a value of another type.
    pub fn as_str(&self) -> Option<&str> {
        self.as_ref().as_str()
    }

    /// Returns the moment; `None` for a value of another type.
    pub fn as_timestamp(&self) -> Option<Timestamp> {
        self.as_ref().as_timestamp()
    }

    /// Returns the span of time; `None` for a value of another type, and for a negative span.
    pub fn as_duration(&self) -> Option<Duration> {
        self.as_ref().as_duration()
    }
}

/// Writes the value as a [`ValueRef`] does.
impl fmt::Debug for ValueCow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_ref(), f)
    }
}

/// Writes the value as a rule would spell it: text in quotes, durations as `1h30m`.
impl fmt::Display for ValueCow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

/// Structural equality, as [`Value`]s are equal.
impl PartialEq for ValueCow<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref().is_same(other.as_ref())
    }
}

/// Structural equality, as [`Value`]s are equal.
impl PartialEq<Value> for ValueCow<'_> {
    fn eq(&self, other: &Value) -> bool {
        self.as_ref().is_same(other.as_ref())
    }
}
