//! Events out of an input, one after the other.

use std::io;
use std::time::Duration;

use kleene::event::EventBatch;
use kleene::schema::Schema;

use crate::ahead::AheadBlock;
use crate::batch_reader::BatchReader;
use crate::parser::{InputItem, Parser};
use crate::position::Position;
use crate::records::Origin;
use crate::source::{Arrival, Blocks, Opened};

/// Events out of an input: what [`Blocks`] and a [`Parser`] give together.
#[derive(Debug)]
pub struct Feed {
    blocks: Blocks<AheadBlock>,
    reader: BatchReader,
    is_ended: bool,
    is_empty: bool,
}

/// Who parses the lines of an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsing {
    /// The thread that asks for a batch.
    Here,
    /// The thread that reads the input, into batches of at most this many lines. It is at most a few
    /// blocks ahead.
    Ahead(usize),
}

/// The result of [`Feed::fill`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fill {
    /// There may be more items.
    More,
    /// There is nothing more.
    End,
    /// Someone wants attention.
    Woken,
    /// Nothing has come in the time that was given.
    TimedOut,
}

impl Feed {
    /// Starts to read what `parser` reads.
    pub fn start(opened: Opened, parser: Parser, parsing: Parsing) -> Feed {
        let form = parser.form();
        let mut reader = BatchReader::new(parser);
        let blocks = match parsing {
            Parsing::Here => Blocks::start_with(opened, form, AheadBlock::from),
            Parsing::Ahead(lines) => {
                let mut ahead = reader.parse_ahead(lines);
                Blocks::start_with(opened, form, move |block| ahead.parse(block))
            }
        };
        Feed { blocks, reader, is_ended: false, is_empty: true }
    }

    /// Reads on in an input that was read before: `opened` is at the position up to which it was
    /// read, and `beginning` is the same input from its start, for the header of CSV.
    ///
    /// # Errors
    /// The beginning cannot be read.
    pub fn resume(
        opened: Opened,
        beginning: Opened,
        parser: Parser,
        parsing: Parsing,
    ) -> io::Result<Feed> {
        let mut first = Feed::start(beginning, parser, Parsing::Here);
        while !first.reader.is_ready() && first.fill()? != Fill::End {
            // The header is no item.
            if let Some(InputItem::Unreadable(reason)) = first.next_item() {
                return Err(io::Error::other(reason));
            }
        }
        let start = opened.start();
        let mut feed = Feed::start(opened, first.reader.into_parser(), parsing);
        feed.reader.continue_at(start);
        feed.is_empty = false;
        Ok(feed)
    }

    /// Returns the position in the input of what [`next_item`](Feed::next_item) gives next.
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// Continues with the types of `schema` that are also declared.
    pub fn renew(&mut self, schema: &Schema, declared: &Schema) {
        self.reader.renew(schema, declared);
    }

    /// The names of the columns; empty where there are none, or not yet.
    pub fn header(&self) -> Vec<String> {
        self.reader.header()
    }

    /// A function that makes a waiting [`fill`](Feed::fill) return.
    pub fn waker(&self) -> impl Fn() + Send + use<> {
        self.blocks.waker()
    }

    /// True if nothing at all was in the input so far.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Returns the next item of the input that has arrived; `None` if all of it was returned. Then
    /// [`fill`](Feed::fill) waits for more.
    #[inline]
    pub fn next_item(&mut self) -> Option<InputItem<'_>> {
        self.reader.next_item()
    }

    /// Reads up to `limit` lines of the input that has arrived, as far as they are events, into a
    /// batch. `unknown` gets the type of each event that no rule file declares. Returns the batch
    /// and the number of lines; `None` if the next line is no event, or all input that has arrived
    /// was read. Then [`next_item`](Feed::next_item) reads on.
    pub fn read_batch(
        &mut self,
        limit: usize,
        unknown: impl FnMut(&str),
    ) -> Option<(EventBatch, usize)> {
        self.reader.read_batch(limit, unknown)
    }

    /// Takes back the batch that was read last, once nothing more of it is needed.
    pub fn give_back(&mut self, batch: EventBatch) {
        self.reader.give_back(batch);
    }

    /// Returns the time that the reading thread took to parse.
    pub fn parsed_ahead(&self) -> Duration {
        self.reader.parsed_ahead()
    }

    /// Returns the line of an event of the batch that was read last, by the number of the event.
    pub fn origin(&self, number: usize) -> Option<Origin<'_>> {
        self.reader.origin(number)
    }

    /// Waits for more input. What has arrived before has to be used up.
    ///
    /// # Errors
    /// The input cannot be read any further.
    pub fn fill(&mut self) -> io::Result<Fill> {
        self.fill_within(None)
    }

    /// Waits for more input, for this long at most.
    ///
    /// # Errors
    /// As for [`fill`](Feed::fill).
    pub fn fill_within(&mut self, timeout: Option<Duration>) -> io::Result<Fill> {
        if self.is_ended {
            return Ok(Fill::End);
        }
        match self.blocks.wait_for(timeout)? {
            Arrival::Block(block) => {
                self.is_empty = false;
                self.blocks.give_back(self.reader.begin(block));
                Ok(Fill::More)
            }
            Arrival::End => {
                self.is_ended = true;
                Ok(Fill::End)
            }
            Arrival::Woken => Ok(Fill::Woken),
            Arrival::TimedOut => Ok(Fill::TimedOut),
        }
    }
}

