//! [`BatchBuilder`]: a batch made row by row, as a reader of text does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::Event as _;
use crate::event::batch::column::{Column, ColumnValues, Texts};
use crate::event::batch::events::{EventBatch, RowPlace};
use crate::event::batch::type_columns::{Extra, TypeColumns};
use crate::event::batch::validity::Validity;
use crate::event::record::Record;
use crate::schema::{Field, FieldType, Schema, TypeId};
use crate::time::Timestamp;
use crate::value::Value;

/// Makes an [`EventBatch`] row by row.
///
/// ```
/// use kleene::event::BatchBuilder;
/// use kleene::{RuleSet, Timestamp};
///
/// let rules = RuleSet::parse("event paid { order: int, by: string?, at: time }")?;
/// let paid = rules.schema().type_id("paid").unwrap();
/// let mut batch = BatchBuilder::new();
/// for (order, by) in [(7, Some("ann")), (8, None)] {
///     let mut rows = batch.rows(rules.schema(), paid);
///     let [of_order, of_by, of_at] = rows.columns() else { panic!("`paid` has three fields") };
///     of_order.push_int(order);
///     of_by.push_text(by);
///     of_at.push(Timestamp::from_millis(1000 * order).into());
///     rows.end_row(Timestamp::from_millis(1000 * order));
/// }
/// let batch = batch.finish();
/// assert_eq!((batch.len(), batch.types()[0].columns()[1].get(0).as_str()), (2, Some("ann")));
/// # Ok::<(), kleene::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct BatchBuilder {
    /// By type id.
    types: Vec<Option<OpenRows>>,
    /// The types with rows, in the order of their first row.
    parts: Vec<usize>,
    records: Vec<Record>,
    order: Vec<RowPlace>,
}

/// The rows of a type that are being added.
#[derive(Debug)]
struct OpenRows {
    type_id: TypeId,
    /// The position among the types of the batch; `None` before the first row.
    part: Option<u32>,
    copies: Copies,
    times: Vec<i64>,
    columns: Vec<ColumnBuilder>,
    extra: Vec<Extra>,
}

/// The rows of the last batch with columns of a type, and how many of them were copied.
#[derive(Debug, Default)]
struct Copies {
    rows: usize,
    copied: Arc<AtomicUsize>,
    /// The number of records since then.
    records: usize,
}

impl Copies {
    /// The number of records after which columns are tried again.
    const TRY_AGAIN: usize = 1 << 18;

    #[inline]
    fn prefers_records(&mut self) -> bool {
        let prefers = self.copied.load(Ordering::Relaxed) * 2 > self.rows;
        self.records += usize::from(prefers);
        if self.records > Copies::TRY_AGAIN {
            *self = Copies::default();
        }
        prefers
    }
}

impl BatchBuilder {
    /// Makes a builder of a batch without events.
    pub fn new() -> BatchBuilder {
        BatchBuilder::default()
    }

