//! Runs every recorded case under a directory through each engine and says how it went.
//!
//! `cargo run --release --example conformance -- testdata/conformance [--show N] [--only ID]`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a report")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io};

use kleene_test::engine::{Engine, MatcherEngine, ReferenceEngine};
use kleene_test::files;
use kleene_test::format::{self, Case};
use kleene_test::judge::{self, Odd, Verdict};

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

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    tied: usize,
    known: BTreeMap<&'static str, usize>,
    refused: usize,
    supported: usize,
}

/// Gives the number of failures.
fn run() -> io::Result<usize> {
    let mut arguments = env::args().skip(1);
    let mut dir = None;
    let (mut show, mut only) = (3, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--show" => show = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(show),
            "--only" => only = arguments.next(),
            _ => dir = Some(PathBuf::from(argument)),
        }
    }
    let usage = "usage: conformance DIR [--show FAILURES_PER_FILE] [--only ID]";
    let dir = dir.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, usage))?;
    let engines: [&dyn Engine; 2] = [&MatcherEngine, &ReferenceEngine];

    let mut total = Tally::default();
    for file in &files::case_files(&dir)? {
        let mut cases = format::read_cases(file)?;
        cases.retain(|case| only.as_ref().is_none_or(|only| case.id == *only));
        let flags = format::read_flags(file.parent().unwrap_or(&dir))?;
        let name = file.strip_prefix(&dir).unwrap_or(file).display().to_string();
        for engine in engines {
            let tally = run_file(engine, &cases, &flags, show);
            println!("{name:18} {:10} {}", engine.name(), line(&tally));
            total.passed += tally.passed + tally.refused + tally.supported;
            total.failed += tally.failed;
            total.tied += tally.tied;
            for (rule, count) in tally.known {
                *total.known.entry(rule).or_default() += count;
            }
        }
    }
    let skipped = total.tied + total.known.values().sum::<usize>();
    println!("{} passed, {} failed, {skipped} skipped", total.passed, total.failed);
    Ok(total.failed)
}

fn run_file(
    engine: &dyn Engine,
    cases: &[Case],
    flags: &BTreeMap<String, Vec<String>>,
    show: usize,
) -> Tally {
    let mut tally = Tally::default();
    for case in cases {
        let mut fail = |difference: &str| {
            tally.failed += 1;
            if tally.failed <= show {
                println!("{} ({}):\n{}", case.id, engine.name(), difference.trim_end());
            }
        };
        if case.steps.is_empty() {
            match judge::judge_odd(engine, case) {
                Odd::Refused(reason) => {
                    tally.refused += 1;
                    if show > 100 {
                        println!("{}: refused: {reason}", case.id);
                    }
                }
                Odd::Supported => {
                    tally.supported += 1;
                    println!("{} ({}): supported", case.id, engine.name());
                }
                Odd::Failed(difference) => fail(&difference),
            }
            continue;
        }
        let flags = flags.get(&case.id).map_or(&[][..], Vec::as_slice);
        match judge::judge(engine, case, flags) {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed(difference) => fail(&difference),
            Verdict::Tied => tally.tied += 1,
            Verdict::Known(rule) => *tally.known.entry(rule.name).or_default() += 1,
        }
    }
    tally
}

fn line(tally: &Tally) -> String {
    let mut parts = vec![format!("{} passed, {} failed", tally.passed, tally.failed)];
    if tally.tied > 0 {
        parts.push(format!("{} tied", tally.tied));
    }
    if tally.refused + tally.supported > 0 {
        parts.push(format!("{} refused, {} supported", tally.refused, tally.supported));
    }
    for (rule, count) in &tally.known {
        parts.push(format!("{count} knowingly different ({rule})"));
    }
    parts.join(", ")
}
