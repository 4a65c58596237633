//! The row groups of a Parquet file, one after the other.
//!
//! A row group is read page by page. Only the columns that the plan needs are decoded, and their
//! pages read. If the statistics of the type column say that no row of the group is of a declared
//! type, at most that column is read, to count the types.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{CompressionCodec, Encoding, Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

use crate::chunk::{BATCH_ROWS, Chunk};
use crate::error::{ColumnarError, guarded};
use crate::format::ColumnFormat;
use crate::input::SharedInput;
use crate::plan::{Path, Plan, TypeSource};

const FORMAT: ColumnFormat = ColumnFormat::Parquet;

/// A Parquet file.
pub(crate) struct ParquetSource {
    input: SharedInput,
    metadata: ArrowReaderMetadata,
    /// The number of the row group that is read, or is next.
    group: usize,
    /// The number of its rows that were read.
    rows_read: usize,
    open: Option<OpenGroup>,
}

/// A row group that is being read.
struct OpenGroup {
    reader: ParquetRecordBatchReader,
    wanted: Wanted,
}

/// What is read of a row group.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// The columns that the plan needs.
    Rows,
    /// The type column, as no row is of a declared type.
    Types,
}

/// What the statistics say of the event types in a row group.
enum TypesInGroup {
    /// Some row may be of a declared type.
    Declared,
    /// No row is.
    Unknown,
    /// All rows are of this type, which is not declared.
    Only(Arc<str>),
}

fn wrap<T>(result: parquet::errors::Result<T>) -> Result<T, ColumnarError> {
    result.map_err(ColumnarError::of_parquet)
}

impl ParquetSource {
    pub(crate) fn open(input: SharedInput) -> Result<ParquetSource, ColumnarError> {
        let metadata =
            guarded(FORMAT, || wrap(ArrowReaderMetadata::load(&input, ArrowReaderOptions::new())))?;
        Ok(ParquetSource { input, metadata, group: 0, rows_read: 0, open: None })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.metadata.schema().clone()
    }

    pub(crate) fn groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    /// Returns the numbers of the columns at a path, and in the struct there.
    pub(crate) fn leaves_of(&self, path: &[Arc<str>]) -> Vec<usize> {
        let leaves = self.metadata.parquet_schema().columns().iter().enumerate();
        leaves.filter(|(_, leaf)| is_at(leaf, path)).map(|(number, _)| number).collect()
    }

    /// Changes what is read from the next batch on.
    pub(crate) fn replan(&mut self) {
        self.open = None;
    }

    /// Skips rows, whole row groups where possible. Returns the number of rows skipped, which is
    /// less at the end of the file.
    pub(crate) fn skip(&mut self, mut rows: u64) -> Result<u64, ColumnarError> {
        let wanted = rows;
        self.open = None;
        while rows > 0 && self.group < self.groups().len() {
            let rest = self.group_rows()? - self.rows_read;
            if rows < rest as u64 {
                self.rows_read += usize::try_from(rows).unwrap_or(rest);
                rows = 0;
            } else {
                rows -= rest as u64;
                self.next_group();
            }
        }
        Ok(wanted - rows)
    }

    /// Returns the next rows. A row group is read in batches of as many rows as were asked for when it
    /// was opened, or fewer.
    pub(crate) fn next(
        &mut self,
        plan: &Plan,
        rows: usize,
    ) -> Result<Option<Chunk>, ColumnarError> {
        loop {
            if let Some(open) = &mut self.open {
                let wanted = open.wanted;
                if let Some(batch) = self.next_batch()? {
                    return Ok(Some(match wanted {
                        Wanted::Rows => Chunk::Rows(batch),
                        Wanted::Types => Chunk::Types(batch),
                    }));
                }
                self.next_group();
                continue;
            }
            if self.group >= self.groups().len() {
                return Ok(None);
            }
            let rest = self.group_rows()?.saturating_sub(self.rows_read);
            let wanted = match self.types_in_group(plan) {
                TypesInGroup::Only(name) => {
                    self.next_group();
                    if rest == 0 {
                        continue;
                    }
                    return Ok(Some(Chunk::Unknown(name, rest as u64)));
                }
                TypesInGroup::Unknown => Wanted::Types,
                TypesInGroup::Declared => Wanted::Rows,
            };
            if rest == 0 {
                self.next_group();
                continue;
            }
            let reader = self.open_group(plan, wanted, rows)?;
            self.open = Some(OpenGroup { reader, wanted });
        }
    }

    fn next_group(&mut self) {
        self.group += 1;
        self.rows_read = 0;
        self.open = None;
    }

