//! Advance conditions: the necessary conditions on an event that affects a rule's open state, read
//! off the decision trees of the states in which a partial match can wait.
//!
//! Most conditions on later events compare them with earlier ones: `view[item % 1000 == 7] ->
//! pay[item == view.item]`. The fields are equal, so the conditions on the field of the earlier
//! event hold for the later event, too: here a `pay` must have `item % 1000 == 7`, too.

use std::borrow::Cow;

use crate::stream::dispatch::index::starts::{
    Alternative, Atom, GuardReader, StartClause, When, test,
};
use kleene_automata::nfa::{Action, Decision, Guard, GuardId, Program, RegisterKind, waiting};
use kleene_event::schema::{FieldId, TypeId};
use kleene_event::value::Value;
use kleene_syntax::hir::expr::{BinaryOp, FieldRef, Set};
use kleene_syntax::hir::{ConditionId, Expr, StepId, Test};

/// The maximum number of alternatives that are distinguished.
const MAX_ALTERNATIVES: usize = 64;

impl<'a> When<'a> {
    /// Returns the condition on events of type `ty` that can advance or end a partial match of a
    /// rule. Deadlines do not count: the engine has timers for them.
    pub(in crate::stream) fn moves(program: &'a Program, ty: TypeId) -> When<'a> {
        if !can_move(program, ty) {
            return When::If(Vec::new());
        }
        let decisions = &program.decisions;
        let mut finder =
            MoveFinder { reader: GuardReader { program, ty }, alternatives: Vec::new() };
        for state in waiting(&program.states, &program.edges, program.start) {
            let tree = decisions.of(state, decisions.column(ty));
            if finder.walk(tree, Alternative::default()).is_none() {
                return When::Always;
            }
        }
        When::of_alternatives(finder.alternatives)
    }
}

/// Finds the alternatives through decision trees.
struct MoveFinder<'a> {
    reader: GuardReader<'a>,
    alternatives: Vec<Alternative<'a>>,
}

impl<'a> MoveFinder<'a> {
    /// Collects the alternatives of a tree below the conditions of `alternative`. `None` where
    /// there is too much to report, or something else is to be seen than what moves on.
    fn walk(&mut self, tree: &Decision, alternative: Alternative<'a>) -> Option<()> {
        let decisions = &self.reader.program.decisions;
        match *tree {
            Decision::Stay => {}
            Decision::Condition { condition, yes, no } => {
                if let [holds] = &self.reader.condition(condition)[..] {
                    if holds.is_closed {
                        return None;
                    }
                    let mut alternative = alternative.clone();
                    alternative.clauses.extend(holds.clauses.iter().cloned());
                    alternative.clauses.extend(self.implied(condition));
                    self.walk(decisions.node(yes), alternative)?;
                }
                self.walk(decisions.node(no), alternative)?;
            }
            Decision::Time { yes, no, .. } => {
                self.walk(decisions.node(yes), alternative.clone())?;
                self.walk(decisions.node(no), alternative)?;
            }
            Decision::Gone | Decision::One(_) | Decision::Several(_) | Decision::Ask => {
                self.alternatives.push(alternative);
            }
        }
        (self.alternatives.len() <= MAX_ALTERNATIVES).then_some(())
    }

    /// Returns the conditions that hold for an event that fulfils a condition because it equals a
    /// captured event.
    fn implied(&self, condition: ConditionId) -> Vec<StartClause<'a>> {
        let mut equal = Vec::new();
        equalities(&self.reader.program.conditions[condition.index()].test, &mut equal);
        equal.into_iter().flat_map(|(field, register)| self.carried(field, register)).collect()
    }

    /// Returns the conditions on a field that equals a register: those on the event of the
    /// register.
    fn carried(&self, field: FieldId, register: usize) -> Vec<StartClause<'a>> {
        let program = self.reader.program;
        let register = &program.registers[register];
        let (
            RegisterKind::First(FieldRef::Declared(of))
            | RegisterKind::Last(FieldRef::Declared(of)),
            Some(step),
        ) = (&register.kind, register.step)
        else {
            return Vec::new();
        };
        let mut alternative = Alternative::default();
        for condition in asked(program, step) {
            let condition = &program.conditions[condition.index()];
            if condition.ty.is_some() && !asks_list(&condition.test) {
                alternative.is_closed = false;
                test(&condition.test, &mut alternative);
            }
        }
        let carry = |clause: StartClause<'a>| {
            clause.into_iter().map(|one| carry(one, *of, field)).collect()
        };
        alternative.clauses.into_iter().filter_map(carry).collect()
    }
}

