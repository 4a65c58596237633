//! Many keys, any order: the engine around [`exec`](crate::exec).
//!
//! An [`Engine`] is a pure state machine: events and watermarks go in, matches and timeouts come out
//! to a [`Sink`]. It has no clock, no threads and does no I/O; a host drives it.
//!
//! ```text
//! push --late?--> reorder buffer --watermark--> time order --type, key--> KeyState --> Sink
//!                                                   |                        |
//!                                                   +-- timers: deadlines <--+
//! ```
//!
//! **Time.** A watermark `W` says that no event with a time at or before `W` will come. What is
//! buffered up to `W` is then released by time, and by arrival within one time; deadlines up to `W`
//! fire. An event at or before the watermark is late: the sink is notified, it is counted, and no rule
//! sees it.
//!
//! **Derived events.** What a rule emits with `emit as` is an event to the rules that name its type. It
//! has the time of the match or timeout, and is looked at when that time is over, since until then
//! other events of it can come.
//!
//! **Order.** What is reported is ordered by event time; at one time, deadlines come first, by rule and
//! then by start; then the events by arrival, then the derived events in the order in which they were
//! made, and what one event completes by rule and then by start. Rules count in the order in which they were given. The same events in the same order of
//! arrival give the same output, whatever the batches and whenever watermarks come.
//!
//! **Many rules.** Rules with the same key share one table of keys. Of many rules, an event is given to
//! those that it can start, which an index finds by what their first conditions ask of it, and to
//! those that have something open for its key that it can move on. This changes nothing but speed.
//!
//! **Keys.** Each rule sees one stream for each value of its key. An event in which a part of the
//! key is null is not in that rule's streams; such events are counted. A key costs memory while it
//! has a partial match open; a bounded number of keys is retained for a while longer, in case they
//! come again.
//!
//! ```
//! use std::time::Duration;
//! use kleene::stream::on_match;
//! use kleene::{Engine, Event, Pattern, Timestamp};
//!
//! #[derive(Clone, Event)]
//! struct Login {
//!     user: String,
//!     ok: bool,
//!     at: Timestamp,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let guessed = Pattern::<Login>::begin("fails")
//!     .when(|login| !login.ok)
//!     .times(3..)
//!     .consecutive()
//!     .next("hit")
//!     .when(|login| login.ok)
//!     .within(Duration::from_secs(60))
//!     .key("user")
//!     .build()?;
//! let mut engine = Engine::builder()
//!     .pattern("guessed", &guessed)
//!     .out_of_order(Duration::from_secs(5))
//!     .build()?;
//!
//! let mut users = Vec::new();
//! let mut sink = on_match(|found| {
//!     users.extend(found.key().map(|(_, user)| user.to_string()));
//! });
//! let logins = [(2, "ann", false), (1, "ann", false), (3, "bob", true), (3, "ann", false), (4, "ann", true)];
//! for (second, user, ok) in logins {
//!     let at = Timestamp::from_millis(1000 * second);
//!     engine.push(&Login { user: user.into(), ok, at }, &mut sink)?;
//! }
//! engine.finish(&mut sink);
//! assert_eq!(users, ["\"ann\""]);
//! # Ok(())
//! # }
//! ```

mod builder;
mod change;
mod dispatch;
mod engine;
mod error;
mod ingest;
mod keys;
mod limits;
mod output;
mod rule;
mod shard;
mod snapshot;
mod stats;

pub use builder::Builder;
pub use change::replace::{Refused, Replacement, RuleChange, Verdict};
pub use engine::Engine;
pub use error::{BuildError, PushError};
pub use ingest::watermark::SourceId;
pub use keys::cold::{ColdError, ColdStore};
pub use output::id::MatchId;
pub use output::matched::{Expired, Found, Match, Output, Partial, Timeout};
pub use output::order::Position;
pub use output::reason::Reason;
pub use output::sink::{Ignore, Late, OnMatch, Overflow, Rejected, Sink, on_match};
pub use shard::Shard;
pub use snapshot::RestoreError;
pub use stats::Stats;

pub(crate) use ingest::reorder::{Lent, Reorder};
pub(crate) use ingest::watermark::{Progress, Strategy};
pub(crate) use output::matched::RuleInfo;
pub(crate) use rule::derived::Feeder;
