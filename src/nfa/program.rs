//! The compiled form of a pattern.

use std::fmt;
use std::sync::Arc;

use crate::hir::{
    Condition, ConditionId, Expr, ItemKind, Length, Pattern, Skip, SkipStrategy, Stage, StageId,
};
use crate::nfa::decide::{self, Decisions};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::moves::Move;
use crate::nfa::plan::Plan;
use crate::nfa::quick::{self, Quick};
use crate::nfa::registers::{Register, RegisterKind};
use crate::nfa::{flatten, graph, registers};
use crate::util::ids::define_id;

define_id! {
    /// A state of a [`Program`].
    pub(crate) StateId
}

/// A compiled pattern: what the matchers run. Immutable; shared by all keys and threads.
#[derive(Debug)]
pub struct Program {
    /// The pattern's steps, by id.
    pub(crate) stages: Box<[Stage]>,
    /// The pattern's conditions with registers in the place of captured events, by id.
    pub(crate) conditions: Box<[Condition]>,
    /// Which conditions look at captured events, by id.
    pub(crate) correlated: Box<[bool]>,
    pub(crate) guards: Box<[Guard]>,
    pub(crate) states: Box<[State]>,
    pub(crate) edges: Box<[Edge]>,
    pub(crate) clock_ops: Box<[ClockOp]>,
    pub(crate) bounds: Box<[Bound]>,
    pub(crate) registers: Box<[Register]>,
    /// How many group clocks a run has.
    pub(crate) clocks: usize,
    /// The groups with an alias, each with its clock; a node has a bit for each.
    pub(crate) named: Box<[(StageId, u32)]>,
    pub(crate) start: StateId,
    /// What must not have come before the first event.
    pub(crate) silence: Option<Silence>,
    /// The bound from first to last event, exclusive.
    pub(crate) within: Option<Length>,
    /// The lengths of time that are read from captured events, by id, with registers in the place
    /// of those.
    pub(crate) lengths: Box<[Expr]>,
    pub(crate) skip: Skip,
    pub(crate) tell_timeouts: bool,
    /// Whether two runs can come to hold the same events in the same state.
    pub(crate) may_duplicate: bool,
    /// Whether an event that completes a match, and nothing else, need not be in the store for it.
    pub(crate) ends_alone: bool,
    /// What an event of each type can do in each state.
    pub(crate) decisions: Decisions,
    /// By step: the registers that its events change.
    pub(crate) notes: Box<[Box<[u32]>]>,
    /// By condition: what it compares, where that is all that it does.
    pub(crate) quick: Box<[Quick]>,
    /// By edge: what it comes to, where no event leaves a partial match more than one way on.
    pub(crate) moves: Box<[Move]>,
    /// How it is matched.
    pub(crate) plan: Plan,
}

/// A range of one of the program's tables.
pub(crate) type Range = std::ops::Range<u32>;

/// Where a partial match waits.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// What an event can do here: stops first, then takes and ignores.
    pub(crate) edges: Range,
    /// When an event that was taken on the way here completes the match: a guard over that event
    /// and what was captured before it.
    pub(crate) accept: Option<GuardId>,
    /// Whether a partial match that waits here is complete when its time runs out.
    pub(crate) accepts_at_deadline: bool,
    /// Whether a partial match that waits here is complete when it can grow no more.
    pub(crate) settles: bool,
    /// What ends the wait, besides the pattern's own bound.
    pub(crate) bounds: Range,
    /// Whether a partial match can wait here at all (it cannot where nothing leads on).
    pub(crate) live: bool,
}

/// What an event can do to a partial match that waits in a state.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) guard: GuardId,
    pub(crate) action: Action,
    /// What happens to the clocks.
    pub(crate) clocks: Range,
}

/// The effect of an edge.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Action {
    /// The partial match is given up.
    Stop,
    /// The event is captured as `stage`.
    Take { stage: StageId, target: StateId },
    /// The event is skipped.
    Ignore { target: StateId },
    /// The event is skipped and completes the match without being part of it.
    Complete,
}

/// What an edge does to a group's clock, which holds the time of a repetition's first event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum ClockOp {
    /// To the event's time.
    Set(u32),
    /// To the event's time unless it is set.
    SetIfUnset(u32),
    /// To nothing: the repetition ends.
    Unset(u32),
    /// To nothing: a repetition starts and ends with this event.
    Pass(u32),
    /// To nothing: the repetition has ended before this event.
    Clear(u32),
}

