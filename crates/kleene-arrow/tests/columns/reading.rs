//! What is read of columns of particular types and forms.

use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::types::{Decimal128Type, DecimalType as _, Float16Type, Int32Type, UInt8Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, Date32Array, Date64Array, Decimal128Array,
    DictionaryArray, Float16Array, Float32Array, Int32Array, Int64Array, IntervalYearMonthArray,
    StringArray, StructArray, Time32SecondArray, TimestampMicrosecondArray, TimestampSecondArray,
    UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use kleene::RuleSet;
use kleene::event::ColumnValues;
use kleene::value::Value;
use kleene_arrow::{ColumnFormat, ColumnReader};
use kleene_input::{Reading, TimeUnit};

use crate::files::{FORMATS, batch, file, open, read, read_all};

type Half = <Float16Type as ArrowPrimitiveType>::Native;

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(texts.iter().copied().collect::<StringArray>())
}

fn ints(numbers: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.to_vec()))
}

/// The first moment, as it is shown.
const ZERO: &str = "Time(Timestamp(0))";

/// Reads one column `v` as a field of a type. Returns the values, or the reasons, without what is
/// said of the field.
fn values(ty: &str, column: ArrayRef, reading: &Reading) -> Vec<String> {
    let rules = format!("event a {{ v: {ty}, ts: time = event time }}  rule all {{ match a }}");
    let ts = ints(&vec![0; column.len()]);
    let read = read(&rules, vec![("v", column), ("ts", ts)], reading);
    let value = |read: Result<String, String>| match read {
        Ok(event) => {
            let value = event.strip_prefix("TypeId(0) 1970-01-01T00:00:00Z [");
            let value = value.and_then(|value| value.strip_suffix(&format!(", {ZERO}] []")));
            String::from(value.expect("the time is 0, and there is no other field"))
        }
        Err(reason) => reason.replace("field `v`: ", "! "),
    };
    read.rows.into_iter().map(|(_, read)| value(read)).collect()
}

fn by_default(ty: &str, column: ArrayRef) -> Vec<String> {
    values(ty, column, &Reading::default())
}

#[test]
fn a_row_needs_a_type() {
    let rules = "event hit { user: string, ts: time }  event x {}  rule all { match hit }";
    let ty = texts(&[Some("hit"), Some("miss"), None, Some("")]);
    let user = texts(&[Some("ann"), Some("bob"), Some("cid"), Some("dan")]);
    let ts = ints(&[1000, 2000, 3000, 4000]);
    let reading = Reading::default();
    let columns = vec![("type", ty), ("user", user.clone()), ("ts", ts.clone())];
    let found = read(rules, columns, &reading);
    assert_eq!(found.unknown, 1);
    assert_eq!(
        found.reasons(),
        [
            (3, "no event type: the column `type` is null"),
            (4, "no event type: the column `type` is empty")
        ]
    );
    let columns = vec![("type", ts.clone()), ("user", user), ("ts", ts)];
    assert_eq!(
        read(rules, columns, &reading).reasons()[0],
        (1, "field `type`: expected the event type, found the number 1000")
    );
}

#[test]
fn without_a_type_column_there_is_one_type_or_an_error() {
    let columns = || vec![("event_name", texts(&[Some("a")])), ("ts", ints(&[1]))];
    let one = "event a { ts: time }  rule all { match a }";
    assert_eq!(read(one, columns(), &Reading::default()).rows.len(), 1);
    let two = RuleSet::parse("event a { ts: time }  event b { ts: time }").unwrap();
    let batch = batch(columns());
    for format in FORMATS {
        let error = open(file(format, &batch, 9), &two, Reading::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no column `type` for the event type: there are event_name, ts\n\
             help: name the column with --type-field (perhaps `event_name`), or the type of all \
             events with --type"
        );
    }
    let reading = Reading { fixed_type: Some("b".into()), ..Reading::default() };
    let found = read_all(open(file(ColumnFormat::Parquet, &batch, 9), &two, reading).unwrap());
    assert!(found.unwrap().rows[0].1.as_ref().unwrap().starts_with("TypeId(1) "));
    let reading = Reading { fixed_type: Some("c".into()), ..Reading::default() };
    assert_eq!(read(one, columns(), &reading).unknown, 1);
    let reading = Reading { type_field: "event_name".into(), ..Reading::default() };
    assert_eq!(read(one, columns(), &reading).rows.len(), 1);
}

