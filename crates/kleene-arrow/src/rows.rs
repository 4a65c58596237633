//! A batch of Arrow to a batch of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::ScalarBuffer;
use kleene::event::{Buffer, Column, ColumnValues, EventBatch, TypeColumns};
use kleene::schema::{FieldType, Schema};
use kleene::value::{Value, ValueRef};
use kleene_input::Reading;

use crate::convert::{Converted, column_of, convert};
use crate::dictionaries::Dictionaries;
use crate::element::element;
use crate::error::ColumnarError;
use crate::extra::extra;
use crate::format::ColumnFormat;
use crate::leaf::Rows;
use crate::plan::{FieldPlan, FieldSource, Path, Plan, TypePlan};
use crate::row_text::row_text;
use crate::types::Typed;

/// Some consecutive rows of an input.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RowBatch {
    /// The rows that are events, in the order of the input.
    pub events: EventBatch,
    /// The number of the row of each event, from 1.
    pub rows: Vec<u64>,
    /// The rows that are not events, in the order of the input.
    pub rejected: Vec<RejectedRow>,
    /// The types of the other rows, which no rule file declares, with the number of their rows.
    pub unknown: Vec<(Arc<str>, u64)>,
    /// The number of the first of these rows.
    pub first_row: u64,
    /// How many rows these are: events, rejected rows, and rows of unknown types.
    pub row_count: u64,
}

/// A row that is not an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RejectedRow {
    /// The number of the row, from 1.
    pub row: u64,
    /// The reason, in the words of the readers of text.
    pub reason: String,
    /// The row as a JSON object: its columns that are not null, of those that are read.
    pub text: String,
}

/// Makes events of the rows of an input.
#[derive(Debug)]
pub(crate) struct RowReader {
    pub(crate) schema: Schema,
    pub(crate) reading: Reading,
    pub(crate) format: ColumnFormat,
    pub(crate) dictionaries: Dictionaries,
}

/// The reasons why rows are not events, by the number of the row among those that are read.
#[derive(Default)]
struct Problems(BTreeMap<usize, String>);

impl Problems {
    /// Keeps the first reason of a row.
    fn add(&mut self, row: usize, reason: impl FnOnce() -> String) {
        self.0.entry(row).or_insert_with(reason);
    }
}

impl RowReader {
    /// Makes events of the rows of a batch, the first of which has the number `first_row`.
    pub(crate) fn read(
        &mut self,
        batch: &RecordBatch,
        plan: &Plan,
        first_row: u64,
    ) -> Result<RowBatch, ColumnarError> {
        let Typed { parts, unknown, mut rejected } = Typed::of(batch, plan, self.format)?;
        let mut types = Vec::with_capacity(parts.len());
        let mut kept = Vec::with_capacity(parts.len());
        for (number, numbers) in parts {
            let rows = Rows { batch, format: self.format, numbers: numbers.into() };
            let ty = &plan.types[number];
            if let Some((columns, numbers)) = self.type_columns(rows, plan, ty, &mut rejected)? {
                types.push(columns);
                kept.push(numbers);
            }
        }
        let (events, numbers) = in_order(types, kept, batch.num_rows())?;
        let number = |row: u32| first_row + u64::from(row);
        Ok(RowBatch {
            events,
            rows: numbers.iter().copied().map(number).collect(),
            rejected: self.rejected(batch, rejected, first_row),
            unknown,
            first_row,
            row_count: batch.num_rows() as u64,
        })
    }

    /// Counts the types of the rows of a batch without other columns.
    ///
    /// # Errors
    /// A row is of a declared type, although the statistics of its row group say that none is.
    pub(crate) fn read_types(
        &mut self,
        batch: &RecordBatch,
        plan: &Plan,
        first_row: u64,
    ) -> Result<RowBatch, ColumnarError> {
        let Typed { parts, unknown, rejected } = Typed::of(batch, plan, self.format)?;
        if let Some((number, numbers)) = parts.first() {
            let row = first_row + numbers.first().copied().map_or(0, u64::from);
            let name = &plan.types[*number].name;
            return Err(ColumnarError::new(format!(
                "the {} is damaged: row {row} is of type `{name}`, and the statistics of its row \
                 group exclude this type",
                self.format
            )));
        }
        let rejected = self.rejected(batch, rejected, first_row);
        let row_count = batch.num_rows() as u64;
        Ok(RowBatch { rejected, unknown, first_row, row_count, ..RowBatch::default() })
    }

    fn rejected(
        &self,
        batch: &RecordBatch,
        mut rejected: Vec<(u32, String)>,
        first_row: u64,
    ) -> Vec<RejectedRow> {
        rejected.sort_unstable_by_key(|(row, _)| *row);
        let options = self.reading.options;
        let rejected = rejected.into_iter().map(|(row, reason)| RejectedRow {
            row: first_row + u64::from(row),
            reason: options.spell(reason),
            text: row_text(batch, row as usize),
        });
        rejected.collect()
    }

