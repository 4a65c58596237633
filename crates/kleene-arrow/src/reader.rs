//! [`ColumnReader`]: the events of an input of columns.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};

use kleene::schema::Schema;
use kleene_input::Reading;

use crate::chunk::{BATCH_ROWS, Chunk};
use crate::dictionaries::Dictionaries;
use crate::error::{ColumnarError, guarded};
use crate::format::ColumnFormat;
use crate::ipc_source::StreamSource;
use crate::order::TimeOrder;
use crate::plan::Plan;
use crate::rows::{RowBatch, RowReader};
use crate::source::Source;

/// Reads the events of a Parquet or Arrow IPC input, batch by batch.
///
/// Fields are found by the names of columns. A field in a nested object, `addr.city`, is in the
/// column `city` of the struct `addr`, or in a column called `addr.city`. [`Reading`] says which
/// column holds the event type and the time, as for text. If no column holds the type and only one
/// type is declared, all rows are of that type.
///
/// Only the columns that the declared types need are decoded; all columns, if one of them is open.
///
/// ```
/// use std::io::Cursor;
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use kleene::RuleSet;
/// use kleene_arrow::ColumnReader;
/// use kleene_input::Reading;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let user: ArrayRef = Arc::new(StringArray::from(vec![Some("ann"), None, Some("bob")]));
/// let ts: ArrayRef = Arc::new(Int64Array::from(vec![1000, 2000, 3000]));
/// let columns = RecordBatch::try_from_iter([("user", user), ("ts", ts)])?;
/// let mut file = Vec::new();
/// let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, columns.schema(), None)?;
/// writer.write(&columns)?;
/// writer.close()?;
///
/// let rules = RuleSet::parse("event hit { user: string, ts: time }  rule all { match hit }")?;
/// let reading = Reading::default();
/// let mut reader = ColumnReader::from_seekable(Cursor::new(file), rules.schema(), reading)?;
/// let batch = reader.next_batch()?.expect("there are rows");
/// assert_eq!((batch.events.len(), &batch.rows[..]), (2, &[1, 3][..]));
/// assert_eq!(batch.rejected[0].row, 2);
/// assert_eq!(
///     batch.rejected[0].reason,
///     "field `user` is null, and not declared as optional (`string?`)"
/// );
/// assert!(reader.next_batch()?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct ColumnReader {
    source: Source,
    plan: Plan,
    rows: RowReader,
    /// The maximum number of rows of a batch.
    batch_rows: usize,
    /// The number of rows that were read or skipped.
    rows_read: u64,
    /// The number of rows that were not read, as statistics say what they are.
    skipped: u64,
    /// True after an error: the decoder may be in any state.
    is_over: bool,
}

impl fmt::Debug for ColumnReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ColumnReader { plan, rows, rows_read, .. } = self;
        let mut shown = f.debug_struct("ColumnReader");
        shown.field("format", &rows.format).field("rows_read", rows_read).field("plan", plan);
        shown.finish_non_exhaustive()
    }
}

impl ColumnReader {
    /// Opens a file of any of the formats.
    ///
    /// # Errors
    /// The file cannot be read, is of another format or damaged, or no event can be read from its
    /// columns.
    pub fn open(
        file: File,
        schema: &Schema,
        reading: Reading,
    ) -> Result<ColumnReader, ColumnarError> {
        ColumnReader::from_seekable(file, schema, reading)
    }

    /// Reads an input of any of the formats that can be read from any position.
    ///
    /// # Errors
    /// As [`open`](ColumnReader::open).
    pub fn from_seekable(
        input: impl Read + Seek + Send + 'static,
        schema: &Schema,
        reading: Reading,
    ) -> Result<ColumnReader, ColumnarError> {
        let (source, format) = Source::open(input)?;
        ColumnReader::of(source, format, schema, reading)
    }

    /// Reads an Arrow IPC stream from its start, such as a pipe.
    ///
    /// # Errors
    /// The input cannot be read, is of another format or damaged, or no event can be read from its
    /// columns.
    pub fn from_stream(
        mut input: impl Read + Send + 'static,
        schema: &Schema,
        reading: Reading,
    ) -> Result<ColumnReader, ColumnarError> {
        let mut start = Vec::new();
        input.by_ref().take(ColumnFormat::MAGIC as u64).read_to_end(&mut start)?;
        let format = match ColumnFormat::detect(&start) {
            Some(format @ ColumnFormat::ArrowStream) => format,
            Some(format) => {
                return Err(ColumnarError::new(format!(
                    "the {format} comes from a pipe, but it is read from its end\n\
                     help: give it as a file"
                )));
            }
            None => return Err(ColumnarError::other_format()),
        };
        let input = Box::new(std::io::Cursor::new(start).chain(input));
        let source = Source::Stream(StreamSource::open(input)?);
        ColumnReader::of(source, format, schema, reading)
    }

