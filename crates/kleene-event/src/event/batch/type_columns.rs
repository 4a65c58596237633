//! [`TypeColumns`]: the rows of one event type in a batch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::batch::column::{Buffer, Column, ColumnValues};
use crate::event::declared::{check_kind, find_type, no_field};
use crate::schema::{EventType, FieldId, FieldType, Schema, TypeId};
use crate::time::Timestamp;
use crate::value::{Kind, Value, ValueRef};

/// Undeclared fields of an event of an open type.
pub(super) type Extra = Box<[(Arc<str>, Value)]>;

/// The rows of one event type: a column for each field of the type.
///
/// ```
/// use kleene::event::{Column, ColumnValues, TypeColumns};
/// use kleene::RuleSet;
///
/// let rules = RuleSet::parse("event paid { order: int, amount: float?, at: time }")?;
/// let order = Column::new(ColumnValues::Int(vec![7, 8].into()));
/// let at = Column::new(ColumnValues::Time(vec![1000, 2000].into()));
/// let rows = TypeColumns::new(rules.schema(), "paid", [("order", order.clone()), ("at", at)])?;
/// assert_eq!((rows.len(), rows.time(1).as_millis()), (2, 2000));
///
/// let error = TypeColumns::new(rules.schema(), "paid", [("order", order)]).unwrap_err();
/// assert_eq!(error.to_string(), "`paid` has no event time: a column for `at` is missing");
/// # Ok::<(), kleene::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TypeColumns {
    type_id: TypeId,
    /// The event times in milliseconds since 1970.
    times: Buffer<i64>,
    /// By [`FieldId`].
    columns: Vec<Column>,
    /// The undeclared fields of each row; empty if no row has any.
    extra: Vec<Extra>,
    /// True if no value of any row is on the heap.
    is_flat: bool,
    /// The number of rows that were copied to records.
    copied: Arc<AtomicUsize>,
}

impl TypeColumns {
    /// Makes the rows of the type called `ty` from its columns by name. The event times are the
    /// values of the type's time field. Fields without a column are null. A column of integers is
    /// converted for a float field, and for a time or duration field it holds milliseconds.
    ///
    /// # Errors
    /// [`BatchError`] for an unknown type or field, columns of different lengths, values of another
    /// type than declared, a null in a field that is not optional, or a type without a field for
    /// the time.
    pub fn new<'a>(
        schema: &Schema,
        ty: &str,
        columns: impl IntoIterator<Item = (&'a str, Column)>,
    ) -> Result<TypeColumns, BatchError> {
        let (id, declared) = find_type(schema, ty).map_err(BatchError)?;
        let (rows, columns) = columns_of(declared, columns)?;
        let times = times(declared, &columns)?;
        check_kinds(declared, rows, &columns)?;
        Ok(TypeColumns::of(id, times, columns, Vec::new()))
    }

    /// Makes the rows of the type called `ty` as [`new`](TypeColumns::new) does, but with event
    /// times of their own, in milliseconds since 1970: for types that declare no field for the
    /// time, or whose events come with another time.
    ///
    /// ```
    /// use kleene::event::{Column, ColumnValues, TypeColumns};
    /// use kleene::RuleSet;
    ///
    /// let rules = RuleSet::parse("event paid { order: int }")?;
    /// let order = Column::new(ColumnValues::Int(vec![7, 8].into()));
    /// let times = vec![1000, 2000].into();
    /// let rows = TypeColumns::with_times(rules.schema(), "paid", times, [("order", order)])?;
    /// assert_eq!((rows.len(), rows.time(1).as_millis()), (2, 2000));
    /// # Ok::<(), kleene::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`BatchError`] for an unknown type or field, columns of another length than `times`, values
    /// of another type than declared, or a null in a field that is not optional.
    pub fn with_times<'a>(
        schema: &Schema,
        ty: &str,
        times: Buffer<i64>,
        columns: impl IntoIterator<Item = (&'a str, Column)>,
    ) -> Result<TypeColumns, BatchError> {
        let (id, declared) = find_type(schema, ty).map_err(BatchError)?;
        let mut columns = columns.into_iter().peekable();
        let has_columns = columns.peek().is_some();
        let (mut rows, mut columns) = columns_of(declared, columns)?;
        if !has_columns {
            rows = times.len();
            columns.fill(Column::new(ColumnValues::Null(rows)));
        }
        if rows != times.len() {
            let message = format!("`{ty}` has {} times, the columns {rows} rows", times.len());
            return Err(BatchError(message));
        }
        check_kinds(declared, rows, &columns)?;
        Ok(TypeColumns::of(id, times, columns, Vec::new()))
    }

    /// Adds the undeclared fields of each row, for an open type.
    ///
    /// ```
    /// use kleene::event::{Column, ColumnValues, TypeColumns};
    /// use kleene::{RuleSet, Value};
    ///
    /// let rules = RuleSet::parse("event paid { at: time, .. }")?;
    /// let at = Column::new(ColumnValues::Time(vec![1000, 2000].into()));
    /// let rows = TypeColumns::new(rules.schema(), "paid", [("at", at)])?;
    /// let by: Box<[_]> = [("by".into(), Value::from("ann"))].into();
    /// let rows = rows.with_extra([by, [].into()])?;
    /// assert_eq!((rows.extra(0).len(), rows.extra(1).len()), (1, 0));
    /// # Ok::<(), kleene::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`BatchError`] if the number of rows differs.
    pub fn with_extra(
        self,
        extra: impl IntoIterator<Item = Box<[(Arc<str>, Value)]>>,
    ) -> Result<TypeColumns, BatchError> {
        let extra: Vec<Extra> = extra.into_iter().collect();
        if extra.len() != self.len() {
            let message =
                format!("{} rows have undeclared fields, not {}", extra.len(), self.len());
            return Err(BatchError(message));
        }
        let is_flat = self.is_flat && extra.iter().all(|extra| extra.is_empty());
        Ok(TypeColumns { extra, is_flat, ..self })
    }

