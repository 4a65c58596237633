//! Outputs of an engine: matches and timeouts, the sink that receives them, and their ids.

pub(in crate::stream) mod held;
pub(in crate::stream) mod id;
pub(in crate::stream) mod matched;
pub(crate) mod order;
pub(in crate::stream) mod overflow;
pub(in crate::stream) mod owned;
pub(in crate::stream) mod partial;
pub(in crate::stream) mod reason;
pub(crate) mod receiver;
pub(in crate::stream) mod sink;
