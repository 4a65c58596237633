//! An image of a key's state: events, nodes and runs by their numbers, whatever the form is in
//! memory.

use hashbrown::HashMap;

use crate::exec::captures::{CaptureArena, NIL, Starts};
use crate::exec::forms::{FormKind, KeyState};
use crate::exec::registers::RegisterState;
use crate::exec::run::{Completed, Run};
use crate::exec::store::Store;
use crate::nfa::{Program, StateId};
use kleene_event::event::Event;
use kleene_event::value::Value;
use kleene_syntax::hir::StepId;

/// The state of a key in one rule.
#[derive(Debug)]
pub struct Image<E> {
    /// The captured events with their sequence numbers, each once.
    pub events: Vec<(u64, E)>,
    /// The captures, each behind the one that was captured before it.
    pub(super) nodes: Vec<ImageNode>,
    /// The partial matches in their order.
    pub(super) runs: Vec<ImageRun>,
    /// The matches that wait for older partial matches, in their order: the last node of each.
    pub(super) completed: Vec<u32>,
    /// When the event last came that must not have come before a match starts.
    pub(super) last_violation: Option<i64>,
    pub(super) form: FormKind,
    /// The graph of the compact form, each node behind those below it.
    pub(super) graph: Vec<ImagePart>,
    /// The groups of the compact form, each with its node and its configurations.
    pub(super) groups: Vec<(u32, Vec<ImageConfiguration>)>,
    /// The time of the key in the compact form; `None` if an older version has written the image.
    pub(super) now: Option<i64>,
}

/// A node of the compact form's graph.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ImagePart {
    /// The chains of two nodes, by their indices.
    Union(u32, u32),
    /// An event by its index in [`Image::events`] behind the chains of a node, or as a start.
    Event { event: u32, step: StepId, below: Option<u32> },
}

/// A configuration of a group.
#[derive(Debug)]
pub(super) struct ImageConfiguration {
    pub(super) state: StateId,
    /// The time of the last event; [`i64::MIN`] if nothing reads it.
    pub(super) last: i64,
    pub(super) deadline: i64,
    pub(super) clocks: Vec<i64>,
    pub(super) registers: Vec<(Value, RegisterState)>,
}

/// A captured event.
#[derive(Debug)]
pub(super) struct ImageNode {
    /// The index in [`Image::events`].
    pub(super) event: u32,
    /// The index of the node before, plus one; 0 for the first node.
    pub(super) previous: u32,
    pub(super) step: StepId,
    pub(super) starts: Starts,
}

/// A partial match. Its start and last event follow from its nodes.
#[derive(Debug)]
pub(super) struct ImageRun {
    pub(super) state: StateId,
    /// The index of the last node.
    pub(super) head: u32,
    pub(super) deadline: i64,
    pub(super) clocks: Vec<i64>,
    pub(super) registers: Vec<(Value, RegisterState)>,
}

impl<E> Default for Image<E> {
    fn default() -> Image<E> {
        Image {
            events: Vec::new(),
            nodes: Vec::new(),
            runs: Vec::new(),
            completed: Vec::new(),
            last_violation: None,
            form: FormKind::Runs,
            graph: Vec::new(),
            groups: Vec::new(),
            now: None,
        }
    }
}

impl<E> Image<E> {
    /// Returns the number of partial matches, as
    /// [`KeyState::partial_count`](super::KeyState::partial_count) does.
    pub fn partial_count(&self) -> u64 {
        self.form.count(self)
    }

    /// True if this is the number of partial matches that a snapshot has written for the image.
    /// Older versions have counted a partial match once for each state in which it waits, and a
    /// group of the compact form as one.
    pub fn has_count(&self, written: u64) -> bool {
        self.partial_count() == written || self.form.former_count(self) == written
    }

    /// Removes the contents of the image.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.nodes.clear();
        self.runs.clear();
        self.completed.clear();
        self.graph.clear();
        self.groups.clear();
        self.now = None;
        self.last_violation = None;
        self.form = FormKind::Runs;
    }

    /// True if nodes start no other groups than those of these bits.
    pub(super) fn starts_below(&self, bits: u64) -> bool {
        self.nodes.iter().all(|node| u64::from(node.starts) < bits)
    }

    /// Returns the state of the only run, if that run holds all nodes, one behind the other.
    pub(super) fn state_of_chain(&self) -> Option<StateId> {
        let is_chain = (0..)
            .zip(&self.nodes)
            .all(|(index, node)| node.event == index && node.previous == index);
        let [ImageRun { state, head, .. }] = self.runs[..] else { return None };
        let is_whole = is_chain
            && self.events.len() == self.nodes.len()
            && head as usize + 1 == self.nodes.len()
            && self.completed.is_empty();
        is_whole.then_some(state)
    }

    /// Returns the event of a node.
    pub(super) fn last_event(&self, head: u32) -> &E {
        &self.events[self.nodes[head as usize].event as usize].1
    }
}

