//! The frames of a journal: what one append has written.
//!
//! A frame is the length of the rest in 4 bytes, the CRC-32 of the rest in 4, the time of the append
//! in microseconds since 1970 in 8, the length of its idempotency key in 2, the key, and the body.
//! Numbers are little-endian. The length does not count itself and the CRC.

/// The bytes of a frame without key and body.
pub(crate) const HEAD: usize = 18;

/// The bytes before those that the length and the CRC are about.
const PREFIX: usize = 8;

/// The longest body of a frame.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// The year 2200, in microseconds since 1970. No frame is later.
const LATEST: u64 = 7_258_118_400_000_000;

/// A frame in a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The time of the append in microseconds since 1970.
    pub(crate) time: u64,
    /// The idempotency key, empty if there is none.
    pub(crate) key: &'a [u8],
    /// The body: whole lines.
    pub(crate) body: &'a [u8],
    /// The length of the whole frame.
    pub(crate) length: usize,
}

/// The result of reading a frame from a buffer.
#[derive(Debug)]
pub(crate) enum Decoded<'a> {
    /// The buffer begins with a frame.
    Frame(Frame<'a>),
    /// The frame has more bytes than the buffer.
    Short,
    /// The buffer does not begin with a frame.
    Damaged,
}

/// The result of checking a frame in a buffer.
#[derive(Debug)]
pub(crate) enum Checked {
    /// The buffer begins with a frame of this length.
    Whole(usize),
    /// The frame has this many bytes, more than the buffer.
    Short(usize),
    /// The buffer does not begin with a frame.
    Damaged,
}

/// Appends a frame to a buffer. A newline is added to a body without one at its end.
pub(crate) fn encode(out: &mut Vec<u8>, time: u64, key: &str, body: &[u8]) {
    let start = out.len();
    let ends_line = body.last() == Some(&b'\n');
    let rest = HEAD - PREFIX + key.len() + body.len() + usize::from(!ends_line);
    out.reserve(PREFIX + rest);
    out.extend_from_slice(&u32::try_from(rest).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&time.to_le_bytes());
    out.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(body);
    if !ends_line {
        out.push(b'\n');
    }
    let sum = crc32fast::hash(&out[start + PREFIX..]);
    out[start + 4..start + PREFIX].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the frame that a buffer begins with, and checks it.
pub(crate) fn decode(bytes: &[u8]) -> Decoded<'_> {
    match check(bytes) {
        Checked::Whole(length) => parse(&bytes[..length]).map_or(Decoded::Damaged, Decoded::Frame),
        Checked::Short(_) => Decoded::Short,
        Checked::Damaged => Decoded::Damaged,
    }
}

/// Checks the frame that a buffer begins with.
pub(crate) fn check(bytes: &[u8]) -> Checked {
    let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX>() else {
        return Checked::Short(PREFIX);
    };
    let [a, b, c, d, sum @ ..] = *prefix;
    let Ok(rest) = usize::try_from(u32::from_le_bytes([a, b, c, d])) else {
        return Checked::Damaged;
    };
    // The longest frame, with its key and the newline.
    if !(HEAD - PREFIX..=HEAD + usize::from(u16::MAX) + MAX_BODY + 1).contains(&rest) {
        return Checked::Damaged;
    }
    let length = PREFIX + rest;
    let Some(frame) = bytes.get(PREFIX..length) else { return Checked::Short(length) };
    let is_whole = crc32fast::hash(frame) == u32::from_le_bytes(sum);
    if is_whole { Checked::Whole(length) } else { Checked::Damaged }
}

/// Reads a frame that was checked.
pub(crate) fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let (time, rest) = bytes.get(PREFIX..)?.split_first_chunk::<8>()?;
    let (key, rest) = rest.split_first_chunk::<2>()?;
    let (key, body) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key)))?;
    Some(Frame { time: u64::from_le_bytes(*time), key, body, length: bytes.len() })
}

/// Returns the index of the first whole frame in a buffer that begins with a damaged one.
///
/// A torn tail has no frame after it. Damage in the middle has, and then nothing must be cut. A body
/// does not look like a frame as long as it has no zeros: each time has one.
pub(crate) fn find_after_damage(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len().saturating_sub(HEAD - 1)).find(|&at| {
        let candidate = &bytes[at..];
        let time = candidate[PREFIX..].first_chunk::<8>().map(|time| u64::from_le_bytes(*time));
        // The time is looked at first: most places of a text are no frame for it, which spares a CRC.
        time.is_some_and(|time| time < LATEST)
            && matches!(decode(candidate), Decoded::Frame(frame) if !frame.body.is_empty())
    })
}
