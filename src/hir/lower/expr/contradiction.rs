//! Conditions that no event can fulfil.

use crate::hir::Expr;
use crate::hir::expr::BinaryOp;
use crate::hir::lower::canon;
use crate::schema::{Schema, TypeId};
use crate::value::Value;

/// Whether a condition contradicts itself: `x > 5 and x < 3`.
pub(in crate::hir::lower) fn contradiction(expr: &Expr, ty: TypeId, schema: &Schema) -> bool {
    let mut facts: Vec<(String, BinaryOp, &Value)> = Vec::new();
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        match next {
            Expr::Binary(BinaryOp::And, a, b) => open.extend([&**a, &**b]),
            Expr::Binary(op, a, b) => {
                let (field, op, value) = match (&**a, &**b) {
                    (Expr::Field(field), Expr::Literal(value)) => (field, *op, value),
                    (Expr::Literal(value), Expr::Field(field)) => (field, mirror(*op), value),
                    _ => continue,
                };
                facts.push((canon::field(field, ty, schema), op, value));
            }
            _ => {}
        }
    }
    let mut pairs = facts
        .iter()
        .enumerate()
        .flat_map(|(i, a)| facts[i + 1..].iter().map(move |b| (a, b)).filter(|(a, b)| a.0 == b.0));
    pairs.any(|(a, b)| excludes((a.1, a.2), (b.1, b.2)))
}

/// `5 < x` as `x > 5`.
fn mirror(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

/// Whether no value fulfils both.
fn excludes(a: (BinaryOp, &Value), b: (BinaryOp, &Value)) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let Some(ordering) = a.1.as_ref().compare(b.1.as_ref()) else { return false };
    match (a.0, b.0) {
        (Eq, Eq) => ordering.is_ne(),
        (Eq, Ne) | (Ne, Eq) => ordering.is_eq(),
        (Eq | Ge, Lt) | (Gt, Lt | Le | Eq) => ordering.is_ge(),
        (Eq | Ge, Le) | (Ge, Eq) => ordering.is_gt(),
        (Lt, Eq | Ge | Gt) | (Le | Eq, Gt) => ordering.is_le(),
        (Eq, Ge) | (Le, Eq | Ge) => ordering.is_lt(),
        _ => false,
    }
}
