//! An input that can be read from any position, by several readers.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_buffer::{Buffer, MutableBuffer};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// What can be read and has positions.
pub(crate) trait ReadSeek: Read + Seek + Send {}

impl<R: Read + Seek + Send> ReadSeek for R {}

/// An input that several readers share. Each reader has a position of its own.
#[derive(Clone)]
pub(crate) struct SharedInput {
    input: Arc<Mutex<Box<dyn ReadSeek>>>,
    length: u64,
}

impl SharedInput {
    /// The number of bytes that are read at once. Headers of pages have less, and pages are read as a
    /// whole: what is read beyond a header is read twice.
    const PIECE: usize = 1 << 10;

    pub(crate) fn new(mut input: impl Read + Seek + Send + 'static) -> io::Result<SharedInput> {
        let length = input.seek(SeekFrom::End(0))?;
        Ok(SharedInput { input: Arc::new(Mutex::new(Box::new(input))), length })
    }

    /// The number of bytes of the input.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns bytes of the input. A damaged length asks for more than there is: nothing is
    /// allocated for it.
    pub(crate) fn bytes(&self, start: u64, length: usize) -> io::Result<Buffer> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            let message = format!("{length} bytes at {start} are beyond the end");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut bytes = MutableBuffer::from_len_zeroed(length);
        let mut reader = InputReader { input: self.clone(), position: start };
        reader.read_exact(bytes.as_slice_mut())?;
        Ok(bytes.into())
    }

    /// Returns a reader that starts at a position.
    pub(crate) fn reader_at(&self, position: u64) -> BufReader<InputReader> {
        let reader = InputReader { input: self.clone(), position };
        BufReader::with_capacity(SharedInput::PIECE, reader)
    }
}

/// A reader of a [`SharedInput`].
pub(crate) struct InputReader {
    input: SharedInput,
    position: u64,
}

impl Read for InputReader {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        // A reader that panicked leaves nothing half-changed: each one seeks first.
        let mut input = self.input.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(self.position))?;
        let read = input.read(space)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for InputReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wrong = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.input.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(wrong)?;
        Ok(self.position)
    }
}

impl Length for SharedInput {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for SharedInput {
    type T = BufReader<InputReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.reader_at(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(Bytes::from_owner(self.bytes(start, length)?))
    }
}
