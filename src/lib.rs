//! Kleene finds patterns in streams of events.
//!
//! A rule says what to look for: `a -> b+ -> not c for 10m`. An [`Engine`] reads events, also out
//! of order, keeps a small state for each key, and reports every match and every timeout. It is a
//! regular expression engine for events instead of characters.
//!
//! This program reports a guessed password. The rule needs no declarations, because they come from
//! the Rust type:
//!
//! ```
//! use kleene::{Engine, Event, Match, RuleSet, Timestamp, on_match};
//!
//! #[derive(Clone, Event)]
//! struct Login { user: String, ok: bool, at: Timestamp }
//!
//! const RULES: &str = "rule guessed {
//!   key user  match login[not ok]{3..} as fails -> login[ok] as hit  within 1m
//!   emit { tries: count(fails) }
//! }";
//!
//! fn main() -> Result<(), kleene::Error> {
//!     let mut engine = Engine::builder().rules(&RuleSet::parse_for::<Login>(RULES)?).build()?;
//!     let mut alerts = Vec::new();
//!     let mut sink = on_match(|alert: Match<'_, Login>| {
//!         if let (Some(hit), Some(tries)) = (alert.event("hit"), alert.get("tries")) {
//!             alerts.push(format!("{} after {tries} failures", hit.user));
//!         }
//!     });
//!     for (second, ok) in [(1, false), (2, false), (4, false), (9, true)] {
//!         let at = Timestamp::from_millis(1000 * second);
//!         engine.push(&Login { user: "bob".into(), ok, at }, &mut sink)?;
//!     }
//!     engine.end_input(&mut sink)?;
//!     assert_eq!(alerts, ["bob after 3 failures"]);
//!     Ok(())
//! }
//! ```
//!
//! A program whose rules and events come from files. The crate `kleene-input` reads JSON lines and
//! CSV:
//!
//! ```
//! use kleene::{Engine, RuleSet, on_match};
//! use kleene_input::RecordReader;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let rules = RuleSet::from_path("examples/unpaid.cep")?;
//!     let mut engine = Engine::builder().rules(&rules).build()?;
//!     let mut customers = Vec::new();
//!     let mut sink = on_match(|unpaid| {
//!         customers.extend(unpaid.get("customer").map(|name| name.into_owned()));
//!     });
//!     for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
//!         match event {
//!             Ok(event) => engine.push(&event, &mut sink)?,
//!             Err(error) => eprintln!("{error}"),
//!         }
//!     }
//!     engine.end_input(&mut sink)?;
//!     assert_eq!(customers[0].as_str(), Some("emil"));
//!     Ok(())
//! }
//! ```
//!
//! A program with four threads, a snapshot, and new rules while the stream runs. The crate
//! `kleene-runner` has the threads:
//!
//! ```
//! use kleene::{Output, Record, RuleSet};
//! use kleene_input::RecordReader;
//! use kleene_runner::Runner;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let text = std::fs::read_to_string("examples/unpaid.cep")?;
//!     let rules = RuleSet::parse(&text)?;
//!     let sink = |output: Output<Record>| {
//!         if let Output::Match(unpaid) = output {
//!             println!("{} {}", unpaid.reported_at, unpaid["customer"]);
//!         }
//!     };
//!     let mut runner = Runner::builder().rules(&rules).threads(4).start(sink)?;
//!     for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
//!         runner.push(event?)?;
//!     }
//!     let snapshot = runner.snapshot()?; // one part for each thread
//!     runner.stop()?;
//!
//!     let (mut runner, _) = Runner::builder().rules(&rules).threads(2).restore(&snapshot, sink)?;
//!     let patient = RuleSet::parse(&text.replace("for 30m", "for 1h"))?;
//!     assert_eq!(runner.replace_rules(&patient)?.dropped(), 0);
//!     assert_eq!(runner.end_time()?.stats.matches, 6);
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
//! | many events in columns, of a file, a data frame or another engine | [`Engine::push_columns`] with an [`EventBatch`](event::EventBatch) |
//! | a stream that is partitioned and in order already (Flink, Timely, one user's log) | [`exec::Matcher`], from [`Pattern::matcher`] |
//! | several threads, with the output of one engine | `Runner` of the crate `kleene-runner` |
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
//! no clock and no threads, and does no I/O except reading rule files. The engine's
//! [watermark](stream) is the current event time.
//!
//! # Results
//!
//! A [`Sink`] receives results as borrowed views: matches, timeouts, late and rejected events, and
//! reached limits. `Vec<Output>` is a sink that keeps everything. The same events give the same
//! results in the same order, however they are divided into batches, and after a restart.
//!
//! # Limits
//!
//! Everything that input can grow has a limit, and reaching a limit is reported.
//! [`stream::EngineBuilder`] sets the limits on buffered events and their bytes, partial matches in
//! total and for each key, bytes of captured events, steps for each event, repeated reports of a
//! silence, and the memory of `suppress`. The size of patterns, their nesting and their repetitions
//! have fixed limits. No input makes the library panic.
//!
//! # Features
//!
//! * `derive` (on by default): `#[derive(Event)]` and `#[derive(Fields)]`; `#[derive(Portable)]`
//!   and `#[derive(PortableField)]` for events that snapshots hold.
//! * `tz` (on by default): time zones by name (`"Europe/Berlin"`), from tables that are built in.
//!   Without it there are offsets.
//! * `regex-perf` (on by default): fast regular expressions. Without it they are slower, and programs
//!   smaller.
//! * `serde`: [`Value`] and [`Timestamp`] serialise and deserialise, events serialise by the names
//!   of a schema.
//! * `reference`: `kleene_automata::exec::reference`, the naive matcher that tests hold the matcher
//!   against.

