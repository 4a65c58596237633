//! The compiled form of a pattern.

use std::ops::Deref;
use std::sync::Arc;

use crate::nfa::automaton::Automaton;
use crate::nfa::compact::Compact;
use crate::nfa::decide::{Decision, Decisions};
use crate::nfa::distinct_loop::DistinctLoop;
use crate::nfa::parts::SharedParts;
use crate::nfa::plan::{Plan, Strategy, Window};
use crate::nfa::registers;
use crate::nfa::running_sum::RunningSum;
use crate::nfa::shared_suffix::SharedSuffix;
use kleene_syntax::hir::expr::Aggregate;
use kleene_syntax::hir::{Condition, Expr, Length, Report, Skip, Step};

/// A compiled pattern: what the matchers run. Immutable; shared by all keys and threads.
///
/// It is an [`Automaton`], which rules that differ in constants share, with what its conditions
/// ask.
#[derive(Debug)]
pub struct Program {
    pub(crate) shared: SharedParts,
    /// The pattern's conditions by id, with registers instead of captured events.
    pub conditions: Box<[Condition]>,
    /// The lengths of time that are read from captured events, by id, with registers instead of
    /// those events.
    pub(crate) lengths: Box<[Expr]>,
    /// The choice among the matches of a set that is reported.
    pub report: Report,
    /// The totals over a set of matches, by id.
    pub(crate) totals: Box<[Aggregate]>,
    /// The strategy, and the tables that it needs.
    pub(crate) plan: Plan,
    /// The facts that the compact form needs, or the reason why it cannot hold the pattern.
    pub(crate) compact: Result<Compact, &'static str>,
    /// True if the planner picks the compact form.
    pub prefers_compact: bool,
    /// True if partial matches can multiply with the events of a key.
    pub is_explosive: bool,
    /// The loop that takes each value once, if the pattern has one.
    pub(crate) distinct_loop: Option<DistinctLoop>,
    /// True if what an event costs a partial match grows with what that has captured: a condition
    /// goes through it, or it is copied.
    pub(crate) reads_back: bool,
}

impl Deref for Program {
    type Target = SharedParts;

    #[inline(always)]
    fn deref(&self) -> &SharedParts {
        &self.shared
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

    /// The pattern's steps, by [`StepId`](kleene_syntax::hir::StepId).
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the skip strategy: what a match drops.
    pub fn skip(&self) -> &Skip {
        &self.automaton.skip
    }

    /// The bound from a match's first event to its last, exclusive.
    pub fn within(&self) -> Option<Length> {
        self.automaton.timing.within
    }

    /// True if the partial matches of a busy key, which are runs at first, become groups of the
    /// compact form: later events read nothing of what was captured, except a
    /// running sum, so that many of them have the same future.
    pub fn groups_busy_keys(&self) -> bool {
        matches!(self.strategy(), Strategy::General | Strategy::Deterministic)
            && self.compact.is_ok()
            && !self.reports_at_deadlines()
            && (self.registers.is_empty() || self.running_sum().is_some())
            && self.clocks == 0
    }

    /// Returns the sum that the compact form keeps in order, if there is one.
    pub fn running_sum(&self) -> Option<&RunningSum> {
        self.compact.as_ref().ok()?.sum.as_ref()
    }

    /// True if partial matches stay as they are unless a field compares with a captured value.
    fn waits_for_values(&self) -> bool {
        self.joins.iter().any(|joins| !joins.all.is_empty())
            && self.decisions.any(|node| match node {
                Decision::Condition { condition, no, .. } => {
                    *no == Decisions::STAY && !self.joins[condition.index()].all.is_empty()
                }
                _ => false,
            })
    }

    /// True if many groups of a key are indexed: none is divided, and no match waits for others.
    pub(crate) fn indexes_groups(&self) -> bool {
        !self.waits() && self.compact.as_ref().is_ok_and(|compact| compact.sum.is_none())
    }

    /// True if many groups of a key are found by the values that they wait for.
    pub fn finds_groups_by_value(&self) -> bool {
        self.indexes_groups() && self.waits_for_values()
    }

    /// True if the partial matches of a busy key can be found by the values that they wait for: they
    /// stay as they are unless a field compares with a captured value, and each is one run.
    pub fn joins_busy_keys(&self) -> bool {
        matches!(self.strategy(), Strategy::General | Strategy::Deterministic)
            && self.waits_for_values()
            && self.leading_not.is_none()
            && self.timing.repeat.is_none()
            && !self.waits()
            && !self.reads_back
            && !self.meeting.waits_in_several
    }

    /// Returns the strategy that the shape of the automaton allows.
    pub fn strategy(&self) -> Strategy {
        if self.prefers_compact { Strategy::Compact } else { self.strategy_of_runs() }
    }

    /// Returns the strategy without the compact form.
    pub fn strategy_of_runs(&self) -> Strategy {
        match &self.plan {
            Plan::General(_) => Strategy::General,
            Plan::Deterministic => Strategy::Deterministic,
            Plan::SharedSuffix(_) => Strategy::SharedSuffix,
            Plan::Window(window) => Strategy::CountingWindow { count: window.steps.len() },
        }
    }

    /// Returns the reason why it is matched in the general way, in words; `None` where it is not.
    pub fn why_general(&self) -> Option<&'static str> {
        match self.plan {
            Plan::General(reason) if !self.prefers_compact => Some(reason),
            _ => None,
        }
    }

    /// Returns the reason why the pattern has no compact form, in words; `None` if it has one.
    pub fn why_not_compact(&self) -> Option<&'static str> {
        self.compact.as_ref().err().copied()
    }

    /// Returns the counting window, if the pattern is one.
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
