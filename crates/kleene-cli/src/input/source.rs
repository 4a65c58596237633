//! The bytes of the input, read and unpacked by a thread of their own, so that Ctrl-C is heard
//! while a pipe is silent, and so that unpacking does not hold up matching.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;

/// The size of a block, and how many may wait.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 4;

/// An input that is open.
pub(crate) struct Opened {
    reader: Box<dyn Read + Send>,
    /// Whether waiting for more costs nothing, as more is there.
    is_file: bool,
    /// How many bytes there are, if that is known.
    pub(crate) size: Option<u64>,
    /// How many of them have been read.
    pub(crate) position: Arc<AtomicU64>,
}

/// Opens a file, or standard input for `-`; unpacks it if it is gzip.
pub(crate) fn open(path: &Path) -> Result<Opened> {
    let position = Arc::new(AtomicU64::new(0));
    let stdin = path == Path::new("-");
    let (reader, size): (Box<dyn Read + Send>, _) = if stdin {
        (Box::new(io::stdin()), None)
    } else {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("cannot open the input {name}"))?;
        let meta = file.metadata().with_context(|| format!("cannot read the input {name}"))?;
        if meta.is_dir() {
            bail!("the input {name} is a directory: give one file, or `cat` several into `-`");
        }
        (Box::new(file), meta.is_file().then_some(meta.len()))
    };
    let mut reader = Counted { reader, position: position.clone() };
    // gzip tells itself by its first two bytes, whatever the name of the file.
    let mut magic = [0; 2];
    let mut known = 0;
    while known < 2 {
        match reader.read(&mut magic[known..]) {
            Ok(0) => break,
            Ok(count) => known += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the input {}", path.display()));
            }
        }
    }
    let is_gzip = magic == [0x1f, 0x8b];
    let whole = io::Cursor::new(magic).take(known as u64).chain(reader);
    let reader: Box<dyn Read + Send> =
        if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    Ok(Opened { reader, is_file: size.is_some(), size, position })
}

struct Counted {
    reader: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What the reading thread says.
enum Message {
    Block(Block),
    End(io::Result<()>),
    Wake,
}

/// Bytes as they were read.
pub(crate) struct Block {
    bytes: Vec<u8>,
    length: usize,
}

impl Block {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What has arrived.
pub(crate) enum Arrival {
    /// More input.
    Block(Block),
    /// The end of the input.
    End,
    /// Nothing, but someone wants attention.
    Woken,
}

/// The blocks of an input.
pub(crate) struct Source {
    messages: Receiver<Message>,
    spent: Sender<Block>,
    sender: SyncSender<Message>,
}

impl Source {
    /// Starts to read.
    pub(crate) fn start(opened: Opened) -> Source {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let (spent, free) = mpsc::channel();
        let thread_sender = sender.clone();
        std::thread::spawn(move || {
            let end = read_all(opened.reader, opened.is_file, &thread_sender, &free);
            // Fails if nobody listens any more.
            let _ = thread_sender.send(Message::End(end));
        });
        Source { messages, spent, sender }
    }

    /// A function that makes a waiting [`next`](Source::next) return.
    pub(crate) fn waker(&self) -> impl Fn() + Send + use<> {
        let sender = self.sender.clone();
        // If the channel is full then nobody is waiting.
        move || drop(sender.try_send(Message::Wake))
    }

    /// Waits for more.
    pub(crate) fn next(&self) -> io::Result<Arrival> {
        match self.messages.recv() {
            Ok(Message::Block(block)) => Ok(Arrival::Block(block)),
            Ok(Message::Wake) => Ok(Arrival::Woken),
            Ok(Message::End(result)) => result.map(|()| Arrival::End),
            // `sender` lives as long as this, so there is always someone who could send.
            Err(mpsc::RecvError) => Ok(Arrival::End),
        }
    }

    /// Gives a block back when it was used.
    pub(crate) fn give_back(&self, block: Block) {
        // Fails if the thread has ended; the block is then of no more use.
        let _ = self.spent.send(block);
    }
}

fn read_all(
    mut reader: Box<dyn Read + Send>,
    is_file: bool,
    sender: &SyncSender<Message>,
    free: &Receiver<Block>,
) -> io::Result<()> {
    loop {
        let mut block =
            free.try_recv().unwrap_or_else(|_| Block { bytes: vec![0; BLOCK], length: 0 });
        block.length = 0;
        let mut at_end = false;
        let mut failure = None;
        // From a pipe what has come is passed on at once.
        while block.length < BLOCK && !at_end && (is_file || block.length == 0) {
            match reader.read(&mut block.bytes[block.length..]) {
                Ok(0) => at_end = true,
                Ok(count) => block.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if block.length > 0 && sender.send(Message::Block(block)).is_err() {
            return Ok(());
        }
        match failure {
            Some(error) => return Err(error),
            None if at_end => return Ok(()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let source = Source::start(open(path).map_err(io::Error::other)?);
        let mut all = Vec::new();
        loop {
            match source.next()? {
                Arrival::Block(block) => {
                    all.extend_from_slice(block.bytes());
                    source.give_back(block);
                }
                Arrival::Woken => {}
                Arrival::End => return Ok(all),
            }
        }
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
    fn a_waiting_reader_can_be_woken() {
        let source = Source::start(Opened {
            reader: Box::new(io::empty()),
            is_file: true,
            size: None,
            position: Arc::default(),
        });
        let wake = source.waker();
        assert!(matches!(source.next(), Ok(Arrival::End)));
        std::thread::spawn(wake);
        assert!(matches!(source.next(), Ok(Arrival::Woken)));
    }
}
