//! The matcher: a compiled pattern, and the effect of one event on a run.
//!
//! `compiled` is the pattern with its `limits`, `walk` one event on its way through a key's runs,
//! `condition` tests the event, `register_update` notes its values, and `probe` says what the event
//! would do. [`forms`](super::forms) holds a key's partial matches and pushes events to them.

mod compiled;
mod condition;
mod limits;
mod probe;
mod pushed;
mod register_update;
mod walk;

pub use compiled::{HostCondition, Matcher, StrategyChoice};
pub use limits::Limits;
pub use probe::{Judged, ProbedRun};
pub use pushed::{PrefilterOutcome, PushedEvent};
pub(super) use register_update::update_register;
pub(super) use walk::Walk;
