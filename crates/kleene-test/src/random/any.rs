//! Random patterns of any kind.

use kleene_syntax::hir::Contiguity;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::pattern::{
    AGGREGATES, COMPARISONS, PICKS, RandomGroup, RandomItem, RandomKind, RandomLength,
    RandomPattern, RandomQuantifier, RandomSkip, RandomTest,
};
use super::stream::TYPES;

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

pub(super) fn item(depth: u32) -> BoxedStrategy<RandomItem> {
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

pub(super) fn length(millis: std::ops::Range<i64>) -> impl Strategy<Value = RandomLength> {
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

pub(super) fn test() -> BoxedStrategy<RandomTest> {
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
