//! Event time: milliseconds since 1970-01-01T00:00:00Z as an `i64`.
//!
//! The library has no clock. A [`Timestamp`] comes with each event; durations inside the crate are
//! `i64` milliseconds, in the public API they are [`std::time::Duration`].
//!
//! The calendar reaches as far as `i64` milliseconds do, to the years -292275055 and 292278994.
//! `jiff` ends at the years -9999 and 9999, and reads a time in more than twice the time (its line
//! in `Cargo.toml` has the figures).

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

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

/// A later moment; stays at the end of the range instead of overflowing. Fractions of a millisecond
/// are cut off.
///
/// ```
/// use std::time::Duration;
///
/// use kleene::Timestamp;
///
/// let at = Timestamp::from_millis(60_000);
/// let minute = Duration::from_secs(60);
/// assert_eq!(at + minute, Timestamp::from_millis(120_000));
/// assert_eq!(at - minute, Timestamp::from_millis(0));
/// assert_eq!((at + minute) - at, minute);
/// ```
impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        self.plus_millis(duration_to_millis(duration))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// An earlier moment; stays at the start of the range instead of overflowing. Fractions of a
/// millisecond are cut off.
impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(duration_to_millis(duration)))
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

/// The time that passed since an earlier moment; zero since a later one, as with
/// [`Instant`](std::time::Instant). [`millis_since`](Timestamp::millis_since) has a sign.
impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Timestamp) -> Duration {
        // The difference of any two moments is less than 2^64 ms.
        Duration::from_millis(if self > earlier { self.0.abs_diff(earlier.0) } else { 0 })
    }
}

impl Timestamp {
    /// Adds the text that `Display` writes, without the machinery of `fmt`: results are full of
    /// times.
    // In the browser, where size counts, there is one copy of it.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline)]
    pub fn write_to(self, line: &mut Vec<u8>) {
        match self.rfc_3339() {
            Some((text, length)) => {
                // A copy of a fixed length and a cut are cheaper than a copy of a length that varies.
                let end = line.len() + length;
                line.extend_from_slice(&text);
                line.truncate(end);
            }
            None => line.extend_from_slice(self.to_string().as_bytes()),
        }
    }

    /// Returns the text of a moment and its length. `None` if the year has not four digits.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline)]
    fn rfc_3339(self) -> Option<([u8; 24], usize)> {
        let ([year, month, day], millis) = self.fields()?;
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let ([y0, y1], [y2, y3]) = (pair(year / 100), pair(year % 100));
        let ([m0, m1], [d0, d1]) = (pair(month), pair(day));
        let (hours, minutes) = (pair(seconds / 3600), pair(seconds / 60 % 60));
        let ([h0, h1], [i0, i1], [s0, s1]) = (hours, minutes, pair(seconds % 60));
        let ([_, f0], [f1, f2]) = (pair(millis / 100), pair(millis % 100));
        let (point, length) = if millis == 0 { (b'Z', 20) } else { (b'.', 24) };
        // One array, so that the compiler makes it in registers.
        let text = [
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1,
            point, f0, f1, f2, b'Z',
        ];
        Some((text, length))
    }

    /// Returns year, month and day, and the milliseconds of the day. `None` before March of the year
    /// 0 and after the year 9999.
    #[inline]
    fn fields(self) -> Option<([u32; 3], u32)> {
        const DAY: i64 = 86_400_000;
        /// The first day is 0000-03-01, and the last 9999-12-31.
        const DAYS: i64 = EPOCH_DAY + 2_932_897;
        let millis = self.0.checked_add(EPOCH_DAY * DAY)?;
        if !(0..DAYS * DAY).contains(&millis) {
            return None;
        }
        let days = u32::try_from(millis / DAY).ok()?;
        let millis = u32::try_from(millis % DAY).ok()?;
        Some((date_of(days), millis))
    }
}

