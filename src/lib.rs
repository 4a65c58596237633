//! Kleene finds patterns of events over time.

// So that code that the derives write finds the crate from within, too.
extern crate self as kleene;

pub mod diagnostic;
pub mod event;
pub mod exec;
pub mod hir;
pub mod nfa;
pub mod pattern;
pub mod ruleset;
pub mod schema;
pub mod stream;
pub mod syntax;
pub mod time;
mod util;
pub mod value;

pub use event::{Event, Record};
#[cfg(feature = "derive")]
pub use kleene_derive::{Event, Fields};
pub use pattern::Pattern;
pub use ruleset::RuleSet;
pub use stream::{Engine, Match, Output, Sink, Timeout};
pub use time::Timestamp;
pub use value::{Value, ValueRef};

#[cfg(all(doctest, feature = "derive"))]
#[doc = include_str!("../README.md")]
mod readme {}
