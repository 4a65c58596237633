//! [`Record`], an event made at run time, by position or from named values.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use triomphe::{Arc as CountedArc, ThinArc};

use crate::event::Event;
use crate::event::batch::type_columns::TypeColumns;
use crate::event::declared::{check_kind, find_type, no_field};
use crate::schema::{FieldId, FieldType, Schema, TypeId};
use crate::time::Timestamp;
use crate::util::prefetch::prefetch_address;
use crate::value::{Value, ValueRef, named};

/// An event whose type is known at run time: values in the order of a [`Schema`]'s fields.
///
/// Making a record takes a single allocation. Cloning copies three words. A record that the engine
/// lends of a [batch of columns](crate::event::EventBatch) reads its values there; its clone has
/// values of its own.
///
/// ```
/// use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
///
/// let rules = RuleSet::parse("event paid { order: int, at: time }")?;
/// let at = Timestamp::from_millis(1000);
/// let fields = [("order", 7.into()), ("at", at.into())];
/// let by_name = Record::from_fields(rules.schema(), "paid", fields)?;
///
/// // By number, where many events of a type are made.
/// let paid = rules.schema().type_id("paid").unwrap();
/// let by_number = Record::new(paid, at, [Value::Int(7), Value::Time(at)]);
/// assert_eq!((&by_number, by_number.time()), (&by_name, at));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Record {
    values: RecordValues,
    notes: Notes,
}

/// What a record notes beside its values. It is one word, and copied as one: a word that is read right
/// after its parts were written makes the processor wait.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Notes {
    /// The parts of the id of the type.
    type_low: u32,
    type_high: u16,
    /// The heap size in units of 16 bytes, rounded up; [`u8::MAX`] if it must be computed: for 4 KiB
    /// and more, and for a row.
    heap: u8,
    /// True if the last value holds the undeclared fields.
    has_extra: bool,
}

impl Notes {
    #[inline(always)]
    fn new(type_id: TypeId, heap: u8, last: LastValue) -> Notes {
        let (type_low, type_high) = type_id.to_parts();
        Notes { type_low, type_high, heap, has_extra: last == LastValue::Extra }
    }

    /// Returns the notes of a record that reads a row of columns of this type.
    #[inline(always)]
    fn of_row(type_id: TypeId) -> Notes {
        Notes::new(type_id, u8::MAX, LastValue::Field)
    }

    #[inline(always)]
    fn type_id(self) -> TypeId {
        TypeId::of_parts((self.type_low, self.type_high))
    }
}

/// The values of a record, or the row that holds them. The enum has two words: the first pointer is
/// null for a row, and the pointer to the row takes the place of the time.
enum RecordValues {
    /// In the record: the declared fields, followed by one record with the undeclared fields, if
    /// there are any. The pointer is thin because the engine keeps very many records. What it points
    /// to begins with the counts of owners and values, and nothing else: to drop an owner waits for
    /// one cache line.
    Own(ThinArc<(), Value>, Timestamp),
    /// In a row of columns. The row has one owner, as a clone of the record has values of its own. It
    /// is counted all the same: the drop of what is counted is a call, which keeps that of all other
    /// records small.
    Row(CountedArc<ColumnRow>),
}

const _: () = assert!(size_of::<Record>() == 24 && size_of::<Option<Record>>() == 24);

/// A row of columns, read in place.
#[derive(Debug)]
struct ColumnRow {
    time: Timestamp,
    columns: Arc<TypeColumns>,
    row: usize,
    /// True if the record was cloned.
    is_cloned: AtomicBool,
    /// The values of the row that all but the first clone share, once anything has asked for them. A
    /// record here would make the drop of a record a recursion, which is not inlined.
    copied: OnceLock<OwnValues>,
}

/// The values of a record in memory of its own, with what the record notes of them.
#[derive(Clone, Debug)]
struct OwnValues {
    values: ThinArc<(), Value>,
    notes: Notes,
}

impl OwnValues {
    /// Makes these values.
    #[inline]
    fn of(type_id: TypeId, values: impl Iterator<Item = Value>, last: LastValue) -> OwnValues {
        match values.size_hint() {
            (count, Some(most)) if count == most => {
                OwnValues::filled(type_id, (count, last), |places| {
                    places.iter_mut().zip(values).for_each(|(place, value)| *place = value);
                    heap_size_of_all(places)
                })
            }
            _ => {
                let values: Vec<Value> = values.collect();
                OwnValues::of(type_id, values.into_iter(), last)
            }
        }
    }

