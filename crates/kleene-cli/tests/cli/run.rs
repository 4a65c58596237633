//! `kleene run` on good input and bad.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::common::{Dir, Exit};
use serde_json::json;

const SHOP: &str = "
event created { order_id: string, amount: float?, ts: time }
event paid { order_id: string, ts: time }

rule unpaid {
  key order_id
  match created as c -> paid as p
  within 10m
  skip none
  emit { order_id, amount: c.amount, took: p.ts - c.ts }
  on timeout emit { order_id, reached: match.step }
}
";

/// Two orders; one is paid in time.
const ORDERS: &str = r#"{"type":"created","ts":"2024-05-01T10:00:00Z","order_id":"a","amount":9.5}
{"type":"created","ts":"2024-05-01T10:01:00Z","order_id":"b"}
{"type":"paid","ts":"2024-05-01T10:02:30Z","order_id":"a"}
{"type":"created","ts":"2024-05-01T11:00:00Z","order_id":"c"}
"#;

fn shop(input: &str) -> Dir {
    Dir::new(&[("shop.cep", SHOP.as_bytes()), ("in.jsonl", input.as_bytes())])
}

/// The orders with another line after the second.
fn with_line(line: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = ORDERS.lines().map(str::as_bytes).collect();
    lines.insert(2, line);
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    text
}

/// Asserts that the orders were matched: one match, and two timeouts.
fn assert_orders_seen(ran: &Exit) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((ran.count("matches"), ran.count("timeouts")), (1, 2), "{}", ran.stderr);
    assert_eq!(ran.results().len(), 3);
}

#[test]
fn matches_and_timeouts_are_printed_as_json_lines() {
    let ran = shop(ORDERS).run("run shop.cep --end-of-time --input in.jsonl");
    assert_orders_seen(&ran);
    let mut results = ran.results();
    for result in &mut results {
        let result = result.as_object_mut().unwrap();
        for hash in ["version", "id"] {
            let hash = result.remove(hash).unwrap();
            assert_eq!(hash.as_str().unwrap().len(), 16);
        }
    }
    assert_eq!(
        results,
        [
            json!({
                "rule": "unpaid", "kind": "match", "key": { "order_id": "a" },
                "start": "2024-05-01T10:00:00Z", "end": "2024-05-01T10:02:30Z",
                "events": {
                    "c": [{ "type": "created", "ts": "2024-05-01T10:00:00Z", "order_id": "a", "amount": 9.5 }],
                    "p": [{ "type": "paid", "ts": "2024-05-01T10:02:30Z", "order_id": "a" }],
                },
                "emit": { "order_id": "a", "amount": 9.5, "took": "2m30s" },
            }),
            json!({
                "rule": "unpaid", "kind": "timeout", "key": { "order_id": "b" },
                "start": "2024-05-01T10:01:00Z", "end": "2024-05-01T10:11:00Z",
                "reached": "c", "awaits": ["p"],
                "events": {
                    "c": [{ "type": "created", "ts": "2024-05-01T10:01:00Z", "order_id": "b" }],
                },
                "emit": { "order_id": "b", "reached": "c" },
            }),
            json!({
                "rule": "unpaid", "kind": "timeout", "key": { "order_id": "c" },
                "start": "2024-05-01T11:00:00Z", "end": "2024-05-01T11:10:00Z",
                "reached": "c", "awaits": ["p"],
                "events": {
                    "c": [{ "type": "created", "ts": "2024-05-01T11:00:00Z", "order_id": "c" }],
                },
                "emit": { "order_id": "c", "reached": "c" },
            }),
        ]
    );
    let first = ran.stdout.lines().next().unwrap();
    let order = ["rule", "version", "kind", "id", "key", "start", "end", "events", "emit"];
    let places: Vec<_> = order.map(|name| first.find(&format!("\"{name}\":"))).to_vec();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{first}");
}

