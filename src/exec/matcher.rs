//! The general strategy: every partial match is a run through the automaton.

mod probe;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::aggregate::Accumulator;
use crate::exec::key::{Completed, KeyState, Run};
use crate::exec::outcome::{Captures, Open, Outcome, OutcomeKind, add_event, field_of};
use crate::exec::store::{Chains, Extras, NIL, RegisterState, Starts, UNSET};
use crate::exec::times::Times;
use crate::hir::eval::{self, Scope};
use crate::hir::expr::{Aggregate, Captured, FieldRef, MatchFact};
use crate::hir::{ConditionId, Length, LimitPolicy, Pattern, SkipStrategy, StageId, Test};
use crate::nfa::{
    Action, BuildError, ClockOp, Edge, Guard, GuardId, Program, RegisterKind, Silence, StateId,
};
use crate::time::Timestamp;
use crate::value::{Value, ValueRef};

pub(crate) use probe::{Judged, Place};

/// A condition that the host computes, from the candidate event and what was captured before it.
pub type HostCondition<E> = Arc<dyn Fn(&E, &Captures<'_, E>) -> bool + Send + Sync>;

/// What a matcher may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The most partial matches of one key. One that can go on in several ways counts for each.
    pub partial_matches_per_key: usize,
    /// What gives way where there would be more. With [`LimitPolicy::Fail`] it is the newest; what
    /// fails is the business of who asks [`Matcher::push`].
    pub policy: LimitPolicy,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { partial_matches_per_key: 1 << 22, policy: LimitPolicy::DropNewest }
    }
}

/// A compiled pattern, ready to match. Immutable and cheap to clone; what changes is in the
/// [`Store`] and the [`KeyState`] that the caller passes in.
pub struct Matcher<E> {
    program: Arc<Program>,
    host: Arc<[HostCondition<E>]>,
    limits: Limits,
}

impl<E> Clone for Matcher<E> {
    fn clone(&self) -> Self {
        Matcher {
            program: Arc::clone(&self.program),
            host: Arc::clone(&self.host),
            limits: self.limits,
        }
    }
}

impl<E> fmt::Debug for Matcher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("program", &self.program)
            .field("host", &self.host.len())
            .field("limits", &self.limits)
            .finish()
    }
}

/// What the partial matches of any number of keys have captured, and scratch space.
///
/// A store belongs to one matcher; using it with another one gives wrong answers.
#[derive(Clone, Debug)]
pub struct Store<E> {
    pub(super) chains: Chains<E>,
    pub(super) extras: Extras,
    scratch: Scratch,
}

impl<E> Store<E> {
    /// How many captured events are held.
    pub fn event_count(&self) -> usize {
        self.chains.len()
    }

    /// How often an expression divided by zero, which gives null: once for each time that a
    /// condition, an aggregate's argument or an emit is computed.
    pub fn divisions_by_zero(&self) -> u64 {
        self.chains.divisions_by_zero()
    }

    /// Heap bytes, without what the events themselves own.
    pub fn memory_usage(&self) -> usize {
        self.chains.memory_usage() + self.extras.memory_usage()
    }
}

/// Space that is reused from event to event; it carries no meaning between them.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The runs that an event leaves behind.
    next: Vec<Run>,
    completed: Vec<Completed>,
    /// For each condition, the epoch in which it was tested, times two, plus the answer.
    memo: Vec<u64>,
    epoch: u64,
    /// The nodes that this event made, by what they say, where runs can meet.
    made: HashMap<(u32, StageId, Starts), u32>,
    /// The runs that are left behind, where runs can meet.
    seen: HashSet<(StateId, u32, SmallVec<[i64; 2]>)>,
    /// Partial matches that ran out of time at one deadline.
    expired: Vec<Run>,
    states: Vec<StateId>,
}

impl<E: Event> Matcher<E> {
    /// Compiles `pattern`; `host` are the closures that its conditions refer to by number.
    pub fn new(
        pattern: &Pattern,
        host: impl Into<Arc<[HostCondition<E>]>>,
    ) -> Result<Matcher<E>, BuildError> {
        let program = Arc::new(Program::new(pattern)?);
        Ok(Matcher { program, host: host.into(), limits: Limits::default() })
    }

