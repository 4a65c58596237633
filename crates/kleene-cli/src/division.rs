//! How a run divides its work among threads.

use std::thread;

use crate::args::RunArgs;
use crate::source::RowName;

/// From this number of threads on, keys are divided among threads.
const FEWEST_FOR_KEYS: u8 = 4;

/// How a run divides its work among threads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Division {
    /// One thread does everything, but to read bytes.
    Alone,
    /// One thread reads and parses, one matches, and one writes.
    Stages,
    /// As many threads parse and as many match, each some of the keys; one writes.
    Keys(u8),
}

impl Division {
    /// Returns the division that the arguments ask for. The rows of columns come in one order, from
    /// one thread.
    pub(crate) fn of(args: &RunArgs, row_name: RowName) -> Division {
        let keeps_one_engine = row_name == RowName::Row
            || args.watch
            || args.state.directory.is_some()
            || args.state.spill.is_some()
            || args.idle_timeout.is_some();
        match args.matching.threads {
            None if thread::available_parallelism().is_ok_and(|threads| threads.get() > 1) => {
                Division::Stages
            }
            None | Some(1) => Division::Alone,
            Some(threads) if threads >= FEWEST_FOR_KEYS && !keeps_one_engine => {
                Division::Keys(threads)
            }
            Some(_) => Division::Stages,
        }
    }
}
