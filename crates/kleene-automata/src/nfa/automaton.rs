//! The automaton of a pattern: the same for all patterns that differ in names and constants.

use crate::nfa::decide::{self, Decisions};
use crate::nfa::error::AutomatonError;
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::operands::OperandSet;
use crate::nfa::states::{Action, Bound, ClockOp, Edge, LeadingNot, State, StateId, index_range};
use crate::nfa::{duplicates, flatten, graph};
use kleene_event::schema::TypeId;
use kleene_syntax::hir::size::HeapSize;
use kleene_syntax::hir::{ItemKind, Length, Pattern, Sequence, Skip, SkipStrategy, StepId, Test};

/// The states of a pattern and what leads from one to another: the same for all patterns that
/// differ in names and in what conditions ask beside the type of an event.
#[derive(Debug)]
pub struct Automaton {
    /// The guards, by id.
    pub guards: Box<[Guard]>,
    /// The states, by id.
    pub states: Box<[State]>,
    /// The edges of all states.
    pub edges: Box<[Edge]>,
    pub(crate) clock_ops: Box<[ClockOp]>,
    /// The bounds of all states.
    pub bounds: Box<[Bound]>,
    /// The number of group clocks of a run.
    pub(crate) clocks: usize,
    /// The groups with an alias, each with its clock; a node has a bit for each.
    pub(crate) named: Box<[(StepId, u32)]>,
    /// The state of a partial match without events.
    pub start: StateId,
    /// The leading `not`.
    pub leading_not: Option<LeadingNot>,
    /// The times of the whole pattern.
    pub timing: Timing,
    pub(crate) skip: Skip,
    /// True if partial matches that run out of time are reported.
    pub report_timeouts: bool,
    pub(crate) meeting: Meeting,
    has_operand_sets: bool,
    /// The effect of an event, by its type and the state in which a partial match waits.
    pub decisions: Decisions,
    pub(super) outline: Outline,
}

/// The bounds in time of the partial matches of a pattern.
#[derive(Debug)]
pub struct Timing {
    /// The bound from first to last event, exclusive.
    pub within: Option<Length>,
    /// The bound in milliseconds, if its length is fixed.
    pub(crate) span: Option<i64>,
    /// The length of the silence that ends the pattern, if it is reported again each time it has
    /// passed.
    pub repeat: Option<Length>,
    /// The silence after the last event that is over before a last `not` without a time begins:
    /// `not a for 5s -> not b`.
    pub before_last_not: Option<Length>,
    reports_at_deadlines: bool,
}

impl Timing {
    fn of(pattern: &Pattern, reports_at_deadlines: bool) -> Timing {
        let last = pattern.body.items.last();
        let last_not = last.filter(|last| last.is_not()).and_then(|last| last.gap);
        Timing {
            within: pattern.within,
            span: pattern.within.and_then(Length::as_millis),
            repeat: last_not.filter(|_| pattern.repeats).and_then(|not| not.max),
            before_last_not: last_not.filter(|not| not.max.is_none()).map(|not| not.min),
            reports_at_deadlines,
        }
    }
}

/// The facts about runs of a pattern that meet: that hold the same events in the same state.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each fact is asked by itself")]
pub(crate) struct Meeting {
    /// True if two runs can meet.
    pub(crate) may_duplicate: bool,
    /// True if a partial match can wait in several states at once, each with a run of its own.
    pub(crate) waits_in_several: bool,
    /// True if a match of the last silence ends all runs that hold the same events: the greedy loop
    /// before the silence is over, and so is a loop beside it.
    pub(crate) closes_duplicates: bool,
    /// True if an event that completes a match, and nothing else, need not be in the store for it.
    pub(crate) ends_alone: bool,
}

/// All of a pattern that its automaton is made of.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct Outline {
    body: Sequence,
    steps: usize,
    /// By condition: the type that fits, and whether any event of it does.
    conditions: Box<[(Option<TypeId>, bool)]>,
    within: Option<Length>,
    skip: Skip,
    report_timeouts: bool,
    repeats: bool,
}

impl Outline {
    pub(super) fn of(pattern: &Pattern) -> Outline {
        let conditions = pattern.conditions.iter();
        Outline {
            body: pattern.body.clone(),
            steps: pattern.steps.len(),
            conditions: conditions.map(|one| (one.ty, matches!(one.test, Test::True))).collect(),
            within: pattern.within,
            skip: pattern.skip.clone(),
            report_timeouts: pattern.report_timeouts,
            repeats: pattern.repeats,
        }
    }
}

/// True if the pattern ends with a silence beside other branches: `(b+ and not c for 5s)`.
fn ends_beside_silence(body: &Sequence) -> bool {
    let Some(ItemKind::Alternatives { branches, .. }) = body.items.last().map(|item| &item.kind)
    else {
        return false;
    };
    branches.iter().any(|branch| matches!(branch.items.as_slice(), [item] if item.is_not()))
}

