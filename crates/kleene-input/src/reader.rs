//! An iterator over the events of an input.

use std::fmt;
use std::io;
use std::path::Path;

use kleene::Record;
use kleene::schema::Schema;

use crate::block::Block;
use crate::feed::{Feed, Fill, Parsing};
use crate::form::{Form, Format, delimiter_of};
use crate::layout::Reading;
use crate::option_names::OptionNames;
use crate::parser::{InputItem, Parser};
use crate::records::Cursor;
use crate::source::open;

/// The events of a file or of bytes in memory, as an iterator.
///
/// An item is an error for each line that cannot be read; the lines after it are read. Lines of an
/// event type that the schema does not declare are [counted](RecordReader::unknown) and skipped.
///
/// ```
/// use kleene::RuleSet;
/// use kleene_input::{Format, RecordReader};
///
/// let rules = RuleSet::parse("event hit { user: string, ts: time }  rule all { match hit }")?;
/// let lines = r#"{"type":"hit","user":"ann","ts":"2024-05-01T10:00:00Z"}
/// {"type":"hit","user":7
/// {"type":"seen","user":"ann","ts":"2024-05-01T10:00:01Z"}"#;
/// let mut reader = RecordReader::from_bytes(lines.as_bytes().to_vec(), Format::Jsonl, rules.schema());
/// let read: Vec<_> = reader.by_ref().collect();
/// assert!(read[0].is_ok());
/// assert!(read[1].as_ref().unwrap_err().to_string().starts_with("line 2: "));
/// assert_eq!((read.len(), reader.unknown()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RecordReader {
    input: Input,
    unknown: u64,
    is_over: bool,
}

#[derive(Debug)]
enum Input {
    File(Box<Feed>),
    Bytes { parser: Box<Parser>, block: Block, cursor: Cursor },
}

/// The reason why a line is not an event, or why the input cannot be read further.
#[derive(Debug)]
#[non_exhaustive]
pub enum InputError {
    /// A line is not an event.
    #[non_exhaustive]
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// The text of the line; its start if the line is too long.
        text: String,
        /// The reason.
        reason: String,
    },
    /// No event can be read from this input: its header is damaged. This is the last item.
    Unreadable(String),
    /// The input cannot be read any further. This is the last item.
    Io(io::Error),
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputError::Line { line, reason, .. } => write!(f, "line {line}: {reason}"),
            InputError::Unreadable(reason) => f.write_str(reason),
            InputError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InputError::Io(error) => Some(error),
            InputError::Line { .. } | InputError::Unreadable(_) => None,
        }
    }
}

impl RecordReader {
    /// Opens a file of JSON lines or CSV, which may be packed with gzip; `-` is standard input. The
    /// name says the format, as [`Format::of`] and [`delimiter_of`] read it. Lines of more than
    /// 16 MiB are errors.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: impl AsRef<Path>, schema: &Schema) -> io::Result<RecordReader> {
        let path = path.as_ref();
        let form = Form { delimiter: delimiter_of(path), ..form_of(Format::of(path)) };
        let parser = Parser::new(form, schema, reading());
        let feed = Feed::start(open(path)?, parser, Parsing::Here);
        Ok(RecordReader { input: Input::File(Box::new(feed)), unknown: 0, is_over: false })
    }

    /// Reads bytes in memory.
    pub fn from_bytes(bytes: Vec<u8>, format: Format, schema: &Schema) -> RecordReader {
        let parser = Box::new(Parser::new(form_of(format), schema, reading()));
        let (block, cursor) = (Block::new(bytes, 1), Cursor::default());
        RecordReader { input: Input::Bytes { parser, block, cursor }, unknown: 0, is_over: false }
    }

    /// Returns the number of lines so far whose event type the schema does not declare.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }
}

impl Iterator for RecordReader {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Result<Record, InputError>> {
        while !self.is_over {
            let item = match &mut self.input {
                Input::File(feed) => feed.next_item(),
                Input::Bytes { parser, block, cursor } => parser.next_item(block, cursor),
            };
            match item {
                Some(InputItem::Event(record, _)) => return Some(Ok(record)),
                Some(InputItem::Unknown(_)) => self.unknown += 1,
                Some(InputItem::Rejected(origin, reason)) => {
                    let text = String::from_utf8_lossy(origin.text).into_owned();
                    return Some(Err(InputError::Line { line: origin.line, text, reason }));
                }
                Some(InputItem::Unreadable(reason)) => {
                    self.is_over = true;
                    return Some(Err(InputError::Unreadable(reason)));
                }
                None => {
                    if let Err(error) = self.fill() {
                        self.is_over = true;
                        return Some(Err(InputError::Io(error)));
                    }
                }
            }
        }
        None
    }
}

impl RecordReader {
    /// Waits for more input, and notes its end.
    fn fill(&mut self) -> io::Result<()> {
        self.is_over = match &mut self.input {
            Input::File(feed) => feed.fill()? == Fill::End,
            Input::Bytes { .. } => true,
        };
        Ok(())
    }
}

fn reading() -> Reading {
    Reading { options: OptionNames::Fields, ..Reading::default() }
}

fn form_of(format: Format) -> Form {
    Form { format, delimiter: b',', max_line: 16 << 20 }
}

#[cfg(test)]
mod tests {
    use kleene::RuleSet;

    use super::*;

    const RULES: &str = "event hit { user: string, n: int?, ts: time }  rule all { match hit }";

    #[test]
    fn a_file_and_its_bytes_are_read_alike() {
        let rules = RuleSet::parse(RULES).unwrap();
        let csv = "type,ts,user,n\nhit,5,ann,1\nhit,6,bob,x\nseen,7,bob,1\nhit,8,cid,\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hits.csv");
        std::fs::write(&path, csv).unwrap();
        let shown = |reader: RecordReader| -> Vec<String> {
            reader
                .map(|item| match item {
                    Ok(record) => record.values()[0].to_string(),
                    Err(error) => error.to_string(),
                })
                .collect()
        };
        let expected =
            ["\"ann\"", "line 3: field `n`: expected int, found the text \"x\"", "\"cid\""];
        assert_eq!(shown(RecordReader::open(&path, rules.schema()).unwrap()), expected);
        let bytes = csv.as_bytes().to_vec();
        assert_eq!(shown(RecordReader::from_bytes(bytes, Format::Csv, rules.schema())), expected);
        assert!(RecordReader::open(dir.path().join("none.csv"), rules.schema()).is_err());
    }
}
