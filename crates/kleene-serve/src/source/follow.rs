//! A file that is read to its end, and then as it grows.
//!
//! A log that is rotated is followed: when the name stands for another file, the rest of the old
//! one is read, and then the new one from its start.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use kleene_input::{AheadParser, Arrival, Block, Blocks, Form, Opened, Position};

use super::inbox::{Arrived, FileMark, Inbox, SourcePosition};

/// The interval at which a file is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// The number of bytes that a file is recognised by.
const MARK: u64 = 1024;

/// A file to follow.
#[derive(Debug)]
pub(crate) struct FileSource {
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
    /// True if what is added to the file is read, too.
    pub(crate) follows: bool,
}

impl FileSource {
    /// Starts to read in a thread, from a position on.
    pub(crate) fn start(
        self,
        (number, from): (usize, SourcePosition),
        ahead: AheadParser,
        inbox: Arc<Inbox>,
        stop: Arc<AtomicBool>,
    ) {
        thread::spawn(move || {
            let end = self.run((number, from), ahead, &inbox, &stop);
            inbox.put(number, Arrived::End(end));
        });
    }

    fn run(
        &self,
        (number, from): (usize, SourcePosition),
        mut ahead: AheadParser,
        inbox: &Inbox,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<()> {
        let mut position = from.at;
        loop {
            let Some(mut file) = self.open(stop)? else { return Ok(()) };
            file.seek(SeekFrom::Start(position.offset))?;
            let reader = Tail {
                file: file.try_clone()?,
                path: self.path.clone(),
                follows: self.follows,
                stop: stop.clone(),
                at: position.offset,
            };
            let mut mark = None;
            let blocks = Blocks::start(Opened::from_reader(reader, position), self.form);
            while let Arrival::Block(block) = blocks.wait()? {
                // The end of the service is not the end of a line that is half written.
                if stop.load(Ordering::Relaxed) && !block.bytes().ends_with(b"\n") {
                    return Ok(());
                }
                let lines = count_lines(&block);
                let at = Position { offset: block.end(), line: block.line() + lines };
                if mark.is_none_or(|mark: FileMark| mark.length < MARK) {
                    mark = mark_of(&file, at.offset).ok();
                }
                let end = SourcePosition { at, file: mark };
                let block = ahead.parse(block);
                if !inbox.put(number, Arrived::Lines { block, end, at: SystemTime::now() }) {
                    return Ok(());
                }
            }
            if !self.follows || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let name = self.path.display();
            tracing::info!("{name} was replaced: the new file is read from its start");
            if !inbox.put(number, Arrived::Restart) {
                return Ok(());
            }
            ahead.restart();
            position = Position::default();
        }
    }

    /// Opens the file; waits for it if it is followed.
    fn open(&self, stop: &AtomicBool) -> io::Result<Option<File>> {
        let mut has_said = false;
        loop {
            match File::open(&self.path) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if self.follows && error.kind() == io::ErrorKind::NotFound => {
                    if !std::mem::replace(&mut has_said, true) {
                        tracing::warn!("{} is not there yet: waiting for it", self.path.display());
                    }
                }
                Err(error) => return Err(named(&self.path, &error)),
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            thread::sleep(PERIOD);
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
}

fn count_lines(block: &Block) -> u64 {
    memchr::memchr_iter(b'\n', block.bytes()).count() as u64
}

/// Returns what a file is recognised by when `length` bytes of it are known.
fn mark_of(file: &File, length: u64) -> io::Result<FileMark> {
    let length = length.min(MARK);
    let mut start = vec![0; usize::try_from(length).unwrap_or_default()];
    read_exact_at(file, &mut start)?;
    Ok(FileMark { length, checksum: crc32fast::hash(&start) })
}

#[cfg(unix)]
fn read_exact_at(file: &File, start: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, start, 0)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, start: &mut [u8]) -> io::Result<()> {
    // Without a read that leaves the position alone, the file is recognised by nothing.
    let _ = (file, start);
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Returns the position to read on from after a restart of the service, in the file that is there
/// now: its start if it is not the file that was read.
pub(crate) fn resume(path: &Path, from: SourcePosition) -> SourcePosition {
    let Some(mark) = from.file else { return from };
    let Ok(file) = File::open(path) else { return from };
    let is_same = mark_of(&file, mark.length).is_ok_and(|found| found == mark)
        && file.metadata().is_ok_and(|meta| meta.len() >= from.at.offset);
    if is_same {
        return from;
    }
    let (name, offset) = (path.display(), from.at.offset);
    tracing::warn!(
        "{name} is not the file that was read up to byte {offset}: it is read from its start, and \
         what the old file had after that byte is not read"
    );
    SourcePosition::default()
}

/// Returns the first block of a file, which has the header of CSV.
pub(crate) fn beginning(path: &Path, form: Form) -> Option<Block> {
    let blocks = Blocks::start(kleene_input::open(path).ok()?, form);
    match blocks.wait() {
        Ok(Arrival::Block(block)) => Some(block),
        _ => None,
    }
}

/// Reads a file, and waits at its end until it grows or is replaced.
struct Tail {
    file: File,
    path: PathBuf,
    follows: bool,
    stop: Arc<AtomicBool>,
    /// The number of bytes that were read.
    at: u64,
}

impl Read for Tail {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut is_last = !self.follows;
        loop {
            let read = self.file.read(space).map_err(|error| named(&self.path, &error))?;
            self.at += read as u64;
            if read > 0 || is_last || self.stop.load(Ordering::Relaxed) {
                return Ok(read);
            }
            // What was written before the file was replaced is still read.
            is_last = self.is_replaced();
            if !is_last {
                thread::sleep(PERIOD);
            }
        }
    }
}

impl Tail {
    /// True if the name stands for another file, or if this one was cut.
    fn is_replaced(&self) -> bool {
        let Ok(own) = self.file.metadata() else { return false };
        if own.len() < self.at {
            return true;
        }
        // Between two files there is none: the next one is waited for.
        fs::metadata(&self.path).is_ok_and(|now| !is_same_file(&own, &now))
    }
}

#[cfg(unix)]
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use kleene::schema::Schema;
    use kleene_input::{BatchReader, Format, Parser, Reading};

    use super::*;

    const FORM: Form = Form { format: Format::Jsonl, delimiter: b',', max_line: 1 << 20 };

    fn ahead() -> AheadParser {
        let parser = Parser::new(FORM, &Schema::new(), Reading::default());
        BatchReader::new(parser).parse_ahead(1)
    }

    /// Returns the text that has arrived, up to `expected` bytes.
    fn arrived(inbox: &Inbox, expected: usize) -> (String, SourcePosition) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let (mut text, mut position) = (String::new(), SourcePosition::default());
        while text.len() < expected {
            match inbox.take(deadline, |ready| ready.first().copied()) {
                Some((_, Arrived::Lines { block, end, .. })) => {
                    text += std::str::from_utf8(block.block().bytes()).unwrap();
                    position = end;
                }
                Some((_, Arrived::Restart)) => text += "|",
                other => panic!("{other:?} after {text:?}"),
            }
        }
        (text, position)
    }

