//! Outcomes that own what they have captured, and outlive the step that made them.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::exec::captured::Captures;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::Packed;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::set::{HeldGraph, HeldSet, LastSet, SetRef};
use crate::nfa::{Program, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The events of an outcome that owns them.
#[derive(Debug)]
enum HeldEvents<E> {
    /// Those of the outcome alone.
    Alone(CaptureArena<E>),
    /// Those of all matches of its set.
    Set(Rc<HeldSet<E>>),
    /// Those of all matches of its set, which is a graph, and its own path there.
    Graph(Rc<HeldGraph<E>>, Box<[Packed]>),
}

/// An outcome that owns what it has captured.
#[derive(Debug)]
pub struct HeldOutcome<E> {
    events: HeldEvents<E>,
    head: u32,
    kind: OutcomeKind,
    start: Timestamp,
    last: Timestamp,
    at: Timestamp,
    start_seq: u64,
    states: Box<[StateId]>,
    clocks: Box<[i64]>,
    repetition: u64,
}

impl<E> HeldOutcome<E> {
    /// Returns the outcome. `program` must be the program of the original outcome.
    pub fn outcome<'a>(&'a self, program: &'a Program) -> Outcome<'a, E> {
        let (captures, set) = match &self.events {
            HeldEvents::Alone(arena) => (Captures::new(arena, self.head), SetRef::Alone),
            HeldEvents::Set(set) => {
                (Captures::new(&set.arena, self.head), SetRef::Listed(&set.listed))
            }
            HeldEvents::Graph(held, path) => {
                let captures = Captures::path(&held.arena, path, held.set.dag.moments());
                (captures, SetRef::Graph(&held.set))
            }
        };
        Outcome {
            kind: self.kind,
            program,
            set,
            captures,
            start: self.start,
            last: self.last,
            at: self.at,
            start_seq: self.start_seq,
            repetition: self.repetition,
            states: &self.states,
            clocks: &self.clocks,
        }
    }
}

impl<E: Event> Outcome<'_, E> {
    /// Returns an owned copy, which outlives the step that made the outcome. The results of one set
    /// share a copy of it, the last one of `sets`.
    pub fn hold(&self, sets: &mut LastSet<E>) -> HeldOutcome<E> {
        let (events, head) = match self.set {
            SetRef::Alone => {
                let (arena, head) = self.copy();
                (HeldEvents::Alone(arena), head)
            }
            SetRef::Graph(set) => {
                let held = sets.copy_of_graph(set, self.captures.arena());
                let path = self.captures.as_path();
                let path = path.map(|(path, moments)| held.path_of(path, moments));
                (HeldEvents::Graph(held, path.unwrap_or_default()), NIL)
            }
            SetRef::Listed(listed) => {
                let set = sets.copy_of(listed, self.captures.arena());
                let head = self.captures.chain().map_or(NIL, |head| set.head_of(head));
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
            clocks: self.clocks.into(),
            repetition: self.repetition,
        }
    }

    /// Returns a copy of the captured events, and the node of the last one.
    fn copy(&self) -> (CaptureArena<E>, u32) {
        let mut arena = CaptureArena::counting_with(self.captures.arena());
        let mut head = NIL;
        // Only chains know of repetitions of groups.
        let from = self
            .captures
            .chain()
            .map_or_else(|| SmallVec::new().into_iter(), |head| self.captures.arena().iter(head));
        let starts = from.map(|id| self.captures.arena().node(id).starts);
        let starts = starts.chain(std::iter::repeat(0));
        for ((step, seq, event), starts) in self.captures.numbered().zip(starts) {
            let event = arena.keep(event.clone(), seq);
            head = arena.link(event, head, step, starts);
        }
        (arena, head)
    }
}
