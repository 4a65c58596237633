//! What `kleene test` passes is what is reported: a test that expects all results passes, and one
//! that expects another one fails.

use std::fmt::Write as _;

use kleene::stream::Output;
use kleene::value::ValueRef;
use kleene::{Engine, Event as _, Record, RuleSet, Value};
use kleene_explain::testing::{self, TEST_START};
use proptest::prelude::*;

use super::{Edit, Inputs, hunt, inputs, millis, result, same};

/// An expectation.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    kind: &'static str,
    fields: Vec<(String, String)>,
    at: i64,
    count: Option<u64>,
}

impl Expected {
    fn of(output: &Output<Record>) -> Option<Expected> {
        let (kind, found) = result(output)?;
        let ValueRef::Record(fields) = found.emit.as_ref() else { return None };
        let fields = fields.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Some(Expected {
            kind,
            fields: fields.collect(),
            at: millis(found.reported_at),
            count: (kind == "match").then_some(found.count),
        })
    }

    /// The expectation as a line; `no` is put before its kind.
    fn line(&self, no: &str) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}"));
        let fields: Vec<String> = fields.collect();
        let count = self.count.map(|count| format!(" count {count}")).unwrap_or_default();
        // What is not reported would be a match.
        let kind = if self.kind == "timeout" { "timeout" } else { "match" };
        format!("  expect {no}{kind} {{ {} }}{count} at {}ms\n", fields.join(", "), self.at)
    }

    /// The same at the next time at which nothing of the kind is reported.
    fn at_another_time(&self, all: &[Expected]) -> Expected {
        let mut other = self.clone();
        while all.contains(&other) {
            other.at += 1;
        }
        other
    }

    /// The same with an event that does not exist.
    fn of_other_events(&self) -> Expected {
        let mut other = self.clone();
        if let Some((_, value)) = other.fields.iter_mut().find(|(_, value)| value.ends_with(']')) {
            let items = value.trim_end_matches(']').to_owned();
            let comma = if items.ends_with('[') { "" } else { ", " };
            *value = format!("{items}{comma}99]");
        }
        other
    }

    fn counting(&self, more: u64) -> Expected {
        Expected { count: self.count.map(|count| count + more), ..self.clone() }
    }
}

/// The tests of one rule and stream, and how many of the expectations of each do not hold.
struct Blocks {
    steps: String,
    text: String,
    failures: Vec<(&'static str, usize)>,
}

impl Blocks {
    fn add(&mut self, what: &'static str, lines: &str, failures: usize) {
        let _ = write!(self.text, "test r {{\n{}{lines}}}\n", self.steps);
        self.failures.push((what, failures));
    }
}

/// Writes the tests: `which` is the number of the expectation that is made wrong, taken around.
fn blocks(of: &Inputs, events: &[Record], outputs: &[Output<Record>], which: usize) -> Blocks {
    let all: Vec<Expected> = outputs.iter().filter_map(Expected::of).collect();
    let (reported, hidden): (Vec<Expected>, Vec<Expected>) =
        all.into_iter().partition(|one| ["match", "timeout"].contains(&one.kind));
    let mut steps = String::new();
    for event in events {
        let [ty, v, k, n] = event.values() else { continue };
        let at = millis(event.time());
        let _ = writeln!(steps, "  at {at}ms e {{ type: {ty}, v: {v}, k: {k}, n: {n} }}");
    }
    let _ = writeln!(steps, "  advance to {}ms", end(events));
    let text = of.text(Edit::default()).unwrap_or_default();
    let mut blocks = Blocks { steps, text, failures: Vec::new() };
    let lines = |with: Option<(usize, &Expected)>| -> String {
        let lines = reported.iter().enumerate().map(|(number, one)| match with {
            Some((index, other)) if index == number => other.line(""),
            _ => one.line(""),
        });
        lines.collect()
    };
    let all = lines(None);
    blocks.add("everything", &all, 0);
    if !reported.iter().any(|one| one.kind == "match") {
        blocks.add("no match", "  expect no match\n", 0);
        blocks.add("a match of none", "  expect match\n", 1);
    }
    for hidden in &hidden {
        let mut shown = Expected { kind: "match", ..hidden.clone() };
        shown.count = None;
        let is_reported = reported
            .iter()
            .any(|one| (one.kind, &one.fields, one.at) == (shown.kind, &shown.fields, shown.at));
        if !is_reported {
            blocks.add("what is not reported", &format!("{all}{}", shown.line("no ")), 0);
            blocks.add("as if it were reported", &format!("{all}{}", shown.line("")), 1);
        }
    }
    if reported.is_empty() {
        return blocks;
    }
    let index = which % reported.len();
    let one = &reported[index];
    let late = one.at_another_time(&reported);
    blocks.add("another time", &lines(Some((index, &late))), 1);
    let other = one.of_other_events();
    blocks.add("another value", &lines(Some((index, &other))), 1);
    blocks.add("none with another value", &format!("{all}{}", other.line("no ")), 0);
    if one.count.is_some() {
        blocks.add("another count", &lines(Some((index, &one.counting(1)))), 1);
    }
    blocks.add("one more", &format!("{all}{}", one.line("")), 1);
    blocks.add("none of one", &format!("{all}{}", one.line("no ")), 1);
    if late.at <= end(events) {
        blocks.add("none at another time", &format!("{all}{}", late.line("no ")), 0);
    }
    blocks
}

/// The time to which a test moves: that of the last event, and what deadlines may take.
fn end(events: &[Record]) -> i64 {
    events.last().map_or(0, |event| millis(event.time())) + 20
}

fn check(of: &Inputs, which: usize) -> Result<Option<()>, String> {
    let Some((rules, events)) = of.ready() else { return Ok(None) };
    let mut engine = Engine::builder().rules(&rules).build().map_err(|error| error.to_string())?;
    let mut outputs = Vec::new();
    for event in &events {
        engine.push(event, &mut outputs).map_err(|error| error.to_string())?;
    }
    let to = TEST_START.plus_millis(end(&events));
    engine.advance(to, &mut outputs).map_err(|error| error.to_string())?;
    let blocks = blocks(of, &events, &outputs, which);
    let rules = RuleSet::parse(&blocks.text).map_err(|error| error.to_string())?;
    same("tests", &rules.tests().len(), &blocks.failures.len())?;
    for (test, (what, expected)) in rules.tests().iter().zip(&blocks.failures) {
        let failures = testing::run(&rules, test).map_err(|error| error.to_string())?;
        if failures.len() != *expected {
            let shown: Vec<String> = failures.iter().map(|one| format!("{one:?}")).collect();
            let found = format!("{} failures, expected {expected}", shown.len());
            return Err(format!("{what}: {found}\n{}\n{}", shown.join("\n"), blocks.text));
        }
        // What is not so is what was made so: the last line or the one that was changed.
        let is_wrong = |value: &Value| value.to_string().contains("99");
        let named = failures.iter().flat_map(|one| &one.expected.fields);
        if *what == "another value" && !named.clone().any(|(_, value)| is_wrong(value)) {
            return Err(format!("{what}: another expectation fails: {failures:?}"));
        }
    }
    Ok(Some(()))
}

#[test]
fn tests_pass_what_is_reported_and_nothing_else() {
    hunt(400, &(inputs(), any::<usize>()), |(of, which)| check(of, *which));
}