    /// The number of events so far.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// True if there is no event yet.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns the rows of a type, to add one. The type has the columns of `schema`, which is the
    /// same in each call.
    #[inline]
    pub fn rows(&mut self, schema: &Schema, ty: TypeId) -> RowsBuilder<'_> {
        self.rows_of_fields(ty, &schema.ty(ty).fields)
    }

    /// Returns the rows of a type with these fields, to add one. A type has the same fields in each
    /// call.
    #[inline]
    pub fn rows_of_fields(&mut self, ty: TypeId, fields: &[Field]) -> RowsBuilder<'_> {
        if self.types.len() <= ty.index() {
            self.types.resize_with(ty.index() + 1, || None);
        }
        let BatchBuilder { types, parts, order, .. } = self;
        let open = types[ty.index()].get_or_insert_with(|| OpenRows {
            type_id: ty,
            part: None,
            copies: Copies::default(),
            times: Vec::new(),
            columns: fields.iter().map(|field| ColumnBuilder::new(&field.ty)).collect(),
            extra: Vec::new(),
        });
        RowsBuilder { open, parts, order }
    }

    /// True if most rows of a type were copied in the last batch with columns of it, as the engine
    /// keeps most events of the type. Records are then cheaper than columns: the reader makes the
    /// copy. Now and then the answer is false all the same, to see whether that has changed.
    pub fn prefers_records(&mut self, ty: TypeId) -> bool {
        match self.types.get_mut(ty.index()) {
            Some(Some(open)) if open.part.is_none() => open.copies.prefers_records(),
            _ => false,
        }
    }

    /// Adds an event as a record, for events that fit into no column.
    pub fn push_record(&mut self, record: Record) {
        let row = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.order.push(RowPlace { part: RowPlace::RECORD, row });
        self.records.push(record);
    }

    /// Adds an event whose values are copied from a record to the columns of its type.
    pub fn copy_record(&mut self, schema: &Schema, record: &Record) {
        let mut rows = self.rows(schema, record.type_id());
        for (column, value) in rows.columns().iter_mut().zip(record.values()) {
            column.push(value.clone());
        }
        rows.end_row_with(record.time(), record.extra());
    }

    /// Returns the batch. The builder is empty afterwards.
    pub fn finish(&mut self) -> EventBatch {
        let types = self.parts.drain(..).filter_map(|index| {
            let open = self.types[index].as_mut()?;
            open.part = None;
            let columns = open.columns.iter_mut().map(ColumnBuilder::finish).collect();
            let (times, extra) = (std::mem::take(&mut open.times), std::mem::take(&mut open.extra));
            open.times.reserve(times.len());
            let columns = TypeColumns::of(open.type_id, times.into(), columns, extra);
            open.copies.rows = columns.len();
            open.copies.copied = columns.copied();
            Some(columns)
        });
        let types = types.collect();
        let (records, order) = (std::mem::take(&mut self.records), std::mem::take(&mut self.order));
        EventBatch::of(types, records, order)
    }
}

/// The rows of one type of a [`BatchBuilder`], to add one.
///
/// A value is pushed to each column, and then the row is [ended](RowsBuilder::end_row) or
/// [abandoned](RowsBuilder::abandon_row).
#[derive(Debug)]
pub struct RowsBuilder<'a> {
    open: &'a mut OpenRows,
    parts: &'a mut Vec<usize>,
    order: &'a mut Vec<RowPlace>,
}

impl RowsBuilder<'_> {
    /// Returns the columns by [`FieldId`](crate::schema::FieldId).
    #[inline]
    pub fn columns(&mut self) -> &mut [ColumnBuilder] {
        &mut self.open.columns
    }

    /// Adds the row of the values that were pushed. Columns without a new value get a null.
    #[inline]
    pub fn end_row(self, time: Timestamp) {
        let RowsBuilder { open, parts, order } = self;
        let row = open.times.len();
        open.times.push(time.as_millis());
        for column in &mut open.columns {
            if column.len() <= row {
                column.push_null();
            }
        }
        let part = *open.part.get_or_insert_with(|| {
            parts.push(open.type_id.index());
            u32::try_from(parts.len() - 1).unwrap_or(RowPlace::RECORD)
        });
        order.push(RowPlace { part, row: u32::try_from(row).unwrap_or(u32::MAX) });
    }

    /// Adds the row of the values that were pushed, with undeclared fields of an open type.
    pub fn end_row_with(self, time: Timestamp, extra: impl Into<Box<[(Arc<str>, Value)]>>) {
        let extra = extra.into();
        if !extra.is_empty() {
            self.open.extra.resize_with(self.open.times.len(), Box::default);
            self.open.extra.push(extra);
        }
        self.end_row(time);
    }

    /// Drops the values that were pushed since the last row.
    pub fn abandon_row(self) {
        let rows = self.open.times.len();
        self.open.columns.iter_mut().for_each(|column| column.truncate(rows));
    }
}

/// A column of a [`BatchBuilder`], to which values are pushed.
///
/// A value of another type than the column's is kept as it is; the column is slower then.
#[derive(Debug)]
pub struct ColumnBuilder {
    /// The declared type of the field.
    ty: FieldType,
    values: NewValues,
    /// `None` before the first null.
    validity: Option<Validity>,
}

/// The values of a column that grows. Null rows have a value, too, which means nothing.
#[derive(Debug)]
enum NewValues {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Time(Vec<i64>),
    Duration(Vec<i64>),
    String(Texts),
    Any(Vec<Value>),
}

