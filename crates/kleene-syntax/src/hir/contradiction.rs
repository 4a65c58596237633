//! Conditions that no event can fulfil.

use std::cmp::Ordering;

use hashbrown::{HashMap, HashSet};

use crate::hir::Expr;
use crate::hir::canon;
use crate::hir::expr::{AggregateOp, BinaryOp, FieldRef, Set, ValueSet};
use crate::hir::functions::Callee;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::value::{Kind, Value, ValueRef};

/// The maximum number of parts of a condition that are compared, each with each.
const MAX_PARTS: usize = 200;

/// The longest list that is compared item by item.
const MAX_ITEMS: usize = 1000;

/// A fact that a part of a condition states about a value: a field, or what is computed of fields.
#[derive(Clone, Copy)]
enum Fact<'e> {
    /// The comparison of the value with a constant holds.
    Is(BinaryOp, ValueRef<'e>),
    /// It is one of these values.
    In(&'e ValueSet),
    /// It is none of these values.
    NotIn(&'e ValueSet),
    /// It is null. No other fact can hold beside this one.
    Null,
}

/// True if no event fulfils a condition: `x > 5 and x < 3`, `x < x`, `p and not p`.
pub(super) fn contradiction(expr: &Expr, ty: TypeId, schema: &Schema) -> bool {
    contradict(vec![(expr, false)], ty, schema)
}

/// True if no event fulfils all of the first conditions and none of the others, which may be false
/// or null.
pub(super) fn exclude(yes: &[&Expr], no: &[&Expr], ty: TypeId, schema: &Schema) -> bool {
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
            // It is never null, but is not computed where the functions of the host are called.
            Expr::IsTrue(inner) => is_repeatable(inner),
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
    let mut facts = Facts { ty, schema, of_one: Vec::new(), of_two: HashMap::new() };
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
            (Expr::IsTrue(inner), false) => {
                open.push((&**inner, false));
                continue;
            }
            (Expr::Literal(value), _) => {
                if !matches!(value, Value::Bool(value) if *value != negated) {
                    return true;
                }
                continue;
            }
            (part, false) => said.insert(facts.text(part)),
            (part, true) => denied.insert(facts.text(part)),
        };
        if facts.state(next, negated) == Chance::Impossible {
            return true;
        }
    }
    !said.is_disjoint(&denied) || any_exclude_each_other(&facts.of_one)
}

/// The chance that a condition is fulfilled, after one more part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Chance {
    Possible,
    Impossible,
}

/// The facts that the parts of a condition state.
struct Facts<'e> {
    ty: TypeId,
    schema: &'e Schema,
    /// The facts about one value, with the value's text.
    of_one: Vec<(String, Fact<'e>)>,
    /// The order that two values can still have, by their texts in order: the bits of [`orders`].
    of_two: HashMap<(String, String), u8>,
}

impl<'e> Facts<'e> {
    fn text(&self, part: &Expr) -> String {
        canon::part(part, self.ty, self.schema)
    }

    /// Takes one part that has to be true, or false if it is `negated`.
    fn state(&mut self, part: &'e Expr, negated: bool) -> Chance {
        match part {
            Expr::Field(_) => {
                self.note(part, Fact::Is(BinaryOp::Eq, ValueRef::Bool(!negated)));
            }
            Expr::Binary(op, a, b) => {
                // The negation of a comparison is the opposite comparison, since neither is null.
                let op = if negated { opposite(*op) } else { Some(*op) };
                if let Some(op) = op {
                    return self.compared(op, a, b);
                }
            }
            Expr::In(value, set) => match &**set {
                Set::Values(values) if negated => self.note(value, Fact::NotIn(values)),
                Set::Values(values) => self.note(value, Fact::In(values)),
                // An empty range was reported already.
                Set::Range(Expr::Literal(low), Expr::Literal(high))
                    if !negated
                        && low.as_ref().compare(high.as_ref()).is_some_and(Ordering::is_le) =>
                {
                    self.note(value, Fact::Is(BinaryOp::Ge, low.as_ref()));
                    self.note(value, Fact::Is(BinaryOp::Le, high.as_ref()));
                }
                _ => {}
            },
            Expr::IsNull(inner) if !negated => self.note(inner, Fact::Null),
            _ => {}
        }
        Chance::Possible
    }

