//! Small data structures that the rest of the crate is built on. Nothing here knows of events.

pub(crate) mod crc;
pub(crate) mod fnv;
pub(crate) mod ids;
pub(crate) mod slab;
pub(crate) mod spread;
pub(crate) mod wire;
