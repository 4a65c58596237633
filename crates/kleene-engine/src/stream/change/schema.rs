//! The schema after a replacement: old types keep their numbers.

use std::sync::Arc;

use kleene_event::schema::{EventType, Field, Schema, TypeId};

/// A field that is declared with another type than before.
pub(in crate::stream) struct Retyped {
    pub(super) ty: TypeId,
    /// The field with its event type: `order.amount`.
    pub(super) field: String,
}

/// Merges the declarations of `known` and `declared`. The types and fields of `known` keep their
/// numbers, so that earlier events can still be read.
pub(in crate::stream) fn merge(
    known: &Arc<Schema>,
    declared: &Schema,
) -> (Arc<Schema>, Vec<Retyped>) {
    let mut retyped = Vec::new();
    let mut merged = Schema::new();
    for (id, ty) in known.types() {
        let Some(new) = declared.type_id(&ty.name).map(|id| declared.ty(id)) else {
            merged.add(ty.clone());
            continue;
        };
        let mut fields: Vec<Field> = Vec::new();
        for field in &ty.fields {
            let Some(same) = new.field_id(&field.name).map(|id| new.field(id)) else {
                // Events need not have it any more.
                fields.push(Field { optional: true, ..field.clone() });
                continue;
            };
            if same.ty != field.ty {
                retyped.push(Retyped { ty: id, field: format!("{}.{}", ty.name, field.name) });
            }
            fields.push(same.clone());
        }
        fields
            .extend(new.fields.iter().filter(|field| ty.field_id(&field.name).is_none()).cloned());
        let mut ty = EventType { fields, time: None, ..new.clone() };
        ty.time = new.time.and_then(|time| ty.field_id(&new.field(time).name));
        merged.add(ty);
    }
    for (_, ty) in declared.types() {
        merged.add(ty.clone());
    }
    if known.types().eq(merged.types()) {
        return (known.clone(), retyped);
    }
    (Arc::new(merged), retyped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kleene_event::schema::{FieldId, FieldType};

    fn schema(types: &[(&str, &[(&str, FieldType)])]) -> Schema {
        let mut schema = Schema::new();
        for (name, fields) in types {
            let fields = fields.iter().map(|(name, ty)| Field {
                name: (*name).into(),
                ty: ty.clone(),
                optional: false,
            });
            let ty = EventType {
                name: (*name).into(),
                fields: fields.collect(),
                time: Some(FieldId::new(0)),
                open: false,
            };
            assert!(schema.add(ty).is_some());
        }
        schema
    }

    #[test]
    fn what_is_known_keeps_its_numbers() {
        use FieldType::{Float, Int, Time};
        let known = Arc::new(schema(&[
            ("gone", &[("at", Time)]),
            ("order", &[("at", Time), ("id", FieldType::String), ("amount", Int)]),
        ]));
        let new = schema(&[
            ("paid", &[("at", Time)]),
            ("order", &[("amount", Float), ("user", FieldType::String), ("at", Time)]),
        ]);
        let (merged, retyped) = merge(&known, &new);
        let shown: Vec<String> = merged
            .types()
            .map(|(_, ty)| {
                let fields = ty.fields.iter();
                let fields = fields.map(|field| {
                    format!("{}: {}{}", field.name, field.ty, if field.optional { "?" } else { "" })
                });
                let time = ty.time.map(|time| &*ty.field(time).name);
                format!("{} {:?} {time:?}", ty.name, fields.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"gone ["at: time"] Some("at")"#,
                r#"order ["at: time", "id: string?", "amount: float", "user: string"] Some("amount")"#,
                r#"paid ["at: time"] Some("at")"#,
            ]
        );
        let retyped: Vec<_> = retyped.iter().map(|retyped| &retyped.field[..]).collect();
        assert_eq!(retyped, ["order.amount"]);
        assert!(Arc::ptr_eq(&merge(&known, &known).0, &known));
    }
}