#[test]
fn whole_numbers_of_any_width_are_ints() {
    let large: ArrayRef = Arc::new(UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]));
    assert_eq!(
        by_default("int?", large.clone()),
        ["Int(7)", "Null", "! 18446744073709551615 is out of range for int"]
    );
    assert_eq!(by_default("float?", large), ["Float(7.0)", "Null", "Float(1.8446744073709552e19)"]);
    let small: ArrayRef = Arc::new(Int32Array::from(vec![-7, 8]));
    assert_eq!(by_default("int", small.clone()), ["Int(-7)", "Int(8)"]);
    assert_eq!(by_default("float", small), ["Float(-7.0)", "Float(8.0)"]);
    let decimals = Decimal128Array::from(vec![12345, -1]).with_precision_and_scale(10, 0);
    assert_eq!(by_default("int", Arc::new(decimals.unwrap())), ["Int(12345)", "Int(-1)"]);
}

#[test]
fn numbers_with_a_fraction_are_the_nearest_floats() {
    let decimal = |number: i128, scale: i8| -> ArrayRef {
        let numbers = Decimal128Array::from_iter_values([number]);
        Arc::new(numbers.with_precision_and_scale(38, scale).unwrap())
    };
    for (number, scale) in [(1999, 2), (-1, 15), (123_456_789_012_345_678_901, 3), (1 << 60, 18)] {
        let text = Decimal128Type::format_decimal(number, 38, scale);
        let nearest: f64 = text.parse().unwrap();
        let expected = format!("{:?}", Value::Float(nearest));
        assert_eq!(by_default("float", decimal(number, scale)), [expected]);
    }
    assert_eq!(by_default("int", decimal(1950, 2)), ["! expected int, found the number 19.5"]);
    let half: ArrayRef = Arc::new(Float16Array::from(vec![Half::from_f32(1.5)]));
    assert_eq!(by_default("float", half), ["Float(1.5)"]);
    let single: ArrayRef = Arc::new(Float32Array::from(vec![1.5, f32::NAN, f32::INFINITY]));
    assert_eq!(by_default("float", single), ["Float(1.5)", "Float(NaN)", "Float(inf)"]);
}

#[test]
fn times_are_in_their_own_unit_or_in_that_of_the_reading() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None]));
    assert_eq!(by_default("time?", days)[1], "Null");
    let date: ArrayRef = Arc::new(Date64Array::from(vec![86_400_000]));
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![86_400]));
    let numbers = Reading { unit: TimeUnit::Seconds, ..Reading::default() };
    let same = by_default("time", date);
    assert_eq!(by_default("time", seconds), same);
    assert_eq!(values("time", Arc::new(Int32Array::from(vec![86_400])), &numbers), same);
    assert_eq!(values("time", ints(&[86_400]), &numbers), same);
    assert_eq!(by_default("time", texts(&[Some("1970-01-02")])), same);
    // A part of a millisecond is cut off towards the past.
    let before: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![-1]));
    assert_eq!(by_default("time", before), by_default("time", ints(&[-1])));
}

#[test]
fn a_time_is_in_the_years_0_to_9999() {
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(1 << 40), None, Some(0)]));
    let found = by_default("time?", far);
    assert_eq!(
        found[0],
        "! 1099511627776 seconds is out of range, the year is not between 0 and 9999"
    );
    assert_eq!(found[1], "Null");
    assert_eq!(
        by_default("time", ints(&[1_473_023_700_250_999_000])),
        ["! 1473023700250999000 milliseconds is out of range, the year is not between 0 and 9999 \
          (epoch nanoseconds? `--time-unit ns`)"]
    );
}

