//! Repairs of random patterns, so that fewer are refused.

use super::pattern::{
    RandomGroup, RandomItem, RandomKind, RandomLength, RandomPattern, RandomTest,
};
use kleene_syntax::hir::Contiguity;

impl RandomPattern {
    /// Returns the pattern without `not`s and gaps where they have no meaning, and with a bound
    /// where a `not` needs one.
    #[must_use]
    pub fn repaired(mut self) -> RandomPattern {
        repair(&mut self.items, true);
        let forbids = matches!(
            self.items.last(),
            Some(RandomItem { kind: RandomKind::Not(_), contiguity, .. })
                if *contiguity != Contiguity::Next
        );
        if forbids && self.within.is_none() {
            self.within = Some(RandomLength::Millis(9));
        }
        self
    }
}

pub(super) fn repair(items: &mut Vec<RandomItem>, top: bool) {
    let mut kept: Vec<RandomItem> = Vec::new();
    let mut last_is_not_at_end = None;
    for mut item in items.drain(..) {
        match &mut item.kind {
            RandomKind::Not(_) => {
                if kept.last().is_none_or(may_be_empty) {
                    continue;
                }
                // No `not` of a row has a time where a `next not` is in it.
                let is_next = |item: &RandomItem| item.contiguity == Contiguity::Next;
                let nots = kept.iter().rev();
                let nots = nots.take_while(|item| matches!(item.kind, RandomKind::Not(_)));
                let (length, any_next) = (nots.clone().count(), nots.clone().any(is_next));
                if length > 0 && (is_next(&item) || any_next) {
                    item.gap = None;
                    let first = kept.len() - length;
                    kept[first..].iter_mut().for_each(|not| not.gap = None);
                }
            }
            RandomKind::Alternatives(branches, _) => {
                branches.iter_mut().for_each(repair_branch);
            }
            RandomKind::Group(RandomGroup { items: inner, .. }, quantifier) => {
                repair(inner, false);
                if inner.iter().all(may_be_empty) && quantifier.more.is_none() {
                    quantifier.more = Some(1);
                    quantifier.until = None;
                }
            }
            RandomKind::Step(..) => {}
        }
        kept.push(item);
    }
    if !top {
        while kept.last().is_some_and(|item| matches!(item.kind, RandomKind::Not(_))) {
            last_is_not_at_end = kept.pop();
        }
    }
    // A sequence of nothing but nots becomes one step.
    if kept.is_empty() {
        let test = match last_is_not_at_end {
            Some(RandomItem { kind: RandomKind::Not(test), .. }) => test,
            _ => RandomTest::Type(0),
        };
        kept.push(RandomItem::plain(test));
    }
    // Before the first there is nothing to be far from.
    if let Some(first) = kept.first_mut() {
        first.gap = None;
    }
    *items = kept;
}

/// Makes a branch of alternatives one that has an event and does not end with a `not`.
pub(super) fn repair_branch(branch: &mut Vec<RandomItem>) {
    repair(branch, false);
    if branch.iter().all(may_be_empty) {
        require(branch);
    }
    end_with_event(branch);
}

/// Removes each `not` after which everything can be left out, in the last group, too.
fn end_with_event(items: &mut Vec<RandomItem>) {
    let is_not = |item: &RandomItem| matches!(item.kind, RandomKind::Not(_));
    let required = |item: &RandomItem| !may_be_empty(item) && !is_not(item);
    let last = items.iter().rposition(required).unwrap_or(0);
    let after = items.split_off(last + 1);
    items.extend(after.into_iter().filter(|item| !is_not(item)));
    for item in items.iter_mut().skip(last) {
        if let RandomKind::Group(group, _) = &mut item.kind {
            end_with_event(&mut group.items);
        }
    }
}

/// Makes the first item one that cannot be left out.
pub(super) fn require(items: &mut [RandomItem]) {
    match items.first_mut().map(|item| &mut item.kind) {
        Some(RandomKind::Step(_, quantifier)) => quantifier.optional = false,
        Some(RandomKind::Group(group, quantifier)) => {
            quantifier.optional = false;
            require(&mut group.items);
        }
        Some(RandomKind::Not(_) | RandomKind::Alternatives(..)) | None => {}
    }
}

fn is_optional(item: &RandomItem) -> bool {
    match &item.kind {
        RandomKind::Step(_, quantifier) | RandomKind::Group(_, quantifier) => quantifier.optional,
        RandomKind::Not(_) | RandomKind::Alternatives(..) => false,
    }
}

pub(super) fn may_be_empty(item: &RandomItem) -> bool {
    is_optional(item)
        || matches!(
            &item.kind,
            RandomKind::Group(group, _) if group.items.iter().all(may_be_empty)
        )
}
