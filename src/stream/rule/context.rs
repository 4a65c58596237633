//! What a rule needs of the engine while an event, or time, is with it.

use crate::event::Event;
use crate::exec::Checked;
use crate::hir::expr::FieldRef;
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::timers::Timers;
use crate::stream::stats::Stats;
use crate::time::Timestamp;

/// An event that is pushed to a rule, with what the rule writes to.
pub(in crate::stream) struct PushContext<'c, E: Event, S: ?Sized> {
    /// The number of the rule.
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) event: &'c E,
    /// What is known of the event already.
    pub(in crate::stream) checked: Checked,
    /// The number of the event.
    pub(in crate::stream) seq: u64,
    pub(in crate::stream) timers: &'c mut Timers,
    pub(in crate::stream) accounting: &'c mut Accounting<E>,
    pub(in crate::stream) sink: &'c mut S,
}

impl<E: Event, S: ?Sized> PushContext<'_, E, S> {
    /// A copy for a call that is not inlined: the original then stays in registers.
    #[inline(always)]
    pub(in crate::stream) fn reborrow(&mut self) -> PushContext<'_, E, S> {
        let PushContext { rule, event, checked, seq, timers, accounting, sink } = self;
        let (rule, checked, seq) = (*rule, *checked, *seq);
        PushContext { rule, event, checked, seq, timers, accounting, sink }
    }
}

/// The key of an event: the fields that it is in, its hash, and its slot if it has one.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct KeyPlace<'c> {
    pub(in crate::stream) fields: &'c [FieldRef],
    pub(in crate::stream) hash: u32,
    pub(in crate::stream) slot: Option<u32>,
}

/// A moment at which a rule looks at its keys, with what the rule writes to.
pub(in crate::stream) struct SweepContext<'c> {
    /// The number of the rule.
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) now: Timestamp,
    pub(in crate::stream) timers: &'c mut Timers,
    pub(in crate::stream) stats: &'c mut Stats,
}
