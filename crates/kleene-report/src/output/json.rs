//! Values as JSON.

use kleene::value::ValueRef;

use super::digits::{write_duration, write_hundredths, write_int, write_ip};

/// Puts a comma before each but the first.
#[derive(Clone, Default)]
pub(super) struct Comma(bool);

impl Comma {
    /// Returns the state after the first.
    pub(super) fn after_first() -> Comma {
        Comma(true)
    }

    pub(super) fn next(&mut self, line: &mut Vec<u8>) {
        if self.0 {
            line.push(b',');
        }
        self.0 = true;
    }

    pub(super) fn name(&mut self, line: &mut Vec<u8>, name: &str) {
        self.next(line);
        write_text(line, name);
        line.push(b':');
    }

    /// Writes a name that is made up already.
    #[inline]
    pub(super) fn member(&mut self, line: &mut Vec<u8>, name: &MemberName) {
        line.extend_from_slice(&name.0[usize::from(!self.0)..]);
        self.0 = true;
    }

    pub(super) fn is_first(&self) -> bool {
        !self.0
    }
}

/// The name of a member as JSON, with the comma before it and the colon after it. Names repeat in
/// every line: they are quoted and escaped once.
#[derive(Debug)]
pub(super) struct MemberName(Box<[u8]>);

impl MemberName {
    pub(super) fn new(name: &str) -> MemberName {
        let mut text = vec![b','];
        write_text(&mut text, name);
        text.push(b':');
        MemberName(text.into())
    }
}

/// Writes a string of JSON.
pub fn write_text(line: &mut Vec<u8>, text: &str) {
    if has_escape(text.as_bytes()) {
        return write_json(line, text);
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
}

/// True if a byte is a control character, a quote or a backslash. Eight bytes are looked at
/// together: texts are mostly short, and the comparison of one byte at a time was 3 % of W1.
fn has_escape(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let mut found = 0;
    for word in words {
        found |= escapes_in(u64::from_le_bytes(*word));
    }
    found != 0 || rest.iter().any(|byte| *byte < b' ' || *byte == b'"' || *byte == b'\\')
}

/// Returns 0 if none of eight bytes has to be escaped. If one has, other bits may be set than those
/// of this byte.
fn escapes_in(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    // The highest bit of a byte is set by the borrow of a byte less than `limit`, if it was not set
    // before.
    let less = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word & HIGHEST;
    let equals = |byte: u8| less(word ^ (u64::from(byte) * ONES), 1);
    less(word, 0x20) | equals(b'"') | equals(b'\\')
}

/// Writes a value as JSON: times as RFC 3339, durations as rules spell them, addresses as text,
/// floats that JSON has no number for as null.
pub fn write_value(line: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => line.extend_from_slice(b"null"),
        ValueRef::Bool(true) => line.extend_from_slice(b"true"),
        ValueRef::Bool(false) => line.extend_from_slice(b"false"),
        ValueRef::Int(i) => write_int(line, i),
        ValueRef::Float(x) => {
            if !write_hundredths(line, x) {
                write_json(line, &x);
            }
        }
        ValueRef::String(text) => write_text(line, text),
        // None of these has a character that needs escaping.
        ValueRef::Time(time) => quoted(line, |line| time.write_to(line)),
        ValueRef::Duration(millis) => quoted(line, |line| write_duration(line, millis)),
        ValueRef::Ip(ip) => quoted(line, |line| write_ip(line, ip)),
        ValueRef::List(items) => {
            line.push(b'[');
            let mut comma = Comma::default();
            for item in items {
                comma.next(line);
                write_value(line, item.as_ref());
            }
            line.push(b']');
        }
        ValueRef::Items(items) => {
            line.push(b'[');
            let mut comma = Comma::default();
            for index in 0..items.len() {
                comma.next(line);
                write_value(line, items.get(index));
            }
            line.push(b']');
        }
        ValueRef::Record(fields) => {
            line.push(b'{');
            let mut comma = Comma::default();
            for (name, value) in fields {
                comma.name(line, name);
                write_value(line, value.as_ref());
            }
            line.push(b'}');
        }
    }
}

#[inline]
fn quoted(line: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    line.push(b'"');
    write(line);
    line.push(b'"');
}

fn write_json<T: serde::Serialize + ?Sized>(line: &mut Vec<u8>, value: &T) {
    // Writing text and numbers to memory does not fail.
    let _ = serde_json::to_writer(line, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_needs_an_escape_is_found_at_each_position() {
        for character in '\0'..='\u{100}' {
            for position in 0..20 {
                for around in ['a', '\u{7f}', '\u{e9}', '!'] {
                    let mut text: Vec<char> = vec![around; 20];
                    text[position] = character;
                    let text: String = text.into_iter().collect();
                    let mut line = Vec::new();
                    write_text(&mut line, &text);
                    assert_eq!(line, serde_json::to_vec(&text).unwrap(), "{text:?}");
                }
            }
        }
    }
}
