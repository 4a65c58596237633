//! The largest costs of rules and streams. These tests measure time and memory: they are a program
//! of their own, so that no other test runs beside them.

mod cost_classes;
mod scaling;
mod scaling_events;
mod soak;
