//! Input and places that want to break something: each broken line costs that line, and what cannot
//! be written is said.

use crate::common::{Dir, Exit};

const RULES: &[u8] = b"event a { ts: time, k: string, n: int?, x: float? }\n\
    rule twice { key k match a as one -> a as two within 10s emit { k, n: one.n + two.n, x: two.x } }\n";

fn line(at: u64, rest: &str) -> String {
    format!("{{\"type\":\"a\",\"ts\":{at}{rest}}}\n")
}

fn run(input: &str) -> Exit {
    let dir = Dir::new(&[("r.cep", RULES), ("in.jsonl", input.as_bytes())]);
    dir.run("run r.cep -i in.jsonl")
}

#[test]
fn what_is_big_or_deep_costs_its_line_only() {
    let key = "k".repeat(1_000_000);
    let fields: Vec<String> = (0..10_000).map(|i| format!(",\"f{i}\":{i}")).collect();
    let fields = fields.concat();
    let deep = format!(",\"k\":\"x\",\"deep\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!(",\"k\":\"{}\"", "h".repeat(20 << 20));
    let input = [
        line(1, &format!(",\"k\":\"{key}\",\"n\":1")),
        line(2, &format!(",\"k\":\"small\",\"n\":1{fields}")),
        line(3, &deep),
        line(4, &huge),
        line(5, ",\"k\":\"nul\\u0000\",\"n\":1"),
        line(6, &format!(",\"k\":\"{key}\",\"n\":1")),
        line(7, ",\"k\":\"small\",\"n\":1"),
        line(8, ",\"k\":\"nul\\u0000\",\"n\":1"),
        String::from("\0\0\0\n"),
    ]
    .concat();
    let ran = run(&input);
    // What is nested deep is no field that rules know of: it is passed over without recursion.
    assert_eq!((ran.results().len(), ran.count("rejected")), (3, 2), "{}", ran.stderr);
    for reason in ["line 4: the line is too long", "line 9: not JSON"] {
        assert!(ran.stderr.contains(reason), "{reason}: {}", ran.stderr);
    }
    assert!(ran.stderr.len() < 20_000, "what is reported for it stays short");
}

#[test]
fn numbers_at_the_edges_make_results_that_are_json() {
    let numbers = [
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1e400",
        "-0.0",
        "5e-324",
        "NaN",
    ];
    let mut input = String::new();
    for (number, at) in numbers.iter().zip(1..) {
        let n = if number.contains(['e', '.', 'N']) { "1" } else { number };
        let field = format!(",\"k\":\"{number}\",\"n\":{n},\"x\":{number}");
        input += &line(2 * at, &field);
        input += &line(2 * at + 1, &field);
    }
    let ran = run(&input);
    // `results` reads each line as JSON.
    assert!(ran.results().len() >= 4, "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("line"), "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_reported() {
    let input: String = (1..2000).map(|at| line(at, ",\"k\":\"k\",\"n\":1")).collect();
    let dir = Dir::new(&[("r.cep", RULES), ("in.jsonl", input.as_bytes())]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Exit::from(dir.command("run r.cep -i in.jsonl").stdout(full).output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
}