#[test]
fn the_summary_counts_everything() {
    let ran = shop(ORDERS).run("run shop.cep --end-of-time --input in.jsonl");
    let expected = [
        ("events", 4),
        ("matches", 1),
        ("timeouts", 2),
        ("late", 0),
        ("rejected", 0),
        ("unknown", 0),
        ("peak partial matches", 2),
    ];
    for (name, count) in expected {
        assert_eq!(ran.count(name), count, "{name}");
    }
    assert!(ran.stderr.contains(" events/s, "), "{}", ran.stderr);
    assert_eq!(ran.reported(), [""; 0]);
}

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
        let expected = "error: --delimiter is for CSV, and the input is read as JSON lines";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    let ran = dir.run("run r.cep -i a.csv --type hit --delimiter ,");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_time_field_that_no_event_has_is_reported() {
    let rules = "event hit { ip: ip, at: time, seen: { when: time? } }\n\
                 rule r { key ip match hit }";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let line = |more: &str| {
        format!("{{\"type\":\"hit\",\"ip\":\"1.2.3.4\",\"at\":1714557600000{more}}}\n")
    };
    let with = line(",\"seen\":{\"when\":1714557601000}");
    dir.write("a.jsonl", (line("") + &with).as_bytes());
    dir.write("a.csv", b"type,ip,at,seen.when\nhit,1.2.3.4,1714557600000,\n");
    let hint = |field: &str| format!("hint: no event has the field `{field}` (--time-field)");
    for (file, field, is_missing) in [
        ("a.jsonl", "seen.wen", true),
        ("a.jsonl", "seen.when", false),
        ("a.jsonl", "at", false),
        ("a.csv", "wen", true),
        ("a.csv", "seen.when", false),
    ] {
        for threads in [1, 2] {
            let ran =
                dir.run(&format!("run r.cep -i {file} --time-field {field} --threads {threads}"));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            assert_eq!(ran.stderr.contains(&hint(field)), is_missing, "{file}: {}", ran.stderr);
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
             help: name the column with --type-field, or give the type of all events with --type\n",
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
fn files_that_cannot_be_used_are_one_clear_line() {
    let dir = shop(ORDERS);
    dir.write("empty/readme.txt", b"");
    for (args, expected) in [
        ("run nowhere.cep", "error: cannot read the rules nowhere.cep: No such file or directory"),
        (
            "check nowhere.cep",
            "error: cannot read the rules nowhere.cep: No such file or directory",
        ),
        ("run empty", "error: no rule files (*.cep) in the directory empty"),
        (
            "run shop.cep --end-of-time -i nowhere.jsonl",
            "error: cannot open the input nowhere.jsonl: No such file or directory",
        ),
        ("run shop.cep --end-of-time -i empty", "error: the input empty is a directory"),
        (
            "run shop.cep --end-of-time -i in.jsonl -o no/where",
            "error: cannot write the output no/where: No such file or directory",
        ),
        (
            "run shop.cep --end-of-time -i in.jsonl --rejects no/where",
            "error: cannot write the rejects no/where: No such file or directory",
        ),
        (
            "run shop.cep --end-of-time -i in.jsonl -o ./in.jsonl",
            "error: ./in.jsonl is the input; it cannot be written to as well",
        ),
        (
            "run shop.cep --end-of-time -i in.jsonl --type nothing",
            "error: the rules declare no event type `nothing` (--type): the rules declare created, paid",
        ),
    ] {
        let ran = dir.run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{args}");
        assert!(ran.stderr.starts_with(expected), "{args}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{args}: {}", ran.stderr);
    }
    assert_eq!(dir.read("in.jsonl"), ORDERS);
    for args in [
        "",
        "run",
        "run shop.cep --end-of-time --out-of-order",
        "run shop.cep --end-of-time --out-of-order 5",
        "fly",
    ] {
        assert_eq!(dir.run(args).code, Some(2), "{args}");
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
    assert!(ran.stderr.contains("error: cannot read on in the input"), "{}", ran.stderr);
}

#[test]
fn wrong_rules_end_the_run_with_their_diagnostics() {
    let dir = shop(ORDERS);
    dir.write("wrong.cep", b"event a { x: int }\nrule r { key x match b -> a within 5s }\n");
    for command in ["run", "check"] {
        let ran = dir.run(&format!("{command} wrong.cep"));
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("--> wrong.cep:2:"), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error[E0"), "{}", ran.stderr);
    }
}

#[test]
fn events_in_the_place_of_rules_give_a_hint() {
    let dir = shop(ORDERS);
    let ran = dir.run("run shop.cep --end-of-time in.jsonl");
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""));
    let hint =
        "hint: a file of events is given with `--input`: `kleene run RULES --input in.jsonl`\n";
    assert!(ran.stderr.ends_with(hint), "{}", ran.stderr);
    dir.write("wrong.cep", b"rule {");
    let ran = dir.run("run wrong.cep -i in.jsonl");
    assert!(ran.stderr.contains("error") && !ran.stderr.contains("hint"), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut input = String::new();
    for number in 0..20_000 {
        let time = 1_714_557_600_000_u64 + number;
        for kind in ["created", "paid"] {
            writeln!(input, r#"{{"type":"{kind}","ts":{time},"order_id":"{time}"}}"#).unwrap();
        }
    }
    let dir = shop(&input);
    let (line, ran) = dir.close_after_a_line("run shop.cep --end-of-time -i in.jsonl");
    assert!(line.starts_with("{\"rule\":\"unpaid\""));
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
}

#[test]
fn results_come_while_the_input_is_still_open() {
    let dir = shop("");
    let mut command = dir.command("run shop.cep --end-of-time");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for line in ORDERS.lines().take(3) {
        writeln!(stdin, "{line}").unwrap();
    }
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"kind\":\"match\""), "{line}");
    drop(stdin);
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"kind\":\"timeout\""), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_what_was_found_so_far() {
    let dir = shop("");
    let mut command = dir.command("run shop.cep --end-of-time");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ORDERS.as_bytes()).unwrap();
    // The results of the first lines come out, so the input has been read.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    stdout.read_line(&mut text).unwrap();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    stdout.read_to_string(&mut text).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let ran = Exit { code: child.wait().unwrap().code(), stdout: text, stderr };
    // The input is still open: nothing but the signal has ended it.
    drop(stdin);
    assert_eq!(ran.code, Some(130));
    assert_eq!((ran.count("matches"), ran.count("timeouts")), (1, 1), "{}", ran.stderr);
    assert_eq!(ran.results().len(), 2);
    assert!(ran.stderr.starts_with("interrupted: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 partial matches"), "{}", ran.stderr);
}

#[test]
fn quiet_says_nothing() {
    let ran = shop("").run_with("run shop.cep --end-of-time --quiet", &with_line(b"garbage"));
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert_eq!(ran.results().len(), 3);
}

#[test]
fn nothing_readable_gives_a_hint() {
    let dir = shop("");
    let ran = dir.run_with("run shop.cep", b"type,ts,order_id\ncreated,1,a\n");
    assert!(ran.stderr.contains("`--format csv`"), "{}", ran.stderr);
    let ran = dir.run_with("run shop.cep", b"{\"type\":\"view\",\"ts\":1}\n");
    assert!(
        ran.stderr
            .contains("hint: no event is of a declared type: the rules declare created, paid, and there came view 1"),
        "{}",
        ran.stderr
    );
}

#[test]
fn parameters_are_set_from_outside() {
    let rules = SHOP
        .replace("key order_id", "param wait: duration = 10m\n  key order_id")
        .replace("within 10m", "within $wait");
    let dir = shop(ORDERS);
    dir.write("shop.cep", rules.as_bytes());
    assert_orders_seen(&dir.run("run shop.cep --end-of-time -i in.jsonl"));
    for param in ["unpaid.wait=1m", "wait=1m"] {
        let ran = dir.run(&format!("run shop.cep --end-of-time -i in.jsonl --param {param}"));
        assert_eq!((ran.count("matches"), ran.count("timeouts")), (0, 3), "{}", ran.stderr);
    }
    for (param, expected) in [
        ("unpaid.wait=soon", "wait"),
        ("unpaid.weight=1m", "weight"),
        ("other.wait=1m", "other"),
        ("wait", "wait"),
    ] {
        let ran = dir.run(&format!("run shop.cep --end-of-time -i in.jsonl --param {param}"));
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn divisions_by_zero_are_in_the_summary() {
    let rules = "event a { n: int, ts: time }\nrule r { key n match a emit { n, q: 1 / a.n } }\n";
    let input = b"{\"type\":\"a\",\"n\":0,\"ts\":1}\n{\"type\":\"a\",\"n\":4,\"ts\":2}\n";
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.jsonl", input)]);
    let ran = dir.run("run r.cep -i in.jsonl --time-unit ms");
    assert_eq!((ran.count("matches"), ran.count("divisions by zero")), (2, 1), "{}", ran.stderr);
    assert_eq!(ran.results()[0]["emit"], json!({ "n": 0, "q": null }));
}

const FEEDS: &str = "
event hit { ip: ip, ts: time }

rule burst   { key ip  match hit{2}  within 10s  emit as burst { ip, until: match.end } }
rule flood   { key ip  match burst{2} as b  within 1m  emit { ip, from: b[0].until }  suppress 1m }
rule bounded { key ip  match hit -> burst  within 1m  skip none  limit 3 partials fail }
";

fn hits(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, second| {
        let _ = writeln!(
            text,
            r#"{{"type":"hit","ts":"2024-05-01T10:00:{second:02}Z","ip":"192.0.2.1"}}"#
        );
        text
    })
}

#[test]
fn what_rules_feed_each_other_and_what_is_suppressed_is_counted() {
    let rules = FEEDS.replace("limit 3 partials fail", "");
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes()), ("in.jsonl", hits(8).as_bytes())]);
    let ran = dir.run("run feeds.cep --input in.jsonl");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        (ran.count("fed to other rules"), ran.count("suppressed")),
        (4, 1),
        "{}",
        ran.stderr
    );
    let flood = ran.results().into_iter().find(|result| result["rule"] == json!("flood")).unwrap();
    assert_eq!(flood["emit"], json!({"ip": "192.0.2.1", "from": "2024-05-01T10:00:01Z"}));
    assert_eq!(
        flood["events"]["b"][1],
        json!({"type": "burst", "until": "2024-05-01T10:00:03Z", "ip": "192.0.2.1"})
    );
}

