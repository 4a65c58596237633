//! Files in each format, and what is read from them.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{Field, Schema};
use kleene::event::BatchRow;
use kleene::{Event as _, Record, RuleSet};
use kleene_arrow::{ColumnFormat, ColumnReader, ColumnarError, RowBatch};
use kleene_input::Reading;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

pub(crate) const FORMATS: [ColumnFormat; 3] =
    [ColumnFormat::Parquet, ColumnFormat::ArrowFile, ColumnFormat::ArrowStream];

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns.iter().map(|(name, column)| {
        // Empty batches have columns, too.
        Field::new(*name, column.data_type().clone(), true)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect()).unwrap()
}

/// Writes a file with batches, or row groups, of at most `rows` rows.
pub(crate) fn file(format: ColumnFormat, batch: &RecordBatch, rows: usize) -> Vec<u8> {
    match format {
        ColumnFormat::Parquet => parquet_file(batch, rows, Compression::SNAPPY),
        _ => ipc_file(format, batch, rows, Some(CompressionType::LZ4_FRAME)),
    }
}

pub(crate) fn parquet_file(batch: &RecordBatch, rows: usize, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(rows))
        .set_data_page_row_count_limit(1000)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

pub(crate) fn ipc_file(
    format: ColumnFormat,
    batch: &RecordBatch,
    rows: usize,
    compression: Option<CompressionType>,
) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let slices = (0..batch.num_rows())
        .step_by(rows)
        .map(|at| batch.slice(at, rows.min(batch.num_rows() - at)));
    let (mut file, schema) = (Vec::new(), batch.schema());
    if format == ColumnFormat::ArrowFile {
        let mut writer = FileWriter::try_new_with_options(&mut file, &schema, options).unwrap();
        slices.for_each(|slice| writer.write(&slice).unwrap());
        writer.finish().unwrap();
    } else {
        let mut writer = StreamWriter::try_new_with_options(&mut file, &schema, options).unwrap();
        slices.for_each(|slice| writer.write(&slice).unwrap());
        writer.finish().unwrap();
    }
    file
}

/// An event as text, to be compared by value.
pub(crate) fn shown(event: &Record) -> String {
    let (values, extra) = (event.values(), event.extra());
    format!("{:?} {} {values:?} {extra:?}", event.type_id(), event.time())
}

/// Everything that is read from an input.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    /// The number of the row, and the event or the reason.
    pub(crate) rows: Vec<(u64, Result<String, String>)>,
    pub(crate) unknown: u64,
    pub(crate) row_count: u64,
}

impl Read {
    pub(crate) fn add(&mut self, batch: &RowBatch) {
        assert_eq!(batch.events.len(), batch.rows.len());
        let events = batch.events.rows().map(|row| shown(&BatchRow::to_record(&row)));
        self.rows.extend(batch.rows.iter().copied().zip(events.map(Ok)));
        let rejected = batch.rejected.iter();
        self.rows.extend(rejected.map(|rejected| (rejected.row, Err(rejected.reason.clone()))));
        self.rows.sort_by_key(|(row, _)| *row);
        let unknown: u64 = batch.unknown.iter().map(|(_, rows)| rows).sum();
        let others = (batch.events.len() + batch.rejected.len()) as u64;
        assert_eq!(batch.row_count, others + unknown);
        assert_eq!(batch.first_row, self.row_count + 1);
        self.unknown += unknown;
        self.row_count += batch.row_count;
    }

    pub(crate) fn reasons(&self) -> Vec<(u64, &str)> {
        let reason = |(row, read): &'_ (u64, Result<String, String>)| match read {
            Ok(_) => None,
            Err(_) => Some(*row),
        };
        let reasons = self.rows.iter().filter_map(reason);
        let texts = self.rows.iter().filter_map(|(_, read)| read.as_ref().err());
        reasons.zip(texts.map(String::as_str)).collect()
    }
}

pub(crate) fn open(
    file: Vec<u8>,
    rules: &RuleSet,
    reading: Reading,
) -> Result<ColumnReader, ColumnarError> {
    ColumnReader::from_seekable(Cursor::new(file), rules.schema(), reading)
}

pub(crate) fn read_all(mut reader: ColumnReader) -> Result<Read, ColumnarError> {
    let mut read = Read::default();
    while let Some(batch) = reader.next_batch()? {
        assert!(batch.events.len() <= 8192);
        read.add(&batch);
    }
    assert_eq!(read.row_count, reader.rows_read());
    Ok(read)
}

/// Reads columns through each format, which must give the same.
pub(crate) fn read(rules: &str, columns: Vec<(&str, ArrayRef)>, reading: &Reading) -> Read {
    let rules = RuleSet::parse(rules).unwrap();
    let batch = batch(columns);
    let of = |format| {
        let file = file(format, &batch, 5);
        read_all(open(file, &rules, reading.clone()).unwrap()).unwrap()
    };
    let read = of(ColumnFormat::Parquet);
    for format in FORMATS {
        assert_eq!(of(format), read, "{format}");
    }
    read
}
