//! The parts of a program: those that programs share, and all that decide the strategy.

use std::ops::Deref;
use std::sync::Arc;

use crate::nfa::automaton::Automaton;
use crate::nfa::comparison::FieldComparison;
use crate::nfa::comparison_table::ComparisonTable;
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::join::Joins;
use crate::nfa::registers::Register;
use kleene_syntax::hir::{Condition, Expr, Step};

/// The parts of a program that programs with the same automaton share where they are equal.
#[derive(Clone, Debug)]
pub struct SharedParts {
    pub(crate) automaton: Arc<Automaton>,
    /// The pattern's steps, by id.
    pub(crate) steps: Arc<[Step]>,
    /// True for each condition that looks at captured events, by id.
    pub(crate) correlated: Arc<[bool]>,
    /// The values of captured events that conditions read.
    pub registers: Arc<[Register]>,
    /// By step: the registers that its events update.
    pub(crate) registers_by_step: Arc<[Box<[u32]>]>,
    /// By condition: its comparisons, if it is nothing else.
    pub(crate) comparisons: Arc<[FieldComparison]>,
    /// By condition: its comparisons of the event with captured values.
    pub(crate) joins: Arc<[Joins]>,
    /// By edge: its effect, for all strategies but the general one.
    pub(crate) effects: Arc<[EdgeEffect]>,
    /// By node of the decision trees: its comparison table, if it has one.
    pub(crate) comparison_tables: Arc<[Option<ComparisonTable>]>,
}

impl SharedParts {
    /// Replaces the parts that are equal to those of a model with the same automaton.
    pub(super) fn share_with(&mut self, model: &SharedParts) {
        fn share<T: PartialEq>(own: &mut Arc<[T]>, model: &Arc<[T]>) {
            if own == model {
                *own = model.clone();
            }
        }
        self.automaton = model.automaton.clone();
        share(&mut self.steps, &model.steps);
        share(&mut self.correlated, &model.correlated);
        share(&mut self.registers, &model.registers);
        share(&mut self.registers_by_step, &model.registers_by_step);
        share(&mut self.comparisons, &model.comparisons);
        share(&mut self.joins, &model.joins);
        share(&mut self.effects, &model.effects);
        share(&mut self.comparison_tables, &model.comparison_tables);
    }

    /// Returns the heap size in bytes, without the parts that are shared with the model.
    pub(super) fn heap_size(&self, model: Option<&SharedParts>) -> usize {
        // A part at the same address is shared, and counted with the model.
        fn own<T>(part: &Arc<[T]>, model: Option<&Arc<[T]>>) -> usize {
            let is_shared = model.is_some_and(|model| Arc::ptr_eq(part, model));
            if is_shared { 0 } else { size_of_val(&**part) }
        }
        let automaton = if model.is_none() { self.automaton.heap_size() } else { 0 };
        automaton
            + own(&self.steps, model.map(|model| &model.steps))
            + own(&self.correlated, model.map(|model| &model.correlated))
            + own(&self.registers, model.map(|model| &model.registers))
            + own(&self.registers_by_step, model.map(|model| &model.registers_by_step))
            + own(&self.comparisons, model.map(|model| &model.comparisons))
            + own(&self.joins, model.map(|model| &model.joins))
            + own(&self.effects, model.map(|model| &model.effects))
            + own(&self.comparison_tables, model.map(|model| &model.comparison_tables))
    }
}

impl Deref for SharedParts {
    type Target = Automaton;

    #[inline(always)]
    fn deref(&self) -> &Automaton {
        &self.automaton
    }
}

/// A program that has no strategy yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) shared: &'a SharedParts,
    pub(super) conditions: &'a [Condition],
    pub(super) lengths: &'a [Expr],
}

impl Deref for Parts<'_> {
    type Target = SharedParts;

    fn deref(&self) -> &SharedParts {
        self.shared
    }
}