impl ClockOp {
    /// Which clock.
    pub(crate) fn clock(self) -> u32 {
        match self {
            ClockOp::Set(clock)
            | ClockOp::SetIfUnset(clock)
            | ClockOp::Unset(clock)
            | ClockOp::Pass(clock)
            | ClockOp::Clear(clock) => clock,
        }
    }
}

/// When a partial match that waits in a state runs out of time: so long after `since`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Bound {
    pub(crate) since: Since,
    /// The clock that frees of the bound once it is set.
    pub(crate) unless_set: Option<u32>,
    /// Whether it has still time at that moment.
    pub(crate) included: bool,
    pub(crate) after: Length,
}

/// What a bound starts from.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Since {
    /// The event captured last.
    Last,
    /// A clock; there is no bound while it is not set.
    Clock(u32),
}

/// What must not have come for a time before a match starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub(crate) condition: ConditionId,
    pub(crate) millis: i64,
}

impl Silence {
    fn of(pattern: &Pattern) -> Option<Silence> {
        let first = pattern.body.items.first()?;
        let ItemKind::Not { condition, .. } = first.kind else { return None };
        Some(Silence { condition, millis: first.gap?.max?.as_millis()? })
    }

    /// From when on it does not matter any more that it was broken.
    pub(crate) fn ends(&self, broken: Option<i64>) -> i64 {
        broken.map_or(i64::MAX, |broken| broken.saturating_add(self.millis))
    }
}

impl Program {
    /// Compiles `pattern`.
    pub fn new(pattern: &Pattern) -> Result<Program, BuildError> {
        let automaton = flatten::flatten(graph::build(pattern)?)?;
        let Pattern { conditions, lengths, .. } = pattern;
        let extracted = registers::extract(conditions, lengths, &automaton.named);
        let may_duplicate = flatten::may_duplicate(&pattern.body, &automaton);
        let start = StateId::new(automaton.start);
        let decisions = decide::decide(&decide::Tables {
            conditions: &extracted.conditions,
            guards: &automaton.guards,
            states: &automaton.states,
            edges: &automaton.edges,
            start,
        });
        let notes = (0..pattern.stages.len()).map(|stage| {
            let changes = |of: Option<StageId>| of.is_none_or(|of| of.index() == stage);
            let registers = (0..).zip(&extracted.registers);
            registers.filter(|(_, one)| changes(one.stage)).map(|(index, _)| index).collect()
        });
        let notes = notes.collect();
        let quick = |condition| quick::quick(condition, &extracted.registers);
        let quick = extracted.conditions.iter().map(quick).collect();
        let mut program = Program {
            stages: pattern.stages.clone().into(),
            conditions: extracted.conditions.into(),
            correlated: extracted.correlated.into(),
            registers: extracted.registers.into(),
            guards: automaton.guards.into(),
            states: automaton.states.into(),
            edges: automaton.edges.into(),
            clock_ops: automaton.clock_ops.into(),
            bounds: automaton.bounds.into(),
            clocks: automaton.clocks,
            start,
            silence: Silence::of(pattern),
            within: pattern.within,
            lengths: extracted.lengths.into(),
            skip: pattern.skip.clone(),
            tell_timeouts: pattern.tell_timeouts,
            may_duplicate,
            ends_alone: !may_duplicate
                && automaton.named.is_empty()
                && !matches!(pattern.within, Some(Length::Read(_))),
            named: automaton.named.into(),
            notes,
            decisions,
            quick,
            moves: Box::default(),
            plan: Plan::SingleWay,
        };
        program.moves = program.moves();
        program.plan = program.plan();
        Ok(program)
    }

    /// Whether all that runs keep beside their events is one value of one event.
    pub(crate) fn has_one_value(&self) -> bool {
        let one = |register: &Register| {
            matches!(register.kind, RegisterKind::First(_) | RegisterKind::Last(_))
        };
        self.clocks == 0 && matches!(&self.registers[..], [register] if one(register))
    }

    pub(crate) fn edges(&self, state: StateId) -> &[Edge] {
        &self.edges[index_range(&self.states[state.index()].edges)]
    }

    pub(crate) fn bounds(&self, state: StateId) -> &[Bound] {
        &self.bounds[index_range(&self.states[state.index()].bounds)]
    }

