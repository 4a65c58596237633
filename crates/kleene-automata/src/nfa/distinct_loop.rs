//! Loops that take each value once: `a[v not in distinct(x.v)]{10} as x`.
//!
//! If all partial matches are in such a loop from their start until they leave it for good, the
//! values of an older one contain those of a newer one. So an event that the older one takes is
//! taken by the newer one, too. `crates/kleene-automata/src/exec/forms/crowded.rs` says what
//! follows from that.

use crate::nfa::decide::{Decision, Decisions, waiting};
use crate::nfa::parts::{Parts, SharedParts};
use crate::nfa::registers::{Register, RegisterKind, reads_captures};
use crate::nfa::states::{Action, StateId};
use kleene_syntax::hir::expr::{AggregateOp, FieldRef, Set};
use kleene_syntax::hir::{Condition, ConditionId, Expr, StepId, Test};

/// A loop that takes each value once.
#[derive(Clone, Debug)]
pub(crate) struct DistinctLoop {
    /// The condition of its events: something of the event alone, and that the value is new.
    pub(crate) condition: ConditionId,
    /// The values that it has taken.
    pub(crate) register: usize,
    /// The field with the value.
    pub(crate) field: FieldRef,
    /// True if a partial match can wait nowhere else.
    pub(crate) is_alone: bool,
}

impl Parts<'_> {
    /// Returns the loop of the pattern that takes each value once, if there is one.
    pub(super) fn distinct_loop(&self) -> Option<DistinctLoop> {
        let of_condition = |(index, condition): (usize, &Condition)| {
            let (register, field) = new_value(condition, &self.registers)?;
            let (condition, field) = (ConditionId::new(index), field.clone());
            let is_alone = self.is_first_loop(condition, self.registers[register].step?)?;
            Some(DistinctLoop { condition, register, field, is_alone })
        };
        self.conditions.iter().enumerate().find_map(of_condition)
    }

    /// Checks that a partial match is in the loop of a step from its start until it leaves the loop
    /// for good, and that an event that one partial match in the loop can take is offered to all of
    /// them under the same condition. Returns true if it can wait nowhere else.
    fn is_first_loop(&self, condition: ConditionId, step: StepId) -> Option<bool> {
        let takes = |node| self.shared.takes(node, step);
        let columns = self.decisions.columns();
        let is_in = |state: StateId| columns.iter().any(|of| takes(of.roots[state.index()]));
        let waiting = waiting(&self.states, &self.edges, self.start);
        let (in_loop, others): (Vec<StateId>, Vec<StateId>) = waiting.partition(|at| is_in(*at));
        let asks = |node| self.shared.asks_for_new(node, condition, step);
        for column in columns {
            let begins = takes(column.begins);
            let mut roots = in_loop.iter().map(|state| column.roots[state.index()]);
            let is_offered = begins || roots.clone().any(takes);
            let begins_alike = !begins || self.shared.begins(column.begins, condition);
            if is_offered && !(begins_alike && roots.all(asks)) {
                return None;
            }
        }
        let comes_back = |state: &StateId| {
            self.edges(*state).iter().any(|edge| match edge.action {
                Action::Take { target, .. } | Action::Ignore { target } => {
                    in_loop.contains(&target)
                }
                Action::Stop | Action::Complete => false,
            })
        };
        (!others.iter().any(comes_back)).then_some(others.is_empty())
    }
}

impl SharedParts {
    /// True if a tree can lead to the capture of an event by a step.
    pub(crate) fn takes(&self, node: u32, step: StepId) -> bool {
        let is_taken = |edge: u32| match self.edges[edge as usize].action {
            Action::Take { step: by, .. } => by == step,
            _ => false,
        };
        match self.decisions.node(node) {
            Decision::Condition { yes, no, .. } | Decision::Time { yes, no, .. } => {
                self.takes(*yes, step) || self.takes(*no, step)
            }
            Decision::One(edge) => is_taken(*edge),
            Decision::Several(edges) => {
                self.decisions.edges(edges).iter().any(|edge| is_taken(*edge))
            }
            Decision::Ask => true,
            Decision::Stay | Decision::Gone => false,
        }
    }

    /// True if a tree asks for the condition alone: the step captures the event, or the partial
    /// match stays.
    fn asks_for_new(&self, node: u32, wanted: ConditionId, step: StepId) -> bool {
        match self.decisions.node(node) {
            Decision::Condition { condition, yes, no: Decisions::STAY } => {
                *condition == wanted
                    && matches!(self.decisions.node(*yes), Decision::One(_))
                    && self.takes(*yes, step)
            }
            _ => false,
        }
    }

    /// True if a partial match begins with an event that fulfils the condition, and with no other.
    fn begins(&self, node: u32, wanted: ConditionId) -> bool {
        match self.decisions.node(node) {
            Decision::Condition { condition, yes, no } => {
                *condition == wanted
                    && matches!(self.decisions.node(*yes), Decision::One(_))
                    && matches!(self.decisions.node(*no), Decision::Gone | Decision::Stay)
            }
            _ => false,
        }
    }
}

/// Returns the register and the field of a condition that asks for a new value of the field, and
/// otherwise for the event alone.
fn new_value<'c>(
    condition: &'c Condition,
    registers: &[Register],
) -> Option<(usize, &'c FieldRef)> {
    let Test::Expr(expr) = &condition.test else { return None };
    let mut parts = expr.conjuncts().into_iter().filter(|part| reads_captures(part));
    let new = not_in(parts.next()?, registers)?;
    parts.next().is_none().then_some(new)
}

/// Returns the register and the field of `field not in distinct(step.field)`.
fn not_in<'c>(expr: &'c Expr, registers: &[Register]) -> Option<(usize, &'c FieldRef)> {
    let Expr::Not(inner) = expr else { return None };
    let Expr::In(value, set) = &**inner else { return None };
    let (Expr::Field(field), Set::Expr(Expr::Register(register))) = (&**value, &**set) else {
        return None;
    };
    let RegisterKind::Aggregate(aggregate) = &registers[*register].kind else { return None };
    let is_same = matches!(&aggregate.arg, Some(Expr::Field(of)) if of == field);
    (aggregate.op == AggregateOp::Distinct && is_same).then_some((*register, field))
}
