//! Open partial matches, as a host sees them.

use std::fmt;

use smallvec::SmallVec;

use crate::exec::captured::Captures;
use crate::exec::captures::NIL;
use crate::exec::dag::{DagEvent, Packed, renumbered, unpacked};
use crate::exec::outcome::awaits;
use crate::nfa::{Program, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

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
    /// The states in which it waits; none if it is complete and waits to be reported.
    pub(super) states: SmallVec<[StateId; 2]>,
    /// The clocks of each of its runs, one after the other; none if the states alone say what is
    /// waited for.
    clocks: Vec<i64>,
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
        let clocks = Vec::new();
        Open { program, captures, path: None, start_seq, deadline, states, clocks }
    }

    /// Returns the same partial match with the clocks of each of its runs, if they say what is
    /// waited for.
    pub(super) fn with_clocks<'c>(mut self, clocks: impl Iterator<Item = &'c [i64]>) -> Self {
        if self.program.has_operand_sets() {
            self.clocks = clocks.flatten().copied().collect();
        }
        self
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
            Some((path, moments)) => Captures::path(self.captures.arena(), path, moments),
            None => self.captures,
        }
    }

    /// Returns the captured events with their steps, which outlive this view.
    pub fn events(&self) -> impl ExactSizeIterator<Item = (StepId, &'a E)> + use<'a, E> {
        let arena = self.captures.arena();
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
    pub fn states(&self) -> &[StateId] {
        &self.states
    }

    /// Returns the automaton of the partial match.
    pub fn program(&self) -> &'a Program {
        self.program
    }

    /// Returns the steps that would advance the partial match, each once, in the order of the
    /// pattern.
    pub fn awaits(&self) -> impl Iterator<Item = StepId> + use<E> {
        awaits(self.program, &self.states, &self.clocks)
    }
}

/// The parts of an open partial match that distinguish it from others.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The captured events by their numbers, with their steps.
    pub captured: Vec<(StepId, u64)>,
    /// The node of its last event in the store that it was read from, while nothing changes there.
    pub(super) head: u32,
    /// The states in which it waits; none if it is complete and waits to be reported.
    pub states: SmallVec<[StateId; 2]>,
    /// The steps that would advance it, each once, in the order of the pattern.
    pub awaits: Vec<StepId>,
    /// The time of its first event.
    pub start: Timestamp,
    /// The time of its last event.
    pub last: Timestamp,
    /// The time at which it ends, if it has one.
    pub deadline: Option<Timestamp>,
}

impl<E: Event> Open<'_, E> {
    /// Returns the parts that distinguish this partial match from others.
    pub fn waiting(&self) -> Waiting {
        let time = |event: Option<&E>| event.map_or(Timestamp::MIN, Event::time);
        Waiting {
            captured: self.captures().numbered().map(|(step, seq, _)| (step, seq)).collect(),
            head: NIL,
            states: self.states.clone(),
            awaits: self.awaits().collect(),
            start: time(self.captures().iter().next().map(|(_, event)| event)),
            last: time(self.captures().latest()),
            deadline: self.deadline(),
        }
    }
}
