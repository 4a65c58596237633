//! Outcomes of the compact form: matches, open partial matches, and runs for another form.

use super::groups::{MatchGroups, RunGroup};
use crate::event::Event;
use crate::exec::captured::Captures;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::{ChainListing, Dag, DagEvent, Direction, NONE, Packed, firsts, unpacked};
use crate::exec::forms::KeyState;
use crate::exec::matcher::{Matcher, update_register};
use crate::exec::open::Open;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::registers::{RegisterFile, Registers, UNSET};
use crate::exec::run::{Completed, Run};
use crate::exec::set::{self, GraphSet, SetRef};
use crate::exec::store::Store;
use crate::hir::{Report, SkipStrategy};
use crate::time::Timestamp;

/// The maximum number of open partial matches of a key that are listed.
const MOST_OPEN: usize = 1000;

impl<E: Event> Matcher<E> {
    /// Reports the matches of a node, and drops partial matches by the skip strategy. Returns the
    /// number of matches that were not listed.
    pub(super) fn report_groups(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, mut completed): (&mut MatchGroups, u32),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> u64 {
        if self.end(groups.dag.oldest(completed)) <= at.as_millis() {
            self.collect_groups(store, groups, &mut completed, at);
        }
        if completed == NONE {
            return 0;
        }
        if self.program.skip.strategy == SkipStrategy::ToNext {
            let firsts = firsts(&groups.dag, completed);
            self.report_firsts(store, key, (groups, &firsts), at, sink);
            return 0;
        }
        self.report_graph(store, (&groups.dag, completed), at, sink)
    }

    /// Reports what the pattern's `report` chooses of a set. Returns the number of matches that it
    /// chooses and that were not listed.
    fn report_graph(
        &self,
        store: &Store<E>,
        (dag, root): (&Dag, u32),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> u64 {
        let (moments, (count, _)) = (dag.moments(), dag.count(root));
        let totals = if count > 1 {
            set::totals_of_graph(&self.program.totals, &store.arena, (dag, root))
        } else {
            Vec::new()
        };
        let graph = GraphSet { dag, root, totals };
        let set = if count == 1 { SetRef::Alone } else { SetRef::Graph(&graph) };
        let of_set = Outcome {
            kind: OutcomeKind::Match,
            program: &self.program,
            captures: Captures::new(&store.arena, NIL),
            start: at,
            last: at,
            at,
            start_seq: 0,
            states: &[],
            repetition: 0,
            set,
        };
        let most = self.limits.matches_per_set as u64;
        let wanted = match self.program.report {
            Report::All => count,
            Report::First(number) | Report::Last(number) => count.min(number.get().into()),
            Report::Count | Report::Longest | Report::Shortest => 1,
        };
        if wanted == 1 && !matches!(self.program.report, Report::Last(_)) {
            sink(of_set.with_path(&dag.best(root), moments));
            return 0;
        }
        let mut listed = 0;
        if let Report::Last(_) = self.program.report {
            let mut listing = ChainListing::new(dag, root, Direction::Backward);
            let mut last: Vec<Vec<Packed>> = Vec::new();
            while listed < wanted.min(most)
                && let Some(path) = listing.next()
            {
                last.push(path.to_vec());
                listed += 1;
            }
            last.iter().rev().for_each(|path| sink(of_set.with_path(path, moments)));
            return wanted - listed;
        }
        let mut listing = ChainListing::new(dag, root, Direction::Forward);
        while listed < wanted.min(most)
            && let Some(path) = listing.next()
        {
            sink(of_set.with_path(path, moments));
            listed += 1;
        }
        wanted - listed
    }

    /// Reports the first match of each start, and drops all that started with the same events.
    fn report_firsts(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, firsts): (&mut MatchGroups, &[Vec<Packed>]),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let moments = groups.dag.moments();
        let mut starts = Vec::with_capacity(firsts.len());
        for path in firsts {
            let head = chain(path, moments, &mut store.arena);
            let (Some(first), Some(last)) = (path.last(), path.first()) else { continue };
            let (first, last) = (moments[unpacked(*first).0], moments[unpacked(*last).0]);
            starts.push(first.seq);
            store.scratch.completed.push(Completed {
                head,
                tail: None,
                start_seq: first.seq,
                start: first.time,
                last: last.time,
                repetition: 0,
            });
        }
        self.report_completed(store, key, at, sink);
        // Of a group whose newest start goes, what is out of time goes, too.
        groups.collect(store, &mut { NONE }, |start| {
            starts.binary_search(&start.seq).is_err() && self.end(start) > at.as_millis()
        });
    }

