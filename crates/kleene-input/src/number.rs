//! Numbers in their common spelling, sooner than the standard library reads them.

/// Parses an integer in its common spelling. Returns `None` for other spellings, which the standard
/// library parses.
#[inline]
pub(crate) fn whole(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // This number of digits fits in any case.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if digits.len() < text.len() { -number } else { number })
}

/// A number such as `-12.50`: digits that a float holds exactly over a power of ten that it holds
/// exactly give the nearest float (Clinger, "How to read floating point numbers accurately", 1990).
/// Any other spelling of a number is left to the standard library.
#[inline]
pub(crate) fn decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // Fifteen digits are below 2^53.
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut number, mut point) = (0_u64, None);
    for (index, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number * 10 + u64::from(digit);
        } else if *byte == b'.' && point.is_none() && index > 0 && index + 1 < digits.len() {
            point = Some(index);
        } else {
            return None;
        }
    }
    let fraction = point.map_or(0, |point| digits.len() - point - 1);
    if point.is_none() && digits.len() > 15 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "it has at most 15 digits")]
    let number = number as f64 / POWERS[fraction];
    Some(if digits.len() < text.len() { -number } else { number })
}
