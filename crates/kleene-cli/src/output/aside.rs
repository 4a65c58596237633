//! Results that a thread of its own writes, so that matching and writing take place at the same time.
//!
//! To write a match takes longer than to find it, in most runs. The matching thread copies the key and
//! the captured events of each match to a page, and the writing thread makes the lines.
//!
//! The matching thread makes lines, too: while the writing thread is behind, so that both have as much
//! to do; if the matching thread makes lines [faster](super::balance); and of a match that is one of
//! several of a set, which would be copied with its whole set.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use kleene::stream::{HeldMatches, Overflow};
use kleene::{Match, Record, Timeout};
use kleene_report::output::Shapes;

use super::balance::Balance;
use super::lines::LineWriter;
use crate::profile::ResultTimes;

/// The number of pages that may wait, and the number at which the writing thread is behind.
const WAITING: usize = 16;
const BEHIND: usize = 8;

/// A page is full with this many matches, with captured events of this many bytes, or with lines of
/// this many.
const MATCHES: usize = 512;
const BYTES_OF_EVENTS: u64 = 1 << 20;
const BYTES_OF_LINES: usize = 64 << 10;

/// Gives results to the writing thread.
pub(super) struct Aside {
    page: Page,
    /// True if the matching thread makes the lines of the page.
    writes_here: bool,
    balance: Balance,
    messages: Option<SyncSender<Message>>,
    /// Pages that were written.
    spare: Receiver<Page>,
    thread: Option<JoinHandle<LineWriter>>,
    shapes: Shapes,
    /// True if someone may be waiting to read.
    is_live: bool,
    /// True if something was given to the thread since it was asked to hand over its lines.
    has_given: bool,
    writer: Arc<WriterState>,
    /// The times of making lines, and of waiting for the thread, if they are measured.
    times: Option<ResultTimes>,
}

/// The state of the writing thread, which the matching thread reads.
#[derive(Debug, Default)]
struct WriterState {
    /// The number of pages that are not written yet.
    waiting: AtomicUsize,
    has_failed: AtomicBool,
}

/// Results in the order in which they came.
#[derive(Default)]
struct Page {
    held: HeldMatches<Record>,
    lines: Vec<u8>,
    /// For lines that come between held matches: the number of matches before them, and where they
    /// end.
    ends: Vec<(usize, usize)>,
    /// The number of results, held and in lines.
    results: usize,
}

enum Message {
    Page(Page),
    Shapes(Shapes),
    HandOver,
    /// Settle, and reply with the length of the file.
    Settle(Sender<Option<u64>>),
}

impl Page {
    fn is_full(&self) -> bool {
        let held = &self.held;
        held.len() >= MATCHES
            || held.bytes() >= BYTES_OF_EVENTS
            || self.lines.len() >= BYTES_OF_LINES
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.lines.is_empty()
    }

    /// Notes that a line was added.
    fn end_line(&mut self) {
        let (held, end) = (self.held.len(), self.lines.len());
        match self.ends.last_mut() {
            Some((before, last)) if *before == held => *last = end,
            _ => self.ends.push((held, end)),
        }
    }

    fn write(&self, lines: &mut LineWriter) {
        let (mut held, mut start) = (0, 0);
        for &(before, end) in &self.ends {
            self.held.report(held..before, lines);
            lines.write_line(&self.lines[start..end]);
            (held, start) = (before, end);
        }
        self.held.report(held..self.held.len(), lines);
    }

    fn clear(&mut self) {
        self.held.clear();
        self.lines.clear();
        self.ends.clear();
        self.results = 0;
    }
}

impl Aside {
    /// Starts the writing thread.
    pub(super) fn start(mut lines: LineWriter) -> io::Result<Aside> {
        let (messages, received) = mpsc::sync_channel(WAITING);
        let (spent, spare) = mpsc::channel();
        let (shapes, is_live) = (lines.shapes().clone(), lines.is_live());
        let times = lines.times().map(|_| ResultTimes::new());
        let writer = Arc::new(WriterState::default());
        let state = writer.clone();
        let thread = thread::Builder::new().name(String::from("write"));
        let thread = thread.spawn(move || write(lines, &received, &spent, &state))?;
        Ok(Aside {
            page: Page::default(),
            writes_here: false,
            balance: Balance::new(),
            messages: Some(messages),
            spare,
            thread: Some(thread),
            shapes,
            is_live,
            has_given: false,
            writer,
            times,
        })
    }

