//! Conditions that no event can fulfil.

use std::cmp::Ordering;

use hashbrown::HashSet;

use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, FieldRef, Set, ValueSet};
use crate::hir::lower::canon;
use crate::schema::{Schema, TypeId};
use crate::value::{Kind, Value, ValueRef};

/// The maximum number of parts of a condition that are compared, each with each.
const MAX_PARTS: usize = 200;

/// The longest list that is compared item by item.
const MAX_ITEMS: usize = 1000;

/// A fact that a part of a condition states about a field.
#[derive(Clone, Copy)]
enum Fact<'e> {
    /// The comparison of the field with a constant holds.
    Is(BinaryOp, ValueRef<'e>),
    /// The field is one of these values.
    In(&'e ValueSet),
    /// The field is none of these values.
    NotIn(&'e ValueSet),
    /// The field is null. No other fact can hold beside this one.
    Null,
}

/// True if no event fulfils a condition: `x > 5 and x < 3`, `x < x`, `p and not p`.
pub(in crate::hir::lower) fn contradiction(expr: &Expr, ty: TypeId, schema: &Schema) -> bool {
    contradict(vec![(expr, false)], ty, schema)
}

/// True if no event fulfils all of the first conditions and none of the others, which may be false
/// or null.
pub(in crate::hir::lower) fn exclude(
    yes: &[&Expr],
    no: &[&Expr],
    ty: TypeId,
    schema: &Schema,
) -> bool {
    let text = |part: &Expr| canon::part(part, ty, schema);
    let parts: Vec<&Expr> = yes.iter().flat_map(|expr| parts_of(expr)).take(MAX_PARTS).collect();
    let said: HashSet<String> = parts.iter().map(|part| text(part)).collect();
    let known: HashSet<String> = parts
        .iter()
        .flat_map(|part| fields_asked(part))
        .map(|field| canon::field(field, ty, schema))
        .collect();
    let sure = Sure { known, ty, schema };
    // A condition that is never null is false if it does not hold.
    let mut open: Vec<(&Expr, bool)> = yes.iter().map(|expr| (*expr, false)).collect();
    open.extend(no.iter().filter(|expr| sure.is_sure(expr)).map(|expr| (*expr, true)));
    if contradict(open, ty, schema) {
        return true;
    }
    no.iter().any(|expr| {
        parts_of(expr).into_iter().all(|part| {
            let follows = || {
                let mut open: Vec<_> = yes.iter().map(|expr| (*expr, false)).collect();
                open.push((part, true));
                contradict(open, ty, schema)
            };
            said.contains(&text(part)) || sure.is_sure(part) && follows()
        })
    })
}

/// The parts of a condition that all have to hold.
fn parts_of(expr: &Expr) -> Vec<&Expr> {
    let (mut parts, mut open) = (Vec::new(), vec![expr]);
    while let Some(next) = open.pop() {
        match next {
            Expr::Binary(BinaryOp::And, a, b) if parts.len() < MAX_PARTS => {
                open.extend([&**a, &**b]);
            }
            part => parts.push(part),
        }
    }
    parts
}

/// The fields that are not null where a part of a condition holds.
fn fields_asked(part: &Expr) -> Vec<&FieldRef> {
    let sides = match part {
        Expr::Field(_) => vec![part],
        Expr::Not(inner) => return fields_asked(inner),
        Expr::Binary(op, a, b) if opposite(*op).is_some() => vec![&**a, &**b],
        Expr::In(value, _) => vec![&**value],
        _ => Vec::new(),
    };
    let mut fields = Vec::new();
    for side in sides {
        if let Expr::Field(of) = side {
            fields.push(of);
        }
    }
    fields
}

/// The expressions that are known not to be null.
struct Sure<'a> {
    known: HashSet<String>,
    ty: TypeId,
    schema: &'a Schema,
}

impl Sure<'_> {
    /// True if an expression is true or false of each event, and a value is none that is null.
    fn is_sure(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Literal(value) => !value.is_null(),
            Expr::Field(field) => {
                let is_required = match field {
                    FieldRef::Declared(id) => !self.schema.ty(self.ty).field(*id).optional,
                    FieldRef::Time => true,
                    FieldRef::Dynamic(_) | FieldRef::ByType(_) => false,
                };
                is_required || self.known.contains(&canon::field(field, self.ty, self.schema))
            }
            Expr::Not(inner) => self.is_sure(inner),
            Expr::IsNull(inner) => matches!(**inner, Expr::Field(_)),
            Expr::Binary(BinaryOp::And | BinaryOp::Or, a, b) => self.is_sure(a) && self.is_sure(b),
            Expr::Binary(op, a, b) => opposite(*op).is_some() && self.is_sure(a) && self.is_sure(b),
            Expr::In(value, set) => match &**set {
                Set::Values(set) => set.list.is_none() && self.is_sure(value),
                Set::Range(low, high) => {
                    self.is_sure(value) && self.is_sure(low) && self.is_sure(high)
                }
                Set::Expr(_) => false,
            },
            _ => false,
        }
    }
}

