//! Replacement of rules, and redistribution of keys.

pub(in crate::stream) mod replace;
pub(in crate::stream) mod replacement;
pub(in crate::stream) mod reshard;
pub(in crate::stream) mod schema;
