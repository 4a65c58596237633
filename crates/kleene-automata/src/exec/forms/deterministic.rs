//! The deterministic strategy: each partial match is advanced in place.
//!
//! When it applies: patterns in which an event leads a partial match along one branch at most.
//!
//! Why it is right: without branches, no two partial matches share captured events.
//!
//! What it saves: no run is copied, and no node of a chain is shared. Without this strategy and
//! those that build on it, W1 takes 1.36 times the instructions, W2 1.34, W5 3.05
//! (docs/performance.md).
//!
//! Which test holds it: `every_strategy_reports_the_same` in `tests/strategies.rs`.
//!
//! Two fast paths are in this file:
//! * Many runs that wait for one number are compared with the event's number without a walk of the
//!   tree (`Asked`). It applies from [`MANY`] runs on. A run that is not refused is asked like any
//!   other.
//! * A test of the order of two numbers is one comparison for all answers (`decision_of`).
//!
//! `keys_with_many_partial_matches_report_the_same` in `tests/strategies.rs` holds them.
//!
//! An example: `match a as x -> b[v == x.v]`, `skip none`. Runs are moved within their list, and
//! one that is gone leaves a gap that the next ones fill:
//! ```text
//! event      values of the runs   why
//! a1 a2 a3   1, 2, 3              each `a` begins a run, whose register is `x.v`
//! b2         1, 3                 the second is complete; the third moves up
//! b9         1, 3                 both stay. Of `MANY` runs, `SharedTest` would say so
//! ```
//!
//! ```text
//! runs     [ r0 r1 | gap gap | r4 r5 r6 ]
//!                  ^ kept    ^ index
//!            done     free     not visited yet
//! ```
//! Before the first gap, nothing is copied: `kept == index`.
//!
//! Invariants:
//! * A run has one hold on its node and registers for its whole life. No other run shares them, so
//!   they are updated in place.
//! * Runs stay in the order of their starts, as gaps are closed from the front.
//! * The result is that of [`Walk::run`], which is what the tests compare.
//!
//! Rejected, as it saved less than 5 % of the instructions of each workload (docs/performance.md):
//! lists of runs kept in a pool, and the end of an event's walk at the first match that drops all
//! other runs.

use super::KeyState;
use super::census::CROWDED;
use crate::exec::captures::NIL;
use crate::exec::matcher::Walk;
use crate::exec::registers::Registers;
use crate::exec::run::{Completed, Run, completed};
use crate::nfa::{
    Comparison, Decision, Decisions, EdgeEffect, FieldComparison, Operand, RegisterUpdate, StateId,
};
use kleene_event::event::Event;
use kleene_syntax::hir::StepId;
use kleene_syntax::hir::eval::Relation;

/// The number of runs from which a shared test is prepared for all runs.
const MANY: usize = 4;

/// A test whose answer many runs share: true if a number of the event equals the number of the run.
/// In most cases the numbers differ, and then the run stays.
struct SharedTest {
    /// The tree with this test only.
    root: u32,
    /// An integer; [`Registers::NOTHING`] if the test cannot be shared.
    number: Registers,
}

impl SharedTest {
    const NOTHING: SharedTest = SharedTest { root: Decisions::STAY, number: Registers::NOTHING };

    /// True if the run, which waits at this root, certainly stays.
    ///
    /// Only different integers refuse. A float, a text or null is asked like any other value, since
    /// equality across kinds has rules of its own.
    #[inline(always)]
    fn refuses(&self, run: &Run, root: u32) -> bool {
        root == self.root && self.number.is_other_int(run.registers)
    }
}

