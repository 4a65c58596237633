//! From blocks to events.

use kleene::Record;
use kleene::event::BatchBuilder;
use kleene::schema::Schema;

use crate::block::Block;
use crate::csv::{Cells, CsvParser, Row};
use crate::form::Form;
use crate::json::JsonParser;
use crate::layout::{Layouts, Reading};
use crate::option_names::OptionNames;
use crate::reasons::unreadable_header;
use crate::records::{Bad, Cursor, Line, Origin, next_line, next_record};

/// Reads the blocks of an input as events.
///
/// Of a block, a parser keeps only guesses about the next block, so that clones of the parser can
/// parse blocks in other threads. A clone of a parser of CSV has to know the header, which is
/// in the first block: see [`is_ready`](Parser::is_ready).
#[derive(Clone, Debug)]
pub struct Parser {
    kind: ParserKind,
    form: Form,
    options: OptionNames,
}

#[derive(Clone, Debug)]
enum ParserKind {
    Json(JsonParser),
    Csv(CsvParser, Cells, u8),
    /// CSV whose header has not come yet, or cannot be read, and why.
    Header(Layouts, Option<String>, u8),
}

/// The next item of an input.
#[derive(Debug)]
pub enum InputItem<'a> {
    /// An event of a declared type.
    Event(Record, Origin<'a>),
    /// An event of a type with this name, which no rule file declares.
    Unknown(&'a str),
    /// Input that is not an event, with the reason.
    Rejected(Origin<'a>, String),
    /// No event can be read from this input, and why.
    Unreadable(String),
}

impl Parser {
    /// A parser for events of the types of `schema`.
    pub fn new(form: Form, schema: &Schema, reading: Reading) -> Parser {
        let options = reading.options;
        let layouts = Layouts::new(schema, reading);
        let kind = match form.separator() {
            None => ParserKind::Json(JsonParser::new(layouts)),
            Some(delimiter) => ParserKind::Header(layouts, None, delimiter),
        };
        Parser { kind, form, options }
    }

    /// Returns the format of the input, with its options.
    pub fn form(&self) -> Form {
        self.form
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
            ParserKind::Header(layouts, ..) => layouts.renew(schema, declared),
        }
    }

    /// Reads another input of the same form, from its start: the header of CSV comes again.
    pub fn restart(&mut self) {
        match &mut self.kind {
            ParserKind::Json(_) => {}
            ParserKind::Csv(parser, _, delimiter) => {
                self.kind = ParserKind::Header(parser.layouts().clone(), None, *delimiter);
            }
            ParserKind::Header(_, failure, _) => *failure = None,
        }
    }

    /// Moves the cursor past the header, if it was not read yet. The position of the first record
    /// is then known. [`next_item`](Parser::next_item) reads a header, too.
    ///
    /// # Errors
    /// No event can be read from this input, and why. It is the same for each later block.
    pub fn read_header(&mut self, block: &Block, cursor: &mut Cursor) -> Result<(), String> {
        let options = self.options;
        self.header_of(block, cursor).map_err(|reason| options.spell(reason))
    }

    fn header_of(&mut self, block: &Block, cursor: &mut Cursor) -> Result<(), String> {
        while let ParserKind::Header(layouts, failure, delimiter) = &mut self.kind {
            if let Some(reason) = failure {
                // Each later block is refused once.
                return if cursor.skip_rest(block) { Err(reason.clone()) } else { Ok(()) };
            }
            let row = match next_record(block, cursor, *delimiter, self.form.max_line) {
                None => return Ok(()),
                Some(Ok(row)) if row.text.is_empty() => continue,
                Some(Ok(row)) => Ok(row),
                Some(Err((_, reason))) => Err(unreadable_header(&reason)),
            };
            let parser = row.and_then(|row| {
                let mut cells = Cells::default();
                let header = cells.split(row.text, row.has_quotes, *delimiter);
                CsvParser::new(layouts.clone(), &header, *delimiter)
            });
            match parser {
                Ok(parser) => self.kind = ParserKind::Csv(parser, Cells::default(), *delimiter),
                Err(reason) => {
                    cursor.skip_rest(block);
                    *failure = Some(reason.clone());
                    return Err(reason);
                }
            }
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
            let added = self.next(block, cursor, batch, JsonParser::add, CsvParser::add);
            let Some((start, _, added)) = added else { break };
            match added {
                Ok(true) => starts.push(start),
                Ok(false) => unknown(self.unknown()),
                Err(_) => {
                    *cursor = start;
                    break;
                }
            }
            lines += 1;
        }
        lines
    }

    /// Reads the next line that is not empty, and moves the cursor. Returns where the line starts, the
    /// line, and what `json` or `csv` makes of it, with `into`. `None` at the end of the block, and
    /// before the header was read.
    #[inline(always)]
    fn next<'a, I, T>(
        &mut self,
        block: &'a Block,
        cursor: &mut Cursor,
        into: &mut I,
        json: impl Fn(&mut JsonParser, &str, &mut I) -> Result<T, String>,
        csv: impl Fn(&mut CsvParser, &Row<'_>, &mut I) -> Result<T, String>,
    ) -> Option<(Cursor, Origin<'a>, Result<T, String>)> {
        if !self.is_ready() {
            return None;
        }
        loop {
            let start = *cursor;
            let line = match self.next_text(block, cursor)? {
                Ok(line) => line,
                Err((origin, reason)) => return Some((start, origin, Err(reason))),
            };
            let made = match &mut self.kind {
                ParserKind::Json(_) if line.text.trim_ascii().is_empty() => continue,
                ParserKind::Json(parser) => json(parser, line.text, into),
                ParserKind::Csv(..) if line.text.is_empty() => continue,
                ParserKind::Csv(parser, cells, delimiter) => {
                    csv(parser, &cells.split(line.text, line.has_quotes, *delimiter), into)
                }
                ParserKind::Header(..) => return None,
            };
            return Some((start, line.origin(), made));
        }
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
        Some(self.next_text(block, &mut start.clone())?.ok()?.origin())
    }

    /// Returns the next line, or record of CSV, and moves the cursor. `None` at the end of the block.
    #[inline]
    fn next_text<'a>(
        &self,
        block: &'a Block,
        cursor: &mut Cursor,
    ) -> Option<Result<Line<'a>, Bad<'a>>> {
        match &self.kind {
            ParserKind::Json(_) => next_line(block, cursor, self.form.max_line),
            ParserKind::Csv(.., delimiter) | ParserKind::Header(.., delimiter) => {
                next_record(block, cursor, *delimiter, self.form.max_line)
            }
        }
    }

    /// Returns the next item of `block` after `cursor`, and moves the cursor; `None` at the end of
    /// the block. Each block needs a new cursor.
    pub fn next_item<'a>(
        &'a mut self,
        block: &'a Block,
        cursor: &mut Cursor,
    ) -> Option<InputItem<'a>> {
        if let Err(reason) = self.read_header(block, cursor) {
            return Some(InputItem::Unreadable(reason));
        }
        let options = self.options;
        let read = self.next(
            block,
            cursor,
            &mut (),
            |parser, line, ()| parser.parse(line),
            |parser, row, ()| parser.parse(row),
        );
        let (_, origin, event) = read?;
        Some(match event {
            Ok(Some(event)) => InputItem::Event(event, origin),
            Ok(None) => InputItem::Unknown(self.unknown()),
            Err(reason) => InputItem::Rejected(origin, options.spell(reason)),
        })
    }
}
