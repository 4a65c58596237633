//! The compiled form of a pattern.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::hir::{Condition, ConditionId, Expr, ItemKind, Length, Pattern, Skip, Stage, StageId};
use crate::nfa::automaton::{Automaton, Known, Model, shared};
use crate::nfa::comparison::{FieldComparison, field_comparison};
use crate::nfa::comparison_table::ComparisonTable;
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::guard::GuardId;
use crate::nfa::plan::Plan;
use crate::nfa::registers::{self, Register, RegisterKind};
use crate::util::ids::define_id;

define_id! {
    /// A state of a [`Program`].
    pub(crate) StateId
}

/// A compiled pattern: what the matchers run. Immutable; shared by all keys and threads.
///
/// It is an [`Automaton`], which rules that differ in constants share, with what its conditions ask.
#[derive(Debug)]
pub struct Program {
    pub(crate) automaton: Arc<Automaton>,
    /// The pattern's steps, by id.
    pub(crate) stages: Arc<[Stage]>,
    /// The pattern's conditions with registers in the place of captured events, by id.
    pub(crate) conditions: Box<[Condition]>,
    /// Which conditions look at captured events, by id.
    pub(crate) correlated: Arc<[bool]>,
    pub(crate) registers: Arc<[Register]>,
    /// The lengths of time that are read from captured events, by id, with registers in the place
    /// of those.
    pub(crate) lengths: Box<[Expr]>,
    /// By step: the registers that its events update.
    pub(crate) registers_by_step: Arc<[Box<[u32]>]>,
    /// By condition: its comparisons, if it is nothing else.
    pub(crate) comparisons: Arc<[FieldComparison]>,
    /// By edge: its effect, for all strategies but the general one.
    pub(crate) effects: Arc<[EdgeEffect]>,
    /// By node of the decision trees: its comparison table, if it has one.
    pub(crate) comparison_tables: Arc<[Option<ComparisonTable>]>,
    /// How it is matched.
    pub(crate) plan: Plan,
    /// Whether what an event costs a partial match grows with what that has captured: a condition
    /// goes through it, or it is copied.
    pub(crate) reads_back: bool,
}

impl Deref for Program {
    type Target = Automaton;

    #[inline(always)]
    fn deref(&self) -> &Automaton {
        &self.automaton
    }
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
    /// True if a partial match that waits here is complete when its time runs out.
    pub(crate) accepts_at_deadline: bool,
    /// True if a partial match that waits here is complete when it can grow no more.
    pub(crate) accepts_when_exhausted: bool,
    /// What ends the wait, besides the pattern's own bound.
    pub(crate) bounds: Range,
    /// True if a partial match can wait here: an edge leads on.
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
    /// True if the partial match still has time at that moment.
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

/// A leading `not`: what must not come for a time before a match starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeadingNot {
    pub(crate) condition: ConditionId,
    pub(crate) millis: i64,
}

impl LeadingNot {
    pub(super) fn of(pattern: &Pattern) -> Option<LeadingNot> {
        let first = pattern.body.items.first()?;
        let ItemKind::Not { condition, .. } = first.kind else { return None };
        Some(LeadingNot { condition, millis: first.gap?.max?.as_millis()? })
    }

    /// Returns the time from which on the last violation no longer matters.
    pub(crate) fn ends(&self, last_violation: Option<i64>) -> i64 {
        last_violation.map_or(i64::MAX, |last_violation| last_violation.saturating_add(self.millis))
    }
}

impl Program {
    /// Compiles `pattern`.
    pub fn new(pattern: &Pattern) -> Result<Program, BuildError> {
        Program::sharing(pattern, &mut Known::default())
    }

    /// Compiles `pattern`. It shares with those that are `known` what it has in common with them, and
    /// is known after it.
    pub(crate) fn sharing(pattern: &Pattern, known: &mut Known) -> Result<Program, BuildError> {
        let (automaton, model) = known.automaton(pattern)?;
        let Pattern { conditions, lengths, .. } = pattern;
        let extracted = registers::extract(conditions, lengths, &automaton.named);
        let registers = &extracted.registers;
        let by_step = registers_by_step(pattern.stages.len(), registers);
        let comparison = |condition| field_comparison(condition, registers);
        let comparisons: Vec<FieldComparison> =
            extracted.conditions.iter().map(comparison).collect();
        let mut program = Program {
            automaton,
            stages: shared(pattern.stages.clone(), model.map(|model| &model.stages)),
            conditions: extracted.conditions.into(),
            correlated: shared(extracted.correlated, model.map(|model| &model.correlated)),
            registers: shared(extracted.registers, model.map(|model| &model.registers)),
            lengths: extracted.lengths.into(),
            registers_by_step: shared(by_step, model.map(|model| &model.registers_by_step)),
            comparisons: shared(comparisons, model.map(|model| &model.comparisons)),
            effects: Arc::default(),
            comparison_tables: Arc::default(),
            plan: Plan::Deterministic,
            reads_back: extracted.reads_back,
        };
        program.effects = shared(program.edge_effects(), model.map(|model| &model.effects));
        program.comparison_tables =
            shared(program.comparison_tables(), model.map(|model| &model.comparison_tables));
        program.plan = program.plan();
        program.reads_back |= matches!(program.plan, Plan::General(_))
            && program.registers.iter().any(Register::holds_values);
        known.add(&program);
        Ok(program)
    }

