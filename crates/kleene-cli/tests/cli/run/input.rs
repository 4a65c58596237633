//! Events as they are read: formats, bad lines, late events.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::json;

use super::{ORDERS, assert_orders_seen, shop, with_line};
use crate::common::Dir;

#[test]
fn bad_lines_are_reported_and_the_rest_is_processed() {
    let cases: [(&[u8], &str); 10] = [
        (b"garbage", "line 3: not JSON: expected value at column 1"),
        (
            br#"{"type":"created","ts":"2024-05-01T10:01:30Z","order_id":"x""#,
            "line 3: not JSON: EOF while parsing an object at column 60",
        ),
        (br#"{"type":"created","ts":"2024-05-01T10:01:30Z"}"#, "line 3: missing field `order_id`"),
        (
            br#"{"type":"created","ts":"2024-05-01T10:01:30Z","order_id":17}"#,
            "line 3: field `order_id`: expected string, found the number 17",
        ),
        (
            br#"{"type":"created","ts":"2024-05-01T10:01:30Z","order_id":"x","amount":"1,5"}"#,
            "line 3: field `amount`: expected float, found the text \"1,5\"",
        ),
        (br#"{"type":"created","order_id":"x"}"#, "line 3: no event time: missing field `ts`"),
        (
            br#"{"ts":"2024-05-01T10:01:30Z","order_id":"x"}"#,
            "line 3: no event type: missing field `type`",
        ),
        (
            b"{\"type\":\"created\",\"ts\":\"2024-05-01T10:01:30Z\",\"order_id\":\"\xff\"}",
            "line 3: not UTF-8 at column 59",
        ),
        (
            br#"{"type":"paid","ts":"2024-05-01T10:01:30Z","order_id":"a"} {}"#,
            "line 3: not JSON: trailing characters at column 60",
        ),
        (
            br#"{"type":"paid","ts":"2024-05-01T10:01:30Z","order_id":"a","order_id":"a"}"#,
            "line 3: field `order_id` is given twice",
        ),
    ];
    for (line, expected) in cases {
        let dir = shop("");
        dir.write("in.jsonl", &with_line(line));
        let ran = dir.run("run shop.cep --end-of-time --input in.jsonl");
        assert_orders_seen(&ran);
        assert_eq!((ran.count("events"), ran.count("rejected")), (4, 1), "{expected}");
        assert_eq!(ran.reported(), [expected]);
    }
}

#[test]
fn an_event_of_an_unknown_type_is_counted_and_no_error() {
    let line = br#"{"type":"delivered","ts":"2024-05-01T10:01:30Z"}"#;
    let ran = shop("").run_with("run shop.cep --end-of-time", &with_line(line));
    assert_orders_seen(&ran);
    assert_eq!((ran.count("events"), ran.count("unknown"), ran.count("rejected")), (5, 1, 0));
    assert_eq!(ran.reported(), [""; 0]);
    assert!(ran.stderr.contains("types that are not declared: delivered 1\n"), "{}", ran.stderr);
}

#[test]
fn an_event_an_hour_late_is_reported_and_the_rest_is_processed() {
    let line = br#"{"type":"paid","ts":"2024-05-01T09:01:00Z","order_id":"b"}"#;
    for (order, by) in [("", "1h"), ("--sorted", "1h"), ("--out-of-order 5s", "59m55s")] {
        let ran =
            shop("").run_with(&format!("run shop.cep --end-of-time {order}"), &with_line(line));
        assert_orders_seen(&ran);
        assert_eq!((ran.count("events"), ran.count("late")), (5, 1), "{order}");
        let expected =
            format!("line 3: late by {by}: its time 2024-05-01T09:01:00Z has passed already");
        assert_eq!(ran.reported(), [expected]);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
}

#[test]
fn events_out_of_order_within_the_bound_are_in_time() {
    let line = br#"{"type":"paid","ts":"2024-05-01T10:00:57Z","order_id":"z"}"#;
    let ran = shop("").run_with("run shop.cep --end-of-time --out-of-order 5s", &with_line(line));
    assert_orders_seen(&ran);
    assert_eq!(ran.count("late"), 0);
}

#[test]
fn a_line_of_ten_megabytes_is_skipped_without_being_held() {
    let mut line = br#"{"type":"paid","ts":"2024-05-01T10:01:30Z","order_id":""#.to_vec();
    line.resize(10 << 20, b'x');
    let ran = shop("").run_with("run shop.cep --end-of-time", &with_line(&line));
    assert_orders_seen(&ran);
    assert_eq!(ran.count("rejected"), 1);
    let expected = "line 3: the line is too long: 10485760 bytes (--max-line allows more)";
    assert_eq!(ran.reported(), [expected]);
    // Where it is allowed it is seen for what it is.
    line.extend_from_slice(b"\"}");
    let ran = shop("").run_with("run shop.cep --end-of-time --max-line 11M", &with_line(&line));
    assert_orders_seen(&ran);
    assert_eq!((ran.count("rejected"), ran.count("events")), (0, 5));
}

#[test]
fn an_empty_input_has_no_events() {
    let dir = shop("");
    dir.write("in.csv", b"");
    for args in [
        "run shop.cep --end-of-time",
        "run shop.cep --end-of-time -i in.jsonl",
        "run shop.cep --end-of-time -i in.csv",
    ] {
        let ran = dir.run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(0), ""), "{args}");
        assert_eq!((ran.count("events"), ran.count("matches")), (0, 0));
        assert!(ran.stderr.ends_with("hint: the input is empty\n"), "{}", ran.stderr);
    }
}

#[test]
fn only_the_first_rejects_are_reported_and_all_are_written_if_asked() {
    let mut input = String::from(ORDERS);
    for number in 0..20 {
        writeln!(input, "garbage \"{number}\" \u{e9}").unwrap();
    }
    input.push_str(r#"{"type":"paid","ts":"2024-05-01T10:00:00Z","order_id":"a"}"#);
    let dir = shop(&input);
    let ran = dir.run("run shop.cep --end-of-time -i in.jsonl");
    assert_orders_seen(&ran);
    let reported = ran.reported();
    assert_eq!(reported.len(), 6, "{reported:?}");
    assert_eq!(reported[5], "further rejects are only counted; use --rejects FILE to see them all");
    assert_eq!((ran.count("rejected"), ran.count("late")), (20, 1));

    let ran = dir.run("run shop.cep --end-of-time -i in.jsonl --rejects bad.jsonl");
    assert_orders_seen(&ran);
    assert_eq!(ran.reported(), [""; 0]);
    let bad = dir.read("bad.jsonl");
    let bad: Vec<serde_json::Value> =
        bad.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(bad.len(), 21);
    assert_eq!(
        bad[0],
        json!({ "line": 5, "reason": "not JSON: expected value at column 1", "input": "garbage \"0\" \u{e9}" })
    );
    assert_eq!(
        bad[20],
        json!({
            "line": 25,
            "reason": "late by 1h: its time 2024-05-01T10:00:00Z has passed already",
            "input": r#"{"type":"paid","ts":"2024-05-01T10:00:00Z","order_id":"a"}"#,
        })
    );
}

#[test]
fn the_same_results_come_from_a_file_standard_input_gzip_and_csv() {
    let csv = "order_id,ts,type,amount\na,1714557600000,created,9.5\n\"b\",1714557660000,created,\n\
               a,2024-05-01T10:02:30Z,paid,\nc,2024-05-01 11:00:00,created,\n";
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let dir = shop(ORDERS);
    dir.write("in.csv", csv.as_bytes());
    dir.write("in.csv.gz", &gzip(csv));
    dir.write("in.jsonl.gz", &gzip(ORDERS));
    dir.write("in.tsv", csv.replace(',', "\t").as_bytes());
    dir.write("unnamed", &gzip(csv));
    let expected = dir.run("run shop.cep --end-of-time -i in.jsonl");
    assert_orders_seen(&expected);
    for args in [
        "-i in.jsonl.gz",
        "-i in.csv",
        "-i in.csv.gz",
        "-i in.tsv",
        "-i unnamed --format csv",
        "-i in.csv --delimiter ,",
    ] {
        let ran = dir.run(&format!("run shop.cep --end-of-time {args}"));
        assert_eq!((ran.code, &ran.stdout), (Some(0), &expected.stdout), "{args}: {}", ran.stderr);
    }
    for (args, input) in [
        ("", ORDERS.as_bytes()),
        ("-i -", ORDERS.as_bytes()),
        ("--input - --format csv", csv.as_bytes()),
        ("", &gzip(ORDERS)),
    ] {
        let ran = dir.run_with(&format!("run shop.cep --end-of-time {args}"), input);
        assert_eq!((ran.code, &ran.stdout), (Some(0), &expected.stdout), "{args}: {}", ran.stderr);
    }
    let ran = dir.run("run shop.cep --end-of-time -i in.jsonl --output out.jsonl");
    assert_eq!((ran.code, &*ran.stdout), (Some(0), ""));
    assert_eq!(dir.read("out.jsonl"), expected.stdout);
}

#[test]
fn bad_records_of_csv_are_reported_and_the_rest_is_processed() {
    let csv = "type,order_id,ts,amount\ncreated,a,2024-05-01T10:00:00Z,9.5\n\
               created,b,2024-05-01T10:01:00Z,\ncreated,x\ncreated,x,yesterday,\n\
               created,x,2024-05-01T10:01:00Z,much\n,x,2024-05-01T10:01:00Z,\n\
               paid,a,2024-05-01T10:02:30Z,\ncreated,c,2024-05-01T11:00:00Z,\n\
               created,\"c,2024-05-01T11:00:00Z,\n";
    let dir = shop("");
    dir.write("in.csv", csv.as_bytes());
    let ran = dir.run("run shop.cep --end-of-time -i in.csv");
    assert_orders_seen(&ran);
    assert_eq!(
        ran.reported(),
        [
            "line 4: expected 4 cells as in the header, found 2",
            "line 5: field `ts`: expected a time such as 2016-09-04T21:15:00Z or an epoch number, found the text \"yesterday\"",
            "line 6: field `amount`: expected float, found the text \"much\"",
            "line 7: no event type: the column `type` is empty",
            "line 10: a quote is opened and never closed",
        ]
    );
    assert_eq!(ran.count("rejected"), 5);
}

#[test]
fn the_type_can_be_given_and_the_fields_named() {
    let rules = "event hit { ip: ip, http.status: int }\n"
        .replace("http.status: int", "http: { status: int }")
        + "rule twice { key ip match hit[http.status == 500]{2} as h within 10s }";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    dir.write("a.csv", b"ip,http.status,when\n1.2.3.4,500,1714557600\n1.2.3.4,500,1714557601\n");
    let ran = dir.run("run r.cep -i a.csv --type hit --time-field when --time-unit s");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = json!([
        { "type": "hit", "when": "2024-05-01T10:00:00Z", "ip": "1.2.3.4", "http": { "status": 500 } },
        { "type": "hit", "when": "2024-05-01T10:00:01Z", "ip": "1.2.3.4", "http": { "status": 500 } },
    ]);
    assert_eq!(ran.results()[0]["events"]["h"], expected);
    assert_eq!(ran.results()[0]["emit"], json!({}));

    let line =
        r#"{"e":{"kind":"hit","at":1714557600},"ip":"1.2.3.4","http":{"status":500,"x":[]}}"#;
    let ran = dir.run_with(
        "run r.cep --type-field e.kind --time-field e.at --time-unit s",
        format!("{line}\n{line}\n").as_bytes(),
    );
    assert_eq!((ran.code, ran.count("matches")), (Some(0), 1), "{}", ran.stderr);
}

#[test]
fn a_delimiter_of_json_is_refused() {
    let rules = "event hit { ip: ip, at: time }\nrule r { key ip match hit }";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    dir.write("a.jsonl", b"{}\n");
    dir.write("a.csv", b"ip,at\n");
    for command in ["run r.cep", "why r.cep --key 1.2.3.4", "infer"] {
        let (command, file) = match command {
            "infer" => (command.to_owned(), "a.jsonl".to_owned()),
            _ => (command.to_owned(), "-i a.jsonl".to_owned()),
        };
        let ran = dir.run(&format!("{command} {file} --delimiter ;"));
        assert_eq!(ran.code, Some(2), "{command}: {}", ran.stderr);
        let expected = "error: --delimiter is only for CSV, but the input is read as JSON lines";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    let ran = dir.run("run r.cep -i a.csv --type hit --delimiter ,");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn an_event_without_the_time_field_is_rejected() {
    let rules = "event hit { ip: ip, at: time, seen: { when: time? } }\n\
                 rule r { key ip match hit }";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let line = |more: &str| {
        format!("{{\"type\":\"hit\",\"ip\":\"1.2.3.4\",\"at\":1714557600000{more}}}\n")
    };
    let with = line(",\"seen\":{\"when\":1714557601000}");
    let null = line(",\"seen\":{\"when\":null}");
    dir.write("a.jsonl", (line("") + &with + &null).as_bytes());
    let row = "hit,1.2.3.4,1714557600000,";
    dir.write(
        "a.csv",
        format!("type,ip,at,seen.when\n{row}\n{row}1714557601000\n{row}\n").as_bytes(),
    );
    for (file, field, rejected) in [
        ("a.jsonl", "seen.wen", 3),
        ("a.jsonl", "seen.when", 2),
        ("a.jsonl", "at", 0),
        ("a.csv", "wen", 3),
        ("a.csv", "seen.when", 2),
        ("a.csv", "at", 0),
    ] {
        for threads in [1, 2] {
            let ran =
                dir.run(&format!("run r.cep -i {file} --time-field {field} --threads {threads}"));
            let code = if rejected == 3 { 3 } else { 0 };
            assert_eq!(ran.code, Some(code), "{}", ran.stderr);
            assert_eq!(ran.results().len(), 3 - rejected, "{file}, {field}: {}", ran.stderr);
            let reason = format!("no event time: missing field `{field}`");
            assert_eq!(ran.stderr.contains(&reason), rejected > 0, "{}", ran.stderr);
            let hint = "hint: another field contains a time: try `--time-field at`";
            assert_eq!(ran.stderr.contains(hint), rejected > 0, "{}", ran.stderr);
        }
    }
}

#[test]
fn events_come_back_as_they_were_given() {
    let rules = "
event login {
  at: time, user: { name: string, groups: list<string>, home: { city: string? } },
  from: ip, took: duration?, ok: bool, score: float, tries: int, ..
}
rule all { match login as l within 1s emit { name: l.user.name, took: l.took, version: l.agent.version } }
";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let mut event = json!({
        "type": "login", "at": "2024-05-01T10:00:00.250Z",
        "user": {
            "name": "\u{e9}\n\"\\", "groups": ["a", "b"], "home": { "city": "x", "zip": "1" },
            "id": 7,
        },
        "from": "2001:db8::1", "took": "1m30s", "ok": false, "score": 0.1, "tries": -5,
        "agent": { "version": [1, 2.5, null, { "x": true }] }, "empty": {},
    });
    let ran = dir.run_with("run r.cep", event.to_string().as_bytes());
    assert_eq!((ran.code, ran.results().len()), (Some(0), 1), "{}", ran.stderr);
    let result = &ran.results()[0];
    assert_eq!(result["events"]["l"], json!([event]));
    assert_eq!(result["key"], json!({}));
    assert_eq!(
        result["emit"],
        json!({ "name": "\u{e9}\n\"\\", "took": "1m30s", "version": [1, 2.5, null, { "x": true }] })
    );

    // What is missing stays missing.
    event["user"] = json!({ "name": "n", "groups": [] });
    event.as_object_mut().unwrap().remove("took");
    let ran = dir.run_with("run r.cep", event.to_string().as_bytes());
    assert_eq!(ran.results()[0]["events"]["l"], json!([event]));
}

#[test]
fn a_csv_header_that_cannot_be_used_ends_the_run() {
    let dir = shop("");
    for (csv, expected) in [
        (
            "order_id,ts\na,1\n",
            "error: the CSV header has no column `type` for the event type: it has order_id, ts\n\
             help: name the column with --type-field, or the type of all events with --type\n",
        ),
        ("type,ts,ts\n", "error: the CSV header has two columns called `ts`\n"),
        (
            "type,\"ts\n",
            "error: the CSV header cannot be read: a quote is opened and never closed\n",
        ),
    ] {
        dir.write("in.csv", csv.as_bytes());
        let ran = dir.run("run shop.cep --end-of-time -i in.csv --quiet");
        assert_eq!((ran.code, &*ran.stderr), (Some(2), expected));
    }
}

#[test]
fn a_broken_gzip_file_is_an_error_after_what_was_found() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(ORDERS.as_bytes()).unwrap();
    encoder.write_all(&vec![b'\n'; 1 << 20]).unwrap();
    let packed = encoder.finish().unwrap();
    let dir = shop("");
    dir.write("in.jsonl.gz", &packed[..packed.len() / 2]);
    let ran = dir.run("run shop.cep --end-of-time -i in.jsonl.gz");
    assert_eq!(ran.code, Some(2));
    // No timeout but that which time has passed: what the end would have brought is not known.
    assert_eq!((ran.count("matches"), ran.count("timeouts")), (1, 1));
    assert!(ran.stderr.contains("error: cannot continue to read the input"), "{}", ran.stderr);
}

#[test]
fn nothing_readable_gives_a_hint() {
    let dir = shop("");
    let ran = dir.run_with("run shop.cep", b"type,ts,order_id\ncreated,1,a\n");
    assert!(ran.stderr.contains("`--format csv`"), "{}", ran.stderr);
    let ran = dir.run_with("run shop.cep", b"{\"type\":\"view\",\"ts\":1}\n");
    assert!(
        ran.stderr
            .contains("hint: no event has a declared type: the rules declare created, paid, but the input has view 1"),
        "{}",
        ran.stderr
    );
    // The rejected event has a declared type.
    let ran = dir.run_with(
        "run shop.cep",
        b"{\"type\":\"created\",\"ts\":1}\n{\"type\":\"view\",\"ts\":1}\n",
    );
    assert!(ran.stderr.contains("hint: no other event has a declared type: "), "{}", ran.stderr);
}
