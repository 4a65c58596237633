//! A reader of a journal, for the thread of an engine or of a sink.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::frame::{self, Checked, Frame};
use super::handle::Journal;
use super::segment::{self, Segment};
use super::shared::{Shared, lock};

/// The bytes that are read from a file at once, at least.
const READ: u64 = 256 << 10;

/// Lines that were read: the bodies of some frames.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chunk {
    /// Whole lines.
    pub(crate) bytes: Vec<u8>,
    /// The position after them, to go on from.
    pub(crate) end_offset: u64,
    /// The time of the oldest append among them, in microseconds since 1970.
    pub(crate) accepted_at: u64,
}

/// Reads a journal from a position on.
#[derive(Debug)]
pub(crate) struct JournalReader {
    journal: Arc<Journal>,
    position: u64,
    file: Option<OpenSegment>,
    waker: Waker,
}

/// The segment that is read, and bytes of it. They never go past what is acknowledged: what a failed
/// write leaves there is cut and replaced.
#[derive(Debug)]
struct OpenSegment {
    file: File,
    start: u64,
    buffer: Vec<u8>,
    /// The index of the first byte of the buffer that was not read: at the position of the reader.
    used: usize,
}

/// Makes a reader that waits return at once.
#[derive(Clone, Debug)]
pub(crate) struct Waker {
    shared: Arc<Shared>,
    is_woken: Arc<AtomicBool>,
}

impl Waker {
    /// Makes the read that waits, or the next one that would, return without lines.
    pub(crate) fn wake(&self) {
        let state = lock(&self.shared.state);
        self.is_woken.store(true, Ordering::Relaxed);
        drop(state);
        self.shared.state_wake.notify_all();
    }
}

impl JournalReader {
    /// Reads from a position on. Everything before counts as read.
    pub(crate) fn new(journal: Arc<Journal>, from_offset: u64) -> io::Result<JournalReader> {
        let stats = journal.stats();
        if !(stats.start..=stats.end).contains(&from_offset) {
            return Err(io::Error::other(format!(
                "{}: the journal has the offsets from {} to {}, but the checkpoint is at {from_offset}",
                journal.shared.settings.directory.display(),
                stats.start,
                stats.end
            )));
        }
        journal.consumed(from_offset);
        let shared = Arc::clone(&journal.shared);
        let waker = Waker { shared, is_woken: Arc::default() };
        Ok(JournalReader { journal, position: from_offset, file: None, waker })
    }

    /// Returns what makes this reader stop waiting.
    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Goes to a position, that of a frame.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.position = offset;
        self.file = None;
    }

    /// Returns true if everything is read and the journal is closed: a read returns at once.
    pub(crate) fn is_finished(&self) -> bool {
        let state = lock(&self.journal.shared.state);
        state.is_closed && state.end <= self.position
    }

    /// Returns the position of the next frame.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the lines of some frames, of at most `max_bytes` bytes unless a single frame has more.
    /// Waits for them. There are none after the timeout, a wake, or the end of a closed journal.
    pub(crate) fn read(
        &mut self,
        max_bytes: usize,
        timeout: Duration,
    ) -> io::Result<Option<Chunk>> {
        let mut chunk: Option<Chunk> = None;
        let is_there = self.visit(timeout, |_, frame| {
            let Some(chunk) = &mut chunk else {
                let bytes = frame.body.to_vec();
                chunk = Some(Chunk { bytes, end_offset: 0, accepted_at: frame.time });
                return true;
            };
            let fits = chunk.bytes.len() + frame.body.len() <= max_bytes;
            if fits {
                chunk.bytes.extend_from_slice(frame.body);
            }
            fits
        })?;
        if let Some(chunk) = &mut chunk {
            chunk.end_offset = self.position;
        }
        debug_assert_eq!(is_there, chunk.is_some());
        Ok(chunk)
    }

    /// Gives the frames that there are to `take`, with their positions, until it refuses one. Waits
    /// for the first. Returns true if there was one.
    pub(crate) fn visit(
        &mut self,
        timeout: Duration,
        mut take: impl FnMut(u64, &Frame<'_>) -> bool,
    ) -> io::Result<bool> {
        let mut is_any = false;
        let end = self.wait(timeout);
        while self.position < end {
            let position = self.position;
            let Some(segment) = self.segment() else { return Err(self.gone()) };
            let open = self.open(segment)?;
            let frame = match open.next_frame(segment, position) {
                Ok(frame) => frame,
                Err(error) => {
                    let path =
                        segment::path_of(&self.journal.shared.settings.directory, segment.start);
                    let text = format!("{}: offset {position}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), text));
                }
            };
            if !take(position, &frame) {
                break;
            }
            let length = frame.length;
            is_any = true;
            open.used += length;
            self.position += length as u64;
        }
        Ok(is_any)
    }

    /// Waits until there is a frame. Returns the end of the journal, or the own position after the
    /// timeout or a wake.
    fn wait(&self, timeout: Duration) -> u64 {
        let shared = &self.journal.shared;
        let state = lock(&shared.state);
        let (state, _) = shared
            .state_wake
            .wait_timeout_while(state, timeout, |state| {
                state.end <= self.position
                    && !state.is_closed
                    && !self.waker.is_woken.load(Ordering::Relaxed)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if self.waker.is_woken.swap(false, Ordering::Relaxed) { self.position } else { state.end }
    }

    /// Returns the segment of the position.
    fn segment(&self) -> Option<Segment> {
        let state = lock(&self.journal.shared.state);
        let is_here = |segment: &&Segment| (segment.start..segment.end).contains(&self.position);
        state.segments.iter().find(is_here).copied()
    }

    fn open(&mut self, segment: Segment) -> io::Result<&mut OpenSegment> {
        if self.file.as_ref().is_none_or(|file| file.start != segment.start) {
            let path = segment::path_of(&self.journal.shared.settings.directory, segment.start);
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.position - segment.start))?;
            let start = segment.start;
            self.file = Some(OpenSegment { file, start, buffer: Vec::new(), used: 0 });
        }
        self.file.as_mut().ok_or_else(|| io::Error::other("no file is open"))
    }

    fn gone(&self) -> io::Error {
        io::Error::other(format!("the journal has nothing at offset {}", self.position))
    }
}

impl OpenSegment {
    /// Reads the frame at a position, which is that of the first unused byte.
    fn next_frame(&mut self, segment: Segment, position: u64) -> io::Result<Frame<'_>> {
        let available = segment.end - position;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the frame is damaged");
        // The first look finds how long the frame is, the second is at all of it.
        loop {
            match frame::check(&self.buffer[self.used..]) {
                Checked::Whole(length) => {
                    let bytes = &self.buffer[self.used..self.used + length];
                    return frame::parse(bytes).ok_or_else(damaged);
                }
                Checked::Damaged => return Err(damaged()),
                Checked::Short(length) if length as u64 > available => return Err(damaged()),
                Checked::Short(length) => self.fill(length as u64, available)?,
            }
        }
    }

    /// Reads until there are `wanted` unused bytes, and some more if they are acknowledged.
    fn fill(&mut self, wanted: u64, available: u64) -> io::Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let had = self.buffer.len() as u64;
        let more = wanted.max(READ).min(available).saturating_sub(had);
        let read = (&mut self.file).take(more).read_to_end(&mut self.buffer)?;
        if had + read as u64 >= wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
