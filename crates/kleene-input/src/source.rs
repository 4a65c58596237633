//! The bytes of the input, read and unpacked by a thread of their own, so that Ctrl-C is heard
//! while a pipe is silent, and so that unpacking does not hold up matching.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use crate::block::{Block, Cutter};
use crate::form::Form;
use crate::gzip::{self, Unpacked};
use crate::position::Position;

/// The number of blocks that may wait.
const WAITING: usize = 4;

/// An input that is open.
pub struct Opened {
    reader: Box<dyn Read + Send>,
    /// True if waiting for more costs nothing, as more is there.
    is_file: bool,
    /// The position of its start.
    start: Position,
    /// The size of the input in bytes, if it is known.
    pub size: Option<u64>,
    /// The number of bytes that have been read.
    pub position: Arc<AtomicU64>,
}

impl Opened {
    /// An input that a reader returns, from a position on. A read that waits holds up nobody but the
    /// thread that reads.
    pub fn from_reader(reader: impl Read + Send + 'static, start: Position) -> Opened {
        let (reader, position) = (Box::new(reader), Arc::new(AtomicU64::new(start.offset)));
        Opened { reader, is_file: false, start, size: None, position }
    }

    /// Returns the position of its start.
    pub fn start(&self) -> Position {
        self.start
    }

    /// The first line, or as much of it as `limit` bytes are. It stays to be read.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn first_line(&mut self, limit: usize) -> io::Result<String> {
        // Of a pipe no more may be waited for than the line.
        let line = self.peek(|line| line.len() < limit && !line.ends_with(b"\n"))?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

impl Opened {
    /// Returns the first bytes, as many as it takes until `is_unsure` is false of them. They stay to
    /// be read.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn peek(&mut self, mut is_unsure: impl FnMut(&[u8]) -> bool) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        let mut byte = [0];
        while is_unsure(&start) {
            match self.reader.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => start.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(io::Cursor::new(start.clone()).chain(rest));
        Ok(start)
    }

    /// Returns the bytes, unpacked.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }

