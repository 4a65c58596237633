//! A journal as those see it who append.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use axum::body::Bytes;
use kleene_host::disk::{self, Durability};
use tokio::sync::oneshot;

use super::frame;
use super::keys::{self, Keys};
use super::segment::{self, Segment};
use super::settings::{JournalSettings, Resume};
use super::shared::{Accepted, AppendError, Body, Counts, Request, Shared, State, lock, now};
use super::writer::{self, Writer};

/// The bytes that may wait in memory to be written.
const MAX_QUEUED: u64 = 64 << 20;

/// The appends that may wait in memory to be written.
const MAX_REQUESTS: usize = 1 << 16;

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = u16::MAX as usize;

/// The result of an append that is on its way: a future, or something to wait for.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<Result<Accepted, AppendError>>);

impl Ticket {
    /// Blocks until the append is written. Not for asynchronous code.
    pub(crate) fn wait(self) -> Result<Accepted, AppendError> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }
}

impl Future for Ticket {
    type Output = Result<Accepted, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(ended())))
    }
}

fn ended() -> AppendError {
    AppendError::Failed("the journal is closed: the service stops".to_owned())
}

/// The state of a journal, for metrics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct JournalStats {
    /// The position of the oldest frame on disk.
    pub(crate) start: u64,
    /// The position after the newest frame.
    pub(crate) end: u64,
    /// The bytes that were written, but not consumed.
    pub(crate) unread: u64,
    /// The bytes that wait to be written.
    pub(crate) queued: u64,
    /// The number of files.
    pub(crate) segments: usize,
    /// The number of frames written since the journal was opened.
    pub(crate) frames: u64,
    /// The number of syncs.
    pub(crate) syncs: u64,
    /// The number of writes that failed.
    pub(crate) failures: u64,
}

