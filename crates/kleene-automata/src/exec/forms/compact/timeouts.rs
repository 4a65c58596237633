//! Partial matches of groups that run out of time (`on timeout`).
//!
//! When it applies: patterns with `on timeout`.
//!
//! Why it is right: a partial match runs out of time if a wait of one of its configurations is over,
//! or the pattern's own time, which follows from its start. No two groups have partial matches with
//! the same events. So a partial match is one timeout, in however many states it waits, and none if
//! the deadline completes it in one of them. The timeouts of a group are those partial matches whose
//! starts are over, and those whose starts are not but whose wait is: two nodes of their own.
//!
//! What it saves: partial matches are listed when their time is over and not before, up to the limit
//! on what is listed of a set.
//!
//! Which test holds it: `the_compact_form_reports_what_the_reference_reports` in
//! `tests/properties.rs`, and `timeouts_are_those_of_the_reference` in `tests/timeouts.rs`.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::due::Ends;
use super::group::Configuration;
use super::groups::MatchGroups;
use crate::exec::dag::{ChainListing, Dag, DagEvent, Direction, NONE, Packed, defined_order};
use crate::exec::matcher::Matcher;
use crate::exec::outcome::{self, Outcome, OutcomeKind};
use crate::exec::registers::RegisterFile;
use crate::exec::set::{GraphSet, SetRef};
use crate::exec::store::Store;
use crate::nfa::StateId;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

/// The partial matches that a deadline ends without completing them.
#[derive(Debug)]
pub(super) struct TimedOut {
    /// The node of all of them, [`NONE`] if there are none.
    root: u32,
    /// The same by what they waited for.
    parts: Vec<(EndedWait, u32)>,
}

/// The states in which partial matches waited until the deadline.
#[derive(Debug)]
struct EndedWait {
    /// The steps that would have advanced them: what a timeout reports of the states.
    awaits: Vec<StepId>,
    states: Vec<StateId>,
    /// As in an [`Outcome`].
    clocks: Vec<i64>,
}

/// Nodes with the same wait, of which the starts that are over in a range of times run out of time.
struct Lapsed {
    wait: EndedWait,
    ends: Ends,
    /// The partial matches whose starts are over in these ranges are complete.
    completed: SmallVec<[Ends; 1]>,
    roots: Vec<u32>,
}

impl<E: Event> Matcher<E> {
    /// Returns the partial matches that a deadline ends without completing them, if timeouts are
    /// reported.
    pub(super) fn timed_out(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        at: i64,
    ) -> TimedOut {
        let mut all = TimedOut { root: NONE, parts: Vec::new() };
        if !self.program.report_timeouts {
            return all;
        }
        for Lapsed { wait, ends, completed, roots } in self.lapsed(&store.file, groups, at) {
            let nodes = self.of_ends(store, groups, &roots, (&[ends], &completed));
            let node = nodes.into_iter().fold(NONE, |all, one| groups.dag.union(one, all));
            if node == NONE {
                continue;
            }
            all.root = groups.dag.union(node, all.root);
            match all.parts.iter_mut().find(|(known, _)| known.awaits == wait.awaits) {
                Some((_, root)) => *root = groups.dag.union(node, *root),
                None => all.parts.push((wait, node)),
            }
        }
        all
    }

