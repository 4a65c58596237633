//! The strategy for patterns in which no event leaves a partial match more than one way on: each is
//! moved where it is, and nothing that it holds is shared.

use super::{Step, completed};
use crate::event::Event;
use crate::exec::key::{Completed, KeyState, Run, Runs};
use crate::hir::StageId;
use crate::nfa::{Decision, Move, Note, StateId, Stays};

impl<E: Event> Step<'_, E> {
    /// Does what [`Step::run`] does.
    pub(super) fn run_in_place(&mut self, key: &mut KeyState) {
        self.store.scratch.epoch += 1;
        let event_epoch = self.store.scratch.epoch;
        let runs = key.runs_mut();
        if !runs.is_empty() && self.go_on(runs, event_epoch) {
            runs.clear();
            self.store.scratch.spares.take_back(runs);
            return;
        }
        self.begin(runs, event_epoch);
        self.end(key);
    }

    /// Moves what waits. Says whether a match is complete that drops all that has begun, and what
    /// would begin with its last event; what else there was is given up then.
    #[inline(always)]
    fn go_on(&mut self, runs: &mut Runs, event_epoch: u64) -> bool {
        // The first that the event may move.
        let first = match self.program.decisions.stays(self.column) {
            Stays::All => None,
            Stays::Some(by_state) => runs.iter().position(|run| !by_state[run.state.index()]),
            Stays::Nothing => Some(0),
        };
        let Some(first) = first else { return false };
        // What the limit would drop before the match is told is counted.
        let limit = self.matcher.limits.partial_matches_per_key;
        let is_won_by_first = self.program.is_won_by_first() && runs.len() < limit;
        let open = &mut runs[..];
        let mut kept = first;
        for index in first..open.len() {
            if self.goes_on(&mut open[index], event_epoch) {
                if kept < index {
                    open[kept] = open[index];
                }
                kept += 1;
            } else if is_won_by_first
                && let [Completed { tail: Some(_), .. }] = self.store.scratch.completed[..]
            {
                for place in (0..kept).chain(index + 1..open.len()) {
                    self.give_up(&open[place]);
                }
                return true;
            }
        }
        runs.truncate(kept);
        self.store.scratch.spares.take_back(runs);
        false
    }

    /// Starts a partial match if the event can be a first one.
    #[inline(always)]
    fn begin(&mut self, runs: &mut Runs, event_epoch: u64) {
        let edge = match self.program.decisions.of_start(self.column) {
            Decision::Gone => return,
            Decision::One(edge) => *edge,
            tree => match self.decide(tree, &self.nothing(), event_epoch) {
                Decision::One(edge) => *edge,
                _ => return,
            },
        };
        let mut run = self.nothing();
        run.extra = self.store.extras.create();
        run.deadline = self.program.deadline_of(self.time);
        if self.moves(edge, &mut run, event_epoch) {
            self.store.scratch.spares.make_room(runs, 1);
            runs.push(run);
        }
    }

    /// Moves a run, and says whether it is still there after it.
    #[inline(always)]
    fn goes_on(&mut self, run: &mut Run, event_epoch: u64) -> bool {
        let tree = self.program.decisions.of(run.state, self.column);
        match self.decide(tree, run, event_epoch) {
            Decision::Stay => true,
            Decision::One(edge) => self.moves(*edge, run, event_epoch),
            _ => {
                self.give_up(run);
                false
            }
        }
    }

    #[inline(always)]
    fn moves(&mut self, edge: u32, run: &mut Run, event_epoch: u64) -> bool {
        let to = &self.program.moves[edge as usize];
        // What most come to needs no table of jumps.
        if let Move::Capture { stage, target, note } = *to {
            (run.state, run.last) = (target, self.time);
            self.capture(stage, run);
            if !matches!(note, Note::Nothing) {
                self.note(note, stage, run);
            }
            return true;
        }
        match *to {
            Move::Capture { .. } => true,
            Move::End { stage } => {
                self.ends(stage, run);
                false
            }
            Move::Ask { stage, target } => self.asks(stage, target, run, event_epoch),
            Move::Skip { target } => {
                run.state = target;
                true
            }
            Move::Complete => {
                self.store.extras.release(run.extra);
                self.store.scratch.completed.push(completed(run));
                false
            }
            Move::Stop => {
                self.give_up(run);
                false
            }
        }
    }

    /// Changes registers for the event, which was captured.
    #[inline(always)]
    fn note(&mut self, note: Note, stage: StageId, run: &mut Run) {
        let extras = &mut self.store.extras;
        match note {
            Note::Nothing => {}
            Note::First(_) if !extras.is_untouched(run.extra, 0) => {}
            Note::First(field) | Note::Last(field) => {
                extras.set(&mut run.extra, 0, self.event.field(field));
            }
            Note::Many => self.update_registers(stage, run),
        }
    }

    /// Captures the event behind what a run holds.
    #[inline(always)]
    fn capture(&mut self, stage: StageId, run: &mut Run) {
        let chains = &mut self.store.chains;
        run.head = chains.extend_with(self.event, self.seq, run.head, stage);
    }

    /// Completes a run with the event, which is not stored for it.
    fn ends(&mut self, stage: StageId, run: &mut Run) {
        run.last = self.time;
        self.store.extras.release(run.extra);
        let match_ = Completed { tail: Some(stage), ..completed(run) };
        self.store.scratch.completed.push(match_);
    }

    /// Captures the event, and asks the state to which it leads what becomes of the run.
    fn asks(&mut self, stage: StageId, target: StateId, run: &mut Run, event_epoch: u64) -> bool {
        let state = &self.program.states[target.index()];
        let accepted = state.accept.is_some_and(|guard| self.guard(guard, run, event_epoch));
        if accepted && !state.live {
            self.ends(stage, run);
            return false;
        }
        (run.state, run.last) = (target, self.time);
        self.capture(stage, run);
        if accepted {
            self.complete(completed(run));
        }
        if state.live {
            self.update_registers(stage, run);
        } else {
            self.give_up(run);
        }
        state.live
    }
}
