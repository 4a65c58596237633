//! Conditions that never hold (`W0003`), of which some refuse the rule (`E0411`).
//!
//! A condition never holds if its parts contradict each other, or if the key or the order of time
//! rules it out (`never_holds`). It refuses the rule only if the rule as it is can never match: a
//! `not` that is never violated may be meant, and a parameter or a list is there to be changed. A
//! time field need not be the event time (`--time-field`), so a contradiction of times is a warning.
//!
//! See `contradictions.cep`, `impossible_steps.cep` and `never_true.cep` of
//! `testdata/diagnostics/hir`.

use super::never_holds::{NeverHolds, Tested};
use super::subject::{Findings, Subject};
use super::written::WrittenCondition;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::contradiction::contradiction;
use crate::hir::expr::BinaryOp;
use crate::hir::{Expr, Test};
use kleene_event::schema::TypeId;
use kleene_event::value::Value;

/// Reports conditions of steps, and of `not`, `until` and `without`.
pub(super) fn of_steps(rule: &Subject<'_>, findings: &mut Findings) {
    for written in &rule.written.conditions {
        let &WrittenCondition { id, step, deciding, last, is_fixed, are_several } = written;
        let condition = &rule.pattern().conditions[id.index()];
        let Test::Expr(expr) = &condition.test else { continue };
        let Some(expr) = without_step_key(expr) else { continue };
        let is_captured = step.is_some_and(|step| !rule.pattern().steps[step.index()].negated);
        let is_refused = |is_sure: bool| is_sure && is_captured && is_fixed;
        let first = condition.ty.or(rule.rule.types.first().copied());
        if is_never(rule, expr, first) {
            findings.add(
                deciding.source,
                if is_refused(condition.ty.is_some()) {
                    let message = "no event meets this condition, so the step can never come";
                    Diagnostic::error(Code::ImpossibleStep, deciding.span, message)
                        .help(why_impossible(expr, are_several))
                } else {
                    let message = "this condition is always false";
                    Diagnostic::warning(Code::AlwaysFalse, deciding.span, message)
                        .help("no event meets it")
                },
            );
        } else if let Some(reason) = rule.never_holds(expr, Tested { ty: condition.ty, step }) {
            let is_of_key = matches!(reason, NeverHolds::Key(_));
            let (why, help) = reason.say();
            let diagnostic = if is_refused(is_of_key) {
                let message = "no event meets this condition, so the step can never come";
                Diagnostic::error(Code::ImpossibleStep, last.span, message)
            } else {
                let message = "this condition is always false";
                Diagnostic::warning(Code::AlwaysFalse, last.span, message)
            };
            findings.add(last.source, diagnostic.label(why).help(help));
        }
    }
}

/// Warns of a `having` that no match fulfils.
pub(super) fn of_having(rule: &Subject<'_>, findings: &mut Findings) {
    let (Some(site), Some(expr)) = (rule.written.having, &rule.rule.having) else { return };
    let message = "this condition is always false";
    // No bare field of an event is in it, so the type says nothing.
    if is_never(rule, expr, rule.rule.types.first().copied()) {
        let help = "no match meets it, so none is reported";
        findings.warn(site, Code::AlwaysFalse, message, help);
    } else if let Some(reason) = rule.never_holds(expr, Tested::default()) {
        let (why, help) = reason.say();
        let diagnostic = Diagnostic::warning(Code::AlwaysFalse, site.span, message);
        findings.add(site.source, diagnostic.label(why).help(help));
    }
}

/// True if an expression is never true, whatever the match.
fn is_never(rule: &Subject<'_>, expr: &Expr, ty: Option<TypeId>) -> bool {
    match expr {
        Expr::Literal(value) => *value != Value::Bool(true),
        expr => ty.is_some_and(|ty| contradiction(expr, ty, rule.schema)),
    }
}

/// Returns what a condition asks for besides the key of its step.
fn without_step_key(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::StepKey(_) => None,
        Expr::Binary(BinaryOp::And, key, rest) if matches!(**key, Expr::StepKey(_)) => Some(rest),
        expr => Some(expr),
    }
}

/// The help for a condition that no event fulfils, which is `all` conditions of a step together.
fn why_impossible(all: &Expr, are_several: bool) -> &'static str {
    match all {
        Expr::Literal(Value::Null) => {
            "it compares with a value that is always null, and null is not true"
        }
        Expr::Literal(_) => "it does not depend on the event: remove it, or compare a field",
        expr if compares_null(expr) => {
            "a part of it compares with a value that is always null, and null is not true"
        }
        Expr::Binary(BinaryOp::And, ..) => {
            "its parts contradict each other or a `define`; did you want `or`?"
        }
        _ if are_several => "its parts contradict each other or a `define`",
        _ => "it contradicts itself",
    }
}

/// True if a part that has to hold is a comparison with null.
///
/// Only through `and`: one side of an `or` need not hold.
fn compares_null(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(BinaryOp::And, a, b) => compares_null(a) || compares_null(b),
        Expr::Literal(value) => value.is_null(),
        Expr::Binary(op, a, b) if *op != BinaryOp::Or => {
            [a, b].iter().any(|side| matches!(***side, Expr::Literal(Value::Null)))
        }
        _ => false,
    }
}
