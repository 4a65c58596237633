//! Outcomes that own what they have captured, and outlive the step that made them.

use std::rc::Rc;
use std::sync::Arc;

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

/// What an outcome says beside its events and states.
#[derive(Clone, Copy, Debug)]
struct OutcomeFacts {
    kind: OutcomeKind,
    start: Timestamp,
    last: Timestamp,
    at: Timestamp,
    start_seq: u64,
    repetition: u64,
}

impl OutcomeFacts {
    fn of<E>(outcome: &Outcome<'_, E>) -> OutcomeFacts {
        let Outcome { kind, start, last, at, start_seq, repetition, .. } = *outcome;
        OutcomeFacts { kind, start, last, at, start_seq, repetition }
    }

    /// Returns the outcome with its events, and with the states in which it waited and their clocks.
    fn with<'a, E>(
        self,
        program: &'a Arc<Program>,
        captures: Captures<'a, E>,
        set: SetRef<'a>,
        (states, clocks): (&'a [StateId], &'a [i64]),
    ) -> Outcome<'a, E> {
        let OutcomeFacts { kind, start, last, at, start_seq, repetition } = self;
        Outcome {
            kind,
            program,
            captures,
            start,
            last,
            at,
            start_seq,
            states,
            clocks,
            repetition,
            set,
        }
    }
}

/// An outcome that owns what it has captured.
#[derive(Debug)]
pub struct HeldOutcome<E> {
    events: HeldEvents<E>,
    head: u32,
    facts: OutcomeFacts,
    states: Box<[StateId]>,
    clocks: Box<[i64]>,
}

impl<E> HeldOutcome<E> {
    /// Returns the outcome. `program` must be the program of the original outcome.
    pub fn outcome<'a>(&'a self, program: &'a Arc<Program>) -> Outcome<'a, E> {
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
        self.facts.with(program, captures, set, (&self.states, &self.clocks))
    }
}

impl<E: Event> Outcome<'_, E> {
    /// Returns an owned copy, which outlives the step that made the outcome. The results of one set
    /// share a copy of it, the last one of `sets`.
    pub fn hold(&self, sets: &mut LastSet<E>) -> HeldOutcome<E> {
        let (events, head) = match self.set {
            SetRef::Alone => {
                let mut arena = CaptureArena::counting_with(self.captures.arena());
                let head = self.copy_to(&mut arena);
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
        let (states, clocks) = (self.states.into(), self.clocks.into());
        HeldOutcome { events, head, facts: OutcomeFacts::of(self), states, clocks }
    }

    /// Copies the captured events to another arena. Returns the node of the last one.
    fn copy_to(&self, arena: &mut CaptureArena<E>) -> u32 {
        let mut head = NIL;
        // Only chains know of repetitions of groups.
        let from = self
            .captures
            .chain()
            .map_or_else(|| SmallVec::new().into_iter(), |head| self.captures.arena().iter(head));
        let starts = from.map(|id| self.captures.arena().node(id).starts);
        let starts = starts.chain(std::iter::repeat(0));
        for ((step, seq, event), starts) in self.captures.numbered().zip(starts) {
            head = arena.extend_marked(event, seq, head, step, starts);
        }
        head
    }
}

/// Outcomes of one program that own what they have captured, in the memory of one arena. Another
/// thread can read them.
#[derive(Debug)]
pub struct HeldOutcomes<E> {
    program: Arc<Program>,
    arena: CaptureArena<E>,
    all: Vec<HeldHead>,
    /// The states of the outcomes, one after the other, and their clocks.
    states: Vec<StateId>,
    clocks: Vec<i64>,
}

/// An outcome of [`HeldOutcomes`].
#[derive(Debug)]
struct HeldHead {
    head: u32,
    facts: OutcomeFacts,
    /// The ends of its states and of its clocks.
    states_end: usize,
    clocks_end: usize,
}

impl<E> HeldOutcomes<E> {
    /// Holds no outcomes, of the program of this one.
    pub fn like(outcome: &Outcome<'_, E>) -> HeldOutcomes<E> {
        HeldOutcomes {
            program: outcome.program.clone(),
            arena: CaptureArena::counting_with(outcome.captures.arena()),
            all: Vec::new(),
            states: Vec::new(),
            clocks: Vec::new(),
        }
    }

    /// True if an outcome is of the same program, and counts its faults in the same place.
    pub fn is_like(&self, outcome: &Outcome<'_, E>) -> bool {
        Arc::ptr_eq(&self.program, outcome.program)
            && self.arena.counts_with(outcome.captures.arena())
    }

    /// True if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the approximate size of the captured events in bytes.
    pub fn bytes(&self) -> u64 {
        self.arena.bytes()
    }

    /// Returns an outcome by its number.
    pub fn get(&self, number: usize) -> Option<Outcome<'_, E>> {
        let held = self.all.get(number)?;
        let before = number.checked_sub(1).map(|before| &self.all[before]);
        let states = before.map_or(0, |before| before.states_end)..held.states_end;
        let clocks = before.map_or(0, |before| before.clocks_end)..held.clocks_end;
        let captures = Captures::new(&self.arena, held.head);
        let waited = (&self.states[states], &self.clocks[clocks]);
        Some(held.facts.with(&self.program, captures, SetRef::Alone, waited))
    }
}

impl<E: Event> HeldOutcomes<E> {
    /// Adds a copy of an outcome. Returns its number; `None`, and adds nothing, if the outcome is one
    /// of several of a set, which would have to be copied, too.
    pub fn push(&mut self, outcome: &Outcome<'_, E>) -> Option<usize> {
        match outcome.set {
            SetRef::Alone => {}
            SetRef::Listed(listed) if listed.matches.len() == 1 => {}
            SetRef::Listed(_) | SetRef::Graph(_) => return None,
        }
        let head = outcome.copy_to(&mut self.arena);
        self.states.extend_from_slice(outcome.states);
        self.clocks.extend_from_slice(outcome.clocks);
        let (states_end, clocks_end) = (self.states.len(), self.clocks.len());
        self.all.push(HeldHead { head, facts: OutcomeFacts::of(outcome), states_end, clocks_end });
        Some(self.all.len() - 1)
    }

    /// Drops all outcomes.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.all.clear();
        self.states.clear();
        self.clocks.clear();
    }
}
