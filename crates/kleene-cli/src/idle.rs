//! `--idle-timeout`: event time moves on with the clock while no event comes.

use std::time::{Duration, Instant};

use kleene::Timestamp;

/// The longest interval in which time advances during a silence.
const TICK: Duration = Duration::from_secs(1);

/// The clock of a run over live input.
///
/// During a silence that lasts longer than the timeout, the watermark is where an event that came
/// now would move it. The time of that event would be the time of the newest event plus the wall
/// time since the last one came.
#[derive(Debug)]
pub(crate) struct IdleClock {
    timeout: Duration,
    /// The bound on the delay of events.
    bound: i64,
    /// The time of the newest event.
    newest: Timestamp,
    /// When the last event came.
    since: Instant,
}

impl IdleClock {
    /// A clock for an engine whose time has come to `watermark`.
    pub(crate) fn new(timeout: Duration, bound: Duration, watermark: Timestamp) -> IdleClock {
        let bound = millis(bound);
        let is_new = watermark == Timestamp::MIN;
        let newest = if is_new { watermark } else { watermark.plus_millis(bound) };
        IdleClock { timeout, bound, newest, since: Instant::now() }
    }

    /// Events have come by `now`; the newest so far is of this time.
    pub(crate) fn saw(&mut self, newest: Timestamp, now: Instant) {
        self.newest = self.newest.max(newest);
        self.since = now;
    }

    /// Returns the time to wait for input before the clock is read again.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.since);
        let tick = TICK.min(self.timeout);
        self.timeout.checked_sub(elapsed).filter(|left| !left.is_zero()).unwrap_or(tick)
    }

    /// The watermark in a silence; `None` while there is none, and before the first event.
    pub(crate) fn watermark(&self, now: Instant) -> Option<Timestamp> {
        let elapsed = now.saturating_duration_since(self.since);
        let is_silent = elapsed >= self.timeout && self.newest > Timestamp::MIN;
        is_silent.then(|| self.newest.plus_millis(millis(elapsed)).plus_millis(-self.bound))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_on_with_the_clock_once_the_silence_is_long_enough() {
        let at = |seconds: i64| Timestamp::from_millis(1000 * seconds);
        let seconds = Duration::from_secs;
        let mut clock = IdleClock::new(seconds(10), seconds(2), Timestamp::MIN);
        let start = clock.since;
        // There is no time to go on from before the first event.
        assert_eq!(clock.watermark(start + seconds(60)), None);
        clock.saw(at(100), start);
        assert_eq!(clock.wait(start + seconds(4)), seconds(6));
        assert_eq!(clock.watermark(start + seconds(9)), None);
        assert_eq!(clock.watermark(start + seconds(10)), Some(at(108)));
        assert_eq!(clock.wait(start + seconds(10)), TICK);
        assert_eq!(clock.watermark(start + seconds(60)), Some(at(158)));
        // An older event ends the silence, and is not the newest.
        clock.saw(at(90), start + seconds(60));
        assert_eq!(clock.watermark(start + seconds(69)), None);
        assert_eq!(clock.watermark(start + seconds(70)), Some(at(108)));
        let resumed = IdleClock::new(seconds(10), seconds(2), at(50));
        assert_eq!(resumed.watermark(resumed.since + seconds(10)), Some(at(60)));
    }
}
