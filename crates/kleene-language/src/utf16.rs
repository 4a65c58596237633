//! Places in a text as JavaScript counts them: UTF-16 code units from its start.

/// A text whose places are turned from bytes to UTF-16 code units and back.
#[derive(Clone, Debug)]
pub struct Utf16<'t> {
    text: &'t str,
    /// A mark behind each block of bytes, at the start of a character: the byte, and the units
    /// before it. Empty if all of it is ASCII, where both numbers are equal.
    marks: Vec<(usize, usize)>,
}

/// So many bytes are gone through for one place at most.
const STEP: usize = 256;

impl<'t> Utf16<'t> {
    /// The places of `text`.
    pub fn new(text: &'t str) -> Utf16<'t> {
        let mut marks = Vec::new();
        if !text.is_ascii() {
            let (mut next, mut units) = (0, 0);
            for (at, c) in text.char_indices() {
                if at >= next {
                    marks.push((at, units));
                    next = at + STEP;
                }
                units += c.len_utf16();
            }
        }
        Utf16 { text, marks }
    }

    /// The units before a byte.
    pub fn unit(&self, byte: usize) -> usize {
        let byte = self.text.floor_char_boundary(byte.min(self.text.len()));
        let Some(mark) = self.marks.partition_point(|(at, _)| *at <= byte).checked_sub(1) else {
            return byte;
        };
        let (at, units) = self.marks[mark];
        let between = self.text.get(at..byte).unwrap_or_default();
        units + between.chars().map(char::len_utf16).sum::<usize>()
    }

    /// Returns the byte behind the given number of units; within a character its start.
    pub fn byte(&self, unit: usize) -> usize {
        let Some(mark) = self.marks.partition_point(|(_, units)| *units <= unit).checked_sub(1)
        else {
            return unit.min(self.text.len());
        };
        let (at, mut units) = self.marks[mark];
        for (behind, c) in self.text.get(at..).unwrap_or_default().char_indices() {
            units += c.len_utf16();
            if units > unit {
                return at + behind;
            }
        }
        self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_javascript() {
        let texts = [
            String::new(),
            "plain".repeat(100),
            "a\u{e9}\u{1f600}b".repeat(100),
            "\u{1f600}".repeat(300),
        ];
        for text in texts {
            let places = Utf16::new(&text);
            let mut units = 0;
            for (byte, c) in text.char_indices() {
                assert_eq!((places.unit(byte), places.byte(units)), (units, byte), "{text}");
                if c.len_utf16() > 1 {
                    assert_eq!(places.byte(units + 1), byte);
                }
                units += c.len_utf16();
            }
            for beyond in [0, 1, 1000] {
                assert_eq!(places.unit(text.len() + beyond), units);
                assert_eq!(places.byte(units + beyond), text.len());
            }
        }
    }
}
