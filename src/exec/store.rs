//! What partial matches have captured: a chain of nodes for each, with shared beginnings.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

use smallvec::SmallVec;

use crate::event::{Event, bytes_of};
use crate::exec::aggregate::Accumulator;
use crate::hir::StageId;
use crate::util::slab::Slab;
use crate::value::Value;

/// No node, no extra.
pub(super) const NIL: u32 = u32::MAX;

/// A captured event, linked to the one that was captured before it in the same partial match.
///
/// Partial matches that branch share the nodes up to there. A node lives as long as a run, a
/// completed match or a later node refers to it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) event: u32,
    pub(super) previous: u32,
    pub(super) stage: StageId,
    /// The named groups of which the event starts a repetition: a bit for each.
    pub(super) starts: Starts,
    /// How many events the chain holds, this one included.
    pub(super) depth: u32,
    refs: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Stored<E> {
    pub(super) event: E,
    pub(super) seq: u64,
    refs: u32,
}

/// An event in the queue of a counting window.
#[derive(Clone, Debug)]
pub(super) struct Queued<E> {
    pub(super) event: E,
    pub(super) seq: u64,
    pub(super) time: i64,
    /// The one that came after it, [`NIL`] for the last.
    pub(super) next: u32,
}

/// A set of named groups, as bits by their place among the pattern's named groups.
pub(super) type Starts = u32;

/// Captured events and their chains.
#[derive(Clone, Debug)]
pub(super) struct Chains<E> {
    nodes: Slab<Node>,
    events: Slab<Stored<E>>,
    /// What counting windows hold; the queues of all keys.
    pub(super) queued: Slab<Queued<E>>,
    /// Whoever looks at captures from outside counts here, too.
    faults: Arc<Faults>,
    /// What the events take.
    bytes: u64,
}

/// How often an expression gave null for a reason that its author may want to know.
#[derive(Debug, Default)]
struct Faults {
    divisions_by_zero: AtomicU64,
    too_large: AtomicU64,
}

impl<E> Chains<E> {
    pub(super) fn new() -> Chains<E> {
        Chains {
            nodes: Slab::default(),
            events: Slab::default(),
            queued: Slab::default(),
            faults: Arc::default(),
            bytes: 0,
        }
    }

