//! Matching one key's events in time order. No clock, no partitioning, no reordering: that is the
//! business of [`stream`](crate::stream), or of a host that has done it already.
//!
//! * [`Matcher`] is immutable and shared: a compiled pattern with the host's closures.
//! * [`Store`] holds what the partial matches of any number of keys have captured.
//! * [`KeyState`] holds one key's partial matches; it means something with its store only.

mod aggregate;
mod distinct;
mod extras;
mod key;
mod matcher;
mod migrate;
mod outcome;
mod queues;
pub mod reference;
mod snapshot;
mod spares;
mod store;
mod times;

pub(crate) use matcher::{Checked, FETCHES, Judged, Place};
pub(crate) use outcome::{Waiting, field_of};

pub(crate) use migrate::{Extent, Migration};
pub(crate) use snapshot::Image;

pub use key::KeyState;
pub use matcher::{HostCondition, Limits, Matcher, Store};
pub use outcome::{Captures, Open, Outcome, OutcomeKind};
