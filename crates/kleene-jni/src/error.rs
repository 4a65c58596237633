//! The error of an engine in a host.

use std::fmt;

/// Why a host cannot do what it was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostError(String);

impl HostError {
    pub(crate) fn new(reason: impl fmt::Display) -> HostError {
        HostError(reason.to_string())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}
