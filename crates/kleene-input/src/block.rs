//! Blocks of whole lines out of the bytes that arrive.

use memchr::{memchr, memchr_iter, memrchr};

use crate::csv::{Following, Reach, reach};
use crate::position::Position;
use crate::reasons::too_long;

/// The number of bytes of one read.
const SIZE: usize = 256 << 10;

/// The number of bytes that are kept for messages from a line that is too long.
const KEPT: usize = 256;

/// A piece of an input that ends where a line ends (in CSV: a record). It can be parsed on its own.
#[derive(Clone, Debug)]
pub struct Block {
    content: Content,
    /// The start in the unpacked input, in bytes.
    offset: u64,
    /// The end there: a line that is not kept whole is longer than its content.
    end: u64,
    /// The number of its first line, from 1.
    line: u64,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    /// Lines of UTF-8.
    Text(String),
    /// Lines; some are not UTF-8.
    Bytes(Vec<u8>),
    /// The start of a line that cannot be read, and why.
    Bad(Vec<u8>, String),
}

impl Block {
    /// Makes a block of whole lines; the first has the number `line`.
    pub fn new(bytes: Vec<u8>, line: u64) -> Block {
        let end = bytes.len() as u64;
        Block { content: Content::of(bytes), offset: 0, end, line }
    }

    /// No lines.
    pub(crate) fn empty_at(position: Position) -> Block {
        let Position { offset, line } = position;
        Block { offset, end: offset, line, ..Block::default() }
    }

    /// Returns the memory of its lines, to be used for other lines.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.content {
            Content::Text(text) => text.into_bytes(),
            Content::Bytes(bytes) | Content::Bad(bytes, _) => bytes,
        }
    }

    /// The start in the unpacked input, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The end in the unpacked input, in bytes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The number of its first line, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns the size of its memory, in bytes.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.capacity(),
            Content::Bytes(bytes) | Content::Bad(bytes, _) => bytes.capacity(),
        }
    }

    /// Its lines; of a line that cannot be read, the start.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) | Content::Bad(bytes, _) => bytes,
        }
    }

    /// Returns the end in the unpacked input, if nothing of the block can be read.
    pub(crate) fn end_if_bad(&self) -> Option<u64> {
        matches!(self.content, Content::Bad(..)).then_some(self.end)
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }
}

impl Default for Block {
    /// No lines.
    fn default() -> Block {
        Block::new(Vec::new(), 1)
    }
}

impl Content {
    fn of(bytes: Vec<u8>) -> Content {
        match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        }
    }
}

/// Cuts what arrives into blocks. Holds at most one line of the longest length that is allowed (in
/// CSV: one record), and what came with it.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// The separator of the cells of CSV; `None` for JSON lines.
    delimiter: Option<u8>,
    limit: usize,
    buffer: Vec<u8>,
    /// The number of bytes of `buffer` that have arrived.
    filled: usize,
    /// The start of `buffer` in the input.
    offset: u64,
    /// The number of the line that `buffer` starts with.
    line: u64,
    ended: bool,
    /// The line that is being skipped, as it is too long.
    long: Option<Long>,
    /// Memory of blocks that were used.
    spent: Vec<Vec<u8>>,
}

/// A line that is too long: only its length and its start are kept.
#[derive(Debug)]
struct Long {
    length: u64,
    start: Vec<u8>,
}

impl Cutter {
    /// Nothing has arrived yet of what begins at `start`. Lines longer than `limit` bytes are not
    /// kept.
    pub(crate) fn new(delimiter: Option<u8>, limit: usize, start: Position) -> Cutter {
        Cutter {
            delimiter,
            limit,
            buffer: Vec::new(),
            filled: 0,
            offset: start.offset,
            line: start.line,
            ended: false,
            long: None,
            spent: Vec::new(),
        }
    }