impl<'a, E: Event> Walk<'a, E> {
    /// Matches an event in place, with the result of [`Walk::run`].
    pub(in crate::exec) fn run_in_place(&mut self, key: &mut KeyState) {
        self.store.scratch.answers.epoch += 1;
        let event_epoch = self.store.scratch.answers.epoch;
        self.store.counts.steps += 1;
        // No state of the pattern moves for this type of event: the runs need not be looked at.
        if !self.column.is_still {
            let count = key.runs().len();
            if count >= CROWDED {
                return self.run_crowded(key, event_epoch);
            }
            self.store.counts.steps += count as u64;
            match count {
                0 => {}
                1..MANY => self.advance_all::<false>(key, 0, event_epoch, |_, _| {}),
                // Two copies of the loop: a key with few runs does not pay for the preparation of a
                // shared test.
                _ => self.advance_all::<true>(key, 0, event_epoch, |_, _| {}),
            }
        }
        self.begin(key, event_epoch);
        self.end(key);
    }

    /// Matches an event in place for a key with many runs: those that the event cannot move are not
    /// visited.
    ///
    /// Out of line, so that the short way of nearly all keys stays small.
    #[inline(never)]
    fn run_crowded(&mut self, key: &mut KeyState, event_epoch: u64) {
        let (first, mut census) = self.first_that_moves(key, event_epoch);
        self.store.counts.steps += (key.runs().len() - first) as u64;
        self.advance_all::<true>(key, first, event_epoch, |from, to| census.note(from, to));
        let before = key.runs().len();
        self.begin(key, event_epoch);
        census.add(key.runs(), before);
        key.set_census(census);
        self.end(key);
    }

    /// Advances the runs from the first that may move on. Calls `moved` with the state of each that
    /// moves, and with its new state, unless it is gone.
    #[inline(always)]
    fn advance_all<const ARE_MANY: bool>(
        &mut self,
        key: &mut KeyState,
        first: usize,
        event_epoch: u64,
        mut moved: impl FnMut(StateId, Option<StateId>),
    ) {
        let runs = key.runs_in_place();
        let roots = &*self.column.roots;
        let mut asked = SharedTest::NOTHING;
        let count = runs.len();
        let (mut kept, mut index) = (first, first);
        while index < count {
            if ARE_MANY {
                let stays = |run: &Run| {
                    let root = roots[run.state.index()];
                    root == Decisions::STAY || asked.refuses(run, root)
                };
                // A stretch of runs that stay is moved at once, without a look at their trees.
                let staying = runs[index..].iter().take_while(|run| stays(run)).count();
                if kept < index {
                    runs.copy_within(index..index + staying, kept);
                }
                (kept, index) = (kept + staying, index + staying);
                if index == count {
                    break;
                }
            }
            let run = &mut runs[index];
            let root = roots[run.state.index()];
            // Runs of one state have the same root. So a test is prepared once for each stretch of
            // a state.
            if ARE_MANY && root != asked.root {
                // It is one of those that stay, perhaps, now that it is known what is asked.
                asked = self.asked(root);
                continue;
            }
            let from = run.state;
            if !self.goes_on(run, root, event_epoch) {
                moved(from, None);
                index += 1;
                continue;
            }
            if run.state != from {
                moved(from, Some(run.state));
            }
            // The gap is before this run. Without a gap, the run is where it belongs.
            if kept < index {
                runs[kept] = runs[index];
            }
            (kept, index) = (kept + 1, index + 1);
        }
        if kept == 0 {
            key.clear_runs();
        } else if kept < count {
            key.keep_first(kept);
        }
    }

    /// Starts a partial match if the event can be a first one.
    #[inline(always)]
    fn begin(&mut self, key: &mut KeyState, event_epoch: u64) {
        if let Some(run) = self.first(event_epoch) {
            key.add_run(run);
        }
    }

    /// Returns the edge of the partial match that starts with the event, if one does.
    #[inline(always)]
    pub(in crate::exec) fn begins_with(&mut self, event_epoch: u64) -> Option<u32> {
        match self.program.decisions.of_start(self.column) {
            // The most frequent answer for a type that begins nothing needs no walk.
            Decision::Gone => None,
            Decision::One(edge) => Some(*edge),
            tree => match self.decide(tree, &self.nothing(), event_epoch) {
                Decision::One(edge) => Some(*edge),
                _ => None,
            },
        }
    }

