//! What the programs that run Kleene's rules share: rule files, and checkpoints on disk.
//!
//! A version belongs to the version of `kleene` with the same number.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod disk;
pub mod paths;
pub mod rules;
pub mod spill;
pub mod watch;
