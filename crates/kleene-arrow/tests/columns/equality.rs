//! Columns are read as the same values in JSON lines and CSV are.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::types::{Int32Type, UInt8Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int16Array, Int64Array,
    LargeStringArray, StringArray, StringViewArray, StructArray, UInt32Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{Field, Fields};
use kleene::RuleSet;
use kleene_arrow::ColumnFormat;
use kleene_input::{Format, InputError, Reading, RecordReader};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value as Json;

use crate::files::{FORMATS, Read, batch, file, open, read_all, shown};

const RULES: &str = "
    event a { n: int, f: float?, s: string?, ok: bool?, at: time, d: duration?, p: ip?,
              l: list<int>?, o: { s: string?, n: int } }
    event b { n: int?, s: string, o: { s: string? }, .. }
    rule all { match a or b }";

/// A column as it may come: the values that JSON would have, and the form of the column.
#[derive(Clone, Debug)]
enum Cells {
    Ints(Vec<Option<i64>>, usize),
    Floats(Vec<Option<f64>>),
    Texts(Vec<Option<String>>, usize),
    Bools(Vec<Option<bool>>),
    Lists(Vec<Option<Vec<Option<i64>>>>),
}

impl Cells {
    fn json(&self, row: usize) -> Json {
        match self {
            Cells::Ints(cells, _) => cells[row].into(),
            Cells::Floats(cells) => cells[row].into(),
            Cells::Texts(cells, _) => cells[row].clone().into(),
            Cells::Bools(cells) => cells[row].into(),
            Cells::Lists(cells) => cells[row].clone().into(),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Cells::Ints(cells, form) => {
                let as_is = || Arc::new(Int64Array::from(cells.clone()));
                match form % 3 {
                    0 => as_is(),
                    1 => of_width(cells, |cells| Arc::new(Int16Array::from(cells)))
                        .unwrap_or_else(|| as_is()),
                    _ => of_width(cells, |cells| Arc::new(UInt32Array::from(cells)))
                        .unwrap_or_else(|| as_is()),
                }
            }
            Cells::Floats(cells) => Arc::new(Float64Array::from(cells.clone())),
            Cells::Texts(cells, form) => {
                let texts = || cells.iter().map(Option::as_deref);
                match form % 5 {
                    0 => Arc::new(texts().collect::<StringArray>()),
                    1 => Arc::new(texts().collect::<LargeStringArray>()),
                    2 => Arc::new(texts().collect::<StringViewArray>()),
                    3 => Arc::new(texts().collect::<DictionaryArray<Int32Type>>()),
                    _ => Arc::new(texts().collect::<DictionaryArray<UInt8Type>>()),
                }
            }
            Cells::Bools(cells) => Arc::new(BooleanArray::from(cells.clone())),
            Cells::Lists(cells) => {
                let mut lists = ListBuilder::new(Int64Builder::new());
                for cell in cells {
                    lists.append_option(cell.clone());
                }
                Arc::new(lists.finish())
            }
        }
    }
}

fn of_width<T: TryFrom<i64>>(
    cells: &[Option<i64>],
    array: impl FnOnce(Vec<Option<T>>) -> ArrayRef,
) -> Option<ArrayRef> {
    let cell = |cell: &Option<i64>| match cell {
        Some(number) => T::try_from(*number).ok().map(Some),
        None => Some(None),
    };
    cells.iter().map(cell).collect::<Option<Vec<Option<T>>>>().map(array)
}

