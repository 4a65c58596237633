//! `kleene run --threads N` says what one thread says.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::common::{Dir, Exit};

/// Rules that can be divided by keys and rules that cannot, with every kind of output.
const SHOP: &str = "
event created { order: int, user: string, amount: float, ts: time }
event paid { order: int, ts: time }
event alert { user: string, order: int, ts: time }

rule unpaid {
  key order
  match created as c -> not paid for 20s
  emit as alert { user: c.user, order }
}
rule troubled { key user  match alert{2}  within 5m  emit { user } }
rule slow {
  key order
  match created as c -> paid as p
  within 10s
  skip none
  emit { order, user: c.user, took: p.ts - c.ts }
  on timeout emit { order, rate: c.amount / (c.amount - 7.0) }
  suppress 30s by user
}
rule busy { key user  match created{6}  within 1m  skip none  limit 3 partials drop oldest  emit { user }  suppress 10s }
rule quiet { key user  match created -> not created for 30s  emit { user } }
rule flood { match created{20}  within 2s  emit { n: 20 } }
";

/// Lines out of order, some of them late, broken, or of types that nobody knows.
fn lines(count: u64, csv: bool) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % below
    };
    let mut text = String::from(if csv { "type,ts,order,user,amount\n" } else { "" });
    for index in 0..count {
        let late = if random(50) == 0 { 100_000 } else { random(3000) };
        let ts = 1_714_557_700_000 + 50 * index - late;
        let (order, user, amount) = (random(80) + index / 40, random(25), random(10));
        let kind = ["created", "created", "paid"][usize::try_from(random(3)).unwrap()];
        let line = match (random(200), csv) {
            (0, _) => writeln!(text, "broken \u{fc} \"{index}"),
            (1, false) => writeln!(text, r#"{{"type":"seen-{}","ts":{ts}}}"#, random(9)),
            (1, true) => writeln!(text, "seen-{},{ts},,,", random(9)),
            (2, _) => writeln!(text),
            (3, false) => writeln!(text, r#"{{"type":"paid","ts":{ts},"order":"{order}?"}}"#),
            (3, true) => writeln!(text, "created,{ts},{order},\"a \"\"b\"\",\nc{user}\",1.5"),
            (_, false) => writeln!(
                text,
                r#"{{"type":"{kind}","ts":{ts},"order":{order},"user":"u{user}","amount":{amount}}}"#
            ),
            (_, true) => writeln!(text, "{kind},{ts},{order},u{user},{amount}"),
        };
        line.unwrap();
    }
    text.into_bytes()
}

/// Runs with one thread, with several, and without special strategies; gives what one said.
fn compare(dir: &Dir, args: &str) -> Exit {
    let one = dir.run(&format!("{args} --threads 1"));
    let rejects = args.contains("--rejects").then(|| dir.read("rejects.jsonl"));
    for way in ["", "--threads 2", "--threads 4", "--threads 5", "--threads 1 --strategy general"] {
        let ran = dir.run(&format!("{args} {way}"));
        let differs = one.stdout.lines().zip(ran.stdout.lines()).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{args} {way}: another line of output");
        assert_eq!(one.stdout.len(), ran.stdout.len(), "{args} {way}");
        assert_eq!((one.code, one.said()), (ran.code, ran.said()), "{args} {way}");
        if let Some(rejects) = &rejects {
            assert!(*rejects == dir.read("rejects.jsonl"), "{args} {way}: rejects");
        }
    }
    one
}

#[test]
fn many_blocks_of_anything_give_what_one_thread_gives() {
    let dir = Dir::new(&[
        ("shop.cep", SHOP.as_bytes()),
        ("in.jsonl", &lines(20_000, false)),
        ("in.csv", &lines(30_000, true)),
    ]);
    for input in ["in.jsonl", "in.csv"] {
        let args = format!("run shop.cep --input {input} --out-of-order 2s");
        let ran = compare(&dir, &format!("{args} --rejects rejects.jsonl"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let counts = [
            "matches",
            "timeouts",
            "suppressed",
            "fed to other rules",
            "late",
            "rejected",
            "unknown",
            "divisions by zero",
            "limits reached",
            "peak partial matches",
        ];
        for count in counts {
            assert!(ran.count(count) > 50, "{count} in\n{}", ran.stderr);
        }
        // What is reported on the way goes to standard error, where it is reported in the same
        // order.
        compare(&dir, &args);
        compare(&dir, &format!("run shop.cep --input {input} --sorted"));
        compare(&dir, &format!("run shop.cep --input {input} --sorted --quiet --max-line 64"));
    }
}

/// Both the matching and the writing thread make lines, and one of the two is chosen after 128 pages
/// of at most 512 results.
#[test]
fn lines_of_either_thread_are_the_same_and_in_order() {
    let rules = "event paid { id: int, ts: time }
                 rule each { key id  match paid as one  emit { id, at: one.ts } }";
    let line = |id: u32| format!("{id},{}\n", 10 * id);
    let input: String = std::iter::once("id,ts\n".into()).chain((0..90_000).map(line)).collect();
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.csv", input.as_bytes())]);
    let ran = compare(&dir, "run r.cep -i in.csv --type paid --events none");
    assert_eq!((ran.code, ran.count("matches")), (Some(0), 90_000), "{}", ran.stderr);
    let is_in_order =
        |(id, line): (usize, &str)| line.contains(&format!("\"emit\":{{\"id\":{id},"));
    assert!(ran.stdout.lines().enumerate().all(is_in_order));
}

#[test]
fn lines_of_megabytes_pass_one_by_one() {
    let lines = (0..12).map(|order: usize| {
        // Less than what may be in flight, and more.
        let note = "x".repeat(if order.is_multiple_of(6) { 11_000_000 } else { 700_000 });
        let paid = format!(r#"{{"type":"sent","id":{order},"ts":{order}}}"#);
        format!("{{\"type\":\"paid\",\"id\":{order},\"ts\":{order},\"note\":\"{note}\"}}\n{paid}\n")
    });
    let rules = "event paid { id: int, ts: time, note: string }
                 event sent { id: int, ts: time }
                 rule done { key id  match paid -> sent within 1h  emit { id } }";
    let input: String = lines.collect();
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.jsonl", input.as_bytes())]);
    for (max_line, matches) in [(20_000_000, 12), (1_000_000, 10)] {
        let ran = compare(&dir, &format!("run r.cep -i in.jsonl --max-line {max_line}"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.count("matches"), matches, "{}", ran.stderr);
    }
}

#[test]
fn what_ends_a_run_ends_it_with_threads() {
    let failing = SHOP.replace("drop oldest", "fail");
    let dir = Dir::new(&[
        ("shop.cep", SHOP.as_bytes()),
        ("failing.cep", failing.as_bytes()),
        ("in.jsonl", &lines(8_000, false)),
        ("header.csv", b"kind,ts\ncreated,1\n"),
        ("twice.csv", b"type,ts,ts\n"),
        ("only.csv", b"type,ts,order,user,amount\n"),
        ("none.csv", b""),
        ("empty.jsonl", b"\n\n"),
        ("text.jsonl", b"type,ts\ncreated,1\n"),
    ]);
    let ran = compare(&dir, "run failing.cep --input in.jsonl --out-of-order 2s");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("the run was stopped") && !ran.stdout.is_empty());
    for input in
        ["header.csv", "twice.csv", "only.csv", "none.csv", "empty.jsonl", "text.jsonl", "no.csv"]
    {
        compare(&dir, &format!("run shop.cep --input {input}"));
    }
    for wrong in ["0", "65", "two"] {
        let ran = dir.run(&format!("run shop.cep --input in.jsonl --threads {wrong}"));
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("--threads"), "{}", ran.stderr);
    }
}

#[test]
fn a_broken_pack_is_an_error_after_what_was_found() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&lines(20_000, false)).unwrap();
    let packed = encoder.finish().unwrap();
    let dir = Dir::new(&[
        ("shop.cep", SHOP.as_bytes()),
        ("whole.jsonl.gz", &packed),
        ("cut.jsonl.gz", &packed[..packed.len() / 2]),
    ]);
    assert_eq!(compare(&dir, "run shop.cep --input whole.jsonl.gz").code, Some(0));
    let ran = compare(&dir, "run shop.cep --input cut.jsonl.gz");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(!ran.stdout.is_empty());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let dir = Dir::new(&[("shop.cep", SHOP.as_bytes()), ("in.jsonl", &lines(60_000, false))]);
    for threads in [1, 2, 4] {
        let run = format!("run shop.cep -i in.jsonl --quiet --threads {threads}");
        let (line, ran) = dir.close_after_a_line(&run);
        assert!(line.starts_with("{\"rule\":"));
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    }
}

#[cfg(unix)]
#[test]
fn results_come_at_once_and_ctrl_c_ends_the_run() {
    for threads in [1, 2, 4] {
        results_come_at_once(threads);
    }
}

#[cfg(unix)]
fn results_come_at_once(threads: usize) {
    let dir = Dir::new(&[("shop.cep", SHOP.as_bytes())]);
    let mut command = dir.command(&format!("run shop.cep --threads {threads}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for order in 1..=3 {
        let created = r#""user":"ann","amount":1.5"#;
        writeln!(stdin, r#"{{"type":"created","ts":{order}000,"order":{order},{created}}}"#)
            .unwrap();
        writeln!(stdin, r#"{{"type":"paid","ts":{order}500,"order":{order}}}"#).unwrap();
    }
    let mut text = String::new();
    // The other two are suppressed.
    stdout.read_line(&mut text).unwrap();
    assert!(text.starts_with("{\"rule\":\"slow\""), "{text}");
    writeln!(stdin, r#"{{"type":"paid","ts":40000,"order":9}}"#).unwrap();
    // Time goes on: `ann` was quiet for 30 seconds.
    stdout.read_line(&mut text).unwrap();
    let ran = crate::common::interrupted(child, stdout, text);
    drop(stdin);
    assert_eq!((ran.code, ran.count("matches")), (Some(130), 2), "{}", ran.stderr);
    assert_eq!((ran.results().len(), ran.count("suppressed")), (2, 2), "{}", ran.stderr);
    assert!(ran.stderr.contains("\ninterrupted: "), "{}", ran.stderr);
}

#[test]
fn the_first_record_below_a_header_is_reported_as_by_one_thread() {
    let dir = Dir::new(&[("shop.cep", SHOP.as_bytes())]);
    for first in ["created,x,1,u1,2", "seen,1,1,u1,2", "created,1,1,u1"] {
        dir.write("in.csv", format!("type,ts,order,user,amount\n{first}\n").as_bytes());
        let ran = compare(&dir, "run shop.cep --input in.csv --rejects rejects.jsonl");
        assert_eq!(ran.count("rejected") + ran.count("unknown"), 1, "{}", ran.stderr);
    }
}
