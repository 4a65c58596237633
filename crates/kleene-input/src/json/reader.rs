//! The tokens of one line of JSON.
//!
//! The reader accepts what `serde_json` accepts and nothing else; `properties.rs` compares the two.
//! It reads values in place, and only validates what it skips.

use crate::number::decimal;
use crate::scalar::Scalar;

/// Lists and objects whose content is kept are nested no deeper.
const DEPTH: usize = 127;

/// The reason why a line is not JSON, and the number of bytes before the mistake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonFault {
    pub(crate) kind: FaultKind,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FaultKind {
    /// It is not what the grammar says.
    Syntax,
    /// A number that no float can hold.
    Range,
    /// Half of a character in two escapes.
    Surrogate,
    /// Nested too deep.
    Depth,
}

/// Memory that lines share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// The last string that was written with escapes.
    text: String,
    /// The brackets that are open in what is skipped.
    open: Vec<u8>,
}

/// Reads a line from its start.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    scratch: &'a mut Scratch,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, scratch: &'a mut Scratch) -> Reader<'a> {
        Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, scratch }
    }

    #[cold]
    pub(crate) fn fault<T>(&self, kind: FaultKind) -> Result<T, JsonFault> {
        Err(JsonFault { kind, at: self.at })
    }

    /// The next byte that is not white space; it stays.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes `byte`, which has to be next.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.take(byte) { Ok(()) } else { self.fault(FaultKind::Syntax) }
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), JsonFault> {
        if self.peek().is_none() { Ok(()) } else { self.fault(FaultKind::Syntax) }
    }

    /// Enters a list or an object whose content is kept.
    pub(crate) fn enter(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH { self.fault(FaultKind::Depth) } else { Ok(()) }
    }

    /// Moves to the next element of a list, or past its end. `is_first` is true if no element was
    /// read.
    pub(crate) fn element(&mut self, is_first: bool) -> Result<bool, JsonFault> {
        if self.take(b']') {
            self.depth -= 1;
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Moves to the next name of an object, or past its end. `is_first` is true if no name was
    /// read.
    #[inline]
    pub(crate) fn member(&mut self, is_first: bool) -> Result<bool, JsonFault> {
        if self.take(b'}') {
            self.depth -= 1;
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        if self.peek() == Some(b'"') { Ok(true) } else { self.fault(FaultKind::Syntax) }
    }

    /// Takes the name that is next, with its colon, if it is `name`, which needs no escapes.
    #[inline]
    pub(crate) fn take_name(&mut self, name: &str) -> Result<bool, JsonFault> {
        let end = self.at + 1 + name.len();
        if self.bytes.get(end) != Some(&b'"') || self.bytes[self.at + 1..end] != *name.as_bytes() {
            return Ok(false);
        }
        self.at = end + 1;
        self.expect(b':').map(|()| true)
    }

    /// Takes a name and its colon.
    pub(crate) fn name(&mut self) -> Result<&str, JsonFault> {
        let plain = self.string()?;
        self.expect(b':')?;
        Ok(plain.unwrap_or(&self.scratch.text))
    }

    /// Takes a string, whose quote is next. `None` if it had escapes: it is in the scratch then.
    #[inline]
    fn string(&mut self) -> Result<Option<&'a str>, JsonFault> {
        let start = self.at + 1;
        self.at = plain_end(self.bytes, start);
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Some(&self.text[start..self.at - 1]));
        }
        self.escaped(start).map(|()| None)
    }

    #[cold]
    fn escaped(&mut self, mut start: usize) -> Result<(), JsonFault> {
        self.scratch.text.clear();
        loop {
            self.at = plain_end(self.bytes, start);
            self.scratch.text.push_str(&self.text[start..self.at]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    self.scratch.text.push(character);
                }
                _ => return self.fault(FaultKind::Syntax),
            }
            start = self.at;
        }
    }

    /// Returns the character of an escape whose backslash was read.
    fn escape(&mut self) -> Result<char, JsonFault> {
        let Some(letter) = self.bytes.get(self.at) else { return self.fault(FaultKind::Syntax) };
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return match char::from_u32(first) {
                        Some(character) => Ok(character),
                        None => self.fault(FaultKind::Surrogate),
                    };
                }
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    return self.fault(FaultKind::Surrogate);
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return self.fault(FaultKind::Surrogate);
                }
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return match char::from_u32(code) {
                    Some(character) => Ok(character),
                    None => self.fault(FaultKind::Surrogate),
                };
            }
            _ => return self.fault(FaultKind::Syntax),
        })
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, JsonFault> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else { return self.fault(FaultKind::Syntax) };
            number = number << 4 | digit;
            self.at += 1;
        }
        Ok(number)
    }

    /// Reads a value that is neither a list nor an object.
    #[inline]
    pub(crate) fn scalar(&mut self) -> Result<Scalar<'_>, JsonFault> {
        match self.peek() {
            Some(b'"') => {
                let plain = self.string()?;
                Ok(Scalar::Text(plain.unwrap_or(&self.scratch.text)))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true").map(|()| Scalar::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Scalar::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Scalar::Null),
            _ => self.fault(FaultKind::Syntax),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonFault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fault(FaultKind::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a number.
    fn number(&mut self) -> Result<Scalar<'static>, JsonFault> {
        if let Some(number) = self.short_number() {
            return Ok(Scalar::Int(number));
        }
        let start = self.at;
        let is_negative = self.bytes[start] == b'-';
        let is_whole = self.skip_number()?;
        let text = &self.text[start..self.at];
        let digits = &text.as_bytes()[usize::from(is_negative)..];
        if is_whole && digits.len() <= 18 {
            let number = digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            return Ok(match (is_negative, number) {
                (true, 0) => Scalar::Float(-0.0),
                (true, number) => Scalar::Int(-number),
                (false, number) => Scalar::Int(number),
            });
        }
        if is_whole && let Ok(number) = text.parse() {
            return Ok(Scalar::Int(number));
        }
        match decimal(text.as_bytes()).map_or_else(|| text.parse(), Ok) {
            Ok(number) if number.is_finite() => Ok(Scalar::Float(number)),
            _ => self.fault(FaultKind::Range),
        }
    }

    /// Reads a number if it is a positive integer with so few digits that it always fits.
    #[inline]
    fn short_number(&mut self) -> Option<i64> {
        let (mut at, mut number) = (self.at, 0);
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(at) {
            number = number * 10 + i64::from(digit - b'0');
            at += 1;
            if at - self.at > 17 {
                return None;
            }
        }
        if number == 0 || self.bytes[self.at] == b'0' {
            return None;
        }
        if let Some(b'.' | b'e' | b'E') = self.bytes.get(at) {
            return None;
        }
        self.at = at;
        Some(number)
    }

    /// Takes a number without looking at its value. Gives whether it is written as a whole one.
    #[inline]
    fn skip_number(&mut self) -> Result<bool, JsonFault> {
        self.at += usize::from(self.bytes[self.at] == b'-');
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        match self.bytes.get(self.at) {
            Some(b'.' | b'e' | b'E') => {}
            // `01`
            Some(b'0'..=b'9') => return self.fault(FaultKind::Syntax),
            _ => return Ok(true),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(false)
    }

    /// Takes digits, at least one.
    #[inline]
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.fault(FaultKind::Syntax) }
    }

    /// Takes a value of any kind without keeping it. It may be nested as deep as it likes.
    pub(crate) fn skip(&mut self) -> Result<(), JsonFault> {
        self.scratch.open.clear();
        loop {
            match self.peek() {
                Some(b'"') => self.skip_string()?,
                Some(b'-' | b'0'..=b'9') => drop(self.skip_number()?),
                Some(open @ (b'[' | b'{')) => {
                    self.at += 1;
                    if !self.take(open + 2) {
                        self.scratch.open.push(open);
                        if open == b'{' {
                            self.skip_name()?;
                        }
                        continue;
                    }
                }
                _ => drop(self.scalar()?),
            }
            loop {
                let Some(&open) = self.scratch.open.last() else { return Ok(()) };
                // In ASCII the closing brackets are two behind the opening ones.
                if self.take(open + 2) {
                    self.scratch.open.pop();
                    continue;
                }
                self.expect(b',')?;
                if open == b'{' {
                    self.skip_name()?;
                }
                break;
            }
        }
    }

    fn skip_name(&mut self) -> Result<(), JsonFault> {
        if self.peek() != Some(b'"') {
            return self.fault(FaultKind::Syntax);
        }
        self.skip_string()?;
        self.expect(b':')
    }

    /// Takes a string without looking at what its escapes stand for.
    #[inline]
    fn skip_string(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 2;
                    match self.bytes.get(self.at - 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                        Some(b'u') => drop(self.hex()?),
                        _ => return self.fault(FaultKind::Syntax),
                    }
                }
                _ => return self.fault(FaultKind::Syntax),
            }
        }
    }
}

/// Returns the position of the first quote, backslash or control character from `at` on, or the
/// end. Strings must not contain control characters.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        // Eight at a time; the lowest bit that is left belongs to the first byte of the kind.
        let eight = u64::from_le_bytes(*eight);
        let quote = eight ^ (ONES * u64::from(b'"'));
        let backslash = eight ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (eight.wrapping_sub(ONES * 0x20) & !eight);
        let found = found & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
    at + end.unwrap_or(rest.len())
}
