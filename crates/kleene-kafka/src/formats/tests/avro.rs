use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Days, Decimal, Duration, Millis, Months, Schema, Uuid};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{AvroDecoder, DecodeErrorKind, Framing};
use super::{decode, framed};

/// Writes a value with `apache-avro`.
fn encode(schema: &str, value: Avro) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let mut bytes = Vec::new();
    writer.write_value(&mut bytes, value).unwrap();
    bytes
}

fn read(schema: &str, bytes: &[u8]) -> Value {
    decode(&mut AvroDecoder::from_schema(schema, Framing::Bare).unwrap(), bytes).unwrap()
}

fn both(schema: &str, value: Avro) -> Value {
    read(schema, &encode(schema, value))
}

#[test]
fn a_record_becomes_an_object() {
    let schema = r#"{"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "amount", "type": "double"},
        {"name": "rate", "type": "float"},
        {"name": "paid", "type": "boolean"},
        {"name": "count", "type": "int"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "OLD"]}},
        {"name": "before", "type": "State"},
        {"name": "raw", "type": "bytes"},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 2}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "rates", "type": {"type": "map", "values": "int"}},
        {"name": "none", "type": "null"}]}"#;
    let state = |symbol: &str, index| Avro::Enum(index, symbol.to_owned());
    let field = |name: &str, value| (name.to_owned(), value);
    let value = Avro::Record(vec![
        field("id", Avro::Long(i64::MIN)),
        field("amount", Avro::Double(1e300)),
        field("rate", Avro::Float(0.1)),
        field("paid", Avro::Boolean(true)),
        field("count", Avro::Int(-3)),
        field("note", Avro::Union(1, Box::new(Avro::String("a\n\"b\"\u{1}\u{e9}".into())))),
        field("state", state("OLD", 1)),
        field("before", state("NEW", 0)),
        field("raw", Avro::Bytes(vec![0, 255, 16])),
        field("code", Avro::Fixed(2, vec![1, 2])),
        field("tags", Avro::Array(vec![Avro::String("x".into()), Avro::String("y".into())])),
        field("rates", Avro::Map([("a\"".into(), Avro::Int(1))].into())),
        field("none", Avro::Null),
    ]);
    let expected = json!({
        "id": i64::MIN, "amount": 1e300, "rate": 0.1, "paid": true, "count": -3,
        "note": "a\n\"b\"\u{1}\u{e9}", "state": "OLD", "before": "NEW", "raw": "AP8Q",
        "code": "AQI=", "tags": ["x", "y"], "rates": {"a\"": 1}, "none": null,
    });
    assert_eq!(both(schema, value), expected);
}

