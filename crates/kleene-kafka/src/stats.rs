//! Counters of a worker, read from another thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Partition;

/// One counter. Readers need no order among counters, so all accesses are relaxed.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a worker. Any thread can read them.
#[derive(Debug, Default)]
pub struct WorkerStats {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) sent: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) commits: Counter,
    pub(crate) aborts: Counter,
    pub(crate) rebuilds: Counter,
    pub(crate) retries: Counter,
    pub(crate) fenced: Counter,
    pub(crate) tasks: Counter,
    pub(crate) paused: Counter,
    commit_time: Counter,
    commit_micros: Counter,
    lag: Mutex<BTreeMap<Partition, i64>>,
    last_error: Mutex<Option<String>>,
}

/// The values of the counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatsReading {
    /// Records that were read, including those that were read again after an abort.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Records that were sent, including those of aborted transactions.
    pub sent: u64,
    /// Bytes of their keys and values.
    pub sent_bytes: u64,
    /// Commits.
    pub commits: u64,
    /// Aborted transactions.
    pub aborts: u64,
    /// How often the client was rebuilt, or a rebuild was tried.
    pub rebuilds: u64,
    /// Calls that were repeated.
    pub retries: u64,
    /// 1 if another worker fenced this one.
    pub fenced: u64,
    /// Open tasks.
    pub tasks: u64,
    /// Paused partitions.
    pub paused: u64,
    /// The time of the last commit.
    pub commit_time: Option<SystemTime>,
    /// How long the last commit took, with the snapshots.
    pub commit_duration: Duration,
    /// The number of records between the position and the last known end, for each partition.
    pub lag: BTreeMap<Partition, i64>,
    /// The last error from which the worker recovered.
    pub last_error: Option<String>,
}

impl WorkerStats {
    /// Returns the values of all counters.
    pub fn read(&self) -> StatsReading {
        let micros = self.commit_time.get();
        StatsReading {
            records: self.records.get(),
            bytes: self.bytes.get(),
            sent: self.sent.get(),
            sent_bytes: self.sent_bytes.get(),
            commits: self.commits.get(),
            aborts: self.aborts.get(),
            rebuilds: self.rebuilds.get(),
            retries: self.retries.get(),
            fenced: self.fenced.get(),
            tasks: self.tasks.get(),
            paused: self.paused.get(),
            commit_time: (micros > 0).then(|| UNIX_EPOCH + Duration::from_micros(micros)),
            commit_duration: Duration::from_micros(self.commit_micros.get()),
            lag: locked(&self.lag).clone(),
            last_error: locked(&self.last_error).clone(),
        }
    }

    pub(crate) fn record_commit(&self, took: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.commits.add(1);
        self.commit_time.set(micros(now));
        self.commit_micros.set(micros(took));
    }

    pub(crate) fn record_error(&self, error: &str) {
        *locked(&self.last_error) = Some(error.to_owned());
    }

    pub(crate) fn set_lag(&self, lag: BTreeMap<Partition, i64>) {
        *locked(&self.lag) = lag;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Locks a mutex. A panic of another holder leaves a whole value, so poison is ignored.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
