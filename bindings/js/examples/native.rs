//! What the native build answers, for `test/native.test.mjs` to compare with the module:
//! `cargo run --release -p kleene-wasm --example native -- FOLDER` writes `runs.jsonl` and
//! `tests.jsonl` there.
//!
//! A line of `runs.jsonl` is rules, events, options and the outputs as `kleene run` prints them: the
//! recorded cases that rules can say, and the events of all tests in `testdata/suite` and
//! `patterns/`. The outputs of a recorded case are those of an engine over its records, so that the
//! reading of events is compared, too. A line of `tests.jsonl` is a rule file with its test report.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::{env, io};

use kleene::RuleSet;
use kleene::stream::Engine;
use kleene_report::output::{LineForm, Shapes};
use kleene_test::{convert, files, format, text};
use kleene_wasm::options::Options;
use kleene_wasm::run::{OutputLines, run};
use kleene_wasm_engine::Indexed;
use serde_json::{Value as Json, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let usage = "usage: native FOLDER";
    let folder = PathBuf::from(env::args().nth(1).ok_or(usage)?);
    fs::create_dir_all(&folder)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut runs = BufWriter::new(File::create(folder.join("runs.jsonl"))?);
    let recorded = recorded(&root.join("testdata/conformance"), &mut runs)?;
    let mut tests = BufWriter::new(File::create(folder.join("tests.jsonl"))?);
    let mut written = 0;
    for of in ["testdata/suite", "patterns"] {
        for path in files::rule_files(&root.join(of)) {
            written += of_file(&root, &path, &mut runs, &mut tests)?;
        }
    }
    runs.flush()?;
    tests.flush()?;
    writeln!(io::stdout(), "{recorded} recorded cases, {written} tests")?;
    Ok(())
}

/// The recorded cases that the language has words for.
fn recorded(folder: &Path, runs: &mut impl Write) -> Result<usize> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut count = 0;
    for path in paths {
        for case in format::read_cases(&path)? {
            if case.steps.is_empty() {
                continue;
            }
            let Ok(rules) = text::rule(&convert::pattern(&case.pattern)?) else { continue };
            let Ok(set) = RuleSet::parse(&rules) else { continue };
            let mut engine: Engine<Indexed> = Engine::builder().rules(&set).build()?;
            let shapes = Shapes::new(engine.schema(), "ts".into(), LineForm::Json);
            let mut printer = OutputLines::new(shapes);
            for event in convert::events(&case) {
                engine.push(&event.into(), &mut printer)?;
            }
            engine.end_time(&mut printer)?;
            let events = case.events.iter().map(|(time, ty, v)| {
                let event = json!({ "ts": time, "type": ty, "v": v });
                format!("{event}\n")
            });
            let line = json!({
                "name": case.id,
                "rules": rules,
                "events": events.collect::<String>(),
                "options": { "type": "e", "endOfTime": true },
                "outputs": String::from_utf8(printer.lines)?,
            });
            writeln!(runs, "{line}")?;
            count += 1;
        }
    }
    Ok(count)
}

/// The tests of a rule file: their report, and what comes of their events.
fn of_file(
    root: &Path,
    path: &Path,
    runs: &mut impl Write,
    tests: &mut impl Write,
) -> Result<usize> {
    let rules = fs::read_to_string(path)?;
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let given = json!({ "name": name, "files": beside(path)? });
    let options = Options::read(&given.to_string()).map_err(|fault| fault.message)?;
    let report = kleene_wasm::text::test(&rules, &options).map_err(|fault| fault.message)?;
    let line = json!({ "name": name, "rules": rules, "options": given, "report": report });
    writeln!(tests, "{line}")?;
    let count = report["tests"].as_array().map_or(0, Vec::len);
    for test in 0..count {
        let events = kleene_wasm::text::test_events(&rules, test, &options);
        let events = events.map_err(|fault| fault.message)?;
        let mut given = given.clone();
        if let Some(to) = events["advanceTo"].as_i64() {
            given["advanceTo"] = to.into();
        }
        let options = Options::read(&given.to_string()).map_err(|fault| fault.message)?;
        let text = events["text"].as_str().unwrap_or_default().to_owned();
        let mut line = json!({
            "name": format!("{name} {}", report["tests"][test]["name"]),
            "rules": rules,
            "events": text,
            "options": given,
        });
        match run(&rules, text.into_bytes(), &options) {
            Ok(ran) => line["outputs"] = ran.lines.into(),
            // A rule's limit, say, that is to end the run.
            Err(fault) => line["error"] = serde_json::to_value(&fault)?,
        }
        writeln!(runs, "{line}")?;
    }
    Ok(count)
}

/// The texts of the files in the same folder and below it, by their paths from there.
fn beside(path: &Path) -> Result<BTreeMap<String, Json>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut texts = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(found) = open.pop() {
        for entry in fs::read_dir(&found)? {
            let other = entry?.path();
            if other.is_dir() {
                open.push(other);
            } else if other != path {
                let name = other.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
                texts.insert(name, fs::read_to_string(&other)?.into());
            }
        }
    }
    Ok(texts)
}
