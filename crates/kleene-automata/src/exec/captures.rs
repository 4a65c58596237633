//! Storage of captured events: a chain of nodes for each partial match, with shared beginnings.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

use smallvec::SmallVec;

use crate::exec::forms::Queues;
use crate::util::slab::Slab;
use kleene_event::event::{Event, bytes_of};
use kleene_syntax::hir::StepId;

/// Stands for no node.
pub(super) const NIL: u32 = u32::MAX;

/// A captured event, linked to the event before it in the same partial match.
///
/// Partial matches that branch share the nodes before the branch. A node lives as long as a run, a
/// completed match or a later node refers to it.
#[derive(Clone, Debug)]
pub(super) struct CaptureNode<E> {
    event: Kept<E>,
    pub(super) previous: u32,
    pub(super) step: StepId,
    /// The named groups that start a repetition with the event, a bit for each. In the chain of a
    /// representative, [`BEGINS`] if a suffix starts here.
    pub(super) starts: Starts,
    /// The number of events in the chain, this one included. It is never 0, so the slab can mark
    /// free entries with 0, and a node with a [`Record`](kleene_event::event::Record) takes seven
    /// words.
    depth: NonZeroU32,
    refs: u32,
}

/// A node's event and its sequence number.
#[derive(Clone, Debug)]
enum Kept<E> {
    /// In the node, where a lookup reads no other memory.
    Here(E, u64),
    /// At this index, where other nodes can share the event.
    Shared(u32),
}

#[derive(Clone, Debug)]
struct Stored<E> {
    event: E,
    seq: u64,
    refs: u32,
}

/// A set of named groups, as bits by their index among the pattern's named groups.
pub(super) type Starts = u32;

/// The mark of a suffix's first event. Patterns with suffixes have no named groups.
pub(super) const BEGINS: Starts = 1;

/// Captured events and the chains of nodes that refer to them.
#[derive(Clone, Debug)]
pub(super) struct CaptureArena<E> {
    nodes: Slab<CaptureNode<E>>,
    events: Slab<Stored<E>>,
    /// The number of nodes that contain their event.
    here: usize,
    /// The events of counting windows.
    pub(super) queues: Queues<E>,
    /// Whoever looks at captures from outside counts here, too.
    faults: Arc<Faults>,
    /// The size of the events in bytes.
    bytes: u64,
    /// The size of the graphs of keys in the compact form in bytes.
    pub(super) graphs: u64,
}

/// The counts of expressions that gave null for a reason that their author may want to know.
#[derive(Debug, Default)]
struct Faults {
    divisions_by_zero: AtomicU64,
    too_large: AtomicU64,
}

impl<E> CaptureArena<E> {
    pub(super) fn new() -> CaptureArena<E> {
        CaptureArena {
            nodes: Slab::default(),
            events: Slab::default(),
            here: 0,
            queues: Queues::default(),
            faults: Arc::default(),
            bytes: 0,
            graphs: 0,
        }
    }

    /// Returns an empty arena that shares the counts of `other`.
    pub(super) fn counting_with(other: &CaptureArena<E>) -> CaptureArena<E> {
        CaptureArena { faults: Arc::clone(&other.faults), ..CaptureArena::new() }
    }

    /// True if both arenas share their counts.
    pub(super) fn counts_with(&self, other: &CaptureArena<E>) -> bool {
        Arc::ptr_eq(&self.faults, &other.faults)
    }

