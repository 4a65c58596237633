//! The counts of an engine.

use std::iter::Sum;

use kleene_automata::exec::OpenCount;

/// Counts since an engine was built, and the size of its current state. Reading them costs nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that were pushed, including late and rejected ones.
    pub events: u64,
    /// Matches that were reported.
    pub matches: u64,
    /// Timeouts that were reported.
    pub timeouts: u64,
    /// Matches that were not reported because the condition of their rule's `having` does not hold.
    pub filtered: u64,
    /// Matches that were not reported because of a rule's `suppress`.
    pub suppressed: u64,
    /// Partial matches that were dropped because their rule or their key is over (`once`).
    pub ended: u64,
    /// Events that rules made for others (`emit as`).
    pub derived: u64,
    /// Events that came too late.
    pub late: u64,
    /// Events that were rejected.
    pub rejected: u64,
    /// Events of types that the rules do not declare.
    pub unknown: u64,
    /// Events that a rule skipped because a part of its key is null or missing.
    pub keyless: u64,
    /// Divisions by zero in expressions; the result is null. Each evaluation of a condition, an
    /// aggregate's argument or an emit counts.
    pub divided_by_zero: u64,
    /// Texts, lists or records that would exceed 16 MiB or 256 levels; the result is null. Each
    /// evaluation counts.
    pub values_too_large: u64,
    /// Limits that were reached; each time counts.
    pub overflowed: u64,
    /// Partial matches that are open now, over all rules and keys. A partial match is a list of
    /// captured events that could still grow. It counts once, no matter in how many ways it can
    /// grow, with every [strategy](kleene_automata::nfa::Strategy).
    ///
    /// `u64::MAX` means that many or more: the compact form can represent any number. A rule that
    /// reports no timeouts may count partial matches for a while after their deadline, until
    /// [`Engine::sweep`](crate::stream::Engine::sweep).
    pub partials: u64,
    /// The greatest number of open partial matches after any event, counted as
    /// [`partials`](Stats::partials).
    pub peak_partials: u64,
    /// Events that wait now: in the reorder buffer, or made by a rule (`emit as`) and not yet due.
    pub buffered: u64,
    /// Size of the events that wait now, in bytes by
    /// [`Event::heap_size`](kleene_event::event::Event::heap_size).
    pub buffered_bytes: u64,
    /// Approximate size of the events that partial matches have captured and of the values that
    /// rules collected from them, in bytes. An event that several partial matches of a rule share
    /// counts once. Keys in a [cold store](crate::stream::ColdStore) do not count.
    pub captured_bytes: u64,
    /// Keys with state now, over all rules.
    pub keys: u64,
    /// Keys in a [cold store](crate::stream::ColdStore) now. They are part of
    /// [`keys`](Stats::keys).
    pub cold: u64,
    /// The partial matches that groups of the compact form stand for, which are in `partials` for
    /// hosts only. A sum of counts of 64 bits fits.
    pub(crate) grouped: u128,
}

impl Stats {
    /// Returns the number of open partial matches, at most `u64::MAX`.
    #[inline(always)]
    pub(crate) fn open(&self) -> u64 {
        if self.grouped == 0 {
            return self.partials;
        }
        self.partials.saturating_add(u64::try_from(self.grouped).unwrap_or(u64::MAX))
    }

    /// Returns the counts for a host: `partials` counts what groups stand for, too.
    pub(in crate::stream) fn shown(self) -> Stats {
        Stats { partials: self.open(), grouped: 0, ..self }
    }

    /// Counts the change of a key's partial matches from `before` to `after`.
    #[inline(always)]
    pub(in crate::stream) fn count(&mut self, before: OpenCount, after: OpenCount) {
        self.partials = self.partials + after.listed as u64 - before.listed as u64;
        if before.grouped != after.grouped {
            let grown = self.grouped + u128::from(after.grouped);
            self.grouped = grown.saturating_sub(before.grouped.into());
        }
    }

    /// Returns the counters over time in the order of snapshots. The sizes of current state are not
    /// among them.
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

/// Adds the counts of several engines. The sum of the peaks is an upper bound of the common peak.
impl Sum for Stats {
    fn sum<I: Iterator<Item = Stats>>(all: I) -> Stats {
        all.fold(Stats::default(), |sum, stats| Stats {
            events: sum.events + stats.events,
            matches: sum.matches + stats.matches,
            timeouts: sum.timeouts + stats.timeouts,
            filtered: sum.filtered + stats.filtered,
            suppressed: sum.suppressed + stats.suppressed,
            ended: sum.ended.saturating_add(stats.ended),
            derived: sum.derived + stats.derived,
            late: sum.late + stats.late,
            rejected: sum.rejected + stats.rejected,
            unknown: sum.unknown + stats.unknown,
            keyless: sum.keyless + stats.keyless,
            divided_by_zero: sum.divided_by_zero + stats.divided_by_zero,
            values_too_large: sum.values_too_large + stats.values_too_large,
            overflowed: sum.overflowed + stats.overflowed,
            partials: sum.partials.saturating_add(stats.partials),
            peak_partials: sum.peak_partials.saturating_add(stats.peak_partials),
            buffered: sum.buffered + stats.buffered,
            buffered_bytes: sum.buffered_bytes + stats.buffered_bytes,
            captured_bytes: sum.captured_bytes + stats.captured_bytes,
            keys: sum.keys + stats.keys,
            cold: sum.cold + stats.cold,
            grouped: sum.grouped + stats.grouped,
        })
    }
}
