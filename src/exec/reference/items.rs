//! Questions about single items of a pattern.

use std::collections::BTreeSet;

use crate::hir::{
    ConditionId, Contiguity, Item, ItemKind, Length, LoopMode, Quantifier, Sequence, StageId,
};

/// What must not come and for how long, where a branch is a silence.
pub(super) fn silence(branch: &Sequence) -> Option<(StageId, ConditionId, Length)> {
    match branch.items.as_slice() {
        [Item { kind: ItemKind::Not { stage, condition }, gap, .. }] => {
            Some((*stage, *condition, (*gap)?.max?))
        }
        _ => None,
    }
}

/// The steps that the items capture events as.
pub(super) fn steps_of(items: &[Item], steps: &mut BTreeSet<StageId>) {
    for item in items {
        match &item.kind {
            ItemKind::Step { stage, .. } => {
                steps.insert(*stage);
            }
            ItemKind::Group { body, .. } => steps_of(&body.items, steps),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    steps_of(&branch.items, steps);
                }
            }
            ItemKind::Not { .. } => {}
        }
    }
}

pub(super) fn may_be_empty(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Step { quantifier, .. } => quantifier.optional,
        ItemKind::Group { quantifier, body, .. } => {
            quantifier.optional || body.items.iter().all(may_be_empty)
        }
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => false,
    }
}

/// True if the item is a `not` that speaks of all events up to the item after it.
pub(super) fn forbids(item: &Item) -> bool {
    item.is_not() && item.contiguity != Contiguity::Next
}

/// True if the stage is that of a `not` with a time of its own.
pub(super) fn has_time(sequence: &Sequence, not: StageId) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Not { stage, .. } => {
            let begins = !forbids(item) || item.gap.is_some_and(|gap| gap.max.is_some());
            *stage == not && begins
        }
        ItemKind::Group { body, .. } => has_time(body, not),
        // One that is a branch by itself begins elsewhere.
        ItemKind::Alternatives { branches, .. } => {
            branches.iter().any(|branch| silence(branch).is_none() && has_time(branch, not))
        }
        ItemKind::Step { .. } => false,
    })
}

/// True if what the item ends with is a greedy loop.
pub(super) fn takes_what_it_can(item: &Item) -> bool {
    let Quantifier { min, max, .. } = *quantifier(item);
    match &item.kind {
        ItemKind::Step { .. } | ItemKind::Group { .. } if max != Some(min) => {
            is_greedy(quantifier(item))
        }
        ItemKind::Group { body, .. } => body.items.last().is_some_and(takes_what_it_can),
        _ => false,
    }
}

pub(super) fn is_greedy(quantifier: &Quantifier) -> bool {
    matches!(quantifier.mode, LoopMode::Greedy | LoopMode::Longest)
}

pub(super) fn quantifier(item: &Item) -> &Quantifier {
    match &item.kind {
        ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => quantifier,
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => &Quantifier::ONCE,
    }
}
