//! Errors between threads.

use std::any::Any;
use std::error::Error;
use std::fmt;

use kleene::stream::Refused;

/// Nothing is taken any more, since a thread has ended: whoever is reported wants no more, a rule's
/// limit has stopped everything, or a thread has panicked. To finish says which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runner has stopped: no event is taken any more")
    }
}

impl Error for Stopped {}

/// Why rules were not replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReplaceError {
    /// A thread has ended.
    Stopped,
    /// A rule cannot be run over these events. The old rules go on in all shards.
    Refused(Refused),
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplaceError::Stopped => Stopped.fmt(f),
            ReplaceError::Refused(refused) => refused.fmt(f),
        }
    }
}

impl Error for ReplaceError {}

impl From<Stopped> for ReplaceError {
    fn from(Stopped: Stopped) -> ReplaceError {
        ReplaceError::Stopped
    }
}

impl From<Refused> for ReplaceError {
    fn from(refused: Refused) -> ReplaceError {
        ReplaceError::Refused(refused)
    }
}

/// A thread has panicked: a condition of the host, or whoever is reported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Panicked {
    message: String,
}

impl Panicked {
    pub(crate) fn new(payload: &(dyn Any + Send)) -> Panicked {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Panicked { message: text.unwrap_or("(no message)").to_owned() }
    }

    /// Returns the message of the panic.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a thread has panicked: {}", self.message)
    }
}

impl Error for Panicked {}
