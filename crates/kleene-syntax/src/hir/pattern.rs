//! A checked pattern: steps, conditions, and the sequence that they form.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::hir::expr::{Aggregate, Expr};
use crate::hir::ids::{ConditionId, LengthId, StepId};
use kleene_event::schema::TypeId;
use kleene_event::time::format_millis;
use kleene_event::value::Value;

/// A pattern of events of one key.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The steps by [`StepId`], negated ones included, in the order of the text.
    pub steps: Vec<Step>,
    /// The conditions by [`ConditionId`].
    pub conditions: Vec<Condition>,
    /// The sequence of steps.
    pub body: Sequence,
    /// The lengths of time by [`LengthId`]: expressions over captured events that give a duration,
    /// or a number of milliseconds. Null or less than nothing counts as no time at all.
    pub lengths: Vec<Expr>,
    /// The bound from a match's first event to its last. An event exactly this time after the first
    /// is too late. A bound that is read from an event holds from that event on.
    pub within: Option<Length>,
    /// The skip strategy: what a match drops.
    pub skip: Skip,
    /// The choice among the matches of a set that is reported.
    pub report: Report,
    /// The totals over a set of matches by [`TotalId`](crate::hir::TotalId): over what a step
    /// captured in all of them. The operation is `sum`, `avg`, `min` or `max`, and there is an
    /// argument.
    pub totals: Vec<Aggregate>,
    /// True if partial matches that run out of time are reported.
    pub report_timeouts: bool,
    /// True if the last item, a `not` with a time of its own, is reported again each time that its
    /// time has passed, until the forbidden event comes.
    pub repeats: bool,
}

/// A step's name and the event type that it takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The alias, or the type's or define's name. Unique within the pattern unless never referred
    /// to.
    pub name: Arc<str>,
    /// The event type, where the step takes only one (in rule text all do but `any event` and `not
    /// (a or b)`).
    pub ty: Option<TypeId>,
    /// True if it is a `not` step, which captures nothing.
    pub negated: bool,
}

/// A condition on a candidate event, and perhaps on what this partial match has captured.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The event type that fits, or any.
    pub ty: Option<TypeId>,
    /// The test that the event must pass, besides having the type.
    pub test: Test,
}

/// The test of a condition, besides the event type.
#[derive(Clone, Debug)]
pub enum Test {
    /// No test: every event of the type passes.
    True,
    /// An expression; null is not true.
    Expr(Expr),
    /// A function of the host, by its number in the pattern's table of closures.
    Host {
        /// Its number.
        index: usize,
        /// True if it looks at captured events.
        correlated: bool,
    },
    /// True if one of these conditions of the pattern holds; none of them is itself of this kind.
    /// The condition has no type of its own: `not (a or b)`.
    OneOf(Vec<ConditionId>),
    /// All of these. (Closures over events that borrow cannot be put into one another.)
    All(Vec<Test>),
}

/// Items that follow each other.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Sequence {
    /// The items, in order; never empty in a checked pattern.
    pub items: Vec<Item>,
    /// The event that must not come between the sequence's first event and its last, except events
    /// that are captured. If a `not` is last, it must not come until the match is reported.
    pub without: Option<Without>,
}

impl Sequence {
    /// True if something but the pattern's `within` lets a partial match run out of time.
    pub(crate) fn has_bounded_wait(&self) -> bool {
        self.items.iter().any(|item| match &item.kind {
            // The time of a `not` is no wait for an event.
            ItemKind::Not { .. } => false,
            _ if item.gap.is_some_and(|gap| gap.max.is_some()) => true,
            ItemKind::Step { .. } => false,
            ItemKind::Group { body, within, .. } => within.is_some() || body.has_bounded_wait(),
            ItemKind::Alternatives { branches, .. } => {
                branches.iter().any(Sequence::has_bounded_wait)
            }
        })
    }
}

/// An event that must not come while a sequence is matched.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Without {
    /// Its name, for explanations; nothing is captured.
    pub step: StepId,
    /// True for the event that must not come.
    pub condition: ConditionId,
}

