//! Numbers, durations and addresses as text, without the machinery of `fmt`.
//!
//! Results are full of these: on W1, `fmt` took a quarter of the time of writing.

use std::io::Write as _;
use std::net::IpAddr;

use kleene_event::time::duration_parts;

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
    let digit = |number: u64| b'0' + u8::try_from(number % 10).unwrap_or_default();
    line.push(digit(hundredths / 10));
    if !hundredths.is_multiple_of(10) {
        line.push(digit(hundredths));
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

/// Writes a number of milliseconds as rules spell durations: `1h30m`, `250ms`, `2w`.
pub(super) fn write_duration(line: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        line.push(b'-');
    }
    for (number, unit) in duration_parts(millis) {
        write_count(line, number);
        line.extend_from_slice(unit.as_bytes());
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
    use kleene::Timestamp;
    use kleene_event::time::format_millis;

    use super::*;

    const DAY: i64 = 86_400_000;

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
    fn numbers_times_and_durations_are_spelled_as_display_spells_them() {
        for number in numbers() {
            let time = Timestamp::from_millis(number);
            assert_eq!(text(|line| time.write_to(line)), time.to_string());
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
