//! Events of other rules that a match or timeout makes: `emit as`.

use std::sync::Arc;

use kleene_event::event::Event;
use kleene_event::schema::{FieldId, FieldType, Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_event::value::{Kind, Value};
use kleene_syntax::hir::{Emit, Expr};

/// Makes the events of one `emit as`.
#[derive(Clone, Debug)]
pub struct Feeder {
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
    pub fn new(emit: &Emit, schema: &Schema) -> Option<Feeder> {
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

    /// Returns the event of a match or timeout that is reported at this time, and the field that
    /// does not fit if no rule may read it. `value` evaluates an expression over the match. `None` if
    /// events of this kind cannot be made.
    pub fn make<E: Event>(
        &self,
        at: Timestamp,
        schema: &Schema,
        value: impl Fn(&Expr) -> Value,
    ) -> Option<(E, Option<Misfit>)> {
        let event = schema.ty(self.ty);
        let mut misfit = None;
        let values = event.fields.iter().zip(&self.fields).map(|(field, origin)| {
            let made = match origin {
                ValueOrigin::Time => Value::Time(at),
                ValueOrigin::Expr(expr) => value(expr),
                ValueOrigin::Nothing => Value::Null,
            };
            let made = match made {
                #[expect(clippy::cast_precision_loss, reason = "declared as float")]
                Value::Int(int) if field.ty == FieldType::Float => Value::Float(int as f64),
                other => other,
            };
            if misfit.is_none() && !made.kind().is_subset_of(field.kind()) {
                misfit = Some(Misfit {
                    field: format!("{}.{}", event.name, field.name).into(),
                    declared: field.kind(),
                    found: made.kind(),
                });
            }
            made
        });
        let values = values.collect();
        let extra = self.extra.iter().map(|(name, expr)| (name.clone(), value(expr)));
        let made = E::make(self.ty, at, values, extra.collect())?;
        Some((made, misfit))
    }
}

/// A field of an event that a rule made, whose value is not of the declared type.
#[derive(Clone, Debug)]
pub struct Misfit {
    /// The event type and the field: `alert.score`.
    pub field: Arc<str>,
    /// The values that the declaration allows.
    pub declared: Kind,
    /// The kind of the value.
    pub found: Kind,
}
