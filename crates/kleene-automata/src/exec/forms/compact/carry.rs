//! Groups that are carried over from the matcher of a rule before it was edited.
//!
//! When it applies: both matchers use the compact form, the edit has dropped no step, what the new
//! states read was read in the old states, and both have the same running sum or none. Otherwise the
//! partial matches become runs, as many as the limit allows.
//!
//! Why it is right: a group goes where [each of its partial matches](crate::exec::Migration) goes,
//! since that is decided by state, registers, clocks and times.
//!
//! What it saves: as many runs as the groups have partial matches, which can be more than there is
//! memory for.
//!
//! Which test holds it: `an_edit_carries_groups_over` in `tests/compact.rs`.

use super::group::{Configuration, Configurations, Notice, RunGroup};
use super::groups::{MatchGroups, Successor};
use crate::exec::dag::{Dag, DagEvent, NONE};
use crate::exec::forms::KeyState;
use crate::exec::matcher::Matcher;
use crate::exec::migrate::Migration;
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::exec::times::Times;
use crate::nfa::{Compact, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Matcher<E> {
    /// Returns the groups of a key of another matcher as they go on from `now`, with registers in
    /// `file`; `None` if the key has to become runs.
    fn carried_groups(
        &self,
        migration: &Migration,
        (old, store): (&Matcher<E>, &Store<E>),
        groups: &MatchGroups,
        (file, now): (&mut RegisterFile, i64),
    ) -> Option<Vec<Successor>> {
        let (Ok(from), Ok(to)) = (&old.program.compact, &self.program.compact) else {
            return None;
        };
        let is_compact = self.can_group() && migration.keeps_steps();
        let all = || groups.all.iter().flat_map(|group| &group.configurations);
        if !is_compact || !all().all(|one| is_known(migration, (from, to), one.state)) {
            return None;
        }
        let is_same_sum = match (&from.sum, &to.sum) {
            (None, None) => true,
            (Some(old), Some(new)) => migration.register(new.register) == Some(old.register),
            _ => false,
        };
        if !is_same_sum {
            return None;
        }
        // What is due in the past by the new rule is looked at one by one.
        let ends = |span: Option<i64>| span.unwrap_or(i64::MAX);
        let is_shorter = ends(self.program.timing.span) < ends(old.program.timing.span);
        let is_due = |one: &Configuration| one.deadline <= now;
        let (old_reports, new_reports) =
            (old.program.reports_at_deadlines(), self.program.reports_at_deadlines());
        if new_reports && is_shorter || old_reports && all().any(is_due) {
            return None;
        }
        let keeps_waiting = self.program.waits() && migration.keeps_matches();
        let is_over = |root: u32| old.end(groups.dag.oldest(root)) <= now;
        // A start that ends at this moment is still to be reported.
        let notices = old.whole_bound().notice == Notice::AtOnce;
        if notices && groups.all.iter().any(|group| is_over(group.root)) {
            return None;
        }
        if groups.waiting != NONE && (!keeps_waiting || is_over(groups.waiting)) {
            return None;
        }
        let mut successors = Vec::new();
        for RunGroup { configurations, root, .. } in &groups.all {
            let mut next = Configurations::new();
            for configuration in configurations.iter().filter(|one| one.deadline > now) {
                let Some(state) = migration.state(configuration.state) else { continue };
                let mut registers = file.create();
                migration.copy_clocks(&store.file, configuration.registers, file, registers);
                for index in 0..self.program.registers.len() {
                    if let Some(of) = migration.register(index) {
                        let held = store.file.register(configuration.registers, of);
                        file.restore(&mut registers, index, held);
                    }
                }
                let last = if to.live[state.index()].last { configuration.last } else { i64::MIN };
                let mut run = Configuration { state, registers, last, ..*configuration }.as_run();
                let program = &self.program;
                run.deadline = Times { program, arena: &store.arena, file, run: &run }.deadline();
                if run.deadline > now {
                    next.push(Configuration::of_run(&run));
                } else {
                    file.release(registers);
                    if new_reports {
                        let made =
                            successors.iter().flat_map(|one: &Successor| &one.configurations);
                        made.chain(&next).for_each(|one| file.release(one.registers));
                        return None;
                    }
                }
            }
            if !next.is_empty() {
                successors.push(Successor { configurations: next, root: *root, sums: None });
            }
        }
        Some(successors)
    }

    /// Returns the number of partial matches that the groups of a key of another matcher stand for
    /// and that would go on in this one; `None` if the key has to become runs.
    pub(in crate::exec) fn count_carried_groups(
        &self,
        migration: &Migration,
        (old, store): (&Matcher<E>, &Store<E>),
        key: &KeyState,
        now: i64,
    ) -> Option<u64> {
        let mut file = RegisterFile::new(&self.program);
        let groups = key.groups()?;
        let carried = self.carried_groups(migration, (old, store), groups, (&mut file, now))?;
        let is_open = |one: &&Successor| {
            let newest = groups.dag.newest(one.root);
            old.end(newest) > now && self.end(newest) > now
        };
        let mut dag = groups.dag.clone();
        let mut roots: Vec<u32> = carried.iter().filter(is_open).map(|one| one.root).collect();
        roots.push(groups.waiting);
        let keeps = |start: &DagEvent| old.end(start) > now && self.end(start) > now;
        dag.collect(roots.iter_mut(), keeps, |_| ());
        Some(count_of(&dag, roots.into_iter()))
    }

    /// True if groups of a key can hold what is out of time though the pattern reports something at
    /// deadlines: with `ordered` a start that is over is noticed later, unless a match waits.
    fn holds_lapsed(&self, groups: &MatchGroups) -> bool {
        self.program.reports_at_deadlines()
            && self.whole_bound().notice == Notice::Later
            && groups.waiting == NONE
    }

    /// True if a run that stands for a partial match of groups is one that nobody has noticed to be
    /// out of time.
    pub(in crate::exec) fn has_lapsed(&self, key: &KeyState, run: &Run, now: i64) -> bool {
        key.groups().is_some_and(|groups| self.holds_lapsed(groups))
            && self.program.deadline_of(run.start) <= now
    }

    /// Drops what nobody has noticed to be out of time, before the groups of a key become runs of a
    /// rule that may report it.
    pub(in crate::exec) fn drop_lapsed(&self, store: &mut Store<E>, key: &mut KeyState, now: i64) {
        if key.groups().is_some_and(|groups| self.holds_lapsed(groups)) {
            self.sweep_groups(store, key, Timestamp::from_millis(now));
        }
    }

    /// Takes over the groups of a key of another matcher. Returns false if the key has to become
    /// runs, and has not changed.
    pub(in crate::exec) fn carry_groups(
        &self,
        migration: &Migration,
        (old, store): (&Matcher<E>, &mut Store<E>),
        (key, new): (&mut KeyState, &mut Store<E>),
        now: i64,
    ) -> bool {
        let Some(mut groups) = key.take_groups() else { return false };
        let held = (old, &*store);
        let Some(carried) = self.carried_groups(migration, held, &groups, (&mut new.file, now))
        else {
            key.set_groups(groups);
            return false;
        };
        store.arena.graphs = store.arena.graphs.saturating_sub(groups.bytes());
        for configuration in groups.all.drain(..).flat_map(|group| group.configurations) {
            store.file.release(configuration.registers);
        }
        let mut next = Box::new(self.create_groups());
        next.now = groups.now.max(now);
        next.waiting = groups.waiting;
        next.dag.take_renumbered(&mut groups.dag, |step| migration.step(step));
        let Ok(to) = &self.program.compact else { return true };
        // The events are in the old store until all keys are carried over, the registers are not.
        std::mem::swap(&mut store.arena, &mut new.arena);
        next.add(new, &to.live, carried.into_iter());
        next.collect(new, &mut { NONE }, |start| old.end(start) > now && self.end(start) > now);
        if self.are_too_large(&next) {
            self.cut_groups(new, &mut next);
        }
        next.settle(self.whole_bound());
        Matcher::put_back(new, key, next, 0);
        std::mem::swap(&mut store.arena, &mut new.arena);
        true
    }
}

/// Returns the number of chains of nodes, at most `u64::MAX`.
fn count_of(dag: &Dag, roots: impl Iterator<Item = u32>) -> u64 {
    let counts = roots.filter(|root| *root != NONE).map(|root| dag.count(root).0);
    counts.fold(0, u64::saturating_add)
}

/// True if what the new state reads was read in the old state, so that a group has it.
fn is_known(migration: &Migration, (from, to): (&Compact, &Compact), state: StateId) -> bool {
    let Some(target) = migration.state(state) else { return true };
    let (had, wanted) = (from.live[state.index()], to.live[target.index()]);
    let mut registers = (0..u64::BITS as usize).filter(|index| wanted.registers >> index & 1 == 1);
    let has = |of: usize| had.registers >> of & 1 == 1;
    (had.last || !wanted.last)
        && registers.all(|index| migration.register(index).is_some_and(has))
        && migration.has_clocks(had, wanted)
}
