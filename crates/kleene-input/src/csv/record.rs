//! Finds the end of a record of CSV, and the ends of its cells.
//!
//! Records are split here and not by a CSV library, as input is not trusted: a record has a longest
//! length, and a quote that is never closed costs its own line and not the rest of the input.

use hashbrown::HashSet;
use memchr::{memchr, memchr2};

use crate::reasons::too_long;

/// The cells of a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    /// The text of all cells, where quotes had to be taken away.
    text: String,
    /// The start and the end of each cell.
    ends: Vec<(usize, usize)>,
}

/// A record, split.
pub(crate) struct Row<'a> {
    text: &'a str,
    cells: &'a [(usize, usize)],
}

impl<'a> Row<'a> {
    /// The cell in a column that is there.
    pub(super) fn cell(&self, column: usize) -> &'a str {
        let (start, end) = self.cells[column];
        &self.text[start..end]
    }

    /// Returns the number of cells.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns the cells in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = self.text;
        self.cells.iter().map(move |&(start, end)| &text[start..end])
    }

    /// The names of the columns that this row heads.
    pub(crate) fn header(&self) -> Result<Vec<String>, String> {
        let header: Vec<String> = self.iter().map(|name| name.trim().into()).collect();
        let mut seen = HashSet::with_capacity(header.len());
        match header.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(format!("the CSV header has two columns called `{name}`")),
            None => Ok(()),
        }?;
        drop(seen);
        Ok(header)
    }

    /// Each cell with its column of `header`, which has to have as many.
    pub(crate) fn matched<'h, T>(
        &self,
        header: &'h [T],
    ) -> Result<impl Iterator<Item = (&'h T, &'a str)> + use<'a, 'h, T>, String> {
        self.check_length(header).map(|()| header.iter().zip(self.iter()))
    }

    /// Fails if the row has not as many cells as `header`.
    #[inline]
    pub(crate) fn check_length<T>(&self, header: &[T]) -> Result<(), String> {
        let (wanted, found) = (header.len(), self.cells.len());
        if wanted == found {
            return Ok(());
        }
        Err(format!("expected {wanted} cells as in the header, found {found}"))
    }
}

impl Cells {
    /// Splits a record, given without its line end.
    pub(crate) fn split<'a>(
        &'a mut self,
        record: &'a str,
        has_quotes: bool,
        delimiter: u8,
    ) -> Row<'a> {
        self.ends.clear();
        self.text.clear();
        if has_quotes {
            split_quoted(record, delimiter, self);
            return Row { text: &self.text, cells: &self.ends };
        }
        split_plain(record.as_bytes(), delimiter, &mut self.ends);
        Row { text: record, cells: &self.ends }
    }
}

/// The record at the start of a text.
pub(crate) enum Reach {
    /// A record: its length in bytes with its line end.
    Whole(usize),
    /// A line that is not a record: its length in bytes with its end, and the reason.
    Bad(usize, String),
    /// More has to arrive first.
    Waiting,
}

/// The input after a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Following {
    Nothing,
    More,
}

/// Returns the end of the record at the start of `text`; its first line has a quote in it.
pub(crate) fn reach(text: &[u8], delimiter: u8, limit: usize, following: Following) -> Reach {
    let ended = following == Following::Nothing;
    let reason = match quoted_extent(text, delimiter) {
        Extent::Whole(length) if length <= limit => return Reach::Whole(length),
        Extent::Whole(length) => too_long(length as u64),
        Extent::Endless if ended && text.len() <= limit => return Reach::Whole(text.len()),
        Extent::Endless | Extent::Unclosed if !ended && text.len() <= limit => {
            return Reach::Waiting;
        }
        // Nothing but the start of a line, and too long already.
        Extent::Endless | Extent::Unclosed if !ended && memchr(b'\n', text).is_none() => {
            return Reach::Waiting;
        }
        Extent::Endless => too_long(text.len() as u64),
        Extent::Unclosed => String::from("a quote is opened and never closed"),
    };
    Reach::Bad(memchr(b'\n', text).map_or(text.len(), |end| end + 1), reason)
}

