//! Expiry: partial matches whose deadline passes time out, or match if their pattern ends with
//! `not`.
//!
//! When it applies: keys in the form of runs, at an event or a deadline.
//!
//! Why it is right: deadlines are handled in the order of time. If runs have deadlines in the order
//! of their starts, those that are over are the first. Otherwise the deadlines of a key are sorted,
//! and the order is valid until an event changes the key.
//!
//! What it saves: each partial match is visited once. A jump of time can end many partial matches
//! at different deadlines, and a scan of all of them for each deadline would make the host wait.
//!
//! Which test holds it: `many_partial_matches_of_a_key_end_at_once` and
//! `what_ends_at_once_is_what_ends_one_by_one` in `tests/scaling_events.rs`.
//!
//! An example: `match a -> b within 10s` and timeouts, with a1 at 0 s, a2 at 3 s, a3 at 4 s. Time
//! moves to 13 s:
//! ```text
//! deadline   runs before   reported
//! 10 s       a1 a2 a3      timeout a1 at 10
//! 13 s       a2 a3         timeout a2 at 13
//!            a3            its deadline, 14 s, is not over
//! ```
//! The loop is in `RunsForm::advance`. Each round takes the runs of one deadline, because a match
//! at the first deadline can drop partial matches that have the second.
//!
//! Where the runs of a deadline are:
//! ```text
//! bounds of the pattern only    a prefix of the list: take_while
//! other bounds, few runs        anywhere: one pass over the list
//! other bounds, many runs       the deadlines are sorted once; if as many runs at the front of the
//!                               list have this deadline, they are a prefix; else one pass
//! ```
//!
//! ```text
//! run_out    complete at its deadline?  -- yes --> end_silence: `completed`, again if it repeats
//!                                       -- no ---> `expired`, reported as a timeout
//! report_expired    groups the runs of one partial match, reports, releases their holds
//! ```
//!
//! Invariants:
//! * Nothing is reported before all runs of the deadline have been divided: a partial match that
//!   one of its states completes is no timeout in the others.
//! * A run in `expired` keeps its hold on the store until its timeout is reported, which reads its
//!   events and clocks.

use super::KeyState;
use crate::exec::captured::Captures;
use crate::exec::captures::CaptureArena;
use crate::exec::matcher::Matcher;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::report::is_same;
use crate::exec::run::{Completed, Run, completed};
use crate::exec::set::SetRef;
use crate::exec::store::{Expiry, Scratch, Store};
use crate::exec::times::Times;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The number of runs from which on their deadlines are sorted, if they are not in order already.
const MANY: usize = 16;

