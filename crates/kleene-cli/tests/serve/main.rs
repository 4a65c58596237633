//! `kleene serve`, as an operator runs it: started, fed, killed, started again, and looked at.
#![cfg(all(feature = "serve", unix))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod http;
mod intake;
mod pages;
mod reload;
mod service;
mod sinks;
mod sources;
