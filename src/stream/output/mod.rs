//! What an engine reports: matches and timeouts, where they go, and their ids.

pub(in crate::stream) mod id;
pub(in crate::stream) mod matched;
pub(in crate::stream) mod order;
pub(in crate::stream) mod reason;
pub(in crate::stream) mod sink;
