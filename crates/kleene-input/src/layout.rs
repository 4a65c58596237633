//! Where the fields of each event type are in the input, worked out once from the rules' schema.

use std::sync::Arc;

use hashbrown::HashMap;
use kleene::schema::{EventType, Field, FieldType, Schema, TypeId};
use kleene::value::Value;
use kleene::{Record, Timestamp};

use crate::time::{TimeUnit, time_from_float, time_from_int, time_from_text};

/// How events are read beside what the rules declare.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The field that holds the event type; dotted for one in a nested object.
    pub type_field: String,
    /// The type of every event, where the input does not say.
    pub fixed_type: Option<String>,
    /// The field that holds the event time where the type declares none, or where it is missing.
    pub time_field: String,
    /// Whether `time_field` comes before the declared one.
    pub prefers_time_field: bool,
    /// What epoch numbers count.
    pub unit: TimeUnit,
}

/// The layout of every declared type.
#[derive(Clone, Debug)]
pub(crate) struct Layouts {
    all: Vec<Layout>,
    by_name: HashMap<Arc<str>, usize>,
    nothing: Layout,
    pub(crate) reading: Reading,
}

/// What to take from an event of one type.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    id: TypeId,
    pub(crate) fields: Vec<Field>,
    /// The declared field that holds the event time.
    time: Option<usize>,
    /// Whether undeclared fields are kept.
    pub(crate) open: bool,
    pub(crate) root: Node,
}

/// The names in an object that mean something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Where the object is: `addr`, or empty for the event itself.
    pub(crate) path: String,
    entries: HashMap<Box<str>, Entry>,
}

/// What a name means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// The index of the declared field.
    pub(crate) field: Option<usize>,
    /// An object with names in it that mean something.
    pub(crate) child: Option<Node>,
    /// It holds the event type.
    pub(crate) is_type: bool,
    /// It is the time field that was given from outside.
    pub(crate) is_time: bool,
}

impl Layouts {
    /// The layouts of the types of `schema`.
    pub(crate) fn new(schema: &Schema, reading: Reading) -> Layouts {
        let all = schema.types().map(|(id, ty)| Layout::new(id, ty, &reading)).collect();
        let names = schema.types().enumerate();
        let by_name = names.map(|(index, (_, ty))| (ty.name.clone(), index)).collect();
        let empty = EventType { name: "".into(), fields: Vec::new(), time: None, open: false };
        let nothing = Layout::new(TypeId::new(0), &empty, &reading);
        Layouts { all, by_name, nothing, reading }
    }

    /// The layouts of the types of `schema` that are declared as well.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        let mut new = Layouts::new(schema, self.reading.clone());
        new.by_name.retain(|name, _| declared.type_id(name).is_some());
        *self = new;
    }

    /// The layout of the type of this name with its number, if it is declared.
    pub(crate) fn of(&self, name: &str) -> Option<(usize, &Layout)> {
        let index = *self.by_name.get(name)?;
        Some((index, &self.all[index]))
    }

    /// How many types are declared.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// A layout without fields: what is taken from an event of no declared type.
    pub(crate) fn nothing(&self) -> &Layout {
        &self.nothing
    }
}

impl Layout {
    fn new(id: TypeId, ty: &EventType, reading: &Reading) -> Layout {
        let mut root = Node::default();
        for (index, field) in ty.fields.iter().enumerate() {
            root.insert(&field.name, |entry| entry.field = Some(index));
        }
        root.insert(&reading.time_field, |entry| entry.is_time = true);
        if reading.fixed_type.is_none() {
            root.insert(&reading.type_field, |entry| entry.is_type = true);
        }
        let time = ty.time.map(kleene::schema::FieldId::index);
        Layout { id, fields: ty.fields.clone(), time, open: ty.open, root }
    }
}

impl Node {
    /// What `name` means here, if anything.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether a declared field is in it, and not only the type or the time.
    pub(crate) fn holds_fields(&self) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| {
            entry.field.is_some() || entry.child.as_ref().is_some_and(Node::holds_fields)
        })
    }

    /// Marks the entry at a dotted path, which may be given as nested objects or as one name.
    fn insert(&mut self, path: &str, mut mark: impl FnMut(&mut Entry)) {
        let mut node = &mut *self;
        let mut rest = path;
        while let Some((name, deeper)) = rest.split_once('.') {
            let parent = if node.path.is_empty() {
                String::from(name)
            } else {
                format!("{}.{name}", node.path)
            };
            let entry = node.entries.entry(name.into()).or_default();
            node = entry.child.get_or_insert_with(Node::default);
            node.path = parent;
            rest = deeper;
        }
        mark(node.entries.entry(rest.into()).or_default());
        if rest.len() < path.len() {
            mark(self.entries.entry(path.into()).or_default());
        }
    }
}