    /// Makes the columns of rows of one type. Returns the numbers of the rows as well. Rows that are
    /// not events are rejected, and the others are converted again, as this is rare.
    fn type_columns(
        &mut self,
        mut rows: Rows<'_>,
        plan: &Plan,
        ty: &TypePlan,
        rejected: &mut Vec<(u32, String)>,
    ) -> Result<Option<(TypeColumns, ScalarBuffer<u32>)>, ColumnarError> {
        while rows.len() > 0 {
            let mut problems = Problems::default();
            let columns = self.columns(&rows, plan, ty, &mut problems)?;
            if let Some(columns) = columns.filter(|_| problems.0.is_empty()) {
                return Ok(Some((columns, rows.numbers)));
            }
            let mut wrong = problems.0.into_iter().peekable();
            let mut kept = Vec::with_capacity(rows.len());
            for (row, number) in rows.numbers.iter().enumerate() {
                match wrong.next_if(|(wrong, _)| *wrong == row) {
                    Some((_, reason)) => rejected.push((*number, reason)),
                    None => kept.push(*number),
                }
            }
            rows.numbers = kept.into();
        }
        Ok(None)
    }

    /// Converts the columns of rows of one type. `None` if there are problems.
    fn columns(
        &mut self,
        rows: &Rows<'_>,
        plan: &Plan,
        ty: &TypePlan,
        problems: &mut Problems,
    ) -> Result<Option<TypeColumns>, ColumnarError> {
        let null = || Column::new(ColumnValues::Null(rows.len()));
        let mut columns: Vec<Column> = ty.fields.iter().map(|_| null()).collect();
        for number in &ty.by_column {
            columns[*number] = self.column(rows, &ty.fields[*number], problems)?;
        }
        let extra = if ty.open {
            let mut problem = |(row, reason)| problems.add(row, || reason);
            Some(extra(rows, plan, ty, &mut problem)?)
        } else {
            None
        };
        check_required(rows, ty, &columns, problems);
        let times = self.times(rows, plan, ty, &mut columns, problems)?;
        if !problems.0.is_empty() {
            return Ok(None);
        }
        let named = ty.fields.iter().map(|plan| &*plan.field.name).zip(columns);
        let columns = TypeColumns::with_times(&self.schema, &ty.name, times, named);
        let columns = match extra.filter(|extra| extra.iter().any(|fields| !fields.is_empty())) {
            Some(extra) => columns.and_then(|columns| columns.with_extra(extra)),
            None => columns,
        };
        columns.map(Some).map_err(|error| ColumnarError::new(error.to_string()))
    }

    /// Converts the column of a field.
    fn column(
        &mut self,
        rows: &Rows<'_>,
        FieldPlan { field, source }: &FieldPlan,
        problems: &mut Problems,
    ) -> Result<Column, ColumnarError> {
        match source {
            FieldSource::Column(path) => {
                let Converted { column, problems: wrong } =
                    self.converted(rows, path, &field.ty)?;
                for (row, reason) in wrong {
                    problems.add(row, || format!("field `{}`: {reason}", field.name));
                }
                return Ok(column);
            }
            FieldSource::NoStruct(path) => {
                let array = rows.leaf(path)?;
                for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                    let found = element(&array, row);
                    let path = path.join(".");
                    problems
                        .add(row, || format!("field `{path}`: expected an object, found {found}"));
                }
            }
            FieldSource::Missing => {}
        }
        Ok(Column::new(ColumnValues::Null(rows.len())))
    }

    fn converted(
        &mut self,
        rows: &Rows<'_>,
        path: &Path,
        ty: &FieldType,
    ) -> Result<Converted, ColumnarError> {
        let array = rows.leaf(path)?;
        Ok(convert(&array, (path, ty), &self.reading, &mut self.dictionaries))
    }

    /// Returns the event times. Where a declared time is null, it gets the event time.
    fn times(
        &mut self,
        rows: &Rows<'_>,
        plan: &Plan,
        ty: &TypePlan,
        columns: &mut [Column],
        problems: &mut Problems,
    ) -> Result<Buffer<i64>, ColumnarError> {
        let declared = ty.time_field();
        if !self.reading.prefers_time_field
            && let Some(times) = declared.and_then(|time| all_times(&columns[time]))
        {
            return Ok(times);
        }
        let named = match &plan.named_time {
            Some(path) => Some(self.converted(rows, path, &FieldType::Time)?),
            None => None,
        };
        if let Some(Converted { column, .. }) = &named
            && let Some(times) = all_times(column)
            && declared.is_none_or(|time| all_times(&columns[time]).is_some())
        {
            return Ok(times);
        }
        let of = |time: usize| &columns[time];
        let times =
            row_times(rows.len(), ty, declared.map(of), named.as_ref(), &self.reading, problems);
        if let Some(time) = declared {
            let filled =
                times.iter().enumerate().map(|(row, millis)| match columns[time].get(row) {
                    ValueRef::Null => Value::Time(kleene::Timestamp::from_millis(*millis)),
                    value => value.to_value(),
                });
            columns[time] = column_of(&FieldType::Time, filled.collect());
        }
        Ok(times.into())
    }
}

