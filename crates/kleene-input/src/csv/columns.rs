//! The columns of a type of events, and the values of their cells.

use std::sync::Arc;

use hashbrown::HashMap;
use kleene::event::{ColumnBuilder, RowsBuilder};
use kleene::schema::{Field, FieldType};
use kleene::value::Value;
use kleene::{Record, Timestamp};

use super::record::Row;
use crate::json::list_from_text;
use crate::layout::{Layout, Reading};
use crate::number::{decimal, whole};
use crate::repeated_texts::LastText;
use crate::scalar::{Spelling, from_text};
use crate::time::time_from_text;

/// The meaning of the columns for a type.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) all: Vec<Column>,
    pub(super) plan: Option<Plan>,
}

/// The fast way from a record to an event: field by field, straight into the event. If a record
/// holds anything unusual, it is read column by column instead, which finds and reports the
/// problem.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The column with the event time.
    time: usize,
    fields: Vec<Planned>,
}

/// The source of a field's value.
#[derive(Clone, Copy, Debug)]
enum Planned {
    /// It is the event time.
    Time,
    /// A cell.
    Cell(usize),
    /// No column has it.
    Null,
}

/// The meaning of a column for a type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Field(usize),
    Extra,
    Nothing,
}

impl Columns {
    /// Returns the meaning of the columns, numbered by `by_name`, for a type; the `special` ones
    /// hold the type or the time. Takes time in proportion to the columns and the fields.
    pub(super) fn new(
        layout: &Layout,
        by_name: &HashMap<Arc<str>, usize>,
        special: &[Option<usize>],
        time_column: Option<usize>,
        reading: &Reading,
    ) -> Columns {
        let other = if layout.open { Column::Extra } else { Column::Nothing };
        let mut all = vec![other; by_name.len()];
        for column in special.iter().flatten() {
            all[*column] = Column::Nothing;
        }
        let column_of = |field: &Field| by_name.get(&field.name).copied();
        let of_fields: Vec<Option<usize>> = layout.fields.iter().map(column_of).collect();
        for (field, column) in of_fields.iter().enumerate() {
            if let Some(column) = column {
                all[*column] = Column::Field(field);
            }
        }
        Columns { plan: Plan::new(layout, &of_fields, time_column, reading), all }
    }
}

impl Plan {
    /// Returns the plan for a type, if the event time is one of its own fields and no other column
    /// can contradict it.
    fn new(
        layout: &Layout,
        of_fields: &[Option<usize>],
        time_column: Option<usize>,
        reading: &Reading,
    ) -> Option<Plan> {
        let time_field = layout.time()?;
        let time = of_fields[time_field]?;
        let other_time = reading.prefers_time_field && time_column != Some(time);
        if layout.open || other_time || layout.fields[time_field].ty != FieldType::Time {
            return None;
        }
        let fields = (0..layout.fields.len()).map(|field| match of_fields[field] {
            _ if field == time_field => Some(Planned::Time),
            Some(column) => Some(Planned::Cell(column)),
            None => layout.fields[field].optional.then_some(Planned::Null),
        });
        Some(Plan { time, fields: fields.collect::<Option<_>>()? })
    }

    /// The event of a record that has as many cells as the header; `None` if anything is amiss. It
    /// shares `repeated` texts, if there are some.
    #[inline]
    pub(super) fn event(
        &self,
        row: &Row<'_>,
        layout: &Layout,
        reading: &Reading,
        repeated: Option<&mut [LastText]>,
    ) -> Option<Record> {
        let time = self.time(row, reading)?;
        let mut is_fine = false;
        let event = Record::filled(layout.id(), time, self.fields.len(), |values| {
            let values = values.iter_mut();
            is_fine = match repeated {
                Some(last) => self.read(row, layout, reading, time, values.zip(last)),
                None => self.read(row, layout, reading, time, values),
            };
        });
        is_fine.then_some(event)
    }

    /// Adds the event of a record that has as many cells as the header to the rows of its type.
    /// Returns false, and adds nothing, if anything is amiss.
    #[inline]
    pub(super) fn add(
        &self,
        row: &Row<'_>,
        layout: &Layout,
        reading: &Reading,
        mut rows: RowsBuilder<'_>,
    ) -> bool {
        let Some(time) = self.time(row, reading) else { return false };
        let is_fine = self.read(row, layout, reading, time, rows.columns().iter_mut());
        if is_fine {
            rows.end_row(time);
        } else {
            rows.abandon_row();
        }
        is_fine
    }

    /// Returns the event time.
    #[inline]
    fn time(&self, row: &Row<'_>, reading: &Reading) -> Option<Timestamp> {
        time_from_text(row.cell(self.time), reading.spelling().unit).ok()
    }

