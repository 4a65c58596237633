//! Work that is done on several threads, with results in order.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::error::{Panicked, Stopped};

/// Starts the given number of threads, at least one, each with a function that `work` makes. Each
/// item that is sent to the inlet is processed and comes out of the outlet, in the same order. At
/// most `waiting` items (at least one) wait before and after each thread.
///
/// ```
/// let (mut inlet, mut outlet) = kleene_runner::in_order(2, 4, || |number: u64| number * number)?;
/// let feeding = std::thread::spawn(move || (1..=5).try_for_each(|number| inlet.send(number)));
/// let mut squares = Vec::new();
/// while let Some(square) = outlet.next()? {
///     squares.push(square);
/// }
/// assert_eq!(squares, [1, 4, 9, 16, 25]);
/// # feeding.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If no more threads can be started.
pub fn in_order<I, O, F>(
    threads: usize,
    waiting: usize,
    mut work: impl FnMut() -> F,
) -> io::Result<(Inlet<I>, Outlet<O>)>
where
    I: Send + 'static,
    O: Send + 'static,
    F: FnMut(I) -> O + Send + 'static,
{
    let mut inlet = Inlet { lanes: Vec::new(), next: 0 };
    let mut outlet = Outlet { lanes: Vec::new(), next: 0 };
    for index in 0..threads.max(1) {
        let (sender, input) = mpsc::sync_channel::<I>(waiting.max(1));
        let (results, receiver) = mpsc::sync_channel(waiting.max(1));
        let mut work = work();
        let thread = thread::Builder::new().name(format!("work-{index}"));
        let thread = thread.spawn(move || {
            for item in input {
                if results.send(work(item)).is_err() {
                    return;
                }
            }
        })?;
        inlet.lanes.push(sender);
        outlet.lanes.push((receiver, Some(thread)));
    }
    Ok((inlet, outlet))
}

/// The end at which work goes in; see [`in_order`]. Dropping it ends the work.
pub struct Inlet<I> {
    lanes: Vec<SyncSender<I>>,
    next: usize,
}

impl<I> fmt::Debug for Inlet<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet").field("threads", &self.lanes.len()).finish_non_exhaustive()
    }
}

impl<I> Inlet<I> {
    /// Sends an item to the next thread. Blocks while too many items are waiting.
    ///
    /// # Errors
    /// If the outlet was dropped, or the thread has panicked.
    pub fn send(&mut self, item: I) -> Result<(), Stopped> {
        self.lanes[self.next].send(item).map_err(|_| Stopped)?;
        self.next = (self.next + 1) % self.lanes.len();
        Ok(())
    }
}

/// The end at which results come out; see [`in_order`].
pub struct Outlet<O> {
    lanes: Vec<(Receiver<O>, Option<JoinHandle<()>>)>,
    next: usize,
}

impl<O> fmt::Debug for Outlet<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("threads", &self.lanes.len()).finish_non_exhaustive()
    }
}

impl<O> Outlet<O> {
    /// Waits for the next result. `None` when the inlet was dropped, and all was given.
    ///
    /// # Errors
    /// If the thread that worked on it has panicked.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<O>, Panicked> {
        let lane = self.next;
        let (results, thread) = &mut self.lanes[lane];
        match results.recv() {
            Ok(result) => {
                self.next = (lane + 1) % self.lanes.len();
                Ok(Some(result))
            }
            Err(_) => match thread.take().map(JoinHandle::join) {
                Some(Err(payload)) => Err(Panicked::new(&*payload)),
                _ => Ok(None),
            },
        }
    }
}
