//! Events that fork a partial match again and again.

use std::collections::HashSet;
use std::ops::Range;

use crate::nfa::decide::{Decision, waiting};
use crate::nfa::program::Program;
use crate::nfa::states::{Action, StateId};

impl Program {
    /// True if events can fork a partial match again and again: one branch captures an event and
    /// waits for more, the other leaves the event out, and one of them comes to the same state.
    ///
    /// A pattern that is explosive without a fork captures an event in two ways, such as a session
    /// of two event types. Most of these branches come to hold the same events and are one again.
    /// What forks once, such as `b{0..1 each}`, makes no more partial matches than the rule is long.
    /// A state of which too much has to be asked counts as one without a fork.
    pub fn forks(&self) -> bool {
        waiting(&self.states, &self.edges, self.start).any(|state| {
            let mut open: Vec<u32> =
                self.decisions.columns().iter().map(|column| column.roots[state.index()]).collect();
            let mut seen = HashSet::new();
            while let Some(node) = open.pop() {
                match self.decisions.node(node) {
                    Decision::Condition { yes, no, .. } | Decision::Time { yes, no, .. } => {
                        open.extend([*yes, *no].into_iter().filter(|node| seen.insert(*node)));
                    }
                    Decision::Several(edges) if self.is_fork(state, edges) => return true,
                    _ => {}
                }
            }
            false
        })
    }

    /// True if these edges of a state fork a partial match again and again.
    fn is_fork(&self, state: StateId, edges: &Range<u32>) -> bool {
        let edges = self.decisions.edges(edges).iter();
        let actions = edges.map(|edge| self.edges[*edge as usize].action);
        let taken = actions.clone().filter_map(|action| match action {
            Action::Take { target, .. } if self.states[target.index()].live => Some(target),
            _ => None,
        });
        let left_out = actions.filter_map(|action| match action {
            Action::Ignore { target } => Some(target),
            _ => None,
        });
        taken.clone().next().is_some()
            && left_out.clone().next().is_some()
            && self.leads(taken.chain(left_out).collect(), state)
    }

    /// True if a partial match in one of these states can come to `wanted`.
    fn leads(&self, mut open: Vec<StateId>, wanted: StateId) -> bool {
        let mut seen = vec![false; self.states.len()];
        while let Some(state) = open.pop() {
            if state == wanted {
                return true;
            }
            if std::mem::replace(&mut seen[state.index()], true) {
                continue;
            }
            open.extend(self.edges(state).iter().filter_map(|edge| match edge.action {
                Action::Take { target, .. } | Action::Ignore { target } => Some(target),
                _ => None,
            }));
        }
        false
    }
}
