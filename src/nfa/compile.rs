//! A pattern compiled to a program.

use crate::hir::Pattern;
use crate::nfa::cache::{CompileCache, shared};
use crate::nfa::comparison::{FieldComparison, field_comparison};
use crate::nfa::error::BuildError;
use crate::nfa::parts::Parts;
use crate::nfa::plan::Plan;
use crate::nfa::program::Program;
use crate::nfa::registers::{self, Register};
use crate::nfa::{comparison_table, edge_effect};

impl Program {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// [`BuildError`] if the pattern has no automaton: it is malformed or too large.
    pub fn new(pattern: &Pattern) -> Result<Program, BuildError> {
        Program::sharing(pattern, &mut CompileCache::default())
    }

    /// Compiles `pattern`. It shares with those that are `known` what it has in common with them, and
    /// is known after it.
    pub(crate) fn sharing(
        pattern: &Pattern,
        known: &mut CompileCache,
    ) -> Result<Program, BuildError> {
        let (automaton, model) = known.automaton(pattern)?;
        let Pattern { conditions, lengths, .. } = pattern;
        let extracted = registers::extract(conditions, lengths, &automaton.named);
        let registers = &extracted.registers;
        let by_step = registers::by_step(pattern.steps.len(), registers);
        let comparison = |condition| field_comparison(condition, registers);
        let comparisons: Vec<FieldComparison> =
            extracted.conditions.iter().map(comparison).collect();
        let effects = edge_effect::edge_effects(&automaton, &pattern.steps, registers, &by_step);
        let tables = comparison_table::comparison_tables(&automaton, registers, &comparisons);
        let parts = Parts {
            automaton: &automaton,
            conditions: &extracted.conditions,
            correlated: &extracted.correlated,
            lengths: &extracted.lengths,
            registers,
            registers_by_step: &by_step,
            effects: &effects,
        };
        let plan = parts.plan();
        let copies =
            matches!(plan, Plan::General(_)) && registers.iter().any(Register::holds_values);
        let program = Program {
            automaton,
            steps: shared(pattern.steps.clone(), model.map(|model| &model.steps)),
            conditions: extracted.conditions.into(),
            correlated: shared(extracted.correlated, model.map(|model| &model.correlated)),
            registers: shared(extracted.registers, model.map(|model| &model.registers)),
            lengths: extracted.lengths.into(),
            registers_by_step: shared(by_step, model.map(|model| &model.registers_by_step)),
            comparisons: shared(comparisons, model.map(|model| &model.comparisons)),
            effects: shared(effects, model.map(|model| &model.effects)),
            comparison_tables: shared(tables, model.map(|model| &model.comparison_tables)),
            plan,
            reads_back: extracted.reads_back || copies,
        };
        known.add(&program);
        Ok(program)
    }
}
