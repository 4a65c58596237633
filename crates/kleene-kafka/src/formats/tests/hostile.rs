//! Values that nobody should send.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{AvroDecoder, DecodeErrorKind, Framing, ProtobufDecoder, ValueDecoder};
use super::decode;
use super::protobuf::descriptors;

const AVRO: &str = r#"{"type": "record", "name": "Node", "fields": [
    {"name": "next", "type": ["null", "Node"]},
    {"name": "items", "type": {"type": "array", "items": ["int", "string", "bytes", "double"]}},
    {"name": "map", "type": {"type": "map", "values": ["Node", "boolean"]}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
    {"name": "big", "type": {"type": "bytes", "logicalType": "big-decimal"}},
    {"name": "kind", "type": {"type": "enum", "name": "Colour", "symbols": ["A", "B"]}},
    {"name": "span", "type": {"type": "fixed", "name": "Span", "size": 12, "logicalType": "duration"}}]}"#;

fn avro(schema: &str) -> AvroDecoder {
    AvroDecoder::from_schema(schema, Framing::Bare).unwrap()
}

fn poison(decoder: &mut dyn ValueDecoder, value: &[u8]) -> String {
    let start = Instant::now();
    let error = decode(decoder, value).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(error.kind, DecodeErrorKind::Poison);
    error.reason
}

#[test]
fn deep_values_do_not_overflow_the_stack() {
    // A list of a million nodes, each within the one before.
    let value = vec![2; 1_000_000];
    assert_eq!(poison(&mut avro(AVRO), &value), "the value is nested deeper than 64");
    let schema = r#"{"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}"#;
    assert_eq!(poison(&mut avro(schema), b""), "the value is nested deeper than 64");
    let mut value = Vec::new();
    for _ in 0..10_000 {
        // Field 1, with the length of what is within.
        let mut length = value.len();
        let mut outer = vec![0x0a];
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        outer.append(&mut value);
        value = outer;
    }
    let mut decoder = protobuf("t.Node");
    assert!(poison(&mut decoder, &value).contains("recursion limit"));
    // `prost` allows 100 levels.
    let value = nested(80);
    assert_eq!(poison(&mut decoder, &value), "the value is nested deeper than 64");
    decode(&mut decoder, &nested(60)).unwrap();
}

/// Messages within each other.
fn nested(depth: u8) -> Vec<u8> {
    let mut value: Vec<u8> = Vec::new();
    for _ in 0..depth {
        let length = u8::try_from(value.len()).unwrap();
        let mut outer = if length < 0x80 { vec![0x0a, length] } else { vec![0x0a, length, 1] };
        outer.append(&mut value);
        value = outer;
    }
    value
}

#[test]
fn huge_lengths_reserve_no_memory() {
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    for schema in [r#""string""#, r#""bytes""#] {
        assert!(poison(&mut avro(schema), &huge).starts_with("the value is cut off"));
    }
    for schema in [r#"{"type": "array", "items": "int"}"#, r#"{"type": "map", "values": "int"}"#] {
        assert!(poison(&mut avro(schema), &huge).starts_with("the value is cut off"));
    }
    let fixed = r#"{"type": "fixed", "name": "F", "size": 1000000000000}"#;
    assert!(poison(&mut avro(fixed), &[0; 10]).starts_with("the value is cut off"));
}

#[test]
fn few_bytes_do_not_become_endless_json() {
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let reason = "the value would be more than 64 MiB of JSON";
    let nulls = r#"{"type": "array", "items": "null"}"#;
    assert_eq!(poison(&mut avro(nulls), &huge), reason);
    let empty = r#"{"type": "array", "items": {"type": "record", "name": "E", "fields": []}}"#;
    assert_eq!(poison(&mut avro(empty), &huge), reason);
    // Each of these records has two of the one before: 2^40 in all, in no byte.
    let mut schema = String::from(r#""null""#);
    for level in 0..40 {
        schema = format!(
            r#"{{"type": "record", "name": "R{level}", "fields": [{{"name": "a", "type": {schema}}},
               {{"name": "b", "type": "{}"}}]}}"#,
            if level == 0 { String::from("null") } else { format!("R{}", level - 1) }
        );
    }
    assert_eq!(poison(&mut avro(&schema), b""), reason);
    // Empty messages, each of which has many fields with their defaults.
    let value = [0x12, 0].repeat(2_000_000);
    assert_eq!(poison(&mut protobuf("t.Wide"), &value), reason);
}

fn protobuf(message: &str) -> ProtobufDecoder {
    let fields = (3..100).map(|n| format!("string a_field_without_a_value_{n} = {n};"));
    let fields: String = fields.collect();
    let file = descriptors(&format!(
        "syntax = \"proto3\"; package t; \
         import \"google/protobuf/struct.proto\"; import \"google/protobuf/timestamp.proto\"; \
         import \"google/protobuf/duration.proto\"; \
         message Node {{ Node next = 1; repeated Node all = 2; map<string, Node> map = 3; \
           google.protobuf.Value value = 4; google.protobuf.Timestamp at = 5; \
           google.protobuf.Duration span = 6; repeated int64 numbers = 7; double d = 8; \
           Colour kind = 9; bytes raw = 10; string text = 11; }} \
         enum Colour {{ A = 0; B = 1; }} \
         message Wide {{ repeated Fields all = 2; }} message Fields {{ {fields} }}"
    ));
    ProtobufDecoder::from_descriptors(&file, message, Framing::Bare).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for mut decoder in [
            Box::new(avro(AVRO)) as Box<dyn ValueDecoder>,
            Box::new(AvroDecoder::from_schema(AVRO, Framing::Framed).unwrap()),
        ] {
            let _ = decode(&mut *decoder, &bytes);
            // Bytes of few kinds go further.
            let small: Vec<u8> = bytes.iter().map(|byte| byte % 5).collect();
            let _ = decode(&mut *decoder, &small);
        }
    }
}

#[test]
fn arbitrary_messages_never_panic() {
    let mut decoder = protobuf("t.Node");
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    // Tags of the fields with short lengths.
    let small = prop::collection::vec(
        prop_oneof![(1_u8..12, 0_u8..3).prop_map(|(field, wire)| field << 3 | wire), 0_u8..8],
        0..100,
    );
    let config = ProptestConfig::with_cases(4000);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let decoder = std::cell::RefCell::new(&mut decoder);
    runner
        .run(&prop_oneof![bytes, small], |value| {
            let _ = decode(&mut **decoder.borrow_mut(), &value);
            Ok(())
        })
        .unwrap();
}
