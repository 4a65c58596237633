//! `kleene why`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Dir;

/// The folder with the recorded stories. Each `NAME.cep` names in its head the command that reports
/// `NAME.jsonl` what is recorded in `NAME.txt`.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/why")
}

fn run(args: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
    let output = command.current_dir(folder()).args(args.split_whitespace()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn cases() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<(String, String)> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "cep"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let args = text.lines().find_map(|line| line.strip_prefix("#   kleene why "));
            let args = args.unwrap_or_else(|| panic!("{name}: no command in its head"));
            (name.clone(), format!("why {name}.cep {args}"))
        })
        .collect();
    cases.sort();
    cases
}

#[test]
fn stories_are_reported_as_recorded() {
    let update = std::env::var_os("KLEENE_TEST_UPDATE").is_some();
    let cases = cases();
    assert!(cases.len() >= 15);
    let mut wrong = Vec::new();
    for (name, args) in cases {
        let found = run(&args);
        let file = folder().join(format!("{name}.txt"));
        if update {
            fs::write(&file, &found).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != found {
            wrong.push(format!("{name}: `kleene {args}` now reports:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_programs_read_counts_what_people_read() {
    for (name, args) in cases() {
        let text = run(&args);
        let lines = run(&format!("{args} --json"));
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (summary, entries) = lines.split_last().unwrap();
        assert_eq!(summary["kind"], "summary", "{name}");
        if text.contains("This key does not occur") {
            assert_eq!((entries.len(), &summary["events"]), (0, &0.into()), "{name}");
            continue;
        }
        let reported = entries.iter().flat_map(|entry| entry["effects"].as_array().unwrap());
        let reported = reported.filter(|effect| {
            effect["reported"]["suppressed"] == false && effect["reported"]["chosen"] == true
        });
        let matches = reported.filter(|effect| effect["reported"]["kind"] == "match").count();
        let left_out = summary["left_out"].as_u64().unwrap();
        assert!(left_out > 0 || summary["matches"] == matches, "{name}: {lines:?}");
        assert!(text.contains(&format!("{} of the ", summary["events"])), "{name}");
    }
}

const RULES: &[u8] = br"
event a { user: string, host: string, at: time }
rule one { key user  match a{2} as as_ within 1m }
rule two { key user, host  match a{2} as as_ within 1m }
rule none { match a{2} as as_ within 1m }
";

#[test]
fn wrong_usage_says_what_would_be_right() {
    let dir = Dir::new(&[("r.cep", RULES), ("e.jsonl", b"")]);
    for (args, message) in [
        (
            "why r.cep --key ann -i e.jsonl",
            "several rules: choose one with `--rule NAME`: one, two, none",
        ),
        (
            "why r.cep --rule on --key ann -i e.jsonl",
            "there is no rule `on` (--rule); there are: one, two, none",
        ),
        (
            "why r.cep --rule one -i e.jsonl",
            "no key given: add `--key VALUE`; the key of `one` is user",
        ),
        ("why r.cep --rule two --key ann -i e.jsonl", "write it as user=...,host=..."),
        (
            "why r.cep --rule two --key a,b,c -i e.jsonl",
            "the key has 2 parts (user, host), 3 given",
        ),
        ("why r.cep --rule none --key a -i e.jsonl", "the rule `none` has no key"),
        ("why r.cep --rule none --type b -i e.jsonl", "declare no event type `b`"),
        ("why r.cep --rule none -i missing.jsonl", "missing.jsonl"),
    ] {
        let ran = dir.run(args);
        assert_eq!(ran.code, Some(2), "{args}: {ran:?}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args}");
    }
    let ran = dir.run("why missing.cep --rule one --key ann -i e.jsonl");
    assert_eq!(ran.code, Some(2));
}

#[test]
fn events_come_from_standard_input_and_are_limited() {
    let dir = Dir::new(&[("r.cep", RULES)]);
    let mut input = String::new();
    for second in 0..50 {
        let at = 1000 * second;
        let _ = writeln!(input, r#"{{"type":"a","user":"ann","host":"h","at":{at}}}"#);
    }
    let ran =
        dir.run_with("why r.cep --rule one --key ann --time-unit ms --limit 2", input.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.matches("(line ").count(), 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("\n... 48 entries after these are not shown\n"), "{}", ran.stdout);
    let ran = dir.run_with("why r.cep --rule none --time-unit ms --last 1", input.as_bytes());
    assert!(ran.stdout.contains("\n... 49 entries before these are not shown\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("key    none: all events are one stream"), "{}", ran.stdout);
    let ran = dir.run_with("why r.cep --rule one --key ann", b"");
    assert_eq!(ran.stderr, "hint: the input is empty\n");
}

/// A loop that takes any of the events doubles its partial matches with each of them.
#[test]
fn what_explodes_is_followed_up_to_a_bound() {
    let rules = b"event a { at: time }\nevent b { at: time }\n\
        rule r { match a{2.. any each} as as_ -> b within 1h skip none }\n";
    let dir = Dir::new(&[("r.cep", rules)]);
    let mut input = String::new();
    for second in 0..1000 {
        let at = 1000 * second;
        let _ = writeln!(input, r#"{{"type":"a","at":{at}}}"#);
    }
    let ran = dir.run_with("why r.cep --time-unit ms --json", input.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.results();
    let (summary, entries) = lines.split_last().unwrap();
    let effects: Vec<&serde_json::Value> =
        entries.iter().flat_map(|entry| entry["effects"].as_array().unwrap()).collect();
    assert!(effects.iter().any(|effect| effect["fate"] == "not followed"), "{summary}");
    assert!(entries.iter().all(|entry| entry["effects"].as_array().unwrap().len() <= 102));
    assert!(entries.iter().any(|entry| entry["more_effects"].as_u64().unwrap() > 0));
    assert!(summary["events"].as_u64().unwrap() < 20, "{summary}");
}