    /// Without events, counting what `other` counts.
    pub(super) fn counting_with(other: &Chains<E>) -> Chains<E> {
        Chains { faults: Arc::clone(&other.faults), ..Chains::new() }
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

    /// How often something was divided by zero.
    pub(super) fn divisions_by_zero(&self) -> u64 {
        self.faults.divisions_by_zero.load(atomic::Ordering::Relaxed)
    }

    /// How often something was too large to be made.
    pub(super) fn values_too_large(&self) -> u64 {
        self.faults.too_large.load(atomic::Ordering::Relaxed)
    }

    /// What the events take, about.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps an event, with one reference to it for the caller.
    pub(super) fn keep(&mut self, event: E, seq: u64) -> u32
    where
        E: Event,
    {
        self.bytes += bytes_of(&event);
        self.events.insert(Stored { event, seq, refs: 1 })
    }

    /// Gives up one reference to a stored event.
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

    /// Puts an event into a queue, where nothing follows it.
    pub(super) fn enqueue(&mut self, event: E, seq: u64) -> u32
    where
        E: Event,
    {
        self.bytes += bytes_of(&event);
        let time = event.time().as_millis();
        self.queued.insert(Queued { event, seq, time, next: NIL })
    }

    /// Takes an event out of a queue, and gives what follows it.
    pub(super) fn dequeue(&mut self, queued: u32) -> u32
    where
        E: Event,
    {
        let Queued { event, next, .. } = self.queued.remove(queued);
        self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        next
    }

    /// A node for `event` behind `previous`, with one reference to it for the caller.
    pub(super) fn link(
        &mut self,
        event: u32,
        previous: u32,
        stage: StageId,
        starts: Starts,
    ) -> u32 {
        self.retain(previous);
        self.extend(event, previous, stage, starts)
    }

    /// A node behind `previous`, whose reference goes over to it, with one for the caller.
    #[inline]
    pub(super) fn extend(
        &mut self,
        event: u32,
        previous: u32,
        stage: StageId,
        starts: Starts,
    ) -> u32 {
        self.events.get_mut(event).refs += 1;
        let depth = match previous {
            NIL => 1,
            previous => self.nodes.get(previous).depth.saturating_add(1),
        };
        self.nodes.insert(Node { event, previous, stage, starts, depth, refs: 1 })
    }

    pub(super) fn retain(&mut self, node: u32) {
        if node != NIL {
            self.nodes.get_mut(node).refs += 1;
        }
    }

    /// Gives up one reference to `node`, and everything that nothing refers to any more.
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
            let Node { event, previous, .. } = self.nodes.remove(node);
            self.release_event(event);
            node = previous;
        }
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        self.nodes.get(node)
    }

    pub(super) fn stored(&self, node: &Node) -> &Stored<E> {
        self.events.get(node.event)
    }

    pub(super) fn event(&self, node: u32) -> &Stored<E> {
        self.events.get(self.nodes.get(node).event)
    }

    /// Gives every node's step and starts of repetitions other numbers.
    pub(super) fn renumber(
        &mut self,
        stage: impl Fn(StageId) -> StageId,
        starts: impl Fn(Starts) -> Starts,
    ) {
        for node in self.nodes.values_mut() {
            node.stage = stage(node.stage);
            node.starts = starts(node.starts);
        }
    }

    /// The chain that ends in `head`, from its last node to its first.
    pub(super) fn back(&self, head: u32) -> impl Iterator<Item = (u32, &Node)> {
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

    /// The queue that begins at `first`.
    pub(super) fn queue(&self, first: u32) -> impl Iterator<Item = &Queued<E>> {
        let mut next = first;
        std::iter::from_fn(move || {
            if next == NIL {
                return None;
            }
            let queued = self.queued.get(next);
            next = queued.next;
            Some(queued)
        })
    }

    /// The nodes of the chain that ends in `head`, from the first to the last.
    pub(super) fn forth(&self, head: u32) -> SmallVec<[u32; 16]> {
        let mut ids: SmallVec<[u32; 16]> = self.back(head).map(|(id, _)| id).collect();
        ids.reverse();
        ids
    }

    /// What decides [`Chains::compare`] for most pairs without walking the chains: how many events
    /// were captured, and the last seven with their steps, each as its distance from the first in
    /// 11 bits and its step in 5. What is beyond counts as the greatest; equal keys decide nothing.
    pub(super) fn sort_key(&self, head: u32, start_seq: u64) -> u128 {
        const EVENTS: usize = 7;
        const DISTANCE: u64 = 2047;
        const STEP: u64 = 31;
        let depth = if head == NIL { 0 } else { self.nodes.get(head).depth };
        let mut key = u128::from(u16::MAX - u16::try_from(depth).unwrap_or(u16::MAX));
        let mut slots = 0;
        for (_, node) in self.back(head).take(EVENTS) {
            let distance = (self.events.get(node.event).seq - start_seq).min(DISTANCE);
            // A far event is told apart by its distance alone, which the key does not have.
            let step = if distance < DISTANCE { (node.stage.index() as u64).min(STEP) } else { 0 };
            key = key << 16 | u128::from(distance << 5 | step);
            slots += 1;
            if distance == DISTANCE || step == STEP {
                break;
            }
        }
        key << (16 * (EVENTS - slots))
    }

    /// The order in which matches with the same first event are told: the one that captured most,
    /// then, from the last event backwards, the one with the earlier event, then step.
    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let depth = |node| if node == NIL { 0 } else { self.nodes.get(node).depth };
        depth(b).cmp(&depth(a)).then_with(|| {
            for ((i, x), (j, y)) in self.back(a).zip(self.back(b)) {
                if i == j {
                    break;
                }
                let seq = |node: &Node| self.events.get(node.event).seq;
                let order = seq(x).cmp(&seq(y)).then(x.stage.cmp(&y.stage));
                if order != Ordering::Equal {
                    return order;
                }
            }
            Ordering::Equal
        })
    }

    pub(super) fn len(&self) -> usize {
        self.events.len() + self.queued.len()
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.nodes.memory_usage() + self.events.memory_usage() + self.queued.memory_usage()
    }
}

/// The registers and clocks of runs, in parallel tables; a run's `extra` is its row.
#[derive(Clone, Debug)]
pub(super) struct Extras {
    registers: usize,
    clocks: usize,
    values: Vec<Value>,
    /// The state behind each value, where it is an aggregate, and whether it was set where not.
    states: Vec<RegisterState>,
    times: Vec<i64>,
    free: Vec<u32>,
    rows: u32,
    /// What values and their states have on the heap.
    bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) enum RegisterState {
    #[default]
    Unset,
    Set,
    Aggregate(Box<Accumulator>),
}

/// What a register has on the heap, about. A list is that of an accumulator, once more.
fn bytes_of_register(value: &Value, state: &RegisterState) -> u64 {
    let text = if let Value::String(_) = value { value.as_ref().heap_size() } else { 0 };
    let kept = if let RegisterState::Aggregate(of) = state { of.bytes() } else { 0 };
    text as u64 + 2 * kept
}

/// A clock that is not set.
pub(super) const UNSET: i64 = i64::MIN;

