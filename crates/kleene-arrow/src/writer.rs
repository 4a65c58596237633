//! [`ResultWriter`]: results as rows.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::ColumnarError;
use crate::format::ColumnFormat;
use crate::result_line::ResultLine;

/// Writes results to Parquet or Arrow IPC, one row for each.
///
/// It takes the lines of JSON that Kleene's front doors write (`kleene_report::output::Shapes`), and
/// puts their members into columns:
///
/// | column | type | meaning |
/// |---|---|---|
/// | `rule` | text | the name of the rule |
/// | `version` | text | the version of the rule, 16 hexadecimal digits |
/// | `kind` | text | `match`, `timeout` or `limit` |
/// | `id` | text | the id of the result; null for a limit |
/// | `start`, `end` | timestamp, ms, UTC | the time of the first event, and of the result |
/// | `key` | text | the key as JSON |
/// | `count` | int | the number of matches in a set, else null |
/// | `emit` | text | what is emitted, as JSON |
/// | `events` | text | the captured events as JSON; null without them |
/// | `details` | text | the other members as JSON: the progress of a timeout, what a limit dropped |
///
/// Memory holds some thousand rows, and of Parquet one row group of at most 16 MiB packed.
///
/// ```
/// use kleene_arrow::{ColumnFormat, ResultWriter};
///
/// let line = br#"{"rule":"paid","version":"00c0ffee00c0ffee","kind":"match","id":"0123456789abcdef",
///     "key":{"order":7},"start":"2024-05-01T10:00:00Z","end":"2024-05-01T10:00:05Z","emit":{}}"#;
/// let mut writer = ResultWriter::new(Vec::new(), ColumnFormat::Parquet)?;
/// writer.write_line(line)?;
/// let file = writer.finish()?;
/// assert_eq!(ColumnFormat::detect(&file), Some(ColumnFormat::Parquet));
/// # Ok::<(), kleene_arrow::ColumnarError>(())
/// ```
pub struct ResultWriter<W: Write + Send> {
    output: Output<W>,
    rows: Rows,
}

enum Output<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    File(Box<FileWriter<W>>),
    Stream(Box<StreamWriter<W>>),
}

impl<W: Write + Send> fmt::Debug for ResultWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultWriter").field("rows", &self.rows.len).finish_non_exhaustive()
    }
}

/// Any column may be null: lines of different kinds have different members.
const NULLABLE: bool = true;

/// The rows that are not written yet.
struct Rows {
    schema: SchemaRef,
    /// The columns of texts.
    texts: [StringBuilder; Rows::TEXTS],
    start: TimestampMillisecondBuilder,
    end: TimestampMillisecondBuilder,
    count: Int64Builder,
    len: usize,
    /// The number of bytes of the lines.
    bytes: usize,
}

impl Rows {
    const TEXTS: usize = 8;
    /// A batch has at most as many rows, and as many bytes of lines if it has several rows.
    const MAX_ROWS: usize = 8192;
    const MAX_BYTES: usize = 4 << 20;

    fn new() -> Rows {
        let text = |name: &str| Field::new(name, DataType::Utf8, NULLABLE);
        let zone = Some(Arc::from("UTC"));
        let time = |name| {
            Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, zone.clone()), NULLABLE)
        };
        let fields = vec![
            text("rule"),
            text("version"),
            text("kind"),
            text("id"),
            time("start"),
            time("end"),
            text("key"),
            Field::new("count", DataType::Int64, NULLABLE),
            text("emit"),
            text("events"),
            text("details"),
        ];
        let times = || TimestampMillisecondBuilder::new().with_timezone("UTC");
        Rows {
            schema: Arc::new(Schema::new(fields)),
            texts: Default::default(),
            start: times(),
            end: times(),
            count: Int64Builder::new(),
            len: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, line: &ResultLine<'_>, bytes: usize) {
        let texts = [
            line.rule.as_deref(),
            line.version.as_deref(),
            line.kind.as_deref(),
            line.id.as_deref(),
            line.key,
            line.emit,
            line.events,
            line.details.as_deref(),
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.append_option(text);
        }
        self.start.append_option(line.start);
        self.end.append_option(line.end);
        self.count.append_option(line.count);
        self.len += 1;
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.len >= Rows::MAX_ROWS || self.bytes >= Rows::MAX_BYTES
    }

    /// Returns the rows, and starts anew.
    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let [rule, version, kind, id, key, emit, events, details] =
            self.texts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let columns: Vec<ArrayRef> = vec![
            rule,
            version,
            kind,
            id,
            Arc::new(self.start.finish()),
            Arc::new(self.end.finish()),
            key,
            Arc::new(self.count.finish()),
            emit,
            events,
            details,
        ];
        (self.len, self.bytes) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

