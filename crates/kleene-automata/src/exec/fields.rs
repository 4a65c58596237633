//! The fields of one event: read, and computed for an aggregate.

use crate::exec::aggregate::Accumulator;
use crate::exec::captures::CaptureArena;
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::Expr;
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{Aggregate, FieldRef};

/// Adds the argument of `aggregate` for `event`. `arena` counts divisions by zero.
pub(super) fn add_event<E: Event>(
    accumulator: &mut Accumulator,
    aggregate: &Aggregate,
    event: &E,
    arena: &CaptureArena<E>,
) {
    match &aggregate.arg {
        Some(arg) => accumulator.add(value_of(arg, event, arena).as_ref()),
        None => accumulator.add(ValueRef::Bool(true)),
    }
}

/// Returns the value of an aggregate's argument for `event`. `arena` counts divisions by zero.
pub(super) fn value_of<E: Event>(arg: &Expr, event: &E, arena: &CaptureArena<E>) -> Value {
    eval::eval(arg, &EventScope { event, arena }).into_owned()
}

/// Returns the value of `field` in `event`; null if the event does not have the field.
#[inline(always)]
pub fn field_of<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::ByType(fields) => match &**fields {
            // Most often there is just one.
            [(ty, FieldRef::Declared(id)), ..] if *ty == event.type_id() => event.field(*id),
            _ => other_field(event, field),
        },
        other => other_field(event, other),
    }
}

fn other_field<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::Dynamic(path) => event.dynamic_field(path),
        FieldRef::Time => ValueRef::Time(event.time()),
        FieldRef::ByType(fields) => {
            let ty = event.type_id();
            match fields.iter().find(|(of, _)| *of == ty) {
                Some((_, field)) => field_of(event, field),
                None => ValueRef::Null,
            }
        }
    }
}

/// An event alone: the scope of an aggregate's argument.
struct EventScope<'a, E> {
    event: &'a E,
    arena: &'a CaptureArena<E>,
}

impl<E: Event> Scope for EventScope<'_, E> {
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        field_of(self.event, field)
    }
    fn divided_by_zero(&self) {
        self.arena.divided_by_zero();
    }
    fn too_large(&self) {
        self.arena.too_large();
    }
}