    /// Makes `count` values, which are null before `fill` writes them to where they stay. `fill`
    /// returns their heap size.
    #[inline(always)]
    fn filled(
        type_id: TypeId,
        (count, last): (usize, LastValue),
        fill: impl FnOnce(&mut [Value]) -> usize,
    ) -> OwnValues {
        // `repeat_n` would copy a null in parts that are read as a whole: that takes half of the time
        // of this function.
        let nulls = (0..count).map(|_| Value::Null);
        let mut values = ThinArc::from_header_and_iter((), nulls);
        let heap = values.with_arc_mut(|values| {
            CountedArc::get_mut(values).map_or(0, |values| fill(values.slice_mut()))
        });
        let heap = heap_of_record(heap).div_ceil(HEAP_UNIT);
        let heap = u8::try_from(heap).unwrap_or(u8::MAX);
        OwnValues { values, notes: Notes::new(type_id, heap, last) }
    }

    /// Makes these values, and undeclared fields, of which there is at least one.
    fn with_extra(
        type_id: TypeId,
        values: impl Iterator<Item = Value>,
        extra: Box<[(Arc<str>, Value)]>,
    ) -> OwnValues {
        let extra = std::iter::once(Value::Record(extra.into()));
        OwnValues::of(type_id, values.chain(extra), LastValue::Extra)
    }

    /// Makes the values of a row of columns.
    fn of_row(columns: &TypeColumns, row: usize) -> OwnValues {
        let (type_id, extra) = (columns.type_id(), columns.extra(row));
        let count = columns.columns().len();
        if !extra.is_empty() {
            let values = columns.columns().iter().map(|column| column.to_value(row));
            return OwnValues::with_extra(type_id, values, extra.into());
        }
        OwnValues::filled(type_id, (count, LastValue::Field), |places| {
            columns.copy_to(row, places);
            if columns.is_flat() { size_of_val(places) } else { heap_size_of_all(places) }
        })
    }

    /// Returns the record of these values at a time.
    #[inline(always)]
    fn at(self, time: Timestamp) -> Record {
        let OwnValues { values, notes } = self;
        Record { values: RecordValues::Own(values, time), notes }
    }
}

impl ColumnRow {
    /// Returns the value of a field. There is one copy of the function, as what reads the fields of
    /// all other records stays small enough to be inlined by that.
    #[inline(never)]
    fn field(&self, field: FieldId) -> ValueRef<'_> {
        self.columns.field(self.row, field)
    }

    /// Returns the heap size of the values of the row in a record of its own.
    fn heap_size_of_values(&self) -> usize {
        let ColumnRow { columns, row, .. } = self;
        let values = columns.columns().iter().map(|column| column.get(*row));
        let extra = Some(columns.extra(*row)).filter(|extra| !extra.is_empty());
        values.chain(extra.map(ValueRef::Record)).map(heap_size_of).sum()
    }

    /// Returns the values of the row for a record of its own. The first one is a copy of its own,
    /// as it is the only one of most rows: to share it takes a fourteenth of the time of W4 and W5.
    /// All others share one copy.
    #[cold]
    #[inline(never)]
    fn to_own(&self) -> OwnValues {
        // Two threads that both are the first have two copies, which is as good.
        if !self.is_cloned.load(Ordering::Relaxed) && self.copied.get().is_none() {
            self.is_cloned.store(true, Ordering::Relaxed);
            return OwnValues::of_row(&self.columns, self.row);
        }
        self.copy().clone()
    }

    /// Returns the values of the row, which are copied once.
    #[cold]
    #[inline(never)]
    fn copy(&self) -> &OwnValues {
        self.copied.get_or_init(|| OwnValues::of_row(&self.columns, self.row))
    }
}

/// The meaning of a record's last value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LastValue {
    Field,
    /// The undeclared fields of an open type.
    Extra,
}

impl Record {
    /// Makes an event of type `type_id` with `values` in the order of that type's fields. Missing
    /// values at the end are null. `type_id` must be of the schema of the rules that read the
    /// event.
    pub fn new(
        type_id: TypeId,
        time: Timestamp,
        values: impl IntoIterator<Item = Value>,
    ) -> Record {
        OwnValues::of(type_id, values.into_iter(), LastValue::Field).at(time)
    }

    /// Makes an event of type `type_id` with `values` and with undeclared fields of an open type.
    pub fn with_extra(
        type_id: TypeId,
        time: Timestamp,
        values: impl IntoIterator<Item = Value>,
        extra: impl Into<Box<[(Arc<str>, Value)]>>,
    ) -> Record {
        let extra: Box<[_]> = extra.into();
        if extra.is_empty() {
            return Record::new(type_id, time, values);
        }
        OwnValues::with_extra(type_id, values.into_iter(), extra).at(time)
    }