/// One item of a sequence.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Item {
    /// The contiguity to the item before. It has no meaning for the first item of a pattern; for
    /// the first item of a group, the contiguity of the group counts.
    pub contiguity: Contiguity,
    /// The bound on the time from the event before to this item's first event.
    pub gap: Option<Gap>,
    /// The kind of the item.
    pub kind: ItemKind,
}

impl Item {
    /// True if the item is a `not`.
    pub fn is_not(&self) -> bool {
        matches!(self.kind, ItemKind::Not { .. })
    }

    /// Returns the quantifier of a step or a group.
    pub fn quantifier(&self) -> Option<&Quantifier> {
        match &self.kind {
            ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => {
                Some(quantifier)
            }
            ItemKind::Not { .. } | ItemKind::Alternatives { .. } => None,
        }
    }

    /// True if the item can be left out or be empty.
    pub fn is_nullable(&self) -> bool {
        match &self.kind {
            ItemKind::Step { quantifier, .. } => quantifier.optional,
            // `(a? -> b?)` is empty without being left out.
            ItemKind::Group { body, quantifier, .. } => {
                quantifier.optional || body.items.iter().all(Item::is_nullable)
            }
            // A `not` takes no event, but it cannot be left out. A branch is never empty.
            ItemKind::Not { .. } | ItemKind::Alternatives { .. } => false,
        }
    }
}

/// The kind of an item of a sequence.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ItemKind {
    /// An event, perhaps repeated.
    Step {
        /// The step that captures the events.
        step: StepId,
        /// The condition on each event.
        condition: ConditionId,
        /// The number of repetitions.
        quantifier: Quantifier,
    },
    /// No event that fulfils the condition. [`Contiguity::Next`] is about the very next event only,
    /// [`Contiguity::Relaxed`] about all events up to the item after the `not`. The gap's `max`,
    /// exclusive here, is the time for which the `not` holds: before the first event if it is the
    /// first item of a pattern, else after the event before. A last item without a time of its own
    /// holds until the pattern's `within` is over; the match is reported at that moment. Between
    /// two items, the gap of the item after the `not` has to be at least as long.
    Not {
        /// Its name, for explanations; nothing is captured.
        step: StepId,
        /// True for the event that must not come.
        condition: ConditionId,
    },
    /// A sequence that is quantified as one.
    Group {
        /// The sequence.
        body: Sequence,
        /// The number of repetitions.
        quantifier: Quantifier,
        /// The bound of one repetition from its first event to its last, exclusive as the
        /// pattern's.
        within: Option<Length>,
        /// The alias; counts repetitions.
        alias: Option<StepId>,
    },
    /// Several sequences in any order; `count` of them have to happen. Each event goes to one
    /// sequence, no sequence reads the events of another, and no more than `count` are begun. With
    /// a count of one it is `or`, with all of them `and`.
    Alternatives {
        /// The sequences; none can be empty, and none ends with a `not`.
        branches: Vec<Sequence>,
        /// The number of sequences that have to happen.
        count: usize,
    },
}

/// The relation of an event to the event before it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Contiguity {
    /// The very next event of the key's stream (Flink's `next`, `consecutive`).
    Next,
    /// Events that do not fit are skipped (`followedBy`; relaxed).
    #[default]
    Relaxed,
    /// Events that fit may be skipped, too (`followedByAny`, `allowCombinations`).
    Any,
}

/// The number of repetitions of an item, and how they follow each other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Quantifier {
    /// The least number of times, if the item occurs at all; at least 1.
    pub min: u32,
    /// The greatest number of times; `None` without bound.
    pub max: Option<u32>,
    /// True if it may be left out altogether.
    pub optional: bool,
    /// The contiguity between two repetitions.
    pub inner: Contiguity,
    /// The mode of the loop: which repetitions are matches.
    pub mode: LoopMode,
    /// The condition that ends the loop, if it has one.
    pub until: Option<ConditionId>,
}

impl Quantifier {
    /// Exactly once.
    pub const ONCE: Quantifier = Quantifier {
        min: 1,
        max: Some(1),
        optional: false,
        inner: Contiguity::Relaxed,
        mode: LoopMode::Each,
        until: None,
    };

