//! A sequence of items, from its end to its start.

use crate::hir::{ConditionId, ItemKind, Sequence};
use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, Clock, Context, ItemCursor};
use crate::nfa::graph::raw::{Graph, Verb};
use crate::nfa::guard::Guard;
use crate::nfa::states::StateId;

impl<'p> Builder {
    /// Lays out `sequence` in front of `sink` and gives its first state.
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
            self.keep_out(from, without.condition, instance);
        }
        Ok(next)
    }

    /// No event that the states of `instance` skip fulfils the condition, from the first that they
    /// take to the last. An event that they take is no violation: it is part of the match. They are
    /// from `from` on, between copies of what follows them.
    pub(super) fn keep_out(&mut self, from: usize, condition: ConditionId, instance: usize) {
        let clock = self.graph.instances[instance].clock;
        let violated = self.graph.guards.condition(condition);
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
                Verb::Take(_) | Verb::Proceed => {}
            }
        }
    }
}
