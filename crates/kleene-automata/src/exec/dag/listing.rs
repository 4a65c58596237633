//! The chains of a set one by one, in the defined order.
//!
//! Chains are listed in the order of
//! [`CaptureArena::compare`](crate::exec::captures::CaptureArena::compare): the oldest start, then
//! the most events, then, from the last event backwards, the earlier event and the lower step. The
//! graph is linked backwards, so starts and lengths have to be found first:
//!
//! * A small set is listed in any order and sorted.
//! * A large set is divided by its starts, until a part is small or has one start. A part is a copy
//!   of the graph with those starts only, in which unions with dropped parts are gone.
//! * A large set with one start is listed length by length. A table says for each node which
//!   lengths its chains have, so that the search enters a node only if a chain comes of it.
//!
//! So the work between two chains is in proportion to the nodes of a part at most, and on average
//! to the length of the chains. The next chain is found when it is asked for.
//!
//! `tests` holds the order against sorting all chains.

use std::cmp::Ordering;

use super::graph::{Dag, DagEvent, DagNode, NONE, Packed, Preference, index, marked, packed};

/// From which end chains are listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::exec) enum Direction {
    /// In the defined order.
    Forward,
    /// Against it.
    Backward,
}

impl Direction {
    fn apply(self, order: Ordering) -> Ordering {
        match self {
            Direction::Forward => order,
            Direction::Backward => order.reverse(),
        }
    }
}

/// The largest number of events in a set's chains for which the set is sorted.
const SORTED: u64 = 1 << 16;

/// The maximum number of entries in the tables of a part with one start. Beyond it the listing
/// ends: who asks for a number of chains gets fewer.
const MOST_ENTRIES: usize = 1 << 23;

/// The chains of a node, one by one.
#[derive(Debug)]
pub(in crate::exec) struct ChainListing {
    direction: Direction,
    /// The parts that are still to be listed, the next part last.
    parts: Vec<(Dag, u32)>,
    sorted: Sorted,
    guided: Option<Guided>,
}

impl ChainListing {
    /// Starts with the first chain of `root`, or with the last.
    pub(in crate::exec) fn new(dag: &Dag, root: u32, direction: Direction) -> ChainListing {
        let (parts, guided) = (Vec::new(), None);
        let sorted = Sorted::default();
        let mut listing = ChainListing { direction, parts, sorted, guided };
        if root == NONE {
            return listing;
        }
        if is_small(dag, root) {
            listing.sorted.fill(dag, root, direction);
        } else {
            listing.parts.extend(restricted(dag, root, |_| true));
        }
        listing
    }

    /// Returns the events of the next chain, from the last to the first.
    pub(in crate::exec) fn next(&mut self) -> Option<&[Packed]> {
        loop {
            if self.sorted.next < self.sorted.chains.len() {
                let (from, to) = self.sorted.chains[self.sorted.next];
                self.sorted.next += 1;
                return Some(&self.sorted.events[from as usize..to as usize]);
            }
            if let Some(guided) = &mut self.guided {
                if guided.advance() {
                    break;
                }
                self.guided = None;
            }
            let (dag, root) = self.parts.pop()?;
            self.open(dag, root);
        }
        self.guided.as_ref().map(|guided| &guided.path[..])
    }

    /// Lists a part, or divides it.
    fn open(&mut self, dag: Dag, root: u32) {
        if is_small(&dag, root) {
            self.sorted.fill(&dag, root, self.direction);
            return;
        }
        let DagNode { oldest, newest, .. } = dag.nodes[root as usize];
        if oldest == newest {
            self.guided = Some(Guided::new(dag, root, self.direction));
            return;
        }
        let middle = oldest + (newest - oldest) / 2;
        let older = restricted(&dag, root, |event| event <= middle);
        let newer = restricted(&dag, root, |event| event > middle);
        match self.direction {
            Direction::Forward => self.parts.extend(newer.into_iter().chain(older)),
            Direction::Backward => self.parts.extend(older.into_iter().chain(newer)),
        }
    }
}

/// Returns the first chain of each start in the order of the starts, from the last event to the
/// first.
pub(in crate::exec) fn firsts(dag: &Dag, root: u32) -> Vec<Vec<Packed>> {
    let mut found = Vec::new();
    let mut parts: Vec<(Dag, u32)> = restricted(dag, root, |_| true).into_iter().collect();
    while let Some((dag, root)) = parts.pop() {
        let DagNode { oldest, newest, .. } = dag.nodes[root as usize];
        if oldest == newest {
            found.push(dag.best_nodes(root).map(packed).collect());
            continue;
        }
        let middle = oldest + (newest - oldest) / 2;
        parts.extend(restricted(&dag, root, |event| event > middle));
        parts.extend(restricted(&dag, root, |event| event <= middle));
    }
    found
}

