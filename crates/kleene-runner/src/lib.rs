//! Runs the rules of [Kleene](kleene) on several threads, and reports what one engine would: the
//! same matches and timeouts in the same order.
//!
//! ```text
//! push --> batches --+--> shard 0: its keys --> page --+--> merged in order --> reported
//!                    +--> shard 1: its keys --> page --+
//! ```
//!
//! Every shard is an engine with all rules that takes all events, and matches the keys that a hash
//! gives it ([`kleene::stream::Shard`] says which rules can't be divided so). Batches go to all
//! shards through bounded queues, and what they report a batch comes back through bounded queues to
//! one thread that brings it in order. So memory is bounded: where whoever is reported is slow,
//! queues fill up, and in the end [`push`](Runner::push) waits.
//!
//! ```
//! use kleene::stream::Output;
//! use kleene::{Engine, Record, RuleSet, Timestamp, Value};
//! use kleene_runner::{Config, Runner};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rules = RuleSet::parse(
//!     "event created { order: int, at: time }
//!      event paid { order: int, at: time }
//!      rule slow { key order  match created -> paid  within 1h  emit { order } }",
//! )?;
//! let schema = rules.schema().clone();
//! let shards = Engine::builder().rules(rules).shards(2)?;
//!
//! let (sender, reported) = std::sync::mpsc::channel();
//! let mut runner = Runner::start(shards, Config::default(), move |output| {
//!     if let Output::Match(found) = output {
//!         let _ = sender.send(found.emit.to_string());
//!     }
//! })?;
//! let orders = [("created", 1), ("created", 2), ("paid", 2), ("paid", 1)];
//! for (second, (ty, order)) in (0..).zip(orders) {
//!     let at = Value::Time(Timestamp::from_millis(1000 * second));
//!     runner.push(Record::from_fields(&schema, ty, [("order", order.into()), ("at", at)])?)?;
//! }
//! let ended = runner.finish()?;
//! assert_eq!(ended.stats.matches, 2);
//! assert_eq!(reported.try_iter().collect::<Vec<_>>(), ["{ order: 2 }", "{ order: 1 }"]);
//! # Ok(())
//! # }
//! ```
//!
//! For async programs, the feature `futures` has `Outputs`: one engine, without threads, that makes
//! a stream of outputs of a stream of events.
//!
//! Three layers can be used apart:
//!
//! - [`Runner`] takes events one by one and reports [`Output`](kleene::stream::Output)s.
//! - [`Pipeline`] takes batches of any kind and lets each shard keep what it reports in a form of
//!   the host's choice, so that it can be rendered by the shard's own thread.
//! - [`in_order`] does work on several threads, such as parsing, and gives the results in order.

mod batch;
mod cut;
mod error;
mod merge;
mod order;
#[cfg(feature = "futures")]
mod outputs;
mod pipeline;
mod runner;

pub use batch::{Batch, Step};
pub use error::{Panicked, ReplaceError, Stopped};
pub use merge::{Collector, ReportedStep};
pub use order::{Inlet, Outlet, in_order};
#[cfg(feature = "futures")]
pub use outputs::Outputs;
pub use pipeline::{Config, Ended, Pipeline};
pub use runner::{Callback, Runner};
