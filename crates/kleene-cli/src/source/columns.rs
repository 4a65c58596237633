//! Events out of Parquet and Arrow IPC, decoded by a thread of their own.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kleene::event::EventBatch;
use kleene::schema::Schema;
use kleene::value::Value;
use kleene_arrow::{ColumnReader, ColumnarError, RejectedRow, RowBatch, TimeOrder};
use kleene_input::{Counted, Fill, InputItem, Origin, Position};

use super::detect::is_regular;
use super::input::OpenInput;
use super::plan::ReadPlan;
use crate::args::InputArgs;

/// Returns the first rows of a file with columns as JSON lines.
pub(crate) fn first_rows(path: &Path, rows: usize) -> Result<Vec<u8>> {
    let file =
        File::open(path).with_context(|| format!("cannot open the input {}", path.display()))?;
    kleene_arrow::json_lines(file, rows)
        .with_context(|| format!("cannot read the input {}", path.display()))
}

/// Events out of columns.
pub(crate) struct ColumnFeed {
    requests: Sender<Request>,
    replies: Receiver<Reply>,
    waker: Sender<Reply>,
    /// The maximum number of batches that were asked for and have not come, and their number.
    ahead: usize,
    asked: usize,
    /// What was not read yet of the batch that came last: its rows that are no events come first.
    rejected: VecDeque<RejectedRow>,
    rest: Option<RowBatch>,
    /// The row that is no event and was read last.
    shown: Option<RejectedRow>,
    /// The row of each event of the batch that was read last.
    rows: Vec<u64>,
    /// The number of rows of batches that were read.
    done: u64,
    decoded: Duration,
    disorder: Option<String>,
    is_empty: bool,
    is_ended: bool,
}

enum Request {
    Next,
    /// Other types, and those of them that are declared.
    Types(Box<(Schema, Schema)>),
}

enum Reply {
    /// A batch, and the time that it took to decode it.
    Batch(Box<RowBatch>, Duration),
    End(io::Result<()>),
    Wake,
}

