//! From bytes to events.

mod csv;
mod json;
mod layout;
mod lines;
mod raw;
mod scalar;
mod source;
mod time;

use std::io;
use std::path::Path;
use std::str::Utf8Error;

use clap::ValueEnum;
use kleene::Record;
use kleene::schema::Schema;

pub(crate) use layout::Reading;
pub(crate) use raw::{MAX_DEPTH, Raw, RawFeed, RawItem, list as list_from_cell};
pub(crate) use source::{Opened, open};
pub(crate) use time::{TimeUnit, duration_from_text};

use csv::{Cells, CsvParser, Next};
use json::JsonParser;
use layout::Layouts;
use lines::{Content, Line, Lines};
use source::{Arrival, Source};

/// How the input is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header row.
    Csv,
}

impl Format {
    /// The format that a file's name speaks of; JSON lines where it says nothing.
    pub(crate) fn of(path: &Path) -> Format {
        match inner_extension(path).as_deref() {
            Some("csv" | "tsv") => Format::Csv,
            _ => Format::Jsonl,
        }
    }
}

/// The delimiter that a file's name speaks of.
pub(crate) fn delimiter_of(path: &Path) -> u8 {
    if inner_extension(path).as_deref() == Some("tsv") { b'\t' } else { b',' }
}

/// The extension without a `.gz` behind it.
fn inner_extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if extension == "gz" { inner_extension(Path::new(path.file_stem()?)) } else { Some(extension) }
}

/// Events out of an input.
pub(crate) struct Feed {
    source: Source,
    lines: Lines,
    cells: Cells,
    parser: Parser,
    /// The text of the last line that could not be kept whole.
    bad: Vec<u8>,
    /// Whether there was anything in the input.
    is_empty: bool,
}

enum Parser {
    Json(JsonParser),
    Csv(CsvParser, u8),
    /// CSV whose header has not come yet.
    Header(Option<Layouts>, u8),
}

/// What is next in the input.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// An event of a declared type.
    Event(Record, Place<'a>),
    /// An event of a type with this name, which no rule file declares.
    Unknown(&'a str),
    /// Something that is no event, and why.
    Rejected(Place<'a>, String),
    /// Nothing to speak of; go on.
    Nothing,
    /// What has arrived is used up: [`Feed::fill`] waits for more.
    Waiting,
    /// No event can be read from this input, and why.
    Unreadable(String),
}

/// Where in the input something is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The line, from 1.
    pub(crate) line: u64,
    /// What is there; the start of it if it is too long.
    pub(crate) text: &'a [u8],
}

/// What [`Feed::fill`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fill {
    /// There may be more items.
    More,
    /// There is nothing more.
    End,
    /// Someone wants attention.
    Woken,
}

impl Feed {
    /// Starts to read events of the types of `schema`.
    pub(crate) fn start(
        opened: Opened,
        format: Format,
        delimiter: u8,
        max_line: usize,
        schema: &Schema,
        reading: Reading,
    ) -> Feed {
        let layouts = Layouts::new(schema, reading);
        Feed {
            source: Source::start(opened),
            lines: Lines::new(max_line),
            cells: Cells::default(),
            parser: match format {
                Format::Jsonl => Parser::Json(JsonParser::new(layouts)),
                Format::Csv => Parser::Header(Some(layouts), delimiter),
            },
            bad: Vec::new(),
            is_empty: true,
        }
    }