impl<E: Event> Matcher<E> {
    /// Drops expired partial matches in one pass, if deadlines report nothing.
    ///
    /// Without timeouts, and without silences that report, nothing has to come in the order of
    /// deadlines. The runs of all deadlines up to `to` go in one pass.
    pub(super) fn free(&self, store: &mut Store<E>, key: &mut KeyState, to: Timestamp) {
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1));
        if key.runs().is_empty() {
            return;
        }
        let Store { arena, file, counts, .. } = store;
        let mut release = |run: &Run| {
            arena.release(run.head);
            file.release(run.registers);
        };
        if self.in_order() {
            let runs = key.runs();
            let over = runs.iter().take_while(|run| run.deadline <= to.as_millis()).count();
            // What stays is not visited, and costs no step.
            counts.steps += over as u64;
            runs[..over].iter().for_each(release);
            if over < runs.len() {
                key.drop_first(over);
            } else {
                key.clear_runs();
            }
        } else {
            counts.steps += key.runs().len() as u64;
            key.runs_mut().retain(|run| {
                let is_over = run.deadline <= to.as_millis();
                if is_over {
                    release(run);
                }
                !is_over
            });
            key.free_if_empty();
        }
    }

    /// Removes the runs with this deadline and reports their outputs. A repeating silence
    /// continues, unless time moves `to` its end.
    pub(super) fn expire(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        if key.runs().is_empty() && key.completed().is_empty() && key.last_violation().is_none() {
            return;
        }
        if let Some(not) = &self.program.leading_not
            // From then on the violation hinders no start.
            && not.ends(key.last_violation()) <= deadline.as_millis()
        {
            key.set_last_violation(None);
        }
        store.scratch.expiry.expired.clear();
        let is_over = |run: &Run| run.deadline <= deadline.as_millis();
        let first = key.runs().iter().take_while(|run| is_over(run)).count();
        if self.in_order() || Self::are_all(store, key, first, deadline) {
            for run in &key.runs()[..first] {
                self.run_out(store, run, to);
            }
            store.counts.steps += first as u64;
            if first < key.runs().len() {
                key.drop_first(first);
            } else {
                key.clear_runs();
            }
        } else {
            store.counts.steps += key.runs().len() as u64;
            key.runs_mut().retain(|run| {
                if is_over(run) {
                    self.run_out(store, run, to);
                }
                !is_over(run)
            });
            key.free_if_empty();
        }
        if self.program.meeting.closes_duplicates && !store.scratch.completed.is_empty() {
            Self::close_loops(store, key);
        }
        self.report_expired(store, key, deadline, sink);
        if !store.scratch.silences.repeating.is_empty() {
            Self::go_on_repeating(store, key);
        }
    }

    /// True if the first `count` runs are all runs with this deadline; always false for keys with
    /// few runs. Keeps the deadlines of a key sorted while no event changes them, so that no
    /// deadline needs a search of all runs.
    fn are_all(
        store: &mut Store<E>,
        key: &mut KeyState,
        count: usize,
        deadline: Timestamp,
    ) -> bool {
        // The census knows, without a list of deadlines.
        if key.has_deadlines_in_order() {
            return true;
        }
        if key.runs().len() < MANY {
            return false;
        }
        if key.deadlines().is_none() {
            store.counts.steps += key.runs().len() as u64;
            key.sort_deadlines();
        }
        // Prefix and number agree exactly if no run further back has this deadline.
        key.drop_deadlines(deadline.as_millis()) == count
    }

    /// Says whether a run whose deadline passes is complete, or has run out of time.
    #[inline]
    pub(super) fn run_out(&self, store: &mut Store<E>, run: &Run, to: Timestamp) {
        let times = Times { program: &self.program, arena: &store.arena, file: &store.file, run };
        if times.completes() {
            self.end_silence(store, *run, to);
        } else {
            // The clocks are read when it is reported.
            store.scratch.expiry.expired.push(*run);
        }
    }

    /// Drops the runs that hold the events of what is complete with the last silence. They divide
    /// these events into the rounds of the loop in another way, and the loop is over.
    ///
    /// The end of the silence ends the loop before it: docs/semantics.md says so of a greedy loop
    /// before a last `not`. The matches are sorted once, and each run is looked up.
    #[cold]
    fn close_loops(store: &mut Store<E>, key: &mut KeyState) {
        let Store { arena, file, scratch, .. } = store;
        let order = |arena: &CaptureArena<E>, one: (u64, u32), other: (u64, u32)| {
            one.0.cmp(&other.0).then_with(|| arena.compare(one.1, other.1))
        };
        let mut over: Vec<_> =
            scratch.completed.iter().map(|one| (one.start_seq, one.head)).collect();
        over.sort_unstable_by(|one, other| order(arena, *one, *other));
        key.runs_mut().retain(|run| {
            let run_order = |one: &(u64, u32)| order(arena, *one, (run.start_seq, run.head));
            let is_over = over.binary_search_by(run_order).is_ok();
            if is_over {
                arena.release(run.head);
                file.release(run.registers);
            }
            !is_over
        });
        key.free_if_empty();
    }

    /// Completes a run for which a silence has lasted long enough. If it repeats, the run goes on.
    fn end_silence(&self, store: &mut Store<E>, run: Run, to: Timestamp) {
        let Store { arena, file, scratch, counts } = store;
        let times = Times { program: &self.program, arena, file, run: &run };
        let (repetition, next) = times.repetition(to < Timestamp::MAX && !scratch.silences.ends);
        // One jump of time could report a short silence without end.
        let is_cut_off = next.is_some() && repetition >= self.limits.repetitions;
        counts.cut_off += u64::from(is_cut_off);
        match next.filter(|_| !is_cut_off) {
            Some(deadline) => {
                // The match and the run that goes on hold the events, each for itself.
                arena.retain(run.head);
                scratch.silences.repeating.push((Run { deadline, ..run }, false));
            }
            None => file.release(run.registers),
        }
        scratch.completed.push(Completed { repetition, ..completed(&run) });
    }

    /// Puts the silences back that were reported and go on. One whose match another one has dropped
    /// does not.
    fn go_on_repeating(store: &mut Store<E>, key: &mut KeyState) {
        let Store { arena, file, scratch, .. } = store;
        key.forget_deadlines();
        for (run, is_reported) in scratch.silences.repeating.drain(..) {
            if is_reported {
                let runs = key.runs_mut();
                // The order of the starts is restored: a run that repeats was taken out of the
                // list.
                let at = runs.partition_point(|other| other.start_seq <= run.start_seq);
                runs.insert(at, run);
            } else {
                arena.release(run.head);
                file.release(run.registers);
            }
        }
    }

    /// Reports the runs that have run out of time at `deadline`, and what is complete with it.
    pub(super) fn report_expired(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let program = &self.program;
        let Store { arena, file, scratch, .. } = store;
        let Scratch { completed, expiry: Expiry { expired, states, clocks, heads }, .. } = scratch;
        // A partial match can wait in several states; it is one all the same, and it is no timeout
        // if one of the states completes it.
        if program.report_timeouts {
            expired.sort_by(|a, b| {
                a.start_seq.cmp(&b.start_seq).then_with(|| arena.compare(a.head, b.head))
            });
            heads.clear();
            heads.extend(completed.iter().map(|match_| match_.head));
            let mut rest = &expired[..];
            while let Some(first) = rest.first() {
                let same = rest
                    .iter()
                    .take_while(|run| is_same(program, arena, run.head, first.head))
                    .count();
                let (group, others) = rest.split_at(same);
                rest = others;
                let is_first = |head: &u32| is_same(program, arena, *head, first.head);
                // Equal nodes are equal events. With named groups, equal events can have different
                // nodes.
                if heads.contains(&first.head)
                    || !program.named.is_empty() && heads.iter().any(is_first)
                {
                    continue;
                }
                states.clear();
                states.extend(group.iter().map(|run| run.state));
                clocks.clear();
                if program.has_operand_sets() {
                    clocks.extend(group.iter().flat_map(|run| file.times(run.registers)));
                }
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program,
                    captures: Captures::new(arena, first.head),
                    start: Timestamp::from_millis(first.start),
                    last: Timestamp::from_millis(first.last),
                    at: deadline,
                    start_seq: first.start_seq,
                    states,
                    clocks,
                    repetition: 0,
                    set: SetRef::Alone,
                });
            }
        }
        for run in expired.drain(..) {
            arena.release(run.head);
            file.release(run.registers);
        }
        if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            self.report_completed(store, key, deadline, sink);
        }
    }
}
