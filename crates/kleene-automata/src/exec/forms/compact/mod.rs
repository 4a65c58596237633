//! The compact form: groups of partial matches with the same future, and a graph of their events.
//!
//! When it applies: if no silence repeats, no condition reads captured events except through
//! registers, and no event says how long a match may take.
//! [`nfa::compact`](crate::nfa::Compact) has the whole list, and `kleene explain` says what holds for
//! a pattern. The planner picks the form if one partial match can both skip and capture the same
//! event, so that partial matches multiply. `due` handles deadlines, `timeouts` the partial matches
//! that these end, `ordered` the matches that wait for older partial matches, and `sums` a sum that
//! one condition compares.
//!
//! Why it is right: the future of a partial match is decided by its state, the registers and clocks
//! that can still be read, and the time of its last event. Only the pattern's own bound follows
//! from its start. Partial matches that agree in all of these are one group. The events of a group
//! are a node of a [graph](crate::exec::dag). All chains of the graph are different, so counting
//! its chains counts matches.
//!
//! What it saves: 2^n partial matches of n events are a few groups and 2n nodes. W7 with 24 events
//! takes microseconds instead of seconds and gigabytes. A pattern with one partial match for each
//! event saves little and pays for the graph.
//!
//! Which test holds it: `the_compact_form_reports_what_the_reference_reports` in
//! `tests/properties.rs`, and `exec::dag::tests` for the graph.

mod advance;
mod carry;
mod chain_sums;
mod due;
mod group;
mod grouping;
mod groups;
mod image;
mod index;
mod ordered;
mod outcomes;
mod sums;
mod timeouts;

use super::contract::FormContract;
use super::key::KeyState;
use super::runs::RunsForm;
use crate::exec::captures::CaptureArena;
use crate::exec::dag::{NONE, Preference};
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent, Walk};
use crate::exec::open::Open;
use crate::exec::outcome::Outcome;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::Decision;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{LimitPolicy, Report};

use group::{Notice, WholeBound};
pub(super) use groups::MatchGroups;

/// The compact form.
pub(super) struct CompactForm;

impl<E: Event> FormContract<E> for CompactForm {
    #[inline(never)]
    fn push(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let Ok(compact) = &matcher.program.compact else { return 0 };
        let PushedEvent { event, seq, .. } = arrival;
        let time = event.time();
        if matcher.deadline(key).is_some_and(|deadline| deadline <= time) {
            Self::advance(matcher, store, key, time, sink);
        }
        let mut walk = Walk::new(matcher, store, event, seq);
        let is_still = walk.column.is_still
            && *matcher.program.decisions.node(walk.column.begins) == Decision::Gone;
        if is_still && matcher.program.leading_not.is_none() {
            walk.store.counts.steps += 1;
            return 0;
        }
        let mut groups = key.take_groups().unwrap_or_else(|| Box::new(matcher.create_groups()));
        let before = groups.bytes();
        groups.now = time.as_millis();
        if let Some(sum) = &compact.sum
            && !walk.can_sum(&mut groups, sum)
        {
            let dropped = matcher.list_groups(store, key, (groups, before));
            return dropped.saturating_add(RunsForm::push(matcher, store, key, arrival, sink));
        }
        if groups.stale <= groups.now {
            matcher.collect_groups(walk.store, &mut groups, &mut { NONE }, time);
        }
        if matcher.program.indexes_groups() {
            groups.index_many(&walk.store.file, matcher.whole_bound());
        }
        let completed = walk.advance_groups(key, &mut groups, compact);
        groups.drop_useless_index();
        let unlisted = store.counts.unlisted;
        let completed = matcher.in_time(store, &mut groups, completed, time);
        matcher.report_in_time(store, key, (&mut groups, completed), time, sink);
        let mut overflow = store.counts.unlisted_since(unlisted);
        if matcher.are_too_large(&groups) {
            overflow = overflow.saturating_add(matcher.cut_groups(store, &mut groups));
            if groups.waiting != NONE {
                // What was waited for can be gone.
                matcher.release_groups(store, key, (&mut groups, NONE), time, sink);
            }
        }
        if groups.dag.wants_collection() {
            groups.collect(store, &mut { NONE }, |_| true);
        }
        groups.settle(matcher.whole_bound());
        Matcher::put_back(store, key, groups, before);
        overflow
    }

