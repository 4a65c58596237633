//! What is not needed is not read.

use std::io::{Cursor, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use kleene::RuleSet;
use kleene_arrow::{ColumnFormat, ColumnReader, TimeOrder};
use kleene_input::Reading;
use parquet::basic::Compression;

use crate::files::{FORMATS, Read, batch, file, open, parquet_file, read_all};

/// A file that counts the bytes that are read.
struct Counted(Cursor<Vec<u8>>, Arc<AtomicU64>);

impl std::io::Read for Counted {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(space)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// Reads a file. Returns the number of bytes that were read for it, too.
fn counted(file: Vec<u8>, rules: &str) -> (Read, u64, Vec<(Arc<str>, u64)>, u64) {
    let rules = RuleSet::parse(rules).unwrap();
    let bytes = Arc::new(AtomicU64::new(0));
    let input = Counted(Cursor::new(file), bytes.clone());
    let reading = Reading::default();
    let mut reader = ColumnReader::from_seekable(input, rules.schema(), reading).unwrap();
    let (mut read, mut unknown) = (Read::default(), Vec::<(Arc<str>, u64)>::new());
    while let Some(batch) = reader.next_batch().unwrap() {
        read.add(&batch);
        for (name, rows) in batch.unknown {
            match unknown.iter_mut().find(|(of, _)| *of == name) {
                Some((_, all)) => *all += rows,
                None => unknown.push((name, rows)),
            }
        }
    }
    (read, bytes.load(Ordering::Relaxed), unknown, reader.rows_not_decoded())
}

/// Columns of which `big` is most: texts that no codec makes smaller.
fn columns(types: &[&str]) -> RecordBatch {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 32
    };
    let rows = i64::try_from(types.len()).unwrap();
    let types: ArrayRef = Arc::new(StringArray::from(types.to_vec()));
    let ts: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let texts = (0..rows).map(|_| {
        let words: Vec<String> = (0..20).map(|_| format!("{:08x}", random())).collect();
        words.concat()
    });
    let big: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    batch(vec![("type", types), ("big", big), ("ts", ts)])
}

#[test]
fn pages_of_other_columns_are_not_read() {
    let file = parquet_file(&columns(&vec!["a"; 20_000]), 100_000, Compression::UNCOMPRESSED);
    let size = file.len() as u64;
    assert!(size > 3_200_000, "{size}");
    let narrow = "event a { ts: time }  rule all { match a }";
    let (read, bytes, ..) = counted(file.clone(), narrow);
    assert_eq!(read.rows.len(), 20_000);
    assert!(bytes < 400_000, "{bytes} of {size} bytes were read");
    let wide = "event a { big: string, ts: time }  rule all { match a }";
    assert!(counted(file, wide).1 > 3_200_000);
}

#[test]
fn row_groups_of_other_types_are_not_read() {
    let mut types = [vec!["a"; 1000], vec!["b"; 1000], vec!["a"; 1000]].concat();
    types.extend((0..1000).map(|row| ["x", "y", "z"][row % 3]));
    let file = parquet_file(&columns(&types), 1000, Compression::UNCOMPRESSED);
    let rules = "event a { big: string, ts: time }  rule all { match a }";
    let (read, bytes, unknown, skipped) = counted(file.clone(), rules);
    assert_eq!((read.rows.len(), read.row_count, read.unknown), (2000, 4000, 2000));
    let unknown: Vec<(&str, u64)> = unknown.iter().map(|(name, rows)| (&**name, *rows)).collect();
    assert_eq!(unknown, [("b", 1000), ("x", 334), ("y", 333), ("z", 333)]);
    assert_eq!(skipped, 2000);
    assert_eq!(read.rows[1000].0, 2001, "rows that are not read are counted");
    let size = file.len() as u64;
    assert!(bytes < size * 11 / 20, "{bytes} of {size} bytes were read");
    // Each type needs its fields only.
    let rules = "event b { ts: time }  rule all { match b }";
    let reading = Reading { fixed_type: Some("c".into()), ..Reading::default() };
    let rules = RuleSet::parse(rules).unwrap();
    let reader = open(file, &rules, reading).unwrap();
    assert_eq!(read_all(reader).unwrap().unknown, 4000);
}

#[test]
fn rows_without_a_type_are_found_in_groups_of_other_types() {
    let types: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("b")]));
    let ts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let file =
        parquet_file(&batch(vec![("type", types), ("ts", ts)]), 9, Compression::UNCOMPRESSED);
    let (read, _, unknown, _) = counted(file, "event a { ts: time }  rule all { match a }");
    assert_eq!(read.reasons(), [(2, "no event type: the column `type` is null")]);
    assert_eq!(unknown, [("b".into(), 2)]);
}

