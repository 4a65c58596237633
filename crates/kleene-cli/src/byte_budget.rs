//! A semaphore in bytes: it bounds the input between the reader and the writer of a run on threads.
//!
//! The queues between threads are bounded in blocks. A block holds some 256 kB of lines as a rule,
//! but one long line makes a block of many megabytes. Full queues of these blocks would take
//! several times the memory of a run on one thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A semaphore that counts bytes.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    bound: usize,
    acquired: Mutex<usize>,
    released: Condvar,
}

/// A number of bytes that is acquired; dropping the permit releases it.
#[derive(Debug)]
pub(crate) struct Permit {
    budget: Arc<ByteBudget>,
    bytes: usize,
}

impl ByteBudget {
    pub(crate) fn new(bound: usize) -> Arc<ByteBudget> {
        Arc::new(ByteBudget { bound, acquired: Mutex::new(0), released: Condvar::new() })
    }

    /// Waits until the bytes fit the bound, and acquires them. A number above the bound is acquired
    /// when nothing else is.
    pub(crate) fn acquire(self: &Arc<ByteBudget>, bytes: usize) -> Permit {
        let is_full = |acquired: &mut usize| *acquired > 0 && *acquired + bytes > self.bound;
        let acquired = self.released.wait_while(self.lock(), is_full);
        *acquired.unwrap_or_else(PoisonError::into_inner) += bytes;
        Permit { budget: Arc::clone(self), bytes }
    }

    /// A number cannot be left half changed by a thread that panics.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.acquired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.budget.lock() -= self.bytes;
        self.budget.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// True if a thread acquires the bytes while nothing is released.
    fn acquires(budget: &Arc<ByteBudget>, bytes: usize) -> bool {
        let (sender, permit) = mpsc::channel();
        let budget = Arc::clone(budget);
        thread::spawn(move || sender.send(budget.acquire(bytes)));
        permit.recv_timeout(Duration::from_millis(200)).is_ok()
    }

    #[test]
    fn what_does_not_fit_waits_for_a_release() {
        let budget = ByteBudget::new(10);
        let (six, four) = (budget.acquire(6), budget.acquire(4));
        assert!(acquires(&budget, 0));
        assert!(!acquires(&budget, 1));
        drop(four);
        // The byte that waited is released, too.
        assert!(acquires(&budget, 4));
        drop(six);
        thread::sleep(Duration::from_millis(10));
        assert_eq!(*budget.lock(), 0);
    }

    #[test]
    fn more_than_the_bound_is_acquired_alone() {
        let budget = ByteBudget::new(10);
        let large = budget.acquire(1000);
        assert!(!acquires(&budget, 1));
        drop(large);
        let small = budget.acquire(1);
        assert!(!acquires(&budget, 1000));
        drop(small);
    }
}
