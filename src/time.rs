//! Event time: milliseconds since 1970-01-01T00:00:00Z as an `i64`.
//!
//! The library has no clock. A [`Timestamp`] comes with each event; durations inside the crate are
//! `i64` milliseconds, in the public API they are [`std::time::Duration`].

use std::fmt;
use std::time::Duration;

/// A moment in event time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every event: where a watermark starts.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every event: where `finish` moves time to.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The moment `millis` milliseconds after the epoch (before it, where negative).
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment moved by `millis`; stays at the ends of the range instead of overflowing.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment, saturating.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Writes RFC 3339 in UTC: `2016-09-04T21:15:00Z`, with `.250` where there are milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+}")?;
        }
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis != 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

/// Days since the epoch to (year, month, day) in the proleptic Gregorian calendar.
///
/// The algorithm is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Whole milliseconds of `duration`, at most `i64::MAX`.
pub(crate) fn duration_to_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Writes a number of milliseconds the way that rules spell durations: `1h30m`, `250ms`, `0s`.
pub(crate) fn format_millis(millis: i64) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
    }
    let mut rest = millis.unsigned_abs();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    {
        if rest >= size {
            let _ = write!(out, "{}{unit}", rest / size);
            rest %= size;
        }
    }
    if millis == 0 {
        out.push_str("0s");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_473_023_700_000, "2016-09-04T21:15:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_250, "2000-02-29T00:00:00.250Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
        assert!(!Timestamp::MIN.to_string().is_empty());
        assert!(!Timestamp::MAX.to_string().is_empty());
    }

    #[test]
    fn durations_print_as_rules_spell_them() {
        for (millis, text) in [
            (0, "0s"),
            (250, "250ms"),
            (5_400_000, "1h30m"),
            (-61_000, "-1m1s"),
            (86_400_000, "1d"),
        ] {
            assert_eq!(format_millis(millis), text);
        }
    }
}
