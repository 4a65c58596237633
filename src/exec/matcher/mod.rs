//! The matcher: a compiled pattern, and the effect of an event or a deadline on a key's state.
//!
//! `step` is the general strategy, in which every partial match is a run through the automaton.
//! `deterministic` advances runs in place, `shared_suffix` stores only the oldest run, and `window` counts.
//! `expire` is the effect of time on partial matches, and `report` makes outputs of them.

mod condition;
mod deterministic;
mod expire;
mod probe;
mod report;
mod shared_suffix;
mod step;
mod window;

use std::fmt;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use crate::event::Event;
use crate::exec::captures::{CaptureArena, NIL, Starts};
use crate::exec::key::{Completed, KeyState, Run};
use crate::exec::outcome::{Captures, Open, Outcome};
use crate::exec::pool::RunPool;
use crate::exec::registers::RegisterFile;
use crate::hir::{ConditionId, LimitPolicy, Pattern, StageId};
use crate::nfa::{BuildError, Decision, EdgeEffect, Program, StateId, Strategy, Window};
use crate::time::Timestamp;

use step::Step;

pub(super) use condition::update_register;
pub(crate) use probe::{Judged, Place};

/// The number of steps in [`Matcher::prefetch`].
pub(crate) const FETCHES: usize = 3;

/// The maximum number of a key's partial matches that are prefetched for an event.
const MOST_FETCHED: usize = 8;

/// What the prefilter says of an event that is pushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PrefilterOutcome {
    /// There is no prefilter, or it was not asked.
    Unknown,
    /// The event passes the [prefilter](Program::prefilter).
    Passes,
    /// The event counts, [whatever the state](Matcher::counts_all) of its key.
    Counts,
}

/// A condition that the host computes from the candidate event and the events captured before it.
pub type HostCondition<E> = Arc<dyn Fn(&E, &Captures<'_, E>) -> bool + Send + Sync>;

/// The limits of a matcher.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of partial matches of one key. A partial match with several branches
    /// counts once for each.
    pub partial_matches_per_key: usize,
    /// The partial matches that are dropped at the limit. [`LimitPolicy::Fail`] drops the newest,
    /// like [`LimitPolicy::DropNewest`]; the caller of [`Matcher::push`] decides what fails.
    pub policy: LimitPolicy,
    /// The maximum number of steps that the partial matches of one key may take for the next event.
    ///
    /// Each partial match takes one step, or 8 steps if an event can lead it along several branches
    /// and it has aggregates, clocks or groups. Conditions that walk captured events (`x[2]`,
    /// `collect`, closures of the host, the count of a group) add one step for each captured event.
    /// Beyond the limit, the oldest partial matches are dropped, whatever the policy. The limit is
    /// the same for every strategy.
    pub steps_per_event: usize,
    /// The maximum number of reports of one repeating silence. The partial match ends after the
    /// last.
    pub repetitions: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        let (partial_matches_per_key, steps_per_event) = (1 << 22, 1 << 20);
        let (policy, repetitions) = (LimitPolicy::DropNewest, 100_000);
        Limits { partial_matches_per_key, policy, steps_per_event, repetitions }
    }
}

/// The number of steps of a partial match with several branches and registers.
///
/// Testing a partial match against an event takes 10 to 80 ns with a single branch, and 0.2 us with
/// several: at the limit, as many partial matches are dropped as are made. With registers, clocks
/// or equal runs to merge, the test takes 0.6 to 1.2 us.
const SEVERAL_WAYS: usize = 8;

/// A compiled pattern, ready to match.
///
/// A matcher is immutable and cheap to clone. The changing state is in the [`Store`] and the
/// [`KeyState`] that the caller passes in.
pub struct Matcher<E> {
    program: Arc<Program>,
    host: Arc<[HostCondition<E>]>,
    limits: Limits,
    /// True if the general strategy is used, whatever the pattern allows.
    general: bool,
    /// The strategy that follows from the fields above.
    strategy: Strategy,
    /// The number of runs above which a key exceeds a limit.
    most_runs: usize,
    /// The steps of a run for an event, without those for captured events.
    run_steps: usize,
    /// The number of runs up to which a key is certainly within the limits; 0 if the steps of a run
    /// depend on its captured events.
    unchecked_runs: usize,
}

