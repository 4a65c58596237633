//! Values, times and events through serde.
#![cfg(feature = "serde")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kleene::schema::{EventType, Field, FieldType, Schema};
use kleene::{Record, Timestamp, Value};
use serde_test::{Compact, Configure as _, Token, assert_de_tokens_error, assert_tokens};

fn list(items: impl Into<Arc<[Value]>>) -> Value {
    Value::List(items.into())
}

fn record<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

#[test]
fn values_are_what_json_would_have() {
    let time = Value::Time(Timestamp::from_millis(250));
    let ip = Value::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let cases = [
        (Value::Null, "null", Value::Null),
        (true.into(), "true", true.into()),
        (i64::MIN.into(), "-9223372036854775808", i64::MIN.into()),
        (1.5.into(), "1.5", 1.5.into()),
        (f64::NAN.into(), "null", Value::Null),
        ("a\"b".into(), r#""a\"b""#, "a\"b".into()),
        (time, r#""1970-01-01T00:00:00.250Z""#, "1970-01-01T00:00:00.250Z".into()),
        (Value::Duration(5_400_000), r#""1h30m""#, "1h30m".into()),
        (ip, r#""127.0.0.1""#, "127.0.0.1".into()),
        (list([1.into(), Value::Null]), "[1,null]", list([1.into(), Value::Null])),
        (
            record([("b", list([])), ("a", record([]))]),
            r#"{"b":[],"a":{}}"#,
            record([("b", list([])), ("a", record([]))]),
        ),
    ];
    for (value, json, back) in cases {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<Value>(json).unwrap(), back, "{json}");
    }
    let big: Value = serde_json::from_str("18446744073709551615").unwrap();
    assert_eq!(big, Value::Float(18_446_744_073_709_551_615.0));
}

#[test]
fn formats_that_nobody_reads_keep_every_type() {
    let variant = |name| Token::NewtypeVariant { name: "Value", variant: name };
    let cases: [(Value, &[Token]); 6] = [
        (Value::Null, &[Token::UnitVariant { name: "Value", variant: "Null" }]),
        (Value::Int(7), &[variant("Int"), Token::I64(7)]),
        (Value::Duration(7), &[variant("Duration"), Token::I64(7)]),
        (Value::Time(Timestamp::from_millis(-7)), &[variant("Time"), Token::I64(-7)]),
        ("a".into(), &[variant("String"), Token::Str("a")]),
        (
            list([record([("a", 1.5.into())])]),
            &[
                variant("List"),
                Token::Seq { len: Some(1) },
                variant("Record"),
                Token::Seq { len: Some(1) },
                Token::Tuple { len: 2 },
                Token::Str("a"),
                variant("Float"),
                Token::F64(1.5),
                Token::TupleEnd,
                Token::SeqEnd,
                Token::SeqEnd,
            ],
        ),
    ];
    for (value, tokens) in cases {
        assert_tokens(&value.compact(), tokens);
    }
}

#[test]
fn times_are_read_from_text_and_from_milliseconds() {
    let read = |json| serde_json::from_str::<Timestamp>(json).map(Timestamp::as_millis);
    assert_eq!(read(r#""1970-01-01T01:00:01+01:00""#).unwrap(), 1000);
    assert_eq!(read("-5").unwrap(), -5);
    for (json, message) in [
        ("18446744073709551615", "expected a time in RFC 3339 or milliseconds since 1970"),
        (r#""noon""#, "invalid value: string \"noon\""),
        ("true", "invalid type: boolean `true`"),
    ] {
        let error = read(json).unwrap_err().to_string();
        assert!(error.contains(message), "{json}: {error}");
    }
    assert_de_tokens_error::<Compact<Timestamp>>(
        &[Token::Bool(true)],
        "invalid type: boolean `true`, expected i64",
    );
}

fn schema() -> Schema {
    let field = |name: &str, ty| Field { name: name.into(), ty, optional: true };
    let mut schema = Schema::new();
    let fields = vec![
        field("id", FieldType::String),
        field("from.city", FieldType::String),
        field("from.place.lat", FieldType::Float),
        field("at", FieldType::Time),
        field("from.zip", FieldType::String),
        field("to.city", FieldType::String),
        field("to.zip", FieldType::String),
        field("at.zone", FieldType::String),
    ];
    schema.add(EventType { name: "parcel".into(), fields, time: None, open: true });
    schema
}

#[test]
fn records_nest_what_is_dotted() {
    let schema = schema();
    let ty = schema.type_id("parcel").unwrap();
    let at = Timestamp::from_millis(0);
    let values = ["p".into(), "Oslo".into(), 1.5.into(), Value::Time(at), Value::Null, Value::Null];
    let extra = [("tags".into(), list(["x".into()]))];
    let parcel = Record::with_extra(ty, at, values, extra);
    assert_eq!(
        serde_json::to_string(&parcel.serialize_with(&schema)).unwrap(),
        r#"{"id":"p","from":{"city":"Oslo","place":{"lat":1.5},"zip":null},"#.to_owned()
            + r#""at":"1970-01-01T00:00:00Z","to":null,"at.zone":null,"tags":["x"]}"#
    );
    let other = Record::new(kleene::schema::TypeId::new(7), at, []);
    assert_eq!(serde_json::to_string(&other.serialize_with(&schema)).unwrap(), "{}");
}

#[cfg(feature = "derive")]
#[test]
fn derived_events_serialise_by_their_own_schema() {
    use kleene::event::SerializeEvent;
    use kleene::{Event, Fields};

    #[derive(Clone, Fields)]
    struct Place {
        lat: f64,
    }

    #[derive(Clone, Event)]
    struct Scan<'a> {
        id: &'a str,
        #[event(nested)]
        place: Option<Place>,
        #[event(time)]
        at: i64,
    }

    let schema = Scan::schema().unwrap();
    let json =
        |scan: &Scan<'_>| serde_json::to_string(&SerializeEvent::new(scan, &schema)).unwrap();
    assert_eq!(
        json(&Scan { id: "a", place: Some(Place { lat: 1.0 }), at: 1 }),
        r#"{"id":"a","place":{"lat":1.0},"at":"1970-01-01T00:00:00.001Z"}"#
    );
    assert_eq!(
        json(&Scan { id: "b", place: None, at: 0 }),
        r#"{"id":"b","place":null,"at":"1970-01-01T00:00:00Z"}"#
    );
}

mod decoded {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Low,
        High,
        Custom(i64),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Place(String);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Alert {
        user: String,
        tries: u8,
        share: f64,
        level: Level,
        custom: Level,
        from: IpAddr,
        place: Place,
        note: Option<String>,
        absent: Option<i64>,
        took: Duration,
        took_ms: u64,
        took_text: String,
        at: Timestamp,
        seen: SystemTime,
        at_ms: i64,
        amounts: Vec<f64>,
        labels: BTreeMap<String, Value>,
        #[serde(default)]
        more: bool,
    }

    fn emitted() -> Vec<(&'static str, Value)> {
        let at = Value::Time(Timestamp::from_millis(1500));
        let took = Value::Duration(90_250);
        vec![
            ("user", "ann".into()),
            ("tries", 3.into()),
            ("share", 0.5.into()),
            ("level", "high".into()),
            ("custom", record([("custom", 7.into())])),
            ("from", Value::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            ("place", "Oslo".into()),
            ("note", "x".into()),
            ("absent", Value::Null),
            ("took", took.clone()),
            ("took_ms", took.clone()),
            ("took_text", took),
            ("at", at.clone()),
            ("seen", at.clone()),
            ("at_ms", at),
            ("amounts", list([1.into(), 2.5.into()])),
            ("labels", record([("env", "prod".into())])),
            ("unknown", true.into()),
        ]
    }

    fn decode(fields: Vec<(&'static str, Value)>) -> Result<Alert, String> {
        let fields = fields.into_iter().map(|(name, value)| (Arc::from(name), value));
        Value::Record(fields.collect()).decode().map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_rule_emits_becomes_a_struct() {
        let alert = decode(emitted()).unwrap();
        let expected = Alert {
            user: "ann".into(),
            tries: 3,
            share: 0.5,
            level: Level::High,
            custom: Level::Custom(7),
            from: IpAddr::V4(Ipv4Addr::LOCALHOST),
            place: Place("Oslo".into()),
            note: Some("x".into()),
            absent: None,
            took: Duration::from_millis(90_250),
            took_ms: 90_250,
            took_text: "1m30s250ms".into(),
            at: Timestamp::from_millis(1500),
            seen: SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
            at_ms: 1500,
            amounts: vec![1.0, 2.5],
            labels: [("env".to_owned(), "prod".into())].into(),
            more: false,
        };
        assert_eq!(alert, expected);
        assert_eq!("low".to_owned(), Value::from("low").decode::<String>().unwrap());
        assert_eq!(Value::from("low").decode(), Ok(Level::Low));
    }

    #[test]
    fn an_error_names_the_field() {
        let with = |name: &'static str, value: Value| {
            let mut fields = emitted();
            fields.retain(|(other, _)| *other != name);
            fields.push((name, value));
            decode(fields).unwrap_err()
        };
        for (error, expected) in [
            (with("tries", 300.into()), "`tries`: invalid value: integer `300`, expected u8"),
            (with("user", 1.into()), "`user`: invalid type: integer `1`, expected a string"),
            (with("user", Value::Null), "`user`: invalid type: unit value, expected a string"),
            (with("level", "dire".into()), "`level`: unknown variant `dire`"),
            (with("took", Value::Duration(-1)), "`took`: -1 ms is before 0"),
            (with("amounts", list(["x".into()])), "`amounts`: invalid type: string \"x\""),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
        let fields = emitted().into_iter().filter(|(name, _)| *name != "user").collect();
        assert_eq!(decode(fields).unwrap_err(), "missing field `user`");
        assert!(Value::Null.decode::<Alert>().is_err(), "a rule without `emit`");
    }
}
