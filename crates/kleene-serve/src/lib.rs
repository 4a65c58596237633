//! Kleene as a service: events come from files, over HTTP and from Apache Kafka, rules change while
//! it runs, and results go to files, webhooks, topics and event streams.
//!
//! Engines run on threads of their own; only the HTTP interface is asynchronous. A version belongs to
//! the version of `kleene` with the same number.

#![forbid(unsafe_code)]

mod client;
mod config;
mod control;
mod host;
mod http;
mod hub;
mod journal;
#[cfg(feature = "kafka")]
mod kafka;
mod links;
mod metrics;
mod rules;
mod service;
mod sink;
mod source;
mod status;
mod task;

pub use self::service::{check, serve};
