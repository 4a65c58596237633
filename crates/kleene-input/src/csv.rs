//! Events as CSV with a header row.
//!
//! Records are split here and not by a CSV library, as input is not trusted: a record has a longest
//! length, and a quote that is never closed costs its own line and not the rest of the input.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use kleene::Record;
use kleene::schema::{Field, FieldType, Schema};
use kleene::value::Value;
use memchr::{memchr, memchr2};

use crate::layout::{Assembly, Layout, Layouts, Reading};
use crate::scalar::{decimal, from_text, guess_from_text, whole};
use crate::{delimiter_argument, other_delimiter};

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
    /// What the columns mean for each type, once it has come.
    columns: Vec<Option<Columns>>,
    /// The last type that is not declared.
    unknown: String,
    assembly: Assembly,
}

/// What the columns mean for a type.
#[derive(Clone, Debug)]
struct Columns {
    all: Vec<Column>,
    plan: Option<Plan>,
}

/// How to make an event of a record without surprises: field by field, straight into the event.
/// Whatever is amiss in a record is found, and reported, by reading it column by column.
#[derive(Clone, Debug)]
struct Plan {
    /// The column with the event time.
    time: usize,
    fields: Vec<Planned>,
}

/// Where the value of a field comes from.
#[derive(Clone, Copy, Debug)]
enum Planned {
    /// It is the event time.
    Time,
    /// A cell.
    Cell(usize),
    /// No column has it.
    Null,
}

/// What a column means for a type.
#[derive(Clone, Copy, Debug)]
enum Column {
    Field(usize),
    Extra,
    Nothing,
}

/// The cells of a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    /// The text of all cells, where quotes had to be taken away.
    text: String,
    /// Where each cell starts and ends.
    ends: Vec<(usize, usize)>,
}

/// A record, split.
pub(crate) struct Row<'a> {
    text: &'a str,
    cells: &'a [(usize, usize)],
}

impl<'a> Row<'a> {
    /// The cell in a column that is there.
    fn cell(&self, column: usize) -> &'a str {
        let (start, end) = self.cells[column];
        &self.text[start..end]
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = self.text;
        self.cells.iter().map(move |&(start, end)| &text[start..end])
    }

    /// The names of the columns that this row heads.
    pub(crate) fn header(&self) -> Result<Vec<String>, String> {
        let header: Vec<String> = self.iter().map(|name| name.trim().into()).collect();
        let mut seen = HashSet::with_capacity(header.len());
        match header.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(format!("the CSV header has two columns called `{name}`")),
            None => Ok(()),
        }?;
        drop(seen);
        Ok(header)
    }

    /// Each cell with its column of `header`, which has to have as many.
    pub(crate) fn matched<'h, T>(
        &self,
        header: &'h [T],
    ) -> Result<impl Iterator<Item = (&'h T, &'a str)> + use<'a, 'h, T>, String> {
        let (wanted, found) = (header.len(), self.cells.len());
        if wanted == found {
            Ok(header.iter().zip(self.iter()))
        } else {
            Err(format!("expected {wanted} cells as in the header, found {found}"))
        }
    }
}