/// Returns year, month and day of a number of days since 0000-03-01. The years 0 to 9999 fit by far.
///
/// The algorithm is that of Neri and Schneider, "Euclidean affine functions and their application to
/// calendar algorithms" (2023): numbers of 32 bits and few divisions. A year begins in March.
#[inline]
fn date_of(days: u32) -> [u32; 3] {
    let quarters = 4 * days + 3;
    let (century, day_of_century) = (quarters / 146_097, quarters % 146_097 / 4);
    let product = 2_939_745 * u64::from(4 * day_of_century + 3);
    // The high half is the year, and the low one its fraction.
    #[expect(clippy::cast_possible_truncation, reason = "halves of 64 bits")]
    let (year_of_century, fraction) = ((product >> 32) as u32, product as u32);
    let day_of_year = fraction / 2_939_745 / 4;
    let linear = 2141 * day_of_year + 197_913;
    let (month, day) = (linear >> 16, (linear & 0xffff) / 2141 + 1);
    let year = 100 * century + year_of_century;
    // From the 306th day on, it is January or February of the next year.
    if day_of_year >= 306 { [year + 1, month - 12, day] } else { [year, month, day] }
}

/// Writes RFC 3339 in UTC: `2016-09-04T21:15:00Z`, with `.250` where there are milliseconds. A year
/// outside 0 to 9999 has a sign.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((text, length)) = self.rfc_3339() {
            return f.write_str(str::from_utf8(&text[..length]).unwrap_or_default());
        }
        let (days, millis) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match year {
            0 => f.write_str("0000")?,
            _ => write!(f, "{year:+05}")?,
        }
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis > 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

/// The digits of the numbers from 0 to 99. To compute them took twice the instructions.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < 100 {
        #[expect(clippy::cast_possible_truncation, reason = "the number is less than 100")]
        let (tens, ones) = (number as u8 / 10, number as u8 % 10);
        pairs[number] = [b'0' + tens, b'0' + ones];
        number += 1;
    }
    pairs
};

/// Returns the last two digits of a number.
#[inline]
fn pair(number: u32) -> [u8; 2] {
    PAIRS[(number % 100) as usize]
}

/// Saturates; fractions of a millisecond are cut off towards the past.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        Timestamp(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => duration_to_millis(after),
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1_000_000);
                i64::try_from(before).map_or(i64::MIN, |millis| -millis)
            }
        })
    }
}

/// Reads RFC 3339, and of ISO 8601 what is common beside it: a space for the `T`, no seconds, no
/// time of day (midnight), no offset (UTC). What is finer than a millisecond is cut off; the leap
/// second `:60` is the second after `:59`.
impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Timestamp, ParseTimestampError> {
        parse_rfc_3339(text).map(Timestamp).ok_or(ParseTimestampError(()))
    }
}

/// A text that is not a moment in RFC 3339.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseTimestampError(());

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time in RFC 3339, such as 2016-09-04T21:15:00Z")
    }
}

impl std::error::Error for ParseTimestampError {}

fn parse_rfc_3339(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text.as_bytes());
    let year_sign = cursor.take(b"+-");
    let digits = cursor.0.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits < 4 || digits > 4 && year_sign.is_none() || digits > 9 {
        return None;
    }
    let year = cursor.number(digits)?;
    let year = if year_sign == Some(b'-') { -year } else { year };
    cursor.take(b"-")?;
    let month = cursor.number(2).filter(|month| (1..=12).contains(month))?;
    cursor.take(b"-")?;
    let day = cursor.number(2).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    let mut millis = i128::from(days_from_civil(year, month, day)) * 86_400_000;
    if cursor.take(b"Tt ").is_some() {
        let hour = cursor.number(2).filter(|hour| *hour < 24)?;
        cursor.take(b":")?;
        let minute = cursor.number(2).filter(|minute| *minute < 60)?;
        let mut second = 0;
        if cursor.take(b":").is_some() {
            second = cursor.number(2).filter(|second| *second <= 60)?;
            if cursor.take(b".,").is_some() {
                millis += i128::from(cursor.fraction()?);
            }
        }
        millis += i128::from((hour * 60 + minute) * 60_000 + second * 1000);
        let sign = cursor.take(b"Zz+-");
        if let Some(sign @ (b'+' | b'-')) = sign {
            let hour = cursor.number(2).filter(|hour| *hour < 24)?;
            cursor.take(b":");
            let minute = cursor.number(2).filter(|minute| *minute < 60)?;
            let offset = i128::from((hour * 60 + minute) * 60_000);
            millis += if sign == b'+' { -offset } else { offset };
        }
    }
    if cursor.0.is_empty() { i64::try_from(millis).ok() } else { None }
}

