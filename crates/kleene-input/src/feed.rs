//! Events out of an input, one after the other.

use std::io;
use std::time::Duration;

use kleene::schema::Schema;

use crate::block::Block;
use crate::parser::{Item, Parser};
use crate::records::Cursor;
use crate::source::{Arrival, Blocks, Opened, Position};
use crate::{Form, Reading};

/// Events out of an input: what [`Blocks`] and a [`Parser`] give together.
#[derive(Debug)]
pub struct Feed {
    blocks: Blocks,
    parser: Parser,
    block: Block,
    cursor: Cursor,
    is_ended: bool,
    is_empty: bool,
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
    /// Starts to read events of the types of `schema`.
    pub fn start(opened: Opened, form: Form, schema: &Schema, reading: Reading) -> Feed {
        Feed {
            blocks: Blocks::start(opened, form),
            parser: Parser::new(form, schema, reading),
            block: Block::default(),
            cursor: Cursor::default(),
            is_ended: false,
            is_empty: true,
        }
    }

    /// Reads on in an input that was read before: `opened` is at the position up to which it was
    /// read, and `beginning` is the same input from its start, for the header of CSV.
    ///
    /// # Errors
    /// The beginning cannot be read.
    pub fn resume(
        opened: Opened,
        beginning: Opened,
        form: Form,
        schema: &Schema,
        reading: Reading,
    ) -> io::Result<Feed> {
        let mut first = Feed::start(beginning, form, schema, reading);
        while !first.parser.is_ready() && first.fill()? != Fill::End {
            // The header is no item.
            if let Some(Item::Unreadable(reason)) = first.next_item() {
                return Err(io::Error::other(reason));
            }
        }
        let start = opened.start();
        Ok(Feed {
            blocks: Blocks::start(opened, form),
            parser: first.parser,
            block: Block::empty_at(start),
            cursor: Cursor::default(),
            is_ended: false,
            is_empty: false,
        })
    }

    /// Returns the position in the input of what [`next_item`](Feed::next_item) gives next.
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
    }

    /// The names of the columns; empty where there are none, or not yet.
    pub fn header(&self) -> Vec<String> {
        self.parser.header()
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
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        self.parser.next_item(&self.block, &mut self.cursor)
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
                self.cursor = Cursor::default();
                self.blocks.give_back(std::mem::replace(&mut self.block, block));
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
