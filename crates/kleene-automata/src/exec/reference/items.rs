//! Questions about single items of a pattern.

use std::collections::BTreeSet;

use kleene_syntax::hir::{
    ConditionId, Contiguity, Item, ItemKind, Length, LoopMode, Quantifier, Sequence, StepId,
};

/// Returns the step that must not come, its condition and its length, if the branch is a silence.
pub(super) fn silence(branch: &Sequence) -> Option<(StepId, ConditionId, Length)> {
    match branch.items.as_slice() {
        [Item { kind: ItemKind::Not { step, condition }, gap, .. }] => {
            Some((*step, *condition, (*gap)?.max?))
        }
        _ => None,
    }
}

/// The steps that the items capture events as.
pub(super) fn steps_of(items: &[Item], steps: &mut BTreeSet<StepId>) {
    for item in items {
        match &item.kind {
            ItemKind::Step { step, .. } => {
                steps.insert(*step);
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

/// True if the step belongs to a `not` with a time of its own.
pub(super) fn has_time(sequence: &Sequence, not: StepId) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Not { step, .. } => {
            let begins = !forbids(item) || item.gap.is_some();
            *step == not && begins
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
    match &item.kind {
        ItemKind::Step { .. } | ItemKind::Group { .. } if quantifier(item).varies() => {
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
