//! Events as they stand in the input, before any rule says what they should be.

use std::fmt;
use std::io;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use crate::block::Block;
use crate::csv::Cells;
use crate::form::Form;
use crate::json::syntax_reason;
use crate::reasons::unreadable_header;
use crate::records::{Cursor, next_line, next_record};
use crate::source::{Arrival, Blocks, Opened};

/// The depth down to which objects and lists are read.
pub const MAX_DEPTH: usize = 16;

/// A value of the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A JSON string.
    Text(String),
    /// A cell of CSV, which may be anything; empty if it is missing.
    Cell(String),
    /// A list.
    List(Vec<Raw>),
    /// An object.
    Object(Vec<(String, Raw)>),
    /// A list or an object below [`MAX_DEPTH`].
    Deep,
}

/// The next item of the input.
#[derive(Debug)]
pub enum RawItem {
    /// The fields of an event, in the order of the input.
    Event(Vec<(String, Raw)>),
    /// A line that is not an event, with the reason.
    Rejected(u64, String),
    /// The end of the input.
    End,
    /// No event can be read from this input, and why.
    Unreadable(String),
}

/// Events out of an input, without a schema.
#[derive(Debug)]
pub struct RawFeed {
    /// The reader of more; `None` if the block is all there is.
    blocks: Option<Blocks>,
    block: Block,
    cursor: Cursor,
    cells: Cells,
    form: Form,
    /// The names of the columns of CSV, once they have come.
    header: Option<Vec<String>>,
    is_empty: bool,
}

impl RawFeed {
    /// Starts to read.
    pub fn start(opened: Opened, form: Form) -> RawFeed {
        RawFeed { blocks: Some(Blocks::start(opened, form)), ..RawFeed::of(Block::default(), form) }
    }

    /// The events of one block, which is all there is.
    pub fn of(block: Block, form: Form) -> RawFeed {
        RawFeed {
            blocks: None,
            cursor: Cursor::default(),
            cells: Cells::default(),
            form,
            header: None,
            is_empty: block.bytes().is_empty(),
            block,
        }
    }

    /// True if nothing at all was in the input so far.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Waits for the next item and returns it. Do not call it again after the end.
    ///
    /// # Errors
    /// The input cannot be read any further.
    pub fn next_item(&mut self) -> io::Result<RawItem> {
        loop {
            let item = match self.form.separator() {
                None => self.json(),
                Some(delimiter) => self.csv(delimiter),
            };
            if let Some(item) = item {
                return Ok(item);
            }
            let Some(blocks) = &self.blocks else { return Ok(RawItem::End) };
            match blocks.wait()? {
                Arrival::Block(block) => {
                    self.is_empty = false;
                    self.cursor = Cursor::default();
                    blocks.give_back(std::mem::replace(&mut self.block, block));
                }
                Arrival::End => return Ok(RawItem::End),
                Arrival::Woken | Arrival::TimedOut => {}
            }
        }
    }

    fn json(&mut self) -> Option<RawItem> {
        loop {
            let line = next_line(&self.block, &mut self.cursor, self.form.max_line)?;
            return Some(match line {
                Ok(line) if line.text.trim_ascii().is_empty() => continue,
                Ok(line) => match object(line.text) {
                    Ok(fields) => RawItem::Event(fields),
                    Err(reason) => RawItem::Rejected(line.number, reason),
                },
                Err((origin, reason)) => RawItem::Rejected(origin.line, reason),
            });
        }
    }

    fn csv(&mut self, delimiter: u8) -> Option<RawItem> {
        loop {
            let limit = self.form.max_line;
            let record = match next_record(&self.block, &mut self.cursor, delimiter, limit)? {
                Ok(record) if record.text.is_empty() => continue,
                Ok(record) => record,
                Err((origin, reason)) if self.header.is_some() => {
                    return Some(RawItem::Rejected(origin.line, reason));
                }
                Err((_, reason)) => {
                    return Some(RawItem::Unreadable(unreadable_header(&reason)));
                }
            };
            let row = self.cells.split(record.text, record.has_quotes, delimiter);
            return Some(match &self.header {
                Some(header) => match row.matched(header) {
                    Ok(cells) => RawItem::Event(
                        cells.map(|(name, cell)| (name.clone(), Raw::Cell(cell.into()))).collect(),
                    ),
                    Err(reason) => RawItem::Rejected(record.number, reason),
                },
                None => match row.header() {
                    Ok(header) => {
                        self.header = Some(header);
                        continue;
                    }
                    Err(reason) => RawItem::Unreadable(reason),
                },
            });
        }
    }
}

/// The fields of the object that a line of JSON is.
fn object(line: &str) -> Result<Vec<(String, Raw)>, String> {
    let mut json = Deserializer::from_str(line);
    let object = ObjectSeed.deserialize(&mut json);
    object.and_then(|fields| json.end().map(|()| fields)).map_err(|error| syntax_reason(&error))
}

