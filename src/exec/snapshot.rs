//! Images of a key's state, independent of its layout in memory, for snapshots.

use hashbrown::HashMap;

use crate::event::Event;
use crate::exec::aggregate::Accumulator;
use crate::exec::captures::{BEGINS, CaptureArena, NIL, Starts};
use crate::exec::key::{Completed, KeyState, Run};
use crate::exec::matcher::{Matcher, Store};
use crate::exec::registers::{RegisterState, UNSET};
use crate::hir::StageId;
use crate::nfa::{Program, Register, RegisterKind, StateId};
use crate::util::wire::{Reader, put_i64, put_len, put_u64};
use crate::value::Value;
use crate::value::wire::{put_value, read_value};

/// The state of a key in one rule.
#[derive(Debug)]
pub(crate) struct Image<E> {
    /// The captured events with their sequence numbers, each once.
    pub(crate) events: Vec<(u64, E)>,
    /// The captures, each behind the one that was captured before it.
    nodes: Vec<Node>,
    /// The partial matches in their order.
    runs: Vec<Waiting>,
    /// The matches that wait for older partial matches, in their order: the last node of each.
    completed: Vec<u32>,
    /// When the event last came that must not have come before a match starts.
    last_violation: Option<i64>,
    form: Form,
}

/// What runs stand for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    /// Each for itself.
    Runs,
    /// The only one for one that starts at each of its events (a counting window).
    Counted,
    /// The only one, the representative, for its suffixes, too: each starts at a marked event.
    SharedSuffix,
}

/// A captured event.
#[derive(Debug)]
struct Node {
    /// The index in [`Image::events`].
    event: u32,
    /// The index of the node before, plus one; 0 for the first node.
    previous: u32,
    stage: StageId,
    starts: Starts,
}

/// A partial match. Its start and last event follow from its nodes.
#[derive(Debug)]
struct Waiting {
    state: StateId,
    /// The index of the last node.
    head: u32,
    deadline: i64,
    clocks: Vec<i64>,
    registers: Vec<(Value, RegisterState)>,
}

impl<E> Default for Image<E> {
    fn default() -> Image<E> {
        Image {
            events: Vec::new(),
            nodes: Vec::new(),
            runs: Vec::new(),
            completed: Vec::new(),
            last_violation: None,
            form: Form::Runs,
        }
    }
}

impl<E> Image<E> {
    /// Returns the number of partial matches, as [`KeyState::run_count`] does.
    pub(crate) fn run_count(&self) -> usize {
        match self.form {
            Form::Runs => self.runs.len() + self.completed.len(),
            Form::Counted => self.nodes.len(),
            Form::SharedSuffix => {
                1 + self.nodes.iter().filter(|node| node.starts & BEGINS != 0).count()
            }
        }
    }

    /// Returns the event of a node.
    fn last_event(&self, head: u32) -> &E {
        &self.events[self.nodes[head as usize].event as usize].1
    }
}

impl<E: Clone> Image<&E> {
    /// Removes the contents of the image and returns them with owned events.
    pub(crate) fn take_owned(&mut self) -> Image<E> {
        let Image { events, nodes, runs, completed, last_violation, form } = std::mem::take(self);
        let events = events.into_iter().map(|(seq, event)| (seq, event.clone())).collect();
        Image { events, nodes, runs, completed, last_violation, form }
    }
}

impl<E: Event> Matcher<E> {
    /// Fills `image` with the state of a key. The old contents of `image` are dropped.
    pub(crate) fn export<'s>(&self, store: &'s Store<E>, key: &KeyState, image: &mut Image<&'s E>) {
        let Store { arena, file, .. } = store;
        let Image { events, nodes, runs, completed, last_violation, form } = image;
        events.clear();
        nodes.clear();
        runs.clear();
        completed.clear();
        *last_violation = key.last_violation();
        *form = match key.representative() {
            Some(_) => Form::SharedSuffix,
            None if key.window().len > 0 => Form::Counted,
            None => Form::Runs,
        };
        if let Some(window) = self.program().window()
            && *form == Form::Counted
        {
            for (event, stage) in arena.queues.iter(key.window()).zip(&window.stages) {
                let place = number(events.len());
                nodes.push(Node { event: place, previous: place, stage: *stage, starts: 0 });
                events.push(event);
            }
            runs.push(Waiting {
                state: window.states[key.window().len as usize - 1],
                head: number(nodes.len() - 1),
                deadline: key.window().deadline,
                clocks: Vec::new(),
                registers: Vec::new(),
            });
            return;
        }
        let mut exporter = Exporter {
            arena,
            events,
            nodes,
            known: Default::default(),
            is_alone: key.run_count() == 1 || *form == Form::SharedSuffix,
        };
        for run in key.representative().into_iter().chain(key.runs()) {
            let head = exporter.chain(run.head);
            let count = self.program().registers.len();
            runs.push(Waiting {
                state: run.state,
                head,
                deadline: run.deadline,
                clocks: file.times(run.registers).to_vec(),
                registers: (0..count).map(|index| file.register(run.registers, index)).collect(),
            });
        }
        completed.extend(key.completed().iter().map(|match_| exporter.chain(match_.head)));
    }
}

