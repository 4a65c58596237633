//! Errors by what the worker does about them.

use std::error::Error;
use std::fmt;

/// What to do about a failed call to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call can be repeated. Its outcome may be unknown, as after a timeout.
    Retriable,
    /// The transaction must be aborted. Processing goes on from the last commit.
    Abort,
    /// Another producer has the same transactional id, or another member the same place in the group.
    Fenced,
    /// The call cannot succeed until somebody changes something.
    Fatal,
}

/// A failed call to Kafka.
#[derive(Clone, Debug)]
pub struct ClientError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What failed, why, and what to do.
    pub message: String,
}

impl ClientError {
    /// Creates an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ClientError {}

/// An error of a processor. It ends the worker.
pub type ProcessorError = Box<dyn Error + Send + Sync>;

/// The reason why a worker stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerError {
    /// A call to Kafka failed for good.
    Client(ClientError),
    /// The processor failed. Nothing since the last commit was committed.
    Processor {
        /// The task.
        task: i32,
        /// What the processor was asked to do.
        doing: &'static str,
        /// Its error.
        source: ProcessorError,
    },
    /// The topics, their partitions or the committed offsets do not fit together.
    Layout(String),
}

impl WorkerError {
    /// Returns the kind of the failed call to Kafka, if it was one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Client(error) => Some(error.kind),
            Self::Processor { .. } | Self::Layout(_) => None,
        }
    }
}

impl From<ClientError> for WorkerError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Processor { task, doing, source } => {
                write!(f, "cannot {doing} task {task}: {source}")
            }
            Self::Layout(message) => f.write_str(message),
        }
    }
}

impl Error for WorkerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Processor { source, .. } => Some(source.as_ref()),
            Self::Client(_) | Self::Layout(_) => None,
        }
    }
}