    #[inline]
    pub(super) fn matched(&mut self, found: Match<'_, Record>) {
        if self.writes_here || !self.page.held.hold(&found) {
            self.write(|shapes, lines| shapes.matched(lines, &found));
        } else {
            self.give_if_full();
        }
    }

    #[inline]
    pub(super) fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        if self.writes_here || !self.page.held.hold(timeout.as_match()) {
            self.write(|shapes, lines| shapes.timed_out(lines, &timeout));
        } else {
            self.give_if_full();
        }
    }

    pub(super) fn limited(&mut self, overflow: &Overflow) {
        self.write(|shapes, lines| shapes.limited(lines, overflow));
    }

    pub(super) fn write_line(&mut self, line: &[u8]) {
        self.write(|_, lines| lines.extend_from_slice(line));
    }

    /// Makes a line in this thread.
    fn write(&mut self, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        match &mut self.times {
            None => write(&self.shapes, &mut self.page.lines),
            Some(times) => times.render(|| write(&self.shapes, &mut self.page.lines)),
        }
        self.page.end_line();
        self.give_if_full();
    }

    pub(super) fn times(&mut self) -> Option<&mut ResultTimes> {
        self.times.as_mut()
    }

    pub(super) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    pub(super) fn set_shapes(&mut self, shapes: Shapes) {
        self.give();
        self.shapes = shapes.clone();
        self.send(Message::Shapes(shapes));
    }

    pub(super) fn flush_if_live(&mut self) {
        if self.is_live {
            self.give();
            if std::mem::take(&mut self.has_given) {
                self.send(Message::HandOver);
            }
        }
    }

    pub(super) fn settle(&mut self) -> Option<u64> {
        self.give();
        let (reply, length) = mpsc::channel();
        self.send(Message::Settle(reply));
        let Ok(length) = length.recv() else {
            self.fail();
            return None;
        };
        length
    }

    pub(super) fn has_failed(&self) -> bool {
        self.writer.has_failed.load(Ordering::Relaxed)
    }

    /// Ends the thread. Returns what it wrote to; `None` if it has ended before.
    pub(super) fn end(&mut self) -> Option<LineWriter> {
        self.give();
        self.messages = None;
        match self.thread.take()?.join() {
            Ok(mut lines) => {
                if let (Some(sum), Some(here)) = (lines.times(), &mut self.times) {
                    sum.take(here);
                }
                Some(lines)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    #[inline]
    fn give_if_full(&mut self) {
        self.page.results += 1;
        if self.page.is_full() {
            self.give();
        }
    }

    /// Gives the page to the thread.
    fn give(&mut self) {
        if !self.page.is_empty() {
            // Memory that this thread has allocated is freed by this thread: two threads that free
            // in each other's memory wait for each other.
            let mut next = self.spare.try_recv().unwrap_or_default();
            next.clear();
            let page = std::mem::replace(&mut self.page, next);
            self.has_given = true;
            let waiting = self.writer.waiting.fetch_add(1, Ordering::Relaxed);
            self.balance.page(page.results, Instant::now());
            self.writes_here = waiting >= BEHIND || self.balance.is_here();
            self.send(Message::Page(page));
        }
    }

    fn send(&mut self, message: Message) {
        let Some(messages) = &self.messages else { return };
        let send = || messages.send(message).is_ok();
        let is_sent = match &mut self.times {
            None => send(),
            Some(times) => times.hand_over(send),
        };
        if !is_sent {
            self.fail();
        }
    }

    /// Notes that the thread has panicked, which `end` passes on.
    fn fail(&self) {
        self.writer.has_failed.store(true, Ordering::Relaxed);
    }
}

/// Where a run ends early, its results are written.
impl Drop for Aside {
    fn drop(&mut self) {
        self.give();
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            // It flushes what it has where it panics, too.
            let _ = thread.join();
        }
    }
}

/// Writes until there is nothing more to come.
fn write(
    mut lines: LineWriter,
    messages: &Receiver<Message>,
    spent: &Sender<Page>,
    writer: &WriterState,
) -> LineWriter {
    for message in messages {
        match message {
            Message::Page(page) => {
                page.write(&mut lines);
                writer.waiting.fetch_sub(1, Ordering::Relaxed);
                // Fails if no more pages are needed.
                let _ = spent.send(page);
            }
            Message::Shapes(shapes) => lines.set_shapes(shapes),
            Message::HandOver => lines.flush_if_live(),
            Message::Settle(reply) => {
                // Fails if the other thread has panicked.
                let _ = reply.send(lines.settle());
            }
        }
        writer.has_failed.store(lines.has_failed(), Ordering::Relaxed);
    }
    lines
}
