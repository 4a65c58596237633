//! The matcher against recorded answers, the reference, and state machines written by hand.

#[path = "../fuzz/checks/engines.rs"]
mod engines;
#[path = "../benches/workloads/mod.rs"]
mod machines;
#[path = "../fuzz/checks/made.rs"]
mod made;

mod absence;
mod aggregates;
mod clauses;
mod compact;
mod compact_constructs;
mod conformance;
mod engines_random;
mod enumerator;
mod joined;
mod operands;
mod properties;
mod regressions;
mod running_sums;
mod sets;
mod steps;
mod strategies;
mod suite;
mod timeouts;
mod truth;
mod why;
mod workloads;
mod written_out;
