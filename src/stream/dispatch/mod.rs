//! Which rules and keys an event concerns.

pub(in crate::stream) mod deliver;
pub(in crate::stream) mod index;
pub(in crate::stream) mod prefetch;
pub(in crate::stream) mod routes;
