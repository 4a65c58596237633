//! Outputs that own what they hold.

use std::ops::Index;
use std::sync::Arc;

use crate::stream::output::id::MatchId;
use crate::stream::output::overflow::Overflow;
use crate::stream::output::reason::RejectReason;
use kleene_event::time::Timestamp;
use kleene_event::value::{Value, named};

/// One output of an engine, owned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output<E> {
    /// A match.
    Match(OwnedMatch<E>),
    /// A timeout.
    Timeout(OwnedTimeout<E>),
    /// A match that is not reported because the condition of the rule's `having` does not hold.
    Filtered(OwnedMatch<E>),
    /// A match that is not reported because of the rule's `suppress`.
    Suppressed(OwnedMatch<E>),
    /// An event came too late.
    #[non_exhaustive]
    Late {
        /// The event.
        event: E,
        /// The watermark when the event came.
        watermark: Timestamp,
    },
    /// An event that the engine could not take.
    #[non_exhaustive]
    Rejected {
        /// The event.
        event: E,
        /// The reason for the rejection.
        reason: RejectReason,
    },
    /// A limit was reached.
    Overflowed(Overflow),
}

/// A match, owned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OwnedMatch<E> {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The rule's [version](kleene_syntax::hir::Rule::version).
    pub version: u64,
    /// The stable id.
    pub id: MatchId,
    /// The key: names and values.
    pub key: Vec<(Arc<str>, Value)>,
    /// The time of the first event.
    pub first_event_at: Timestamp,
    /// The time of the last event.
    pub last_event_at: Timestamp,
    /// The event time of the report: the time of the completing event, or the deadline that passed.
    pub reported_at: Timestamp,
    /// The captured events in the order of capture, each with the name of its step.
    pub captures: Vec<(Arc<str>, E)>,
    /// The record that the rule emits; null if the rule has no `emit`.
    pub emit: Value,
    /// The number of matches of the [set](crate::stream::MatchSet) that it belongs to; 0 for a
    /// timeout.
    pub count: u64,
    /// True if the set has more matches than [`count`](OwnedMatch::count) can say.
    pub is_saturated: bool,
}

impl<E> OwnedMatch<E> {
    /// Returns the value that the rule emits under this name; `None` if the rule has no such field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.emit.get(name)
    }

    /// Returns the part of the key with this name; `None` if the key has no such part.
    pub fn key(&self, name: &str) -> Option<&Value> {
        named(&self.key, name)
    }

    /// Returns the event that the step with this name captured; the last one of a loop. `None` if the
    /// step captured none, or the pattern has no such step.
    pub fn event(&self, step: &str) -> Option<&E> {
        self.events(step).last()
    }

    /// Returns the events that the step with this name captured, in their order; none if the pattern
    /// has no such step.
    pub fn events(&self, step: &str) -> impl Iterator<Item = &E> {
        of_step(self.captures.iter().map(|(of, event)| (of, event)), step)
    }
}

/// Returns the value that the rule emits under this name.
///
/// # Panics
/// If the rule emits no such field. [`OwnedMatch::get`] does not panic.
impl<E> Index<&str> for OwnedMatch<E> {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.emit[name]
    }
}

/// A partial match that ran out of time, owned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OwnedTimeout<E> {
    /// The fields that a timeout shares with a match.
    pub found: OwnedMatch<E>,
    /// The name of the step that was captured last.
    pub reached: Option<Arc<str>>,
    /// The names of the steps that would have advanced the partial match.
    pub awaits: Vec<Arc<str>>,
}

impl<E> OwnedTimeout<E> {
    /// Returns the value of this field of `on timeout emit`; `None` if the rule has no such field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.found.get(name)
    }

    /// Returns the part of the key with this name; `None` if the key has no such part.
    pub fn key(&self, name: &str) -> Option<&Value> {
        self.found.key(name)
    }

    /// Returns the event that the step with this name captured; the last one of a loop. `None` if the
    /// step captured none, or the pattern has no such step.
    pub fn event(&self, step: &str) -> Option<&E> {
        self.found.event(step)
    }

    /// Returns the events that the step with this name captured, in their order; none if the pattern
    /// has no such step.
    pub fn events(&self, step: &str) -> impl Iterator<Item = &E> {
        self.found.events(step)
    }
}

/// Returns the events that a step has captured.
pub(super) fn of_step<'a, 's, E: 'a>(
    captures: impl Iterator<Item = (&'a Arc<str>, &'a E)>,
    step: &'s str,
) -> impl Iterator<Item = &'a E> {
    captures.filter(move |(of, _)| ***of == *step).map(|(_, event)| event)
}
