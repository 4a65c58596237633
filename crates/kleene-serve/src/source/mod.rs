//! From files and HTTP to blocks of whole lines, each source in a thread of its own.

pub(crate) mod follow;
pub(crate) mod inbox;
pub(crate) mod posted;
