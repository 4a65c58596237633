//! From bytes to events.

mod csv;
mod json;
mod layout;
mod lines;
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
    use super::*;

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
