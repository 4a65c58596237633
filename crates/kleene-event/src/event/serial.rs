//! Events through serde, by the names in a schema.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::event::{Event, Record};
use crate::schema::{EventType, FieldId, Schema};
use crate::value::{Value, ValueRef};

impl Record {
    /// Returns the record with the names of its fields, which serialises as a map. `schema` is the
    /// schema of the rules that the record was made for.
    pub fn serialize_with<'a>(&'a self, schema: &'a Schema) -> SerializeEvent<'a, Record> {
        SerializeEvent { event: self, schema, extra: self.extra() }
    }
}

/// An event with the names of its fields. It serialises as a map, and dotted names become nested
/// maps. A nested map with only nulls becomes null. Map fields of a derived event are left out:
/// serialise the event itself instead.
#[derive(Clone, Copy, Debug)]
pub struct SerializeEvent<'a, E> {
    event: &'a E,
    schema: &'a Schema,
    /// Fields that the type does not declare.
    extra: &'a [(Arc<str>, Value)],
}

impl<'a, E: Event> SerializeEvent<'a, E> {
    /// Returns the event with the names of `schema`: the type's own [`schema`](Event::schema), or
    /// the schema of the rules for [`Record`].
    pub fn new(event: &'a E, schema: &'a Schema) -> SerializeEvent<'a, E> {
        SerializeEvent { event, schema, extra: &[] }
    }
}

impl<E: Event> Serialize for SerializeEvent<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut root = Vec::new();
        let ty = self.event.type_id();
        if ty.index() < self.schema.len() {
            for (index, field) in self.schema.ty(ty).fields.iter().enumerate() {
                // The entries of a map are read by name, and their names are not known.
                if !field.name.ends_with(EventType::ENTRIES) {
                    insert(&mut root, &field.name, self.event.field(FieldId::new(index)));
                }
            }
        }
        root.extend(
            self.extra.iter().map(|(name, value)| (&**name, FieldTree::Leaf(value.as_ref()))),
        );
        serialize_map(&root, serializer)
    }
}

/// A value, or what dotted names have put under one name.
enum FieldTree<'a> {
    Leaf(ValueRef<'a>),
    Map(Vec<(&'a str, FieldTree<'a>)>),
}

impl FieldTree<'_> {
    fn is_null(&self) -> bool {
        match self {
            FieldTree::Leaf(value) => value.is_null(),
            FieldTree::Map(fields) => fields.iter().all(|(_, node)| node.is_null()),
        }
    }
}

impl Serialize for FieldTree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            node if node.is_null() => serializer.serialize_none(),
            FieldTree::Leaf(value) => value.serialize(serializer),
            FieldTree::Map(fields) => serialize_map(fields, serializer),
        }
    }
}

fn insert<'a>(mut fields: &mut Vec<(&'a str, FieldTree<'a>)>, name: &'a str, value: ValueRef<'a>) {
    let mut name = name;
    while let Some((head, tail)) = name.split_once('.') {
        let index = fields.iter().position(|(name, _)| *name == head).unwrap_or_else(|| {
            fields.push((head, FieldTree::Map(Vec::new())));
            fields.len() - 1
        });
        if matches!(fields[index].1, FieldTree::Leaf(_)) {
            break; // `a` and `a.b` are both fields: the latter keeps its dot
        }
        let FieldTree::Map(inner) = &mut fields[index].1 else { return };
        fields = inner;
        name = tail;
    }
    fields.push((name, FieldTree::Leaf(value)));
}

fn serialize_map<S: Serializer>(
    fields: &[(&str, FieldTree<'_>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (name, node) in fields {
        map.serialize_entry(name, node)?;
    }
    map.end()
}
