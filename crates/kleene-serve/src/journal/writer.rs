//! The thread that writes a journal.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use hashbrown::HashMap;
use kleene_host::disk::{self, Written};
use tokio::sync::oneshot;

use super::frame;
use super::keys::KeyEntry;
use super::segment::{self, Segment};
use super::shared::{Accepted, AppendError, Body, Request, Shared, lock, now};

/// A write takes appends until they have this many bytes.
const BATCH: u64 = 8 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The last segment.
    file: File,
    start: u64,
    /// The position up to which everything is acknowledged.
    end: u64,
    /// True if a write failed and its part was not cut yet.
    is_torn: bool,
    /// True if something acknowledged is not synced.
    is_unsynced: bool,
    /// The time of the newest frame. Times never decrease.
    time: u64,
    buffer: Vec<u8>,
}

/// Appends that are written together.
#[derive(Default)]
struct Group {
    answers: Vec<(oneshot::Sender<Result<Accepted, AppendError>>, Accepted)>,
    keys: HashMap<Arc<str>, KeyEntry>,
    frames: u64,
    must_sync: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, file: File, last: Segment) -> Writer {
        let (start, end) = (last.start, last.end);
        // A file that was found may not be synced yet.
        let (is_torn, is_unsynced) = (false, true);
        Writer { shared, file, start, end, is_torn, is_unsynced, time: 0, buffer: Vec::new() }
    }

    pub(super) fn run(mut self) {
        let mut requests = Vec::new();
        while self.take(&mut requests) {
            let bytes: u64 =
                requests.iter().map(|request: &Request| request.body.len() as u64).sum();
            let mut group = self.encode(&mut requests);
            let result = self.write(&group);
            // Before the bytes count as unread: they must not count twice.
            lock(&self.shared.queue).bytes -= bytes;
            self.answer(&mut group, result);
        }
        if self.shared.settings.is_durable && self.is_unsynced {
            // Nothing here was acknowledged as durable without a sync: a failure loses nothing.
            let _ = disk::sync_data(&self.file);
        }
        lock(&self.shared.state).is_closed = true;
        self.shared.state_wake.notify_all();
    }

    /// Waits for requests and takes those there are. Returns false when the journal is closed.
    fn take(&self, requests: &mut Vec<Request>) -> bool {
        let queue = lock(&self.shared.queue);
        let mut queue = self
            .shared
            .queue_wake
            .wait_while(queue, |queue| queue.requests.is_empty() && !queue.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        while bytes < BATCH
            && let Some(request) = queue.requests.pop_front()
        {
            bytes += request.body.len() as u64;
            requests.push(request);
        }
        !requests.is_empty()
    }

    /// Makes the frames of the requests. Repeats of what was written are answered at once.
    fn encode(&mut self, requests: &mut Vec<Request>) -> Group {
        self.buffer.clear();
        self.time = self.time.max(now());
        let mut group = Group::default();
        for Request { body, key, answer } in requests.drain(..) {
            let offset = self.end + self.buffer.len() as u64;
            match (&body, key) {
                (Body::Whole(body), Some(key)) => {
                    if let Some(entry) = lock(&self.shared.keys).get(&key, self.time) {
                        let _ = answer.send(repeat(entry, body));
                        continue;
                    }
                    if let Some(entry) = group.keys.get(&key) {
                        match repeat(*entry, body) {
                            Ok(accepted) => group.answers.push((answer, accepted)),
                            Err(error) => drop(answer.send(Err(error))),
                        }
                        continue;
                    }
                    frame::encode(&mut self.buffer, self.time, &key, body);
                    let entry = KeyEntry { offset, time: self.time, sum: sum_of(body) };
                    group.keys.insert(key, entry);
                    group.frames += 1;
                }
                (Body::Whole(body), None) => {
                    frame::encode(&mut self.buffer, self.time, "", body);
                    group.frames += 1;
                }
                (Body::Lines(lines), _) => {
                    for line in lines.split_inclusive(|byte| *byte == b'\n') {
                        frame::encode(&mut self.buffer, self.time, "", line);
                        group.frames += 1;
                    }
                }
                (Body::Sync, _) => group.must_sync = true,
            }
            let end = self.end + self.buffer.len() as u64;
            group.answers.push((answer, Accepted { offset, end, is_repeat: false }));
        }
        group
    }

    /// Writes the frames and syncs. After a failure the file is as before, or is cut before the next
    /// write.
    fn write(&mut self, group: &Group) -> io::Result<()> {
        self.repair()?;
        let length = self.buffer.len() as u64;
        let used = self.end - self.start;
        if length > 0 && used > 0 && used + length > self.shared.settings.segment_bytes {
            self.begin_segment()?;
        }
        if length > 0 {
            self.is_torn = true;
            #[cfg(test)]
            if self.shared.has_no_space.load(Ordering::Relaxed) {
                self.file.write_all(&self.buffer[..self.buffer.len() / 2])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Written(&mut self.file).write_all(&self.buffer)?;
            self.is_unsynced = true;
        }
        if (self.shared.settings.is_durable || group.must_sync) && self.is_unsynced {
            self.shared.counts.syncs.fetch_add(1, Ordering::Relaxed);
            disk::sync_data(&self.file)?;
            self.is_unsynced = false;
        }
        self.is_torn = false;
        Ok(())
    }

    /// Cuts what a failed write has left.
    fn repair(&mut self) -> io::Result<()> {
        if self.is_torn {
            disk::set_len(&self.file, self.end - self.start)?;
            self.file.seek(SeekFrom::Start(self.end - self.start))?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        // Only the last segment may have a torn tail.
        if self.is_unsynced {
            disk::sync_data(&self.file)?;
            self.is_unsynced = false;
        }
        self.file = segment::create(&self.shared.settings.directory, self.end)?;
        self.start = self.end;
        let mut state = lock(&self.shared.state);
        state.segments.push_back(Segment { start: self.start, end: self.start });
        Ok(())
    }

    fn answer(&mut self, group: &mut Group, result: io::Result<()>) {
        if let Err(error) = result {
            self.shared.counts.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                directory = %self.shared.settings.directory.display(), %error,
                "the journal cannot be written"
            );
            if let Err(error) = self.repair() {
                tracing::warn!(%error, "a part of a failed append could not be cut yet");
            }
            let error = AppendError::Failed(format!("the journal cannot be written: {error}"));
            for (answer, _) in group.answers.drain(..) {
                let _ = answer.send(Err(error.clone()));
            }
            return;
        }
        self.end += self.buffer.len() as u64;
        self.shared.counts.frames.fetch_add(group.frames, Ordering::Relaxed);
        if !group.keys.is_empty() {
            let mut added: Vec<_> = group.keys.drain().collect();
            added.sort_unstable_by_key(|(_, entry)| entry.offset);
            let mut keys = lock(&self.shared.keys);
            for (key, entry) in added {
                keys.insert(key, entry);
            }
        }
        let mut state = lock(&self.shared.state);
        state.end = self.end;
        if let Some(last) = state.segments.back_mut() {
            last.end = self.end;
        }
        drop(state);
        self.shared.state_wake.notify_all();
        for (answer, accepted) in group.answers.drain(..) {
            let _ = answer.send(Ok(accepted));
        }
    }
}

/// Returns the answer to an append with a known key.
pub(super) fn repeat(entry: KeyEntry, body: &Bytes) -> Result<Accepted, AppendError> {
    if entry.sum != sum_of(body) {
        return Err(AppendError::KeyReused);
    }
    Ok(Accepted { offset: entry.offset, end: entry.offset, is_repeat: true })
}

/// Returns the CRC-32 of a body as its frame has it, with a newline at its end.
fn sum_of(body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    if body.last() != Some(&b'\n') {
        hasher.update(b"\n");
    }
    hasher.finalize()
}
