//! The batches of Arrow's IPC formats.
//!
//! A batch of these formats is read and unpacked as a whole, so memory is bounded by the largest
//! batch of the input. It is then handed on in slices.

use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow_ipc::{Block, Footer, MetadataVersion, root_as_footer};
use arrow_schema::{ArrowError, SchemaRef};

use crate::error::{ColumnarError, guarded};
use crate::format::ColumnFormat;
use crate::input::SharedInput;
use crate::message::{self, MessageFault};
use crate::plan::Plan;

fn arrow<T>(format: ColumnFormat, result: Result<T, ArrowError>) -> Result<T, ColumnarError> {
    result.map_err(|error| ColumnarError::of_arrow(format, error))
}

fn fault<T>(format: ColumnFormat, result: Result<T, MessageFault>) -> Result<T, ColumnarError> {
    result.map_err(|fault| match fault {
        MessageFault::Io(error) => ColumnarError::of_io(format, error),
        MessageFault::Damaged(message) => ColumnarError::damaged(format, &message),
    })
}

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
    version: MetadataVersion,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    /// The number of the next batch.
    batch: usize,
    /// The number of rows of the last batch that were handed on.
    rows_read: u64,
    /// The decoder of the columns that are needed; `None` before the first batch.
    decoder: Option<FileDecoder>,
    rest: Rest,
}

impl FileSource {
    const FORMAT: ColumnFormat = ColumnFormat::ArrowFile;
    /// The length of the end: that of the footer, and the magic bytes.
    const END: usize = 10;

    pub(crate) fn open(input: SharedInput) -> Result<FileSource, ColumnarError> {
        guarded(FileSource::FORMAT, || {
            let end = FileSource::bytes_before(&input, 0, FileSource::END)?;
            let end = end.first_chunk().copied().unwrap_or_default();
            let length = arrow(FileSource::FORMAT, read_footer_length(end))?;
            let footer = FileSource::bytes_before(&input, FileSource::END, length)?;
            let footer = root_as_footer(&footer)
                .map_err(|error| FileSource::damaged(&format!("{error}")))?;
            FileSource::of(input, footer)
        })
    }

    fn of(input: SharedInput, footer: Footer<'_>) -> Result<FileSource, ColumnarError> {
        let Some(schema) = footer.schema() else {
            return Err(FileSource::damaged("the schema is missing"));
        };
        if !schema.endianness().equals_to_target_endianness() {
            return Err(ColumnarError::new(
                "the Arrow IPC file has the byte order of another machine",
            ));
        }
        let schema = Arc::new(arrow(FileSource::FORMAT, try_fb_to_schema(schema))?);
        Ok(FileSource {
            input,
            schema,
            version: footer.version(),
            dictionaries: footer.dictionaries().iter().flatten().copied().collect(),
            batches: footer.recordBatches().iter().flatten().copied().collect(),
            batch: 0,
            rows_read: 0,
            decoder: None,
            rest: Rest(None),
        })
    }

    fn damaged(message: &str) -> ColumnarError {
        ColumnarError::damaged(FileSource::FORMAT, message)
    }

    /// Returns `length` bytes that come `distance` bytes before the end of the file.
    fn bytes_before(
        input: &SharedInput,
        distance: usize,
        length: usize,
    ) -> Result<Buffer, ColumnarError> {
        let start = input.length().checked_sub(distance as u64 + length as u64);
        let start = start.ok_or_else(|| FileSource::damaged("the end is missing"))?;
        FileSource::bytes(input, start, length)
    }

    fn bytes(input: &SharedInput, start: u64, length: usize) -> Result<Buffer, ColumnarError> {
        let bytes = input.bytes(start, length);
        bytes.map_err(|error| ColumnarError::of_io(FileSource::FORMAT, error))
    }

