//! Conditions that compare fields: tested without a walk over an expression.
//!
//! When it applies: a condition is one comparison of a field with a literal or with a register, or
//! several of them joined by `and`.
//!
//! Why it is right: a comparison has the relation and the operands of the expression. Values of
//! unequal types are left to [`Relation::holds`], which the expression asks, too.
//!
//! What it saves: the walk over the expression; for integers, floats and equal strings, also the
//! jump on the type of the value. Without it, W3 takes 1.76 times the instructions, W5 1.77, W6
//! 1.41 (docs/performance.md).
//!
//! Which test holds it: `tests/null.rs` holds every compiled form of a condition against the table
//! of docs/language.md.

use crate::nfa::registers::{Register, RegisterKind};
use kleene_event::event::Event;
use kleene_event::schema::FieldId;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval::{self, Relation};
use kleene_syntax::hir::expr::{BinaryOp, FieldRef};
use kleene_syntax::hir::{Condition, Expr, Test};

/// A condition as comparisons of fields, if it is nothing else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldComparison {
    One(Comparison),
    /// All of these have to hold.
    All(Box<[Comparison]>),
    /// The condition asks for more.
    Other,
}

/// The comparison of a field of the event with an operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) field: FieldId,
    pub(crate) relation: Relation,
    pub(crate) with: Operand,
}

/// The operand that a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Literal(ComparedValue),
    /// A register that is null while nothing was captured.
    Register(usize),
}

/// A value that is written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparedValue {
    value: Value,
    /// The operand as an integer, if it equals one.
    int: Option<i64>,
    float: Option<f64>,
}

impl ComparedValue {
    fn new(value: &Value) -> ComparedValue {
        let (int, float) = match *value {
            Value::Int(int) => (Some(int), eval::float_of(int)),
            Value::Float(float) => (None, Some(float)),
            _ => (None, None),
        };
        ComparedValue { value: value.clone(), int, float }
    }

    /// Returns the operand as an integer, if it equals one.
    pub(super) fn int(&self) -> Option<i64> {
        self.int
    }

    /// Returns the operand as a float, if it equals one.
    pub(super) fn float(&self) -> Option<f64> {
        self.float
    }
}

impl FieldComparison {
    /// Returns the comparisons that all have to hold; none where the condition asks for more.
    pub(crate) fn all(&self) -> &[Comparison] {
        match self {
            FieldComparison::One(one) => std::slice::from_ref(one),
            FieldComparison::All(all) => all,
            FieldComparison::Other => &[],
        }
    }

    /// True if all operands are literals.
    pub(super) fn is_of_event_alone(&self) -> bool {
        let is_literal = |one: &Comparison| matches!(one.with, Operand::Literal(_));
        match self {
            FieldComparison::One(one) => is_literal(one),
            FieldComparison::All(all) => all.iter().all(is_literal),
            FieldComparison::Other => false,
        }
    }

    /// True if the condition holds for an event; `None` unless it asks for the event's fields alone.
    #[inline(always)]
    pub(crate) fn holds_of<E: Event>(&self, event: &E) -> Option<bool> {
        match self {
            FieldComparison::One(comparison) => comparison.holds_of_event_alone(event),
            FieldComparison::All(all) => {
                // All are tested: a mispredicted branch takes longer than a comparison.
                let mut all_hold = true;
                for comparison in all {
                    all_hold &= comparison.holds_of_event_alone(event)?;
                }
                Some(all_hold)
            }
            FieldComparison::Other => None,
        }
    }
}

impl Comparison {
    /// True if the event's field is in the relation to a literal; `None` for a register.
    #[inline(always)]
    fn holds_of_event_alone<E: Event>(&self, event: &E) -> Option<bool> {
        match &self.with {
            Operand::Literal(literal) => Some(self.holds_of(event, literal)),
            Operand::Register(_) => None,
        }
    }

    /// True if the event's field is in the relation to a literal.
    ///
    /// Integers, floats and equal strings, the most common cases, are tested by their type first:
    /// that is one comparison, while a match on the value's type is a jump. The event is passed on
    /// instead of a closure that reads it, which is not always inlined: W3 takes 1.1 times the
    /// instructions then. In the browser, where size counts, it is inlined nowhere.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn holds_of<E: Event>(&self, event: &E, literal: &ComparedValue) -> bool {
        if let Some(int) = literal.int
            && let ValueRef::Int(field) = event.field(self.field)
        {
            return self.relation.of_ordered(field, int);
        }
        if let Some(float) = literal.float
            && let ValueRef::Float(field) = event.field(self.field)
        {
            return self.relation.of_ordered(field, float);
        }
        if let (Value::String(text), Relation::Eq) = (&literal.value, self.relation)
            && let ValueRef::String(field) = event.field(self.field)
        {
            return is_text(field.as_bytes(), text.as_bytes());
        }
        self.holds_of_other(event.field(self.field), literal)
    }

    /// True if a value is in the relation to a literal.
    #[inline(always)]
    pub(super) fn holds_of_value(&self, value: ValueRef<'_>, literal: &ComparedValue) -> bool {
        match (value, &literal.value, self.relation) {
            (ValueRef::String(value), Value::String(text), Relation::Eq) => {
                is_text(value.as_bytes(), text.as_bytes())
            }
            (value, ..) => self.holds_of_other(value, literal),
        }
    }

    #[inline(never)]
    fn holds_of_other(&self, field: ValueRef<'_>, literal: &ComparedValue) -> bool {
        self.relation.holds(field, literal.value.as_ref())
    }
}

/// True if a text equals a literal. A short literal, as most names of states are, is compared
/// without a branch: the branch is hard to predict, and a misprediction takes longer than to
/// compare a few bytes.
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

/// Returns the comparisons that a condition consists of.
pub(super) fn field_comparison(condition: &Condition, registers: &[Register]) -> FieldComparison {
    match comparisons(condition, registers) {
        Some(mut comparisons) => match (comparisons.pop(), comparisons.is_empty()) {
            (None, _) => FieldComparison::Other,
            (Some(one), true) => FieldComparison::One(one),
            (last, false) => FieldComparison::All(comparisons.into_iter().chain(last).collect()),
        },
        None => FieldComparison::Other,
    }
}

/// Returns the comparisons that all have to hold; `None` if a condition asks for anything else.
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
        Expr::Literal(value) => Operand::Literal(ComparedValue::new(value)),
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