    /// Drops all chains and events that chains have captured.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.events.clear();
        (self.here, self.bytes) = (0, 0);
    }

    /// Counts a division by zero.
    #[cold]
    pub(super) fn divided_by_zero(&self) {
        self.faults.divisions_by_zero.fetch_add(1, atomic::Ordering::Relaxed);
    }

    /// Counts something that was too large to be made.
    #[cold]
    pub(super) fn too_large(&self) {
        self.faults.too_large.fetch_add(1, atomic::Ordering::Relaxed);
    }

    /// Returns the number of divisions by zero.
    pub(super) fn divisions_by_zero(&self) -> u64 {
        self.faults.divisions_by_zero.load(atomic::Ordering::Relaxed)
    }

    /// Returns the number of values that were too large.
    pub(super) fn values_too_large(&self) -> u64 {
        self.faults.too_large.load(atomic::Ordering::Relaxed)
    }

    /// Returns the approximate size of the events and graphs in bytes.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + self.queues.bytes() + self.graphs
    }

    /// Stores an event, with one reference for the caller.
    pub(super) fn keep(&mut self, event: E, seq: u64) -> u32
    where
        E: Event,
    {
        self.bytes += bytes_of(&event);
        self.events.insert(Stored { event, seq, refs: 1 })
    }

    /// Adds one reference to a stored event.
    pub(super) fn retain_event(&mut self, event: u32) {
        self.events.get_mut(event).refs += 1;
    }

    /// Returns the sequence number of a stored event, and the event.
    #[inline]
    pub(super) fn stored(&self, event: u32) -> (u64, &E) {
        let Stored { event, seq, .. } = self.events.get(event);
        (*seq, event)
    }

    /// Releases one reference to a stored event.
    pub(super) fn release_event(&mut self, event: u32)
    where
        E: Event,
    {
        let stored = self.events.get_mut(event);
        stored.refs -= 1;
        if stored.refs == 0 {
            self.bytes = self.bytes.saturating_sub(bytes_of(&stored.event));
            self.events.remove(event);
        }
    }

    /// Makes a node for `event` behind `previous`, with one reference for the caller.
    pub(super) fn link(&mut self, event: u32, previous: u32, step: StepId, starts: Starts) -> u32 {
        self.retain(previous);
        self.extend(event, previous, step, starts)
    }

    /// Makes a node behind `previous`, whose reference moves to the new node, with one reference
    /// for the caller.
    #[inline]
    pub(super) fn extend(
        &mut self,
        event: u32,
        previous: u32,
        step: StepId,
        starts: Starts,
    ) -> u32 {
        self.events.get_mut(event).refs += 1;
        self.add(Kept::Shared(event), previous, step, starts)
    }

    /// Makes a node behind `previous`, as [`extend`](CaptureArena::extend) does, with a copy of an
    /// event that no other node shares.
    #[inline(always)]
    pub(super) fn extend_with(&mut self, event: &E, seq: u64, previous: u32, step: StepId) -> u32
    where
        E: Event,
    {
        self.extend_marked(event, seq, previous, step, 0)
    }

    /// Makes a node behind `previous`, as [`extend_with`](CaptureArena::extend_with) does, with the
    /// groups that the event starts.
    #[inline(always)]
    pub(super) fn extend_marked(
        &mut self,
        event: &E,
        seq: u64,
        previous: u32,
        step: StepId,
        starts: Starts,
    ) -> u32
    where
        E: Event,
    {
        let depth = self.depth_behind(previous);
        let node = self.nodes.insert_with(|| {
            let event = Kept::Here(event.clone(), seq);
            CaptureNode { event, previous, step, starts, depth, refs: 1 }
        });
        self.here += 1;
        self.bytes += bytes_of(event);
        node
    }

    fn add(&mut self, event: Kept<E>, previous: u32, step: StepId, starts: Starts) -> u32 {
        let depth = self.depth_behind(previous);
        self.nodes.insert(CaptureNode { event, previous, step, starts, depth, refs: 1 })
    }

    /// Returns the depth of a node behind `previous`.
    #[inline(always)]
    fn depth_behind(&self, previous: u32) -> NonZeroU32 {
        match previous {
            NIL => NonZeroU32::MIN,
            previous => self.nodes.get(previous).depth.saturating_add(1),
        }
    }

    /// Returns the number of events in the chain that ends in `head`.
    #[inline]
    pub(super) fn depth(&self, head: u32) -> u32 {
        if head == NIL { 0 } else { self.nodes.get(head).depth.get() }
    }

    pub(super) fn retain(&mut self, node: u32) {
        if node != NIL {
            self.nodes.get_mut(node).refs += 1;
        }
    }

    /// Releases one reference to `node`, and drops everything without a reference.
    #[inline]
    pub(super) fn release(&mut self, node: u32)
    where
        E: Event,
    {
        let mut node = node;
        while node != NIL {
            let entry = self.nodes.get_mut(node);
            entry.refs -= 1;
            if entry.refs > 0 {
                return;
            }
            let previous = entry.previous;
            match &entry.event {
                Kept::Here(event, _) => {
                    self.here -= 1;
                    self.bytes = self.bytes.saturating_sub(bytes_of(event));
                    self.nodes.discard(node);
                }
                Kept::Shared(event) => {
                    let event = *event;
                    self.nodes.discard(node);
                    self.release_event(event);
                }
            }
            node = previous;
        }
    }

    #[inline]
    pub(super) fn node(&self, node: u32) -> &CaptureNode<E> {
        self.nodes.get(node)
    }

    /// Returns the sequence number of a node's event, and the event.
    #[inline]
    pub(super) fn event_of<'a>(&'a self, node: &'a CaptureNode<E>) -> (u64, &'a E) {
        match &node.event {
            Kept::Here(event, seq) => (*seq, event),
            Kept::Shared(event) => {
                let Stored { event, seq, .. } = self.events.get(*event);
                (*seq, event)
            }
        }
    }

    /// Prefetches a node.
    #[inline(always)]
    pub(super) fn prefetch_node(&self, node: u32) {
        if node != NIL {
            self.nodes.prefetch(node);
        }
    }

    /// Prefetches a node's event, or the event's heap if the event is in the node.
    #[inline(always)]
    pub(super) fn prefetch_event(&self, node: u32)
    where
        E: Event,
    {
        if node == NIL {
            return;
        }
        match &self.nodes.get(node).event {
            Kept::Here(event, _) => event.prefetch(),
            Kept::Shared(event) => self.events.prefetch(*event),
        }
    }

    pub(super) fn event(&self, node: u32) -> (u64, &E) {
        self.event_of(self.nodes.get(node))
    }

    /// Renumbers the steps and group starts of all nodes.
    pub(super) fn renumber(
        &mut self,
        step: impl Fn(StepId) -> StepId,
        starts: impl Fn(Starts) -> Starts,
    ) {
        for node in self.nodes.values_mut() {
            node.step = step(node.step);
            node.starts = starts(node.starts);
        }
    }

    /// Drops all but the last `len` events of a chain; `len` is at least one. `step` gives the new
    /// step of an event by the number of events before it. No other chain may share the nodes.
    pub(super) fn keep_last(&mut self, head: u32, len: u32, step: impl Fn(usize) -> StepId)
    where
        E: Event,
    {
        let mut next = head;
        for depth in (1..=len).rev() {
            let node = self.nodes.get_mut(next);
            debug_assert_eq!(node.refs, 1, "it is of one chain");
            node.depth = NonZeroU32::new(depth).unwrap_or(NonZeroU32::MIN);
            node.step = step(depth as usize - 1);
            next = node.previous;
            if depth == 1 {
                (node.previous, node.starts) = (NIL, 0);
            }
        }
        self.release(next);
    }

    /// Clears the group starts of a chain's events.
    pub(super) fn unmark(&mut self, head: u32) {
        let mut next = head;
        while next != NIL {
            let node = self.nodes.get_mut(next);
            (node.starts, next) = (0, node.previous);
        }
    }

    /// Returns the nodes of the chain that ends in `head`, from the last to the first.
    pub(super) fn iter_rev(&self, head: u32) -> impl Iterator<Item = (u32, &CaptureNode<E>)> {
        let mut next = head;
        std::iter::from_fn(move || {
            if next == NIL {
                return None;
            }
            let id = next;
            let node = self.nodes.get(id);
            next = node.previous;
            Some((id, node))
        })
    }

    /// Returns the nodes of the chain that ends in `head`, from the first to the last.
    pub(super) fn iter(&self, head: u32) -> smallvec::IntoIter<[u32; 16]> {
        let mut ids: SmallVec<[u32; 16]> = self.iter_rev(head).map(|(id, _)| id).collect();
        ids.reverse();
        ids.into_iter()
    }

    /// Returns a key that decides [`CaptureArena::compare`] for most pairs without a walk of the
    /// chains.
    ///
    /// The key has the number of captured events, and the last seven events with their steps. Each
    /// event is its distance from the first in 11 bits and its step in 5 bits. Greater values are
    /// cut to the greatest; equal keys decide nothing.
    pub(super) fn sort_key(&self, head: u32, start_seq: u64) -> u128 {
        const EVENTS: usize = 7;
        const DISTANCE: u64 = 2047;
        const STEP: u64 = 31;
        let mut key = u128::from(u16::MAX - u16::try_from(self.depth(head)).unwrap_or(u16::MAX));
        let mut slots = 0;
        for (_, node) in self.iter_rev(head).take(EVENTS) {
            let distance = (self.event_of(node).0 - start_seq).min(DISTANCE);
            // A far event is distinguished by its distance alone, which the key does not have.
            let step = if distance < DISTANCE { (node.step.index() as u64).min(STEP) } else { 0 };
            key = key << 16 | u128::from(distance << 5 | step);
            slots += 1;
            if distance == DISTANCE || step == STEP {
                break;
            }
        }
        key << (16 * (EVENTS - slots))
    }

    /// Compares matches with the same first event by their order of report: the one with the most
    /// events first; then, from the last event backwards, the one with the earlier event or step.
    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        self.depth(b).cmp(&self.depth(a)).then_with(|| {
            for ((i, x), (j, y)) in self.iter_rev(a).zip(self.iter_rev(b)) {
                if i == j {
                    break;
                }
                let seq = |node: &CaptureNode<E>| self.event_of(node).0;
                let order = seq(x).cmp(&seq(y)).then(x.step.cmp(&y.step));
                if order != Ordering::Equal {
                    return order;
                }
            }
            Ordering::Equal
        })
    }

    pub(super) fn len(&self) -> usize {
        self.events.len() + self.here + self.queues.len()
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.nodes.memory_usage() + self.events.memory_usage() + self.queues.memory_usage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_event::event::Record;
    use kleene_event::schema::TypeId;
    use kleene_event::time::Timestamp;

    #[test]
    fn a_node_with_a_record_stays_small() {
        let record = Record::new(TypeId::new(0), Timestamp::from_millis(0), []);
        let mut arena: CaptureArena<Record> = CaptureArena::new();
        for seq in 0..4 {
            arena.extend_with(&record, seq, NIL, StepId::new(0));
        }
        assert_eq!(arena.nodes.memory_usage(), 4 * 56);
    }

    #[test]
    fn sort_keys_never_contradict_the_order() {
        let mut arena: CaptureArena<Record> = CaptureArena::new();
        let nothing = Record::new(TypeId::new(0), Timestamp::from_millis(0), []);
        let mut heads = Vec::new();
        // Chains of up to twelve events with gaps, far events and high steps.
        for seed in 0..200_u64 {
            let (mut head, mut seq) = (NIL, 0);
            for depth in 0..=seed % 12 {
                let event = arena.keep(nothing.clone(), seq);
                let step = StepId::new(((seed * 7 + depth * 3) % 40) as usize);
                head = arena.link(event, head, step, 0);
                seq += 1 + (seed * 31 + depth * 17) % if seed % 5 == 0 { 3000 } else { 3 };
            }
            heads.push(head);
        }
        for &a in &heads {
            for &b in &heads {
                let keys = arena.sort_key(a, 0).cmp(&arena.sort_key(b, 0));
                if keys != Ordering::Equal {
                    assert_eq!(keys, arena.compare(a, b));
                }
            }
        }
    }
}
