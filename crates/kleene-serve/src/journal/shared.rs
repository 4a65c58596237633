//! What the writer of a journal, those who append and the readers share.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::sync::oneshot;

use super::keys::Keys;
use super::segment::Segment;
use super::settings::JournalSettings;

/// An append that was acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Accepted {
    /// The position where its frame begins.
    pub(crate) offset: u64,
    /// The position after it.
    pub(crate) end: u64,
    /// True if its idempotency key was known, so that nothing was written.
    pub(crate) is_repeat: bool,
}

/// An append that was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AppendError {
    /// Too much is unread.
    Full {
        /// The bytes that nobody has read yet.
        unread: u64,
    },
    /// The idempotency key was used for another body.
    KeyReused,
    /// It cannot be written: the reason.
    Failed(String),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Full { unread } => write!(f, "{unread} bytes are unread; try again later"),
            AppendError::KeyReused => {
                f.write_str("the idempotency key was used for another body; use a new key")
            }
            AppendError::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for AppendError {}

/// What the writer, those who append and the readers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: JournalSettings,
    pub(super) queue: Mutex<Queue>,
    pub(super) queue_wake: Condvar,
    pub(super) state: Mutex<State>,
    pub(super) state_wake: Condvar,
    pub(super) keys: Mutex<Keys>,
    pub(super) counts: Counts,
    /// True if a test wants the next writes to fail after their first half.
    #[cfg(test)]
    pub(super) has_no_space: std::sync::atomic::AtomicBool,
    /// Locked as long as the journal is open, which a process that is killed no longer is.
    pub(super) _lock: File,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) frames: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) failures: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) requests: VecDeque<Request>,
    /// The bytes of the requests, and of those that are being written.
    pub(super) bytes: u64,
    pub(super) is_closed: bool,
}

/// The positions that readers see.
#[derive(Debug)]
pub(super) struct State {
    /// In order, the last one is written to. There always is one.
    pub(super) segments: VecDeque<Segment>,
    pub(super) end: u64,
    pub(super) consumed: u64,
    pub(super) is_closed: bool,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Body,
    pub(super) key: Option<Arc<str>>,
    pub(super) answer: oneshot::Sender<Result<Accepted, AppendError>>,
}

#[derive(Debug)]
pub(super) enum Body {
    /// One frame.
    Whole(Bytes),
    /// A frame for each line.
    Lines(Bytes),
    /// No frame: everything before is synced.
    Sync,
}

impl Body {
    pub(super) fn len(&self) -> usize {
        match self {
            Body::Whole(body) | Body::Lines(body) => body.len(),
            Body::Sync => 0,
        }
    }
}

impl State {
    pub(super) fn unread(&self) -> u64 {
        self.end.saturating_sub(self.consumed)
    }
}

/// Locks a mutex. A thread that panicked has left nothing half done in these.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the time in microseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
