//! The thread of an engine.

mod checkpointer;
