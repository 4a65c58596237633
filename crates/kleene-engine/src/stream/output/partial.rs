//! Open partial matches, as an engine lists them.

use std::fmt;
use std::sync::Arc;

use crate::stream::output::matched::RuleInfo;
use crate::stream::output::owned::of_step;
use kleene_automata::exec::Open;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;

/// An open partial match, as
/// [`Engine::collect_partials`](crate::stream::Engine::collect_partials) lists it.
pub struct Partial<'a, E> {
    info: &'a RuleInfo,
    key: &'a [Value],
    open: Open<'a, E>,
}

impl<E: Event> fmt::Debug for Partial<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("rule", &self.info.rule.name)
            .field("key", &self.key)
            .field("open", &self.open)
            .finish()
    }
}

impl<'a, E: Event> Partial<'a, E> {
    pub(crate) fn new(info: &'a RuleInfo, key: &'a [Value], open: Open<'a, E>) -> Self {
        Partial { info, key, open }
    }

    pub(crate) fn start_seq(&self) -> u64 {
        self.open.start_seq()
    }

    /// Returns the rule, with the numbers of the events' schema.
    pub fn info(&self) -> &'a RuleInfo {
        self.info
    }

    /// Returns the partial match as the rule's matcher holds it.
    pub fn open(&self) -> &Open<'a, E> {
        &self.open
    }

    /// Returns the names and values of the key, in the order of the rule's `key`.
    pub fn key_values(
        &self,
    ) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a Value)> + use<'a, E> {
        self.info.key_values(self.key)
    }

    /// Returns the captured events in the order of capture, each with the name of its step.
    pub fn captures(&self) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a E)> + use<'a, E> {
        let steps = &self.info.rule.pattern.steps;
        self.open.events().map(move |(step, event)| (&steps[step.index()].name, event))
    }

    /// Returns the part of the key with this name; `None` if the key has no such part.
    pub fn key(&self, name: &str) -> Option<&'a Value> {
        self.info.key_part(self.key, name)
    }

    /// Returns the event that the step with this name captured; the last one of a loop. `None` if the
    /// step has captured none, or the pattern has no such step.
    pub fn event(&self, step: &str) -> Option<&'a E> {
        self.events(step).last()
    }

    /// Returns the events that the step with this name has captured, in their order; none if the
    /// pattern has no such step.
    pub fn events<'s>(&self, step: &'s str) -> impl Iterator<Item = &'a E> + use<'a, 's, E> {
        of_step(self.captures(), step)
    }

    /// Returns the names of the steps that would advance the partial match, in the order of the
    /// pattern. Empty if the partial match only waits for time to pass or [is
    /// complete](Partial::is_complete).
    pub fn awaits(&self) -> impl Iterator<Item = &'a Arc<str>> + use<'a, E> {
        let steps = &self.info.rule.pattern.steps;
        self.open.awaits().map(|step| &steps[step.index()].name)
    }

    /// Returns the time at which the partial match times out, or at which it matches if its pattern
    /// ends with `not`. `None` if the partial match has no deadline.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open.deadline()
    }

    /// True if the partial match is complete and waits for older partial matches (`ordered`).
    pub fn is_complete(&self) -> bool {
        self.open.is_complete()
    }
}
