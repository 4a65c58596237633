//! The outputs of a matcher: borrowed views of captured events.

use std::fmt;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::aggregate::Accumulator;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::{DagEvent, Packed, renumbered, unpacked};
use crate::exec::forms::Queue;
use crate::exec::set::{HeldSet, LastSet, OutcomeSet, SetRef};
use crate::hir::eval::{self, Scope};
use crate::hir::expr::{Aggregate, CapturedField, FieldRef, MatchFact, MatchesFact, Pick};
use crate::hir::{Expr, StepId};
use crate::nfa::{Program, SharedSuffix, StateId};
use crate::time::Timestamp;
use crate::value::{Value, ValueRef};

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
    pub(crate) fn known(&self, expr: &Expr, program: &Program) -> Option<Value> {
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
            let Held::Chain(head) = self.held else { return Value::Int(0) };
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

/// Adds the argument of `aggregate` for `event`. `arena` counts divisions by zero.
pub(super) fn add_event<E: Event>(
    accumulator: &mut Accumulator,
    aggregate: &Aggregate,
    event: &E,
    arena: &CaptureArena<E>,
) {
    match &aggregate.arg {
        Some(arg) => accumulator.add(value_of(arg, event, arena).as_ref()),
        None => accumulator.add(ValueRef::Bool(true)),
    }
}

/// Returns the value of an aggregate's argument for `event`. `arena` counts divisions by zero.
pub(super) fn value_of<E: Event>(arg: &Expr, event: &E, arena: &CaptureArena<E>) -> Value {
    eval::eval(arg, &EventScope { event, arena }).into_value()
}

/// Returns the value of `field` in `event`; null if the event does not have the field.
#[inline(always)]
pub(crate) fn field_of<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::ByType(fields) => match &**fields {
            // Most often there is just one.
            [(ty, FieldRef::Declared(id)), ..] if *ty == event.type_id() => event.field(*id),
            _ => other_field(event, field),
        },
        other => other_field(event, other),
    }
}

fn other_field<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::Dynamic(path) => event.dynamic_field(path),
        FieldRef::Time => ValueRef::Time(event.time()),
        FieldRef::ByType(fields) => {
            let ty = event.type_id();
            match fields.iter().find(|(of, _)| *of == ty) {
                Some((_, field)) => field_of(event, field),
                None => ValueRef::Null,
            }
        }
    }
}

/// An event alone: the scope of an aggregate's argument.
struct EventScope<'a, E> {
    event: &'a E,
    arena: &'a CaptureArena<E>,
}

impl<E: Event> Scope for EventScope<'_, E> {
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        field_of(self.event, field)
    }
    fn divided_by_zero(&self) {
        self.arena.divided_by_zero();
    }
    fn too_large(&self) {
        self.arena.too_large();
    }
}

/// The kind of an [`Outcome`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OutcomeKind {
    /// The pattern occurred.
    Match,
    /// A partial match ran out of time.
    Timeout,
}

/// A match, or a partial match that ran out of time.
pub struct Outcome<'a, E> {
    pub(super) kind: OutcomeKind,
    pub(super) program: &'a Program,
    pub(super) captures: Captures<'a, E>,
    pub(super) start: Timestamp,
    pub(super) last: Timestamp,
    pub(super) at: Timestamp,
    pub(super) start_seq: u64,
    /// Where a partial match waited; it can wait in several states at once.
    pub(super) states: &'a [StateId],
    /// The number of this report of a repeating silence, from 1; 0 where none repeats.
    pub(super) repetition: u64,
    /// The set of matches that it belongs to.
    pub(super) set: SetRef<'a>,
}

impl<E> Clone for Outcome<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Outcome<'_, E> {}

impl<E> fmt::Debug for Outcome<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("kind", &self.kind)
            .field("start", &self.start)
            .field("last", &self.last)
            .field("at", &self.at)
            .field("captures", &self.captures)
            .finish_non_exhaustive()
    }
}

