//! The chains of a set by their starts, where each start has one chain.
//!
//! Such a set is most often one line of events, to which a new start is joined at each event. A set
//! is divided along this line, up to the oldest of the starts that are wanted: what is older is
//! shared with the set as it was. `tests` holds the parts against all chains.

use super::graph::{Dag, DagEvent, NONE};
use kleene_syntax::hir::StepId;

/// The two parts of a divided set, [`NONE`] if there are no chains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exec) struct Divided {
    /// The chains with the starts that are wanted.
    pub(in crate::exec) wanted: u32,
    pub(in crate::exec) rest: u32,
}

/// Two event nodes that have captured the same event as the same step.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct SameEvent {
    pub(in crate::exec) event: u32,
    pub(in crate::exec) step: StepId,
    /// The nodes below them, [`NONE`] for a start.
    pub(in crate::exec) below: [u32; 2],
}

impl Dag {
    /// Divides the chains of a node by the sequence numbers of their starts: those in `starts`,
    /// which are in order, and the rest.
    pub(in crate::exec) fn divide(&mut self, root: u32, starts: &[u64]) -> Divided {
        let seq = |dag: &Dag, event: u32| dag.moments[event as usize].seq;
        // A node has a greater number than those below it.
        let mut visited = Vec::new();
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            let node = &self.nodes[at as usize];
            let (oldest, newest) = (seq(self, node.oldest), seq(self, node.newest));
            let first = starts.partition_point(|start| *start < oldest);
            if starts.get(first).is_none_or(|start| *start > newest) {
                continue;
            }
            visited.push(at);
            if !node.is_start() {
                open.push(node.below);
            }
            if node.is_union() {
                open.push(node.other);
            }
        }
        visited.sort_unstable();
        let mut parts: Vec<Divided> = Vec::with_capacity(visited.len());
        for (position, at) in visited.iter().enumerate() {
            let node = self.nodes[*at as usize];
            let part = |below: u32| match visited[..position].binary_search(&below) {
                Ok(known) => parts[known],
                Err(_) => Divided { wanted: NONE, rest: below },
            };
            let divided = if node.is_start() {
                Divided { wanted: *at, rest: NONE }
            } else if node.is_union() {
                let (one, other) = (part(node.below), part(node.other));
                self.divided_union(*at, one, other)
            } else {
                let below = part(node.below);
                self.divided_event(*at, below)
            };
            parts.push(divided);
        }
        parts.last().copied().unwrap_or(Divided { wanted: NONE, rest: root })
    }

    fn divided_union(&mut self, at: u32, one: Divided, other: Divided) -> Divided {
        if one.rest == NONE && other.rest == NONE {
            return Divided { wanted: at, rest: NONE };
        }
        if one.wanted == NONE && other.wanted == NONE {
            return Divided { wanted: NONE, rest: at };
        }
        let rank = self.nodes[at as usize].rank;
        let wanted = self.ranked_union(one.wanted, other.wanted, rank);
        Divided { wanted, rest: self.ranked_union(one.rest, other.rest, rank) }
    }

    fn divided_event(&mut self, at: u32, below: Divided) -> Divided {
        if below.rest == NONE {
            return Divided { wanted: at, rest: NONE };
        }
        if below.wanted == NONE {
            return Divided { wanted: NONE, rest: at };
        }
        let node = self.nodes[at as usize];
        let step = StepId::new(node.step as usize);
        let wanted = self.event(node.other, step, below.wanted);
        Divided { wanted, rest: self.event(node.other, step, below.rest) }
    }

    /// Returns the start of each chain of a node, with the sum of what its events add. `summand` is
    /// what an event of the store adds as a step.
    pub(in crate::exec) fn chain_sums(
        &self,
        root: u32,
        summand: impl Fn(StepId, u32) -> i64,
    ) -> Vec<(DagEvent, i64)> {
        let mut found = Vec::new();
        let mut open = vec![(root, 0_i64)];
        while let Some((at, sum)) = open.pop() {
            let node = &self.nodes[at as usize];
            if node.is_union() {
                open.extend([(node.below, sum), (node.other, sum)]);
                continue;
            }
            let moment = &self.moments[node.other as usize];
            let sum = sum.saturating_add(summand(StepId::new(node.step as usize), moment.event));
            if node.is_start() {
                found.push((*moment, sum));
            } else {
                open.push((node.below, sum));
            }
        }
        found
    }

    /// Returns what two event nodes have in common, if that is their event and step.
    pub(in crate::exec) fn same_event(&self, one: u32, other: u32) -> Option<SameEvent> {
        let [a, b] = [one, other].map(|node| &self.nodes[node as usize]);
        let is_same = !a.is_union() && (a.other, a.step) == (b.other, b.step);
        is_same.then(|| SameEvent {
            event: a.other,
            step: StepId::new(a.step as usize),
            below: [a.below, b.below],
        })
    }
}