    /// The first bytes, unpacked; fewer where there are no more.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read_bytes(self, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader.take(count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Opens a file, or standard input for `-`; unpacks it if it is gzip.
///
/// # Errors
/// The file does not exist, is a directory, or cannot be read. The message names it.
pub fn open(path: &Path) -> io::Result<Opened> {
    open_at(path, Position::default())
}

/// Opens an input at the position up to which it was read before. A packed file is unpacked up to
/// there; standard input is taken as it comes.
///
/// # Errors
/// As [`open`], and if the file ends before that position.
pub fn open_at(path: &Path, start: Position) -> io::Result<Opened> {
    let name = path.display();
    let wrap = |what: &str, error: &io::Error| {
        io::Error::new(error.kind(), format!("cannot {what} the input {name}: {error}"))
    };
    let position = Arc::new(AtomicU64::new(0));
    let stdin = path == Path::new("-");
    let (reader, size): (Box<dyn Read + Send>, _) = if stdin {
        (Box::new(io::stdin()), None)
    } else {
        let mut file = File::open(path).map_err(|error| wrap("open", &error))?;
        let meta = file.metadata().map_err(|error| wrap("read", &error))?;
        if meta.is_dir() {
            let text = format!(
                "the input {name} is a directory: give one file, or `cat` several into `-`"
            );
            return Err(io::Error::new(io::ErrorKind::IsADirectory, text));
        }
        if start.offset > 0 && meta.is_file() && !is_packed(&file) {
            if meta.len() < start.offset {
                return Err(wrap("continue to read", &io::ErrorKind::UnexpectedEof.into()));
            }
            file.seek(SeekFrom::Start(start.offset)).map_err(|error| wrap("read", &error))?;
            position.store(start.offset, Ordering::Relaxed);
            let reader = Box::new(Counted::new(file, position.clone()));
            let size = Some(meta.len());
            return Ok(Opened { reader, is_file: true, start, size, position });
        }
        file.rewind().or_else(|error| if meta.is_file() { Err(error) } else { Ok(()) })?;
        (Box::new(file), meta.is_file().then_some(meta.len()))
    };
    let mut reader = Counted::new(reader, position.clone());
    // gzip reports itself by its first two bytes, whatever the name of the file.
    let mut magic = [0; 2];
    let mut known = 0;
    while known < 2 {
        match reader.read(&mut magic[known..]) {
            Ok(0) => break,
            Ok(count) => known += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(wrap("read", &error)),
        }
    }
    let is_gzip = gzip::is_gzip(&magic);
    let whole = io::Cursor::new(magic).take(known as u64).chain(reader);
    let mut reader: Box<dyn Read + Send> =
        if is_gzip { Box::new(Unpacked::new(whole)) } else { Box::new(whole) };
    if start.offset > 0 && !stdin {
        let skipped = io::copy(&mut reader.by_ref().take(start.offset), &mut io::sink());
        if skipped.map_err(|error| wrap("read", &error))? < start.offset {
            return Err(wrap("continue to read", &io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(Opened { reader, is_file: size.is_some(), start, size, position })
}

/// True if the file begins as gzip does. Reads its first two bytes.
pub fn is_packed(file: &File) -> bool {
    let mut magic = [0; 2];
    let mut file = file;
    file.read_exact(&mut magic).is_ok() && gzip::is_gzip(&magic)
}

/// A reader whose bytes are counted as they are read, for who shows the progress.
#[derive(Debug)]
pub struct Counted<R> {
    reader: R,
    position: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Counts on at `position`.
    pub fn new(reader: R, position: Arc<AtomicU64>) -> Counted<R> {
        Counted { reader, position }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A byte that is read twice counts twice.
impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

/// A message of the reading thread.
#[derive(Debug)]
enum Message<T> {
    Block(T),
    End(io::Result<()>),
    Wake,
}

/// A part of the input that has arrived.
#[derive(Debug)]
pub enum Arrival<T = Block> {
    /// More input.
    Block(T),
    /// The end of the input.
    End,
    /// Nothing, but someone wants attention.
    Woken,
    /// Nothing in the time that was given.
    TimedOut,
}

/// The blocks of an input, read ahead by a thread.
#[derive(Debug)]
pub struct Blocks<T = Block> {
    messages: Receiver<Message<T>>,
    spent: Sender<Block>,
    sender: SyncSender<Message<T>>,
}

impl Blocks {
    /// Starts to read.
    pub fn start(opened: Opened, form: Form) -> Blocks {
        Blocks::start_with(opened, form, |block| block)
    }
}

impl<T: Send + 'static> Blocks<T> {
    /// Starts to read. The reading thread makes of each block what `work` returns.
    pub(crate) fn start_with(
        opened: Opened,
        form: Form,
        mut work: impl FnMut(Block) -> T + Send + 'static,
    ) -> Blocks<T> {
        let mut cutter = Cutter::new(form.separator(), form.max_line, opened.start);
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let (spent, free) = mpsc::channel();
        let thread_sender = sender.clone();
        std::thread::spawn(move || {
            let _reports_panic = ReportsPanic(&thread_sender);
            let mut send = |block| thread_sender.send(Message::Block(work(block))).is_ok();
            let end = read_all(opened.reader, opened.is_file, &mut cutter, &mut send, &free);
            // Fails if nobody listens any more.
            let _ = thread_sender.send(Message::End(end));
        });
        Blocks { messages, spent, sender }
    }

    /// A function that makes a waiting [`wait`](Blocks::wait) return.
    pub fn waker(&self) -> impl Fn() + Send + use<T> {
        let sender = self.sender.clone();
        // If the channel is full then nobody is waiting.
        move || drop(sender.try_send(Message::Wake))
    }

    /// Waits for more. After the end there is nothing to wait for: do not ask again.
    ///
    /// # Errors
    /// The input cannot be read any further; a line that had not arrived whole is lost.
    pub fn wait(&self) -> io::Result<Arrival<T>> {
        self.wait_for(None)
    }

    /// Waits for more, for this long at most.
    ///
    /// # Errors
    /// As for [`wait`](Blocks::wait).
    pub fn wait_for(&self, timeout: Option<Duration>) -> io::Result<Arrival<T>> {
        let message = match timeout {
            None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.messages.recv_timeout(timeout),
        };
        match message {
            Ok(Message::Block(block)) => Ok(Arrival::Block(block)),
            Ok(Message::Wake) => Ok(Arrival::Woken),
            Ok(Message::End(result)) => result.map(|()| Arrival::End),
            Err(RecvTimeoutError::Timeout) => Ok(Arrival::TimedOut),
            // `sender` lives as long as this, so there is always someone who could send.
            Err(RecvTimeoutError::Disconnected) => Ok(Arrival::End),
        }
    }

    /// Returns a used block, so that its memory can be reused.
    pub fn give_back(&self, block: Block) {
        // Fails if the thread has ended; the block is then of no more use.
        let _ = self.spent.send(block);
    }
}

/// Reports the end where the reading thread panics: who waits for a block would wait for ever.
struct ReportsPanic<'a, T>(&'a SyncSender<Message<T>>);

impl<T> Drop for ReportsPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = io::Error::other("the thread that reads has panicked");
            // Fails if nobody listens any more.
            let _ = self.0.send(Message::End(Err(error)));
        }
    }
}

fn read_all(
    mut reader: Box<dyn Read + Send>,
    is_file: bool,
    cutter: &mut Cutter,
    send: &mut impl FnMut(Block) -> bool,
    free: &Receiver<Block>,
) -> io::Result<()> {
    loop {
        let space = cutter.space();
        let mut length = 0;
        let mut end = None;
        // From a pipe what has come is passed on at once.
        while length < space.len() && end.is_none() && (is_file || length == 0) {
            match reader.read(&mut space[length..]) {
                Ok(0) => end = Some(Ok(())),
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => end = Some(Err(error)),
            }
        }
        cutter.arrived(length);
        if let Some(Ok(())) = end {
            cutter.end();
        }
        while let Some(block) = cutter.next() {
            if !send(block) {
                return Ok(());
            }
            for block in free.try_iter() {
                cutter.reuse(block);
            }
        }
        if let Some(end) = end {
            return end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::block::Content;
    use crate::form::Format;

    const LINES: Form = Form { format: Format::Jsonl, delimiter: b',', max_line: usize::MAX };

    /// About the size of what is read at a time.
    const BLOCK: usize = 256 << 10;

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let source = Blocks::start(open(path)?, LINES);
        let mut all = Vec::new();
        loop {
            match source.wait()? {
                Arrival::Block(block) => {
                    match block.content() {
                        Content::Text(text) => all.extend_from_slice(text.as_bytes()),
                        Content::Bytes(bytes) | Content::Bad(bytes, _) => {
                            all.extend_from_slice(bytes);
                        }
                    }
                    source.give_back(block);
                }
                Arrival::Woken | Arrival::TimedOut => {}
                Arrival::End => return Ok(all),
            }
        }
    }

    #[test]
    fn a_panic_of_the_reading_thread_ends_the_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input");
        std::fs::write(&path, "one\n").unwrap();
        let blocks: Blocks<()> =
            Blocks::start_with(open(&path).unwrap(), LINES, |_| panic!("a test"));
        assert!(blocks.wait().unwrap_err().to_string().contains("has panicked"));
    }

    #[test]
    fn files_are_read_whole_and_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for length in [0, 1, 2, BLOCK, 5 * BLOCK + 3] {
            let bytes: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert!(read(&path).unwrap() == bytes, "{length}");
            // Two members one after the other, as `cat a.gz b.gz` makes them.
            let (first, second) = bytes.split_at(length / 2);
            let mut packed = Vec::new();
            for part in [first, second] {
                let mut encoder =
                    flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
                encoder.write_all(part).unwrap();
                encoder.finish().unwrap();
            }
            std::fs::write(&path, &packed).unwrap();
            assert!(read(&path).unwrap() == bytes, "{length} packed");
            std::fs::write(&path, &packed[..packed.len() - 5]).unwrap();
            assert!(read(&path).is_err(), "{length} cut off");
        }
    }

    #[test]
    fn reading_goes_on_at_any_line() {
        let dir = tempfile::tempdir().unwrap();
        let lines: Vec<u8> = (0..99_999).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let (plain, packed) = (dir.path().join("plain"), dir.path().join("packed"));
        std::fs::write(&plain, &lines).unwrap();
        let file = File::create(&packed).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&lines).unwrap();
        encoder.finish().unwrap();
        for path in [&plain, &packed] {
            for (offset, line) in [(7, 2), (70, 11), (lines.len() as u64, 100_000)] {
                let opened = open_at(path, Position { offset, line }).unwrap();
                let blocks = Blocks::start(opened, LINES);
                let first = blocks.wait().unwrap();
                match first {
                    Arrival::Block(block) => {
                        assert_eq!((block.offset(), block.line()), (offset, line));
                    }
                    _ => assert_eq!(offset, lines.len() as u64),
                }
            }
            assert!(open_at(path, Position { offset: 10_000_000, line: 5 }).is_err());
        }
    }

    #[test]
    fn a_waiting_reader_can_be_woken() {
        let source = Blocks::start(
            Opened {
                reader: Box::new(io::empty()),
                is_file: true,
                start: Position::default(),
                size: None,
                position: Arc::default(),
            },
            LINES,
        );
        let wake = source.waker();
        assert!(matches!(source.wait(), Ok(Arrival::End)));
        std::thread::spawn(wake);
        assert!(matches!(source.wait(), Ok(Arrival::Woken)));
    }
}
