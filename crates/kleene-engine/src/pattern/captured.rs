//! The captured events that a condition can read.

use std::fmt;
use std::sync::Arc;

use kleene_automata::exec::Captures;
use kleene_event::event::AsVariant;
use kleene_syntax::hir::StepId;

/// The events that a partial match has captured before the candidate event, by the names of their
/// steps.
pub struct Captured<'a, E> {
    pub(super) captures: Captures<'a, E>,
    pub(super) names: &'a [Arc<str>],
}

impl<E> fmt::Debug for Captured<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured").field("captures", &self.captures).finish_non_exhaustive()
    }
}

impl<'a, E> Captured<'a, E> {
    /// Returns every event with the name of its step, in the order of capture.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a E)> + use<'a, E> {
        let names = self.names;
        self.captures.iter().map(move |(step, event)| (&*names[step.index()], event))
    }

    /// Returns the events of a step; none if no step has this name.
    pub fn of(&self, step: &str) -> impl Iterator<Item = &'a E> + use<'a, E> {
        let captures = self.captures;
        self.step(step).into_iter().flat_map(move |step| captures.of(step))
    }

    /// Returns the number of events that a step has captured.
    pub fn count(&self, step: &str) -> usize {
        self.of(step).count()
    }

    /// Returns the first event of a step.
    pub fn first(&self, step: &str) -> Option<&'a E> {
        self.captures.first(self.step(step)?)
    }

    /// Returns the last event of a step.
    pub fn last(&self, step: &str) -> Option<&'a E> {
        self.captures.last(self.step(step)?)
    }

    /// Returns the event that was captured last in any step: `prev` in rule text.
    pub fn latest(&self) -> Option<&'a E> {
        self.captures.latest()
    }

    /// Returns the events of a step that are a `T`.
    pub fn of_as<T: 'a>(&self, step: &str) -> impl Iterator<Item = &'a T> + use<'a, T, E>
    where
        E: AsVariant<T>,
    {
        self.of(step).filter_map(E::as_variant)
    }

    /// Returns the first event of a step, as a `T`.
    pub fn first_as<T>(&self, step: &str) -> Option<&'a T>
    where
        E: AsVariant<T>,
    {
        self.first(step)?.as_variant()
    }

    /// Returns the last event of a step, as a `T`.
    pub fn last_as<T>(&self, step: &str) -> Option<&'a T>
    where
        E: AsVariant<T>,
    {
        self.last(step)?.as_variant()
    }

    /// Returns the event that was captured last, as a `T`.
    pub fn latest_as<T>(&self) -> Option<&'a T>
    where
        E: AsVariant<T>,
    {
        self.latest()?.as_variant()
    }

    fn step(&self, name: &str) -> Option<StepId> {
        self.names.iter().position(|other| **other == *name).map(StepId::new)
    }
}
