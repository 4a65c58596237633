//! Rules that are replaced, and keys that are divided anew.

pub(in crate::stream) mod replace;
pub(in crate::stream) mod replacement;
pub(in crate::stream) mod reshard;
pub(in crate::stream) mod schema;
