//! Matchers: matching of one key's events in time order.
//!
//! There is no clock, no partitioning and no reordering here; the engine of `kleene` or the host
//! does that.
//!
//! * [`Matcher`] is immutable and shared: a compiled pattern with the host's closures.
//! * [`Store`] holds the captured events of the partial matches of any number of keys.
//! * [`KeyState`] holds one key's partial matches. A key's state is valid only with its store.

mod aggregate;
mod captured;
mod captures;
mod dag;
mod distinct;
mod feeder;
mod fields;
mod forms;
mod held;
mod image;
mod kept;
mod matcher;
mod migrate;
mod open;
mod outcome;
#[cfg(feature = "reference")]
pub mod reference;
mod registers;
mod report;
mod run;
mod set;
mod snapshot;
mod store;
mod times;
mod totals;

/// The number of steps in [`Matcher::prefetch`].
pub const FETCHES: usize = 3;

pub use fields::field_of;
pub use matcher::{Judged, PrefilterOutcome, ProbedRun, PushedEvent};
pub use open::Waiting;

pub use image::Image;
pub use set::LastSet;

pub use migrate::{Carried, Extent, Migration};

pub use captured::Captures;
pub use feeder::{Feeder, Misfit};
pub use forms::KeyState;
pub use forms::OpenCount;
pub use held::HeldOutcomes;
pub use matcher::StrategyChoice;
pub use matcher::{HostCondition, Limits, Matcher};
pub use open::Open;
pub use outcome::{Outcome, OutcomeKind, OutcomeListing, OutcomeSet};
pub use store::Store;
