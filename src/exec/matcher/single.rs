//! The strategy for patterns in which no event leaves a partial match more than one way on: each is
//! moved where it is, and nothing that it holds is shared.

use super::{Step, completed};
use crate::event::Event;
use crate::exec::key::{Completed, KeyState, Run};
use crate::nfa::{Action, Decision};

impl<E: Event> Step<'_, E> {
    /// Does what [`Step::run`] does.
    pub(super) fn run_in_place(&mut self, key: &mut KeyState) {
        self.store.scratch.epoch += 1;
        let event_epoch = self.store.scratch.epoch;
        if !key.runs().is_empty() {
            let runs = key.runs_mut();
            let mut kept = 0;
            for index in 0..runs.len() {
                if self.goes_on(&mut runs[index], event_epoch) {
                    if kept < index {
                        runs[kept] = runs[index];
                    }
                    kept += 1;
                }
            }
            runs.truncate(kept);
        }
        let tree = self.program.decisions.of_start(self.column);
        if *tree != Decision::Gone {
            let mut run = self.nothing();
            if let Decision::One(edge) = self.decide(tree, &run, event_epoch) {
                run.extra = self.store.extras.create();
                run.deadline = self.matcher.deadline_of(self.time);
                if self.moves(*edge, &mut run, event_epoch) {
                    key.runs_mut().push(run);
                }
            }
        }
        self.end(key);
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
        let program = self.program;
        match program.edges[edge as usize].action {
            Action::Take { stage, target } => {
                let state = &program.states[target.index()];
                let accepted =
                    state.accept.is_some_and(|guard| self.guard(guard, run, event_epoch));
                (run.state, run.last) = (target, self.time);
                if accepted && !state.live {
                    self.store.extras.release(run.extra);
                    let match_ = Completed { tail: Some(stage), ..completed(run) };
                    self.store.scratch.completed.push(match_);
                    return false;
                }
                let (event, chains) = (self.event.clone(), &mut self.store.chains);
                run.head = chains.extend_with(event, self.seq, run.head, stage);
                if accepted {
                    self.complete(completed(run));
                }
                if !state.live {
                    self.give_up(run);
                    return false;
                }
                self.update_registers(stage, run);
                true
            }
            Action::Ignore { target } => {
                run.state = target;
                true
            }
            Action::Complete => {
                self.store.extras.release(run.extra);
                self.store.scratch.completed.push(completed(run));
                false
            }
            Action::Stop => {
                self.give_up(run);
                false
            }
        }
    }
}
