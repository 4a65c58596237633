//! A bound in bytes on the input that is between the reader and the writer of a run on threads.
//!
//! Queues between threads are bounded by blocks. A block is some 256 kB of lines as a rule, but one
//! long line can be a block of many megabytes: so many of them at once would take several times the
//! memory that one thread takes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many bytes may be in flight, and are.
#[derive(Debug)]
pub(crate) struct Flight {
    bound: usize,
    bytes: Mutex<usize>,
    landed: Condvar,
}

/// Some bytes that are in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct Boarded {
    flight: Arc<Flight>,
    bytes: usize,
}

impl Flight {
    pub(crate) fn new(bound: usize) -> Arc<Flight> {
        Arc::new(Flight { bound, bytes: Mutex::new(0), landed: Condvar::new() })
    }

    /// Waits until so many bytes more can be in flight. More than the bound can be only alone.
    pub(crate) fn board(self: &Arc<Flight>, bytes: usize) -> Boarded {
        let is_full = |flying: &mut usize| *flying > 0 && *flying + bytes > self.bound;
        let flying = self.landed.wait_while(self.lock(), is_full);
        *flying.unwrap_or_else(PoisonError::into_inner) += bytes;
        Boarded { flight: Arc::clone(self), bytes }
    }

    /// A number cannot be left half changed by a thread that panics.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Boarded {
    fn drop(&mut self) {
        *self.flight.lock() -= self.bytes;
        self.flight.landed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Whether a thread that boards so many bytes gets on, while nothing lands.
    fn gets_on(flight: &Arc<Flight>, bytes: usize) -> bool {
        let (sender, boarded) = mpsc::channel();
        let flight = Arc::clone(flight);
        thread::spawn(move || sender.send(flight.board(bytes)));
        boarded.recv_timeout(Duration::from_millis(200)).is_ok()
    }

    #[test]
    fn what_does_not_fit_waits_until_something_lands() {
        let flight = Flight::new(10);
        let (six, four) = (flight.board(6), flight.board(4));
        assert!(gets_on(&flight, 0));
        assert!(!gets_on(&flight, 1));
        drop(four);
        // The byte that has waited has landed, too.
        assert!(gets_on(&flight, 4));
        drop(six);
        thread::sleep(Duration::from_millis(10));
        assert_eq!(*flight.lock(), 0);
    }

    #[test]
    fn what_is_larger_than_the_bound_flies_alone() {
        let flight = Flight::new(10);
        let large = flight.board(1000);
        assert!(!gets_on(&flight, 1));
        drop(large);
        let small = flight.board(1);
        assert!(!gets_on(&flight, 1000));
        drop(small);
    }
}
