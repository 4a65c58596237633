//! A sequence of items, from its end to its start.

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, Clock, Context, ItemCursor};
use crate::nfa::graph::raw::{Graph, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{ItemKind, Sequence};

impl<'p> Builder {
    /// Lays out `sequence` in front of `sink` and returns its first state.
    pub(super) fn sequence(
        &mut self,
        sequence: &'p Sequence,
        sink: StateId,
        context: Context<'p>,
    ) -> Result<StateId, AutomatonError> {
        let from = self.graph.states.len();
        if sequence.without.is_some() {
            let clock = self.clock(Clock::Without, context.node);
            self.enter(clock, None);
        }
        let mut next = sink;
        for index in (0..sequence.items.len()).rev() {
            let cursor = ItemCursor { items: &sequence.items, index, context };
            match &cursor.item().kind {
                ItemKind::Not { step, condition } => {
                    next = self.absence(cursor, *step, *condition, next)?;
                }
                ItemKind::Alternatives { branches, count } => {
                    next = self.branches(cursor, branches, *count, next)?;
                }
                ItemKind::Step { .. } | ItemKind::Group { .. } => next = self.item(cursor, next)?,
            }
        }
        if let Some(without) = &sequence.without
            && let Some(instance) = self.inside.pop()
        {
            let violated = self.graph.guards.condition(without.condition);
            self.keep_out(from, violated, instance);
        }
        Ok(next)
    }

    /// Stops on an event of `violated` that the states of `instance` skip, between
    /// the first event that they take and the last. An event that they take belongs to the match
    /// and is no violation. The states of the instance are among those from `from` on, between
    /// copies of the states behind them.
    pub(super) fn keep_out(&mut self, from: usize, violated: GuardId, instance: usize) {
        let clock = self.graph.instances[instance].clock;
        let respected = self.graph.guards.not(violated);
        let begun = self.graph.guards.leaf(Guard::IsSet(clock));
        let not_begun = self.graph.guards.not(begun);
        let skipped = self.graph.guards.or(respected, not_begun);
        let Graph { states, guards, .. } = &mut self.graph;
        let inside = states[from..].iter_mut().filter(|state| state.instances.contains(&instance));
        for transition in inside.flat_map(|state| &mut state.transitions) {
            match transition.verb {
                Verb::Ignore => {
                    transition.guard = guards.and(transition.guard, skipped);
                    transition.skip = guards.and(transition.skip, skipped);
                }
                Verb::Take(_) | Verb::Proceed | Verb::Complete => {}
            }
        }
    }
}