/// Columns of any type, for any field.
fn cells(rows: usize) -> BoxedStrategy<Cells> {
    let ints = prop_oneof![-300..300_i64, select(vec![i64::MAX, i64::MIN, 1_700_000_000_000])];
    let floats = prop_oneof![-1e3..1e3_f64, select(vec![0.0, -0.0, 5.0, 1e300, 2.5e9])];
    let some = |strategy| vec(weighted(0.8, strategy), rows);
    prop_oneof![
        3 => (vec(weighted(0.8, ints), rows), 0..3_usize).prop_map(|(cells, form)| Cells::Ints(cells, form)),
        1 => vec(weighted(0.8, floats), rows).prop_map(Cells::Floats),
        3 => (some(text().boxed()), 0..5_usize).prop_map(|(cells, form)| Cells::Texts(cells, form)),
        1 => vec(weighted(0.8, any::<bool>()), rows).prop_map(Cells::Bools),
        1 => vec(weighted(0.8, vec(weighted(0.95, -5..5_i64), 0..4)), rows).prop_map(Cells::Lists),
    ]
    .boxed()
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "",
        "7",
        "-7",
        "7.0",
        "7.5",
        "x",
        "true",
        "0",
        "1.2.3.4",
        "::1",
        "1h30m",
        "250ms",
        "null",
        "2024-05-01T10:00:00Z",
        "2024-05-01 10:00:00.1239",
        "99999999999999999999",
        "1e3",
        "\u{e9}\u{1F600}",
    ];
    prop_oneof![4 => select(known.to_vec()).prop_map(String::from), 1 => "[a-z]{0,60}"]
}

