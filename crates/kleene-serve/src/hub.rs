//! The hub: the newest results, for clients that listen to them.
//!
//! Results are in a ring that all clients read at their own speed. A client that is slow skips the
//! results that the ring no longer has, and gets their number. The engine never waits for a client.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time;

/// A client that gets nothing else gets a comment this often: it is found out that it is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The bytes that a client is given at once, about.
const PIECE: usize = 64 << 10;

/// The newest results of all rules.
#[derive(Debug)]
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    /// The number of the next result. A change wakes the clients.
    next: watch::Sender<u64>,
    max_results: usize,
    max_bytes: usize,
    /// Identifies this process: an earlier one has given the same numbers to other results.
    epoch: u64,
    clients: AtomicUsize,
    skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    results: VecDeque<(Arc<str>, Vec<u8>)>,
    /// The number of the first result of the ring.
    first: u64,
    bytes: usize,
}

impl Hub {
    /// Makes a hub that keeps at most this number of results and of bytes.
    pub(crate) fn new(max_results: usize, max_bytes: usize) -> Hub {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Hub {
            ring: Mutex::default(),
            next: watch::Sender::new(0),
            max_results,
            max_bytes,
            epoch: u64::try_from(since.as_millis()).unwrap_or_default(),
            clients: AtomicUsize::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// Gives a result to the clients.
    #[cfg(test)]
    pub(crate) fn publish(&self, rule: &Arc<str>, line: &[u8]) {
        self.publish_all(std::iter::once((rule, line)));
    }

    /// Gives results to the clients: lines of JSON, with or without a newline. The ring is locked
    /// once, and the memory of old results is used again.
    pub(crate) fn publish_all<'a>(&self, results: impl Iterator<Item = (&'a Arc<str>, &'a [u8])>) {
        let mut ring = self.lock();
        for (rule, line) in results {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            ring.bytes += line.len();
            let mut spare = Vec::new();
            while !ring.results.is_empty()
                && (ring.results.len() >= self.max_results || ring.bytes > self.max_bytes)
            {
                if let Some((_, oldest)) = ring.results.pop_front() {
                    ring.bytes -= oldest.len();
                    ring.first += 1;
                    spare = oldest;
                }
            }
            spare.clear();
            spare.extend_from_slice(line);
            ring.results.push_back((Arc::clone(rule), spare));
        }
        let next = ring.next();
        drop(ring);
        // A client that comes now looks into the ring before it waits.
        if self.next.receiver_count() > 0 {
            self.next.send_replace(next);
        }
    }

    /// Makes a client that gets the results from now on, or those after the event with an id that an
    /// earlier client has got. Only those of a rule, if one is named.
    pub(crate) fn subscribe(
        self: &Arc<Hub>,
        rule: Option<String>,
        last_id: Option<&str>,
    ) -> Subscription {
        let changes = self.next.subscribe();
        let ring = self.lock();
        let (next, is_other_epoch) = match last_id.and_then(parse_id) {
            None => (ring.next(), false),
            Some((epoch, number)) if epoch == self.epoch => ((number + 1).min(ring.next()), false),
            // The numbers have begun anew: everything since then is new to the client.
            Some(_) => (ring.first, true),
        };
        drop(ring);
        self.clients.fetch_add(1, Ordering::Relaxed);
        let hello = if is_other_epoch {
            "retry: 2000\nevent: restarted\ndata: {}\n\n"
        } else {
            "retry: 2000\n: connected\n\n"
        };
        let hello = Some(Bytes::from_static(hello.as_bytes()));
        Subscription { hub: Arc::clone(self), changes, rule, next, hello }
    }

    /// Returns the number of clients.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Returns how many results clients have skipped, of all clients.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.results.len() as u64
    }
}

fn parse_id(id: &str) -> Option<(u64, u64)> {
    let (epoch, number) = id.trim().split_once('-')?;
    Some((epoch.parse().ok()?, number.parse::<u64>().ok().filter(|number| *number < u64::MAX)?))
}

/// A client of the hub.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    changes: watch::Receiver<u64>,
    rule: Option<String>,
    /// The number of the next result.
    next: u64,
    hello: Option<Bytes>,
}

impl Subscription {
    /// Waits for results. Returns some as server-sent events, or a comment if there was none for
    /// some time.
    pub(crate) async fn next(&mut self) -> Bytes {
        if let Some(hello) = self.hello.take() {
            return hello;
        }
        let deadline = time::Instant::now() + HEARTBEAT;
        loop {
            self.changes.mark_unchanged();
            let text = self.take();
            if !text.is_empty() {
                return Bytes::from(text);
            }
            if !matches!(time::timeout_at(deadline, self.changes.changed()).await, Ok(Ok(()))) {
                return Bytes::from_static(b": no results\n\n");
            }
        }
    }

    /// Returns the results that there are, a limited number of bytes.
    fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let ring = self.hub.lock();
        let missed = ring.first.saturating_sub(self.next);
        if missed > 0 {
            self.hub.skipped.fetch_add(missed, Ordering::Relaxed);
            self.next = ring.first;
            text.extend_from_slice(b"event: skipped\n");
            text.extend_from_slice(format!("data: {{\"skipped\":{missed}}}\n\n").as_bytes());
        }
        let from = usize::try_from(self.next - ring.first).unwrap_or(usize::MAX);
        let mut id = String::new();
        for (rule, line) in ring.results.range(from.min(ring.results.len())..) {
            if text.len() >= PIECE {
                break;
            }
            let number = self.next;
            self.next += 1;
            if self.rule.as_deref().is_some_and(|wanted| wanted != &**rule) {
                continue;
            }
            id.clear();
            let _ = writeln!(id, "id: {}-{number}", self.hub.epoch);
            text.extend_from_slice(id.as_bytes());
            for part in line.split(|byte| matches!(byte, b'\n' | b'\r')) {
                text.extend_from_slice(b"data: ");
                text.extend_from_slice(part);
                text.push(b'\n');
            }
            text.push(b'\n');
        }
        text
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
