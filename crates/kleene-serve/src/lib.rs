//! Kleene as a service: events come from files, over HTTP and from Apache Kafka, rules change while
//! it runs, and results go to files, webhooks, topics and event streams.
//!
//! Engines run on threads of their own; only the HTTP interface is asynchronous. A version belongs to
//! the version of `kleene` with the same number.

#![forbid(unsafe_code)]

mod control;
mod http;
mod hub;
mod journal;
mod sink {
    //! Where results go.

    pub(crate) mod outbox;
    pub(crate) mod webhook;
}