#[cfg(test)]
mod tests {
    use kleene::Record;
    use kleene::schema::{EventType, Field, FieldId, FieldType};

    use super::*;
    use crate::form::{Form, Format};
    use crate::layout::Reading;
    use crate::source::open;

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

    /// What one line of the input is.
    #[derive(Debug, PartialEq)]
    struct Read {
        line: Option<u64>,
        event: Option<Record>,
        /// The reason why it is no event.
        text: String,
    }

    fn item(item: InputItem<'_>) -> Option<Read> {
        match item {
            InputItem::Event(event, origin) => {
                Some(Read { line: Some(origin.line), event: Some(event), text: String::new() })
            }
            InputItem::Rejected(origin, text) => {
                assert!(!text.is_empty() && !text.contains('\n'), "{text}");
                Some(Read { line: Some(origin.line), event: None, text })
            }
            InputItem::Unreadable(reason) => panic!("{reason}"),
            InputItem::Unknown(_) => None,
        }
    }

    fn is_filled(feed: &mut Feed) -> bool {
        feed.fill().unwrap() != Fill::End
    }

    fn items_one_by_one(mut feed: Feed) -> Vec<Read> {
        let mut read = Vec::new();
        loop {
            if let Some(next) = feed.next_item() {
                read.extend(item(next));
            } else if !is_filled(&mut feed) {
                return read;
            }
        }
    }

    /// Returns the lines, and the number of lines of batches that were parsed ahead.
    fn items_in_batches(mut feed: Feed, limit: usize) -> (Vec<Read>, usize) {
        let (mut read, mut ahead) = (Vec::new(), 0);
        loop {
            if let Some((batch, lines)) = feed.read_batch(limit, |_| {}) {
                assert!(batch.len() <= lines && lines <= limit);
                for (number, row) in batch.rows().enumerate() {
                    let line = Some(feed.origin(number).unwrap().line);
                    let event = Some(row.to_record());
                    read.push(Read { line, event, text: String::new() });
                }
                ahead += if feed.reader.is_ahead() { lines } else { 0 };
                feed.give_back(batch);
            } else if let Some(next) = feed.next_item() {
                read.extend(item(next));
            } else if !is_filled(&mut feed) {
                return (read, ahead);
            }
        }
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
            for number in 0..20_000 {
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
            let form = Form { format, delimiter: b',', max_line: 4096 };
            let feed = |parsing| {
                let parser = Parser::new(form, &schema(), Reading::default());
                Feed::start(open(&path).unwrap(), parser, parsing)
            };
            let one = items_one_by_one(feed(Parsing::Here));
            let lines = one.iter().filter_map(|item| item.line);
            assert!(lines.clone().is_sorted_by(|a, b| a < b) && lines.max() <= Some(length));
            let mut lines_ahead = 0;
            for limit in [1, 7, 10_000] {
                for parsing in [Parsing::Here, Parsing::Ahead(7), Parsing::Ahead(10_000)] {
                    let (read, ahead) = items_in_batches(feed(parsing), limit);
                    assert_eq!(read, one, "{format:?} by {limit}, {parsing:?}");
                    lines_ahead += ahead;
                }
            }
            let events = one.iter().filter(|item| item.event.is_some()).count();
            let rejected = one.iter().filter(|item| !item.text.is_empty()).count();
            assert!(events > 500 && rejected > 500, "{format:?}: {events} and {rejected}");
            // The first block is never parsed ahead, and others are if this thread is the slower one.
            assert!(lines_ahead > 1000, "{format:?}: {lines_ahead}");
        }
    }
}