    /// Takes a comparison that has to hold.
    fn compared(&mut self, op: BinaryOp, a: &'e Expr, b: &'e Expr) -> Chance {
        match (a, b) {
            (Expr::Literal(Value::Null), _) | (_, Expr::Literal(Value::Null))
                if orders(op).is_some() =>
            {
                return Chance::Impossible;
            }
            (subject, Expr::Literal(value)) => self.note(subject, Fact::Is(op, value.as_ref())),
            (Expr::Literal(value), subject) => {
                self.note(subject, Fact::Is(op.mirrored(), value.as_ref()));
            }
            (a, b) => {
                let Some(ways) = orders(op) else { return Chance::Possible };
                let (left, right) = (self.text(a), self.text(b));
                if left == right && ways & EQUAL == 0 {
                    // Nothing is less than itself, or differs from itself.
                    return Chance::Impossible;
                }
                if is_repeatable(a) && is_repeatable(b) {
                    let is_swapped = left > right;
                    let ways =
                        if is_swapped { orders(op.mirrored()).unwrap_or(ways) } else { ways };
                    let pair = if is_swapped { (right, left) } else { (left, right) };
                    let still = self.of_two.entry(pair).or_insert(LESS | EQUAL | GREATER);
                    *still &= ways;
                    if *still == 0 {
                        return Chance::Impossible;
                    }
                }
            }
        }
        Chance::Possible
    }

    /// Notes a fact about a value that is no constant.
    fn note(&mut self, subject: &Expr, fact: Fact<'e>) {
        let text = match subject {
            Expr::Literal(_) => return,
            Expr::Field(field) => canon::field(field, self.ty, self.schema),
            other if is_repeatable(other) => self.text(other),
            _ => return,
        };
        let fact = if is_whole(subject, self.ty, self.schema) { of_whole(fact) } else { fact };
        self.of_one.push((text, fact));
    }
}

/// The two values of a comparison can have these orders, each a bit.
const LESS: u8 = 1;
const EQUAL: u8 = 2;
const GREATER: u8 = 4;

/// The orders in which a comparison holds; `None` for what compares nothing.
fn orders(op: BinaryOp) -> Option<u8> {
    Some(match op {
        BinaryOp::Eq => EQUAL,
        BinaryOp::Ne => LESS | GREATER,
        BinaryOp::Lt => LESS,
        BinaryOp::Le => LESS | EQUAL,
        BinaryOp::Gt => GREATER,
        BinaryOp::Ge => GREATER | EQUAL,
        _ => return None,
    })
}

/// True if an expression has one value for one event and one partial match, however often it is
/// computed. The functions of the host need not have.
fn is_repeatable(expr: &Expr) -> bool {
    match expr {
        Expr::Call(Callee::Host(_), _) | Expr::In(..) | Expr::Record(_) => false,
        Expr::Aggregate(of) => of.arg.as_ref().is_none_or(is_repeatable),
        _ => expr.parts().into_iter().all(is_repeatable),
    }
}

/// True if two facts about one value exclude each other.
fn any_exclude_each_other(facts: &[(String, Fact<'_>)]) -> bool {
    let mut pairs = facts
        .iter()
        .enumerate()
        .flat_map(|(i, a)| facts[i + 1..].iter().map(move |b| (a, b)).filter(|(a, b)| a.0 == b.0));
    pairs.any(|(a, b)| exclude_each_other(a.1, b.1))
}

/// The comparison that holds where this one is false.
pub(super) fn opposite(op: BinaryOp) -> Option<BinaryOp> {
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

/// True if the value is a whole number, if it is not null.
fn is_whole(subject: &Expr, ty: TypeId, schema: &Schema) -> bool {
    match subject {
        Expr::Field(FieldRef::Declared(id)) => {
            schema.ty(ty).field(*id).kind().without(Kind::NULL) == Kind::INT
        }
        Expr::Aggregate(of) => of.op == AggregateOp::Count,
        Expr::Call(Callee::BuiltIn(function) | Callee::InZone(function, _), _) => {
            function.result.without(Kind::NULL) == Kind::INT
        }
        _ => false,
    }
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
