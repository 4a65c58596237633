//! Times and durations as inputs spell them.

use std::ops::RangeInclusive;

use kleene::Timestamp;
use kleene::event::TimeUnit;

use crate::number::whole;

/// The years 0 to 9999, which is what RFC 3339 can write, in milliseconds since 1970. A number outside
/// is nearly always one in another unit, and is better refused than taken for the year 55,000,000.
pub const TIMES: RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// Converts a number of units to milliseconds; parts of one are cut off, towards the past. `None` if
/// it overflows.
pub fn millis_of(number: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Seconds => number.checked_mul(1000),
        TimeUnit::Millis => Some(number),
        TimeUnit::Micros => Some(number.div_euclid(1000)),
        TimeUnit::Nanos => Some(number.div_euclid(1_000_000)),
    }
}

/// Converts a number to a time in the years 0 to 9999.
pub(crate) fn time_from_int(number: i64, unit: TimeUnit) -> Result<Timestamp, String> {
    match millis_of(number, unit) {
        Some(millis) if TIMES.contains(&millis) => Ok(Timestamp::from_millis(millis)),
        #[expect(clippy::cast_precision_loss, reason = "the size is what matters")]
        _ => Err(out_of_range(number, number as f64, unit)),
    }
}

/// Converts a number with a fraction to a time in the years 0 to 9999. Fractions of a millisecond
/// are cut off.
pub(crate) fn time_from_float(number: f64, unit: TimeUnit) -> Result<Timestamp, String> {
    let millis = match unit {
        TimeUnit::Seconds => number * 1e3,
        TimeUnit::Millis => number,
        TimeUnit::Micros => number / 1e3,
        TimeUnit::Nanos => number / 1e6,
    };
    // Seconds such as 1473023700.123 have no exact float: the nearest microsecond is what was
    // meant.
    let millis = ((millis * 1e3).round() / 1e3).floor();
    #[expect(clippy::cast_precision_loss, reason = "both bounds are below 2^53")]
    if (*TIMES.start() as f64..=*TIMES.end() as f64).contains(&millis) {
        #[expect(clippy::cast_possible_truncation, reason = "in range, checked above")]
        let millis = millis as i64;
        Ok(Timestamp::from_millis(millis))
    } else {
        Err(out_of_range(number, number, unit))
    }
}

/// Returns the unit in which an epoch number is a moment of the years 1980 to 2099, which log files
/// are about. There is at most one.
pub fn likely_unit(number: f64) -> Option<TimeUnit> {
    const SECONDS: std::ops::Range<f64> = 315_532_800.0..4_102_444_800.0;
    #[expect(clippy::cast_precision_loss, reason = "a power of ten below 2^53")]
    TimeUnit::ALL.into_iter().find(|unit| SECONDS.contains(&(number / unit.per_second() as f64)))
}

#[cold]
fn out_of_range(number: impl std::fmt::Display, size: f64, unit: TimeUnit) -> String {
    let likely = match likely_unit(size) {
        Some(likely) => format!("epoch {}? `--time-unit {}`", likely.name(), likely.as_str()),
        None => String::from("is --time-unit right?"),
    };
    let unit = unit.name();
    format!("{number} {unit} is out of range, the year is not between 0 and 9999 ({likely})")
}

/// A moment as text: RFC 3339 (`2016-09-04T21:15:00Z`, a space for the `T` is fine, without an
/// offset it is UTC, a date alone is its midnight), or a number in text.
#[inline]
pub(crate) fn time_from_text(text: &str, unit: TimeUnit) -> Result<Timestamp, String> {
    // A number comes first: eight digits are a moment, not a date.
    if let Some(number) = whole(text.as_bytes()).or_else(|| text.parse().ok()) {
        return time_from_int(number, unit);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return time_from_int(time.as_millis(), TimeUnit::Millis);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => time_from_float(number, unit),
        _ => Err(String::from("expected a time such as 2016-09-04T21:15:00Z or an epoch number")),
    }
}

