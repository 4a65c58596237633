//! Runs the rules of [Kleene](kleene) on several threads, and reports what one engine would: the
//! same matches and timeouts in the same order.
//!
//! ```text
//! push --> batches --+--> shard 0: its keys --> page --+--> merged in order --> reported
//!                    +--> shard 1: its keys --> page --+
//! ```
//!
//! Every shard is an engine with all rules that reads all events, and matches the keys that a hash
//! gives it. [`Runner::undivided`] names rules that cannot be divided. Batches go to all shards
//! through bounded queues, and their outputs come back through bounded queues to one thread, which
//! puts them in order. Memory is therefore bounded: a slow sink fills the queues, and then
//! [`push`](Runner::push) waits.
//!
//! ```
//! use kleene::{Output, Record, RuleSet, Timestamp, Value};
//! use kleene_runner::Runner;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rules = RuleSet::parse(
//!     "event created { order: int, at: time }
//!      event paid { order: int, at: time }
//!      rule slow { key order  match created -> paid  within 1h  emit { order } }",
//! )?;
//! let (sender, reported) = std::sync::mpsc::channel();
//! let mut runner = Runner::builder().rules(&rules).threads(2).start(move |output| {
//!     if let Output::Match(found) = output {
//!         let _ = sender.send(found.emit.to_string());
//!     }
//! })?;
//! let orders = [("created", 1), ("created", 2), ("paid", 2), ("paid", 1)];
//! for (second, (ty, order)) in (0..).zip(orders) {
//!     let at = Value::Time(Timestamp::from_millis(1000 * second));
//!     runner.push(Record::from_fields(rules.schema(), ty, [("order", order.into()), ("at", at)])?)?;
//! }
//! let ended = runner.end_time()?;
//! assert_eq!(ended.stats.matches, 2);
//! assert_eq!(reported.try_iter().collect::<Vec<_>>(), ["{ order: 2 }", "{ order: 1 }"]);
//! # Ok(())
//! # }
//! ```
//!
//! For async programs, the feature `futures` has `Outputs`: one engine, without threads, that turns
//! a stream of events into a stream of outputs.
//!
//! There are three layers:
//!
//! - [`Runner`] takes events one by one and reports [`Output`](kleene::Output)s.
//! - [`Pipeline`] takes batches of any kind. The host chooses the form of the outputs, so that the
//!   thread of a shard can render them.
//! - [`in_order`] works on several threads, such as parsing, and returns the results in order.

#![forbid(unsafe_code)]

mod batch;
mod builder;
mod cut;
mod error;
mod merge;
mod order;
#[cfg(feature = "futures")]
mod outputs;
mod pipeline;
mod runner;

pub use batch::{Batch, Step};
pub use builder::RunnerBuilder;
pub use error::{Panicked, ReplaceError, StartError, Stopped};
pub use merge::{Collector, ReportedStep};
pub use order::{Inlet, Outlet, in_order};
#[cfg(feature = "futures")]
pub use outputs::Outputs;
pub use pipeline::{Config, Ended, Pipeline};
pub use runner::{Callback, Runner};
