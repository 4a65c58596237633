//! Comparisons of an event with captured values: what an index of busy keys is asked for.
//!
//! A condition is a conjunction. Each part that compares one field of the event with one captured
//! value, perhaps with a constant added to one of them, is a [`Join`]: `v > x.v`, `v == x.v + 1`,
//! `at - x.at > 10m`.

use crate::nfa::registers::{Register, RegisterKind, reads_captures};
use kleene_event::value::Value;
use kleene_syntax::hir::eval::Relation;
use kleene_syntax::hir::expr::{BinaryOp, FieldRef};
use kleene_syntax::hir::{Condition, Expr, Test};

/// The comparison of a field of the event, less a constant, with a captured value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Join {
    pub(crate) field: FieldRef,
    pub(crate) shift: Shift,
    pub(crate) relation: Relation,
    /// The register with the captured value.
    pub(crate) register: usize,
}

/// The constant that a field is lessened by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shift {
    Nothing,
    /// Of numbers. Sums with a float are rounded.
    By(i64),
    /// Of times and durations, in milliseconds.
    Millis(i64),
}

/// The joins of a condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Joins {
    pub(crate) all: Box<[Join]>,
    /// True if the condition asks for nothing else of what was captured.
    is_complete: bool,
}

impl Joins {
    /// Returns the joins of a condition in which registers stand for what was captured.
    pub(super) fn of(condition: &Condition, registers: &[Register]) -> Joins {
        let tests = match &condition.test {
            Test::All(tests) => &tests[..],
            test => std::slice::from_ref(test),
        };
        let (mut parts, mut all, mut has_other) = (Vec::new(), Vec::new(), false);
        for test in tests {
            match test {
                Test::Expr(expr) => parts.extend(expr.conjuncts()),
                Test::True => {}
                Test::Host { .. } | Test::All(_) | Test::OneOf(_) => has_other = true,
            }
        }
        for part in parts {
            match join(part, registers) {
                Some(join) => all.push(join),
                None => has_other |= reads_captures(part),
            }
        }
        Joins { all: all.into(), is_complete: !has_other }
    }

    /// True if an index finds exactly those that have certain values in these registers.
    pub(super) fn find_values_of(&self, mut registers: impl Iterator<Item = usize>) -> bool {
        self.are_found_exactly()
            && self.all.iter().all(Join::is_equal)
            && registers.all(|register| self.all.iter().any(|join| join.register == register))
    }

    /// True if an index finds exactly those for which the condition holds: by values that are equal,
    /// or by one value in a range. The rest of it is asked of the event alone.
    pub(super) fn are_found_exactly(&self) -> bool {
        let is_exact = |one: &Join| !matches!(one.shift, Shift::By(_));
        let Some(first) = self.all.first() else { return false };
        let is_of_first = |one: &Join| one.register == first.register && !one.is_equal();
        self.is_complete
            && self.all.iter().all(is_exact)
            && (self.all.iter().all(Join::is_equal) || self.all.iter().all(is_of_first))
    }
}

impl Join {
    /// True if the field has to have the captured value itself.
    fn is_equal(&self) -> bool {
        self.relation == Relation::Eq && self.shift == Shift::Nothing
    }
}

/// One side less the other, as a sum of a field, a register and a constant.
#[derive(Default)]
struct SideDifference<'e> {
    field: Option<(TermSign, &'e FieldRef)>,
    register: Option<(TermSign, usize)>,
    shift: Option<Shift>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TermSign {
    Plus,
    Minus,
}

impl TermSign {
    fn times(self, other: TermSign) -> TermSign {
        if self == other { TermSign::Plus } else { TermSign::Minus }
    }
}

/// Returns the join that a comparison is, if it is one.
fn join(expr: &Expr, registers: &[Register]) -> Option<Join> {
    let Expr::Binary(op, a, b) = expr else { return None };
    let relation = Relation::of(*op)?;
    if matches!(relation, Relation::Ne | Relation::Like) {
        return None;
    }
    let mut sum = SideDifference::default();
    add(a, TermSign::Plus, registers, &mut sum)?;
    add(b, TermSign::Minus, registers, &mut sum)?;
    let ((sign, field), (other, register)) = (sum.field?, sum.register?);
    if sign == other {
        return None;
    }
    // `field + shift REL register`, or `register REL field - shift`.
    let shift = sum.shift.unwrap_or(Shift::Nothing);
    let (relation, shift) = match sign {
        TermSign::Plus => (relation, shift.negated()?),
        TermSign::Minus => (relation.flipped()?, shift),
    };
    Some(Join { field: field.clone(), shift, relation, register })
}

impl Shift {
    fn negated(self) -> Option<Shift> {
        Some(match self {
            Shift::Nothing => Shift::Nothing,
            Shift::By(by) => Shift::By(by.checked_neg()?),
            Shift::Millis(millis) => Shift::Millis(millis.checked_neg()?),
        })
    }
}

fn add<'e>(
    expr: &'e Expr,
    sign: TermSign,
    registers: &[Register],
    sum: &mut SideDifference<'e>,
) -> Option<()> {
    match expr {
        Expr::Binary(BinaryOp::Add, a, b) => {
            add(a, sign, registers, sum)?;
            add(b, sign, registers, sum)
        }
        Expr::Binary(BinaryOp::Sub, a, b) => {
            add(a, sign, registers, sum)?;
            add(b, sign.times(TermSign::Minus), registers, sum)
        }
        Expr::Field(field) => sum.field.replace((sign, field)).is_none().then_some(()),
        Expr::Register(index) => {
            let is_value = !matches!(registers[*index].kind, RegisterKind::Aggregate(_));
            (is_value && sum.register.replace((sign, *index)).is_none()).then_some(())
        }
        Expr::Literal(value) => {
            let shift = match value {
                Value::Int(int) => Shift::By(*int),
                Value::Duration(millis) => Shift::Millis(*millis),
                _ => return None,
            };
            let shift = if sign == TermSign::Minus { shift.negated()? } else { shift };
            sum.shift.replace(shift).is_none().then_some(())
        }
        _ => None,
    }
}
