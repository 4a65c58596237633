//! The counting-window form: the last events of a key in a queue.
//!
//! When it applies: patterns that are the same event a number of times.
//!
//! Why it is right: each event in the queue is the start of a partial match that holds the event
//! and all events after it. Matches and timeouts are views of the queue.
//!
//! What it saves: the runs of the general strategy are never stored, so that an event costs the
//! same however many are counted. `Matcher::count_on` is a short path for an event that only goes
//! to the end of the queue: W3 takes 0.93 of the time with it, W4 0.97 (docs/performance.md).
//! Without the whole form, W3 takes 2.02 times the instructions, W4 2.80.
//!
//! Which test holds it: `every_strategy_reports_the_same` in `tests/strategies.rs`.
//!
//! An example with `match a{3} within 10s`, timeouts and `skip none`. Times in seconds:
//! ```text
//! event      queue afterwards   deadline   reported
//! a1 at 0    a1                 10
//! a2 at 4    a1 a2              10
//! a3 at 11   a2 a3              14         timeout a1 a2 at 10
//! a4 at 12   a3 a4              21         match a2 a3 a4
//! ```
//!
//! Each end of the queue is a partial match. Its state follows from its length, and is never
//! stored:
//! ```text
//! queue    a2    a3
//!          +-----+     {a2 a3}, state 2
//!                +     {a3}, state 1
//! ```
//!
//! Invariants:
//! * Between two events, a queue has fewer events than a match: the last event completes the match.
//! * `deadline` is that of the first event, and `i64::MAX` without events. So one comparison says
//!   that nothing is over, and an empty queue needs no branch.
//! * `newest` is the time of the last event. A sweep of idle keys reads it, and no event (W4 0.96).
//! * An event that is neither counted nor ignored, as a stranger in `a{3 next}`, empties the queue:
//!   all partial matches wait for the same event.
//!
//! Which paths an event has, from the shortest:
//! ```text
//! count_on     counts for sure, completes nothing, and nothing is over: appended
//! push         time first, then the decision, then appended
//! count_last   completes the match that starts with the first event, and skips
//! ```

use super::contract::{FormContract, FormImage};
use super::key::KeyState;
use super::kind::FormKind;
use super::queue::Queue;
use crate::exec::captured::Captures;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::forms::runs::RunsForm;
use crate::exec::image::{Image, ImageNode, ImageRun, number};
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent, Walk};
use crate::exec::open::Open;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::registers::Registers;
use crate::exec::run::Run;
use crate::exec::set::SetRef;
use crate::exec::store::Store;
use crate::nfa::{Decision, Program, Strategy, Window};
use kleene_event::event::Event;
use kleene_event::schema::TypeId;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{ConditionId, SkipStrategy};

/// The form of a counting window.
pub(super) struct WindowForm;

impl<E: Event> FormContract<E> for WindowForm {
    #[inline(never)]
    fn push(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let Some(window) = matcher.program.window() else { return 0 };
        let PushedEvent { event, seq, prefilter } = arrival;
        let time = event.time();
        if key.window_mut().deadline <= time.as_millis() {
            Self::advance(matcher, store, key, time, sink);
        }
        // It is read after time has moved, which can have emptied it.
        let queue = key.window_mut();
        if !prefilter.counts() {
            let begun = !queue.is_empty();
            let decision =
                matcher.decision_of_window(window, event, (begun, prefilter), |condition| {
                    Some(Walk::new(matcher, store, event, seq).holds(condition))
                });
            match decision.unwrap_or(&Decision::Gone) {
                Decision::One(_) => {}
                Decision::Stay => return 0,
                _ => {
                    Self::clear(store, key);
                    return 0;
                }
            }
        }
        if queue.len as usize + 1 < window.steps.len() {
            matcher.append(store, queue, event, seq);
        } else {
            matcher.count_last(window, store, key, (event, seq), sink);
        }
        0
    }