    /// Returns the bytes of a message.
    fn block(input: &SharedInput, block: &Block) -> Result<Buffer, ColumnarError> {
        let wrong = || FileSource::damaged("a batch is not within the file");
        let start = u64::try_from(block.offset()).map_err(|_| wrong())?;
        let metadata = usize::try_from(block.metaDataLength()).map_err(|_| wrong())?;
        let body = usize::try_from(block.bodyLength()).map_err(|_| wrong())?;
        let length = metadata.checked_add(body).ok_or_else(wrong)?;
        let bytes = FileSource::bytes(input, start, length)?;
        let check = || {
            let (message, _) = message::parse(&bytes)?;
            message::check(&message, &bytes[metadata..])
        };
        fault(FileSource::FORMAT, check())?;
        Ok(bytes)
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Changes what is read from the next batch on. The rest of the last batch is read again.
    pub(crate) fn replan(&mut self) {
        self.decoder = None;
        if self.rest.0.take().is_some() {
            self.batch -= 1;
        } else {
            self.rows_read = 0;
        }
    }

    pub(crate) fn next(
        &mut self,
        plan: &Plan,
        rows: usize,
    ) -> Result<Option<RecordBatch>, ColumnarError> {
        loop {
            if let Some(slice) = self.rest.next(rows) {
                self.rows_read += slice.num_rows() as u64;
                return Ok(Some(slice));
            }
            if !self.fill(|source| source.projection(plan))? {
                return Ok(None);
            }
        }
    }

    /// Reads the next batch, to be handed on. Returns false at the end of the file. After a change
    /// of what is read, some rows of the batch were handed on before: they are skipped.
    fn fill(
        &mut self,
        columns: impl FnOnce(&FileSource) -> Option<Vec<usize>>,
    ) -> Result<bool, ColumnarError> {
        let Some(block) = self.batches.get(self.batch).copied() else { return Ok(false) };
        let before = if self.decoder.is_none() { self.rows_read } else { 0 };
        let batch = guarded(FileSource::FORMAT, || {
            if self.decoder.is_none() {
                self.decoder = Some(self.new_decoder(columns(self))?);
            }
            let Some(decoder) = &self.decoder else { return Ok(None) };
            let bytes = FileSource::block(&self.input, &block)?;
            arrow(FileSource::FORMAT, decoder.read_record_batch(&block, &bytes))
        })?;
        self.batch += 1;
        self.rest = Rest(batch);
        self.rows_read = self.rest.skip(before);
        Ok(true)
    }

    /// Makes a decoder for some columns; `None` for all.
    fn new_decoder(&self, columns: Option<Vec<usize>>) -> Result<FileDecoder, ColumnarError> {
        let decoder = FileDecoder::new(self.schema.clone(), self.version);
        let mut decoder = match columns {
            Some(columns) => decoder.with_projection(columns),
            None => decoder,
        };
        for block in &self.dictionaries {
            let bytes = FileSource::block(&self.input, block)?;
            arrow(FileSource::FORMAT, decoder.read_dictionary(block, &bytes))?;
        }
        Ok(decoder)
    }

    /// Returns the numbers of the columns to read; `None` for all. At least one is read: without
    /// one, nothing would prove the number of rows.
    fn projection(&self, plan: &Plan) -> Option<Vec<usize>> {
        let needed = plan.needed.as_ref()?;
        let columns = self.schema.fields().iter().enumerate();
        let is_needed = |name: &str| needed.iter().any(|path| *path[0] == *name);
        let needed: Vec<usize> =
            columns.filter(|(_, column)| is_needed(column.name())).map(|(at, _)| at).collect();
        Some(needed).filter(|needed| !needed.is_empty())
    }

    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, ColumnarError> {
        let mut skipped = 0;
        while skipped < rows {
            let now = self.rest.skip(rows - skipped);
            self.rows_read += now;
            skipped += now;
            if now == 0 && !self.fill(|_| None)? {
                break;
            }
        }
        self.replan();
        Ok(skipped)
    }
}

/// A stream of Arrow IPC. All its columns are decoded.
pub(crate) struct StreamSource {
    input: BufReader<Box<dyn Read + Send>>,
    decoder: StreamDecoder,
    schema: SchemaRef,
    rest: Rest,
}

impl StreamSource {
    const FORMAT: ColumnFormat = ColumnFormat::ArrowStream;

    pub(crate) fn open(input: Box<dyn Read + Send>) -> Result<StreamSource, ColumnarError> {
        let mut input = BufReader::new(input);
        guarded(StreamSource::FORMAT, || {
            let damaged = || ColumnarError::damaged(StreamSource::FORMAT, "the schema is missing");
            let bytes = fault(StreamSource::FORMAT, message::read(&mut input))?;
            let bytes = bytes.ok_or_else(damaged)?;
            let (message, _) = fault(StreamSource::FORMAT, message::parse(&bytes))?;
            let schema = message.header_as_schema().ok_or_else(damaged)?;
            if !schema.endianness().equals_to_target_endianness() {
                return Err(ColumnarError::new(
                    "the Arrow IPC stream has the byte order of another machine",
                ));
            }
            let schema = Arc::new(arrow(StreamSource::FORMAT, try_fb_to_schema(schema))?);
            let mut decoder = StreamDecoder::new();
            arrow(StreamSource::FORMAT, decoder.decode(&mut bytes.clone()))?;
            Ok(StreamSource { input, decoder, schema, rest: Rest(None) })
        })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub(crate) fn next(&mut self, rows: usize) -> Result<Option<RecordBatch>, ColumnarError> {
        loop {
            if let Some(slice) = self.rest.next(rows) {
                return Ok(Some(slice));
            }
            let Some(batch) = self.read()? else { return Ok(None) };
            self.rest = Rest(Some(batch));
        }
    }

    /// Reads messages up to the next batch.
    fn read(&mut self) -> Result<Option<RecordBatch>, ColumnarError> {
        let StreamSource { input, decoder, .. } = self;
        guarded(StreamSource::FORMAT, || {
            loop {
                let bytes = fault(StreamSource::FORMAT, message::read(input))?;
                let Some(mut bytes) = bytes else { return Ok(None) };
                let check = || {
                    let (message, start) = message::parse(&bytes)?;
                    message::check(&message, &bytes[start..])
                };
                fault(StreamSource::FORMAT, check())?;
                // The body comes with the message, so that the decoder ends with it.
                if let Some(batch) = arrow(StreamSource::FORMAT, decoder.decode(&mut bytes))? {
                    return Ok(Some(batch));
                }
            }
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
