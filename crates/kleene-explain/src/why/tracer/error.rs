//! The error that a key of a rule cannot be followed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::why::keys::KeyError;
use kleene::stream;

/// The reason why a key of a rule cannot be followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// The rule does not exist.
    #[non_exhaustive]
    NoRule {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<Arc<str>>,
    },
    /// The key does not fit the rule's.
    Key(KeyError),
    /// The rule cannot be run on these events.
    Build(stream::BuildError),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::NoRule { name, known } => {
                write!(f, "there is no rule `{name}`; there are: {}", known.join(", "))
            }
            TraceError::Key(error) => error.fmt(f),
            TraceError::Build(error) => error.fmt(f),
        }
    }
}

impl Error for TraceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TraceError::NoRule { .. } | TraceError::Key(_) => None,
            TraceError::Build(error) => error.source(),
        }
    }
}

impl From<TraceError> for kleene::Error {
    fn from(error: TraceError) -> kleene::Error {
        kleene::Error::other(error)
    }
}
