//! The graph: its nodes, and what each knows of its chains.

use std::cmp::Ordering;

use kleene_syntax::hir::StepId;

/// Stands for no node, and for the step of a union.
pub(in crate::exec) const NONE: u32 = u32::MAX;

/// An event with its step: the event's index in the upper half, so that numbers have the order of
/// events and steps.
pub(in crate::exec) type Packed = u64;

pub(super) fn packed(node: &DagNode) -> Packed {
    u64::from(node.other) << 32 | u64::from(node.step)
}

/// Returns the index of an event, and its step.
#[inline]
pub(in crate::exec) fn unpacked(item: Packed) -> (usize, StepId) {
    ((item >> 32) as usize, StepId::new((item & 0xffff_ffff) as usize))
}

/// Returns an item with the same step, and an event with another index.
pub(in crate::exec) fn renumbered(item: Packed, event: u32) -> Packed {
    u64::from(event) << 32 | item & 0xffff_ffff
}

/// The place of a node in a tree of starts: the height of a tree, or a cell of the list of trees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rank(u8);

impl Rank {
    /// An event.
    pub(super) const LEAF: Rank = Rank(0);
    /// A union that belongs to no tree.
    pub(super) const NONE: Rank = Rank(u8::MAX);
    /// A cell of the list: a tree, and the list of older ones or the last tree.
    pub(super) const CELL: Rank = Rank(u8::MAX - 1);

    /// Returns the rank of a tree made of two trees of this one.
    pub(super) fn of_both(self) -> Rank {
        Rank((self.0 + 1).min(Rank::CELL.0 - 1))
    }

    pub(super) fn is_tree(self) -> bool {
        self.0 < Rank::CELL.0
    }
}

/// A set of chains.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct DagNode {
    /// The child of an event node, [`NONE`] for a start; of a union its first part.
    pub(super) below: u32,
    /// The event of an event node by its index; of a union its second part.
    pub(super) other: u32,
    /// The step of an event node by its index; [`NONE`] for a union.
    pub(super) step: u32,
    /// The events that start the oldest and the newest chain, by their indices.
    pub(super) oldest: u32,
    pub(super) newest: u32,
    /// The event node in which the best chain ends.
    pub(super) best: u32,
    /// The start and the number of events of the best chain.
    pub(super) start: u32,
    pub(super) len: u32,
    /// The number of chains, at most `u64::MAX`.
    pub(super) count: u64,
    /// True if there are more chains than that.
    pub(super) saturated: bool,
    /// The place of a union in a tree of starts.
    pub(super) rank: Rank,
}

impl DagNode {
    /// True if the node is a union.
    pub(super) fn is_union(&self) -> bool {
        self.step == NONE
    }

    /// True if the node is an event that starts its only chain.
    pub(super) fn is_start(&self) -> bool {
        self.below == NONE && !self.is_union()
    }

    /// Renumbers the node, none of whose chains is gone: it has the number `at`, and those below it
    /// have the numbers in `map`. No other node is read, as the best of two chains stays the best.
    fn renumber(&mut self, map: &[u32], at: u32) {
        if self.is_union() {
            self.other = map[self.other as usize];
            self.best = map[self.best as usize];
        } else {
            self.best = at;
        }
        if self.below != NONE {
            self.below = map[self.below as usize];
        }
    }
}

/// A node for those who write graphs down.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) enum DagPart {
    /// The chains of two nodes.
    Union(u32, u32),
    /// An event by its index behind the chains of a node, or as a start.
    Event { event: u32, step: StepId, below: Option<u32> },
}

/// A captured event of a key.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct DagEvent {
    /// The index of the event in the store; the graph holds one reference to it.
    pub(in crate::exec) event: u32,
    pub(in crate::exec) seq: u64,
    pub(in crate::exec) time: i64,
}

/// The order by which one of several chains is the best.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::exec) enum Preference {
    /// The first in the defined order: the oldest start, then the most events.
    #[default]
    First,
    /// The one with the most events, then the oldest start.
    Longest,
    /// The one with the fewest events, then the oldest start.
    Shortest,
}

/// The chains of one key.
#[derive(Clone, Debug, Default)]
pub(in crate::exec) struct Dag {
    pub(super) nodes: Vec<DagNode>,
    /// The captured events in their order.
    pub(super) moments: Vec<DagEvent>,
    pub(super) preference: Preference,
    /// The number of nodes that lived when they were last collected.
    pub(super) live: usize,
}

/// The number of nodes below which nothing is collected for its memory alone.
const FEW: usize = 64;

impl Dag {
    pub(in crate::exec) fn new(preference: Preference) -> Dag {
        Dag { preference, ..Dag::default() }
    }

