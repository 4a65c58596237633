//! What an engine counts.

use std::iter::Sum;

/// Counts since an engine was built, and what it holds now. Reading them costs nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that were pushed, whatever became of them.
    pub events: u64,
    /// Matches that were reported.
    pub matches: u64,
    /// Timeouts that were reported.
    pub timeouts: u64,
    /// Matches that were not reported because the condition of their rule's `having` does not hold.
    pub filtered: u64,
    /// Matches that were not reported because of a rule's `suppress`.
    pub suppressed: u64,
    /// Partial matches that were given up because their rule, or its key, is over (`once`).
    pub ended: u64,
    /// Events that rules made for others (`emit as`).
    pub derived: u64,
    /// Events that came too late.
    pub late: u64,
    /// Events that could not be taken.
    pub rejected: u64,
    /// Events of types that the rules do not declare.
    pub unknown: u64,
    /// Events that were not in the streams of some rule because their key is null or missing.
    pub keyless: u64,
    /// How often an expression divided by zero, which gives null: each time that a condition, an
    /// aggregate's argument or an emit is computed counts.
    pub divided_by_zero: u64,
    /// How often a rule would have made a text, list or record of more than 16 MiB or 256 levels,
    /// which gives null: counted in the same way.
    pub values_too_large: u64,
    /// How often a limit was reached.
    pub overflowed: u64,
    /// Partial matches that are open now. Where a rule reports nothing when time runs out, those whose
    /// time is over count for a while yet.
    pub partials: u64,
    /// The most partial matches that were ever open after an event.
    pub peak_partials: u64,
    /// Events that wait now: in the reorder buffer, or made by a rule until their moment is over.
    pub buffered: u64,
    /// Bytes of the events that wait now, as [`Event::heap_size`](crate::Event::heap_size) says.
    pub buffered_bytes: u64,
    /// Bytes of the events that partial matches have captured now, about, and of what rules have
    /// collected of them. What several partial matches of a rule share counts once, what a
    /// [cold store](crate::stream::ColdStore) keeps not at all.
    pub captured_bytes: u64,
    /// Keys with something open now, over all rules.
    pub keys: u64,
    /// Those of them that are kept by a [cold store](crate::stream::ColdStore).
    pub cold: u64,
}

impl Stats {
    /// What is counted over time, in the order of snapshots; what is held now is not among them.
    pub(crate) fn counters_mut(&mut self) -> [&mut u64; 15] {
        [
            &mut self.events,
            &mut self.matches,
            &mut self.timeouts,
            &mut self.suppressed,
            &mut self.derived,
            &mut self.late,
            &mut self.rejected,
            &mut self.unknown,
            &mut self.keyless,
            &mut self.divided_by_zero,
            &mut self.overflowed,
            &mut self.peak_partials,
            &mut self.values_too_large,
            &mut self.filtered,
            &mut self.ended,
        ]
    }
}

/// What several engines count together; the peak is at most as high as the sum of theirs.
impl Sum for Stats {
    fn sum<I: Iterator<Item = Stats>>(all: I) -> Stats {
        all.fold(Stats::default(), |sum, stats| Stats {
            events: sum.events + stats.events,
            matches: sum.matches + stats.matches,
            timeouts: sum.timeouts + stats.timeouts,
            filtered: sum.filtered + stats.filtered,
            suppressed: sum.suppressed + stats.suppressed,
            ended: sum.ended + stats.ended,
            derived: sum.derived + stats.derived,
            late: sum.late + stats.late,
            rejected: sum.rejected + stats.rejected,
            unknown: sum.unknown + stats.unknown,
            keyless: sum.keyless + stats.keyless,
            divided_by_zero: sum.divided_by_zero + stats.divided_by_zero,
            values_too_large: sum.values_too_large + stats.values_too_large,
            overflowed: sum.overflowed + stats.overflowed,
            partials: sum.partials + stats.partials,
            peak_partials: sum.peak_partials + stats.peak_partials,
            buffered: sum.buffered + stats.buffered,
            buffered_bytes: sum.buffered_bytes + stats.buffered_bytes,
            captured_bytes: sum.captured_bytes + stats.captured_bytes,
            keys: sum.keys + stats.keys,
            cold: sum.cold + stats.cold,
        })
    }
}
