//! Results, one a line: JSON objects, or short lines for people (`--brief`).

use std::fs::File;
use std::io::{self, IsTerminal as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kleene::schema::Schema;
use kleene::stream::Overflow;
use kleene::{Match, Record, Timeout};
use kleene_report::output::Shapes;
use kleene_syntax::hir::Rule;

use crate::disk::{self, Written};
use crate::profile::ResultTimes;

/// The size of the written lines that are handed over together, in bytes.
const BUFFERED: usize = 64 << 10;

/// Writes matches, timeouts, and limits that were reached.
pub(crate) struct Output {
    writer: Box<dyn Write + Send>,
    /// The lines that are not handed over yet. Results are written here in place: a buffer for each
    /// line, and another one behind it, would copy each line once more.
    lines: Vec<u8>,
    /// The file, if it is a regular one.
    file: Option<File>,
    /// The directory that has its name, until that is for good.
    directory: Option<PathBuf>,
    /// True if someone may be waiting to read.
    is_live: bool,
    /// True if it goes to the terminal.
    is_terminal: bool,
    /// The error of a failed write; nothing is written after it.
    failure: Option<io::Error>,
    shapes: Shapes,
    /// The time that results take, if it is measured.
    times: Option<ResultTimes>,
}

/// The directory of a file, which has its name.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// A file to write to: anew, or from a length on that it has at least.
pub(crate) fn open_from(path: &Path, kept: Option<u64>) -> io::Result<File> {
    let Some(kept) = kept else {
        // It is made with `O_CREAT` alone, and emptied only once it is known to be a file.
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.is_file() {
            disk::set_len(&file, 0)?;
        }
        return Ok(file);
    };
    let mut file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    if length < kept {
        let text = format!("it had {kept} bytes at the last checkpoint, but has only {length} now");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    disk::set_len(&file, kept)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

impl Output {
    /// Opens a file to write to, or standard output for `-`. The content of a file is lost, unless
    /// it is to be kept up to a length: then writing continues there. `shapes` is the layout of
    /// results.
    pub(crate) fn open(path: &Path, kept: Option<u64>, shapes: Shapes) -> Result<Output> {
        let mut regular = None;
        let (writer, is_live, is_terminal): (Box<dyn Write + Send>, _, _) =
            if path == Path::new("-") {
                let stdout = io::stdout();
                let is_terminal = stdout.is_terminal();
                (Box::new(stdout), true, is_terminal)
            } else {
                let file = open_from(path, kept)
                    .with_context(|| format!("cannot write the output {}", path.display()))?;
                let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
                regular = file.try_clone().ok().filter(|_| is_file);
                (Box::new(Written(file)), !is_file, false)
            };
        Ok(Output {
            writer,
            lines: Vec::with_capacity(BUFFERED),
            directory: regular.as_ref().map(|_| directory_of(path)),
            file: regular,
            is_live,
            is_terminal,
            failure: None,
            shapes,
            times: None,
        })
    }

    /// Measures the time that results take.
    pub(crate) fn measure(&mut self) {
        self.times = Some(ResultTimes::new());
    }

    /// Returns the time that results took, if it is measured.
    pub(crate) fn times(&mut self) -> Option<&mut ResultTimes> {
        self.times.as_mut()
    }

    /// Returns the layout of results.
    pub(crate) fn shapes(&self) -> Shapes {
        self.shapes.clone()
    }

    /// Goes on with events of the types of `schema`, and with other rules.
    pub(crate) fn renew<'a>(
        &mut self,
        schema: &Schema,
        rules: impl IntoIterator<Item = &'a Arc<Rule>>,
    ) {
        self.shapes = self.shapes.renewed(schema).with_rules(rules);
    }

    /// Writes a match.
    pub(crate) fn matched(&mut self, found: &Match<'_, Record>) {
        self.write(|shapes, line| shapes.matched(line, found));
    }

    /// Writes a timeout.
    pub(crate) fn timed_out(&mut self, timeout: &Timeout<'_, Record>) {
        self.write(|shapes, line| shapes.timed_out(line, timeout));
    }

    /// Writes a limit that was reached for a key of a rule. Other limits have no line.
    pub(crate) fn limited(&mut self, overflow: &Overflow) {
        self.write(|shapes, line| shapes.limited(line, overflow));
    }

    /// Hands over what was written so far, if someone may be waiting for it.
    pub(crate) fn flush_if_live(&mut self) {
        if self.is_live && !self.lines.is_empty() {
            self.flush();
        }
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) {
        self.hand_over();
        if self.failure.is_none() {
            self.failure = self.writer.flush().err();
        }
    }

    /// Makes sure that what was written so far outlives the machine's going down, and gives how
    /// long it is, if it is a file.
    pub(crate) fn settle(&mut self) -> Option<u64> {
        self.flush();
        let file = self.file.as_mut()?;
        match disk::settle(file, &mut self.directory) {
            Ok(length) => Some(length),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }

    /// Returns the error of a failed write, if there was one.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// True if it goes to the terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// True if writing failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn write(&mut self, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        if self.has_failed() {
            return;
        }
        match &mut self.times {
            None => write(&self.shapes, &mut self.lines),
            Some(times) => times.render(|| write(&self.shapes, &mut self.lines)),
        }
        self.hand_over_if_full();
    }

    /// Writes a line that [`Shapes`] made.
    pub(crate) fn write_line(&mut self, line: &[u8]) {
        if self.has_failed() {
            return;
        }
        self.lines.extend_from_slice(line);
        self.hand_over_if_full();
    }

    #[inline]
    fn hand_over_if_full(&mut self) {
        if self.lines.len() >= BUFFERED {
            self.hand_over();
        }
    }

    /// Gives the written lines to the file. They are gone if that fails: nothing is written then.
    fn hand_over(&mut self) {
        if self.failure.is_none() && !self.lines.is_empty() {
            let mut write = || self.writer.write_all(&self.lines).err();
            self.failure = match &mut self.times {
                None => write(),
                Some(times) => times.hand_over(write),
            };
        }
        self.lines.clear();
    }
}

/// Where a run ends early, by a panic of another thread as well, its results are written.
impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}