/// The chains of a node that have one start.
pub(in crate::exec) struct OfStart {
    pub(in crate::exec) start: DagEvent,
    dag: Dag,
    root: u32,
}

impl OfStart {
    /// Returns the chains of the oldest start among those with this sequence number or a later one.
    pub(in crate::exec) fn oldest_from(dag: &Dag, root: u32, seq: u64) -> Option<OfStart> {
        let (later, root) = restricted(dag, root, |event| dag.moments[event as usize].seq >= seq)?;
        let oldest = later.nodes[root as usize].oldest;
        let (part, root) = restricted(&later, root, |event| event == oldest)?;
        Some(OfStart { start: dag.moments[oldest as usize], dag: part, root })
    }

    /// The first chain in the defined order.
    pub(in crate::exec) fn first(&self) -> Vec<Packed> {
        self.dag.best_nodes(self.root).map(packed).collect()
    }

    pub(in crate::exec) fn count(&self) -> u64 {
        self.dag.count(self.root).0
    }

    pub(in crate::exec) fn listing(&self) -> ChainListing {
        ChainListing::new(&self.dag, self.root, Direction::Forward)
    }
}

/// True if the chains have few events in all.
fn is_small(dag: &Dag, root: u32) -> bool {
    let (count, _) = dag.count(root);
    let longest = u64::from(root) + 1;
    // The best chain need not be the longest, and no chain has more events than there are nodes.
    count.saturating_mul(longest.min(SORTED / 8)) <= SORTED || count <= 8
}

/// Returns a copy of a graph with the chains of `root` whose starts are kept.
fn restricted(dag: &Dag, root: u32, keeps: impl Fn(u32) -> bool) -> Option<(Dag, u32)> {
    let nodes = &dag.nodes[..=root as usize];
    let mut map = marked(nodes, [root].into_iter());
    let mut copy = Dag::new(Preference::First);
    copy.copy_from(nodes, &mut map, keeps);
    Some((copy, map[root as usize])).filter(|(_, root)| *root != NONE)
}

/// The chains of a small set in their order.
#[derive(Debug, Default)]
struct Sorted {
    events: Vec<Packed>,
    /// The range of each chain in `events`.
    chains: Vec<(u32, u32)>,
    next: usize,
}

impl Sorted {
    fn fill(&mut self, dag: &Dag, root: u32, direction: Direction) {
        self.events.clear();
        self.chains.clear();
        self.next = 0;
        let mut path: Vec<Packed> = Vec::new();
        let mut open = vec![(root, 0)];
        while let Some((at, depth)) = open.pop() {
            let node = &dag.nodes[at as usize];
            if node.is_union() {
                open.extend([(node.below, depth), (node.other, depth)]);
                continue;
            }
            path.truncate(depth);
            path.push(packed(node));
            if node.is_start() {
                let from = index(self.events.len());
                self.events.extend_from_slice(&path);
                self.chains.push((from, index(self.events.len())));
            } else {
                open.push((node.below, depth + 1));
            }
        }
        let events = &self.events;
        let chain = |(from, to): &(u32, u32)| &events[*from as usize..*to as usize];
        self.chains.sort_unstable_by(|a, b| direction.apply(defined_order(chain(a), chain(b))));
    }
}

/// Compares two paths by the defined order: the older start, then more events, then, from the last
/// event backwards, the earlier one.
pub(in crate::exec) fn defined_order(a: &[Packed], b: &[Packed]) -> Ordering {
    let start = |path: &[Packed]| path.last().map(|start| start >> 32);
    start(a).cmp(&start(b)).then(b.len().cmp(&a.len())).then_with(|| a.cmp(b))
}

/// The lengths of the chains of a node.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    /// The least and the greatest; none if the greatest is less.
    least: u32,
    most: u32,
    /// The first word with a bit for each length from the least on; [`NONE`] if there are all.
    words: u32,
}

impl Lengths {
    const EMPTY: Lengths = Lengths { least: 1, most: 0, words: NONE };

    fn is_empty(self) -> bool {
        self.most < self.least
    }
}

