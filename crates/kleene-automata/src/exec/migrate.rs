//! Migration of partial matches to another matcher after a rule was edited.

use hashbrown::HashSet;

use crate::exec::captures::{CaptureArena, Starts};
use crate::exec::forms::KeyState;
use crate::exec::matcher::{Matcher, update_register};
use crate::exec::registers::{RegisterFile, Registers};
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::exec::times::Times;
use crate::nfa::correspondence::{self, Described};
use crate::nfa::{Live, Program, RegisterKind, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::canon::Content;
use kleene_syntax::hir::{Length, Pattern, StepId};

/// The mapping of states of one program to those of another.
///
/// Both patterns must number event types and fields alike.
#[derive(Debug)]
pub struct Migration {
    /// By old state: the new state; `None` if partial matches in the old state are dropped.
    states: Vec<Option<StateId>>,
    /// By old step: the new one of the same name.
    steps: Vec<Option<StepId>>,
    /// By new clock: the old clock with the same time.
    clocks: Vec<Option<u32>>,
    /// By new register: the old register with the same content.
    registers: Vec<Option<usize>>,
    /// By the old number of a named group: the new number.
    groups: Vec<Option<u32>>,
    /// True if both patterns require the same events, so that a complete match is complete in both.
    same_body: bool,
    /// True if the old pattern drops expired partial matches without an output, perhaps some time
    /// later.
    is_silent: bool,
    /// The length of the old pattern's repeating silence.
    repeat: Option<Length>,
    extent: Extent,
}

/// The extent of a migration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Partial matches in every state can continue.
    All,
    /// Partial matches in some states can continue.
    Part,
    /// No partial match can continue.
    Nothing,
}

impl Migration {
    /// Returns the migration from the old pattern with its program to the new.
    pub fn new(old: (&Pattern, &Program), new: (&Pattern, &Program)) -> Migration {
        let contents = (Content::new(old.0), Content::new(new.0));
        let from = Described { program: old.1, content: &contents.0 };
        let to = Described { program: new.1, content: &contents.1 };
        let same_body = contents.0.steps == contents.1.steps
            && contents.0.conditions == contents.1.conditions
            && contents.0.lengths == contents.1.lengths
            && contents.0.body == contents.1.body;
        let mut states = correspondence::corresponding_states(from, to);
        let waits = correspondence::can_wait(old.1);
        let extent = |states: &[Option<StateId>]| {
            let waiting = || waits.iter().zip(states).filter(|(waits, _)| **waits);
            let kept = waiting().filter(|(_, target)| target.is_some()).count();
            match kept {
                _ if kept == waiting().count() => Extent::All,
                0 => Extent::Nothing,
                _ => Extent::Part,
            }
        };
        if same_body && extent(&states) != Extent::All && old.1.layout() == new.1.layout() {
            // Nothing was edited that the automaton knows of, however large its loops are.
            states = (0..states.len()).map(|state| Some(StateId::new(state))).collect();
        }
        let position = |wanted: &String| contents.1.steps.iter().position(|step| step == wanted);
        let steps = contents.0.steps.iter().map(|step| position(step).map(StepId::new));
        // Clocks have the same name if they are as far from the last.
        let same_clock = |clock: u32, of: &Program, other: &Program| {
            let from_last = u32::try_from(of.clocks).ok()?.checked_sub(clock)?;
            u32::try_from(other.clocks).ok()?.checked_sub(from_last)
        };
        let clocks =
            (0..new.1.clocks).map(|clock| same_clock(u32::try_from(clock).ok()?, new.1, old.1));
        let groups = old.1.named.iter().map(|(_, clock)| {
            let clock = same_clock(*clock, old.1, new.1)?;
            let found = new.1.named.iter().zip(0..).find(|((_, of), _)| *of == clock);
            found.map(|(_, bit)| bit)
        });
        let held = registers(old.1, &contents.0);
        let registers = registers(new.1, &contents.1).into_iter();
        Migration {
            steps: steps.collect(),
            clocks: clocks.collect(),
            registers: registers.map(|one| held.iter().position(|held| *held == one)).collect(),
            groups: groups.collect(),
            same_body,
            is_silent: !old.1.reports_at_deadlines(),
            repeat: old.1.timing.repeat,
            extent: extent(&states),
            states,
        }
    }

    /// Returns the extent of the migration, whatever is open now.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Returns the new state of partial matches in an old state, if they go on.
    pub(super) fn state(&self, state: StateId) -> Option<StateId> {
        self.states[state.index()]
    }