    /// Returns the partial match that starts with the event, if one does.
    #[inline(always)]
    pub(in crate::exec) fn first(&mut self, event_epoch: u64) -> Option<Run> {
        let edge = self.begins_with(event_epoch)?;
        let deadline = self.program.deadline_of(self.time);
        // The run is built where it is returned, field by field: a run that is made empty and then
        // moved through an edge takes 1.03 times the instructions of W5 (docs/performance.md).
        // Most runs begin with one event and at most one value of it.
        if let EdgeEffect::Capture { step, target, update } = self.program.effects[edge as usize]
            && let Some(registers) = self.first_registers(update)
        {
            let head = self.store.arena.extend_with(self.event, self.seq, NIL, step);
            let Walk { time: start, seq: start_seq, .. } = *self;
            return Some(Run {
                state: target,
                head,
                registers,
                start_seq,
                start,
                last: start,
                deadline,
            });
        }
        let mut run = self.nothing();
        run.registers = self.store.file.create();
        run.deadline = deadline;
        self.follow_edge(edge, &mut run, event_epoch).then_some(run)
    }

    /// Returns the registers of a new run, unless they need a row.
    #[inline(always)]
    fn first_registers(&mut self, update: RegisterUpdate) -> Option<Registers> {
        match update {
            RegisterUpdate::Nothing => Some(self.store.file.create()),
            RegisterUpdate::First(field) | RegisterUpdate::Last(field) => {
                Some(self.word(field)).filter(|word| !word.is_nothing())
            }
            RegisterUpdate::Many => None,
        }
    }

    /// Returns the event's field that the tree of this root compares with a register, if the tree
    /// tests nothing else.
    #[inline(never)]
    fn asked(&self, root: u32) -> SharedTest {
        let program = self.program;
        let number = match program.decisions.node(root) {
            Decision::Condition { condition, no: Decisions::STAY, .. } => {
                match &program.comparisons[condition.index()] {
                    FieldComparison::One(Comparison {
                        field,
                        relation: Relation::Eq,
                        with: Operand::Register(_),
                    }) => Registers::of_int(self.event.field(*field)),
                    _ => None,
                }
            }
            _ => None,
        };
        SharedTest { root, number: number.unwrap_or(Registers::NOTHING) }
    }

    /// Advances a run by the tree of this root. Returns true if the run is still there afterwards.
    #[inline(always)]
    fn goes_on(&mut self, run: &mut Run, root: u32, event_epoch: u64) -> bool {
        match self.decision_of(run, root, event_epoch) {
            Decision::Stay => true,
            Decision::One(edge) => self.follow_edge(*edge, run, event_epoch),
            // No edge is open for the event.
            _ => {
                self.give_up(run);
                false
            }
        }
    }

    /// Moves one run that does not stay as it is by the end of its tree, as [`Walk::move_run`]
    /// does: its successor, if there is one, is in `next`.
    #[inline]
    pub(super) fn move_in_place(
        &mut self,
        run: &Run,
        decision: &Decision,
        event_epoch: u64,
        next: &mut Vec<Run>,
    ) {
        let Decision::One(edge) = decision else { return self.give_up(run) };
        let mut run = *run;
        if self.follow_edge(*edge, &mut run, event_epoch) {
            next.push(run);
        }
    }

