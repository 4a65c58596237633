//! The shared-suffix strategy: only the oldest partial match of a key is stored.
//!
//! When it applies: patterns whose later runs are suffixes of the oldest run.
//!
//! Why it is right: a later run, a suffix, has captured the last events of the oldest run, the
//! representative, and the representative's match drops all suffixes. When the representative runs
//! out of time, the oldest suffix takes its place.
//!
//! What it saves: a suffix takes no run, only a mark at its first event in the representative's
//! chain.
//!
//! Which test holds it: `every_strategy_reports_the_same`,
//! `suffixes_go_on_when_their_representative_is_gone` and `suffixes_take_no_memory` in
//! `tests/strategies.rs`.

use super::{Matcher, Step, Store};
use crate::event::Event;
use crate::exec::captures::{BEGINS, NIL};
use crate::exec::key::{KeyState, Run};
use crate::exec::outcome::{Captures, Open, Outcome, OutcomeKind};
use crate::hir::StageId;
use crate::nfa::{Decision, EdgeEffect, Strategy};
use crate::time::Timestamp;

/// A representative or suffix: the number of its captured events, which are the last ones of the
/// representative, and the sequence number and time of the first.
#[derive(Clone, Copy, Debug)]
struct Member {
    len: u32,
    start_seq: u64,
    start: i64,
}

impl<E: Event> Matcher<E> {
    /// True if keys store a representative.
    pub(in crate::exec) fn has_shared_suffix(&self) -> bool {
        self.strategy == Strategy::SharedSuffix
    }

    /// Matches an event of a key without runs, which may have a representative. Returns the number of
    /// partial matches that the limit has dropped or not started.
    #[inline(never)]
    pub(super) fn push_shared_suffix(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        let time = event.time();
        if key
            .representative()
            .is_some_and(|representative| representative.deadline <= time.as_millis())
        {
            self.expire_shared_suffix(store, key, time, sink);
        }
        if key.run_count() >= self.most_runs {
            // One by one, until none of them is left.
            self.write_out(store, key);
            return self.push_to_runs(store, key, event, seq, sink);
        }
        if let Some(stage) = Step::new(self, store, event, seq).advance_shared_suffix(key) {
            self.report_at_once(store, key, (stage, seq, event), sink);
        }
        0
    }

    /// Returns a representative and its suffixes, in the order of their starts.
    fn members(store: &Store<E>, representative: &Run) -> Vec<Member> {
        let nodes = store.arena.iter_rev(representative.head).zip(1..);
        let first =
            nodes.filter(|((_, node), _)| node.starts & BEGINS != 0 || node.previous == NIL);
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

    /// Reports and drops the partial matches that have run out of time up to `to`.
    #[inline(never)]
    pub(super) fn expire_shared_suffix(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let (Some(shared), Some(&representative)) = (program.shared_suffix(), key.representative())
        else {
            return;
        };
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1)).as_millis();
        if representative.deadline > to {
            return;
        }
        let members = Self::members(store, &representative);
        let is_over = |member: &&Member| program.deadline_of(member.start) <= to;
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
                    repetition: 0,
                });
            }
        }
        let Some(&Member { len, start_seq, start }) = rest.first() else {
            Self::clear_shared_suffix(store, key);
            return;
        };
        store.arena.keep_last(representative.head, len, |before| shared.stage(before));
        let (state, deadline) = (shared.state(len as usize), program.deadline_of(start));
        Self::set_members(key, Run { state, start_seq, start, deadline, ..representative }, rest);
    }

    /// Appends the representative and its suffixes, in order.
    pub(super) fn shared_suffix_matches<'a>(
        &'a self,
        store: &'a Store<E>,
        key: &KeyState,
        open: &mut Vec<Open<'a, E>>,
    ) {
        let (Some(shared), Some(representative)) =
            (self.program.shared_suffix(), key.representative())
        else {
            return;
        };
        let members = Self::members(store, representative).into_iter();
        open.extend(members.map(|Member { len, start_seq, start }| Open {
            program: &self.program,
            captures: Captures::suffix(&store.arena, (representative.head, len), shared),
            start_seq,
            deadline: self.program.deadline_of(start),
            states: [shared.state(len as usize)].into_iter().collect(),
        }));
    }

    /// Turns a key's representative and suffixes into runs.
    pub(super) fn write_out_shared_suffix(&self, store: &mut Store<E>, key: &mut KeyState) {
        let (Some(shared), Some(representative)) =
            (self.program.shared_suffix(), key.take_representative())
        else {
            return;
        };
        let members = Self::members(store, &representative);
        let Store { arena, file, .. } = store;
        arena.unmark(representative.head);
        let nodes = arena.iter(representative.head);
        let runs = key.runs_mut();
        runs.push(representative);
        for &Member { len, start_seq, start } in &members[1..] {
            let mut head = NIL;
            for (before, &node) in nodes.as_slice()[nodes.len() - len as usize..].iter().enumerate()
            {
                let (seq, event) = arena.event(node);
                let event = event.clone();
                head = arena.extend_with(&event, seq, head, shared.stage(before));
            }
            runs.push(Run {
                state: shared.state(len as usize),
                head,
                registers: file.duplicate(representative.registers),
                start_seq,
                start,
                last: representative.last,
                deadline: self.program.deadline_of(start),
            });
        }
    }

    /// Makes the only run of a key the representative of the suffixes that its chain marks.
    pub(in crate::exec) fn restore_shared_suffix(&self, store: &mut Store<E>, key: &mut KeyState) {
        let Some(representative) = key.runs_mut().pop() else { return };
        let members = Self::members(store, &representative);
        Self::set_members(key, representative, &members);
        if !self.has_shared_suffix() {
            self.write_out_shared_suffix(store, key);
        }
    }

    /// Drops a key's representative and suffixes.
    pub(super) fn clear_shared_suffix(store: &mut Store<E>, key: &mut KeyState) {
        if let Some(representative) = key.take_representative() {
            store.arena.release(representative.head);
            store.file.release(representative.registers);
        }
    }
}

impl<E: Event> Step<'_, E> {
    /// Advances a key's representative, or starts one if there is none afterwards. If the event completes
    /// the representative, returns the step that captures the event; the caller then reports the match.
    #[inline(always)]
    fn advance_shared_suffix(&mut self, key: &mut KeyState) -> Option<StageId> {
        self.store.scratch.epoch += 1;
        let event_epoch = self.store.scratch.epoch;
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
                EdgeEffect::Capture { stage, target, update } => {
                    let begins = u32::from(self.begins_with(event_epoch).is_some());
                    let Step { event, seq, time, .. } = *self;
                    let arena = &mut self.store.arena;
                    representative.head = arena.extend_marked(
                        event,
                        seq,
                        representative.head,
                        stage,
                        begins * BEGINS,
                    );
                    (representative.state, representative.last) = (target, time);
                    self.update(update, stage, representative);
                    *suffixes += begins;
                    if begins > 0 {
                        *newest = time;
                    }
                    return None;
                }
                EdgeEffect::End { stage } => {
                    self.ends(stage, representative);
                    key.take_representative();
                    return Some(stage);
                }
                _ => {}
            },
            _ => {}
        }
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