    #[inline]
    fn begins(_matcher: &Matcher<E>, _event: &E, _prefilter: PrefilterOutcome) -> Option<bool> {
        None
    }

    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        if let Some(not) = &matcher.program.leading_not
            && not.ends(key.last_violation()) <= to.as_millis()
        {
            key.set_last_violation(None);
        }
        let Ok(compact) = &matcher.program.compact else { return };
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1)).as_millis();
        if matcher.program.reports_at_deadlines() {
            while let Some(at) = key.groups().map(|groups| groups.deadline).filter(|at| *at <= to) {
                matcher.expire_groups(store, key, (compact, at), sink);
            }
            return;
        }
        if let Some(mut groups) = key.take_groups() {
            let before = groups.bytes();
            groups.expire(store, &compact.live, matcher.whole_bound(), to);
            Matcher::put_back(store, key, groups, before);
        }
    }

    fn finish(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> i64 {
        matcher.finish_groups(store, key, sink);
        <CompactForm as FormContract<E>>::clear(store, key);
        i64::MIN
    }

    #[inline]
    fn deadline(_matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.groups().map_or(i64::MAX, |groups| groups.deadline)
    }

    fn last_deadline(matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.groups().map_or(i64::MIN, |groups| groups.last_deadline(matcher.whole_bound()))
    }

    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        matcher.open_of_groups(store, key)
    }

    fn clear(store: &mut Store<E>, key: &mut KeyState) {
        if let Some(groups) = key.take_groups() {
            store.arena.graphs = store.arena.graphs.saturating_sub(groups.bytes());
            groups.clear(store);
        }
    }

    #[inline(always)]
    fn prefetch(
        _matcher: &Matcher<E>,
        _store: &Store<E>,
        _key: &KeyState,
        _time: i64,
        _step: usize,
    ) -> bool {
        false
    }

    fn export<'s>(
        matcher: &Matcher<E>,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    ) {
        matcher.export_groups(store, key, image);
    }

    fn import(matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState {
        matcher.import_groups(store, image)
    }

    fn into_runs(matcher: &Matcher<E>, store: &mut Store<E>, key: &mut KeyState) {
        let runs = matcher.runs_of_groups(&mut store.file, key, &mut store.arena);
        let complete = matcher.complete_of_groups(key, &mut store.arena);
        Self::clear(store, key);
        key.runs_mut().extend(runs);
        if !complete.is_empty() {
            key.completed_mut().extend(complete);
        }
    }

    fn as_runs(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        matcher.count_as_runs(store, key, arena)
    }
}

impl<E: Event> Matcher<E> {
    /// Returns the pattern's own bound.
    fn whole_bound(&self) -> WholeBound {
        let completes = self.program.compact.as_ref().is_ok_and(|one| one.completes_by_start);
        let by_start = completes || self.program.report_timeouts;
        let notice = if by_start { Notice::AtOnce } else { Notice::Later };
        WholeBound { millis: self.program.timing.span, notice }
    }

    /// Drops what is out of time at `now` from the groups of a key, so that each partial match that
    /// is counted can still go on.
    pub(super) fn sweep_groups(&self, store: &mut Store<E>, key: &mut KeyState, now: Timestamp) {
        if let Some(mut groups) = key.take_groups() {
            let before = groups.bytes();
            groups.now = groups.now.max(now.as_millis());
            self.collect_groups(store, &mut groups, &mut { NONE }, now);
            groups.settle(self.whole_bound());
            Matcher::put_back(store, key, groups, before);
        }
    }

    fn create_groups(&self) -> MatchGroups {
        MatchGroups::new(match self.program.report {
            Report::Longest => Preference::Longest,
            Report::Shortest => Preference::Shortest,
            _ => Preference::First,
        })
    }

