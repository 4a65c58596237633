//! Values of a declared type from what the input holds: JSON scalars, or text (CSV).

use std::fmt;
use std::net::IpAddr;

use kleene::event::TimeUnit;
use kleene::schema::FieldType;
use kleene::value::Value;

use crate::number::{decimal, whole};
use crate::time::{duration_from_text, time_from_float, time_from_int, time_from_text};

/// The spelling of values, beyond their types.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spelling {
    /// The unit of epoch numbers.
    pub(crate) unit: TimeUnit,
    /// See [`Reading::is_strict`](crate::Reading::is_strict).
    pub(crate) is_strict: bool,
}

/// A JSON value without parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(&'a str),
}

/// Writes the value as messages name it; long text is cut.
impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Null => f.write_str("null"),
            Scalar::Bool(b) => b.fmt(f),
            Scalar::Int(i) => write!(f, "the number {i}"),
            Scalar::Float(x) => write!(f, "the number {x:?}"),
            Scalar::Text(text) => write!(f, "the text {}", quoted(text)),
        }
    }
}

/// Returns a text in quotes, cut after 40 characters, as reasons show it.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Returns the reason why a value is not a list of type `ty`: its element with this number, from 1, is
/// wrong for `reason`.
///
/// ```
/// use kleene::schema::FieldType;
/// use kleene_input::wrong_element;
///
/// let list = FieldType::List(Box::new(FieldType::Int));
/// let reason = wrong_element(&list, 2, "expected int, found null");
/// assert_eq!(reason, "expected list<int>, the 2nd element: expected int, found null");
/// ```
pub fn wrong_element(ty: &FieldType, number: usize, reason: &str) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("expected {ty}, the {number}{suffix} element: {reason}")
}

/// Converts a JSON scalar to a value of type `ty`. Null gives [`Value::Null`], which the caller has
/// to check. The error says what was expected and what was found.
pub(crate) fn from_json(
    ty: &FieldType,
    scalar: Scalar<'_>,
    spelling: Spelling,
) -> Result<Value, String> {
    let unit = spelling.unit;
    match (ty, scalar) {
        (_, Scalar::Null) => Ok(Value::Null),
        (FieldType::Bool, Scalar::Bool(b)) => Ok(Value::Bool(b)),
        (FieldType::Int, Scalar::Int(i)) => Ok(Value::Int(i)),
        (FieldType::Int, Scalar::Float(x)) => int_from_float(x),
        #[expect(clippy::cast_precision_loss, reason = "declared as float: rounding is asked for")]
        (FieldType::Float, Scalar::Int(i)) => Ok(Value::Float(i as f64)),
        (FieldType::Float, Scalar::Float(x)) => Ok(Value::Float(x)),
        (FieldType::String, Scalar::Text(text)) => Ok(Value::String(text.into())),
        (FieldType::Time, Scalar::Int(i)) => time_from_int(i, unit).map(Value::Time),
        (FieldType::Time, Scalar::Float(x)) => time_from_float(x, unit).map(Value::Time),
        (FieldType::Duration, Scalar::Int(millis)) => Ok(Value::Duration(millis)),
        (FieldType::Time | FieldType::Duration | FieldType::Ip, Scalar::Text(text)) => {
            special_from_text(ty, text, unit)
        }
        _ => from_other(ty, scalar, spelling),
    }
}

/// Converts a JSON scalar of another type. Many writers put numbers and bools in quotes: a text in
/// JSON is then read like a cell of CSV. An empty text is no value in JSON. Many write a list of
/// one as its only item.
#[cold]
fn from_other(ty: &FieldType, scalar: Scalar<'_>, spelling: Spelling) -> Result<Value, String> {
    match (ty, scalar) {
        (FieldType::Bool | FieldType::Int | FieldType::Float, Scalar::Text(text))
            if !spelling.is_strict =>
        {
            from_text(ty, text, spelling)
        }
        (FieldType::List(item), scalar) if !spelling.is_strict => {
            let item = from_json(item, scalar, spelling);
            let list = |item| Value::List([item].into());
            item.map(list).map_err(|_| format!("expected {ty}, found {scalar}"))
        }
        _ => Err(format!("expected {ty}, found {scalar}")),
    }
}

/// Converts text to a value of type `ty`, for input in which everything is text. Refuses lists.
pub(crate) fn from_text(ty: &FieldType, text: &str, spelling: Spelling) -> Result<Value, String> {
    let wrong = || format!("expected {ty}, found {}", Scalar::Text(text));
    match ty {
        FieldType::Bool => match text {
            "true" | "True" | "TRUE" | "1" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" | "0" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        FieldType::Int => match whole(text.as_bytes()).map_or_else(|| text.parse(), Ok) {
            Ok(number) => Ok(Value::Int(number)),
            // `10000000000000000000e-4` overflows as well, up to its `e`.
            Err(error) if is_overflow(&error) && !text.contains(['.', 'e', 'E']) => {
                Err(format!("{} is out of range for int", quoted(text)))
            }
            Err(_) => match text.parse() {
                Ok(number) => int_from_float(number).map_err(|_| wrong()),
                Err(_) => Err(wrong()),
            },
        },
        FieldType::Float => match decimal(text.as_bytes()).map_or_else(|| text.parse(), Ok) {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(wrong()),
        },
        FieldType::String => Ok(Value::String(text.into())),
        FieldType::Time | FieldType::Duration | FieldType::Ip => {
            special_from_text(ty, text, spelling.unit)
        }
        FieldType::List(_) => Err(wrong()),
        FieldType::Any => Ok(guess_from_text(text)),
    }
}

