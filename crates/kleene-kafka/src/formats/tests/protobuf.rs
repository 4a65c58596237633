use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, Value as Field};
use serde_json::{Value, json};

use super::super::{DecodeErrorKind, Framing, ProtobufDecoder};
use super::{decode, framed};

/// Compiles a file as `protoc --include_imports --descriptor_set_out` does.
pub(super) fn descriptors(text: &str) -> Vec<u8> {
    use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
    struct One(String);
    impl FileResolver for One {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            match name {
                "t.proto" => File::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(One(text.to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file("t.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// Fills a message with `fill`, and returns its JSON.
fn both(file: &[u8], message: &str, fill: impl FnOnce(&mut DynamicMessage)) -> Value {
    let pool = DescriptorPool::decode(file).unwrap();
    let mut filled = DynamicMessage::new(pool.get_message_by_name(message).unwrap());
    fill(&mut filled);
    let mut decoder = ProtobufDecoder::from_descriptors(file, message, Framing::Bare).unwrap();
    decode(&mut decoder, &filled.encode_to_vec()).unwrap()
}

const ORDER: &str = r#"syntax = "proto3"; package shop;
    message Order {
        int64 order_id = 1; uint64 big = 2; int32 count = 3; double amount = 4; float rate = 5;
        bool paid = 6; string note = 7; bytes raw = 8; State state = 9;
        repeated sint32 parts = 10; map<string, int64> rates = 11; map<int32, Line> lines = 12;
        Line line = 13; repeated Line all = 14; optional int32 maybe = 15;
        oneof payment { string card = 16; int64 cash = 17; }
        fixed64 fixed = 18; map<bool, State> flags = 19;
    }
    enum State { NEW = 0; OLD = 1; }
    message Line { string item_name = 1 [json_name = "other"]; }"#;

#[test]
fn a_message_becomes_an_object() {
    let file = descriptors(ORDER);
    let line = {
        let pool = DescriptorPool::decode(&*file).unwrap();
        let mut line = DynamicMessage::new(pool.get_message_by_name("shop.Line").unwrap());
        line.set_field_by_name("item_name", Field::String("pen".into()));
        line
    };
    let found = both(&file, "shop.Order", |order| {
        let mut set = |name, value| order.set_field_by_name(name, value);
        set("order_id", Field::I64(i64::MIN));
        set("big", Field::U64(u64::MAX));
        set("count", Field::I32(-3));
        set("amount", Field::F64(f64::NAN));
        set("rate", Field::F32(0.1));
        set("paid", Field::Bool(true));
        set("note", Field::String("a\n\"b\u{e9}".into()));
        set("raw", Field::Bytes(vec![0, 255, 16].into()));
        set("state", Field::EnumNumber(1));
        set("parts", Field::List(vec![Field::I32(1), Field::I32(-2)]));
        let rate = |key: &str, rate| (MapKey::String(key.into()), Field::I64(rate));
        set("rates", Field::Map([rate("b", 2), rate("a", 1)].into()));
        set("lines", Field::Map([(MapKey::I32(-7), Field::Message(line.clone()))].into()));
        set("line", Field::Message(line.clone()));
        set("all", Field::List(vec![Field::Message(line.clone())]));
        set("maybe", Field::I32(0));
        set("cash", Field::I64(0));
        set("flags", Field::Map([(MapKey::Bool(true), Field::EnumNumber(5))].into()));
    });
    let line = json!({"item_name": "pen"});
    let expected = json!({
        "order_id": i64::MIN, "big": u64::MAX, "count": -3, "amount": null, "rate": 0.1,
        "paid": true, "note": "a\n\"b\u{e9}", "raw": "AP8Q", "state": "OLD", "parts": [1, -2],
        "rates": {"a": 1, "b": 2}, "lines": {"-7": line}, "line": line, "all": [line],
        "maybe": 0, "cash": 0, "fixed": 0, "flags": {"true": 5},
    });
    assert_eq!(found, expected);
}

#[test]
fn fields_without_a_value_have_their_default() {
    let found = both(&descriptors(ORDER), "shop.Order", |_| {});
    let expected = json!({
        "order_id": 0, "big": 0, "count": 0, "amount": 0.0, "rate": 0.0, "paid": false, "note": "",
        "raw": "", "state": "NEW", "parts": [], "rates": {}, "lines": {}, "all": [], "fixed": 0,
        "flags": {},
    });
    assert_eq!(found, expected);
}

#[test]
fn well_known_messages_are_values() {
    let file = descriptors(
        r#"syntax = "proto3"; package t;
        import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
        import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
        import "google/protobuf/any.proto"; import "google/protobuf/empty.proto";
        message M {
            google.protobuf.Timestamp at = 1; google.protobuf.Duration span = 2;
            google.protobuf.Int64Value number = 3; google.protobuf.StringValue text = 4;
            google.protobuf.Struct object = 5; google.protobuf.Value value = 6;
            google.protobuf.Any any = 7; google.protobuf.Empty empty = 8;
            google.protobuf.BytesValue raw = 9; google.protobuf.NullValue none = 10;
            repeated google.protobuf.Duration spans = 11; google.protobuf.Timestamp never = 12;
        }"#,
    );
    let pool = DescriptorPool::decode(&*file).unwrap();
    let new = |name: &str| {
        DynamicMessage::new(pool.get_message_by_name(&format!("google.protobuf.{name}")).unwrap())
    };
    let of = |name: &str, fields: &[(&str, Field)]| {
        let mut message = new(name);
        for (name, value) in fields {
            message.set_field_by_name(name, value.clone());
        }
        Field::Message(message)
    };
    let time = |name, seconds, nanos| {
        of(name, &[("seconds", Field::I64(seconds)), ("nanos", Field::I32(nanos))])
    };
    let null = of("Value", &[("null_value", Field::EnumNumber(0))]);
    let one = of("Value", &[("number_value", Field::F64(1.5))]);
    let list = of("ListValue", &[("values", Field::List(vec![null, one, of("Value", &[])]))]);
    let list = of("Value", &[("list_value", list)]);
    let text = of("Value", &[("string_value", Field::String("x".into()))]);
    let object =
        of("Struct", &[("fields", Field::Map([(MapKey::String("a".into()), list)].into()))]);
    let found = both(&file, "t.M", |message| {
        let mut set = |name, value| message.set_field_by_name(name, value);
        set("at", time("Timestamp", 1_709_210_096, 120_000_000));
        set("span", time("Duration", 2, 500_000_000));
        set("number", of("Int64Value", &[("value", Field::I64(7))]));
        set("text", of("StringValue", &[]));
        set("object", object);
        set("value", text);
        set("any", of("Any", &[("type_url", Field::String("u".into()))]));
        set("empty", of("Empty", &[]));
        set("raw", of("BytesValue", &[("value", Field::Bytes(vec![1].into()))]));
        set("spans", Field::List(vec![time("Duration", -1, -1), time("Duration", 0, 1_500_000)]));
        set("never", time("Timestamp", i64::MAX, 0));
    });
    let expected = json!({
        "at": "2024-02-29T12:34:56.120Z", "span": 2500, "number": 7, "text": "",
        "object": {"a": [null, 1.5, null]}, "value": "x", "any": {"type_url": "u", "value": ""},
        "empty": {}, "raw": "AQ==", "none": null, "spans": [-1_000.000_001, 1.5], "never": null,
    });
    assert_eq!(found, expected);
}

#[test]
fn unknown_fields_are_left_out_and_old_syntax_is_read() {
    let file = descriptors(
        r#"syntax = "proto2"; package t;
        message M { required int32 a = 1; optional int32 b = 2 [default = 5]; extensions 100 to 200;
            optional group G = 3 { optional int32 c = 1; } }"#,
    );
    let mut decoder = ProtobufDecoder::from_descriptors(&file, "t.M", Framing::Bare).unwrap();
    // The field 1, the fields 9 and 100, and the group 3.
    let value = [8, 1, 0x48, 3, 0xa0, 6, 1, 0x1b, 8, 2, 0x1c];
    assert_eq!(decode(&mut decoder, &value).unwrap(), json!({"a": 1, "g": {"c": 2}}));
}

#[test]
fn a_frame_before_a_message_is_skipped_only_if_it_is_there() {
    let file = descriptors("syntax = \"proto3\"; package t; message M { int32 a = 1; }");
    let mut decoder = ProtobufDecoder::from_descriptors(&file, "t.M", Framing::Framed).unwrap();
    let short = framed(3, &[&[0], &[8, 5]]);
    assert_eq!(decode(&mut decoder, &short).unwrap(), json!({"a": 5}));
    let long = framed(3, &[&[4, 2, 0], &[8, 5]]);
    assert_eq!(decode(&mut decoder, &long).unwrap(), json!({"a": 5}));
    assert_eq!(decode(&mut decoder, &[8, 5]).unwrap_err().kind, DecodeErrorKind::Poison);
    let mut decoder = ProtobufDecoder::from_descriptors(&file, "t.M", Framing::Bare).unwrap();
    assert_eq!(decode(&mut decoder, &[8, 5]).unwrap(), json!({"a": 5}));
    assert_eq!(decode(&mut decoder, &[8]).unwrap_err().kind, DecodeErrorKind::Poison);
}

#[test]
fn wrong_descriptors_are_refused() {
    let new =
        |file: &[u8], message| ProtobufDecoder::from_descriptors(file, message, Framing::Bare);
    let file = descriptors("syntax = \"proto3\"; package t; message M { int32 a = 1; }");
    assert_eq!(new(&file, "M").unwrap_err().to_string(), "there is no message M");
    let error = new(b"syntax", "M").unwrap_err().to_string();
    assert!(error.contains("protoc --include_imports"), "{error}");
}
