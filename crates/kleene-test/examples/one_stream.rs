//! Runs all recorded cases through any host of Kleene by files alone: one rule file and one file of
//! events in, result lines out.
//!
//! ```text
//! cargo run --release -p kleene-test --example one_stream -- export DIR testdata/conformance
//! kleene run DIR/rules.cep -i DIR/events.jsonl --end-of-time -o DIR/results.jsonl
//! cargo run --release -p kleene-test --example one_stream -- \
//!     judge DIR/results.jsonl testdata/conformance
//! ```
//!
//! The host has to end time, as `--end-of-time` does. Both commands need the same files and folders
//! of cases, in the same order. The exit code is 1 if a case failed, and 2 for wrong arguments,
//! files that cannot be read, and results without a line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a report")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, iter};

use kleene::RuleSet;
use kleene_test::judge::Verdict;
use kleene_test::one_stream::{OneStream, Results};

const USAGE: &str = "usage: one_stream export OUT_DIR FILE_OR_DIR...\n       one_stream judge RESULTS FILE_OR_DIR...";

/// Failures that are printed in full.
const SHOWN: usize = 10;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Gives the number of failures.
fn run() -> io::Result<usize> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [command, target, cases @ ..] = arguments.as_slice() else { return wrong(USAGE) };
    let cases: Vec<PathBuf> = cases.iter().map(PathBuf::from).collect();
    match command.as_str() {
        _ if cases.is_empty() => wrong(USAGE),
        "export" => export(Path::new(target), &read(&cases)?).map(|()| 0),
        "judge" => Ok(judge(&results(target)?, &read(&cases)?)),
        _ => wrong(USAGE),
    }
}

fn wrong<T>(reason: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn read(paths: &[PathBuf]) -> io::Result<OneStream> {
    let cases = OneStream::read(paths)?;
    if cases.is_empty() { wrong("there are no cases that the language can say") } else { Ok(cases) }
}

fn results(path: &str) -> io::Result<Results> {
    match path {
        "-" => Results::read(io::stdin().lock()),
        path => Results::read(BufReader::new(named(path, File::open(path))?)),
    }
}

/// A result whose error says the path.
fn named<T>(path: &str, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

fn export(dir: &Path, cases: &OneStream) -> io::Result<()> {
    let rules = cases.rules();
    // Each rule was checked alone; together they can still be too much.
    if let Err(error) = RuleSet::parse(&rules) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join("rules.cep"), rules)?;
    fs::write(dir.join("events.jsonl"), cases.events())?;
    for (reason, count) in cases.unsaid() {
        println!("{count:5} cannot be said: {reason}");
    }
    println!("{} cases written, {} cannot be said", cases.len(), unsaid(cases));
    Ok(())
}

fn unsaid(cases: &OneStream) -> usize {
    cases.unsaid().values().sum()
}

/// Gives the number of failures.
fn judge(results: &Results, cases: &OneStream) -> usize {
    let (mut passed, mut failed, mut tied) = (0, 0, 0);
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, verdict) in cases.judge(results) {
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed(difference) => {
                failed += 1;
                if failed <= SHOWN {
                    println!("{name}:\n{}", difference.trim_end());
                }
            }
            Verdict::Tied => tied += 1,
            Verdict::Known(rule) => *known.entry(rule.name).or_default() += 1,
        }
    }
    let known = known.iter().map(|(rule, count)| format!("{count} knowingly different ({rule})"));
    let tied = (tied > 0).then(|| format!("{tied} tied"));
    let apart = tied.into_iter().chain(known);
    let apart = apart.chain(iter::once(format!("{} cannot be said", unsaid(cases))));
    let apart: Vec<String> = apart.collect();
    println!("{passed} passed, {failed} failed, {}", apart.join(", "));
    failed
}
