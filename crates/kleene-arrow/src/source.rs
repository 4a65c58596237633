//! Rows from one of the formats.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::error::ColumnarError;
use crate::ipc_source::{FileSource, StreamSource};
use crate::parquet_source::ParquetSource;
use crate::plan::Plan;

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

/// The rows of an input.
pub(crate) enum Source {
    Parquet(ParquetSource),
    File(FileSource),
    Stream(StreamSource),
}

impl Source {
    /// Returns the columns of the input.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Source::Parquet(source) => source.schema(),
            Source::File(source) => source.schema(),
            Source::Stream(source) => source.schema(),
        }
    }

    /// Returns the next rows.
    pub(crate) fn next(&mut self, plan: &Plan) -> Result<Option<Chunk>, ColumnarError> {
        match self {
            Source::Parquet(source) => source.next(plan),
            Source::File(source) => source.next(plan).map(|batch| batch.map(Chunk::Rows)),
            Source::Stream(source) => source.next().map(|batch| batch.map(Chunk::Rows)),
        }
    }

    /// Changes what is read from the next rows on.
    pub(crate) fn replan(&mut self) {
        match self {
            Source::Parquet(source) => source.replan(),
            Source::File(source) => source.replan(),
            Source::Stream(_) => {}
        }
    }

    /// Skips rows. Returns the number of rows skipped, which is less at the end of the input.
    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, ColumnarError> {
        match self {
            Source::Parquet(source) => source.skip(rows),
            Source::File(source) => source.skip(rows),
            Source::Stream(source) => source.skip(rows),
        }
    }
}
