//! The engine around the matcher: order, keys, limits, snapshots, and changes of rules.

mod batches;
mod bounds;
mod cold;
mod engine;
mod equal_keys;
mod held;
mod idle_keys;
mod key_by;
mod many_rules;
mod outputs;
mod rejoin;
mod replace;
mod snapshot;
mod step_keys;
mod undivided;
