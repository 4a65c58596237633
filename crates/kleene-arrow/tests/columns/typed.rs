//! Columns of the types that are declared are read as CSV is.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::types::{
    Int32Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, DurationMicrosecondArray,
    DurationMillisecondArray, Float64Array, Int64Array, PrimitiveArray, StringArray, StructArray,
};
use arrow_schema::Field;
use kleene::{RuleSet, Timestamp};
use kleene_input::{Format, InputError, RecordReader};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::files::{FORMATS, batch, file, open, read_all, shown};

const RULES: &str = "
    event sold { n: int?, f: float?, s: string?, ok: bool?, at: time, d: duration?, p: ip?,
                 l: list<int>?, o: { city: string? } }
    event seen { n: int?, s: string? }
    rule all { match sold or seen }";

#[derive(Clone, Debug)]
struct Row {
    ty: &'static str,
    n: Option<i64>,
    f: Option<f64>,
    s: Option<&'static str>,
    ok: Option<bool>,
    millis: i64,
    d: Option<i64>,
    l: Option<Vec<i64>>,
    city: Option<&'static str>,
}

fn row() -> impl Strategy<Value = Row> {
    let texts = || weighted(0.8, select(vec!["x", "a,b", "\u{e9}", "say \"hi\"", "7"]));
    let numbers = (weighted(0.8, any::<i64>()), weighted(0.8, -1e9..1e9_f64));
    let times = (0..2_000_000_000_000_i64, weighted(0.8, 0..100_000_000_i64));
    let types = select(vec!["sold", "sold", "seen", "lost"]);
    let list = weighted(0.8, vec(any::<i64>(), 0..3));
    (types, numbers, texts(), any::<Option<bool>>(), times, list, texts()).prop_map(
        |(ty, (n, f), s, ok, (millis, d), l, city)| Row { ty, n, f, s, ok, millis, d, l, city },
    )
}

fn csv(rows: &[Row]) -> String {
    fn cell(value: Option<impl ToString>) -> String {
        let text = value.map_or(String::new(), |value| value.to_string());
        format!("\"{}\"", text.replace('"', "\"\""))
    }
    let mut text = String::from("type,n,f,s,ok,at,ts,d,l,o.city\n");
    for row in rows {
        let time = Timestamp::from_millis(row.millis);
        let list = row.l.as_ref().map(|list| format!("{list:?}"));
        let cells = [
            cell(Some(row.ty)),
            cell(row.n),
            cell(row.f),
            cell(row.s),
            cell(row.ok),
            cell(Some(time)),
            cell(Some(time)),
            cell(row.d.map(|millis| format!("{millis}ms"))),
            cell(list),
            cell(row.city),
        ];
        text.extend([cells.join(","), String::from("\n")]);
    }
    text
}

/// The columns of rows. The unit of times is one of three; some rest below a millisecond is cut off.
fn columns(rows: &[Row], unit: usize) -> Vec<(&'static str, ArrayRef)> {
    fn texts<'a>(texts: impl Iterator<Item = Option<&'a str>>, unit: usize) -> ArrayRef {
        match unit {
            0 => Arc::new(texts.collect::<StringArray>()),
            _ => Arc::new(texts.collect::<DictionaryArray<Int32Type>>()),
        }
    }
    let millis = || rows.iter().map(|row| row.millis);
    let times: ArrayRef = match unit {
        0 => Arc::new(PrimitiveArray::<TimestampMillisecondType>::from_iter_values(millis())),
        1 => {
            let micros = millis().map(|millis| millis * 1000 + 999);
            let times = PrimitiveArray::<TimestampMicrosecondType>::from_iter_values(micros);
            Arc::new(times.with_timezone("+02:00"))
        }
        _ => {
            let nanos = millis().map(|millis| millis * 1_000_000 + 1);
            Arc::new(PrimitiveArray::<TimestampNanosecondType>::from_iter_values(nanos))
        }
    };
    let durations: ArrayRef = match unit {
        0 => Arc::new(rows.iter().map(|row| row.d).collect::<DurationMillisecondArray>()),
        1 => {
            let micros = rows.iter().map(|row| row.d.map(|millis| millis * 1000 + 1));
            Arc::new(micros.collect::<DurationMicrosecondArray>())
        }
        _ => Arc::new(rows.iter().map(|row| row.d).collect::<Int64Array>()),
    };
    let mut lists = ListBuilder::new(Int64Builder::new());
    let list = |row: &Row| row.l.clone().map(|list| list.into_iter().map(Some));
    for row in rows {
        lists.append_option(list(row));
    }
    let city = texts(rows.iter().map(|row| row.city), unit);
    let object = StructArray::from(vec![(
        Arc::new(Field::new("city", city.data_type().clone(), true)),
        city,
    )]);
    vec![
        ("type", texts(rows.iter().map(|row| Some(row.ty)), unit)),
        ("n", Arc::new(rows.iter().map(|row| row.n).collect::<Int64Array>())),
        ("f", Arc::new(rows.iter().map(|row| row.f).collect::<Float64Array>())),
        ("s", texts(rows.iter().map(|row| row.s), unit)),
        ("ok", Arc::new(rows.iter().map(|row| row.ok).collect::<BooleanArray>())),
        ("at", times.clone()),
        ("ts", times),
        ("d", durations),
        ("l", Arc::new(lists.finish())),
        ("o", Arc::new(object)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        max_shrink_time: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn columns_are_read_as_csv_is(
        rows in vec(row(), 1..40),
        format in select(FORMATS.to_vec()),
        group in 1..20_usize,
        unit in 0..3_usize,
    ) {
        let rules = RuleSet::parse(RULES).unwrap();
        let reading = crate::equality::reading();
        let text = csv(&rows).into_bytes();
        let mut reader = RecordReader::from_bytes(text, Format::Csv, rules.schema());
        let expected: Result<Vec<String>, InputError> =
            reader.by_ref().map(|event| event.map(|event| shown(&event))).collect();
        let file = file(format, &batch(columns(&rows, unit)), group);
        let read = read_all(open(file, &rules, reading).unwrap()).unwrap();
        let events: Result<Vec<String>, String> =
            read.rows.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(events.unwrap(), expected.unwrap());
        prop_assert_eq!((read.unknown, read.row_count), (reader.unknown(), rows.len() as u64));
    }
}