/// Returns the conditions that every event captured as `step` fulfils.
fn asked(program: &Program, step: StepId) -> Vec<ConditionId> {
    let takes = program
        .edges
        .iter()
        .filter(|edge| matches!(edge.action, Action::Take { step: taken, .. } if taken == step));
    let needed = |guard: GuardId| match &program.guards[guard.index()] {
        Guard::Condition(condition) => vec![*condition],
        Guard::And(parts) => {
            parts.iter().filter_map(|part| program.guards[part.index()].condition()).collect()
        }
        _ => Vec::new(),
    };
    let all = takes.map(|edge| needed(edge.guard));
    all.reduce(|all, one| all.into_iter().filter(|id| one.contains(id)).collect())
        .unwrap_or_default()
}

/// Adds the fields that a test requires to equal registers.
fn equalities(of: &Test, out: &mut Vec<(FieldId, usize)>) {
    match of {
        Test::Expr(expr) => conjunction(expr, out),
        Test::All(tests) => tests.iter().for_each(|part| equalities(part, out)),
        Test::True | Test::Host { .. } | Test::OneOf(_) => {}
    }
}

fn conjunction(expr: &Expr, out: &mut Vec<(FieldId, usize)>) {
    match expr {
        Expr::Binary(BinaryOp::And, a, b) => {
            conjunction(a, out);
            conjunction(b, out);
        }
        Expr::Binary(BinaryOp::Eq, a, b) => match (&**a, &**b) {
            (Expr::Field(FieldRef::Declared(field)), Expr::Register(register))
            | (Expr::Register(register), Expr::Field(FieldRef::Declared(field))) => {
                out.push((*field, *register));
            }
            _ => {}
        },
        _ => {}
    }
}

/// True if a test reads a `list`, whose contents can be replaced while partial matches wait.
fn asks_list(of: &Test) -> bool {
    fn asks(expr: &Expr) -> bool {
        let is_asked = match expr {
            Expr::In(_, set) => matches!(&**set, Set::Values(set) if set.list.is_some()),
            Expr::Fits(_, patterns) => patterns.list.is_some(),
            _ => false,
        };
        is_asked || expr.parts().into_iter().any(asks)
    }
    match of {
        Test::Expr(expr) => asks(expr),
        Test::All(tests) => tests.iter().any(asks_list),
        Test::True | Test::Host { .. } | Test::OneOf(_) => false,
    }
}

/// Returns the condition on `to` if `to` equals a value for which this condition holds as `from`.
fn carry(atom: Atom<'_>, from: FieldId, to: FieldId) -> Option<Atom<'_>> {
    let expr = Cow::Owned(renamed(atom.expr(), from, to)?);
    Some(match atom {
        Atom::Equal(_, value) => Atom::Equal(expr, value),
        Atom::Between(_, low, high) => Atom::Between(expr, low, high),
    })
}

/// An expression over the field `from` alone over `to` instead. It has to give equal values for
/// equal values, also where an integer equals a float: few do for sure.
fn renamed(expr: &Expr, from: FieldId, to: FieldId) -> Option<Expr> {
    match expr {
        Expr::Field(FieldRef::Declared(field)) if *field == from => {
            Some(Expr::Field(FieldRef::Declared(to)))
        }
        Expr::Binary(BinaryOp::Rem, a, b) => match (renamed(a, from, to)?, &**b) {
            // A divisor is the same as a float.
            (a, Expr::Literal(Value::Int(1..=0x1f_ffff_ffff_ffff))) => {
                Some(Expr::Binary(BinaryOp::Rem, Box::new(a), b.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// True if there is a state in which an event of this type can have an effect, for any values of
/// its fields.
pub(super) fn can_move(program: &Program, ty: TypeId) -> bool {
    !program.decisions.column(ty).is_still
}
