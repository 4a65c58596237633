//! The reading of JSON, held against `serde_json` with documents that are made up and damaged.

use std::fmt::Write as _;

use kleene::schema::{EventType, FieldId, Schema};
use kleene::value::Value;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::layout::Layouts;

/// Returns a parser for a type whose fields are all declared as `any`, and for an open type without
/// declared fields: both read the values as they stand in the text.
fn parser() -> JsonParser {
    let mut schema = Schema::new();
    let any = |name: &str| Field { name: name.into(), ty: FieldType::Any, optional: true };
    let fields = vec![any("a"), any("b.c"), any("b.d"), any("e")];
    schema.add(EventType { name: "closed".into(), fields, time: None, open: false });
    schema.add(EventType { name: "open".into(), fields: Vec::new(), time: None, open: true });
    let time = Field { name: "at".into(), ty: FieldType::Time, optional: true };
    let list = FieldType::List(Box::new(FieldType::Int));
    let typed = [FieldType::Int, FieldType::Float, FieldType::String, FieldType::Bool, list];
    let typed = ["i", "f", "s", "o", "l"].iter().zip(typed).map(|(name, ty)| Field {
        name: (*name).into(),
        ty,
        optional: true,
    });
    let fields = std::iter::once(time).chain(typed).collect();
    let time = Some(FieldId::new(0));
    schema.add(EventType { name: "typed".into(), fields, time, open: false });
    JsonParser::new(Layouts::new(&schema, Reading::default()))
}

/// Returns the value that `serde_json` has read, as Kleene has it.
fn converted(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::List(items.iter().map(converted).collect()),
        Json::Object(fields) => Value::Record(
            fields.iter().map(|(name, value)| (name.as_str().into(), converted(value))).collect(),
        ),
    }
}

/// Bits and all: `-0.0` is not `0.0` here.
fn spelled(value: &Value) -> String {
    format!("{value:?}")
}

/// The fields of an object in the order of their names, as `serde_json` has them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Record(fields) => {
            let mut fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            // Of fields that are given twice it keeps the last.
            let mut kept: Vec<(Arc<str>, Value)> = Vec::new();
            for field in fields {
                match kept.last_mut() {
                    Some(last) if last.0 == field.0 => *last = field,
                    _ => kept.push(field),
                }
            }
            Value::Record(kept.into())
        }
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Holds what is read of a line against what `serde_json` makes of it.
fn check(parser: &mut JsonParser, line: &str) -> Result<(), TestCaseError> {
    let ours = parser.parse(line);
    let theirs = serde_json::from_str::<Json>(line);
    match (&ours, &theirs) {
        (Ok(None), Err(error)) => {
            // Of unknown types everything is skipped, and what is skipped need not fit into memory.
            let text = error.to_string();
            let lenient = ["number out of range", "surrogate", "recursion limit", "hex escape"];
            prop_assert!(lenient.iter().any(|what| text.contains(what)), "{line}: {text}");
        }
        (Ok(Some(event)), Err(error)) => {
            // So it is with what no rule declares.
            prop_assert!(event.extra().is_empty(), "{line}: {error}");
            let text = error.to_string();
            let lenient = ["number out of range", "surrogate", "recursion limit", "hex escape"];
            prop_assert!(lenient.iter().any(|what| text.contains(what)), "{line}: {text}");
        }
        (Err(reason), Ok(_)) => {
            prop_assert!(!reason.starts_with("not JSON"), "{line}: {reason}");
        }
        (Err(reason), Err(_)) => prop_assert!(!reason.is_empty()),
        (Ok(_), Ok(Json::Object(fields))) => {
            prop_assert!(fields.get("type").is_some_and(Json::is_string), "{line}");
            if let Ok(Some(event)) = &ours {
                let at = |path: &[&str]| {
                    let mut value = fields.get(path[0]);
                    for name in &path[1..] {
                        value = value.and_then(|value| value.get(name));
                    }
                    value.map_or(Value::Null, converted)
                };
                if event.values().len() == 4 {
                    let paths: [&[&str]; 4] = [&["a"], &["b", "c"], &["b", "d"], &["e"]];
                    // Two objects of one name add up, for `serde_json` the second one counts.
                    let is_twice = line.matches("\"b\"").count() > 1;
                    for (value, path) in event.values().iter().zip(paths) {
                        if is_twice && path[0] == "b" {
                            continue;
                        }
                        let theirs = sorted(&at(path));
                        prop_assert_eq!(spelled(&sorted(value)), spelled(&theirs), "{}", line);
                    }
                } else if event.values().is_empty() {
                    let ours = sorted(&Value::Record(event.extra().into()));
                    let mut theirs = fields.clone();
                    theirs.retain(|name, _| !["type", "ts"].contains(&name.as_str()));
                    prop_assert_eq!(
                        spelled(&ours),
                        spelled(&sorted(&converted(&Json::Object(theirs))))
                    );
                }
            }
        }
        (Ok(_), Ok(_)) => prop_assert!(false, "{line} is no object"),
    }
    Ok(())
}

/// Text with all that JSON has to escape, and characters of each length.
fn text() -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        8 => proptest::char::range('a', 'z'),
        1 => proptest::sample::select(vec!['"', '\\', '/', '\n', '\u{0}', '\u{1f}', '\u{7f}']),
        1 => proptest::sample::select(vec!['\u{e9}', '\u{20ac}', '\u{1f600}', '\u{ffff}']),
    ];
    proptest::collection::vec(characters, 0..20).prop_map(String::from_iter)
}

