//! The events of one match, wherever the store holds them.

use std::fmt;

use smallvec::SmallVec;

use crate::exec::aggregate::Accumulator;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::{DagEvent, Packed, unpacked};
use crate::exec::fields::{add_event, field_of};
use crate::exec::forms::Queue;
use crate::nfa::{Program, SharedSuffix};
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::expr::{Aggregate, CapturedField, Pick};
use kleene_syntax::hir::{Expr, StepId};

/// The events that a partial or complete match has captured, in the order of capture.
pub struct Captures<'a, E> {
    arena: &'a CaptureArena<E>,
    held: Held<'a>,
    /// The last captured event, if it is not in the store.
    tail: Option<CapturedItem<'a, E>>,
}

/// The location of captured events in the store.
#[derive(Clone, Copy)]
enum Held<'a> {
    /// In the chain that ends with this node.
    Chain(u32),
    /// In this queue, captured as these steps.
    Queue(Queue, &'a [StepId]),
    /// The last events, of the given number, of the chain that ends with this node, captured as
    /// these steps.
    Suffix(u32, u32, &'a SharedSuffix),
    /// These events of a graph, from the last to the first.
    Path(&'a [Packed], &'a [DagEvent]),
}

/// A captured event: the step, the event's number, the event.
type CapturedItem<'a, E> = (StepId, u64, &'a E);

impl<E> Clone for Captures<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Captures<'_, E> {}

impl<E> fmt::Debug for Captures<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.numbered().map(|(step, seq, _)| (step, seq))).finish()
    }
}

impl<'a, E> Captures<'a, E> {
    #[inline]
    pub(super) fn new(arena: &'a CaptureArena<E>, head: u32) -> Captures<'a, E> {
        Captures { arena, held: Held::Chain(head), tail: None }
    }

    /// Returns the events of a queue, captured as `steps`.
    pub(super) fn queue(
        arena: &'a CaptureArena<E>,
        queue: Queue,
        steps: &'a [StepId],
    ) -> Captures<'a, E> {
        Captures { arena, held: Held::Queue(queue, steps), tail: None }
    }

    /// Returns the last `len` events of the chain that ends with `head`, for a partial match that
    /// is a suffix.
    pub(super) fn suffix(
        arena: &'a CaptureArena<E>,
        (head, len): (u32, u32),
        shared: &'a SharedSuffix,
    ) -> Captures<'a, E> {
        Captures { arena, held: Held::Suffix(head, len, shared), tail: None }
    }

    /// Returns the events of a path in a graph with these events, from the last to the first.
    pub(super) fn path(
        arena: &'a CaptureArena<E>,
        path: &'a [Packed],
        moments: &'a [DagEvent],
    ) -> Captures<'a, E> {
        Captures { arena, held: Held::Path(path, moments), tail: None }
    }

    /// Returns these events and one more.
    #[inline]
    pub(super) fn and(self, step: StepId, seq: u64, event: &'a E) -> Captures<'a, E> {
        Captures { tail: Some((step, seq, event)), ..self }
    }

    /// Returns the arena of the captured events.
    pub(super) fn arena(&self) -> &'a CaptureArena<E> {
        self.arena
    }

    /// Returns the last node, if the events are a whole chain.
    pub(super) fn chain(&self) -> Option<u32> {
        match self.held {
            Held::Chain(head) => Some(head),
            Held::Queue(..) | Held::Suffix(..) | Held::Path(..) => None,
        }
    }

    /// Returns the path and the events of its graph, if the events are a path.
    pub(super) fn as_path(&self) -> Option<(&'a [Packed], &'a [DagEvent])> {
        match self.held {
            Held::Path(path, moments) => Some((path, moments)),
            Held::Chain(_) | Held::Queue(..) | Held::Suffix(..) => None,
        }
    }

    /// Returns the number of captured events.
    pub fn len(&self) -> usize {
        let held = match self.held {
            Held::Chain(head) => self.arena.depth(head) as usize,
            Held::Queue(queue, _) => queue.len as usize,
            Held::Suffix(_, len, _) => len as usize,
            Held::Path(path, _) => path.len(),
        };
        held + usize::from(self.tail.is_some())
    }

    /// True if no event was captured.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns every event with its step.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (StepId, &'a E)> + use<'a, E> {
        self.numbered().map(|(step, _, event)| (step, event))
    }

    /// Returns every event with its step and sequence number.
    pub fn numbered(&self) -> impl ExactSizeIterator<Item = (StepId, u64, &'a E)> + use<'a, E> {
        let mut items = match self.held {
            Held::Chain(_) | Held::Path(..) => self.chained().collect(),
            Held::Queue(..) | Held::Suffix(..) => self.viewed(),
        };
        if let Held::Chain(_) | Held::Path(..) = self.held {
            items.reverse();
        }
        items.extend(self.tail);
        items.into_iter()
    }

    /// Returns the events of a chain or a path, from the last to the first.
    fn chained(&self) -> impl Iterator<Item = CapturedItem<'a, E>> + use<'a, E> {
        let arena = self.arena;
        let (head, path, moments): (_, &[_], &[DagEvent]) = match self.held {
            Held::Chain(head) => (head, &[], &[]),
            Held::Path(path, moments) => (NIL, path, moments),
            Held::Queue(..) | Held::Suffix(..) => (NIL, &[], &[]),
        };
        let nodes = arena.iter_rev(head).map(move |(_, node)| {
            let (seq, event) = arena.event_of(node);
            (node.step, seq, event)
        });
        nodes.chain(path.iter().map(move |item| {
            let (at, step) = unpacked(*item);
            let (seq, event) = arena.stored(moments[at].event);
            (step, seq, event)
        }))
    }

    /// Returns the events that are not in a chain, in order.
    fn viewed(&self) -> SmallVec<[CapturedItem<'a, E>; 8]> {
        let arena = self.arena;
        match self.held {
            Held::Chain(_) | Held::Path(..) => SmallVec::new(),
            Held::Queue(queue, steps) => {
                let events = steps.iter().zip(arena.queues.iter(queue));
                events.map(|(step, (seq, event))| (*step, seq, event)).collect()
            }
            Held::Suffix(head, len, shared) => {
                let nodes = arena.iter_rev(head).take(len as usize);
                let mut events: SmallVec<[CapturedItem<'a, E>; 8]> = nodes
                    .zip((0..len as usize).rev())
                    .map(|((_, node), before)| {
                        let (seq, event) = arena.event_of(node);
                        (shared.step(before), seq, event)
                    })
                    .collect();
                events.reverse();
                events
            }
        }
    }

    /// Returns the events of one step.
    pub fn of(&self, step: StepId) -> impl Iterator<Item = &'a E> + use<'a, E> {
        self.iter().filter(move |(of, _)| *of == step).map(|(_, event)| event)
    }

    /// Returns the first event of a step.
    pub fn first(&self, step: StepId) -> Option<&'a E> {
        self.first_of(step).map(|(.., event)| event)
    }

    /// Returns the last event of a step.
    pub fn last(&self, step: StepId) -> Option<&'a E> {
        self.last_of(step).map(|(.., event)| event)
    }

    /// Returns the event that was captured last in any step.
    pub fn latest(&self) -> Option<&'a E> {
        self.latest_first().next().map(|(.., event)| event)
    }

    pub(super) fn first_of(&self, step: StepId) -> Option<CapturedItem<'a, E>> {
        self.latest_first().filter(|(of, ..)| *of == step).last()
    }

    pub(super) fn last_of(&self, step: StepId) -> Option<CapturedItem<'a, E>> {
        self.latest_first().find(|(of, ..)| *of == step)
    }

    pub(super) fn latest_first(&self) -> impl Iterator<Item = CapturedItem<'a, E>> + use<'a, E> {
        self.tail.into_iter().chain(self.chained()).chain(self.viewed().into_iter().rev())
    }
}

