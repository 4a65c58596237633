//! The events of an input, decoded as far as somebody has asked.

use kleene::schema::{EventType, Schema};
use kleene::{Record, RuleSet, Timestamp};
use kleene_input::{Block, Cursor, Format, InputItem, Parser};

use crate::fault::Fault;
use crate::input::Input;
use kleene_report::reasons::event_time;

/// A line of the input, decoded.
#[derive(Debug)]
pub(super) enum Line {
    /// An event of a declared type.
    Event,
    /// An event of a type with this name, which the rules do not declare.
    Unknown(String),
    /// No event, and why.
    Rejected(String),
}

/// The events of an input.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Where they come from.
    pub(super) input: Input,
    parser: Option<Parser>,
    cursor: Cursor,
    /// The declarations that they were decoded with.
    declared: Declared,
    /// By the number of the event; `None` if it is not one of a declared type.
    records: Vec<Option<Record>>,
    lines: Vec<u32>,
    /// Where the first starts in the input: behind the header.
    start: usize,
    /// Where each ends in the input.
    ends: Vec<u32>,
    /// The newest time up to and with each.
    newest: Vec<Timestamp>,
    is_at_end: bool,
    /// Why no event can be read from the input.
    unreadable: Option<String>,
}

/// The declarations that events are decoded with: the types by their numbers, and how many of them
/// are declared.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Declared {
    types: Vec<EventType>,
    names: Vec<String>,
}

impl Declared {
    fn new(schema: &Schema, rules: &RuleSet) -> Declared {
        Declared {
            types: schema.types().map(|(_, ty)| ty.clone()).collect(),
            names: rules.schema().types().map(|(_, ty)| ty.name.to_string()).collect(),
        }
    }
}

impl Decoded {
    /// Nothing is decoded yet of an input.
    pub(super) fn new(input: Input) -> Decoded {
        Decoded {
            input,
            parser: None,
            cursor: Cursor::default(),
            declared: Declared::default(),
            records: Vec::new(),
            lines: Vec::new(),
            start: 0,
            ends: Vec::new(),
            newest: Vec::new(),
            is_at_end: false,
            unreadable: None,
        }
    }

    /// Goes on with events of these types. What was decoded stays if they are the same as before.
    pub(super) fn declare(&mut self, schema: &Schema, rules: &RuleSet) {
        let declared = Declared::new(schema, rules);
        if self.parser.is_some() && self.declared == declared {
            return;
        }
        let parser = self.input.parser(schema, rules.schema());
        let input = std::mem::replace(&mut self.input, Input::empty());
        *self = Decoded { parser: Some(parser), declared, ..Decoded::new(input) };
    }

    /// Returns the number of decoded events.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// True if there are no more.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Returns the number of events; an estimate until all are decoded.
    pub(super) fn estimate(&self) -> usize {
        if self.is_at_end {
            return self.len();
        }
        let (read, all) = (self.cursor.bytes(), self.input.block.bytes().len());
        if read == 0 { all / 100 + 1 } else { (all / read.div_ceil(self.len().max(1))).max(1) }
    }

    /// Decodes the next line. False at the end.
    ///
    /// # Errors
    /// No event can be read from the input.
    pub(super) fn decode(&mut self) -> Result<bool, Fault> {
        if let Some(reason) = &self.unreadable {
            return Err(Fault::events(reason));
        }
        let (Some(parser), false) = (&mut self.parser, self.is_at_end) else { return Ok(false) };
        if self.records.is_empty() {
            if let Err(reason) = parser.read_header(&self.input.block, &mut self.cursor) {
                self.unreadable = Some(reason.clone());
                return Err(Fault::events(&reason));
            }
            self.start = self.cursor.bytes();
        }
        let (record, line) = match parser.next_item(&self.input.block, &mut self.cursor) {
            None => {
                self.is_at_end = true;
                return Ok(false);
            }
            Some(InputItem::Event(record, origin)) => (Some(record), origin.line),
            Some(InputItem::Rejected(origin, _)) => (None, origin.line),
            // Records of CSV can have several lines: this is its last one. `line` asks again.
            Some(InputItem::Unknown(_)) => (None, 0),
            Some(InputItem::Unreadable(reason)) => {
                self.unreadable = Some(reason.clone());
                return Err(Fault::events(&reason));
            }
        };
        let line = if line > 0 { line } else { self.cursor.lines() };
        let before = self.newest.last().copied().unwrap_or(Timestamp::MIN);
        let time = record.as_ref().and_then(event_time).unwrap_or(Timestamp::MIN);
        self.newest.push(before.max(time));
        self.records.push(record);
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        self.ends.push(u32::try_from(self.cursor.bytes()).unwrap_or(u32::MAX));
        Ok(true)
    }

    /// The event of this number, if it is of a declared type.
    #[inline]
    pub(super) fn record(&self, index: usize) -> Option<&Record> {
        self.records.get(index)?.as_ref()
    }

    /// The line of an event, from 1.
    pub(super) fn line_number(&self, index: usize) -> u32 {
        self.lines.get(index).copied().unwrap_or_default()
    }

    /// The number of the event on a line.
    pub(super) fn index_of_line(&self, line: u64) -> Option<usize> {
        let line = u32::try_from(line).ok()?;
        self.lines.binary_search(&line).ok()
    }

    /// Returns the number of events before the first one that is later than `time`.
    pub(super) fn until(&self, time: Timestamp) -> usize {
        self.newest.partition_point(|newest| *newest <= time)
    }

    /// The bytes of the line of an event.
    pub(super) fn text(&self, index: usize) -> &[u8] {
        let bytes = self.input.block.bytes();
        let end = self.ends.get(index).map_or(0, |end| *end as usize).min(bytes.len());
        let before = index.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.map_or(self.start, |start| *start as usize).min(end);
        let text = bytes.get(start..end).unwrap_or_default();
        if self.input.form.format == Format::Jsonl {
            return text.trim_ascii();
        }
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let first = text.iter().position(|byte| !is_end(byte)).unwrap_or(text.len());
        let last = text.iter().rposition(|byte| !is_end(byte)).map_or(first, |last| last + 1);
        text.get(first..last).unwrap_or_default()
    }

    /// Decodes the line of an event once more.
    pub(super) fn decode_again(&self, index: usize) -> Option<Line> {
        let mut text = self.text(index).to_vec();
        text.push(b'\n');
        let block = Block::new(text, u64::from(self.line_number(index)));
        let mut parser = self.parser.clone()?;
        Some(match parser.next_item(&block, &mut Cursor::default())? {
            InputItem::Event(..) => Line::Event,
            InputItem::Unknown(name) => Line::Unknown(name.to_owned()),
            InputItem::Rejected(_, reason) | InputItem::Unreadable(reason) => {
                Line::Rejected(reason)
            }
        })
    }

    /// The bytes that it holds, about.
    pub(super) fn memory_usage(&self) -> usize {
        let of_records: usize = self.records.iter().flatten().map(kleene::Event::heap_size).sum();
        let each = size_of::<Option<Record>>() + 2 * size_of::<u32>() + size_of::<Timestamp>();
        self.input.block.size() + of_records + self.records.capacity() * each
    }
}
