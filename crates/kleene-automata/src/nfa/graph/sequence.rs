//! A sequence of items, from its end to its start.
//!
//! An item is given the state that follows it, its sink, and returns the state in which it waits
//! itself. So the target of a transition exists before the transition does. Only the joint of a
//! loop of groups leads back: see [`repetition`](super::repetition).
//!
//! ```text
//! a -> b without c            laid out: b, then a
//!     A --take a--> B --take b--> final
//!                   +-skip: not b, and no c once the clock of the `without` is set
//! ```
//!
//! A `without` is a clock and a condition on skips. It has no states: what the match takes is no
//! violation, so no transition but an ignore can be forbidden. Held by
//! `testdata/suite/without.cep`.

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
        // The states of the sequence are not all of those made from here on: a loop can copy states
        // of what follows (see `greedy`). The clock distinguishes them.
        let from = self.graph.states.len();
        if sequence.without.is_some() {
            let clock = self.clock(Clock::Without, context.node);
            self.enter(clock, None);
        }
        // From the end: `next` is always the state that follows the item of `index`.
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
    /// copies of the states after them.
    ///
    /// In `x -> (a -> b without c)`, a `c` before the `a` is skipped: the clock of the group is not
    /// set yet.
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
                // A take is no violation, and a proceed decides about no event. A longest loop ends
                // at a forbidden event by itself: `accept_when_exhausted`.
                Verb::Take(_) | Verb::Proceed | Verb::Complete => {}
            }
        }
    }
}
