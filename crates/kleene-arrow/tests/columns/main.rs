//! Reads files that the writers of Arrow and Parquet made, and holds what is read against the
//! readers of text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod equality;
mod files;
mod reading;
mod results;
mod skipping;
mod typed;