impl CsvParser {
    /// What events look like from now on: other types of other fields.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        self.layouts.renew(schema, declared);
        self.columns.clear();
        self.columns.resize_with(self.layouts.len(), || None);
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
        let cells = row.matched(&self.header)?;
        let number = match self.type_column {
            None => self.layouts.find(&self.unknown),
            Some(column) => {
                let (start, end) = row.cells[column];
                if start == end {
                    let column = &self.header[column];
                    return Err(format!("no event type: the column `{column}` is empty"));
                }
                let name = &row.text[start..end];
                let number = self.layouts.find(name);
                if number.is_none() {
                    name.clone_into(&mut self.unknown);
                }
                number
            }
        };
        let Some(index) = number else { return Ok(None) };
        let (layout, reading) = self.layouts.get(number);
        let columns = self.columns[index].get_or_insert_with(|| {
            let special = [self.type_column, self.time_column];
            Columns::new(layout, &self.by_name, &special, self.time_column, reading)
        });
        if let Some(event) = columns.plan.as_ref().and_then(|plan| plan.event(row, layout, reading))
        {
            return Ok(Some(event));
        }
        let assembly = &mut self.assembly;
        assembly.start(layout.fields.len());
        for (index, ((name, cell), column)) in cells.zip(&columns.all).enumerate() {
            let is_time = Some(index) == self.time_column && !cell.is_empty();
            match *column {
                Column::Field(index) => {
                    let field = &layout.fields[index];
                    // An empty cell is a missing value, unless it must be text.
                    if !cell.is_empty() {
                        let value = from_text(&field.ty, cell, reading.spelling());
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
                let time = from_text(&FieldType::Time, cell, reading.spelling());
                assembly.set_named_time(reading, &time);
            }
        }
        assembly.finish(layout, reading).map(Some)
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

impl Columns {
    /// What the columns that `by_name` numbers mean for a type; the `special` ones hold the type or
    /// the time. Takes time in proportion to the columns and the fields.
    fn new(
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
    /// The plan for a type, if its event time is that of its own field and no other is left to say
    /// anything.
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

    /// The event of a record that has as many cells as the header; `None` if anything is amiss.
    fn event(&self, row: &Row<'_>, layout: &Layout, reading: &Reading) -> Option<Record> {
        let time = row.cell(self.time);
        let Ok(Value::Time(time)) = from_text(&FieldType::Time, time, reading.spelling()) else {
            return None;
        };
        let mut is_fine = true;
        let values = self.fields.iter().zip(&layout.fields).map(|(planned, field)| {
            let value = match *planned {
                Planned::Time => Some(Value::Time(time)),
                Planned::Null => Some(Value::Null),
                Planned::Cell(column) => planned_value(field, row.cell(column), reading),
            };
            value.unwrap_or_else(|| {
                is_fine = false;
                Value::Null
            })
        });
        let event = layout.event(time, values);
        is_fine.then_some(event)
    }
}

/// The value of a cell, if it is fine.
#[inline]
fn planned_value(field: &Field, cell: &str, reading: &Reading) -> Option<Value> {
    if cell.is_empty() {
        // A missing value, unless it must be text.
        let empty = (field.ty == FieldType::String).then(|| Value::from(""));
        return if field.optional { Some(Value::Null) } else { empty };
    }
    let common = match field.ty {
        FieldType::Int => whole(cell.as_bytes()).map(Value::Int),
        FieldType::Float => decimal(cell.as_bytes()).map(Value::Float),
        FieldType::String => Some(Value::String(cell.into())),
        _ => None,
    };
    common.or_else(|| from_text(&field.ty, cell, reading.spelling()).ok())
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
        "the CSV header has no column `{}` for the event type: it has {}\n\
         help: name the column with --type-field{likely}, or give the type of all events with \
         --type{only}",
        layouts.reading.type_field,
        names.join(", ")
    )
}

impl Cells {
    /// Splits a record, given without its line end.
    pub(crate) fn split<'a>(
        &'a mut self,
        record: &'a str,
        has_quotes: bool,
        delimiter: u8,
    ) -> Row<'a> {
        self.ends.clear();
        self.text.clear();
        if has_quotes {
            split_quoted(record, delimiter, self);
            return Row { text: &self.text, cells: &self.ends };
        }
        split_plain(record.as_bytes(), delimiter, &mut self.ends);
        Row { text: record, cells: &self.ends }
    }
}

/// What stands at the start of a text.
pub(crate) enum Reach {
    /// A record of so many bytes, its line end included.
    Whole(usize),
    /// A line of so many bytes, its end included, that is no record, and why.
    Bad(usize, String),
    /// More has to arrive first.
    Waiting,
}

/// How far the record at the start of `text` reaches, whose first line has a quote in it. `ended`
/// says that nothing follows `text`.
pub(crate) fn reach(text: &[u8], delimiter: u8, limit: usize, ended: bool) -> Reach {
    let reason = match quoted_extent(text, delimiter) {
        Extent::Whole(length) if length <= limit => return Reach::Whole(length),
        Extent::Whole(length) => crate::too_long(length as u64),
        Extent::Endless if ended && text.len() <= limit => return Reach::Whole(text.len()),
        Extent::Endless | Extent::Unclosed if !ended && text.len() <= limit => {
            return Reach::Waiting;
        }
        // Nothing but the start of a line, and too long already.
        Extent::Endless | Extent::Unclosed if !ended && memchr(b'\n', text).is_none() => {
            return Reach::Waiting;
        }
        Extent::Endless => crate::too_long(text.len() as u64),
        Extent::Unclosed => String::from("a quote is opened and never closed"),
    };
    Reach::Bad(memchr(b'\n', text).map_or(text.len(), |end| end + 1), reason)
}

/// Where the cells of a record without quotes start and end. Cells are short: looking at eight bytes
/// at once finds their ends sooner than a search for each.
fn split_plain(record: &[u8], delimiter: u8, cells: &mut Vec<(usize, usize)>) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let delimiters = ONES * u64::from(delimiter);
    let mut start = 0;
    let (chunks, rest) = record.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        // The high bit of each byte that is zero, which is where the delimiter was.
        let other = u64::from_le_bytes(*chunk) ^ delimiters;
        let mut found = !(((other & LOW) + LOW) | other | LOW);
        while found != 0 {
            let end = index * 8 + found.trailing_zeros() as usize / 8;
            cells.push((start, end));
            start = end + 1;
            found &= found - 1;
        }
    }
    let before = record.len() - rest.len();
    for (index, byte) in rest.iter().enumerate() {
        if *byte == delimiter {
            cells.push((start, before + index));
            start = before + index + 1;
        }
    }
    cells.push((start, record.len()));
}

