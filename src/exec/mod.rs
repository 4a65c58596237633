//! Matchers: matching of one key's events in time order.
//!
//! There is no clock, no partitioning and no reordering here; [`stream`](crate::stream) or the host
//! does that.
//!
//! * [`Matcher`] is immutable and shared: a compiled pattern with the host's closures.
//! * [`Store`] holds the captured events of the partial matches of any number of keys.
//! * [`KeyState`] holds one key's partial matches. A key's state is valid only with its store.

mod aggregate;
mod captures;
mod distinct;
mod key;
mod matcher;
mod migrate;
mod outcome;
mod pool;
mod queues;
pub mod reference;
mod registers;
mod snapshot;
mod times;

pub(crate) use matcher::{FETCHES, Judged, Place, PrefilterOutcome};
pub(crate) use outcome::{Waiting, field_of};

pub(crate) use migrate::{Extent, Migration};
pub(crate) use snapshot::Image;

pub use key::KeyState;
pub use matcher::{HostCondition, Limits, Matcher, Store};
pub use outcome::{Captures, Open, Outcome, OutcomeKind};
