//! Outcomes of the compact form: matches, open partial matches, and runs for another form.
//!
//! A node of the graph is a set of chains, and can have more of them than fit in memory. Nothing
//! here makes all of them, unless they are reported. An example: `a1 a2 b3 b4 c5 d6` for
//! `match a -> any b -> any c -> d`, four matches in one node. By the clauses of the rule:
//! ```text
//! skip none, report count      the number of chains, from the node
//! skip none, report all        listed in order, up to the limit of a set; the rest is counted
//! skip past last               the first chain: a1 b3 c5 d6. It drops all starts up to d6
//! skip to next                 the first chain of each start: a1 b3 c5 d6 and a2 b3 c5 d6
//! skip to first b              the first chain drops the starts before b3, a2 included
//! ```
//!
//! The way of a node of complete matches:
//! ```text
//! in_time          leaves out the starts whose own bound is over
//! report_in_time   to `release_groups` if the pattern waits (`ordered`), else:
//! report_at        `skip none`: report_graph, which drops nothing
//!                  otherwise: chosen, and report_chosen, which drops by starts
//! ```
//!
//! What a match drops follows from starts and from one of its events, so `chosen` needs the first
//! chain of a start only, except where a match does not drop its own start.
//!
//! Invariants:
//! * A path is a chain from its last event to its first: `path.last()` is the start.
//! * `chosen.matches` is in the defined order, and `dropped` never goes back.
//! * What was not listed is counted, so that the counts of a set are exact.
//!
//! Rejected:
//! * To go through everything that is open at a match, to leave out the starts that are out of
//!   time: W9 took 5.5 s instead of 1.7 s. They are left out on one path of a balanced tree
//!   (`in_time`).
//! * To leave starts that are out of time in a group whose newest start a match skips. They were
//!   counted as open until the next event, and gone after a restart. So `report_chosen` drops them,
//!   too.
//!
//! Which test holds it: `the_compact_form_lists_what_the_general_strategy_lists` in
//! `tests/properties.rs`, `large_sets_report_what_the_reference_reports` in `tests/sets.rs`, and
//! `what_multiplies_is_never_made_whatever_a_match_drops` in `tests/compact.rs`.

use std::borrow::Cow;
use std::ops::Range;

use super::group::RunGroup;
use super::groups::MatchGroups;
use crate::exec::captured::Captures;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::{
    ChainListing, Dag, DagEvent, Direction, NONE, OfStart, Packed, StartSide, defined_order,
    firsts, unpacked,
};
use crate::exec::forms::KeyState;
use crate::exec::matcher::{Matcher, update_register};
use crate::exec::open::Open;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::registers::{RegisterFile, Registers, UNSET};
use crate::exec::run::{Completed, Run};
use crate::exec::set::{self, GraphSet, SetRef};
use crate::exec::store::Store;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Report, SkipStrategy, StepId};

/// The maximum number of open partial matches of a key that are listed.
const MOST_OPEN: usize = 1000;

/// The matches of a set that a skip strategy leaves, with the starts that they drop.
pub(super) struct Chosen {
    pub(super) matches: Vec<Vec<Packed>>,
    /// The number of matches that are left and were not listed.
    pub(super) unlisted: u64,
    /// The partial matches that started before this sequence number are dropped.
    pub(super) dropped: u64,
    /// The sequence number of the first start of which nothing was chosen or dropped.
    pub(super) next: u64,
}

impl<E: Event> Matcher<E> {
    /// Returns the node of those matches of a node that an event completes in time, or [`NONE`].
    pub(super) fn in_time(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        mut completed: u32,
        at: Timestamp,
    ) -> u32 {
        if completed == NONE || self.end(groups.dag.oldest(completed)) > at.as_millis() {
            return completed;
        }
        // Where matches wait, the starts that are left say what is reported.
        if !self.program.waits() {
            let is_over = |start: &DagEvent| self.end(start) <= at.as_millis();
            // What starts earlier is over earlier. So what is left is found on one path of the tree
            // of starts.
            let (in_time, looks) = groups.dag.side(completed, StartSide::Left, is_over);
            store.counts.steps += u64::from(looks);
            if let Some(in_time) = in_time {
                return in_time;
            }
        }
        // The set has no tree of starts, or a long path to it: one pass over the graph.
        self.collect_groups(store, groups, &mut completed, at);
        completed
    }

