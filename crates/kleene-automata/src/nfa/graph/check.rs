//! Patterns that are refused here, because neither rule text nor the builder has refused them.
//!
//! Rule text refuses these patterns with a diagnostic, in `hir/lower/pattern` of `kleene-syntax`.
//! Here is the last line: the construction relies on it, so it holds of every pattern, wherever it
//! comes from. Rule text refuses more than the construction has to.
//!
//! ```text
//! refused                         why                                        laid out
//! not b -> a                      since when?                                not b for 5s -> a
//! a? -> not b -> c                nothing need come before the `not`         a -> not b -> c
//! a -> not b                      no event, no time shows that it is over    a -> not b for 5s
//! (a -> not b) -> c               up to what?                                (a -> not b -> c)
//! (b?)+                           repeats for ever without an event          (a -> b?)+
//! a or b?                         a branch without an event                  a or b
//! b{2.. longest} -> c             the loop is not last                       a -> b{2.. longest}
//! a+ -> (b or not c for 5s)       a silence with many beginnings             a{2} -> (b or ..)
//! ```
//!
//! The reference refuses the same: `the_matcher_refuses_what_the_reference_refuses` in
//! `tests/properties.rs`.

use std::sync::Arc;

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::quiet::silence;
use kleene_syntax::hir::{
    Contiguity, Gap, Item, ItemKind, Length, LoopMode, MAX_SILENCES, Pattern, Quantifier, Sequence,
    SkipStrategy, StepId,
};

/// The deepest nesting of groups.
/// The construction recurses into groups, so that the depth bounds the stack.
const MAX_DEPTH: usize = 64;

/// The part of the pattern that contains a sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Nesting {
    /// The sequence is the pattern's own.
    Pattern,
    /// The sequence belongs to a group, or is a branch.
    Group,
}

/// Refuses patterns that have no sensible meaning.
pub(super) fn check(pattern: &Pattern) -> Result<(), AutomatonError> {
    let within = pattern.within.and_then(Length::as_millis);
    if within.is_some_and(|within| within <= 0) {
        return Err(AutomatonError::new(Refusal::BadBound));
    }
    check_sequence(pattern, &pattern.body, 0)?;
    if let SkipStrategy::ToFirst(step) | SkipStrategy::ToLast(step) = pattern.skip.strategy {
        // A `not` captures nothing, so skipping to it would drop nothing.
        if step.index() >= pattern.steps.len() {
            return Err(AutomatonError::new(Refusal::UnknownSkipTarget));
        }
    }
    Ok(())
}