    /// Returns the number of rows of the row group.
    fn group_rows(&self) -> Result<usize, ColumnarError> {
        let rows = self.groups()[self.group].num_rows();
        usize::try_from(rows).map_err(|_| self.wrong_rows(rows))
    }

    fn wrong_rows(&self, rows: impl std::fmt::Display) -> ColumnarError {
        let group = self.group + 1;
        ColumnarError::new(format!("the Parquet is damaged: row group {group} has {rows} rows"))
    }

    /// Returns the next batch of the row group that is open.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ColumnarError> {
        let expected = self.group_rows()?;
        let Some(open) = &mut self.open else { return Ok(None) };
        let read = guarded(FORMAT, || {
            open.reader.next().transpose().map_err(|error| ColumnarError::of_arrow(FORMAT, error))
        });
        let Some(batch) = read? else {
            return if self.rows_read == expected {
                Ok(None)
            } else {
                Err(self.wrong_rows(format_args!("{} instead of {expected}", self.rows_read)))
            };
        };
        self.rows_read += batch.num_rows();
        if self.rows_read > expected {
            return Err(self.wrong_rows(format_args!("more than {expected}")));
        }
        Ok(Some(batch))
    }

    /// Opens the row group after the rows that were read, for batches of at most `most` rows.
    fn open_group(
        &self,
        plan: &Plan,
        wanted: Wanted,
        most: usize,
    ) -> Result<ParquetRecordBatchReader, ColumnarError> {
        let leaves = self.leaves(plan, wanted);
        self.check_columns(&leaves)?;
        guarded(FORMAT, || {
            let metadata = self.metadata_for(&leaves);
            let rows = self.batch_rows(&leaves).min(most);
            let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
            let input = self.input.clone();
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
                .with_row_groups(vec![self.group])
                .with_projection(mask)
                .with_batch_size(rows)
                .with_offset(self.rows_read);
            wrap(builder.build())
        })
    }

    /// Returns the number of rows of a batch: fewer than usual if they are long.
    fn batch_rows(&self, leaves: &[usize]) -> usize {
        const BATCH_BYTES: i64 = 32 << 20;
        let group = &self.groups()[self.group];
        let columns = leaves.iter().filter_map(|leaf| group.columns().get(*leaf));
        let sizes = columns.map(|column| column.uncompressed_size().max(0));
        let bytes = sizes.fold(0_i64, i64::saturating_add);
        let row = bytes / group.num_rows().max(1);
        let rows = usize::try_from(BATCH_BYTES / row.max(1)).unwrap_or(BATCH_ROWS);
        rows.clamp(16, BATCH_ROWS)
    }

    /// Returns the numbers of the columns to read. At least one is read: without one, nothing would
    /// prove the number of rows.
    fn leaves(&self, plan: &Plan, wanted: Wanted) -> Vec<usize> {
        let type_path = match &plan.type_source {
            TypeSource::Column(path) => Some(path.clone()),
            TypeSource::Fixed(_) => None,
        };
        let paths: Vec<Path> = match (wanted, &plan.needed) {
            (Wanted::Types, _) => type_path.into_iter().collect(),
            (Wanted::Rows, Some(needed)) => needed.clone(),
            (Wanted::Rows, None) => {
                return (0..self.metadata.parquet_schema().num_columns()).collect();
            }
        };
        let leaves = self.metadata.parquet_schema().columns().iter().enumerate();
        let is_needed = |leaf: &ColumnDescriptor| paths.iter().any(|path| is_at(leaf, path));
        let needed: Vec<usize> =
            leaves.filter(|(_, leaf)| is_needed(leaf)).map(|(number, _)| number).collect();
        if needed.is_empty() { vec![0] } else { needed }
    }

    /// Checks that this build can unpack the columns, and that they are somewhere in the file.
    fn check_columns(&self, leaves: &[usize]) -> Result<(), ColumnarError> {
        let group = &self.groups()[self.group];
        for leaf in leaves.iter().filter_map(|leaf| group.columns().get(*leaf)) {
            let start = leaf.dictionary_page_offset().unwrap_or(leaf.data_page_offset());
            if start.min(leaf.data_page_offset()).min(leaf.compressed_size()) < 0 {
                return Err(ColumnarError::damaged(FORMAT, "the place of a column is negative"));
            }
            let codec = match leaf.compression_codec() {
                CompressionCodec::ZSTD if cfg!(feature = "zstd") => continue,
                CompressionCodec::ZSTD => "zstd",
                CompressionCodec::LZO => "lzo",
                _ => continue,
            };
            return Err(ColumnarError::no_codec(FORMAT, codec));
        }
        Ok(())
    }

    /// Returns the metadata of the file with the types in which the columns of the row group are
    /// decoded best.
    ///
    /// Texts of which all pages are in a dictionary stay in it. The decoder could make one of other
    /// pages as well, but would have to look each text up. Old moments of 96 bits are decoded as
    /// milliseconds: as nanoseconds they are limited to the years 1677 to 2262.
    fn metadata_for(&self, leaves: &[usize]) -> ArrowReaderMetadata {
        let group = &self.groups()[self.group];
        let schema = self.metadata.schema();
        let fields = better(schema.fields(), &mut Vec::new(), &|path, ty| {
            let leaf = leaves.iter().find(|leaf| {
                let parts = group.schema_descr().column(**leaf).path().parts().to_vec();
                parts == path
            })?;
            better_type(group.columns().get(*leaf)?, ty)
        });
        let options = |schema| ArrowReaderOptions::new().with_schema(schema);
        fields
            .map(|fields| Schema::new_with_metadata(fields, schema.metadata().clone()))
            .and_then(|schema| {
                let metadata = self.metadata.metadata().clone();
                ArrowReaderMetadata::try_new(metadata, options(Arc::new(schema))).ok()
            })
            .unwrap_or_else(|| self.metadata.clone())
    }

    /// Asks the statistics of the type column.
    fn types_in_group(&self, plan: &Plan) -> TypesInGroup {
        let path = match &plan.type_source {
            TypeSource::Column(path) => path,
            TypeSource::Fixed(name) if plan.find(name).is_none() => {
                return TypesInGroup::Only(name.clone());
            }
            TypeSource::Fixed(_) => return TypesInGroup::Declared,
        };
        let leaf = match *self.leaves_of(path) {
            [leaf] => self.groups()[self.group].columns().get(leaf),
            _ => None,
        };
        let statistics = leaf.and_then(ColumnChunkMetaData::statistics);
        // Old writers compared bytes with a sign.
        let Some(all @ Statistics::ByteArray(statistics)) =
            statistics.filter(|statistics| !statistics.is_min_max_deprecated())
        else {
            return TypesInGroup::Declared;
        };
        let (Some(min), Some(max)) = (all.min_bytes_opt(), all.max_bytes_opt()) else {
            return TypesInGroup::Declared;
        };
        let is_within = |name: &str| (min..=max).contains(&name.as_bytes());
        if plan.types.iter().any(|ty| is_within(&ty.name)) {
            return TypesInGroup::Declared;
        }
        let is_exact = statistics.min_is_exact() && statistics.max_is_exact();
        let is_only = is_exact && min == max && statistics.null_count_opt() == Some(0);
        match str::from_utf8(min) {
            Ok(name) if is_only && !name.is_empty() => TypesInGroup::Only(name.into()),
            _ => TypesInGroup::Unknown,
        }
    }
}

