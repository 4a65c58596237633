//! The compiled form of a pattern.

use std::ops::Deref;
use std::sync::Arc;

use crate::hir::{Condition, Expr, Length, Skip, Step};
use crate::nfa::automaton::Automaton;
use crate::nfa::comparison::FieldComparison;
use crate::nfa::comparison_table::ComparisonTable;
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::plan::{Plan, Strategy, Window};
use crate::nfa::registers::{self, Register};
use crate::nfa::shared_suffix::SharedSuffix;

/// A compiled pattern: what the matchers run. Immutable; shared by all keys and threads.
///
/// It is an [`Automaton`], which rules that differ in constants share, with what its conditions ask.
#[derive(Debug)]
pub struct Program {
    pub(crate) automaton: Arc<Automaton>,
    /// The pattern's steps, by id.
    pub(crate) steps: Arc<[Step]>,
    /// The pattern's conditions with registers in the place of captured events, by id.
    pub(crate) conditions: Box<[Condition]>,
    /// Which conditions look at captured events, by id.
    pub(crate) correlated: Arc<[bool]>,
    pub(crate) registers: Arc<[Register]>,
    /// The lengths of time that are read from captured events, by id, with registers in the place
    /// of those.
    pub(crate) lengths: Box<[Expr]>,
    /// By step: the registers that its events update.
    pub(crate) registers_by_step: Arc<[Box<[u32]>]>,
    /// By condition: its comparisons, if it is nothing else.
    pub(crate) comparisons: Arc<[FieldComparison]>,
    /// By edge: its effect, for all strategies but the general one.
    pub(crate) effects: Arc<[EdgeEffect]>,
    /// By node of the decision trees: its comparison table, if it has one.
    pub(crate) comparison_tables: Arc<[Option<ComparisonTable>]>,
    /// How it is matched.
    pub(crate) plan: Plan,
    /// Whether what an event costs a partial match grows with what that has captured: a condition
    /// goes through it, or it is copied.
    pub(crate) reads_back: bool,
}

impl Deref for Program {
    type Target = Automaton;

    #[inline(always)]
    fn deref(&self) -> &Automaton {
        &self.automaton
    }
}

impl Program {
    /// True if all that runs keep beside their events is one value of one event.
    pub(crate) fn has_one_value(&self) -> bool {
        registers::is_one_value(self.clocks, &self.registers)
    }

    /// The automaton, which other programs may share.
    pub fn automaton(&self) -> &Arc<Automaton> {
        &self.automaton
    }

    /// How many states the automaton has.
    pub fn state_count(&self) -> usize {
        self.states.len()
    }

    /// The pattern's steps, by [`StepId`](crate::hir::StepId).
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What a match drops.
    pub fn skip(&self) -> &Skip {
        &self.automaton.skip
    }

    /// The bound from a match's first event to its last, exclusive.
    pub fn within(&self) -> Option<Length> {
        self.automaton.within
    }

    /// Returns the strategy that the shape of the automaton allows.
    pub fn strategy(&self) -> Strategy {
        match &self.plan {
            Plan::General(_) => Strategy::General,
            Plan::Deterministic => Strategy::Deterministic,
            Plan::SharedSuffix(_) => Strategy::SharedSuffix,
            Plan::Window(window) => Strategy::CountingWindow { count: window.steps.len() },
        }
    }

    /// Why it is matched in the general way, in words; `None` where it is not.
    pub fn why_general(&self) -> Option<&'static str> {
        match self.plan {
            Plan::General(reason) => Some(reason),
            Plan::Deterministic | Plan::SharedSuffix(_) | Plan::Window(_) => None,
        }
    }

    /// What a counting window needs, where the pattern is one.
    #[inline]
    pub(crate) fn window(&self) -> Option<&Window> {
        match &self.plan {
            Plan::Window(window) => Some(window),
            Plan::General(_) | Plan::Deterministic | Plan::SharedSuffix(_) => None,
        }
    }

    /// Returns the path of captures that partial matches share, if they do.
    #[inline]
    pub(crate) fn shared_suffix(&self) -> Option<&SharedSuffix> {
        match &self.plan {
            Plan::SharedSuffix(shared) => Some(shared),
            Plan::General(_) | Plan::Deterministic | Plan::Window(_) => None,
        }
    }
}
