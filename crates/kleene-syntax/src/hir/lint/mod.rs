//! The lints: what a rule as a whole says, but its author has probably not meant.
//!
//! They are a pass of their own. It runs over each lowered rule, reads its checked form and how it
//! is written ([`WrittenRule`]), and changes nothing. `LINTS` lists all of them; each family has a
//! file. A rule with mistakes is looked at, too: its warnings are reported beside the errors.
//!
//! Warnings about one expression stay in `hir/lower/expr`, which knows the types of its parts: the
//! checked form has none (`W0007`, `W0015`, `W0019`, `W0020`, `W0022`, and `W0003` of one
//! comparison). So do those about words that the checked form has no trace of: a needless `of`
//! (`W0021`), an entry of `key` without effect (`W0006`) and a list as key (`W0027`).

mod clauses;
mod contradictions;
mod ends;
mod full_loops;
mod loops;
mod negation;
mod never_holds;
mod repeats;
mod subject;
mod unused;
mod waits;
mod wildcard;
mod written;

pub(super) use written::{
    NegatedField, StepGap, UnusedName, WrittenCondition, WrittenItem, WrittenRule, WrittenStep,
};

use self::subject::{Findings, Subject};
use crate::diagnostic::Diagnostic;
use crate::hir::Rule;
use kleene_event::schema::Schema;

/// A lint: it looks at a rule, and adds what it finds.
type Lint = fn(&Subject<'_>, &mut Findings);

/// The lints, in the order in which they run.
const LINTS: &[Lint] = &[
    ends::never_captured,
    ends::eager_loop,
    ends::required_after_all,
    full_loops::full,
    loops::growing,
    repeats::never_repeated,
    clauses::no_key,
    wildcard::of_one_type,
    contradictions::of_steps,
    negation::of_null,
    waits::for_ever,
    contradictions::of_having,
    clauses::one_match,
    clauses::once,
    clauses::one_event,
    unused::declarations,
];

/// Runs all lints over a rule. Returns the diagnostics, each with the number of its file.
pub(super) fn lint(
    rule: &Rule,
    written: &WrittenRule,
    schema: &Schema,
) -> Vec<(usize, Diagnostic)> {
    let subject = Subject { rule, written, schema };
    let mut findings = Findings::new(written);
    for lint in LINTS {
        lint(&subject, &mut findings);
    }
    findings.found
}