impl NewValues {
    /// Returns no values of a declared type.
    fn of(ty: &FieldType) -> NewValues {
        match ty {
            FieldType::Bool => NewValues::Bool(Vec::new()),
            FieldType::Int => NewValues::Int(Vec::new()),
            FieldType::Float => NewValues::Float(Vec::new()),
            FieldType::Time => NewValues::Time(Vec::new()),
            FieldType::Duration => NewValues::Duration(Vec::new()),
            FieldType::String => NewValues::String(Texts::default()),
            FieldType::Ip | FieldType::List(_) | FieldType::Any => NewValues::Any(Vec::new()),
        }
    }
}

impl ColumnBuilder {
    fn new(ty: &FieldType) -> ColumnBuilder {
        ColumnBuilder { ty: ty.clone(), values: NewValues::of(ty), validity: None }
    }

    /// The number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.values {
            NewValues::Bool(values) => values.len(),
            NewValues::Float(values) => values.len(),
            NewValues::Int(values) | NewValues::Time(values) | NewValues::Duration(values) => {
                values.len()
            }
            NewValues::String(texts) => texts.len(),
            NewValues::Any(values) => values.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an integer.
    #[inline]
    pub fn push_int(&mut self, value: i64) {
        match &mut self.values {
            NewValues::Int(values) => {
                values.push(value);
                self.note_value();
            }
            _ => self.push_other(Value::Int(value)),
        }
    }

    /// Adds a floating-point number.
    #[inline]
    pub fn push_float(&mut self, value: f64) {
        match &mut self.values {
            NewValues::Float(values) => {
                values.push(value);
                self.note_value();
            }
            _ => self.push_other(Value::Float(value)),
        }
    }

    /// Adds a moment.
    #[inline]
    pub fn push_time(&mut self, value: Timestamp) {
        match &mut self.values {
            NewValues::Time(values) => {
                values.push(value.as_millis());
                self.note_value();
            }
            _ => self.push_other(Value::Time(value)),
        }
    }

    /// Adds a text, or a null.
    #[inline]
    pub fn push_text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.push_null() };
        match &mut self.values {
            NewValues::String(texts) => {
                if texts.push(text) {
                    self.note_value();
                } else {
                    texts.truncate(texts.len() - 1);
                    self.push_other(text.into());
                }
            }
            _ => self.push_other(text.into()),
        }
    }

    /// Adds a value of any type.
    #[inline]
    pub fn push(&mut self, value: Value) {
        match (&mut self.values, value) {
            (NewValues::Int(values), Value::Int(value))
            | (NewValues::Duration(values), Value::Duration(value)) => values.push(value),
            (NewValues::Time(values), Value::Time(value)) => values.push(value.as_millis()),
            (NewValues::Float(values), Value::Float(value)) => values.push(value),
            (NewValues::Bool(values), Value::Bool(value)) => values.push(value),
            (NewValues::String(_), Value::String(text)) => return self.push_text(Some(&text)),
            (_, Value::Null) => return self.push_null(),
            (_, value) => return self.push_other(value),
        }
        self.note_value();
    }

    /// Adds a null.
    #[inline]
    pub fn push_null(&mut self) {
        let rows = self.len();
        match &mut self.values {
            NewValues::Bool(values) => values.push(false),
            NewValues::Float(values) => values.push(0.0),
            NewValues::Int(values) | NewValues::Time(values) | NewValues::Duration(values) => {
                values.push(0);
            }
            NewValues::String(texts) => drop(texts.push("")),
            NewValues::Any(values) => values.push(Value::Null),
        }
        self.validity.get_or_insert_with(|| Validity::all(rows)).push(false);
    }

    /// Notes that the new row has a value.
    #[inline(always)]
    fn note_value(&mut self) {
        if let Some(validity) = &mut self.validity {
            validity.push(true);
        }
    }

    /// Adds a value of another type than the column's, if the column has one.
    fn push_other(&mut self, value: Value) {
        match &mut self.values {
            NewValues::Any(values) => {
                values.push(value);
                self.note_value();
            }
            _ => self.widen(value),
        }
    }

    /// Adds a value that the column has no place for: the column holds values of any type from now
    /// on.
    #[cold]
    fn widen(&mut self, value: Value) {
        let rows = self.len();
        let column = self.finish();
        let mut values: Vec<Value> = (0..rows).map(|row| column.to_value(row)).collect();
        values.push(value);
        self.validity = column.validity().cloned();
        self.values = NewValues::Any(values);
        self.note_value();
    }

    /// Drops the rows from `len` on.
    fn truncate(&mut self, len: usize) {
        match &mut self.values {
            NewValues::Bool(values) => values.truncate(len),
            NewValues::Float(values) => values.truncate(len),
            NewValues::Int(values) | NewValues::Time(values) | NewValues::Duration(values) => {
                values.truncate(len);
            }
            NewValues::String(texts) => texts.truncate(len),
            NewValues::Any(values) => values.truncate(len),
        }
        if let Some(validity) = &mut self.validity {
            validity.truncate(len);
        }
    }

    /// Returns the column. The builder is empty afterwards.
    fn finish(&mut self) -> Column {
        let values = match &mut self.values {
            NewValues::Bool(values) => ColumnValues::Bool(renew(values).into()),
            NewValues::Int(values) => ColumnValues::Int(renew(values).into()),
            NewValues::Float(values) => ColumnValues::Float(renew(values).into()),
            NewValues::Time(values) => ColumnValues::Time(renew(values).into()),
            NewValues::Duration(values) => ColumnValues::Duration(renew(values).into()),
            NewValues::String(texts) => ColumnValues::String(std::mem::take(texts)),
            NewValues::Any(values) => {
                let values = std::mem::take(values);
                self.values = NewValues::of(&self.ty);
                ColumnValues::Any(values)
            }
        };
        let column = Column::new(values);
        match self.validity.take() {
            Some(validity) => column.with_validity(validity),
            None => column,
        }
    }
}

