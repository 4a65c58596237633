//! Input of which no event can be used: a run says so, says what may help, and exits with 3.

use std::fmt::Write as _;

use crate::common::{Dir, Exit};

const SHOP: &str = "
event created { order_id: string, amount: float?, ts: time }
event paid { order_id: string, ts: time }
event refund { order_id: string, ts: time }

rule unpaid {
  key order_id
  match created as c -> paid as p
  within 10m
  emit { order_id, took: p.ts - c.ts }
}
";

fn shop(input: &str) -> Dir {
    let dir = Dir::new(&[("shop.cep", SHOP.as_bytes())]);
    for name in ["in.jsonl", "in.csv"] {
        dir.write(name, input.as_bytes());
    }
    dir
}

/// The options that the program suggests, in the order in which it does.
fn suggested(ran: &Exit) -> Vec<String> {
    let quoted = ran.stderr.split('`').skip(1).step_by(2);
    let options = quoted.filter(|text| text.starts_with("--"));
    // No shell takes the quotes away here.
    options.map(|text| text.replace('\'', "")).collect()
}

/// The run says that nothing could be used, alike with `--quiet`, with threads, and in `kleene
/// why`.
fn assert_unusable(dir: &Dir, args: &str) -> Exit {
    let loud = dir.run(&format!("run shop.cep {args}"));
    assert_eq!((loud.code, &*loud.stdout), (Some(3), ""), "{}", loud.stderr);
    let ran = dir.run(&format!("run shop.cep {args} --quiet"));
    assert_eq!((ran.code, &*ran.stdout), (Some(3), ""), "{}", ran.stderr);
    let start = "error: no event could be used: ";
    assert!(ran.stderr.starts_with(start), "{}", ran.stderr);
    assert!(loud.stderr.ends_with(&ran.stderr), "{}\n{}", loud.stderr, ran.stderr);
    let threads = dir.run(&format!("run shop.cep {args} --quiet --threads 3"));
    assert_eq!((threads.code, &threads.stderr), (ran.code, &ran.stderr));
    ran
}

/// The first options that are suggested make the run find its match.
fn assert_helps(dir: &Dir, args: &str, expected: &str) {
    let ran = assert_unusable(dir, args);
    let first = suggested(&ran).into_iter().next().unwrap_or_default();
    assert_eq!(first, expected, "{}", ran.stderr);
    let why = dir.run(&format!("why shop.cep --key a {args}"));
    if why.code == Some(3) {
        assert!(suggested(&why).contains(&first), "{}", why.stderr);
    }
    let helped = dir.run(&format!("run shop.cep {args} {first}"));
    assert_eq!((helped.code, helped.results().len()), (Some(0), 1), "{}", helped.stderr);
    let why = dir.run(&format!("why shop.cep --key a {args} {first}"));
    assert_eq!((why.code, &*why.stderr), (Some(0), ""), "{}", why.stdout);
}

#[test]
fn suggestions_make_the_run_work() {
    let cases = [
        // The type is elsewhere.
        (
            r#"{"meta":{"kind":"created"},"ts":1714557600000,"order_id":"a"}
{"meta":{"kind":"paid"},"ts":1714557601000,"order_id":"a"}
"#,
            "-i in.jsonl",
            "--type-field meta.kind",
        ),
        // The time is elsewhere, and in another unit.
        (
            r#"{"type":"created","e":{"at":1714557600},"order_id":"a"}
{"type":"paid","e":{"at":1714557601},"order_id":"a"}
"#,
            "-i in.jsonl",
            "--time-field e.at --time-unit s",
        ),
        (
            r#"{"type":"created","seen_at":"2024-05-01 10:00:00","order_id":"a"}
{"type":"paid","seen_at":"2024-05-01 10:00:01","order_id":"a"}
"#,
            "-i in.jsonl",
            "--time-field seen_at",
        ),
        // Another unit: as milliseconds they are beyond all years.
        (
            r#"{"type":"created","ts":1714557600000000,"order_id":"a"}
{"type":"paid","ts":1714557601000000,"order_id":"a"}
"#,
            "-i in.jsonl",
            "--time-unit us",
        ),
        // Another format.
        (
            "type,ts,order_id\ncreated,1714557600000,a\npaid,1714557601000,a\n",
            "-i in.jsonl",
            "--format csv",
        ),
        (
            "type\tts\torder_id\ncreated\t1714557600000\ta\npaid\t1714557601000\ta\n",
            "-i in.jsonl",
            "--format csv --delimiter \\t",
        ),
    ];
    for (input, args, expected) in cases {
        assert_helps(&shop(input), args, expected);
    }
}

