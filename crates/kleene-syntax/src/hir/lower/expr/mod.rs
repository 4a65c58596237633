//! Expressions: types checked, constants computed. Names are `path`'s business.

mod arithmetic;
mod bounds;
mod call;
mod comparison;
mod foreign;
mod items;
mod matches;
mod negation;
mod nothing;
mod path;
mod set;
mod text;
mod typed;

use self::comparison::Compared;
use self::items::TestedItems;
use self::typed::{UNSURE, fold, literal, negated_if, refused, truth_of};
use crate::diagnostic::Code;
use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, TextCase};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::plain;
use crate::hir::lower::terms::{ExprContext, Typed};
use crate::syntax::ast;
use crate::syntax::ast::{Name, Spanned};
use kleene_event::value::{Kind, Value};

impl<'a> RuleLowerer<'_, 'a> {
    /// A condition: a bool, constants computed.
    pub(in crate::hir::lower) fn condition(
        &mut self,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let typed = self.expr(expr, context);
        self.expect_bool(&typed, "a condition");
        typed
    }

    pub(in crate::hir::lower) fn expr(
        &mut self,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let span = expr.span;
        if self.env.has_too_many_errors() {
            return refused(span);
        }
        if self.refuses_null(expr) {
            return refused(span);
        }
        let (result, kind) = match &expr.node {
            ast::Expr::Literal(value) => return literal(plain(value), span),
            ast::Expr::Path(path) => return self.path(path, context),
            ast::Expr::Param(name) => return self.param(name),
            ast::Expr::Call(name, args) => {
                return self.call(name, args, (TextCase::Exact, span), context);
            }
            ast::Expr::OfMatches(name, args) => {
                return self.of_matches(name, args, span, context);
            }
            ast::Expr::In { negated, value, set } => {
                return self.membership(*negated, (value, set), TextCase::Exact, span, context);
            }
            ast::Expr::NoCase(inner) => return self.without_case(inner, span, context),
            ast::Expr::Quantified(quantifier, _) => {
                let word = quantifier.as_str();
                let message = format!("`{word}` has no meaning here");
                let help = format!("write `{word}` before a comparison: `{word} args == \"-e\"`");
                return self.refuse(Code::NotAllowedHere, span, message, help);
            }
            ast::Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => {
                return self.junction(*op, expr, context);
            }
            ast::Expr::Binary(op, left, right) => {
                let case = TextCase::Exact;
                return self.binary(&Compared { op: *op, case, left, right, span }, context);
            }
            ast::Expr::List(items) => {
                let items: Vec<_> = items.iter().map(|i| self.expr(i, context).expr).collect();
                (Expr::List(items), Kind::LIST)
            }
            ast::Expr::Not(x) => {
                let x = self.expr(x, context);
                self.expect_bool(&x, "the operand of `not`");
                (Expr::Not(Box::new(x.expr)), truth_of(x.kind))
            }
            ast::Expr::Neg(x) => {
                let x = self.expr(x, context);
                let signed = Kind::NUMBER.or(Kind::DURATION);
                if !self.expect(&x, signed, "`-`") {
                    return refused(span);
                }
                (Expr::Neg(Box::new(x.expr)), x.kind.and(signed.or(Kind::NULL)))
            }
            ast::Expr::IsNull { negated, value } => {
                let (value, items) = self.subject(value, context);
                let asked = negated_if(*negated, Expr::IsNull(Box::new(value.expr)));
                let test = fold(Typed { expr: asked, kind: Kind::BOOL, span });
                return TestedItems::test(items, test);
            }
            ast::Expr::Is { negated, truth, value } => {
                let (value, items) = self.subject(value, context);
                self.expect_bool(&value, "the operand of `is`");
                let asked = Expr::IsTrue(Box::new(negated_if(!*truth, value.expr)));
                let asked = negated_if(*negated, asked);
                let test = fold(Typed { expr: asked, kind: Kind::BOOL, span });
                return TestedItems::test(items, test);
            }
            ast::Expr::Range(..) => {
                let message = "a range can only follow `in`";
                return self.refuse(Code::NotAllowedHere, span, message, "write `x in 1..5`");
            }
            ast::Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let condition = self.condition(condition, context);
                let then = self.expr(then, context);
                let otherwise = self.expr(otherwise, context);
                let kind = then.kind.or(otherwise.kind);
                (Expr::If(Box::new([condition.expr, then.expr, otherwise.expr])), kind)
            }
        };
        fold(Typed { expr: result, kind, span })
    }

    /// `a and b and c`: a long chain becomes a balanced tree, so that its depth stays small.
    fn junction(
        &mut self,
        op: BinaryOp,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let mut operands = Vec::new();
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match &next.node {
                ast::Expr::Binary(other, a, b) if *other == op => open.extend([&**b, &**a]),
                _ => operands.push(next),
            }
        }
        let absorbing = op == BinaryOp::Or;
        let mut parts = Vec::new();
        let mut absorbed = false;
        let mut failed = false;
        let mut nullable = false;
        for operand in operands {
            let typed = self.expr(operand, context);
            nullable |= typed.kind.intersects(Kind::NULL);
            self.expect_bool(&typed, &format!("an operand of `{}`", op.as_str()));
            failed |= typed.kind.is_never();
            match typed.expr {
                Expr::Literal(Value::Bool(value)) => absorbed |= value == absorbing,
                part => parts.push(part),
            }
        }
        let span = expr.span;
        if failed {
            return Typed { kind: Kind::NEVER, ..literal(Value::Null, span) };
        }
        if absorbed || parts.is_empty() {
            return literal(Value::Bool(absorbing == absorbed), span);
        }
        if parts.len() == 1 && nullable {
            // The other operands say nothing, but what is no bool is null all the same.
            parts.push(Expr::Literal(Value::Bool(!absorbing)));
        }
        let kind = if nullable { UNSURE } else { Kind::BOOL };
        Typed { expr: balanced(op, parts), kind, span }
    }

    fn param(&mut self, name: &'a Name) -> Typed {
        let span = name.span;
        let example = format!("param {}: int = 10", name.node);
        if let Some(param) = self.find_param(name, &example) {
            return Typed { kind: param.kind, expr: Expr::Literal(param.value), span };
        }
        refused(span)
    }
}

/// A tree of `op` over `parts` whose depth is the logarithm of their number.
fn balanced(op: BinaryOp, mut parts: Vec<Expr>) -> Expr {
    if parts.len() < 2 {
        return parts.pop().unwrap_or(Expr::Literal(Value::Null));
    }
    let right = parts.split_off(parts.len().div_ceil(2));
    Expr::Binary(op, Box::new(balanced(op, parts)), Box::new(balanced(op, right)))
}
