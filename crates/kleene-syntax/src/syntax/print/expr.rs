//! Expressions, with no more brackets than they need.

use std::fmt::Write as _;

use super::Printer;
use crate::syntax::ast::level::{ADD, AND, COMPARE, IF, NOT, OPERAND, UNARY};
use crate::syntax::ast::{BinaryOp, Expr, Literal, Path, PathPart};
use crate::syntax::layout::BreakEdge;

impl Printer {
    pub(super) fn path(&mut self, path: &Path) {
        self.root(&path.root.node);
        self.path_rest(path);
    }

    pub(super) fn path_rest(&mut self, path: &Path) {
        for part in &path.rest {
            match part {
                PathPart::Field(name) => {
                    self.push(".");
                    self.free_name(&name.node);
                }
                PathPart::Index(index) => {
                    let _ = write!(self.out, "[{}]", index.node);
                }
            }
        }
    }

    /// An expression; in parentheses if its operator binds less than `min`.
    pub(super) fn expr(&mut self, expr: &Expr, min: u8) {
        if level(expr) < min {
            self.push("(");
            self.bare(expr);
            self.push(")");
        } else {
            self.bare(expr);
        }
    }

    pub(super) fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::List(entries) => {
                self.list(("[", "]"), entries, |this, entry| this.expr(&entry.node, 0));
            }
            Expr::Path(path) => self.path(path),
            Expr::Param(name) => {
                self.push("$");
                self.free_name(&name.node);
            }
            Expr::Not(inner) => {
                self.push("not ");
                self.expr(&inner.node, NOT);
            }
            Expr::Neg(inner) => {
                self.push("-");
                // `-5` is a literal; this is something else.
                let min = if is_unsigned_number(&inner.node) { u8::MAX } else { UNARY };
                self.expr(&inner.node, min);
            }
            Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                self.group(|this| this.indented(|this| this.chain(*op, &left.node, &right.node)));
            }
            Expr::Binary(op, left, right) => {
                let level = level(expr);
                let left_min = if level == COMPARE { COMPARE + 1 } else { level };
                self.expr(&left.node, left_min);
                let _ = write!(self.out, " {} ", op.as_str());
                self.expr(&right.node, level + 1);
            }
            Expr::In { negated, value, set } => {
                self.expr(&value.node, ADD);
                self.push(if *negated { " not in " } else { " in " });
                match &set.node {
                    Expr::Range(from, to) => self.range(&from.node, &to.node),
                    set => self.expr(set, ADD),
                }
            }
            Expr::Range(from, to) => self.range(&from.node, &to.node),
            Expr::IsNull { negated, value } => {
                self.expr(&value.node, ADD);
                self.push(if *negated { " is not null" } else { " is null" });
            }
            Expr::Is { negated, truth, value } => {
                self.expr(&value.node, ADD);
                let _ = write!(self.out, " is {}{truth}", if *negated { "not " } else { "" });
            }
            Expr::Quantified(quantifier, list) => {
                let _ = write!(self.out, "{} ", quantifier.as_str());
                self.expr(&list.node, OPERAND);
            }
            Expr::NoCase(inner) => {
                self.bare(&inner.node);
                self.push(" nocase");
            }
            Expr::Call(name, arguments) => {
                self.root(&name.node);
                self.list(("(", ")"), arguments, |this, argument| this.expr(&argument.node, 0));
            }
            Expr::OfMatches(name, arguments) => {
                self.push("matches.");
                self.free_name(&name.node);
                self.list(("(", ")"), arguments, |this, argument| this.expr(&argument.node, 0));
            }
            Expr::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                self.push("if ");
                self.expr(&condition.node, 0);
                self.push(" then ");
                self.expr(&yes.node, 0);
                self.push(" else ");
                self.expr(&no.node, 0);
            }
        }
    }

    fn range(&mut self, from: &Expr, to: &Expr) {
        self.expr(from, ADD);
        self.push("..");
        self.expr(to, ADD);
    }

    /// `left op right` for an `and` or `or`; broken, a line starts with the operator.
    pub(super) fn chain(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        self.link(op, left);
        self.may_break(" ", BreakEdge::Between);
        let _ = write!(self.out, "{} ", op.as_str());
        self.link(op, right);
    }

    /// One side of an `and` or `or`: a chain of the same operator goes on without parentheses.
    pub(super) fn link(&mut self, op: BinaryOp, side: &Expr) {
        match side {
            Expr::Binary(inner, left, right) if *inner == op => {
                self.chain(op, &left.node, &right.node);
            }
            _ => {
                let min = if op == BinaryOp::Or { AND } else { NOT };
                self.expr(side, min);
            }
        }
    }
}

/// Returns the binding strength of the outermost operator of an expression.
fn level(expr: &Expr) -> u8 {
    match expr {
        Expr::If(_) => IF,
        Expr::Binary(op, ..) => op.level(),
        Expr::Not(_) => NOT,
        Expr::In { .. }
        | Expr::IsNull { .. }
        | Expr::Is { .. }
        | Expr::Range(..)
        | Expr::NoCase(_) => COMPARE,
        Expr::Neg(_) => UNARY,
        Expr::Literal(literal) if is_negative(literal) => UNARY,
        _ => OPERAND,
    }
}

fn is_negative(literal: &Literal) -> bool {
    match literal {
        Literal::Int(value) | Literal::Duration(value) => *value < 0,
        Literal::Float(value) => value.is_sign_negative(),
        _ => false,
    }
}

fn is_unsigned_number(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(literal @ (Literal::Int(_) | Literal::Duration(_) | Literal::Float(_)))
            if !is_negative(literal)
    )
}
