//! The events that lines are read as, and the reports for lines that are no events.

use kleene::Event as _;
use kleene::schema::{EventType, FieldId, Schema};

use super::*;
use crate::layout::Reading;

fn schema() -> Schema {
    let field =
        |name: &str, ty: FieldType, optional: bool| Field { name: name.into(), ty, optional };
    let list = FieldType::List(Box::new(FieldType::String));
    let mut schema = Schema::new();
    let types = [
        EventType {
            name: "order".into(),
            fields: vec![
                field("id", FieldType::String, false),
                field("amount", FieldType::Float, true),
                field("n", FieldType::Int, true),
                field("at", FieldType::Time, false),
                field("addr.city", FieldType::String, true),
                field("addr.geo.zip", FieldType::Int, true),
                field("tags", list, true),
                field("from", FieldType::Ip, true),
                field("took", FieldType::Duration, true),
                field("ok", FieldType::Bool, true),
            ],
            time: Some(FieldId::new(3)),
            open: false,
        },
        EventType {
            name: "log".into(),
            fields: vec![field("http.status", FieldType::Int, false)],
            time: None,
            open: true,
        },
        EventType { name: "ping".into(), fields: Vec::new(), time: None, open: false },
    ];
    for ty in types {
        schema.add(ty).unwrap();
    }
    schema
}

fn parser() -> JsonParser {
    JsonParser::new(Layouts::new(&schema(), Reading::default()))
}