impl<E: Event> Matcher<E> {
    /// Restores the state of a key from an image that was read for the same program.
    pub(crate) fn import(&self, store: &mut Store<E>, image: Image<E>) -> KeyState {
        if image.form == Form::Counted {
            let mut key = KeyState::default();
            for (seq, event) in image.events {
                self.append(store, key.window_mut(), &event, seq);
            }
            if !self.counts() {
                self.write_out(store, &mut key);
            }
            return key;
        }
        let Store { arena, file, .. } = store;
        let mut events = Vec::with_capacity(image.events.len());
        // The number and time of each event, and of each node's first.
        let mut moments = Vec::with_capacity(image.events.len());
        for (seq, event) in image.events {
            moments.push((seq, event.time().as_millis()));
            events.push(arena.keep(event, seq));
        }
        let mut nodes: Vec<u32> = Vec::with_capacity(image.nodes.len());
        let mut firsts: Vec<u32> = Vec::with_capacity(image.nodes.len());
        for node in &image.nodes {
            let (previous, first) = match node.previous.checked_sub(1) {
                Some(previous) => (nodes[previous as usize], firsts[previous as usize]),
                None => (NIL, node.event),
            };
            nodes.push(arena.link(events[node.event as usize], previous, node.stage, node.starts));
            firsts.push(first);
        }
        let place = |head: u32| {
            let (start_seq, start) = moments[firsts[head as usize] as usize];
            let (_, last) = moments[image.nodes[head as usize].event as usize];
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
        key.set_last_violation(image.last_violation);
        for waiting in image.runs {
            let Completed { head, start_seq, start, last, .. } = place(waiting.head);
            arena.retain(head);
            let mut registers = file.create();
            for (time, saved) in file.times_mut(registers).iter_mut().zip(&waiting.clocks) {
                *time = *saved;
            }
            for (index, register) in waiting.registers.into_iter().enumerate() {
                file.restore(&mut registers, index, register);
            }
            let Waiting { state, deadline, .. } = waiting;
            key.runs_mut().push(Run { state, head, registers, start_seq, start, last, deadline });
        }
        if image.form == Form::SharedSuffix {
            self.restore_shared_suffix(store, &mut key);
        }
        let Store { arena, .. } = store;
        for head in &image.completed {
            let match_ = place(*head);
            arena.retain(match_.head);
            key.completed_mut().push(match_);
        }
        // What nothing holds goes again.
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
    nodes: &'i mut Vec<Node>,
    /// The places of nodes, and of events by their numbers.
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
                && let Some(place) = self.known.0.get(&id)
            {
                previous = place + 1;
                break;
            }
            // Until all of them are there, `previous` holds what the node is called in the store.
            let (stage, starts) = (node.stage, node.starts);
            self.nodes.push(Node { event: 0, previous: id, stage, starts });
        }
        self.nodes[from..].reverse();
        for place in from..self.nodes.len() {
            let id = std::mem::replace(&mut self.nodes[place].previous, previous);
            previous = number(place) + 1;
            let (seq, event) = self.arena.event(id);
            let next = number(self.events.len());
            let mut at = next;
            if !self.is_alone {
                self.known.0.insert(id, number(place));
                at = *self.known.1.entry(seq).or_insert(next);
            }
            self.nodes[place].event = at;
            if at == next {
                self.events.push((seq, event));
            }
        }
        previous.saturating_sub(1)
    }
}

/// Stores hold fewer than 2^32 nodes.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<E: Event> Image<&E> {
    /// Appends everything except the events.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_len(out, self.nodes.len());
        for (place, node) in (0..).zip(&self.nodes) {
            put_len(out, node.stage.index());
            put_u64(out, u64::from(node.event));
            // Most nodes are behind the one before them.
            put_u64(out, if node.previous == 0 { 0 } else { place + 1 - u64::from(node.previous) });
            put_u64(out, u64::from(node.starts));
        }
        put_len(out, self.runs.len());
        for run in &self.runs {
            let last = self.last_event(run.head).time().as_millis();
            put_len(out, run.state.index());
            put_u64(out, u64::from(run.head));
            put_i64(out, run.deadline.wrapping_sub(last));
            for clock in &run.clocks {
                out.push(u8::from(*clock != UNSET));
                if *clock != UNSET {
                    put_i64(out, last.wrapping_sub(*clock));
                }
            }
            for (value, state) in &run.registers {
                match state {
                    RegisterState::Unset => out.push(0),
                    RegisterState::Set => {
                        out.push(1);
                        put_value(out, value.as_ref());
                    }
                    RegisterState::Aggregate(accumulator) => {
                        out.push(1);
                        accumulator.write(out);
                    }
                }
            }
        }
        put_len(out, self.completed.len());
        self.completed.iter().for_each(|head| put_u64(out, u64::from(*head)));
        let form = match self.form {
            Form::Runs => 0,
            Form::Counted => 2,
            Form::SharedSuffix => 4,
        };
        out.push(u8::from(self.last_violation.is_some()) | form);
        if let Some(last_violation) = self.last_violation {
            put_i64(out, last_violation);
        }
    }
}