    /// True if the item occurs exactly once.
    pub fn is_once(&self) -> bool {
        self.min == 1 && self.max == Some(1) && !self.optional
    }

    /// True if it allows more than one length, none at all included.
    pub fn varies(&self) -> bool {
        self.optional || self.max != Some(self.min)
    }

    /// True if it can take more than one event, or more than one round.
    pub(crate) fn can_repeat(&self) -> bool {
        self.max != Some(1)
    }

    /// True if it can repeat without bound.
    pub fn is_unbounded(&self) -> bool {
        self.max.is_none()
    }
}

/// The most operands of one `and` or `of`, and the most events of all of them, if each is a row of
/// single events: a set of events is a word.
pub const MAX_OPERANDS: usize = 64;

/// The most operands of one `and` or `of`, whatever they are: each set of them can be a state, and 12
/// operands have 4096 sets.
pub const MAX_OPERANDS_IN_STATES: usize = 12;

/// The most absences of one `and`, `or` or `of`: an event can break any of them.
pub const MAX_SILENCES: usize = 4;

/// The mode of a loop: which repetitions are matches.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LoopMode {
    /// An event that the loop can take is never left to the next item (Flink's `greedy()`).
    Greedy,
    /// A match for each length (Flink's default).
    #[default]
    Each,
    /// As [`LoopMode::Greedy`], and at the end of a pattern reported only when it can grow no more.
    Longest,
}

/// A bound on the time between two events, both ends included.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Gap {
    /// The least time.
    pub min: Length,
    /// The greatest time; `None` without bound.
    pub max: Option<Length>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Length {
    /// A number of milliseconds.
    Millis(i64),
    /// The value of an expression over captured events.
    Read(LengthId),
}

impl Length {
    /// No time at all.
    pub const ZERO: Length = Length::Millis(0);

    /// The milliseconds, where they are known from the start.
    pub fn as_millis(self) -> Option<i64> {
        match self {
            Length::Millis(millis) => Some(millis),
            Length::Read(_) => None,
        }
    }

    /// The milliseconds that a value stands for.
    pub fn millis_of(value: &Value) -> i64 {
        match value {
            Value::Duration(millis) | Value::Int(millis) => (*millis).max(0),
            _ => 0,
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Millis(millis) => f.write_str(&format_millis(*millis)),
            Length::Read(_) => f.write_str("as long as an event says"),
        }
    }
}

/// The skip strategy, and whether matches wait for older partial matches.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Skip {
    /// The partial matches that a match drops.
    pub strategy: SkipStrategy,
    /// True if a match waits while an older partial match lives, so that the leftmost wins.
    pub ordered: bool,
}

/// A skip strategy. A match drops partial matches, and complete matches that are not reported yet,
/// according to their first events.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum SkipStrategy {
    /// Nothing.
    None,
    /// Those that started at or before the match's last event.
    #[default]
    PastLast,
    /// Those that started with the match's first event.
    ToNext,
    /// Those that started before the match's first event of this step.
    ToFirst(StepId),
    /// Those that started before the match's last event of this step.
    ToLast(StepId),
}

/// The choice among a set of matches: the matches of one key that one event or one deadline
/// completes, and that the skip strategy leaves.
///
/// Matches of a set are in a defined order: by their first event, then those of more events first,
/// then by their events from the last one backwards.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Report {
    /// Each match.
    #[default]
    All,
    /// One result, which has the events of the first match of the set.
    Count,
    /// The first matches of the set.
    First(NonZeroU32),
    /// The last matches of the set.
    Last(NonZeroU32),
    /// The match of the most events; the first one of several.
    Longest,
    /// The match of the fewest events; the first one of several.
    Shortest,
}

/// Writes what the clause says: `first 3`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::All => f.write_str("all"),
            Report::Count => f.write_str("count"),
            Report::First(most) => write!(f, "first {most}"),
            Report::Last(most) => write!(f, "last {most}"),
            Report::Longest => f.write_str("longest"),
            Report::Shortest => f.write_str("shortest"),
        }
    }
}