    /// Returns the open partial matches in their order, the first of them if there are many.
    pub(super) fn open_of_groups<'a>(
        &'a self,
        store: &'a Store<E>,
        key: &KeyState,
    ) -> Vec<Open<'a, E>> {
        let Some(groups) = key.groups() else { return Vec::new() };
        let moments = groups.dag.moments();
        let mut found = self.chains(groups, MOST_OPEN);
        found.truncate(MOST_OPEN);
        let open = found.iter().map(|(path, group)| {
            let start = &moments[path.last().map_or(0, |start| unpacked(*start).0)];
            let deadlines = group.configurations.iter().map(|one| one.deadline);
            let deadline = deadlines.min().unwrap_or(i64::MAX).min(self.end(start));
            let states = group.configurations.iter().map(|one| one.state).collect();
            let captures = Captures::new(&store.arena, NIL);
            Open::new(&self.program, captures, (start.seq, deadline), states)
                .with_path(path, moments)
        });
        open.collect()
    }

    /// Returns the time at which a partial match with this start is over.
    pub(super) fn end(&self, start: &DagEvent) -> i64 {
        self.program.deadline_of(start.time)
    }

    /// Returns the first chains of each group with the group, `most` of each at most, in the defined
    /// order.
    fn chains<'g>(&self, groups: &'g MatchGroups, most: usize) -> Vec<(Vec<Packed>, &'g RunGroup)> {
        let (mut found, moments) = (Vec::new(), groups.dag.moments());
        for group in &groups.all {
            let mut listing = ChainListing::new(&groups.dag, group.root, Direction::Forward);
            let mut left = most;
            while let Some(path) = listing.next().filter(|_| left > 0) {
                let start = path.last().map(|start| moments[unpacked(*start).0]);
                if start.is_some_and(|start| self.end(&start) > groups.now) {
                    found.push((path.to_vec(), group));
                    left -= 1;
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| {
            let start = |path: &[Packed]| path.last().map(|start| unpacked(*start).0);
            start(a).cmp(&start(b)).then(b.len().cmp(&a.len())).then_with(|| a.cmp(b))
        });
        found
    }

    /// Returns the partial matches as runs with chains in `arena`, the first of them up to the
    /// limit. Their registers are computed anew, as a group has only those that its state reads.
    pub(super) fn runs_of_groups(
        &self,
        file: &mut RegisterFile,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        let (Some(groups), Ok(compact)) = (key.groups(), &self.program.compact) else {
            return Vec::new();
        };
        let moments = groups.dag.moments();
        let mut runs = Vec::new();
        for (path, group) in self.chains(groups, self.most_runs) {
            let (Some(first), Some(last)) = (path.last(), path.first()) else { continue };
            let (first, last) = (moments[unpacked(*first).0], moments[unpacked(*last).0]);
            let mut head = NIL;
            for configuration in &group.configurations {
                if runs.len() >= self.most_runs {
                    return runs;
                }
                // Runs with the same events have the same node.
                if head == NIL {
                    head = chain(&path, moments, arena);
                } else {
                    arena.retain(head);
                }
                let mut registers = file.create();
                let mut times = file.times(configuration.registers).to_vec();
                for (clock, time) in times.iter_mut().enumerate() {
                    // A group has the clocks that its state reads.
                    if !compact.live[configuration.state.index()].has_clock(clock) {
                        *time = UNSET;
                    }
                }
                file.times_mut(registers).copy_from_slice(&times);
                self.replay(&path, moments, (file, &mut registers), arena);
                runs.push(Run {
                    state: configuration.state,
                    head,
                    registers,
                    start_seq: first.seq,
                    start: first.time,
                    last: last.time,
                    deadline: configuration.deadline.min(self.end(&first)),
                });
            }
        }
        runs
    }

    /// Returns the partial matches, the first of them up to the limit, as runs whose chains are put
    /// into `arena`. Their registers are those of the groups.
    pub(super) fn count_as_runs(
        &self,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        let Some(groups) = key.groups() else { return Vec::new() };
        let moments = groups.dag.moments();
        let mut runs = Vec::new();
        for (path, group) in self.chains(groups, self.most_runs) {
            let (Some(first), Some(last)) = (path.last(), path.first()) else { continue };
            let (first, last) = (moments[unpacked(*first).0], moments[unpacked(*last).0]);
            let head = path.iter().rev().fold(NIL, |head, item| {
                let (at, step) = unpacked(*item);
                let (seq, event) = store.arena.stored(moments[at].event);
                arena.extend_with(event, seq, head, step)
            });
            runs.extend(group.configurations.iter().map(|one| Run {
                state: one.state,
                head,
                registers: one.registers,
                start_seq: first.seq,
                start: first.time,
                last: last.time,
                deadline: one.deadline.min(self.end(&first)),
            }));
        }
        runs.truncate(self.most_runs);
        runs
    }

    /// Updates registers for the events of a path.
    fn replay(
        &self,
        path: &[Packed],
        moments: &[DagEvent],
        (file, registers): (&mut RegisterFile, &mut Registers),
        arena: &CaptureArena<E>,
    ) {
        for item in path.iter().rev() {
            let (at, step) = unpacked(*item);
            let (_, event) = arena.stored(moments[at].event);
            for &index in &self.program.registers_by_step[step.index()] {
                let index = index as usize;
                let kind = &self.program.registers[index].kind;
                update_register(kind, (file, registers), index, event, arena);
            }
        }
    }
}

/// Returns the node of a chain with the events of a path.
fn chain<E: Event>(path: &[Packed], moments: &[DagEvent], arena: &mut CaptureArena<E>) -> u32 {
    path.iter().rev().fold(NIL, |head, item| {
        let (at, step) = unpacked(*item);
        arena.extend(moments[at].event, head, step, 0)
    })
}
