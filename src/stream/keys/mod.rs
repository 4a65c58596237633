//! The keys of events, and what rules hold for each of them.

pub(in crate::stream) mod changes;
pub(in crate::stream) mod cold;
pub(in crate::stream) mod groups;
pub(in crate::stream) mod table;
