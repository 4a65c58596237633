//! One event on its way through a key's runs: what the forms of state share.

use super::compiled::Matcher;
use super::register_update::update_register;
use crate::exec::captures::NIL;
use crate::exec::forms::KeyState;
use crate::exec::registers::Registers;
use crate::exec::run::{Completed, Run};
use crate::exec::store::Store;
use crate::exec::times::Times;
use crate::nfa::{Decision, DecisionColumn, Program};
use kleene_event::event::Event;
use kleene_event::schema::FieldId;
use kleene_syntax::hir::{ConditionId, Length, StepId};

/// One event on its way through a key's runs.
pub(in crate::exec) struct Walk<'a, E> {
    pub(in crate::exec) matcher: &'a Matcher<E>,
    pub(in crate::exec) program: &'a Program,
    pub(in crate::exec) store: &'a mut Store<E>,
    pub(in crate::exec) event: &'a E,
    pub(in crate::exec) seq: u64,
    pub(in crate::exec) time: i64,
    /// Of the event's type among the program's decisions.
    pub(in crate::exec) column: &'a DecisionColumn,
    /// The event in the store, once something captured it.
    pub(in crate::exec) stored: u32,
    pub(in crate::exec) overflow: usize,
    /// True if runs have come or gone, or stand in another state.
    pub(in crate::exec) has_changed: bool,
}

impl<'a, E: Event> Walk<'a, E> {
    pub(in crate::exec) fn new(
        matcher: &'a Matcher<E>,
        store: &'a mut Store<E>,
        event: &'a E,
        seq: u64,
    ) -> Walk<'a, E> {
        let program = &*matcher.program;
        let column = program.decisions.column(event.type_id());
        let time = event.time().as_millis();
        let (stored, overflow, has_changed) = (NIL, 0, false);
        Walk { matcher, program, store, event, seq, time, column, stored, overflow, has_changed }
    }

    /// The value of a field as a word; [`Registers::NOTHING`] where it does not fit.
    #[inline(always)]
    pub(in crate::exec) fn word(&self, field: FieldId) -> Registers {
        Registers::of(self.event.field(field)).unwrap_or(Registers::NOTHING)
    }

    /// Enforces the limits, reports the matches that need not wait any more, and releases the
    /// event.
    #[inline(always)]
    pub(in crate::exec) fn end(&mut self, key: &mut KeyState) {
        if key.runs().len() > self.matcher.unchecked_runs {
            self.cut(key);
        }
        let count = self.store.scratch.completed.len();
        if count > 0 && (count + key.completed().len() > 1 || self.program.waits()) {
            self.store_tails();
        }
        if self.stored != NIL {
            self.store.arena.release_event(self.stored);
        }
    }

    /// Puts the event into the store for the matches that end with it.
    fn store_tails(&mut self) {
        for index in 0..self.store.scratch.completed.len() {
            let match_ = self.store.scratch.completed[index];
            let Some(step) = match_.tail else { continue };
            let stored = self.store_event();
            let head = self.store.arena.extend(stored, match_.head, step, 0);
            self.store.scratch.completed[index] = Completed { head, tail: None, ..match_ };
        }
    }

    /// The event in the store.
    #[inline]
    pub(in crate::exec) fn store_event(&mut self) -> u32 {
        if self.stored == NIL {
            self.stored = self.store.arena.keep(self.event.clone(), self.seq);
        }
        self.stored
    }

    /// Returns a run that has captured nothing.
    pub(in crate::exec) fn nothing(&self) -> Run {
        Run {
            state: self.program.start,
            head: NIL,
            registers: Registers::NOTHING,
            start_seq: self.seq,
            start: self.time,
            last: self.time,
            deadline: i64::MAX,
        }
    }

    /// Drops what is beyond the limit, and the oldest of what would take the next event too many
    /// steps. All that goes is taken out at once: one by one, each would move all those behind it.
    #[inline(never)]
    fn cut(&mut self, key: &mut KeyState) {
        let (excess, dropped) = self.matcher.take_excess(key);
        self.overflow += dropped;
        excess.iter().for_each(|run| self.give_up(run));
        let (oldest, dropped) = self.matcher.take_beyond_budget(&self.store.arena, key);
        self.overflow += dropped;
        self.store.counts.spent += dropped;
        oldest.iter().for_each(|run| self.give_up(run));
    }

    /// True if a condition on the event alone holds.
    #[inline(never)]
    pub(in crate::exec) fn holds(&mut self, condition: ConditionId) -> bool {
        self.store.scratch.answers.epoch += 1;
        let (nothing, event_epoch) = (self.nothing(), self.store.scratch.answers.epoch);
        self.test(condition, &nothing, event_epoch)
    }

    /// Goes down a tree as far as it leads.
    #[inline(always)]
    pub(in crate::exec) fn decide(
        &mut self,
        tree: &'a Decision,
        run: &Run,
        event_epoch: u64,
    ) -> &'a Decision {
        self.decide_with(tree, run, event_epoch, None)
    }

    /// Goes down a tree as far as it leads, with the answer of one condition if it is known. A copy
    /// for all callers: only the compact form asks so.
    #[inline(never)]
    pub(in crate::exec) fn decide_knowing(
        &mut self,
        tree: &'a Decision,
        run: &Run,
        event_epoch: u64,
        answer: Option<(ConditionId, bool)>,
    ) -> &'a Decision {
        self.decide_with(tree, run, event_epoch, answer)
    }

    #[inline(always)]
    fn decide_with(
        &mut self,
        tree: &'a Decision,
        run: &Run,
        event_epoch: u64,
        answer: Option<(ConditionId, bool)>,
    ) -> &'a Decision {
        self.store.scratch.answers.epoch += 1;
        let program = self.program;
        let mut node = tree;
        loop {
            let (holds, yes, no) = match node {
                Decision::Condition { condition, yes, no } => {
                    let holds = match answer {
                        Some((of, holds)) if of == *condition => holds,
                        _ => self.test(*condition, run, event_epoch),
                    };
                    (holds, yes, no)
                }
                Decision::Time { guard, yes, no } => {
                    (self.guard(*guard, run, event_epoch), yes, no)
                }
                _ => return node,
            };
            node = program.decisions.node(if holds { *yes } else { *no });
        }
    }

    /// A match with a reference of its own to its events.
    pub(in crate::exec) fn complete(&mut self, match_: Completed) {
        self.store.arena.retain(match_.head);
        self.store.scratch.completed.push(match_);
    }

    pub(in crate::exec) fn give_up(&mut self, run: &Run) {
        self.store.arena.release(run.head);
        self.store.file.release(run.registers);
    }

    #[inline]
    pub(in crate::exec) fn update_registers(&mut self, step: StepId, run: &mut Run) {
        let program = self.program;
        for &index in &program.registers_by_step[step.index()] {
            let index = index as usize;
            let Store { arena, file, .. } = &mut *self.store;
            let kind = &program.registers[index].kind;
            update_register(kind, (file, &mut run.registers), index, self.event, arena);
        }
    }

    pub(in crate::exec) fn times<'t>(&'t self, run: &'t Run) -> Times<'t, E> {
        let Store { arena, file, .. } = &*self.store;
        Times { program: self.program, arena, file, run }
    }

    pub(in crate::exec) fn millis(&self, length: Length, run: &Run) -> i64 {
        self.times(run).millis(length)
    }
}