    /// Returns the number of nodes.
    pub(in crate::exec) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the size of nodes and events in bytes.
    pub(in crate::exec) fn bytes(&self) -> u64 {
        (self.nodes.len() * size_of::<DagNode>() + self.moments.len() * size_of::<DagEvent>())
            as u64
    }

    /// Returns the heap size in bytes.
    pub(in crate::exec) fn memory_usage(&self) -> usize {
        self.nodes.capacity() * size_of::<DagNode>()
            + self.moments.capacity() * size_of::<DagEvent>()
    }

    /// Returns the captured events in their order.
    pub(in crate::exec) fn moments(&self) -> &[DagEvent] {
        &self.moments
    }

    /// Returns the nodes in their order.
    pub(in crate::exec) fn parts(&self) -> impl Iterator<Item = DagPart> {
        self.nodes.iter().map(|node| {
            let below = (node.below != NONE).then_some(node.below);
            if node.is_union() {
                return DagPart::Union(node.below, node.other);
            }
            let step = StepId::new(node.step as usize);
            DagPart::Event { event: node.other, step, below }
        })
    }

    /// Replaces the index of each captured event in the store.
    pub(in crate::exec) fn move_events(&mut self, mut moved: impl FnMut(u32) -> u32) {
        self.moments.iter_mut().for_each(|moment| moment.event = moved(moment.event));
    }

    /// Adds an event behind all others.
    pub(in crate::exec) fn add_moment(&mut self, moment: DagEvent) -> u32 {
        self.moments.push(moment);
        index(self.moments.len() - 1)
    }

    /// Returns the number of chains of a node, and true if there are more than that.
    pub(in crate::exec) fn count(&self, node: u32) -> (u64, bool) {
        let DagNode { count, saturated, .. } = self.nodes[node as usize];
        (count, saturated)
    }

    /// Returns the event that starts the oldest chain.
    pub(in crate::exec) fn oldest(&self, node: u32) -> &DagEvent {
        &self.moments[self.nodes[node as usize].oldest as usize]
    }

    /// Returns the event that starts the newest chain.
    pub(in crate::exec) fn newest(&self, node: u32) -> &DagEvent {
        &self.moments[self.nodes[node as usize].newest as usize]
    }

    /// Returns the node of an event behind the chains of `below`, or of a start.
    pub(in crate::exec) fn event(&mut self, event: u32, step: StepId, below: u32) -> u32 {
        let node = self.event_node(event, index(step.index()), below, self.next_index());
        self.add(node)
    }

    pub(super) fn next_index(&self) -> u32 {
        index(self.nodes.len())
    }

    /// Returns the node with the chains of two others, which have none in common. [`NONE`] has no
    /// chains.
    pub(in crate::exec) fn union(&mut self, one: u32, other: u32) -> u32 {
        self.ranked_union(one, other, Rank::NONE)
    }

    /// Returns the same, with a place in a tree of starts.
    pub(super) fn ranked_union(&mut self, one: u32, other: u32, rank: Rank) -> u32 {
        if one == NONE || other == NONE {
            return if one == NONE { other } else { one };
        }
        let node = self.union_node(one, other, rank);
        self.add(node)
    }

    pub(super) fn add(&mut self, node: DagNode) -> u32 {
        self.nodes.push(node);
        index(self.nodes.len() - 1)
    }

    /// Makes the event node that will have the index `at`.
    pub(super) fn event_node(&self, event: u32, step: u32, below: u32, at: u32) -> DagNode {
        let child = self.nodes.get(below as usize);
        let of = |of: fn(&DagNode) -> u32| child.map_or(event, of);
        DagNode {
            below,
            other: event,
            step,
            oldest: of(|child| child.oldest),
            newest: of(|child| child.newest),
            best: at,
            start: of(|child| child.start),
            len: child.map_or(0, |child| child.len).saturating_add(1),
            count: child.map_or(1, |child| child.count),
            saturated: child.is_some_and(|child| child.saturated),
            rank: Rank::LEAF,
        }
    }

    pub(super) fn union_node(&self, one: u32, other: u32, rank: Rank) -> DagNode {
        let (a, b) = (&self.nodes[one as usize], &self.nodes[other as usize]);
        let best = if self.compare_best(a, b).is_gt() { b } else { a };
        let (count, overflows) = a.count.overflowing_add(b.count);
        let saturated = a.saturated || b.saturated || overflows;
        DagNode {
            below: one,
            other,
            step: NONE,
            oldest: a.oldest.min(b.oldest),
            newest: a.newest.max(b.newest),
            best: best.best,
            start: best.start,
            len: best.len,
            count: if saturated { u64::MAX } else { count },
            saturated,
            rank,
        }
    }

