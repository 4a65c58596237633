//! Rows from one of the formats.

use std::io::{Read, Seek};

use arrow_schema::SchemaRef;

use crate::chunk::Chunk;
use crate::error::ColumnarError;
use crate::format::ColumnFormat;
use crate::input::SharedInput;
use crate::ipc_source::{FileSource, StreamSource};
use crate::parquet_source::ParquetSource;
use crate::plan::Plan;

/// The rows of an input.
pub(crate) enum Source {
    Parquet(ParquetSource),
    File(FileSource),
    Stream(StreamSource),
}

impl Source {
    /// Opens an input of any of the formats. Returns the format as well.
    pub(crate) fn open(
        input: impl Read + Seek + Send + 'static,
    ) -> Result<(Source, ColumnFormat), ColumnarError> {
        let input = SharedInput::new(input)?;
        let mut start = Vec::new();
        input.reader_at(0).take(ColumnFormat::MAGIC as u64).read_to_end(&mut start)?;
        let format = ColumnFormat::detect(&start).ok_or_else(ColumnarError::other_format)?;
        let source = match format {
            ColumnFormat::Parquet => Source::Parquet(ParquetSource::open(input)?),
            ColumnFormat::ArrowFile => Source::File(FileSource::open(input)?),
            ColumnFormat::ArrowStream => {
                Source::Stream(StreamSource::open(Box::new(input.reader_at(0)))?)
            }
        };
        Ok((source, format))
    }

    /// Returns the columns of the input.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Source::Parquet(source) => source.schema(),
            Source::File(source) => source.schema(),
            Source::Stream(source) => source.schema(),
        }
    }

    /// Returns the next rows, at most `rows` of those that are read.
    pub(crate) fn next(
        &mut self,
        plan: &Plan,
        rows: usize,
    ) -> Result<Option<Chunk>, ColumnarError> {
        match self {
            Source::Parquet(source) => source.next(plan, rows),
            Source::File(source) => source.next(plan, rows).map(|batch| batch.map(Chunk::Rows)),
            Source::Stream(source) => source.next(rows).map(|batch| batch.map(Chunk::Rows)),
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
