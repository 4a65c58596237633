//! Compares the outputs of an engine with the recorded ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kleene_automata::exec::reference::ReferenceOutput;
use kleene_syntax::hir::{Pattern, StepId};

use crate::convert;
use crate::engine::{self, Engine};
use crate::format::{Case, Match};
use crate::known::{self, Rule};

/// The verdict on a case.
#[derive(Debug)]
pub enum Verdict {
    /// As recorded.
    Passed,
    /// Not as recorded, and it should be.
    Failed(String),
    /// Not as recorded, where the record itself depends on the order of a queue.
    Tied,
    /// Not as recorded, for a stated reason.
    Known(&'static Rule),
}

/// The answer of an engine to a pattern that Flink refuses or cannot run.
#[derive(Debug)]
pub enum Odd {
    /// It says why it does not run it.
    Refused(String),
    /// It runs it.
    Supported,
    /// The output is wrong in itself: something was reported twice.
    Failed(String),
}

/// The captured events by step, in the order in which steps first captured something.
type Captured = BTreeMap<String, Vec<usize>>;

/// The outputs of a step: matches, and timeouts with their time.
type Reports = (BTreeSet<Captured>, BTreeSet<(i64, Captured)>);

/// Runs a case and compares.
pub fn judge(engine: &dyn Engine, case: &Case, flags: &[String]) -> Verdict {
    verdict(case, flags, run(engine, case))
}

/// The verdict on a case that was compared with its record, or that did not run.
pub fn verdict(case: &Case, flags: &[String], compared: Result<(), String>) -> Verdict {
    let Err(difference) = compared else { return Verdict::Passed };
    if let Some(rule) = known::applying(&case.pattern) {
        return Verdict::Known(rule);
    }
    if flags.iter().any(|flag| flag == "tie") {
        return Verdict::Tied;
    }
    Verdict::Failed(difference)
}

/// Runs a pattern that has no record of results.
pub fn judge_odd(engine: &dyn Engine, case: &Case) -> Odd {
    let pattern = match convert::pattern(&case.pattern) {
        Ok(pattern) => pattern,
        Err(error) => return Odd::Refused(error.to_string()),
    };
    let mut session = match engine.start(&pattern) {
        Ok(session) => session,
        Err(error) => return Odd::Refused(error),
    };
    let events = convert::events(case);
    for reported in engine::run(&mut *session, &events) {
        if let Err(error) = split(&pattern, &reported) {
            return Odd::Failed(error);
        }
    }
    Odd::Supported
}

/// Runs a case and compares; the error is the difference, or why the case does not run.
fn run(engine: &dyn Engine, case: &Case) -> Result<(), String> {
    let pattern = convert::pattern(&case.pattern).map_err(|error| error.to_string())?;
    let mut session = engine.start(&pattern)?;
    let events = convert::events(case);
    compare(case, &pattern, &engine::run(&mut *session, &events))
}

/// Compares outputs by step, made anywhere, with those of a case.
///
/// # Errors
/// The differences, a line each.
pub fn compare(
    case: &Case,
    pattern: &Pattern,
    reported: &[Vec<ReferenceOutput>],
) -> Result<(), String> {
    let mut difference = String::new();
    for (number, (reported, recorded)) in reported.iter().zip(&case.steps).enumerate() {
        let (matches, timeouts) = split(pattern, reported)?;
        let wanted_matches: BTreeSet<_> = recorded.matches.iter().map(by_step).collect();
        let wanted_timeouts: BTreeSet<_> =
            recorded.timeouts.iter().map(|t| (t.at, by_step(&t.partial))).collect();
        let mut note = |sign: char, what: &str, captured: &Captured| {
            let _ = writeln!(difference, "  step {number}: {sign} {what} {}", show(captured));
        };
        for captured in wanted_matches.difference(&matches) {
            note('-', "match", captured);
        }
        for captured in matches.difference(&wanted_matches) {
            note('+', "match", captured);
        }
        for (at, captured) in wanted_timeouts.difference(&timeouts) {
            note('-', &format!("timeout at {at}"), captured);
        }
        for (at, captured) in timeouts.difference(&wanted_timeouts) {
            note('+', &format!("timeout at {at}"), captured);
        }
    }
    if reported.len() != case.steps.len() {
        let _ = writeln!(difference, "  {} steps instead of {}", reported.len(), case.steps.len());
    }
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

fn split(pattern: &Pattern, reported: &[ReferenceOutput]) -> Result<Reports, String> {
    let mut split = Reports::default();
    for one in reported {
        let captured = captured(pattern, &one.captures);
        let text = show(&captured);
        let new = if one.is_match {
            split.0.insert(captured)
        } else {
            split.1.insert((one.at.as_millis(), captured))
        };
        if !new {
            return Err(format!("  reported twice: {text}\n"));
        }
    }
    Ok(split)
}

fn captured(pattern: &Pattern, captures: &[(StepId, usize)]) -> Captured {
    let mut captured = Captured::new();
    for &(step, event) in captures {
        let name = convert::step_name(pattern, step).to_string();
        captured.entry(name).or_default().push(event);
    }
    captured
}

fn by_step(recorded: &Match) -> Captured {
    recorded.iter().cloned().collect()
}

fn show(captured: &Captured) -> String {
    let parts = captured.iter().map(|(name, events)| {
        let events: Vec<_> = events.iter().map(ToString::to_string).collect();
        format!("{name}={}", events.join(","))
    });
    parts.collect::<Vec<_>>().join(" ")
}
