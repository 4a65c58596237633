//! The events that a condition can read: the candidate and the captured events.
//!
//! An expression asks for fields of the candidate, for fields of captured events, and for
//! aggregates. All answers come from the list of captures. An example: the events a1 b2 b3 are
//! captured, and the candidate is c4.
//! ```text
//! `v`                      the candidate: 4
//! `v` of `a`, First        the first captured `a`: 1
//! sum of `v` over `b`      2 + 3 = 5, added up for this question
//! `v` of `b`, FromEnd(2)   the second from the end: 2
//! ```
//!
//! Rejected: registers, which the automaton updates with each captured event. This is the
//! definition that they are held against, so that [`Scope::register`] is never asked here and
//! returns null.
//!
//! Which test holds it: `all_ways_to_match_agree` in `tests/aggregates.rs`.

use super::partial::Captures;
use crate::exec::aggregate::Accumulator;
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::StepId;
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{Aggregate, AggregateOp, CapturedField, FieldRef, MatchFact, Pick};

/// The events that a condition can read.
pub(super) struct View<'a, E> {
    pub(super) candidate: &'a E,
    pub(super) captures: &'a Captures,
    pub(super) events: &'a [E],
    /// The variants of step keys that the candidate has.
    pub(super) step_keys: u64,
}

impl<'a, E: Event> View<'a, E> {
    fn of(&self, step: Option<StepId>) -> Vec<&'a E> {
        let wanted = self.captures.iter().filter(|(s, _)| step.is_none_or(|step| *s == step));
        wanted.map(|&(_, event)| &self.events[event]).collect()
    }
}

impl<E: Event> Scope for View<'_, E> {
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        read(self.candidate, field)
    }

    fn captured(&self, captured: &CapturedField) -> Value {
        let events = self.of(captured.step);
        let event = match captured.pick {
            Pick::First => events.first(),
            Pick::Last => events.last(),
            Pick::Nth(n) => events.get(n as usize),
            Pick::FromEnd(n) => events.len().checked_sub(n as usize).and_then(|i| events.get(i)),
        };
        event.map_or(Value::Null, |event| read(*event, &captured.field).to_value())
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        let mut accumulator = Accumulator::new(aggregate.op);
        // A group's alias captures no events itself, so the loop below adds nothing for it.
        // Of a group only its rounds can be asked for.
        let rounds = self.captures.rounds.iter().filter(|alias| **alias == aggregate.step);
        for _ in rounds.filter(|_| aggregate.op == AggregateOp::Count) {
            accumulator.add(ValueRef::Bool(true));
        }
        for event in self.of(Some(aggregate.step)) {
            match &aggregate.arg {
                None => accumulator.add(ValueRef::Bool(true)),
                Some(arg) => {
                    // Inside of an aggregate, a field without a name is that of the event that is
                    // added up.
                    let inner = View { candidate: event, ..*self };
                    accumulator.add(eval::eval(arg, &inner).as_ref());
                }
            }
        }
        accumulator.value()
    }

    fn register(&self, _index: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn has_step_key(&self, variant: u8) -> bool {
        self.step_keys >> variant & 1 == 1
    }

    fn key(&self, _index: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn fact(&self, _fact: MatchFact) -> Value {
        Value::Null
    }
}

/// A field of several types is read as that of the event's own type. For other types it is null.
pub(super) fn read<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::Dynamic(path) => event.dynamic_field(path),
        FieldRef::Time => ValueRef::Time(event.time()),
        FieldRef::ByType(fields) => fields
            .iter()
            .find(|(ty, _)| *ty == event.type_id())
            .map_or(ValueRef::Null, |(_, field)| read(event, field)),
    }
}
