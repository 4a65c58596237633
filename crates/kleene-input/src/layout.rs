//! The places of the fields of each event type in the input, found once from the rules' schema.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use kleene::event::{BatchBuilder, TimeUnit};
use kleene::schema::{EventType, Field, Schema, TypeId};
use kleene::value::Value;
use kleene::{Record, Timestamp};

use crate::option_names::OptionNames;
use crate::repeated_texts::{LastText, RepeatedTexts};
use crate::scalar::Spelling;
use crate::time::{time_from_float, time_from_int, time_from_text};

/// Options of reading, besides the declarations of the rules.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The field that holds the event type; dotted for one in a nested object.
    pub type_field: String,
    /// The type of every event, where the input does not say.
    pub fixed_type: Option<String>,
    /// The field that holds the event time where the type declares none, or where it is missing.
    pub time_field: String,
    /// True if `time_field` comes before the declared one: an event without it is rejected.
    pub prefers_time_field: bool,
    /// The unit of epoch numbers.
    pub unit: TimeUnit,
    /// True if JSON has to write numbers as numbers, `true` and `false` without quotes, and a list
    /// of one as a list. Otherwise a text of JSON is read as a cell of CSV is, where a number or a
    /// bool is declared, and a single value is a list of one, where a list is declared. The event
    /// type may be in a list if no other declared type is.
    pub is_strict: bool,
    /// How reasons name these options.
    pub options: OptionNames,
}

impl Reading {
    /// Returns the spelling of values.
    #[inline]
    pub(crate) fn spelling(&self) -> Spelling {
        Spelling { unit: self.unit, is_strict: self.is_strict }
    }
}

/// `type` holds the type and `ts` the time; epoch numbers count milliseconds.
impl Default for Reading {
    fn default() -> Reading {
        Reading {
            type_field: String::from("type"),
            fixed_type: None,
            time_field: String::from("ts"),
            prefers_time_field: false,
            unit: TimeUnit::Millis,
            is_strict: false,
            options: OptionNames::default(),
        }
    }
}

/// The layout of every declared type.
#[derive(Clone, Debug)]
pub(crate) struct Layouts {
    all: Vec<Layout>,
    by_name: HashMap<Arc<str>, usize>,
    /// The type that was asked for last.
    last: usize,
    pub(crate) reading: Reading,
}

/// The fields to read from an event of one type.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    id: TypeId,
    name: Arc<str>,
    /// True if events of this type are wanted.
    is_declared: bool,
    pub(crate) fields: Vec<Field>,
    /// The fields that must not be null.
    required: Vec<usize>,
    /// The declared field that holds the event time.
    time: Option<usize>,
    /// True if undeclared fields are kept.
    pub(crate) open: bool,
    pub(crate) root: Node,
}

/// The number of names without meaning that are remembered in each object, and their maximum
/// length.
const REMEMBERED: usize = 256;
const LONGEST: usize = 64;

/// The names in an object, and what they mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// The path to the object: `addr`, or empty for the event itself.
    pub(crate) path: String,
    keys: Vec<Key>,
    by_name: HashMap<Arc<str>, usize>,
    /// The key that came first in the last object, if there was one.
    first: usize,
}

#[derive(Clone, Debug)]
struct Key {
    name: Arc<str>,
    /// True if the name needs no escapes in JSON.
    is_plain: bool,
    entry: Entry,
    /// The key that came after this one last time.
    next: usize,
}

/// The meaning of a name; by default none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// The index of the declared field.
    pub(crate) field: Option<usize>,
    /// An object with names in it that mean something.
    pub(crate) child: Option<Box<Node>>,
    /// It holds the event type.
    pub(crate) is_type: bool,
    /// It is the time field that was given from outside.
    pub(crate) is_time: bool,
}

