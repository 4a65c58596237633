//! Events as data: what rules are checked against, and what the matcher reads.
//!
//! [`time`] has timestamps and durations, [`value`] the values of fields and the sets of types that
//! the checker reasons with, [`schema`] event types and fields by number. [`event`] has the trait
//! `Event`, and `Record` for types that are known at run time only.
//!
//! This crate is made for `kleene`, which programs use, and for readers of events. Each version
//! belongs to one version of `kleene`: what is public here can change with each.

pub mod event;
pub mod schema;
pub mod time;
pub mod util;
pub mod value;
