//! One rule at run time: its work for an event or a deadline, and the path of its outputs.

pub(in crate::stream) mod accounting;
pub(in crate::stream) mod context;
pub(in crate::stream) mod derived;
pub(in crate::stream) mod emitter;
pub(in crate::stream) mod runtime;
pub(in crate::stream) mod spec;
pub(in crate::stream) mod suppress;
pub(in crate::stream) mod sweeps;
pub(in crate::stream) mod timers;
