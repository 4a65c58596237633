//! The check for a `not` without a meaning, which rule text refuses, too (E0407).

use crate::hir::{Contiguity, Item, ItemKind, Stage};
use crate::pattern::error::{PatternError, PatternErrorKind};
use crate::pattern::lower::can_be_empty;

/// Refuses each `not` of a sequence that reads no events or that depends on events that may not
/// come. `is_whole` is true if the sequence is the whole pattern, not a group.
pub(super) fn check(items: &[Item], is_whole: bool, stages: &[Stage]) -> Result<(), PatternError> {
    // A `not` that stands first is a silence before all, or one way of several.
    for (index, item) in items.iter().enumerate().skip(1) {
        let ItemKind::Not { stage, .. } = &item.kind else { continue };
        let Some(what) = misplaced(item, &items[index + 1..], is_whole) else { continue };
        let name = &stages[stage.index()].name;
        let message = format!("`not {name}`: {what}");
        return Err(PatternError::new(PatternErrorKind::MisplacedNot, Some(name), message));
    }
    Ok(())
}

/// Returns the mistake of a `not`, given the items behind it.
fn misplaced(item: &Item, rest: &[Item], is_whole: bool) -> Option<&'static str> {
    match rest {
        [] if !is_whole => Some("a group does not end with a `not`: put it behind the group"),
        [] => None,
        // What two times beside each other mean is refused with its own reason.
        [last] if last.is_not() && (item.gap.is_some() || last.gap.is_some()) => None,
        [last] if last.is_not() && is_whole && item.contiguity != Contiguity::Next => {
            Some("only the last `not` of a pattern counts: say both in one, with one closure")
        }
        [last] if last.is_not() && is_whole => {
            Some("only the last `not` of a pattern counts: put this one between two steps")
        }
        _ if rest.iter().all(can_be_empty) => {
            Some("what follows it can be left out: let a step behind it be required")
        }
        _ => None,
    }
}