/// Takes the values, and leaves a vector with as much room.
fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{EventType, FieldId};

    fn schema() -> (Schema, TypeId) {
        let field = |name: &str, ty| Field { name: name.into(), ty, optional: true };
        let fields = vec![
            field("n", FieldType::Int),
            field("text", FieldType::String),
            field("at", FieldType::Time),
        ];
        let mut schema = Schema::new();
        let time = Some(FieldId::new(2));
        let ty = EventType { name: "a".into(), fields, time, open: true };
        let id = schema.add(ty).expect("it is the first");
        (schema, id)
    }

    #[test]
    fn abandoned_rows_leave_nothing() {
        let (schema, ty) = schema();
        let mut builder = BatchBuilder::new();
        let mut push = |number: i64, text: Option<&str>, is_kept: bool| {
            let mut rows = builder.rows(&schema, ty);
            rows.columns()[0].push_int(number);
            rows.columns()[1].push_text(text);
            if is_kept {
                rows.end_row(Timestamp::from_millis(number));
            } else {
                rows.abandon_row();
            }
        };
        push(1, Some("x"), true);
        push(2, None, false);
        push(3, Some("wrong"), false);
        push(4, Some("y"), true);
        let batch = builder.finish();
        let values: Vec<Vec<Value>> =
            batch.rows().map(|row| row.to_record().values().to_vec()).collect();
        let row = |n: i64, text: &str| vec![n.into(), text.into(), Value::Null];
        assert_eq!(values, [row(1, "x"), row(4, "y")]);
        assert!(builder.finish().is_empty());
    }

    #[test]
    fn a_value_of_another_type_is_kept() {
        let (schema, ty) = schema();
        let mut builder = BatchBuilder::new();
        for value in [Value::Int(1), Value::Null, "x".into(), Value::Int(2)] {
            let mut rows = builder.rows(&schema, ty);
            rows.columns()[0].push(value);
            rows.end_row_with(Timestamp::from_millis(0), [("more".into(), Value::Int(9))]);
        }
        let batch = builder.finish();
        let read = |row: usize| {
            let record = batch.row(row).to_record();
            (record.values()[0].clone(), record.extra().len())
        };
        let read: Vec<(Value, usize)> = (0..4).map(read).collect();
        assert_eq!(read, [(1.into(), 1), (Value::Null, 1), ("x".into(), 1), (2.into(), 1)]);
    }
}
