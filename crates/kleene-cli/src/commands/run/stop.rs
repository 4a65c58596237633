//! The reason why a run ends.

use std::io;

use kleene::stream::PushError;

/// The reason why the reading of events ended.
pub(super) enum Stop {
    /// There are no more.
    End,
    /// Ctrl-C.
    Interrupted,
    /// Results cannot be written any more.
    CannotWrite,
    /// The input cannot be read any further.
    CannotRead(anyhow::Error),
    /// A limit says that this is to fail.
    Failed(anyhow::Error),
}

impl Stop {
    pub(super) fn unreadable(error: io::Error) -> Stop {
        Stop::CannotRead(anyhow::Error::new(error).context("cannot continue to read the input"))
    }
}

pub(super) fn stopped(error: PushError) -> anyhow::Error {
    anyhow::Error::new(error).context("the run was stopped; the results until then are reported")
}