    /// Returns the room for the next bytes of the input; [`arrived`](Cutter::arrived) then takes
    /// their number.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.resize(self.filled + SIZE, 0);
        &mut self.buffer[self.filled..]
    }

    /// Counts more bytes in the buffer.
    pub(crate) fn arrived(&mut self, count: usize) {
        let is_first = self.offset == 0 && self.filled < BOM.len();
        self.filled += count;
        // A byte order mark says nothing in UTF-8.
        if is_first && self.buffer[..self.filled].starts_with(BOM) {
            self.drop_front(BOM.len());
        }
    }

    /// Marks the end of the input: the remaining bytes are the last line.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Takes back the memory of a used block.
    pub(crate) fn reuse(&mut self, block: Block) {
        let memory = block.into_bytes();
        if memory.capacity() >= SIZE {
            self.spent.push(memory);
        }
    }

    /// The next block, if its end has arrived.
    pub(crate) fn next(&mut self) -> Option<Block> {
        if self.long.is_some() {
            return self.skip();
        }
        let waiting = &self.buffer[..self.filled];
        let cut = match self.delimiter {
            None => lines(waiting, self.ended),
            Some(delimiter) => match records(waiting, delimiter, self.limit, self.ended) {
                Cut::At(length) => length,
                Cut::Bad(length, reason) => {
                    let line = &waiting[..length.min(self.limit)];
                    let content = Content::Bad(line.to_vec(), reason);
                    let end = self.offset + length as u64;
                    let block = Block { content, offset: self.offset, end, line: self.line };
                    self.drop_front(length);
                    self.line += 1;
                    return Some(block);
                }
            },
        };
        if cut > 0 {
            return Some(self.take(cut));
        }
        if self.filled > self.limit && memchr(b'\n', waiting).is_none() {
            self.long = Some(Long { length: 0, start: start_of(waiting) });
            return self.skip();
        }
        None
    }

    /// Skips to the end of a line that is too long.
    fn skip(&mut self) -> Option<Block> {
        let waiting = &self.buffer[..self.filled];
        let end = memchr(b'\n', waiting);
        let length = end.unwrap_or(waiting.len());
        let long = self.long.as_mut()?;
        long.length += length as u64;
        self.drop_front(length + usize::from(end.is_some()));
        if end.is_none() && !self.ended {
            return None;
        }
        let Long { length, start } = self.long.take()?;
        let offset = self.offset - length - u64::from(end.is_some());
        let content = Content::Bad(start, too_long(length));
        let block = Block { content, offset, end: self.offset, line: self.line };
        self.line += 1;
        Some(block)
    }

    /// The first `length` bytes as a block of lines.
    fn take(&mut self, length: usize) -> Block {
        let mut rest = self.spent.pop().unwrap_or_default();
        rest.clear();
        rest.extend_from_slice(&self.buffer[length..self.filled]);
        let mut bytes = std::mem::replace(&mut self.buffer, rest);
        bytes.truncate(length);
        self.filled -= length;
        let lines = memchr_iter(b'\n', &bytes).count() as u64;
        let end = self.offset + length as u64;
        let content = Content::of(bytes);
        let block = Block { content, offset: self.offset, end, line: self.line };
        self.offset = end;
        self.line += lines;
        block
    }

    fn drop_front(&mut self, length: usize) {
        self.buffer.copy_within(length..self.filled, 0);
        self.filled -= length;
        self.offset += length as u64;
    }
}

/// The byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

fn start_of(line: &[u8]) -> Vec<u8> {
    line[..line.len().min(KEPT)].to_vec()
}

/// Returns the number of bytes of `waiting` that are whole lines.
fn lines(waiting: &[u8], ended: bool) -> usize {
    if ended { waiting.len() } else { memrchr(b'\n', waiting).map_or(0, |end| end + 1) }
}

/// The end of the whole records.
enum Cut {
    At(usize),
    /// The first line, of this length including its end, is not a record.
    Bad(usize, String),
}