/// The chains of a set with one start, length by length.
#[derive(Debug)]
struct Guided {
    dag: Dag,
    direction: Direction,
    root: u32,
    lengths: Vec<Lengths>,
    words: Vec<u64>,
    /// The length that is listed now, and true if its first chain is still to be found.
    length: u32,
    is_new: bool,
    frames: Vec<ListingFrame>,
    /// The event nodes of the frames that are not known for their node and length.
    candidates: Vec<u32>,
    /// By node and length: the first of its event nodes in `kept` and their end; (0, 0) if they
    /// are not known. Empty if there would be too many.
    known: Vec<(u32, u32)>,
    /// By node: the first index in `known`.
    known_of: Vec<u32>,
    kept: Vec<u32>,
    path: Vec<Packed>,
    is_cut_off: bool,
}

/// The event nodes that can follow a part of a chain.
#[derive(Clone, Copy, Debug)]
struct ListingFrame {
    is_kept: bool,
    /// The next event node, and the end.
    next: u32,
    end: u32,
    /// The first event node.
    from: u32,
}

impl Guided {
    fn new(dag: Dag, root: u32, direction: Direction) -> Guided {
        let mut guided = Guided {
            lengths: Vec::with_capacity(dag.nodes.len()),
            dag,
            direction,
            root,
            words: Vec::new(),
            length: 0,
            is_new: true,
            frames: Vec::new(),
            candidates: Vec::new(),
            known: Vec::new(),
            known_of: Vec::new(),
            kept: vec![NONE],
            path: Vec::new(),
            is_cut_off: false,
        };
        guided.find_lengths();
        if guided.is_cut_off {
            guided.lengths.iter_mut().for_each(|lengths| *lengths = Lengths::EMPTY);
        }
        let all = guided.lengths[root as usize];
        guided.length = match direction {
            Direction::Forward => all.most,
            Direction::Backward => all.least,
        };
        guided.number_known();
        guided
    }

    /// Finds the lengths of all nodes. All starts are the same event.
    fn find_lengths(&mut self) {
        for at in 0..self.dag.nodes.len() {
            let node = self.dag.nodes[at];
            let lengths = if node.is_start() {
                Lengths { least: 1, most: 1, words: NONE }
            } else if node.is_union() {
                let of = |at: u32| self.lengths[at as usize];
                self.united(of(node.below), of(node.other))
            } else {
                let Lengths { least, most, words } = self.lengths[node.below as usize];
                Lengths { least: least + 1, most: most + 1, words }
            };
            self.lengths.push(lengths);
        }
    }