impl ColumnFeed {
    /// Starts to decode.
    pub(super) fn start(
        args: &InputArgs,
        OpenInput { opened, from, .. }: OpenInput,
        plan: &ReadPlan<'_>,
    ) -> Result<ColumnFeed> {
        let reading = args.reading();
        let reader = if is_regular(&args.input) {
            let context = || format!("cannot open the input {}", args.input.display());
            let file = File::open(&args.input).with_context(context)?;
            let counted = Counted::new(file, opened.position);
            ColumnReader::from_seekable(counted, plan.schema, reading)
        } else {
            ColumnReader::from_stream(opened.into_reader(), plan.schema, reading)
        };
        let name = || format!("cannot read the input {}", args.input.display());
        let mut reader = reader.with_context(name)?.with_batch_rows(plan.rows);
        reader.renew(plan.schema, plan.declared).with_context(name)?;
        let disorder =
            if args.out_of_order.is_none() { disorder(reader.time_order()) } else { None };
        let from = from.offset;
        if reader.skip_rows(from).with_context(name)? < from {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).with_context(name);
        }
        let (requests, received) = mpsc::channel();
        let (waker, replies) = mpsc::channel();
        let sender = waker.clone();
        silence_decoders();
        let decoding = thread::Builder::new().name(String::from("decode"));
        decoding.spawn(move || decode(reader, &received, &sender))?;
        Ok(ColumnFeed {
            requests,
            replies,
            waker,
            ahead: plan.ahead,
            asked: 0,
            rejected: VecDeque::new(),
            rest: None,
            shown: None,
            rows: Vec::new(),
            done: from,
            decoded: Duration::ZERO,
            disorder,
            is_empty: true,
            is_ended: false,
        })
    }

    /// Returns the position of the next batch, in rows.
    pub(super) fn position(&self) -> Position {
        Position { offset: self.done, line: self.done + 1 }
    }

    pub(super) fn renew(&mut self, schema: &Schema, declared: &Schema) {
        let types = Box::new((schema.clone(), declared.clone()));
        // Fails if all is decoded.
        let _ = self.requests.send(Request::Types(types));
    }

    pub(super) fn waker(&self) -> impl Fn() + Send + use<> {
        let waker = self.waker.clone();
        move || drop(waker.send(Reply::Wake))
    }

    pub(super) fn disorder(&self) -> Option<&str> {
        self.disorder.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(super) fn decoded(&self) -> Duration {
        self.decoded
    }

    pub(super) fn next_item(&mut self) -> Option<InputItem<'_>> {
        self.shown = self.rejected.pop_front();
        let RejectedRow { row, reason, text, .. } = self.shown.as_mut()?;
        let origin = Origin { line: *row, text: text.as_bytes() };
        Some(InputItem::Rejected(origin, std::mem::take(reason)))
    }

    /// Returns the events of the batch that came last, once its other rows were read.
    pub(super) fn read_batch(
        &mut self,
        mut unknown: impl FnMut(&str),
    ) -> Option<(EventBatch, usize)> {
        if !self.rejected.is_empty() {
            return None;
        }
        let batch = self.rest.take()?;
        for (name, rows) in &batch.unknown {
            (0..*rows).for_each(|_| unknown(name));
        }
        self.rows = batch.rows;
        self.done += batch.row_count;
        Some((batch.events, usize::try_from(batch.row_count).unwrap_or(usize::MAX)))
    }

    pub(super) fn origin(&self, number: usize) -> Option<Origin<'_>> {
        Some(Origin { line: *self.rows.get(number)?, text: b"" })
    }

    pub(super) fn fill_within(&mut self, timeout: Option<Duration>) -> io::Result<Fill> {
        if self.is_ended {
            return Ok(Fill::End);
        }
        while self.asked < self.ahead && self.requests.send(Request::Next).is_ok() {
            self.asked += 1;
        }
        let reply = match timeout {
            None => self.replies.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.replies.recv_timeout(timeout),
        };
        match reply {
            Ok(Reply::Batch(mut batch, took)) => {
                self.asked -= 1;
                self.decoded += took;
                self.is_empty = false;
                self.rejected = std::mem::take(&mut batch.rejected).into();
                self.rest = Some(*batch);
                Ok(Fill::More)
            }
            Ok(Reply::Wake) => Ok(Fill::Woken),
            Err(RecvTimeoutError::Timeout) => Ok(Fill::TimedOut),
            Ok(Reply::End(result)) => {
                self.is_ended = true;
                result.map(|()| Fill::End)
            }
            // `waker` lives as long as this, so there is always someone who could send.
            Err(RecvTimeoutError::Disconnected) => Ok(Fill::End),
        }
    }
}

/// Reports the end where the decoding thread panics: the other one would wait for ever.
struct ReportsEnd<'a>(&'a Sender<Reply>);

impl Drop for ReportsEnd<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = io::Error::other("the thread that decodes has panicked");
            let _ = self.0.send(Reply::End(Err(error)));
        }
    }
}

/// Keeps panics of decoders off the screen: the reader makes an error of a panic over damaged bytes.
fn silence_decoders() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_of_decoder = panic.location().is_some_and(|place| {
            ["/parquet-", "/arrow-"].iter().any(|name| place.file().contains(name))
        });
        if !is_of_decoder || thread::current().name() != Some("decode") {
            before(panic);
        }
    }));
}

/// Decodes a batch for each request.
fn decode(mut reader: ColumnReader, requests: &Receiver<Request>, replies: &Sender<Reply>) {
    let _reports_end = ReportsEnd(replies);
    let failed = |error: ColumnarError| Reply::End(Err(io::Error::other(error)));
    for request in requests {
        let start = Instant::now();
        let reply = match request {
            Request::Types(types) => match reader.renew(&types.0, &types.1) {
                Ok(()) => continue,
                Err(error) => failed(error),
            },
            Request::Next => match reader.next_batch() {
                Ok(Some(batch)) => Reply::Batch(Box::new(batch), start.elapsed()),
                Ok(None) => Reply::End(Ok(())),
                Err(error) => failed(error),
            },
        };
        // Fails if nobody listens any more.
        if replies.send(reply).is_err() {
            return;
        }
    }
}

/// Returns the note on rows that are not in time order, if the statistics of the file say so.
fn disorder(order: TimeOrder) -> Option<String> {
    let TimeOrder::Overlapping { row, millis, .. } = order else { return None };
    let by = Value::Duration(millis);
    Some(format!(
        "the rows are not in time order: row {row} and later ones are up to {by} older than rows \
         before them\nhelp: `--out-of-order {by}` sorts them in memory"
    ))
}