#[test]
fn how_many_matches_a_result_stands_for_is_written() {
    let dir = Dir::new(&[(
        "r.cep",
        b"event a { u: string, v: int, ts: time }\nevent b { u: string, ts: time }\n\
          rule many { key u  match a as x -> any b  within 1m  skip none  report count\n\
          emit { sum: matches.sum(x.v) } }\n\
          rule plain { key u  match a -> any b  within 1m  skip none  report longest }\n\
          rule each { key u  match a -> any b  within 1m  skip none }\n\
          rule quiet { key u  match a as x -> not b for 10s  within 1m  skip none  report last 1\n\
          emit { n: matches.count } }\n",
    )]);
    // Two users, whose silences of three matches each are over at the same time.
    let mut input = String::new();
    for (at, ty) in ["a", "a", "b", "a", "a", "a"].into_iter().enumerate() {
        for user in ["ann", "bob"] {
            let at = if at > 2 { 20 } else { at };
            let _ = writeln!(input, r#"{{"type":"{ty}","u":"{user}","v":{at},"ts":{at}}}"#);
        }
    }
    input.push_str(r#"{"type":"b","u":"cy","ts":100}"#);
    let run = |more: &str| {
        let ran = dir.run_with(&format!("run r.cep --time-unit s {more}"), input.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let lines = run("");
    let of = |rule: &str| {
        let lines =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["rule"] == rule).collect::<Vec<_>>()
    };
    let (many, plain, each, quiet) = (of("many"), of("plain"), of("each"), of("quiet"));
    assert_eq!((many.len(), plain.len(), each.len(), quiet.len()), (2, 2, 4, 2), "{lines}");
    assert_eq!((&many[0]["count"], &many[0]["emit"]["sum"]), (&json!(2), &json!(1)));
    assert_eq!(plain[1]["count"], 2);
    assert!(each[0].get("count").is_none() && many[0].get("saturated").is_none());
    assert_eq!((&quiet[0]["count"], &quiet[1]["emit"]["n"]), (&json!(3), &json!(3)));
    // Whatever the threads, the same.
    assert_eq!(run("--threads 2"), lines);
    let brief = run("--brief");
    assert!(brief.contains("plain  u=ann matches=2\n"), "{brief}");
    assert!(brief.contains("many  sum=1\n"), "{brief}");
}

#[test]
fn a_limit_that_fails_stops_the_run_and_says_why() {
    let rules = FEEDS.replace("hit{2}", "hit{9}");
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes())]);
    let ran = dir.run_with("run feeds.cep", hits(8).as_bytes());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let message = "the rule `bounded` would have more than 3 partial matches open for ip = 192.0.2.1 at \
                   2024-05-01T10:00:03Z";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(ran.stderr.contains("the run was stopped"), "{}", ran.stderr);
    assert_eq!((ran.count("events"), ran.count("limits reached")), (4, 1));
}

