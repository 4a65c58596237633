//! Events as CSV with a header row.

mod columns;
mod delimiter;
mod record;

use std::sync::Arc;

use hashbrown::HashMap;
use kleene::Record;
use kleene::event::BatchBuilder;
use kleene::schema::{FieldType, Schema};
use kleene::value::Value;

use self::columns::{Column, Columns, from_cell};
pub use self::delimiter::{delimiter_argument, other_delimiter};
pub(crate) use self::record::{Cells, Following, Reach, Row, reach};
use crate::layout::{Assembly, Layouts};
use crate::scalar::guess_from_text;

/// Reads records of CSV as events.
#[derive(Clone, Debug)]
pub(crate) struct CsvParser {
    layouts: Layouts,
    header: Vec<Arc<str>>,
    /// The columns by name.
    by_name: HashMap<Arc<str>, usize>,
    /// The column that holds the type, where the input says it.
    type_column: Option<usize>,
    time_column: Option<usize>,
    /// The meaning of the columns for each type that has come.
    columns: Vec<Option<Columns>>,
    /// The last type that is not declared.
    unknown: String,
    assembly: Assembly,
}

impl CsvParser {
    /// Changes the declared types and fields of events from now on.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        self.layouts.renew(schema, declared);
        self.columns.clear();
        self.columns.resize_with(self.layouts.len(), || None);
    }

    /// Returns how events are read, without what the header says.
    pub(crate) fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// A parser for the columns that `header` names, or why that does not work.
    pub(crate) fn new(
        layouts: Layouts,
        header: &Row<'_>,
        delimiter: u8,
    ) -> Result<CsvParser, String> {
        let first = header.cell(0).trim_start();
        if first.starts_with(['{', '[']) {
            return Err(String::from("the CSV header is JSON\nhelp: `--format jsonl`"));
        }
        let header: Vec<Arc<str>> = header.header()?.into_iter().map(Arc::from).collect();
        let by_name: HashMap<Arc<str>, usize> =
            header.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        let position = |name: &str| by_name.get(name).copied();
        let reading = &layouts.reading;
        let type_column = position(&reading.type_field);
        if let [only] = &*header
            && !layouts.names(only)
            && let Some(other) = other_delimiter(only, delimiter)
        {
            return Err(format!(
                "the CSV header has only one column, `{only}`: another delimiter separates it\n\
                 help: `--delimiter {}`",
                delimiter_argument(other)
            ));
        }
        if type_column.is_none() && reading.fixed_type.is_none() {
            return Err(no_type_column(&layouts, &header));
        }
        let time_column = position(&reading.time_field);
        Ok(CsvParser {
            type_column: type_column.filter(|_| reading.fixed_type.is_none()),
            time_column,
            unknown: reading.fixed_type.clone().unwrap_or_default(),
            columns: vec![None; layouts.len()],
            by_name,
            assembly: Assembly::default(),
            layouts,
            header,
        })
    }

    /// The event in a record: `None` if its type is not declared, the reason if it is not one.
    pub(crate) fn parse(&mut self, row: &Row<'_>) -> Result<Option<Record>, String> {
        let Some(number) = self.type_of(row)? else { return Ok(None) };
        self.learn(number);
        let (layout, reading) = self.layouts.get(Some(number));
        let plan = self.columns[number].as_ref().and_then(|columns| columns.plan.as_ref());
        if let Some(event) = plan.and_then(|plan| plan.event(row, layout, reading, None)) {
            return Ok(Some(event));
        }
        self.assemble(row, number)?;
        let (layout, reading) = self.layouts.get(Some(number));
        self.assembly.finish(layout, reading).map(Some)
    }

    /// Adds the event in a record to a batch. Returns false if its type is not declared.
    ///
    /// # Errors
    /// The reason why the record is not an event.
    pub(crate) fn add(&mut self, row: &Row<'_>, batch: &mut BatchBuilder) -> Result<bool, String> {
        let Some(number) = self.type_of(row)? else { return Ok(false) };
        self.learn(number);
        let (layout, reading) = self.layouts.get(Some(number));
        if let Some(plan) = self.columns[number].as_ref().and_then(|columns| columns.plan.as_ref())
        {
            if batch.prefers_records(layout.id())
                && let repeated = self.assembly.repeated(layout)
                && let Some(event) = plan.event(row, layout, reading, Some(repeated))
            {
                batch.push_record(event);
                return Ok(true);
            }
            let rows = batch.rows_of_fields(layout.id(), &layout.fields);
            if plan.add(row, layout, reading, rows) {
                return Ok(true);
            }
        }
        self.assemble(row, number)?;
        let (layout, reading) = self.layouts.get(Some(number));
        self.assembly.finish_into(batch, layout, reading).map(|()| true)
    }

    /// The number of a record's type, if it is declared.
    #[inline]
    fn type_of(&mut self, row: &Row<'_>) -> Result<Option<usize>, String> {
        row.check_length(&self.header)?;
        let Some(column) = self.type_column else { return Ok(self.layouts.find(&self.unknown)) };
        let name = row.cell(column);
        if name.is_empty() {
            let column = &self.header[column];
            return Err(format!("no event type: the column `{column}` is empty"));
        }
        let number = self.layouts.find(name);
        if number.is_none() {
            name.clone_into(&mut self.unknown);
        }
        Ok(number)
    }

    /// Finds the meaning of the columns for a type, if it is the first event of that type.
    #[inline]
    fn learn(&mut self, number: usize) {
        let CsvParser { columns, layouts, by_name, type_column, time_column, .. } = self;
        let (layout, reading) = layouts.get(Some(number));
        columns[number].get_or_insert_with(|| {
            let special = [*type_column, *time_column];
            Columns::new(layout, by_name, &special, *time_column, reading)
        });
    }

    /// Reads a record column by column.
    fn assemble(&mut self, row: &Row<'_>, number: usize) -> Result<(), String> {
        let (layout, reading) = self.layouts.get(Some(number));
        let columns = self.columns[number].iter().flat_map(|columns| &columns.all);
        let cells = row.matched(&self.header)?;
        let assembly = &mut self.assembly;
        assembly.start(layout.fields.len());
        for (index, ((name, cell), column)) in cells.zip(columns).enumerate() {
            let is_time = Some(index) == self.time_column && !cell.is_empty();
            match *column {
                Column::Field(index) => {
                    let field = &layout.fields[index];
                    // An empty cell is a missing value, unless it must be text.
                    if !cell.is_empty() {
                        let value = from_cell(&field.ty, cell, reading.spelling());
                        if is_time && field.ty == FieldType::Time {
                            assembly.set_named_time(reading, &value);
                        }
                        assembly.set(field, index, value);
                    } else if !field.optional && field.ty == FieldType::String {
                        assembly.set(field, index, Ok(Value::from("")));
                    }
                    if !is_time || field.ty == FieldType::Time {
                        continue;
                    }
                }
                Column::Extra if !cell.is_empty() => {
                    assembly.extra.push((name.clone(), guess_from_text(cell)));
                }
                Column::Extra | Column::Nothing => {}
            }
            if is_time {
                let time = from_cell(&FieldType::Time, cell, reading.spelling());
                assembly.set_named_time(reading, &time);
            }
        }
        Ok(())
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> &[Arc<str>] {
        &self.header
    }

    /// The type of the last record whose type was not declared.
    pub(crate) fn unknown(&self) -> &str {
        &self.unknown
    }
}

