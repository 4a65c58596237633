//! The compact form: which patterns can be held in it, and which ought to be.
//!
//! A pattern is explosive if an event can be skipped and captured by the same partial match. Its
//! partial matches then multiply with the events of a key, whatever a match drops. The compact form
//! holds those that have the same future as one group.

use std::sync::Arc;

use crate::nfa::decide::Decision;
use crate::nfa::liveness::Live;
use crate::nfa::parts::Parts;
use crate::nfa::registers::Register;
use crate::nfa::running_sum::RunningSum;
use crate::nfa::states::Action;
use kleene_syntax::hir::{Length, SkipStrategy};

/// The facts about a pattern that the compact form needs.
#[derive(Clone, Debug)]
pub(crate) struct Compact {
    /// By state: the values that are still read there.
    pub(crate) live: Arc<[Live]>,
    /// True if the end of the pattern's own time can complete a partial match: each start has a
    /// deadline of its own.
    pub(crate) completes_by_start: bool,
    /// The sum that does not distinguish groups, if the pattern has one: it is live in no state.
    pub(crate) sum: Option<RunningSum>,
}

impl Parts<'_> {
    /// Returns what the compact form needs. The error says in words why a pattern cannot be held in
    /// it.
    pub(super) fn as_compact(&self, reads_back: bool) -> Result<Compact, &'static str> {
        if self.waits() && self.may_complete_twice() {
            return Err("`ordered` makes matches wait, and one of them can be complete twice");
        }
        if self.timing.repeat.is_some() {
            return Err("a `not` at its end is reported again and again");
        }
        if reads_back || self.registers.iter().any(Register::holds_values) {
            return Err("a condition reads all captured events, not a few values of them");
        }
        if !self.named.is_empty() {
            return Err("its groups have names");
        }
        if !self.lengths.is_empty() {
            return Err("an event says how long a match may take");
        }
        if matches!(self.timing.within, Some(Length::Millis(..=0))) {
            return Err("it has no time");
        }
        let mut live = self.liveness().ok_or("its conditions read too many values")?;
        let sum = self.running_sum();
        if let Some(RunningSum { register, .. }) = &sum {
            live.iter_mut().for_each(|live| live.registers &= !(1 << register));
        }
        let completes_by_start =
            self.states.iter().any(|state| state.accepts_at_deadline && !state.ends_in_silence);
        Ok(Compact { live: live.into(), completes_by_start, sum })
    }

    /// True if a partial match can be complete with the events that it has, and wait in another
    /// state for the same. A node of the graph would have this match twice.
    fn may_complete_twice(&self) -> bool {
        self.meeting.waits_in_several
            && (self.states.iter().any(|state| state.accepts_at_deadline)
                || self.edges.iter().any(|edge| edge.action == Action::Complete))
    }

    /// True if the partial matches of a key can multiply: one event leads a partial match along
    /// several branches, and one of these captures the event. With `skip past last`, a branch that
    /// completes the match drops the others.
    pub(super) fn is_explosive(&self) -> bool {
        let drops_all = self.skip.strategy == SkipStrategy::PastLast;
        let goes_on = |action: Action| match action {
            Action::Take { target, .. } => !drops_all || self.states[target.index()].live,
            _ => false,
        };
        (0..self.decisions.node_count()).any(|node| match self.decisions.node(node) {
            Decision::Several(edges) => {
                let actions = self.decisions.edges(edges).iter();
                let actions = actions.map(|edge| self.automaton.edges[*edge as usize].action);
                actions.clone().any(goes_on) && actions.count() > 1
            }
            Decision::Ask => true,
            _ => false,
        })
    }
}
