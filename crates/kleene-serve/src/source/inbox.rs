//! What has arrived from each source and waits for the engine.
//!
//! Each source has a short queue of its own, so that one that is far ahead cannot fill the memory,
//! and the engine can take from the source that it waits for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kleene_input::{AheadBlock, Position};

/// The number of parts of a source that may wait.
const WAITING: usize = 4;

/// A part of the input of a source.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// Whole lines.
    Lines {
        block: AheadBlock,
        /// The position after them, from which the source can be read on.
        end: SourcePosition,
        /// The moment at which they were accepted or read.
        at: SystemTime,
    },
    /// Another input begins, such as the next file of a log.
    Restart,
    /// The input has ended, or cannot be read any further.
    End(io::Result<()>),
}

/// A position from which a source can be read on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SourcePosition {
    pub(crate) at: Position,
    /// What the file is recognised by: its first bytes, as a checksum, with their number.
    pub(crate) file: Option<FileMark>,
}

/// The start of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileMark {
    pub(crate) length: u64,
    pub(crate) checksum: u32,
}

#[derive(Debug, Default)]
struct Queues {
    of: Vec<VecDeque<Arrived>>,
    is_woken: bool,
    is_closed: bool,
}

/// The queues of all sources.
#[derive(Debug)]
pub(crate) struct Inbox {
    queues: Mutex<Queues>,
    /// Something has arrived, or somebody wants attention.
    arrived: Condvar,
    /// Something was taken.
    taken: Condvar,
}

impl Inbox {
    pub(crate) fn new(sources: usize) -> Inbox {
        let of = (0..sources).map(|_| VecDeque::new()).collect();
        let queues = Queues { of, ..Queues::default() };
        Inbox { queues: Mutex::new(queues), arrived: Condvar::new(), taken: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what has arrived from a source, once there is room. Returns false if nobody takes it any
    /// more.
    pub(crate) fn put(&self, source: usize, arrived: Arrived) -> bool {
        let queues = self.lock();
        let is_full = |queues: &mut Queues| queues.of[source].len() >= WAITING && !queues.is_closed;
        let wait = self.taken.wait_while(queues, is_full);
        let mut queues = wait.unwrap_or_else(PoisonError::into_inner);
        if queues.is_closed {
            return false;
        }
        queues.of[source].push_back(arrived);
        drop(queues);
        self.arrived.notify_one();
        true
    }

    /// Takes from the source that `choose` picks of those that have sent something. Returns `None`
    /// if nothing has come until `deadline`, if it picks none, or after [`wake`](Inbox::wake).
    pub(crate) fn take(
        &self,
        deadline: Instant,
        choose: impl Fn(&[usize]) -> Option<usize>,
    ) -> Option<(usize, Arrived)> {
        let mut queues = self.lock();
        loop {
            let full = |(index, queue): (usize, &VecDeque<_>)| (!queue.is_empty()).then_some(index);
            let ready: Vec<usize> = queues.of.iter().enumerate().filter_map(full).collect();
            if let Some(source) = choose(&ready) {
                let arrived = queues.of[source].pop_front()?;
                drop(queues);
                self.taken.notify_all();
                return Some((source, arrived));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if std::mem::take(&mut queues.is_woken) || left.is_zero() {
                return None;
            }
            let waited = self.arrived.wait_timeout(queues, left.min(Duration::from_secs(1)));
            queues = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes a waiting [`take`](Inbox::take) return.
    pub(crate) fn wake(&self) {
        self.lock().is_woken = true;
        self.arrived.notify_one();
    }

    /// Ends the sources: what they send is not taken any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.taken.notify_all();
    }

    /// Returns the number of parts of each source that wait.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        self.lock().of.iter().map(VecDeque::len).collect()
    }
}
