//! Reads the events of a file, and says how many rows that are a second.
//!
//! ```text
//! cargo run --release -p kleene-arrow --example read -- rules.cep events.parquet
//! ```
//!
//! A file of JSON lines or CSV is read as well, to compare. With a third argument, it is written to
//! that file as Parquet or Arrow IPC before, each column with the type that its texts have.

#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use kleene::RuleSet;
use kleene_arrow::{ColumnFormat, ColumnReader};
use kleene_input::{Form, Raw, RawFeed, RawItem, Reading, RecordReader};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (rules, file, copy) = match &arguments[..] {
        [_, rules, file] => (rules, file, None),
        [_, rules, file, copy] => (rules, file, Some(copy)),
        _ => return Err("usage: read RULES FILE [COPY]".into()),
    };
    let rules = RuleSet::from_path(rules)?;
    read(file, &rules)?;
    if let Some(copy) = copy {
        write_copy(Path::new(file), Path::new(copy))?;
        read(copy, &rules)?;
    }
    Ok(())
}

/// Reads a file, and prints what was read.
fn read(file: &str, rules: &RuleSet) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let (mut events, mut rejected, mut unknown) = (0, 0, 0);
    if ColumnFormat::of(Path::new(file)).is_some() {
        let mut reader = ColumnReader::open(File::open(file)?, rules.schema(), Reading::default())?;
        while let Some(batch) = reader.next_batch()? {
            events += batch.events.len() as u64;
            rejected += batch.rejected.len() as u64;
            unknown += batch.unknown.iter().map(|(_, rows)| rows).sum::<u64>();
        }
    } else {
        let mut reader = RecordReader::open(file, rules.schema())?;
        for event in reader.by_ref() {
            match event {
                Ok(_) => events += 1,
                Err(_) => rejected += 1,
            }
        }
        unknown = reader.unknown();
    }
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is shown with few digits")]
    let speed = (events + rejected + unknown) as f64 / seconds / 1e6;
    println!(
        "{file}: {events} events, {rejected} rejected, {unknown} unknown: {speed:.1} M rows/s"
    );
    Ok(())
}

/// Writes the rows of a file of text as columns.
fn write_copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let format = kleene_input::Format::of(from);
    let delimiter = kleene_input::delimiter_of(from);
    let form = Form { format, delimiter, max_line: 1 << 20 };
    let mut feed = RawFeed::start(kleene_input::open(from)?, form);
    let mut columns: Vec<(String, Vec<Option<String>>)> = Vec::new();
    let mut rows = 0;
    while let RawItem::Event(fields) = feed.next_item()? {
        for (name, value) in fields {
            let text = match value {
                Raw::Cell(text) if text.is_empty() => continue,
                Raw::Cell(text) | Raw::Text(text) => text,
                Raw::Bool(value) => value.to_string(),
                Raw::Int(number) => number.to_string(),
                Raw::Float(number) => number.to_string(),
                Raw::Null | Raw::List(_) | Raw::Object(_) | Raw::Deep => continue,
            };
            let column = columns.iter().position(|(of, _)| *of == name).unwrap_or_else(|| {
                columns.push((name, Vec::new()));
                columns.len() - 1
            });
            columns[column].1.resize(rows, None);
            columns[column].1.push(Some(text));
        }
        rows += 1;
    }
    for (_, column) in &mut columns {
        column.resize(rows, None);
    }
    let columns = columns.into_iter().map(|(name, column)| (name, array(&column)));
    let batch = RecordBatch::try_from_iter(columns)?;
    if ColumnFormat::of(to) == Some(ColumnFormat::Parquet) {
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(File::create(to)?, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
    } else {
        let mut writer =
            arrow_ipc::writer::FileWriter::try_new(File::create(to)?, &batch.schema())?;
        let slices = (0..rows).step_by(65_536);
        slices
            .map(|at| batch.slice(at, 65_536.min(rows - at)))
            .try_for_each(|slice| writer.write(&slice))?;
        writer.finish()?;
    }
    Ok(())
}

/// Returns whole numbers, else floats, else texts.
fn array(texts: &[Option<String>]) -> ArrayRef {
    fn all<T: std::str::FromStr>(texts: &[Option<String>]) -> Option<Vec<Option<T>>> {
        texts.iter().map(|text| text.as_deref().map(str::parse).transpose().ok()).collect()
    }
    if let Some(numbers) = all::<i64>(texts) {
        return Arc::new(Int64Array::from(numbers));
    }
    if let Some(numbers) = all::<f64>(texts) {
        return Arc::new(Float64Array::from(numbers));
    }
    Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>())
}
