//! Deadlines of groups: what is complete when time has passed, or when the stream ends.
//!
//! When it applies: patterns that end with a `not` or with a `longest` loop, and those with
//! `on timeout` (`timeouts`).
//!
//! Why it is right: a partial match is due at the end of its configuration's wait, or at the end of
//! the pattern's own time, which follows from its start. So the partial matches of a group that a
//! deadline completes are those whose starts end in a range of times: a node of its own.
//!
//! What it saves: the matches of a deadline are counted and chosen without a listing.
//!
//! Which test holds it: `the_compact_form_reports_what_the_reference_reports` in
//! `tests/properties.rs`.

use std::ops::RangeInclusive;

use smallvec::SmallVec;

use super::group::{Configuration, Notice};
use super::groups::MatchGroups;
use crate::exec::dag::{DagEvent, NONE, StartSide};
use crate::exec::forms::KeyState;
use crate::exec::matcher::Matcher;
use crate::exec::outcome::Outcome;
use crate::exec::store::Store;
use crate::nfa::Compact;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Length;

/// The times at which starts are over, inclusive.
pub(super) type Ends = RangeInclusive<i64>;

/// Groups of which a deadline completes the partial matches whose starts are over in these ranges.
struct DueGroups {
    ranges: SmallVec<[Ends; 1]>,
    positions: Vec<usize>,
}

impl<E: Event> Matcher<E> {
    /// Handles the first deadline of a key's groups: reports what it completes, and drops what is
    /// over.
    pub(super) fn expire_groups(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (compact, at): (&Compact, i64),
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let Some(mut groups) = key.take_groups() else { return };
        let (before, bound) = (groups.bytes(), self.whole_bound());
        let timed_out = self.timed_out(store, &mut groups, at);
        let completed = self.complete_due(store, &mut groups, at);
        groups.expire(store, &compact.live, bound, at);
        let time = Timestamp::from_millis(at);
        self.report_timed_out(store, (&groups.dag, timed_out), time, sink);
        self.report_in_time(store, key, (&mut groups, completed), time, sink);
        let is_dropped = match bound.notice {
            _ if groups.waiting != NONE => false,
            Notice::AtOnce => self.drop_over(store, &mut groups, at),
            Notice::Later => true,
        };
        if !is_dropped {
            groups.collect(store, &mut { NONE }, |start| self.end(start) > at);
        } else if groups.dag.wants_collection() {
            groups.collect(store, &mut { NONE }, |_| true);
        }
        groups.settle(bound);
        Matcher::put_back(store, key, groups, before);
    }

    /// Reports what the end of the stream completes, `longest` loops that no time bounds, and the
    /// matches that wait: no older partial match is left.
    pub(super) fn finish_groups(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let Some(mut groups) = key.take_groups() else { return };
        let before = groups.bytes();
        let accepts =
            |one: &Configuration| self.program.states[one.state.index()].accepts_when_exhausted;
        let mut completed = std::mem::replace(&mut groups.waiting, NONE);
        for group in groups.all.iter().filter(|group| group.configurations.iter().any(accepts)) {
            completed = groups.dag.union(group.root, completed);
        }
        if completed != NONE {
            let at = Timestamp::from_millis(groups.dag.latest(completed).time);
            self.report_at(store, key, (&mut groups, completed), at, sink);
        }
        Matcher::put_back(store, key, groups, before);
    }

    /// Returns the node of the matches that a deadline completes, or [`NONE`].
    fn complete_due(&self, store: &mut Store<E>, groups: &mut MatchGroups, at: i64) -> u32 {
        let mut completed = NONE;
        for DueGroups { ranges, positions } in self.due_groups(groups, at) {
            let roots: Vec<u32> = positions.iter().map(|at| groups.all[*at].root).collect();
            let done = self.of_ends(store, groups, &roots, (&ranges, &[]));
            completed = done.iter().fold(completed, |all, one| groups.dag.union(*one, all));
            // The loop before a silence ends with it, in whatever state it waits.
            if self.program.meeting.closes_duplicates {
                let is_left =
                    |start: &DagEvent| !ranges.iter().any(|ends| ends.contains(&self.end(start)));
                let rest = groups.dag.restrict(&roots, is_left);
                // Some have nothing left, of which an index knows nothing.
                groups.index = None;
                positions.iter().zip(rest).for_each(|(at, rest)| groups.all[*at].root = rest);
            }
        }
        groups.drop_empty(&mut store.file);
        completed
    }