impl Extras {
    pub(super) fn new(registers: usize, clocks: usize) -> Extras {
        Extras {
            registers,
            clocks,
            values: Vec::new(),
            states: Vec::new(),
            times: Vec::new(),
            free: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Whether runs have rows at all.
    fn is_used(&self) -> bool {
        self.registers + self.clocks > 0
    }

    /// A row with nothing set, or [`NIL`] where runs have none.
    pub(super) fn create(&mut self) -> u32 {
        if !self.is_used() {
            return NIL;
        }
        if let Some(row) = self.free.pop() {
            return row;
        }
        let row = self.rows;
        self.rows += 1;
        self.values.resize(self.values.len() + self.registers, Value::Null);
        self.states.resize(self.states.len() + self.registers, RegisterState::Unset);
        self.times.resize(self.times.len() + self.clocks, UNSET);
        row
    }

    pub(super) fn duplicate(&mut self, row: u32) -> u32 {
        if row == NIL {
            return NIL;
        }
        let copy = self.create();
        for i in 0..self.registers {
            let (from, to) = (self.cell(row, i), self.cell(copy, i));
            self.values[to] = self.values[from].clone();
            self.states[to] = self.states[from].clone();
            self.bytes += bytes_of_register(&self.values[to], &self.states[to]);
        }
        for i in 0..self.clocks {
            self.times[copy as usize * self.clocks + i] =
                self.times[row as usize * self.clocks + i];
        }
        copy
    }

    pub(super) fn release(&mut self, row: u32) {
        if row == NIL {
            return;
        }
        for i in 0..self.registers {
            self.change(row, i, |value, state| {
                *value = Value::Null;
                *state = RegisterState::Unset;
            });
        }
        for time in self.times_mut(row) {
            *time = UNSET;
        }
        self.free.push(row);
    }

    fn cell(&self, row: u32, register: usize) -> usize {
        row as usize * self.registers + register
    }

    pub(super) fn value(&self, row: u32, register: usize) -> &Value {
        const NULL: &Value = &Value::Null;
        if row == NIL { NULL } else { &self.values[self.cell(row, register)] }
    }

    /// Whether no captured event has changed the register.
    pub(super) fn is_untouched(&self, row: u32, register: usize) -> bool {
        row == NIL || matches!(self.states[self.cell(row, register)], RegisterState::Unset)
    }

    /// A copy of a register of a row.
    pub(super) fn register(&self, row: u32, register: usize) -> (Value, RegisterState) {
        let cell = self.cell(row, register);
        (self.values[cell].clone(), self.states[cell].clone())
    }

    pub(super) fn change(
        &mut self,
        row: u32,
        register: usize,
        change: impl FnOnce(&mut Value, &mut RegisterState),
    ) {
        let cell = self.cell(row, register);
        let (value, state) = (&mut self.values[cell], &mut self.states[cell]);
        let before = bytes_of_register(value, state);
        change(value, state);
        self.bytes = (self.bytes + bytes_of_register(value, state)).saturating_sub(before);
    }

    /// What values and their states have on the heap, about.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The clocks of a row; none where runs have no rows.
    pub(super) fn times(&self, row: u32) -> &[i64] {
        if row == NIL {
            return &[];
        }
        &self.times[row as usize * self.clocks..][..self.clocks]
    }

    /// One clock of a row.
    pub(super) fn time(&self, row: u32, clock: u32) -> i64 {
        self.times(row).get(clock as usize).copied().unwrap_or(UNSET)
    }

    pub(super) fn times_mut(&mut self, row: u32) -> &mut [i64] {
        if row == NIL {
            return &mut [];
        }
        &mut self.times[row as usize * self.clocks..][..self.clocks]
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.values.capacity() * size_of::<Value>()
            + self.states.capacity() * size_of::<RegisterState>()
            + self.times.capacity() * size_of::<i64>()
            + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use crate::schema::TypeId;
    use crate::time::Timestamp;

    #[test]
    fn sort_keys_never_contradict_the_order() {
        let mut chains: Chains<Record> = Chains::new();
        let nothing = Record::new(TypeId::new(0), Timestamp::from_millis(0), []);
        let mut heads = Vec::new();
        // Chains of up to twelve events with gaps, far events and high steps.
        for seed in 0..200_u64 {
            let (mut head, mut seq) = (NIL, 0);
            for depth in 0..=seed % 12 {
                let event = chains.keep(nothing.clone(), seq);
                let stage = StageId::new(((seed * 7 + depth * 3) % 40) as usize);
                head = chains.link(event, head, stage, 0);
                seq += 1 + (seed * 31 + depth * 17) % if seed % 5 == 0 { 3000 } else { 3 };
            }
            heads.push(head);
        }
        for &a in &heads {
            for &b in &heads {
                let keys = chains.sort_key(a, 0).cmp(&chains.sort_key(b, 0));
                if keys != Ordering::Equal {
                    assert_eq!(keys, chains.compare(a, b));
                }
            }
        }
    }
}
