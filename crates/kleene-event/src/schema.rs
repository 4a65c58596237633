//! Event types and their fields.
//!
//! A [`Schema`] gives every declared event type a [`TypeId`] and every field of it a [`FieldId`].
//! Nested records are flattened: a field `addr: { city: string }` is the field `addr.city`, so that
//! reading a field is one index whatever its depth.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::define_id;
use crate::util::fnv::Fnv;
use crate::util::wire::put_len;
use crate::value::Kind;

/// An event type of a [`Schema`].
///
/// An id means something only to the engines of its schema. The ids that a schema gives therefore
/// carry a mark of the type's declaration, and an engine rejects a [`Record`](crate::event::Record)
/// whose mark is not that of the type with this position in its own schema. The mark is a hash of
/// 24 bits: two declarations share it in one of 16 million cases. Ids are equal if their positions
/// are.
#[derive(Clone, Copy)]
pub struct TypeId {
    /// The position, and the low bits of the mark.
    low: u32,
    /// The high bits of the mark.
    high: u16,
}

impl TypeId {
    /// The number of low bits that are the position.
    const POSITION_BITS: u32 = 24;

    /// The number of bits of the mark.
    const MARK_BITS: u32 = 24;

    /// The id of the type at position `index`, without a mark: for events that know their schema, as a
    /// derived type does.
    ///
    /// # Panics
    /// If `index` does not fit in 24 bits.
    pub fn new(index: usize) -> TypeId {
        TypeId::marked(index, 0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are those of the mark")]
    fn marked(index: usize, mark: u32) -> TypeId {
        assert!(index >> TypeId::POSITION_BITS == 0, "a schema is limited to 2^24 types");
        let low = mark << TypeId::POSITION_BITS | index as u32;
        TypeId { low, high: (mark >> 8) as u16 }
    }

    /// Returns the id as two numbers of six bytes together, for a record that notes more in a word.
    #[inline(always)]
    pub(crate) fn to_parts(self) -> (u32, u16) {
        (self.low, self.high)
    }

    /// Returns the id with these [parts](TypeId::to_parts).
    #[inline(always)]
    pub(crate) fn of_parts((low, high): (u32, u16)) -> TypeId {
        TypeId { low, high }
    }

    /// The position that this id stands for.
    #[inline(always)]
    pub fn index(self) -> usize {
        (self.low & ((1 << TypeId::POSITION_BITS) - 1)) as usize
    }

    /// The mark of the type's declaration; 0 for an id without one.
    #[inline(always)]
    pub fn mark(self) -> u32 {
        u32::from(self.high) << 8 | self.low >> TypeId::POSITION_BITS
    }

    /// True if this id has another mark than the id of the type with this position.
    #[inline(always)]
    pub fn is_foreign_to(self, own: TypeId) -> bool {
        // The high bits of a mark are not all 0.
        self.high != 0 && (self.low != own.low || self.high != own.high)
    }
}

impl PartialEq for TypeId {
    #[inline(always)]
    fn eq(&self, other: &TypeId) -> bool {
        self.index() == other.index()
    }
}

impl Eq for TypeId {}

impl Hash for TypeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index().hash(state);
    }
}

impl PartialOrd for TypeId {
    fn partial_cmp(&self, other: &TypeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TypeId {
    fn cmp(&self, other: &TypeId) -> Ordering {
        self.index().cmp(&other.index())
    }
}

impl fmt::Debug for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypeId").field(&self.index()).finish()
    }
}

define_id! {
    /// A field of one event type of a [`Schema`].
    pub FieldId
}

/// The type that a field is declared with.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum FieldType {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `string`
    String,
    /// `time`
    Time,
    /// `duration`
    Duration,
    /// `ip`
    Ip,
    /// `list<...>`
    List(Box<FieldType>),
    /// Anything: what a rule feeds to others (`emit as`) where its type is not known before it
    /// runs. It can't be written in a declaration.
    Any,
}

impl FieldType {
    /// The set that holds just this type.
    pub fn kind(&self) -> Kind {
        match self {
            FieldType::Bool => Kind::BOOL,
            FieldType::Int => Kind::INT,
            FieldType::Float => Kind::FLOAT,
            FieldType::String => Kind::STRING,
            FieldType::Time => Kind::TIME,
            FieldType::Duration => Kind::DURATION,
            FieldType::Ip => Kind::IP,
            FieldType::List(_) => Kind::LIST,
            FieldType::Any => Kind::ANY,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::List(element) => write!(f, "list<{element}>"),
            other => other.kind().fmt(f),
        }
    }
}

/// Appends a type as snapshots write it (docs/format.md): in how many lists it is, and a byte for the
/// innermost type.
pub fn put_field_type(out: &mut Vec<u8>, ty: &FieldType) {
    let (mut lists, mut ty) = (0, ty);
    while let FieldType::List(element) = ty {
        (lists, ty) = (lists + 1, element);
    }
    put_len(out, lists);
    out.push(match ty {
        FieldType::Bool => 0,
        FieldType::Int => 1,
        FieldType::Float => 2,
        FieldType::String => 3,
        FieldType::Time => 4,
        FieldType::Duration => 5,
        FieldType::Ip => 6,
        FieldType::Any | FieldType::List(_) => 7,
    });
}

