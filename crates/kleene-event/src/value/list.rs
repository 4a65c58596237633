//! Lists that are borrowed: of values, or of what a `Vec` in an event holds.

use std::cmp::Ordering;
use std::fmt;

use crate::value::{Items, Value, ValueRef};

impl fmt::Debug for dyn Items + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(ListRef::Items(self).iter()).finish()
    }
}

/// A borrowed list of either form; see [`ValueRef::as_list`].
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// A list of values.
    Values(&'a [Value]),
    /// A list that an event holds in a form of its own.
    Items(&'a dyn Items),
}

impl<'a> ListRef<'a> {
    /// The number of items.
    pub fn len(self) -> usize {
        match self {
            ListRef::Values(values) => values.len(),
            ListRef::Items(items) => items.len(),
        }
    }

    /// True if there is no item.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The item at an index from 0, if there is one.
    pub fn get(self, index: usize) -> Option<ValueRef<'a>> {
        match self {
            ListRef::Values(values) => values.get(index).map(Value::as_ref),
            ListRef::Items(items) => (index < items.len()).then(|| items.get(index)),
        }
    }

    /// The items in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = ValueRef<'a>> {
        (0..self.len()).map(move |index| self.get(index).unwrap_or_default())
    }

    pub(super) fn heap_size(self) -> usize {
        let of_items = match self {
            ListRef::Values(values) => size_of_val(values),
            ListRef::Items(items) => items.len().saturating_mul(items.item_size()),
        };
        of_items + self.iter().map(ValueRef::heap_size).sum::<usize>()
    }

    /// Compares two lists as [`ValueRef::compare`] does: they are equal or have no order.
    pub(super) fn compare(self, other: ListRef<'_>) -> Option<Ordering> {
        let equal = |(a, b): (ValueRef<'_>, ValueRef<'_>)| a.compare(b) == Some(Ordering::Equal);
        let equal = self.len() == other.len() && self.iter().zip(other.iter()).all(equal);
        equal.then_some(Ordering::Equal)
    }

    pub(super) fn is_same(self, other: ListRef<'_>) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a.is_same(b))
    }
}

impl<'a> ValueRef<'a> {
    /// Returns the items of a list; none of anything else.
    pub(super) fn items(&self) -> impl ExactSizeIterator<Item = ValueRef<'_>> {
        self.as_list().unwrap_or(ListRef::Values(&[])).iter()
    }

    /// Returns the list that this value is, in either form; `None` for other values.
    ///
    /// ```
    /// use kleene::ValueRef;
    ///
    /// let labels = vec!["beta", "eu"];
    /// let list = ValueRef::Items(&labels).as_list().unwrap();
    /// assert_eq!((list.len(), list.get(0).unwrap().to_string()), (2, "\"beta\"".into()));
    /// ```
    #[inline]
    pub fn as_list(self) -> Option<ListRef<'a>> {
        match self {
            ValueRef::List(values) => Some(ListRef::Values(values)),
            ValueRef::Items(items) => Some(ListRef::Items(items)),
            _ => None,
        }
    }
}