    /// Follows the tree of this root as far as it leads. A test of the order of numbers, the most
    /// common test, is evaluated once.
    #[inline(always)]
    pub(in crate::exec) fn decision_of(
        &mut self,
        run: &Run,
        root: u32,
        event_epoch: u64,
    ) -> &'a Decision {
        let program = self.program;
        let mut root = root;
        while let Some(Some(table)) = program.comparison_tables.get(root as usize) {
            // Both are words that say their own kind. Any other kind, null included, takes the
            // general test.
            let (field, held) = (self.word(table.field), run.registers);
            if let (Some(field), Some(held)) = (field.float(), held.float()) {
                root = table.next(field, held);
            } else if let (Some(field), Some(held)) = (field.int(), held.int()) {
                root = table.next(field, held);
            } else {
                break;
            }
        }
        match program.decisions.node(root) {
            tree @ (Decision::Condition { .. } | Decision::Time { .. }) => {
                self.decide(tree, run, event_epoch)
            }
            end => end,
        }
    }

    /// Applies the effect of an edge. Returns true if the run is still there afterwards.
    ///
    /// The run is changed in place. If it is gone afterwards, its hold on the store has been
    /// released or handed to a match, and the caller only has to close the gap.
    #[inline(always)]
    fn follow_edge(&mut self, edge: u32, run: &mut Run, event_epoch: u64) -> bool {
        let effect = &self.program.effects[edge as usize];
        // The most frequent effect is tested first: it needs no jump table.
        if let EdgeEffect::Capture { step, target, update } = *effect {
            (run.state, run.last) = (target, self.time);
            self.capture(step, run);
            if !matches!(update, RegisterUpdate::Nothing) {
                self.update(update, step, run);
            }
            return true;
        }
        match *effect {
            EdgeEffect::Capture { .. } => true,
            EdgeEffect::End { step } => {
                self.ends(step, run);
                false
            }
            EdgeEffect::Ask { step, target } => self.asks(step, target, run, event_epoch),
            EdgeEffect::Skip { target } => {
                run.state = target;
                true
            }
            EdgeEffect::Complete => {
                self.store.file.release(run.registers);
                self.store.scratch.completed.push(completed(run));
                false
            }
            EdgeEffect::Stop => {
                self.give_up(run);
                false
            }
        }
    }

    /// Updates registers for the captured event.
    ///
    /// A pattern with one register keeps its value in the run itself, if it fits a word. `First`
    /// keeps the value that is there, and the others replace it.
    #[inline(always)]
    pub(in crate::exec) fn update(&mut self, update: RegisterUpdate, step: StepId, run: &mut Run) {
        match update {
            RegisterUpdate::Nothing => {}
            RegisterUpdate::First(_) if !self.store.file.is_untouched(run.registers, 0) => {}
            RegisterUpdate::First(field) | RegisterUpdate::Last(field) => {
                let word = self.word(field);
                let file = &mut self.store.file;
                if word.is_nothing() {
                    file.set(&mut run.registers, 0, self.event.field(field));
                } else {
                    file.set_word(&mut run.registers, word);
                }
            }
            RegisterUpdate::Many => self.update_registers(step, run),
        }
    }

    /// Captures the event for a run.
    #[inline(always)]
    fn capture(&mut self, step: StepId, run: &mut Run) {
        let arena = &mut self.store.arena;
        run.head = arena.extend_with(self.event, self.seq, run.head, step);
    }

    /// Completes a run with the event, which is not stored for it.
    pub(in crate::exec) fn ends(&mut self, step: StepId, run: &mut Run) {
        run.last = self.time;
        self.store.file.release(run.registers);
        let match_ = Completed { tail: Some(step), ..completed(run) };
        self.store.scratch.completed.push(match_);
    }

    /// Captures the event, and moves the run as the guards of the next state say.
    fn asks(&mut self, step: StepId, target: StateId, run: &mut Run, event_epoch: u64) -> bool {
        let state = &self.program.states[target.index()];
        // What has been answered for another run does not hold for this one.
        self.store.scratch.answers.epoch += 1;
        let accepted = state.accept.is_some_and(|guard| self.guard(guard, run, event_epoch));
        if accepted && !state.live {
            self.ends(step, run);
            return false;
        }
        (run.state, run.last) = (target, self.time);
        self.capture(step, run);
        if accepted {
            self.complete(completed(run));
        }
        if state.live {
            self.update_registers(step, run);
        } else {
            self.give_up(run);
        }
        state.live
    }
}