    /// The same matcher with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Matcher<E> {
        Matcher { limits, ..self }
    }

    /// What it may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The compiled pattern.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// An empty store for this matcher.
    pub fn create_store(&self) -> Store<E> {
        Store {
            chains: Chains::new(),
            extras: Extras::new(self.program.registers.len(), self.program.clocks),
            scratch: Scratch { memo: vec![0; self.program.conditions.len()], ..Scratch::default() },
        }
    }

    /// Matches one event of a key. Events of a key come in the order of their time, and `seq`
    /// grows with each event of the store. Deadlines up to the event's time are handled first.
    ///
    /// Gives how many partial matches were dropped or not started because of the limit.
    pub fn push(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        let time = event.time();
        if self.deadline(key).is_some_and(|deadline| deadline <= time) {
            self.advance(store, key, time, sink);
        }
        let mut step = Step {
            matcher: self,
            program: &self.program,
            store,
            event,
            seq,
            time: time.as_millis(),
            stored: NIL,
            overflow: 0,
        };
        step.run(key);
        let overflow = step.overflow;
        if !store.scratch.completed.is_empty() || !key.completed.is_empty() {
            self.tell_completed(store, key, time, sink);
        }
        overflow
    }

    /// Moves a key's time to `to`: partial matches whose deadline is at or before it run out of
    /// time, or match where a `not` is last. Deadlines are handled one after the other in the order
    /// of time, so that it makes no difference how far a step goes.
    pub fn advance(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        while let Some(deadline) = self.deadline(key).filter(|&deadline| deadline <= to) {
            self.expire(store, key, deadline, sink);
        }
    }

    /// Ends a key's stream: time moves to its end, `longest` loops that nothing bounds are told,
    /// and so are matches that waited for older partial matches. The key is idle after it.
    pub fn finish(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        self.advance(store, key, Timestamp::MAX, sink);
        key.broken = None;
        let mut last = i64::MIN;
        for run in &key.runs {
            if self.program.states[run.state.index()].settles {
                store.scratch.completed.push(completed(run));
                store.chains.retain(run.head);
                last = last.max(run.last);
            }
        }
        for match_ in &key.completed {
            last = last.max(match_.last);
        }
        Self::clear_runs(store, key);
        if !store.scratch.completed.is_empty() || !key.completed.is_empty() {
            self.tell_completed(store, key, Timestamp::from_millis(last), sink);
        }
    }

    /// The next moment at which [`Matcher::advance`] would do something.
    #[inline]
    pub fn deadline(&self, key: &KeyState) -> Option<Timestamp> {
        let in_order = self.program.bounds.is_empty() && self.program.lengths.is_empty();
        let deadline = if in_order {
            // Runs are in the order of their start: the first is the first to run out.
            key.runs.first().map_or(i64::MAX, |run| run.deadline)
        } else {
            key.runs.iter().map(|run| run.deadline).min().unwrap_or(i64::MAX)
        };
        let deadline = match &self.program.silence {
            Some(silence) => deadline.min(silence.ends(key.broken)),
            None => deadline,
        };
        (deadline < i64::MAX).then_some(Timestamp::from_millis(deadline))
    }

    /// The partial matches of a key that are open, in the order in which they would be told.
    pub fn open<'a>(&'a self, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        let complete = key.completed.iter().map(|match_| (match_.head, match_.start_seq, None));
        let runs = key.runs.iter().map(|run| (run.head, run.start_seq, Some(run)));
        let mut places: Vec<_> = complete.chain(runs).collect();
        places.sort_by(|a, b| {
            a.1.cmp(&b.1).then_with(|| store.chains.compare(a.0, b.0)).then(a.0.cmp(&b.0))
        });
        let mut open: Vec<Open<'a, E>> = Vec::new();
        // One that waits in several places is one all the same.
        for of_one in places.chunk_by(|a, b| a.0 == b.0 && a.2.is_some() == b.2.is_some()) {
            let (head, start_seq, _) = of_one[0];
            let runs = of_one.iter().filter_map(|(.., run)| *run);
            open.push(Open {
                program: &self.program,
                captures: Captures::new(&store.chains, head),
                start_seq,
                deadline: runs.clone().map(|run| run.deadline).min().unwrap_or(i64::MAX),
                states: runs.map(|run| run.state).collect(),
            });
        }
        open
    }

    /// Gives up everything that a key holds in the store.
    pub fn clear(&self, store: &mut Store<E>, key: &mut KeyState) {
        key.broken = None;
        Self::clear_runs(store, key);
        for match_ in std::mem::take(&mut key.completed) {
            store.chains.release(match_.head);
        }
    }

    fn clear_runs(store: &mut Store<E>, key: &mut KeyState) {
        let Store { chains, extras, .. } = store;
        for run in key.runs.drain(..) {
            chains.release(run.head);
            extras.release(run.extra);
        }
    }
}