#![forbid(unsafe_code)]

// So that code that the derives write finds the crate from within, too.
extern crate self as kleene;

mod error;
pub mod pattern;
pub mod ruleset;
pub mod stream;

/// Mistakes in rule text as data: codes, places, and plain text with a caret.
pub mod diagnostic {
    #[doc(inline)]
    pub use kleene_syntax::diagnostic::{
        Code, Diagnostic, Label, Severity, Source, Span, UnknownCode,
    };
}

/// Events as rules see them, and [`Record`]s, whose types are known only at run time.
pub mod event {
    #[cfg(feature = "serde")]
    #[doc(inline)]
    pub use kleene_event::event::SerializeEvent;
    #[doc(inline)]
    pub use kleene_event::event::{
        AsVariant, BatchBuilder, BatchError, BatchRow, Bitmap, Buffer, Column, ColumnBuilder,
        ColumnValues, Event, EventBatch, EventTime, FieldValue, Fields, MapValue, Portable,
        PortableField, Record, RecordError, RowsBuilder, StructEvent, Texts, TimeUnit, TypeColumns,
        derived,
    };
}

/// One key in time order: no clock, no keys, no reordering.
///
/// A [`Matcher`](exec::Matcher) is immutable and shared; all that changes is in the
/// [`KeyState`](exec::KeyState) of a key and the [`Store`](exec::Store) of all keys.
pub mod exec {
    #[doc(inline)]
    pub use kleene_automata::exec::{
        Captures, KeyState, Limits, Matcher, Open, Outcome, OutcomeKind, OutcomeListing,
        OutcomeSet, Store,
    };
}

/// Event types and their fields by number.
pub mod schema {
    #[doc(inline)]
    pub use kleene_event::schema::{EventType, Field, FieldId, FieldType, Schema, TypeId};
}

/// Times of events.
pub mod time {
    #[doc(inline)]
    pub use kleene_event::time::{ParseTimestampError, Timestamp};
}

/// Values of fields.
pub mod value {
    #[cfg(feature = "serde")]
    #[doc(inline)]
    pub use kleene_event::value::DecodeError;
    #[doc(inline)]
    pub use kleene_event::value::{Items, Kind, ListRef, Value, ValueCow, ValueRef};
}

pub use error::Error;
pub use event::{Event, Record};
#[cfg(feature = "derive")]
pub use kleene_derive::{Event, Fields, Portable, PortableField};
pub use pattern::Pattern;
pub use ruleset::RuleSet;
pub use stream::{
    Engine, EngineBuilder, Match, Output, OwnedMatch, OwnedTimeout, Sink, Timeout, on_match,
};
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
