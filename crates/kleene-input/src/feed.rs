//! Events out of an input, one after the other.

use std::io;

use kleene::schema::Schema;

use crate::block::Block;
use crate::parser::{Item, Parser};
use crate::records::Cursor;
use crate::source::{Arrival, Blocks, Opened};
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

/// What [`Feed::fill`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fill {
    /// There may be more items.
    More,
    /// There is nothing more.
    End,
    /// Someone wants attention.
    Woken,
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

    /// Goes on with events of the types of `schema` that are declared as well.
    pub fn renew(&mut self, schema: &Schema, declared: &Schema) {
        self.parser.renew(schema, declared);
    }

    /// A function that makes a waiting [`fill`](Feed::fill) return.
    pub fn waker(&self) -> impl Fn() + Send + use<> {
        self.blocks.waker()
    }

    /// Whether nothing at all was in the input so far.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// What is next in the input that has arrived; `None` if that is used up, and
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
        if self.is_ended {
            return Ok(Fill::End);
        }
        match self.blocks.wait()? {
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
        }
    }
}