fn completed(run: &Run) -> Completed {
    Completed { head: run.head, start_seq: run.start_seq, start: run.start, last: run.last }
}

impl<E: Event> Matcher<E> {
    /// Takes the runs out whose deadline is `deadline`, and tells what became of them.
    fn expire(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let Store { chains, extras, scratch } = store;
        if let Some(silence) = &program.silence
            && silence.ends(key.broken) <= deadline.as_millis()
        {
            key.broken = None;
        }
        scratch.expired.clear();
        key.runs.retain(|run| {
            if run.deadline > deadline.as_millis() {
                return true;
            }
            extras.release(run.extra);
            if program.states[run.state.index()].accepts_at_deadline {
                scratch.completed.push(completed(run));
            } else {
                scratch.expired.push(*run);
            }
            false
        });
        // A partial match can wait in several places; it is one all the same, and it is no timeout
        // if one of the places completes it.
        let expired = &mut scratch.expired;
        if program.tell_timeouts {
            expired.sort_by(|a, b| {
                a.start_seq.cmp(&b.start_seq).then_with(|| chains.compare(a.head, b.head))
            });
            let mut rest = &expired[..];
            while let Some(first) = rest.first() {
                let same = rest
                    .iter()
                    .take_while(|run| is_same(program, chains, run.head, first.head))
                    .count();
                let (group, others) = rest.split_at(same);
                rest = others;
                let is_first = |head| is_same(program, chains, head, first.head);
                if scratch.completed.iter().any(|match_| is_first(match_.head)) {
                    continue;
                }
                scratch.states.clear();
                scratch.states.extend(group.iter().map(|run| run.state));
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program,
                    captures: Captures::new(chains, first.head),
                    start: Timestamp::from_millis(first.start),
                    last: Timestamp::from_millis(first.last),
                    at: deadline,
                    start_seq: first.start_seq,
                    states: &scratch.states,
                });
            }
        }
        for run in expired.drain(..) {
            chains.release(run.head);
        }
        if !store.scratch.completed.is_empty() || !key.completed.is_empty() {
            self.tell_completed(store, key, deadline, sink);
        }
    }

    /// Tells what is complete, in order, and drops what the skip strategy says.
    fn tell_completed(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        at: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let Store { chains, extras, scratch } = store;
        let skip = &program.skip;
        // The buffer is taken out while it is told from, and given back for its space.
        let mut new = std::mem::take(&mut scratch.completed);
        if skip.ordered && skip.strategy != SkipStrategy::None {
            key.completed.append(&mut new);
            std::mem::swap(&mut key.completed, &mut new);
        }
        in_order(chains, &mut new);
        // The same events can have completed the pattern in more than one way.
        new.dedup_by(|later, earlier| {
            let same = later.start_seq == earlier.start_seq
                && is_same(program, chains, later.head, earlier.head);
            if same {
                chains.release(later.head);
            }
            same
        });
        let mut told = 0;
        let mut dropped_from = new.len();
        while told < dropped_from {
            let match_ = new[told];
            if skip.ordered
                && skip.strategy != SkipStrategy::None
                && key.runs.first().is_some_and(|oldest| oldest.start_seq < match_.start_seq)
            {
                break;
            }
            told += 1;
            sink(Outcome {
                kind: OutcomeKind::Match,
                program,
                captures: Captures::new(chains, match_.head),
                start: Timestamp::from_millis(match_.start),
                last: Timestamp::from_millis(match_.last),
                at,
                start_seq: match_.start_seq,
                states: &[],
            });
            if let Some(dropped) = dropped_starts(chains, &skip.strategy, &match_) {
                key.runs.retain(|run| {
                    if dropped.contains(&run.start_seq) {
                        chains.release(run.head);
                        extras.release(run.extra);
                        return false;
                    }
                    true
                });
                let mut kept = told;
                for i in told..dropped_from {
                    if dropped.contains(&new[i].start_seq) {
                        chains.release(new[i].head);
                    } else {
                        new[kept] = new[i];
                        kept += 1;
                    }
                }
                dropped_from = kept;
            }
            chains.release(match_.head);
        }
        if skip.ordered && skip.strategy != SkipStrategy::None {
            key.completed.extend_from_slice(&new[told..dropped_from]);
        }
        new.clear();
        scratch.completed = new;
    }
}