    /// Drops the starts that are over from the groups that have others. Returns false if a pass over
    /// the graph is cheaper.
    fn drop_over(&self, store: &mut Store<E>, groups: &mut MatchGroups, at: i64) -> bool {
        let mut looks = 0;
        for position in groups.over_at(at) {
            let root = groups.all[position].root;
            if self.end(groups.dag.oldest(root)) > at {
                continue;
            }
            let is_over = |start: &DagEvent| self.end(start) <= at;
            let (left, looked) = groups.dag.side(root, StartSide::Left, is_over);
            store.counts.steps += u64::from(looked);
            looks += looked as usize;
            match left.filter(|left| *left != NONE) {
                Some(left) if looks <= groups.dag.len() => groups.set_root(position, left),
                _ => return false,
            }
        }
        true
    }

    /// Returns for each node the one with the chains whose starts are over in one of the ranges
    /// `within` and in none of `outside`, or [`NONE`].
    pub(super) fn of_ends(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        roots: &[u32],
        (within, outside): (&[Ends], &[Ends]),
    ) -> Vec<u32> {
        let is_whole = |root: &u32| {
            let (oldest, newest) = self.extent(groups, *root);
            let overlaps = |ends: &Ends| *ends.start() <= newest && oldest <= *ends.end();
            within.iter().any(|ends| ends.contains(&oldest) && ends.contains(&newest))
                && !outside.iter().any(overlaps)
        };
        if roots.iter().all(is_whole) {
            return roots.to_vec();
        }
        if let ([ends], []) = (within, outside)
            && let Some(parts) = self.between(store, groups, roots, ends)
        {
            return parts;
        }
        groups.count_pass(store);
        groups.dag.restrict(roots, |start| {
            let end = self.end(start);
            let is_in = |ranges: &[Ends]| ranges.iter().any(|ends| ends.contains(&end));
            is_in(within) && !is_in(outside)
        })
    }

    /// Returns for each node the one with the chains whose starts are over in a range of times, or
    /// [`NONE`]; nothing if a pass over the graph is cheaper.
    fn between(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        roots: &[u32],
        ends: &Ends,
    ) -> Option<Vec<u32>> {
        let mut parts = Vec::with_capacity(roots.len());
        let mut looks = 0;
        for root in roots {
            let mut part = *root;
            let earlier = |start: &DagEvent| self.end(start) < *ends.start();
            let not_later = |start: &DagEvent| self.end(start) <= *ends.end();
            let (oldest, newest) = self.extent(groups, part);
            if oldest < *ends.start() {
                let (found, looked) = groups.dag.side(part, StartSide::Left, earlier);
                (part, looks) = (found?, looks + looked);
            }
            if part != NONE && newest > *ends.end() {
                let (found, looked) = groups.dag.side(part, StartSide::Over, not_later);
                (part, looks) = (found?, looks + looked);
            }
            if looks as usize > groups.dag.len() {
                return None;
            }
            parts.push(part);
        }
        store.counts.steps += u64::from(looks);
        Some(parts)
    }

    /// Returns the groups that have partial matches that a deadline completes. One pass over the
    /// graph finds those of all groups with the same ranges.
    fn due_groups(&self, groups: &MatchGroups, at: i64) -> Vec<DueGroups> {
        let mut all: Vec<DueGroups> = Vec::new();
        for position in groups.over_at(at) {
            let group = &groups.all[position];
            let (oldest, newest) = self.extent(groups, group.root);
            let ranges = group.configurations.iter().filter_map(|one| self.completed_ends(one, at));
            let ranges: SmallVec<[Ends; 1]> =
                ranges.filter(|ends| *ends.start() <= newest && oldest <= *ends.end()).collect();
            if ranges.is_empty() {
                continue;
            }
            match all.iter_mut().find(|due| due.ranges == ranges) {
                Some(due) => due.positions.push(position),
                None => all.push(DueGroups { ranges, positions: vec![position] }),
            }
        }
        all
    }

    /// Returns when the oldest and the newest start of a node are over.
    pub(super) fn extent(&self, groups: &MatchGroups, root: u32) -> (i64, i64) {
        (self.end(groups.dag.oldest(root)), self.end(groups.dag.newest(root)))
    }

    /// Returns when the starts of those partial matches end that a deadline completes in a
    /// configuration. [`Times::completes`](crate::exec::times::Times::completes) says the same of
    /// one run.
    pub(super) fn completed_ends(&self, configuration: &Configuration, at: i64) -> Option<Ends> {
        let Configuration { state, last, deadline, .. } = *configuration;
        let state = &self.program.states[state.index()];
        if !state.accepts_at_deadline {
            return None;
        }
        let ends = match (deadline <= at, state.ends_in_silence) {
            (true, true) => deadline.saturating_add(1)..=i64::MAX,
            (true, false) => at..=i64::MAX,
            (false, false) => at..=at,
            // Time cuts the silence short.
            (false, true) => return None,
        };
        let begins = self.program.timing.before_last_not.and_then(Length::as_millis);
        let least = begins.map_or(i64::MIN, |begins| last.saturating_add(begins).saturating_add(1));
        Some(*ends.start().max(&least)..=*ends.end()).filter(|ends| !ends.is_empty())
    }
}