/// A declared field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// The name, dotted where the declaration is nested: `addr.city`.
    pub name: Arc<str>,
    /// The declared type.
    pub ty: FieldType,
    /// True if it may be missing or null (`?`).
    pub optional: bool,
}

impl Field {
    /// The types that a value of this field can have.
    pub fn kind(&self) -> Kind {
        if self.optional { self.ty.kind().or(Kind::NULL) } else { self.ty.kind() }
    }
}

/// A declared event type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventType {
    /// Its name.
    pub name: Arc<str>,
    /// Its fields, by [`FieldId`].
    pub fields: Vec<Field>,
    /// The field that holds the event time, if one is declared.
    pub time: Option<FieldId>,
    /// True if undeclared fields are allowed (`..`); they are read as dynamic values.
    pub open: bool,
}

impl EventType {
    /// A mark of the declaration: a hash that fits beside a position. Its high bits are not all 0, so
    /// that they say alone whether an id has a mark.
    fn mark(&self) -> u32 {
        let mut hash = Fnv::new();
        hash.write_str(&self.name);
        for field in &self.fields {
            hash.write_str(&field.name);
            hash.write_str(&field.ty.to_string());
        }
        let mark = (hash.finish() >> (u64::BITS - TypeId::MARK_BITS)) as u32;
        if mark >> 8 == 0 { mark | 1 << 8 } else { mark }
    }

    /// The end of the name of a map: `labels.*` stands for every `labels.env`. The type of the
    /// field is the type of the entries, which are optional.
    pub(crate) const ENTRIES: &str = ".*";

    /// The map that has an entry at `path`.
    pub fn map_of(&self, path: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            let map = field.name.strip_suffix(EventType::ENTRIES);
            let entry = map.and_then(|map| path.strip_prefix(map)?.strip_prefix('.'));
            entry.is_some_and(|entry| !entry.is_empty() && entry != "*")
        })
    }

    /// The field of this name (dotted for nested ones).
    pub fn field_id(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|field| &*field.name == name).map(FieldId::new)
    }

    /// The field with this id.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }
}

/// The event types that a rule file declares, or that a Rust type describes.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    types: Vec<EventType>,
    /// The id of each type.
    ids: Vec<TypeId>,
    by_name: HashMap<Arc<str>, TypeId>,
    /// The fields of each type by name, in order so that those of a nested record are a range.
    fields: Vec<BTreeMap<Arc<str>, FieldId>>,
}

impl Schema {
    /// A schema without types.
    pub fn new() -> Schema {
        Schema::default()
    }

    /// Adds an event type. `None` if its name is taken; the schema is then as it was.
    pub fn add(&mut self, ty: EventType) -> Option<TypeId> {
        if self.by_name.contains_key(&ty.name) {
            return None;
        }
        let id = TypeId::marked(self.types.len(), ty.mark());
        self.ids.push(id);
        self.by_name.insert(ty.name.clone(), id);
        let mut fields = BTreeMap::new();
        for (index, field) in ty.fields.iter().enumerate() {
            fields.entry(field.name.clone()).or_insert_with(|| FieldId::new(index));
        }
        self.fields.push(fields);
        self.types.push(ty);
        Some(id)
    }

    /// The type of this name.
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The type with this id.
    pub fn ty(&self, id: TypeId) -> &EventType {
        &self.types[id.index()]
    }

    /// The field of this name, in logarithmic time ([`EventType::field_id`] looks at each).
    pub fn field_id(&self, ty: TypeId, name: &str) -> Option<FieldId> {
        self.fields.get(ty.index())?.get(name).copied()
    }

    /// True if `path` is a record of the type: some field's name begins with it and a dot.
    pub fn is_record(&self, ty: TypeId, path: &str) -> bool {
        let prefix: Arc<str> = format!("{path}.").into();
        let next = self.fields[ty.index()].range(prefix.clone()..).next();
        next.is_some_and(|(name, _)| name.starts_with(&*prefix))
    }

    /// Every type with its id, in the order of declaration.
    pub fn types(&self) -> impl ExactSizeIterator<Item = (TypeId, &EventType)> {
        self.ids.iter().copied().zip(&self.types)
    }

    /// Returns the number of declared types.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// True if no type is declared.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_id(name: &str, field: &str) -> TypeId {
        let field = Field { name: field.into(), ty: FieldType::Int, optional: false };
        let ty = EventType { name: name.into(), fields: vec![field], time: None, open: false };
        Schema::new().add(ty).expect("the name is free")
    }

    #[test]
    fn marks_of_declarations_differ_and_are_repeatable() {
        let mut marks = std::collections::BTreeSet::new();
        for number in 0..50_000 {
            let name = format!("e{number}");
            for field in ["order", "user"] {
                let id = only_id(&name, field);
                assert!(id.index() == 0 && id.mark() != 0);
                marks.insert(id.mark());
            }
        }
        // Of 100,000 marks of 24 bits, about 297 are expected to be shared.
        assert_eq!(marks.len(), 100_000 - 277);
        assert_eq!(only_id("paid", "order").mark(), only_id("paid", "order").mark());
        let largest = TypeId::new((1 << TypeId::POSITION_BITS) - 1);
        assert_eq!((largest.index(), largest.mark()), (16_777_215, 0));
        assert_eq!((size_of::<TypeId>(), only_id("paid", "order")), (8, only_id("sent", "order")));
    }
}