    /// Goes on with events of the types of `schema` that are declared as well.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        match &mut self.parser {
            Parser::Json(parser) => parser.layouts_mut().renew(schema, declared),
            Parser::Csv(parser, _) => parser.renew(schema, declared),
            Parser::Header(Some(layouts), _) => layouts.renew(schema, declared),
            Parser::Header(None, _) => {}
        }
    }

    /// A function that makes a waiting [`fill`](Feed::fill) return.
    pub(crate) fn waker(&self) -> impl Fn() + Send + use<> {
        self.source.waker()
    }

    /// Whether nothing at all was in the input so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Waits for more input.
    pub(crate) fn fill(&mut self) -> io::Result<Fill> {
        if self.lines.is_ended() {
            return Ok(Fill::End);
        }
        match self.source.next()? {
            Arrival::Block(block) => {
                self.is_empty = false;
                self.lines.push(block.bytes());
                self.source.give_back(block);
            }
            Arrival::End => self.lines.end(),
            Arrival::Woken => return Ok(Fill::Woken),
        }
        Ok(Fill::More)
    }

    /// What is next in the input that has arrived.
    pub(crate) fn next(&mut self) -> Item<'_> {
        if matches!(self.parser, Parser::Header(..)) {
            return self.header();
        }
        match &mut self.parser {
            Parser::Header(..) => Item::Nothing,
            Parser::Json(parser) => next_json(&mut self.lines, &mut self.bad, parser),
            Parser::Csv(parser, delimiter) => {
                match csv::next_row(&mut self.lines, &mut self.cells, *delimiter) {
                    Next::Row(_, row) if row.raw.is_empty() => Item::Nothing,
                    Next::Row(line, row) => {
                        let place = Place { line, text: row.raw.as_bytes() };
                        match parser.parse(&row) {
                            Ok(Some(event)) => Item::Event(event, place),
                            Ok(None) => Item::Unknown(parser.type_name()),
                            Err(reason) => Item::Rejected(place, reason),
                        }
                    }
                    Next::Bad(line, text, reason) => {
                        self.bad = text;
                        Item::Rejected(Place { line, text: &self.bad }, reason)
                    }
                    Next::Waiting => Item::Waiting,
                }
            }
        }
    }

    /// Reads the header of CSV.
    fn header(&mut self) -> Item<'static> {
        let Parser::Header(layouts, delimiter) = &mut self.parser else { return Item::Nothing };
        match csv::next_row(&mut self.lines, &mut self.cells, *delimiter) {
            Next::Row(_, row) if row.raw.is_empty() => Item::Nothing,
            Next::Row(_, row) => {
                let Some(layouts) = layouts.take() else { return Item::Nothing };
                match CsvParser::new(layouts, &row) {
                    Ok(parser) => {
                        self.parser = Parser::Csv(parser, *delimiter);
                        Item::Nothing
                    }
                    Err(reason) => Item::Unreadable(reason),
                }
            }
            Next::Bad(_, _, reason) => {
                Item::Unreadable(format!("the CSV header cannot be read: {reason}"))
            }
            Next::Waiting => Item::Waiting,
        }
    }
}

fn next_json<'a>(
    lines: &'a mut Lines,
    bad: &'a mut Vec<u8>,
    parser: &'a mut JsonParser,
) -> Item<'a> {
    match lines.line() {
        None => Item::Waiting,
        Some(Line { number, content: Content::TooLong { length, start } }) => {
            *bad = start;
            Item::Rejected(Place { line: number, text: bad }, too_long(length))
        }
        Some(Line { number, content: Content::Whole(bytes) }) => {
            let place = Place { line: number, text: bytes };
            let text = match str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => return Item::Rejected(place, not_utf8(&error)),
            };
            if text.trim_ascii().is_empty() {
                return Item::Nothing;
            }
            match parser.parse(text) {
                Ok(Some(event)) => Item::Event(event, place),
                Ok(None) => Item::Unknown(parser.type_name()),
                Err(reason) => Item::Rejected(place, reason),
            }
        }
    }
}

fn too_long(length: u64) -> String {
    format!("the line is too long: {length} bytes (--max-line allows more)")
}

fn not_utf8(error: &Utf8Error) -> String {
    format!("not UTF-8 at column {}", error.valid_up_to() + 1)
}

#[cfg(test)]
mod tests {
    use kleene::schema::{EventType, Field, FieldId, FieldType};

    use super::*;

