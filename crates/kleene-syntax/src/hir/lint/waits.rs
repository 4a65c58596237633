//! Partial matches that wait for ever (`W0004`).
//!
//! Warned of: `a -> b` and `a ->[5m..] b` without `within`. Fine: `a ->[..5m] b` and `(a -> b within
//! 5m)`, which end by themselves, and `a -> next b`, where the next event decides. See
//! `bounded_waits.cep` and `sessions.cep` of `testdata/diagnostics/hir`.

use super::subject::{Findings, Subject, is_plain};
use crate::diagnostic::Code;
use crate::hir::{ConditionId, Contiguity, Item, ItemKind, LoopMode, Quantifier, Sequence};
use kleene_event::schema::TypeId;

pub(super) fn for_ever(rule: &Subject<'_>, findings: &mut Findings) {
    let Some(site) = rule.written.pattern.filter(|_| rule.written.is_sound) else { return };
    let body = &rule.pattern().body;
    // That nothing can time out was reported where `on timeout` is written.
    let is_reported = rule.rule.on_timeout.is_some() && !body.has_bounded_wait();
    let waits = rule.pattern().within.is_none() && may_wait(rule, body);
    if !is_reported && waits && !ends_by_itself(rule, body) {
        let message = "without `within`, a partial match waits forever";
        let help = "add the longest time that a match may take: `within 1h`";
        findings.warn(site, Code::NoWithin, message, help);
    }
}

/// True if the only wait of a pattern is for the end of a silence that is over by itself.
fn ends_by_itself(rule: &Subject<'_>, body: &Sequence) -> bool {
    let [before, last] = body.items.as_slice() else { return false };
    let (ItemKind::Not { condition, .. }, true) = (&last.kind, has_time(last)) else {
        return false;
    };
    match &before.kind {
        ItemKind::Step { quantifier, .. } if !quantifier.can_repeat() => true,
        // Nor does a session wait: its loop takes the events that would break its silence.
        _ => last.contiguity != Contiguity::Next && is_taken_by_loop(rule, before, *condition),
    }
}

/// True if a partial match can wait for an event that need not be the next.
///
/// `a -> next b` cannot: the next event decides. `a -> b` can, and so can `a{2}` between the two.
fn may_wait(rule: &Subject<'_>, sequence: &Sequence) -> bool {
    let waits = |(index, item): (usize, &Item)| {
        let is_loose = item.contiguity != Contiguity::Next;
        let is_open = item.gap.is_none_or(|gap| gap.max.is_none());
        let repeats = item.quantifier().is_some_and(|quantifier| {
            quantifier.can_repeat() && quantifier.inner != Contiguity::Next
        });
        match &item.kind {
            ItemKind::Step { .. } => index > 0 && is_loose && is_open || repeats,
            ItemKind::Not { .. } => !has_time(item) && is_loose,
            ItemKind::Group { body, within, .. } => {
                index > 0 && is_loose && is_open
                    || repeats
                    || within.is_none() && may_wait(rule, body)
            }
            ItemKind::Alternatives { branches, count } => {
                let is_over = *count == 1 && is_over_by_itself(rule, branches);
                let waits = *count > 1 || index > 0 && is_loose;
                !is_over && (waits || branches.iter().any(|branch| may_wait(rule, branch)))
            }
        }
    };
    // A leading `not` waits for nothing.
    let is_silent = sequence.items.first().is_some_and(Item::is_not);
    sequence.items[usize::from(is_silent)..].iter().enumerate().any(waits)
}

/// True if a `not` has a time of its own.
fn has_time(not: &Item) -> bool {
    not.gap.is_some_and(|gap| gap.max.is_some())
}

/// True if each event of the condition is one more repetition of a greedy loop of single events.
///
/// In `click+ -> not click for 30m`, no click can violate the `not`: the loop takes it.
fn is_taken_by_loop(rule: &Subject<'_>, item: &Item, not: ConditionId) -> bool {
    let is_loop = |quantifier: &Quantifier| {
        let Quantifier { min, max, mode, until, .. } = quantifier;
        *min == 1 && max.is_none() && *mode == LoopMode::Greedy && until.is_none()
    };
    if !item.quantifier().is_some_and(is_loop) {
        return false;
    }
    let taken_by: Vec<&Item> = match &item.kind {
        ItemKind::Step { .. } => vec![item],
        ItemKind::Group { body: Sequence { items, without: None }, within: None, .. } => {
            let [Item { kind: ItemKind::Alternatives { branches, count: 1 }, .. }] = &items[..]
            else {
                return false;
            };
            let single: Option<Vec<&Item>> = branches.iter().map(single_step).collect();
            single.unwrap_or_default()
        }
        _ => return false,
    };
    let is_taken = |ty| taken_by.iter().any(|item| takes_all(rule, item, ty));
    rule.alternatives(not).into_iter().all(|one| is_taken(one.ty))
}

/// True if one of the branches is a silence, and what would break it is one of the others.
///
/// In `a -> (b or not b for 5m)`, a `b` completes the group, and so does the time: no partial match
/// is left. In `a -> (b or not c for 5m)`, a `c` leaves one that waits for the `b`.
fn is_over_by_itself(rule: &Subject<'_>, branches: &[Sequence]) -> bool {
    let is_taken =
        |ty| branches.iter().filter_map(single_step).any(|single| takes_all(rule, single, ty));
    branches.iter().any(|branch| match branch.items.as_slice() {
        [item @ Item { kind: ItemKind::Not { condition, .. }, .. }] => {
            has_time(item) && rule.alternatives(*condition).into_iter().all(|one| is_taken(one.ty))
        }
        _ => false,
    })
}

/// Returns the only item of a branch, if it is a step that does not repeat.
fn single_step(branch: &Sequence) -> Option<&Item> {
    let [item] = branch.items.as_slice() else { return None };
    let ItemKind::Step { quantifier, .. } = &item.kind else { return None };
    (!quantifier.can_repeat()).then_some(item)
}

/// True if the item is a step that each event of the type fits.
fn takes_all(rule: &Subject<'_>, item: &Item, ty: Option<TypeId>) -> bool {
    let ItemKind::Step { condition, .. } = &item.kind else { return false };
    let fits = |own: Option<TypeId>| own.is_none() || own == ty;
    rule.alternatives(*condition).into_iter().any(|one| fits(one.ty) && is_plain(one))
}
