//! Random patterns and streams for property tests.
//!
//! A [`RandomPattern`] is a plain tree that proptest can shrink; [`RandomPattern::build`] makes a
//! pattern of it over the events of [`crate::convert::schema`].

mod build;
mod choices;
mod operands;
mod repair;
pub mod report;

use std::fmt;

use kleene::{Event as _, Record};
use kleene_syntax::hir::expr::{AggregateOp, BinaryOp, Pick};
use kleene_syntax::hir::{Contiguity, Pattern};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub use self::choices::Choices;
pub use self::operands::with_operands;
use self::repair::{may_be_empty, repair, require};
use crate::{convert, text};

/// The event types of random streams.
pub const TYPES: [&str; 4] = ["a", "b", "c", "d"];

/// A pattern before its names are given out.
#[derive(Clone, Debug)]
pub struct RandomPattern {
    /// The event that must not have come before the first event, and for how long.
    silence: Option<(RandomTest, i64)>,
    items: Vec<RandomItem>,
    without: Option<RandomTest>,
    within: Option<RandomLength>,
    skip: RandomSkip,
    ordered: bool,
    longest: bool,
}

#[derive(Clone, Copy, Debug)]
enum RandomSkip {
    None,
    PastLast,
    ToNext,
    /// The number of a step, taken around.
    ToFirst(usize),
    ToLast(usize),
}

#[derive(Clone, Debug)]
struct RandomItem {
    contiguity: Contiguity,
    gap: Option<(RandomLength, Option<RandomLength>)>,
    kind: RandomKind,
}

#[derive(Clone, Debug)]
enum RandomKind {
    Step(RandomTest, RandomQuantifier),
    Not(RandomTest),
    Group(RandomGroup, RandomQuantifier),
    /// So many of these, taken around; at least 1.
    Alternatives(Vec<Vec<RandomItem>>, usize),
}

#[derive(Clone, Debug)]
struct RandomGroup {
    named: bool,
    items: Vec<RandomItem>,
    without: Option<RandomTest>,
    within: Option<RandomLength>,
}

#[derive(Clone, Copy, Debug)]
enum RandomLength {
    Millis(i64),
    /// An event that a step captured, first or last; the step by number, modulo the steps.
    Read(usize, bool),
}

#[derive(Clone, Debug)]
struct RandomQuantifier {
    min: u32,
    /// The number of repetitions beyond `min`; `None` without bound.
    more: Option<u32>,
    optional: bool,
    inner: Contiguity,
    greedy: bool,
    until: Option<RandomTest>,
}

impl RandomItem {
    /// Returns a step that comes once.
    fn plain(test: RandomTest) -> RandomItem {
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
enum RandomTest {
    Always,
    Type(usize),
    Compare(BinaryOp, i64),
    Aggregate(BinaryOp, AggregateOp, usize),
    Captured(BinaryOp, Option<usize>, Pick),
    Not(Box<RandomTest>),
    And(Box<RandomTest>, Box<RandomTest>),
    Or(Box<RandomTest>, Box<RandomTest>),
}

/// A pattern that shows itself as text.
#[derive(Clone)]
pub struct Built(pub Pattern);

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, text) = (&self.0, text::body(&self.0));
        let skip = text::skip(pattern);
        write!(f, "{} within {:?} skip {skip} {:?}", text.body, pattern.within, text.problems)
    }
}

/// Events that show themselves as text: number, time, type and `v`.
#[derive(Clone)]
pub struct Stream(pub Vec<Record>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, event) in self.0.iter().enumerate() {
            let [ty, v] = event.values() else { continue };
            write!(f, "{number}@{}:{ty}{v} ", event.time().as_millis())?;
        }
        Ok(())
    }
}