#[test]
fn an_event_takes_no_more_steps_than_it_may() {
    let rules = b"event a { ts: time }\nevent b { ts: time }\nrule r { match a -> b  skip none }\n";
    let dir = Dir::new(&[("r.cep", rules)]);
    let mut input = String::new();
    for (at, ty) in ["a", "a", "a", "b"].into_iter().enumerate() {
        let _ = writeln!(input, r#"{{"type":"{ty}","ts":{at}}}"#);
    }
    let run = |more: &str| {
        let ran = dir.run_with(&format!("run r.cep --time-unit ms {more}"), input.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.results().len(), ran.stderr)
    };
    let (found, said) = run("--steps-per-event 2");
    assert_eq!(found, 2, "{said}");
    let reason = "line 3: limit reached: an event would take too many steps: 1 of the oldest partial \
                  matches of the rule `r` were dropped";
    assert!(said.contains(reason), "{said}");
    assert_eq!(run("--steps-per-event 2 --threads 2").0, 2);
    assert_eq!(run("--steps-per-event 3").0, 3);
    assert_eq!(run("").0, 3);
}

#[test]
fn more_threads_than_there_may_be_are_refused() {
    let ran = shop("").run_with("run shop.cep --threads 65", b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn what_a_rule_feeds_and_does_not_fit_is_reported_once() {
    let rules = "
event hit { ip: ip, code: int?, ts: time }
event alert { ip: ip, code: int, ts: time }

rule bad   { key ip  match hit as h  emit as alert { ip, code: h.code } }
rule alarm { key ip  match alert as a  emit { code: a.code } }
";
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes())]);
    let ran = dir.run_with("run feeds.cep --rejects rejects.jsonl", hits(3).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = "what the rule `bad` feeds to others is not as declared: `alert.code` is int, not \
                    null; the summary counts it as rejected";
    assert_eq!(ran.reported(), [expected]);
    assert_eq!((ran.count("rejected"), ran.count("matches")), (3, 3));
    assert_eq!(dir.read("rejects.jsonl"), "", "no line is to blame");
}

#[test]
fn what_is_open_at_the_end_of_the_input_is_left_open() {
    let dir = shop(ORDERS);
    for args in ["", " --threads 2", " --out-of-order 5s", " --threads 3 --out-of-order 5s"] {
        let ran = dir.run(&format!("run shop.cep -i in.jsonl{args}"));
        // The order of 11:00 has time until 11:10; the input ends before.
        assert_eq!((ran.count("matches"), ran.count("timeouts")), (1, 1), "{args}");
        assert_eq!(ran.count("still open"), 1, "{args}");
        let note = "--end-of-time ends them with the input";
        assert!(ran.stderr.contains(note), "{args}: {}", ran.stderr);
        let piped = dir.run_with(&format!("run shop.cep{args}"), ORDERS.as_bytes());
        assert_eq!(piped.stdout, ran.stdout, "{args}");
        let ended = dir.run(&format!("run shop.cep -i in.jsonl --end-of-time{args}"));
        assert_eq!((ended.count("timeouts"), ended.results().len()), (2, 3), "{args}");
        assert!(!ended.stderr.contains("still open"), "{}", ended.stderr);
    }
}

/// The moment of the last event is over with the input: deadlines at it, and what it made for other
/// rules.
#[test]
fn the_moment_of_the_last_event_is_over_where_the_input_ends() {
    let rules = "event a { id: int, ts: time }
        event seen { id: int, ts: time }
        rule silent { key id  match a as x -> not a for 10s  emit { at: x.ts + 10s } }
        rule feeds { match a as x  emit as seen { id: x.id } }
        rule fed { match seen  emit { n: 1 } }
    ";
    let line = |id: u8, ts: u16| format!("{{\"type\":\"a\",\"id\":{id},\"ts\":{ts}}}\n");
    let input = [line(2, 12_000), line(1, 10_000), line(3, 20_000)].concat();
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.jsonl", input.as_bytes())]);
    for threads in [1, 2, 3] {
        let args = format!("run r.cep -i in.jsonl --out-of-order 5s --threads {threads}");
        let ran = dir.run(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let rules: Vec<_> = ran.results().iter().map(|r| r["rule"].to_string()).collect();
        let of = |name: &str| rules.iter().filter(|rule| rule.contains(name)).count();
        // All three are released; what is silent for ten seconds by then is reported.
        assert_eq!((of("feeds"), of("\"fed"), of("silent")), (3, 3, 1), "{}", ran.stdout);
        assert_eq!(ran.count("still open"), 2);
    }
}

#[test]
fn the_summary_counts_by_rule() {
    let rules = format!("{SHOP}rule any_paid {{ match paid  emit {{ n: 1 }} }}\n");
    let dir = Dir::new(&[("shop.cep", rules.as_bytes()), ("in.jsonl", ORDERS.as_bytes())]);
    let args = "run shop.cep -i in.jsonl --end-of-time";
    for threads in ["", " --threads 2"] {
        let ran = dir.run(&format!("{args}{threads}"));
        let table: Vec<Vec<&str>> = ran
            .stderr
            .lines()
            .skip_while(|line| !line.starts_with("by rule"))
            .map(|line| line.split_whitespace().collect())
            .collect();
        let expected = [
            vec!["by", "rule", "matches", "timeouts"],
            vec!["unpaid", "1", "2"],
            vec!["any_paid", "1", "0"],
        ];
        assert_eq!(table, expected, "{}", ran.stderr);
    }
}

#[test]
fn a_name_that_promises_another_form_is_refused() {
    let dir = shop(ORDERS);
    for (args, message) in [
        ("--output found.csv", "--output found.csv: what is written is JSON lines, not csv"),
        ("-o found.jsonl.gz", "not gz; pack what comes out"),
        ("--rejects bad.TSV", "--rejects bad.TSV: what is written is JSON lines, not tsv"),
    ] {
        let ran = dir.run(&format!("run shop.cep -i in.jsonl {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
        assert!(!dir.path("found.csv").exists());
    }
}

#[test]
fn a_silence_on_a_pipe_is_reported_with_the_clock() {
    let rules = "event beat { id: int, ts: time }
        rule silent { key id  match beat -> not beat for 2s  emit { id } }
    ";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let mut command = dir.command("run r.cep --idle-timeout 500ms");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, r#"{{"type":"beat","id":1,"ts":100000}}"#).unwrap();
    let started = std::time::Instant::now();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Nothing more comes, and the pipe stays open.
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"end\":\"1970-01-01T00:01:42Z\""), "{line}");
    assert!(started.elapsed().as_millis() >= 1500, "{:?}", started.elapsed());
    // What comes with a time that has passed is late; what comes after it is taken.
    writeln!(stdin, r#"{{"type":"beat","id":2,"ts":100001}}"#).unwrap();
    writeln!(stdin, r#"{{"type":"beat","id":3,"ts":9000000}}"#).unwrap();
    drop(stdin);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let ran = Exit { code: child.wait().unwrap().code(), stdout: line, stderr };
    assert_eq!((ran.code, ran.count("late"), ran.count("matches")), (Some(0), 1, 1));
    assert_eq!(ran.count("still open"), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("line 2: late by"), "{}", ran.stderr);
}

#[test]
fn an_idle_timeout_is_for_live_input() {
    let dir = shop(ORDERS);
    for (args, message) in [
        ("-i in.jsonl --idle-timeout 10s", "in.jsonl is a file, which ends"),
        ("--idle-timeout 0s", "expected some time"),
    ] {
        let ran = dir.run(&format!("run shop.cep {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
    }
}

#[test]
fn brief_output_is_a_short_line_for_each_result() {
    let rules = r#"event a { id: string, n: int?, ts: time }
        rule gone { key id  match a as x -> not a for 10s  emit { id, n: x.n, at: x.ts, is: ["x y"] } }
        rule again { key id  match a as x -> a as y within 5s  on timeout emit { w: match.awaits } }
    "#;
    let line =
        |id: &str, ts: u16| format!("{{\"type\":\"a\",\"id\":\"{id}\",\"n\":3,\"ts\":{ts}}}\n");
    let input =
        [line("k1", 0), line("k1", 1000), line("two words\\u001b[2J", 2000), line("=", 60_000)];
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.jsonl", input.concat().as_bytes())]);
    let expected = r#"1970-01-01T00:00:01Z  again  id=k1
1970-01-01T00:00:07Z  again  timeout  w=["y"]
1970-01-01T00:00:11Z  gone  id=k1 n=3 at=1970-01-01T00:00:01Z is=["x y"]
1970-01-01T00:00:12Z  gone  id="two words\u{1b}[2J" n=3 at=1970-01-01T00:00:02Z is=["x y"]
"#;
    for args in ["--brief", "-b --threads 2", "-b --watch", "-b --spill ."] {
        let ran = dir.run(&format!("run r.cep -i in.jsonl {args}"));
        assert_eq!((ran.code, &*ran.stdout), (Some(0), expected), "{args}: {}", ran.stderr);
        // Counts that are zero are left out.
        let has = |name: &str| ran.stderr.lines().any(|line| line.starts_with(name));
        assert!(has("events ") && has("still open ") && has("timeouts "), "{}", ran.stderr);
        assert!(!has("late ") && !has("rejected ") && !has("unknown "), "{}", ran.stderr);
    }
    for args in ["-o found.jsonl", "--state state", "-o found.jsonl --state state"] {
        let ran = dir.run(&format!("run r.cep -i in.jsonl --brief {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains("cannot be used with"), "{args}: {}", ran.stderr);
        assert!(!dir.path("found.jsonl").exists() && !dir.path("state").exists(), "{args}");
    }
}
