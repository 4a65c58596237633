//! The form of runs: a run through the automaton for each partial match.
//!
//! When it applies: any pattern. The general strategy advances runs by
//! [`general`](super::general), the deterministic strategy advances them in place by
//! [`deterministic`](super::deterministic).
//!
//! Why it is right: a run is what the semantics call a partial match, or one of the states in which
//! it waits. Where it can wait in several, the key remembers how many runs hold the same events as
//! another one, so that each partial match is counted once.
//!
//! What it saves: nothing. It is the general way, and the other forms are held against it.
//!
//! Which test holds it: `tests/conformance.rs` against Flink CEP, and `tests/properties.rs` against
//! the reference matcher.
//!
//! An example with `match a -> any b -> c`, `skip none`. A run is its captures and its state:
//! ```text
//! event   runs, in the order of their starts
//! a1      {a1} b
//! b2      {a1} b, {a1 b2} c
//! a3      {a1} b, {a1 b2} c, {a3} b
//! c4      {a1} b, {a3} b                       match a1 b2 c4
//! ```
//!
//! Invariants:
//! * Runs are in the order of their starts. If all deadlines come from the pattern's own bound
//!   (`in_order`), deadlines are in that order, too: the first run is the first to run out of time.
//! * A key has runs or another form, never both. The other forms can become runs (`into_runs`), for
//!   example where a limit drops partial matches one by one.
//!
//! The result of a push is written to the scratch space (`completed`) and reported after all runs
//! have moved, as `skip` needs all matches of an event. A single match that ends with the event has
//! a short path: that event is not stored for it (`report_at_once`).
//!
//! Rejected: a key with room for runs and for a queue. With one or the other, a slot was 24 bytes
//! smaller when this was changed.

use super::contract::{FormContract, FormImage};
use super::key::KeyState;
use crate::exec::captured::Captures;
use crate::exec::captures::CaptureArena;
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent, Walk};
use crate::exec::open::Open;
use crate::exec::outcome::Outcome;
use crate::exec::run::{Completed, Run, completed};
use crate::exec::store::Store;
use crate::nfa::{Decision, EdgeEffect, Program};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::util::order;

/// The maximum number of a key's partial matches that are prefetched for an event.
const MOST_FETCHED: usize = 8;

/// The form of runs.
pub(super) struct RunsForm;

impl<E: Event> FormContract<E> for RunsForm {
    #[inline(never)]
    fn push(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let PushedEvent { event, seq, .. } = arrival;
        let time = event.time();
        let in_place = matcher.runs_in_place();
        // The two ways of a step: in place if no run can branch, else by a list of successors.
        let is_due = if in_place {
            // Runs are in the order of their start, and nothing else has deadlines.
            key.runs().first().is_some_and(|run| run.deadline <= time.as_millis())
        } else {
            matcher.deadline(key).is_some_and(|deadline| deadline <= time)
        };
        if is_due {
            Self::advance(matcher, store, key, time, sink);
        }
        let mut walk = Walk::new(matcher, store, event, seq);
        if in_place {
            walk.run_in_place(key);
        } else {
            walk.run(key);
        }
        let (mut overflow, has_changed) = (walk.overflow, walk.has_changed);
        if store.scratch.completed.is_empty() && !matcher.program.waits() {
            // The number of equal heads changes only if runs do.
            if has_changed {
                matcher.count_duplicates(key);
            }
            return overflow;
        }
        let unlisted = matcher.report_pushed(store, key, (event, seq), sink);
        overflow = overflow.saturating_add(unlisted);
        matcher.count_duplicates(key);
        overflow
    }

