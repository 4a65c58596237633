//! Small data structures that the engine is built on. Nothing here knows of events.

pub(crate) mod crc;
pub(crate) mod spread;
