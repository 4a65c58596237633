//! Dispatch: the rules and keys that an event concerns.

mod deliver;
pub(in crate::stream) mod dispatcher;
pub(in crate::stream) mod exchange;
mod index;
pub(in crate::stream) mod prefetch;
mod residency;
mod routes;
pub(in crate::stream) mod rows;
pub(in crate::stream) mod schedule;
mod transfer;
