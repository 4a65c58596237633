//! The `test` blocks of rules, run, and what came of them.

use std::borrow::Borrow;

use kleene::{Event, Record, RuleSet};
use kleene_explain::testing::{self, TestBlock};

/// A test that was run.
#[derive(Debug)]
pub struct TestRun<'a> {
    /// The test.
    pub test: &'a TestBlock,
    /// The failures; empty if the test passes.
    pub failures: Vec<TestFailure>,
}

/// A failure of a test.
#[derive(Clone, Debug)]
pub struct TestFailure {
    /// In one line.
    pub message: String,
    /// In full, with the place in the text.
    pub rendered: String,
    /// The expectation that does not hold; `None` if the test cannot be run.
    pub span: Option<kleene::diagnostic::Span>,
}

/// Runs the tests of the rules that are wanted, with events of type `E`.
pub fn run<E: Event + From<Record> + Borrow<Record>>(
    rules: &RuleSet,
    mut is_wanted: impl FnMut(&str) -> bool,
) -> Vec<TestRun<'_>> {
    let tests = rules.tests().iter().filter(|test| is_wanted(&test.rule));
    let run = |test| {
        let failures = match testing::run_as::<E>(rules, test) {
            Ok(failures) => failures
                .iter()
                .map(|failure| TestFailure {
                    message: failure.message(),
                    rendered: failure.render(test),
                    span: Some(failure.span()),
                })
                .collect(),
            Err(error) => vec![TestFailure {
                message: error.to_string(),
                rendered: format!("{error}\n"),
                span: None,
            }],
        };
        TestRun { test, failures }
    };
    tests.map(run).collect()
}

/// The names of the rules that are wanted and have no test among those that ran.
pub fn untested<'a>(
    rules: &'a RuleSet,
    ran: &[TestRun<'_>],
    mut is_wanted: impl FnMut(&str) -> bool,
) -> Vec<&'a str> {
    let names = rules.rules().iter().map(|rule| &*rule.name);
    names
        .filter(|name| is_wanted(name) && !ran.iter().any(|ran| *ran.test.rule == **name))
        .collect()
}