    /// Makes a record of the values of a row of columns.
    pub(crate) fn copy_of_row(columns: &TypeColumns, row: usize) -> Record {
        OwnValues::of_row(columns, row).at(columns.time(row))
    }

    /// Makes an event of type `type_id` with `count` values, which are null before `fill` writes
    /// them. Readers of many events save the copy that [`new`](Record::new) makes of each value.
    ///
    /// ```
    /// use kleene::{Record, RuleSet, Timestamp, Value};
    ///
    /// let rules = RuleSet::parse("event paid { order: int, at: time }")?;
    /// let (paid, at) = (rules.schema().type_id("paid").unwrap(), Timestamp::from_millis(1000));
    /// let record = Record::filled(paid, at, 2, |values| {
    ///     values[0] = Value::Int(7);
    ///     values[1] = Value::Time(at);
    /// });
    /// assert_eq!(record, Record::new(paid, at, [Value::Int(7), Value::Time(at)]));
    /// # Ok::<(), kleene::Error>(())
    /// ```
    #[inline]
    pub fn filled(
        type_id: TypeId,
        time: Timestamp,
        count: usize,
        fill: impl FnOnce(&mut [Value]),
    ) -> Record {
        let values = OwnValues::filled(type_id, (count, LastValue::Field), |values| {
            fill(values);
            heap_size_of_all(values)
        });
        values.at(time)
    }

    /// Makes a record that reads its values in a row of columns.
    pub(crate) fn of_row(columns: Arc<TypeColumns>, row: usize) -> Record {
        let (time, type_id) = (columns.time(row), columns.type_id());
        let (copied, is_cloned) = (OnceLock::new(), AtomicBool::default());
        let row = CountedArc::new(ColumnRow { time, columns, row, is_cloned, copied });
        Record { values: RecordValues::Row(row), notes: Notes::of_row(type_id) }
    }

    /// Makes the record read its values in another row of columns.
    #[inline]
    pub(crate) fn move_to_row(&mut self, columns: &Arc<TypeColumns>, number: usize) {
        let row = match &mut self.values {
            RecordValues::Own(..) => None,
            RecordValues::Row(row) => CountedArc::get_mut(row),
        };
        let Some(row) = row else {
            *self = Record::of_row(columns.clone(), number);
            return;
        };
        if !Arc::ptr_eq(&row.columns, columns) {
            row.columns = columns.clone();
            self.notes = Notes::of_row(columns.type_id());
        }
        row.time = columns.time(number);
        row.row = number;
        row.copied.take();
        *row.is_cloned.get_mut() = false;
    }

    /// Makes an event of the type called `ty` from its fields by name. The event time is the value
    /// of the type's time field. Fields that are not given are null. An integer is converted for a
    /// float field.
    ///
    /// # Errors
    /// [`RecordError`] for an unknown type or field, a value of another type than declared, a
    /// missing field that is not optional, or a type without a field for the time.
    ///
    /// ```
    /// use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
    ///
    /// let rules = RuleSet::parse("event paid { order: int, amount: float?, at: time }")?;
    /// let at = Timestamp::from_millis(1000);
    /// let fields = [("order", 7.into()), ("at", at.into())];
    /// let paid = Record::from_fields(rules.schema(), "paid", fields)?;
    /// assert_eq!((paid.time(), &paid.values()[0]), (at, &Value::Int(7)));
    ///
    /// let error = Record::from_fields(rules.schema(), "paid", [("ordr", 7.into())]).unwrap_err();
    /// assert_eq!(error.to_string(), "`paid` has no field `ordr`: did you mean `order`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_fields<'a>(
        schema: &Schema,
        ty: &str,
        fields: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Record, RecordError> {
        from_fields(schema, ty, fields)
    }

