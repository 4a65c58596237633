//! Events out of blocks, in batches or one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use kleene::event::{BatchBuilder, EventBatch};
use kleene::schema::Schema;

use crate::ahead::{AheadBatch, AheadBlock, AheadParser, Orders};
use crate::block::Block;
use crate::parser::{InputItem, Parser};
use crate::position::Position;
use crate::records::{Cursor, Origin};

/// Reads the events of one block after the other.
///
/// [`read_batch`](BatchReader::read_batch) reads lines as far as they are events, and
/// [`next_item`](BatchReader::next_item) the line after them. If both return `None`, the block is
/// read.
#[derive(Debug)]
pub struct BatchReader {
    parser: Parser,
    block: Block,
    cursor: Cursor,
    /// The batches of the rest of the block, if they were parsed ahead.
    ahead: VecDeque<AheadBatch>,
    /// Controls what the reading thread parses; `None` if it does not parse.
    orders: Option<Orders>,
    batch: BatchBuilder,
    /// The start of the line of each event of the batch that was read last.
    starts: Vec<Cursor>,
    /// True if that batch was parsed ahead.
    is_ahead: bool,
    /// The reason why nothing can be read, until it was returned.
    unreadable: Option<String>,
    /// The time that the reading thread took to parse.
    parsed_ahead: Duration,
}

impl BatchReader {
    /// Makes a reader of the events that `parser` parses.
    pub fn new(parser: Parser) -> BatchReader {
        BatchReader {
            parser,
            block: Block::default(),
            cursor: Cursor::default(),
            ahead: VecDeque::new(),
            orders: None,
            batch: BatchBuilder::new(),
            starts: Vec::new(),
            is_ahead: false,
            unreadable: None,
            parsed_ahead: Duration::ZERO,
        }
    }

    /// Returns a parser for the thread that reads the input. It makes batches of at most `lines` lines
    /// while this reader has other blocks to read. All blocks go through it, in order.
    pub fn parse_ahead(&mut self, lines: usize) -> AheadParser {
        let (parser, orders) = AheadParser::new(self.parser.clone(), lines);
        self.orders = Some(orders);
        parser
    }

    /// Reads another block. Returns the one before, whose memory can be used again.
    pub fn begin(&mut self, block: impl Into<AheadBlock>) -> Block {
        let AheadBlock { block, batches, version, took } = block.into();
        self.cursor = Cursor::default();
        self.parsed_ahead += took;
        if let Some(orders) = &self.orders {
            orders.received();
        }
        let is_right = self.orders.as_ref().is_some_and(|orders| orders.are(version));
        self.ahead = if is_right { batches } else { VecDeque::new() };
        std::mem::replace(&mut self.block, block)
    }

    /// Returns the block that was read, whose memory can be used again.
    pub fn take_block(&mut self) -> Block {
        self.ahead.clear();
        self.cursor = Cursor::default();
        std::mem::take(&mut self.block)
    }

    /// Returns the block that is read.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Continues an input that was read up to a position.
    pub(crate) fn continue_at(&mut self, position: Position) {
        self.block = Block::empty_at(position);
    }

    /// Reads another input of the same form, from its start.
    pub fn restart(&mut self) {
        self.parser.restart();
        self.take_block();
    }

    /// Reads only the header of an input, which its first block has.
    ///
    /// # Errors
    /// No event can be read from this input, and why.
    pub fn read_header(&mut self, beginning: &Block) -> Result<(), String> {
        self.parser.read_header(beginning, &mut Cursor::default())
    }

    /// True if all that later blocks depend on was read: the header, in CSV.
    pub(crate) fn is_ready(&self) -> bool {
        self.parser.is_ready()
    }

    /// Returns the parser, which knows the header if that was read.
    pub(crate) fn into_parser(self) -> Parser {
        self.parser
    }

    /// Returns the names of the columns; empty if there are none, or none yet.
    pub fn header(&self) -> Vec<String> {
        self.parser.header()
    }

    /// Returns the position in the input of what [`next_item`](BatchReader::next_item) gives next.
    pub fn position(&self) -> Position {
        let line = self.block.line() + self.cursor.lines();
        let offset = match self.block.end_if_bad() {
            Some(end) if self.cursor.lines() > 0 => end,
            Some(_) => self.block.offset(),
            None => self.block.offset() + self.cursor.bytes() as u64,
        };
        Position { offset, line }
    }

    /// Continues with the types of `schema` that are also declared.
    pub fn renew(&mut self, schema: &Schema, declared: &Schema) {
        self.parser.renew(schema, declared);
        // The types may have other fields now.
        self.batch = BatchBuilder::new();
        self.ahead.clear();
        if let Some(orders) = &self.orders {
            orders.renew(schema, declared);
        }
    }