/// Patterns with everything that patterns can say. Most can be run; some are refused.
pub fn pattern() -> impl Strategy<Value = RandomPattern> {
    let skip = prop_oneof![
        3 => Just(RandomSkip::None),
        2 => Just(RandomSkip::PastLast),
        1 => Just(RandomSkip::ToNext),
        1 => any::<usize>().prop_map(RandomSkip::ToFirst),
        1 => any::<usize>().prop_map(RandomSkip::ToLast),
    ];
    let within = option::weighted(0.6, length(1..16));
    let silence = option::weighted(0.1, (test(), 1..5_i64));
    let without = option::weighted(0.1, test());
    let flags = (any::<bool>(), prop::bool::weighted(0.15));
    (silence, vec(item(2), 1..5), without, within, skip, flags).prop_map(
        |(silence, items, without, within, skip, (ordered, longest))| RandomPattern {
            silence,
            items,
            without,
            within,
            skip,
            ordered,
            longest,
        },
    )
}

/// Patterns in which each event has to be the next one, as in `a -> next b{1.. next greedy} -> next
/// c`: in many of them partial matches that begin later follow those that have begun before.
pub fn chain() -> impl Strategy<Value = RandomPattern> {
    let first = prop_oneof![
        3 => Just(RandomTest::Always),
        1 => (0..5_i64).prop_map(|v| RandomTest::Compare(BinaryOp::Gt, v)),
        1 => test(),
    ];
    let compare = || {
        (select(&COMPARISONS[..]), select(&[Pick::Last, Pick::Last, Pick::First][..]))
            .prop_map(|(op, pick)| RandomTest::Captured(op, None, pick))
    };
    let other = || prop_oneof![3 => compare(), 1 => test()];
    let lead = option::weighted(0.3, (other(), 1..3_u32));
    let skip = prop_oneof![5 => Just(RandomSkip::PastLast), 1 => Just(RandomSkip::ToNext)];
    let within = option::weighted(0.8, length(1..9));
    (first, lead, (other(), 1..3_u32), other(), within, skip).prop_map(
        |(first, lead, again, last, within, skip)| {
            Chain { first, lead, again, last, within, skip }.into()
        },
    )
}

/// A test, and how often it has to hold in a row.
type Times = (RandomTest, u32);

/// The parts of a pattern in which each event has to be the next one.
struct Chain {
    first: RandomTest,
    lead: Option<Times>,
    again: Times,
    last: RandomTest,
    within: Option<RandomLength>,
    skip: RandomSkip,
}

impl From<Chain> for RandomPattern {
    fn from(chain: Chain) -> RandomPattern {
        let item = |test, min, more| {
            let (optional, inner) = (false, Contiguity::Next);
            let quantifier =
                RandomQuantifier { min, more, optional, inner, greedy: true, until: None };
            let kind = RandomKind::Step(test, quantifier);
            RandomItem { contiguity: Contiguity::Next, gap: None, kind }
        };
        let mut items = vec![item(chain.first, 1, Some(0))];
        items.extend(chain.lead.map(|(test, times)| item(test, times, Some(0))));
        items.push(item(chain.again.0, chain.again.1, None));
        items.push(item(chain.last, 1, Some(0)));
        RandomPattern {
            silence: None,
            items,
            without: None,
            within: chain.within,
            skip: chain.skip,
            ordered: false,
            longest: false,
        }
    }
}

/// Patterns of any kind that can be run, mostly.
pub fn runnable() -> impl Strategy<Value = Built> {
    let any = pattern().prop_map(|pattern| pattern.repaired().build());
    prop_oneof![3 => any, 1 => chain().prop_map(|pattern| pattern.build())]
}

/// Events in the order of time: `(time, type, v)`.
pub fn stream() -> impl Strategy<Value = Stream> {
    let event = (0..4_i64, 0..TYPES.len(), 0..5_i64);
    vec(event, 0..13).prop_map(|events| {
        let mut time = 0;
        let events = events
            .into_iter()
            .map(|(passed, ty, v)| {
                time += passed;
                convert::event(time, TYPES[ty], v)
            })
            .collect();
        Stream(events)
    })
}

