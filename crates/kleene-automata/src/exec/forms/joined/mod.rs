//! The joined form: runs of a busy key that wait for a value, found by that value.
//!
//! When it applies: a key has many runs, and a condition on which they wait compares a field of the
//! event with a captured value (`b[v == x.v]`, `b[v > x.v]`). The key has runs again when few are
//! open, and where the index does not pay: most runs are found by most events.
//!
//! Why it is right: a run goes through [`general`](super::general) or
//! [`deterministic`](super::deterministic), as in the form of runs. What is left out are visits of
//! runs that the event leaves as they are: [`waiting`](super::waiting) says which.
//!
//! What it saves: a look at each run. 40,000 runs and as many events took 12 s.
//!
//! Which test holds it: `a_busy_key_finds_what_a_list_does` in `tests/joined.rs`, where sixteen
//! runs are many, and `what_waits_for_a_value_is_found_by_it` in `tests/scaling_events.rs` for the
//! steps.
//!
//! An example with `match a as x -> b[v == x.v]`. The key has 40,000 runs, and each waits for a
//! `b`:
//! ```text
//! index of the state, by x.v     1: r1    2: r2 r9    3: r3    ...
//! event b2                       finds r2 and r9, which are asked the condition itself
//! event b7                       finds none: no run waits for a 7
//! event c1, which b ignores      finds none: the state alone says so
//! ```
//!
//! ```text
//! runs --(many runs, `can_join`)--> joined --(few runs)--> runs
//!                                     |
//!                                     +--(most are found, or limits are near)--> runs
//! ```
//!
//! The last arrow sets a mark at the key (`lists_runs`), which stays until the key has no runs. So
//! an index that did not pay is not made again and again. Whether it pays is known after some
//! events: one that is found costs as much as eight that are looked at in a list (`Savings`).
//!
//! Invariants:
//! * The index finds at least the runs that the event can move. It may find others, as the
//!   condition is tested for each.
//! * What is found is visited in the order of the starts, as in the form of runs, so that
//!   successors and matches come in the same order.
//! * In snapshots the runs are runs. A restored key makes its index when it is busy again.
//!
//! Rejected:
//! * An index from 256 runs on: W5 took 1.04 times the time. A list of fewer than 1,024 runs is
//!   looked through in less time than an index is maintained.
//! * A tree for each of three orders: they cost 2,600 instructions for an event of W10. The runs of
//!   a state and those of an equal value need no order, as what is found is sorted.

mod held;
mod ring;

use super::contract::{FormContract, FormImage};
use super::key::KeyState;
use super::runs::RunsForm;
use super::waiting::FEW;
use crate::exec::captures::CaptureArena;
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent, Walk};
use crate::exec::open::Open;
use crate::exec::outcome::Outcome;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::{Decision, Program};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

pub(super) use held::JoinedRuns;
use held::RunId;

impl KeyState {
    /// Moves the runs of the joined form into the form of runs.
    fn list_joined(&mut self) {
        if let Some(joined) = self.take_joined() {
            self.runs_mut().extend(joined.runs().copied());
        }
    }
}

impl<E: Event> Matcher<E> {
    /// True if the runs of a busy key may get the joined form: it has not been tried in vain, and
    /// the limits are not near, at which runs are listed.
    pub(super) fn can_join(&self, key: &KeyState) -> bool {
        !key.lists_runs() && key.runs().len() <= self.unchecked_runs / 8 * 7
    }

    /// Turns the runs of a key into the joined form.
    #[cold]
    pub(super) fn join_runs(&self, store: &mut Store<E>, key: &mut KeyState) {
        let mut joined = JoinedRuns::new(self.in_order());
        store.counts.steps += key.runs().len() as u64;
        for run in key.runs() {
            joined.add(&store.file, *run, None);
        }
        key.clear_runs();
        key.set_joined(Box::new(joined));
    }
}

