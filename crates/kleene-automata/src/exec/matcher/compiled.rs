//! The matcher: a compiled pattern, and what follows from it for its keys.

use std::fmt;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::limits::Limits;
use crate::exec::captured::Captures;
use crate::exec::captures::CaptureArena;
use crate::exec::forms::{FormKind, KeyState, MANY_WAITING};
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use crate::exec::store::{Scratch, Store, StoreCounts};
use crate::nfa::{AutomatonError, Decision, Program, Strategy};
use kleene_event::event::Event;
use kleene_event::schema::TypeId;
use kleene_syntax::hir::{LimitPolicy, Pattern};

/// A condition that the host computes from the candidate event and the events captured before it.
pub type HostCondition<E> = Arc<dyn Fn(&E, &Captures<'_, E>) -> bool + Send + Sync>;

/// The number of steps of a partial match with several branches and registers.
///
/// Testing a partial match against an event takes 10 to 80 ns with a single branch, and 0.2 us with
/// several: at the limit, as many partial matches are dropped as are made. With registers, clocks
/// or equal runs to merge, the test takes 0.6 to 1.2 us.
const SEVERAL_BRANCHES: usize = 8;

/// The number of runs from which a key is busy. In builds with debug assertions few are enough, so
/// that tests see both forms.
const BUSY: usize = if cfg!(debug_assertions) { 4 } else { 32 };

/// A compiled pattern, ready to match.
///
/// A matcher is immutable and cheap to clone. The changing state is in the [`Store`] and the
/// [`KeyState`] that the caller passes in.
///
/// ```
/// use kleene::{Event, Pattern, Timestamp};
///
/// #[derive(Clone, Event)]
/// struct Login { ok: bool, at: Timestamp }
///
/// let pattern = Pattern::<Login>::begin("fail")
///     .when(|login| !login.ok)
///     .next("hit")
///     .when(|login| login.ok)
///     .build()?;
/// let matcher = pattern.matcher();
/// let mut store = matcher.create_store(); // for all keys
/// let mut state = Default::default(); // of one key
/// let mut found = Vec::new();
/// for (seq, ok) in [(0, false), (1, true)] {
///     let login = Login { ok, at: Timestamp::from_millis(1000 * seq) };
///     matcher.push(&mut store, &mut state, &login, seq.unsigned_abs(), &mut |outcome| {
///         found.push(outcome.at());
///     });
/// }
/// assert_eq!(found, [Timestamp::from_millis(1000)]);
/// # Ok::<(), kleene::pattern::PatternError>(())
/// ```
pub struct Matcher<E> {
    pub(in crate::exec) program: Arc<Program>,
    pub(in crate::exec) host: Arc<[HostCondition<E>]>,
    pub(in crate::exec) limits: Limits,
    /// The strategies that may be used.
    pub(in crate::exec) choice: StrategyChoice,
    /// The strategy that follows from the fields above.
    pub(in crate::exec) strategy: Strategy,
    /// The number of runs above which a key exceeds a limit.
    pub(in crate::exec) most_runs: usize,
    /// The steps of a run for an event, without those for captured events.
    pub(in crate::exec) run_steps: usize,
    /// The number of runs up to which a key is certainly within the limits; 0 if the steps of a run
    /// depend on its captured events.
    pub(in crate::exec) unchecked_runs: usize,
    /// The number of runs from which a key is busy, and has another form.
    pub(in crate::exec) busy_runs: usize,
    /// The form of a busy key.
    pub(in crate::exec) busy_form: FormKind,
}

/// The strategies that a matcher may use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StrategyChoice {
    /// The strategy that the planner picks.
    #[default]
    Planned,
    /// The general strategy.
    General,
    /// The compact form for every pattern that can be held in it.
    Compact,
    /// The strategy that the planner picks, but not the compact form.
    Listed,
}

impl<E> Clone for Matcher<E> {
    fn clone(&self) -> Self {
        Matcher {
            program: Arc::clone(&self.program),
            host: Arc::clone(&self.host),
            limits: self.limits,
            choice: self.choice,
            strategy: self.strategy,
            most_runs: self.most_runs,
            run_steps: self.run_steps,
            unchecked_runs: self.unchecked_runs,
            busy_runs: self.busy_runs,
            busy_form: self.busy_form,
        }
    }
}

impl<E> fmt::Debug for Matcher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher")
            .field("program", &self.program)
            .field("host", &self.host.len())
            .field("limits", &self.limits)
            .field("choice", &self.choice)
            .field("strategy", &self.strategy)
            .finish_non_exhaustive()
    }
}

impl<E: Event> Matcher<E> {
    /// Compiles `pattern`. `host` are the closures that its conditions refer to by number.
    ///
    /// # Errors
    /// [`AutomatonError`] if the pattern has no automaton. Patterns of rule text and of the builder
    /// are checked before and always have one.
    pub fn new(
        pattern: &Pattern,
        host: impl Into<Arc<[HostCondition<E>]>>,
    ) -> Result<Matcher<E>, AutomatonError> {
        Ok(Matcher::of(Arc::new(Program::new(pattern)?), host))
    }

