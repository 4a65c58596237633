//! Moments in time as text in RFC 3339.

use std::io::Write as _;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// A moment in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Moment {
    /// Seconds since 1970.
    seconds: i64,
    /// Nanoseconds of the second.
    nanos: u32,
    /// The digits of the fraction of the second.
    digits: usize,
}

impl Moment {
    /// Returns the moment after a number of parts of a second since 1970, with a precision of 3, 6 or
    /// 9 digits.
    #[cfg(feature = "avro")]
    pub(super) fn of_parts(number: i64, digits: u32) -> Moment {
        let per_second = 10_i64.pow(digits);
        let nanos = number.rem_euclid(per_second) * 10_i64.pow(9 - digits);
        Moment {
            seconds: number.div_euclid(per_second),
            nanos: u32::try_from(nanos).unwrap_or_default(),
            digits: digits as usize,
        }
    }

    /// Returns midnight at the start of a day.
    #[cfg(feature = "avro")]
    pub(super) fn of_day(days: i32) -> Moment {
        Moment { seconds: i64::from(days) * SECONDS_PER_DAY, nanos: 0, digits: 0 }
    }

    /// Returns a moment with the least precision that shows it; `None` if nanoseconds are no part of
    /// a second.
    #[cfg(feature = "protobuf")]
    pub(super) fn shortest(seconds: i64, nanos: i32) -> Option<Moment> {
        let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        let digits = match nanos {
            0 => 0,
            nanos if nanos % 1_000_000 == 0 => 3,
            nanos if nanos % 1000 == 0 => 6,
            _ => 9,
        };
        Some(Moment { seconds, nanos, digits })
    }

    /// Writes the moment as JSON: `null` outside of the years 0 to 9999, which RFC 3339 has.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let (year, month, day) = date_of(self.seconds.div_euclid(SECONDS_PER_DAY));
        if !(0..=9999).contains(&year) {
            out.extend_from_slice(b"null");
            return;
        }
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        // Writing to memory does not fail.
        let _ = write!(out, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if self.digits > 0 {
            let fraction = format!("{:09}", self.nanos);
            out.push(b'.');
            out.extend_from_slice(&fraction.as_bytes()[..self.digits]);
        }
        out.extend_from_slice(b"Z\"");
    }
}

/// Returns the date of a number of days since 1970 (Hinnant, "chrono-compatible low-level date
/// algorithms": years begin in March, eras have 400 years).
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(moment: Moment) -> String {
        let mut out = Vec::new();
        moment.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[cfg(feature = "avro")]
    #[test]
    fn moments_have_their_precision() {
        assert_eq!(text(Moment::of_parts(0, 3)), "\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(text(Moment::of_parts(-1, 6)), "\"1969-12-31T23:59:59.999999Z\"");
        assert_eq!(
            text(Moment::of_parts(1_709_210_096_123_456_789, 9)),
            "\"2024-02-29T12:34:56.123456789Z\""
        );
        assert_eq!(text(Moment::of_parts(i64::MAX, 9)), "\"2262-04-11T23:47:16.854775807Z\"");
        assert_eq!(text(Moment::of_parts(-62_167_219_200_000, 3)), "\"0000-01-01T00:00:00.000Z\"");
        assert_eq!(text(Moment::of_parts(-62_167_219_200_001, 3)), "null");
        assert_eq!(text(Moment::of_parts(253_402_300_799_999, 3)), "\"9999-12-31T23:59:59.999Z\"");
        for number in [253_402_300_800_000, i64::MAX, i64::MIN] {
            assert_eq!(text(Moment::of_parts(number, 3)), "null");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = date_of(-800_000);
        for days in -799_999..800_000 {
            let (year, month, day) = date_of(days);
            let next = (last.0, last.1, last.2 + 1);
            let is_new_month = day == 1 && last.2 >= 28;
            let follows = (year, month, day) == next
                || is_new_month && (year, month) == (last.0, last.1 + 1)
                || is_new_month && (last.1, last.2) == (12, 31) && (year, month) == (last.0 + 1, 1);
            assert!(follows, "{days}: {last:?} to {:?}", (year, month, day));
            last = (year, month, day);
        }
        assert_eq!(date_of(19_782), (2024, 2, 29));
    }

    #[cfg(feature = "protobuf")]
    #[test]
    fn the_shortest_precision_is_found() {
        let text = |nanos| Moment::shortest(0, nanos).map(text).unwrap_or_default();
        assert_eq!(text(0), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(text(10_000_000), "\"1970-01-01T00:00:00.010Z\"");
        assert_eq!(text(1000), "\"1970-01-01T00:00:00.000001Z\"");
        assert_eq!(text(1), "\"1970-01-01T00:00:00.000000001Z\"");
        assert_eq!(text(-1), "");
        assert_eq!(text(1_000_000_000), "");
    }
}
