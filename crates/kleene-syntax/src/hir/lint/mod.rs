//! Lints: warnings about rules whose meaning is probably not the one that their author wanted.
//!
//! They are a pass of their own. It runs over each lowered rule, reads its checked form and how it
//! is written ([`WrittenRule`]), and changes nothing. `LINTS` lists all of them; each family has a
//! file. A rule with mistakes is looked at, too: its warnings are reported beside the errors.
//!
//! Warnings about one expression stay in `hir/lower/expr`, which knows the types of its parts: the
//! checked form has none (`W0007`, `W0015`, `W0019`, `W0020`, `W0022`, and `W0003` of one
//! comparison). Warnings about words that the checked form has no trace of stay where the words are
//! lowered: a needless `of` (`W0021`) and an entry of `key` without effect (`W0006`). So does a list
//! as key (`W0027`), which is found while the fields of a key are compared.

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
    ends::never_captured,      // W0018
    ends::eager_loop,          // W0005
    ends::required_after_all,  // W0008
    full_loops::full,          // W0017
    loops::growing,            // W0002
    repeats::never_repeated,   // W0010
    clauses::no_key,           // W0001
    wildcard::of_one_type,     // W0013
    contradictions::of_steps,  // W0003, E0411
    negation::of_null,         // W0009
    waits::for_ever,           // W0004
    contradictions::of_having, // W0003
    clauses::one_match,        // W0011
    clauses::once,             // W0012
    clauses::one_event,        // W0012
    unused::declarations,      // W0006
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