#[test]
fn a_file_is_opened() {
    let rules = RuleSet::parse("event a { n: int, ts: time }").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = dir.path().join("events");
        let columns = batch(vec![("n", ints(&[1, 2, 3])), ("ts", ints(&[4, 5, 6]))]);
        std::fs::write(&path, file(format, &columns, 2)).unwrap();
        let opened = std::fs::File::open(&path).unwrap();
        let reader = ColumnReader::open(opened, rules.schema(), Reading::default()).unwrap();
        assert_eq!((reader.format(), reader.columns()), (format, vec!["n".into(), "ts".into()]));
        assert_eq!(read_all(reader).unwrap().rows.len(), 3);
        let piped = std::fs::File::open(&path).unwrap();
        let piped = ColumnReader::from_stream(piped, rules.schema(), Reading::default());
        assert_eq!(piped.is_ok(), !format.needs_seek(), "{format}");
    }
}

#[test]
fn a_rejected_row_is_shown() {
    let rules = RuleSet::parse("event a { n: int, s: string?, ts: time }").unwrap();
    let moments = TimestampSecondArray::from(vec![1 << 40]);
    let columns = vec![
        ("n", texts(&[Some("one")])),
        ("s", texts(&[None])),
        ("other", texts(&[Some("not read")])),
        ("ts", Arc::new(moments) as ArrayRef),
    ];
    let file = file(ColumnFormat::Parquet, &batch(columns), 9);
    let mut reader = open(file, &rules, Reading::default()).unwrap();
    let batch = reader.next_batch().unwrap().unwrap();
    assert_eq!(batch.rejected[0].text, r#"{"n":"one","ts":"the time 1099511627776 (seconds)"}"#);
}

#[test]
fn old_moments_of_96_bits_are_times() {
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::Int96;
    let schema = parquet::schema::parser::parse_message_type("message m { optional int96 ts; }");
    let mut file = Vec::new();
    let (schema, properties) = (Arc::new(schema.unwrap()), Arc::default());
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // Nanoseconds of the day, and the day: 2440588 is the first one of 1970. The last moment is in
    // the year 4707, which nanoseconds of 64 bits do not reach.
    let moments = [(0, 2_440_588), (1_500_000_000, 2_440_589), (0, 3_440_588)];
    let moments = moments.map(|(nanos, day): (u32, u32)| Int96::from(vec![nanos, 0, day]));
    if let ColumnWriter::Int96ColumnWriter(column) = column.untyped() {
        column.write_batch(&moments, Some(&[1, 1, 1]), None).unwrap();
    }
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let rules = RuleSet::parse("event a { ts: time }  rule all { match a }").unwrap();
    let read = read_all(open(file, &rules, Reading::default()).unwrap()).unwrap();
    let times =
        read.rows.iter().map(|(_, event)| event.as_ref().unwrap().split(' ').nth(1).unwrap());
    assert_eq!(
        times.collect::<Vec<&str>>(),
        ["1970-01-01T00:00:00Z", "1970-01-02T00:00:01.500Z", "4707-11-29T00:00:00Z"]
    );
}

#[test]
fn a_time_of_day_is_a_duration() {
    let times: ArrayRef = Arc::new(Time32SecondArray::from(vec![90]));
    assert_eq!(by_default("duration", times), by_default("duration", texts(&[Some("1m30s")])));
}

#[test]
fn bytes_may_be_text() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"ok"[..], &[0xff]]));
    assert_eq!(
        by_default("string", bytes),
        ["String(\"ok\")", "! expected string, found bytes that are not UTF-8"]
    );
}

#[test]
fn a_text_may_hold_a_list() {
    let lists = texts(&[Some("[1, 2]"), Some("7"), Some("[1, \"a\"]")]);
    assert_eq!(
        by_default("list<int>", lists),
        [
            "List([Int(1), Int(2)])",
            "List([Int(7)])",
            "! expected list<int>, the 2nd element: expected int, found the text \"a\""
        ]
    );
}

