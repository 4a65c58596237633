//! The shared-suffix form: only the oldest partial match of a key is stored.
//!
//! When it applies: patterns whose later runs are suffixes of the oldest run.
//!
//! Why it is right: a later run, a suffix, has captured the last events of the oldest run, the
//! representative, and the representative's match drops all suffixes. When the representative runs
//! out of time, the oldest suffix takes its place.
//!
//! What it saves: a suffix takes no run, only a mark at its first event in the representative's
//! chain. W6 takes 0.68 of the time, and keeps 0.8 copies of an event instead of 1.6
//! (docs/performance.md). Without it, W6 takes 1.43 times the instructions.
//!
//! Which test holds it: `every_strategy_reports_the_same`,
//! `suffixes_go_on_when_their_representative_is_gone` and `suffixes_take_no_memory` in
//! `tests/strategies.rs`.
//!
//! An example: `tick -> next down{1.. next greedy} -> next up`, where each `down` is a `tick`, too.
//! The events are d1 d2 d3 and `up` u4. A node points to the event before it; `*` marks a node at
//! which a suffix begins:
//! ```text
//! event   chain of the representative   partial matches that it holds
//! d1      d1                            d1
//! d2      d1 <- d2*                     d1 d2; d2
//! d3      d1 <- d2* <- d3*              d1 d2 d3; d2 d3; d3
//! u4      none                          match d1 d2 d3 u4, which drops the others
//! ```
//! Three runs would have six nodes, and each event would move them all. Here it moves one.
//!
//! If the representative runs out of time at `d1`'s deadline, the first mark is the new start:
//! ```text
//! before   d1 <- d2* <- d3*      deadline of d1, two suffixes
//! after          d2  <- d3*      deadline of d2, one suffix
//! ```
//!
//! Invariants:
//! * The first node of the chain has no mark. The number of marks is the key's number of suffixes,
//!   and the last mark is the newest start, whose time the key has at hand.
//! * The state of a member follows from its number of captured events, as does the step of each of
//!   its events. So neither is stored for a suffix.
//! * An event ends members with different numbers of events, or does the same to all: the planner
//!   has checked that (`nfa/shared_suffix.rs`). So it is enough to ask the representative.
//!
//! Rejected: a run and a chain for each partial match. W6 took 126 ns an event then, 24 ns of them
//! for reference counts (docs/performance.md).

use super::contract::{FormContract, FormImage};
use super::key::KeyState;
use crate::exec::captured::Captures;
use crate::exec::captures::{BEGINS, CaptureArena, NIL};
use crate::exec::forms::runs::{RunsForm, prefetch_runs};
use crate::exec::forms::window::run_of;
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent, Walk};
use crate::exec::open::Open;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::run::Run;
use crate::exec::set::SetRef;
use crate::exec::store::Store;
use crate::nfa::{Decision, EdgeEffect, Program};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

/// The form of a shared suffix.
pub(super) struct SharedSuffixForm;

/// A representative or suffix: the number of its captured events, which are the last ones of the
/// representative, and the sequence number and time of the first.
#[derive(Clone, Copy, Debug)]
struct Member {
    len: u32,
    start_seq: u64,
    start: i64,
}

