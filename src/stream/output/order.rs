//! The order of all that is reported.

use crate::time::Timestamp;

/// Where something stands in the order of all that is reported; see [`Sink::at`](crate::stream::Sink::at).
///
/// Positions of one call of several shards (`push`, `advance`, `finish`, ...) can be compared: what
/// has the lesser one is reported first. What has the same one comes from one shard, and stays in order.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// How many events were given to rules before.
    pub(in crate::stream) released: u64,
    pub(in crate::stream) time: Timestamp,
    pub(in crate::stream) phase: Phase,
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) is_match: bool,
    pub(in crate::stream) start: u64,
}

/// What happens between two events, and then with the second: in this order at one time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::stream) enum Phase {
    #[default]
    Deadline,
    Derived,
    /// The event itself: after all times.
    Event,
    /// Nothing can come any more.
    End,
}
