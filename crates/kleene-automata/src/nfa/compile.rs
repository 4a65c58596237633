//! A pattern compiled to a program.

use crate::nfa::cache::CompileCache;
use crate::nfa::comparison::{FieldComparison, field_comparison};
use crate::nfa::error::AutomatonError;
use crate::nfa::join::Joins;
use crate::nfa::parts::{Parts, SharedParts};
use crate::nfa::plan::Plan;
use crate::nfa::program::Program;
use crate::nfa::registers::{self, Register};
use crate::nfa::{comparison_table, edge_effect};
use kleene_syntax::hir::{Pattern, Report, SkipStrategy};

impl Program {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// [`AutomatonError`] if the pattern has no automaton: it is malformed or too large.
    pub fn new(pattern: &Pattern) -> Result<Program, AutomatonError> {
        Program::sharing(pattern, &mut CompileCache::default())
    }

    /// Compiles `pattern` with the layout of large `and` and `of` from one operand more than
    /// `most_in_states` on. Results are identical: for tests.
    ///
    /// # Errors
    /// [`AutomatonError`] as in [`Program::new`].
    #[cfg(any(test, feature = "reference"))]
    pub fn with_most_in_states(
        pattern: &Pattern,
        most_in_states: usize,
    ) -> Result<Program, AutomatonError> {
        Program::sharing(pattern, &mut CompileCache::with_most_in_states(most_in_states))
    }

    /// Compiles `pattern`. It shares with those that are `known` what it has in common with them,
    /// and is known after it.
    ///
    /// # Errors
    /// The pattern has a mistake, or is too large.
    pub fn sharing(pattern: &Pattern, known: &mut CompileCache) -> Result<Program, AutomatonError> {
        let (automaton, model) = known.automaton(pattern)?;
        let Pattern { conditions, lengths, .. } = pattern;
        let extracted = registers::extract(conditions, lengths, &automaton.named);
        let registers = &extracted.registers;
        let by_step = registers::by_step(pattern.steps.len(), registers);
        let comparison = |condition| field_comparison(condition, registers);
        let comparisons: Vec<FieldComparison> =
            extracted.conditions.iter().map(comparison).collect();
        let joins: Vec<Joins> =
            extracted.conditions.iter().map(|one| Joins::of(one, registers)).collect();
        let effects = edge_effect::edge_effects(&automaton, &pattern.steps, registers, &by_step);
        let tables = comparison_table::comparison_tables(&automaton, registers, &comparisons);
        let mut shared = SharedParts {
            automaton,
            steps: pattern.steps.as_slice().into(),
            correlated: extracted.correlated.into(),
            registers: extracted.registers.into(),
            registers_by_step: by_step.into(),
            comparisons: comparisons.into(),
            joins: joins.into(),
            effects: effects.into(),
            comparison_tables: tables.into(),
        };
        if let Some(model) = model {
            shared.share_with(model);
        }
        let (conditions, lengths) = (&extracted.conditions, &extracted.lengths);
        let parts = Parts { shared: &shared, conditions, lengths };
        let plan = parts.plan();
        let copies =
            matches!(plan, Plan::General(_)) && shared.registers.iter().any(Register::holds_values);
        let compact = parts.as_compact(extracted.reads_back);
        let (is_explosive, distinct_loop) = (parts.is_explosive(), parts.distinct_loop());
        let lists_matches =
            pattern.report != Report::All && pattern.skip.strategy != SkipStrategy::PastLast;
        // A deadline costs a pass over the graph, which only partial matches that multiply are worth.
        let gains = is_explosive || lists_matches && !shared.reports_at_deadlines();
        let prefers_compact = compact.is_ok() && !matches!(plan, Plan::Window(_)) && gains;
        let program = Program {
            shared,
            conditions: extracted.conditions.into(),
            lengths: extracted.lengths.into(),
            report: pattern.report,
            totals: pattern.totals.as_slice().into(),
            plan,
            compact,
            prefers_compact,
            is_explosive,
            distinct_loop,
            reads_back: extracted.reads_back || copies,
        };
        known.add(&program);
        Ok(program)
    }
}