impl<E: Event> FormContract<E> for SharedSuffixForm {
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
        if key
            .representative()
            .is_some_and(|representative| representative.deadline <= time.as_millis())
        {
            Self::advance(matcher, store, key, time, sink);
        }
        if key.member_count() >= matcher.most_runs {
            // Members share one run, and a limit drops single partial matches.
            // One by one, until none of them is left.
            Self::into_runs(matcher, store, key);
            return RunsForm::push(matcher, store, key, arrival, sink);
        }
        if let Some(step) = Walk::new(matcher, store, event, seq).advance_shared_suffix(key) {
            matcher.report_at_once(store, key, (step, seq, event), sink);
        }
        0
    }

    #[inline]
    fn begins(matcher: &Matcher<E>, event: &E, prefilter: PrefilterOutcome) -> Option<bool> {
        RunsForm::begins(matcher, event, prefilter)
    }

    #[inline(never)]
    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let program = &matcher.program;
        let (Some(shared), Some(&representative)) = (program.shared_suffix(), key.representative())
        else {
            return;
        };
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1)).as_millis();
        if representative.deadline > to {
            return;
        }
        let members = members(store, &representative);
        let is_over = |member: &&Member| program.deadline_of(member.start) <= to;
        // Members are in the order of their starts, and so are their deadlines.
        let (over, rest) = members.split_at(members.iter().take_while(is_over).count());
        if program.report_timeouts {
            for &Member { len, start_seq, start } in over {
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program,
                    captures: Captures::suffix(&store.arena, (representative.head, len), shared),
                    start: Timestamp::from_millis(start),
                    last: Timestamp::from_millis(representative.last),
                    at: Timestamp::from_millis(program.deadline_of(start)),
                    start_seq,
                    states: &[shared.state(len as usize)],
                    clocks: &[],
                    repetition: 0,
                    set: SetRef::Alone,
                });
            }
        }
        let Some(&Member { len, start_seq, start }) = rest.first() else {
            Self::clear(store, key);
            return;
        };
        // The events keep their nodes, but count from another start: their steps can be others.
        store.arena.keep_last(representative.head, len, |before| shared.step(before));
        let (state, deadline) = (shared.state(len as usize), program.deadline_of(start));
        set_members(key, Run { state, start_seq, start, deadline, ..representative }, rest);
    }

    /// A member is complete with a captured event or not at all, so the end of the stream reports
    /// nothing.
    fn finish(
        _matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        _sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> i64 {
        Self::clear(store, key);
        i64::MIN
    }

    #[inline]
    fn deadline(_matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.representative().map_or(i64::MAX, |representative| representative.deadline)
    }

    #[inline]
    fn last_deadline(matcher: &Matcher<E>, key: &KeyState) -> i64 {
        key.newest_suffix().map_or(i64::MIN, |start| matcher.program.deadline_of(start))
    }

    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        let mut open = RunsForm::open(matcher, store, key);
        matcher.suffixes(store, key, &mut open);
        open
    }

    fn clear(store: &mut Store<E>, key: &mut KeyState) {
        if let Some(representative) = key.take_representative() {
            store.arena.release(representative.head);
            store.file.release(representative.registers);
        }
    }

    #[inline(always)]
    fn prefetch(
        _matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        time: i64,
        step: usize,
    ) -> bool {
        let runs = key.representative().map_or(&[][..], std::slice::from_ref);
        prefetch_runs(&store.arena, runs, time, step)
    }

    /// An image has the representative, whose marked nodes are the starts of suffixes.
    fn export<'s>(
        matcher: &Matcher<E>,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    ) {
        let runs = key.representative().map_or(&[][..], std::slice::from_ref);
        image.add_runs(&matcher.program, store, (runs, key.completed()));
    }

    fn import(_matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState {
        let mut key = image.into_key(store);
        if let Some(representative) = key.runs_mut().pop() {
            let members = members(store, &representative);
            set_members(&mut key, representative, &members);
        }
        key
    }

    fn into_runs(matcher: &Matcher<E>, store: &mut Store<E>, key: &mut KeyState) {
        let (Some(shared), Some(representative)) =
            (matcher.program.shared_suffix(), key.take_representative())
        else {
            return;
        };
        let members = members(store, &representative);
        let Store { arena, file, .. } = store;
        arena.unmark(representative.head);
        let nodes = arena.iter(representative.head);
        let runs = key.runs_mut();
        runs.push(representative);
        // Each suffix gets a chain of its own, as its steps can differ from those of the
        // representative.
        for &Member { len, start_seq, start } in &members[1..] {
            let mut head = NIL;
            for (before, &node) in nodes.as_slice()[nodes.len() - len as usize..].iter().enumerate()
            {
                let (seq, event) = arena.event(node);
                let event = event.clone();
                head = arena.extend_with(&event, seq, head, shared.step(before));
            }
            runs.push(Run {
                state: shared.state(len as usize),
                head,
                registers: file.duplicate(representative.registers),
                start_seq,
                start,
                last: representative.last,
                deadline: matcher.program.deadline_of(start),
            });
        }
    }

    fn as_runs(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        let Some(&Run { registers, .. }) = key.representative() else { return Vec::new() };
        let mut open = Vec::new();
        matcher.suffixes(store, key, &mut open);
        open.iter().map(|open| run_of(open, registers, arena)).collect()
    }
}

impl FormImage for SharedSuffixForm {
    const CODE: u8 = 4;

