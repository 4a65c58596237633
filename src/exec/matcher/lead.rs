//! The shared-suffix strategy: only the oldest partial match of a key is stored.
//!
//! When it applies: patterns whose later runs are suffixes of the oldest run.
//!
//! Why it is right: a later run, a follower, has captured the last events of the oldest run, the
//! leader, and the leader's match drops all followers. When the leader runs out of time, the oldest
//! follower leads.
//!
//! What it saves: a follower takes no run, only a mark at its first event in the leader's chain.
//!
//! Which test holds it: `every_strategy_reports_the_same`,
//! `what_follows_goes_on_when_its_leader_is_gone` and `what_follows_takes_no_memory` in
//! `tests/strategies.rs`.

use super::{Matcher, Step, Store};
use crate::event::Event;
use crate::exec::key::{KeyState, Run};
use crate::exec::outcome::{Captures, Open, Outcome, OutcomeKind};
use crate::exec::store::{BEGINS, NIL};
use crate::hir::StageId;
use crate::nfa::{Decision, EdgeEffect, Strategy};
use crate::time::Timestamp;

/// A leader or follower: the number of its captured events, which are the last of the leader's, and
/// the sequence number and time of the first.
#[derive(Clone, Copy, Debug)]
struct Member {
    len: u32,
    start_seq: u64,
    start: i64,
}

impl<E: Event> Matcher<E> {
    /// True if keys have leaders.
    pub(in crate::exec) fn leads(&self) -> bool {
        self.strategy == Strategy::Leader
    }

    /// Matches an event of a key without runs, which may have a leader. Returns the number of
    /// partial matches that the limit has dropped or not started.
    #[inline(never)]
    pub(super) fn lead(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        let time = event.time();
        if key.leader().is_some_and(|leader| leader.deadline <= time.as_millis()) {
            self.expire_led(store, key, time, sink);
        }
        if key.run_count() >= self.most_runs {
            // One by one, until none of them is left.
            self.write_out(store, key);
            return self.push_to_runs(store, key, event, seq, sink);
        }
        if let Some(stage) = Step::new(self, store, event, seq).lead(key) {
            self.report_at_once(store, key, (stage, seq, event), sink);
        }
        0
    }

    /// Returns a leader and its followers, in the order of their starts.
    fn members(store: &Store<E>, leader: &Run) -> Vec<Member> {
        let nodes = store.chains.back(leader.head).zip(1..);
        let first =
            nodes.filter(|((_, node), _)| node.starts & BEGINS != 0 || node.previous == NIL);
        let mut members: Vec<Member> = first
            .map(|((_, node), len)| {
                let (start_seq, event) = store.chains.event_of(node);
                Member { len, start_seq, start: event.time().as_millis() }
            })
            .collect();
        members.reverse();
        members
    }

    /// Makes the first of `members` the leader of the others.
    fn set_led(key: &mut KeyState, leader: Run, members: &[Member]) {
        let followers = u32::try_from(members.len() - 1).unwrap_or(u32::MAX);
        let newest = members.last().map_or(leader.start, |newest| newest.start);
        key.set_leader(leader, followers, newest);
    }

