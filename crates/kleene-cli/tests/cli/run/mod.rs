//! `kleene run`: what it prints, and what it refuses. `input` is about the events that it reads,
//! `live` about input that has not ended, `rules` about what rules add to the counts, `events` about
//! the form of captured events, `profile` about the time that a run takes.

mod events;
mod input;
mod live;
mod profile;
mod rules;

use serde_json::json;

use crate::common::{Dir, Exit};

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
            "error: ./in.jsonl is the input, and cannot also be written to",
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
        "hint: to read events from a file, use `--input`: `kleene run RULES --input in.jsonl`\n";
    assert!(ran.stderr.ends_with(hint), "{}", ran.stderr);
    dir.write("wrong.cep", b"rule {");
    let ran = dir.run("run wrong.cep -i in.jsonl");
    assert!(ran.stderr.contains("error") && !ran.stderr.contains("hint"), "{}", ran.stderr);
}

#[test]
fn quiet_says_nothing() {
    let ran = shop("").run_with("run shop.cep --end-of-time --quiet", &with_line(b"garbage"));
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert_eq!(ran.results().len(), 3);
}

#[test]
fn more_threads_than_there_may_be_are_refused() {
    let ran = shop("").run_with("run shop.cep --threads 65", b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
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
        ("--output found.csv", "--output found.csv: the output is JSON lines, not csv"),
        ("-o found.jsonl.gz", "not gz; to compress the output"),
        ("--rejects bad.TSV", "--rejects bad.TSV: the output is JSON lines, not tsv"),
    ] {
        let ran = dir.run(&format!("run shop.cep -i in.jsonl {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
        assert!(!dir.path("found.csv").exists());
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
