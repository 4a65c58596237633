//! The keys of events, and the state of rules for each key.

pub(in crate::stream) mod changes;
pub(in crate::stream) mod cold;
pub(in crate::stream) mod cursor;
pub(in crate::stream) mod groups;
pub(in crate::stream) mod key;
pub(in crate::stream) mod key_ref;
pub(in crate::stream) mod reader;
pub(in crate::stream) mod several;
pub(in crate::stream) mod table;
pub(in crate::stream) mod wire;

/// The maximum number of events in a group whose keys are looked up together.
pub(in crate::stream) const GROUP_SIZE: usize = 64;

/// The number of open partial matches above which their state does not fit into caches.
pub(in crate::stream) const MIN_OPEN_RUNS: u64 = 1 << 15;