#[test]
fn reading_goes_on_after_any_row() {
    let types: Vec<&str> = (0..60).map(|row| ["a", "b", "c"][row / 7 % 3]).collect();
    let batch = columns(&types);
    let rules = RuleSet::parse(
        "event a { ts: time }  event b { big: string, ts: time }  rule all { match a or b }",
    )
    .unwrap();
    for format in FORMATS {
        let file = file(format, &batch, 7);
        let all = read_all(open(file.clone(), &rules, Reading::default()).unwrap()).unwrap();
        for skipped in 0..=61 {
            let mut reader = open(file.clone(), &rules, Reading::default()).unwrap();
            assert_eq!(reader.skip_rows(skipped).unwrap(), skipped.min(60), "{format}");
            let mut read = Read { row_count: skipped.min(60), ..Read::default() };
            while let Some(batch) = reader.next_batch().unwrap() {
                read.add(&batch);
            }
            let rest: Vec<_> = all.rows.iter().filter(|(row, _)| *row > skipped).cloned().collect();
            assert_eq!(read.rows, rest, "{format} after {skipped} rows");
        }
    }
}

#[test]
fn types_can_change_between_two_batches() {
    let types: Vec<&str> = (0..20_000).map(|row| ["a", "b"][row % 2]).collect();
    let batch = columns(&types);
    let one = RuleSet::parse("event a { ts: time }  rule all { match a }").unwrap();
    let two = RuleSet::parse(
        "event a { big: string, ts: time }  event b { ts: time }  rule all { match a or b }",
    )
    .unwrap();
    for format in FORMATS {
        let mut reader = open(file(format, &batch, 12_000), &one, Reading::default()).unwrap();
        let first = reader.next_batch().unwrap().unwrap();
        assert_eq!((first.events.len(), first.row_count), (4096, 8192), "{format}");
        reader.renew(two.schema(), two.schema()).unwrap();
        let mut rest = Read { row_count: 8192, ..Read::default() };
        while let Some(batch) = reader.next_batch().unwrap() {
            rest.add(&batch);
        }
        assert_eq!((rest.rows.len(), rest.row_count), (20_000 - 8192, 20_000), "{format}");
        assert!(rest.rows[0].1.as_ref().unwrap().contains("String"), "{format}");
        // Types of the schema that are not declared any more are unknown.
        let mut reader = open(file(format, &batch, 12_000), &two, Reading::default()).unwrap();
        reader.renew(two.schema(), one.schema()).unwrap();
        let read = read_all(reader).unwrap();
        assert_eq!((read.rows.len(), read.unknown), (10_000, 10_000), "{format}");
    }
}

#[test]
fn batches_can_be_small_and_types_can_change_after_any() {
    let types: Vec<&str> = (0..60).map(|row| ["a", "b"][row % 2]).collect();
    let batch = columns(&types);
    let one = RuleSet::parse("event a { ts: time }  rule all { match a }").unwrap();
    let two = RuleSet::parse(
        "event a { big: string, ts: time }  event b { ts: time }  rule all { match a or b }",
    )
    .unwrap();
    for format in FORMATS {
        let file = file(format, &batch, 25);
        for rows in [1, 4, 7, 100] {
            let reader = || open(file.clone(), &one, Reading::default()).unwrap();
            let mut reader = reader().with_batch_rows(rows);
            let first = reader.next_batch().unwrap().unwrap();
            let expected = rows.min(25) as u64;
            assert_eq!(first.row_count, expected, "{format} by {rows}");
            reader.renew(two.schema(), two.schema()).unwrap();
            let mut rest = Read { row_count: expected, ..Read::default() };
            while let Some(batch) = reader.next_batch().unwrap() {
                assert!(batch.row_count <= rows as u64, "{format} by {rows}");
                rest.add(&batch);
            }
            assert_eq!((rest.rows.len() as u64, rest.row_count), (60 - expected, 60), "{format}");
        }
    }
}

#[test]
fn a_file_of_arrow_is_only_decoded_where_it_is_needed() {
    // The type of `big` is one that no field can hold, and nobody asks for it.
    let months: ArrayRef = Arc::new(arrow_array::IntervalYearMonthArray::from(vec![1]));
    let ts: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let file = file(ColumnFormat::ArrowFile, &batch(vec![("big", months), ("ts", ts)]), 9);
    let rules = RuleSet::parse("event a { ts: time }  rule all { match a }").unwrap();
    assert_eq!(read_all(open(file, &rules, Reading::default()).unwrap()).unwrap().rows.len(), 1);
}

#[test]
fn statistics_say_whether_row_groups_overlap_in_time() {
    let order = |times: &[i64], rules: &str| {
        let micros = arrow_array::TimestampMicrosecondArray::from_iter_values(
            times.iter().map(|millis| millis * 1000),
        );
        let batch = batch(vec![("at", Arc::new(micros) as ArrayRef)]);
        let file = parquet_file(&batch, 2, Compression::SNAPPY);
        let rules = RuleSet::parse(rules).unwrap();
        open(file, &rules, Reading::default()).unwrap().time_order()
    };
    let one = "event a { at: time }  rule all { match a }";
    assert_eq!(order(&[1, 2, 2, 7, 8, 9], one), TimeOrder::ByRowGroup);
    let TimeOrder::Overlapping { row, millis, .. } = order(&[1, 9, 5, 6, 2, 10], one) else {
        panic!("they overlap")
    };
    assert_eq!((row, millis), (3, 7));
    assert_eq!(order(&[1, 2], "event a { x: int? }"), TimeOrder::Unknown);
}