/// True if a column is at a path, or in the struct there.
fn is_at(leaf: &ColumnDescriptor, path: &[Arc<str>]) -> bool {
    let parts = leaf.path().parts();
    parts.len() >= path.len() && parts.iter().zip(path).all(|(part, name)| **part == **name)
}

/// Returns the fields with better types for columns, also in structs; `None` if all stay the same.
fn better(
    fields: &Fields,
    path: &mut Vec<String>,
    better_type: &impl Fn(&[String], &DataType) -> Option<DataType>,
) -> Option<Fields> {
    let mut is_changed = false;
    let mut changed: Vec<Arc<Field>> = Vec::with_capacity(fields.len());
    for field in fields {
        path.push(field.name().clone());
        let ty = match field.data_type() {
            DataType::Struct(inner) => better(inner, path, better_type).map(DataType::Struct),
            ty => better_type(path, ty),
        };
        path.pop();
        is_changed |= ty.is_some();
        changed.push(match ty {
            Some(ty) => Arc::new(Field::clone(field).with_data_type(ty)),
            None => field.clone(),
        });
    }
    is_changed.then(|| changed.into())
}

fn better_type(leaf: &ColumnChunkMetaData, ty: &DataType) -> Option<DataType> {
    let in_dictionary = || {
        leaf.dictionary_page_offset().is_some()
            && leaf.page_encoding_stats_mask().is_some_and(|mask| {
                mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY)
            })
    };
    match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if in_dictionary() => {
            Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) if leaf.column_type() == Type::INT96 => {
            Some(DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))
        }
        _ => None,
    }
}
