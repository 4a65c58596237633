//! The counting-window strategy: the last events of a key in a queue.
//!
//! When it applies: patterns that are the same event a number of times.
//!
//! Why it is right: each event in the queue is the start of a partial match that holds the event
//! and all events after it. Matches and timeouts are views of the queue.
//!
//! What it saves: the runs of the general strategy are never stored.
//!
//! Which test holds it: `every_strategy_reports_the_same` in `tests/strategies.rs`.

use super::{Matcher, PrefilterOutcome, Step, Store};
use crate::event::Event;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::key::{KeyState, Queue, Run};
use crate::exec::outcome::{Captures, Open, Outcome, OutcomeKind};
use crate::exec::queues::Queues;
use crate::exec::registers::Registers;
use crate::hir::{ConditionId, SkipStrategy};
use crate::nfa::{Decision, Strategy, Window};
use crate::schema::TypeId;
use crate::time::Timestamp;

impl<E: Event> Matcher<E> {
    /// Matches an event of a key without runs.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "as `push_prefiltered`, and the window")]
    pub(super) fn count(
        &self,
        window: &Window,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        prefilter: PrefilterOutcome,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let time = event.time();
        if key.window_mut().deadline <= time.as_millis() {
            self.advance(store, key, time, sink);
        }
        let queue = key.window_mut();
        if prefilter != PrefilterOutcome::Counts {
            let begun = !queue.is_empty();
            let decision =
                self.decision_of_window(window, event, (begun, prefilter), |condition| {
                    Some(Step::new(self, store, event, seq).holds(condition))
                });
            match decision.unwrap_or(&Decision::Gone) {
                Decision::One(_) => {}
                Decision::Stay => return,
                _ => return Self::clear_window(store, key),
            }
        }
        if queue.len as usize + 1 < window.stages.len() {
            self.append(store, queue, event, seq);
        } else {
            self.count_last(window, store, key, event, seq, sink);
        }
    }

    /// True if all events of this type count that pass their
    /// [prefilter](crate::nfa::Program::prefilter), if there is one (`has_prefilter`), whatever the
    /// state of a key.
    pub(crate) fn counts_all(&self, ty: TypeId, has_prefilter: bool) -> bool {
        let decisions = &self.program.decisions;
        let decision = match decisions.of_start(decisions.column(ty)) {
            Decision::Condition { yes, .. } if has_prefilter => decisions.node(*yes),
            decision => decision,
        };
        // In all states it is the same.
        self.counts() && matches!(decision, Decision::One(_))
    }

    /// Adds an event that counts, where it completes nothing and nothing is over. Says whether it is the
    /// first, which is added if it `may_begin`. `None` where it was not added, and nothing else is done.
    #[inline(always)]
    pub(crate) fn count_on(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        may_begin: bool,
        event: &E,
        seq: u64,
    ) -> Option<bool> {
        let Strategy::CountingWindow { count } = self.strategy else { return None };
        let queue = key.queue_mut()?;
        let begins = queue.is_empty();
        // Without events there is no deadline.
        let goes_on = (queue.len as usize) + 1 < count && event.time().as_millis() < queue.deadline;
        if !goes_on || begins && !may_begin {
            return None;
        }
        self.append(store, queue, event, seq);
        Some(begins)
    }

    /// Matches an event that completes a match.
    #[inline(never)]
    fn count_last(
        &self,
        window: &Window,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let (last, stages) = (window.stages[window.stages.len() - 1], &*window.stages);
        let queue = key.window();
        let start = store.arena.queues.first(&queue);
        let (start_seq, start) = start.map_or((seq, event.time()), |(seq, one)| (seq, one.time()));
        sink(Outcome {
            kind: OutcomeKind::Match,
            program,
            captures: Captures::queue(&store.arena, queue, stages).and(last, seq, event),
            start,
            last: event.time(),
            at: event.time(),
            start_seq,
            states: &[],
            repetition: 0,
        });
        match program.skip.strategy {
            SkipStrategy::PastLast => Self::clear_window(store, key),
            // The match's own start is the oldest: nothing started before it.
            SkipStrategy::None | SkipStrategy::ToNext | SkipStrategy::ToFirst(_) => {
                if stages.len() > 1 {
                    self.append(store, key.window_mut(), event, seq);
                    self.pop(store, key);
                }
            }
            SkipStrategy::ToLast(_) => {
                Self::clear_window(store, key);
                if stages.len() > 1 {
                    self.append(store, key.window_mut(), event, seq);
                }
            }
        }
    }

