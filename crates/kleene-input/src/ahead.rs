//! Batches that the reading thread parses, so that parsing and matching take place at the same time.
//!
//! The thread that matches has a parser of its own, in a [`BatchReader`](crate::BatchReader). It
//! reads what was not parsed ahead, or was parsed ahead in another way than it asks for: lines that
//! are no events, a batch with fewer lines, or everything after the rules were replaced. So both
//! ways read the same.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kleene::event::{BatchBuilder, EventBatch};
use kleene::schema::Schema;

use crate::block::Block;
use crate::parser::Parser;
use crate::records::Cursor;

/// A block, and the batches that were parsed of it by an [`AheadParser`].
#[derive(Debug)]
pub struct AheadBlock {
    pub(crate) block: Block,
    pub(crate) batches: VecDeque<AheadBatch>,
    /// The version of the schema that they were parsed for.
    pub(crate) version: u64,
    /// The time that it took to parse them.
    pub(crate) took: Duration,
}

impl AheadBlock {
    /// Returns the block.
    pub fn block(&self) -> &Block {
        &self.block
    }
}

impl From<Block> for AheadBlock {
    /// A block of which nothing was parsed.
    fn from(block: Block) -> AheadBlock {
        AheadBlock { block, batches: VecDeque::new(), version: 0, took: Duration::ZERO }
    }
}

/// A batch of lines that are events, parsed of a block.
#[derive(Debug)]
pub(crate) struct AheadBatch {
    /// Where its first line starts, and where its last one ends.
    start: Cursor,
    pub(crate) end: Cursor,
    pub(crate) batch: EventBatch,
    /// The start of each event's line.
    pub(crate) starts: Vec<Cursor>,
    /// The number of lines with an event, also of an unknown type.
    pub(crate) lines: usize,
    /// The types of events that no rule file declares, each with the number of lines in a row.
    pub(crate) unknown: Vec<(String, u64)>,
}

impl AheadBatch {
    /// True if it begins at a cursor, and has at most `limit` lines.
    pub(crate) fn is_next(&self, cursor: &Cursor, limit: usize) -> bool {
        self.start.bytes() == cursor.bytes() && self.lines <= limit
    }

    /// True if there are other lines between a cursor and its first line.
    pub(crate) fn comes_after(&self, cursor: &Cursor) -> bool {
        self.start.bytes() > cursor.bytes()
    }
}

/// What the matching thread sets for the reading thread.
#[derive(Debug, Default)]
struct Wanted {
    /// The number of blocks that wait to be matched.
    waiting: AtomicUsize,
    /// The version of the schema that blocks are parsed for.
    version: AtomicU64,
    /// The schema, and the schema of the declared types. `None` if they are as at the start.
    schemas: Mutex<Option<(Schema, Schema)>>,
}

/// What was parsed ahead, and is not needed any more: a batch, and the start of each event's line.
pub(crate) type Used = (EventBatch, Vec<Cursor>);

/// Sets what an [`AheadParser`] parses for, and returns what it made.
#[derive(Debug)]
pub(crate) struct Orders {
    wanted: Arc<Wanted>,
    used: Sender<Used>,
}

impl Orders {
    /// Parses for other schemas from the next block on.
    pub(crate) fn renew(&self, schema: &Schema, declared: &Schema) {
        let mut schemas = self.wanted.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        *schemas = Some((schema.clone(), declared.clone()));
        self.wanted.version.fetch_add(1, Ordering::Release);
    }

    /// True if this is the version of what is wanted now.
    pub(crate) fn are(&self, version: u64) -> bool {
        self.wanted.version.load(Ordering::Acquire) == version
    }

    /// Notes that a block has come.
    pub(crate) fn received(&self) {
        self.wanted.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Gives back what is not needed any more. The thread that allocated memory frees it: two threads
    /// that free in each other's memory wait for each other.
    pub(crate) fn give_back(&self, used: Used) {
        // Fails if all is parsed: this thread frees it then.
        let _ = self.used.send(used);
    }
}

/// Parses blocks in the thread that reads them, for a [`BatchReader`](crate::BatchReader) in the
/// thread that matches: see [`BatchReader::parse_ahead`](crate::BatchReader::parse_ahead).
#[derive(Debug)]
pub struct AheadParser {
    parser: Parser,
    /// The maximum number of lines of a batch.
    limit: usize,
    batch: BatchBuilder,
    used: Receiver<Used>,
    wanted: Arc<Wanted>,
    /// The version of what the parser parses for.
    version: u64,
}

impl AheadParser {
    /// Makes a parser like `parser`, for batches of at most `limit` lines.
    pub(crate) fn new(parser: Parser, limit: usize) -> (AheadParser, Orders) {
        let wanted = Arc::new(Wanted::default());
        let (sender, used) = mpsc::channel();
        let orders = Orders { wanted: wanted.clone(), used: sender };
        let batch = BatchBuilder::of_columns();
        (AheadParser { parser, limit, batch, used, wanted, version: 0 }, orders)
    }

    /// Parses all batches of a block. If no other block waits, it is left to the thread that matches,
    /// which has nothing else to do, and this one reads on.
    pub fn parse(&mut self, block: Block) -> AheadBlock {
        self.used.try_iter().for_each(|(batch, _)| self.batch.reuse(batch));
        if self.wanted.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            return self.leave(block);
        }
        let start = Instant::now();
        self.follow();
        let mut batches = VecDeque::new();
        let mut cursor = Cursor::default();
        // The other parser reports what is wrong with a header.
        let is_ready = self.parser.read_header(&block, &mut cursor).is_ok();
        while is_ready && self.parser.is_ready() {
            let next = self.next(&block, &mut cursor);
            if next.lines > 0 {
                batches.push_back(next);
            } else if self.parser.next_item(&block, &mut cursor).is_none() {
                break;
            }
        }
        AheadBlock { block, batches, version: self.version, took: start.elapsed() }
    }

    /// Reads another input of the same form, from its start.
    pub fn restart(&mut self) {
        self.parser.restart();
    }

    /// Leaves a block to the thread that matches, but for the header, on which later blocks depend.
    fn leave(&mut self, block: Block) -> AheadBlock {
        if !self.parser.is_ready() {
            // The other parser reports what is wrong with a header.
            let _ = self.parser.read_header(&block, &mut Cursor::default());
        }
        AheadBlock::from(block)
    }

    /// Parses the next batch; of no lines if the next line is no event.
    fn next(&mut self, block: &Block, cursor: &mut Cursor) -> AheadBatch {
        let AheadParser { parser, batch, .. } = self;
        let start = *cursor;
        let (mut starts, mut unknown) = (Vec::new(), Vec::<(String, u64)>::new());
        let lines =
            parser.read_batch(
                block,
                cursor,
                self.limit,
                (batch, &mut starts),
                |name| match unknown.last_mut() {
                    Some((last, lines)) if last == name => *lines += 1,
                    _ => unknown.push((name.to_owned(), 1)),
                },
            );
        AheadBatch { start, end: *cursor, batch: batch.finish(), starts, lines, unknown }
    }

    /// Parses for what is wanted now.
    fn follow(&mut self) {
        let version = self.wanted.version.load(Ordering::Acquire);
        if version == self.version {
            return;
        }
        let schemas = self.wanted.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((schema, declared)) = &*schemas {
            self.parser.renew(schema, declared);
        }
        // The types may have other fields now.
        self.batch = BatchBuilder::of_columns();
        self.version = version;
    }
}