/// Whether two partial matches hold the same events. Named groups can divide the same events into
/// rounds in more than one way; they are told once all the same.
fn is_same<E>(program: &Program, chains: &Chains<E>, a: u32, b: u32) -> bool {
    a == b || !program.named.is_empty() && chains.compare(a, b).is_eq()
}

/// Sorts matches by their start; [`Chains::compare`] decides between those that start together.
fn in_order<E>(chains: &Chains<E>, matches: &mut Vec<Completed>) {
    let compare = |a: &Completed, b: &Completed| {
        a.start_seq.cmp(&b.start_seq).then_with(|| chains.compare(a.head, b.head))
    };
    // Chains are scattered over memory: where there are many, most pairs are decided by keys.
    if matches.len() < 64 {
        matches.sort_by(compare);
        return;
    }
    let mut keyed: Vec<_> = matches
        .drain(..)
        .map(|match_| (chains.sort_key(match_.head, match_.start_seq), match_))
        .collect();
    keyed.sort_by(|(i, a), (j, b)| {
        a.start_seq.cmp(&b.start_seq).then(i.cmp(j)).then_with(|| compare(a, b))
    });
    matches.extend(keyed.into_iter().map(|(_, match_)| match_));
}

/// What started with an event of these numbers is dropped after `match_`.
fn dropped_starts<E>(
    chains: &Chains<E>,
    strategy: &SkipStrategy,
    match_: &Completed,
) -> Option<Range<u64>> {
    let of_stage = |stage: StageId| {
        chains.back(match_.head).filter(move |(_, node)| node.stage == stage).map(|(id, _)| id)
    };
    let seq = |id: u32| chains.event(id).seq;
    match strategy {
        SkipStrategy::None => None,
        SkipStrategy::PastLast => Some(0..seq(match_.head) + 1),
        SkipStrategy::ToNext => Some(match_.start_seq..match_.start_seq + 1),
        SkipStrategy::ToFirst(stage) => of_stage(*stage).last().map(|id| 0..seq(id)),
        SkipStrategy::ToLast(stage) => of_stage(*stage).next().map(|id| 0..seq(id)),
    }
}

/// One event on its way through a key's runs.
struct Step<'a, E> {
    matcher: &'a Matcher<E>,
    program: &'a Program,
    store: &'a mut Store<E>,
    event: &'a E,
    seq: u64,
    time: i64,
    /// The event in the store, once something captured it.
    stored: u32,
    overflow: usize,
}

