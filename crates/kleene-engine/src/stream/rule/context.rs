//! The context of a rule's call: the parts of the engine that a rule reads and writes.

use crate::stream::keys::reader::KeyReader;
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::timers::Timers;
use crate::stream::stats::Stats;
use kleene_automata::exec::{PrefilterOutcome, PushedEvent};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// An event that is pushed to a rule, with what the rule writes to.
pub(in crate::stream) struct PushContext<'c, E: Event, S: ?Sized> {
    /// The number of the rule.
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) event: &'c E,
    /// What is known of the event.
    pub(in crate::stream) prefilter: PrefilterOutcome,
    /// The sequence number of the event.
    pub(in crate::stream) seq: u64,
    pub(in crate::stream) timers: &'c mut Timers,
    pub(in crate::stream) accounting: &'c mut Accounting<E>,
    pub(in crate::stream) sink: &'c mut S,
}

impl<'c, E: Event, S: ?Sized> PushContext<'c, E, S> {
    /// Returns the event as a matcher reads it.
    #[inline(always)]
    pub(in crate::stream) fn arrival(&self) -> PushedEvent<'c, E> {
        PushedEvent { event: self.event, seq: self.seq, prefilter: self.prefilter }
    }

    /// Returns a copy for a call that is not inlined. The original then stays in registers.
    #[inline(always)]
    pub(in crate::stream) fn reborrow(&mut self) -> PushContext<'_, E, S> {
        let PushContext { rule, event, prefilter, seq, timers, accounting, sink } = self;
        let (rule, prefilter, seq) = (*rule, *prefilter, *seq);
        PushContext { rule, event, prefilter, seq, timers, accounting, sink }
    }
}

/// What is known of all events of a type that only one rule reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct OnlyReader {
    /// True if slots can be retained for keys without state: there are sweeps, and no event of the
    /// group's keys takes another path.
    pub(in crate::stream) retains: bool,
    /// True if an event can start a partial match.
    pub(in crate::stream) can_start: bool,
}

/// The key of an event: its reader, its hash, and its slot if there is one.
pub(in crate::stream) struct KeyPlace<'c, E> {
    pub(in crate::stream) reader: &'c KeyReader<E>,
    pub(in crate::stream) hash: u32,
    pub(in crate::stream) slot: Option<u32>,
}

/// The context of a deadline or sweep: the moment, and the parts of the engine that the rule writes
/// to.
pub(in crate::stream) struct SweepContext<'c> {
    /// The number of the rule.
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) now: Timestamp,
    pub(in crate::stream) timers: &'c mut Timers,
    pub(in crate::stream) stats: &'c mut Stats,
}
