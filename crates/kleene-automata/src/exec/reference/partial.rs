//! Partial matches: what was captured, and where they wait.

use std::cmp::Reverse;
use std::ops::Deref;

use super::position::Position;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

/// The events that a partial match has captured: steps and numbers of events.
///
/// Two lists of events can be equal and differ in their rounds: a named group that repeats within
/// another one divides the same events in several ways. They are two partial matches and one match:
/// `in_order` compares events alone.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Captures {
    pub(super) events: Vec<(StepId, usize)>,
    /// A group's alias for each of its repetitions that has begun.
    pub(super) rounds: Vec<StepId>,
}

impl Deref for Captures {
    type Target = [(StepId, usize)];

    fn deref(&self) -> &Self::Target {
        &self.events
    }
}

/// A partial match. All of its fields take part in equality: partial matches are merged only if
/// they have the same future, the position, and the same past, the captures.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Partial {
    pub(super) captures: Captures,
    pub(super) position: Position,
    /// When its silence was reported last, where that repeats.
    pub(super) reported: Option<Timestamp>,
}

/// The number of the event that a match started with.
pub(super) fn start_of(captures: &Captures) -> usize {
    captures.first().map_or(usize::MAX, |&(_, event)| event)
}

/// The order in which matches of one moment are reported: the one that started first; then the one
/// that captured most; then, from the last event backwards, the one with the earlier event or, for
/// the same event, the earlier step. Each is reported once.
pub(super) fn in_order(matches: &mut Vec<Captures>) {
    let key = |captures: &Captures| {
        let backwards: Vec<_> = captures.iter().rev().map(|&(step, event)| (event, step)).collect();
        (start_of(captures), Reverse(captures.len()), backwards)
    };
    matches.sort_by_key(key);
    matches.dedup_by(|one, other| one.events == other.events);
}
