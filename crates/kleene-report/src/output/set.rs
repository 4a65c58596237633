//! The set of matches that a result reports the size of.

use kleene::stream::MatchSet;
use kleene::{Event, Match};
use kleene_syntax::hir::Report;

/// Returns the set that a match belongs to, if its rule reports sets otherwise than match by match.
pub(super) fn set_of<'a, E: Event>(found: &Match<'a, E>) -> Option<MatchSet<'a, E>> {
    if found.rule().pattern.report == Report::All {
        return None;
    }
    Some(found.set()).filter(|set| set.count() > 0)
}