/// The rest of a text that is being read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Takes the next byte if it is one of `any_of`.
    fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any_of.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Takes a number of exactly `digits` digits, at most 9.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number
            .iter()
            .try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    }

    /// Takes the digits after a point; gives milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let millis = (0..3).map(|i| fraction.get(i).map_or(0, |b| i64::from(b - b'0')));
        (digits > 0).then(|| millis.fold(0, |sum, digit| sum * 10 + digit))
    }
}

/// The days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The inverse of [`civil_from_days`].
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_index = (month + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - EPOCH_DAY
}

/// Days since the epoch to (year, month, day) in the proleptic Gregorian calendar, which repeats
/// itself every 400 years.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_ERA: i64 = 146_097;
    let days = days + EPOCH_DAY;
    let day_of_era = u32::try_from(days.rem_euclid(DAYS_OF_ERA)).unwrap_or_default();
    let [year, month, day] = date_of(day_of_era).map(i64::from);
    (days.div_euclid(DAYS_OF_ERA) * 400 + year, month, day)
}

/// Whole milliseconds of `duration`, at most `i64::MAX`.
pub fn duration_to_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The units of durations in rules, with their sizes in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Writes a number of milliseconds the way that rules spell durations: `1h30m`, `250ms`, `0s`. Only
/// whole weeks are written as weeks: `2w`, but `10d` and `30d`.
pub fn format_millis(millis: i64) -> String {
    spell(millis, duration_parts(millis))
}

/// Does what [`format_millis`] does, but without weeks.
pub fn format_millis_in_days(millis: i64) -> String {
    spell(millis, parts(millis.unsigned_abs(), &UNITS[1..]))
}

/// Returns the numbers and units that [`format_millis`] writes after the sign.
pub fn duration_parts(millis: i64) -> impl Iterator<Item = (u64, &'static str)> {
    let size = millis.unsigned_abs();
    let is_weeks = size > 0 && size.is_multiple_of(UNITS[0].1);
    parts(size, if is_weeks { &UNITS[..1] } else { &UNITS[1..] })
}

/// Divides a number of milliseconds into these units, the largest first.
fn parts(
    millis: u64,
    units: &'static [(&'static str, u64)],
) -> impl Iterator<Item = (u64, &'static str)> {
    let mut rest = millis;
    let parts = units.iter().map(move |(unit, size)| {
        let number = rest / size;
        rest %= size;
        (number, *unit)
    });
    // No time at all is `0s`.
    parts.filter(move |(number, unit)| *number > 0 || millis == 0 && *unit == "s")
}