impl<E: Event> Image<E> {
    /// Reads an image of a key in a rule with this program, with the captured events. `None` if the
    /// bytes are not an image, or refer to parts that the program does not have.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        program: &Program,
        events: Vec<(u64, E)>,
    ) -> Option<Image<E>> {
        let mut image = Image { events, ..Image::default() };
        for place in 0..reader.count()? {
            let stage = reader.u32()? as usize;
            let event = reader.u32()?;
            let back = usize::try_from(reader.u64()?).ok()?;
            let starts = reader.u32()?;
            let previous = if back == 0 { 0 } else { (place + 1).checked_sub(back)? };
            let (seq, _) = image.events.get(event as usize)?;
            // Events are captured in the order of their numbers.
            let follows = match previous.checked_sub(1) {
                Some(previous) => image.events[image.nodes[previous].event as usize].0 < *seq,
                None => back == 0,
            };
            if !follows || stage >= program.stages.len() {
                return None;
            }
            let stage = StageId::new(stage);
            image.nodes.push(Node { event, previous: number(previous), stage, starts });
        }
        for _ in 0..reader.count()? {
            let run = image.read_run(reader, program)?;
            image.runs.push(run);
        }
        for _ in 0..reader.count()? {
            let head = reader.u32()?;
            if head as usize >= image.nodes.len() || !program.waits() {
                return None;
            }
            image.completed.push(head);
        }
        let flags = reader.u8()?;
        image.form = match flags & !1 {
            0 => Form::Runs,
            2 => Form::Counted,
            4 => Form::SharedSuffix,
            _ => return None,
        };
        let fits = match image.form {
            Form::Runs => image.starts_below(1 << program.named.len().min(32)),
            Form::Counted => image.starts_below(1) && image.is_queue(program),
            Form::SharedSuffix => {
                image.starts_below(u64::from(BEGINS) + 1) && image.is_shared_suffix(program)
            }
        };
        if !fits {
            return None;
        }
        if flags & 1 != 0 {
            program.leading_not?;
            image.last_violation = Some(reader.i64()?);
        }
        Some(image)
    }

    /// True if nodes start no other groups than those of these bits.
    fn starts_below(&self, bits: u64) -> bool {
        self.nodes.iter().all(|node| u64::from(node.starts) < bits)
    }

    /// Returns the state of the only run, if that run holds all nodes, one behind the other.
    fn state_of_chain(&self) -> Option<StateId> {
        let is_chain = (0..)
            .zip(&self.nodes)
            .all(|(place, node)| node.event == place && node.previous == place);
        let [Waiting { state, head, .. }] = self.runs[..] else { return None };
        let is_whole = is_chain
            && self.events.len() == self.nodes.len()
            && head as usize + 1 == self.nodes.len()
            && self.completed.is_empty();
        is_whole.then_some(state)
    }

    /// True if a counting window of the program can have this state.
    fn is_queue(&self, program: &Program) -> bool {
        let Some(window) = program.window() else { return false };
        let state = self.state_of_chain();
        state.is_some() && window.states.get(self.nodes.len() - 1).copied() == state
    }

    /// True if a representative of the program can have this state.
    fn is_shared_suffix(&self, program: &Program) -> bool {
        let Some(shared) = program.shared_suffix() else { return false };
        let ([run], [(_, first), ..]) = (&self.runs[..], &self.events[..]) else { return false };
        let mut stages = self.nodes.iter().map(|node| node.stage).enumerate();
        self.state_of_chain().is_some_and(|state| state == shared.state(self.nodes.len()))
            && stages.all(|(before, stage)| stage == shared.stage(before))
            && run.deadline == program.deadline_of(first.time().as_millis())
            && self.nodes[0].starts == 0
    }

    fn read_run(&self, reader: &mut Reader<'_>, program: &Program) -> Option<Waiting> {
        let state = reader.u32()? as usize;
        let head = reader.u32()?;
        if head as usize >= self.nodes.len() || state >= program.states.len() {
            return None;
        }
        let last = self.last_event(head).time().as_millis();
        let deadline = last.wrapping_add(reader.i64()?);
        let clock = |_| {
            let is_set = reader.bool()?;
            if is_set { Some(last.wrapping_sub(reader.i64()?)) } else { Some(UNSET) }
        };
        let clocks = (0..program.clocks).map(clock).collect::<Option<_>>()?;
        let register = |register: &Register| {
            if !reader.bool()? {
                return Some((Value::Null, RegisterState::Unset));
            }
            Some(match &register.kind {
                RegisterKind::First(_) | RegisterKind::Last(_) => {
                    (read_value(reader)?, RegisterState::Set)
                }
                RegisterKind::Aggregate(aggregate) => {
                    let accumulator = Accumulator::read(reader, aggregate.op)?;
                    (Value::Null, RegisterState::Aggregate(Box::new(accumulator)))
                }
            })
        };
        let registers = program.registers.iter().map(register).collect::<Option<_>>()?;
        Some(Waiting { state: StateId::new(state), head, deadline, clocks, registers })
    }
}