/// How far a record with quotes reaches.
enum Extent {
    /// So many bytes, its line end included.
    Whole(usize),
    /// Its line does not end.
    Endless,
    /// A quote is not closed.
    Unclosed,
}

/// The extent of the record at the start of `text`.
fn quoted_extent(text: &[u8], delimiter: u8) -> Extent {
    let mut at = 0;
    loop {
        // At the start of a cell: only here does a quote open one.
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let Some(found) = memchr(b'"', &text[at..]) else { return Extent::Unclosed };
                at += found + 1;
                if text.get(at) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
        }
        match memchr2(delimiter, b'\n', &text[at..]) {
            Some(found) if text[at + found] == b'\n' => return Extent::Whole(at + found + 1),
            Some(found) => at += found + 1,
            None => return Extent::Endless,
        }
    }
}

/// The cells of one record without its line end, quotes taken away.
fn split_quoted(record: &str, delimiter: u8, cells: &mut Cells) {
    let delimiter = char::from(delimiter);
    let mut rest = record;
    loop {
        let start = cells.text.len();
        if let Some(mut inner) = rest.strip_prefix('"') {
            loop {
                let (before, after) = inner.split_once('"').unwrap_or((inner, ""));
                cells.text.push_str(before);
                let Some(next) = after.strip_prefix('"') else {
                    rest = after;
                    break;
                };
                cells.text.push('"');
                inner = next;
            }
        }
        // What follows a closing quote is taken as it is.
        let (before, after) =
            rest.split_once(delimiter).map_or((rest, None), |(b, after)| (b, Some(after)));
        cells.text.push_str(before);
        cells.ends.push((start, cells.text.len()));
        match after {
            Some(after) => rest = after,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use kleene::schema::{EventType, FieldId};
    use proptest::prelude::*;

    use super::*;
    use crate::TimeUnit;
    use crate::block::Cutter;
    use crate::records::{Cursor, next_record};

    /// The records of `text`, arriving in pieces of `size`, as `line: cell|cell`, or `line! reason`.
    fn rows(text: &[u8], size: usize, limit: usize) -> Vec<String> {
        let mut cutter = Cutter::new(Some(b','), limit, crate::Position::default());
        let (mut cells, mut found) = (Cells::default(), Vec::new());
        let mut drain = |cutter: &mut Cutter| {
            while let Some(block) = cutter.next() {
                let mut cursor = Cursor::default();
                while let Some(record) = next_record(&block, &mut cursor, b',', limit) {
                    found.push(match record {
                        Ok(record) => {
                            let row = cells.split(record.text, record.has_quotes, b',');
                            let cells: Vec<&str> = row.iter().collect();
                            format!("{}: {}", record.number, cells.join("|"))
                        }
                        Err((place, reason)) => format!("{}! {reason}", place.line),
                    });
                }
            }
        };
        for piece in text.chunks(size) {
            cutter.space()[..piece.len()].copy_from_slice(piece);
            cutter.arrived(piece.len());
            drain(&mut cutter);
        }
        cutter.end();
        drain(&mut cutter);
        found
    }

    /// How long it takes to read a header of so many columns, the last of which is there twice.
    fn header_time(columns: usize) -> std::time::Duration {
        let mut names: Vec<String> =
            (0..columns).map(|column| format!("column_{column}")).collect();
        names.push(names[0].clone());
        let text = names.join(",");
        let mut cells = Cells::default();
        let start = std::time::Instant::now();
        let error = cells.split(&text, false, b',').header().unwrap_err();
        assert!(error.contains("two columns called `column_0`"), "{error}");
        start.elapsed()
    }

    #[test]
    fn a_header_costs_in_proportion_to_its_columns() {
        let least = |columns| (0..3).map(|_| header_time(columns)).min().unwrap();
        // Four times the columns; a comparison of each with each would take sixteen times as long.
        let fine = || least(40_000) <= 10 * least(10_000).max(std::time::Duration::from_millis(2));
        assert!((0..3).any(|_| fine()));
    }

    #[test]
    fn records_are_the_same_however_the_blocks_are_cut() {
        let text = b"a,b\r\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",5\" pipe\n,\n\xff,1\n\"\"z,\"end\"";
        let expected = [
            "1: a|b",
            "2: x, y|say \"hi\"",
            "3: two\nlines|5\" pipe",
            "5: |",
            "6! not UTF-8 at column 1",
            "7: z|end",
        ];
        for block in 1..=text.len() {
            assert_eq!(rows(text, block, 100), expected, "blocks of {block}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_line() {
        let text = b"a,b\n1,\"x\n2,y\n3,\"z\"\n".as_slice();
        // The stray quote pairs up with the next one; what follows is whole again.
        assert_eq!(rows(text, 7, 100)[..2], ["1: a|b", "2: 1|x\n2,y\n3,z\""]);
        let text = b"a,b\n1,\"x\n2,y\n3,z\n".as_slice();
        let expected = ["1: a|b", "2! a quote is opened and never closed", "3: 2|y", "4: 3|z"];
        assert_eq!(rows(text, 7, 100), expected);
        let long = [text, &b"4,z\n".repeat(100)].concat();
        assert_eq!(rows(&long, 7, 50)[..4], expected);
        assert_eq!(rows(&long, 7, 50).len(), 104);
    }

    #[test]
    fn records_that_are_too_long_are_skipped() {
        let line = "x".repeat(300);
        for (text, expected) in [
            (
                format!("a\n{line}\nb\n"),
                "2! the line is too long: 300 bytes (--max-line allows more)",
            ),
            (format!("a\n\"{line}\"\nb\n"), "2! the line is too long"),
            (format!("a\n\"{line}\nb\n"), "2! "),
        ] {
            for block in [7, 1000] {
                let found = rows(text.as_bytes(), block, 100);
                assert_eq!((found.len(), &*found[0], &*found[2]), (3, "1: a", "3: b"), "{found:?}");
                assert!(found[1].starts_with(expected), "{found:?}");
            }
        }
    }

    #[test]
    fn cells_are_found_at_any_place() {
        for length in 0..40_usize {
            for pattern in 0..200_usize {
                let byte = |at: usize| b",a\x01-.\xac"[(at * pattern + at * at * 7 + pattern) % 6];
                let record: Vec<u8> = (0..length).map(byte).collect();
                let mut cells = Vec::new();
                split_plain(&record, b',', &mut cells);
                let found: Vec<&[u8]> =
                    cells.iter().map(|&(start, end)| &record[start..end]).collect();
                let expected: Vec<&[u8]> = record.split(|b| *b == b',').collect();
                assert_eq!(found, expected);
            }
        }
    }

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
                unit: TimeUnit::Ms,
                is_strict: false,
            };
            let mut header = Cells::default();
            let header = header.split("i,f,at,s,p,ts", false, b',');
            let mut parser = CsvParser::new(Layouts::new(&schema, reading), &header, b',').unwrap();
            let record = cells.join(",");
            let mut cells = Cells::default();
            let row = cells.split(&record, false, b',');
            let planned = format!("{:?}", parser.parse(&row));
            // What the columns mean is known now.
            for columns in parser.columns.iter_mut().flatten() {
                columns.plan = None;
            }
            let by_columns = format!("{:?}", parser.parse(&row));
            prop_assert_eq!(planned, by_columns);
        }
    }
}