    fn count<T>(image: &Image<T>) -> u64 {
        1 + image.nodes.iter().filter(|node| node.starts & BEGINS != 0).count() as u64
    }

    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool {
        let Some(shared) = program.shared_suffix() else { return false };
        let ([run], [(_, first), ..]) = (&image.runs[..], &image.events[..]) else { return false };
        let mut steps = image.nodes.iter().map(|node| node.step).enumerate();
        image.starts_below(u64::from(BEGINS) + 1)
            && image.state_of_chain().is_some_and(|state| state == shared.state(image.nodes.len()))
            && steps.all(|(before, step)| step == shared.step(before))
            && run.deadline == program.deadline_of(first.time().as_millis())
            // The oldest start is the representative itself, which has no mark.
            && image.nodes[0].starts == 0
    }
}

/// Returns a representative and its suffixes, in the order of their starts.
fn members<E: Event>(store: &Store<E>, representative: &Run) -> Vec<Member> {
    let nodes = store.arena.iter_rev(representative.head).zip(1..);
    let first = nodes.filter(|((_, node), _)| node.starts & BEGINS != 0 || node.previous == NIL);
    let mut members: Vec<Member> = first
        .map(|((_, node), len)| {
            let (start_seq, event) = store.arena.event_of(node);
            Member { len, start_seq, start: event.time().as_millis() }
        })
        .collect();
    members.reverse();
    members
}

/// Makes the first of `members` the representative of the others.
fn set_members(key: &mut KeyState, representative: Run, members: &[Member]) {
    let suffixes = u32::try_from(members.len() - 1).unwrap_or(u32::MAX);
    let newest = members.last().map_or(representative.start, |newest| newest.start);
    key.set_representative(representative, suffixes, newest);
}

impl<E: Event> Matcher<E> {
    /// Appends the representative and its suffixes, in order.
    fn suffixes<'a>(&'a self, store: &'a Store<E>, key: &KeyState, open: &mut Vec<Open<'a, E>>) {
        let (Some(shared), Some(representative)) =
            (self.program.shared_suffix(), key.representative())
        else {
            return;
        };
        let members = members(store, representative).into_iter();
        open.extend(members.map(|Member { len, start_seq, start }| {
            let captures = Captures::suffix(&store.arena, (representative.head, len), shared);
            let states = [shared.state(len as usize)].into_iter().collect();
            let deadline = self.program.deadline_of(start);
            Open::new(&self.program, captures, (start_seq, deadline), states)
        }));
    }
}

impl<E: Event> Walk<'_, E> {
    /// Advances a key's representative, or starts one if there is none afterwards. If the event
    /// completes the representative, returns the step that captures the event; the caller then
    /// reports the match.
    #[inline(always)]
    fn advance_shared_suffix(&mut self, key: &mut KeyState) -> Option<StepId> {
        self.store.scratch.answers.epoch += 1;
        let event_epoch = self.store.scratch.answers.epoch;
        let Some((representative, suffixes, newest)) = key.shared_suffix_mut() else {
            if let Some(run) = self.first(event_epoch) {
                key.set_representative(run, 0, self.time);
            }
            return None;
        };
        let root = self.column.roots[representative.state.index()];
        match self.decision_of(representative, root, event_epoch) {
            Decision::Stay => return None,
            Decision::One(edge) => match self.program.effects[*edge as usize] {
                EdgeEffect::Capture { step, target, update } => {
                    // A suffix has all events of the representative from its own start on. So the
                    // representative captures the start of a suffix, too, and the mark is on that
                    // node.
                    let begins = u32::from(self.begins_with(event_epoch).is_some());
                    let Walk { event, seq, time, .. } = *self;
                    let arena = &mut self.store.arena;
                    representative.head =
                        arena.extend_marked(event, seq, representative.head, step, begins * BEGINS);
                    (representative.state, representative.last) = (target, time);
                    self.update(update, step, representative);
                    *suffixes += begins;
                    if begins > 0 {
                        *newest = time;
                    }
                    return None;
                }
                EdgeEffect::End { step } => {
                    self.ends(step, representative);
                    key.take_representative();
                    return Some(step);
                }
                _ => {}
            },
            _ => {}
        }
        // What ends the representative ends its suffixes. The event itself can begin the next one.
        self.give_up(representative);
        match self.first(event_epoch) {
            Some(run) => key.set_representative(run, 0, self.time),
            None => {
                key.take_representative();
            }
        }
        None
    }
}
