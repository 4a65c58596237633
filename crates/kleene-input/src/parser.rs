//! From blocks to events.

use kleene::Record;
use kleene::event::BatchBuilder;
use kleene::schema::Schema;

use crate::block::Block;
use crate::csv::{Cells, CsvParser};
use crate::form::Form;
use crate::json::JsonParser;
use crate::layout::{Layouts, Reading};
use crate::option_names::OptionNames;
use crate::reasons::unreadable_header;
use crate::records::{Cursor, Origin, next_line, next_record};

/// Reads the blocks of an input as events.
///
/// Of a block, a parser keeps only guesses about the next block, so that clones of the parser can
/// parse blocks in other threads. A clone of a parser of CSV has to know the header, which is
/// in the first block: see [`is_ready`](Parser::is_ready).
#[derive(Clone, Debug)]
pub struct Parser {
    kind: ParserKind,
    max_line: usize,
    options: OptionNames,
}

#[derive(Clone, Debug)]
enum ParserKind {
    Json(JsonParser),
    Csv(CsvParser, Cells, u8),
    /// CSV whose header has not come yet.
    Header(Option<Layouts>, u8),
}

/// The next item of an input.
#[derive(Debug)]
pub enum Item<'a> {
    /// An event of a declared type.
    Event(Record, Origin<'a>),
    /// An event of a type with this name, which no rule file declares.
    Unknown(&'a str),
    /// Input that is not an event, with the reason.
    Rejected(Origin<'a>, String),
    /// No event can be read from this input, and why.
    Unreadable(String),
}

/// What a line added to a batch.
enum Added {
    Event,
    /// Nothing: no rule file declares the type of its event.
    Unknown,
    /// Nothing: the line is empty.
    Nothing,
}

impl Parser {
    /// A parser for events of the types of `schema`.
    pub fn new(form: Form, schema: &Schema, reading: Reading) -> Parser {
        let options = reading.options;
        let layouts = Layouts::new(schema, reading);
        let kind = match form.separator() {
            None => ParserKind::Json(JsonParser::new(layouts)),
            Some(delimiter) => ParserKind::Header(Some(layouts), delimiter),
        };
        Parser { kind, max_line: form.max_line, options }
    }

    /// True if the parser has seen all that later blocks depend on: the header, in CSV.
    pub fn is_ready(&self) -> bool {
        !matches!(self.kind, ParserKind::Header(..))
    }

    /// Returns the names of the columns; empty if there are none, or none yet.
    pub fn header(&self) -> Vec<String> {
        match &self.kind {
            ParserKind::Csv(parser, ..) => {
                parser.header().iter().map(ToString::to_string).collect()
            }
            ParserKind::Json(_) | ParserKind::Header(..) => Vec::new(),
        }
    }

    /// Reads events of the types of `schema` that are also in `declared`, from now on.
    pub fn renew(&mut self, schema: &Schema, declared: &Schema) {
        match &mut self.kind {
            ParserKind::Json(parser) => parser.layouts_mut().renew(schema, declared),
            ParserKind::Csv(parser, ..) => parser.renew(schema, declared),
            ParserKind::Header(Some(layouts), _) => layouts.renew(schema, declared),
            ParserKind::Header(None, _) => {}
        }
    }

    /// Moves the cursor past the header, if it was not read yet. The position of the first record
    /// is then known. [`next_item`](Parser::next_item) reads a header, too.
    ///
    /// # Errors
    /// No event can be read from this input, and why.
    pub fn read_header(&mut self, block: &Block, cursor: &mut Cursor) -> Result<(), String> {
        let options = self.options;
        self.header_of(block, cursor).map_err(|reason| options.spell(reason))
    }

    fn header_of(&mut self, block: &Block, cursor: &mut Cursor) -> Result<(), String> {
        while let ParserKind::Header(layouts, delimiter) = &mut self.kind {
            let row = match next_record(block, cursor, *delimiter, self.max_line) {
                None => return Ok(()),
                Some(Ok(row)) if row.text.is_empty() => continue,
                Some(Ok(row)) => row,
                Some(Err((_, reason))) => return Err(unreadable_header(&reason)),
            };
            let mut cells = Cells::default();
            let header = cells.split(row.text, row.has_quotes, *delimiter);
            let Some(layouts) = layouts.take() else { return Ok(()) };
            let parser = CsvParser::new(layouts, &header, *delimiter)?;
            self.kind = ParserKind::Csv(parser, Cells::default(), *delimiter);
        }
        Ok(())
    }

    /// Reads up to `limit` lines of `block` after `cursor` that are events, and adds their events to
    /// `batch`. The header was [read](Parser::is_ready) before. `starts` gets the start of each
    /// event's line, and `unknown` the type of each event that no rule file declares. The cursor
    /// stops before a line that is no event, which [`next_item`](Parser::next_item) reads.
    ///
    /// Returns the number of lines with an event, also of an unknown type.
    pub fn read_batch(
        &mut self,
        block: &Block,
        cursor: &mut Cursor,
        limit: usize,
        (batch, starts): (&mut BatchBuilder, &mut Vec<Cursor>),
        mut unknown: impl FnMut(&str),
    ) -> usize {
        let mut lines = 0;
        while lines < limit {
            let start = *cursor;
            match self.add_next(block, cursor, batch) {
                Some(Added::Event) => starts.push(start),
                Some(Added::Unknown) => unknown(self.unknown()),
                Some(Added::Nothing) => continue,
                None => {
                    *cursor = start;
                    break;
                }
            }
            lines += 1;
        }
        lines
    }

    /// Adds the event of the next line to a batch. `None` if the line is no event, or at the end of
    /// the block.
    #[inline]
    fn add_next(
        &mut self,
        block: &Block,
        cursor: &mut Cursor,
        batch: &mut BatchBuilder,
    ) -> Option<Added> {
        let is_known = match &mut self.kind {
            ParserKind::Header(..) => return None,
            ParserKind::Json(parser) => {
                let line = next_line(block, cursor, self.max_line)?.ok()?;
                if line.text.trim_ascii().is_empty() {
                    return Some(Added::Nothing);
                }
                parser.add(line.text, batch).ok()?
            }
            ParserKind::Csv(parser, cells, delimiter) => {
                let record = next_record(block, cursor, *delimiter, self.max_line)?.ok()?;
                if record.text.is_empty() {
                    return Some(Added::Nothing);
                }
                let row = cells.split(record.text, record.has_quotes, *delimiter);
                parser.add(&row, batch).ok()?
            }
        };
        Some(if is_known { Added::Event } else { Added::Unknown })
    }

    /// Returns the type of the last event that no rule file declares.
    fn unknown(&self) -> &str {
        match &self.kind {
            ParserKind::Json(parser) => parser.unknown(),
            ParserKind::Csv(parser, ..) => parser.unknown(),
            ParserKind::Header(..) => "",
        }
    }

    /// Returns the line that starts at a cursor, if it can be read.
    pub fn origin<'a>(&self, block: &'a Block, start: Cursor) -> Option<Origin<'a>> {
        let mut cursor = start;
        let line = match &self.kind {
            ParserKind::Json(_) => next_line(block, &mut cursor, self.max_line),
            ParserKind::Csv(_, _, delimiter) | ParserKind::Header(_, delimiter) => {
                next_record(block, &mut cursor, *delimiter, self.max_line)
            }
        };
        Some(line?.ok()?.origin())
    }

    /// Returns the next item of `block` after `cursor`, and moves the cursor; `None` at the end of
    /// the block. Each block needs a new cursor.
    pub fn next_item<'a>(&'a mut self, block: &'a Block, cursor: &mut Cursor) -> Option<Item<'a>> {
        if let Err(reason) = self.read_header(block, cursor) {
            return Some(Item::Unreadable(reason));
        }
        let options = self.options;
        let rejected = |origin, reason| Item::Rejected(origin, options.spell(reason));
        match &mut self.kind {
            ParserKind::Header(..) => None,
            ParserKind::Json(parser) => loop {
                let line = match next_line(block, cursor, self.max_line)? {
                    Ok(line) if line.text.trim_ascii().is_empty() => continue,
                    Ok(line) => line,
                    Err((origin, reason)) => return Some(rejected(origin, reason)),
                };
                return Some(match parser.parse(line.text) {
                    Ok(Some(event)) => Item::Event(event, line.origin()),
                    Ok(None) => Item::Unknown(parser.unknown()),
                    Err(reason) => rejected(line.origin(), reason),
                });
            },
            ParserKind::Csv(parser, cells, delimiter) => loop {
                let record = match next_record(block, cursor, *delimiter, self.max_line)? {
                    Ok(record) if record.text.is_empty() => continue,
                    Ok(record) => record,
                    Err((origin, reason)) => return Some(rejected(origin, reason)),
                };
                let row = cells.split(record.text, record.has_quotes, *delimiter);
                return Some(match parser.parse(&row) {
                    Ok(Some(event)) => Item::Event(event, record.origin()),
                    Ok(None) => Item::Unknown(parser.unknown()),
                    Err(reason) => rejected(record.origin(), reason),
                });
            },
        }
    }
}