impl Layouts {
    /// The layouts of the types of `schema`.
    pub(crate) fn new(schema: &Schema, reading: Reading) -> Layouts {
        let mut all: Vec<Layout> =
            schema.types().map(|(id, ty)| Layout::new(id, ty, &reading)).collect();
        let names = schema.types().enumerate();
        let by_name = names.map(|(index, (_, ty))| (ty.name.clone(), index)).collect();
        // Only type and time are read from an event of an undeclared type.
        let empty = EventType { name: "".into(), fields: Vec::new(), time: None, open: false };
        let nothing = Layout::new(TypeId::new(0), &empty, &reading);
        all.push(Layout { is_declared: false, ..nothing });
        Layouts { all, by_name, last: 0, reading }
    }

    /// The layouts of the types of `schema` that are declared as well.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        let mut new = Layouts::new(schema, self.reading.clone());
        new.by_name.retain(|name, _| declared.type_id(name).is_some());
        for layout in &mut new.all {
            layout.is_declared = new.by_name.contains_key(&layout.name);
        }
        *self = new;
    }

    /// The number of the type of this name, if it is declared.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Option<usize> {
        let last = &self.all[self.last];
        if *last.name != *name || !last.is_declared {
            self.last = *self.by_name.get(name)?;
        }
        Some(self.last)
    }

    /// The layout of a type by number (that without any fields, if there is no number), and how
    /// events are read.
    #[inline]
    pub(crate) fn get(&mut self, number: Option<usize>) -> (&mut Layout, &Reading) {
        let nothing = self.all.len() - 1;
        (&mut self.all[number.unwrap_or(nothing)], &self.reading)
    }

    /// True if a declared field, the type or the time has this name.
    pub(crate) fn names(&self, name: &str) -> bool {
        let is_field = |layout: &Layout| layout.fields.iter().any(|field| *field.name == *name);
        let reading = &self.reading;
        self.all.iter().any(is_field) || reading.type_field == name || reading.time_field == name
    }

    /// The declared type, if there is only one.
    pub(crate) fn only_name(&self) -> Option<&str> {
        let mut declared = self.all.iter().filter(|layout| layout.is_declared);
        let first = declared.next()?;
        declared.next().is_none().then_some(&*first.name)
    }

    /// Returns the number of declared types.
    pub(crate) fn len(&self) -> usize {
        self.all.len() - 1
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
        let is_required = |index: &usize| !ty.fields[*index].optional && Some(*index) != time;
        Layout {
            id,
            name: ty.name.clone(),
            is_declared: true,
            required: (0..ty.fields.len()).filter(is_required).collect(),
            fields: ty.fields.clone(),
            time,
            open: ty.open,
            root,
        }
    }
}

impl Layout {
    /// The declared field that holds the event time.
    pub(crate) fn time(&self) -> Option<usize> {
        self.time
    }

    /// Returns the type of the events.
    pub(crate) fn id(&self) -> TypeId {
        self.id
    }
}

impl Node {
    /// True if a declared field is in it, and not only the type or the time.
    pub(crate) fn holds_fields(&self) -> bool {
        self.keys.iter().any(|Key { entry, .. }| {
            entry.field.is_some() || entry.child.as_deref().is_some_and(Node::holds_fields)
        })
    }

    /// The key that came after `last` (at the start: `None`) in the last object, if its name can be
    /// compared with what is written.
    #[inline]
    pub(crate) fn expected(&self, last: Option<usize>) -> Option<(usize, &str)> {
        let number = last.map_or(self.first, |last| self.keys[last].next);
        let key = self.keys.get(number)?;
        key.is_plain.then_some((number, &*key.name))
    }

    /// The key of this name, which comes after `last`. Names that mean nothing are remembered, as
    /// far as there is room for them.
    pub(crate) fn find(&mut self, last: Option<usize>, name: &str) -> Option<usize> {
        let number = match self.by_name.get(name) {
            Some(number) => *number,
            None if self.keys.len() < REMEMBERED && name.len() <= LONGEST => self.add(name),
            None => return None,
        };
        match last {
            Some(last) => self.keys[last].next = number,
            None => self.first = number,
        }
        Some(number)
    }

