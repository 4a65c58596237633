//! Places as editors count them: lines from 0, and UTF-16 code units in a line.

use gen_lsp_types::{Position, Range};
use kleene::diagnostic::Span;
use kleene_language::diagnostics::widened;

/// The lines of a text.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    /// The byte at which each line starts.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// The lines of `text`, which end with `\n`, `\r\n` or `\r`.
    pub(super) fn new(text: &'t str) -> Lines<'t> {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if ends {
                starts.push(at + 1);
            }
        }
        Lines { text, starts }
    }

    /// The place of a byte.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let before = self.text.get(self.start(line)..offset).unwrap_or_default();
        let units: usize = before.chars().map(char::len_utf16).sum();
        let clamp = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: clamp(line), character: clamp(units) }
    }

    /// The range of a span. An empty one is widened to the character behind or before it, as
    /// editors underline nothing of it.
    pub(super) fn range(&self, span: Span) -> Range {
        let (start, end) = widened(self.text, span);
        Range { start: self.position(start), end: self.position(end) }
    }

    /// The byte at a place; beyond the end of its line it is that end.
    pub(super) fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        if line >= self.starts.len() {
            return self.text.len();
        }
        let start = self.start(line);
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        let mut units = 0;
        for (at, c) in text.char_indices() {
            if units >= position.character as usize {
                return start + at;
            }
            units += c.len_utf16();
        }
        start + text.len()
    }

    /// All of the text.
    pub(super) fn all(&self) -> Range {
        Range { start: Position::default(), end: self.position(self.text.len()) }
    }

    fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf_16_units() {
        // One unit, two units, a line end of two bytes, one of one, and no end.
        let text = "a\u{e9}\u{1f600}b\r\n\u{1f600}x\rlast";
        let lines = Lines::new(text);
        let places =
            [(0, 0, 0), (1, 0, 1), (3, 0, 2), (7, 0, 4), (10, 1, 0), (14, 1, 2), (16, 2, 0)];
        for (offset, line, character) in places {
            let position = Position { line, character };
            assert_eq!(lines.position(offset), position, "{offset}");
            assert_eq!(lines.offset(position), offset, "{offset}");
        }
        let end = Position { line: 2, character: 4 };
        assert_eq!((lines.position(99), lines.all().end), (end, end));
        // Positions out of range, or in the middle of a character.
        assert_eq!(lines.offset(Position { line: 0, character: 99 }), 8);
        assert_eq!(lines.offset(Position { line: 9, character: 0 }), text.len());
        assert_eq!(lines.offset(Position { line: 0, character: 3 }), 7);
        assert_eq!(lines.position(5), Position { line: 0, character: 2 });
    }

    #[test]
    fn nothing_is_widened_to_something() {
        let lines = Lines::new("ab\n");
        let at = |start, end| (lines.position(start), lines.position(end));
        let range = |start, end| {
            let range = lines.range(Span::new(start, end));
            (range.start, range.end)
        };
        assert_eq!(range(0, 2), at(0, 2));
        assert_eq!(range(1, 1), at(1, 2));
        assert_eq!(range(2, 2), at(1, 2));
        let empty = Lines::new("").range(Span::default());
        assert_eq!(empty.start, empty.end);
    }
}
