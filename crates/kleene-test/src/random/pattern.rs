//! A random pattern as a plain tree, and what its conditions are made of.

use kleene_syntax::hir::Contiguity;
use kleene_syntax::hir::expr::{AggregateOp, BinaryOp, Pick};

/// A pattern before its names are given out.
#[derive(Clone, Debug)]
pub struct RandomPattern {
    /// The event that must not have come before the first event, and for how long.
    pub(super) silence: Option<(RandomTest, i64)>,
    pub(super) items: Vec<RandomItem>,
    pub(super) without: Option<RandomTest>,
    pub(super) within: Option<RandomLength>,
    pub(super) skip: RandomSkip,
    pub(super) ordered: bool,
    pub(super) longest: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RandomSkip {
    None,
    PastLast,
    ToNext,
    /// The number of a step, taken around.
    ToFirst(usize),
    ToLast(usize),
}

#[derive(Clone, Debug)]
pub(super) struct RandomItem {
    pub(super) contiguity: Contiguity,
    pub(super) gap: Option<(RandomLength, Option<RandomLength>)>,
    pub(super) kind: RandomKind,
}

#[derive(Clone, Debug)]
pub(super) enum RandomKind {
    Step(RandomTest, RandomQuantifier),
    Not(RandomTest),
    Group(RandomGroup, RandomQuantifier),
    /// The number of these that have to come, modulo their number; at least 1.
    Alternatives(Vec<Vec<RandomItem>>, usize),
}

#[derive(Clone, Debug)]
pub(super) struct RandomGroup {
    pub(super) named: bool,
    pub(super) items: Vec<RandomItem>,
    pub(super) without: Option<RandomTest>,
    pub(super) within: Option<RandomLength>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RandomLength {
    Millis(i64),
    /// An event that a step captured, first or last; the step by number, modulo the steps.
    Read(usize, bool),
}

#[derive(Clone, Debug)]
pub(super) struct RandomQuantifier {
    pub(super) min: u32,
    /// The number of repetitions beyond `min`; `None` without bound.
    pub(super) more: Option<u32>,
    pub(super) optional: bool,
    pub(super) inner: Contiguity,
    pub(super) greedy: bool,
    pub(super) until: Option<RandomTest>,
}

impl RandomItem {
    /// Returns a step that comes once.
    pub(super) fn plain(test: RandomTest) -> RandomItem {
        let once = RandomQuantifier {
            min: 1,
            more: Some(0),
            optional: false,
            inner: Contiguity::Relaxed,
            greedy: false,
            until: None,
        };
        let kind = RandomKind::Step(test, once);
        RandomItem { contiguity: Contiguity::Relaxed, gap: None, kind }
    }
}

/// A condition; steps are named by number, taken around.
#[derive(Clone, Debug)]
pub(super) enum RandomTest {
    Always,
    Type(usize),
    Compare(BinaryOp, i64),
    Aggregate(BinaryOp, AggregateOp, usize),
    Captured(BinaryOp, Option<usize>, Pick),
    Not(Box<RandomTest>),
    And(Box<RandomTest>, Box<RandomTest>),
    Or(Box<RandomTest>, Box<RandomTest>),
}

/// The comparisons of random conditions.
pub(super) const COMPARISONS: [BinaryOp; 6] =
    [BinaryOp::Gt, BinaryOp::Ge, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Eq, BinaryOp::Ne];

/// The aggregates of numbers that they ask for.
pub(super) const AGGREGATES: [AggregateOp; 8] = [
    AggregateOp::Count,
    AggregateOp::Sum,
    AggregateOp::Avg,
    AggregateOp::Min,
    AggregateOp::Max,
    AggregateOp::First,
    AggregateOp::Last,
    AggregateOp::Stddev,
];

/// The captured events that they ask for.
pub(super) const PICKS: [Pick; 4] = [Pick::First, Pick::Last, Pick::Nth(1), Pick::FromEnd(2)];
