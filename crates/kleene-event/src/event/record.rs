//! Construction of records from named values.

use std::fmt;
use std::sync::Arc;

use crate::event::Record;
use crate::schema::{FieldType, Schema};
use crate::util::spelling::nearest;
use crate::value::Value;

/// The reason why named values do not make a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecordError {}

pub(super) fn from_fields<'a>(
    schema: &Schema,
    name: &str,
    fields: impl IntoIterator<Item = (&'a str, Value)>,
) -> Result<Record, RecordError> {
    let Some(id) = schema.type_id(name) else {
        let near = did_you_mean(name, schema.types().map(|(_, ty)| &*ty.name));
        return Err(RecordError(format!("there is no event type `{name}`{near}")));
    };
    let ty = schema.ty(id);
    let mut values = vec![Value::Null; ty.fields.len()];
    let mut extra: Vec<(Arc<str>, Value)> = Vec::new();
    for (field, value) in fields {
        let Some(id) = ty.field_id(field) else {
            if ty.open {
                extra.push((field.into(), value));
                continue;
            }
            let near = did_you_mean(field, ty.fields.iter().map(|field| &*field.name));
            return Err(RecordError(format!("`{name}` has no field `{field}`{near}")));
        };
        values[id.index()] = match value {
            #[expect(clippy::cast_precision_loss, reason = "as documented")]
            Value::Int(i) if ty.field(id).ty == FieldType::Float => Value::Float(i as f64),
            other => other,
        };
    }
    for (field, value) in ty.fields.iter().zip(&values) {
        if !value.kind().is_subset_of(field.kind()) {
            let (expected, found) = (field.kind(), value.kind());
            let message = format!("`{name}.{}` is {expected}, not {found}", field.name);
            return Err(RecordError(message));
        }
    }
    match ty.time.map(|time| &values[time.index()]) {
        Some(&Value::Time(time)) => Ok(Record::with_extra(id, time, values, extra)),
        _ => Err(RecordError(format!("`{name}` has no event time"))),
    }
}

fn did_you_mean<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(found, names).map_or_else(String::new, |near| format!(": did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::schema::{EventType, Field, FieldId, TypeId};
    use crate::time::Timestamp;

    #[test]
    fn what_does_not_fit_the_declaration_is_refused() {
        let field = |name: &str, ty, optional| Field { name: name.into(), ty, optional };
        let mut schema = Schema::new();
        let fields = vec![
            field("at", FieldType::Time, false),
            field("amount", FieldType::Float, false),
            field("note", FieldType::String, true),
        ];
        let closed =
            EventType { name: "paid".into(), fields, time: Some(FieldId::new(0)), open: false };
        schema.add(EventType { name: "seen".into(), open: true, ..closed.clone() });
        schema.add(EventType { name: "timeless".into(), time: None, ..closed.clone() });
        schema.add(closed);
        let at = || ("at", Value::Time(Timestamp::from_millis(5)));
        let make = |ty: &str, fields: Vec<(&str, Value)>| {
            from_fields(&schema, ty, fields).map_err(|error| error.to_string())
        };
        let refused = [
            (make("payd", vec![]), "there is no event type `payd`: did you mean `paid`?"),
            (make("paid", vec![at(), ("zebra", 1.into())]), "`paid` has no field `zebra`"),
            (make("paid", vec![at()]), "`paid.amount` is float, not null"),
            (make("paid", vec![("amount", 1.into())]), "`paid.at` is time, not null"),
            (
                make("paid", vec![at(), ("amount", 1.into()), ("note", 1.into())]),
                "`paid.note` is string or null, not int",
            ),
            (make("timeless", vec![at(), ("amount", 1.into())]), "`timeless` has no event time"),
        ];
        for (result, message) in refused {
            assert_eq!(result.map(|_| ()), Err(message.to_owned()));
        }
        let seen = make("seen", vec![("zebra", 1.into()), at(), ("amount", 2.into())]).unwrap();
        assert_eq!(seen.values()[1..], [Value::Float(2.0), Value::Null]);
        assert_eq!(seen.extra(), [("zebra".into(), Value::Int(1))]);
    }

    #[test]
    fn undeclared_fields_are_at_no_declared_place() {
        let extra = [("zebra".into(), Value::Int(1))];
        let at = Timestamp::from_millis(5);
        let short = Record::with_extra(TypeId::new(0), at, [Value::Int(7)], extra);
        let named = Value::Record([("n".into(), Value::Int(2))].into());
        let nested = Record::new(TypeId::new(0), at, [named.clone()]);
        let field = |record: &Record, index| record.field(FieldId::new(index)).to_value();
        assert_eq!(
            [0, 1, 2].map(|index| field(&short, index)),
            [7.into(), Value::Null, Value::Null]
        );
        assert_eq!(short.dynamic_field("zebra").to_value(), Value::Int(1));
        assert_eq!(field(&nested, 0), named);
    }
}
