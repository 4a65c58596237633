//! `--profile`: where the time of a run went.
//!
//! A look at the clock takes some 20 ns, and an event often no more than 200 ns: a look before and
//! after each event would measure itself. So the clock is looked at once for each batch of events
//! and each block of output. Of the results, some are timed, and each of them counts for those that
//! are not.

mod alone;
mod results;
mod sampler;
mod table;
mod threads;

pub(crate) use self::alone::Profile;
pub(crate) use self::results::ResultTimes;
pub(crate) use self::table::Parts;
pub(crate) use self::threads::ThreadTimes;