/// Converts text of an undeclared type: a number or a bool if it is spelled as one, text otherwise
/// (`007` stays text).
pub(crate) fn guess_from_text(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::Int(number);
    }
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if let [b'1'..=b'9', ..] | [b'0', b'.', ..] = digits
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
        && text.contains('.')
    {
        return Value::Float(number);
    }
    Value::String(text.into())
}

/// An IPv4 address.
#[inline]
fn dotted(text: &[u8]) -> Option<IpAddr> {
    let mut octets = [0_u8; 4];
    let mut parts = 0;
    let (mut number, mut length) = (0_u16, 0);
    for &byte in text.iter().chain(b".") {
        if byte == b'.' {
            *octets.get_mut(parts)? = u8::try_from(number).ok().filter(|_| length > 0)?;
            parts += 1;
            (number, length) = (0, 0);
        } else {
            let digit = byte.wrapping_sub(b'0');
            // `01` is refused: some take it for octal.
            if digit > 9 || length == 3 || length > 0 && number == 0 {
                return None;
            }
            number = number * 10 + u16::from(digit);
            length += 1;
        }
    }
    (parts == 4).then(|| IpAddr::from(octets))
}

fn special_from_text(ty: &FieldType, text: &str, unit: TimeUnit) -> Result<Value, String> {
    let found = |expected: String| format!("{expected}, found {}", Scalar::Text(text));
    match ty {
        FieldType::Time => time_from_text(text, unit).map(Value::Time).map_err(found),
        FieldType::Duration => match text.parse() {
            Ok(millis) => Ok(Value::Duration(millis)),
            Err(_) => duration_from_text(text).map(Value::Duration).map_err(found),
        },
        _ => match dotted(text.as_bytes()).map_or_else(|| text.parse(), Ok) {
            Ok(ip) => Ok(Value::Ip(ip)),
            Err(_) => Err(found(String::from("expected an IP address"))),
        },
    }
}

/// `5.0` and `1e3` are whole numbers too; from 2^53 on a float does not say which one.
fn int_from_float(number: f64) -> Result<Value, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 {
        Err(format!("expected int, found the number {number:?}"))
    } else if number.abs() >= EXACT {
        Err(format!("{number:?} is out of range for int"))
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "in range, checked above")]
        let number = number as i64;
        Ok(Value::Int(number))
    }
}

fn is_overflow(error: &std::num::ParseIntError) -> bool {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    matches!(error.kind(), PosOverflow | NegOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_the_declared_type() {
        let cases = [
            (&FieldType::Bool, "true", Ok("true")),
            (&FieldType::Bool, "0", Ok("false")),
            (&FieldType::Bool, "yes", Err(r#"expected bool, found the text "yes""#)),
            (&FieldType::Int, "-7", Ok("-7")),
            (&FieldType::Int, "7.0", Ok("7")),
            (&FieldType::Int, "7.5", Err(r#"expected int, found the text "7.5""#)),
            (
                &FieldType::Int,
                "9223372036854775808",
                Err(r#""9223372036854775808" is out of range for int"#),
            ),
            (&FieldType::Float, "2", Ok("2.0")),
            (&FieldType::Float, "NaN", Err(r#"expected float, found the text "NaN""#)),
            (&FieldType::Ip, "::1", Ok("::1")),
            (&FieldType::Ip, "1.2.3", Err(r#"expected an IP address, found the text "1.2.3""#)),
            (&FieldType::Duration, "1m30s", Ok("1m30s")),
            (&FieldType::Duration, "1500", Ok("1s500ms")),
            (&FieldType::Time, "0", Ok("1970-01-01T00:00:00Z")),
        ];
        for (ty, text, expected) in cases {
            let found = from_text(ty, text, Spelling::default()).map(|value| value.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text:?} as {ty}");
        }
    }

    #[test]
    fn undeclared_text_is_a_number_only_if_it_is_spelled_as_one() {
        let cases = [
            ("7", "7"),
            ("007", "\"007\""),
            ("+7", "\"+7\""),
            ("-0.5", "-0.5"),
            ("1.5.2", "\"1.5.2\""),
            ("true", "true"),
            ("inf", "\"inf\""),
            ("12345678901234567890", "\"12345678901234567890\""),
        ];
        for (text, value) in cases {
            assert_eq!(guess_from_text(text).to_string(), value);
        }
    }

    #[test]
    fn long_text_is_cut_in_messages() {
        assert_eq!(quoted("ab"), "\"ab\"");
        assert_eq!(quoted(&"\u{e9}".repeat(100)).chars().count(), 45);
    }
}