    /// Reports and drops the partial matches that have run out of time up to `to`.
    #[inline(never)]
    pub(super) fn expire_led(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let (Some(lead), Some(&leader)) = (program.lead(), key.leader()) else { return };
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1)).as_millis();
        if leader.deadline > to {
            return;
        }
        let members = Self::members(store, &leader);
        let is_over = |member: &&Member| program.deadline_of(member.start) <= to;
        let (over, rest) = members.split_at(members.iter().take_while(is_over).count());
        if program.report_timeouts {
            for &Member { len, start_seq, start } in over {
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program,
                    captures: Captures::follower(&store.chains, (leader.head, len), lead),
                    start: Timestamp::from_millis(start),
                    last: Timestamp::from_millis(leader.last),
                    at: Timestamp::from_millis(program.deadline_of(start)),
                    start_seq,
                    states: &[lead.state(len as usize)],
                    repetition: 0,
                });
            }
        }
        let Some(&Member { len, start_seq, start }) = rest.first() else {
            Self::clear_led(store, key);
            return;
        };
        store.chains.keep_last(leader.head, len, |before| lead.stage(before));
        let (state, deadline) = (lead.state(len as usize), program.deadline_of(start));
        Self::set_led(key, Run { state, start_seq, start, deadline, ..leader }, rest);
    }

    /// Appends the leader and its followers, in order.
    pub(super) fn led<'a>(
        &'a self,
        store: &'a Store<E>,
        key: &KeyState,
        open: &mut Vec<Open<'a, E>>,
    ) {
        let (Some(lead), Some(leader)) = (self.program.lead(), key.leader()) else { return };
        let members = Self::members(store, leader).into_iter();
        open.extend(members.map(|Member { len, start_seq, start }| Open {
            program: &self.program,
            captures: Captures::follower(&store.chains, (leader.head, len), lead),
            start_seq,
            deadline: self.program.deadline_of(start),
            states: [lead.state(len as usize)].into_iter().collect(),
        }));
    }

    /// Turns a key's leader and followers into runs.
    pub(super) fn write_out_led(&self, store: &mut Store<E>, key: &mut KeyState) {
        let (Some(lead), Some(leader)) = (self.program.lead(), key.take_leader()) else { return };
        let members = Self::members(store, &leader);
        let Store { chains, extras, .. } = store;
        chains.unmark(leader.head);
        let nodes = chains.forth(leader.head);
        let runs = key.runs_mut();
        runs.push(leader);
        for &Member { len, start_seq, start } in &members[1..] {
            let mut head = NIL;
            for (before, &node) in nodes[nodes.len() - len as usize..].iter().enumerate() {
                let (seq, event) = chains.event(node);
                let event = event.clone();
                head = chains.extend_with(&event, seq, head, lead.stage(before));
            }
            runs.push(Run {
                state: lead.state(len as usize),
                head,
                extra: extras.duplicate(leader.extra),
                start_seq,
                start,
                last: leader.last,
                deadline: self.program.deadline_of(start),
            });
        }
    }

    /// Makes the only run of a key the leader of the followers that its chain marks.
    pub(in crate::exec) fn take_lead(&self, store: &mut Store<E>, key: &mut KeyState) {
        let Some(leader) = key.runs_mut().pop() else { return };
        let members = Self::members(store, &leader);
        Self::set_led(key, leader, &members);
        if !self.leads() {
            self.write_out_led(store, key);
        }
    }

    /// Drops a key's leader and followers.
    pub(super) fn clear_led(store: &mut Store<E>, key: &mut KeyState) {
        if let Some(leader) = key.take_leader() {
            store.chains.release(leader.head);
            store.extras.release(leader.extra);
        }
    }
}

impl<E: Event> Step<'_, E> {
    /// Advances a key's leader, or starts one if there is none afterwards. If the event completes
    /// the leader, returns the step that captures the event; the caller then reports the match.
    #[inline(always)]
    fn lead(&mut self, key: &mut KeyState) -> Option<StageId> {
        self.store.scratch.epoch += 1;
        let event_epoch = self.store.scratch.epoch;
        let Some((leader, followers, newest)) = key.led_mut() else {
            if let Some(run) = self.first(event_epoch) {
                key.set_leader(run, 0, self.time);
            }
            return None;
        };
        let root = self.column.roots[leader.state.index()];
        match self.way_of(leader, root, event_epoch) {
            Decision::Stay => return None,
            Decision::One(edge) => match self.program.effects[*edge as usize] {
                EdgeEffect::Capture { stage, target, update } => {
                    let begins = u32::from(self.begins_with(event_epoch).is_some());
                    let Step { event, seq, time, .. } = *self;
                    let chains = &mut self.store.chains;
                    leader.head =
                        chains.extend_marked(event, seq, leader.head, stage, begins * BEGINS);
                    (leader.state, leader.last) = (target, time);
                    self.update(update, stage, leader);
                    *followers += begins;
                    if begins > 0 {
                        *newest = time;
                    }
                    return None;
                }
                EdgeEffect::End { stage } => {
                    self.ends(stage, leader);
                    key.take_leader();
                    return Some(stage);
                }
                _ => {}
            },
            _ => {}
        }
        self.give_up(leader);
        match self.first(event_epoch) {
            Some(run) => key.set_leader(run, 0, self.time),
            None => {
                key.take_leader();
            }
        }
        None
    }
}