/// Returns the times of a column in which each row has one.
fn all_times(column: &Column) -> Option<Buffer<i64>> {
    match (column.values(), column.validity()) {
        (ColumnValues::Time(times), None) => Some(times.clone()),
        _ => None,
    }
}

/// Finds the event time of each row, or the reason why it has none.
fn row_times(
    rows: usize,
    ty: &TypePlan,
    declared: Option<&Column>,
    named: Option<&Converted>,
    reading: &Reading,
    problems: &mut Problems,
) -> Vec<i64> {
    let mut named_problems = BTreeMap::new();
    if let Some(Converted { problems, .. }) = named {
        named_problems.extend(problems.iter().map(|(row, reason)| (*row, reason)));
    }
    let time_of = |column: Option<&Column>, row: usize| match column.map(|column| column.get(row)) {
        Some(ValueRef::Time(time)) => Some(time.as_millis()),
        _ => None,
    };
    let named_column = named.map(|named| &named.column);
    let mut times = Vec::with_capacity(rows);
    for row in 0..rows {
        let declared = time_of(declared, row).filter(|_| !reading.prefers_time_field);
        let time = declared.or_else(|| time_of(named_column, row));
        if time.is_none() {
            problems.add(row, || match named_problems.get(&row) {
                Some(reason) => format!("field `{}`: {reason}", reading.time_field),
                None => no_time(ty, reading),
            });
        }
        times.push(time.unwrap_or_default());
    }
    times
}

#[cold]
fn no_time(ty: &TypePlan, reading: &Reading) -> String {
    let name = &reading.time_field;
    match ty.time.map(|index| &*ty.fields[index].field.name) {
        Some(field) if field != name && !reading.prefers_time_field => {
            format!("no event time: neither `{field}` nor `{name}` is given")
        }
        _ => format!("no event time: missing field `{name}`"),
    }
}

/// Finds the rows in which a field is null that is not optional.
fn check_required(rows: &Rows<'_>, ty: &TypePlan, columns: &[Column], problems: &mut Problems) {
    for (number, (FieldPlan { field, source }, column)) in ty.fields.iter().zip(columns).enumerate()
    {
        let may_be_null = field.optional || Some(number) == ty.time;
        let has_null =
            column.validity().is_some() || matches!(column.values(), ColumnValues::Null(_));
        if may_be_null || !has_null {
            continue;
        }
        let name = &field.name;
        let parents = match source {
            FieldSource::Column(path) => Some(rows.parents(path)),
            FieldSource::NoStruct(_) | FieldSource::Missing => None,
        };
        for row in (0..rows.len()).filter(|row| column.get(*row).is_null()) {
            problems.add(row, || match &parents {
                Some(parents) if !rows.is_any_null(parents, row) => {
                    format!(
                        "field `{name}` is null, and not declared as optional (`{}?`)",
                        field.ty
                    )
                }
                _ => format!("missing field `{name}`"),
            });
        }
    }
}

/// The part of a row that is no event.
const NONE: usize = usize::MAX;

/// Puts the rows of several types in the order of the input. Returns their numbers, too.
fn in_order(
    mut types: Vec<TypeColumns>,
    mut kept: Vec<ScalarBuffer<u32>>,
    rows: usize,
) -> Result<(EventBatch, ScalarBuffer<u32>), ColumnarError> {
    if types.len() <= 1 {
        let events = types.pop().map(EventBatch::from).unwrap_or_default();
        return Ok((events, kept.pop().unwrap_or_else(|| Vec::new().into())));
    }
    let mut part_of = vec![NONE; rows];
    for (part, numbers) in kept.iter().enumerate() {
        for number in numbers {
            part_of[*number as usize] = part;
        }
    }
    let of_events = || part_of.iter().copied().zip(0_u32..).filter(|(part, _)| *part != NONE);
    let events = EventBatch::interleaved(types, of_events().map(|(part, _)| part))
        .map_err(|error| ColumnarError::new(error.to_string()))?;
    Ok((events, of_events().map(|(_, number)| number).collect()))
}
