//! Many starts as a balanced tree.
//!
//! When it applies: a group to which one start after the other is added.
//!
//! Why it is right: a union has the chains of its two parts, in whatever order they were joined. Each
//! part of the tree knows its oldest and its newest start, and older starts stand to the right.
//!
//! What it saves: the starts that are out of time are left out on one path down the tree, where a pass
//! over the graph looked at all of them. W9, whose starts are open for a minute, took 3.3 times as
//! long.
//!
//! Which test holds it: `starts_that_are_out_of_time_are_left_out_on_one_path` in `tests.rs`, and all
//! tests of the compact form.
//!
//! ```text
//! list ---- list ---- tree of 8      the trees of a list have different ranks, the newest starts
//!   |         |                      are in the first: a new start is joined with trees of its own
//! start    tree of 2                 rank, as a binary counter carries
//! ```

use super::graph::{Dag, DagEvent, NONE, Rank, index};

/// The largest number of nodes that are looked at before a pass over the graph is cheaper.
const MOST_LOOKS: u32 = 256;

/// A side of the starts of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exec) enum StartSide {
    /// The starts that are over.
    Over,
    /// The others.
    Left,
}

impl Dag {
    /// Returns the node with the chains of a node and of those before it. A start that is newer than
    /// all of these becomes part of their tree.
    pub(in crate::exec) fn with_newer(&mut self, new: u32, older: u32) -> u32 {
        if older == NONE {
            return new;
        }
        let is_start = self.nodes[new as usize].is_start();
        if !is_start || self.nodes[new as usize].oldest < self.nodes[older as usize].newest {
            return self.union(new, older);
        }
        let (mut tree, mut rest) = (new, older);
        while rest != NONE {
            let (first, others) = self.first_tree(rest);
            let (rank, own) = (self.nodes[first as usize].rank, self.nodes[tree as usize].rank);
            if rank != own || !rank.is_tree() {
                break;
            }
            tree = self.ranked_union(tree, first, rank.of_both());
            rest = others;
        }
        self.ranked_union(tree, rest, Rank::CELL)
    }

    /// Divides a list of trees into the first one and the others.
    fn first_tree(&self, list: u32) -> (u32, u32) {
        let node = &self.nodes[list as usize];
        if node.rank == Rank::CELL { (node.below, node.other) } else { (list, NONE) }
    }

    /// Returns the node with the chains of a node on one side of its starts, or [`NONE`] if there are
    /// none, and the number of nodes that were looked at. What starts earlier is over earlier. Returns
    /// no node if a pass over the graph is cheaper.
    pub(in crate::exec) fn side(
        &mut self,
        node: u32,
        side: StartSide,
        is_over: impl Fn(&DagEvent) -> bool,
    ) -> (Option<u32>, u32) {
        let first = index(self.moments.partition_point(is_over));
        let mut left = MOST_LOOKS;
        let found = self.look_from(node, (side, first), &mut left);
        (found, MOST_LOOKS - left)
    }

    fn look_from(&mut self, at: u32, of: (StartSide, u32), left: &mut u32) -> Option<u32> {
        *left = left.checked_sub(1)?;
        let (side, first) = of;
        let node = self.nodes[at as usize];
        if node.oldest >= first {
            return Some(if side == StartSide::Left { at } else { NONE });
        }
        if node.newest < first {
            return Some(if side == StartSide::Over { at } else { NONE });
        }
        let below = self.look_from(node.below, of, left)?;
        if !node.is_union() {
            let made = self.event_node(node.other, node.step, below, self.next_index());
            return Some(self.add(made));
        }
        let other = self.look_from(node.other, of, left)?;
        Some(self.ranked_union(below, other, node.rank))
    }
}