fn check_sequence(
    pattern: &Pattern,
    sequence: &Sequence,
    depth: usize,
) -> Result<(), AutomatonError> {
    let items = &sequence.items;
    let nesting = if depth == 0 { Nesting::Pattern } else { Nesting::Group };
    let error = |kind| Err(AutomatonError::new(kind));
    if depth > MAX_DEPTH {
        return error(Refusal::TooLarge);
    }
    if items.is_empty() {
        return error(Refusal::Empty);
    }
    for (index, item) in items.iter().enumerate() {
        let last = index + 1 == items.len();
        if item.gap.is_some_and(is_bad_gap) {
            return error(Refusal::BadBound);
        }
        match &item.kind {
            ItemKind::Not { step, .. } => {
                check_not(pattern, items, index, *step, nesting)?;
            }
            ItemKind::Step { step, quantifier, .. } => {
                let name = &pattern.steps[step.index()].name;
                check_quantifier(quantifier, name)?;
                if quantifier.mode == LoopMode::Longest && !(nesting == Nesting::Pattern && last) {
                    return error(Refusal::LongestNotLast(name.clone()));
                }
            }
            ItemKind::Group { body, quantifier, within, .. } => {
                check_quantifier(quantifier, &"(...)".into())?;
                if within.and_then(Length::as_millis).is_some_and(|within| within <= 0) {
                    return error(Refusal::BadBound);
                }
                check_sequence(pattern, body, depth + 1)?;
                // The joint of `(b?)+` would lead back to itself without an event. `(b?){2}` is
                // finite.
                if quantifier.is_unbounded() && body.items.iter().all(Item::is_nullable) {
                    return error(Refusal::EmptyLoop);
                }
                if quantifier.mode == LoopMode::Longest {
                    return error(Refusal::LongestNotLast("(...)".into()));
                }
            }
            ItemKind::Alternatives { branches, count } => {
                if *count == 0 || *count > branches.len() {
                    return error(Refusal::BadCount);
                }
                check_silences(pattern, items, index, nesting)?;
                // A branch that is a silence has no sequence to check: `check_silences` has seen
                // it.
                for branch in branches.iter().filter(|branch| silence(branch).is_none()) {
                    check_sequence(pattern, branch, depth + 1)?;
                    // The end of a branch is not the end of the pattern: no time decides about a
                    // `not` there. A branch without an event would be done before the group has
                    // begun.
                    if ends_with_not(branch) || branch.items.iter().all(Item::is_nullable) {
                        return error(Refusal::EmptyAlternative);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Refuses a `not` that has no meaning at `items[index]`.
fn check_not(
    pattern: &Pattern,
    items: &[Item],
    index: usize,
    step: StepId,
    nesting: Nesting,
) -> Result<(), AutomatonError> {
    let item = &items[index];
    let last = index + 1 == items.len();
    // A `next not` may end a group: it tests the event that comes after the group.
    let is_next = item.contiguity == Contiguity::Next;
    let error = |kind: fn(Arc<str>) -> Refusal| {
        Err(AutomatonError::new(kind(pattern.steps[step.index()].name.clone())))
    };
    let timed = is_silence(item);
    // `not b for 5s -> not x -> c` is a row, in which each begins when the one before is over. A
    // `next not` tests one event, which is no end of a time; and before the first event nothing
    // marks where one `not` ends and the other begins.
    let beside = items.get(index + 1).filter(|next| next.is_not());
    // They follow each other, but for a `next not`, and before the first event.
    let is_next_not = |item: &Item| item.contiguity == Contiguity::Next;
    if beside.is_some_and(|next| {
        (timed || is_silence(next)) && (index == 0 || is_next || is_next_not(next))
    }) {
        return error(Refusal::SilenceBesideNot);
    }
    if index == 0 {
        // A leading `not` needs a time of its own.
        if nesting == Nesting::Pattern && timed && !last && !is_next {
            return Ok(());
        }
        return error(Refusal::MisplacedNot);
    }
    if last && nesting == Nesting::Group && !is_next {
        return error(Refusal::MisplacedNot);
    }
    // Without an event before it, the `not` would stand after nothing.
    if items[index - 1].is_nullable() {
        return error(Refusal::NotAfterOptional);
    }
    let bounded = pattern.within.is_some() || timed;
    if last && !is_next && !bounded {
        return error(Refusal::UnboundedNot);
    }
    Ok(())
}

/// True if the sequence can end with a `not`: what comes after the `not` can be left out.
fn ends_with_not(sequence: &Sequence) -> bool {
    for item in sequence.items.iter().rev() {
        let ends = match &item.kind {
            ItemKind::Not { .. } => true,
            ItemKind::Group { body, .. } => ends_with_not(body),
            ItemKind::Step { .. } | ItemKind::Alternatives { .. } => false,
        };
        if ends || !item.is_nullable() {
            return ends;
        }
    }
    false
}

/// Refuses silences as branches of `items[index]` if it is not certain when they begin, or which
/// items follow them.
fn check_silences(
    pattern: &Pattern,
    items: &[Item],
    index: usize,
    nesting: Nesting,
) -> Result<(), AutomatonError> {
    let item = &items[index];
    let silences: Vec<(StepId, Length)> = silences(item).collect();
    let Some(&(step, _)) = silences.first() else { return Ok(()) };
    let name = pattern.steps[step.index()].name.clone();
    let beside = |item: &Item| item.is_not() || self::silences(item).next().is_some();
    let (before, after) = items.split_at(index);
    let after = &after[1..];
    if before.last().is_some_and(beside) || after.first().is_some_and(beside) {
        return Err(AutomatonError::new(Refusal::SilenceBesideNot(name)));
    }
    let is_next = |item: &Item| item.contiguity == Contiguity::Next;
    let has_end = silences.iter().all(|(_, time)| time.as_millis().is_some());
    // A silence has one beginning, the event before the group. After `a+`, each further `a` would
    // be one; after `a{2}`, only the second is.
    let begins = before.last().is_some_and(|before| !can_go_on(before));
    // In `a -> (b or not c for 5s) -> d?`, the end of the silence would complete the match, and the
    // `d` would still be waited for.
    let can_be_last = after.is_empty() || !after.iter().all(Item::is_nullable);
    if nesting == Nesting::Group
        || !begins
        || !can_be_last
        || is_next(item)
        || item.gap.is_some()
        || silences.len() > 1 && !has_end
    {
        return Err(AutomatonError::new(Refusal::MisplacedSilence(name)));
    }
    // The silence that a branch is has its time as a gap from zero. Any other gap would lead to an
    // event, which the branch does not have.
    let says_more = |gap: Gap| gap.min != Length::ZERO || is_bad_gap(gap);
    let bad = |item: &Item| is_next(item) || item.gap.is_some_and(says_more);
    let ItemKind::Alternatives { branches, .. } = &item.kind else { return Ok(()) };
    for branch in branches.iter().filter(|branch| silence(branch).is_some()) {
        if branch.without.is_some() || branch.items.iter().any(bad) {
            return Err(AutomatonError::new(Refusal::MisplacedSilence(name)));
        }
    }
    if silences.len() > MAX_SILENCES {
        return Err(AutomatonError::new(Refusal::TooLarge));
    }
    Ok(())
}

/// Returns the silences among the branches of an item.
fn silences(item: &Item) -> impl Iterator<Item = (StepId, Length)> {
    let branches = if let ItemKind::Alternatives { branches, .. } = &item.kind {
        branches.as_slice()
    } else {
        &[]
    };
    branches.iter().filter_map(|branch| match branch.items.first()?.kind {
        ItemKind::Not { step, .. } => Some((step, silence(branch)?)),
        _ => None,
    })
}

/// True if an item can take more events while the item after it is waited for.
fn can_go_on(item: &Item) -> bool {
    let at_end = |body: &Sequence| body.items.last().is_some_and(can_go_on);
    match &item.kind {
        ItemKind::Step { quantifier, .. } => quantifier.varies(),
        ItemKind::Group { quantifier, body, .. } => quantifier.varies() || at_end(body),
        ItemKind::Alternatives { branches, .. } => branches.iter().any(at_end),
        // A `not` tests the event that comes next.
        ItemKind::Not { .. } => true,
    }
}

/// True if the item is a `not` with a time of its own.
fn is_silence(item: &Item) -> bool {
    item.is_not() && item.gap.is_some()
}

fn is_bad_gap(gap: Gap) -> bool {
    let min = gap.min.as_millis();
    let max = gap.max.and_then(Length::as_millis);
    min.is_some_and(|min| min < 0) || max.is_some_and(|max| max < min.unwrap_or(0))
}

fn check_quantifier(quantifier: &Quantifier, name: &Arc<str>) -> Result<(), AutomatonError> {
    if quantifier.min == 0 || quantifier.max.is_some_and(|max| max < quantifier.min) {
        return Err(AutomatonError::new(Refusal::BadQuantifier(name.clone())));
    }
    if quantifier.until.is_some() && !quantifier.is_unbounded() {
        return Err(AutomatonError::new(Refusal::UntilWithoutLoop(name.clone())));
    }
    Ok(())
}
