//! The order of outputs.

use kleene_event::time::Timestamp;

/// The position of an output in the order of all outputs; see
/// [`Receiver::at`](crate::Receiver::at).
///
/// Positions are comparable across the shards of one stream within one call (`push`, `advance`,
/// `finish`, ...). The output with the lesser position is reported first. Outputs with equal
/// positions come from one shard and keep their order.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The number of events that rules were given before.
    pub(in crate::stream) released: u64,
    pub(in crate::stream) time: Timestamp,
    pub(in crate::stream) phase: Phase,
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) is_match: bool,
    pub(in crate::stream) start: u64,
}

/// The phase of an output: deadlines and derived events fall between two events, the event follows.
/// At one time, phases happen in this order.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::stream) enum Phase {
    #[default]
    Deadline,
    Derived,
    /// The event itself, after all deadlines and derived events up to its time.
    Event,
    /// After [`end_time`](crate::stream::Engine::end_time): no event can come any more.
    End,
}