    /// Returns the next item of the block; `None` if all of it was returned.
    #[inline]
    pub fn next_item(&mut self) -> Option<InputItem<'_>> {
        if let Some(reason) = self.unreadable.take() {
            return Some(InputItem::Unreadable(reason));
        }
        self.parser.next_item(&self.block, &mut self.cursor)
    }

    /// Reads up to `limit` lines of the block, as far as they are events, into a batch. `unknown` gets
    /// the type of each event that no rule file declares. Returns the batch and the number of lines;
    /// `None` if the next line is no event, or the whole block was read. Then
    /// [`next_item`](BatchReader::next_item) reads on.
    pub fn read_batch(
        &mut self,
        limit: usize,
        mut unknown: impl FnMut(&str),
    ) -> Option<(EventBatch, usize)> {
        if !self.parser.is_ready()
            && let Err(reason) = self.parser.read_header(&self.block, &mut self.cursor)
        {
            self.unreadable = Some(reason);
            return None;
        }
        if let Some(next) = self.ahead.pop_front() {
            if next.is_next(&self.cursor, limit) {
                self.cursor = next.end;
                self.starts = next.starts;
                self.is_ahead = true;
                for (name, lines) in &next.unknown {
                    (0..*lines).for_each(|_| unknown(name));
                }
                return Some((next.batch, next.lines));
            }
            if next.comes_after(&self.cursor) {
                self.ahead.push_front(next);
            } else {
                // It has lines that were read, or too many.
                self.ahead.clear();
            }
        }
        self.is_ahead = false;
        let BatchReader { parser, block, cursor, batch, starts, .. } = self;
        starts.clear();
        let lines = parser.read_batch(block, cursor, limit, (batch, starts), unknown);
        (lines > 0).then(|| (batch.finish(), lines))
    }

    /// Takes back the batch that was read last, once nothing more of it is needed.
    pub fn give_back(&mut self, batch: EventBatch) {
        if let Some(orders) = &self.orders
            && std::mem::take(&mut self.is_ahead)
        {
            orders.give_back((batch, std::mem::take(&mut self.starts)));
        } else {
            self.batch.reuse(batch);
        }
    }

    /// Returns the time that the reading thread took to parse.
    pub fn parsed_ahead(&self) -> Duration {
        self.parsed_ahead
    }

    /// True if the batch that was read last was parsed ahead.
    #[cfg(test)]
    pub(crate) fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Returns the line of an event of the batch that was read last, by the number of the event.
    pub fn origin(&self, number: usize) -> Option<Origin<'_>> {
        self.parser.origin(&self.block, *self.starts.get(number)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kleene::schema::{EventType, Field, FieldId, FieldType};
    use kleene::{Event as _, Record, Value};

    use super::*;
    use crate::form::{Form, Format};
    use crate::layout::Reading;

    const FORM: Form = Form { format: Format::Csv, delimiter: b',', max_line: 1 << 20 };

    fn reader(schema: &Schema) -> BatchReader {
        let reading = Reading { fixed_type: Some(String::from("a")), ..Reading::default() };
        BatchReader::new(Parser::new(FORM, schema, reading))
    }

    fn schema(fields: &[&str]) -> Schema {
        let field = |name: &&str| Field {
            name: (*name).into(),
            ty: if *name == "at" { FieldType::Time } else { FieldType::Int },
            optional: true,
        };
        let mut schema = Schema::new();
        let fields = fields.iter().map(field).collect();
        let time = Some(FieldId::new(0));
        schema.add(EventType { name: "a".into(), fields, time, open: false }).unwrap();
        schema
    }

    /// Returns the events of the blocks, with the number of those that were parsed ahead.
    fn read(reader: &mut BatchReader, blocks: Vec<AheadBlock>) -> (Vec<Record>, usize) {
        let (mut events, mut ahead) = (Vec::new(), 0);
        for block in blocks {
            reader.begin(block);
            loop {
                if let Some((batch, lines)) = reader.read_batch(100, |_| {}) {
                    events.extend(batch.rows().map(|row| row.to_record()));
                    ahead += if reader.is_ahead() { lines } else { 0 };
                    reader.give_back(batch);
                    continue;
                }
                match reader.next_item() {
                    None => break,
                    Some(item) => panic!("{item:?}"),
                }
            }
        }
        (events, ahead)
    }

    /// Returns the fields `x` and `y` of each event.
    fn fields(events: &[Record]) -> Vec<[Option<i64>; 2]> {
        let of = |event: &Record| [1, 2].map(|number| event.field(FieldId::new(number)).as_i64());
        events.iter().map(of).collect()
    }

    fn blocks(ahead: &mut AheadParser, texts: &[&str]) -> Vec<AheadBlock> {
        let block = |text: &&str| ahead.parse(Block::new(text.as_bytes().to_vec(), 1));
        texts.iter().map(block).collect()
    }

    /// Reads four events of two types in two batches; the second has records, as all rows of the
    /// first were copied.
    fn read_twice(format: Format, text: &str) -> Vec<Record> {
        let field = |name: &str, ty| Field { name: name.into(), ty, optional: true };
        let mut schema = Schema::new();
        for name in ["a", "b"] {
            let status = field("status", FieldType::String);
            let fields = vec![field("at", FieldType::Time), status];
            let time = Some(FieldId::new(0));
            schema.add(EventType { name: name.into(), fields, time, open: false }).unwrap();
        }
        let form = Form { format, ..FORM };
        let mut reader = BatchReader::new(Parser::new(form, &schema, Reading::default()));
        let mut records = Vec::new();
        for _ in 0..2 {
            reader.restart();
            reader.begin(Block::new(text.as_bytes().to_vec(), 1));
            let (batch, lines) = reader.read_batch(100, |_| {}).unwrap();
            assert_eq!(lines, 4);
            records = batch.rows().map(|row| row.to_record()).collect();
            assert_eq!(records.len(), 4);
            reader.give_back(batch);
        }
        records
    }

    #[test]
    fn records_of_a_batch_share_texts_that_repeat() {
        let csv = "type,at,status\na,1,ok\nb,2,ok\na,3,ok\na,4,no\n";
        let json = r#"
            {"type":"a","at":1,"status":"ok"}
            {"type":"b","at":2,"status":"ok"}
            {"type":"a","at":3,"status":"ok"}
            {"type":"a","at":4,"status":"no"}
        "#;
        for (format, text) in [(Format::Csv, csv), (Format::Jsonl, json)] {
            let records = read_twice(format, text);
            let texts: Vec<&Arc<str>> = records
                .iter()
                .map(|record| match record.values() {
                    [_, Value::String(text)] => text,
                    values => panic!("{values:?}"),
                })
                .collect();
            assert_eq!(
                texts.iter().map(|text| &***text).collect::<Vec<_>>(),
                ["ok", "ok", "ok", "no"]
            );
            let is_shared = |one: usize, other: usize| Arc::ptr_eq(texts[one], texts[other]);
            assert!(is_shared(0, 2), "{format:?}");
            assert!(!is_shared(0, 1), "another type has texts of its own");
        }
    }

    #[test]
    fn another_input_has_another_header() {
        let schema = schema(&["at", "x", "y"]);
        let mut reader = reader(&schema);
        let mut ahead = reader.parse_ahead(100);
        let first = blocks(&mut ahead, &["at,x,y\n1000,1,2\n", "2000,3,4\n"]);
        ahead.restart();
        let second = blocks(&mut ahead, &["y,x,at\n5,6,3000\n", "7,8,4000\n"]);
        let (mut events, mut parsed_ahead) = read(&mut reader, first);
        reader.restart();
        let (more, more_ahead) = read(&mut reader, second);
        events.extend(more);
        parsed_ahead += more_ahead;
        assert_eq!(fields(&events), [[1, 2], [3, 4], [6, 5], [8, 7]].map(|one| one.map(Some)));
        assert_eq!(parsed_ahead, 3, "the first block is never parsed ahead");
    }

    #[test]
    fn an_input_with_a_bad_header_is_refused_block_by_block() {
        let schema = schema(&["at", "x", "y"]);
        let parser = Parser::new(FORM, &schema, Reading::default());
        let mut reader = BatchReader::new(parser);
        let mut ahead = reader.parse_ahead(100);
        let mut refused = Vec::new();
        for block in blocks(&mut ahead, &["at,x\n1000,1\n", "2000,3\n3000,4", "at,x"]) {
            reader.begin(block);
            assert!(reader.read_batch(100, |_| {}).is_none());
            assert!(matches!(reader.next_item(), Some(InputItem::Unreadable(_))));
            assert!(reader.read_batch(100, |_| {}).is_none() && reader.next_item().is_none());
            refused.push(reader.position().line - reader.block().line());
        }
        assert_eq!(refused, [2, 2, 1]);
        reader.restart();
        ahead.restart();
        let more = blocks(&mut ahead, &["type,at,x,y\na,1000,1,2\n"]);
        assert_eq!(fields(&read(&mut reader, more).0), [[1, 2].map(Some)]);
    }

    #[test]
    fn what_was_parsed_for_older_rules_is_parsed_again() {
        let old = schema(&["at", "x"]);
        let mut reader = reader(&old);
        let mut ahead = reader.parse_ahead(100);
        let first = blocks(&mut ahead, &["at,x,y\n1000,1,2\n", "2000,3,4\n"]);
        let new = schema(&["at", "x", "y"]);
        reader.renew(&new, &new);
        let (events, parsed_ahead) = read(&mut reader, first);
        assert_eq!(
            (fields(&events), parsed_ahead),
            ([[1, 2], [3, 4]].map(|one| one.map(Some)).to_vec(), 0)
        );
        // The first of two blocks is left to this thread.
        let more = blocks(&mut ahead, &["3000,5,6\n", "4000,7,8\n"]);
        let (events, parsed_ahead) = read(&mut reader, more);
        assert_eq!((fields(&events), parsed_ahead), (vec![[5, 6].map(Some), [7, 8].map(Some)], 1));
    }
}
