//! Lines of bounded length out of the blocks that arrive, with their numbers.

use memchr::memchr;

/// How much of a line that is too long is kept for messages.
const KEPT: usize = 256;

/// Splits blocks into lines. Holds at most one line of the longest length that is allowed, and the
/// blocks that came with it.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// No line ends between `start` and here.
    scanned: usize,
    /// The number of the next line, from 1.
    number: u64,
    limit: usize,
    ended: bool,
    /// The line that is being skipped, as it is too long.
    long: Option<Long>,
}

#[derive(Debug)]
struct Long {
    length: u64,
    start: Vec<u8>,
}

/// A line without its end.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line<'a> {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// What is in it.
    pub(crate) content: Content<'a>,
}

/// What is in a line.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Content<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It is longer than allowed and was not kept.
    TooLong {
        /// How many bytes it has.
        length: u64,
        /// The first of them.
        start: Vec<u8>,
    },
}

impl Lines {
    /// No input yet; lines longer than `limit` bytes are skipped.
    pub(crate) fn new(limit: usize) -> Lines {
        Lines {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            number: 1,
            limit,
            ended: false,
            long: None,
        }
    }

    /// The next block of the input.
    pub(crate) fn push(&mut self, block: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(block);
        // A byte order mark says nothing in UTF-8.
        if self.number == 1 && self.scanned == 0 && self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.start = 3;
            self.scanned = 3;
        }
    }

    /// There is no more input: what is left is the last line.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next whole line, if it has arrived.
    pub(crate) fn line(&mut self) -> Option<Line<'_>> {
        let number = self.number;
        let (end, next) = self.peek()?;
        let start = self.start;
        if let Some(long) = self.long.take() {
            let length = long.length + (end - start) as u64;
            self.consume(next, 1);
            return Some(Line { number, content: Content::TooLong { length, start: long.start } });
        }
        self.consume(next, 1);
        if end - start > self.limit {
            let text = &self.buffer[start..end];
            let content = Content::TooLong {
                length: text.len() as u64,
                start: text[..text.len().min(KEPT)].to_vec(),
            };
            return Some(Line { number, content });
        }
        let text = &self.buffer[start..end];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some(Line { number, content: Content::Whole(text) })
    }

    /// Where the next line ends, and where the one after it starts, if it has arrived.
    fn peek(&mut self) -> Option<(usize, usize)> {
        if let Some(found) = memchr(b'\n', &self.buffer[self.scanned..]) {
            let end = self.scanned + found;
            self.scanned = end;
            return Some((end, end + 1));
        }
        let end = self.buffer.len();
        self.scanned = end;
        if self.ended {
            return (end > self.start || self.long.is_some()).then_some((end, end));
        }
        let waiting = &self.buffer[self.start..];
        if let Some(long) = &mut self.long {
            long.length += waiting.len() as u64;
            self.start = end;
        } else if waiting.len() > self.limit {
            let start = waiting[..waiting.len().min(KEPT)].to_vec();
            self.long = Some(Long { length: waiting.len() as u64, start });
            self.start = end;
        }
        None
    }

    fn consume(&mut self, next: usize, lines: u64) {
        self.start = next;
        self.scanned = next;
        self.number += lines;
    }

    /// All that has arrived from the start of the next line on, unless that line is too long.
    pub(crate) fn waiting(&self) -> &[u8] {
        if self.long.is_some() { &[] } else { &self.buffer[self.start..] }
    }

    /// Whether the end of the input has arrived.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// The longest line that is allowed.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes the first `length` bytes of [`waiting`](Lines::waiting) as one piece, which ends where
    /// a line ends. Gives the number of its first line.
    pub(crate) fn take(&mut self, length: usize) -> (u64, &[u8]) {
        let (number, start) = (self.number, self.start);
        let lines = memchr::memchr_iter(b'\n', &self.buffer[start..start + length]).count();
        self.consume(start + length, lines as u64);
        (number, &self.buffer[start..start + length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(blocks: &[&[u8]], limit: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(limit);
        let mut found = Vec::new();
        let mut drain = |lines: &mut Lines| {
            while let Some(line) = lines.line() {
                let text = match line.content {
                    Content::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                    Content::TooLong { length, start } => {
                        format!("{length} bytes: {}", String::from_utf8_lossy(&start))
                    }
                };
                found.push((line.number, text));
            }
        };
        for block in blocks {
            lines.push(block);
            drain(&mut lines);
        }
        lines.end();
        drain(&mut lines);
        found
    }

    #[test]
    fn lines_are_the_same_however_the_blocks_are_cut() {
        let text = b"\xef\xbb\xbfone\ntwo\r\n\nfour is long\nfive".as_slice();
        let expected: Vec<(u64, String)> =
            [(1, "one"), (2, "two"), (3, ""), (4, "12 bytes: four is long"), (5, "five")]
                .map(|(number, text)| (number, String::from(text)))
                .to_vec();
        assert_eq!(split(&[text], 8), expected);
        for size in 3..text.len() {
            let blocks: Vec<&[u8]> = text.chunks(size).collect();
            let mut found = split(&blocks, 8);
            // Of a line that is too long as much is kept as had arrived.
            found[3].1 = expected[3].1.clone();
            assert_eq!(found, expected, "blocks of {size}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held() {
        let mut lines = Lines::new(1000);
        for _ in 0..10_000 {
            lines.push(&[b'x'; 1000]);
            assert_eq!(lines.line(), None);
            assert!(lines.buffer.len() <= 2000);
        }
        lines.push(b"\nnext\n");
        let Some(Line { number: 1, content: Content::TooLong { length, start } }) = lines.line()
        else {
            panic!("the long line is told");
        };
        assert_eq!((length, start.len()), (10_000_000, KEPT));
        assert_eq!(lines.line(), Some(Line { number: 2, content: Content::Whole(b"next") }));
    }

    #[test]
    fn an_empty_input_has_no_lines() {
        assert_eq!(split(&[], 8), []);
        assert_eq!(split(&[b""], 8), []);
        assert_eq!(split(&[b"\n"], 8), [(1, String::new())]);
    }
}
