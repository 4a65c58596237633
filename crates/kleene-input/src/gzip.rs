//! Reads gzip: members one after the other, and the zeros that tapes and block devices append to
//! the last one.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// True if these are the first bytes of what gzip has packed.
pub fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// Unpacks what gzip has packed, if that is at most `limit` bytes; `None` if it is more.
///
/// # Errors
/// It is damaged, or something follows it that is not packed.
pub fn unpack(packed: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    Unpacked::new(packed).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Unpacks member after member.
///
/// Zeros up to the end are ignored, as gzip does. Anything else after a member is an error: gzip
/// ignores it with a warning, but a reader of events must know that some may be missing.
pub(crate) struct Unpacked<R: Read> {
    /// `None` between two members only.
    member: Option<GzDecoder<BufReader<R>>>,
    is_at_end: bool,
}

impl<R: Read> Unpacked<R> {
    pub(crate) fn new(packed: R) -> Unpacked<R> {
        Unpacked { member: Some(GzDecoder::new(BufReader::new(packed))), is_at_end: false }
    }

    /// Moves to the next member. Returns false after the last one.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut packed = member.into_inner();
        let has_more = skip_padding(&mut packed)?;
        self.member = Some(GzDecoder::new(packed));
        Ok(has_more)
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_at_end && !buffer.is_empty() {
            let Some(member) = &mut self.member else { break };
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.is_at_end = !self.next_member()?;
        }
        Ok(0)
    }
}

/// Skips zeros. Says whether another member follows; `Ok(false)` is the end.
fn skip_padding(packed: &mut impl BufRead) -> io::Result<bool> {
    let mut has_zeros = false;
    loop {
        let bytes = match packed.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let Some(&first) = bytes.first() else { return Ok(false) };
        if first != 0 {
            return if first == MAGIC[0] && !has_zeros { Ok(true) } else { Err(garbage()) };
        }
        has_zeros = true;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        packed.consume(zeros);
    }
}

fn garbage() -> io::Error {
    let message = "the data after its compressed part is not gzip: the file is damaged, or \
                   something uncompressed was appended";
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Unpacked::new(packed).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn zeros_at_the_end_are_padding() {
        for zeros in [0, 1, 2, 511, 100_000] {
            let mut bytes = [packed("one "), packed(""), packed("two")].concat();
            bytes.resize(bytes.len() + zeros, 0);
            assert_eq!(unpack(&bytes).unwrap(), "one two", "{zeros} zeros");
        }
    }

    #[test]
    fn anything_else_at_the_end_is_an_error() {
        for behind in [&b"x"[..], b"\0\0x", b"{\"type\":\"paid\"}\n", b"\x1f", b"\x1f\x8b"] {
            let bytes = [&packed("one")[..], behind].concat();
            assert!(unpack(&bytes).is_err(), "{behind:?}");
        }
        let error = unpack(&[&packed("one")[..], b"x"].concat()).unwrap_err().to_string();
        assert!(error.contains("is not gzip"), "{error}");
        // At a member that follows zeros, gzip stops and warns.
        assert!(unpack(&[&packed("one")[..], b"\0", &packed("two")].concat()).is_err());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let bytes = packed("some text that is long enough");
        for length in 2..bytes.len() {
            assert!(unpack(&bytes[..length]).is_err(), "{length} bytes");
        }
    }
}