impl<'a, E> Outcome<'a, E> {
    /// Returns the kind: match or timeout.
    pub fn kind(&self) -> OutcomeKind {
        self.kind
    }

    /// Returns the captured events.
    pub fn captures(&self) -> Captures<'a, E> {
        self.captures
    }

    /// Returns the time of the first event.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the time of the last captured event.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Returns the time of the report: the time of the completing event, or the deadline that
    /// passed.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the sequence number of the first event.
    pub fn start_seq(&self) -> u64 {
        self.start_seq
    }

    /// Returns the number of this report of a repeating silence, from 1; 0 for other outcomes.
    pub fn repetition(&self) -> u64 {
        self.repetition
    }

    /// Returns the set of matches that it belongs to: those that the same event or deadline
    /// completes. A timeout belongs to none.
    pub fn set(&self) -> OutcomeSet<'a, E> {
        OutcomeSet::new(*self)
    }

    /// Returns the step that was captured last.
    pub fn reached(&self) -> Option<StepId> {
        self.captures.latest_first().next().map(|(step, ..)| step)
    }

    /// Returns the steps that would have advanced a partial match, each once, in the order of the
    /// pattern. Empty for a match.
    pub fn awaits(&self) -> impl Iterator<Item = StepId> + use<E> {
        awaits(self.program, self.states)
    }
}

impl<'a, E> Outcome<'a, E> {
    /// Returns the match of the same set with the events of a path in its graph.
    pub(super) fn with_path(self, path: &'a [Packed], moments: &'a [DagEvent]) -> Outcome<'a, E> {
        let moment = |item: Option<&Packed>| item.map(|item| moments[unpacked(*item).0]);
        let (Some(first), Some(last)) = (moment(path.last()), moment(path.first())) else {
            return self;
        };
        Outcome {
            captures: Captures::path(self.captures.arena, path, moments),
            start: Timestamp::from_millis(first.time),
            last: Timestamp::from_millis(last.time),
            start_seq: first.seq,
            ..self
        }
    }
}

impl<E: Event> Outcome<'_, E> {
    /// Evaluates an expression of an emit. `key` has the components of the key. `id` is called only
    /// if the expression uses the id.
    pub(crate) fn evaluate(&self, expr: &Expr, key: &[Value], id: &dyn Fn() -> String) -> Value {
        eval::eval(expr, &OutcomeScope { outcome: self, key, id }).into_value()
    }

    /// Returns an owned copy, which outlives the step that made the outcome. The results of one set
    /// share a copy of it, the last one of `sets`.
    pub(crate) fn hold(&self, sets: &mut LastSet<E>) -> HeldOutcome<E> {
        let (events, head) = match self.set {
            // Only deadlines make outcomes that have to be held, and they complete no graph.
            SetRef::Alone | SetRef::Graph(_) => {
                let (arena, head) = self.copy();
                (HeldEvents::Alone(arena), head)
            }
            SetRef::Listed(listed) => {
                let set = sets.copy_of(listed, self.captures.arena);
                let head = match self.captures.held {
                    Held::Chain(head) => set.head_of(head),
                    Held::Queue(..) | Held::Suffix(..) | Held::Path(..) => NIL,
                };
                (HeldEvents::Set(set), head)
            }
        };
        HeldOutcome {
            events,
            head,
            kind: self.kind,
            start: self.start,
            last: self.last,
            at: self.at,
            start_seq: self.start_seq,
            states: self.states.into(),
            repetition: self.repetition,
        }
    }

    /// Returns a copy of the captured events, and the node of the last one.
    fn copy(&self) -> (CaptureArena<E>, u32) {
        let mut arena = CaptureArena::counting_with(self.captures.arena);
        let mut head = NIL;
        let from = match self.captures.held {
            Held::Chain(head) => self.captures.arena.iter(head),
            Held::Queue(..) | Held::Suffix(..) | Held::Path(..) => SmallVec::new().into_iter(),
        };
        // Only chains know of repetitions of groups.
        let starts = from.map(|id| self.captures.arena.node(id).starts);
        let starts = starts.chain(std::iter::repeat(0));
        for ((step, seq, event), starts) in self.captures.numbered().zip(starts) {
            let event = arena.keep(event.clone(), seq);
            head = arena.link(event, head, step, starts);
        }
        (arena, head)
    }
}