impl<W: Write + Send> ResultWriter<W> {
    /// The size of a row group of Parquet in bytes, packed.
    const GROUP: usize = 16 << 20;

    /// Starts to write.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn new(output: W, format: ColumnFormat) -> Result<ResultWriter<W>, ColumnarError> {
        let rows = Rows::new();
        let output = match format {
            ColumnFormat::Parquet => {
                let properties =
                    WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = ArrowWriter::try_new(output, rows.schema.clone(), Some(properties));
                Output::Parquet(Box::new(writer.map_err(of_parquet)?))
            }
            ColumnFormat::ArrowFile => {
                let writer = FileWriter::try_new(output, &rows.schema);
                Output::File(Box::new(writer.map_err(of_arrow)?))
            }
            ColumnFormat::ArrowStream => {
                let writer = StreamWriter::try_new(output, &rows.schema);
                Output::Stream(Box::new(writer.map_err(of_arrow)?))
            }
        };
        Ok(ResultWriter { output, rows })
    }

    /// Writes a result: a JSON object, with or without the end of its line.
    ///
    /// # Errors
    /// The line is no JSON object, or the output cannot be written.
    pub fn write_line(&mut self, line: &[u8]) -> Result<(), ColumnarError> {
        let result = ResultLine::of(line)
            .map_err(|reason| ColumnarError::new(format!("a result is not JSON: {reason}")))?;
        self.rows.add(&result, line.len());
        if self.rows.is_full() {
            self.write_rows()?;
        }
        Ok(())
    }

    /// Writes the rows that are in memory, where the format allows that: a reader of an Arrow IPC
    /// stream sees them at once. Parquet and Arrow IPC files are readable only when they are
    /// finished, and so nothing is written to them before a batch is full.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn flush(&mut self) -> Result<(), ColumnarError> {
        if let Output::Stream(_) = self.output {
            self.write_rows()?;
        }
        if let Output::Stream(writer) = &mut self.output {
            writer.get_mut().flush()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), ColumnarError> {
        if self.rows.len == 0 {
            return Ok(());
        }
        let batch = self.rows.take().map_err(of_arrow)?;
        match &mut self.output {
            Output::Parquet(writer) => {
                writer.write(&batch).map_err(of_parquet)?;
                if writer.in_progress_size() >= ResultWriter::<W>::GROUP {
                    writer.flush().map_err(of_parquet)?;
                }
            }
            Output::File(writer) => writer.write(&batch).map_err(of_arrow)?,
            Output::Stream(writer) => writer.write(&batch).map_err(of_arrow)?,
        }
        Ok(())
    }

    /// Writes the rest and the end, without which Parquet and Arrow IPC files cannot be read.
    /// Returns the output.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn finish(mut self) -> Result<W, ColumnarError> {
        self.write_rows()?;
        let mut output = match self.output {
            Output::Parquet(writer) => writer.into_inner().map_err(of_parquet)?,
            Output::File(writer) => writer.into_inner().map_err(of_arrow)?,
            Output::Stream(writer) => writer.into_inner().map_err(of_arrow)?,
        };
        output.flush()?;
        Ok(output)
    }
}

fn of_arrow(error: ArrowError) -> ColumnarError {
    match error {
        ArrowError::IoError(_, error) => error.into(),
        error => ColumnarError::new(format!("results cannot be written: {error}")),
    }
}

fn of_parquet(error: ParquetError) -> ColumnarError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(error) => (*error).into(),
            Err(cause) => ColumnarError::new(format!("results cannot be written: {cause}")),
        },
        error => ColumnarError::new(format!("results cannot be written: {error}")),
    }
}
