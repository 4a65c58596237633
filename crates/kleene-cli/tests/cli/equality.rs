//! The same events give the same output, byte for byte, however they are matched. All shipped rules
//! run on made-up streams: with threads, without special strategies, with hardly a key in memory,
//! in another order, in two parts, and from one checkpoint to the next.
//!
//! One file in six is taken; `KLEENE_EQUALITY=1 cargo test -p kleene-cli --test cli equality` takes
//! all. Random rules are held to the same in the library's `strategies`, `cold`, `snapshot` and
//! `batches`, and with threads in the tests of `kleene-runner`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kleene::{Event as _, Record, RuleSet, Value};
use kleene_test::files::rule_files;
use kleene_test::restore::Step;
use kleene_test::steps::{Dice, made_up, steps_of_tests};

use super::common::{Dir, Exit};

/// The largest delay of events, in milliseconds.
const BOUND: i64 = 5000;

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    ["patterns", "testdata/suite"]
        .iter()
        .flat_map(|folder| rule_files(&root.join(folder)))
        .collect()
}

/// Events of the rules' tests in any order, a line each, by time.
fn events(rules: &RuleSet, dice: &mut Dice) -> Vec<(i64, String)> {
    let known = steps_of_tests(rules);
    let mut lines = Vec::new();
    for round in 0..3 {
        for step in made_up(rules, &known, dice) {
            let Step::Push(event) = step else { continue };
            lines.push(line(rules, &event, round * 86_400_000));
        }
    }
    lines.sort_by_key(|(time, _)| *time);
    lines
}

/// An event as JSON, some time later.
fn line(rules: &RuleSet, event: &Record, later: i64) -> (i64, String) {
    let ty = rules.schema().ty(event.type_id());
    let time = event.time().plus_millis(later);
    let mut object = serde_json::Map::new();
    object.insert(String::from("type"), ty.name.to_string().into());
    for (index, (field, value)) in ty.fields.iter().zip(event.values()).enumerate() {
        let is_time = ty.time.is_some_and(|time| time.index() == index);
        let value = if is_time { json(&Value::Time(time)) } else { json(value) };
        object.insert(field.name.to_string(), value);
    }
    for (name, value) in event.extra() {
        object.insert(name.to_string(), json(value));
    }
    (time.as_millis(), serde_json::Value::Object(object).to_string())
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Record(fields) => {
            fields.iter().map(|(name, value)| (name.to_string(), json(value))).collect()
        }
        Value::Duration(millis) => format!("{millis}ms").into(),
        Value::String(text) => text.to_string().into(),
        // They are written as they are read.
        Value::Time(_) | Value::Ip(_) => value.to_string().into(),
    }
}

fn text(lines: &[(i64, String)]) -> String {
    lines.iter().fold(String::new(), |mut text, (_, line)| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// The events in another order, none of them later than is allowed. Those of one moment keep
/// theirs, which is the order in which they happened.
fn shuffled(lines: &[(i64, String)]) -> String {
    let late = |time: i64| (time / 7).wrapping_mul(0x9e37_79b9).rem_euclid(BOUND);
    let mut lines = lines.to_vec();
    lines.sort_by_key(|(time, _)| time + late(*time));
    text(&lines)
}

fn run(dir: &Dir, rules: &Path, args: &str) -> Exit {
    let mut command = dir.command("run");
    command.arg(rules).args(args.split_whitespace());
    Exit::from(command.args(["--out-of-order", "5s", "--quiet"]).output().unwrap())
}

#[test]
fn however_events_are_matched_the_output_is_the_same() {
    let mut dice = Dice(20);
    let one_of = if std::env::var_os("KLEENE_EQUALITY").is_some() { 1 } else { 6 };
    let (mut results, mut unusable) = (0, Vec::new());
    for file in files().into_iter().step_by(one_of) {
        let rules = RuleSet::from_path(&file).unwrap_or_else(|error| panic!("{error}"));
        let lines = events(&rules, &mut dice);
        let half = dice.below(lines.len().max(1));
        let (all, first) = (text(&lines), text(&lines[..half]));
        let other = shuffled(&lines);
        let dir = Dir::new(&[("in", all.as_bytes()), ("other", other.as_bytes())]);
        let plain = run(&dir, &file, "--format jsonl -i in --end-of-time");
        if plain.code != Some(0) {
            // A limit that fails, or a test without events.
            unusable.push(file);
            continue;
        }
        results += plain.stdout.lines().count();
        let same = |ran: &Exit, output: &str, how: &str| {
            assert_eq!(ran.code, Some(0), "{} {how}: {}", file.display(), ran.stderr);
            let differs = plain.stdout.lines().zip(output.lines()).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{} {how}", file.display());
            assert_eq!(plain.stdout.len(), output.len(), "{} {how}", file.display());
        };
        for how in [
            "--format jsonl -i in --end-of-time --threads 2",
            "--format jsonl -i in --end-of-time --threads 3",
            "--format jsonl -i in --end-of-time --threads 8",
            "--format jsonl -i in --end-of-time --strategy general",
            "--format jsonl -i in --end-of-time --spill spill --keys-in-memory 1",
            "--format jsonl -i other --end-of-time",
            "--format jsonl -i other --end-of-time --threads 3",
        ] {
            let ran = run(&dir, &file, how);
            same(&ran, &ran.stdout, how);
        }
        // A part of it, and then the rest, with and without a checkpoint every few events.
        for every in ["1h", "7events"] {
            let how = format!(
                "--format jsonl -i grown -o out.{every} --state state.{every} --checkpoint-every {every}"
            );
            dir.write("grown", first.as_bytes());
            let ran = run(&dir, &file, &how);
            // Nothing at all is reported as such.
            assert!(matches!(ran.code, Some(0 | 3)), "{} {how}: {}", file.display(), ran.stderr);
            dir.write("grown", all.as_bytes());
            let ran = run(&dir, &file, &format!("{how} --end-of-time"));
            same(&ran, &dir.read(&format!("out.{every}")), &how);
        }
    }
    assert!(unusable.len() < 8, "{unusable:?}");
    assert!(results > 2000 / one_of, "only {results} results are compared");
}