#[test]
fn dictionaries_stay_dictionaries() {
    let rules = RuleSet::parse("event a { v: string?, ts: time }  rule all { match a }").unwrap();
    let names: Vec<Option<&str>> =
        (0..20_000).map(|row| ["x", "y"].get(row % 3).copied()).collect();
    let plain: ArrayRef = Arc::new(names.iter().copied().collect::<StringArray>());
    let coded: ArrayRef = Arc::new(names.iter().copied().collect::<DictionaryArray<Int32Type>>());
    let narrow: ArrayRef = Arc::new(names.iter().copied().collect::<DictionaryArray<UInt8Type>>());
    let ts = ints(&(0..20_000).collect::<Vec<i64>>());
    // Parquet has a dictionary of its own for repeated texts.
    for (format, column) in [
        (ColumnFormat::Parquet, plain),
        (ColumnFormat::Parquet, coded.clone()),
        (ColumnFormat::ArrowFile, coded),
        (ColumnFormat::ArrowStream, narrow),
    ] {
        let file = file(format, &batch(vec![("v", column), ("ts", ts.clone())]), 20_000);
        let mut reader = open(file, &rules, Reading::default()).unwrap();
        let mut row = 0;
        let mut dictionaries = Vec::new();
        while let Some(read) = reader.next_batch().unwrap() {
            let columns = &read.events.types()[0];
            let ColumnValues::Dictionary(_, texts) = columns.columns()[0].values() else {
                panic!("{format}: {:?}", columns.columns()[0]);
            };
            dictionaries.push(texts.clone());
            for event in read.events.rows() {
                let value = event.to_record().values()[0].clone();
                assert_eq!(value.as_ref().as_str(), names[row], "{format}, row {row}");
                row += 1;
            }
        }
        assert_eq!((row, dictionaries.len()), (20_000, 3));
        // The texts are made once for all batches.
        assert!(dictionaries.windows(2).all(|two| Arc::ptr_eq(&two[0], &two[1])), "{format}");
    }
}

#[test]
fn numbers_and_times_share_memory_with_arrow() {
    let rules = RuleSet::parse("event a { v: int, ts: time }  rule all { match a }").unwrap();
    let columns = vec![("v", ints(&[1, 2])), ("ts", ints(&[3, 4]))];
    let mut reader =
        open(file(ColumnFormat::ArrowFile, &batch(columns), 9), &rules, Reading::default())
            .unwrap();
    let read = reader.next_batch().unwrap().unwrap();
    let columns = read.events.types()[0].columns();
    assert!(matches!(columns[0].values(), ColumnValues::Int(kleene::event::Buffer::Shared(_))));
    assert!(matches!(columns[1].values(), ColumnValues::Time(kleene::event::Buffer::Shared(_))));
}

#[test]
fn a_struct_answers_dotted_fields() {
    let rules = "event a { addr: { city: string, geo: { lat: float? } } }  rule all { match a }";
    let lat: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.5), None, Some(2.5)]));
    let geo = StructArray::try_new(
        vec![Field::new("lat", DataType::Float32, true)].into(),
        vec![lat],
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let city = texts(&[Some("Rome"), Some("Bonn"), Some("Oslo")]);
    let geo: ArrayRef = Arc::new(geo.unwrap());
    let fields = vec![
        Field::new("city", DataType::Utf8, true),
        Field::new("geo", geo.data_type().clone(), true),
    ];
    let addr = |nulls: Vec<bool>| -> ArrayRef {
        let columns = vec![city.clone(), geo.clone()];
        let nulls = Some(NullBuffer::from(nulls));
        Arc::new(StructArray::try_new(fields.clone().into(), columns, nulls).unwrap())
    };
    let found = read(
        rules,
        vec![("addr", addr(vec![true, true, true])), ("ts", ints(&[0; 3]))],
        &Reading::default(),
    );
    let shown: Vec<&str> =
        found.rows.iter().map(|(_, event)| &event.as_ref().unwrap()[31..]).collect();
    assert_eq!(
        shown,
        [
            "[String(\"Rome\"), Float(1.5)] []",
            "[String(\"Bonn\"), Null] []",
            "[String(\"Oslo\"), Null] []"
        ]
    );
    let found = read(
        rules,
        vec![("addr", addr(vec![true, false, true])), ("ts", ints(&[0; 3]))],
        &Reading::default(),
    );
    assert_eq!(found.reasons(), [(2, "missing field `addr.city`")]);
    let error = {
        let rules = RuleSet::parse(rules).unwrap();
        let columns = vec![("addr.city", city.clone()), ("addr", addr(vec![true; 3]))];
        open(file(ColumnFormat::Parquet, &batch(columns), 9), &rules, Reading::default())
    };
    assert_eq!(
        error.unwrap_err().to_string(),
        "two columns hold the field `addr.city`: `addr.city` and `addr/city`"
    );
}

