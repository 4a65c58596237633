//! Stable ids of matches: a replay gives the same ids.

use std::fmt;
use std::net::IpAddr;

use kleene_event::event::Event;
use kleene_event::schema::{EventType, FieldId, Schema};
use kleene_event::util::fnv::Fnv;
use kleene_event::value::ValueRef;

/// The stable id of a match or timeout. `Display` prints 16 hex digits.
///
/// The id is a hash of the rule's version, the kind (match or timeout), the key and, for each
/// captured event, its step, type, time and declared fields. It does not depend on the order of
/// arrival, on other keys, on batches or on a restart. A replay gives the same ids. Except for a
/// collision of hashes, two results share an id only if all of these agree, as when the same event
/// was sent twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MatchId(pub(crate) u64);

impl MatchId {
    /// Returns the id as a number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The fields of each event type in the order in which a rule file declares them. After rules were
/// replaced, the engine's schema may hold fields that no rule declares any more, and fields in
/// another order.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct FieldOrder(Vec<Vec<FieldId>>);

impl FieldOrder {
    /// Returns the order of `declared` with the numbers of `schema`; `None` if both orders agree.
    pub(crate) fn new(declared: &Schema, schema: &Schema) -> Option<FieldOrder> {
        let of_type = |ty: &EventType| -> Vec<FieldId> {
            let Some(id) = declared.type_id(&ty.name) else { return Vec::new() };
            let fields = declared.ty(id).fields.iter();
            fields.filter_map(|field| ty.field_id(&field.name)).collect()
        };
        let types: Vec<Vec<FieldId>> = schema.types().map(|(_, ty)| of_type(ty)).collect();
        let is_same = schema.types().zip(&types).all(|((_, ty), fields)| {
            declared.type_id(&ty.name).is_none()
                || fields.iter().map(|field| field.index()).eq(0..ty.fields.len())
        });
        (!is_same).then_some(FieldOrder(types))
    }
}

/// Adds an event to the hash: its time, the name of its type and its declared fields.
pub(crate) fn write_event<E: Event>(
    hash: &mut Fnv,
    event: &E,
    schema: &Schema,
    order: Option<&FieldOrder>,
) {
    let id = event.type_id();
    hash.write_i64(event.time().as_millis());
    if id.index() < schema.len() {
        let ty = schema.ty(id);
        hash.write_str(&ty.name);
        match order.and_then(|order| order.0.get(id.index())) {
            Some(fields) => fields.iter().for_each(|field| write_value(hash, event.field(*field))),
            None => (0..ty.fields.len())
                .for_each(|index| write_value(hash, event.field(FieldId::new(index)))),
        }
    }
}

/// Adds a value to the hash, so that different values give different bytes.
pub(crate) fn write_value(hash: &mut Fnv, value: ValueRef<'_>) {
    let mut number = |tag: u8, number: i64| {
        hash.write(&[tag]);
        hash.write_i64(number);
    };
    match value {
        ValueRef::Null => hash.write(&[0]),
        ValueRef::Bool(b) => hash.write(&[1, u8::from(b)]),
        ValueRef::Int(i) => number(2, i),
        ValueRef::Float(x) => number(3, x.to_bits().cast_signed()),
        ValueRef::Time(t) => number(4, t.as_millis()),
        ValueRef::Duration(d) => number(5, d),
        ValueRef::String(text) => {
            hash.write(&[6]);
            hash.write_str(text);
        }
        ValueRef::Ip(IpAddr::V4(ip)) => {
            hash.write(&[7]);
            hash.write(&ip.octets());
        }
        ValueRef::Ip(IpAddr::V6(ip)) => {
            hash.write(&[8]);
            hash.write(&ip.octets());
        }
        ValueRef::List(items) => {
            hash.write(&[9]);
            hash.write_u64(items.len() as u64);
            for item in items {
                write_value(hash, item.as_ref());
            }
        }
        ValueRef::Items(_) => write_value(hash, value.to_value().as_ref()),
        ValueRef::Record(fields) => {
            hash.write(&[10]);
            hash.write_u64(fields.len() as u64);
            for (name, value) in fields {
                hash.write_str(name);
                write_value(hash, value.as_ref());
            }
        }
    }
}