impl<E> Clone for Matcher<E> {
    fn clone(&self) -> Self {
        Matcher {
            program: Arc::clone(&self.program),
            host: Arc::clone(&self.host),
            limits: self.limits,
            general: self.general,
            strategy: self.strategy,
            most_runs: self.most_runs,
            run_steps: self.run_steps,
            unchecked_runs: self.unchecked_runs,
        }
    }
}

impl<E> fmt::Debug for Matcher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("program", &self.program)
            .field("host", &self.host.len())
            .field("limits", &self.limits)
            .field("general", &self.general)
            .field("strategy", &self.strategy)
            .finish_non_exhaustive()
    }
}

/// The captured events of the partial matches of any number of keys, and scratch space.
///
/// A store belongs to one matcher. With another matcher, results are wrong.
#[derive(Clone, Debug)]
pub struct Store<E> {
    pub(super) arena: CaptureArena<E>,
    pub(super) file: RegisterFile,
    scratch: Scratch,
}

impl<E> Store<E> {
    /// Marks the end of the stream: each repeating silence is reported once more, not for ever.
    pub(crate) fn end(&mut self) {
        self.scratch.ends = true;
    }

    /// Returns the number of silences that have ended at [`Limits::repetitions`] since the last
    /// call.
    pub(crate) fn take_cut_off(&mut self) -> u64 {
        std::mem::take(&mut self.scratch.cut_off)
    }

    /// Returns the number of captured events.
    pub fn event_count(&self) -> usize {
        self.arena.len()
    }

    /// Returns the approximate size of the captured events and of the values that registers keep of
    /// them, in bytes.
    #[inline]
    pub fn captured_bytes(&self) -> u64 {
        self.arena.bytes() + self.file.bytes()
    }

    /// Returns the number of divisions by zero in expressions; the result is null. Each evaluation
    /// of a condition, an aggregate's argument or an emit counts.
    pub fn divisions_by_zero(&self) -> u64 {
        self.arena.divisions_by_zero()
    }

    /// Returns the number of texts, lists and records that were too large; the result is null. Each
    /// evaluation counts.
    pub fn values_too_large(&self) -> u64 {
        self.arena.values_too_large()
    }

    /// Returns the number of steps that matching has taken. A step is a partial match that was
    /// tried against an event or a point in time, or one that was made. The number depends on the
    /// strategy.
    #[inline]
    pub fn steps(&self) -> u64 {
        self.scratch.steps
    }

    /// Returns the number of partial matches that the limit on steps has dropped since the last
    /// call.
    pub(crate) fn take_spent(&mut self) -> usize {
        std::mem::take(&mut self.scratch.spent)
    }

    /// Records that the event with the number `seq` fulfils a condition, which then need not be
    /// tested.
    #[inline]
    pub(crate) fn know(&mut self, seq: u64, condition: ConditionId) {
        self.scratch.known = Some((seq, condition));
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub fn memory_usage(&self) -> usize {
        let pool = self.scratch.pool.memory_usage();
        self.arena.memory_usage() + self.file.memory_usage() + pool
    }
}

/// Buffers that are reused from event to event. They carry no meaning between events.
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
    /// The runs that are left behind, where runs can meet, by their positions: those that stay
    /// where they are, then those that do not.
    seen: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// Silences that were reported and go on, each with whether its match was really reported.
    repeating: Vec<(Run, bool)>,
    /// Silences that were reported so often that they end.
    cut_off: u64,
    /// True if the stream ends: no silence is repeated any more.
    ends: bool,
    /// Partial matches that ran out of time at one deadline.
    expired: Vec<Run>,
    states: Vec<StateId>,
    /// The last nodes of what is complete at that deadline.
    heads: HashSet<u32>,
    pool: RunPool,
    /// How many steps were taken in all.
    steps: u64,
    /// How many runs gave way because an event would have taken too many.
    spent: usize,
    /// Of the event of this number it is known that it fulfils the condition.
    known: Option<(u64, ConditionId)>,
}

impl<E: Event> Matcher<E> {
    /// Compiles `pattern`. `host` are the closures that its conditions refer to by number.
    pub fn new(
        pattern: &Pattern,
        host: impl Into<Arc<[HostCondition<E>]>>,
    ) -> Result<Matcher<E>, BuildError> {
        Ok(Matcher::of(Arc::new(Program::new(pattern)?), host))
    }