    /// A small generator of numbers: the same ones in each run.
    fn next_number(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state >> 33).unwrap()
    }

    fn schema() -> Schema {
        let types = [
            FieldType::Int,
            FieldType::Float,
            FieldType::String,
            FieldType::Time,
            FieldType::Duration,
            FieldType::Ip,
            FieldType::Bool,
            FieldType::List(Box::new(FieldType::Int)),
        ];
        let fields: Vec<Field> = types
            .into_iter()
            .enumerate()
            .map(|(index, ty)| Field {
                name: format!("f.{index}").into(),
                ty,
                optional: index != 3,
            })
            .collect();
        let time = Some(FieldId::new(3));
        let mut schema = Schema::new();
        for (name, open) in [("a", false), ("b", true)] {
            let ty = EventType { name: name.into(), fields: fields.clone(), time, open };
            schema.add(ty).unwrap();
        }
        schema
    }

    #[test]
    fn damaged_input_gives_events_and_reasons_in_order() {
        const DAMAGE: &[u8] = b"\"\\{}[],:0-e.\n\xff\x00 ntf\r";
        let json = r#"{"type":"a","f":{"0":1,"1":2.5,"2":"x","3":"2024-05-01T10:00:00Z","4":"1m","5":"::1","6":true,"7":[1]},"g":[{}]}"#;
        let csv = "a,1,2.5,\"x, \"\"y\"\"\",2024-05-01T10:00:00Z,1m,::1,true,\"[1]\",z";
        let header = "type,f.0,f.1,f.2,f.3,f.4,f.5,f.6,f.7,g\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        let mut state = 42;
        for (format, header, line) in [(Format::Jsonl, "", json), (Format::Csv, header, csv)] {
            let mut bytes = header.as_bytes().to_vec();
            for number in 0..2000 {
                let line = if number % 3 == 0 { line.replacen('a', "b", 1) } else { line.into() };
                let mut line = line.into_bytes();
                for _ in 0..next_number(&mut state) % 4 {
                    if line.is_empty() {
                        break;
                    }
                    let at = next_number(&mut state) % line.len();
                    match next_number(&mut state) % 4 {
                        0 => line[at] = DAMAGE[next_number(&mut state) % DAMAGE.len()],
                        1 => drop(line.remove(at)),
                        2 => line.insert(at, line[at]),
                        _ => line.truncate(at),
                    }
                }
                bytes.extend_from_slice(&line);
                bytes.push(b'\n');
            }
            let length = memchr::memchr_iter(b'\n', &bytes).count() as u64;
            std::fs::write(&path, &bytes).unwrap();
            let reading = Reading {
                type_field: String::from("type"),
                fixed_type: None,
                time_field: String::from("ts"),
                prefers_time_field: false,
                unit: TimeUnit::Ms,
            };
            let opened = open(&path).unwrap();
            let mut feed = Feed::start(opened, format, b',', 4096, &schema(), reading);
            let (mut events, mut rejected, mut last) = (0, 0, 0);
            loop {
                let line = match feed.next() {
                    Item::Event(_, place) => {
                        events += 1;
                        place.line
                    }
                    Item::Rejected(place, reason) => {
                        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
                        rejected += 1;
                        place.line
                    }
                    Item::Unreadable(reason) => panic!("{reason}"),
                    Item::Unknown(_) | Item::Nothing => continue,
                    Item::Waiting => match feed.fill().unwrap() {
                        Fill::End => break,
                        Fill::More | Fill::Woken => continue,
                    },
                };
                assert!(line > last && line <= length, "{line} after {last} of {length}");
                last = line;
            }
            assert!(events > 500 && rejected > 500, "{format:?}: {events} and {rejected}");
        }
    }

    #[test]
    fn the_format_is_guessed_from_the_name() {
        let cases = [
            ("x.csv", Format::Csv, b','),
            ("a.b/x.CSV.gz", Format::Csv, b','),
            ("x.tsv", Format::Csv, b'\t'),
            ("x.jsonl", Format::Jsonl, b','),
            ("x.json.gz", Format::Jsonl, b','),
            ("x.gz", Format::Jsonl, b','),
            ("csv", Format::Jsonl, b','),
            ("-", Format::Jsonl, b','),
        ];
        for (name, format, delimiter) in cases {
            let path = Path::new(name);
            assert_eq!((Format::of(path), delimiter_of(path)), (format, delimiter), "{name}");
        }
    }
}
