//! The messages of Arrow IPC: a header, metadata, and a body of buffers.
//!
//! Arrow's own readers of files and streams are not used, only its decoders of messages: a packed
//! buffer says how long it is unpacked, and they allocate that much without a check. A damaged
//! length ends the program then, and no `catch_unwind` helps. Here the lengths are checked before.

use std::io::{self, Read};

use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::{Message, RecordBatch, root_as_message};

/// The marker before the length of the metadata. Files of 2019 and before lack it.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The largest buffer that is unpacked, in bytes.
const LARGEST: i64 = 1 << 30;

/// The number of bytes that are allocated before they have come.
const PREALLOCATED: usize = 64 << 20;

/// A reason why a message cannot be read.
pub(crate) enum MessageFault {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for MessageFault {
    fn from(error: io::Error) -> MessageFault {
        MessageFault::Io(error)
    }
}

/// Reads the next message of a stream, with its header. `None` at the end.
pub(crate) fn read(input: &mut impl Read) -> Result<Option<Buffer>, MessageFault> {
    let mut bytes = MutableBuffer::new(0);
    let mut word = [0; 4];
    // The end of the input is the end of the stream, but only here.
    match input.read(&mut word[..1])? {
        0 => return Ok(None),
        _ => input.read_exact(&mut word[1..])?,
    }
    bytes.extend_from_slice(&word);
    if word == CONTINUATION {
        input.read_exact(&mut word)?;
        bytes.extend_from_slice(&word);
    }
    let length = usize::try_from(i32::from_le_bytes(word)).map_err(|_| negative())?;
    if length == 0 {
        return Ok(None);
    }
    let start = bytes.len();
    extend(&mut bytes, input, length)?;
    let body = message(&bytes[start..])?.bodyLength();
    let body = usize::try_from(body).map_err(|_| negative())?;
    extend(&mut bytes, input, body)?;
    Ok(Some(bytes.into()))
}

/// Reads `length` bytes more. Much is allocated only after much has come.
fn extend(
    bytes: &mut MutableBuffer,
    input: &mut impl Read,
    length: usize,
) -> Result<(), MessageFault> {
    let mut filled = bytes.len();
    let end = filled.checked_add(length).ok_or_else(negative)?;
    while filled < end {
        let target = end.min(filled.saturating_mul(2).max(filled + PREALLOCATED));
        let too_long =
            |_| MessageFault::Damaged(format!("a message of {length} bytes is too long"));
        bytes.try_resize(target, 0).map_err(too_long)?;
        input.read_exact(&mut bytes.as_slice_mut()[filled..])?;
        filled = target;
    }
    Ok(())
}

fn negative() -> MessageFault {
    MessageFault::Damaged(String::from("a length is negative"))
}

/// Returns the message that metadata holds.
fn message(metadata: &[u8]) -> Result<Message<'_>, MessageFault> {
    let wrong = |error| MessageFault::Damaged(format!("a message cannot be read: {error:?}"));
    root_as_message(metadata).map_err(|error| wrong(format!("{error}")))
}

/// Returns the message of bytes with a header, and the length of header and metadata.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Message<'_>, usize), MessageFault> {
    let (start, word): (usize, _) = match bytes.first_chunk() {
        Some(word) if *word == CONTINUATION => (8, bytes[4..].first_chunk()),
        word => (4, word),
    };
    let length = word.and_then(|word| usize::try_from(i32::from_le_bytes(*word)).ok());
    let metadata = length.and_then(|length| bytes.get(start..start.checked_add(length)?));
    let Some(metadata) = metadata else {
        return Err(MessageFault::Damaged(String::from("a message is longer than its block")));
    };
    Ok((message(metadata)?, start + metadata.len()))
}

/// Checks that the buffers of a message are in its body, and that none says that it is too long to be
/// unpacked.
pub(crate) fn check(message: &Message<'_>, body: &[u8]) -> Result<(), MessageFault> {
    if let Some(dictionary) = message.header_as_dictionary_batch() {
        return dictionary.data().map_or(Ok(()), |batch| check_batch(batch, body));
    }
    message.header_as_record_batch().map_or(Ok(()), |batch| check_batch(batch, body))
}

fn check_batch(batch: RecordBatch<'_>, body: &[u8]) -> Result<(), MessageFault> {
    let is_packed = batch.compression().is_some();
    for buffer in batch.buffers().iter().flatten() {
        let start = usize::try_from(buffer.offset()).ok();
        let end = start.and_then(|start| start.checked_add(usize::try_from(buffer.length()).ok()?));
        let (Some(start), Some(end)) = (start, end) else { return Err(negative()) };
        let Some(bytes) = body.get(start..end) else {
            return Err(MessageFault::Damaged(String::from("a buffer is longer than its batch")));
        };
        if is_packed && let Some(length) = bytes.first_chunk() {
            let length = i64::from_le_bytes(*length);
            if length > LARGEST {
                return Err(MessageFault::Damaged(format!(
                    "a buffer of {length} bytes is too long"
                )));
            }
        }
    }
    Ok(())
}
