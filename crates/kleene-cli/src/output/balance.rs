//! Which thread makes the lines of results, found by trying.
//!
//! The writing thread makes them while the matching thread goes on. But it reads memory of the
//! matching thread for that, which then waits for that memory: if the events of a key fit into its
//! caches, this can take longer than to make the lines. It depends on the rules, the data and the
//! machine. So both are tried for some pages, and then the faster one is taken for many. Which
//! thread makes a line changes nothing of the line.
//!
//! What it saves: a price that falls and rises (W6, three ticks, `--events none`) took 1.2 times the
//! time of one thread where the writing thread made the lines, and takes 0.85 where the matching
//! thread does. With whole events in the lines the writing thread pays in W1, W3 and W4.

use std::time::{Duration, Instant};

/// The number of pages of a trial: the first ones, while the writing thread still has pages of
/// before, and those that are measured.
const FIRST: usize = 16;
const MEASURED: usize = 16;

/// The ways of the trials: true where the matching thread makes the lines. The order cancels a
/// number of results for each event that rises or falls, as it does at the start of a stream.
const TRIALS: [bool; 4] = [false, true, true, false];

/// The number of pages for which the faster way is taken.
const TAKEN: usize = 4096;

/// Whether the matching thread makes the lines of a page.
#[derive(Debug)]
pub(super) struct Balance {
    is_here: bool,
    /// The number of trials that have ended. After all of them, the faster way is taken.
    trials: usize,
    /// The number of pages of this trial, or since the faster way is taken.
    pages: usize,
    /// The times per result in nanoseconds, of lines of the writing and of the matching thread.
    times: [Vec<u64>; 2],
    last: Option<Instant>,
}

impl Balance {
    /// Begins with lines of the writing thread.
    pub(super) fn new() -> Balance {
        Balance { is_here: TRIALS[0], trials: 0, pages: 0, times: Default::default(), last: None }
    }

    /// True if the matching thread makes the lines of the next page.
    pub(super) fn is_here(&self) -> bool {
        self.is_here
    }

    /// Notes that a page with so many results is full at this moment.
    pub(super) fn page(&mut self, results: usize, now: Instant) {
        let took = self.last.replace(now).map(|last| now.saturating_duration_since(last));
        self.pages += 1;
        if self.trials == TRIALS.len() {
            if self.pages == TAKEN {
                // Streams change.
                *self = Balance { last: self.last, ..Balance::new() };
            }
            return;
        }
        if let Some(took) = took
            && self.pages > FIRST
        {
            self.times[usize::from(self.is_here)].push(per_result(took, results));
        }
        if self.pages == FIRST + MEASURED {
            self.pages = 0;
            self.trials += 1;
            self.is_here = match TRIALS.get(self.trials) {
                Some(next) => *next,
                None => self.is_faster_here(),
            };
        }
    }

    fn is_faster_here(&mut self) -> bool {
        let [there, here] = &mut self.times;
        typical(here) < typical(there)
    }
}

/// Returns the mean of some times without the quarter of the least and that of the most: a pause for
/// another reason takes no part, and a time that falls from one trial to the other does.
fn typical(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    let quarter = times.len() / 4;
    let middle = &times[quarter..times.len() - quarter];
    middle.iter().fold(0, |sum: u64, time| sum.saturating_add(*time)) / middle.len().max(1) as u64
}

/// Returns the time for each of some results, in nanoseconds.
fn per_result(took: Duration, results: usize) -> u64 {
    u64::try_from(took.as_nanos() / results.max(1) as u128).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIED: usize = TRIALS.len() * (FIRST + MEASURED);

    /// Fills pages, where a line of this thread takes `here` nanoseconds and one of the other thread
    /// `there`, and the matching from `first` on down to half of it. Returns how many pages of the
    /// last hundred had lines of this thread.
    fn pages(balance: &mut Balance, count: usize, (first, here, there): (u64, u64, u64)) -> usize {
        let mut now = Instant::now();
        let mut is_here = Vec::new();
        for page in 0..count as u64 {
            is_here.push(balance.is_here());
            let results = 100 + page % 7;
            let line = if balance.is_here() { here } else { there };
            let matching = first - first * page / (2 * count as u64);
            // Now and then a page takes long for another reason.
            let pause = if page % 5 == 0 { 1_000_000 } else { 0 };
            now += Duration::from_nanos((line + matching) * results + pause);
            balance.page(usize::try_from(results).unwrap(), now);
        }
        is_here.iter().rev().take(100).filter(|is_here| **is_here).count()
    }

    #[test]
    fn the_faster_way_is_taken_until_it_is_the_slower_one() {
        let mut balance = Balance::new();
        assert_eq!(pages(&mut balance, FIRST, (0, 200, 300)), 0, "few results are not measured");
        assert_eq!(pages(&mut balance, 300, (0, 200, 300)), 100);
        assert_eq!(pages(&mut balance, TAKEN + TRIED, (0, 300, 200)), 0);
        assert_eq!(pages(&mut balance, TAKEN + TRIED, (0, 200, 201)), 100);
    }

    #[test]
    fn matching_that_gets_faster_takes_no_part() {
        for (here, there, expected) in [(300, 200, 0), (200, 300, 100)] {
            assert_eq!(pages(&mut Balance::new(), TRIED + 100, (2000, here, there)), expected);
        }
    }
}
