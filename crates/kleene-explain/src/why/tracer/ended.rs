//! Moves of time, and the partial matches that they end.

use kleene_event::schema::TypeId;
use kleene_event::time::Timestamp;

/// The extent of a move of time: up to a moment, or past it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TimeMove {
    /// Events at the moment can still come.
    Before,
    /// The moment is over.
    Through,
}

/// A partial match that time has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) matched: bool,
    pub(super) types: Vec<TypeId>,
}
