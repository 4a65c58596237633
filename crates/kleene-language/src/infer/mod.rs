//! Event declarations from a sample of events.

mod decide;
mod hints;
mod observe;
mod sample;
mod seen;

pub use self::decide::name_rank;
pub use self::observe::{Read, observe};
pub use self::sample::{Sample, Wanted, argument};