    /// Returns the nodes that have partial matches which a deadline ends. One pass over the graph
    /// finds those of all groups with the same ranges.
    fn lapsed(&self, file: &RegisterFile, groups: &MatchGroups, at: i64) -> Vec<Lapsed> {
        let mut all: Vec<Lapsed> = Vec::new();
        for position in groups.over_at(at) {
            let group = &groups.all[position];
            let (oldest, newest) = self.extent(groups, group.root);
            let completed = group.configurations.iter();
            let completed: SmallVec<[Ends; 1]> =
                completed.filter_map(|one| self.completed_ends(one, at)).collect();
            // Time ends before the greatest timestamp, so there is a time after this one.
            for ends in [i64::MIN..=at, at + 1..=i64::MAX] {
                let (first, last) = (oldest.max(*ends.start()), newest.min(*ends.end()));
                let are_complete =
                    completed.iter().any(|range| range.contains(&first) && range.contains(&last));
                if first > last || are_complete {
                    continue;
                }
                // Where the pattern's own time is over, all waits are.
                let ended = group.configurations.iter();
                let wait = self.wait(file, ended.filter(|one| one.deadline.min(last) <= at));
                if wait.states.is_empty() {
                    continue;
                }
                let same = all.iter_mut().find(|one| {
                    one.ends == ends && one.completed == completed && one.wait.awaits == wait.awaits
                });
                match same {
                    Some(one) => one.roots.push(group.root),
                    None => all.push(Lapsed {
                        wait,
                        ends,
                        completed: completed.clone(),
                        roots: vec![group.root],
                    }),
                }
            }
        }
        all
    }

    /// Returns the wait of partial matches in these configurations.
    fn wait<'c>(
        &self,
        file: &RegisterFile,
        configurations: impl Iterator<Item = &'c Configuration> + Clone,
    ) -> EndedWait {
        let states: Vec<StateId> = configurations.clone().map(|one| one.state).collect();
        let clocks: Vec<i64> = if self.program.has_operand_sets() {
            configurations.flat_map(|one| file.times(one.registers)).copied().collect()
        } else {
            Vec::new()
        };
        EndedWait {
            awaits: outcome::awaits(&self.program, &states, &clocks).collect(),
            states,
            clocks,
        }
    }

    /// Reports timeouts in the defined order, as many as are listed of a set.
    pub(super) fn report_timed_out(
        &self,
        store: &mut Store<E>,
        (dag, timed_out): (&Dag, TimedOut),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let TimedOut { root, parts } = timed_out;
        if root == NONE {
            return;
        }
        let (count, moments): (u64, &[DagEvent]) = (dag.count(root).0, dag.moments());
        // Timeouts belong to no set, but those that are held share a copy of their graph.
        store.counts.sets += 1;
        let number = store.counts.sets;
        let graph = GraphSet { dag: Cow::Borrowed(dag), root, totals: Vec::new(), number };
        let set = if count == 1 { SetRef::Alone } else { SetRef::Graph(&graph) };
        let timeout = self.outcome_of_set(store, OutcomeKind::Timeout, (set, at));
        let mut listings: Vec<PartListing> = parts
            .into_iter()
            .filter_map(|(wait, root)| PartListing::new(dag, root, wait))
            .collect();
        let most = (self.limits.matches_per_set as u64).max(1);
        let mut listed = 0;
        while listed < most.min(count) {
            let order = |one: &(usize, &PartListing), other: &(usize, &PartListing)| {
                defined_order(&one.1.next, &other.1.next)
            };
            let Some((first, part)) = listings.iter().enumerate().min_by(order) else { break };
            let PartListing { wait: EndedWait { states, clocks, .. }, next, .. } = part;
            sink(Outcome { states, clocks, ..timeout }.with_path(next, moments));
            listed += 1;
            if !listings[first].advance() {
                listings.swap_remove(first);
            }
        }
        store.counts.add_unlisted(count - listed);
    }
}

/// The timeouts with one wait, one by one.
struct PartListing {
    wait: EndedWait,
    listing: ChainListing,
    /// The events of the next one, from the last to the first.
    next: Vec<Packed>,
}

impl PartListing {
    fn new(dag: &Dag, root: u32, wait: EndedWait) -> Option<PartListing> {
        let listing = ChainListing::new(dag, root, Direction::Forward);
        let mut part = PartListing { wait, listing, next: Vec::new() };
        part.advance().then_some(part)
    }

    /// Goes to the next one. Returns false at the end.
    fn advance(&mut self) -> bool {
        self.next.clear();
        match self.listing.next() {
            Some(path) => self.next.extend_from_slice(path),
            None => return false,
        }
        true
    }
}
