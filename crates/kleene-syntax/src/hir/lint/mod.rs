//! The lints: warnings about a rule that has a meaning, but probably not the one that its author
//! wanted.
//!
//! A pass of its own: it runs over a rule that is lowered, reads its checked form and how it is
//! written ([`WrittenRule`]), and changes nothing. `LINTS` lists all lints; each family has a file.

mod clauses;
mod ends;
mod full_loops;
mod loops;
mod negation;
mod repeats;
mod subject;
mod unused;
mod waits;
mod wildcard;
mod written;

pub(super) use written::{NegatedField, UnusedName, WrittenItem, WrittenRule, WrittenStep};

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
    negation::of_null,
    waits::for_ever,
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