/// The columns of a file, by name. Those of `o` are in a struct, some of which are null.
#[derive(Clone, Debug)]
struct File {
    types: Vec<&'static str>,
    columns: Vec<(&'static str, Cells)>,
    inner: Vec<(&'static str, Cells)>,
    has_inner: Vec<bool>,
    /// True if the columns of `o` are outside, with dotted names.
    is_flat: bool,
}

const NAMES: [&str; 11] = ["n", "f", "s", "ok", "at", "d", "p", "l", "ts", "more", "ts2"];

fn files() -> impl Strategy<Value = File> {
    (1..12_usize).prop_flat_map(|rows| {
        let type_form = select(vec!["a", "a", "b", "b", "c"]);
        let columns = NAMES.map(|_| weighted(0.8, cells(rows)));
        let inner = ["s", "n", "x"].map(|_| weighted(0.8, cells(rows)));
        let has_inner = vec(weighted(0.8, Just(())), rows);
        (vec(type_form, rows), columns, inner, has_inner, any::<bool>()).prop_map(
            |(types, columns, inner, has_inner, is_flat)| {
                let named = NAMES.into_iter().zip(columns);
                let inner = ["s", "n", "x"].into_iter().zip(inner);
                File {
                    types,
                    columns: named.filter_map(|(name, cells)| Some((name, cells?))).collect(),
                    inner: inner.filter_map(|(name, cells)| Some((name, cells?))).collect(),
                    has_inner: has_inner.iter().map(Option::is_some).collect(),
                    is_flat,
                }
            },
        )
    })
}

impl File {
    fn columns(&self) -> Vec<(String, ArrayRef)> {
        let types: ArrayRef = Arc::new(StringArray::from(self.types.clone()));
        let mut columns = vec![(String::from("type"), types)];
        let named = self.columns.iter();
        columns.extend(named.map(|(name, cells)| (String::from(*name), cells.array())));
        if self.is_flat {
            let inner = self.inner.iter();
            columns.extend(inner.map(|(name, cells)| (format!("o.{name}"), cells.array())));
        } else if !self.inner.is_empty() {
            let arrays: Vec<ArrayRef> = self.inner.iter().map(|(_, cells)| cells.array()).collect();
            let fields = self.inner.iter().zip(&arrays);
            let fields: Fields = fields
                .map(|((name, _), array)| Field::new(*name, array.data_type().clone(), true))
                .collect();
            let nulls = NullBuffer::from(self.has_inner.clone());
            let object = StructArray::new(fields, arrays, Some(nulls));
            columns.push((String::from("o"), Arc::new(object)));
        }
        columns
    }

    /// Fields that are null are written where a declaration can say that they must not be: an open
    /// type would keep other nulls, and a column has the same null for them as for missing ones.
    fn json(&self) -> String {
        let mut lines = String::new();
        for (row, ty) in self.types.iter().enumerate() {
            let mut line = Object::default();
            line.add("type", &Json::from(*ty).to_string());
            for (name, cells) in &self.columns {
                insert(&mut line, (name, name), &cells.json(row), ty);
            }
            let mut object = Object::default();
            for (name, cells) in &self.inner {
                let path = format!("o.{name}");
                if self.is_flat {
                    insert(&mut line, (&path, &path), &cells.json(row), ty);
                } else {
                    insert(&mut object, (name, &path), &cells.json(row), ty);
                }
            }
            if !self.is_flat && self.has_inner[row] {
                line.add("o", &object.text());
            }
            lines.extend([line.text(), String::from("\n")]);
        }
        lines
    }
}

/// An object of JSON, in the order in which it is written.
#[derive(Default)]
struct Object(Vec<String>);

impl Object {
    fn add(&mut self, name: &str, json: &str) {
        self.0.push(format!("{name:?}:{json}"));
    }

    fn text(&self) -> String {
        format!("{{{}}}", self.0.join(","))
    }
}

fn insert(line: &mut Object, (name, path): (&str, &str), cell: &Json, ty: &str) {
    let declared: &[&str] = match ty {
        "b" => &["n", "s", "o.s"],
        _ => &["n", "f", "s", "ok", "at", "d", "p", "l", "o.s", "o.n"],
    };
    if !cell.is_null() || declared.contains(&path) {
        line.add(name, &cell.to_string());
    }
}

/// Reads text in the same manner.
fn read_text(text: &str, format: Format, rules: &RuleSet, lines_before: u64) -> Read {
    let mut reader = RecordReader::from_bytes(text.as_bytes().to_vec(), format, rules.schema());
    let mut read = Read::default();
    let mut events = Vec::new();
    let mut rejected = Vec::new();
    for item in reader.by_ref() {
        match item {
            Ok(event) => events.push(shown(&event)),
            Err(InputError::Line { line, reason, .. }) => {
                rejected.push((line - lines_before, reason));
            }
            Err(error) => panic!("{error}"),
        }
    }
    // The lines of events are those that are left, in order; unknown ones are only counted.
    read.unknown = reader.unknown();
    read.rows.extend(rejected.into_iter().map(|(row, reason)| (row, Err(reason))));
    read.rows.extend(events.into_iter().map(|event| (0, Ok(event))));
    read
}

/// Compares what was read: events in their order, rejected rows with their numbers.
fn split(read: &Read) -> (Vec<&String>, Vec<(u64, &String)>, u64) {
    let events = read.rows.iter().filter_map(|(_, read)| read.as_ref().ok());
    let rejected = read.rows.iter().filter_map(|(row, read)| Some((*row, read.as_ref().err()?)));
    (events.collect(), rejected.collect(), read.unknown)
}

pub(crate) fn reading() -> Reading {
    Reading { options: kleene_input::OptionNames::Fields, ..Reading::default() }
}

fn read_columns(
    format: ColumnFormat,
    columns: &[(String, ArrayRef)],
    rows: usize,
    rules: &RuleSet,
) -> Read {
    let named = columns.iter().map(|(name, column)| (&**name, column.clone()));
    let file = file(format, &batch(named.collect()), rows);
    read_all(open(file, rules, reading()).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_time: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn columns_of_any_type_are_read_as_json_is(
        file in files(),
        format in select(FORMATS.to_vec()),
        rows in 1..6_usize,
    ) {
        let rules = RuleSet::parse(RULES).unwrap();
        let text = file.json();
        let expected = read_text(&text, Format::Jsonl, &rules, 0);
        let read = read_columns(format, &file.columns(), rows, &rules);
        prop_assert_eq!(split(&read), split(&expected), "{}", text);
        prop_assert_eq!(read.row_count, file.types.len() as u64);
    }
}