    /// Returns the value of the field with this name, dotted for a nested field: `address.city`.
    /// Undeclared fields of an open type are found by their path, too. `None` if the event's type has
    /// no such field.
    ///
    /// `schema` is the schema of the rules that read the event, or of the
    /// engine.
    ///
    /// ```
    /// use kleene::{Record, RuleSet, Timestamp, Value};
    ///
    /// let rules = RuleSet::parse("event paid { by: { name: string }, at: time, .. }")?;
    /// let at = Timestamp::from_millis(0);
    /// let fields = [("by.name", "ann".into()), ("at", at.into()), ("note", "late".into())];
    /// let paid = Record::from_fields(rules.schema(), "paid", fields)?;
    /// assert_eq!(paid.get(rules.schema(), "by.name").and_then(Value::as_str), Some("ann"));
    /// assert_eq!(paid.get(rules.schema(), "note").and_then(Value::as_str), Some("late"));
    /// assert_eq!(paid.get(rules.schema(), "nmae"), None);
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn get(&self, schema: &Schema, path: &str) -> Option<&Value> {
        match schema.field_id(self.notes.type_id(), path) {
            Some(field) => Some(self.values().get(field.index()).unwrap_or(&Value::Null)),
            None => self.undeclared(path),
        }
    }

    /// Returns the undeclared field at a dotted path.
    fn undeclared(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = named(self.extra(), parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Returns the undeclared fields in their order of arrival.
    pub fn extra(&self) -> &[(Arc<str>, Value)] {
        match &self.values {
            RecordValues::Own(values, _) => match values.slice.last() {
                Some(Value::Record(extra)) if self.notes.has_extra => extra,
                _ => &[],
            },
            RecordValues::Row(row) => row.columns.extra(row.row),
        }
    }

    /// Returns the heap size from the values.
    #[cold]
    #[inline(never)]
    fn computed_heap_size(&self) -> usize {
        let of_values = match &self.values {
            RecordValues::Own(values, _) => heap_size_of_all(&values.slice),
            RecordValues::Row(row) => row.heap_size_of_values(),
        };
        heap_of_record(of_values).next_multiple_of(HEAP_UNIT)
    }

    /// Returns the values of the declared fields by [`FieldId`].
    #[inline(always)]
    pub fn values(&self) -> &[Value] {
        let (values, notes) = match &self.values {
            RecordValues::Own(values, _) => (values, self.notes),
            RecordValues::Row(row) => {
                let OwnValues { values, notes } = row.copy();
                (values, *notes)
            }
        };
        &values.slice[..values.slice.len() - usize::from(notes.has_extra)]
    }
}

impl Clone for Record {
    /// Returns a record with the same values, which it shares. The values of a row of columns are
    /// copied out of it: the first clone has a copy of its own, and all others share one.
    #[inline]
    fn clone(&self) -> Record {
        let (own, time) = match &self.values {
            RecordValues::Own(values, time) => {
                (OwnValues { values: values.clone(), notes: self.notes }, *time)
            }
            RecordValues::Row(row) => (row.to_own(), row.time),
        };
        own.at(time)
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        (self.time(), self.type_id()) == (other.time(), other.type_id())
            && self.values() == other.values()
            && self.extra() == other.extra()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { values: _, notes } = self;
        let mut shown = f.debug_struct("Record");
        shown.field("type_id", &notes.type_id()).field("time", &self.time());
        shown.field("values", &self.values());
        if !self.extra().is_empty() {
            shown.field("extra", &self.extra());
        }
        shown.finish()
    }
}

/// The unit in bytes of the heap size of a [`Record`].
const HEAP_UNIT: usize = 16;

/// Returns the heap size of a [`Record`] in bytes from that of its values. The number of owners and
/// the number of values are on the heap, too.
fn heap_of_record(of_values: usize) -> usize {
    2 * size_of::<usize>() + of_values
}

/// Returns the heap size in bytes of a value of a [`Record`].
#[inline(always)]
fn heap_size_of(value: ValueRef<'_>) -> usize {
    size_of::<Value>() + value.heap_size()
}

/// Returns the heap size in bytes of all values of a [`Record`].
#[inline]
fn heap_size_of_all(values: &[Value]) -> usize {
    values.iter().map(|value| heap_size_of(value.as_ref())).sum()
}

/// The cache line size of most processors, in bytes. On others the hint is less useful.
const CACHE_LINE: usize = 64;

impl Event for Record {
    const CAN_BE_MADE: bool = true;

    fn schema() -> Option<Schema> {
        None
    }

    fn make(
        ty: TypeId,
        time: Timestamp,
        values: Vec<Value>,
        extra: Vec<(Arc<str>, Value)>,
    ) -> Option<Record> {
        Some(Record::with_extra(ty, time, values, extra))
    }

    #[inline(always)]
    fn type_id(&self) -> TypeId {
        self.notes.type_id()
    }

    #[inline(always)]
    fn time(&self) -> Timestamp {
        match &self.values {
            RecordValues::Own(_, time) => *time,
            RecordValues::Row(row) => row.time,
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        match self.notes.heap {
            u8::MAX => self.computed_heap_size(),
            heap => usize::from(heap) * HEAP_UNIT,
        }
    }

    #[inline(always)]
    fn prefetch(&self) {
        if let RecordValues::Own(values, _) = &self.values {
            prefetch_address(values.heap_ptr());
        }
    }

    #[inline(always)]
    fn prefetch_fields(&self) {
        if let RecordValues::Own(values, _) = &self.values {
            let values = values.heap_ptr();
            prefetch_address(values);
            // The number of values is stored there, too, so it is not known yet. Two lines hold most
            // records.
            prefetch_address(values.wrapping_byte_add(CACHE_LINE));
        }
    }

    #[inline(always)]
    fn field(&self, field: FieldId) -> ValueRef<'_> {
        let values = match &self.values {
            RecordValues::Own(values, _) => &values.slice,
            RecordValues::Row(row) => return row.field(field),
        };
        match values.get(field.index()) {
            // The undeclared fields are one record behind the others, and no declared field. Only a
            // record can be that one, so other values need no test.
            Some(Value::Record(_)) if self.notes.has_extra && field.index() + 1 == values.len() => {
                ValueRef::Null
            }
            Some(value) => value.as_ref(),
            None => ValueRef::Null,
        }
    }

    fn dynamic_field(&self, path: &str) -> ValueRef<'_> {
        self.undeclared(path).map_or(ValueRef::Null, Value::as_ref)
    }
}

/// The reason why named values do not make a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecordError {}

fn from_fields<'a>(
    schema: &Schema,
    name: &str,
    fields: impl IntoIterator<Item = (&'a str, Value)>,
) -> Result<Record, RecordError> {
    let (id, ty) = find_type(schema, name).map_err(RecordError)?;
    let mut values = vec![Value::Null; ty.fields.len()];
    let mut extra: Vec<(Arc<str>, Value)> = Vec::new();
    for (field, value) in fields {
        let id = match ty.field_id(field) {
            Some(id) => id,
            None if ty.open => {
                extra.push((field.into(), value));
                continue;
            }
            None => return Err(RecordError(no_field(ty, field))),
        };
        values[id.index()] = match value {
            #[expect(clippy::cast_precision_loss, reason = "as documented")]
            Value::Int(i) if ty.field(id).ty == FieldType::Float => Value::Float(i as f64),
            other => other,
        };
    }
    for (field, value) in ty.fields.iter().zip(&values) {
        check_kind(ty, field, value.kind()).map_err(RecordError)?;
    }
    match ty.time.map(|time| &values[time.index()]) {
        Some(&Value::Time(time)) => Ok(Record::with_extra(id, time, values, extra)),
        _ => Err(RecordError(format!("`{name}` has no event time"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Column, ColumnValues, Event, Texts};
    use crate::schema::{EventType, Field, FieldId, TypeId};
    use crate::time::Timestamp;

    #[test]
    fn clones_of_a_row_share_a_copy_from_the_second_on() {
        let mut schema = Schema::new();
        let fields = ["at", "note"].map(|name| Field {
            name: name.into(),
            ty: if name == "at" { FieldType::Time } else { FieldType::String },
            optional: false,
        });
        let (fields, time) = (fields.into(), Some(FieldId::new(0)));
        schema.add(EventType { name: "seen".into(), fields, time, open: false }).unwrap();
        let texts = Texts::new("xyy".into(), vec![1, 3]).unwrap();
        let columns = [
            ("at", Column::new(ColumnValues::Time(vec![7, 8].into()))),
            ("note", Column::new(ColumnValues::String(texts))),
        ];
        let columns = Arc::new(TypeColumns::new(&schema, "seen", columns).unwrap());
        let mut row = Record::of_row(columns.clone(), 0);
        let place = |record: &Record| match &record.values {
            RecordValues::Own(values, _) => values.slice.as_ptr(),
            RecordValues::Row(_) => unreachable!("a clone has values of its own"),
        };
        for (number, note) in ["x", "yy"].into_iter().enumerate() {
            row.move_to_row(&columns, number);
            let [first, second, third] = [row.clone(), row.clone(), row.clone()];
            assert_eq!(first.values()[1], Value::from(note));
            assert_eq!((&first, &second), (&second, &third));
            assert!(place(&second) == place(&third) && place(&first) != place(&second));
        }
        // What was looked at as a whole is a copy that all can share.
        row.move_to_row(&columns, 0);
        let values = row.values().as_ptr();
        assert_eq!(place(&row.clone()), values);
    }

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