/// The event's time, values and extra fields, `unknown`, or the reason why it is none.
fn read(parser: &mut JsonParser, line: &str) -> String {
    match parser.parse(line) {
        Ok(None) => format!("unknown {}", parser.unknown()),
        Err(reason) => reason,
        Ok(Some(event)) => {
            let values = event.values().iter().map(ToString::to_string);
            let extra = event.extra().iter().map(|(name, value)| format!("{name}={value}"));
            let all: Vec<String> = values.chain(extra).collect();
            format!("{} {}", event.time().as_millis(), all.join(" "))
        }
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn lines_become_events_or_reasons() {
    let cases = [
        (
            r#"{"type":"order","id":"a","amount":2,"n":3.0,"at":5,"addr":{"city":"x","geo":{"zip":7}},"tags":["p","q"],"from":"1.2.3.4","took":"1m","ok":true}"#,
            r#"5 "a" 2.0 3 1970-01-01T00:00:00.005Z "x" 7 ["p", "q"] 1.2.3.4 1m true"#,
        ),
        (
            r#" { "other": [{"type": 5}], "at": "1970-01-01T00:00:01Z", "addr.city": "\u0041", "id": "\n", "type": "order" } "#,
            "1000 \"\\n\" null null 1970-01-01T00:00:01Z \"A\" null null null null null",
        ),
        (
            r#"{"type":"order","id":"a","ts":7,"amount":null,"addr":null}"#,
            r#"7 "a" null null 1970-01-01T00:00:00.007Z null null null null null null"#,
        ),
        (
            r#"{"type":"order","id":"a","ts":"garbage","at":7}"#,
            r#"7 "a" null null 1970-01-01T00:00:00.007Z null null null null null null"#,
        ),
        (
            r#"{"type":"log","http":{"status":200,"path":"/"},"a":{"b":[1,2.5,null]},"ts":1,"ok":false}"#,
            r#"1 200 http={ path: "/" } a={ b: [1, 2.5, null] } ok=false"#,
        ),
        (r#"{"type":"ping","ts":1473023700250}"#, "1473023700250 "),
        (r#"{"type":"pong","x":{}}"#, "unknown pong"),
        (r#"{"type":"pong","x":{}} x"#, "not JSON: trailing characters at column 24"),
        ("hello", "not JSON: expected value at column 1"),
        ("{", "not JSON: EOF while parsing an object at column 1"),
        ("5", "not an event: found integer 5, expected an object at column 1"),
        ("[1]", "not an event: found a list, expected an object at column 1"),
        (r#"{"a":1}"#, "no event type: missing field `type`"),
        (r#"{"type":5}"#, "field `type`: expected the event type, found the number 5"),
        (r#"{"type":["x"]}"#, "unknown x"),
        (r#"{"type":"ping","type":"ping","ts":1}"#, "field `type` is given twice"),
        (r#"{"type":"ping","ts":1,"ts":1}"#, "field `ts` is given twice"),
        (r#"{"type":"order","at":1}"#, "missing field `id`"),
        (
            r#"{"type":"order","at":1,"id":null}"#,
            "field `id` is null, and not declared as optional (`string?`)",
        ),
        (r#"{"type":"order","at":1,"id":"a","id":"b"}"#, "field `id` is given twice"),
        (r#"{"type":"order","at":1,"id":7}"#, "field `id`: expected string, found the number 7"),
        (r#"{"type":"order","at":1,"id":{"x":1}}"#, "field `id`: expected string, found an object"),
        (
            r#"{"type":"order","at":1,"id":"a","amount":"1,5"}"#,
            r#"field `amount`: expected float, found the text "1,5""#,
        ),
        (
            r#"{"type":"order","at":1,"id":"a","amount":""}"#,
            r#"field `amount`: expected float, found the text """#,
        ),
        (
            r#"{"type":"order","at":1,"id":"a","n":"9007199254740993.0"}"#,
            r#"field `n`: expected int, found the text "9007199254740993.0""#,
        ),
        (
            r#"{"type":"order","at":1,"id":"a","n":9223372036854775808}"#,
            "field `n`: 9.223372036854776e18 is out of range for int",
        ),
        (
            r#"{"type":"order","at":1,"id":"a","n":1.5}"#,
            "field `n`: expected int, found the number 1.5",
        ),
        (
            r#"{"type":"order","at":1,"id":"a","amount":1e999}"#,
            "not JSON: number out of range at column 46",
        ),
        (
            r#"{"type":"order","at":1,"id":"a","addr":"x"}"#,
            r#"field `addr`: expected an object, found the text "x""#,
        ),
        (
            r#"{"type":"order","at":1,"id":"a","tags":["x",null]}"#,
            "field `tags`: expected list<string>, the 2nd element: expected string, found null",
        ),
        (
            r#"{"type":"order","at":1,"id":"a","from":"300.1.1.1"}"#,
            r#"field `from`: expected an IP address, found the text "300.1.1.1""#,
        ),
        (r#"{"type":"order","id":"a"}"#, "no event time: neither `at` nor `ts` is given"),
        (r#"{"type":"ping"}"#, "no event time: missing field `ts`"),
        (
            r#"{"type":"ping","ts":"noon"}"#,
            "field `ts`: expected a time such as 2016-09-04T21:15:00Z or an epoch number, \
             found the text \"noon\"",
        ),
        (
            r#"{"type":"ping","ts":1473023700250000}"#,
            "field `ts`: 1473023700250000 milliseconds is out of range, the year is not \
             between 0 and 9999 (epoch microseconds? `--time-unit us`)",
        ),
        (
            r#"{"type":"ping","ts":1e18}"#,
            "field `ts`: 1000000000000000000 milliseconds is out of range, the year is not \
             between 0 and 9999 (epoch nanoseconds? `--time-unit ns`)",
        ),
        (
            r#"{"type":"ping","ts":9e18}"#,
            "field `ts`: 9000000000000000000 milliseconds is out of range, the year is not \
             between 0 and 9999 (is --time-unit right?)",
        ),
    ];
    let mut parser = parser();
    for (line, expected) in cases {
        assert_eq!(read(&mut parser, line), expected, "{line}");
    }
}

#[test]
fn numbers_and_bools_in_quotes_are_read_unless_it_is_strict() {
    let line = r#"{"type":"order","at":1,"id":"a","n":"-12","amount":"12.5","ok":"true"}"#;
    let read_as = r#"1 "a" 12.5 -12 1970-01-01T00:00:00.001Z null null null null null true"#;
    assert_eq!(read(&mut parser(), line), read_as);
    let reading = || Reading { is_strict: true, ..Reading::default() };
    let mut strict = JsonParser::new(Layouts::new(&schema(), reading()));
    assert_eq!(read(&mut strict, line), r#"field `n`: expected int, found the text "-12""#);
    // Times, durations and addresses are text in any case.
    let line = r#"{"type":"order","at":"1970-01-01","id":"a","took":"1m","from":"::1"}"#;
    assert_eq!(read(&mut strict, line), read(&mut parser(), line));

    let list = FieldType::List(Box::new(FieldType::Int));
    let spelling = |is_strict| Spelling { is_strict, ..Spelling::default() };
    let found = |is_strict| list_from_text(&list, r#"[1,"2"]"#, spelling(is_strict));
    assert_eq!(found(false).unwrap().to_string(), "[1, 2]");
    assert!(found(true).is_err());
}

#[test]
fn a_single_value_is_a_list_of_one_unless_it_is_strict() {
    let schema = kleene::RuleSet::parse(
        "event e { at: time, names: list<string>?, ns: list<int>?, rows: list<list<int>>? }",
    )
    .unwrap();
    let reading = |is_strict| Reading { is_strict, ..Reading::default() };
    let parser = |is_strict| JsonParser::new(Layouts::new(schema.schema(), reading(is_strict)));
    let cases = [
        (r#""names":"start""#, r#"["start"] null null"#),
        (r#""names":["start"]"#, r#"["start"] null null"#),
        (r#""names":null"#, "null null null"),
        (r#""names":"""#, r#"[""] null null"#),
        (r#""ns":7"#, "null [7] null"),
        (r#""ns":"7""#, "null [7] null"),
        (r#""rows":7"#, "null null [[7]]"),
        (r#""rows":[7,[8]]"#, "null null [[7], [8]]"),
        (r#""ns":"x""#, r#"field `ns`: expected list<int>, found the text "x""#),
        (r#""names":{}"#, "field `names`: expected list<string>, found an object"),
        (r#""names":true"#, "field `names`: expected list<string>, found true"),
    ];
    for (field, expected) in cases {
        let line = format!(r#"{{"type":"e","at":1,{field}}}"#);
        let read = read(&mut parser(false), &line);
        let read = read.strip_prefix("1 1970-01-01T00:00:00.001Z ").unwrap_or(&read);
        assert_eq!(read, expected, "{line}");
    }
    let line = r#"{"type":"e","at":1,"names":"start"}"#;
    let refused = r#"field `names`: expected list<string>, found the text "start""#;
    assert_eq!(read(&mut parser(true), line), refused);
}

#[test]
fn the_type_can_be_in_a_list() {
    let mut reading = parser().layouts.reading;
    reading.type_field = String::from("event.category");
    let cases = [
        (r#"["ping"]"#, "2 "),
        (r#"["ping","ping"]"#, "2 "),
        (r#"["session","ping"]"#, "2 "),
        (r#"["ping","session"]"#, "2 "),
        (r#"["host","session"]"#, "unknown host"),
        ("[]", "field `event.category`: expected the event type, found an empty list"),
        ("[7]", "field `event.category`: expected the event type, found the number 7 in a list"),
        (
            r#"[["ping"]]"#,
            "field `event.category`: expected the event type, found a list or an object in a list",
        ),
        (
            r#"["ping","order"]"#,
            "field `event.category`: `ping` and `order` are both declared, but an event has only \
             one type (with `--type`, all events have the same type)",
        ),
    ];
    let mut lists = JsonParser::new(Layouts::new(&schema(), reading.clone()));
    for (list, expected) in cases {
        for line in [
            format!(r#"{{"event":{{"category":{list}}},"ts":2}}"#),
            format!(r#"{{"event.category":{list},"ts":2}}"#),
        ] {
            assert_eq!(read(&mut lists, &line), expected, "{line}");
        }
    }
    reading.is_strict = true;
    let mut strict = JsonParser::new(Layouts::new(&schema(), reading));
    let line = r#"{"event":{"category":["ping"]},"ts":2}"#;
    let refused = "field `event.category`: expected the event type, found a list";
    assert_eq!(read(&mut strict, line), refused);
}

#[test]
fn deep_nesting_is_refused() {
    let mut parser = parser();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let line = format!(r#"{{"type":"log","http":{{"status":1}},"ts":1,"a":{value}}}"#);
        assert!(read(&mut parser, &line).starts_with("not JSON: recursion limit exceeded"));
    }
}

#[test]
fn type_and_time_can_be_nested_or_given() {
    let mut reading = parser().layouts.reading;
    reading.type_field = String::from("event.kind");
    reading.time_field = String::from("event.at");
    reading.prefers_time_field = true;
    let mut nested = JsonParser::new(Layouts::new(&schema(), reading.clone()));
    for line in [
        r#"{"event":{"at":3,"kind":"order"},"id":"a","at":9}"#,
        r#"{"id":"a","at":9,"event.at":3,"event":{},"event.kind":"order"}"#,
    ] {
        let expected = r#"3 "a" null null 1970-01-01T00:00:00.009Z null null null null null null"#;
        assert_eq!(read(&mut nested, line), expected);
    }
    assert_eq!(
        read(&mut nested, r#"{"event":5,"ts":1}"#),
        "no event type: missing field `event.kind`"
    );
    // The declared field does not take its place.
    for line in [
        r#"{"event":{"kind":"order"},"id":"a","at":9}"#,
        r#"{"event":{"at":null,"kind":"order"},"id":"a","at":9}"#,
    ] {
        assert_eq!(read(&mut nested, line), "no event time: missing field `event.at`");
    }
    reading.fixed_type = Some(String::from("ping"));
    let mut fixed = JsonParser::new(Layouts::new(&schema(), reading));
    assert_eq!(read(&mut fixed, r#"{"type":"order","event.at":3}"#), "3 ");
}