    #[inline]
    fn begins(matcher: &Matcher<E>, event: &E, prefilter: PrefilterOutcome) -> Option<bool> {
        // One event alone would be a match at once.
        let Some(window) = matcher.program.window().filter(|window| window.steps.len() > 1) else {
            return RunsForm::begins(matcher, event, prefilter);
        };
        if prefilter.counts() {
            return Some(true);
        }
        let decision = matcher.decision_of_window(window, event, (false, prefilter), |_| None);
        decision.map(|decision| matches!(decision, Decision::One(_)))
    }

    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        // The greatest deadline is none.
        let to = to.min(Timestamp::MAX.plus_millis(-1)).as_millis();
        // Each partial match has its own deadline and its own timeout, so they are dropped one by
        // one.
        while key.window().deadline <= to {
            matcher.expire_first(store, key, sink);
        }
    }

    /// A window is complete with an event or not at all, so the end of the stream reports nothing.
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
        key.window().deadline
    }

    #[inline]
    fn last_deadline(matcher: &Matcher<E>, key: &KeyState) -> i64 {
        let window = key.window();
        if window.is_empty() { i64::MIN } else { matcher.program.deadline_of(window.newest) }
    }

    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        let mut open = RunsForm::open(matcher, store, key);
        matcher.counted(store, key, &mut open);
        open
    }

    #[inline]
    fn clear(store: &mut Store<E>, key: &mut KeyState) {
        if !key.window().is_empty() {
            store.arena.queues.clear(key.window_mut());
        }
    }

    #[inline(always)]
    fn prefetch(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        time: i64,
        step: usize,
    ) -> bool {
        let (Strategy::CountingWindow { count }, Some(queue)) = (matcher.strategy, key.queue())
        else {
            return false;
        };
        let queues = &store.arena.queues;
        // They go with the match, or when their time is over.
        let completes = queue.len as usize + 1 == count;
        match step {
            0 => queues.prefetch_free(queue),
            1 => queues.prefetch(queue),
            _ => {
                let deadline_of = |event: &E| matcher.program.deadline_of(event.time().as_millis());
                queues.prefetch_events(queue, |event| completes || deadline_of(event) <= time);
            }
        }
        step < 2 && (completes || queue.deadline <= time)
    }

    /// An image of a window has a single run, which holds all events.
    fn export<'s>(
        matcher: &Matcher<E>,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    ) {
        let (Some(window), queue) = (matcher.program.window(), key.window()) else { return };
        for (event, step) in store.arena.queues.iter(queue).zip(&window.steps) {
            let index = number(image.events.len());
            image.nodes.push(ImageNode { event: index, previous: index, step: *step, starts: 0 });
            image.events.push(event);
        }
        image.runs.push(ImageRun {
            state: window.states[queue.len as usize - 1],
            head: number(image.nodes.len() - 1),
            deadline: queue.deadline,
            clocks: Vec::new(),
            registers: Vec::new(),
        });
    }

    fn import(matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState {
        let mut key = KeyState::default();
        for (seq, event) in image.events {
            matcher.append(store, key.window_mut(), &event, seq);
        }
        key
    }

    /// Each end of the queue becomes a run with a chain of its own, from the oldest start on.
    fn into_runs(matcher: &Matcher<E>, store: &mut Store<E>, key: &mut KeyState) {
        if key.window().is_empty() {
            return;
        }
        // The queues stay in the store, where `as_runs` reads them, while the arena without queues
        // takes the chains.
        let mut arena = std::mem::replace(&mut store.arena, CaptureArena::new());
        // Their queues are looked at while their chains are written.
        std::mem::swap(&mut arena.queues, &mut store.arena.queues);
        let runs = Self::as_runs(matcher, store, key, &mut arena);
        std::mem::swap(&mut arena.queues, &mut store.arena.queues);
        store.arena = arena;
        Self::clear(store, key);
        key.runs_mut().extend(runs);
    }

    fn as_runs(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        let mut open = Vec::new();
        matcher.counted(store, key, &mut open);
        open.iter().map(|open| run_of(open, Registers::NOTHING, arena)).collect()
    }
}

impl FormImage for WindowForm {
    const CODE: u8 = 2;