/// A journal. It is closed when it is dropped: what waits is written first.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// For appends without an idempotency key.
    pub(crate) const NO_KEY: Option<&str> = None;

    /// Opens a journal: checks all frames, cuts a torn tail, and starts the thread that writes.
    pub(crate) fn open(settings: JournalSettings, resume: Resume) -> Result<Journal> {
        let directory = &settings.directory;
        let name = directory.display().to_string();
        disk::make_directory(directory).with_context(|| name.clone())?;
        let lock = disk::open_own(
            &directory.join("lock"),
            File::options().write(true).create(true).truncate(false),
        );
        let lock = lock.with_context(|| name.clone())?;
        lock.try_lock().map_err(|_| anyhow!("{name}: another process uses this journal"))?;
        let max_age = u64::try_from(settings.max_key_age.as_micros()).unwrap_or(u64::MAX);
        let mut keys = Keys::new(settings.max_keys, max_age);
        keys.load(directory).with_context(|| name.clone())?;
        let segments = segment::recover(directory, resume, &mut keys)?;
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err(anyhow!("{name}: no file could be made"));
        };
        let (start, last) = (first.start, *last);
        let file = segment::open_last(directory, last).with_context(|| name.clone())?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            queue_wake: Condvar::new(),
            state: Mutex::new(State {
                segments: segments.into(),
                end: last.end,
                consumed: start,
                is_closed: false,
            }),
            state_wake: Condvar::new(),
            keys: Mutex::new(keys),
            counts: Counts::default(),
            #[cfg(test)]
            has_no_space: std::sync::atomic::AtomicBool::default(),
            settings,
            _lock: lock,
        });
        let writer = Writer::new(Arc::clone(&shared), file, last);
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(|| writer.run())?;
        Ok(Journal { shared, thread: Some(thread) })
    }

    /// Appends lines: durable, if the settings say so, when the future is ready.
    ///
    /// The append happens even if the future is dropped.
    pub(crate) async fn append(
        &self,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Accepted, AppendError> {
        self.submit(Body::Whole(body), key)?.await
    }

    /// Appends lines, and blocks until they are written. Not for asynchronous code.
    #[cfg(test)]
    pub(crate) fn append_blocking(
        &self,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Accepted, AppendError> {
        self.submit(Body::Whole(body), key)?.wait()
    }

    /// Appends a frame for each of the lines, all with one write.
    pub(crate) fn append_lines(&self, lines: Bytes) -> Result<Ticket, AppendError> {
        self.submit(Body::Lines(lines), Self::NO_KEY)
    }

    /// Blocks until everything appended before is on the disk, also if the journal is not durable.
    /// Returns the end of the journal.
    pub(crate) fn sync(&self) -> Result<u64, AppendError> {
        Ok(self.submit(Body::Sync, Self::NO_KEY)?.wait()?.end)
    }

    pub(super) fn submit(&self, body: Body, key: Option<&str>) -> Result<Ticket, AppendError> {
        let (answer, ticket) = oneshot::channel();
        let length = body.len() as u64;
        if body.len() > frame::MAX_BODY || key.is_some_and(|key| key.len() > MAX_KEY) {
            return Err(AppendError::Failed(format!(
                "a body may have {} bytes, and a key {MAX_KEY}",
                frame::MAX_BODY
            )));
        }
        // A repeat is acknowledged even by a journal that is full.
        if let (Some(key), Body::Whole(bytes)) = (key, &body)
            && let Some(entry) = lock(&self.shared.keys).get(key, now())
        {
            let repeat = writer::repeat(entry, bytes)?;
            let _ = answer.send(Ok(repeat));
            return Ok(Ticket(ticket));
        }
        let unread = lock(&self.shared.state).unread();
        let mut queue = lock(&self.shared.queue);
        if queue.is_closed {
            return Err(ended());
        }
        let waiting = unread + queue.bytes;
        // One body is always let in, however small the limit is: it would wait forever.
        let is_full = waiting > 0 && waiting + length > self.shared.settings.max_unread
            || queue.bytes > 0 && queue.bytes + length > MAX_QUEUED
            || queue.requests.len() >= MAX_REQUESTS;
        if is_full && length > 0 {
            return Err(AppendError::Full { unread: waiting });
        }
        queue.bytes += length;
        queue.requests.push_back(Request { body, key: key.map(Arc::from), answer });
        drop(queue);
        self.shared.queue_wake.notify_one();
        Ok(Ticket(ticket))
    }

    /// Declares that everything before the position was read, which makes room for appends.
    pub(crate) fn consumed(&self, offset: u64) {
        let mut state = lock(&self.shared.state);
        state.consumed = state.consumed.max(offset.min(state.end));
        drop(state);
        self.shared.state_wake.notify_all();
    }

    /// Deletes the files that are wholly before a position, that of the last checkpoint. The
    /// idempotency keys are kept.
    pub(crate) fn release(&self, offset: u64) -> std::io::Result<()> {
        let directory = &self.shared.settings.directory;
        let is_old = |segments: &VecDeque<Segment>| {
            segments.len() > 1 && segments.front().is_some_and(|first| first.end <= offset)
        };
        if !is_old(&lock(&self.shared.state).segments) {
            return Ok(());
        }
        let keys = lock(&self.shared.keys);
        let saved = (!keys.is_empty()).then(|| keys.to_bytes());
        drop(keys);
        if let Some(saved) = saved {
            let path = directory.join(keys::FILE);
            disk::replace(&path, Durability::Synced, |file| file.write_all(&saved))?;
        }
        loop {
            let mut state = lock(&self.shared.state);
            if !is_old(&state.segments) {
                return Ok(());
            }
            let Some(first) = state.segments.pop_front() else { return Ok(()) };
            // Appends do not wait for the file system.
            drop(state);
            let removed = disk::remove(&segment::path_of(directory, first.start));
            if removed.is_err() {
                lock(&self.shared.state).segments.push_front(first);
                return removed;
            }
        }
    }

    /// Returns the position after the newest frame.
    #[cfg(test)]
    pub(crate) fn end(&self) -> u64 {
        lock(&self.shared.state).end
    }

    /// Waits until there is room for this number of bytes, or until the time is over.
    pub(crate) fn wait_for_room(&self, bytes: u64, timeout: Duration) {
        let max_unread = self.shared.settings.max_unread;
        self.wait_until(timeout, |unread| unread == 0 || unread + bytes <= max_unread);
    }

    /// Waits until everything is read. Returns false if that takes longer.
    #[cfg(test)]
    pub(crate) fn wait_until_read(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |unread| unread == 0)
    }

    fn wait_until(&self, timeout: Duration, is_enough: impl Fn(u64) -> bool) -> bool {
        let state = lock(&self.shared.state);
        let (state, _) = self
            .shared
            .state_wake
            .wait_timeout_while(state, timeout, |state| {
                !state.is_closed && !is_enough(state.unread())
            })
            .unwrap_or_else(PoisonError::into_inner);
        is_enough(state.unread())
    }

    /// Returns true if nothing will be appended any longer.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.shared.state).is_closed
    }

    /// Returns the state of the journal.
    pub(crate) fn stats(&self) -> JournalStats {
        let queued = lock(&self.shared.queue).bytes;
        let counts = &self.shared.counts;
        let state = lock(&self.shared.state);
        JournalStats {
            start: state.segments.front().map_or(state.end, |first| first.start),
            end: state.end,
            unread: state.unread(),
            queued,
            segments: state.segments.len(),
            frames: counts.frames.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
        }
    }

    /// Refuses further appends. Those that wait are written.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).is_closed = true;
        self.shared.queue_wake.notify_all();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