    /// Returns the matcher of a compiled pattern. `host` are the closures that its conditions refer
    /// to by number.
    pub(crate) fn of(program: Arc<Program>, host: impl Into<Arc<[HostCondition<E>]>>) -> Self {
        let (host, strategy) = (host.into(), program.strategy());
        let matcher = Matcher {
            program,
            host,
            limits: Limits::default(),
            general: false,
            strategy,
            most_runs: 0,
            run_steps: 1,
            unchecked_runs: 0,
        };
        matcher.decided()
    }

    /// Returns the same matcher with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Matcher<E> {
        Matcher { limits, ..self }.decided()
    }

    /// Returns the same matcher with the general strategy, whatever the pattern allows. Results are
    /// identical.
    #[must_use]
    pub fn generalized(self) -> Matcher<E> {
        Matcher { general: true, ..self }.decided()
    }

    /// Returns the strategy of the matcher.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Returns the same matcher with the strategy that its parts allow.
    fn decided(self) -> Matcher<E> {
        let Limits { partial_matches_per_key, steps_per_event, .. } = self.limits;
        let program = &self.program;
        let is_light =
            program.registers.is_empty() && program.clocks == 0 && !program.may_duplicate;
        let is_cheap = program.decisions.are_deterministic() || is_light;
        let run_steps = if is_cheap { 1 } else { SEVERAL_WAYS };
        let most_runs = partial_matches_per_key.min(steps_per_event / run_steps);
        let strategy = match self.program.strategy() {
            _ if self.general => Strategy::General,
            // A limit that counting could reach says which partial matches give way.
            Strategy::CountingWindow { count } if count - 1 > most_runs => Strategy::Deterministic,
            strategy => strategy,
        };
        let unchecked_runs = if self.program.reads_back { 0 } else { most_runs };
        Matcher { strategy, most_runs, run_steps, unchecked_runs, ..self }
    }

    /// True if keys have a counting window.
    pub(super) fn counts(&self) -> bool {
        self.window().is_some()
    }

    /// Returns the parameters of a counting window, if that is the strategy.
    #[inline]
    fn window(&self) -> Option<&Window> {
        match self.strategy {
            Strategy::CountingWindow { .. } => self.program.window(),
            Strategy::General | Strategy::Deterministic | Strategy::SharedSuffix => None,
        }
    }

    /// Returns the limits of the matcher.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Removes the runs that the limit drops. Runs are in the order of their start.
    pub(in crate::exec) fn take_excess<'k>(
        &self,
        key: &'k mut KeyState,
    ) -> impl Iterator<Item = Run> + use<'k, E> {
        let runs = key.runs_mut();
        let excess = runs.len().saturating_sub(self.limits.partial_matches_per_key);
        let first = match self.limits.policy {
            LimitPolicy::DropOldest => 0,
            LimitPolicy::DropNewest | LimitPolicy::Fail => runs.len() - excess,
        };
        runs.drain(first..first + excess)
    }

    /// Returns the number of oldest runs to drop because the next event would take too many steps.
    fn beyond_budget(&self, arena: &CaptureArena<E>, runs: &[Run]) -> usize {
        let budget = self.limits.steps_per_event;
        if !self.program.reads_back {
            return runs.len().saturating_sub(budget / self.run_steps);
        }
        let mut steps: usize = 0;
        let is_within = |run: &&Run| {
            steps = steps.saturating_add(self.run_steps + arena.depth(run.head) as usize);
            steps <= budget
        };
        runs.len() - runs.iter().rev().take_while(is_within).count()
    }

    /// Returns the compiled pattern.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Returns an empty store for this matcher.
    pub fn create_store(&self) -> Store<E> {
        Store {
            arena: CaptureArena::new(),
            file: RegisterFile::new(&self.program),
            scratch: Scratch { memo: vec![0; self.program.conditions.len()], ..Scratch::default() },
        }
    }

    /// True if an event of this type can start a partial match.
    #[inline]
    pub(crate) fn can_start(&self, event: &E) -> bool {
        let decisions = &self.program.decisions;
        let tree = decisions.of_start(decisions.column(event.type_id()));
        *tree != Decision::Gone || self.program.leading_not.is_some()
    }

    /// True if an event leaves a partial match in a key without state; `None` if only the general
    /// path can find out.
    #[inline]
    pub(crate) fn begins(&self, event: &E, prefilter: PrefilterOutcome) -> Option<bool> {
        // One event alone would be a match at once.
        if let Some(window) = self.window().filter(|window| window.stages.len() > 1) {
            if prefilter == PrefilterOutcome::Counts {
                return Some(true);
            }
            let decision = self.decision_of_window(window, event, (false, prefilter), |_| None);
            return decision.map(|decision| matches!(decision, Decision::One(_)));
        }
        let decisions = &self.program.decisions;
        match decisions.of_start(decisions.column(event.type_id())) {
            Decision::One(edge) if self.strategy != Strategy::General => {
                matches!(self.program.effects[*edge as usize], EdgeEffect::Capture { .. })
                    .then_some(true)
            }
            _ => None,
        }
    }

    /// Prefetches the state of a key that an event at this time will need. A step prefetches what
    /// the pointers of the step before lead to; there are at most [`FETCHES`] steps. Returns true
    /// if another step has more to fetch.
    #[inline(always)]
    pub(crate) fn prefetch(
        &self,
        store: &Store<E>,
        key: &KeyState,
        time: Timestamp,
        step: usize,
    ) -> bool {
        let (arena, time) = (&store.arena, time.as_millis());
        if let Strategy::CountingWindow { count } = self.strategy {
            return self.prefetch_window(count, &arena.queues, key, time, step);
        }
        let runs = key.representative().map_or(key.runs(), std::slice::from_ref);
        // What may be given up: what is over, and the one that may be completed.
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

    /// Matches one event of a key and returns the number of partial matches that the limit has
    /// dropped or not started.
    ///
    /// Push the events of a key in the order of their time. `seq` must grow with each event of the
    /// store. Deadlines up to the event's time are handled first.
    #[inline(always)]
    pub fn push(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        self.push_prefiltered(store, key, event, PrefilterOutcome::Unknown, seq, sink)
    }

    /// Matches one event of a key, as [`push`](Matcher::push) does, with what the prefilter says
    /// of the event.
    #[inline(always)]
    pub(crate) fn push_prefiltered(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        prefilter: PrefilterOutcome,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        match self.window() {
            // A key whose partial matches were carried over from another rule goes on with them.
            Some(window) if key.runs().is_empty() => {
                self.count(window, store, key, event, prefilter, seq, sink);
                0
            }
            None if self.has_shared_suffix() && key.runs().is_empty() => {
                self.push_shared_suffix(store, key, event, seq, sink)
            }
            _ => self.push_to_runs(store, key, event, seq, sink),
        }
    }

    #[inline(never)]
    fn push_to_runs(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) -> usize {
        let time = event.time();
        let in_place = self.strategy != Strategy::General;
        let is_due = if in_place {
            // Runs are in the order of their start, and nothing else has deadlines.
            key.runs().first().is_some_and(|run| run.deadline <= time.as_millis())
        } else {
            self.deadline(key).is_some_and(|deadline| deadline <= time)
        };
        if is_due {
            self.advance(store, key, time, sink);
        }
        let mut step = Step::new(self, store, event, seq);
        if in_place {
            step.run_in_place(key);
        } else {
            step.run(key);
        }
        let overflow = step.overflow;
        if store.scratch.completed.is_empty() && !self.program.waits() {
            return overflow;
        }
        if let [Completed { tail: Some(stage), .. }] = store.scratch.completed[..] {
            self.report_at_once(store, key, (stage, seq, event), sink);
            return overflow;
        }
        if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            self.report_completed(store, key, time, sink);
        }
        overflow
    }

    /// Ends a key's stream. Time moves to its end, and the matches of unbounded `longest` loops and
    /// those that waited for older partial matches are reported. The key is idle afterwards.
    pub fn finish(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        self.advance(store, key, Timestamp::MAX, sink);
        key.set_last_violation(None);
        let mut last = i64::MIN;
        for run in key.runs() {
            if self.program.states[run.state.index()].accepts_when_exhausted {
                store.scratch.completed.push(completed(run));
                store.arena.retain(run.head);
                last = last.max(run.last);
            }
        }
        for match_ in key.completed() {
            last = last.max(match_.last);
        }
        Self::clear_runs(store, key);
        Self::clear_window(store, key);
        Self::clear_shared_suffix(store, key);
        if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            self.report_completed(store, key, Timestamp::from_millis(last), sink);
        }
    }

    /// Returns the next time at which [`Matcher::advance`] would act.
    #[inline]
    pub fn deadline(&self, key: &KeyState) -> Option<Timestamp> {
        let deadline = match key.runs() {
            [] => key
                .representative()
                .map_or_else(|| key.window().deadline, |representative| representative.deadline),
            // Runs are in the order of their start: the first is the first to run out.
            [first, ..] if self.in_order() => first.deadline,
            _ => key.first_deadline(),
        };
        let deadline = match &self.program.leading_not {
            Some(not) => deadline.min(not.ends(key.last_violation())),
            None => deadline,
        };
        (deadline < i64::MAX).then_some(Timestamp::from_millis(deadline))
    }

    /// Returns the time at which the last open partial match runs out of time if no event comes.
    #[inline]
    pub(crate) fn last_deadline(&self, key: &KeyState) -> Option<Timestamp> {
        let runs = if self.in_order() {
            key.runs().last().map_or(i64::MIN, |run| run.deadline)
        } else {
            key.runs().iter().map(|run| run.deadline).max().unwrap_or(i64::MIN)
        };
        let last_violation = match (&self.program.leading_not, key.last_violation()) {
            (Some(not), Some(last_violation)) => not.ends(Some(last_violation)),
            _ => i64::MIN,
        };
        let unwritten = key.newest().map_or(i64::MIN, |start| self.program.deadline_of(start));
        let last = runs.max(last_violation).max(unwritten);
        (last < i64::MAX).then_some(Timestamp::from_millis(last))
    }

    /// True if runs run out of time in the order of their starts.
    #[inline]
    fn in_order(&self) -> bool {
        self.program.bounds.is_empty() && self.program.lengths.is_empty()
    }

    /// Returns the open partial matches of a key in the order in which they would be reported.
    pub fn open<'a>(&'a self, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        let complete = key.completed().iter().map(|match_| (match_.head, match_.start_seq, None));
        let runs = key.runs().iter().map(|run| (run.head, run.start_seq, Some(run)));
        let mut places: Vec<_> = complete.chain(runs).collect();
        places.sort_by(|a, b| {
            a.1.cmp(&b.1).then_with(|| store.arena.compare(a.0, b.0)).then(a.0.cmp(&b.0))
        });
        let mut open: Vec<Open<'a, E>> = Vec::new();
        // One that waits in several places is one all the same.
        for of_one in places.chunk_by(|a, b| a.0 == b.0 && a.2.is_some() == b.2.is_some()) {
            let (head, start_seq, _) = of_one[0];
            let runs = of_one.iter().filter_map(|(.., run)| *run);
            open.push(Open {
                program: &self.program,
                captures: Captures::new(&store.arena, head),
                start_seq,
                deadline: runs.clone().map(|run| run.deadline).min().unwrap_or(i64::MAX),
                states: runs.map(|run| run.state).collect(),
            });
        }
        self.counted(store, key, &mut open);
        self.shared_suffix_matches(store, key, &mut open);
        open
    }

    /// Drops the state of a key in the store.
    pub fn clear(&self, store: &mut Store<E>, key: &mut KeyState) {
        key.set_last_violation(None);
        Self::clear_runs(store, key);
        Self::clear_window(store, key);
        Self::clear_shared_suffix(store, key);
        for match_ in key.take_completed() {
            store.arena.release(match_.head);
        }
    }

    fn clear_runs(store: &mut Store<E>, key: &mut KeyState) {
        if key.runs().is_empty() {
            return;
        }
        let Store { arena, file, scratch } = store;
        let runs = key.runs_mut();
        for run in runs.drain(..) {
            arena.release(run.head);
            file.release(run.registers);
        }
        scratch.pool.take_back(runs);
    }
}

fn completed(run: &Run) -> Completed {
    let Run { head, start_seq, start, last, .. } = *run;
    Completed { head, tail: None, start_seq, start, last, repetition: 0 }
}
