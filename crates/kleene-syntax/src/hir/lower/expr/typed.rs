//! Expressions with their types: which types fit which, and what consists of constants.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::eval::constant;
use crate::hir::functions::Callee;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::{convert, mismatch};
use crate::hir::lower::terms::Typed;
use kleene_event::value::{Kind, Value};

/// True, false, or null for what is unknown.
pub(super) const UNSURE: Kind = Kind::BOOL.or(Kind::NULL);

/// The type of a comparison of these types.
pub(super) fn truth_of(kind: Kind) -> Kind {
    if kind.intersects(Kind::NULL) { UNSURE } else { Kind::BOOL }
}

/// What is no list and no record.
pub(super) const SINGLE: Kind =
    Kind::ANY.without(Kind::LIST).without(Kind::RECORD).without(Kind::NULL);

pub(super) const COMPARABLE: Kind = Kind::ANY.without(Kind::LIST).without(Kind::RECORD);

/// Returns an expression, or its negation.
pub(super) fn negated_if(is_negated: bool, expr: Expr) -> Expr {
    if is_negated { Expr::Not(Box::new(expr)) } else { expr }
}

pub(super) fn literal(value: Value, span: Span) -> Typed {
    Typed { kind: value.kind(), expr: Expr::Literal(value), span }
}

/// The result for a refused expression: it fits everywhere, so that one mistake is reported once.
pub(super) fn refused(span: Span) -> Typed {
    Typed { expr: Expr::Literal(Value::Null), kind: Kind::NEVER, span }
}

pub(super) fn non_null(kind: Kind) -> Kind {
    kind.without(Kind::NULL)
}

/// True if values of these types ever compare.
pub(super) fn compare(a: Kind, b: Kind) -> bool {
    let (a, b) = (non_null(a), non_null(b));
    a.intersects(b) || a.intersects(Kind::NUMBER) && b.intersects(Kind::NUMBER)
}

/// Computes what consists of constants.
pub(super) fn fold(typed: Typed) -> Typed {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(_));
    let constant_parts = match &typed.expr {
        Expr::Call(Callee::Host(_), _) => false,
        Expr::Not(_)
        | Expr::Neg(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::Fold(_)
        | Expr::Fits(..)
        | Expr::Regex(..)
        | Expr::Binary(..)
        | Expr::If(_)
        | Expr::Call(..)
        | Expr::List(_)
        | Expr::In(..) => typed.expr.parts().into_iter().all(is_literal),
        _ => false,
    };
    if !constant_parts || typed.kind.is_never() {
        return typed;
    }
    literal(constant(&typed.expr), typed.span)
}

impl RuleLowerer<'_, '_> {
    /// Reports an error, and what to write instead. Returns the result for a refused expression.
    pub(super) fn refuse(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Typed {
        self.error(code, span, message, help);
        refused(span)
    }

    /// Reports if `typed` can be neither true nor false. `what` names it in the message.
    pub(super) fn expect_bool(&mut self, typed: &Typed, what: &str) {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(Kind::BOOL) {
            return;
        }
        let message = format!("{what} must be true or false, but this has type {kind}");
        let diagnostic = Diagnostic::error(Code::NotABool, typed.span, message);
        let help = match kind {
            Kind::STRING => "compare it: `== \"...\"`",
            Kind::INT | Kind::FLOAT | Kind::NUMBER => "compare it: `!= 0`",
            _ => "compare it, or write `is not null`",
        };
        self.report(diagnostic.help(help));
    }

    /// Reads a constant text as the address or time that is asked for.
    pub(in crate::hir::lower) fn coerce(&mut self, typed: &mut Typed, wanted: Kind) -> bool {
        let wanted = non_null(wanted);
        let Expr::Literal(value @ Value::String(_)) = &typed.expr else { return true };
        if wanted != Kind::IP && wanted != Kind::TIME {
            return true;
        }
        match convert(value.clone(), wanted) {
            Ok(value) => {
                *typed = literal(value, typed.span);
                true
            }
            Err(value) => {
                self.report(mismatch(&value, wanted, typed.span));
                false
            }
        }
    }

    /// Reports if `typed` can't have a type of `wanted`.
    pub(in crate::hir::lower) fn expect(
        &mut self,
        typed: &Typed,
        wanted: Kind,
        what: &str,
    ) -> bool {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(wanted) {
            return true;
        }
        let wanted = non_null(wanted);
        let message = format!("{what} takes {wanted}, but this has type {kind}");
        self.report(Diagnostic::error(Code::TypeMismatch, typed.span, message));
        false
    }
}
