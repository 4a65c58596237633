//! The keys of events, and what rules hold for each of them.

pub(in crate::stream) mod changes;
pub(in crate::stream) mod cold;
pub(in crate::stream) mod cursor;
pub(in crate::stream) mod groups;
pub(in crate::stream) mod key;
pub(in crate::stream) mod table;
pub(in crate::stream) mod wire;

/// How many events are looked at together, at most.
pub(in crate::stream) const GROUP_SIZE: usize = 64;

/// From so many partial matches on what is held is more than caches have room for.
pub(in crate::stream) const MIN_OPEN_RUNS: u64 = 1 << 15;
