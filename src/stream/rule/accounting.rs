//! What all rules write to: counts, limits, what is over, and where this is in the order of outputs.

use crate::event::Event;
use crate::stream::error::PushError;
use crate::stream::limits::Limits;
use crate::stream::output::sink::Sink;
use crate::stream::rule::derived::Derived;
use crate::stream::shard::context::ShardContext;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// What all rules write to.
pub(in crate::stream) struct Accounting<E> {
    pub(in crate::stream) limits: Limits,
    pub(in crate::stream) stats: Stats,
    /// What rules have made for other rules, and no rule has seen yet.
    pub(in crate::stream) derived: Derived<E>,
    /// True if a rule is over for all keys (`once per rule`) and still holds something.
    pub(in crate::stream) has_ended_rules: bool,
    /// Why nothing is done any more.
    pub(in crate::stream) failure: Option<PushError>,
    /// What is this engine's part, where others have the same rules.
    pub(in crate::stream) share: Option<Box<ShardContext>>,
}

impl<E: Event> Accounting<E> {
    pub(in crate::stream) fn new(limits: Limits) -> Accounting<E> {
        let (stats, derived) = (Stats::default(), Derived::new());
        Accounting { limits, stats, derived, has_ended_rules: false, failure: None, share: None }
    }

    /// Whether there is more than limits over all rules and keys allow.
    #[inline]
    pub(in crate::stream) fn hold_too_much(&self) -> bool {
        // A key can be kept for the silence that it has broken alone.
        self.stats.partials.max(self.stats.keys) > self.limits.partials
            || self.stats.captured_bytes > self.limits.captured_bytes
    }

    /// Whether this engine reports what has nothing to do with keys.
    pub(in crate::stream) fn reports_all(&self) -> bool {
        self.share.as_ref().is_none_or(|share| share.is_first())
    }

    /// Says where what has nothing to do with keys stands when time has come to `watermark`.
    pub(in crate::stream) fn set_position<S: Sink<E> + ?Sized>(
        &self,
        watermark: Timestamp,
        sink: &mut S,
    ) {
        if let Some(share) = &self.share {
            sink.at(share.now(watermark));
        }
    }

    /// Says where what a rule makes of the event of now stands.
    pub(in crate::stream) fn set_position_of_event<S: Sink<E> + ?Sized>(&self, sink: &mut S) {
        if let Some(share) = &self.share {
            sink.at(share.position(false, 0));
        }
    }

    /// Notes the partial matches that are open now that an event was given to all rules.
    #[inline]
    pub(in crate::stream) fn note_open(&mut self) {
        self.stats.peak_partials = self.stats.peak_partials.max(self.stats.partials);
        if let Some(share) = &mut self.share {
            share.leave_event(self.stats.partials);
        }
    }
}