    fn of(
        source: Source,
        format: ColumnFormat,
        schema: &Schema,
        reading: Reading,
    ) -> Result<ColumnReader, ColumnarError> {
        let plan = Plan::new(&source.schema(), schema, |_| true, &reading)?;
        let dictionaries = Dictionaries::default();
        let rows = RowReader { schema: schema.clone(), reading, format, dictionaries };
        Ok(ColumnReader {
            source,
            plan,
            rows,
            batch_rows: BATCH_ROWS,
            rows_read: 0,
            skipped: 0,
            is_over: false,
        })
    }

    /// Returns a reader whose batches have at most `rows` rows, but for row groups that are not read.
    /// The number is at least 1, and at most 8,192, the default.
    #[must_use]
    pub fn with_batch_rows(self, rows: usize) -> ColumnReader {
        ColumnReader { batch_rows: rows.clamp(1, BATCH_ROWS), ..self }
    }

    /// Reads events of the types of `schema` that are also in `declared`, from now on.
    ///
    /// # Errors
    /// No event of these types can be read from the columns. The reader is then as it was.
    pub fn renew(&mut self, schema: &Schema, declared: &Schema) -> Result<(), ColumnarError> {
        let is_declared = |name: &str| declared.type_id(name).is_some();
        let columns = self.source.schema();
        self.plan = Plan::new(&columns, schema, is_declared, &self.rows.reading)?;
        self.rows.schema = schema.clone();
        self.source.replan();
        Ok(())
    }

    /// Returns the next rows, at most 8,192; `None` at the end of the input. A batch may hold no
    /// event, and of a row group that is not read it may count more rows.
    ///
    /// # Errors
    /// The input cannot be read any further. The next call returns `None`.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, ColumnarError> {
        if self.is_over {
            return Ok(None);
        }
        let batch = self.read();
        self.is_over = !matches!(batch, Ok(Some(_)));
        batch
    }

    fn read(&mut self) -> Result<Option<RowBatch>, ColumnarError> {
        let first_row = self.rows_read + 1;
        let ColumnReader { source, plan, rows, skipped, batch_rows, .. } = self;
        let batch = match source.next(plan, *batch_rows)? {
            None => return Ok(None),
            Some(Chunk::Rows(batch)) => {
                guarded(rows.format, || rows.read(&batch, plan, first_row))?
            }
            Some(Chunk::Types(batch)) => {
                let read = guarded(rows.format, || rows.read_types(&batch, plan, first_row))?;
                *skipped += read.row_count;
                read
            }
            Some(Chunk::Unknown(name, row_count)) => {
                *skipped += row_count;
                let unknown = vec![(name, row_count)];
                RowBatch { unknown, first_row, row_count, ..RowBatch::default() }
            }
        };
        self.rows_read += batch.row_count;
        Ok(Some(batch))
    }

    /// Skips rows, to resume where another reader stopped. Returns the number of rows skipped, which
    /// is less at the end of the input.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, ColumnarError> {
        let skipped = self.source.skip(rows)?;
        self.rows_read += skipped;
        Ok(skipped)
    }

    /// Returns the number of rows that were read or skipped.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Returns the number of rows whose columns were not read, as the statistics of their row groups
    /// say that they are of no declared type. Batches count them among the rows of unknown types.
    pub fn rows_not_decoded(&self) -> u64 {
        self.skipped
    }

    /// Compares the times of the row groups of a Parquet file by their statistics. Other formats have
    /// none.
    pub fn time_order(&self) -> TimeOrder {
        match &self.source {
            Source::Parquet(source) => source.time_order(&self.plan, &self.rows.reading),
            Source::File(_) | Source::Stream(_) => TimeOrder::Unknown,
        }
    }

    /// Returns the format of the input.
    pub fn format(&self) -> ColumnFormat {
        self.rows.format
    }

    /// Returns the names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.source.schema().fields().iter().map(|column| column.name().clone()).collect()
    }
}
