//! Small data structures that the matcher and the engine are built on. Nothing here knows of events.

pub mod slab;
pub mod sparse;