    pub(crate) fn clock_ops(&self, edge: &Edge) -> &[ClockOp] {
        &self.clock_ops[index_range(&edge.clocks)]
    }

    /// The steps that would move a partial match on from `state`, in the order of the pattern.
    pub(crate) fn awaits(&self, state: StateId) -> impl Iterator<Item = StageId> + '_ {
        self.edges(state).iter().filter_map(|edge| match edge.action {
            Action::Take { stage, .. } => Some(stage),
            _ => None,
        })
    }

    /// Whether matches wait for older partial matches, which could still win.
    pub(crate) fn waits(&self) -> bool {
        self.skip.ordered && self.skip.strategy != SkipStrategy::None
    }

    /// Whether the first of the matches that end with an event drops all else that a key holds.
    pub(crate) fn is_won_by_first(&self) -> bool {
        self.skip.strategy == SkipStrategy::PastLast && !self.waits()
    }

    /// Whether a deadline can tell anything, a match or a timeout. Where not, deadlines only free
    /// memory, and it makes no difference if they are noticed late.
    pub(crate) fn tells_at_deadlines(&self) -> bool {
        let mut states = self.states.iter();
        self.tell_timeouts
            || self.skip.ordered
            || states.any(|state| state.accepts_at_deadline || state.settles)
    }

    /// The bit of a node that says that its event starts a repetition of the group with this alias.
    pub(crate) fn start_bit(&self, alias: StageId) -> Option<u32> {
        self.named.iter().zip(0..).find(|((of, _), _)| *of == alias).map(|(_, bit)| 1 << bit)
    }

    /// How many states the automaton has.
    pub fn state_count(&self) -> usize {
        self.states.len()
    }

    /// The pattern's steps, by [`StageId`].
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What a match drops.
    pub fn skip(&self) -> &Skip {
        &self.skip
    }

    /// The bound from a match's first event to its last, exclusive.
    pub fn within(&self) -> Option<Length> {
        self.within
    }
}

pub(super) fn index_range(range: &Range) -> std::ops::Range<usize> {
    range.start as usize..range.end as usize
}

/// Why a pattern has no automaton.
///
/// Rule text and the builder check patterns before they get here and say it with a place; this is
/// for patterns that a host makes itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildError(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Empty,
    EmptyLoop,
    UnboundedNot(Arc<str>),
    MisplacedNot(Arc<str>),
    NotAfterOptional(Arc<str>),
    BadQuantifier(Arc<str>),
    UntilWithoutLoop(Arc<str>),
    LongestNotLast(Arc<str>),
    BadBound,
    BadCount,
    EmptyWay,
    UnknownSkipTarget,
    TooLarge,
}

impl BuildError {
    pub(crate) fn new(kind: Kind) -> BuildError {
        BuildError(kind)
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Whether the pattern is beyond the limits on size or nesting.
    pub fn is_too_large(&self) -> bool {
        self.0 == Kind::TooLarge
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("the pattern has no steps"),
            Kind::EmptyLoop => f.write_str("a group that can be empty is repeated"),
            Kind::UnboundedNot(name) => {
                write!(f, "`not {name}` ends the pattern, but no `within` bounds it")
            }
            Kind::MisplacedNot(name) => write!(
                f,
                "`not {name}` cannot start a pattern or group, end a group, or come just before a \
                 last `next not`"
            ),
            Kind::NotAfterOptional(name) => write!(
                f,
                "`not {name}` comes after steps that can all be left out, so that it would have \
                 nothing to follow"
            ),
            Kind::BadQuantifier(name) => write!(f, "`{name}` has a quantifier that allows nothing"),
            Kind::UntilWithoutLoop(name) => {
                write!(f, "`{name}` has an `until`, but no unbounded loop")
            }
            Kind::LongestNotLast(name) => {
                write!(f, "`{name}` is `longest`, but not the last step of the pattern")
            }
            Kind::BadBound => {
                f.write_str("a bound on time is not positive, or its ends are swapped")
            }
            Kind::BadCount => f.write_str("more ways have to happen than there are, or none"),
            Kind::EmptyWay => {
                f.write_str("a way of a group of ways can be empty or ends with a `not`")
            }
            Kind::UnknownSkipTarget => f.write_str("`skip to` names a step that does not exist"),
            Kind::TooLarge => f.write_str("the pattern is beyond the limits on size or nesting"),
        }
    }
}

impl std::error::Error for BuildError {}
