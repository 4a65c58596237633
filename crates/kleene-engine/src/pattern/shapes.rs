//! The checks for shapes without a meaning, which rule text refuses, too: a misplaced `not` (E0407)
//! and a repeated group that can be empty (E0408).

use crate::pattern::error::PatternError;
use kleene_syntax::hir::{Contiguity, Item, ItemKind, Pattern, Sequence, Step, StepId};

const EMPTY_LOOP: &str = "a group that can be empty is repeated: make a step inside required";

const EARLY_GAP: &str =
    "nothing comes before the gap: put the gap before the group instead of inside it";

/// Refuses each `not` of a sequence that reads no events or that depends on events that may not
/// come, and each repeated group that can be empty.
pub(super) fn check(
    items: &[Item],
    extent: SequenceExtent,
    steps: &[Step],
) -> Result<(), PatternError> {
    if let Some((step, what)) = misplaced_of(items, extent) {
        let name = &steps[step.index()].name;
        let message = format!("`not {name}`: {what}");
        return Err(PatternError::new(Some(name), message));
    }
    if items.iter().any(is_empty_loop) {
        return Err(PatternError::new(None, EMPTY_LOOP.to_owned()));
    }
    Ok(())
}

/// The extent of a sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SequenceExtent {
    /// The whole pattern.
    Whole,
    /// A group or a branch.
    Group,
}

impl SequenceExtent {
    /// Returns the extent of a sequence by the number of groups around it.
    pub(super) fn at(depth: usize) -> SequenceExtent {
        if depth == 0 { SequenceExtent::Whole } else { SequenceExtent::Group }
    }
}

/// Returns why rule text and the builder refuse a shape of the pattern, if they do.
pub fn refused_shape(pattern: &Pattern) -> Option<&'static str> {
    fn within(sequence: &Sequence, extent: SequenceExtent) -> Option<&'static str> {
        let own = misplaced_of(&sequence.items, extent).map(|(_, what)| what);
        let starts = extent == SequenceExtent::Group && starts_in_gap(&sequence.items);
        own.or(starts.then_some(EARLY_GAP)).or_else(|| sequence.items.iter().find_map(below))
    }
    fn below(item: &Item) -> Option<&'static str> {
        match &item.kind {
            _ if is_empty_loop(item) => Some(EMPTY_LOOP),
            ItemKind::Step { .. } | ItemKind::Not { .. } => None,
            ItemKind::Group { body, .. } => within(body, SequenceExtent::Group),
            ItemKind::Alternatives { branches, .. } => {
                branches.iter().find_map(|branch| within(branch, SequenceExtent::Group))
            }
        }
    }
    within(&pattern.body, SequenceExtent::Whole)
}

/// True if a gap leads to the first item, which has nothing before it in its group.
fn starts_in_gap(items: &[Item]) -> bool {
    items.first().is_some_and(|first| first.gap.is_some() && !first.is_not())
}

fn is_empty_loop(item: &Item) -> bool {
    let ItemKind::Group { body, quantifier, .. } = &item.kind else { return false };
    quantifier.max != Some(1) && body.items.iter().all(can_be_empty)
}

/// True if an item matches no event at all.
pub(super) fn can_be_empty(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Step { quantifier, .. } => quantifier.optional,
        ItemKind::Not { .. } => true,
        ItemKind::Group { quantifier, body, .. } => {
            quantifier.optional || body.items.iter().all(can_be_empty)
        }
        ItemKind::Alternatives { .. } => false,
    }
}

/// Returns the first `not` of a sequence that is misplaced, and why.
fn misplaced_of(items: &[Item], extent: SequenceExtent) -> Option<(StepId, &'static str)> {
    // A `not` that stands first is a silence before all, or one way of several.
    items.iter().enumerate().skip(1).find_map(|(index, item)| {
        let ItemKind::Not { step, .. } = &item.kind else { return None };
        let what = misplaced(item, &items[index + 1..], extent)?;
        Some((*step, what))
    })
}

/// Returns the mistake of a `not`, given the items after it.
fn misplaced(item: &Item, rest: &[Item], extent: SequenceExtent) -> Option<&'static str> {
    match rest {
        [] if extent == SequenceExtent::Group => {
            Some("a group can't end with a `not`: put it after the group")
        }
        [] => None,
        // Two times beside each other are refused elsewhere, with a reason of their own.
        [last] if last.is_not() && (item.gap.is_some() || last.gap.is_some()) => None,
        [last]
            if last.is_not()
                && extent == SequenceExtent::Whole
                && item.contiguity != Contiguity::Next =>
        {
            Some("a pattern can end with only one `not`: test both in one closure")
        }
        [last] if last.is_not() && extent == SequenceExtent::Whole => {
            Some("a pattern can end with only one `not`: put this one between two steps")
        }
        _ if rest.iter().all(can_be_empty) => {
            Some("everything after it is optional: make a step after it required")
        }
        _ => None,
    }
}
