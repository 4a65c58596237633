//! Random patterns with an `and` or `of` of operands that are one event each.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{RandomGroup, RandomItem, RandomKind, RandomPattern, RandomTest, pattern, test};

/// Patterns in which any of the items is an `and` or `of` of 2 to 5 plain operands. Some have two.
pub fn with_operands() -> impl Strategy<Value = RandomPattern> {
    let group = || (vec(test(), 2..6), any::<usize>(), any::<usize>());
    (pattern(), group(), proptest::option::weighted(0.3, group())).prop_map(
        |(mut pattern, first, second)| {
            for (tests, count, at) in std::iter::once(first).chain(second) {
                let all = number_of(&pattern.items);
                let kind = operands(tests, count);
                replace(&mut pattern.items, &mut (at % all), &kind);
            }
            pattern.repaired()
        },
    )
}

/// Returns an `and` or `of` of these tests, of which at least 2 have to hold.
fn operands(tests: Vec<RandomTest>, count: usize) -> RandomKind {
    let count = count % (tests.len() - 1) + 1;
    let plain = |test| vec![RandomItem::plain(test)];
    RandomKind::Alternatives(tests.into_iter().map(plain).collect(), count)
}

/// Returns the number of items, those of groups and branches included.
fn number_of(items: &[RandomItem]) -> usize {
    let inside = |item: &RandomItem| match &item.kind {
        RandomKind::Step(..) | RandomKind::Not(_) => 0,
        RandomKind::Group(RandomGroup { items, .. }, _) => number_of(items),
        RandomKind::Alternatives(branches, _) => {
            branches.iter().map(|branch| number_of(branch)).sum()
        }
    };
    items.iter().map(|item| 1 + inside(item)).sum()
}

/// Makes the item `at` another; those before it are counted down.
fn replace(items: &mut [RandomItem], at: &mut usize, kind: &RandomKind) -> bool {
    items.iter_mut().any(|item| {
        if *at == 0 {
            item.kind = kind.clone();
            return true;
        }
        *at -= 1;
        match &mut item.kind {
            RandomKind::Step(..) | RandomKind::Not(_) => false,
            RandomKind::Group(RandomGroup { items, .. }, _) => replace(items, at, kind),
            RandomKind::Alternatives(branches, _) => {
                branches.iter_mut().any(|branch| replace(branch, at, kind))
            }
        }
    })
}
