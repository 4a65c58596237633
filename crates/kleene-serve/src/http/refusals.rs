//! The log of refused requests, with a limit: a client that is refused a thousand times a second
//! must not fill the disk with the news.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::counters::Reason;

/// The lines a second for each reason.
const LINES: u64 = 5;

const SECOND: Duration = Duration::from_secs(1);

/// The lines of the current second.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    refusals: u64,
}

/// Decides which refusals are logged.
#[derive(Debug, Default)]
pub(super) struct RefusalLog([Mutex<Option<Window>>; Reason::ALL.len()]);

impl RefusalLog {
    /// Returns `None` if a refusal is not to be logged, else how many before it were not.
    pub(super) fn admit(&self, reason: Reason, now: Instant) -> Option<u64> {
        let mut window = self.0[reason as usize].lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *window {
            Some(Window { since, refusals }) if now.saturating_duration_since(*since) < SECOND => {
                *refusals += 1;
                (*refusals <= LINES).then_some(0)
            }
            window => {
                let before = window.map_or(0, |window| window.refusals.saturating_sub(LINES));
                *window = Some(Window { since: now, refusals: 1 });
                Some(before)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_few_lines_a_second() {
        let log = RefusalLog::default();
        let start = Instant::now();
        let admitted = |millis, reason| {
            let now = start + Duration::from_millis(millis);
            (0..100).filter_map(|_| log.admit(reason, now)).collect::<Vec<_>>()
        };
        assert_eq!(admitted(0, Reason::Full), [0; 5]);
        assert!(admitted(999, Reason::Full).is_empty());
        assert_eq!(admitted(999, Reason::Unauthorized), [0; 5]);
        assert_eq!(admitted(1000, Reason::Full), [195, 0, 0, 0, 0]);
        assert_eq!(admitted(5000, Reason::Full), [95, 0, 0, 0, 0]);
    }
}
