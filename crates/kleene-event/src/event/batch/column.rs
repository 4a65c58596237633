//! [`Column`]: the values of one field in the rows of a batch.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::event::batch::bitmap::Bitmap;
use crate::time::Timestamp;
use crate::value::{Kind, Value, ValueRef};

/// Values of a fixed size: owned, or shared with the program that made them.
///
/// A `Vec` becomes an owned buffer. An `Arc` of an owner that lends a slice, such as a buffer of
/// Apache Arrow, becomes a shared one: nothing is copied, and the batch keeps the owner alive.
///
/// ```
/// use std::sync::Arc;
/// use kleene::event::Buffer;
///
/// let owned = Buffer::from(vec![1, 2, 3]);
/// let shared = Buffer::shared(Arc::new([1_i64, 2, 3]));
/// assert_eq!(owned[..], shared[..]);
/// ```
#[derive(Clone)]
pub enum Buffer<T: 'static> {
    /// Values of its own.
    Owned(Vec<T>),
    /// Values in memory that another owner keeps.
    Shared(Arc<dyn AsRef<[T]> + Send + Sync>),
}

impl<T> Buffer<T> {
    /// Shares the values of an owner.
    pub fn shared(owner: Arc<impl AsRef<[T]> + Send + Sync + 'static>) -> Buffer<T> {
        Buffer::Shared(owner)
    }
}