    /// Compares the best chains of two nodes: the better one is less.
    fn compare_best(&self, a: &DagNode, b: &DagNode) -> Ordering {
        let start = a.start.cmp(&b.start);
        let order = match self.preference {
            Preference::First => start.then(b.len.cmp(&a.len)),
            Preference::Longest => b.len.cmp(&a.len).then(start),
            Preference::Shortest => a.len.cmp(&b.len).then(start),
        };
        order.then_with(|| {
            // From the last event backwards, the earlier event and then the step decide.
            let mut pair = (a.best, b.best);
            while pair.0 != pair.1 {
                let (a, b) = (&self.nodes[pair.0 as usize], &self.nodes[pair.1 as usize]);
                let order = a.other.cmp(&b.other).then(a.step.cmp(&b.step));
                if order.is_ne() || a.below == NONE || b.below == NONE {
                    return order;
                }
                let best = |node: &DagNode| self.nodes[node.below as usize].best;
                pair = (best(a), best(b));
            }
            Ordering::Equal
        })
    }

    /// Returns the event nodes of the best chain, from the last to the first.
    pub(super) fn best_nodes(&self, node: u32) -> impl Iterator<Item = &DagNode> {
        let mut next = node;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next as usize)?;
            let event = &self.nodes[node.best as usize];
            next = event.below;
            Some(event)
        })
    }

    /// Returns the events of the best chain, from the last to the first.
    pub(in crate::exec) fn best(&self, node: u32) -> Vec<Packed> {
        self.best_nodes(node).map(packed).collect()
    }

    /// Takes over the nodes and events of another graph, with other numbers of steps.
    pub(in crate::exec) fn take_renumbered(
        &mut self,
        other: &mut Dag,
        step: impl Fn(StepId) -> StepId,
    ) {
        self.moments = std::mem::take(&mut other.moments);
        for mut node in std::mem::take(&mut other.nodes) {
            // The graphs can prefer different chains.
            let node = if node.is_union() {
                self.union_node(node.below, node.other, Rank::NONE)
            } else {
                node.step = index(step(StepId::new(node.step as usize)).index());
                self.event_node(node.other, node.step, node.below, self.next_index())
            };
            self.add(node);
        }
    }

    /// True if the nodes have doubled since they were last collected.
    pub(in crate::exec) fn wants_collection(&self) -> bool {
        self.nodes.len() > FEW && self.nodes.len() > 2 * self.live
    }

    /// Drops the chains whose start is not to be kept, and every node that is not needed for
    /// `roots`, which are renumbered; a root without chains becomes [`NONE`]. `release` gets the
    /// events that no chain has any more.
    pub(in crate::exec) fn collect<'r>(
        &mut self,
        roots: impl Iterator<Item = &'r mut u32>,
        keeps: impl Fn(&DagEvent) -> bool,
        release: impl FnMut(u32),
    ) {
        let roots: Vec<&mut u32> = roots.collect();
        let mut map = marked(&self.nodes, roots.iter().map(|root| **root));
        // A node comes behind those below it, so none is overwritten before it is read.
        let mut kept = 0;
        // Up to the first start that is dropped, every node keeps its chains and the best of them.
        let mut is_whole = true;
        for at in 0..self.nodes.len() {
            if map[at] == NONE {
                continue;
            }
            let keeps = |event: u32| keeps(&self.moments[event as usize]);
            let node = &self.nodes[at];
            is_whole &= !node.is_start() || keeps(node.other);
            if is_whole {
                map[at] = index(kept);
                self.nodes.copy_within(at..=at, kept);
                self.nodes[kept].renumber(&map, index(kept));
                kept += 1;
                continue;
            }
            map[at] = match self.renewed(node, &map, index(kept), keeps) {
                Renewed::Known(known) => known,
                Renewed::Made(node) => {
                    self.nodes[kept] = node;
                    kept += 1;
                    index(kept - 1)
                }
            };
        }
        self.nodes.truncate(kept);
        if self.nodes.capacity() > 4 * kept.max(FEW) {
            self.nodes.shrink_to(2 * kept);
        }
        for root in roots {
            *root = map.get(*root as usize).copied().unwrap_or(NONE);
        }
        self.drop_unused_moments(release);
        self.live = kept;
    }

    /// Returns for each of `roots` a node with the chains whose start is kept, or [`NONE`] if there
    /// are none.
    pub(in crate::exec) fn restrict(
        &mut self,
        roots: &[u32],
        keeps: impl Fn(&DagEvent) -> bool,
    ) -> Vec<u32> {
        let nodes = self.nodes.clone();
        let mut map = marked(&nodes, roots.iter().copied());
        let kept: Vec<bool> = self.moments.iter().map(keeps).collect();
        self.copy_from(&nodes, &mut map, |event| kept[event as usize]);
        roots.iter().map(|root| map[*root as usize]).collect()
    }

    /// Returns the events that start the chains of these nodes, in their order.
    pub(in crate::exec) fn starts(&self, roots: impl Iterator<Item = u32>) -> Vec<DagEvent> {
        let map = marked(&self.nodes, roots);
        let needed = self.nodes.iter().zip(map).filter(|(_, mark)| *mark != NONE);
        let starts = needed.filter(|(node, _)| node.is_start());
        let mut starts: Vec<u32> = starts.map(|(node, _)| node.other).collect();
        starts.sort_unstable();
        starts.dedup();
        starts.into_iter().map(|event| self.moments[event as usize]).collect()
    }

    /// Returns the latest of the events that end a chain of a node.
    pub(in crate::exec) fn latest(&self, node: u32) -> &DagEvent {
        let (mut latest, mut open) = (0, vec![node]);
        while let Some(at) = open.pop() {
            let node = &self.nodes[at as usize];
            if node.is_union() {
                open.extend([node.below, node.other]);
            } else {
                latest = latest.max(node.other);
            }
        }
        &self.moments[latest as usize]
    }

    /// Copies the marked nodes of another graph, if they have a chain whose start is kept.
    /// Afterwards, `map` has the new index of each node.
    pub(super) fn copy_from(
        &mut self,
        old: &[DagNode],
        map: &mut [u32],
        keeps: impl Fn(u32) -> bool,
    ) {
        for (at, node) in old.iter().enumerate() {
            if map[at] != NONE {
                map[at] = match self.renewed(node, map, self.next_index(), &keeps) {
                    Renewed::Known(known) => known,
                    Renewed::Made(node) => self.add(node),
                };
            }
        }
    }

    /// Returns a node as it is once those below it have the numbers in `map`, and itself the number
    /// `at`. If one part of a union is left, that part replaces the union.
    fn renewed(
        &self,
        node: &DagNode,
        map: &[u32],
        at: u32,
        keeps: impl Fn(u32) -> bool,
    ) -> Renewed {
        if node.is_union() {
            return match (map[node.below as usize], map[node.other as usize]) {
                (NONE, left) | (left, NONE) => Renewed::Known(left),
                (one, other) => Renewed::Made(self.union_node(one, other, node.rank)),
            };
        }
        let below = if node.is_start() { NONE } else { map[node.below as usize] };
        let is_left = if node.is_start() { keeps(node.other) } else { below != NONE };
        if is_left {
            Renewed::Made(self.event_node(node.other, node.step, below, at))
        } else {
            Renewed::Known(NONE)
        }
    }

    /// Renumbers the events after nodes have gone.
    fn drop_unused_moments(&mut self, mut release: impl FnMut(u32)) {
        let mut numbers = vec![NONE; self.moments.len()];
        for node in self.nodes.iter().filter(|node| !node.is_union()) {
            numbers[node.other as usize] = 0;
        }
        let mut kept = 0;
        for (at, number) in numbers.iter_mut().enumerate() {
            let moment = self.moments[at];
            if *number == NONE {
                release(moment.event);
                continue;
            }
            *number = index(kept);
            self.moments[kept] = moment;
            kept += 1;
        }
        self.moments.truncate(kept);
        for node in &mut self.nodes {
            if !node.is_union() {
                node.other = numbers[node.other as usize];
            }
            for event in [&mut node.oldest, &mut node.newest, &mut node.start] {
                *event = numbers[*event as usize];
            }
        }
    }
}

/// What becomes of a node when others go.
enum Renewed {
    /// Another node has its chains; [`NONE`] if there are none.
    Known(u32),
    Made(DagNode),
}

/// Returns a number for each node: [`NONE`] for those that the roots do not need.
pub(super) fn marked(nodes: &[DagNode], roots: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut map = vec![NONE; nodes.len()];
    for root in roots.filter(|root| *root != NONE) {
        map[root as usize] = 0;
    }
    for at in (0..nodes.len()).rev() {
        let node = &nodes[at];
        if map[at] == NONE {
            continue;
        }
        if !node.is_start() {
            map[node.below as usize] = 0;
        }
        if node.is_union() {
            map[node.other as usize] = 0;
        }
    }
    map
}

/// Graphs have fewer than 2^32 nodes: the limits are far below.
pub(super) fn index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}
