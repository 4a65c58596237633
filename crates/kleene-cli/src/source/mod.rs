//! The events of an input: lines of text, or rows of columns.

#[cfg(feature = "arrow")]
mod columns;
mod detect;
mod input;
mod plan;
pub(crate) mod topic;

use std::io;
use std::time::Duration;

use anyhow::Result;
use kleene::event::EventBatch;
use kleene::schema::Schema;
use kleene_input::{Feed, Fill, InputItem, Origin, Position};

#[cfg(feature = "arrow")]
use self::columns::ColumnFeed;
#[cfg(feature = "arrow")]
pub(crate) use self::columns::first_rows;
pub(crate) use self::detect::columns_of_file;
pub(crate) use self::input::{OpenInput, RowName};
pub(crate) use self::plan::ReadPlan;
use crate::args::InputArgs;

/// Returns the first rows of a file with columns as JSON lines.
#[cfg(not(feature = "arrow"))]
pub(crate) fn first_rows(_: &std::path::Path, _: usize) -> Result<Vec<u8>> {
    anyhow::bail!(detect::NOT_BUILT_IN)
}

/// The events of an input.
pub(crate) enum EventSource {
    /// JSON lines or CSV.
    Text(Box<Feed>),
    /// Parquet or Arrow IPC.
    #[cfg(feature = "arrow")]
    Columns(Box<ColumnFeed>),
}

impl EventSource {
    /// Starts to read an input.
    pub(crate) fn start(
        args: &InputArgs,
        input: OpenInput,
        plan: &ReadPlan<'_>,
    ) -> Result<EventSource> {
        #[cfg(feature = "arrow")]
        if input.row_name == RowName::Row {
            return Ok(EventSource::Columns(Box::new(ColumnFeed::start(args, input, plan)?)));
        }
        let mut parser = args.parser(plan.schema);
        parser.renew(plan.schema, plan.declared);
        Ok(EventSource::Text(Box::new(args.start(input.opened, parser, plan.parsing)?)))
    }

    /// Returns the position of what comes next.
    pub(crate) fn position(&self) -> Position {
        match self {
            EventSource::Text(feed) => feed.position(),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.position(),
        }
    }

    /// Continues with the types of `schema` that are also declared.
    pub(crate) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        match self {
            EventSource::Text(feed) => feed.renew(schema, declared),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.renew(schema, declared),
        }
    }

    /// Returns the names of the columns of CSV; empty for other formats, or if they are not known
    /// yet.
    pub(crate) fn header(&self) -> Vec<String> {
        match self {
            EventSource::Text(feed) => feed.header(),
            #[cfg(feature = "arrow")]
            EventSource::Columns(_) => Vec::new(),
        }
    }

    /// Returns a function that makes a waiting [`fill`](EventSource::fill) return.
    pub(crate) fn waker(&self) -> Box<dyn Fn() + Send> {
        match self {
            EventSource::Text(feed) => Box::new(feed.waker()),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => Box::new(feed.waker()),
        }
    }

    /// True if nothing at all was in the input so far.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            EventSource::Text(feed) => feed.is_empty(),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.is_empty(),
        }
    }

    /// Returns the next item that is not in a batch, of the input that has arrived.
    #[inline]
    pub(crate) fn next_item(&mut self) -> Option<InputItem<'_>> {
        match self {
            EventSource::Text(feed) => feed.next_item(),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.next_item(),
        }
    }

    /// Returns the number of lines that [`next_item`](EventSource::next_item) reads. Rows are counted
    /// with the batch that they come with, so that no checkpoint divides it.
    pub(crate) fn lines_of_item(&self) -> usize {
        match self {
            EventSource::Text(_) => 1,
            #[cfg(feature = "arrow")]
            EventSource::Columns(_) => 0,
        }
    }

    /// Reads a batch of up to `limit` lines of the input that has arrived, or the next rows; `None` if
    /// the next line or row is no event, or all was read. `unknown` gets the type of each event that
    /// no rule file declares. Returns the number of lines or rows as well.
    pub(crate) fn read_batch(
        &mut self,
        limit: usize,
        unknown: impl FnMut(&str),
    ) -> Option<(EventBatch, usize)> {
        match self {
            EventSource::Text(feed) => feed.read_batch(limit, unknown),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.read_batch(unknown),
        }
    }

    /// Returns the line or row of an event of the batch that was read last, by the number of the
    /// event. A row has no text.
    pub(crate) fn origin(&self, number: usize) -> Option<Origin<'_>> {
        match self {
            EventSource::Text(feed) => feed.origin(number),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.origin(number),
        }
    }

    /// Takes back the batch that was read last, once nothing more of it is needed.
    pub(crate) fn give_back(&mut self, batch: EventBatch) {
        match self {
            EventSource::Text(feed) => feed.give_back(batch),
            #[cfg(feature = "arrow")]
            EventSource::Columns(_) => drop(batch),
        }
    }

    /// Returns the time that another thread took to parse or decode.
    pub(crate) fn parsed_ahead(&self) -> Duration {
        match self {
            EventSource::Text(feed) => feed.parsed_ahead(),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.decoded(),
        }
    }

    /// Returns the note on rows that are not in time order, if the input says so itself.
    pub(crate) fn disorder(&self) -> Option<&str> {
        match self {
            EventSource::Text(_) => None,
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.disorder(),
        }
    }

    /// Waits for more input. What has arrived before has to be used up.
    ///
    /// # Errors
    /// The input cannot be read any further.
    pub(crate) fn fill(&mut self) -> io::Result<Fill> {
        self.fill_within(None)
    }

    /// Waits for more input, for this long at most.
    ///
    /// # Errors
    /// As for [`fill`](EventSource::fill).
    pub(crate) fn fill_within(&mut self, timeout: Option<Duration>) -> io::Result<Fill> {
        match self {
            EventSource::Text(feed) => feed.fill_within(timeout),
            #[cfg(feature = "arrow")]
            EventSource::Columns(feed) => feed.fill_within(timeout),
        }
    }
}