    /// In place, an event leads to one edge at most, so its type can be enough to know. A match of
    /// a single event leaves nothing, so only an edge that captures counts.
    #[inline]
    fn begins(matcher: &Matcher<E>, event: &E, _prefilter: PrefilterOutcome) -> Option<bool> {
        if !matcher.runs_in_place() {
            return None;
        }
        let program = &matcher.program;
        match program.decisions.of_start(program.decisions.column(event.type_id())) {
            Decision::One(edge) => {
                matches!(program.effects[*edge as usize], EdgeEffect::Capture { .. })
                    .then_some(true)
            }
            _ => None,
        }
    }

    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        if !matcher.program.reports_at_deadlines() && matcher.program.leading_not.is_none() {
            matcher.free(store, key, to);
            matcher.count_duplicates(key);
            return;
        }
        while let Some(deadline) = matcher.deadline(key).filter(|&deadline| deadline <= to) {
            matcher.expire(store, key, deadline, to, sink);
        }
        matcher.count_duplicates(key);
    }

    /// Only a `longest` loop can be complete without a further event: its states accept when
    /// exhausted. The caller reports these matches, so that they are in order over all keys.
    fn finish(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        _sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> i64 {
        let mut last = i64::MIN;
        for run in key.runs() {
            if matcher.program.states[run.state.index()].accepts_when_exhausted {
                store.scratch.completed.push(completed(run));
                store.arena.retain(run.head);
                last = last.max(run.last);
            }
        }
        Self::clear(store, key);
        last
    }

    #[inline]
    fn deadline(matcher: &Matcher<E>, key: &KeyState) -> i64 {
        match key.runs() {
            [] => i64::MAX,
            // Runs are in the order of their start: the first is the first to run out.
            [first, ..] if matcher.in_order() => first.deadline,
            _ => key.first_deadline(),
        }
    }

    #[inline]
    fn last_deadline(matcher: &Matcher<E>, key: &KeyState) -> i64 {
        if matcher.in_order() {
            key.runs().last().map_or(i64::MIN, |run| run.deadline)
        } else {
            key.runs().iter().map(|run| run.deadline).max().unwrap_or(i64::MIN)
        }
    }

    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        let complete = key.completed().iter().map(|match_| (match_.head, match_.start_seq, None));
        let runs = key.all_runs().map(|run| (run.head, run.start_seq, Some(run)));
        let mut branches: Vec<_> = complete.chain(runs).collect();
        order::sort_by(&mut branches, |a, b| {
            a.1.cmp(&b.1).then_with(|| store.arena.compare(a.0, b.0)).then(a.0.cmp(&b.0))
        });
        let mut open: Vec<Open<'a, E>> = Vec::new();
        // Equal captures have equal nodes, so runs of one partial match are neighbours after the
        // sort.
        // One that waits in several states is one all the same.
        for of_one in branches.chunk_by(|a, b| a.0 == b.0 && a.2.is_some() == b.2.is_some()) {
            let (head, start_seq, _) = of_one[0];
            let runs = of_one.iter().filter_map(|(.., run)| *run);
            let deadline = runs.clone().map(|run| run.deadline).min().unwrap_or(i64::MAX);
            let (captures, states) =
                (Captures::new(&store.arena, head), runs.clone().map(|run| run.state).collect());
            let clocks = runs.map(|run| store.file.times(run.registers));
            let one = Open::new(&matcher.program, captures, (start_seq, deadline), states);
            open.push(one.with_clocks(clocks));
        }
        open
    }

    fn clear(store: &mut Store<E>, key: &mut KeyState) {
        if key.runs().is_empty() {
            return;
        }
        for run in key.runs() {
            store.arena.release(run.head);
            store.file.release(run.registers);
        }
        key.clear_runs();
    }

    #[inline(always)]
    fn prefetch(
        _matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        time: i64,
        step: usize,
    ) -> bool {
        prefetch_runs(&store.arena, key.runs(), time, step)
    }

    fn export<'s>(
        matcher: &Matcher<E>,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    ) {
        image.add_runs(&matcher.program, store, (key.runs(), key.completed()));
    }

    fn import(matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState {
        let mut key = image.into_key(store);
        matcher.count_duplicates(&mut key);
        key
    }

    /// Runs are what the other forms are turned into.
    fn into_runs(_matcher: &Matcher<E>, _store: &mut Store<E>, _key: &mut KeyState) {}

    fn as_runs(
        _matcher: &Matcher<E>,
        _store: &Store<E>,
        _key: &KeyState,
        _arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        Vec::new()
    }
}

impl<E: Event> Matcher<E> {
    /// Reports what an event has completed. Returns the number of matches beyond the limit on those
    /// that are listed of a set.
    #[inline(always)]
    pub(super) fn report_pushed(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (event, seq): (&E, u64),
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        if let [Completed { tail: Some(step), .. }] = store.scratch.completed[..] {
            self.report_at_once(store, key, (step, seq, event), sink);
        } else if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            let before = store.counts.unlisted;
            self.report_completed(store, key, event.time(), sink);
            return store.counts.unlisted_since(before);
        }
        0
    }
}

impl FormImage for RunsForm {
    const CODE: u8 = 0;

    fn count<T>(image: &Image<T>) -> u64 {
        // A partial match that waits in several states counts once.
        let mut heads: Vec<u32> = image.runs.iter().map(|run| run.head).collect();
        heads.sort_unstable();
        heads.dedup();
        (heads.len() + image.completed.len()) as u64
    }

    /// Older versions counted a partial match once for each of its states. A snapshot of theirs is
    /// checked against their count.
    fn former_count<T>(image: &Image<T>) -> u64 {
        (image.runs.len() + image.completed.len()) as u64
    }

    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool {
        image.starts_below(1 << program.named.len().min(32))
    }
}

/// Prefetches what runs will need. See [`FormContract::prefetch`].
#[inline(always)]
pub(super) fn prefetch_runs<E: Event>(
    arena: &CaptureArena<E>,
    runs: &[Run],
    time: i64,
    step: usize,
) -> bool {
    // A run may give way if it is over, or if it is the only one and may be completed.
    let ends = |run: &&Run| run.deadline <= time || runs.len() == 1;
    let mut ending = runs.iter().take(MOST_FETCHED).filter(ends).peekable();
    let more = step == 0 && ending.peek().is_some();
    match step {
        0 => {
            let newest = runs.last().into_iter();
            newest.chain(ending).for_each(|run| arena.prefetch_node(run.head));
        }
        1 => ending.for_each(|run| arena.prefetch_event(run.head)),
        _ => {}
    }
    more
}