/// A path in a graph, with the events that its items index.
type OwnedPath = (Box<[Packed]>, Box<[DagEvent]>);

/// An open partial match, as [`Matcher::open`](super::Matcher::open) returns it.
pub struct Open<'a, E> {
    pub(super) program: &'a Program,
    captures: Captures<'a, E>,
    /// The events if they are a path in a graph, from the last to the first.
    path: Option<OwnedPath>,
    pub(super) start_seq: u64,
    pub(super) deadline: i64,
    /// Where it waits; nowhere if it is complete and waits to be reported.
    pub(super) states: SmallVec<[StateId; 2]>,
}

impl<E> fmt::Debug for Open<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("captures", &self.captures())
            .field("deadline", &self.deadline())
            .field("awaits", &self.awaits().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl<'a, E> Open<'a, E> {
    /// Returns a partial match that waits in `states`.
    pub(super) fn new(
        program: &'a Program,
        captures: Captures<'a, E>,
        (start_seq, deadline): (u64, i64),
        states: SmallVec<[StateId; 2]>,
    ) -> Open<'a, E> {
        Open { program, captures, path: None, start_seq, deadline, states }
    }

    /// Returns the same partial match with the events of a path in a graph.
    pub(super) fn with_path(self, path: &[Packed], moments: &[DagEvent]) -> Open<'a, E> {
        let own = path.iter().map(|item| moments[unpacked(*item).0]).collect();
        let path = (0..).zip(path).map(|(at, item)| renumbered(*item, at)).collect();
        Open { path: Some((path, own)), ..self }
    }

    /// Returns the events that the partial match has captured so far.
    pub fn captures(&self) -> Captures<'_, E> {
        match &self.path {
            Some((path, moments)) => Captures::path(self.captures.arena, path, moments),
            None => self.captures,
        }
    }

    /// Returns the captured events with their steps, which outlive this view.
    pub(crate) fn events(&self) -> impl ExactSizeIterator<Item = (StepId, &'a E)> + use<'a, E> {
        let arena = self.captures.arena;
        let events: SmallVec<[(StepId, &'a E); 8]> = match &self.path {
            None => self.captures.iter().collect(),
            Some((path, moments)) => {
                let events = path.iter().rev().map(|item| unpacked(*item));
                events.map(|(at, step)| (step, arena.stored(moments[at].event).1)).collect()
            }
        };
        events.into_iter()
    }

    /// Returns the sequence number of the first event.
    pub fn start_seq(&self) -> u64 {
        self.start_seq
    }

    /// Returns the time at which the partial match times out, or at which it matches if its pattern
    /// ends with `not`. `None` if the partial match has no deadline.
    pub fn deadline(&self) -> Option<Timestamp> {
        (self.deadline < i64::MAX).then_some(Timestamp::from_millis(self.deadline))
    }

    /// True if the partial match is complete and waits for older partial matches (`ordered`).
    pub fn is_complete(&self) -> bool {
        self.states.is_empty()
    }

    /// Returns the states in which the partial match waits; none if it is complete.
    pub(crate) fn states(&self) -> &[StateId] {
        &self.states
    }

    /// Returns the automaton of the partial match.
    pub(crate) fn program(&self) -> &'a Program {
        self.program
    }

    /// Returns the steps that would advance the partial match, each once, in the order of the
    /// pattern.
    pub fn awaits(&self) -> impl Iterator<Item = StepId> + use<E> {
        awaits(self.program, &self.states)
    }
}

/// The parts of an open partial match that distinguish it from others.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The captured events by their numbers, with their steps.
    pub(crate) captured: Vec<(StepId, u64)>,
    /// Where it waits; nowhere if it is complete and waits to be reported.
    pub(crate) states: SmallVec<[StateId; 2]>,
    /// The times of its first event and of its last.
    pub(crate) start: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
}