impl<T: Clone + Default> Buffer<T> {
    /// Drops the values from `len` on, or adds values up to `len`. A shared buffer stays as it is.
    #[inline]
    fn resize(&mut self, len: usize) {
        if let Buffer::Owned(values) = self {
            values.resize(len, T::default());
        }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        match self {
            Buffer::Owned(values) => values,
            Buffer::Shared(owner) => (**owner).as_ref(),
        }
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    fn from(values: Vec<T>) -> Buffer<T> {
        Buffer::Owned(values)
    }
}

impl<T> Default for Buffer<T> {
    fn default() -> Buffer<T> {
        Buffer::Owned(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Texts one after the other in one string, and where each ends.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    all: String,
    /// The end of each text; the first begins at 0.
    ends: Vec<u32>,
}

impl Texts {
    /// Makes texts of their common string and the end of each in bytes. `None` if an end lies
    /// before the one before it, beyond the string, or within a character.
    pub fn new(all: String, ends: Vec<u32>) -> Option<Texts> {
        let mut last = 0;
        for &end in &ends {
            if end < last || !all.is_char_boundary(end as usize) {
                return None;
            }
            last = end;
        }
        Some(Texts { all, ends })
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns a text; empty beyond the last.
    #[inline(always)]
    pub fn get(&self, row: usize) -> &str {
        let start =
            row.checked_sub(1).map_or(0, |before| self.ends.get(before).map_or(0, |end| *end));
        let end = self.ends.get(row).copied().unwrap_or(start);
        self.all.get(start as usize..end as usize).unwrap_or("")
    }

    /// Returns no texts, with room for as many of the same length.
    pub(super) fn room_for_as_many(&self) -> Texts {
        Texts {
            all: String::with_capacity(self.all.len()),
            ends: Vec::with_capacity(self.ends.len()),
        }
    }

    /// Adds a text. Returns false, and adds nothing, if the texts together exceed 4 GiB.
    #[inline]
    pub(super) fn push(&mut self, text: &str) -> bool {
        let Ok(end) = u32::try_from(self.all.len() + text.len()) else { return false };
        self.all.push_str(text);
        self.ends.push(end);
        true
    }

    /// Drops the texts from `len` on, or adds empty ones up to `len`.
    fn resize(&mut self, len: usize) {
        let last = len.min(self.len()).checked_sub(1).map_or(0, |last| self.ends[last]);
        self.ends.resize(len, last);
        self.all.truncate(last as usize);
    }
}

/// The values of a column by their type, without the nulls.
#[derive(Clone, Debug)]
pub enum ColumnValues {
    /// As many rows as this, all null.
    Null(usize),
    /// Bools.
    Bool(Buffer<bool>),
    /// Integers.
    Int(Buffer<i64>),
    /// Floating-point numbers.
    Float(Buffer<f64>),
    /// Moments, in milliseconds since 1970.
    Time(Buffer<i64>),
    /// Durations in milliseconds.
    Duration(Buffer<i64>),
    /// Texts.
    String(Texts),
    /// Texts that repeat: the position of each row's text in the dictionary. A position beyond the
    /// dictionary is null.
    Dictionary(Buffer<u32>, Arc<[Arc<str>]>),
    /// Values of any other type: addresses, lists, and what a field of unknown type holds.
    Any(Vec<Value>),
}

impl ColumnValues {
    /// The number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            ColumnValues::Null(rows) => *rows,
            ColumnValues::Bool(values) => values.len(),
            ColumnValues::Float(values) => values.len(),
            ColumnValues::Int(values)
            | ColumnValues::Time(values)
            | ColumnValues::Duration(values) => values.len(),
            ColumnValues::String(texts) => texts.len(),
            ColumnValues::Dictionary(codes, _) => codes.len(),
            ColumnValues::Any(values) => values.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the rows from `len` on, or adds rows up to `len` with values that mean nothing. Shared
    /// buffers stay as they are.
    #[inline]
    pub(super) fn resize(&mut self, len: usize) {
        match self {
            ColumnValues::Null(rows) => *rows = len,
            ColumnValues::Bool(values) => values.resize(len),
            ColumnValues::Float(values) => values.resize(len),
            ColumnValues::Int(values)
            | ColumnValues::Time(values)
            | ColumnValues::Duration(values) => values.resize(len),
            ColumnValues::String(texts) => texts.resize(len),
            ColumnValues::Dictionary(codes, _) => codes.resize(len),
            ColumnValues::Any(values) => values.resize(len, Value::Null),
        }
    }
}

/// The values of one field in the rows of a batch.
#[derive(Clone, Debug)]
pub struct Column {
    values: ColumnValues,
    /// `None` if all rows have a value.
    validity: Option<Bitmap>,
}

impl Column {
    /// Makes a column whose rows all have a value, but for the nulls that `values` itself holds.
    pub fn new(values: ColumnValues) -> Column {
        Column { values, validity: None }
    }

    /// Makes a column of which only the rows of `validity` have a value. A row beyond it has none.
    #[must_use]
    pub fn with_validity(self, validity: Bitmap) -> Column {
        let has_null = validity.zeros() > 0 || validity.len() < self.len();
        Column { validity: Some(validity).filter(|_| has_null), ..self }
    }

    /// Returns the values; those of rows without a value mean nothing.
    pub fn values(&self) -> &ColumnValues {
        &self.values
    }

    /// Returns which rows have a value; `None` if the bitmap has no null.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a row; null beyond the last.
    #[inline]
    pub fn get(&self, row: usize) -> ValueRef<'_> {
        if let Some(validity) = &self.validity
            && !validity.get(row)
        {
            return ValueRef::Null;
        }
        self.get_valid(row).unwrap_or(ValueRef::Null)
    }

    #[inline(always)]
    fn get_valid(&self, row: usize) -> Option<ValueRef<'_>> {
        Some(match &self.values {
            ColumnValues::Bool(values) => ValueRef::Bool(*values.get(row)?),
            ColumnValues::Int(values) => ValueRef::Int(*values.get(row)?),
            ColumnValues::Float(values) => ValueRef::Float(*values.get(row)?),
            ColumnValues::Time(values) => ValueRef::Time(Timestamp::from_millis(*values.get(row)?)),
            ColumnValues::Duration(values) => ValueRef::Duration(*values.get(row)?),
            ColumnValues::String(texts) if row < texts.len() => ValueRef::String(texts.get(row)),
            ColumnValues::Null(_) | ColumnValues::String(_) => ValueRef::Null,
            ColumnValues::Dictionary(codes, texts) => {
                ValueRef::String(texts.get(*codes.get(row)? as usize)?)
            }
            ColumnValues::Any(values) => values.get(row)?.as_ref(),
        })
    }

    /// Returns the value of a row, owned. A text of a dictionary and a list are shared.
    pub(crate) fn to_value(&self, row: usize) -> Value {
        let mut value = Value::Null;
        self.copy_to(row, &mut value);
        value
    }

    /// Copies the value of a row to a place that is null. Each type is written where it stays: a
    /// value that is returned would be written in parts and read as a whole, for which a processor
    /// waits longer than for all the rest.
    #[inline]
    pub(super) fn copy_to(&self, row: usize, place: &mut Value) {
        if let Some(validity) = &self.validity
            && !validity.get(row)
        {
            return;
        }
        match &self.values {
            ColumnValues::Int(values) => {
                if let Some(value) = values.get(row) {
                    *place = Value::Int(*value);
                }
            }
            ColumnValues::Float(values) => {
                if let Some(value) = values.get(row) {
                    *place = Value::Float(*value);
                }
            }
            ColumnValues::Time(values) => {
                if let Some(value) = values.get(row) {
                    *place = Value::Time(Timestamp::from_millis(*value));
                }
            }
            ColumnValues::Dictionary(codes, texts) => {
                if let Some(text) = codes.get(row).and_then(|code| texts.get(*code as usize)) {
                    *place = Value::String(text.clone());
                }
            }
            ColumnValues::Any(values) => *place = values.get(row).cloned().unwrap_or_default(),
            _ => *place = self.get_valid(row).map(ValueRef::to_value).unwrap_or_default(),
        }
    }

    /// True if no value is on the heap.
    pub(super) fn is_flat(&self) -> bool {
        use ColumnValues::{Any, Dictionary, String};
        !matches!(self.values, Any(_) | Dictionary(..) | String(_))
    }

    /// Returns the types that values of this column can have.
    pub(super) fn kind(&self) -> Kind {
        let kind = match &self.values {
            ColumnValues::Null(_) => Kind::NULL,
            ColumnValues::Bool(_) => Kind::BOOL,
            ColumnValues::Int(_) => Kind::INT,
            ColumnValues::Float(_) => Kind::FLOAT,
            ColumnValues::Time(_) => Kind::TIME,
            ColumnValues::Duration(_) => Kind::DURATION,
            ColumnValues::String(_) => Kind::STRING,
            ColumnValues::Dictionary(codes, texts) => {
                if codes.iter().all(|code| (*code as usize) < texts.len()) {
                    Kind::STRING
                } else {
                    Kind::STRING.or(Kind::NULL)
                }
            }
            ColumnValues::Any(values) => {
                values.iter().fold(Kind::NEVER, |all, value| all.or(value.kind()))
            }
        };
        if self.validity.is_some() { kind.or(Kind::NULL) } else { kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_at_characters() {
        let texts = Texts::new("a\u{e9}b".into(), vec![1, 3, 3, 4]).expect("they are right");
        let all: Vec<&str> = (0..5).map(|row| texts.get(row)).collect();
        assert_eq!(all, ["a", "\u{e9}", "", "b", ""]);
        for ends in [vec![2], vec![3, 1], vec![5]] {
            assert!(Texts::new("a\u{e9}b".into(), ends.clone()).is_none(), "{ends:?}");
        }
    }

    #[test]
    fn a_row_is_null_where_anything_says_so() {
        let texts: Arc<[Arc<str>]> = ["x".into()].into();
        let column = Column::new(ColumnValues::Dictionary(vec![0, 1, 0].into(), texts))
            .with_validity([false, true, true].into_iter().collect());
        let rows: Vec<Value> = (0..4).map(|row| column.get(row).to_value()).collect();
        assert_eq!(rows, [Value::Null, Value::Null, "x".into(), Value::Null]);
        assert_eq!((0..4).map(|row| column.to_value(row)).collect::<Vec<_>>(), rows);
        assert_eq!(column.kind(), Kind::STRING.or(Kind::NULL));
    }
}
