//! The strategy for the same event so many times: the last events of a key in a queue.
//!
//! Each event in the queue is the start of a partial match that holds it and all after it, so that
//! what the general strategy keeps as runs is never written down. Matches and timeouts are views of
//! the queue.

use super::{Matcher, Step, Store};
use crate::event::Event;
use crate::exec::key::{KeyState, Queue, Run};
use crate::exec::outcome::{Captures, Open, Outcome, OutcomeKind};
use crate::exec::store::{Chains, NIL};
use crate::hir::{Length, SkipStrategy};
use crate::nfa::{Decision, Window};
use crate::time::Timestamp;

impl<E: Event> Matcher<E> {
    /// Takes an event; deadlines up to its time have been handled.
    #[inline]
    pub(super) fn count(
        &self,
        window: &Window,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        match Step::new(self, store, event, seq).counts(window, key.window.len > 0) {
            Decision::One(_) => {}
            Decision::Stay => return,
            _ => {
                Self::clear_window(store, key);
                return;
            }
        }
        if key.window.len as usize + 1 < window.stages.len() {
            self.append(store, key, event, seq);
            return;
        }
        let program = &*self.program;
        let (last, stages) = (window.stages[window.stages.len() - 1], &*window.stages);
        let first = key.window.first;
        let start = store.chains.queue(first).next();
        let (start_seq, start) =
            start.map_or((seq, event.time()), |one| (one.seq, Timestamp::from_millis(one.time)));
        sink(Outcome {
            kind: OutcomeKind::Match,
            program,
            captures: Captures::queue(&store.chains, first, stages).and(last, seq, event),
            start,
            last: event.time(),
            at: event.time(),
            start_seq,
            states: &[],
        });
        match program.skip.strategy {
            SkipStrategy::PastLast => Self::clear_window(store, key),
            // The match's own start is the oldest: nothing started before it.
            SkipStrategy::None | SkipStrategy::ToNext | SkipStrategy::ToFirst(_) => {
                if stages.len() > 1 {
                    self.append(store, key, event, seq);
                    self.pop(store, key);
                }
            }
            SkipStrategy::ToLast(_) => {
                Self::clear_window(store, key);
                if stages.len() > 1 {
                    self.append(store, key, event, seq);
                }
            }
        }
    }

    /// Adds an event that counts.
    pub(in crate::exec) fn append(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
    ) {
        let place = store.chains.enqueue(event.clone(), seq);
        let queue = &mut key.window;
        if queue.len == 0 {
            queue.first = place;
            queue.deadline = self.deadline_of(event.time().as_millis());
        } else {
            store.chains.queued.get_mut(queue.last).next = place;
        }
        queue.last = place;
        queue.len += 1;
    }

    /// Drops the oldest event.
    fn pop(&self, store: &mut Store<E>, key: &mut KeyState) {
        let queue = &mut key.window;
        queue.first = store.chains.dequeue(queue.first);
        queue.len -= 1;
        queue.deadline = match queue.first {
            NIL => i64::MAX,
            first => self.deadline_of(store.chains.queued.get(first).time),
        };
    }

    /// When what starts at this time is over, under one `within` of a fixed length or none.
    #[inline]
    pub(super) fn deadline_of(&self, start: i64) -> i64 {
        let within = self.program.within.and_then(Length::as_millis);
        within.map_or(i64::MAX, |within| start.saturating_add(within))
    }

    pub(super) fn clear_window(store: &mut Store<E>, key: &mut KeyState) {
        let mut next = key.window.first;
        while next != NIL {
            next = store.chains.dequeue(next);
        }
        key.window = Queue::default();
    }

    /// Tells the partial matches that run out of time at `deadline`, and drops them.
    #[inline]
    pub(super) fn expire_window(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        while key.window.deadline <= deadline.as_millis() {
            if self.program.tell_timeouts
                && let Some(window) = self.program.window()
            {
                let (chains, first) = (&store.chains, key.window.first);
                let (start, last) = (chains.queued.get(first), chains.queued.get(key.window.last));
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program: &self.program,
                    captures: Captures::queue(chains, first, &window.stages),
                    start: Timestamp::from_millis(start.time),
                    last: Timestamp::from_millis(last.time),
                    at: deadline,
                    start_seq: start.seq,
                    states: std::slice::from_ref(&window.states[key.window.len as usize - 1]),
                });
            }
            self.pop(store, key);
        }
    }

    /// Appends the partial matches in the queue, in order.
    pub(super) fn counted<'a>(
        &'a self,
        store: &'a Store<E>,
        key: &KeyState,
        open: &mut Vec<Open<'a, E>>,
    ) {
        let Some(window) = self.program.window() else { return };
        let mut first = key.window.first;
        for state in window.states[..key.window.len as usize].iter().rev() {
            let start = store.chains.queued.get(first);
            open.push(Open {
                program: &self.program,
                captures: Captures::queue(&store.chains, first, &window.stages),
                start_seq: start.seq,
                deadline: self.deadline_of(start.time),
                states: [*state].into_iter().collect(),
            });
            first = start.next;
        }
    }

    /// The partial matches in a key's queue as runs, whose chains are put into `chains`.
    pub(in crate::exec) fn as_runs(
        &self,
        store: &Store<E>,
        key: &KeyState,
        chains: &mut Chains<E>,
    ) -> Vec<Run> {
        let mut open = Vec::new();
        self.counted(store, key, &mut open);
        open.iter().map(|open| run(open, chains)).collect()
    }

    /// Turns what a key's queue holds into runs.
    pub(in crate::exec) fn write_out(&self, store: &mut Store<E>, key: &mut KeyState) {
        let mut chains = std::mem::replace(&mut store.chains, Chains::new());
        // Their queues are looked at while their chains are written.
        std::mem::swap(&mut chains.queued, &mut store.chains.queued);
        key.runs.extend(self.as_runs(store, key, &mut chains));
        std::mem::swap(&mut chains.queued, &mut store.chains.queued);
        store.chains = chains;
        Self::clear_window(store, key);
    }
}

/// A partial match as a run with a chain of its own.
fn run<E: Event>(open: &Open<'_, E>, chains: &mut Chains<E>) -> Run {
    let (mut head, mut start, mut last) = (NIL, None, 0);
    for (stage, seq, event) in open.captures.numbered() {
        let stored = chains.keep(event.clone(), seq);
        head = chains.extend(stored, head, stage, 0);
        chains.release_event(stored);
        last = event.time().as_millis();
        start.get_or_insert(last);
    }
    Run {
        state: open.states[0],
        head,
        extra: NIL,
        start_seq: open.start_seq,
        start: start.unwrap_or(last),
        last,
        deadline: open.deadline,
    }
}

impl<'a, E: Event> Step<'a, E> {
    /// What the event does to partial matches that a counting window holds, if there are any.
    #[inline]
    fn counts(&mut self, window: &Window, begun: bool) -> &'a Decision {
        let decisions = &self.program.decisions;
        let tree = match window.states.first() {
            Some(&state) if begun => decisions.of(state, self.column),
            _ => decisions.of_start(self.column),
        };
        self.decide_alone(tree)
    }
}