/// True if no event fulfils all of these; those with the flag have to be false.
fn contradict(mut open: Vec<(&Expr, bool)>, ty: TypeId, schema: &Schema) -> bool {
    let text = |part: &Expr| canon::part(part, ty, schema);
    let mut facts: Vec<(String, Fact<'_>)> = Vec::new();
    let (mut said, mut denied) = (HashSet::new(), HashSet::new());
    while let Some((next, negated)) = open.pop() {
        if said.len() + denied.len() > MAX_PARTS {
            break;
        }
        match (next, negated) {
            (Expr::Binary(BinaryOp::And, a, b), false)
            | (Expr::Binary(BinaryOp::Or, a, b), true) => {
                open.extend([(&**a, negated), (&**b, negated)]);
                continue;
            }
            (Expr::Not(inner), _) => {
                open.push((&**inner, !negated));
                continue;
            }
            (Expr::Literal(value), _) => {
                if !matches!(value, Value::Bool(value) if *value != negated) {
                    return true;
                }
                continue;
            }
            (part, false) => said.insert(text(part)),
            (part, true) => denied.insert(text(part)),
        };
        let mut note = |field: &FieldRef, fact| {
            let fact = if is_whole(field, ty, schema) { of_whole(fact) } else { fact };
            facts.push((canon::field(field, ty, schema), fact));
        };
        match next {
            Expr::Field(field) => {
                note(field, Fact::Is(BinaryOp::Eq, ValueRef::Bool(!negated)));
            }
            Expr::Binary(op, a, b) => {
                // The negation of a comparison is the opposite comparison, since neither is null.
                let Some(op) = (if negated { opposite(*op) } else { Some(*op) }) else { continue };
                match (&**a, &**b) {
                    (Expr::Field(field), Expr::Literal(value)) => {
                        note(field, Fact::Is(op, value.as_ref()));
                    }
                    (Expr::Literal(value), Expr::Field(field)) => {
                        note(field, Fact::Is(mirror(op), value.as_ref()));
                    }
                    // Nothing is less than itself, or differs from itself.
                    (a, b) => {
                        let strict = matches!(op, BinaryOp::Lt | BinaryOp::Gt | BinaryOp::Ne);
                        if strict && text(a) == text(b) {
                            return true;
                        }
                    }
                }
            }
            Expr::In(value, set) => {
                let Expr::Field(field) = &**value else { continue };
                match &**set {
                    Set::Values(values) if negated => note(field, Fact::NotIn(values)),
                    Set::Values(values) => note(field, Fact::In(values)),
                    // An empty range was reported already.
                    Set::Range(Expr::Literal(low), Expr::Literal(high))
                        if !negated
                            && low.as_ref().compare(high.as_ref()).is_some_and(Ordering::is_le) =>
                    {
                        note(field, Fact::Is(BinaryOp::Ge, low.as_ref()));
                        note(field, Fact::Is(BinaryOp::Le, high.as_ref()));
                    }
                    _ => {}
                }
            }
            Expr::IsNull(inner) if !negated => {
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
    any_exclude_each_other(&facts)
}

/// True if two facts of one field exclude each other.
fn any_exclude_each_other(facts: &[(String, Fact<'_>)]) -> bool {
    let mut pairs = facts
        .iter()
        .enumerate()
        .flat_map(|(i, a)| facts[i + 1..].iter().map(move |b| (a, b)).filter(|(a, b)| a.0 == b.0));
    pairs.any(|(a, b)| exclude_each_other(a.1, b.1))
}

/// The comparison that holds where this one is false.
fn opposite(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq => BinaryOp::Ne,
        BinaryOp::Ne => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::Ge,
        BinaryOp::Ge => BinaryOp::Lt,
        BinaryOp::Gt => BinaryOp::Le,
        BinaryOp::Le => BinaryOp::Gt,
        _ => return None,
    })
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

/// True if the field holds whole numbers only.
fn is_whole(field: &FieldRef, ty: TypeId, schema: &Schema) -> bool {
    let FieldRef::Declared(id) = field else { return false };
    schema.ty(ty).field(*id).kind().without(Kind::NULL) == Kind::INT
}

/// A fact about a whole number: `v > 3` is `v >= 4`, so that nothing is between 3 and 4.
fn of_whole(fact: Fact<'_>) -> Fact<'_> {
    let next = |value: ValueRef<'_>, step: i64| match value {
        ValueRef::Int(value) => value.checked_add(step).map(ValueRef::Int),
        _ => None,
    };
    match fact {
        Fact::Is(BinaryOp::Gt, value) => {
            next(value, 1).map_or(fact, |value| Fact::Is(BinaryOp::Ge, value))
        }
        Fact::Is(BinaryOp::Lt, value) => {
            next(value, -1).map_or(fact, |value| Fact::Is(BinaryOp::Le, value))
        }
        _ => fact,
    }
}

/// True if no value fulfils both.
fn exclude_each_other(a: Fact<'_>, b: Fact<'_>) -> bool {
    let is_short = |set: &ValueSet| set.networks.is_empty() && set.values.len() <= MAX_ITEMS;
    match (a, b) {
        (Fact::Null, Fact::Null) => false,
        (Fact::Null, _) | (_, Fact::Null) => true,
        (Fact::Is(op_a, a), Fact::Is(op_b, b)) => excludes((op_a, a), (op_b, b)),
        (Fact::In(set), Fact::Is(op, value)) | (Fact::Is(op, value), Fact::In(set)) => {
            is_short(set)
                && set
                    .values
                    .iter()
                    .all(|item| excludes((BinaryOp::Eq, item.as_ref()), (op, value)))
        }
        (Fact::NotIn(set), Fact::Is(BinaryOp::Eq, value))
        | (Fact::Is(BinaryOp::Eq, value), Fact::NotIn(set)) => set.contains(value),
        (Fact::NotIn(not), Fact::In(set)) | (Fact::In(set), Fact::NotIn(not)) => {
            is_short(set) && set.values.iter().all(|item| not.contains(item.as_ref()))
        }
        (Fact::NotIn(_), Fact::NotIn(_) | Fact::Is(..)) | (Fact::Is(..), Fact::NotIn(_)) => false,
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

/// True if no value compares so with both.
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
