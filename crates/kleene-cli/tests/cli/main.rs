//! The program as its users see it: what it prints, what it writes, how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod columns;
mod common;
#[cfg(unix)]
mod docs;
mod equal_keys;
mod equality;
mod explain;
mod explain_rules;
mod fmt;
mod guard;
mod hostile;
mod infer;
mod kept;
mod lsp;
mod messy;
mod run;
mod spill;
mod state;
mod test;
mod threads;
mod truth;
mod unusable;
mod watch;
mod why;