    /// True if no step of the old pattern is gone.
    pub(super) fn keeps_steps(&self) -> bool {
        !self.steps.contains(&None)
    }

    /// True if a complete match of the old pattern is one of the new pattern.
    pub(super) fn keeps_matches(&self) -> bool {
        self.same_body
    }

    /// Returns the new step of an old one that is not gone.
    pub(super) fn step(&self, step: StepId) -> StepId {
        self.steps[step.index()].unwrap_or(step)
    }

    /// Returns the old register with the content of a new one.
    pub(super) fn register(&self, register: usize) -> Option<usize> {
        self.registers[register]
    }

    /// True if a state that read the clocks of `had` has the clocks that its new state reads. A
    /// clock that is new is not set in either.
    pub(super) fn has_clocks(&self, had: Live, wanted: Live) -> bool {
        let wanted = self.clocks.iter().enumerate().filter(|(clock, _)| wanted.has_clock(*clock));
        wanted.filter_map(|(_, of)| *of).all(|of| had.has_clock(of as usize))
    }

    /// Copies the clocks of a partial match.
    pub(super) fn copy_clocks(
        &self,
        held: &RegisterFile,
        from: Registers,
        file: &mut RegisterFile,
        to: Registers,
    ) {
        for (time, clock) in file.times_mut(to).iter_mut().zip(&self.clocks) {
            if let Some(clock) = clock {
                *time = held.time(from, *clock);
            }
        }
    }

    /// Returns the run as it continues from `now`, with its registers and clocks in `file`;
    /// `None` if the run is dropped.
    fn carry<E: Event>(
        &self,
        program: &Program,
        (arena, held): (&CaptureArena<E>, &RegisterFile),
        file: &mut RegisterFile,
        run: &Run,
        now: Timestamp,
    ) -> Option<Run> {
        let state = self.states[run.state.index()]?;
        // Nobody has noticed yet that its time is over, and nobody is to be reported.
        let has_lapsed = self.is_silent && run.deadline <= now.as_millis();
        if has_lapsed && program.reports_at_deadlines() {
            return None;
        }
        if self.steps.contains(&None)
            && arena.iter_rev(run.head).any(|(_, node)| self.steps[node.step.index()].is_none())
        {
            return None;
        }
        let mut registers = file.create();
        self.copy_clocks(held, run.registers, file, registers);
        for (index, register) in program.registers.iter().enumerate() {
            if let Some(of) = self.registers[index] {
                file.restore(&mut registers, index, held.register(run.registers, of));
                continue;
            }
            // No condition asked for it before: what was captured says it.
            for id in arena.iter(run.head) {
                let step = self.steps[arena.node(id).step.index()];
                if register.step.is_none() || register.step == step {
                    let event = arena.event(id).1;
                    update_register(&register.kind, (file, &mut registers), index, event, arena);
                }
            }
        }
        // Of its own events one can say that it is over already; that is still to be reported.
        let was_over = run.deadline <= run.last;
        let mut run = Run { state, registers, ..*run };
        if has_lapsed {
            run.deadline = now.as_millis();
            return Some(run);
        }
        let times = Times { program, arena, file, run: &run };
        let over = now.as_millis().saturating_sub(1);
        let is_reported = self.was_reported(&times);
        run.deadline = if is_reported { times.deadline_after(over) } else { times.deadline() };
        if is_reported && run.deadline <= over {
            // It has been a match, and is not repeated.
            file.release(registers);
            return None;
        }
        // With a bound that is shorter now it may never have come so far.
        if run.deadline <= run.last && !was_over {
            file.release(registers);
            return None;
        }
        // Outputs are in the order of time, so a migrated run must not expire in the past.
        run.deadline = run.deadline.max(now.as_millis());
        Some(run)
    }

    /// True if the run, which has its old deadline, is a silence that was reported already or
    /// cannot be reported.
    fn was_reported<E: Event>(&self, times: &Times<'_, E>) -> bool {
        let first = match (self.repeat, times.program.timing.repeat) {
            (None, _) => return false,
            (Some(Length::Millis(millis)), _) => millis,
            (Some(Length::Read(_)), Some(same @ Length::Read(_))) => times.millis(same),
            (Some(Length::Read(_)), _) => return times.is_silence(),
        };
        times.is_silence() && times.run.deadline > times.run.last.saturating_add(first)
    }