/// An event in the making.
#[derive(Debug)]
pub(crate) struct Assembly<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) reading: &'a Reading,
    values: Vec<Value>,
    seen: &'a mut Vec<bool>,
    seen_type: bool,
    named_time: Option<Result<Timestamp, String>>,
    /// Undeclared fields, for an open type.
    pub(crate) extra: Vec<(Arc<str>, Value)>,
    /// The first thing that was wrong.
    problem: Option<String>,
}

impl<'a> Assembly<'a> {
    /// An event of which nothing is known yet. `seen` is scratch space.
    pub(crate) fn new(
        layout: &'a Layout,
        reading: &'a Reading,
        seen: &'a mut Vec<bool>,
    ) -> Assembly<'a> {
        seen.clear();
        seen.resize(layout.fields.len(), false);
        Assembly {
            layout,
            reading,
            values: vec![Value::Null; layout.fields.len()],
            seen,
            seen_type: false,
            named_time: None,
            extra: Vec::new(),
            problem: None,
        }
    }

    /// The type that declared field `index` must have.
    pub(crate) fn ty(&self, index: usize) -> &'a FieldType {
        &self.layout.fields[index].ty
    }

    /// A declared field's value.
    pub(crate) fn set(&mut self, index: usize, value: Result<Value, String>) {
        if self.seen[index] {
            self.refuse(|name| format!("field `{name}` is given twice"), index);
        }
        self.seen[index] = true;
        match value {
            Ok(value) => self.values[index] = value,
            Err(reason) => self.refuse(|name| format!("field `{name}`: {reason}"), index),
        }
    }

    /// The value of the time field that was given from outside.
    pub(crate) fn set_named_time(&mut self, value: &Result<Value, String>) {
        if self.named_time.is_some() {
            let name = &self.reading.time_field;
            self.problem.get_or_insert_with(|| format!("field `{name}` is given twice"));
        }
        let unit = self.reading.unit;
        let time = match value {
            Ok(Value::Null) => return,
            Ok(Value::Time(time)) => Ok(*time),
            Ok(Value::Int(number)) => time_from_int(*number, unit),
            Ok(Value::Float(number)) => time_from_float(*number, unit),
            Ok(Value::String(text)) => time_from_text(text, unit),
            Ok(other) => Err(format!("expected time, found {other}")),
            Err(reason) => Err(reason.clone()),
        };
        self.named_time = Some(time);
    }

    /// The event type was given.
    pub(crate) fn saw_type(&mut self) {
        if self.seen_type {
            let name = &self.reading.type_field;
            self.problem.get_or_insert_with(|| format!("field `{name}` is given twice"));
        }
        self.seen_type = true;
    }

    /// Something else is wrong.
    pub(crate) fn problem(&mut self, reason: impl FnOnce() -> String) {
        self.problem.get_or_insert_with(reason);
    }

    fn refuse(&mut self, reason: impl FnOnce(&str) -> String, index: usize) {
        let name = &self.layout.fields[index].name;
        self.problem.get_or_insert_with(|| reason(name));
    }

    /// The event, or why it does not fit its declaration.
    pub(crate) fn finish(mut self) -> Result<Record, String> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        for (index, field) in self.layout.fields.iter().enumerate() {
            if field.optional || Some(index) == self.layout.time || !self.values[index].is_null() {
                continue;
            }
            let name = &field.name;
            return Err(if self.seen[index] {
                format!("field `{name}` is null, and not declared as optional (`{}?`)", field.ty)
            } else {
                format!("missing field `{name}`")
            });
        }
        let declared = self.layout.time.and_then(|index| match self.values[index] {
            Value::Time(time) => Some(time),
            _ => None,
        });
        let named = self.named_time;
        let name = &self.reading.time_field;
        let time = match (declared, named) {
            (Some(time), named) if named.is_none() || !self.reading.prefers_time_field => time,
            (_, Some(Ok(time))) => time,
            (_, Some(Err(reason))) => return Err(format!("field `{name}`: {reason}")),
            (_, None) => {
                let declared = self.layout.time.map(|index| &*self.layout.fields[index].name);
                return Err(match declared {
                    Some(field) if field != name => {
                        format!("no event time: neither `{field}` nor `{name}` is given")
                    }
                    _ => format!("no event time: missing field `{name}`"),
                });
            }
        };
        if let Some(index) = self.layout.time
            && self.values[index].is_null()
        {
            self.values[index] = Value::Time(time);
        }
        Ok(Record::with_extra(self.layout.id, time, self.values, self.extra))
    }
}
