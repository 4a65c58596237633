//! Small things that the crates of Kleene are built on. Nothing here knows of events.

pub mod fnv;
pub mod ids;
pub mod order;
pub mod prefetch;
pub mod spelling;
pub mod wire;
