//! The outputs of a matcher: matches, and partial matches that ran out of time.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::exec::captured::Captures;
use crate::exec::dag::{ChainListing, DagEvent, Direction, Packed, unpacked};
use crate::exec::set::{SetRef, total_of};
use crate::nfa::{Program, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::{Value, ValueCow, ValueRef};
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{Aggregate, CapturedField, MatchFact, MatchesFact};
use kleene_syntax::hir::{Expr, StepId, TotalId};

/// The kind of an [`Outcome`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OutcomeKind {
    /// The pattern occurred.
    Match,
    /// A partial match ran out of time.
    Timeout,
}

/// A match, or a partial match that ran out of time.
pub struct Outcome<'a, E> {
    pub(super) kind: OutcomeKind,
    pub(super) program: &'a Arc<Program>,
    pub(super) captures: Captures<'a, E>,
    pub(super) start: Timestamp,
    pub(super) last: Timestamp,
    pub(super) at: Timestamp,
    pub(super) start_seq: u64,
    /// The states in which a partial match waited; it can wait in several at once.
    pub(super) states: &'a [StateId],
    /// The clocks of each of its runs, one after the other; none if the states alone say what is
    /// waited for.
    pub(super) clocks: &'a [i64],
    /// The number of this report of a repeating silence, from 1; 0 where none repeats.
    pub(super) repetition: u64,
    /// The set of matches that it belongs to.
    pub(super) set: SetRef<'a>,
}

impl<E> Clone for Outcome<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Outcome<'_, E> {}

impl<E> fmt::Debug for Outcome<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("kind", &self.kind)
            .field("start", &self.start)
            .field("last", &self.last)
            .field("at", &self.at)
            .field("captures", &self.captures)
            .finish_non_exhaustive()
    }
}

impl<'a, E> Outcome<'a, E> {
    /// Returns the kind: match or timeout.
    pub fn kind(&self) -> OutcomeKind {
        self.kind
    }

    /// Returns the captured events.
    pub fn captures(&self) -> Captures<'a, E> {
        self.captures
    }

    /// Returns the time of the first event.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the time of the last captured event.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Returns the time of the report: the time of the completing event, or the deadline that
    /// passed.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the sequence number of the first event.
    pub fn start_seq(&self) -> u64 {
        self.start_seq
    }

    /// Returns the number of this report of a repeating silence, from 1; 0 for other outcomes.
    pub fn repetition(&self) -> u64 {
        self.repetition
    }

    /// Returns the set of matches that it belongs to: those that the same event or deadline
    /// completes. A timeout belongs to none.
    pub fn set(&self) -> OutcomeSet<'a, E> {
        OutcomeSet(*self)
    }

    /// Returns the step that was captured last.
    pub fn reached(&self) -> Option<StepId> {
        self.captures.latest_first().next().map(|(step, ..)| step)
    }

    /// Returns the steps that would have advanced a partial match, each once, in the order of the
    /// pattern. Empty for a match.
    pub fn awaits(&self) -> impl Iterator<Item = StepId> + use<E> {
        awaits(self.program, self.states, self.clocks)
    }
}

impl<'a, E> Outcome<'a, E> {
    /// Returns the match of the same set with the events of a path in its graph.
    pub(super) fn with_path(self, path: &'a [Packed], moments: &'a [DagEvent]) -> Outcome<'a, E> {
        let moment = |item: Option<&Packed>| item.map(|item| moments[unpacked(*item).0]);
        let (Some(first), Some(last)) = (moment(path.last()), moment(path.first())) else {
            return self;
        };
        Outcome {
            captures: Captures::path(self.captures.arena(), path, moments),
            start: Timestamp::from_millis(first.time),
            last: Timestamp::from_millis(last.time),
            start_seq: first.seq,
            ..self
        }
    }
}

impl<'a, E: Event> Outcome<'a, E> {
    /// Evaluates an expression of an emit. `key` has the components of the key. `id` is called only
    /// if the expression uses the id. A field, a part of the key and a constant are borrowed.
    pub fn evaluate<'e>(
        &self,
        expr: &'e Expr,
        key: &'e [Value],
        id: &dyn Fn() -> String,
    ) -> ValueCow<'e>
    where
        'a: 'e,
    {
        match expr {
            Expr::Captured(captured) => ValueCow::Borrowed(self.captures.field(captured)),
            Expr::Key(index) => {
                ValueCow::Borrowed(key.get(*index).map_or(ValueRef::Null, Value::as_ref))
            }
            Expr::Literal(value) => ValueCow::Borrowed(value.as_ref()),
            _ => {
                let scope = OutcomeScope { outcome: self, key, id };
                ValueCow::Owned(eval::eval(expr, &scope).into_owned())
            }
        }
    }
}

/// Returns the steps that would advance a partial match in these states, each once. `clocks` are
/// those of each of its runs, one after the other, or none.
pub(super) fn awaits(
    program: &Program,
    states: &[StateId],
    clocks: &[i64],
) -> impl Iterator<Item = StepId> + use<> {
    let of_run = |run: usize| {
        let from = run * program.clocks;
        clocks.get(from..from + program.clocks).unwrap_or_default()
    };
    let all = states.iter().enumerate();
    let mut steps: SmallVec<[StepId; 8]> =
        all.flat_map(|(run, &state)| program.awaits(state, of_run(run))).collect();
    steps.sort_unstable();
    steps.dedup();
    steps.into_iter()
}

/// The set of matches that one event, or one deadline, completes for one key.
///
/// For a match that is reported alone, the set contains only this match; for a timeout, it is
/// empty.
pub struct OutcomeSet<'a, E>(Outcome<'a, E>);