impl<E: Clone> Image<&E> {
    /// Removes the contents of the image and returns them with owned events.
    pub fn take_owned(&mut self) -> Image<E> {
        let Image { events, nodes, runs, completed, last_violation, form, graph, groups, now } =
            std::mem::take(self);
        let events = events.into_iter().map(|(seq, event)| (seq, event.clone())).collect();
        Image { events, nodes, runs, completed, last_violation, form, graph, groups, now }
    }
}

impl<'s, E: Event> Image<&'s E> {
    /// Adds runs and complete matches with the nodes and events that they refer to.
    pub(super) fn add_runs(
        &mut self,
        program: &Program,
        Store { arena, file, .. }: &'s Store<E>,
        (written, complete): (&[Run], &[Completed]),
    ) {
        let is_alone = written.len() + complete.len() == 1;
        let Image { events, nodes, runs, completed, .. } = self;
        let mut exporter = Exporter { arena, events, nodes, known: Default::default(), is_alone };
        for run in written {
            let head = exporter.chain(run.head);
            let count = program.registers.len();
            runs.push(ImageRun {
                state: run.state,
                head,
                deadline: run.deadline,
                clocks: file.times(run.registers).to_vec(),
                registers: (0..count).map(|index| file.register(run.registers, index)).collect(),
            });
        }
        completed.extend(complete.iter().map(|match_| exporter.chain(match_.head)));
    }
}

impl<E: Event> Image<E> {
    /// Returns a key with the runs and the complete matches of the image.
    pub(super) fn into_key(self, store: &mut Store<E>) -> KeyState {
        let Store { arena, file, .. } = store;
        let mut events = Vec::with_capacity(self.events.len());
        // The number and time of each event, and of each node's first.
        let mut moments = Vec::with_capacity(self.events.len());
        for (seq, event) in self.events {
            moments.push((seq, event.time().as_millis()));
            events.push(arena.keep(event, seq));
        }
        let mut nodes: Vec<u32> = Vec::with_capacity(self.nodes.len());
        let mut firsts: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let (previous, first) = match node.previous.checked_sub(1) {
                Some(previous) => (nodes[previous as usize], firsts[previous as usize]),
                None => (NIL, node.event),
            };
            nodes.push(arena.link(events[node.event as usize], previous, node.step, node.starts));
            firsts.push(first);
        }
        let match_of = |head: u32| {
            let (start_seq, start) = moments[firsts[head as usize] as usize];
            let (_, last) = moments[self.nodes[head as usize].event as usize];
            Completed {
                head: nodes[head as usize],
                tail: None,
                start_seq,
                start,
                last,
                repetition: 0,
            }
        };
        let mut key = KeyState::default();
        key.set_last_violation(self.last_violation);
        for run in self.runs {
            let Completed { head, start_seq, start, last, .. } = match_of(run.head);
            arena.retain(head);
            let mut registers = file.create();
            for (time, saved) in file.times_mut(registers).iter_mut().zip(&run.clocks) {
                *time = *saved;
            }
            for (index, register) in run.registers.into_iter().enumerate() {
                file.restore(&mut registers, index, register);
            }
            let ImageRun { state, deadline, .. } = run;
            key.runs_mut().push(Run { state, head, registers, start_seq, start, last, deadline });
        }
        for head in &self.completed {
            let match_ = match_of(*head);
            arena.retain(match_.head);
            key.completed_mut().push(match_);
        }
        // Events that no node refers to are released.
        for node in nodes {
            arena.release(node);
        }
        for event in events {
            arena.release_event(event);
        }
        key
    }
}

/// Numbers nodes and events in the order in which they are met.
struct Exporter<'i, 's, E> {
    arena: &'s CaptureArena<E>,
    events: &'i mut Vec<(u64, &'s E)>,
    nodes: &'i mut Vec<ImageNode>,
    /// The indices of nodes, and of events by their numbers.
    known: (HashMap<u32, u32>, HashMap<u64, u32>),
    /// True if there is one chain only, in which nothing comes twice.
    is_alone: bool,
}

impl<E> Exporter<'_, '_, E> {
    /// Adds the chain that ends in `head`, and returns the index of its last node.
    fn chain(&mut self, head: u32) -> u32 {
        let from = self.nodes.len();
        let mut previous = 0;
        for (id, node) in self.arena.iter_rev(head) {
            if !self.is_alone
                && let Some(index) = self.known.0.get(&id)
            {
                previous = index + 1;
                break;
            }
            // Until all of them are there, `previous` holds what the node is called in the store.
            let (step, starts) = (node.step, node.starts);
            self.nodes.push(ImageNode { event: 0, previous: id, step, starts });
        }
        self.nodes[from..].reverse();
        for index in from..self.nodes.len() {
            let id = std::mem::replace(&mut self.nodes[index].previous, previous);
            previous = number(index) + 1;
            let (seq, event) = self.arena.event(id);
            let next = number(self.events.len());
            let mut at = next;
            if !self.is_alone {
                self.known.0.insert(id, number(index));
                at = *self.known.1.entry(seq).or_insert(next);
            }
            self.nodes[index].event = at;
            if at == next {
                self.events.push((seq, event));
            }
        }
        previous.saturating_sub(1)
    }
}

/// Stores hold fewer than 2^32 nodes.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