impl<E: Event> Walk<'_, E> {
    /// Moves the runs that the event finds in the index, and starts new ones. The key gets its form
    /// back at the end: the form of runs, if the index is no longer worth it.
    fn run_joined(&mut self, key: &mut KeyState, mut joined: Box<JoinedRuns>) {
        self.store.scratch.answers.epoch += 1;
        let event_epoch = self.store.scratch.answers.epoch;
        let mut found = 0;
        // Most types of events leave all runs as they are.
        if !self.column.is_still {
            found = self.move_found(&mut joined, event_epoch);
        }
        self.store.counts.steps += 1 + found as u64;
        joined.record_found(found);
        self.start_joined(&mut joined, event_epoch);
        if found > 0 {
            joined.trim();
        }
        // The bound to leave is a quarter of the bound to enter, so that a key does not change its
        // form with each event.
        let is_busy = joined.len() >= FEW;
        let stays = is_busy && joined.pays() && joined.len() <= self.matcher.unchecked_runs;
        key.set_joined(joined);
        if !stays {
            key.list_joined();
        }
        // A key with few runs may become busy again. One for which the index did not pay stays
        // listed.
        if is_busy && !stays {
            key.set_lists_runs();
        }
        self.end(key);
    }

    /// Moves the runs that the event finds in the index. Returns their number.
    #[inline(always)]
    fn move_found(&mut self, joined: &mut JoinedRuns, event_epoch: u64) -> usize {
        // All ids are found before a run moves: a successor can wait for the value of this very
        // event, and would be found, too.
        let JoinedRuns { runs, waiting, found, .. } = &mut *joined;
        let mut ids = std::mem::take(found);
        self.find_movable(waiting, |id| runs.get(*id).registers, event_epoch, &mut ids);
        let count = ids.len();
        let mut next = std::mem::take(&mut self.store.scratch.next);
        next.clear();
        for id in ids.drain(..) {
            let run = *joined.runs.get(id);
            let root = self.column.roots[run.state.index()];
            let decision = self.decision_of(&run, root, event_epoch);
            if matches!(decision, Decision::Stay) {
                continue;
            }
            // It is removed before it moves, as it takes its registers with it.
            joined.remove(&self.store.file, id);
            if self.matcher.runs_in_place() {
                self.move_in_place(&run, decision, event_epoch, &mut next);
            } else if self.move_run(&run, decision, event_epoch, &mut next) {
                next.push(run);
            }
            self.add_to(joined, &mut next, Some(id));
        }
        joined.found = ids;
        self.store.scratch.next = next;
        count
    }

    /// Adds the runs that start with the event.
    #[inline(always)]
    fn start_joined(&mut self, joined: &mut JoinedRuns, event_epoch: u64) {
        if self.matcher.runs_in_place() {
            if let Some(run) = self.first(event_epoch) {
                self.store.counts.steps += 1;
                joined.add(&self.store.file, run, None);
            }
            return;
        }
        let mut next = std::mem::take(&mut self.store.scratch.next);
        next.clear();
        self.start(event_epoch, &mut next);
        self.add_to(joined, &mut next, None);
        self.store.scratch.next = next;
    }

    /// Adds new runs, which may be the successors of a run that has gone `before`.
    fn add_to(&mut self, joined: &mut JoinedRuns, new: &mut Vec<Run>, before: Option<RunId>) {
        self.store.counts.steps += new.len() as u64;
        for run in new.drain(..) {
            joined.add(&self.store.file, run, before);
        }
    }
}

/// The joined form.
pub(super) struct JoinedForm;

impl<E: Event> FormContract<E> for JoinedForm {
    fn push(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let PushedEvent { event, seq, .. } = arrival;
        let time = event.time();
        if matcher.deadline(key).is_some_and(|deadline| deadline <= time) {
            Self::advance(matcher, store, key, time, sink);
        }
        let Some(joined) = key.take_joined() else {
            return RunsForm::push(matcher, store, key, arrival, sink);
        };
        let mut walk = Walk::new(matcher, store, event, seq);
        walk.run_joined(key, joined);
        let overflow = walk.overflow;
        overflow.saturating_add(matcher.report_pushed(store, key, (event, seq), sink))
    }

    fn begins(matcher: &Matcher<E>, event: &E, prefilter: PrefilterOutcome) -> Option<bool> {
        RunsForm::begins(matcher, event, prefilter)
    }

    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        while let Some(deadline) = matcher.deadline(key).filter(|&deadline| deadline <= to) {
            let Some(mut joined) = key.take_joined() else { return };
            // One deadline at a time: a match at the first can drop runs that have the second.
            store.scratch.expiry.expired.clear();
            while let Some(run) = joined.take_over(&store.file, deadline.as_millis()) {
                store.counts.steps += 1;
                matcher.run_out(store, &run, to);
            }
            if joined.len() > 0 {
                key.set_joined(joined);
            }
            matcher.report_expired(store, key, deadline, sink);
        }
    }

    fn finish(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> i64 {
        key.list_joined();
        RunsForm::finish(matcher, store, key, sink)
    }

    fn deadline(_matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.joined().map_or(i64::MAX, JoinedRuns::first_deadline)
    }

    fn last_deadline(_matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.joined().and_then(JoinedRuns::last_deadline).unwrap_or(i64::MIN)
    }

    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        RunsForm::open(matcher, store, key)
    }

    fn clear(store: &mut Store<E>, key: &mut KeyState) {
        let Some(joined) = key.take_joined() else { return };
        for run in joined.runs() {
            store.arena.release(run.head);
            store.file.release(run.registers);
        }
    }

    /// The runs that an event will find are not known before it is matched.
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
        let runs: Vec<Run> = key.all_runs().copied().collect();
        image.add_runs(&matcher.program, store, (&runs, key.completed()));
    }

    fn import(matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState {
        RunsForm::import(matcher, store, image)
    }

    fn into_runs(_matcher: &Matcher<E>, _store: &mut Store<E>, key: &mut KeyState) {
        key.list_joined();
    }

    /// The runs are in the store already: `KeyState::all_runs` has them in this form, too.
    fn as_runs(
        _matcher: &Matcher<E>,
        _store: &Store<E>,
        _key: &KeyState,
        _arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        Vec::new()
    }
}

/// In snapshots they are runs.
impl FormImage for JoinedForm {
    const CODE: u8 = RunsForm::CODE;

    fn count<T>(image: &Image<T>) -> u64 {
        RunsForm::count(image)
    }

    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool {
        RunsForm::fits(image, program)
    }
}