    /// What the event does to partial matches that a counting window holds, if one has `begun`. Its
    /// conditions speak of the event alone; `other` answers those that do more than compare fields,
    /// each at most once. The event may have passed the [prefilter](crate::nfa::Program::prefilter).
    #[inline(always)]
    pub(super) fn decision_of_window<'a>(
        &'a self,
        window: &Window,
        event: &E,
        (begun, prefilter): (bool, PrefilterOutcome),
        mut other: impl FnMut(ConditionId) -> Option<bool>,
    ) -> Option<&'a Decision> {
        let program = &*self.program;
        let decisions = &program.decisions;
        let column = decisions.column(event.type_id());
        let mut tree = match window.states.first() {
            Some(&state) if begun => decisions.of(state, column),
            _ => decisions.of_start(column),
        };
        if prefilter != PrefilterOutcome::Unknown
            && let Decision::Condition { yes, .. } = tree
        {
            tree = decisions.node(*yes);
        }
        while let Decision::Condition { condition, yes, no } = tree {
            let holds =
                match program.comparisons[condition.index()].holds_of(|field| event.field(field)) {
                    Some(holds) => holds,
                    None => other(*condition)?,
                };
            tree = decisions.node(if holds { *yes } else { *no });
        }
        debug_assert!(!matches!(tree, Decision::Time { .. }), "a window asks of the event alone");
        Some(tree)
    }

    /// Prefetches the state of a key that an event at this time will need. Returns true if another
    /// step has more to fetch.
    #[inline(always)]
    pub(super) fn prefetch_window(
        &self,
        count: usize,
        queues: &Queues<E>,
        key: &KeyState,
        time: i64,
        step: usize,
    ) -> bool {
        let Some(queue) = key.queue() else { return false };
        // They go with the match, or when their time is over.
        let completes = queue.len as usize + 1 == count;
        match step {
            0 => queues.prefetch_free(queue),
            1 => queues.prefetch(queue),
            _ => {
                let deadline_of = |event: &E| self.program.deadline_of(event.time().as_millis());
                queues.prefetch_events(queue, |event| completes || deadline_of(event) <= time);
            }
        }
        step < 2 && (completes || queue.deadline <= time)
    }

    /// Adds an event that counts.
    #[inline(always)]
    pub(in crate::exec) fn append(
        &self,
        store: &mut Store<E>,
        queue: &mut Queue,
        event: &E,
        seq: u64,
    ) {
        queue.newest = event.time().as_millis();
        if queue.is_empty() {
            queue.deadline = self.program.deadline_of(queue.newest);
        }
        store.arena.queues.append(queue, event, seq);
    }

    /// Drops the oldest event.
    fn pop(&self, store: &mut Store<E>, key: &mut KeyState) {
        let (queue, queues) = (key.window_mut(), &mut store.arena.queues);
        queues.pop(queue);
        let first = queues.first(queue);
        queue.deadline =
            first.map_or(i64::MAX, |(_, event)| self.program.deadline_of(event.time().as_millis()));
    }

    #[inline]
    pub(super) fn clear_window(store: &mut Store<E>, key: &mut KeyState) {
        if !key.window().is_empty() {
            store.arena.queues.clear(key.window_mut());
        }
    }

    /// Reports and drops the partial matches that run out of time at `deadline`.
    #[inline]
    pub(super) fn expire_window(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        while key.window().deadline <= deadline.as_millis() {
            if self.program.report_timeouts
                && let Some(window) = self.program.window()
            {
                let (arena, queue) = (&store.arena, key.window());
                let (first, last) = (arena.queues.first(&queue), arena.queues.last(&queue));
                let time = |event: Option<(u64, &E)>| event.map_or(deadline, |(_, one)| one.time());
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program: &self.program,
                    captures: Captures::queue(arena, queue, &window.stages),
                    start: time(first),
                    last: time(last),
                    at: deadline,
                    start_seq: first.map_or(0, |(seq, _)| seq),
                    states: std::slice::from_ref(&window.states[queue.len as usize - 1]),
                    repetition: 0,
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
        let (queues, mut rest) = (&store.arena.queues, key.window());
        for state in window.states[..rest.len as usize].iter().rev() {
            let Some((start_seq, start)) = queues.first(&rest) else { break };
            open.push(Open {
                program: &self.program,
                captures: Captures::queue(&store.arena, rest, &window.stages),
                start_seq,
                deadline: self.program.deadline_of(start.time().as_millis()),
                states: [*state].into_iter().collect(),
            });
            queues.skip(&mut rest);
        }
    }

    /// The partial matches of a key that are not written down as runs, whose chains are put into
    /// `arena`. Their registers are those of what they follow.
    pub(in crate::exec) fn as_runs(
        &self,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        let mut open = Vec::new();
        self.counted(store, key, &mut open);
        self.shared_suffix_matches(store, key, &mut open);
        let registers = key
            .representative()
            .map_or(Registers::NOTHING, |representative| representative.registers);
        open.iter().map(|open| Run { registers, ..run(open, arena) }).collect()
    }

    /// Turns the events of a key's queue, and the suffixes of its representative, into runs.
    pub(in crate::exec) fn write_out(&self, store: &mut Store<E>, key: &mut KeyState) {
        self.write_out_shared_suffix(store, key);
        if key.window().is_empty() {
            return;
        }
        let mut arena = std::mem::replace(&mut store.arena, CaptureArena::new());
        // Their queues are looked at while their chains are written.
        std::mem::swap(&mut arena.queues, &mut store.arena.queues);
        let runs = self.as_runs(store, key, &mut arena);
        std::mem::swap(&mut arena.queues, &mut store.arena.queues);
        store.arena = arena;
        Self::clear_window(store, key);
        key.runs_mut().extend(runs);
    }
}

/// A partial match as a run with a chain of its own.
fn run<E: Event>(open: &Open<'_, E>, arena: &mut CaptureArena<E>) -> Run {
    let (mut head, mut start, mut last) = (NIL, None, 0);
    for (stage, seq, event) in open.captures.numbered() {
        head = arena.extend_with(event, seq, head, stage);
        last = event.time().as_millis();
        start.get_or_insert(last);
    }
    Run {
        state: open.states[0],
        head,
        registers: Registers::NOTHING,
        start_seq: open.start_seq,
        start: start.unwrap_or(last),
        last,
        deadline: open.deadline,
    }
}
