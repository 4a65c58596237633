//! The general strategy: an event can lead a partial match along several branches.
//!
//! When it applies: any pattern. A pattern takes it if no other strategy applies; `kleene explain`
//! says why.
//!
//! Why it is right: each branch that an event opens becomes a run, and equal runs are merged where
//! two branches can meet. Runs that an event leaves as they are stay where they are.
//!
//! What it saves: nothing. It is the way that the other strategies are compared with.
//!
//! Which test holds it: `tests/conformance.rs` against Flink CEP, and
//! `the_matcher_reports_what_the_reference_reports` in `tests/properties.rs`.
//!
//! An example with `match a -> any b -> c`, `skip none`. `b` is a state with two edges for a `b`:
//! take it, or ignore it and wait on.
//! ```text
//! event   run {a1} in b        run {a1 b2} in c       runs afterwards
//! a1                                                  {a1} b
//! b2      Several: both                               {a1} b, {a1 b2} c
//! x3      Stay                 Stay                   {a1} b, {a1 b2} c
//! c4      Stay                 One: completes         {a1} b            match a1 b2 c4
//! ```
//!
//! The way of one run through an event:
//! ```text
//! decision of the state     Stay          the run is not copied, and not touched
//!                           Gone          its hold on the store is released
//!                           One           its successor takes over the hold
//!                           Several       each but the last gets a hold of its own
//!                           Ask           the guards are tested edge by edge; a Stop ends the run
//! ```
//!
//! A *hold* is one reference to the head node and one set of registers. A function that follows an
//! edge owns the run's hold, and either passes it on or releases it. That is what keeps the store's
//! counts exact without a scan.
//!
//! Invariants:
//! * Runs are in the order of their starts. A run that moves is followed by its successors, so the
//!   order stays: from the first run that moves on, all runs go through `next`.
//! * Two runs of a key differ in state, node or clocks, if paths can meet (`may_duplicate`).
//! * Answers of conditions on the event alone are valid for the epoch of the event, all others for
//!   the epoch of one run.
//!
//! The list is not made anew for each event: the runs before the first that moves are left in
//! place, and an event that moves none writes nothing.

use std::hash::BuildHasher as _;

use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::KeyState;
use super::census::{CROWDED, Census};
use crate::exec::captures::Starts;
use crate::exec::matcher::Walk;
use crate::exec::registers::{RegisterFile, UNSET};
use crate::exec::run::{Completed, Run, completed};
use crate::exec::store::Store;
use crate::nfa::{Action, ClockOp, Decision, Edge, LeadingNot, OperandSet, StateId};
use kleene_event::event::Event;
use kleene_syntax::hir::{Length, StepId};