#[test]
fn logical_types_are_written_for_rules() {
    let time = 1_709_210_096_123_456_789_i64;
    for (schema, value, expected) in [
        (
            r#"{"type": "int", "logicalType": "date"}"#,
            Avro::Date(19_782),
            json!("2024-02-29T00:00:00Z"),
        ),
        (
            r#"{"type": "int", "logicalType": "date"}"#,
            Avro::Date(-1),
            json!("1969-12-31T00:00:00Z"),
        ),
        (r#"{"type": "int", "logicalType": "date"}"#, Avro::Date(i32::MAX), Value::Null),
        (r#"{"type": "int", "logicalType": "time-millis"}"#, Avro::TimeMillis(5), json!(5)),
        (r#"{"type": "long", "logicalType": "time-micros"}"#, Avro::TimeMicros(6), json!(6)),
        (
            r#"{"type": "long", "logicalType": "timestamp-millis"}"#,
            Avro::TimestampMillis(time / 1_000_000),
            json!("2024-02-29T12:34:56.123Z"),
        ),
        (
            r#"{"type": "long", "logicalType": "timestamp-micros"}"#,
            Avro::TimestampMicros(time / 1000),
            json!("2024-02-29T12:34:56.123456Z"),
        ),
        (
            r#"{"type": "long", "logicalType": "timestamp-nanos"}"#,
            Avro::TimestampNanos(time),
            json!("2024-02-29T12:34:56.123456789Z"),
        ),
        (
            r#"{"type": "long", "logicalType": "local-timestamp-millis"}"#,
            Avro::LocalTimestampMillis(0),
            json!("1970-01-01T00:00:00.000Z"),
        ),
        (
            r#"{"type": "long", "logicalType": "local-timestamp-micros"}"#,
            Avro::LocalTimestampMicros(-1),
            json!("1969-12-31T23:59:59.999999Z"),
        ),
        (
            r#"{"type": "long", "logicalType": "local-timestamp-nanos"}"#,
            Avro::LocalTimestampNanos(1),
            json!("1970-01-01T00:00:00.000000001Z"),
        ),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}"#,
            Avro::Decimal(Decimal::from(vec![0xff, 0x38])),
            json!("-2.00"),
        ),
        (
            r#"{"type": {"type": "fixed", "name": "F", "size": 4}, "logicalType": "decimal",
                "precision": 8, "scale": 3}"#,
            Avro::Decimal(Decimal::from(vec![0, 0, 0, 7])),
            json!("0.007"),
        ),
        (
            r#"{"type": "string", "logicalType": "uuid"}"#,
            Avro::Uuid(Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0)),
            json!("12345678-9abc-def0-1234-56789abcdef0"),
        ),
        (
            r#"{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}"#,
            Avro::Uuid(Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0)),
            json!("12345678-9abc-def0-1234-56789abcdef0"),
        ),
        (
            r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#,
            Avro::Duration(Duration::new(Months::new(1), Days::new(2), Millis::new(3))),
            json!(32 * 86_400_000_i64 + 3),
        ),
        (r#""double""#, Avro::Double(f64::NAN), Value::Null),
        (r#""float""#, Avro::Float(f32::INFINITY), Value::Null),
    ] {
        assert_eq!(both(schema, value), expected, "{schema}");
    }
}

#[test]
fn a_big_decimal_has_its_own_scale() {
    // Bytes with a whole number and its scale. The crate of its values is not exported.
    let schema = r#"{"type": "bytes", "logicalType": "big-decimal"}"#;
    assert_eq!(read(schema, &[6, 2, 0x7b, 4]), json!("1.23"));
    assert_eq!(read(schema, &[6, 2, 0x85, 3]), json!("-12300"));
    let mut decoder = AvroDecoder::from_schema(schema, Framing::Bare).unwrap();
    let error = decode(&mut decoder, &[8, 2, 0x7b, 4]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Poison);
}

#[test]
fn a_union_is_the_value_that_it_has() {
    let schema = r#"[
        {"type": "record", "name": "Login", "fields": [{"name": "user", "type": "string"}]},
        {"type": "record", "name": "Logout", "fields": [{"name": "at", "type": "long"}]}]"#;
    let logout = Avro::Record(vec![("at".into(), Avro::Long(4))]);
    assert_eq!(both(schema, Avro::Union(1, Box::new(logout))), json!({"at": 4}));
    let login = Avro::Record(vec![("user".into(), Avro::String("ann".into()))]);
    assert_eq!(both(schema, Avro::Union(0, Box::new(login))), json!({"user": "ann"}));
}

#[test]
fn names_are_found_in_their_namespaces() {
    let schema = r#"{"type": "record", "name": "a.Tree", "fields": [
        {"name": "left", "type": ["null", "Tree"]},
        {"name": "leaf", "type": {"type": "record", "name": "b.Leaf", "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["X"]}},
            {"name": "same", "type": "Kind"}]}},
        {"name": "last", "type": "b.Kind"}]}"#;
    let leaf = [0, 0];
    let value = [&[2, 0][..], &leaf, &[0], &leaf, &[0]].concat();
    let leaf = json!({"kind": "X", "same": "X"});
    let tree =
        json!({"left": {"left": null, "leaf": leaf, "last": "X"}, "leaf": leaf, "last": "X"});
    assert_eq!(read(schema, &value), tree);
}

