//! Kleene finds patterns of events over time.
//!
//! A rule says what to look for: `a -> b+ -> not c for 10m`. An [`Engine`] reads events in whatever
//! order real sources give them, keeps one small state for each key, and reports every match, and
//! every partial match that ran out of time. It is to streams of events what a regular expression
//! is to text.
//!
//! ```
//! use std::time::Duration;
//! use kleene::{Engine, Event, RuleSet, Timestamp, on_match};
//!
//! const RULES: &str = r#"
//!     event order_created { order: int, customer: string, amount: float, at: time }
//!     event order_paid    { order: int, at: time }
//!
//!     rule unpaid_order {
//!       key    order
//!       match  order_created[amount >= 10] as o -> not order_paid for 10m
//!       emit   { customer: o.customer, due: o.at + 10m }
//!     }
//! "#;
//!
//! #[derive(Clone, Event)]
//! struct OrderCreated { order: u32, customer: String, amount: f64, at: Timestamp }
//!
//! #[derive(Clone, Event)]
//! struct OrderPaid { order: u32, at: Timestamp }
//!
//! #[derive(Clone, Event)]
//! enum Shop { Created(OrderCreated), Paid(OrderPaid) }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut engine = Engine::builder()
//!         .rules(RuleSet::parse(RULES)?)
//!         .out_of_order(Duration::from_secs(5))
//!         .build()?;
//!
//!     let second = |s: i64| Timestamp::from_millis(s * 1000);
//!     let created = |order, customer: &str, at| {
//!         let customer = customer.to_owned();
//!         Shop::Created(OrderCreated { order, customer, amount: 20.0, at: second(at) })
//!     };
//!     let events = [
//!         created(1, "Ann", 0),
//!         Shop::Paid(OrderPaid { order: 1, at: second(65) }),
//!         created(2, "Bob", 62), // older than the event before: put in its place
//!     ];
//!
//!     let mut reported = Vec::new();
//!     let mut sink = on_match(|found| {
//!         reported.push(format!("{} {}", found.rule().name, found.to_record()));
//!     });
//!     for event in &events {
//!         engine.push(event, &mut sink)?;
//!     }
//!     engine.finish(&mut sink)?; // the end of time: what is open is reported
//!     assert_eq!(reported, [r#"unpaid_order { customer: "Bob", due: 1970-01-01T00:11:02Z }"#]);
//!     Ok(())
//! }
//! ```
//!
//! # Which front door
//!
//! | you have | use |
//! |---|---|
//! | rules that analysts write and that change while the program runs | [`RuleSet`]: text, checked as a whole, with every mistake reported and its place |
//! | a pattern that belongs to the program, conditions that are Rust code | [`Pattern`]: a builder with the same words, and closures that see captured events |
//! | events of many keys, out of order, from several sources | [`Engine`], with rules, patterns or both |
//! | a stream that is partitioned and in order already (Flink, Timely, one user's log) | [`exec::Matcher`], from [`Pattern::matcher`] |
//! | no program at all | the command `kleene run RULES... --input FILE` of the crate `kleene-cli` |
//!
//! # Events
//!
//! `#[derive(Event)]` makes a struct, or an enum of structs, an [`Event`]: rules see its fields,
//! which are read without allocation and may borrow. A `Vec` is a list, a map from names to values
//! is read as `labels.env`, and a `u64` beyond `int` rejects the event. Events whose types are
//! known at run time only are [`Record`]s. Anything else can implement the trait.
//!
//! Time is event time, a [`Timestamp`] in milliseconds that comes with each event; the library has
//! no clock, no threads, and does no I/O but the rule files that it is asked for. The engine's
//! [watermark](stream) says how far time has come.
//!
//! # Results
//!
//! They go to a [`Sink`] as borrowed views: matches, timeouts, events that came too late or do not
//! fit, limits that were reached. `Vec<Output>` is a sink that keeps everything. The same events
//! give the same results in the same order, whatever the batches, and after a restart.
//!
//! # Limits
//!
//! Everything that input can grow has a limit, and reaching a limit is reported. Limited are
//! buffered events and their bytes, partial matches in all and for each key, bytes of captured
//! events, steps for each event, repeated reports of a silence, and the memory of `suppress`:
//! [`stream::EngineBuilder`] sets these. Limited are also the size of patterns, their nesting, and
//! repetitions. No input makes the library panic.
//!
//! # Features
//!
//! * `derive` (on by default): `#[derive(Event)]` and `#[derive(Fields)]`; `#[derive(Portable)]`
//!   and `#[derive(PortableField)]` for events that snapshots hold.
//! * `tz` (on by default): time zones by name (`"Europe/Berlin"`), from tables that are built in.
//!   Without it there are offsets.
//! * `serde`: [`Value`] and [`Timestamp`] serialise and deserialise, events serialise by the names
//!   of a schema.
//! * `reference`: `exec::reference`, the naive matcher that tests hold the matcher against.

// So that code that the derives write finds the crate from within, too.
extern crate self as kleene;

pub mod diagnostic;
mod error;
pub mod event;
pub mod exec;
pub mod explain;
pub mod hir;
pub mod nfa;
pub mod pattern;
pub mod ruleset;
pub mod schema;
pub mod stream;
pub mod syntax;
pub mod testing;
pub mod time;
mod util;
pub mod value;
pub mod why;

pub use error::Error;
pub use event::{Event, Record};
#[cfg(feature = "derive")]
pub use kleene_derive::{Event, Fields, Portable, PortableField};
pub use pattern::Pattern;
pub use ruleset::RuleSet;
pub use stream::{Engine, EngineBuilder, Match, Output, Sink, Timeout, on_match};
pub use time::Timestamp;
pub use value::{Value, ValueRef};

#[cfg(all(doctest, feature = "derive"))]
#[allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "blocks of rules say what is tested of them"
)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/tutorial.md")]
    mod tutorial {}
    #[doc = include_str!("../docs/language.md")]
    mod language {}
}
