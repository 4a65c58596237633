//! Conditions that compare a field: tested without a walk over an expression.

use crate::hir::eval::{self, Relation};
use crate::hir::expr::{BinaryOp, FieldRef};
use crate::hir::{Condition, Expr, Test};
use crate::nfa::registers::{Register, RegisterKind};
use crate::schema::FieldId;
use crate::value::{Value, ValueRef};

/// What a condition compares, where that is all that it does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Quick {
    One(Comparison),
    /// All of these have to hold.
    All(Box<[Comparison]>),
    /// It does more than that.
    No,
}

/// A field of the event beside something that is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) field: FieldId,
    pub(crate) relation: Relation,
    pub(crate) with: Operand,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Literal(Literal),
    /// A register that is null while nothing was captured.
    Register(usize),
}

/// A value that is written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Literal {
    value: Value,
    /// What it is beside an integer, and beside a float.
    int: Option<i64>,
    float: Option<f64>,
}

impl Literal {
    fn new(value: &Value) -> Literal {
        let (int, float) = match *value {
            Value::Int(int) => (Some(int), eval::float_of(int)),
            Value::Float(float) => (None, Some(float)),
            _ => (None, None),
        };
        Literal { value: value.clone(), int, float }
    }
}

impl Quick {
    /// Whether it asks of the event's fields and of nothing else.
    pub(super) fn is_of_event_alone(&self) -> bool {
        let is_literal = |one: &Comparison| matches!(one.with, Operand::Literal(_));
        match self {
            Quick::One(one) => is_literal(one),
            Quick::All(all) => all.iter().all(is_literal),
            Quick::No => false,
        }
    }

    /// Whether the condition holds for an event with these fields, where it asks of nothing else.
    #[inline(always)]
    pub(crate) fn holds_of<'e>(&self, field: impl Fn(FieldId) -> ValueRef<'e>) -> Option<bool> {
        let holds = |comparison: &Comparison| match &comparison.with {
            Operand::Literal(literal) => Some(comparison.holds_of(&field, literal)),
            Operand::Register(_) => None,
        };
        match self {
            Quick::One(comparison) => holds(comparison),
            Quick::All(all) => {
                // All are looked at: a branch that is not foreseen takes longer than a comparison.
                let mut all_hold = true;
                for comparison in all {
                    all_hold &= holds(comparison)?;
                }
                Some(all_hold)
            }
            Quick::No => None,
        }
    }
}

impl Comparison {
    /// Whether the field is in the relation to a literal.
    ///
    /// What most rules compare, of types that never change, is asked for by its type: that is one
    /// comparison, where to find out what the value is takes a jump.
    #[inline(always)]
    pub(crate) fn holds_of<'e>(
        &self,
        field: impl Fn(FieldId) -> ValueRef<'e>,
        literal: &Literal,
    ) -> bool {
        if let Some(int) = literal.int
            && let ValueRef::Int(field) = field(self.field)
        {
            return self.relation.of_ordered(field, int);
        }
        if let Some(float) = literal.float
            && let ValueRef::Float(field) = field(self.field)
        {
            return self.relation.of_ordered(field, float);
        }
        if let (Value::String(text), Relation::Eq) = (&literal.value, self.relation)
            && let ValueRef::String(field) = field(self.field)
        {
            return is_text(field.as_bytes(), text.as_bytes());
        }
        self.holds_of_other(field(self.field), literal)
    }

    #[inline(never)]
    fn holds_of_other(&self, field: ValueRef<'_>, literal: &Literal) -> bool {
        self.relation.holds(field, literal.value.as_ref())
    }
}

/// Whether a text is what is written in a rule. What is short, as most names of states are, is compared
/// without a branch: which one an event has is not to be foreseen, and to be wrong about it takes
/// longer than to look at a few bytes.
#[inline(always)]
fn is_text(text: &[u8], literal: &[u8]) -> bool {
    const SHORT: usize = 8;
    let Some(last) = text.len().checked_sub(1).filter(|_| literal.len() <= SHORT) else {
        return text == literal;
    };
    let mut differs = text.len() ^ literal.len();
    for (at, byte) in literal.iter().enumerate() {
        differs |= usize::from(text[at.min(last)] ^ byte);
    }
    differs == 0
}

pub(super) fn quick(condition: &Condition, registers: &[Register]) -> Quick {
    match comparisons(condition, registers) {
        Some(mut comparisons) => match (comparisons.pop(), comparisons.is_empty()) {
            (None, _) => Quick::No,
            (Some(one), true) => Quick::One(one),
            (last, false) => Quick::All(comparisons.into_iter().chain(last).collect()),
        },
        None => Quick::No,
    }
}

/// The comparisons that all have to hold; `None` where a condition asks for anything else.
fn comparisons(condition: &Condition, registers: &[Register]) -> Option<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    let mut add = |test: &Test| match test {
        Test::Expr(expr) => compare(expr, registers, &mut comparisons),
        Test::True => Some(()),
        Test::Host { .. } | Test::All(_) | Test::OneOf(_) => None,
    };
    match &condition.test {
        Test::All(tests) => tests.iter().try_for_each(&mut add)?,
        test => add(test)?,
    }
    Some(comparisons)
}

fn compare(expr: &Expr, registers: &[Register], out: &mut Vec<Comparison>) -> Option<()> {
    let Expr::Binary(op, a, b) = expr else { return None };
    if *op == BinaryOp::And {
        compare(a, registers, out)?;
        return compare(b, registers, out);
    }
    let relation = Relation::of(*op)?;
    let (field, other, relation) = match (&**a, &**b) {
        (Expr::Field(FieldRef::Declared(field)), other) => (*field, other, relation),
        (other, Expr::Field(FieldRef::Declared(field))) => (*field, other, relation.flipped()?),
        _ => return None,
    };
    let with = match other {
        Expr::Literal(value) => Operand::Literal(Literal::new(value)),
        Expr::Register(index) => match registers[*index].kind {
            RegisterKind::First(_) | RegisterKind::Last(_) => Operand::Register(*index),
            RegisterKind::Aggregate(_) => return None,
        },
        _ => return None,
    };
    out.push(Comparison { field, relation, with });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_where_all_bytes_are() {
        let texts =
            ["", "o", "k", "ok", "oo", "kk", "okk", "ko", "eightlen", "eightleN", "ninebytes"];
        for (text, literal) in texts.iter().flat_map(|a| texts.map(|b| (*a, b))) {
            let is_same = is_text(text.as_bytes(), literal.as_bytes());
            assert_eq!(is_same, text == literal, "{text:?} and {literal:?}");
        }
    }
}
