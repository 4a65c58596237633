//! Results in a file, each line once: after a crash the file is cut back to what the checkpoint
//! knows, and the rest is written again.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kleene_host::disk::{self, Written, directory_of, open_from};

use crate::config::OnFailure;

/// The time until a failed write is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The number of bytes that are written at once.
const BATCH: usize = 64 << 10;

/// The counts of a sink.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SinkCounts {
    pub(crate) results: u64,
    pub(crate) bytes: u64,
    pub(crate) failures: u64,
    /// Results that were lost because the sink could not take them.
    pub(crate) dropped: u64,
    /// Bytes that wait.
    pub(crate) waiting: u64,
}

/// A file of results.
#[derive(Debug)]
pub(crate) struct FileSink {
    path: PathBuf,
    file: File,
    /// The directory that has its name, until that is for good.
    directory: Option<PathBuf>,
    /// True for a file that has a length; false for a pipe or a device.
    is_regular: bool,
    /// The length of the file.
    written: u64,
    /// What is not written yet: whole lines.
    held: Vec<u8>,
    limit: u64,
    on_failure: OnFailure,
    /// The reason of the last failure and the time of the next try; `None` while writing works.
    failure: Option<(String, Instant)>,
    pub(crate) counts: SinkCounts,
}

/// What outlives the machine's going down once it is settled.
#[derive(Debug)]
pub(crate) struct Unsettled {
    file: File,
    directory: Option<PathBuf>,
}

impl Unsettled {
    /// Brings what was written to the disk.
    pub(crate) fn settle(mut self) -> io::Result<()> {
        disk::settle(&mut self.file, &mut self.directory).map(drop)
    }
}

impl FileSink {
    /// Opens the file. It is cut to the length that a checkpoint knows; without one, lines are added
    /// to what is there.
    pub(crate) fn open(
        path: &Path,
        kept: Option<u64>,
        (limit, on_failure): (u64, OnFailure),
    ) -> Result<FileSink> {
        let context = || format!("cannot write {}", path.display());
        let there = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
        let file = open_from(path, kept.or(there)).with_context(context)?;
        let written = kept.or(there).unwrap_or_default();
        let is_regular = file.metadata().with_context(context)?.is_file();
        Ok(FileSink {
            path: path.to_path_buf(),
            file,
            directory: Some(directory_of(path)),
            is_regular,
            written,
            held: Vec::new(),
            limit,
            on_failure,
            failure: None,
            counts: SinkCounts::default(),
        })
    }

    /// Adds lines.
    pub(crate) fn add(&mut self, lines: &[u8], results: u64) {
        let (waiting, limit) = (self.held.len() as u64, self.limit);
        let is_full = self.failure.is_some() && waiting + lines.len() as u64 > limit;
        if is_full && self.on_failure == OnFailure::Drop {
            if self.counts.dropped == 0 {
                tracing::error!(
                    "{}: results are lost, as more than {limit} bytes wait for the file",
                    self.path.display()
                );
            }
            self.counts.dropped += results;
            return;
        }
        self.held.extend_from_slice(lines);
        self.counts.results += results;
        self.counts.bytes += lines.len() as u64;
        if self.held.len() >= BATCH {
            self.flush();
        }
    }

    /// Writes what is held, if the time for a try has come.
    pub(crate) fn flush(&mut self) {
        if self.held.is_empty() || self.failure.as_ref().is_some_and(|(_, at)| Instant::now() < *at)
        {
            self.counts.waiting = self.held.len() as u64;
            return;
        }
        match self.write() {
            Ok(()) => {
                if let Some((reason, _)) = self.failure.take() {
                    tracing::info!(
                        "{}: writing works again (it was: {reason})",
                        self.path.display()
                    );
                }
            }
            Err(error) => {
                self.counts.failures += 1;
                if self.failure.is_none() {
                    tracing::error!("cannot write {}: {error}; trying again", self.path.display());
                }
                self.failure = Some((error.to_string(), Instant::now() + RETRY));
            }
        }
        self.counts.waiting = self.held.len() as u64;
    }

    fn write(&mut self) -> io::Result<()> {
        if self.failure.is_some() && self.is_regular {
            // A part of the last try may be there.
            disk::set_len(&self.file, self.written)?;
            self.file.seek(SeekFrom::Start(self.written))?;
        }
        Written(&self.file).write_all(&self.held)?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// Returns the reason why the file cannot be written now.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|(reason, _)| &**reason)
    }

    /// True if the service has to wait for this sink.
    pub(crate) fn holds_up(&self) -> bool {
        self.failure.is_some()
            && self.on_failure == OnFailure::Wait
            && self.held.len() as u64 > self.limit
    }

    /// Returns the length of the file, and what has to be settled before a checkpoint may name it.
    /// `None` while the file cannot be written: no checkpoint covers its results then.
    pub(crate) fn prepare(&mut self) -> Option<(u64, Option<Unsettled>)> {
        self.flush();
        if self.failure.is_some() {
            return None;
        }
        if !self.is_regular {
            return Some((self.written, None));
        }
        let file = self.file.try_clone().ok()?;
        Some((self.written, Some(Unsettled { file, directory: self.directory.take() })))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn open(path: &Path, kept: Option<u64>) -> FileSink {
        FileSink::open(path, kept, (100, OnFailure::Drop)).unwrap()
    }

    #[test]
    fn a_file_goes_on_where_the_checkpoint_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut sink = open(&path, None);
        sink.add(b"one\n", 1);
        let (length, unsettled) = sink.prepare().unwrap();
        unsettled.unwrap().settle().unwrap();
        sink.add(b"two\n", 1);
        sink.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let mut sink = open(&path, Some(length));
        sink.add(b"2\n", 1);
        sink.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n2\n");
        // Without a checkpoint, lines are added.
        let mut sink = open(&path, None);
        sink.add(b"3\n", 1);
        sink.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n2\n3\n");
        assert!(FileSink::open(&path, Some(100), (100, OnFailure::Drop)).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_counted_and_drops_results_beyond_the_limit() {
        let mut sink = open(Path::new("/dev/full"), None);
        sink.add(b"12345\n", 1);
        sink.flush();
        assert!(sink.failure().is_some() && sink.prepare().is_none());
        sink.add(&[b'x'; 90], 1);
        assert_eq!((sink.counts.failures, sink.counts.dropped), (1, 0));
        sink.add(&[b'x'; 90], 1);
        assert_eq!((sink.counts.dropped, sink.counts.waiting), (1, 6));
        let mut sink = FileSink::open(Path::new("/dev/full"), None, (10, OnFailure::Wait)).unwrap();
        sink.add(b"12345\n", 1);
        sink.flush();
        assert!(!sink.holds_up());
        sink.add(b"12345\n", 1);
        assert!(sink.holds_up());
        assert_eq!(sink.counts.dropped, 0);
    }
}
