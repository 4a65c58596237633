//! Access to what a value holds, by its type and by name.

use std::net::IpAddr;
use std::ops::Index;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;
use crate::value::{Value, ValueRef};

/// ```
/// use std::time::Duration;
///
/// use kleene::Value;
///
/// let user = Value::Record([("name".into(), "ann".into()), ("tries".into(), 3.into())].into());
/// assert_eq!(user.get("name").and_then(Value::as_str), Some("ann"));
/// assert_eq!(user["tries"].as_i64(), Some(3));
/// assert_eq!(user.get("age"), None);
/// assert_eq!(Value::Duration(1500).as_duration(), Some(Duration::from_millis(1500)));
/// ```
impl Value {
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
    /// [`Value::Duration`] holds both as milliseconds.
    pub fn as_duration(&self) -> Option<Duration> {
        self.as_ref().as_duration()
    }

    /// Returns the address; `None` for a value of another type.
    pub fn as_ip(&self) -> Option<IpAddr> {
        self.as_ref().as_ip()
    }

    /// Returns the items of a list; `None` for a value of another type.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the named values of a record; `None` for a value of another type.
    pub fn as_record(&self) -> Option<&[(Arc<str>, Value)]> {
        match self {
            Value::Record(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns the value with this name in a record; `None` if the record lacks the name, and for a
    /// value of another type.
    pub fn get(&self, name: &str) -> Option<&Value> {
        named(self.as_record()?, name)
    }
}

/// Returns the value with this name in a record.
///
/// # Panics
/// If the record lacks the name, or the value is no record. [`Value::get`] does not panic.
impl Index<&str> for Value {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("there is no `{name}` in {self}"))
    }
}

/// Returns the item at an index of a list, from 0.
///
/// # Panics
/// If the list is shorter, or the value is no list. [`Value::as_list`] does not panic.
impl Index<usize> for Value {
    type Output = Value;

    fn index(&self, index: usize) -> &Value {
        let item = self.as_list().and_then(|items| items.get(index));
        item.unwrap_or_else(|| panic!("there is no item {index} in {self}"))
    }
}

impl<'a> ValueRef<'a> {
    /// Returns the bool; `None` for a value of another type.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            ValueRef::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// Returns the integer; `None` for a value of another type, also for a float.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            ValueRef::Int(int) => Some(int),
            _ => None,
        }
    }

    /// Returns the float, or the integer as a float; `None` for a value of another type.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "mixed arithmetic is done in floats")]
            ValueRef::Int(int) => Some(int as f64),
            ValueRef::Float(float) => Some(float),
            _ => None,
        }
    }

    /// Returns the text; `None` for a value of another type.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the moment; `None` for a value of another type.
    pub fn as_timestamp(self) -> Option<Timestamp> {
        match self {
            ValueRef::Time(time) => Some(time),
            _ => None,
        }
    }

    /// Returns the span of time; `None` for a value of another type, and for a negative span.
    /// [`ValueRef::Duration`] holds both as milliseconds.
    pub fn as_duration(self) -> Option<Duration> {
        match self {
            ValueRef::Duration(millis) => u64::try_from(millis).ok().map(Duration::from_millis),
            _ => None,
        }
    }

    /// Returns the address; `None` for a value of another type.
    pub fn as_ip(self) -> Option<IpAddr> {
        match self {
            ValueRef::Ip(ip) => Some(ip),
            _ => None,
        }
    }
}

/// Returns the item with this name.
pub fn named<'a, T>(items: &'a [(Arc<str>, T)], name: &str) -> Option<&'a T> {
    items.iter().find(|(of, _)| **of == *name).map(|(_, item)| item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_its_own_type_only() {
        let ip: IpAddr = [127, 0, 0, 1].into();
        let at = Timestamp::from_millis(5);
        let list = Value::List([1.into(), "a".into()].into());
        let values = [
            Value::Null,
            true.into(),
            7.into(),
            1.5.into(),
            "x".into(),
            at.into(),
            Value::Duration(9),
            ip.into(),
            list.clone(),
        ];
        let read = |number: usize, value: &Value| {
            let is = |index: usize| (number == index).then_some(index);
            assert_eq!(value.as_bool(), is(1).map(|_| true));
            assert_eq!(value.as_i64(), is(2).map(|_| 7));
            assert_eq!(value.as_f64(), is(2).map(|_| 7.0).or(is(3).map(|_| 1.5)));
            assert_eq!(value.as_str(), is(4).map(|_| "x"));
            assert_eq!(value.as_timestamp(), is(5).map(|_| at));
            assert_eq!(value.as_duration(), is(6).map(|_| Duration::from_millis(9)));
            assert_eq!(value.as_ip(), is(7).map(|_| ip));
            assert_eq!(value.as_list().map(<[Value]>::len), is(8).map(|_| 2));
            assert_eq!(value.get("x"), None);
        };
        values.iter().enumerate().for_each(|(number, value)| read(number, value));
        assert_eq!(Value::Duration(-9).as_duration(), None);
        assert_eq!((&list[0], &list[1]), (&1.into(), &"a".into()));
    }

    #[test]
    #[should_panic(expected = "there is no `usr` in { user: 1 }")]
    fn an_index_names_what_is_missing() {
        let _ = &Value::Record([("user".into(), 1.into())].into())["usr"];
    }
}