    /// Returns this program with the parts that it has in common with a model of the same automaton.
    pub(super) fn with_parts_of(&self, model: &Model) -> Program {
        fn part<T: PartialEq>(own: &Arc<[T]>, model: &Arc<[T]>) -> Arc<[T]> {
            if own == model { model.clone() } else { own.clone() }
        }
        Program {
            automaton: model.automaton.clone(),
            stages: part(&self.stages, &model.stages),
            correlated: part(&self.correlated, &model.correlated),
            registers: part(&self.registers, &model.registers),
            registers_by_step: part(&self.registers_by_step, &model.registers_by_step),
            comparisons: part(&self.comparisons, &model.comparisons),
            effects: part(&self.effects, &model.effects),
            comparison_tables: part(&self.comparison_tables, &model.comparison_tables),
            conditions: self.conditions.clone(),
            lengths: self.lengths.clone(),
            plan: self.plan.clone(),
            reads_back: self.reads_back,
        }
    }

    /// Whether all that runs keep beside their events is one value of one event.
    pub(crate) fn has_one_value(&self) -> bool {
        let one = |register: &Register| {
            matches!(register.kind, RegisterKind::First(_) | RegisterKind::Last(_))
        };
        self.clocks == 0 && matches!(&self.registers[..], [register] if one(register))
    }

    /// The automaton, which other programs may share.
    pub fn automaton(&self) -> &Arc<Automaton> {
        &self.automaton
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
        &self.automaton.skip
    }

    /// The bound from a match's first event to its last, exclusive.
    pub fn within(&self) -> Option<Length> {
        self.automaton.within
    }
}

/// Returns by step the registers that its events update, in order: its own, and those of any step.
fn registers_by_step(stages: usize, registers: &[Register]) -> Vec<Box<[u32]>> {
    let of_any: Vec<u32> =
        (0..).zip(registers).filter(|(_, one)| one.stage.is_none()).map(|(id, _)| id).collect();
    let mut by_step = vec![of_any; stages];
    for (id, register) in (0..).zip(registers) {
        if let Some(stage) = register.stage {
            by_step[stage.index()].push(id);
        }
    }
    for of_stage in &mut by_step {
        of_stage.sort_unstable();
    }
    by_step.into_iter().map(Vec::into_boxed_slice).collect()
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
    SilenceBesideNot(Arc<str>),
    MisplacedSilence(Arc<str>),
    BadQuantifier(Arc<str>),
    UntilWithoutLoop(Arc<str>),
    LongestNotLast(Arc<str>),
    BadBound,
    BadCount,
    EmptyAlternative,
    UnknownSkipTarget,
    TooLarge,
    TooLargeTogether,
}

impl BuildError {
    pub(crate) fn new(kind: Kind) -> BuildError {
        BuildError(kind)
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// True if the pattern, alone or with those before it, is beyond the limits on size or nesting.
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, Kind::TooLarge | Kind::TooLargeTogether)
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
            Kind::SilenceBesideNot(name) => write!(
                f,
                "`not {name}` stands beside another `not`, and one of the two has a time of its own"
            ),
            Kind::MisplacedSilence(name) => write!(
                f,
                "`not {name}` is one of several alternatives, and no single event comes before them with \
                 which its time begins, or what follows does not go with it"
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
            Kind::BadCount => f.write_str("more alternatives have to happen than there are, or none"),
            Kind::EmptyAlternative => {
                f.write_str("an alternative can be empty or ends with a `not`")
            }
            Kind::UnknownSkipTarget => f.write_str("`skip to` names a step that does not exist"),
            Kind::TooLarge => f.write_str("the pattern is beyond the limits on size or nesting"),
            Kind::TooLargeTogether => f.write_str(
                "with the patterns of the rules before it, the pattern is beyond the limit on size: \
                 4 million transitions in all",
            ),
        }
    }
}

impl std::error::Error for BuildError {}
