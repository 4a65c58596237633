//! Questions about single items of a pattern.
//!
//! These need no position and no event. They look at one item, or down into it, and never at its
//! neighbours: what depends on the neighbours is in `nots`, and on the groups around in `tree`.
//!
//! An example, for the items of `a -> (b? -> c*) -> not d for 5s`:
//! ```text
//! item                 may_be_empty   takes_what_it_can    forbids   has a time
//! a                    no             no                   no        no
//! (b? -> c*)           yes: both are  yes: ends in `c*`    no        no
//! not d for 5s         no             no                   yes       yes
//! ```
//!
//! Which test holds it: those of the moves that ask these questions; see [`super`].

use std::collections::BTreeSet;

use kleene_syntax::hir::{
    ConditionId, Contiguity, Item, ItemKind, Length, LoopMode, Quantifier, Sequence, StepId,
};

/// Returns the step that must not come, its condition and its length, if the branch is a silence.
///
/// A branch is a silence if it is a single `not` with an end. It captures nothing, so it has no
/// position of its own: its progress is `Quiet`, `Broken` or `Done`.
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

/// A `not` is not empty in this sense. It captures nothing, but it is waited for.
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

/// `longest` reports less often, but takes events by the same rule.
pub(super) fn is_greedy(quantifier: &Quantifier) -> bool {
    matches!(quantifier.mode, LoopMode::Greedy | LoopMode::Longest)
}

pub(super) fn quantifier(item: &Item) -> &Quantifier {
    match &item.kind {
        ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => quantifier,
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => &Quantifier::ONCE,
    }
}
