//! Histograms of durations.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper bounds of the buckets, in seconds. The last bucket has none.
pub(super) const BOUNDS: [f64; 13] =
    [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// A histogram of durations.
#[derive(Debug, Default)]
pub(super) struct Histogram(Mutex<HistogramReading>);

/// The values of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct HistogramReading {
    /// The sum of all durations, in seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
    /// The number of durations in each bucket.
    pub(super) buckets: [u64; BOUNDS.len() + 1],
}

impl Histogram {
    pub(super) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.sum += seconds;
        reading.count += 1;
        reading.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
    }

    pub(super) fn read(&self) -> HistogramReading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for millis in [0, 1, 2, 100, 1_000_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let HistogramReading { sum, count, buckets } = histogram.read();
        assert_eq!((sum, count), (1000.103, 5));
        assert_eq!(buckets, [1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    }
}