#[test]
fn epoch_seconds_that_were_read_as_milliseconds_are_noticed() {
    let created = "{\"type\":\"created\",\"ts\":1714557600,\"order_id\":\"a\"}\n";
    let paid = "{\"type\":\"paid\",\"ts\":1714557700.5,\"order_id\":\"a\"}\n";
    let ran = assert_unusable(&shop(created), "-i in.jsonl");
    assert!(ran.stderr.contains(": 1 event was dated in 1970 or after 2100\n"), "{}", ran.stderr);
    assert_eq!(suggested(&ran), ["--time-unit s"]);
    // What was found nevertheless is a result; that it is doubtful is said.
    let dir = shop(&[created, paid].concat());
    let ran = dir.run("run shop.cep -i in.jsonl");
    assert_eq!((ran.code, suggested(&ran)), (Some(0), vec![String::from("--time-unit s")]));
    assert!(ran.stdout.contains("\"took\":\"100ms\""), "{}", ran.stdout);
    let helped = dir.run("run shop.cep -i in.jsonl --time-unit s");
    assert!(helped.stdout.contains("\"took\":\"1m40s500ms\""), "{}", helped.stdout);
    assert_eq!(suggested(&helped), [""; 0]);
    // Times in seconds need not be: milliseconds that are said to be microseconds are in 1970, too.
    let ran =
        assert_unusable(&shop(&created.replace("600,", "600000,")), "-i in.jsonl --time-unit us");
    assert_eq!(suggested(&ran), ["--time-unit ms"]);
    let far = created.replace("1714557600", "\"2214-05-01\"");
    let ran = assert_unusable(&shop(&far), "-i in.jsonl");
    assert!(
        ran.stderr.contains("is 2214-05-01T00:00:00Z: is --time-unit right?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn one_type_without_a_field_that_says_it_is_suggested() {
    let rules = "event tick { ts: time, symbol: string, price: float }\n\
                 event other { ts: time, name: string }\n\
                 rule two { key symbol  match tick{2} as t  within 1m  emit { n: count(t) } }\n";
    let input = "{\"ts\":\"2024-05-01T10:00:00Z\",\"symbol\":\"a\",\"price\":\"1.5\"}\n\
                 {\"ts\":\"2024-05-01T10:00:01Z\",\"symbol\":\"a\",\"price\":2}\n";
    let dir = Dir::new(&[("shop.cep", rules.as_bytes()), ("in.jsonl", input.as_bytes())]);
    assert_helps(&dir, "-i in.jsonl", "--type tick");
}

#[test]
fn csv_with_another_delimiter_says_which() {
    for (delimiter, option) in [(";", ";"), ("\t", "\\t"), ("|", "|"), (",", ",")] {
        let input = "type,ts,order_id\ncreated,1714557600000,a\npaid,1714557601000,a\n";
        let dir = shop(&input.replace(',', delimiter));
        let given = if delimiter == "," { "--delimiter ;" } else { "" };
        let ran = dir.run(&format!("run shop.cep -i in.csv {given}"));
        assert_eq!((ran.code, suggested(&ran)), (Some(2), vec![format!("--delimiter {option}")]));
        let helped = dir.run(&format!("run shop.cep -i in.csv --delimiter {option}"));
        assert_eq!((helped.code, helped.results().len()), (Some(0), 1), "{}", helped.stderr);
    }
    // A column of its own name stays one, whatever is in the name.
    let rules = "event t { `a;b`: int }\nrule r { match t as t emit { n: 1 } }\n";
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.csv", b"a;b\n1\n")]);
    let ran = dir.run("run r.cep -i in.csv --type t");
    assert!(ran.stderr.contains("no event time: missing field `ts`"), "{}", ran.stderr);
    // What is no CSV at all.
    let dir = shop(
        "{\"type\":\"created\",\"ts\":1714557600000,\"order_id\":\"a\"}\n{\"type\":\"paid\",\"ts\":1714557601000,\"order_id\":\"a\"}\n",
    );
    let ran = dir.run("run shop.cep -i in.csv");
    assert_eq!((ran.code, suggested(&ran)), (Some(2), vec![String::from("--format jsonl")]));
    let helped = dir.run("run shop.cep -i in.csv --format jsonl");
    assert_eq!(helped.results().len(), 1, "{}", helped.stderr);
}

#[test]
fn names_that_are_nearly_right_are_named() {
    let mut input = String::new();
    for number in 0..23 {
        writeln!(input, r#"{{"type":"OrderCreated","ts":{number},"order_id":"a"}}"#).unwrap();
    }
    let ran = assert_unusable(&shop(&input), "-i in.jsonl");
    assert_eq!(
        ran.stderr,
        "error: no event could be used: 23 events were of types that are not \
         declared (OrderCreated 23)\nhint: no event of the declared type `created` came; did you mean \
         `OrderCreated` (23 seen)?\n"
    );
    // Where others came, it is a hint only.
    input.push_str("{\"type\":\"paid\",\"ts\":30,\"order_id\":\"a\"}\n");
    let ran = shop(&input).run("run shop.cep -i in.jsonl");
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.ends_with("did you mean `OrderCreated` (23 seen)?\n"), "{}", ran.stderr);

    let input = "{\"type\":\"created\",\"ts\":1,\"orderId\":\"a\"}\n";
    let ran = assert_unusable(&shop(input), "-i in.jsonl");
    assert!(ran.stderr.contains("no field `order_id`, but there is `orderId`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("  1 line: missing field `order_id`\n    line 1: {\"type\""));
    let ran = assert_unusable(&shop("type,ts,orderId\ncreated,1,a\n"), "-i in.csv");
    assert!(ran.stderr.contains("no field `order_id`, but there is `orderId`"), "{}", ran.stderr);
}

#[test]
fn perfect_json_without_a_type_is_not_taken_for_csv() {
    let input = "{\"order_id\":\"a\",\"ts\":1714557600000}\n".repeat(3);
    let ran = assert_unusable(&shop(&input), "-i in.jsonl");
    assert!(!ran.stderr.contains("CSV"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the rules declare created, paid, refund"), "{}", ran.stderr);
}

#[test]
fn json_that_is_not_in_lines_says_how_to_make_lines() {
    for (input, part) in [
        ("[{\"type\":\"created\"},\n{\"type\":\"paid\"}]\n", "a JSON array"),
        ("{\n  \"type\": \"created\",\n  \"ts\": 1\n}\n", "span several lines"),
    ] {
        let ran = assert_unusable(&shop(input), "-i in.jsonl");
        assert!(ran.stderr.contains(part) && ran.stderr.contains("`jq -c "), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("hint: ").count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn late_events_get_a_bound_that_does() {
    let day = 86_400_000_i64;
    let base = 1_714_557_600_000_i64;
    // The times of the events of order a, and what is suggested.
    let cases: [(&[i64], &str, Option<i32>); 4] = [
        (&[2500, 0, 3000], "--out-of-order 5s", Some(0)),
        (&[3 * day, 0, 1], "--out-of-order 3d", Some(3)),
        (&[7_000_000, 1000, 0], "--out-of-order 2h", Some(3)),
        (&[100 * 365 * day, 0, 1], "", Some(3)),
    ];
    for (times, expected, code) in cases {
        let mut input = String::new();
        for (index, time) in times.iter().enumerate() {
            let kind = if index == 0 { "paid" } else { "created" };
            let time = base + time;
            writeln!(input, r#"{{"type":"{kind}","ts":{time},"order_id":"a"}}"#).unwrap();
        }
        let dir = shop(&input);
        let ran = dir.run("run shop.cep -i in.jsonl");
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let first = suggested(&ran).into_iter().next().unwrap_or_default();
        assert_eq!(first, expected, "{}", ran.stderr);
        if expected.is_empty() {
            let far =
                "(the newest time, 2124-04-07T10:00:00Z, is in line 1). If that time is right,";
            assert!(ran.stderr.contains(far), "{}", ran.stderr);
        } else {
            let ran = dir.run(&format!("run shop.cep -i in.jsonl {first}"));
            assert_eq!((ran.code, ran.count("late")), (Some(0), 0), "{}", ran.stderr);
        }
    }
    // A few that are late by days are no reason for seconds, either.
    let mut input = String::new();
    for index in 0..20 {
        let time = base + if index == 10 { -3 * day } else { index };
        writeln!(input, r#"{{"type":"created","ts":{time},"order_id":"a"}}"#).unwrap();
    }
    let ran = shop(&input).run("run shop.cep -i in.jsonl");
    assert_eq!(ran.code, Some(0));
    let hint = "hint: 1 event was late, by up to 3d9ms: the input is not in time order";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
}

#[test]
fn types_that_no_rule_reads_and_events_without_key_are_of_no_use() {
    let input = "{\"type\":\"refund\",\"ts\":1,\"order_id\":\"a\"}\n";
    let ran = assert_unusable(&shop(input), "-i in.jsonl");
    assert!(ran.stderr.contains(": 1 event was of types that no rule reads\n"), "{}", ran.stderr);

    let rules = SHOP.replace("order_id: string", "order_id: string?");
    let dir = shop("{\"type\":\"created\",\"ts\":1}\n{\"type\":\"paid\",\"ts\":2}\n");
    dir.write("shop.cep", rules.as_bytes());
    let ran = assert_unusable(&dir, "-i in.jsonl");
    assert_eq!(
        ran.stderr,
        "error: no event could be used: 2 events were without key\nhint: every \
         event lacks the key of `unpaid`: `order_id` is missing or null\n"
    );
}

#[test]
fn a_type_that_never_came_is_noted() {
    let input = "{\"type\":\"created\",\"ts\":1,\"order_id\":\"a\"}\n";
    let ran = shop(input).run("run shop.cep -i in.jsonl");
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.ends_with("hint: the input has no event of `paid` (rule `unpaid`)\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(shop(input).run("run shop.cep -i in.jsonl --quiet").stderr, "");
}

#[test]
fn an_input_without_a_line_is_no_error() {
    for (input, args, hint) in [
        ("", "-i in.jsonl", "the input is empty"),
        ("", "-i in.csv", "the input is empty"),
        ("\n\n", "-i in.jsonl", "the input has only blank lines"),
        ("type,ts,order_id\n", "-i in.csv", "the input has a header and nothing below it"),
    ] {
        let dir = shop(input);
        for threads in ["--threads 1", "--threads 2", "--threads 4"] {
            let ran = dir.run(&format!("run shop.cep {args} {threads}"));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            assert!(ran.stderr.ends_with(&format!("hint: {hint}\n")), "{}", ran.stderr);
        }
        let ran = dir.run(&format!("why shop.cep --key a {args}"));
        assert_eq!((ran.code, ran.stderr), (Some(0), format!("hint: {hint}\n")));
    }
}

#[test]
fn toy_times_are_no_reason() {
    // A stream that counts from 0 is as good as any.
    let input = "{\"type\":\"created\",\"ts\":1,\"order_id\":\"a\"}\n\
                 {\"type\":\"paid\",\"ts\":900000,\"order_id\":\"a\"}\n";
    let ran = shop(input).run("run shop.cep -i in.jsonl --quiet");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    // So are texts of 1970.
    let input = input.replace(":1,", ":\"1970-01-20T20:15:57Z\",");
    let input = input.replace(":900000,", ":\"1970-01-20T21:15:57Z\",");
    let ran = shop(&input).run("run shop.cep -i in.jsonl --quiet");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
}