/// The fields of a line of JSON, or of a record of CSV below this header, as they stand there;
/// `None` if it is neither.
pub fn fields_of_line(line: &str, form: Form, header: &[String]) -> Option<Vec<(String, Raw)>> {
    let Some(delimiter) = form.separator() else { return object(line).ok() };
    let mut cells = Cells::default();
    let row = cells.split(line, line.contains('"'), delimiter);
    let cells = row.matched(header).ok()?;
    Some(cells.map(|(name, cell)| (name.clone(), Raw::Cell(cell.into()))).collect())
}

/// The list that a cell of CSV holds as JSON.
pub fn list(cell: &str) -> Option<Vec<Raw>> {
    let mut json = Deserializer::from_str(cell);
    match (RawSeed { depth: 0 }.deserialize(&mut json), json.end()) {
        (Ok(Raw::List(elements)), Ok(())) => Some(elements),
        _ => None,
    }
}

/// Anything but an object is an error.
struct ObjectSeed;

impl<'de> DeserializeSeed<'de> for ObjectSeed {
    type Value = Vec<(String, Raw)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed {
    type Value = Vec<(String, Raw)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        fields(map, 1)
    }
}

fn fields<'de, A: MapAccess<'de>>(
    mut map: A,
    depth: usize,
) -> Result<Vec<(String, Raw)>, A::Error> {
    let mut fields = Vec::new();
    while let Some(name) = map.next_key()? {
        fields.push((name, map.next_value_seed(RawSeed { depth })?));
    }
    Ok(fields)
}

/// A value that is nested so deep.
struct RawSeed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Raw;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Raw, D::Error> {
        if self.depth > MAX_DEPTH {
            // An ignored value may nest to any depth.
            return json.deserialize_ignored_any(IgnoredAny).map(|_| Raw::Deep);
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RawSeed {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        #[expect(clippy::cast_precision_loss, reason = "beyond i64: only good for a float")]
        Ok(i64::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(RawSeed { depth: self.depth + 1 })? {
            elements.push(element);
        }
        Ok(Raw::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Raw, A::Error> {
        fields(map, self.depth + 1).map(Raw::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn read(format: Format, text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        std::fs::write(&path, text).unwrap();
        let form = Form { format, delimiter: b',', max_line: 100 };
        let mut feed = RawFeed::start(crate::open(&path).unwrap(), form);
        let mut all = Vec::new();
        loop {
            match feed.next_item().unwrap() {
                RawItem::End => return all,
                RawItem::Event(fields) => all.push(format!("{fields:?}")),
                RawItem::Rejected(line, reason) => all.push(format!("{line}: {reason}")),
                RawItem::Unreadable(reason) => {
                    all.push(reason);
                    return all;
                }
            }
        }
    }

    #[test]
    fn json_keeps_the_order_of_its_fields() {
        let text = "\u{feff}{\"b\":1,\"a\":[1.5,null],\"o\":{\"x\":\"y\"}}\r\n\n[1]\nno\n{} {}\n";
        assert_eq!(
            read(Format::Jsonl, text),
            [
                "[(\"b\", Int(1)), (\"a\", List([Float(1.5), Null])), \
                 (\"o\", Object([(\"x\", Text(\"y\"))]))]",
                "3: not an event: found a list, expected an object",
                "4: not JSON: expected ident at column 2",
                "5: not JSON: trailing characters at column 4",
            ]
        );
        let long = format!("{{\"a\":\"{}\"}}\n{{\"a\":true}}", "x".repeat(100));
        assert_eq!(
            read(Format::Jsonl, &long),
            [
                "1: the line is too long: 108 bytes (--max-line allows more)",
                "[(\"a\", Bool(true))]"
            ]
        );
    }

    #[test]
    fn deep_json_is_cut_and_not_followed() {
        let line = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        let found = read(Format::Jsonl, &line);
        assert!(found[0].contains("Deep"), "{found:?}");
        assert_eq!(found[0].matches("List").count(), MAX_DEPTH, "{found:?}");
    }

    #[test]
    fn csv_gives_each_cell_the_name_of_its_column() {
        assert_eq!(
            read(Format::Csv, "a, b \n1,\n1,2,3\n\"x\"\"y\",\"\n\"\n"),
            [
                "[(\"a\", Cell(\"1\")), (\"b\", Cell(\"\"))]",
                "3: expected 2 cells as in the header, found 3",
                "[(\"a\", Cell(\"x\\\"y\")), (\"b\", Cell(\"\\n\"))]",
            ]
        );
        assert_eq!(read(Format::Csv, "a,a\n1,2\n"), ["the CSV header has two columns called `a`"]);
        assert_eq!(read(Format::Csv, ""), [""; 0]);
    }

    #[test]
    fn a_cell_may_hold_a_list() {
        assert_eq!(list("[1, 2]"), Some(vec![Raw::Int(1), Raw::Int(2)]));
        for cell in ["[1", "1", "{}", "[1] x"] {
            assert_eq!(list(cell), None, "{cell}");
        }
    }
}
