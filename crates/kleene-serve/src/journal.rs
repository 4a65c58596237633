//! A journal: lines that are durable before they are acknowledged, for a thread that reads them.
//!
//! The HTTP interface appends what clients send, and the thread of an engine reads it, after a crash
//! again from the position that its checkpoint names. An [outbox](crate::sink::outbox) is a journal
//! as well. All frames are in files of about the same size, the segments. A position is the number of
//! bytes before it in all segments that there ever were.
//!
//! One thread writes. It takes all appends that wait, writes them at once, and syncs once: under load
//! a sync is shared by many clients.

mod frame;
mod keys;
mod reader;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use axum::body::Bytes;
use kleene_host::disk;
use tokio::sync::oneshot;

use self::keys::Keys;
use self::segment::Segment;
use self::writer::Writer;

pub(crate) use self::keys::write_file;
pub(crate) use self::reader::{JournalReader, Waker};

/// The bytes that may wait in memory to be written.
const MAX_QUEUED: u64 = 64 << 20;

/// The appends that may wait in memory to be written.
const MAX_REQUESTS: usize = 1 << 16;

/// The longest idempotency key, in bytes.
pub(crate) const MAX_KEY: usize = u16::MAX as usize;

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
    /// There is none: the journal is kept as it is.
    Keep,
    /// Everything before was read. A journal that lost more, because it was not durable, continues
    /// there, so that no position has two meanings.
    AtLeast(u64),
    /// Everything after is written anew: it is cut.
    Exactly(u64),
}

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
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer, those who append and the readers share.
#[derive(Debug)]
struct Shared {
    settings: JournalSettings,
    queue: Mutex<Queue>,
    queue_wake: Condvar,
    state: Mutex<State>,
    state_wake: Condvar,
    keys: Mutex<Keys>,
    counts: Counts,
    /// True if a test wants the next writes to fail after their first half.
    #[cfg(test)]
    has_no_space: std::sync::atomic::AtomicBool,
    /// Locked as long as the journal is open, which a process that is killed no longer is.
    _lock: File,
}

#[derive(Debug, Default)]
struct Counts {
    frames: AtomicU64,
    syncs: AtomicU64,
    failures: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<Request>,
    /// The bytes of the requests, and of those that are being written.
    bytes: u64,
    is_closed: bool,
}

/// The positions that readers see.
#[derive(Debug)]
struct State {
    /// In order, the last one is written to. There always is one.
    segments: VecDeque<Segment>,
    end: u64,
    consumed: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Request {
    body: Body,
    key: Option<Arc<str>>,
    answer: oneshot::Sender<Result<Accepted, AppendError>>,
}

#[derive(Debug)]
enum Body {
    /// One frame.
    Whole(Bytes),
    /// A frame for each line.
    Lines(Bytes),
    /// No frame: everything before is synced.
    Sync,
}

impl Body {
    fn len(&self) -> usize {
        match self {
            Body::Whole(body) | Body::Lines(body) => body.len(),
            Body::Sync => 0,
        }
    }
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

    /// Blocks until everything appended before is on the disk, whatever the settings say.
    /// Returns the end of the journal.
    pub(crate) fn sync(&self) -> Result<u64, AppendError> {
        Ok(self.submit(Body::Sync, Self::NO_KEY)?.wait()?.end)
    }

    fn submit(&self, body: Body, key: Option<&str>) -> Result<Ticket, AppendError> {
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
            write_file(directory, keys::FILE, &saved)?;
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
    pub(crate) fn end(&self) -> u64 {
        lock(&self.shared.state).end
    }

    /// Waits until there is room for so many bytes, or for some time.
    pub(crate) fn wait_for_room(&self, bytes: u64, timeout: Duration) {
        let max_unread = self.shared.settings.max_unread;
        self.wait_until(timeout, |unread| unread == 0 || unread + bytes <= max_unread);
    }

    /// Waits until everything is read. Returns false if that takes longer.
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

impl State {
    fn unread(&self) -> u64 {
        self.end.saturating_sub(self.consumed)
    }
}

/// Locks a mutex. A thread that panicked has left nothing half done in these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the time in microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