    /// Compiles `pattern` with the layout of large `and` and `of` from one operand more than
    /// `most_in_states` on. Results are identical: for tests.
    ///
    /// # Errors
    /// [`AutomatonError`] as in [`Matcher::new`].
    #[cfg(any(test, feature = "reference"))]
    pub fn with_most_in_states(
        pattern: &Pattern,
        host: impl Into<Arc<[HostCondition<E>]>>,
        most_in_states: usize,
    ) -> Result<Matcher<E>, AutomatonError> {
        let program = Program::with_most_in_states(pattern, most_in_states)?;
        Ok(Matcher::of(Arc::new(program), host))
    }

    /// Returns the matcher of a compiled pattern. `host` are the closures that its conditions refer
    /// to by number.
    pub fn of(program: Arc<Program>, host: impl Into<Arc<[HostCondition<E>]>>) -> Self {
        let (host, strategy) = (host.into(), program.strategy());
        let matcher = Matcher {
            program,
            host,
            limits: Limits::default(),
            choice: StrategyChoice::Planned,
            strategy,
            most_runs: 0,
            run_steps: 1,
            unchecked_runs: 0,
            busy_runs: usize::MAX,
            busy_form: FormKind::Runs,
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
        self.with_choice(StrategyChoice::General)
    }

    /// Returns the same matcher with the compact form, if the pattern can be held in it. Results are
    /// identical.
    #[must_use]
    pub fn compacted(self) -> Matcher<E> {
        self.with_choice(StrategyChoice::Compact)
    }

    /// Returns the same matcher with other strategies to choose from.
    #[must_use]
    pub fn with_choice(self, choice: StrategyChoice) -> Matcher<E> {
        Matcher { choice, ..self }.decided()
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
            program.registers.is_empty() && program.clocks == 0 && !program.meeting.may_duplicate;
        let is_cheap = program.decisions.are_deterministic() || is_light;
        let run_steps = if is_cheap { 1 } else { SEVERAL_BRANCHES };
        let most_runs = partial_matches_per_key.min(steps_per_event / run_steps);
        let allowed = match self.choice {
            StrategyChoice::General => Strategy::General,
            // A rule's own limit says how many partial matches there are: they are listed.
            _ if self.limits.is_of_rule => program.strategy_of_runs(),
            StrategyChoice::Compact if program.compact.is_ok() => Strategy::Compact,
            StrategyChoice::Listed => program.strategy_of_runs(),
            StrategyChoice::Planned | StrategyChoice::Compact => program.strategy(),
        };
        let strategy = match allowed {
            // A limit that counting could reach says which partial matches give way.
            Strategy::CountingWindow { count } if count - 1 > most_runs => Strategy::Deterministic,
            strategy => strategy,
        };
        let unchecked_runs = if self.program.reads_back { 0 } else { most_runs };
        let busy_form = self.form_of_busy_keys(strategy);
        let busy_runs = match busy_form {
            FormKind::Compact => BUSY,
            FormKind::Joined => MANY_WAITING,
            _ => usize::MAX,
        };
        Matcher { strategy, most_runs, run_steps, unchecked_runs, busy_runs, busy_form, ..self }
    }

    /// Returns the form of a busy key. A limit of partial matches that is set counts them one by
    /// one: they stay runs.
    fn form_of_busy_keys(&self, strategy: Strategy) -> FormKind {
        let can_change = strategy == self.program.strategy()
            && self.choice == StrategyChoice::Planned
            && !self.limits.is_of_rule
            && self.limits.partial_matches_per_key >= Limits::default().partial_matches_per_key;
        if !can_change {
            FormKind::Runs
        } else if self.program.groups_busy_keys() {
            FormKind::Compact
        } else if self.program.joins_busy_keys() {
            FormKind::Joined
        } else {
            FormKind::Runs
        }
    }

    /// True if a key can have groups.
    pub(in crate::exec) fn can_group(&self) -> bool {
        self.strategy == Strategy::Compact || self.busy_form == FormKind::Compact
    }

    /// Returns the limits of the matcher.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Removes the runs that the limit drops. Runs are in the order of their start. Returns them
    /// with the number of partial matches that they are.
    pub(in crate::exec) fn take_excess(&self, key: &mut KeyState) -> (SmallVec<[Run; 4]>, usize) {
        let most = self.limits.partial_matches_per_key;
        if key.runs().len() <= most {
            return (SmallVec::new(), 0);
        }
        let drops_oldest = self.limits.policy == LimitPolicy::DropOldest;
        if self.has_duplicates() {
            return take_duplicated_excess(key, most, drops_oldest);
        }
        let runs = key.runs_mut();
        let excess = runs.len() - most;
        let first = if drops_oldest { 0 } else { most };
        (runs.drain(first..first + excess).collect(), excess)
    }

    /// True if a partial match can have several runs, which wait in different states.
    #[inline]
    fn has_duplicates(&self) -> bool {
        self.program.meeting.waits_in_several && !self.runs_in_place()
    }

    /// Counts the runs that hold the same events as another run, if the pattern can have any.
    pub(in crate::exec) fn count_duplicates(&self, key: &mut KeyState) {
        if self.has_duplicates() {
            let runs = key.runs();
            let duplicates = if runs.len() < 2 { 0 } else { runs.len() - heads(runs).len() };
            key.set_duplicates(duplicates);
        }
    }

    /// Removes the runs of the oldest partial matches if the next event would take too many steps.
    /// Returns them with the number of partial matches that they are.
    ///
    /// A partial match takes [`run_steps`](Matcher::run_steps) for each of its runs, and one more
    /// for each captured event if conditions walk them. All runs of a partial match go together: one
    /// that lost a run would go on, and report a timeout, without the matches of that run.
    pub(in crate::exec) fn take_beyond_budget(
        &self,
        arena: &CaptureArena<E>,
        key: &mut KeyState,
    ) -> (SmallVec<[Run; 4]>, usize) {
        let oldest = self.beyond_budget(arena, key.runs());
        if oldest == 0 {
            return (SmallVec::new(), 0);
        }
        if self.has_duplicates() {
            return self.take_duplicated_beyond_budget(arena, key);
        }
        let taken = SmallVec::from_slice(&key.runs()[..oldest]);
        key.drop_first(oldest);
        (taken, oldest)
    }

    /// Returns the number of oldest runs without which the next event takes no more steps than it
    /// may, if each run is a partial match.
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

    /// Removes the oldest partial matches, of which each can have several runs, until the next event
    /// takes no more steps than it may. A partial match is as old as its first run.
    #[cold]
    fn take_duplicated_beyond_budget(
        &self,
        arena: &CaptureArena<E>,
        key: &mut KeyState,
    ) -> (SmallVec<[Run; 4]>, usize) {
        let (mut by_age, mut steps_of) = (Vec::new(), HashMap::new());
        let mut total: usize = 0;
        for run in key.runs() {
            let depth = if self.program.reads_back { arena.depth(run.head) as usize } else { 0 };
            let steps = steps_of.entry(run.head).or_insert_with(|| {
                by_age.push(run.head);
                total = total.saturating_add(depth);
                depth
            });
            *steps += self.run_steps;
            total = total.saturating_add(self.run_steps);
        }
        let mut gone = HashSet::new();
        for head in by_age {
            if total <= self.limits.steps_per_event {
                break;
            }
            total -= steps_of.get(&head).copied().unwrap_or(0).min(total);
            gone.insert(head);
        }
        (take_heads(key, &gone), gone.len())
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
            scratch: Scratch::for_conditions(self.program.conditions.len()),
            counts: StoreCounts::default(),
        }
    }

