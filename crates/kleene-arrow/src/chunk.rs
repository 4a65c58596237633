//! Consecutive rows of an input, before they are events.

use std::sync::Arc;

use arrow_array::RecordBatch;

/// The maximum number of rows of a batch.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Consecutive rows of an input.
pub(crate) enum Chunk {
    /// Rows with the columns that the plan needs.
    Rows(RecordBatch),
    /// Rows of which the statistics say that none is of a declared type: only their types.
    Types(RecordBatch),
    /// That many rows of a type that is not declared. They were not read.
    Unknown(Arc<str>, u64),
}
