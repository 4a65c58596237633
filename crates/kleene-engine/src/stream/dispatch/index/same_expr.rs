//! Equality of expressions that read the same from an event.

use std::hash::{Hash, Hasher};

use kleene_syntax::hir::Expr;
use kleene_syntax::hir::expr::FieldRef;

/// An expression that is equal to others that read the same from an event.
pub(super) struct SameExpr<'a>(pub(super) &'a Expr);

impl PartialEq for SameExpr<'_> {
    fn eq(&self, other: &Self) -> bool {
        let all = |a: &[Expr], b: &[Expr]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| SameExpr(a) == SameExpr(b))
        };
        match (self.0, other.0) {
            (Expr::Literal(a), Expr::Literal(b)) => a == b,
            (Expr::Field(a), Expr::Field(b)) => a == b,
            (Expr::Neg(a), Expr::Neg(b)) | (Expr::Fold(a), Expr::Fold(b)) => {
                SameExpr(a) == SameExpr(b)
            }
            (Expr::Binary(op, a, b), Expr::Binary(other, c, d)) => {
                op == other && SameExpr(a) == SameExpr(c) && SameExpr(b) == SameExpr(d)
            }
            (Expr::Call(a, c), Expr::Call(b, d)) => a.name() == b.name() && all(c, d),
            _ => false,
        }
    }
}

impl Eq for SameExpr<'_> {}

impl Hash for SameExpr<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Expr::Literal(value) => value.hash(state),
            Expr::Field(FieldRef::Declared(id)) => id.hash(state),
            Expr::Field(FieldRef::Dynamic(path)) => path.hash(state),
            Expr::Neg(x) | Expr::Fold(x) => SameExpr(x).hash(state),
            Expr::Binary(_, a, b) => {
                SameExpr(a).hash(state);
                SameExpr(b).hash(state);
            }
            Expr::Call(callee, args) => {
                callee.name().hash(state);
                for arg in args {
                    SameExpr(arg).hash(state);
                }
            }
            _ => {}
        }
    }
}
