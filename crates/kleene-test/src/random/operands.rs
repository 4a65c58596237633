//! Random patterns with an `and` or `of` of operands that are rows of single events.

use proptest::collection::vec;
use proptest::prelude::*;

use super::any::{pattern, test};
use super::pattern::{RandomGroup, RandomItem, RandomKind, RandomPattern, RandomTest};
use kleene_syntax::hir::Contiguity;

/// Patterns in which any of the items is an `and` or `of` of 2 to 5 operands of a few events each.
/// Some have two.
pub fn with_operands() -> impl Strategy<Value = RandomPattern> {
    let group = || (vec(row(), 2..6), any::<usize>(), any::<usize>());
    (pattern(), group(), proptest::option::weighted(0.3, group())).prop_map(
        |(mut pattern, first, second)| {
            for (rows, count, at) in std::iter::once(first).chain(second) {
                let all = number_of(&pattern.items);
                let kind = operands(rows, count);
                replace(&mut pattern.items, &mut (at % all), &kind);
            }
            pattern.repaired()
        },
    )
}

/// Returns an operand: often one event, and sometimes in parentheses.
fn row() -> impl Strategy<Value = Vec<RandomItem>> {
    let loose = || prop_oneof![2 => Just(Contiguity::Relaxed), 1 => Just(Contiguity::Any)];
    let times = prop_oneof![5 => Just(1_u32), 1 => Just(2)];
    let item = (test(), loose(), times, loose()).prop_map(item_of);
    let row = prop_oneof![2 => vec(item.clone(), 1..2), 1 => vec(item, 1..4)];
    (row, any::<u8>()).prop_map(|(row, group)| if group < 32 { vec![in_group(row)] } else { row })
}

fn in_group(items: Vec<RandomItem>) -> RandomItem {
    let mut item = RandomItem::plain(RandomTest::Type(0));
    if let RandomKind::Step(_, once) = item.kind {
        let group = RandomGroup { named: false, items, without: None, within: None };
        item.kind = RandomKind::Group(group, once);
    }
    item
}

fn item_of(
    (test, contiguity, times, inner): (RandomTest, Contiguity, u32, Contiguity),
) -> RandomItem {
    let mut item = RandomItem { contiguity, ..RandomItem::plain(test) };
    if let RandomKind::Step(_, quantifier) = &mut item.kind {
        (quantifier.min, quantifier.inner) = (times, inner);
    }
    item
}

/// Returns an `and` or `of` of these operands, of which at least 2 have to come.
fn operands(rows: Vec<Vec<RandomItem>>, count: usize) -> RandomKind {
    let count = count % (rows.len() - 1) + 1;
    RandomKind::Alternatives(rows, count)
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