    fn count<T>(image: &Image<T>) -> u64 {
        image.nodes.len() as u64
    }

    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool {
        let Some(window) = program.window() else { return false };
        let state = image.state_of_chain();
        image.starts_below(1)
            && state.is_some()
            && window.states.get(image.nodes.len() - 1).copied() == state
    }
}

impl<E: Event> Matcher<E> {
    /// Returns what is known of every event of this type that passes its
    /// [prefilter](crate::nfa::Program::prefilter), if there is one (`has_prefilter`).
    pub fn known_of_passing(&self, ty: TypeId, has_prefilter: bool) -> PrefilterOutcome {
        let decisions = &self.program.decisions;
        let decision = match decisions.of_start(decisions.column(ty)) {
            Decision::Condition { yes, .. } if has_prefilter => decisions.node(*yes),
            other => other,
        };
        // In all states of a window it is the same.
        if self.form() == FormKind::Window && matches!(decision, Decision::One(_)) {
            PrefilterOutcome::COUNTS
        } else if has_prefilter {
            PrefilterOutcome::PASSES
        } else {
            PrefilterOutcome::UNKNOWN
        }
    }

    /// Adds an event that is only counted: it goes to the end of a queue, completes nothing, and
    /// nothing is over. `None` if the event must be pushed instead; nothing is done then. Returns
    /// true if the event is the first of the queue, which is added only if the key `may_begin`.
    #[inline(always)]
    pub fn count_on(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        may_begin: bool,
        arrival: &PushedEvent<'_, E>,
    ) -> Option<bool> {
        if !arrival.prefilter.counts() {
            return None;
        }
        let Strategy::CountingWindow { count } = self.strategy else { return None };
        let queue = key.queue()?;
        let begins = queue.is_empty();
        // Without events there is no deadline.
        let goes_on =
            (queue.len as usize) + 1 < count && arrival.event.time().as_millis() < queue.deadline;
        if !goes_on || begins && !(may_begin && key.is_idle()) {
            return None;
        }
        self.append(store, key.queue_mut()?, arrival.event, arrival.seq);
        Some(begins)
    }

    /// Matches an event that completes a match.
    #[inline(never)]
    fn count_last(
        &self,
        window: &Window,
        store: &mut Store<E>,
        key: &mut KeyState,
        (event, seq): (&E, u64),
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let program = &self.program;
        let (last, steps) = (window.steps[window.steps.len() - 1], &*window.steps);
        let queue = key.window();
        let start = store.arena.queues.first(&queue);
        let (start_seq, start) = start.map_or((seq, event.time()), |(seq, one)| (seq, one.time()));
        sink(Outcome {
            kind: OutcomeKind::Match,
            program,
            captures: Captures::queue(&store.arena, queue, steps).and(last, seq, event),
            start,
            last: event.time(),
            at: event.time(),
            start_seq,
            states: &[],
            clocks: &[],
            repetition: 0,
            set: SetRef::Alone,
        });
        match program.skip.strategy {
            SkipStrategy::PastLast => <WindowForm as FormContract<E>>::clear(store, key),
            // The match's own start is the oldest: nothing started before it.
            SkipStrategy::None | SkipStrategy::ToNext | SkipStrategy::ToFirst(_) => {
                // Of one step, each event is a match, and there is no partial match to keep.
                if steps.len() > 1 {
                    self.append(store, key.window_mut(), event, seq);
                    self.pop(store, key);
                }
            }
            SkipStrategy::ToLast(_) => {
                <WindowForm as FormContract<E>>::clear(store, key);
                if steps.len() > 1 {
                    self.append(store, key.window_mut(), event, seq);
                }
            }
        }
    }