/// Returns a duration as rules spell it (`1h30m`, `250ms`, `2w`), in milliseconds.
///
/// # Errors
/// A sentence that says what is expected, if the text is not a duration.
pub fn duration_from_text(text: &str) -> Result<i64, String> {
    let wrong = || String::from("expected a duration such as 250ms, 5s or 1h30m");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total: i64 = 0;
    let mut last_size = i64::MAX;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let size = match &rest[digits..digits + letters] {
            "w" => 604_800_000,
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return Err(wrong()),
        };
        // `1m1h` is a slip of the pen.
        if digits == 0 || size >= last_size {
            return Err(wrong());
        }
        total = rest[..digits]
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(size))
            .and_then(|millis| total.checked_add(millis))
            .ok_or_else(|| String::from("the duration is too long"))?;
        last_size = size;
        rest = &rest[digits + letters..];
    }
    Ok(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_each_spelling() {
        let cases = [
            ("2016-09-04T21:15:00Z", TimeUnit::Millis, Some(1_473_023_700_000)),
            ("2016-09-04T21:15:00.250Z", TimeUnit::Millis, Some(1_473_023_700_250)),
            ("2016-09-04T21:15:00.250999Z", TimeUnit::Millis, Some(1_473_023_700_250)),
            ("2016-09-04T23:15:00+02:00", TimeUnit::Millis, Some(1_473_023_700_000)),
            ("2016-09-04 21:15:00", TimeUnit::Millis, Some(1_473_023_700_000)),
            ("2016-09-04", TimeUnit::Millis, Some(1_472_947_200_000)),
            ("0000-01-01T00:00:00Z", TimeUnit::Millis, Some(*TIMES.start())),
            ("9999-12-30T23:59:59.999Z", TimeUnit::Millis, Some(*TIMES.end() - 86_400_000)),
            ("9999-12-31T23:59:59.999Z", TimeUnit::Millis, Some(*TIMES.end())),
            ("2000-02-29T00:00:00Z", TimeUnit::Millis, Some(951_782_400_000)),
            ("1900-02-29T00:00:00Z", TimeUnit::Millis, None),
            ("2016-13-04T21:15:00Z", TimeUnit::Millis, None),
            ("2016-09-04T24:15:00Z", TimeUnit::Millis, None),
            ("1473023700", TimeUnit::Seconds, Some(1_473_023_700_000)),
            ("1473023700.25", TimeUnit::Seconds, Some(1_473_023_700_250)),
            ("1473023700.123", TimeUnit::Seconds, Some(1_473_023_700_123)),
            ("1473023700250", TimeUnit::Millis, Some(1_473_023_700_250)),
            ("1473023700250999", TimeUnit::Micros, Some(1_473_023_700_250)),
            ("-1", TimeUnit::Nanos, Some(-1)),
            ("1473023700250999000", TimeUnit::Millis, None),
            ("9223372036854775807", TimeUnit::Seconds, None),
            ("99999999999999999999", TimeUnit::Micros, None),
            ("NaN", TimeUnit::Seconds, None),
            ("inf", TimeUnit::Seconds, None),
            ("yesterday", TimeUnit::Seconds, None),
            ("", TimeUnit::Seconds, None),
        ];
        for (text, unit, millis) in cases {
            let time = time_from_text(text, unit).ok().map(Timestamp::as_millis);
            assert_eq!(time, millis, "{text:?}");
        }
    }

    #[test]
    fn durations_are_read_as_rules_spell_them() {
        let cases = [
            ("5s", Some(5000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("1m250ms", Some(60_250)),
            ("-7d", Some(-604_800_000)),
            ("2w", Some(1_209_600_000)),
            ("1w3d", Some(864_000_000)),
            ("3d1w", None),
            ("0s", Some(0)),
            ("", None),
            ("-", None),
            ("5", None),
            ("s", None),
            ("1m1h", None),
            ("5 s", None),
            ("5\u{e9}", None),
            ("99999999999999d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(duration_from_text(text).ok(), millis, "{text:?}");
        }
    }
}
