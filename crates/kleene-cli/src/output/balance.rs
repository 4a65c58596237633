//! Chooses which thread makes the lines of results, by trying both.
//!
//! When it applies: results are written [aside](super::aside), and fill at least 128 pages.
//!
//! Why it is right: both threads make the same line of a result, and lines keep their order.
//!
//! What it saves: while the writing thread makes lines, it reads memory of the matching thread, and
//! the matching thread waits for this memory afterwards. If the events of a key fit into the caches
//! of the matching thread, the waits can take longer than to make the lines. A price that falls and
//! rises (W6, three ticks, `--events none`) took 1.2 times the time of one thread, and takes 0.85
//! now. With whole events in the lines, the writing thread is faster in W1, W3 and W4.
//!
//! Rejected: one trial of each thread. The number of results for each event rises at the start of W3,
//! so the second trial always won.
//!
//! Which test holds it: those below for the choice, and for the lines
//! `lines_of_either_thread_are_the_same_and_in_order` in `tests/cli/threads.rs`.

use std::time::{Duration, Instant};

/// The number of pages of a trial: first those that are not measured, as the writing thread still has
/// pages of the trial before, and then those that are measured.
const FIRST: usize = 16;
const MEASURED: usize = 16;

/// The trials: true if the matching thread makes the lines. Their order cancels a steady rise or fall
/// of the number of results for each event.
const TRIALS: [bool; 4] = [false, true, true, false];

/// The number of pages after which both threads are tried again, as streams change.
const TAKEN: usize = 4096;

/// The choice between the matching and the writing thread.
#[derive(Debug)]
pub(super) struct Balance {
    /// True if the matching thread makes the lines.
    is_here: bool,
    /// The number of trials that have ended.
    trials: usize,
    /// The number of pages of this trial, or since the last one has ended.
    pages: usize,
    /// The time per result of each measured page: of the writing thread, and of the matching thread.
    times: [Vec<Duration>; 2],
    /// The moment at which the last page was full.
    last: Option<Instant>,
}

impl Balance {
    /// Makes a choice that begins with trials.
    pub(super) fn new() -> Balance {
        Balance { is_here: TRIALS[0], trials: 0, pages: 0, times: Default::default(), last: None }
    }

    /// True if the matching thread makes the lines of the next page.
    pub(super) fn is_here(&self) -> bool {
        self.is_here
    }

    /// Counts a page with this number of results, which is full `now`.
    pub(super) fn page(&mut self, results: usize, now: Instant) {
        let took = self.last.replace(now).map(|last| now.saturating_duration_since(last));
        self.pages += 1;
        if self.trials == TRIALS.len() {
            if self.pages == TAKEN {
                *self = Balance { last: self.last, ..Balance::new() };
            }
            return;
        }
        if let Some(took) = took
            && self.pages > FIRST
        {
            let results = u32::try_from(results).unwrap_or(u32::MAX).max(1);
            self.times[usize::from(self.is_here)].push(took / results);
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
        sum_of_middle(here) < sum_of_middle(there)
    }
}

/// Returns the sum of some times without the least and the greatest quarter of them. A pause for
/// another reason is among the greatest. A median would take one of two trials only, if all times
/// fall from the first trial to the last.
fn sum_of_middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let quarter = times.len() / 4;
    times[quarter..times.len() - quarter].iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIED: usize = TRIALS.len() * (FIRST + MEASURED);

    /// Fills pages. A line of the matching thread takes `here` nanoseconds, a line of the writing
    /// thread `there`. To match takes `first` nanoseconds at first, and half of them at last. Returns
    /// how many of the last hundred pages had lines of the matching thread.
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