    /// Reads the value of each field to its place. Returns false at the first cell that is not fine.
    #[inline(always)]
    fn read(
        &self,
        row: &Row<'_>,
        layout: &Layout,
        reading: &Reading,
        time: Timestamp,
        places: impl Iterator<Item = impl Place>,
    ) -> bool {
        let mut fields = self.fields.iter().zip(&layout.fields).zip(places);
        fields.all(|((planned, field), mut place)| match *planned {
            Planned::Time => {
                place.put(Value::Time(time));
                true
            }
            Planned::Null => {
                place.put(Value::Null);
                true
            }
            Planned::Cell(column) => read_cell(&mut place, field, row.cell(column), reading),
        })
    }
}

/// Where the value of a cell is read to.
trait Place {
    fn put(&mut self, value: Value);

    /// A text of its own, where one is not needed.
    fn put_text(&mut self, text: &str);
}

impl Place for &mut Value {
    #[inline(always)]
    fn put(&mut self, value: Value) {
        **self = value;
    }

    #[inline(always)]
    fn put_text(&mut self, text: &str) {
        **self = Value::String(text.into());
    }
}

/// A value that shares its text with the event before.
impl Place for (&mut Value, &mut LastText) {
    #[inline(always)]
    fn put(&mut self, value: Value) {
        *self.0 = value;
    }

    #[inline(always)]
    fn put_text(&mut self, text: &str) {
        *self.0 = self.1.value(text);
    }
}

impl Place for &mut ColumnBuilder {
    #[inline(always)]
    fn put(&mut self, value: Value) {
        self.push(value);
    }

    #[inline(always)]
    fn put_text(&mut self, text: &str) {
        self.push_text(Some(text));
    }
}

/// Reads the value of a cell to its place. Returns false if the cell is not fine. Each common type
/// is put to its place by itself: a value that is put together before would be copied.
#[inline(always)]
fn read_cell(place: &mut impl Place, field: &Field, cell: &str, reading: &Reading) -> bool {
    if cell.is_empty() {
        // A missing value, unless it must be text.
        match (field.optional, &field.ty) {
            (true, _) => place.put(Value::Null),
            (false, FieldType::String) => place.put_text(""),
            (false, _) => return false,
        }
        return true;
    }
    match field.ty {
        FieldType::String => {
            place.put_text(cell);
            return true;
        }
        FieldType::Int => {
            if let Some(number) = whole(cell.as_bytes()) {
                place.put(Value::Int(number));
                return true;
            }
        }
        FieldType::Float => {
            if let Some(number) = decimal(cell.as_bytes()) {
                place.put(Value::Float(number));
                return true;
            }
        }
        _ => {}
    }
    from_cell(&field.ty, cell, reading.spelling()).is_ok_and(|value| {
        place.put(value);
        true
    })
}

/// Converts a cell to a value of type `ty`.
pub(super) fn from_cell(ty: &FieldType, cell: &str, spelling: Spelling) -> Result<Value, String> {
    match ty {
        FieldType::List(item) => list_from_cell(ty, item, cell, spelling),
        _ => from_text(ty, cell, spelling),
    }
}

/// Converts a cell to a list. The cell is JSON, or the text of the only item, unless the text could
/// be several items.
#[cold]
fn list_from_cell(
    ty: &FieldType,
    item: &FieldType,
    cell: &str,
    spelling: Spelling,
) -> Result<Value, String> {
    list_from_text(ty, cell, spelling).or_else(|reason| {
        let is_one =
            !cell.starts_with(['[', '{']) && !cell.contains([',', ';', '|']) && cell != "null";
        if !is_one || spelling.is_strict {
            return Err(reason);
        }
        let item = from_text(item, cell, spelling).map_err(|_| reason)?;
        Ok(Value::List([item].into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_a_cell_is_json() {
        let list = FieldType::List(Box::new(FieldType::Int));
        let cases = [
            ("[1, 2]", Ok("[1, 2]")),
            (
                "[1, \"a\"]",
                Err("expected list<int>, the 2nd element: expected int, found the text \"a\""),
            ),
            ("1;2", Err(r#"expected list<int> as JSON ([...]), found the text "1;2""#)),
            ("7", Ok("[7]")),
            ("x", Err(r#"expected list<int> as JSON ([...]), found the text "x""#)),
            ("null", Err("expected list<int>, found null")),
        ];
        for (text, expected) in cases {
            let found = from_cell(&list, text, Spelling::default()).map(|value| value.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text:?}");
        }
        let list = FieldType::List(Box::new(FieldType::String));
        let read = |text, is_strict| {
            let spelling = Spelling { is_strict, ..Spelling::default() };
            from_cell(&list, text, spelling).ok().map(|value| value.to_string())
        };
        assert_eq!(read("start", false).as_deref(), Some(r#"["start"]"#));
        assert_eq!(read("start", true), None);
        // These are several to somebody.
        for text in ["a;b", "a|b", "a,b", "null", "{}"] {
            assert_eq!(read(text, false), None, "{text}");
        }
    }
}