impl Automaton {
    /// Builds the automaton. Groups of more than `most_in_states` plain operands wait in one state.
    pub(super) fn new(
        pattern: &Pattern,
        outline: Outline,
        most_in_states: usize,
    ) -> Result<Automaton, AutomatonError> {
        let (mut flat, guards) = flatten::flatten(graph::build(pattern, most_in_states)?)?;
        let found = duplicates::Duplicates::of(&flat, &guards);
        flat.guards = guards.into_vec();
        let may_duplicate = found.may_come || duplicates::repeats_group(&pattern.body);
        let waits_in_several = may_duplicate || found.waits_in_several;
        let start = StateId::new(flat.start);
        let decisions = decide::decide(&decide::Tables {
            conditions: &outline.conditions,
            guards: &flat.guards,
            states: &flat.states,
            edges: &flat.edges,
            start,
        })?;
        let has_operand_sets =
            flat.clock_ops.iter().any(|operation| matches!(operation, ClockOp::Add { .. }));
        let may_complete = |state: &State| state.accepts_at_deadline;
        let reports_at_deadlines =
            pattern.report_timeouts || pattern.skip.ordered || flat.states.iter().any(may_complete);
        Ok(Automaton {
            guards: flat.guards.into(),
            states: flat.states.into(),
            edges: flat.edges.into(),
            clock_ops: flat.clock_ops.into(),
            bounds: flat.bounds.into(),
            clocks: flat.clocks,
            start,
            leading_not: LeadingNot::of(pattern),
            timing: Timing::of(pattern, reports_at_deadlines),
            skip: pattern.skip.clone(),
            report_timeouts: pattern.report_timeouts,
            meeting: Meeting {
                may_duplicate,
                waits_in_several,
                closes_duplicates: may_duplicate && flat.closes
                    || waits_in_several && ends_beside_silence(&pattern.body),
                ends_alone: !may_duplicate
                    && flat.named.is_empty()
                    && !matches!(pattern.within, Some(Length::Read(_))),
            },
            named: flat.named.into(),
            has_operand_sets,
            decisions,
            outline,
        })
    }

    /// Returns the edges of a state.
    pub fn edges(&self, state: StateId) -> &[Edge] {
        &self.edges[index_range(&self.states[state.index()].edges)]
    }

    /// Returns the bounds of a state.
    pub fn bounds(&self, state: StateId) -> &[Bound] {
        &self.bounds[index_range(&self.states[state.index()].bounds)]
    }

    /// Returns the operations of an edge on clocks.
    pub fn clock_ops(&self, edge: &Edge) -> &[ClockOp] {
        &self.clock_ops[index_range(&edge.clocks)]
    }

    /// The steps that would move a partial match on from `state`, in the order of the pattern.
    /// `clocks` are those of the partial match; events of operands of `and` and `of` that have come,
    /// or come after others, are not waited for.
    pub(crate) fn awaits<'a>(
        &'a self,
        state: StateId,
        clocks: &'a [i64],
    ) -> impl Iterator<Item = StepId> + 'a {
        self.edges(state).iter().filter_map(move |edge| match edge.action {
            Action::Take { step, .. } if !self.is_ruled_out(edge.guard, clocks) => Some(step),
            _ => None,
        })
    }

    /// True if the operands of a group wait in one state, with a set of those that have come.
    pub(crate) fn has_operand_sets(&self) -> bool {
        self.has_operand_sets
    }

    /// True if the events of operands of `and` or `of` that have come close the guard, whatever
    /// event comes next.
    pub(crate) fn is_ruled_out(&self, guard: GuardId, clocks: &[i64]) -> bool {
        match &self.guards[guard.index()] {
            Guard::And(parts) => parts.iter().any(|part| self.is_ruled_out(*part, clocks)),
            Guard::Or(parts) => parts.iter().all(|part| self.is_ruled_out(*part, clocks)),
            Guard::Not(inner) => self.of_operands(*inner, clocks) == Some(true),
            _ => self.of_operands(guard, clocks) == Some(false),
        }
    }

    /// Returns what a guard about events of operands says; `None` for another guard.
    fn of_operands(&self, guard: GuardId, clocks: &[i64]) -> Option<bool> {
        let come = |set: u32| clocks.get(set as usize).map(|clock| OperandSet::of_clock(*clock));
        match self.guards[guard.index()] {
            Guard::HasCome { set, event } => come(set).map(|come| come.has(event)),
            Guard::HaveCome { set, of, count } => come(set).map(|come| come.has_of(of, count)),
            _ => None,
        }
    }

    /// True if matches wait for older partial matches, which could still win.
    pub(crate) fn waits(&self) -> bool {
        self.skip.ordered && self.skip.strategy != SkipStrategy::None
    }

    /// When what starts at this time is over, under one `within` of a fixed length or none.
    #[inline(always)]
    pub(crate) fn deadline_of(&self, start: i64) -> i64 {
        self.timing.span.map_or(i64::MAX, |span| start.saturating_add(span))
    }

    /// True if the first of the matches that end with an event drops all else that a key holds.
    pub(crate) fn is_won_by_first(&self) -> bool {
        self.skip.strategy == SkipStrategy::PastLast && !self.waits()
    }

    /// True if a deadline can report anything, a match or a timeout. Where not, deadlines only free
    /// memory, and it makes no difference if they are noticed late.
    #[inline]
    pub fn reports_at_deadlines(&self) -> bool {
        self.timing.reports_at_deadlines
    }

    /// The heap size in bytes, with its own.
    pub(super) fn heap_size(&self) -> usize {
        let parts = |guard: &Guard| match guard {
            Guard::And(parts) | Guard::Or(parts) => size_of_val(&**parts),
            _ => 0,
        };
        let mut outline = HeapSize::default();
        outline.add_sequence(&self.outline.body);
        size_of::<Automaton>()
            + outline.bytes
            + size_of_val(&*self.outline.conditions)
            + size_of_val(&*self.guards)
            + self.guards.iter().map(parts).sum::<usize>()
            + size_of_val(&*self.states)
            + size_of_val(&*self.edges)
            + size_of_val(&*self.clock_ops)
            + size_of_val(&*self.bounds)
            + self.decisions.heap_size()
    }

    /// The bit of a node that says that its event starts a repetition of the group with this alias.
    pub(crate) fn start_bit(&self, alias: StepId) -> Option<u32> {
        self.named.iter().zip(0..).find(|((of, _), _)| *of == alias).map(|(_, bit)| 1 << bit)
    }
}
