//! Errors between threads. `?` converts each of them to [`kleene::Error`], too.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

use kleene::stream::{BuildError, Refused, RestoreError};

/// The runner accepts no more events because a thread has ended: a rule's limit has stopped all
/// engines, or a thread has panicked. [`Runner::stop`](crate::Runner::stop) returns the reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runner has stopped and takes no more events")
    }
}

impl Error for Stopped {}

/// The reason why a runner did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The engines cannot be built.
    Build(BuildError),
    /// The snapshot cannot be restored.
    Restore(RestoreError),
    /// The operating system started no more threads.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Build(error) => error.fmt(f),
            StartError::Restore(error) => error.fmt(f),
            StartError::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Build(error) => error.source(),
            StartError::Restore(error) => error.source(),
            StartError::Thread(error) => Some(error),
        }
    }
}

impl From<BuildError> for StartError {
    fn from(error: BuildError) -> StartError {
        StartError::Build(error)
    }
}

impl From<RestoreError> for StartError {
    fn from(error: RestoreError) -> StartError {
        StartError::Restore(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::Thread(error)
    }
}

/// The reason why rules were not replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReplaceError {
    /// A thread has ended.
    Stopped,
    /// A rule cannot run over these events. The old rules continue in all shards.
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

/// A thread has panicked: in a condition of the host, or in the function that takes outputs.
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

impl From<Stopped> for kleene::Error {
    fn from(error: Stopped) -> kleene::Error {
        kleene::Error::other(error)
    }
}

impl From<Panicked> for kleene::Error {
    fn from(error: Panicked) -> kleene::Error {
        kleene::Error::other(error)
    }
}

impl From<StartError> for kleene::Error {
    fn from(error: StartError) -> kleene::Error {
        match error {
            StartError::Build(error) => error.into(),
            StartError::Restore(error) => error.into(),
            StartError::Thread(_) => kleene::Error::other(error),
        }
    }
}

impl From<ReplaceError> for kleene::Error {
    fn from(error: ReplaceError) -> kleene::Error {
        match error {
            ReplaceError::Stopped => Stopped.into(),
            ReplaceError::Refused(refused) => refused.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(error: ReplaceError) -> Result<(), kleene::Error> {
        Err(error)?
    }

    fn start(error: StartError) -> Result<(), kleene::Error> {
        Err(error)?
    }

    #[test]
    fn errors_of_the_runner_become_errors_of_the_library() {
        let stopped = replace(ReplaceError::Stopped).unwrap_err();
        assert!(matches!(&stopped, kleene::Error::Other(error) if error.is::<Stopped>()));
        assert_eq!(stopped.to_string(), Stopped.to_string());

        let build = start(StartError::Restore(RestoreError::Damaged)).unwrap_err();
        assert!(matches!(build, kleene::Error::Restore(RestoreError::Damaged)), "{build}");

        let thread = start(StartError::Thread(io::Error::other("none left"))).unwrap_err();
        assert_eq!(thread.to_string(), "cannot start a thread: none left");
        assert!(thread.source().is_some());
    }
}