impl<E> Clone for OutcomeSet<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for OutcomeSet<'_, E> {}

impl<E> fmt::Debug for OutcomeSet<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutcomeSet")
            .field("count", &self.count())
            .field("is_saturated", &self.is_saturated())
            .finish_non_exhaustive()
    }
}

impl<'a, E> OutcomeSet<'a, E> {
    /// Returns the number of matches, or `u64::MAX` if there are more.
    pub fn count(&self) -> u64 {
        match (self.0.kind, self.0.set) {
            (OutcomeKind::Timeout, _) => 0,
            (OutcomeKind::Match, SetRef::Alone) => 1,
            (OutcomeKind::Match, SetRef::Listed(listed)) => listed.matches.len() as u64,
            (OutcomeKind::Match, SetRef::Graph(set)) => set.dag.count(set.root).0,
        }
    }

    /// True if there are more than `u64::MAX` matches. Sums and averages over them are null then.
    pub fn is_saturated(&self) -> bool {
        match (self.0.kind, self.0.set) {
            (OutcomeKind::Timeout, _) | (_, SetRef::Alone | SetRef::Listed(_)) => false,
            (OutcomeKind::Match, SetRef::Graph(set)) => set.dag.count(set.root).1,
        }
    }

    /// Returns the matches in their order, one at a time.
    pub fn listing(&self) -> OutcomeListing<'a, E> {
        let listing = match self.0.set {
            SetRef::Graph(set) => Some(ChainListing::new(&set.dag, set.root, Direction::Forward)),
            SetRef::Alone | SetRef::Listed(_) => None,
        };
        OutcomeListing { outcome: self.0, next: 0, listing }
    }
}

impl<E: Event> OutcomeSet<'_, E> {
    /// Returns the totals that the pattern asks for, in its order. A timeout has none.
    pub fn totals(&self) -> Vec<Value> {
        let count = match self.0.kind {
            OutcomeKind::Match => self.0.program.totals.len(),
            OutcomeKind::Timeout => 0,
        };
        (0..count).map(|id| self.total(TotalId::new(id))).collect()
    }

    /// Returns a total of the pattern; null if no total has this number.
    pub(crate) fn total(&self, id: TotalId) -> Value {
        match self.0.set {
            SetRef::Listed(listed) => listed.totals.get(id.index()).cloned().unwrap_or_default(),
            SetRef::Graph(set) => set.totals.get(id.index()).cloned().unwrap_or_default(),
            SetRef::Alone => match self.0.program.totals.get(id.index()) {
                Some(total) => total_of(total, std::iter::once(self.0.captures)),
                None => Value::Null,
            },
        }
    }
}

/// The matches of a set in their order: those with the earliest first event first, of these those
/// with the most events, then by the events from the last one backwards.
pub struct OutcomeListing<'a, E> {
    outcome: Outcome<'a, E>,
    next: usize,
    /// The matches of a graph.
    listing: Option<ChainListing>,
}

impl<E> fmt::Debug for OutcomeListing<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutcomeListing").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<E> OutcomeListing<'_, E> {
    /// Returns the next match; `None` after the last one.
    pub fn next_match(&mut self) -> Option<Outcome<'_, E>> {
        let index = self.next;
        let outcome = self.outcome;
        let found = match outcome.set {
            _ if outcome.kind == OutcomeKind::Timeout => None,
            SetRef::Alone => (index == 0).then_some(outcome),
            SetRef::Listed(listed) => listed.matches.get(index).map(|found| Outcome {
                captures: Captures::new(outcome.captures.arena(), found.head),
                start: Timestamp::from_millis(found.start),
                last: Timestamp::from_millis(found.last),
                start_seq: found.start_seq,
                repetition: found.repetition,
                ..outcome
            }),
            SetRef::Graph(set) => {
                let path = self.listing.as_mut()?.next()?;
                return Some(outcome.with_path(path, set.dag.moments()));
            }
        };
        self.next += usize::from(found.is_some());
        found
    }
}

/// The scope of an emit.
struct OutcomeScope<'a, E> {
    outcome: &'a Outcome<'a, E>,
    key: &'a [Value],
    id: &'a dyn Fn() -> String,
}

impl<E: Event> Scope for OutcomeScope<'_, E> {
    fn captured(&self, captured: &CapturedField) -> Value {
        self.outcome.captures.field(captured).to_value()
    }
    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        self.outcome.captures.aggregate(aggregate, self.outcome.program)
    }
    fn key(&self, index: usize) -> ValueRef<'_> {
        self.key.get(index).map_or(ValueRef::Null, Value::as_ref)
    }
    fn fact(&self, fact: MatchFact) -> Value {
        let name =
            |step: StepId| Value::String(self.outcome.program.steps()[step.index()].name.clone());
        match fact {
            MatchFact::Start => Value::Time(self.outcome.start),
            MatchFact::End => Value::Time(self.outcome.at),
            MatchFact::Step => self.outcome.reached().map_or(Value::Null, name),
            MatchFact::Awaits => Value::List(self.outcome.awaits().map(name).collect()),
            MatchFact::Id => (self.id)().into(),
            MatchFact::Repetition => match self.outcome.repetition {
                0 => Value::Null,
                number => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
            },
        }
    }
    fn of_matches(&self, fact: MatchesFact) -> Value {
        let set = self.outcome.set();
        match fact {
            MatchesFact::Count => Value::Int(i64::try_from(set.count()).unwrap_or(i64::MAX)),
            MatchesFact::Total(id) => set.total(id),
        }
    }
    fn divided_by_zero(&self) {
        self.outcome.captures.arena().divided_by_zero();
    }
    fn too_large(&self) {
        self.outcome.captures.arena().too_large();
    }
}
