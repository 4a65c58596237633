//! The choice of what is timed.

use std::time::{Duration, Instant};

/// The number of events that are all timed at the start, so that short runs are measured, too.
const ALL: u32 = 1024;

/// Chooses what is timed: one of a number on average.
///
/// The gaps are random. If each 64th event were timed, an input that repeats itself every 64 lines
/// would be measured by one of its lines.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    /// The number of items before the next one that is timed.
    left: u32,
    /// The number of items that are still to be timed without a gap.
    all: u32,
    one_of: u32,
    random: u64,
}

impl Sampler {
    /// Makes a sampler that times one item of `one_of` on average, and all of the first ones.
    pub(super) fn new(one_of: u32) -> Sampler {
        Sampler { left: 0, all: ALL, one_of, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Makes a sampler that times one item of `one_of` on average from the start. Samplers with
    /// other seeds choose other items.
    pub(super) fn seeded(one_of: u32, seed: u64) -> Sampler {
        let random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut sampler = Sampler { left: 0, all: 0, one_of, random };
        sampler.left = sampler.gap();
        sampler
    }

    /// Returns the number of items that the next one stands for, if it is to be timed.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u32> {
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        if self.all > 0 {
            self.all -= 1;
            if self.all == 0 {
                self.left = self.gap();
            }
            return Some(1);
        }
        self.left = self.gap();
        Some(self.one_of)
    }

    /// Returns a number of items to leave out, less than twice the mean.
    fn gap(&mut self) -> u32 {
        // Xorshift: any generator would do.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let range = u64::from(2 * self.one_of - 1);
        u32::try_from(self.random % range).unwrap_or(0)
    }
}

/// Measures short times without the time of the clock itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch {
    /// The time that a look at the clock takes.
    look: Duration,
}

impl Stopwatch {
    pub(super) fn new() -> Stopwatch {
        // The least of several: others may have been interrupted.
        let looks = (0..100).map(|_| Instant::now().elapsed());
        Stopwatch { look: looks.min().unwrap_or_default() }
    }

    /// Returns the time between two looks.
    pub(super) fn between(self, start: Instant, end: Instant) -> Duration {
        end.saturating_duration_since(start).saturating_sub(self.look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_stands_for_all() {
        for (mut sampler, items) in [
            (Sampler::new(64), 100),
            (Sampler::new(64), 1_000_000),
            (Sampler::seeded(16, 0), 1_000_000),
            (Sampler::seeded(16, 7), 1_000_000),
        ] {
            let chosen: Vec<u32> = (0..items).filter_map(|_| sampler.next()).collect();
            let stands_for: u32 = chosen.iter().sum();
            assert!(stands_for.abs_diff(items) <= items / 50, "{stands_for} of {items}");
            assert!(items < 1000 || chosen.len() < 100_000, "{}", chosen.len());
        }
    }
}
