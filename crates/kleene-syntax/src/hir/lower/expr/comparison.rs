//! Comparisons, and other operators between two operands.

use super::items::TestedItems;
use super::typed::{COMPARABLE, SINGLE, UNSURE, compare, fold, non_null, refused, truth_of};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, TextCase};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::{ExprContext, Typed};
use crate::syntax::ast::{self, Spanned};
use kleene_event::value::{Kind, Value};

/// An operator between two operands.
pub(super) struct Compared<'a> {
    pub(super) op: BinaryOp,
    pub(super) case: TextCase,
    pub(super) left: &'a Spanned<ast::Expr>,
    pub(super) right: &'a Spanned<ast::Expr>,
    pub(super) span: Span,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// `a op b` for an operator that is not `and` or `or`.
    pub(super) fn binary(&mut self, of: &Compared<'a>, context: ExprContext) -> Typed {
        let (left, items) = self.subject(of.left, context);
        let (op, span) = (of.op, of.span);
        let plain = Compared { op: op.without_not().unwrap_or(op), ..*of };
        let mut test = self.comparison_of(left, &plain, context);
        if op != plain.op && !test.kind.is_never() {
            test = fold(Typed { expr: Expr::Not(Box::new(test.expr)), kind: test.kind, span });
        }
        TestedItems::test(items, test)
    }

    /// `a op b`, where `a` is checked already.
    fn comparison_of(&mut self, mut a: Typed, of: &Compared<'a>, context: ExprContext) -> Typed {
        let Compared { op, case, left, right, span } = *of;
        let is_pattern = matches!(op, BinaryOp::Like | BinaryOp::Matches);
        if is_pattern && non_null(a.kind) == Kind::LIST {
            self.expr(right, context);
            self.report_list_compared(&a, left, op.as_str());
            return refused(span);
        }
        let is_list = match &right.node {
            ast::Expr::List(_) => true,
            ast::Expr::Path(path) => {
                path.rest.is_empty() && self.is_list_name(&path.root.node, context)
            }
            _ => false,
        };
        if is_pattern && is_list {
            let is_text = a.kind.is_never() || self.expect(&a, Kind::STRING, &tick(op));
            let found = self.patterns(a, of, context);
            return if is_text { found } else { refused(span) };
        }
        let mut b = self.expr(right, context);
        if a.kind.is_never() || b.kind.is_never() {
            return refused(span);
        }
        let kind = match op {
            BinaryOp::Matches => return self.regex(a, &b, (case, span)),
            BinaryOp::Like => {
                let text = self.expect(&a, Kind::STRING, "`like`");
                if !(self.expect(&b, Kind::STRING, "`like`") && text) {
                    return refused(span);
                }
                // A parameter is there to be changed.
                if let ast::Expr::Literal(_) = right.node {
                    self.warn_of_no_wildcard(&b, case);
                }
                if let (Expr::Literal(Value::String(text)), TextCase::Exact) = (&b.expr, case) {
                    self.warn_of_case(&a, text, span);
                }
                truth_of(a.kind.or(b.kind))
            }
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => {
                if non_null(a.kind) == Kind::LIST && b.kind.is_subset_of(SINGLE) {
                    self.report_list_compared(&a, left, op.as_str());
                    return refused(span);
                }
                if !self.comparison(op, &mut a, &mut b, span) {
                    return refused(span);
                }
                if case == TextCase::Exact {
                    self.warn_of_bounds(op, (&a, &b), span, context);
                }
                truth_of(a.kind.or(b.kind))
            }
            _ => match self.arithmetic(op, (&a, &b), span) {
                Some(kind) => kind,
                None => return refused(span),
            },
        };
        if kind.is_subset_of(UNSURE) && !self.fold_sides(case, [&mut a, &mut b]) {
            return refused(span);
        }
        fold(Typed { expr: Expr::Binary(op, Box::new(a.expr), Box::new(b.expr)), kind, span })
    }

    /// Warns of a `like` whose constant text has no wildcard: it means `==`, which is seldom meant.
    fn warn_of_no_wildcard(&mut self, pattern: &Typed, case: TextCase) {
        let Expr::Literal(Value::String(text)) = &pattern.expr else { return };
        if text.contains(['*', '?']) {
            return;
        }
        let message = "this pattern has no wildcard, so `like` means `==`";
        let nocase = if case == TextCase::Ignored { " .. nocase" } else { "" };
        let sql = text.replace('%', "*");
        let help = if text.contains('%') {
            format!("`%` is not a wildcard; `*` matches any text and `?` one character: {sql:?}")
        } else {
            format!(
                "use `*` for any text and `?` for one character, as in \"*{text}*\", or write \
                 `=={nocase}`"
            )
        };
        self.warn(Code::NoWildcard, pattern.span, message, help);
    }

    /// Checks what `==` and its like compare; a text is read as what it is compared with.
    pub(super) fn comparison(
        &mut self,
        op: BinaryOp,
        a: &mut Typed,
        b: &mut Typed,
        span: Span,
    ) -> bool {
        if !(self.coerce(a, b.kind) && self.coerce(b, a.kind)) {
            return false;
        }
        if non_null(a.kind).is_never() || non_null(b.kind).is_never() {
            let null = if non_null(a.kind).is_never() { &*a } else { &*b };
            self.warn_of_null(null, span);
            return true;
        }
        let (left, right) = (non_null(a.kind), non_null(b.kind));
        let ordered = !matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        if ordered {
            for typed in [&*a, &*b] {
                if !non_null(typed.kind).intersects(COMPARABLE) {
                    let message = format!("{} has no order", non_null(typed.kind));
                    let help = "compare it only with `==` and `!=`";
                    self.error(Code::TypeMismatch, typed.span, message, help);
                    return false;
                }
            }
        }
        if !compare(left, right) {
            let message = format!("{left} can't be compared with {right}");
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            self.report(match (left, right) {
                (Kind::DURATION, Kind::TIME) | (Kind::TIME, Kind::DURATION) => {
                    diagnostic.help("subtract the two times: `at - order.at > 5m`")
                }
                (Kind::DURATION, other) | (other, Kind::DURATION)
                    if other.intersects(Kind::NUMBER) =>
                {
                    diagnostic.help("add a unit to the duration: `10s`, `5m`")
                }
                (Kind::STRING, other) if other.intersects(Kind::NUMBER) => {
                    diagnostic.help("put strings in quotes: \"5\"")
                }
                (Kind::LIST, _) | (_, Kind::LIST) => {
                    diagnostic.help("to search a list, write `x in list`")
                }
                _ => diagnostic,
            });
            return false;
        }
        true
    }
}

/// An operator as messages show it.
fn tick(op: BinaryOp) -> String {
    format!("`{}`", op.as_str())
}