    /// True if an event of this type can start a partial match.
    #[inline]
    pub fn can_start(&self, event: &E) -> bool {
        self.can_start_with(event.type_id())
    }

    /// True if an event of a type can start a partial match.
    pub fn can_start_with(&self, ty: TypeId) -> bool {
        let decisions = &self.program.decisions;
        let tree = decisions.of_start(decisions.column(ty));
        *tree != Decision::Gone || self.program.leading_not.is_some()
    }

    /// True if an event leads a run along one branch at most. A pattern of the compact form can have
    /// runs that were carried over.
    #[inline]
    pub(in crate::exec) fn runs_in_place(&self) -> bool {
        !matches!(self.strategy, Strategy::General | Strategy::Compact)
    }

    /// True if runs run out of time in the order of their starts.
    #[inline]
    pub(in crate::exec) fn in_order(&self) -> bool {
        self.program.bounds.is_empty() && self.program.lengths.is_empty()
    }
}

/// Returns the last nodes of runs, each once. Equal nodes are equal events.
fn heads(runs: &[Run]) -> Vec<u32> {
    let mut heads: Vec<u32> = runs.iter().map(|run| run.head).collect();
    heads.sort_unstable();
    heads.dedup();
    heads
}

/// Removes the runs of all partial matches but the `most` oldest or newest, of which each can have
/// several runs. Returns the runs with the number of partial matches that they are.
#[cold]
fn take_duplicated_excess(
    key: &mut KeyState,
    most: usize,
    drops_oldest: bool,
) -> (SmallVec<[Run; 4]>, usize) {
    let runs = key.runs();
    let (mut kept, mut gone) = (HashSet::new(), HashSet::new());
    let mut sort = |run: &Run| {
        if kept.len() < most {
            kept.insert(run.head);
        } else if !kept.contains(&run.head) {
            gone.insert(run.head);
        }
    };
    if drops_oldest {
        runs.iter().rev().for_each(&mut sort);
    } else {
        runs.iter().for_each(&mut sort);
    }
    (take_heads(key, &gone), gone.len())
}

/// Removes the runs with these last nodes, and returns them.
fn take_heads(key: &mut KeyState, heads: &HashSet<u32>) -> SmallVec<[Run; 4]> {
    let mut taken = SmallVec::new();
    if !heads.is_empty() {
        key.runs_mut().retain(|run| {
            let goes = heads.contains(&run.head);
            if goes {
                taken.push(*run);
            }
            !goes
        });
        key.free_if_empty();
    }
    taken
}