    /// Returns the effect of the event on the partial matches of a counting window, if one has
    /// `begun`. The window's conditions read the event alone. `other` answers conditions that are
    /// no comparison of fields, each at most once. The event may have passed the
    /// [prefilter](crate::nfa::Program::prefilter).
    #[inline(always)]
    fn decision_of_window<'a>(
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
            // All states of a window decide alike, so the first one stands in for them.
            Some(&state) if begun => decisions.of(state, column),
            _ => decisions.of_start(column),
        };
        if prefilter.passes()
            && let Decision::Condition { yes, .. } = tree
        {
            tree = decisions.node(*yes);
        }
        while let Decision::Condition { condition, yes, no } = tree {
            let holds = match program.comparisons[condition.index()].holds_of(event) {
                Some(holds) => holds,
                None => other(*condition)?,
            };
            tree = decisions.node(if holds { *yes } else { *no });
        }
        debug_assert!(!matches!(tree, Decision::Time { .. }), "a window asks of the event alone");
        Some(tree)
    }

    /// Adds an event that counts.
    ///
    /// Maintains the queue's `deadline` and `newest`, which `Queues` leaves to its caller.
    #[inline(always)]
    fn append(&self, store: &mut Store<E>, queue: &mut Queue, event: &E, seq: u64) {
        queue.newest = event.time().as_millis();
        if queue.is_empty() {
            queue.deadline = self.program.deadline_of(queue.newest);
        }
        store.arena.queues.append(queue, event, seq);
    }

    /// Drops the oldest event.
    ///
    /// The deadline moves to that of the next event, which is read from the queue: deadlines of
    /// single events are not stored.
    fn pop(&self, store: &mut Store<E>, key: &mut KeyState) {
        let (queue, queues) = (key.window_mut(), &mut store.arena.queues);
        queues.pop(queue);
        let first = queues.first(queue);
        queue.deadline =
            first.map_or(i64::MAX, |(_, event)| self.program.deadline_of(event.time().as_millis()));
    }

    /// Reports the partial match that starts with the oldest event, whose deadline has passed, and
    /// drops that event.
    #[inline]
    fn expire_first(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        if self.program.report_timeouts
            && let Some(window) = self.program.window()
        {
            let (arena, queue) = (&store.arena, key.window());
            let deadline = Timestamp::from_millis(queue.deadline);
            let (first, last) = (arena.queues.first(&queue), arena.queues.last(&queue));
            let time = |event: Option<(u64, &E)>| event.map_or(deadline, |(_, one)| one.time());
            sink(Outcome {
                kind: OutcomeKind::Timeout,
                program: &self.program,
                captures: Captures::queue(arena, queue, &window.steps),
                start: time(first),
                last: time(last),
                at: deadline,
                start_seq: first.map_or(0, |(seq, _)| seq),
                states: std::slice::from_ref(&window.states[queue.len as usize - 1]),
                clocks: &[],
                repetition: 0,
                set: SetRef::Alone,
            });
        }
        self.pop(store, key);
    }

    /// Appends the partial matches in the queue, in order.
    fn counted<'a>(&'a self, store: &'a Store<E>, key: &KeyState, open: &mut Vec<Open<'a, E>>) {
        let Some(window) = self.program.window() else { return };
        let (queues, mut rest) = (&store.arena.queues, key.window());
        for state in window.states[..rest.len as usize].iter().rev() {
            let Some((start_seq, start)) = queues.first(&rest) else { break };
            let captures = Captures::queue(&store.arena, rest, &window.steps);
            let deadline = self.program.deadline_of(start.time().as_millis());
            let states = [*state].into_iter().collect();
            open.push(Open::new(&self.program, captures, (start_seq, deadline), states));
            queues.skip(&mut rest);
        }
    }
}

/// Returns a partial match as a run with a chain of its own, and with these registers.
pub(super) fn run_of<E: Event>(
    open: &Open<'_, E>,
    registers: Registers,
    arena: &mut CaptureArena<E>,
) -> Run {
    let (mut head, mut start, mut last) = (NIL, None, 0);
    for (step, seq, event) in open.captures().numbered() {
        head = arena.extend_with(event, seq, head, step);
        last = event.time().as_millis();
        start.get_or_insert(last);
    }
    Run {
        state: open.states[0],
        head,
        registers,
        start_seq: open.start_seq,
        start: start.unwrap_or(last),
        last,
        deadline: open.deadline,
    }
}
