//! Damaged files give errors, and no panic.

use std::io::Read as _;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    StructArray,
};
use arrow_schema::{DataType, Field};
use kleene::RuleSet;
use kleene_arrow::{ColumnFormat, ColumnReader, ColumnarError};
use kleene_input::Reading;
use parquet::basic::{Compression, GzipLevel};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::files::{FORMATS, batch, file, ipc_file, open, parquet_file, read_all};

const RULES: &str =
    "event a { n: int?, f: float?, s: string?, v: string?, l: list<int>?, o: { x: string? }, .. }
     rule all { match a }";

fn columns() -> RecordBatch {
    let rows = 50;
    let texts = || (0..rows).map(|row| (row % 4 > 0).then(|| ["x", "yy", "zzz"][row % 3]));
    let mut lists = ListBuilder::new(Int64Builder::new());
    (0..rows).for_each(|row| lists.append_value((0..row % 3).map(|_| Some(7))));
    let inner: ArrayRef = Arc::new(texts().collect::<DictionaryArray<Int32Type>>());
    let field = Field::new("x", inner.data_type().clone(), true);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new((0..50).map(|n| (n % 5 > 0).then_some(n)).collect::<Int64Array>())),
        ("f", Arc::new(Float64Array::from_iter_values((0..50).map(f64::from)))),
        ("s", Arc::new(texts().collect::<StringArray>())),
        ("v", Arc::new(texts().collect::<StringViewArray>())),
        ("l", Arc::new(lists.finish())),
        ("o", Arc::new(StructArray::from(vec![(Arc::new(field), inner)]))),
        ("ts", Arc::new(Int64Array::from_iter_values(0..50))),
    ];
    batch(columns)
}

fn read(file: Vec<u8>) -> Result<usize, ColumnarError> {
    let rules = RuleSet::parse(RULES).unwrap();
    read_all(open(file, &rules, Reading::default())?).map(|read| read.rows.len())
}

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Bytes(Vec<(Index, u8)>),
    Cut(Index),
    Gap(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), select(vec![0, 1, 0x7f, 0x80, 0xff])];
    prop_oneof![
        6 => proptest::collection::vec((any::<Index>(), byte), 1..4).prop_map(Damage::Bytes),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Gap(at, length)),
    ]
}

fn damaged(mut file: Vec<u8>, damage: &Damage) -> Vec<u8> {
    match damage {
        Damage::Bytes(bytes) => bytes.iter().for_each(|(at, byte)| *at.get_mut(&mut file) = *byte),
        Damage::Cut(at) => file.truncate(at.index(file.len())),
        Damage::Gap(at, length) => {
            let at = at.index(file.len());
            file.drain(at..file.len().min(at + usize::from(*length)));
        }
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        max_shrink_time: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_bytes_give_an_error_or_other_values(
        format in select(FORMATS.to_vec()),
        damage in damage(),
        is_packed in any::<bool>(),
    ) {
        let file = match (format, is_packed) {
            (ColumnFormat::Parquet, true) => parquet_file(&columns(), 20, Compression::SNAPPY),
            (ColumnFormat::Parquet, false) => parquet_file(&columns(), 20, Compression::UNCOMPRESSED),
            (format, true) => file(format, &columns(), 20),
            (format, false) => ipc_file(format, &columns(), 20, None),
        };
        // It ends, and without a panic.
        if let Err(error) = read(damaged(file, &damage)) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    for format in [ColumnFormat::Parquet, ColumnFormat::ArrowFile] {
        let file = file(format, &columns(), 20);
        assert_eq!(read(file.clone()).unwrap(), 50);
        for length in (8..file.len()).step_by(37) {
            let error = read(file[..length].to_vec()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the {format} is damaged or cut off: ")), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
    // A stream may end between two batches.
    let file = file(ColumnFormat::ArrowStream, &columns(), 20);
    for length in (8..file.len()).step_by(37) {
        if let Ok(rows) = read(file[..length].to_vec()) {
            assert!(rows <= 50 && rows % 20 % 10 == 0, "{rows} rows");
        }
    }
}

#[test]
fn another_format_is_an_error() {
    for bytes in [&b""[..], b"PAR", b"type,ts\na,1\n", b"{}"] {
        let error = read(bytes.to_vec()).unwrap_err().to_string();
        assert_eq!(error, "the input is neither Parquet nor Arrow IPC");
    }
    let rules = RuleSet::parse(RULES).unwrap();
    let piped = file(ColumnFormat::Parquet, &columns(), 20);
    let piped = std::io::Cursor::new(piped).take(u64::MAX);
    let error = ColumnReader::from_stream(piped, rules.schema(), Reading::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Parquet comes from a pipe, but it is read from its end\nhelp: give it as a file"
    );
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = batch(vec![("n", column.clone()), ("n", column)]);
    assert_eq!(batch.schema().field(0).data_type(), &DataType::Int64);
    let error = read(file(ColumnFormat::ArrowFile, &batch, 9)).unwrap_err();
    assert_eq!(error.to_string(), "two columns are called `n`");
}

#[test]
fn the_common_codecs_are_built_in() {
    let gzip = Compression::GZIP(GzipLevel::default());
    let brotli = Compression::BROTLI(parquet::basic::BrotliLevel::default());
    for codec in [Compression::SNAPPY, Compression::LZ4, Compression::LZ4_RAW, gzip, brotli] {
        assert_eq!(read(parquet_file(&columns(), 20, codec)).unwrap(), 50, "{codec:?}");
    }
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_is_read_where_it_is_built_in() {
    let codec = Compression::ZSTD(parquet::basic::ZstdLevel::default());
    assert_eq!(read(parquet_file(&columns(), 20, codec)).unwrap(), 50);
    let codec = Some(arrow_ipc::CompressionType::ZSTD);
    for format in [ColumnFormat::ArrowFile, ColumnFormat::ArrowStream] {
        assert_eq!(read(ipc_file(format, &columns(), 20, codec)).unwrap(), 50);
    }
}

/// The bytes of a file that says that it is packed with zstd. Nothing is unpacked before that is
/// noticed.
#[cfg(not(feature = "zstd"))]
#[test]
fn zstd_is_named_where_it_is_not_built_in() {
    let mut file = parquet_file(&columns(), 90, Compression::SNAPPY);
    let footer = file.len() - 8 - footer_length(&file);
    // The codec of a column: field 4 of its metadata, an i32 in the encoding zigzag.
    let codec = |bytes: &[u8]| bytes == [0x15, 0x02, 0x16];
    let mut at = footer;
    while let Some(found) = file[at..].windows(3).position(codec) {
        file[at + found + 1] = 0x0c;
        at += found + 3;
    }
    assert_eq!(
        read(file).unwrap_err().to_string(),
        "the Parquet is compressed with zstd, which this build cannot read\n\
         help: build kleene with the feature `zstd`, or write it with snappy, lz4_raw, gzip or \
         brotli, or without compression"
    );
}

#[cfg(not(feature = "zstd"))]
fn footer_length(file: &[u8]) -> usize {
    let at = file.len() - 8;
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
}
