//! Kleene in a Java virtual machine: what the binding for Apache Flink calls.
//!
//! The library does what Java cannot: it checks rules, runs engines, and turns their state into bytes
//! and back. All else, such as routes, timers and state, is the host's. `natives.rs` has the functions
//! that Java calls, one for each method of `NativeEngine.java`; everything else is plain Rust.

pub mod error;
mod handle;
pub mod host;
pub mod key_group;
pub mod layout;
pub mod memory;
mod natives;
pub mod one_key;
pub mod parts;
pub mod plan;
pub mod results;
pub mod rules;

/// All memory of the library is counted, so that a host can bound it.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: memory::CountingAllocator = memory::CountingAllocator;