fn awaits(program: &Program, states: &[StateId]) -> impl Iterator<Item = StepId> + use<> {
    let mut steps: SmallVec<[StepId; 8]> =
        states.iter().flat_map(|&state| program.awaits(state)).collect();
    steps.sort_unstable();
    steps.dedup();
    steps.into_iter()
}

impl<E: Event> Open<'_, E> {
    /// Returns the parts that distinguish this partial match from others.
    pub(crate) fn waiting(&self) -> Waiting {
        let time = |event: Option<&E>| event.map_or(Timestamp::MIN, Event::time);
        Waiting {
            captured: self.captures().numbered().map(|(step, seq, _)| (step, seq)).collect(),
            states: self.states.clone(),
            start: time(self.captures().iter().next().map(|(_, event)| event)),
            last: time(self.captures().latest()),
            deadline: self.deadline(),
        }
    }
}

/// The events of an outcome that owns them.
#[derive(Debug)]
enum HeldEvents<E> {
    /// Those of the outcome alone.
    Alone(CaptureArena<E>),
    /// Those of all matches of its set.
    Set(Rc<HeldSet<E>>),
}

/// An outcome that owns what it has captured.
#[derive(Debug)]
pub(crate) struct HeldOutcome<E> {
    events: HeldEvents<E>,
    head: u32,
    kind: OutcomeKind,
    start: Timestamp,
    last: Timestamp,
    at: Timestamp,
    start_seq: u64,
    states: Box<[StateId]>,
    repetition: u64,
}

impl<E> HeldOutcome<E> {
    /// Returns the outcome. `program` must be the program of the original outcome.
    pub(crate) fn outcome<'a>(&'a self, program: &'a Program) -> Outcome<'a, E> {
        let (arena, set) = match &self.events {
            HeldEvents::Alone(arena) => (arena, SetRef::Alone),
            HeldEvents::Set(set) => (&set.arena, SetRef::Listed(&set.listed)),
        };
        Outcome {
            kind: self.kind,
            program,
            set,
            captures: Captures::new(arena, self.head),
            start: self.start,
            last: self.last,
            at: self.at,
            start_seq: self.start_seq,
            repetition: self.repetition,
            states: &self.states,
        }
    }
}

/// The scope of an emit.
struct OutcomeScope<'a, E> {
    outcome: &'a Outcome<'a, E>,
    key: &'a [Value],
    id: &'a dyn Fn() -> String,
}

impl<E: Event> Scope for OutcomeScope<'_, E> {
    fn captured(&self, captured: &CapturedField) -> Value {
        self.outcome.captures.field(captured).to_value()
    }
    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        self.outcome.captures.aggregate(aggregate, self.outcome.program)
    }
    fn key(&self, index: usize) -> ValueRef<'_> {
        self.key.get(index).map_or(ValueRef::Null, Value::as_ref)
    }
    fn fact(&self, fact: MatchFact) -> Value {
        let name =
            |step: StepId| Value::String(self.outcome.program.steps()[step.index()].name.clone());
        match fact {
            MatchFact::Start => Value::Time(self.outcome.start),
            MatchFact::End => Value::Time(self.outcome.at),
            MatchFact::Step => self.outcome.reached().map_or(Value::Null, name),
            MatchFact::Awaits => Value::List(self.outcome.awaits().map(name).collect()),
            MatchFact::Id => (self.id)().into(),
            MatchFact::Repetition => match self.outcome.repetition {
                0 => Value::Null,
                number => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
            },
        }
    }
    fn of_matches(&self, fact: MatchesFact) -> Value {
        let set = self.outcome.set();
        match fact {
            MatchesFact::Count => Value::Int(i64::try_from(set.count()).unwrap_or(i64::MAX)),
            MatchesFact::Total(id) => set.total(id),
        }
    }
    fn divided_by_zero(&self) {
        self.outcome.captures.arena.divided_by_zero();
    }
    fn too_large(&self) {
        self.outcome.captures.arena.too_large();
    }
}
