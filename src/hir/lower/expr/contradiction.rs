//! Conditions that no event can fulfil.

use std::cmp::Ordering;

use hashbrown::HashSet;

use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, FieldRef, Set, ValueSet};
use crate::hir::lower::canon;
use crate::schema::{Schema, TypeId};
use crate::value::{Kind, Value, ValueRef};

/// So many parts of a condition are looked at: each pair of them is.
const MAX_PARTS: usize = 200;

/// The longest list that is compared item by item.
const MAX_ITEMS: usize = 1000;

/// What a part of a condition says of a field.
#[derive(Clone, Copy)]
enum Fact<'e> {
    /// It compares so with a constant.
    Is(BinaryOp, &'e Value),
    /// It is one of these.
    In(&'e ValueSet),
    /// It is null, which nothing else that can be said of it allows.
    Null,
}

/// Whether a condition contradicts itself: `x > 5 and x < 3`, `x < x`, `p and not p`.
pub(in crate::hir::lower) fn contradiction(expr: &Expr, ty: TypeId, schema: &Schema) -> bool {
    let text = |part: &Expr| canon::part(part, ty, schema);
    let mut facts: Vec<(String, Fact<'_>)> = Vec::new();
    let (mut said, mut denied) = (HashSet::new(), HashSet::new());
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        if said.len() + denied.len() > MAX_PARTS {
            break;
        }
        if let Expr::Binary(BinaryOp::And, a, b) = next {
            open.extend([&**a, &**b]);
            continue;
        }
        match next {
            Expr::Not(inner) => denied.insert(text(inner)),
            other => said.insert(text(other)),
        };
        let mut note = |field: &FieldRef, fact| facts.push((canon::field(field, ty, schema), fact));
        match next {
            Expr::Binary(op, a, b) => match (&**a, &**b) {
                (Expr::Field(field), Expr::Literal(value)) => note(field, Fact::Is(*op, value)),
                (Expr::Literal(value), Expr::Field(field)) => {
                    note(field, Fact::Is(mirror(*op), value));
                }
                // Nothing is less than itself, or differs from itself.
                (a, b) => {
                    let strict = matches!(op, BinaryOp::Lt | BinaryOp::Gt | BinaryOp::Ne);
                    if strict && text(a) == text(b) {
                        return true;
                    }
                }
            },
            Expr::In(value, set) => {
                let Expr::Field(field) = &**value else { continue };
                match &**set {
                    Set::Values(values) => note(field, Fact::In(values)),
                    // An empty range was told already.
                    Set::Range(Expr::Literal(low), Expr::Literal(high))
                        if low.as_ref().compare(high.as_ref()).is_some_and(Ordering::is_le) =>
                    {
                        note(field, Fact::Is(BinaryOp::Ge, low));
                        note(field, Fact::Is(BinaryOp::Le, high));
                    }
                    _ => {}
                }
            }
            Expr::IsNull(inner) => {
                if let Expr::Field(field) = &**inner {
                    note(field, Fact::Null);
                }
            }
            _ => {}
        }
    }
    if !said.is_disjoint(&denied) {
        return true;
    }
    let mut pairs = facts
        .iter()
        .enumerate()
        .flat_map(|(i, a)| facts[i + 1..].iter().map(move |b| (a, b)).filter(|(a, b)| a.0 == b.0));
    pairs.any(|(a, b)| exclude_each_other(a.1, b.1))
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
fn exclude_each_other(a: Fact<'_>, b: Fact<'_>) -> bool {
    let is_short = |set: &ValueSet| set.networks.is_empty() && set.values.len() <= MAX_ITEMS;
    match (a, b) {
        (Fact::Null, Fact::Null) => false,
        (Fact::Null, _) | (_, Fact::Null) => true,
        (Fact::Is(op_a, a), Fact::Is(op_b, b)) => excludes((op_a, a.as_ref()), (op_b, b.as_ref())),
        (Fact::In(set), Fact::Is(op, value)) | (Fact::Is(op, value), Fact::In(set)) => {
            is_short(set)
                && set
                    .values
                    .iter()
                    .all(|item| excludes((BinaryOp::Eq, item.as_ref()), (op, value.as_ref())))
        }
        (Fact::In(a), Fact::In(b)) => {
            is_short(a)
                && is_short(b)
                && !a.values.iter().any(|item| {
                    // An address may be in one list as it is and in the other as one of a network.
                    item.kind() == Kind::IP || b.contains(item.as_ref())
                })
        }
    }
}

/// Whether no value compares so with both.
fn excludes(a: (BinaryOp, ValueRef<'_>), b: (BinaryOp, ValueRef<'_>)) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let Some(ordering) = a.1.compare(b.1) else { return false };
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