    fn starts(&self, starts: Starts) -> Starts {
        let bits = self.groups.iter().zip(0..).filter(|(_, bit)| starts & (1 << bit) != 0);
        bits.filter_map(|(group, _)| *group).fold(0, |starts, bit| starts | 1 << bit)
    }
}

/// Describes the registers of a program in words that mean the same in any program.
fn registers(program: &Program, content: &Content) -> Vec<String> {
    let step = |step: Option<StepId>| step.map(|step| content.steps[step.index()].as_str());
    let registers = program.registers.iter().map(|register| match &register.kind {
        RegisterKind::First(field) => format!("first {field:?} {:?}", step(register.step)),
        RegisterKind::Last(field) => format!("last {field:?} {:?}", step(register.step)),
        RegisterKind::Aggregate(aggregate) => {
            let of = step(Some(aggregate.step));
            format!("{:?} {of:?} {:?}", aggregate.op, aggregate.arg)
        }
    });
    registers.collect()
}

/// The partial matches of a key before and after an edit of its rule.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// The number of partial matches before the edit.
    pub held: u64,
    /// The number of those that continue.
    pub kept: u64,
}

impl<E: Event> Matcher<E> {
    /// Counts a key's partial matches in another matcher, and those that would continue in this
    /// one.
    pub fn count_carried(
        &self,
        migration: &Migration,
        (old, store): (&Matcher<E>, &Store<E>),
        key: &KeyState,
        now: Timestamp,
    ) -> Carried {
        let (millis, all) = (now.as_millis(), key.partial_count());
        if let Some(kept) = self.count_carried_groups(migration, (old, store), key, millis) {
            return Carried { held: all, kept };
        }
        let program = self.program();
        let mut file = RegisterFile::new(program);
        let held = (&store.arena, &store.file);
        let mut goes_on = |held, run: &&Run| {
            let run = migration.carry(program, held, &mut file, run, now);
            run.is_some_and(|run| {
                file.release(run.registers);
                true
            })
        };
        let mut arena = CaptureArena::counting_with(&store.arena);
        let counted = old.as_runs(store, key, &mut arena);
        // A partial match that waits in several states is one.
        let mut heads: HashSet<u32> = HashSet::new();
        let counted = counted.iter().filter(|run| !old.has_lapsed(key, run, millis));
        let counted = counted.filter(|run| goes_on((&arena, &store.file), run));
        heads.extend(counted.map(|run| run.head));
        let counted = std::mem::take(&mut heads).len();
        heads.extend(key.all_runs().filter(|run| goes_on(held, run)).map(|run| run.head));
        let complete = key.completed().len() as u64 + key.waiting_in_groups();
        let complete = if migration.same_body { complete } else { 0 };
        let kept = (heads.len() + counted).min(self.limits().partial_matches_per_key);
        Carried { held: all, kept: complete.saturating_add(kept as u64) }
    }

    /// Takes over the state of another matcher: its store and all its keys. Partial matches that
    /// cannot continue are dropped; the others have no deadline before `now`.
    pub fn carry_over<'k>(
        &self,
        migration: &Migration,
        (old, mut store): (&Matcher<E>, Store<E>),
        keys: impl Iterator<Item = &'k mut KeyState>,
        now: Timestamp,
    ) -> Store<E> {
        let mut new = self.create_store();
        for key in keys {
            let millis = now.as_millis();
            if self.carry_groups(migration, (old, &mut store), (key, &mut new), millis) {
                if self.program().leading_not.is_none() {
                    key.set_last_violation(None);
                }
                continue;
            }
            old.drop_lapsed(&mut store, key, millis);
            old.convert_to_runs(&mut store, key);
            key.forget_deadlines();
            let Store { arena, file: held, .. } = &mut store;
            key.runs_mut().retain(|run| {
                let held = (&*arena, &*held);
                let carried = migration.carry(self.program(), held, &mut new.file, run, now);
                match carried {
                    Some(carried) => *run = carried,
                    None => arena.release(run.head),
                }
                carried.is_some()
            });
            for run in self.take_excess(key).0 {
                arena.release(run.head);
                new.file.release(run.registers);
            }
            self.count_duplicates(key);
            // A leading `not` was judged by the old rule when the match started.
            if self.program().leading_not.is_none() {
                key.set_last_violation(None);
            }
            if !migration.same_body {
                for match_ in key.take_completed() {
                    arena.release(match_.head);
                }
            }
        }
        store.arena.renumber(|step| migration.step(step), |starts| migration.starts(starts));
        new.arena = store.arena;
        new
    }
}