    /// Makes rows of columns that are known to fit.
    pub(super) fn of(
        type_id: TypeId,
        times: Buffer<i64>,
        columns: Vec<Column>,
        extra: Vec<Extra>,
    ) -> TypeColumns {
        let is_flat = extra.is_empty() && columns.iter().all(Column::is_flat);
        TypeColumns { type_id, times, columns, extra, is_flat, copied: Arc::default() }
    }

    /// The type of all rows.
    #[inline]
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Returns the event time of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn time(&self, row: usize) -> Timestamp {
        Timestamp::from_millis(self.times[row])
    }

    /// Returns the event times in milliseconds since 1970.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// Returns the columns by [`FieldId`].
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the value of a field in a row; null if the field has no column.
    #[inline]
    pub fn field(&self, row: usize, field: FieldId) -> ValueRef<'_> {
        self.columns.get(field.index()).map_or(ValueRef::Null, |column| column.get(row))
    }

    /// Returns the undeclared fields of a row of an open type.
    pub fn extra(&self, row: usize) -> &[(Arc<str>, Value)] {
        self.extra.get(row).map_or(&[], |extra| extra)
    }

    /// Returns the number of rows that were copied to records, which counts on.
    pub(super) fn copied(&self) -> Arc<AtomicUsize> {
        self.copied.clone()
    }

    /// Copies the values of a row to places that are null.
    #[inline]
    pub(crate) fn copy_to(&self, row: usize, places: &mut [Value]) {
        self.copied.fetch_add(1, Ordering::Relaxed);
        for (column, place) in self.columns.iter().zip(places) {
            column.copy_to(row, place);
        }
    }

    /// True if no value of any row is on the heap.
    #[inline]
    pub(crate) fn is_flat(&self) -> bool {
        self.is_flat
    }
}

/// Returns the number of rows, and the columns of a type's fields by id; those that are not given
/// are null.
fn columns_of<'a>(
    declared: &EventType,
    columns: impl IntoIterator<Item = (&'a str, Column)>,
) -> Result<(usize, Vec<Column>), BatchError> {
    let ty = &declared.name;
    let mut of_fields: Vec<Option<Column>> = vec![None; declared.fields.len()];
    let mut rows = None;
    for (name, column) in columns {
        let field = declared.field_id(name);
        let field = field.ok_or_else(|| BatchError(no_field(declared, name)))?;
        let (len, expected) = (column.len(), *rows.get_or_insert(column.len()));
        if len != expected {
            let message = format!("`{ty}.{name}` has {len} rows, the other columns {expected}");
            return Err(BatchError(message));
        }
        of_fields[field.index()] = Some(converted(column, &declared.field(field).ty));
    }
    let rows = rows.unwrap_or(0);
    let null = || Column::new(ColumnValues::Null(rows));
    Ok((rows, of_fields.into_iter().map(|column| column.unwrap_or_else(null)).collect()))
}

/// Checks that the columns have values of the declared types.
fn check_kinds(declared: &EventType, rows: usize, columns: &[Column]) -> Result<(), BatchError> {
    for (field, column) in declared.fields.iter().zip(columns) {
        let found = if rows == 0 { Kind::NEVER } else { column.kind() };
        check_kind(declared, field, found).map_err(BatchError)?;
    }
    Ok(())
}

/// Returns the event times: the column of the type's time field.
fn times(declared: &EventType, columns: &[Column]) -> Result<Buffer<i64>, BatchError> {
    let Some(time) = declared.time else {
        return Err(BatchError(format!("`{}` declares no event time", declared.name)));
    };
    match (columns[time.index()].values(), columns[time.index()].validity()) {
        (ColumnValues::Time(times), None) => Ok(times.clone()),
        (ColumnValues::Null(0), _) => Ok(Buffer::default()),
        (ColumnValues::Null(_), _) => {
            let (ty, field) = (&declared.name, &declared.field(time).name);
            let message = format!("`{ty}` has no event time: a column for `{field}` is missing");
            Err(BatchError(message))
        }
        _ => {
            let (ty, field) = (&declared.name, &declared.field(time).name);
            let message = format!("the event time `{ty}.{field}` is not a time in each row");
            Err(BatchError(message))
        }
    }
}

/// Converts integers for a field of another type.
fn converted(column: Column, ty: &FieldType) -> Column {
    let ColumnValues::Int(ints) = column.values() else { return column };
    #[expect(clippy::cast_precision_loss, reason = "as documented")]
    let values = match ty {
        FieldType::Float => {
            ColumnValues::Float(ints.iter().map(|int| *int as f64).collect::<Vec<_>>().into())
        }
        FieldType::Time => ColumnValues::Time(ints.clone()),
        FieldType::Duration => ColumnValues::Duration(ints.clone()),
        _ => return column,
    };
    match column.validity() {
        Some(validity) => Column::new(values).with_validity(validity.clone()),
        None => Column::new(values),
    }
}

/// The reason why columns do not make a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BatchError(pub(super) String);

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BatchError {}