/// A string as JSON may spell it: any character may be escaped.
fn spelled_text() -> impl Strategy<Value = String> {
    (text(), any::<u32>()).prop_map(|(text, mut escape)| {
        let mut spelled = String::from("\"");
        for character in text.chars() {
            escape = escape.rotate_left(5).wrapping_mul(0x9e37_79b9);
            if escape % 5 == 0 {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(spelled, "\\u{unit:04X}").unwrap();
                }
            } else {
                let quoted = Json::String(character.to_string()).to_string();
                spelled.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        spelled + "\""
    })
}

fn number() -> impl Strategy<Value = String> {
    let edges = [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "1e400",
        "1e-400",
        "1e308",
        "1.7976931348623158e308",
        "5e-324",
        "2.2250738585072011e-308",
        "1E+2",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "9007199254740993",
        "9007199254740993.0",
        "0.1",
        "123456789.125",
        "1234567890123456",
        "123456789012345.6",
        "0.30000000000000004",
        "NaN",
        "Infinity",
        "0e0",
    ];
    prop_oneof![
        proptest::sample::select(edges.to_vec()).prop_map(String::from),
        any::<i64>().prop_map(|number| number.to_string()),
        (-1000_i64..1000).prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        "-?[0-9]{1,17}\\.[0-9]{1,17}",
        "-?[0-9]{1,25}(e[+-]?[0-9]{1,3})?",
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 2 => Just(" "), 1 => Just("\t\r "), 1 => Just("\u{a0}")]
}

/// Any value, mostly a valid one.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        spelled_text(),
        proptest::sample::select(vec!["true", "false", "null", "nul", "True", ""])
            .prop_map(String::from),
        proptest::sample::select(vec![
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\x\""
        ])
        .prop_map(String::from),
        (100..140_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => proptest::sample::select(vec!["a", "b", "c", "d", "e", "i", "f", "s", "o", "l", "at"])
            .prop_map(|name| format!("\"{name}\"")),
        1 => Just(String::from("\"\\u0061\"")),
        1 => spelled_text(),
    ];
    proptest::collection::vec((space(), name, space(), value, space()), 0..6).prop_map(|fields| {
        let fields =
            fields.iter().map(|(s, name, t, value, u)| format!("{s}{name}{t}:{t}{value}{u}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    })
}

/// A line with a type and a time at any place among its fields.
fn line() -> impl Strategy<Value = String> {
    let ty = proptest::sample::select(vec!["closed", "open", "typed", "other", "typ\\u0065d"]);
    (object(any_value()), ty, any::<bool>(), any::<bool>()).prop_map(
        |(object, ty, first, timed)| {
            let inner = object[1..object.len() - 1].to_owned();
            let ty = format!("\"type\":\"{ty}\"");
            let time = if timed { "\"ts\":1" } else { "\"ts\":\"2024-05-01T10:00:00Z\"" };
            let parts = if first { [ty, time.into(), inner] } else { [time.into(), inner, ty] };
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("{{{}}}", parts.join(","))
        },
    )
}

/// Changes of bytes: where, and what to put there (nothing: take away).
fn damage() -> impl Strategy<Value = Vec<(usize, Option<u8>)>> {
    let bytes = proptest::sample::select(b"\"\\{}[],:0-e.+ntfu9 \x01\xc3".to_vec());
    proptest::collection::vec((any::<usize>(), proptest::option::of(bytes)), 0..3)
}

/// The reading of `line`, as text.
fn read(line: &str) -> String {
    format!("{:?}", parser().parse(line))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_number_in_quotes_is_the_number(
        number in number(),
        name in proptest::sample::select(vec!["i", "f"]),
    ) {
        let spelled = |value: &str| format!(r#"{{"type":"typed","ts":1,"{name}":{value}}}"#);
        let plain = parser().parse(&spelled(&number));
        let quoted = parser().parse(&spelled(&format!("\"{number}\"")));
        match plain {
            Ok(plain) => prop_assert_eq!(format!("{:?}", plain), format!("{:?}", quoted.unwrap())),
            // `01`, `+1` and `.5` are numbers in text, but not in JSON.
            Err(reason) => prop_assert!(quoted.is_err() || reason.starts_with("not JSON")),
        }
        // A text stays one if a text or nothing is declared.
        let text = spelled(&format!("\"{number}\"")).replace(&format!("\"{name}\""), "\"s\"");
        prop_assert!(read(&text).contains(&format!("{number:?}")), "{}", read(&text));
    }

    #[test]
    fn lines_are_read_as_serde_json_reads_them(
        lines in proptest::collection::vec((line(), damage()), 1..4),
    ) {
        // One parser for all: what it guesses from one line must not show in the next.
        let mut parser = parser();
        for (line, damage) in lines {
            let mut bytes = line.into_bytes();
            for (at, byte) in damage {
                let at = at % bytes.len().max(1);
                match byte {
                    Some(byte) if at < bytes.len() => bytes[at] = byte,
                    None if at < bytes.len() => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            if let Ok(line) = String::from_utf8(bytes) {
                check(&mut parser, &line)?;
            }
        }
    }
}