/// Finds the starts and ends of the cells of a record without quotes. Cells are short: looking at
/// eight bytes at once finds their ends sooner than a search for each.
fn split_plain(record: &[u8], delimiter: u8, cells: &mut Vec<(usize, usize)>) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let delimiters = ONES * u64::from(delimiter);
    let mut start = 0;
    let (chunks, rest) = record.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        // The high bit of each byte that is zero, which is where the delimiter was.
        let other = u64::from_le_bytes(*chunk) ^ delimiters;
        let mut found = !(((other & LOW) + LOW) | other | LOW);
        while found != 0 {
            let end = index * 8 + found.trailing_zeros() as usize / 8;
            cells.push((start, end));
            start = end + 1;
            found &= found - 1;
        }
    }
    let before = record.len() - rest.len();
    for (index, byte) in rest.iter().enumerate() {
        if *byte == delimiter {
            cells.push((start, before + index));
            start = before + index + 1;
        }
    }
    cells.push((start, record.len()));
}

/// The end of a record with quotes.
enum Extent {
    /// Its length in bytes with its line end.
    Whole(usize),
    /// Its line does not end.
    Endless,
    /// A quote is not closed.
    Unclosed,
}

/// The extent of the record at the start of `text`.
fn quoted_extent(text: &[u8], delimiter: u8) -> Extent {
    let mut at = 0;
    loop {
        // At the start of a cell: only here does a quote open one.
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let Some(found) = memchr(b'"', &text[at..]) else { return Extent::Unclosed };
                at += found + 1;
                if text.get(at) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
        }
        match memchr2(delimiter, b'\n', &text[at..]) {
            Some(found) if text[at + found] == b'\n' => return Extent::Whole(at + found + 1),
            Some(found) => at += found + 1,
            None => return Extent::Endless,
        }
    }
}