#[test]
fn arrays_come_in_blocks_with_and_without_their_size() {
    let schema = r#"{"type": "array", "items": "int"}"#;
    assert_eq!(read(schema, &[2, 2, 3, 4, 4, 6, 0]), json!([1, 2, 3]));
    assert_eq!(read(schema, &[0]), json!([]));
}

#[test]
fn a_frame_before_a_value_is_skipped_only_if_it_is_there() {
    let schema = r#"{"type": "record", "name": "R", "fields": [{"name": "v", "type": "int"}]}"#;
    let mut decoder = AvroDecoder::from_schema(schema, Framing::Framed).unwrap();
    assert_eq!(decode(&mut decoder, &framed(9, &[&[4]])).unwrap(), json!({"v": 2}));
    let error = decode(&mut decoder, &[4]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Poison);
    assert_eq!(error.reason, "the value has no schema id: it begins with the byte 4, not with 0");
    // Zero is also the first byte of a bare value.
    assert_eq!(read(schema, &[0]), json!({"v": 0}));
}

#[test]
fn wrong_values_are_refused_with_the_reason() {
    for (schema, value, reason) in [
        (r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0x7f][..], "an `int` has more than 32 bits"),
        (r#""int""#, &[2, 2], "1 bytes are left after the value: its schema is another"),
        (r#""int""#, &[], "the value is cut off: 1 bytes expected, 0 are left"),
        (r#""string""#, &[1], "a length is negative"),
        (r#""string""#, &[2, 0xff], "a text is not valid UTF-8"),
        (r#""boolean""#, &[2], "the byte 2 is not a boolean"),
        (r#"["null"]"#, &[2], "a union has no such type"),
        (r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, &[1], "an enum has no such symbol"),
    ] {
        let mut decoder = AvroDecoder::from_schema(schema, Framing::Bare).unwrap();
        let error = decode(&mut decoder, value).unwrap_err();
        assert_eq!((error.kind, &*error.reason), (DecodeErrorKind::Poison, reason));
    }
}

#[test]
fn wrong_schemas_are_refused() {
    for schema in ["", "{}", "\"Order\"", r#"{"type": "array", "items": "Order"}"#] {
        AvroDecoder::from_schema(schema, Framing::Bare).unwrap_err();
    }
    let error = AvroDecoder::from_file("no/such.avsc".as_ref(), Framing::Bare).unwrap_err();
    assert!(error.to_string().starts_with("no/such.avsc: "), "{error}");
}

proptest! {
    /// The reader is held against the writer of `apache-avro`.
    #[test]
    fn what_apache_avro_writes_is_read(
        rows in prop::collection::vec(
            (any::<i64>(), any::<Option<String>>(), any::<f64>(), prop::collection::vec(any::<i32>(), 0..5)),
            0..20,
        )
    ) {
        let schema = r#"{"type": "array", "items": {"type": "record", "name": "R", "fields": [
            {"name": "a", "type": "long"},
            {"name": "b", "type": ["null", "string"]},
            {"name": "c", "type": "double"},
            {"name": "d", "type": {"type": "array", "items": "int"}}]}}"#;
        let text = |text: &Option<String>| match text {
            Some(text) => Avro::Union(1, Box::new(Avro::String(text.clone()))),
            None => Avro::Union(0, Box::new(Avro::Null)),
        };
        let row = |(a, b, c, d): &(i64, Option<String>, f64, Vec<i32>)| Avro::Record(vec![
            ("a".into(), Avro::Long(*a)),
            ("b".into(), text(b)),
            ("c".into(), Avro::Double(*c)),
            ("d".into(), Avro::Array(d.iter().copied().map(Avro::Int).collect())),
        ]);
        let expected = rows.iter().map(|(a, b, c, d)| json!({"a": a, "b": b, "c": c, "d": d}));
        let expected = Value::Array(expected.collect());
        let found = both(schema, Avro::Array(rows.iter().map(row).collect()));
        prop_assert_eq!(found, expected);
    }
}
