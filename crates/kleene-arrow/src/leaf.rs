//! The column at a path, also in structs.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_select::nullif::nullif;
use arrow_select::take::take;

use crate::error::ColumnarError;
use crate::format::ColumnFormat;

/// Rows of a batch.
pub(crate) struct Rows<'a> {
    pub(crate) batch: &'a RecordBatch,
    pub(crate) format: ColumnFormat,
    /// The numbers of the rows.
    pub(crate) numbers: ScalarBuffer<u32>,
}

impl Rows<'_> {
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the values of the rows in the column at a path. A value in a struct that is null is
    /// null.
    pub(crate) fn leaf(&self, path: &[Arc<str>]) -> Result<ArrayRef, ColumnarError> {
        let array = leaf(self.batch, path, self.format)?;
        if self.len() == self.batch.num_rows() {
            return Ok(array);
        }
        let numbers = UInt32Array::new(self.numbers.clone(), None);
        take(&array, &numbers, None).map_err(|error| ColumnarError::of_arrow(self.format, error))
    }

    /// Returns the structs on the path to a column, of all rows of the batch.
    pub(crate) fn parents(&self, path: &[Arc<str>]) -> Vec<ArrayRef> {
        let lengths = 1..path.len();
        lengths.filter_map(|length| leaf(self.batch, &path[..length], self.format).ok()).collect()
    }

    /// True if one of the structs is null in a row of these.
    pub(crate) fn is_any_null(&self, parents: &[ArrayRef], row: usize) -> bool {
        parents.iter().any(|parent| parent.is_null(self.numbers[row] as usize))
    }
}

/// Returns the column at a path.
pub(crate) fn leaf(
    batch: &RecordBatch,
    path: &[Arc<str>],
    format: ColumnFormat,
) -> Result<ArrayRef, ColumnarError> {
    let gone = || ColumnarError::new(format!("the {format} has no column `{}`", path.join(".")));
    let [first, inner @ ..] = path else { return Err(gone()) };
    let mut array = batch.column_by_name(first).ok_or_else(gone)?.clone();
    for name in inner {
        let parent = array.as_struct_opt().ok_or_else(gone)?;
        let child = parent.column_by_name(name).ok_or_else(gone)?.clone();
        array = match parent.nulls().filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => {
                let is_null = BooleanArray::new(!nulls.inner(), None);
                nullif(&child, &is_null).map_err(|error| ColumnarError::of_arrow(format, error))?
            }
            None => child,
        };
    }
    Ok(array)
}