/// The cells of one record without its line end, quotes taken away.
fn split_quoted(record: &str, delimiter: u8, cells: &mut Cells) {
    let delimiter = char::from(delimiter);
    let mut rest = record;
    loop {
        let start = cells.text.len();
        if let Some(mut inner) = rest.strip_prefix('"') {
            loop {
                let (before, after) = inner.split_once('"').unwrap_or((inner, ""));
                cells.text.push_str(before);
                let Some(next) = after.strip_prefix('"') else {
                    rest = after;
                    break;
                };
                cells.text.push('"');
                inner = next;
            }
        }
        // Text behind a closing quote is taken as it is.
        let (before, after) =
            rest.split_once(delimiter).map_or((rest, None), |(b, after)| (b, Some(after)));
        cells.text.push_str(before);
        cells.ends.push((start, cells.text.len()));
        match after {
            Some(after) => rest = after,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Cutter;
    use crate::records::{Cursor, next_record};

    /// The records of `text`, arriving in pieces of `size`, as `line: cell|cell`, or `line!
    /// reason`.
    fn rows(text: &[u8], size: usize, limit: usize) -> Vec<String> {
        let mut cutter = Cutter::new(Some(b','), limit, crate::Position::default());
        let (mut cells, mut found) = (Cells::default(), Vec::new());
        let mut drain = |cutter: &mut Cutter| {
            while let Some(block) = cutter.next() {
                let mut cursor = Cursor::default();
                while let Some(record) = next_record(&block, &mut cursor, b',', limit) {
                    found.push(match record {
                        Ok(record) => {
                            let row = cells.split(record.text, record.has_quotes, b',');
                            let cells: Vec<&str> = row.iter().collect();
                            format!("{}: {}", record.number, cells.join("|"))
                        }
                        Err((place, reason)) => format!("{}! {reason}", place.line),
                    });
                }
            }
        };
        for piece in text.chunks(size) {
            cutter.space()[..piece.len()].copy_from_slice(piece);
            cutter.arrived(piece.len());
            drain(&mut cutter);
        }
        cutter.end();
        drain(&mut cutter);
        found
    }

    /// Returns the time to read a header of `columns` columns; the last name is there twice.
    fn header_time(columns: usize) -> std::time::Duration {
        let mut names: Vec<String> =
            (0..columns).map(|column| format!("column_{column}")).collect();
        names.push(names[0].clone());
        let text = names.join(",");
        let mut cells = Cells::default();
        let start = std::time::Instant::now();
        let error = cells.split(&text, false, b',').header().unwrap_err();
        assert!(error.contains("two columns called `column_0`"), "{error}");
        start.elapsed()
    }

    #[test]
    fn a_header_costs_in_proportion_to_its_columns() {
        let least = |columns| (0..3).map(|_| header_time(columns)).min().unwrap();
        // Four times the columns; a comparison of each with each would take sixteen times as long.
        let fine = || least(40_000) <= 10 * least(10_000).max(std::time::Duration::from_millis(2));
        assert!((0..3).any(|_| fine()));
    }

    #[test]
    fn records_are_the_same_however_the_blocks_are_cut() {
        let text = b"a,b\r\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",5\" pipe\n,\n\xff,1\n\"\"z,\"end\"";
        let expected = [
            "1: a|b",
            "2: x, y|say \"hi\"",
            "3: two\nlines|5\" pipe",
            "5: |",
            "6! not UTF-8 at column 1",
            "7: z|end",
        ];
        for block in 1..=text.len() {
            assert_eq!(rows(text, block, 100), expected, "blocks of {block}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_line() {
        let text = b"a,b\n1,\"x\n2,y\n3,\"z\"\n".as_slice();
        // The stray quote pairs up with the next one; what follows is whole again.
        assert_eq!(rows(text, 7, 100)[..2], ["1: a|b", "2: 1|x\n2,y\n3,z\""]);
        let text = b"a,b\n1,\"x\n2,y\n3,z\n".as_slice();
        let expected = ["1: a|b", "2! a quote is opened and never closed", "3: 2|y", "4: 3|z"];
        assert_eq!(rows(text, 7, 100), expected);
        let long = [text, &b"4,z\n".repeat(100)].concat();
        assert_eq!(rows(&long, 7, 50)[..4], expected);
        assert_eq!(rows(&long, 7, 50).len(), 104);
    }

    #[test]
    fn records_that_are_too_long_are_skipped() {
        let line = "x".repeat(300);
        for (text, expected) in [
            (
                format!("a\n{line}\nb\n"),
                "2! the line is too long: 300 bytes (--max-line allows more)",
            ),
            (format!("a\n\"{line}\"\nb\n"), "2! the line is too long"),
            (format!("a\n\"{line}\nb\n"), "2! "),
        ] {
            for block in [7, 1000] {
                let found = rows(text.as_bytes(), block, 100);
                assert_eq!((found.len(), &*found[0], &*found[2]), (3, "1: a", "3: b"), "{found:?}");
                assert!(found[1].starts_with(expected), "{found:?}");
            }
        }
    }

    #[test]
    fn cells_are_found_at_any_place() {
        for length in 0..40_usize {
            for pattern in 0..200_usize {
                let byte = |at: usize| b",a\x01-.\xac"[(at * pattern + at * at * 7 + pattern) % 6];
                let record: Vec<u8> = (0..length).map(byte).collect();
                let mut cells = Vec::new();
                split_plain(&record, b',', &mut cells);
                let found: Vec<&[u8]> =
                    cells.iter().map(|&(start, end)| &record[start..end]).collect();
                let expected: Vec<&[u8]> = record.split(|b| *b == b',').collect();
                assert_eq!(found, expected);
            }
        }
    }
}