/// Returns the number of bytes of `waiting` that are whole records of CSV.
fn records(waiting: &[u8], delimiter: u8, limit: usize, ended: bool) -> Cut {
    let mut at = 0;
    loop {
        let rest = &waiting[at..];
        let Some(quote) = memchr(b'"', rest) else { return Cut::At(at + lines(rest, ended)) };
        at += memrchr(b'\n', &rest[..quote]).map_or(0, |end| end + 1);
        let following = if ended { Following::Nothing } else { Following::More };
        match reach(&waiting[at..], delimiter, limit, following) {
            Reach::Whole(length) => at += length,
            Reach::Bad(length, reason) if at == 0 => return Cut::Bad(length, reason),
            // The records before this one are reported first.
            Reach::Waiting | Reach::Bad(..) => return Cut::At(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All blocks of `text` in pieces of `size`, as `line@offset: content`.
    fn cut(text: &[u8], size: usize, delimiter: Option<u8>, limit: usize) -> Vec<String> {
        let mut cutter = Cutter::new(delimiter, limit, Position::default());
        let mut all = Vec::new();
        let mut drain = |cutter: &mut Cutter| {
            while let Some(block) = cutter.next() {
                let content = match block.content() {
                    Content::Text(text) => text.clone(),
                    Content::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Content::Bad(start, reason) => format!("{}! {reason}", start.len()),
                };
                all.push((block.line(), block.offset(), content));
                cutter.reuse(block);
            }
        };
        for piece in text.chunks(size) {
            cutter.space()[..piece.len()].copy_from_slice(piece);
            cutter.arrived(piece.len());
            drain(&mut cutter);
        }
        cutter.end();
        drain(&mut cutter);
        // Blocks that follow each other say the same as one.
        let mut joined: Vec<(u64, u64, String)> = Vec::new();
        for (line, offset, content) in all {
            match joined.last_mut() {
                Some((.., last)) if last.ends_with('\n') && !content.contains('!') => {
                    last.push_str(&content);
                }
                _ => joined.push((line, offset, content)),
            }
        }
        joined.into_iter().map(|(line, offset, text)| format!("{line}@{offset}: {text}")).collect()
    }

    #[test]
    fn blocks_say_the_same_however_the_input_arrives() {
        let text = b"\xef\xbb\xbfone\ntwo\r\n\nfour is long\nfive".as_slice();
        for size in 1..=text.len() {
            let found = cut(text, size, None, 8);
            // A line that came with its end is left to the parser.
            if found != ["1@3: one\ntwo\r\n\nfour is long\nfive"] {
                assert_eq!(
                    (found.len(), &*found[0], &*found[2]),
                    (3, "1@3: one\ntwo\r\n\n", "5@26: five")
                );
                assert!(found[1].starts_with("4@13: "), "{found:?}");
                assert!(
                    found[1].ends_with("! the line is too long: 12 bytes (--max-line allows more)")
                );
            }
        }
    }

    #[test]
    fn records_stay_whole() {
        let text = b"a,b\n\"x\ny\",1\n2,\"never\nclosed,\n3,4".as_slice();
        for size in 1..=text.len() {
            assert_eq!(
                cut(text, size, Some(b','), 100),
                [
                    "1@0: a,b\n\"x\ny\",1\n",
                    "4@12: 9! a quote is opened and never closed",
                    "5@21: closed,\n3,4"
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held() {
        let mut cutter = Cutter::new(None, 1000, Position::default());
        for _ in 0..10_000 {
            cutter.space()[..1000].fill(b'x');
            cutter.arrived(1000);
            assert!(cutter.next().is_none());
            assert!(cutter.filled <= 2000);
        }
        cutter.space()[..6].copy_from_slice(b"\nnext\n");
        cutter.arrived(6);
        let block = cutter.next().expect("the long line is reported");
        let reason = "the line is too long: 10000000 bytes (--max-line allows more)";
        assert_eq!(block.content, Content::Bad(vec![b'x'; KEPT], String::from(reason)));
        let block = cutter.next().expect("the line after it is whole");
        assert_eq!((block.line, block.content), (2, Content::Text(String::from("next\n"))));
    }

    #[test]
    fn an_empty_input_has_no_blocks() {
        assert_eq!(cut(b"", 1, None, 8), [""; 0]);
        assert_eq!(cut(b"\n", 1, None, 8), ["1@0: \n"]);
    }
}
