//! The HTTP interface: events in, results out, rules that change.
//!
//! Only this part is asynchronous. It has a runtime of its own, and reaches the rest by journals, the
//! hub and [`Control`], which may block and is called on threads that may.

mod app;
mod auth;
mod counters;
mod error;
mod events;
mod refusals;
mod router;
mod rules;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use self::app::Parts;
pub(crate) use self::auth::{Role, Token};
pub(crate) use self::counters::HttpCounters;
pub(crate) use self::server::start;
pub(crate) use self::settings::Settings;
