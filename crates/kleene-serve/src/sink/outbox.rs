//! An outbox: results that wait on disk to be delivered.
//!
//! It is a journal with a frame for each result, and a file that names the position up to which the
//! results are delivered. The thread of the engine pushes, and another one delivers, so that a slow
//! receiver does not slow down the engine before the outbox is full.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::body::Bytes;
use kleene_host::disk::{self, Durability};
use serde::{Deserialize, Serialize};

use crate::config::OnFailure;
use crate::journal::{AppendError, Journal, JournalSettings, Resume};

/// Results are written when they have this many bytes, at the latest.
const PENDING: usize = 256 << 10;

/// The file of the position.
const CURSOR: &str = "cursor";

/// Dropped results are logged at most this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How an outbox is kept.
#[derive(Clone, Debug)]
pub(crate) struct OutboxSettings {
    /// The name of the sink, for messages.
    pub(crate) name: String,
    /// The directory of its files. It is made if it is missing.
    pub(crate) directory: PathBuf,
    /// The bytes that may wait to be delivered.
    pub(crate) max_bytes: u64,
    /// What happens to results when there are more.
    pub(crate) on_failure: OnFailure,
}

/// The results that wait, from the side of the engine.
#[derive(Debug)]
pub(crate) struct Outbox {
    settings: OutboxSettings,
    journal: Arc<Journal>,
    /// Lines that were pushed, but not written.
    pending: Vec<u8>,
    dropped: Arc<AtomicU64>,
    logged: Option<Instant>,
}

/// The results that wait, from the side of the delivery.
#[derive(Clone, Debug)]
pub(crate) struct OutboxQueue {
    pub(crate) directory: PathBuf,
    pub(crate) journal: Arc<Journal>,
    pub(crate) dropped: Arc<AtomicU64>,
}

/// How far the delivery is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Cursor {
    /// Everything before this position is delivered.
    pub(crate) delivered: u64,
    /// The end of the request that was on its way. It is made of the same results again, so that its
    /// idempotency key is the same.
    pub(crate) sending: u64,
}

impl Outbox {
    /// Opens an outbox. Results after the position of the checkpoint are cut: the engine reports them
    /// again.
    pub(crate) fn open(settings: OutboxSettings, checkpoint: Option<u64>) -> Result<Outbox> {
        let journal = JournalSettings {
            max_unread: settings.max_bytes,
            // A checkpoint syncs.
            is_durable: false,
            max_keys: 0,
            ..JournalSettings::new(settings.directory.clone())
        };
        let resume = checkpoint.map_or(Resume::Keep, Resume::Exactly);
        let journal =
            Journal::open(journal, resume).with_context(|| format!("sink `{}`", settings.name))?;
        let outbox = Outbox {
            settings,
            journal: Arc::new(journal),
            pending: Vec::new(),
            dropped: Arc::default(),
            logged: None,
        };
        // Before anything is pushed: results that were cut are not delivered yet.
        let queue = outbox.queue();
        let cursor = queue.load_cursor()?;
        queue.save_cursor(cursor, Durability::Synced)?;
        Ok(outbox)
    }

    /// Returns the side that delivers. There must be only one.
    pub(crate) fn queue(&self) -> OutboxQueue {
        OutboxQueue {
            directory: self.settings.directory.clone(),
            journal: Arc::clone(&self.journal),
            dropped: Arc::clone(&self.dropped),
        }
    }

    /// Adds a result: a line with or without a newline. It is delivered after the next flush.
    pub(crate) fn push(&mut self, line: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(line);
        if line.last() != Some(&b'\n') {
            self.pending.push(b'\n');
        }
        if self.pending.len() >= PENDING { self.flush() } else { Ok(()) }
    }

    /// Writes what was pushed. After an error it is still there, for the next flush.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let lines = Bytes::from(std::mem::take(&mut self.pending));
        let result = self.write(&lines);
        if result.is_err() {
            self.pending = Vec::from(lines);
        }
        result.with_context(|| format!("sink `{}`", self.settings.name))
    }

    fn write(&mut self, lines: &Bytes) -> Result<(), AppendError> {
        loop {
            match self.journal.append_lines(lines.clone()) {
                Ok(ticket) => return ticket.wait().map(drop),
                Err(AppendError::Full { .. }) if self.settings.on_failure == OnFailure::Wait => {
                    self.journal.wait_for_room(lines.len() as u64, Duration::from_secs(1));
                }
                Err(AppendError::Full { unread }) => {
                    self.drop_results(lines, unread);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn drop_results(&mut self, lines: &[u8], unread: u64) {
        let count = memchr::memchr_iter(b'\n', lines).count() as u64;
        let dropped = self.dropped.fetch_add(count, Ordering::Relaxed) + count;
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            tracing::warn!(sink = self.settings.name, unread, dropped, "full: results are dropped");
        }
    }

    /// Writes what was pushed, and makes sure that it outlives the machine's going down. Returns the
    /// position for the checkpoint.
    pub(crate) fn sync(&mut self) -> Result<u64> {
        self.flush()?;
        self.journal.sync().with_context(|| format!("sink `{}`", self.settings.name))
    }
}

impl OutboxQueue {
    /// Makes a push that waits for room fail: the service stops.
    pub(crate) fn close(&self) {
        self.journal.close();
    }

    /// Returns the position of the delivery. A file that is not whole begins anew: what is still in
    /// the outbox is delivered again.
    pub(crate) fn load_cursor(&self) -> Result<Cursor> {
        let path = self.directory.join(CURSOR);
        let stats = self.journal.stats();
        let first = Cursor { delivered: stats.start, sending: stats.start };
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(first),
            read => read.with_context(|| path.display().to_string())?,
        };
        let Ok(cursor) = serde_json::from_slice::<Cursor>(&bytes) else {
            tracing::warn!(file = %path.display(), "the position is lost; results are sent again");
            return Ok(first);
        };
        // Results that were cut are reported again, and have the same positions then.
        let delivered = cursor.delivered.clamp(stats.start, stats.end);
        let is_whole = (delivered..=stats.end).contains(&cursor.sending);
        let sending = if is_whole { cursor.sending } else { delivered };
        Ok(Cursor { delivered, sending })
    }

    /// Writes the position of the delivery.
    pub(crate) fn save_cursor(&self, cursor: Cursor, durability: Durability) -> Result<()> {
        let bytes = serde_json::to_vec(&cursor)?;
        let path = self.directory.join(CURSOR);
        Ok(disk::replace(&path, durability, |file| file.write_all(&bytes))?)
    }

    /// Returns a file of the outbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.directory).join(name)
    }
}