#[test]
fn an_open_type_keeps_other_columns() {
    let rules = "event a { n: int, .. }  rule all { match a }";
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("env");
    map.values().append_value("prod");
    map.append(true).unwrap();
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0]));
    let columns = vec![
        ("n", ints(&[1])),
        ("labels", Arc::new(map.finish()) as ArrayRef),
        ("none", texts(&[None])),
        ("day", days),
        ("ts", ints(&[0])),
    ];
    let found = read(rules, columns, &Reading::default());
    let event = found.rows[0].1.as_ref().unwrap();
    assert!(
        event.contains(
            "[Int(1)] [(\"labels\", Record([(\"env\", String(\"prod\"))])), (\"day\", Time("
        ),
        "{event}"
    );
}

#[test]
fn a_column_that_no_field_can_hold_is_an_error() {
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![1]));
    let batch = batch(vec![("v", months), ("ts", ints(&[0]))]);
    let read = |rules: &str| {
        let rules = RuleSet::parse(rules).unwrap();
        let file = file(ColumnFormat::ArrowFile, &batch, 9);
        open(file, &rules, Reading::default()).map(|reader| read_all(reader).unwrap().rows.len())
    };
    let message = "the column `v` has the type Interval(YearMonth), which no field can hold\n\
                   help: write the file without this column";
    assert_eq!(read("event a { v: int? }").unwrap_err().to_string(), message);
    assert_eq!(read("event a { .. }").unwrap_err().to_string(), message);
    assert_eq!(read("event a { w: int? }").unwrap(), 1);
}

#[test]
fn the_time_comes_from_the_declared_field_or_from_the_given_one() {
    let rules = "event a { at: time }  rule all { match a }";
    let at: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, None]));
    let ts = texts(&[Some("2"), Some("3"), None]);
    let columns = || vec![("at", at.clone()), ("ts", ts.clone())];
    let found = read(rules, columns(), &Reading::default());
    let times: Vec<&str> =
        found.rows[..2].iter().map(|(_, event)| &event.as_ref().unwrap()[10..34]).collect();
    assert_eq!(times, ["1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.003Z"]);
    assert_eq!(found.reasons(), [(3, "no event time: neither `at` nor `ts` is given")]);
    let prefers = Reading { prefers_time_field: true, ..Reading::default() };
    let found = read(rules, columns(), &prefers);
    assert!(found.rows[0].1.as_ref().unwrap()[10..].starts_with("1970-01-01T00:00:00.002Z"));
    assert_eq!(found.reasons(), [(3, "no event time: missing field `ts`")]);
    let columns = vec![("at", texts(&[None])), ("ts", texts(&[Some("soon")]))];
    assert_eq!(
        read(rules, columns, &Reading::default()).reasons(),
        [(
            1,
            "field `ts`: expected a time such as 2016-09-04T21:15:00Z or an epoch number, found \
             the text \"soon\""
        )]
    );
}
