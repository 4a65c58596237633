//! Dispatch: the rules and keys that an event concerns.

mod deliver;
pub(in crate::stream) mod dispatcher;
mod index;
pub(in crate::stream) mod prefetch;
mod residency;
pub(in crate::stream) mod routes;
pub(in crate::stream) mod schedule;
