//! Errors by what the caller does about them.

use std::error::Error;
use std::fmt;

/// What to do about a value that was not decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeErrorKind {
    /// The value can never be decoded. The caller rejects the record and goes on.
    Poison,
    /// The schema cannot be had now. Without it nobody knows if the value is good: the caller must
    /// not skip the record.
    Unavailable,
}

/// A value that was not decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecodeError {
    /// What to do about it.
    pub kind: DecodeErrorKind,
    /// What is wrong.
    pub reason: String,
}

impl DecodeError {
    /// Returns an error of a value that can never be decoded.
    pub fn poison(reason: impl Into<String>) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::Poison, reason: reason.into() }
    }

    /// Returns an error of a schema that cannot be had now.
    pub fn unavailable(reason: impl Into<String>) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::Unavailable, reason: reason.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for DecodeError {}

/// A schema, or the address of a registry, that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemaError(String);

impl SchemaError {
    #[cfg(any(feature = "avro", feature = "protobuf"))]
    pub(super) fn new(message: impl Into<String>) -> SchemaError {
        SchemaError(message.into())
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SchemaError {}