fn spell(millis: i64, parts: impl Iterator<Item = (u64, &'static str)>) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
    }
    for (number, unit) in parts {
        let _ = write!(out, "{number}{unit}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_years_0_to_9999_is_spelled_as_the_calendar_has_it() {
        const DAY: i64 = 86_400_000;
        let (first, last) = (days_from_civil(-1, 1, 1), days_from_civil(10_001, 1, 1));
        for day in first..last {
            let rest = day.rem_euclid(86_413) * 999;
            let time = Timestamp::from_millis(day * DAY + rest);
            let days = day + rest / DAY;
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            let rest = rest % DAY;
            let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
            let (second, millis) = (rest / 1000 % 60, rest % 1000);
            let year = match year {
                0..=9999 => format!("{year:04}"),
                _ => format!("{year:+05}"),
            };
            let point = if millis > 0 { format!(".{millis:03}") } else { String::new() };
            let day = format!("{year}-{month:02}-{day:02}");
            let text = format!("{day}T{hour:02}:{minute:02}:{second:02}{point}Z");
            let mut line = Vec::new();
            time.write_to(&mut line);
            assert_eq!((time.to_string(), line), (text.clone(), text.into_bytes()));
        }
    }

    #[test]
    fn timestamps_print_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_473_023_700_000, "2016-09-04T21:15:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_250, "2000-02-29T00:00:00.250Z"),
            (-62_198_755_200_000, "-0001-01-01T00:00:00Z"),
            (253_402_300_800_000, "+10000-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
        assert!(!Timestamp::MIN.to_string().is_empty());
        assert!(!Timestamp::MAX.to_string().is_empty());
    }

    #[test]
    fn timestamps_are_read_from_rfc_3339_and_its_common_short_forms() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2016-09-04T21:15:00Z", Some(1_473_023_700_000)),
            ("2016-09-04t23:15:00.0009+02:00", Some(1_473_023_700_000)),
            ("2016-09-04 17:15-0400", Some(1_473_023_700_000)),
            ("2000-02-29T00:00:00.25", Some(951_782_400_250)),
            ("2000-02-29", Some(951_782_400_000)),
            ("1999-12-31T23:59:60Z", Some(946_684_800_000)),
            ("-0001-01-01T00:00:00Z", Some(-62_198_755_200_000)),
            ("1900-02-29", None),
            ("2016-13-01", None),
            ("2016-09-04T24:00:00Z", None),
            ("2016-09-04T", None),
            ("2016-09-04T21:15:00.Z", None),
            ("2016-09-04T21:15:00Z ", None),
            ("2016-09-04T21:15:00+2", None),
            ("20160904", None),
            ("+292278995-01-01T00:00:00Z", None),
            ("\u{661}970-01-01", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok().map(Timestamp::as_millis), millis, "{text}");
        }
    }

    #[test]
    fn what_timestamps_print_reads_back_as_the_same() {
        let mut millis = 1_i64;
        let mut cases = vec![Timestamp::MIN, Timestamp::MAX];
        for _ in 0..2000 {
            // A linear congruence: spreads over the whole range, the same in every run.
            millis = millis.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            cases.push(Timestamp(millis));
            // The years -2489 to 6429, among them those of fewer than four digits.
            cases.push(Timestamp(millis >> 16));
        }
        for time in cases {
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
        }
    }

    #[test]
    fn system_times_become_the_millisecond_that_holds_them() {
        let at = |nanos: i64| {
            let span = Duration::from_nanos(nanos.unsigned_abs());
            let epoch = SystemTime::UNIX_EPOCH;
            Timestamp::from(if nanos < 0 { epoch - span } else { epoch + span }).as_millis()
        };
        for (nanos, millis) in [(0, 0), (1_999_999, 1), (-1, -1), (-1_000_000, -1)] {
            assert_eq!(at(nanos), millis, "{nanos} ns");
        }
    }

    #[test]
    fn durations_print_as_rules_spell_them() {
        for (millis, text) in [
            (0, "0s"),
            (250, "250ms"),
            (5_400_000, "1h30m"),
            (-61_000, "-1m1s"),
            (86_400_000, "1d"),
            (7 * 86_400_000, "1w"),
            (-14 * 86_400_000, "-2w"),
            (10 * 86_400_000, "10d"),
            (7 * 86_400_000 + 1, "7d1ms"),
        ] {
            assert_eq!(format_millis(millis), text);
        }
    }
}