impl<'a, E: Event> Captures<'a, E> {
    /// Counts a division by zero.
    pub(super) fn divided_by_zero(&self) {
        self.arena.divided_by_zero();
    }

    /// Counts something that was too large to be made.
    pub(super) fn too_large(&self) {
        self.arena.too_large();
    }

    /// Returns the field that `captured` refers to; null if the event was not captured.
    pub(crate) fn field(&self, captured: &CapturedField) -> ValueRef<'a> {
        let event = match (captured.step, captured.pick) {
            (None, Pick::First) => self.iter().next().map(|(_, event)| event),
            (None, Pick::Last) => self.latest(),
            (None, Pick::Nth(n)) => self.iter().nth(n as usize).map(|(_, event)| event),
            (None, Pick::FromEnd(n)) => {
                self.latest_first().nth((n as usize).wrapping_sub(1)).map(|(.., event)| event)
            }
            (Some(step), Pick::First) => self.first(step),
            (Some(step), Pick::Last) => self.last(step),
            (Some(step), Pick::Nth(n)) => self.of(step).nth(n as usize),
            (Some(step), Pick::FromEnd(n)) => self
                .latest_first()
                .filter(|(of, ..)| *of == step)
                .nth((n as usize).wrapping_sub(1))
                .map(|(.., event)| event),
        };
        event.map_or(ValueRef::Null, |event| field_of(event, &captured.field))
    }

    /// Returns the value of an expression over captured events alone.
    pub fn known(&self, expr: &Expr, program: &Program) -> Option<Value> {
        match expr {
            Expr::Captured(captured) => Some(self.field(captured).to_value()),
            Expr::Aggregate(aggregate) => Some(self.aggregate(aggregate, program)),
            _ => None,
        }
    }

    /// Returns the aggregate over the captured events. For a group with an alias, only the
    /// repetitions count.
    pub(crate) fn aggregate(&self, aggregate: &Aggregate, program: &Program) -> Value {
        if let Some(bit) = program.start_bit(aggregate.step) {
            let Some(head) = self.chain() else { return Value::Int(0) };
            let nodes = self.arena.iter_rev(head);
            let count = nodes.filter(|(_, node)| node.starts & bit != 0).count();
            return Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut accumulator = Accumulator::new(aggregate.op);
        for event in self.of(aggregate.step) {
            add_event(&mut accumulator, aggregate, event, self.arena);
        }
        if accumulator.is_too_large() {
            self.arena.too_large();
        }
        accumulator.value()
    }
}
