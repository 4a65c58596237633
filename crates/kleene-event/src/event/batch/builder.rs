//! [`BatchBuilder`]: a batch made row by row, as a reader of text does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::Event as _;
use crate::event::batch::bitmap::Bitmap;
use crate::event::batch::column::{Buffer, Column, ColumnValues, Texts};
use crate::event::batch::events::{EventBatch, RowPlace};
use crate::event::batch::type_columns::{Extra, TypeColumns};
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
///     of_order.push(order.into());
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
    /// True if records are never preferred.
    is_of_columns: bool,
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

    /// Makes a builder that [prefers](BatchBuilder::prefers_records) columns always: for batches that
    /// another thread uses. That thread would free the records that it keeps, and two threads that
    /// free in each other's memory wait for each other.
    pub fn of_columns() -> BatchBuilder {
        BatchBuilder { is_of_columns: true, ..BatchBuilder::default() }
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
            Some(Some(open)) if open.part.is_none() && !self.is_of_columns => {
                open.copies.prefers_records()
            }
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

    /// Uses the memory of a batch that is not needed any more for the next one.
    ///
    /// To free and to allocate large blocks makes an allocator join the small free ones around them,
    /// which the records of the next batch would have taken.
    pub fn reuse(&mut self, batch: EventBatch) {
        let (mut records, mut order) = batch.into_vectors();
        if self.records.capacity() < records.capacity() && self.records.is_empty() {
            records.clear();
            self.records = records;
        }
        if self.order.capacity() < order.capacity() && self.order.is_empty() {
            order.clear();
            self.order = order;
        }
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
        let types: Vec<TypeColumns> = types.collect();
        let records = std::mem::take(&mut self.records);
        let order = if types.len() == 1 && records.is_empty() {
            // The rows of the only type are in order; the memory stays here.
            self.order.clear();
            Vec::new()
        } else {
            std::mem::take(&mut self.order)
        };
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
    /// All buffers are owned. Null rows have a value, too, which means nothing.
    values: ColumnValues,
    /// `None` before the first null.
    validity: Option<Bitmap>,
}

impl ColumnBuilder {
    fn new(ty: &FieldType) -> ColumnBuilder {
        ColumnBuilder { ty: ty.clone(), values: no_values(ty, 0), validity: None }
    }

    /// The number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a text, or a null.
    #[inline]
    pub fn push_text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.push_null() };
        if let ColumnValues::String(texts) = &mut self.values
            && texts.push(text)
        {
            self.note_value();
        } else {
            self.push_other(text.into());
        }
    }

    /// Adds a value of any type.
    #[inline]
    pub fn push(&mut self, value: Value) {
        match (&mut self.values, value) {
            (ColumnValues::Int(Buffer::Owned(values)), Value::Int(value))
            | (ColumnValues::Duration(Buffer::Owned(values)), Value::Duration(value)) => {
                values.push(value);
            }
            (ColumnValues::Time(Buffer::Owned(values)), Value::Time(value)) => {
                values.push(value.as_millis());
            }
            (ColumnValues::Float(Buffer::Owned(values)), Value::Float(value)) => values.push(value),
            (ColumnValues::Bool(Buffer::Owned(values)), Value::Bool(value)) => values.push(value),
            (ColumnValues::String(_), Value::String(text)) => return self.push_text(Some(&text)),
            (_, Value::Null) => return self.push_null(),
            (_, value) => return self.push_other(value),
        }
        self.note_value();
    }

    /// Adds a null.
    #[inline]
    pub fn push_null(&mut self) {
        let rows = self.len();
        self.values.resize(rows + 1);
        self.validity.get_or_insert_with(|| Bitmap::ones(rows)).push(false);
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
        if !matches!(self.values, ColumnValues::Any(_)) {
            self.widen();
        }
        if let ColumnValues::Any(values) = &mut self.values {
            values.push(value);
            self.note_value();
        }
    }

    /// Makes the column hold values of any type from now on, as it has no place for one.
    #[cold]
    fn widen(&mut self) {
        let rows = self.len();
        let column = self.finish();
        self.values = ColumnValues::Any((0..rows).map(|row| column.to_value(row)).collect());
        self.validity = column.validity().cloned();
    }

    /// Drops the rows from `len` on.
    fn truncate(&mut self, len: usize) {
        self.values.resize(len);
        if let Some(validity) = &mut self.validity {
            validity.truncate(len);
        }
    }

    /// Returns the column. The builder is empty afterwards, with room for as many rows.
    fn finish(&mut self) -> Column {
        let empty = match &self.values {
            ColumnValues::String(texts) => ColumnValues::String(texts.room_for_as_many()),
            values => no_values(&self.ty, values.len()),
        };
        let column = Column::new(std::mem::replace(&mut self.values, empty));
        match self.validity.take() {
            Some(validity) => column.with_validity(validity),
            None => column,
        }
    }
}

/// Returns no values of a declared type, with room for some.
fn no_values(ty: &FieldType, room: usize) -> ColumnValues {
    match ty {
        FieldType::Bool => ColumnValues::Bool(Vec::with_capacity(room).into()),
        FieldType::Int => ColumnValues::Int(Vec::with_capacity(room).into()),
        FieldType::Float => ColumnValues::Float(Vec::with_capacity(room).into()),
        FieldType::Time => ColumnValues::Time(Vec::with_capacity(room).into()),
        FieldType::Duration => ColumnValues::Duration(Vec::with_capacity(room).into()),
        FieldType::String => ColumnValues::String(Texts::default()),
        FieldType::Ip | FieldType::List(_) | FieldType::Any => {
            ColumnValues::Any(Vec::with_capacity(room))
        }
    }
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
            rows.columns()[0].push(number.into());
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
    fn memory_is_used_again_and_what_was_in_it_is_not() {
        let (_, ty) = schema();
        let mut builder = BatchBuilder::new();
        let mut read = |numbers: &[i64]| {
            for number in numbers {
                let time = Timestamp::from_millis(*number);
                builder.push_record(Record::new(ty, time, [Value::Int(*number)]));
            }
            let batch = builder.finish();
            let values: Vec<Value> =
                batch.rows().map(|row| row.to_record().values()[0].clone()).collect();
            builder.reuse(batch);
            (values, builder.records.capacity())
        };
        let first = read(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(first.0.len(), 9);
        assert_eq!(read(&[10]), (vec![10.into()], first.1));
        assert_eq!(read(&[]), (Vec::new(), first.1));
        // Events that are added before memory comes back stay.
        let batch = builder.finish();
        builder.push_record(Record::new(ty, Timestamp::from_millis(1), [Value::Int(11)]));
        builder.reuse(batch);
        assert_eq!(builder.len(), 1);
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
