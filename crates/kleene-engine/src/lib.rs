//! The engine of Kleene: events of many keys, in any order, around the matchers of
//! `kleene_automata::exec`.
//!
//! [`ruleset`] has rule files, checked and compiled once, and [`pattern`] the same patterns from
//! Rust calls and closures. [`stream`] runs both. [`Shard`]s are engines that divide the keys of
//! the same rules, for a host with several threads or processes.
//!
//! This crate is made for `kleene`, which programs use, and for hosts that divide keys, such as
//! `kleene-runner`. Each version belongs to one version of `kleene`: what is public here can change
//! with each.

#![forbid(unsafe_code)]

pub mod pattern;
pub mod ruleset;
pub mod stream;
mod util;

pub use stream::output::order::Position;
pub use stream::output::receiver::{Plain, Receiver};
pub use stream::shard::Shard;
