//! `+`, `-`, `*`, `/` and `%`: which types go together, and what they give.

use super::typed::non_null;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::expr::BinaryOp;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::Typed;
use kleene_event::value::{Kind, Value};

impl RuleLowerer<'_, '_> {
    /// The types of `a op b` for an operator of arithmetic; `None` where it was refused.
    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        (a, b): (&Typed, &Typed),
        span: Span,
    ) -> Option<Kind> {
        let kind = arithmetic(op, a.kind, b.kind);
        if kind.is_never() {
            let (left, right) = (non_null(a.kind), non_null(b.kind));
            if left.is_never() || right.is_never() {
                return Some(Kind::NULL);
            }
            let message = format!("`{}` can't be applied to {left} and {right}", op.as_str());
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            self.report(match (left, right) {
                (Kind::TIME, Kind::TIME) if op == BinaryOp::Add => {
                    diagnostic.help("you can subtract two times, or add a duration to a time")
                }
                (Kind::STRING, other) | (other, Kind::STRING) if op == BinaryOp::Add => {
                    diagnostic.help(format!("`+` joins two strings, and {other} is not a string"))
                }
                (Kind::TIME | Kind::DURATION, k) if k.is_subset_of(Kind::NUMBER) => {
                    diagnostic.help("add a unit to the duration: `10s`, `5m`")
                }
                _ => diagnostic,
            });
            return None;
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Rem) {
            self.warn_of_zero(b);
        }
        Some(kind)
    }

    /// Reports if something is divided by a constant zero.
    fn warn_of_zero(&mut self, divisor: &Typed) {
        let zero = match &divisor.expr {
            Expr::Literal(Value::Int(n) | Value::Duration(n)) => *n == 0,
            Expr::Literal(Value::Float(x)) => *x == 0.0,
            _ => false,
        };
        if zero {
            let message = "a division by zero is always null";
            let help = "divide by a value other than 0";
            self.warn(Code::DivisionByZero, divisor.span, message, help);
        }
    }
}

/// The types that `a op b` can have; none where the types don't go together.
fn arithmetic(op: BinaryOp, a: Kind, b: Kind) -> Kind {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    let mut result = Kind::NEVER;
    let (int, float, time, span) = (Kind::INT, Kind::FLOAT, Kind::TIME, Kind::DURATION);
    // When the row counts, the kinds of both sides, and the kind of the result.
    let rows = [
        (op != Div, int, int, int),
        (op == Div, int, int, float),
        (true, float, Kind::NUMBER, float),
        (true, Kind::NUMBER, float, float),
        (op == Add, Kind::STRING, Kind::STRING, Kind::STRING),
        (op == Sub, time, time, span),
        (matches!(op, Add | Sub), time, span, time),
        (op == Add, span, time, time),
        (matches!(op, Add | Sub | Rem), span, span, span),
        (op == Div, span, span, float),
        (matches!(op, Mul | Div), span, Kind::NUMBER, span),
        (op == Mul, Kind::NUMBER, span, span),
    ];
    for (on, left, right, gives) in rows {
        if on && a.intersects(left) && b.intersects(right) {
            result = result.or(gives);
        }
    }
    if (a.or(b)).intersects(Kind::NULL) && !result.is_never() {
        result = result.or(Kind::NULL);
    }
    result
}
