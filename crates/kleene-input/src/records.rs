//! The lines of a block, or the records where it is CSV.

use memchr::{memchr, memchr_iter};

use crate::block::{Block, Content};
use crate::csv::{Following, Reach, reach};
use crate::reasons::{not_utf8, too_long};

/// The number of bytes that are kept for messages from a line that is too long.
const KEPT: usize = 256;

/// The line of the input that an event or an error comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The line, from 1.
    pub line: u64,
    /// The text of the line; its start if the line is too long.
    pub text: &'a [u8],
}

/// The place up to which a block is parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    /// The number of its bytes that were read.
    at: usize,
    /// The number of its lines that were read.
    lines: u64,
    /// There is no quote between `at` and here.
    quote: usize,
}

impl Cursor {
    /// Returns the number of bytes of the block that were parsed.
    pub fn bytes(&self) -> usize {
        self.at
    }

    /// Returns the number of lines of the block that were parsed.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Moves to the end of the block. Returns false if it is there already.
    pub(crate) fn skip_rest(&mut self, block: &Block) -> bool {
        let rest = &block.bytes()[self.at..];
        self.lines += memchr_iter(b'\n', rest).count() as u64;
        self.lines += u64::from(rest.last().is_some_and(|last| *last != b'\n'));
        self.at += rest.len();
        !rest.is_empty()
    }

    /// Advances by a number of bytes and lines. Returns the number of the first of the lines.
    fn advance(&mut self, block: &Block, bytes: usize, lines: u64) -> u64 {
        let line = block.line() + self.lines;
        self.at += bytes;
        self.lines += lines;
        line
    }
}

/// A line or a record without its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) number: u64,
    pub(crate) text: &'a str,
    /// True if there is a quote in it; only reported for records.
    pub(crate) has_quotes: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn origin(&self) -> Origin<'a> {
        Origin { line: self.number, text: self.text.as_bytes() }
    }
}

/// A line that cannot be read, and the reason.
pub(crate) type Bad<'a> = (Origin<'a>, String);

/// The next line of JSON lines.
pub(crate) fn next_line<'a>(
    block: &'a Block,
    cursor: &mut Cursor,
    limit: usize,
) -> Option<Result<Line<'a>, Bad<'a>>> {
    let bytes = match rest(block, cursor)? {
        Ok(bytes) => bytes,
        Err(bad) => return Some(Err(bad)),
    };
    let end = memchr(b'\n', bytes);
    line(block, cursor, bytes, end, limit)
}

/// The next record of CSV.
pub(crate) fn next_record<'a>(
    block: &'a Block,
    cursor: &mut Cursor,
    delimiter: u8,
    limit: usize,
) -> Option<Result<Line<'a>, Bad<'a>>> {
    let bytes = match rest(block, cursor)? {
        Ok(bytes) => bytes,
        Err(bad) => return Some(Err(bad)),
    };
    let end = memchr(b'\n', bytes);
    let length = end.unwrap_or(bytes.len());
    if cursor.quote < cursor.at + length {
        let from = cursor.quote.max(cursor.at) - cursor.at;
        cursor.quote = cursor.at + memchr(b'"', &bytes[from..]).map_or(bytes.len(), |at| from + at);
    }
    if cursor.quote >= cursor.at + length {
        return line(block, cursor, bytes, end, limit);
    }
    match reach(bytes, delimiter, limit, Following::Nothing) {
        Reach::Whole(length) => {
            let lines = memchr_iter(b'\n', &bytes[..length]).count() as u64;
            whole(block, cursor, (length, lines), Quotes::Possible)
        }
        // As `reach` was reported that nothing follows, it waits for nothing.
        Reach::Waiting => whole(block, cursor, (bytes.len(), 1), Quotes::Possible),
        Reach::Bad(length, reason) => {
            let text = &bytes[..length.min(limit)];
            Some(Err((Origin { line: cursor.advance(block, length, 1), text }, reason)))
        }
    }
}

/// Returns the rest of a block, or the reason why it cannot be read.
fn rest<'a>(block: &'a Block, cursor: &mut Cursor) -> Option<Result<&'a [u8], Bad<'a>>> {
    let bytes = match block.content() {
        Content::Text(text) => text.as_bytes(),
        Content::Bytes(bytes) => bytes,
        Content::Bad(text, reason) if cursor.lines == 0 => {
            let line = cursor.advance(block, text.len(), 1);
            return Some(Err((Origin { line, text }, reason.clone())));
        }
        Content::Bad(..) => return None,
    };
    (cursor.at < bytes.len()).then(|| Ok(&bytes[cursor.at..]))
}

/// Whether a line may have quotes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quotes {
    Absent,
    Possible,
}

/// The line at the start of `bytes`, which ends at `end`.
///
/// It and [`whole`] return what their callers return: something else would be copied, and a processor
/// waits long for what is read as a whole right after it was written in parts.
fn line<'a>(
    block: &'a Block,
    cursor: &mut Cursor,
    bytes: &'a [u8],
    end: Option<usize>,
    limit: usize,
) -> Option<Result<Line<'a>, Bad<'a>>> {
    let length = end.unwrap_or(bytes.len());
    let next = length + usize::from(end.is_some());
    if length > limit {
        let text = &bytes[..length.min(KEPT)];
        let line = cursor.advance(block, next, 1);
        return Some(Err((Origin { line, text }, too_long(length as u64))));
    }
    whole(block, cursor, (next, 1), Quotes::Absent)
}

/// The next `length` bytes, line end included, as text.
#[expect(clippy::unnecessary_wraps, reason = "see `line`")]
fn whole<'a>(
    block: &'a Block,
    cursor: &mut Cursor,
    (length, lines): (usize, u64),
    quotes: Quotes,
) -> Option<Result<Line<'a>, Bad<'a>>> {
    let start = cursor.at;
    let line = cursor.advance(block, length, lines);
    let text = match block.content() {
        Content::Text(text) => {
            let text = &text[start..start + length];
            let text = text.strip_suffix('\n').unwrap_or(text);
            text.strip_suffix('\r').unwrap_or(text)
        }
        Content::Bytes(bytes) | Content::Bad(bytes, _) => {
            let text = &bytes[start..start + length];
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            match str::from_utf8(text) {
                Ok(text) => text,
                Err(error) => return Some(Err((Origin { line, text }, not_utf8(&error)))),
            }
        }
    };
    Some(Ok(Line { number: line, text, has_quotes: quotes == Quotes::Possible }))
}
