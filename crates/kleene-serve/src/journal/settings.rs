//! How a journal is kept, and where it resumes.

use std::path::PathBuf;
use std::time::Duration;

/// How a journal is kept.
#[derive(Clone, Debug)]
pub(crate) struct JournalSettings {
    /// The directory of the files. It is made if it is missing.
    pub(crate) directory: PathBuf,
    /// A file that is longer than this is followed by a new one.
    pub(crate) segment_bytes: u64,
    /// The bytes that may be unread before appends are refused.
    pub(crate) max_unread: u64,
    /// True if an append is acknowledged only after a sync.
    pub(crate) is_durable: bool,
    /// The number of idempotency keys that are remembered.
    pub(crate) max_keys: usize,
    /// The time for which a key is remembered.
    pub(crate) max_key_age: Duration,
}

impl JournalSettings {
    /// Returns the settings that the documentation names as defaults.
    pub(crate) fn new(directory: PathBuf) -> JournalSettings {
        JournalSettings {
            directory,
            segment_bytes: 64 << 20,
            max_unread: 1 << 30,
            is_durable: true,
            max_keys: 100_000,
            max_key_age: Duration::from_hours(24),
        }
    }
}

/// The position that a checkpoint names, and what it means for a journal that is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resume {
    /// No checkpoint names one: the journal is kept as it is.
    Keep,
    /// Everything before was read. A journal that lost more, because it was not durable, continues
    /// there, so that no position has two meanings.
    AtLeast(u64),
    /// Everything after is written anew: it is cut.
    Exactly(u64),
}