impl<E: Event> Walk<'_, E> {
    /// Matches an event: moves all runs of a key that it can move, and starts new ones.
    pub(super) fn run(&mut self, key: &mut KeyState) {
        // Conditions on the event alone are tested at most once: an epoch for the event, and one
        // for each run after it.
        self.store.scratch.answers.epoch += 1;
        let event_epoch = self.store.scratch.answers.epoch;
        key.forget_deadlines();
        // With many runs, a census by states says how many can move. Those before the first of them
        // are not visited: `crowded.rs` argues that.
        let crowd = (key.runs().len() >= CROWDED).then(|| {
            let (first, mut census) = self.first_that_moves(key, event_epoch);
            census.remove(&key.runs()[first..]);
            census
        });
        let first = crowd.as_ref().map_or(0, Census::count);
        self.store.counts.steps += 1 + (key.runs().len() - first) as u64;
        // The list is reused from event to event, so that a move allocates nothing.
        let mut next = std::mem::take(&mut self.store.scratch.next);
        next.clear();
        // Runs stay where they are until the first that does not.
        let (mut kept, before) = (first, key.runs().len());
        while kept < key.runs().len() && next.is_empty() {
            let run = key.runs()[kept];
            if self.advance_run(&run, event_epoch, &mut next) {
                kept += 1;
                continue;
            }
            for i in kept + 1..key.runs().len() {
                let run = key.runs()[i];
                if self.advance_run(&run, event_epoch, &mut next) {
                    next.push(run);
                }
            }
            key.keep_first(kept);
            break;
        }
        if self.program.leading_not.is_none() || self.is_silent(key, event_epoch) {
            self.start(event_epoch, &mut next);
        }
        if self.program.meeting.may_duplicate {
            // The new starts are in `next`, too: two of them can be equal.
            self.merge_equal(key, &mut next);
        }
        self.store.counts.steps += next.len() as u64;
        self.has_changed = kept < before || !next.is_empty();
        key.add_runs(&next);
        if let Some(mut census) = crowd {
            census.add(key.runs(), first);
            key.set_census(census);
        }
        next.clear();
        self.store.scratch.next = next;
        self.end(key);
        let Store { arena, scratch, .. } = &mut *self.store;
        // The map has held a reference to each node, so that none was reused during this event.
        for (_, node) in scratch.meeting.made.drain() {
            arena.release(node);
        }
    }

    /// True if a match can start: what must not have come for so long has not. Remembers the event
    /// if it is one of those.
    pub(super) fn is_silent(&mut self, key: &mut KeyState, event_epoch: u64) -> bool {
        let Some(LeadingNot { condition, millis }) = self.program.leading_not else { return true };
        let silent =
            key.last_violation().is_none_or(|last| self.time.saturating_sub(last) >= millis);
        self.store.scratch.answers.epoch += 1;
        let nothing = self.nothing();
        if self.one_of(condition, &nothing, event_epoch) {
            key.set_last_violation(Some(self.time));
        }
        silent
    }

    /// Moves one run. Returns true if the run stays as it is. Otherwise its successors are in
    /// `next`, and its hold on the store is released.
    #[inline]
    pub(super) fn advance_run(&mut self, run: &Run, event_epoch: u64, next: &mut Vec<Run>) -> bool {
        let tree = self.program.decisions.of(run.state, self.column);
        let decision = self.decide(tree, run, event_epoch);
        self.move_run(run, decision, event_epoch, next)
    }

    /// Moves one run by the end of its tree, as [`advance_run`](Walk::advance_run) does.
    #[inline]
    pub(super) fn move_run(
        &mut self,
        run: &Run,
        decision: &Decision,
        event_epoch: u64,
        next: &mut Vec<Run>,
    ) -> bool {
        let program = self.program;
        match decision {
            Decision::Stay => return true,
            Decision::Gone => self.give_up(run),
            Decision::One(edge) => {
                // The only branch takes over the run's hold.
                self.follow(&program.edges[*edge as usize], *run, event_epoch, next);
            }
            Decision::Several(edges) => {
                self.branch(run, program.decisions.edges(edges), event_epoch, next);
            }
            _ => {
                let Some(open) = self.ask(run, event_epoch) else {
                    self.give_up(run);
                    return false;
                };
                if let [edge] = &open[..]
                    && let Edge { action: Action::Ignore { target }, clocks, .. } =
                        &program.edges[*edge as usize]
                    && *target == run.state
                    && clocks.is_empty()
                {
                    return true;
                }
                self.branch(run, &open, event_epoch, next);
            }
        }
        false
    }

    /// The edges that are open, guard by guard; none where there is a stop among them.
    #[cold]
    pub(super) fn ask(&mut self, run: &Run, event_epoch: u64) -> Option<SmallVec<[u32; 8]>> {
        let mut open = SmallVec::new();
        for index in self.program.states[run.state.index()].edges.clone() {
            let edge = &self.program.edges[index as usize];
            if self.guard(edge.guard, run, event_epoch) {
                // A violated `not` ends the run whatever else is open.
                if edge.action == Action::Stop {
                    return None;
                }
                open.push(index);
            }
        }
        Some(open)
    }

    /// Takes all of several branches, or none.
    fn branch(&mut self, run: &Run, open: &[u32], event_epoch: u64, next: &mut Vec<Run>) {
        let program = self.program;
        let Some((last, others)) = open.split_last() else { return self.give_up(run) };
        for edge in others {
            self.store.arena.retain(run.head);
            let registers = self.store.file.duplicate(run.registers);
            let run = Run { registers, ..*run };
            self.follow(&program.edges[*edge as usize], run, event_epoch, next);
        }
        // The last branch takes over what the run holds.
        self.follow(&program.edges[*last as usize], *run, event_epoch, next);
    }

    pub(super) fn start(&mut self, event_epoch: u64, next: &mut Vec<Run>) {
        let program = self.program;
        let tree = program.decisions.of_start(self.column);
        // Most types begin nothing. No registers are made for them.
        if *tree == Decision::Gone {
            return;
        }
        let nothing = self.nothing();
        let mut begin = |walk: &mut Self, edge: u32| {
            let registers = walk.store.file.create();
            let run = Run { registers, ..nothing };
            walk.follow(&program.edges[edge as usize], run, event_epoch, next);
        };
        match self.decide(tree, &nothing, event_epoch) {
            Decision::One(edge) => begin(self, *edge),
            Decision::Several(edges) => {
                program.decisions.edges(edges).iter().for_each(|&edge| begin(self, edge));
            }
            Decision::Ask => {
                for edge in self.ask(&nothing, event_epoch).unwrap_or_default() {
                    let action = program.edges[edge as usize].action;
                    // The start waits for ever. Only what captures the event is a partial match.
                    if matches!(action, Action::Take { .. }) {
                        begin(self, edge);
                    }
                }
            }
            _ => {}
        }
    }

    /// Follows `edge`. The successor takes over the run's hold on the store.
    ///
    /// Each arm passes the run's hold on exactly once: to a successor, to a match, or back to the
    /// store.
    fn follow(&mut self, edge: &Edge, run: Run, event_epoch: u64, next: &mut Vec<Run>) {
        match edge.action {
            Action::Stop => self.give_up(&run),
            Action::Complete => {
                self.store.file.release(run.registers);
                self.store.scratch.completed.push(completed(&run));
            }
            Action::Ignore { target } => {
                let mut run = Run { state: target, ..run };
                self.set_clocks(edge, &run);
                run.deadline = self.times(&run).deadline_after(self.time);
                if run.deadline <= self.time {
                    // The state that the run would wait in has timed out already.
                    self.give_up(&run);
                } else {
                    next.push(run);
                }
            }
            Action::Take { step, target } => {
                self.take(edge, (step, target), run, event_epoch, next);
            }
        }
    }

    fn take(
        &mut self,
        edge: &Edge,
        (step, target): (StepId, StateId),
        run: Run,
        event_epoch: u64,
        next: &mut Vec<Run>,
    ) {
        let state = &self.program.states[target.index()];
        // The path to the end is looked at with what was captured before this event.
        // A state can be the end for some events only: what may be left out up to the end has
        // guards.
        let accepted = state.accept.is_some_and(|guard| self.guard(guard, &run, event_epoch));
        if accepted && !state.live && self.program.meeting.ends_alone {
            // Most matches are reported before the next event: it need not be stored for them.
            self.store.file.release(run.registers);
            let run = Run { last: self.time, ..run };
            let match_ = Completed { tail: Some(step), ..completed(&run) };
            self.store.scratch.completed.push(match_);
            return;
        }
        let head = self.link(edge, &run, step);
        self.store.arena.release(run.head);
        let mut run = Run { state: target, head, last: self.time, ..run };
        // An event that says how long a match may take may say that it comes too late itself.
        let read = matches!(self.program.timing.within, Some(Length::Read(_)));
        if read {
            self.update_registers(step, &mut run);
        }
        // Any other bound is kept: time is moved before an event, and drops what is over.
        let in_time = !read || self.times(&run).whole_deadline() > self.time;
        if accepted && in_time {
            self.complete(completed(&run));
        }
        if !state.live && in_time {
            self.give_up(&run);
            return;
        }
        self.set_clocks(edge, &run);
        if !read {
            self.update_registers(step, &mut run);
        }
        run.deadline = self.times(&run).deadline();
        if run.deadline <= self.time {
            let waits_for_time = state.accepts_at_deadline && !state.accepts_when_exhausted;
            if self.program.lengths.is_empty() && !waits_for_time {
                // Another of several branches has waited too long for what it waits for there.
                self.give_up(&run);
                return;
            }
            // An event says that it is over already, or a `not` holds for no time at all.
            run.deadline = self.time;
        }
        next.push(run);
    }

    /// Returns the node of this event after the captures of `run`, with a reference for the caller.
    fn link(&mut self, edge: &Edge, run: &Run, step: StepId) -> u32 {
        let previous = run.head;
        let starts = self.starts(edge, run);
        let stored = self.store_event();
        let Store { arena, scratch, .. } = &mut *self.store;
        if !self.program.meeting.may_duplicate {
            return arena.link(stored, previous, step, starts);
        }
        // Equal captures get the same node, so that equal runs can be found.
        match scratch.meeting.made.entry((previous, step, starts)) {
            hashbrown::hash_map::Entry::Occupied(made) => {
                arena.retain(*made.get());
                *made.get()
            }
            hashbrown::hash_map::Entry::Vacant(entry) => {
                // An entry of this map lives no longer than the nodes that it names.
                let node = *entry.insert(arena.link(stored, previous, step, starts));
                arena.retain(node);
                node
            }
        }
    }

    /// Returns the named groups that start a repetition when `edge` takes the event.
    ///
    /// The rounds of a named group cannot be found from the events alone, so a node says which
    /// groups begin a round with it. A round begins where the clock of the group begins to run.
    fn starts(&self, edge: &Edge, run: &Run) -> Starts {
        let mut starts = 0;
        if self.program.named.is_empty() {
            return starts;
        }
        let times = self.store.file.times(run.registers);
        for op in self.program.clock_ops(edge) {
            let clock = match *op {
                ClockOp::Set(clock) | ClockOp::Pass(clock) => clock,
                ClockOp::SetIfUnset(clock) | ClockOp::Unset(clock)
                    if times[clock as usize] == UNSET =>
                {
                    clock
                }
                ClockOp::SetIfUnset(_)
                | ClockOp::Unset(_)
                | ClockOp::Clear(_)
                | ClockOp::Add { .. } => continue,
            };
            for ((_, named), bit) in self.program.named.iter().zip(0..) {
                if *named == clock {
                    starts |= 1 << bit;
                }
            }
        }
        starts
    }

    /// Of runs that wait in the same state with the same events, keeps the first.
    fn merge_equal(&mut self, key: &KeyState, next: &mut Vec<Run>) {
        if next.is_empty() || key.runs().len() + next.len() == 1 {
            return;
        }
        let Store { arena, file, scratch, .. } = &mut *self.store;
        let (seen, hasher) = (&mut scratch.meeting.seen, &scratch.meeting.hasher);
        seen.clear();
        let stay = key.runs().len();
        // Clocks are part of it: runs that began a group at different times have different futures.
        // Registers follow from the captured events, which equal nodes have in common.
        let identity = |run: &Run, file: &RegisterFile| {
            hasher.hash_one((run.state, run.head, file.times(run.registers)))
        };
        // A run is remembered by its position, those in `next` after those that stay.
        for (position, run) in key.runs().iter().enumerate() {
            let rehash = |position: &usize| identity(&key.runs()[*position], file);
            seen.insert_unique(identity(run, file), position, rehash);
        }
        let mut kept = 0;
        for index in 0..next.len() {
            let run = next[index];
            let at = |position: usize| match position.checked_sub(stay) {
                Some(of_next) => &next[of_next],
                None => &key.runs()[position],
            };
            let is_same = |position: &usize| {
                let other = at(*position);
                (other.state, other.head) == (run.state, run.head)
                    && file.times(other.registers) == file.times(run.registers)
            };
            let rehash = |position: &usize| identity(at(*position), file);
            match seen.entry(identity(&run, file), is_same, rehash) {
                Entry::Vacant(entry) => {
                    entry.insert(stay + kept);
                    next[kept] = run;
                    kept += 1;
                }
                Entry::Occupied(_) => {
                    arena.release(run.head);
                    file.release(run.registers);
                }
            }
        }
        next.truncate(kept);
    }

    pub(super) fn set_clocks(&mut self, edge: &Edge, run: &Run) {
        if edge.clocks.is_empty() {
            return;
        }
        let times = self.store.file.times_mut(run.registers);
        for op in self.program.clock_ops(edge) {
            match *op {
                ClockOp::Set(clock) => times[clock as usize] = self.time,
                ClockOp::SetIfUnset(clock) if times[clock as usize] == UNSET => {
                    times[clock as usize] = self.time;
                }
                ClockOp::SetIfUnset(_) => {}
                ClockOp::Unset(clock) | ClockOp::Pass(clock) | ClockOp::Clear(clock) => {
                    times[clock as usize] = UNSET;
                }
                ClockOp::Add { set, event } => {
                    let come = OperandSet::of_clock(times[set as usize]);
                    times[set as usize] = come.with(event).to_clock();
                }
            }
        }
    }
}
