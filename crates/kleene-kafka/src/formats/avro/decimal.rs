//! Decimal numbers as text.

use std::fmt::Write as _;

use super::super::error::DecodeError;

/// The bytes of a decimal number: more than 2400 digits. The time to write it grows with the square.
const MAX_BYTES: usize = 1024;

/// The digits after the point, or the zeros at the end.
pub(super) const MAX_SCALE: usize = 1024;

const BILLION: u64 = 1_000_000_000;

/// Returns the number of its bytes, as a two's complement in big endian order, divided by ten to the
/// power of `scale`.
pub(super) fn decimal_text(bytes: &[u8], scale: i64) -> Result<String, DecodeError> {
    if bytes.len() > MAX_BYTES || scale.unsigned_abs() > MAX_SCALE as u64 {
        return Err(DecodeError::poison("a decimal number has too many digits"));
    }
    let is_negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let mut digits = magnitude(bytes, is_negative);
    let scale = isize::try_from(scale).unwrap_or_default();
    if scale < 0 && digits != "0" {
        digits.extend(std::iter::repeat_n('0', scale.unsigned_abs()));
    }
    let point = usize::try_from(scale).unwrap_or_default();
    if digits.len() <= point {
        digits.insert_str(0, &"0".repeat(point + 1 - digits.len()));
    }
    if point > 0 {
        digits.insert(digits.len() - point, '.');
    }
    if is_negative {
        digits.insert(0, '-');
    }
    Ok(digits)
}

/// Returns the digits of a whole number without its sign.
fn magnitude(bytes: &[u8], is_negative: bool) -> String {
    // The digits in base a billion, the lowest first.
    let mut limbs = vec![0_u64];
    // Minus a number is its complement and one.
    let mut carry = u64::from(is_negative);
    for byte in bytes {
        let byte = if is_negative { !byte } else { *byte };
        multiply_and_add(&mut limbs, 256, u64::from(byte));
    }
    for limb in &mut limbs {
        *limb += carry;
        carry = *limb / BILLION;
        *limb %= BILLION;
    }
    if carry > 0 {
        limbs.push(carry);
    }
    let (last, rest) = limbs.split_last().unwrap_or((&0, &[]));
    let mut digits = last.to_string();
    for limb in rest.iter().rev() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{limb:09}");
    }
    digits
}

fn multiply_and_add(limbs: &mut Vec<u64>, factor: u64, addend: u64) {
    let mut carry = addend;
    for limb in &mut *limbs {
        let product = *limb * factor + carry;
        *limb = product % BILLION;
        carry = product / BILLION;
    }
    if carry > 0 {
        limbs.push(carry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_decimal_number_has_its_scale() {
        let text = |number: i32, scale| decimal_text(&number.to_be_bytes(), scale).unwrap();
        assert_eq!(text(12345, 2), "123.45");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(0, 3), "0.000");
        assert_eq!(text(7, 0), "7");
        assert_eq!(text(7, -2), "700");
        assert_eq!(decimal_text(&[], 0).unwrap(), "0");
        assert_eq!(decimal_text(&[0x80], 0).unwrap(), "-128");
        decimal_text(&[1; 2000], 0).unwrap_err();
        decimal_text(&[1], i64::MIN).unwrap_err();
        assert_eq!(decimal_text(&[0x7f; MAX_BYTES], 1024).unwrap().matches('.').count(), 1);
    }

    proptest! {
        #[test]
        fn whole_numbers_are_themselves(number: i128) {
            prop_assert_eq!(decimal_text(&number.to_be_bytes(), 0).unwrap(), number.to_string());
        }
    }
}
