//! Whether two partial matches can come to hold the same events.
//!
//! They do if a state can be reached along several paths. This is so for branches beside each other;
//! for groups that repeat, where an ignored event, or content that can be left out, leads on along
//! several paths; for steps that can be left out along several paths; and for states beside a
//! silence or a `next not`. It is also so where one event is skipped on two paths at which the same
//! step is waited for: the copies of the states behind a loop that was left out in two ways.

use hashbrown::{HashMap, HashSet};

use crate::nfa::flatten::FlatTables;
use crate::nfa::guard::{GuardId, Guards};
use crate::nfa::states::{Action, Edge, StateId, index_range};
use kleene_syntax::hir::{ItemKind, Sequence, StepId};

/// What the edges of an automaton say of partial matches that hold the same events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Duplicates {
    /// True if two partial matches can come to hold the same events.
    pub(super) may_come: bool,
    /// True if a partial match can wait in several states at once: one event leads it along several
    /// branches that do not take the event.
    pub(super) waits_in_several: bool,
}

/// What a partial match does next that can be seen: the step that it captures an event as, or that
/// it is complete, with an event or in time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Visible {
    Takes(StepId),
    Completes,
}

impl Duplicates {
    pub(super) fn of(flat: &FlatTables, guards: &Guards) -> Duplicates {
        let mut ahead = Ahead { flat, known: HashMap::new() };
        let mut found = Duplicates::default();
        for state in 0..flat.states.len() {
            let edges = ahead.edges(StateId::new(state));
            let ignores: Vec<(GuardId, StateId)> = edges
                .iter()
                .filter_map(|edge| match edge.action {
                    Action::Ignore { target } => Some((edge.guard, target)),
                    _ => None,
                })
                .collect();
            found.waits_in_several |= ignores.len() > 1;
            found.may_come = found.may_come
                || does_the_same_twice(edges)
                || ahead.meet_after_skips(&ignores, guards);
        }
        found
    }
}

/// True if two of the edges do the same.
fn does_the_same_twice(edges: &[Edge]) -> bool {
    let mut seen = HashSet::new();
    edges.iter().any(|edge| match edge.action {
        Action::Take { step, .. } => !seen.insert((Some(step), None)),
        Action::Ignore { target } => !seen.insert((None, Some(target))),
        Action::Complete => !seen.insert((None, None)),
        Action::Stop => false,
    })
}

/// What can be seen next of partial matches, by the state in which they wait.
struct Ahead<'f> {
    flat: &'f FlatTables,
    known: HashMap<StateId, HashSet<Visible>>,
}

impl<'f> Ahead<'f> {
    fn edges(&self, state: StateId) -> &'f [Edge] {
        &self.flat.edges[index_range(&self.flat.states[state.index()].edges)]
    }

    /// True if one event can be skipped on two ways behind which the same is seen next.
    fn meet_after_skips(&mut self, ignores: &[(GuardId, StateId)], guards: &Guards) -> bool {
        if ignores.len() < 2 {
            return false;
        }
        let ahead: Vec<_> = ignores.iter().map(|&(_, target)| self.next(target)).collect();
        (0..ignores.len()).any(|number| {
            (0..number).any(|other| {
                let ((guard, target), (also, to)) = (ignores[number], ignores[other]);
                let are_apart = target == to || guards.exclude_each_other(guard, also);
                !are_apart && !ahead[number].is_disjoint(&ahead[other])
            })
        })
    }

    /// Returns what is seen next of a partial match that waits in `state` and may skip events.
    fn next(&mut self, state: StateId) -> HashSet<Visible> {
        if let Some(known) = self.known.get(&state) {
            return known.clone();
        }
        let (mut next, mut seen, mut open) = (HashSet::new(), HashSet::new(), vec![state]);
        while let Some(here) = open.pop() {
            if !seen.insert(here) {
                continue;
            }
            let waits = &self.flat.states[here.index()];
            if waits.accepts_at_deadline {
                next.insert(Visible::Completes);
            }
            for edge in self.edges(here) {
                match edge.action {
                    Action::Take { step, .. } => {
                        next.insert(Visible::Takes(step));
                    }
                    Action::Complete => {
                        next.insert(Visible::Completes);
                    }
                    Action::Ignore { target } => open.push(target),
                    Action::Stop => {}
                }
            }
        }
        self.known.insert(state, next.clone());
        next
    }
}

/// True if a group can come more than once, or has branches: then paths meet.
pub(super) fn repeats_group(sequence: &Sequence) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Group { body, quantifier, .. } => {
            quantifier.max != Some(1) || repeats_group(body)
        }
        ItemKind::Alternatives { .. } => true,
        _ => false,
    })
}
