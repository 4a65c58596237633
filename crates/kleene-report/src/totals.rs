//! The counts of a run: those of the engine and all others.

use kleene::stream::Stats;
use serde::Serialize;

use crate::counts::Counts;
pub use crate::counts::UnknownType;

/// The counts of a run, in the order in which a summary shows them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Events of all types.
    pub events: u64,
    /// Matches that were reported.
    pub matches: u64,
    /// Timeouts that were reported.
    pub timeouts: u64,
    /// Matches that `having` did not let pass.
    pub filtered: u64,
    /// Matches that `suppress` held back.
    pub suppressed: u64,
    /// Partial matches of keys that `once` ended.
    pub ended: u64,
    /// Events that came too late.
    pub late: u64,
    /// Lines and events that could not be taken.
    pub rejected: u64,
    /// Events of types that no rule file declares.
    pub unknown: u64,
    /// These types, the most frequent first.
    pub unknown_types: Vec<UnknownType>,
    /// Events without a key.
    pub keyless: u64,
    /// Events that rules made for other rules.
    pub derived: u64,
    /// Divisions by zero.
    pub divided_by_zero: u64,
    /// Values that were too large, and are null.
    pub values_too_large: u64,
    /// Partial matches that are open.
    pub still_open: u64,
    /// Events that wait for others before them.
    pub buffered: u64,
    /// The largest number of open partial matches.
    pub peak_partials: u64,
    /// How often a limit was reached.
    pub limits_reached: u64,
}

impl Totals {
    /// Adds up the counts of an engine and those of what gave it events.
    pub fn new(stats: &Stats, counts: &Counts) -> Totals {
        Totals {
            events: stats.events + counts.unknown,
            matches: stats.matches,
            timeouts: stats.timeouts,
            filtered: stats.filtered,
            suppressed: stats.suppressed,
            ended: stats.ended,
            late: stats.late,
            rejected: stats.rejected + counts.rejected,
            unknown: stats.unknown + counts.unknown,
            unknown_types: counts.by_type(),
            keyless: stats.keyless,
            derived: stats.derived,
            divided_by_zero: stats.divided_by_zero,
            values_too_large: stats.values_too_large,
            still_open: stats.partials,
            buffered: stats.buffered,
            peak_partials: stats.peak_partials,
            limits_reached: stats.overflowed,
        }
    }
}