    fn united(&mut self, a: Lengths, b: Lengths) -> Lengths {
        let (least, most) = (a.least.min(b.least), a.most.max(b.most));
        let is_full = a.words == NONE && b.words == NONE;
        if is_full && a.least <= b.most + 1 && b.least <= a.most + 1 {
            return Lengths { least, most, words: NONE };
        }
        let words = index(self.words.len());
        let count = (most - least) as usize / 64 + 1;
        if self.words.len() + count > MOST_ENTRIES {
            self.is_cut_off = true;
            return Lengths { least, most, words: NONE };
        }
        let from = self.words.len();
        self.words.resize(from + count, 0);
        for of in [a, b] {
            for length in of.least..=of.most {
                if self.has(of, length) {
                    let bit = (length - least) as usize;
                    self.words[from + bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        Lengths { least, most, words }
    }

    #[inline]
    fn has(&self, lengths: Lengths, length: u32) -> bool {
        if length < lengths.least || length > lengths.most {
            return false;
        }
        let bit = (length - lengths.least) as usize;
        lengths.words == NONE
            || self.words[lengths.words as usize + bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Makes room for the event nodes of each node and length, if there are few enough.
    fn number_known(&mut self) {
        let of = |lengths: &Lengths| (lengths.most + 1).saturating_sub(lengths.least) as usize;
        let total: usize = self.lengths.iter().map(of).sum();
        if total > MOST_ENTRIES / 8 {
            return;
        }
        let mut next = 0;
        for lengths in &self.lengths {
            self.known_of.push(index(next));
            next += of(lengths);
        }
        self.known = vec![(0, 0); total];
    }

    /// Goes to the next chain. Returns false at the end.
    fn advance(&mut self) -> bool {
        loop {
            if self.is_new {
                if self.lengths[self.root as usize].is_empty() {
                    return false;
                }
                self.is_new = false;
                self.path.clear();
                self.expand_one(self.root);
            }
            if self.find_next() {
                return true;
            }
            let all = self.lengths[self.root as usize];
            let next = match self.direction {
                Direction::Forward => (all.least..self.length).rev().find(|n| self.has(all, *n)),
                Direction::Backward => (self.length + 1..=all.most).find(|n| self.has(all, *n)),
            };
            match next.filter(|_| !self.is_cut_off) {
                Some(length) => (self.length, self.is_new) = (length, true),
                None => return false,
            }
        }
    }

    /// Goes to the next chain of this length.
    #[inline]
    fn find_next(&mut self) -> bool {
        while let Some(frame) = self.frames.last_mut() {
            if frame.next == frame.end {
                let ListingFrame { is_kept, from, .. } = *frame;
                if !is_kept {
                    self.candidates.truncate(from as usize);
                }
                self.frames.pop();
                continue;
            }
            let list = if frame.is_kept { &self.kept } else { &self.candidates };
            let first = frame.next as usize;
            let node = &self.dag.nodes[list[first] as usize];
            let event = packed(node);
            let is_same = |at: &&u32| packed(&self.dag.nodes[**at as usize]) == event;
            let same = list[first + 1..frame.end as usize].iter().take_while(is_same).count();
            frame.next += 1 + index(same);
            let below = node.below;
            let depth = self.frames.len() - 1;
            self.path.truncate(depth);
            self.path.push(event);
            // A chain ends with a start and nowhere else: lengths say which.
            if self.path.len() == self.length as usize {
                return true;
            }
            if same == 0 {
                self.expand_one(below);
            } else {
                self.expand_several(first, same);
            }
            if self.is_cut_off {
                return false;
            }
        }
        false
    }

    /// The number of events that the chain still needs.
    fn missing(&self) -> u32 {
        self.length - index(self.path.len())
    }

    /// Adds a frame with the event nodes of one node.
    #[inline]
    fn expand_one(&mut self, node: u32) {
        let missing = self.missing();
        if self.known.is_empty() {
            return self.expand(&[node]);
        }
        let of_node = missing - self.lengths[node as usize].least;
        let at = (self.known_of[node as usize] + of_node) as usize;
        if self.known[at] == (0, 0) {
            let from = self.candidates.len();
            self.gather(&[node], missing);
            if self.kept.len() + self.candidates.len() > 4 * MOST_ENTRIES {
                self.is_cut_off = true;
                return;
            }
            let first = index(self.kept.len());
            self.kept.extend_from_slice(&self.candidates[from..]);
            self.candidates.truncate(from);
            self.known[at] = (first, index(self.kept.len()));
        }
        let (from, end) = self.known[at];
        self.frames.push(ListingFrame { is_kept: true, next: from, end, from });
    }

    /// Adds a frame with the event nodes below several event nodes with the same event and step.
    #[cold]
    fn expand_several(&mut self, first: usize, same: usize) {
        let Some(frame) = self.frames.last() else { return };
        let list = if frame.is_kept { &self.kept } else { &self.candidates };
        let nodes = list[first..=first + same].iter();
        let below: Vec<u32> = nodes.map(|at| self.dag.nodes[*at as usize].below).collect();
        self.expand(&below);
    }

    fn expand(&mut self, nodes: &[u32]) {
        let from = index(self.candidates.len());
        self.gather(nodes, self.missing());
        if self.candidates.len() > 4 * MOST_ENTRIES {
            self.is_cut_off = true;
            return;
        }
        let end = index(self.candidates.len());
        self.frames.push(ListingFrame { is_kept: false, next: from, end, from });
    }

    /// Appends the event nodes of these nodes that have a chain of this length, in order.
    fn gather(&mut self, nodes: &[u32], length: u32) {
        let from = self.candidates.len();
        let mut open: Vec<u32> = nodes.to_vec();
        while let Some(at) = open.pop() {
            let node = &self.dag.nodes[at as usize];
            if !self.has(self.lengths[at as usize], length) {
                continue;
            }
            if node.is_union() {
                open.extend([node.below, node.other]);
            } else {
                self.candidates.push(at);
            }
        }
        let nodes = &self.dag.nodes;
        let event = |at: &u32| packed(&nodes[*at as usize]);
        let found = &mut self.candidates[from..];
        found.sort_unstable_by(|a, b| self.direction.apply(event(a).cmp(&event(b))));
    }
}
