//! Ingest: events and watermarks arrive, and events are released in the order of time.

pub(in crate::stream) mod arrivals;
mod buffer;
mod clock;
mod columns;
mod in_order;
mod lent;
mod path;
pub(in crate::stream) mod reorder;
mod transfer;
pub(in crate::stream) mod watermark;
