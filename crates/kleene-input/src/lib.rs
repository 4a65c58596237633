//! From bytes to events: JSON lines and CSV, plain or packed with gzip, read as [`Record`]s of the
//! types that Kleene's rules declare.
//!
//! [`RecordReader`] is an iterator over the events of a file or of bytes:
//!
//! ```
//! use kleene::stream::Ignore;
//! use kleene::{Engine, RuleSet};
//! use kleene_input::RecordReader;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
//! let rules = RuleSet::from_path("examples/unpaid.cep")?;
//! let mut engine = Engine::builder().rules(&rules).build()?;
//! for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
//!     match event {
//!         Ok(event) => engine.push(&event, &mut Ignore)?,
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//! engine.end_input(&mut Ignore)?;
//! assert_eq!(engine.stats().matches, 6);
//! # Ok(())
//! # }
//! ```
//!
//! A line that cannot be read is reported with its number and a reason, and the other lines are
//! read. Memory does not grow beyond a few blocks and the longest allowed line.
//!
//! Two layers lie below. [`Feed`] takes all options and waits for input. [`Blocks`] cuts an input
//! into pieces of whole lines, and a [`Parser`] for each thread parses them.
//!
//! The version of this crate is a promise: a program that compiles against 0.1 compiles against
//! each 0.1.x, and reads the same events.
//!
//! [`Record`]: kleene::Record

mod block;
mod csv;
mod feed;
mod gzip;
mod json;
mod layout;
mod number;
mod option_names;
mod parser;
mod raw;
mod reader;
mod records;
mod scalar;
mod source;
mod time;

use std::path::Path;
use std::str::Utf8Error;

pub use block::Block;
pub use feed::{Feed, Fill};
pub use gzip::{is_gzip, unpack};
pub use layout::Reading;
pub use option_names::OptionNames;
pub use parser::{Item, Parser};
pub use raw::{MAX_DEPTH, Raw, RawFeed, RawItem, fields_of_line, list as list_from_cell};
pub use reader::{InputError, RecordReader};
pub use records::{Cursor, Origin};
pub use source::{Arrival, Blocks, Opened, Position, is_packed, open, open_at};
pub use time::{TimeUnit, duration_from_text};

/// The format of an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header row.
    Csv,
}

impl Format {
    /// The format that a file's name speaks of; JSON lines where it says nothing.
    pub fn of(path: &Path) -> Format {
        match inner_extension(path).as_deref() {
            Some("csv" | "tsv") => Format::Csv,
            _ => Format::Jsonl,
        }
    }
}

/// The format of an input, with its options.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The format.
    pub format: Format,
    /// The separator of the cells of CSV: an ASCII character.
    pub delimiter: u8,
    /// Lines (in CSV: records) of more bytes are rejected.
    pub max_line: usize,
}

impl Form {
    /// Returns the separator of the cells of CSV; `None` for JSON lines.
    fn separator(self) -> Option<u8> {
        (self.format == Format::Csv).then_some(self.delimiter)
    }
}

/// The delimiter that a file's name speaks of.
pub fn delimiter_of(path: &Path) -> u8 {
    if inner_extension(path).as_deref() == Some("tsv") { b'\t' } else { b',' }
}

/// Returns the likely separator of a CSV header that has one column when it is read with
/// `delimiter`. `None` if it has several columns, or if no other separator divides it.
pub fn other_delimiter(header: &str, delimiter: u8) -> Option<u8> {
    let header = header.trim_start_matches('\u{feff}');
    let mut cells = csv::Cells::default();
    let mut columns = |delimiter| cells.split(header, header.contains('"'), delimiter).len();
    if columns(delimiter) > 1 {
        return None;
    }
    let others = b",;\t|".iter().map(|other| (columns(*other), *other));
    // Of equals the first.
    others.rev().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 1).map(|(_, d)| d)
}

/// A delimiter as `--delimiter` takes it in a shell.
pub fn delimiter_argument(delimiter: u8) -> String {
    match delimiter {
        b'\t' => String::from("'\\t'"),
        byte if byte.is_ascii_alphanumeric() || b",:.-_/".contains(&byte) => {
            char::from(byte).into()
        }
        byte => format!("'{}'", char::from(byte)),
    }
}

/// Returns the extension before a final `.gz`.
fn inner_extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if extension == "gz" { inner_extension(Path::new(path.file_stem()?)) } else { Some(extension) }
}

fn too_long(length: u64) -> String {
    format!("the line is too long: {length} bytes (--max-line allows more)")
}

fn unreadable_header(reason: &str) -> String {
    format!("the CSV header cannot be read: {reason}")
}

fn not_utf8(error: &Utf8Error) -> String {
    format!("not UTF-8 at column {}", error.valid_up_to() + 1)
}

#[cfg(test)]
mod tests {
    use kleene::schema::{EventType, Field, FieldId, FieldType, Schema};

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
            let reading = Reading::default();
            let opened = open(&path).unwrap();
            let form = Form { format, delimiter: b',', max_line: 4096 };
            let mut feed = Feed::start(opened, form, &schema(), reading);
            let (mut events, mut rejected, mut last) = (0, 0, 0);
            loop {
                let line = match feed.next_item() {
                    Some(Item::Event(_, origin)) => {
                        events += 1;
                        origin.line
                    }
                    Some(Item::Rejected(origin, reason)) => {
                        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
                        rejected += 1;
                        origin.line
                    }
                    Some(Item::Unreadable(reason)) => panic!("{reason}"),
                    Some(Item::Unknown(_)) => continue,
                    None => match feed.fill().unwrap() {
                        Fill::End => break,
                        Fill::More | Fill::Woken | Fill::TimedOut => continue,
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