    #[test]
    fn a_log_is_followed_where_it_grows_and_where_it_is_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (inbox, stop) = (Arc::new(Inbox::new(1)), Arc::new(AtomicBool::new(false)));
        let source = FileSource { path: path.clone(), form: FORM, follows: true };
        source.start((0, SourcePosition::default()), ahead(), inbox.clone(), stop.clone());
        // It is waited for.
        thread::sleep(PERIOD);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"1\n2\n3").unwrap();
        assert_eq!(arrived(&inbox, 4).0, "1\n2\n");
        file.write_all(b"4\n").unwrap();
        let (text, position) = arrived(&inbox, 3);
        assert_eq!((&*text, position.at), ("34\n", Position { offset: 7, line: 4 }));
        assert_eq!(resume(&path, position.clone()), position);
        fs::rename(&path, dir.path().join("old")).unwrap();
        file.write_all(b"5\n").unwrap();
        fs::write(&path, "6\n").unwrap();
        assert_eq!(arrived(&inbox, 5).0, "5\n|6\n");
        assert_eq!(resume(&path, position), SourcePosition::default());
        stop.store(true, Ordering::Relaxed);
        let end =
            inbox.take(Instant::now() + Duration::from_secs(10), |ready| ready.first().copied());
        assert!(matches!(end, Some((0, Arrived::End(Ok(()))))), "{end:?}");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_where_it_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (inbox, stop) = (Arc::new(Inbox::new(1)), Arc::new(AtomicBool::new(false)));
        let path = dir.path().join("nowhere");
        let source = FileSource { path, form: FORM, follows: false };
        source.start((0, SourcePosition::default()), ahead(), inbox.clone(), stop);
        let end =
            inbox.take(Instant::now() + Duration::from_secs(10), |ready| ready.first().copied());
        let Some((_, Arrived::End(Err(error)))) = end else { panic!("{end:?}") };
        assert!(error.to_string().starts_with("cannot read "), "{error}");
    }
}