/// Patterns with silences among the branches of alternatives.
pub fn with_silences() -> impl Strategy<Value = RandomPattern> {
    let branches = vec(vec(item(1), 1..3), 0..3);
    let silence = (test(), length(1..9));
    let silences = vec(silence, 1..3);
    let choices = (any::<usize>(), any::<usize>(), prop::bool::weighted(0.2));
    (pattern(), branches, silences, choices).prop_map(
        |(pattern, branches, silences, (at, count, any))| {
            pattern.with_silences(at, MixedAlternatives { branches, silences, count, any })
        },
    )
}

/// Alternatives; some are silences, with the event that must not come and the time.
struct MixedAlternatives {
    branches: Vec<Vec<RandomItem>>,
    silences: Vec<(RandomTest, RandomLength)>,
    /// The number of branches that have to happen, modulo the branches.
    count: usize,
    /// True if the group follows the event before it with `any`.
    any: bool,
}

impl RandomPattern {
    /// The pattern, repaired, with alternatives behind the item `at`, taken around.
    fn with_silences(self, at: usize, group: MixedAlternatives) -> RandomPattern {
        let MixedAlternatives { mut branches, silences, count, any } = group;
        let mut pattern = self.repaired();
        pattern.silence = None;
        let at = 1 + at % pattern.items.len();
        let mut after = pattern.items.split_off(at);
        while pattern.items.last().is_some_and(is_not) && pattern.items.len() > 1 {
            pattern.items.pop();
        }
        pattern.items.last_mut().into_iter().for_each(ends_here);
        let leading = after.iter().take_while(|item| is_not(item)).count();
        after.drain(..leading);
        if let Some(next) = after.first_mut()
            && next.contiguity == Contiguity::Next
        {
            next.contiguity = Contiguity::Relaxed;
        }
        if after.iter().all(may_be_empty) {
            require(&mut after);
        }
        for branch in &mut branches {
            repair(branch, false);
            if branch.iter().all(may_be_empty) {
                require(branch);
            }
        }
        let several = silences.len() > 1;
        for (number, (test, time)) in silences.into_iter().enumerate() {
            let time = match time {
                RandomLength::Read(..) if several => RandomLength::Millis(4),
                time => time,
            };
            let gap = Some((RandomLength::Millis(0), Some(time)));
            let not =
                RandomItem { contiguity: Contiguity::Relaxed, gap, kind: RandomKind::Not(test) };
            branches.insert((at + number) % (branches.len() + 1), vec![not]);
        }
        let contiguity = if any { Contiguity::Any } else { Contiguity::Relaxed };
        let kind = RandomKind::Alternatives(branches, count);
        pattern.items.push(RandomItem { contiguity, gap: None, kind });
        pattern.items.append(&mut after);
        pattern
    }
}

fn is_not(item: &RandomItem) -> bool {
    matches!(item.kind, RandomKind::Not(_))
}

/// Lets the item end where it has what it needs.
fn ends_here(item: &mut RandomItem) {
    let fixed = |quantifier: &mut RandomQuantifier| {
        quantifier.more = Some(0);
        quantifier.optional = false;
        quantifier.until = None;
    };
    match &mut item.kind {
        RandomKind::Step(_, quantifier) => fixed(quantifier),
        RandomKind::Group(group, quantifier) => {
            fixed(quantifier);
            group.items.last_mut().into_iter().for_each(ends_here);
        }
        RandomKind::Alternatives(branches, _) => {
            branches.iter_mut().filter_map(|branch| branch.last_mut()).for_each(ends_here);
        }
        RandomKind::Not(_) => {}
    }
}