impl<E: Event> Step<'_, E> {
    fn run(&mut self, key: &mut KeyState) {
        // Conditions on the event alone are tested at most once: an epoch for the event, and one
        // for each run after it.
        self.store.scratch.epoch += 1;
        let event_epoch = self.store.scratch.epoch;
        let mut next = std::mem::take(&mut self.store.scratch.next);
        next.clear();
        // Runs stay where they are until the first that does not.
        let mut kept = 0;
        while kept < key.runs.len() && next.is_empty() {
            let run = key.runs[kept];
            if self.advance_run(&run, event_epoch, &mut next) {
                kept += 1;
                continue;
            }
            for i in kept + 1..key.runs.len() {
                let run = key.runs[i];
                if self.advance_run(&run, event_epoch, &mut next) {
                    next.push(run);
                }
            }
            key.runs.truncate(kept);
            break;
        }
        if self.program.silence.is_none() || self.is_silent(key, event_epoch) {
            self.start(event_epoch, &mut next);
        }
        if self.program.may_duplicate {
            self.merge_equal(key, &mut next);
        }
        key.runs.extend_from_slice(&next);
        let limit = self.matcher.limits.partial_matches_per_key;
        if key.runs.len() > limit {
            self.cut(key, limit);
        }
        next.clear();
        let Store { chains, scratch, .. } = &mut *self.store;
        scratch.next = next;
        for (_, node) in scratch.made.drain() {
            chains.release(node);
        }
        if self.stored != NIL {
            chains.release_event(self.stored);
        }
    }

    /// Whether a match can start: what must not have come for so long has not. Remembers the event
    /// if it is one of those.
    fn is_silent(&mut self, key: &mut KeyState, event_epoch: u64) -> bool {
        let Some(Silence { condition, millis }) = self.program.silence else { return true };
        let silent = key.broken.is_none_or(|broken| self.time.saturating_sub(broken) >= millis);
        self.store.scratch.epoch += 1;
        let nothing = self.nothing();
        if self.condition(condition, &nothing, event_epoch) {
            key.broken = Some(self.time);
        }
        silent
    }

    /// What has captured nothing.
    fn nothing(&self) -> Run {
        Run {
            state: self.program.start,
            head: NIL,
            extra: NIL,
            start_seq: self.seq,
            start: self.time,
            last: self.time,
            deadline: i64::MAX,
        }
    }

    /// Drops what is beyond the limit. Runs are in the order of their start.
    #[cold]
    fn cut(&mut self, key: &mut KeyState, limit: usize) {
        let excess = key.runs.len() - limit;
        let first = match self.matcher.limits.policy {
            LimitPolicy::DropOldest => 0,
            LimitPolicy::DropNewest | LimitPolicy::Fail => limit,
        };
        self.overflow += excess;
        for run in key.runs.drain(first..first + excess) {
            self.store.chains.release(run.head);
            self.store.extras.release(run.extra);
        }
    }

    /// Moves one run. Says whether it stays as it is; if not, what becomes of it is in `next`, and
    /// its hold on the store is given up.
    fn advance_run(&mut self, run: &Run, event_epoch: u64, next: &mut Vec<Run>) -> bool {
        self.store.scratch.epoch += 1;
        let program = self.program;
        let mut open: SmallVec<[&Edge; 8]> = SmallVec::new();
        let mut stopped = false;
        for edge in program.edges(run.state) {
            if self.guard(edge.guard, run, event_epoch) {
                match edge.action {
                    Action::Stop => stopped = true,
                    _ => open.push(edge),
                }
            }
        }
        if stopped {
            // A `not` that is violated ends the partial match, but not a match that the same event
            // completes.
            for edge in open {
                self.complete_only(edge, run, event_epoch);
            }
            self.give_up(run);
            return false;
        }
        let settles = program.states[run.state.index()].settles;
        match open[..] {
            [Edge { action: Action::Ignore { target }, clocks, .. }]
                if *target == run.state && clocks.is_empty() =>
            {
                true
            }
            [edge] if !settles => {
                // The only way on: what the run holds goes with it.
                self.follow(edge, *run, event_epoch, next);
                false
            }
            _ => {
                let before = (next.len(), self.store.scratch.completed.len());
                for edge in open {
                    self.store.chains.retain(run.head);
                    let extra = self.store.extras.duplicate(run.extra);
                    self.follow(edge, Run { extra, ..*run }, event_epoch, next);
                }
                if settles && before == (next.len(), self.store.scratch.completed.len()) {
                    self.complete(completed(run));
                }
                self.give_up(run);
                false
            }
        }
    }

    fn start(&mut self, event_epoch: u64, next: &mut Vec<Run>) {
        let program = self.program;
        let nothing = self.nothing();
        self.store.scratch.epoch += 1;
        let mut open: SmallVec<[&Edge; 8]> = SmallVec::new();
        for edge in program.edges(program.start) {
            if matches!(edge.action, Action::Take { .. } | Action::Stop)
                && self.guard(edge.guard, &nothing, event_epoch)
            {
                if edge.action == Action::Stop {
                    return;
                }
                open.push(edge);
            }
        }
        for edge in open {
            let extra = self.store.extras.create();
            self.follow(edge, Run { extra, ..nothing }, event_epoch, next);
        }
    }

    /// Takes `edge`; the run's hold on the store goes over to what becomes of it.
    fn follow(&mut self, edge: &Edge, run: Run, event_epoch: u64, next: &mut Vec<Run>) {
        match edge.action {
            Action::Stop => self.give_up(&run),
            Action::Complete => {
                self.store.extras.release(run.extra);
                self.store.scratch.completed.push(completed(&run));
            }
            Action::Ignore { target } => {
                let mut run = Run { state: target, ..run };
                self.set_clocks(edge, &run);
                run.deadline = self.times(&run).deadline();
                if run.deadline <= self.time {
                    // What it would wait for there is too late already.
                    self.give_up(&run);
                } else {
                    next.push(run);
                }
            }
            Action::Take { stage, target } => {
                self.take(edge, stage, target, run, event_epoch, next);
            }
        }
    }

    fn take(
        &mut self,
        edge: &Edge,
        stage: StageId,
        target: StateId,
        run: Run,
        event_epoch: u64,
        next: &mut Vec<Run>,
    ) {
        let state = &self.program.states[target.index()];
        // The way to the end is looked at with what was captured before this event.
        let accepted = state.accept.is_some_and(|guard| self.guard(guard, &run, event_epoch));
        let head = self.link(edge, &run, stage);
        self.store.chains.release(run.head);
        let mut run = Run { state: target, head, last: self.time, ..run };
        // Where an event says how long a match may take, it may say that it comes too late itself.
        let read = matches!(self.program.within, Some(Length::Read(_)));
        if read {
            self.update_registers(stage, &run);
        }
        let in_time = !read || self.times(&run).whole_deadline() > self.time;
        if accepted && in_time {
            self.complete(completed(&run));
        }
        if !state.live && in_time {
            self.give_up(&run);
            return;
        }
        self.set_clocks(edge, &run);
        if !read {
            self.update_registers(stage, &run);
        }
        run.deadline = self.times(&run).deadline();
        if run.deadline <= self.time {
            if self.program.lengths.is_empty() {
                // Another way of several has waited too long for what it waits for there.
                self.give_up(&run);
                return;
            }
            // An event says that it is over already.
            run.deadline = self.time;
        }
        next.push(run);
    }

    /// Follows `edge` as far as a match goes that it completes, and leaves the run as it is.
    fn complete_only(&mut self, edge: &Edge, run: &Run, event_epoch: u64) {
        match edge.action {
            Action::Take { stage, target } => {
                let accept = self.program.states[target.index()].accept;
                if accept.is_some_and(|guard| self.guard(guard, run, event_epoch)) {
                    let head = self.link(edge, run, stage);
                    let match_ = Run { head, last: self.time, ..*run };
                    if self.is_too_late(stage, &match_) {
                        self.store.chains.release(head);
                    } else {
                        self.store.scratch.completed.push(completed(&match_));
                    }
                }
            }
            Action::Complete => self.complete(completed(run)),
            Action::Ignore { .. } | Action::Stop => {}
        }
    }

    /// Whether the event that `match_` ends with says that it comes too late.
    fn is_too_late(&mut self, stage: StageId, match_: &Run) -> bool {
        if !matches!(self.program.within, Some(Length::Read(_))) {
            return false;
        }
        let extra = self.store.extras.duplicate(match_.extra);
        let with_event = Run { extra, ..*match_ };
        self.update_registers(stage, &with_event);
        let late = self.times(&with_event).whole_deadline() <= self.time;
        self.store.extras.release(extra);
        late
    }

    /// A match with a reference of its own to its events.
    fn complete(&mut self, match_: Completed) {
        self.store.chains.retain(match_.head);
        self.store.scratch.completed.push(match_);
    }

    fn give_up(&mut self, run: &Run) {
        self.store.chains.release(run.head);
        self.store.extras.release(run.extra);
    }

    /// The node of this event behind what `run` has captured, with a reference for the caller.
    fn link(&mut self, edge: &Edge, run: &Run, stage: StageId) -> u32 {
        let previous = run.head;
        let starts = self.starts(edge, run);
        let Store { chains, scratch, .. } = &mut *self.store;
        if self.stored == NIL {
            self.stored = chains.keep(self.event.clone(), self.seq);
        }
        if !self.program.may_duplicate {
            return chains.link(self.stored, previous, stage, starts);
        }
        // Equal captures get the same node, so that equal runs can be found.
        match scratch.made.entry((previous, stage, starts)) {
            hashbrown::hash_map::Entry::Occupied(made) => {
                chains.retain(*made.get());
                *made.get()
            }
            hashbrown::hash_map::Entry::Vacant(place) => {
                // What is remembered here lives as long as it can be found.
                let node = *place.insert(chains.link(self.stored, previous, stage, starts));
                chains.retain(node);
                node
            }
        }
    }

    /// The named groups of which a take of `edge` starts a repetition.
    fn starts(&self, edge: &Edge, run: &Run) -> Starts {
        let mut starts = 0;
        if self.program.named.is_empty() {
            return starts;
        }
        let times = self.store.extras.times(run.extra);
        for op in self.program.clock_ops(edge) {
            let clock = match *op {
                ClockOp::Set(clock) | ClockOp::Pass(clock) => clock,
                ClockOp::SetIfUnset(clock) | ClockOp::Unset(clock)
                    if times[clock as usize] == UNSET =>
                {
                    clock
                }
                ClockOp::SetIfUnset(_) | ClockOp::Unset(_) | ClockOp::Clear(_) => continue,
            };
            for ((_, named), bit) in self.program.named.iter().zip(0..) {
                if *named == clock {
                    starts |= 1 << bit;
                }
            }
        }
        starts
    }

    /// Of runs that wait in the same state with the same events, keeps the first.
    fn merge_equal(&mut self, key: &KeyState, next: &mut Vec<Run>) {
        if next.is_empty() || key.runs.len() + next.len() == 1 {
            return;
        }
        let Store { chains, extras, scratch } = &mut *self.store;
        scratch.seen.clear();
        let identity = |run: &Run, extras: &Extras| {
            (run.state, run.head, SmallVec::from_slice(extras.times(run.extra)))
        };
        for run in &key.runs {
            scratch.seen.insert(identity(run, extras));
        }
        next.retain(|run| {
            let new = scratch.seen.insert(identity(run, extras));
            if !new {
                chains.release(run.head);
                extras.release(run.extra);
            }
            new
        });
    }

    fn set_clocks(&mut self, edge: &Edge, run: &Run) {
        if edge.clocks.is_empty() {
            return;
        }
        let times = self.store.extras.times_mut(run.extra);
        for op in self.program.clock_ops(edge) {
            match *op {
                ClockOp::Set(clock) => times[clock as usize] = self.time,
                ClockOp::SetIfUnset(clock) if times[clock as usize] == UNSET => {
                    times[clock as usize] = self.time;
                }
                ClockOp::SetIfUnset(_) => {}
                ClockOp::Unset(clock) | ClockOp::Pass(clock) | ClockOp::Clear(clock) => {
                    times[clock as usize] = UNSET;
                }
            }
        }
    }

    fn update_registers(&mut self, stage: StageId, run: &Run) {
        for (index, register) in self.program.registers.iter().enumerate() {
            if register.stage.is_some_and(|of| of != stage) {
                continue;
            }
            let Store { chains, extras, .. } = &mut *self.store;
            let (value, state) = extras.register_mut(run.extra, index);
            note(&register.kind, value, state, self.event, chains);
        }
    }

    fn times<'t>(&'t self, run: &'t Run) -> Times<'t, E> {
        let Store { chains, extras, .. } = &*self.store;
        Times { program: self.program, chains, extras, run }
    }

    fn millis(&self, length: Length, run: &Run) -> i64 {
        self.times(run).millis(length)
    }

    fn guard(&mut self, guard: GuardId, run: &Run, event_epoch: u64) -> bool {
        match &self.program.guards[guard.index()] {
            Guard::True => true,
            Guard::False => false,
            Guard::Condition(condition) => self.condition(*condition, run, event_epoch),
            Guard::Gap { min, max, unless_set, since } => {
                let time = |clock| self.store.extras.time(run.extra, clock);
                if run.head == NIL || unless_set.is_some_and(|clock| time(clock) != UNSET) {
                    return true;
                }
                let passed = self.time.saturating_sub(since.map_or(run.last, time));
                passed >= self.millis(*min, run)
                    && max.is_none_or(|max| passed <= self.millis(max, run))
            }
            Guard::Sooner { than, since } => {
                let before = since.map(|clock| self.store.extras.time(run.extra, clock));
                let passed = self.time.saturating_sub(before.unwrap_or(run.last));
                run.head == NIL || passed < self.millis(*than, run)
            }
            Guard::IsSet(clock) => self.store.extras.time(run.extra, *clock) != UNSET,
            Guard::Within { clock, within } => match self.store.extras.time(run.extra, *clock) {
                UNSET => true,
                time => self.time.saturating_sub(time) < self.millis(*within, run),
            },
            Guard::Not(inner) => !self.guard(*inner, run, event_epoch),
            Guard::And(parts) => parts.iter().all(|&part| self.guard(part, run, event_epoch)),
            Guard::Or(parts) => parts.iter().any(|&part| self.guard(part, run, event_epoch)),
        }
    }

    fn condition(&mut self, id: ConditionId, run: &Run, event_epoch: u64) -> bool {
        let condition = &self.program.conditions[id.index()];
        if condition.ty.is_some_and(|ty| ty != self.event.type_id()) {
            return false;
        }
        if matches!(condition.test, Test::True) {
            return true;
        }
        let Store { chains, extras, scratch } = &mut *self.store;
        let epoch = if self.program.correlated[id.index()] { scratch.epoch } else { event_epoch };
        let memo = scratch.memo[id.index()];
        if memo >> 1 == epoch {
            return memo & 1 == 1;
        }
        let scope = CandidateScope {
            event: self.event,
            captures: Captures::new(chains, run.head),
            extras,
            program: self.program,
            extra: run.extra,
        };
        let answer = holds(&condition.test, &self.matcher.host, &scope);
        scratch.memo[id.index()] = epoch << 1 | u64::from(answer);
        answer
    }
}

