//! Partial matches of plain patterns.

use super::clauses::{ClauseRule, Found};
use super::rule::Event;

/// Returns the matches that `skip` leaves and the timeouts.
pub(super) fn found(_rule: &ClauseRule, _events: &[Event], _end: i64) -> Option<Vec<Found>> {
    None
}
