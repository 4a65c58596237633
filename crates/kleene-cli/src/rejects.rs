//! Rejected input: the first lines are reported on standard error, all are written to a file if
//! asked.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::progress::ReadProgress;
use crate::source::RowName;
use kleene_host::disk::{self, Written, directory_of, open_from};
use kleene_input::Origin;
use kleene_report::reasons::write_reject;

/// The number of rejected lines that are reported on standard error.
const SHOWN: u64 = 5;

/// Late and malformed events.
pub(crate) struct Rejects {
    file: Option<(PathBuf, BufWriter<Written<File>>)>,
    /// The directory that has its name, until that is for good.
    directory: Option<PathBuf>,
    failure: Option<io::Error>,
    is_quiet: bool,
    reported: u64,
    line: Vec<u8>,
    row_name: RowName,
}

impl Rejects {
    /// Rejects that go to a file, if one is given, and else to standard error. The file is kept up
    /// to a length, if one is given. `row_name` says what is rejected.
    pub(crate) fn open(
        path: Option<&Path>,
        kept: Option<u64>,
        is_quiet: bool,
        row_name: RowName,
    ) -> Result<Rejects> {
        let file = match path {
            None => None,
            Some(path) => {
                let file = open_from(path, kept)
                    .with_context(|| format!("cannot write the rejects {}", path.display()))?;
                Some((path.to_path_buf(), BufWriter::new(Written(file))))
            }
        };
        let directory = path.map(directory_of);
        let (failure, reported, line) = (None, 0, Vec::new());
        Ok(Rejects { file, directory, failure, is_quiet, reported, line, row_name })
    }

    /// Reports one.
    pub(crate) fn report(&mut self, origin: Origin<'_>, reason: &str, progress: &ReadProgress) {
        if let Some((_, file)) = &mut self.file {
            if self.failure.is_none() {
                self.line.clear();
                let line = &mut self.line;
                // Writing to memory does not fail.
                let _ = write!(line, "{{\"{}\":{}", self.row_name.word(), origin.line);
                write_reject(line, reason, origin.text);
                self.failure = file.write_all(line).err();
            }
        } else if !self.is_quiet {
            self.reported += 1;
            if self.reported <= SHOWN {
                progress.say(&format!("{} {}: {reason}", self.row_name.word(), origin.line));
            } else if self.reported == SHOWN + 1 {
                progress
                    .say("further rejects are only counted; use --rejects FILE to see them all");
            }
        }
    }

    /// Writes what is left. Fails if writing did at any time.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if let Some((path, file)) = &mut self.file {
            let result = match self.failure.take() {
                Some(error) => Err(error),
                None => file.flush(),
            };
            result.with_context(|| format!("cannot write the rejects {}", path.display()))?;
        }
        Ok(())
    }

    /// Makes sure that what was written so far outlives the machine's going down, and gives how
    /// long it is, if it is a file.
    pub(crate) fn settle(&mut self) -> Option<u64> {
        let (_, writer) = self.file.as_mut()?;
        let flushed = writer.flush();
        let settled =
            flushed.and_then(|()| disk::settle(&mut writer.get_mut().0, &mut self.directory));
        match settled {
            Ok(length) => Some(length),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    /// True if writing failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }
}