/// Changes a register for an event that was captured; `chains` counts divisions by zero.
pub(super) fn note<E: Event>(
    kind: &RegisterKind,
    value: &mut Value,
    state: &mut RegisterState,
    event: &E,
    chains: &Chains<E>,
) {
    match kind {
        RegisterKind::First(field) => {
            if matches!(state, RegisterState::Unset) {
                *state = RegisterState::Set;
                *value = field_of(event, field).to_value();
            }
        }
        RegisterKind::Last(field) => {
            *state = RegisterState::Set;
            *value = field_of(event, field).to_value();
        }
        RegisterKind::Aggregate(aggregate) => {
            if !matches!(state, RegisterState::Aggregate(_)) {
                *state = RegisterState::Aggregate(Box::new(Accumulator::new(aggregate.op)));
            }
            if let RegisterState::Aggregate(accumulator) = state {
                add_event(accumulator, aggregate, event, chains);
                *value = accumulator.value();
            }
        }
    }
}

/// Whether a condition holds beside the event's type.
fn holds<E: Event>(test: &Test, host: &[HostCondition<E>], scope: &CandidateScope<'_, E>) -> bool {
    match test {
        Test::True => true,
        Test::Expr(expr) => eval::test(expr, scope),
        Test::Host { index, .. } => {
            host.get(*index).is_some_and(|host| host(scope.event, &scope.captures))
        }
        Test::All(tests) => tests.iter().all(|test| holds(test, host, scope)),
    }
}

