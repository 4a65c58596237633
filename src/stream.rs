//! The engine: events of many keys, in any order, around the matchers of [`exec`](crate::exec).
//!
//! An [`Engine`] is a pure state machine: events and watermarks go in, matches and timeouts come
//! out to a [`Sink`]. An engine has no clock and no threads, and does no I/O; a host drives it.
//!
//! ```text
//! push --late?--> reorder buffer --watermark--> time order --type, key--> KeyState --> Sink
//!                                                   |                        |
//!                                                   +-- timers: deadlines <--+
//! ```
//!
//! **Time.** A watermark `W` says that no event with a time at or before `W` will come. The engine
//! then releases the buffered events up to `W`, ordered by time and at one time by arrival, and
//! fires the deadlines up to `W`. An event at or before the watermark is late: the sink is
//! notified, the event is counted, and no rule reads the event.
//!
//! **Derived events.** A rule with `emit as` makes events for the rules that name their type. A
//! derived event has the time of its match or timeout. The engine gives the derived event to the
//! rules when that time is over, since other events of the same time can come until then.
//!
//! **Order.** Outputs are ordered by event time. At one time, deadlines come first, ordered by rule
//! and then by start. The events follow by arrival, then the derived events in the order in which
//! they were made. The matches that one event completes are ordered by rule and then by start.
//! Rules count in the order in which they were added. The same events in the same order of arrival
//! give the same output, independent of batches and of the times of watermarks.
//!
//! **Many rules.** Rules with the same key share one table of keys. An event goes to two kinds of
//! rules: those that the event can start, which an index of first conditions finds, and those with
//! open state for the event's key that the event can advance. The index changes speed only.
//!
//! **Keys.** Each rule reads one stream for each value of its key. An event with null in a part of
//! the key is in none of that rule's streams; these events are counted. A key costs memory while a
//! partial match is open. The engine retains a bounded number of keys without state, in case they
//! come again.
//!
//! ```
//! use std::time::Duration;
//! use kleene::on_match;
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
//!     users.extend(found.key("user").map(ToString::to_string));
//! });
//! let (ann, bob) = ("ann", "bob");
//! let logins =
//!     [(2, ann, false), (1, ann, false), (3, bob, true), (3, ann, false), (4, ann, true)];
//! for (second, user, ok) in logins {
//!     let at = Timestamp::from_millis(1000 * second);
//!     engine.push(&Login { user: user.into(), ok, at }, &mut sink)?;
//! }
//! engine.end_time(&mut sink)?;
//! assert_eq!(users, ["\"ann\""]);
//! # Ok(())
//! # }
//! ```

#[doc(inline)]
pub use kleene_engine::stream::{
    BuildError, ColdError, ColdStore, Engine, EngineBuilder, HeldMatches, Ignore, Late, LimitKind,
    LimitedKey, Listing, Match, MatchId, MatchSet, OnMatch, Output, Outputs, Overflow, OwnedMatch,
    OwnedTimeout, Partial, PushError, Refused, RejectReason, Rejected, Replacement, RestoreError,
    RuleChange, RuleInfo, Sink, SourceId, SourceProgress, Stats, Timeout, Undivided,
    UndividedReason, Verdict, on_match,
};
