//! The state that all rules write to: counts, limits, ended rules, and the position of outputs.

use crate::stream::error::PushError;
use crate::stream::limits::EngineLimits;
use crate::stream::output::receiver::Receiver;
use crate::stream::rule::derived::Derived;
use crate::stream::shard::context::ShardContext;
use crate::stream::stats::Stats;
use kleene_automata::exec::OutcomeKind;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The state that all rules write to.
pub(in crate::stream) struct Accounting<E> {
    pub(in crate::stream) limits: EngineLimits,
    pub(in crate::stream) stats: Stats,
    /// The derived events that no rule has read yet.
    pub(in crate::stream) derived: Derived<E>,
    /// True if a rule is over for all keys (`once per rule`) and still has state.
    pub(in crate::stream) has_ended_rules: bool,
    /// The error that stopped the engine.
    pub(in crate::stream) failure: Option<PushError>,
    /// This engine's part, if it is one of several shards.
    pub(in crate::stream) share: Option<Box<ShardContext>>,
}

impl<E: Event> Accounting<E> {
    pub(in crate::stream) fn new(limits: EngineLimits) -> Accounting<E> {
        let (stats, derived) = (Stats::default(), Derived::new());
        Accounting { limits, stats, derived, has_ended_rules: false, failure: None, share: None }
    }

    /// True if a limit over all rules and keys is exceeded.
    #[inline]
    pub(in crate::stream) fn hold_too_much(&self) -> bool {
        // A key can have no partial match and only the last violation of a leading `not`. What the
        // groups of the compact form stand for takes no memory; their graphs are among the bytes.
        self.stats.partials.max(self.stats.keys) > self.limits.partials
            || self.stats.captured_bytes > self.limits.captured_bytes
    }

    /// True if this engine reports outputs that do not depend on keys.
    pub(in crate::stream) fn reports_all(&self) -> bool {
        self.share.as_ref().is_none_or(|share| share.is_first())
    }

    /// Reports to the sink the position of outputs that do not depend on keys, at this `watermark`.
    pub(in crate::stream) fn set_position<S: Receiver<E> + ?Sized>(
        &self,
        watermark: Timestamp,
        sink: &mut S,
    ) {
        if let Some(share) = &self.share {
            sink.at(share.now(watermark));
        }
    }

    /// Reports to the sink the position of a rule's outputs for the current event.
    pub(in crate::stream) fn set_position_of_event<S: Receiver<E> + ?Sized>(&self, sink: &mut S) {
        if let Some(share) = &self.share {
            sink.at(share.position(OutcomeKind::Timeout, 0));
        }
    }

    /// Returns the number of the event that came last, from 0.
    pub(in crate::stream) fn arrival(&self) -> u64 {
        self.stats.events.saturating_sub(1)
    }

    /// Records the number of open partial matches after an event went to all rules.
    #[inline]
    pub(in crate::stream) fn note_open(&mut self) {
        let open = self.stats.open();
        self.stats.peak_partials = self.stats.peak_partials.max(open);
        if let Some(share) = &mut self.share {
            share.leave_event(open);
        }
    }
}