    /// The name of a key, and what it means.
    pub(crate) fn key(&mut self, number: usize) -> (&Arc<str>, &mut Entry) {
        let key = &mut self.keys[number];
        (&key.name, &mut key.entry)
    }

    fn add(&mut self, name: &str) -> usize {
        let (number, name) = (self.keys.len(), Arc::<str>::from(name));
        let is_plain = !name.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\');
        self.by_name.insert(name.clone(), number);
        self.keys.push(Key { name, is_plain, entry: Entry::default(), next: number + 1 });
        number
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        let number = self.by_name.get(name).copied().unwrap_or_else(|| self.add(name));
        &mut self.keys[number].entry
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
            node = node.entry(name).child.get_or_insert_default();
            node.path = parent;
            rest = deeper;
        }
        mark(node.entry(rest));
        if rest.len() < path.len() {
            mark(self.entry(path));
        }
    }
}

/// An event in the making. Its memory is used again for the next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    values: Vec<Assembled>,
    /// The texts of fields, one after the other.
    texts: String,
    seen: Vec<bool>,
    seen_type: bool,
    named_time: Option<Result<Timestamp, String>>,
    /// Undeclared fields, for an open type.
    pub(crate) extra: Vec<(Arc<str>, Value)>,
    /// The first thing that was wrong.
    problem: Option<String>,
    /// What the records of batches share.
    repeated: RepeatedTexts,
}

/// The value of a field of an event in the making.
#[derive(Clone, Debug)]
enum Assembled {
    Value(Value),
    /// A part of the texts.
    Text(Range<usize>),
}

impl Assembled {
    const NULL: Assembled = Assembled::Value(Value::Null);

    fn is_null(&self) -> bool {
        matches!(self, Assembled::Value(Value::Null))
    }

    fn into_value(self, make: impl FnOnce(Range<usize>) -> Value) -> Value {
        match self {
            Assembled::Value(value) => value,
            Assembled::Text(place) => make(place),
        }
    }
}

impl Assembly {
    /// Starts an event without values.
    pub(crate) fn start(&mut self, fields: usize) {
        self.values.clear();
        self.values.resize(fields, Assembled::NULL);
        self.texts.clear();
        self.seen.clear();
        self.seen.resize(fields, false);
        self.seen_type = false;
        self.named_time = None;
        self.extra.clear();
        self.problem = None;
    }

    /// The value of a declared field.
    #[inline]
    pub(crate) fn set(&mut self, field: &Field, index: usize, value: Result<Value, String>) {
        match value {
            Ok(value) if !self.seen[index] => {
                self.seen[index] = true;
                self.values[index] = Assembled::Value(value);
            }
            value => self.refuse(field, index, value.err()),
        }
    }

    /// The text of a declared field.
    #[inline]
    pub(crate) fn set_text(&mut self, field: &Field, index: usize, text: &str) {
        if self.seen[index] {
            return self.refuse(field, index, None);
        }
        self.seen[index] = true;
        let start = self.texts.len();
        self.texts.push_str(text);
        self.values[index] = Assembled::Text(start..self.texts.len());
    }

    #[cold]
    fn refuse(&mut self, field: &Field, index: usize, reason: Option<String>) {
        let name = &field.name;
        if std::mem::replace(&mut self.seen[index], true) {
            self.problem(|| format!("field `{name}` is given twice"));
        }
        if let Some(reason) = reason {
            self.problem(|| format!("field `{name}`: {reason}"));
        }
    }