/// Why the header is of no use where no column holds the type.
#[cold]
fn no_type_column(layouts: &Layouts, header: &[Arc<str>]) -> String {
    let speaks = |name: &&&str| {
        let name = name.to_ascii_lowercase();
        ["type", "event", "kind", "action"].iter().any(|word| name.contains(word))
    };
    let names: Vec<&str> = header.iter().map(|name| &**name).collect();
    let likely = names.iter().find(speaks);
    let likely = likely.map_or(String::new(), |name| format!(" (perhaps `{name}`)"));
    let only = layouts.only_name();
    let only = only.map_or(String::new(), |name| format!(" (`--type {name}`)"));
    format!(
        "the CSV header has no column `{}` for the event type: it has {}\nhelp: name the column \
         with --type-field{likely}, or the type of all events with --type{only}",
        layouts.reading.type_field,
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use kleene::schema::{EventType, Field, FieldId};
    use proptest::prelude::*;

    use super::*;
    use crate::OptionNames;
    use crate::{Reading, TimeUnit};

    proptest! {
        #[test]
        fn a_plan_gives_what_the_columns_give(
            cells in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(vec![
                        "", "1", "-7", "+7", "1.50", "-0", "-0.0", "1e3", "1e400", "x", "\u{e9}",
                        "9223372036854775807", "9223372036854775808", "1.2.3.4", "01.2.3.4", "::1",
                        "2024-05-01T10:00:00Z", "true", "NaN", "inf", ".5", "5.", "1_0", " 1",
                    ]).prop_map(String::from),
                    "-?[0-9]{1,20}(\\.[0-9]{0,18})?",
                ],
                6..8,
            ),
            optional in any::<u8>(),
            declared_time in any::<bool>(),
            prefers_time_field in any::<bool>(),
        ) {
            let types = [
                ("at", FieldType::Time),
                ("i", FieldType::Int),
                ("f", FieldType::Float),
                ("s", FieldType::String),
                ("p", FieldType::Ip),
                ("missing", FieldType::Bool),
            ];
            let fields = types.into_iter().enumerate().map(|(index, (name, ty))| Field {
                name: name.into(),
                ty,
                optional: optional >> index & 1 == 1,
            });
            let time = declared_time.then(|| FieldId::new(0));
            let mut schema = Schema::new();
            let fields = fields.collect();
            schema.add(EventType { name: "t".into(), fields, time, open: false });
            let reading = Reading {
                type_field: String::from("type"),
                fixed_type: Some(String::from("t")),
                time_field: String::from("ts"),
                prefers_time_field,
                unit: TimeUnit::Millis,
                is_strict: false,
                options: OptionNames::Flags,
            };
            let mut header = Cells::default();
            let header = header.split("i,f,at,s,p,ts", false, b',');
            let mut parser = CsvParser::new(Layouts::new(&schema, reading), &header, b',').unwrap();
            let record = cells.join(",");
            let mut cells = Cells::default();
            let row = cells.split(&record, false, b',');
            let planned = format!("{:?}", parser.parse(&row));
            // The meaning of the columns is known now.
            for columns in parser.columns.iter_mut().flatten() {
                columns.plan = None;
            }
            let by_columns = format!("{:?}", parser.parse(&row));
            prop_assert_eq!(planned, by_columns);
        }
    }
}