    /// Gives the groups back to the key.
    fn put_back(store: &mut Store<E>, key: &mut KeyState, groups: Box<MatchGroups>, before: u64) {
        if groups.all.is_empty() {
            store.arena.graphs = store.arena.graphs.saturating_sub(before);
            groups.clear(store);
        } else {
            store.arena.graphs = (store.arena.graphs + groups.bytes()).saturating_sub(before);
            key.set_groups(groups);
        }
    }

    /// Drops the starts that are out of time, and what nothing needs.
    fn collect_groups(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        completed: &mut u32,
        time: Timestamp,
    ) {
        groups.collect(store, completed, |start| self.end(start) > time.as_millis());
    }

    /// True if the next event would take too many steps.
    fn take_too_many_steps(&self, groups: &MatchGroups) -> bool {
        groups.configuration_count() > self.limits.steps_per_event / self.run_steps
    }

    /// True if a key is beyond a limit of its graph, or of the steps of the next event.
    fn are_too_large(&self, groups: &MatchGroups) -> bool {
        groups.dag.len() > self.limits.graph_nodes_per_key || self.take_too_many_steps(groups)
    }

    /// Drops partial matches by their starts until a key is within its limits: the oldest if the
    /// next event would take too many steps, the newest if the graph has too many nodes. Returns
    /// the number of partial matches that have gone.
    #[cold]
    fn cut_groups(&self, store: &mut Store<E>, groups: &mut MatchGroups) -> usize {
        groups.collect(store, &mut { NONE }, |_| true);
        if !self.are_too_large(groups) {
            return 0;
        }
        let now = Timestamp::from_millis(groups.now);
        self.collect_groups(store, groups, &mut { NONE }, now);
        let open = groups.count();
        self.halve_while(store, groups, LimitPolicy::DropOldest, Matcher::take_too_many_steps);
        let within_steps = groups.count();
        let spent = dropped(open, within_steps);
        let has_too_many = |matcher: &Self, groups: &MatchGroups| {
            groups.dag.len() > matcher.limits.graph_nodes_per_key
        };
        let before = groups.dag.len();
        self.halve_while(store, groups, LimitPolicy::DropNewest, has_too_many);
        let pruned = if groups.dag.len() < before {
            dropped(within_steps, groups.count()).max(1)
        } else {
            0
        };
        store.counts.spent = store.counts.spent.saturating_add(spent);
        store.counts.pruned = store.counts.pruned.saturating_add(pruned);
        spent.saturating_add(pruned)
    }

    /// Drops the older or newer half of the starts at a time while the condition holds. If all
    /// partial matches have the same start, half of the groups go instead: dropping the start would
    /// leave nothing. A group goes with all states in which its partial matches wait.
    fn halve_while(
        &self,
        store: &mut Store<E>,
        groups: &mut MatchGroups,
        policy: LimitPolicy,
        goes_on: impl Fn(&Self, &MatchGroups) -> bool,
    ) {
        let is_oldest = policy == LimitPolicy::DropOldest;
        while !groups.all.is_empty() && goes_on(self, groups) {
            let starts = groups.all.iter().flat_map(|group| {
                [groups.dag.oldest(group.root).seq, groups.dag.newest(group.root).seq]
            });
            let (least, most) =
                starts.fold((u64::MAX, 0), |(least, most), seq| (least.min(seq), most.max(seq)));
            let middle = least + (most - least) / 2;
            if least == most {
                let half = groups.all.len().div_ceil(2);
                let first = if is_oldest { 0 } else { groups.all.len() - half };
                groups.drop_groups(store, first..first + half);
            } else if is_oldest {
                groups.collect(store, &mut { NONE }, |start| start.seq > middle);
            } else {
                groups.collect(store, &mut { NONE }, |start| start.seq <= middle);
            }
        }
    }
}

/// Returns the difference between the numbers of partial matches before and after.
fn dropped(before: u64, after: u64) -> usize {
    usize::try_from(before.saturating_sub(after)).unwrap_or(usize::MAX)
}
