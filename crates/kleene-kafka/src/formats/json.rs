//! JSON that is written with a limit.

use std::fmt;
use std::io::Write as _;

use base64::Engine as _;

use super::error::DecodeError;

/// The number of objects and lists that may be within each other.
pub(super) const MAX_DEPTH: usize = 64;

/// The bytes of JSON that a value may become. A few bytes may stand for very much: a list of a
/// billion nulls in Avro, the fields without a value in Protobuf.
pub(super) const MAX_JSON: usize = 64 << 20;

/// Returns bytes as text in Base64.
pub(super) fn base64_text(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// JSON that is written.
#[derive(Debug)]
pub(super) struct Json<'a> {
    out: &'a mut Vec<u8>,
    /// The length that `out` may have.
    max: usize,
    depth: usize,
}

impl<'a> Json<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Json<'a> {
        let max = out.len().saturating_add(MAX_JSON);
        Json { out, max, depth: 0 }
    }

    /// Returns what was written, to write to it without a check.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Adds JSON. The limit is checked here: each value is added, or begun, with this function.
    pub(super) fn add(&mut self, json: &[u8]) -> Result<(), DecodeError> {
        if self.out.len() + json.len() > self.max {
            let reason = format!("the value would be more than {} MiB of JSON", MAX_JSON >> 20);
            return Err(DecodeError::poison(reason));
        }
        self.out.extend_from_slice(json);
        Ok(())
    }

    /// Begins an object or a list.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let reason = format!("the value is nested deeper than {MAX_DEPTH}");
            return Err(DecodeError::poison(reason));
        }
        self.add(&[bracket])
    }

    /// Ends an object or a list.
    pub(super) fn close(&mut self, bracket: u8) -> Result<(), DecodeError> {
        self.depth -= 1;
        self.add(&[bracket])
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), DecodeError> {
        self.add(b"")?;
        // Writing a text to memory does not fail.
        serde_json::to_writer(&mut *self.out, text)
            .map_err(|error| DecodeError::poison(error.to_string()))
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.add(b"\"")?;
        self.out.extend_from_slice(base64_text(bytes).as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    pub(super) fn bool(&mut self, value: bool) -> Result<(), DecodeError> {
        self.add(if value { b"true" } else { b"false" })
    }

    pub(super) fn null(&mut self) -> Result<(), DecodeError> {
        self.add(b"null")
    }

    /// Writes a whole number.
    pub(super) fn number(&mut self, number: impl fmt::Display) -> Result<(), DecodeError> {
        self.add(b"")?;
        // Writing to memory does not fail.
        let _ = write!(self.out, "{number}");
        Ok(())
    }

    pub(super) fn f64(&mut self, number: f64) -> Result<(), DecodeError> {
        self.float(number.is_finite(), &number)
    }

    /// Writes the shortest number that is this one of 32 bits: `0.1`, not `0.10000000149011612`.
    pub(super) fn f32(&mut self, number: f32) -> Result<(), DecodeError> {
        self.float(number.is_finite(), &number)
    }

    fn float(&mut self, is_finite: bool, number: &dyn fmt::Debug) -> Result<(), DecodeError> {
        if !is_finite {
            return self.null();
        }
        self.add(b"")?;
        // Writing to memory does not fail. `Debug` writes `1e300` where `Display` has 300 zeros.
        let _ = write!(self.out, "{number:?}");
        Ok(())
    }
}
