//! Patterns of Kleene as automata, and the matcher that runs the events of one key through them.
//!
//! [`nfa`] compiles a checked pattern (`kleene_syntax::hir`) to a `Program`. [`exec`] matches: an
//! immutable `Matcher`, and a small state for each key. Both read events through the trait
//! `kleene_event::event::Event`.
//!
//! This crate is made for `kleene`, which programs use. Each version belongs to one version of
//! `kleene`: what is public here can change with each.

#![forbid(unsafe_code)]

pub mod exec;
pub mod nfa;
#[cfg(test)]
mod testing;
pub mod util;
