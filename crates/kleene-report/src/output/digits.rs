//! Numbers, times, durations and addresses as text, without the machinery of `fmt`.
//!
//! Results are full of these: on W1, `fmt` took a quarter of the time of writing.

use std::io::Write as _;
use std::net::IpAddr;

use kleene::Timestamp;

const DAY: i64 = 86_400_000;

/// The days from 0000-03-01 to 1970-01-01, and from there to 10000-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;
const DAYS_BEFORE_10000: i64 = DAYS_BEFORE_1970 + 2_932_897;

/// Writes an integer.
pub(super) fn write_int(line: &mut Vec<u8>, number: i64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a number that is not negative.
pub(super) fn write_count(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a float that is a number of hundredths, such as an amount of money. Returns false for
/// other floats.
///
/// The shortest decimal that reads back as the float is what `serde_json` writes. A decimal of at
/// most 15 digits is that one: no two of them are the same float. To find it by a multiplication
/// and a division takes half the time of the general algorithm.
pub(super) fn write_hundredths(line: &mut Vec<u8>, float: f64) -> bool {
    const LIMIT: f64 = 1e15;
    let size = float.abs();
    let rounded = size * 100.0 + 0.5;
    // Zero has a sign, which an integer has not. No comparison holds for NaN.
    if !(1.0..LIMIT).contains(&rounded) {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let hundredths = rounded as u64;
    #[expect(clippy::cast_precision_loss, reason = "it is less than 2^53")]
    if hundredths as f64 / 100.0 != size {
        return false;
    }
    if float < 0.0 {
        line.push(b'-');
    }
    write_count(line, hundredths / 100);
    line.push(b'.');
    let [tenths, rest] = PAIRS[usize::try_from(hundredths % 100).unwrap_or_default()];
    line.push(tenths);
    if rest != b'0' {
        line.push(rest);
    }
    true
}

/// Writes a number as 16 hexadecimal digits.
pub(super) fn write_hex(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(&hex_digits(number >> 32));
    line.extend_from_slice(&hex_digits(number & 0xffff_ffff));
}

/// Returns the 8 hexadecimal digits of a number of 32 bits. All digits are made at once.
#[inline]
fn hex_digits(number: u64) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let halves = (number | number << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = ((digits + 6 * ONES) >> 4) & ONES;
    let offset = u64::from(b'a' - b'0' - 10);
    (digits + u64::from(b'0') * ONES + is_letter * offset).to_be_bytes()
}

/// Writes a time as its `Display` does: RFC 3339 in UTC, with milliseconds if there are any.
pub(super) fn write_time(line: &mut Vec<u8>, time: Timestamp) {
    match fields_of(time) {
        Some(fields) => write_fields(line, fields),
        // Before March of the year 0 or after the year 9999. Writing to memory does not fail.
        None => drop(write!(line, "{time}")),
    }
}

/// Returns year, month, day and the milliseconds of the day; `None` if the year may not have four
/// digits.
///
/// The algorithm is that of Neri and Schneider, "Euclidean affine functions and their application to
/// calendar algorithms" (2023): numbers of 32 bits and few divisions. A year begins in March.
fn fields_of(time: Timestamp) -> Option<[u32; 4]> {
    let millis = time.as_millis().checked_add(DAYS_BEFORE_1970 * DAY)?;
    if !(0..DAYS_BEFORE_10000 * DAY).contains(&millis) {
        return None;
    }
    let days = u32::try_from(millis / DAY).ok()?;
    let millis = u32::try_from(millis % DAY).ok()?;
    let quarters = 4 * days + 3;
    let (century, day_of_century) = (quarters / 146_097, quarters % 146_097 / 4);
    let product = 2_939_745 * u64::from(4 * day_of_century + 3);
    let year_of_century = u32::try_from(product >> 32).ok()?;
    let day_of_year = u32::try_from((product & 0xffff_ffff) / 2_939_745 / 4).ok()?;
    let linear = 2141 * day_of_year + 197_913;
    let (month, day) = (linear >> 16, (linear & 0xffff) / 2141 + 1);
    let year = 100 * century + year_of_century;
    // From the 306th day on, it is January or February of the next year.
    let (year, month) = if day_of_year >= 306 { (year + 1, month - 12) } else { (year, month) };
    Some([year, month, day, millis])
}

fn write_fields(line: &mut Vec<u8>, [year, month, day, millis]: [u32; 4]) {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let ([y0, y1], [y2, y3]) = (pair(year / 100), pair(year % 100));
    let ([m0, m1], [d0, d1]) = (pair(month), pair(day));
    let (hours, minutes) = (pair(seconds / 3600), pair(seconds / 60 % 60));
    let ([h0, h1], [i0, i1], [s0, s1]) = (hours, minutes, pair(seconds % 60));
    let ([_, f0], [f1, f2]) = (pair(millis / 100), pair(millis % 100));
    // One array, so that the compiler makes it in registers.
    let text = [
        y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'.',
        f0, f1, f2, b'Z',
    ];
    let start = line.len();
    line.extend_from_slice(&text);
    if millis == 0 {
        // A copy of a fixed length and a cut are cheaper than a copy of a length that varies.
        line.truncate(start + 19);
        line.push(b'Z');
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

/// Writes a number of milliseconds as rules spell durations: `1h30m`, `250ms`, `2w`.
pub(super) fn write_duration(line: &mut Vec<u8>, millis: i64) {
    const WEEK: u64 = 7 * DAY.unsigned_abs();
    let units: [(u64, &[u8]); 5] =
        [(DAY.unsigned_abs(), b"d"), (3_600_000, b"h"), (60_000, b"m"), (1000, b"s"), (1, b"ms")];
    if millis == 0 {
        return line.extend_from_slice(b"0s");
    }
    if millis < 0 {
        line.push(b'-');
    }
    let mut rest = millis.unsigned_abs();
    if rest.is_multiple_of(WEEK) {
        write_count(line, rest / WEEK);
        return line.push(b'w');
    }
    for (size, unit) in units {
        if rest >= size {
            write_count(line, rest / size);
            line.extend_from_slice(unit);
            rest %= size;
        }
    }
}

/// Writes an address as its `Display` does.
pub(super) fn write_ip(line: &mut Vec<u8>, ip: IpAddr) {
    let IpAddr::V4(ip) = ip else {
        // Writing to memory does not fail.
        return drop(write!(line, "{ip}"));
    };
    let [first, others @ ..] = ip.octets();
    write_count(line, first.into());
    for octet in others {
        line.push(b'.');
        write_count(line, octet.into());
    }
}

#[cfg(test)]
mod tests {
    use kleene_event::time::format_millis;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    /// Numbers of all sizes, the same in every run.
    fn numbers() -> impl Iterator<Item = i64> {
        let mut state = 1_i64;
        let random = (0..200_000).map(move |i| {
            // A linear congruence; the shift gives numbers of each length.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> (i % 64)
        });
        let edges = [i64::MIN, i64::MAX, -1, 0, 1, DAY, 7 * DAY, -14 * DAY, 7 * DAY + 1];
        edges.into_iter().chain(random)
    }

    #[test]
    fn every_day_of_the_years_0_to_9999_is_spelled_as_display_spells_it() {
        let first = -DAYS_BEFORE_1970 - 400;
        for day in first..DAYS_BEFORE_10000 - DAYS_BEFORE_1970 + 400 {
            let time = Timestamp::from_millis(day * DAY + day.rem_euclid(86_413) * 999);
            assert_eq!(text(|line| write_time(line, time)), time.to_string());
        }
    }

    #[test]
    fn numbers_times_and_durations_are_spelled_as_display_spells_them() {
        for number in numbers() {
            let time = Timestamp::from_millis(number);
            assert_eq!(text(|line| write_time(line, time)), time.to_string());
            assert_eq!(text(|line| write_duration(line, number)), format_millis(number));
            assert_eq!(text(|line| write_int(line, number)), number.to_string());
            let number = number.cast_unsigned();
            assert_eq!(text(|line| write_hex(line, number)), format!("{number:016x}"));
        }
    }

    #[test]
    fn hundredths_are_spelled_as_serde_json_spells_them() {
        let mut written = 0;
        for number in numbers().chain(-30_000..30_000) {
            #[expect(clippy::cast_precision_loss, reason = "any float will do")]
            let float = number as f64 / 100.0;
            let neighbours = [float.next_up(), float, float.next_down()];
            for float in neighbours.into_iter().chain([f64::from_bits(number.cast_unsigned())]) {
                let mut line = Vec::new();
                if write_hundredths(&mut line, float) {
                    assert_eq!(line, serde_json::to_vec(&float).unwrap(), "{float:?}");
                    written += 1;
                }
            }
        }
        assert!(written > 100_000, "{written}");
    }

    #[test]
    fn addresses_are_spelled_as_display_spells_them() {
        for ip in ["0.0.0.0", "10.0.255.9", "255.255.255.255", "::1", "2001:db8::ffff:1.2.3.4"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(text(|line| write_ip(line, ip)), ip.to_string());
        }
    }
}
