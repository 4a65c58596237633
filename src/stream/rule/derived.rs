//! Derived events, which rules make for other rules: `emit as`.
//!
//! A derived event has the time of its match or timeout. So it never comes before released events,
//! and derived events are made in the order of their time. They wait until no other event of their
//! time can come.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::{Event, bytes_of};
use crate::hir::{Emit, Expr};
use crate::schema::{FieldId, FieldType, Schema, TypeId};
use crate::stream::output::matched::Match;
use crate::stream::output::reason::RejectReason;
use crate::time::Timestamp;
use crate::value::Value;

/// Makes the events of one `emit as`.
#[derive(Clone, Debug)]
pub(crate) struct Feeder {
    ty: TypeId,
    /// The origin of each field's value, by [`FieldId`].
    fields: Box<[ValueOrigin]>,
    /// The undeclared fields of an open type.
    extra: Box<[(Arc<str>, Expr)]>,
}

/// The origin of a field's value.
#[derive(Clone, Debug)]
enum ValueOrigin {
    /// The event time.
    Time,
    Expr(Expr),
    /// The record does not have the field; the value is null.
    Nothing,
}

impl Feeder {
    /// Returns `None` if the record feeds nothing, or if `schema` has no type for the events.
    pub(crate) fn new(emit: &Emit, schema: &Schema) -> Option<Feeder> {
        let ty = emit.feeds.filter(|ty| ty.index() < schema.len())?;
        let event = schema.ty(ty);
        let origin = |(index, name): (usize, &Arc<str>)| {
            if event.time == Some(FieldId::new(index)) {
                return ValueOrigin::Time;
            }
            let found = emit.fields.iter().find(|(field, _)| field == name);
            found.map_or(ValueOrigin::Nothing, |(_, expr)| ValueOrigin::Expr(expr.clone()))
        };
        let names = event.fields.iter().map(|field| &field.name);
        let undeclared = emit.fields.iter().filter(|(name, _)| event.field_id(name).is_none());
        Some(Feeder {
            ty,
            fields: names.enumerate().map(origin).collect(),
            extra: if event.open { undeclared.cloned().collect() } else { Box::default() },
        })
    }

    /// Returns the event of a match or timeout, and the reason if no rule may read it. `None` if
    /// events of this kind cannot be made.
    pub(crate) fn make<E: Event>(
        &self,
        reported: &Match<'_, E>,
        schema: &Schema,
    ) -> Option<(E, Option<RejectReason>)> {
        let event = schema.ty(self.ty);
        let mut mismatch = None;
        let values = event.fields.iter().zip(&self.fields).map(|(field, origin)| {
            let value = match origin {
                ValueOrigin::Time => Value::Time(reported.reported_at()),
                ValueOrigin::Expr(expr) => reported.value(expr),
                ValueOrigin::Nothing => Value::Null,
            };
            let value = match value {
                #[expect(clippy::cast_precision_loss, reason = "declared as float")]
                Value::Int(int) if field.ty == FieldType::Float => Value::Float(int as f64),
                other => other,
            };
            if mismatch.is_none() && !value.kind().is_subset_of(field.kind()) {
                mismatch = Some(RejectReason::Mismatch {
                    rule: reported.rule().name.clone(),
                    field: format!("{}.{}", event.name, field.name).into(),
                    declared: field.kind(),
                    found: value.kind(),
                });
            }
            value
        });
        let values = values.collect();
        let extra = self.extra.iter().map(|(name, expr)| (name.clone(), reported.value(expr)));
        let made = E::make(self.ty, reported.reported_at(), values, extra.collect())?;
        Some((made, mismatch))
    }
}

/// The derived events that wait for their moment to be over, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Derived<E> {
    events: VecDeque<(Timestamp, E)>,
    /// Bytes of the events.
    bytes: u64,
}

impl<E> Derived<E> {
    pub(crate) fn new() -> Derived<E> {
        Derived { events: VecDeque::new(), bytes: 0 }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns the time of the next event.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.events.front().map(|(time, _)| *time)
    }

    /// Returns the bytes of the events.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the events in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Timestamp, E)> {
        self.events.iter()
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(crate) fn memory_usage(&self) -> usize {
        self.events.capacity() * size_of::<(Timestamp, E)>()
    }
}

impl<E: Event> Derived<E> {
    /// Adds an event. No event after `time` may be there already.
    pub(crate) fn add(&mut self, time: Timestamp, event: E) {
        self.bytes += bytes_of(&event);
        self.events.push_back((time, event));
    }

    pub(crate) fn take(&mut self) -> Option<E> {
        let (_, event) = self.events.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        Some(event)
    }
}
