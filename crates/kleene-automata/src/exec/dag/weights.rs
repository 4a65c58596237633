//! In how many chains of a set each event is.

use super::graph::{Dag, NONE, marked};
use kleene_syntax::hir::StepId;

/// An event with a step, and the number of chains of a set that have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exec) struct Weight {
    /// The index of the event in the store.
    pub(in crate::exec) event: u32,
    pub(in crate::exec) step: StepId,
    /// The number of chains, at most `u64::MAX`.
    pub(in crate::exec) chains: u64,
}

impl Dag {
    /// Returns the events of all chains of a node in the order of the events and steps, each with
    /// the number of chains that have it. The time is in proportion to the nodes.
    ///
    /// A chain that has an event is a chain up to the event and one from there on: their numbers
    /// are multiplied.
    pub(in crate::exec) fn weights(&self, root: u32) -> Vec<Weight> {
        let root_count = (root as usize).saturating_add(1).min(self.nodes.len());
        let nodes = &self.nodes[..root_count];
        let map = marked(nodes, [root].into_iter());
        // The number of ways from the root down to each node.
        let mut above = vec![0_u64; nodes.len()];
        let mut weights: Vec<(u32, u32, u64)> = Vec::new();
        if let Some(above) = above.last_mut() {
            *above = 1;
        }
        for at in (0..nodes.len()).rev().filter(|at| map[*at] != NONE) {
            let (node, above_here) = (&nodes[at], above[at]);
            let mut pass = |child: u32| {
                let above = &mut above[child as usize];
                *above = above.saturating_add(above_here);
            };
            if !node.is_start() {
                pass(node.below);
            }
            if node.is_union() {
                pass(node.other);
            } else {
                weights.push((node.other, node.step, above_here.saturating_mul(node.count)));
            }
        }
        weights.sort_unstable();
        weights.dedup_by(|later, earlier| {
            let same = (later.0, later.1) == (earlier.0, earlier.1);
            if same {
                earlier.2 = earlier.2.saturating_add(later.2);
            }
            same
        });
        let weight = |(event, step, chains): (u32, u32, u64)| Weight {
            event: self.moments[event as usize].event,
            step: StepId::new(step as usize),
            chains,
        };
        weights.into_iter().map(weight).collect()
    }
}