/// A candidate event and what was captured before it.
struct CandidateScope<'a, E> {
    event: &'a E,
    captures: Captures<'a, E>,
    extras: &'a Extras,
    program: &'a Program,
    extra: u32,
}

impl<E: Event> Scope for CandidateScope<'_, E> {
    #[inline]
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        field_of(self.event, field)
    }
    fn captured(&self, captured: &Captured) -> Value {
        self.captures.field(captured).to_value()
    }
    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        self.captures.aggregate(aggregate, self.program)
    }
    #[inline]
    fn register(&self, index: usize) -> ValueRef<'_> {
        // Before anything was captured, counts and sums are 0, not null.
        if self.extra == NIL || self.extras.is_untouched(self.extra, index) {
            return initial(&self.program.registers[index].kind);
        }
        self.extras.value(self.extra, index).as_ref()
    }
    fn key(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
    fn fact(&self, _: MatchFact) -> Value {
        Value::Null
    }
    fn divided_by_zero(&self) {
        self.captures.divided_by_zero();
    }
}

/// The value of a register that nothing was captured for.
fn initial(kind: &RegisterKind) -> ValueRef<'static> {
    use crate::hir::expr::AggregateOp;
    match kind {
        RegisterKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Count | AggregateOp::Sum => ValueRef::Int(0),
            AggregateOp::Distinct | AggregateOp::Collect => ValueRef::List(&[]),
            _ => ValueRef::Null,
        },
        _ => ValueRef::Null,
    }
}