fn item(depth: u32) -> BoxedStrategy<RandomItem> {
    let step =
        (test(), quantifier()).prop_map(|(test, quantifier)| RandomKind::Step(test, quantifier));
    let not = test().prop_map(RandomKind::Not);
    let kind = if depth == 0 {
        prop_oneof![5 => step, 1 => not].boxed()
    } else {
        let within = option::weighted(0.2, length(1..8));
        let without = option::weighted(0.15, test());
        let named = prop::bool::weighted(0.15);
        let group = (named, vec(item(depth - 1), 1..4), without, within).prop_map(
            |(named, items, without, within)| RandomGroup { named, items, without, within },
        );
        let group = (group, quantifier())
            .prop_map(|(group, quantifier)| RandomKind::Group(group, quantifier));
        let branches = (vec(vec(item(depth - 1), 1..3), 1..4), any::<usize>())
            .prop_map(|(branches, count)| RandomKind::Alternatives(branches, count));
        prop_oneof![6 => step, 2 => not, 2 => group, 1 => branches].boxed()
    };
    let gap = option::weighted(0.12, (length(0..3), option::weighted(0.8, length(0..5))));
    (contiguity(), gap, kind)
        .prop_map(|(contiguity, gap, kind)| {
            let gap = gap.map(|(min, max)| match (min, max) {
                (RandomLength::Millis(min), Some(RandomLength::Millis(more))) => {
                    (RandomLength::Millis(min), Some(RandomLength::Millis(min + more)))
                }
                other => other,
            });
            RandomItem { contiguity, gap, kind }
        })
        .boxed()
}

fn length(millis: std::ops::Range<i64>) -> impl Strategy<Value = RandomLength> {
    prop_oneof![
        8 => millis.prop_map(RandomLength::Millis),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(n, last)| RandomLength::Read(n, last)),
    ]
}

fn contiguity() -> impl Strategy<Value = Contiguity> {
    prop_oneof![
        3 => Just(Contiguity::Relaxed),
        2 => Just(Contiguity::Next),
        2 => Just(Contiguity::Any),
    ]
}

fn quantifier() -> impl Strategy<Value = RandomQuantifier> {
    let times = prop_oneof![
        4 => Just((1, Some(0))),
        1 => (1..4_u32).prop_map(|n| (n, Some(0))),
        1 => (1..3_u32, 1..3_u32).prop_map(|(min, more)| (min, Some(more))),
        2 => (1..3_u32).prop_map(|min| (min, None)),
    ];
    let until = option::weighted(0.3, test());
    let greedy = prop::bool::weighted(0.4);
    (times, prop::bool::weighted(0.25), contiguity(), greedy, until).prop_map(
        |((min, more), optional, inner, greedy, until)| RandomQuantifier {
            min,
            more,
            optional,
            inner,
            greedy,
            until: until.filter(|_| more.is_none()),
        },
    )
}

/// The comparisons of random conditions.
const COMPARISONS: [BinaryOp; 6] =
    [BinaryOp::Gt, BinaryOp::Ge, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Eq, BinaryOp::Ne];

/// The aggregates of numbers that they ask for.
const AGGREGATES: [AggregateOp; 8] = [
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
const PICKS: [Pick; 4] = [Pick::First, Pick::Last, Pick::Nth(1), Pick::FromEnd(2)];

fn test() -> BoxedStrategy<RandomTest> {
    let operator = || select(&COMPARISONS[..]);
    let aggregate = select(&AGGREGATES[..]);
    let pick = select(&PICKS[..]);
    let ty = || (0..TYPES.len()).prop_map(RandomTest::Type);
    let captured = option::weighted(0.6, any::<usize>());
    let on_v = prop_oneof![
        2 => (operator(), 0..5_i64).prop_map(|(op, v)| RandomTest::Compare(op, v)),
        1 => (operator(), aggregate, any::<usize>())
            .prop_map(|(op, aggregate, step)| RandomTest::Aggregate(op, aggregate, step)),
        1 => (operator(), captured, pick)
            .prop_map(|(op, step, pick)| RandomTest::Captured(op, step, pick)),
    ]
    .boxed();
    prop_oneof![
        1 => Just(RandomTest::Always),
        6 => ty(),
        1 => on_v.clone(),
        3 => (ty(), on_v).prop_map(|(a, b)| RandomTest::And(a.into(), b.into())),
        2 => (ty(), ty()).prop_map(|(a, b)| RandomTest::Or(a.into(), b.into())),
        1 => ty().prop_map(|a| RandomTest::Not(a.into())),
    ]
    .boxed()
}
