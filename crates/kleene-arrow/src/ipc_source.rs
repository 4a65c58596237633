//! The batches of Arrow's IPC formats.
//!
//! A batch of these formats is read and unpacked as a whole, so memory is bounded by the largest
//! batch of the input. It is then handed on in slices.

use std::io::{BufReader, Read};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, FileReaderBuilder, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::error::{ColumnarError, guarded};
use crate::format::ColumnFormat;
use crate::input::{InputReader, SharedInput};
use crate::plan::Plan;
use crate::source::BATCH_ROWS;

/// The rest of a batch, to be handed on in slices.
#[derive(Default)]
struct Rest(Option<RecordBatch>);

impl Rest {
    /// Returns the next slice, of at most `rows` rows.
    fn next(&mut self, rows: usize) -> Option<RecordBatch> {
        let batch = self.0.take().filter(|batch| batch.num_rows() > 0)?;
        if batch.num_rows() <= rows {
            return Some(batch);
        }
        self.0 = Some(batch.slice(rows, batch.num_rows() - rows));
        Some(batch.slice(0, rows))
    }

    /// Skips up to this number of rows, and returns how many.
    fn skip(&mut self, rows: u64) -> u64 {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        self.next(rows).map_or(0, |skipped| skipped.num_rows() as u64)
    }
}

/// A file of Arrow IPC.
pub(crate) struct FileSource {
    input: SharedInput,
    schema: SchemaRef,
    /// The number of the next batch.
    batch: usize,
    /// The number of rows of the last batch that were handed on.
    rows_read: u64,
    /// The reader of the columns that are needed; `None` before the first batch.
    reader: Option<FileReader<BufReader<InputReader>>>,
    rest: Rest,
}

impl FileSource {
    const FORMAT: ColumnFormat = ColumnFormat::ArrowFile;

    pub(crate) fn open(input: SharedInput) -> Result<FileSource, ColumnarError> {
        let schema = guarded(FileSource::FORMAT, || {
            let reader = FileReaderBuilder::new().build(input.reader_at(0));
            reader.map(|reader| reader.schema()).map_err(FileSource::wrong)
        })?;
        Ok(FileSource { input, schema, batch: 0, rows_read: 0, reader: None, rest: Rest(None) })
    }

    fn wrong(error: ArrowError) -> ColumnarError {
        ColumnarError::of_arrow(FileSource::FORMAT, error)
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Changes what is read from the next batch on. The rest of the last batch is read again.
    pub(crate) fn replan(&mut self) {
        self.reader = None;
        if self.rest.0.take().is_some() {
            self.batch -= 1;
        } else {
            self.rows_read = 0;
        }
    }

    pub(crate) fn next(&mut self, plan: &Plan) -> Result<Option<RecordBatch>, ColumnarError> {
        let projection = self.projection(plan);
        self.next_of(projection)
    }

    fn next_of(
        &mut self,
        columns: Option<Vec<usize>>,
    ) -> Result<Option<RecordBatch>, ColumnarError> {
        loop {
            if let Some(slice) = self.rest.next(BATCH_ROWS) {
                self.rows_read += slice.num_rows() as u64;
                return Ok(Some(slice));
            }
            if !self.fill(columns.clone())? {
                return Ok(None);
            }
        }
    }

    /// Reads the next batch, to be handed on. Returns false at the end of the file. After a change
    /// of what is read, some rows of the batch were handed on before: they are skipped.
    fn fill(&mut self, columns: Option<Vec<usize>>) -> Result<bool, ColumnarError> {
        let before = if self.reader.is_none() { self.rows_read } else { 0 };
        let Some(batch) = self.read(columns)? else { return Ok(false) };
        self.rest = Rest(Some(batch));
        self.rows_read = self.rest.skip(before);
        Ok(true)
    }

    /// Reads the next batch.
    fn read(&mut self, columns: Option<Vec<usize>>) -> Result<Option<RecordBatch>, ColumnarError> {
        let FileSource { input, reader, batch, .. } = self;
        let read = guarded(FileSource::FORMAT, || {
            let reader = match reader {
                Some(reader) => reader,
                none => {
                    let builder = FileReaderBuilder::new();
                    let builder = match columns {
                        Some(columns) => builder.with_projection(columns),
                        None => builder,
                    };
                    let mut opened =
                        builder.build(input.reader_at(0)).map_err(FileSource::wrong)?;
                    if *batch < opened.num_batches() {
                        opened.set_index(*batch).map_err(FileSource::wrong)?;
                    } else {
                        return Ok(None);
                    }
                    none.insert(opened)
                }
            };
            reader.next().transpose().map_err(FileSource::wrong)
        });
        self.batch += 1;
        read
    }

    /// Returns the numbers of the columns to read; `None` for all.
    fn projection(&self, plan: &Plan) -> Option<Vec<usize>> {
        let needed = plan.needed.as_ref()?;
        let columns = self.schema.fields().iter().enumerate();
        let is_needed = |name: &str| needed.iter().any(|path| *path[0] == *name);
        Some(columns.filter(|(_, column)| is_needed(column.name())).map(|(at, _)| at).collect())
    }

    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, ColumnarError> {
        let mut skipped = 0;
        while skipped < rows {
            let now = self.rest.skip(rows - skipped);
            self.rows_read += now;
            skipped += now;
            if now > 0 {
                continue;
            }
            // All columns: rows that are skipped need none, but there must be rows.
            if !self.fill(None)? {
                break;
            }
        }
        self.replan();
        Ok(skipped)
    }
}

/// A stream of Arrow IPC. All its columns are decoded.
pub(crate) struct StreamSource {
    reader: StreamReader<BufReader<Box<dyn Read + Send>>>,
    rest: Rest,
}

impl StreamSource {
    const FORMAT: ColumnFormat = ColumnFormat::ArrowStream;

    pub(crate) fn open(input: Box<dyn Read + Send>) -> Result<StreamSource, ColumnarError> {
        let reader = guarded(StreamSource::FORMAT, || {
            StreamReader::try_new(BufReader::new(input), None).map_err(StreamSource::wrong)
        })?;
        Ok(StreamSource { reader, rest: Rest(None) })
    }

    fn wrong(error: ArrowError) -> ColumnarError {
        ColumnarError::of_arrow(StreamSource::FORMAT, error)
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }

    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, ColumnarError> {
        loop {
            if let Some(slice) = self.rest.next(BATCH_ROWS) {
                return Ok(Some(slice));
            }
            let Some(batch) = self.read()? else { return Ok(None) };
            self.rest = Rest(Some(batch));
        }
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, ColumnarError> {
        guarded(StreamSource::FORMAT, || {
            self.reader.next().transpose().map_err(StreamSource::wrong)
        })
    }

    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, ColumnarError> {
        let mut skipped = 0;
        while skipped < rows {
            let now = self.rest.skip(rows - skipped);
            skipped += now;
            if now == 0 {
                let Some(batch) = self.read()? else { break };
                self.rest = Rest(Some(batch));
            }
        }
        Ok(skipped)
    }
}
