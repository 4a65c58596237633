//! Input that has not ended yet, and the time at its end.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use super::{ORDERS, shop};
use crate::common::{Dir, Exit};

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
    let ran = crate::common::interrupted(child, stdout, text);
    // The input is still open: nothing but the signal has ended it.
    drop(stdin);
    assert_eq!(ran.code, Some(130));
    assert_eq!((ran.count("matches"), ran.count("timeouts")), (1, 1), "{}", ran.stderr);
    assert_eq!(ran.results().len(), 2);
    assert!(ran.stderr.starts_with("interrupted: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 partial matches"), "{}", ran.stderr);
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
        ("-i in.jsonl --idle-timeout 10s", "live input, but in.jsonl is a file"),
        ("--idle-timeout 0s", "expected a time greater than 0"),
    ] {
        let ran = dir.run(&format!("run shop.cep {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
    }
}