    /// Reports the matches of a node, all of which are in time, or lets them wait.
    pub(super) fn report_in_time(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, completed): (&mut MatchGroups, u32),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        if self.program.waits() {
            self.release_groups(store, key, (groups, completed), at, sink);
        } else if completed != NONE {
            self.report_at(store, key, (groups, completed), at, sink);
        }
    }

    /// Reports the matches of a node, and drops partial matches by the skip strategy.
    pub(super) fn report_at(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, completed): (&mut MatchGroups, u32),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let chosen = match self.program.skip.strategy {
            SkipStrategy::None => {
                store.counts.sets += 1;
                let unlisted = self.report_graph(store, (&groups.dag, completed), at, sink);
                return store.counts.add_unlisted(unlisted);
            }
            SkipStrategy::ToNext => {
                // A match drops its own start, and no other: one match for each start is left.
                let matches = firsts(&groups.dag, completed);
                Chosen { matches, unlisted: 0, dropped: 0, next: u64::MAX }
            }
            _ => self.chosen(&groups.dag, completed, |_| false),
        };
        store.counts.add_unlisted(chosen.unlisted);
        self.report_chosen(store, key, (groups, &chosen), at, sink);
    }

    /// Returns what a skip strategy that drops older starts leaves of the matches of a node, in the
    /// defined order.
    ///
    /// The first match of the oldest start is left. If it drops its own start, as it always does
    /// with `skip past last`, the next one is the first of the oldest start that is left. Otherwise
    /// all matches of the start are left, up to one that drops it. The choice ends with a start
    /// that has to wait for one of the starts in `waits_for`, the first and the end of a range.
    pub(super) fn chosen(
        &self,
        dag: &Dag,
        completed: u32,
        waits_for: impl Fn(Range<u64>) -> bool,
    ) -> Chosen {
        let mut chosen = Chosen { matches: Vec::new(), unlisted: 0, dropped: 0, next: u64::MAX };
        let mut from = 0;
        while let Some(of_start) = OfStart::oldest_from(dag, completed, from) {
            let seq = of_start.start.seq;
            if waits_for(chosen.dropped..seq) {
                chosen.next = seq;
                break;
            }
            let first = of_start.first();
            chosen.dropped = chosen.dropped.max(self.dropped_up_to(&first, dag.moments()));
            if chosen.dropped > seq {
                chosen.matches.push(first);
            } else {
                self.list_of_start(&of_start, dag.moments(), &mut chosen);
            }
            // Older starts were dropped or are done, so the next start is found from here on.
            from = chosen.dropped.max(seq + 1);
        }
        chosen
    }

    /// Adds the matches of a start up to one that drops it, as many as are listed of a set.
    fn list_of_start(&self, of_start: &OfStart, moments: &[DagEvent], chosen: &mut Chosen) {
        let (mut listing, mut listed) = (of_start.listing(), 0);
        while chosen.dropped <= of_start.start.seq
            && chosen.matches.len() < self.limits.matches_per_set
            && let Some(path) = listing.next()
        {
            listed += 1;
            chosen.dropped = chosen.dropped.max(self.dropped_up_to(path, moments));
            chosen.matches.push(path.to_vec());
        }
        // Nothing has dropped the start, so all of its matches are left, listed or not.
        if chosen.dropped <= of_start.start.seq {
            chosen.unlisted = chosen.unlisted.saturating_add(of_start.count() - listed);
        }
    }

    /// Returns the sequence number up to which a match drops what has started, this one excluded.
    fn dropped_up_to(&self, path: &[Packed], moments: &[DagEvent]) -> u64 {
        let of_step = |step: StepId| move |item: &&Packed| unpacked(**item).1 == step;
        let seq = |item: &Packed| moments[unpacked(*item).0].seq;
        match self.program.skip.strategy {
            SkipStrategy::None | SkipStrategy::ToNext => 0,
            SkipStrategy::PastLast => path.first().map_or(0, |last| seq(last) + 1),
            SkipStrategy::ToFirst(step) => path.iter().rev().find(of_step(step)).map_or(0, seq),
            SkipStrategy::ToLast(step) => path.iter().find(of_step(step)).map_or(0, seq),
        }
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
        // The totals of a single match are computed from its own events.
        let totals = if count > 1 {
            set::totals_of_graph(&self.program.totals, &store.arena, (dag, root))
        } else {
            Vec::new()
        };
        let number = store.counts.sets;
        let graph = GraphSet { dag: Cow::Borrowed(dag), root, totals, number };
        let set = if count == 1 { SetRef::Alone } else { SetRef::Graph(&graph) };
        let of_set = self.outcome_of_set(store, OutcomeKind::Match, (set, at));
        let most = self.limits.matches_per_set as u64;
        let wanted = match self.program.report {
            Report::All => count,
            Report::First(number) | Report::Last(number) => count.min(number.get().into()),
            Report::Count | Report::Longest | Report::Shortest => 1,
        };
        // Each node knows its best chain in the order of the report, so nothing is listed.
        if wanted == 1 && !matches!(self.program.report, Report::Last(_)) {
            sink(of_set.with_path(&dag.best(root), moments));
            return 0;
        }
        let mut listed = 0;
        if let Report::Last(_) = self.program.report {
            // From the end of the order, so that the matches before them are not made. They are
            // reported in order.
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

    /// Returns an outcome of a set, whose path is still to be set.
    pub(super) fn outcome_of_set<'a>(
        &'a self,
        store: &'a Store<E>,
        kind: OutcomeKind,
        (set, at): (SetRef<'a>, Timestamp),
    ) -> Outcome<'a, E> {
        Outcome {
            kind,
            program: &self.program,
            captures: Captures::new(&store.arena, NIL),
            start: at,
            last: at,
            at,
            start_seq: 0,
            states: &[],
            clocks: &[],
            repetition: 0,
            set,
        }
    }

    /// Reports the matches that the skip strategy leaves of a set, and drops the partial matches
    /// that they drop: all that started with the same events, or before an event of a match.
    pub(super) fn report_chosen(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, chosen): (&mut MatchGroups, &Chosen),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let moments = groups.dag.moments();
        let mut starts = Vec::with_capacity(chosen.matches.len());
        for path in &chosen.matches {
            let Some(found) = complete(path, moments, &mut store.arena) else { continue };
            starts.push(found.start_seq);
            store.scratch.completed.push(found);
        }
        // Each has a chain of its own now: they are reported as the matches of runs are.
        self.report_completed(store, key, at, sink);
        // Of a group whose newest start goes, what is out of time goes, too.
        let goes_on = |start: &DagEvent| match self.program.skip.strategy {
            SkipStrategy::ToNext => starts.binary_search(&start.seq).is_err(),
            _ => start.seq >= chosen.dropped,
        };
        let is_open = |start: &DagEvent| goes_on(start) && self.end(start) > at.as_millis();
        // Dropped starts are in all groups. One pass over the graph leaves them out everywhere.
        groups.collect(store, &mut { NONE }, is_open);
    }

    /// Returns the open partial matches in their order, the first of them if there are many.
    pub(super) fn open_of_groups<'a>(
        &'a self,
        store: &'a Store<E>,
        key: &KeyState,
    ) -> Vec<Open<'a, E>> {
        let Some(groups) = key.groups() else { return Vec::new() };
        let moments = groups.dag.moments();
        let waiting = complete_chains(groups, MOST_OPEN).into_iter().map(|path| (path, None));
        let open = self.chains(groups, MOST_OPEN).into_iter();
        let mut found: Vec<(Vec<Packed>, Option<&RunGroup>)> =
            waiting.chain(open.map(|(path, group)| (path, Some(group)))).collect();
        found.sort_by(|(a, _), (b, _)| defined_order(a, b));
        // The first of each group, in order together, hold the first of all.
        found.truncate(MOST_OPEN);
        let open = found.iter().map(|(path, group)| {
            let start = &moments[path.last().map_or(0, |start| unpacked(*start).0)];
            let configurations = group.map_or(&[][..], |group| &group.configurations[..]);
            let deadlines = configurations.iter().map(|one| one.deadline);
            let deadline = deadlines.min().map_or(i64::MAX, |one| one.min(self.end(start)));
            let states = configurations.iter().map(|one| one.state).collect();
            let captures = Captures::new(&store.arena, NIL);
            let clocks = configurations.iter().map(|one| store.file.times(one.registers));
            Open::new(&self.program, captures, (start.seq, deadline), states)
                .with_clocks(clocks)
                .with_path(path, moments)
        });
        open.collect()
    }

    /// Returns the time at which a partial match with this start is over.
    pub(super) fn end(&self, start: &DagEvent) -> i64 {
        self.program.deadline_of(start.time)
    }

    /// Returns the first chains of each group with the group, `most` of each at most, in the
    /// defined order.
    fn chains<'g>(&self, groups: &'g MatchGroups, most: usize) -> Vec<(Vec<Packed>, &'g RunGroup)> {
        let (mut found, moments) = (Vec::new(), groups.dag.moments());
        for group in &groups.all {
            let mut listing = ChainListing::new(&groups.dag, group.root, Direction::Forward);
            let mut left = most;
            while let Some(path) = listing.next().filter(|_| left > 0) {
                let start = path.last().map(|start| moments[unpacked(*start).0]);
                // A start that is out of time can be in the graph until the next collection. It is
                // not open.
                if start.is_some_and(|start| self.end(&start) > groups.now) {
                    found.push((path.to_vec(), group));
                    left -= 1;
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| defined_order(a, b));
        found
    }

    /// Returns the matches that wait for older partial matches, the first of them up to the limit,
    /// with chains in `arena`.
    pub(super) fn complete_of_groups(
        &self,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Completed> {
        let Some(groups) = key.groups() else { return Vec::new() };
        let moments = groups.dag.moments();
        let paths = complete_chains(groups, self.most_runs).into_iter();
        paths.filter_map(|path| complete(&path, moments, arena)).collect()
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
            // A partial match that waits in several states is carried over whole.
            if runs.len() + group.configurations.len() > self.most_runs {
                return runs;
            }
            let mut head = NIL;
            for configuration in &group.configurations {
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
                        // Clocks that nothing reads were not kept apart: they may be those of
                        // another partial match.
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
    ///
    /// For a rule that replaces this one (`exec/migrate.rs`). The registers are those of the
    /// groups, so no event is replayed.
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
            if runs.len() + group.configurations.len() > self.most_runs {
                return runs;
            }
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
        runs
    }

    /// Updates registers for the events of a path.
    ///
    /// A group has only the registers that its state reads, as other partial matches of the group
    /// can differ in the rest. So they are computed from the events.
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

/// Returns the first matches that wait for older partial matches, in the defined order.
fn complete_chains(groups: &MatchGroups, most: usize) -> Vec<Vec<Packed>> {
    let mut listing = ChainListing::new(&groups.dag, groups.waiting, Direction::Forward);
    let mut found = Vec::new();
    while found.len() < most
        && let Some(path) = listing.next()
    {
        found.push(path.to_vec());
    }
    found
}

/// Returns the match of a path, with a chain in `arena`.
///
/// A match with a chain of its own can be reported by the code that reports runs.
fn complete<E: Event>(
    path: &[Packed],
    moments: &[DagEvent],
    arena: &mut CaptureArena<E>,
) -> Option<Completed> {
    let moment = |item: &Packed| moments[unpacked(*item).0];
    let (first, last) = (moment(path.last()?), moment(path.first()?));
    Some(Completed {
        head: chain(path, moments, arena),
        tail: None,
        start_seq: first.seq,
        start: first.time,
        last: last.time,
        repetition: 0,
    })
}

/// Returns the node of a chain with the events of a path.
fn chain<E: Event>(path: &[Packed], moments: &[DagEvent], arena: &mut CaptureArena<E>) -> u32 {
    path.iter().rev().fold(NIL, |head, item| {
        let (at, step) = unpacked(*item);
        arena.extend(moments[at].event, head, step, 0)
    })
}