    /// The value of the time field that was given from outside.
    pub(crate) fn set_named_time(&mut self, reading: &Reading, value: &Result<Value, String>) {
        if self.named_time.is_some() {
            let name = &reading.time_field;
            self.problem(|| format!("field `{name}` is given twice"));
        }
        let unit = reading.unit;
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
    pub(crate) fn saw_type(&mut self, reading: &Reading) {
        if std::mem::replace(&mut self.seen_type, true) {
            let name = &reading.type_field;
            self.problem(|| format!("field `{name}` is given twice"));
        }
    }

    /// Something else is wrong.
    #[cold]
    pub(crate) fn problem(&mut self, reason: impl FnOnce() -> String) {
        self.problem.get_or_insert_with(reason);
    }

    /// The event, or why it does not fit its declaration.
    pub(crate) fn finish(&mut self, layout: &Layout, reading: &Reading) -> Result<Record, String> {
        let time = self.check(layout, reading)?;
        let Assembly { values, texts, extra, .. } = self;
        let value = |value: Assembled| value.into_value(|place| Value::from(&texts[place]));
        let values = values.drain(..).map(value);
        Ok(Record::with_extra(layout.id, time, values, std::mem::take(extra)))
    }

    /// Returns the last texts of the fields of a type, for the records of batches.
    #[inline]
    pub(crate) fn repeated(&mut self, layout: &Layout) -> &mut [LastText] {
        self.repeated.of_type(layout.id, layout.fields.len())
    }

    /// Adds the event to a batch.
    ///
    /// # Errors
    /// The reason why it does not fit its declaration.
    pub(crate) fn finish_into(
        &mut self,
        batch: &mut BatchBuilder,
        layout: &Layout,
        reading: &Reading,
    ) -> Result<(), String> {
        let time = self.check(layout, reading)?;
        if batch.prefers_records(layout.id) {
            let Assembly { values, texts, extra, repeated, .. } = self;
            let last = repeated.of_type(layout.id, values.len()).iter_mut();
            let values = values.drain(..).zip(last);
            let values = values.map(|(value, last)| value.into_value(|at| last.value(&texts[at])));
            let extra = std::mem::take(extra);
            batch.push_record(Record::with_extra(layout.id, time, values, extra));
            return Ok(());
        }
        let mut rows = batch.rows_of_fields(layout.id, &layout.fields);
        for (column, value) in rows.columns().iter_mut().zip(self.values.drain(..)) {
            match value {
                Assembled::Value(value) => column.push(value),
                Assembled::Text(place) => column.push_text(Some(&self.texts[place])),
            }
        }
        rows.end_row_with(time, std::mem::take(&mut self.extra));
        Ok(())
    }

    /// Returns the event time, or the reason why the event does not fit its declaration.
    fn check(&mut self, layout: &Layout, reading: &Reading) -> Result<Timestamp, String> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        for &index in &layout.required {
            if self.values[index].is_null() {
                return Err(self.missing(&layout.fields[index], index));
            }
        }
        let declared = layout.time.and_then(|index| match self.values[index] {
            Assembled::Value(Value::Time(time)) => Some(time),
            _ => None,
        });
        let time = match (declared, self.named_time.take()) {
            (Some(time), _) if !reading.prefers_time_field => time,
            (_, Some(Ok(time))) => time,
            (_, Some(Err(reason))) => {
                return Err(format!("field `{}`: {reason}", reading.time_field));
            }
            (_, None) => return Err(no_time(layout, reading)),
        };
        if let Some(index) = layout.time
            && self.values[index].is_null()
        {
            self.values[index] = Assembled::Value(Value::Time(time));
        }
        Ok(time)
    }

    #[cold]
    fn missing(&self, field: &Field, index: usize) -> String {
        let name = &field.name;
        if self.seen[index] {
            format!("field `{name}` is null, and not declared as optional (`{}?`)", field.ty)
        } else {
            format!("missing field `{name}`")
        }
    }
}

#[cold]
fn no_time(layout: &Layout, reading: &Reading) -> String {
    let name = &reading.time_field;
    match layout.time.map(|index| &*layout.fields[index].name) {
        Some(field) if field != name && !reading.prefers_time_field => {
            format!("no event time: neither `{field}` nor `{name}` is given")
        }
        _ => format!("no event time: missing field `{name}`"),
    }
}
