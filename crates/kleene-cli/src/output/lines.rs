//! The lines of results, on their way to a file or a pipe.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kleene::stream::{Overflow, Sink};
use kleene::{Match, Record, Timeout};
use kleene_report::output::Shapes;

#[cfg(feature = "arrow")]
use super::column_target::target;
use super::target::Target;
use crate::profile::ResultTimes;
use kleene_host::disk::{self, Written, directory_of, open_from};

/// The size of the written lines that are handed over together, in bytes.
const BUFFERED: usize = 64 << 10;

/// Writes matches, timeouts, and limits that were reached.
pub(super) struct LineWriter {
    writer: Box<dyn Target>,
    /// The lines that are not handed over yet. Results are written here in place: a buffer for each
    /// line, and another one behind it, would copy each line once more.
    waiting: Vec<u8>,
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

/// Returns the target of a file.
#[cfg(not(feature = "arrow"))]
#[expect(clippy::unnecessary_wraps, reason = "columns can fail")]
fn target(_: &Path, file: Written<File>) -> Result<Box<dyn Target>> {
    Ok(Box::new(file))
}

impl LineWriter {
    /// Opens a file to write to, or standard output for `-`. The content of a file is lost, unless
    /// it is to be kept up to a length: then writing continues there. `shapes` is the layout of
    /// results.
    pub(super) fn open(path: &Path, kept: Option<u64>, shapes: Shapes) -> Result<LineWriter> {
        let mut regular = None;
        let (writer, is_live, is_terminal): (Box<dyn Target>, _, _) = if path == Path::new("-") {
            let stdout = io::stdout();
            let is_terminal = stdout.is_terminal();
            (Box::new(stdout), true, is_terminal)
        } else {
            let file = open_from(path, kept)
                .with_context(|| format!("cannot write the output {}", path.display()))?;
            let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
            regular = file.try_clone().ok().filter(|_| is_file);
            (target(path, Written(file))?, !is_file, false)
        };
        Ok(LineWriter {
            writer,
            waiting: Vec::with_capacity(BUFFERED),
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
    pub(super) fn measure(&mut self) {
        self.times = Some(ResultTimes::new());
    }

    /// Returns the time that results took, if it is measured.
    pub(super) fn times(&mut self) -> Option<&mut ResultTimes> {
        self.times.as_mut()
    }

    /// Returns the layout of results.
    pub(super) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Continues with another layout.
    pub(super) fn set_shapes(&mut self, shapes: Shapes) {
        self.shapes = shapes;
    }

    /// True if someone may be waiting to read.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Writes a limit that was reached for a key of a rule. Other limits have no line.
    pub(super) fn limited(&mut self, overflow: &Overflow) {
        self.write(|shapes, line| shapes.limited(line, overflow));
    }

    /// Hands over what was written so far, if someone may be waiting for it.
    pub(super) fn flush_if_live(&mut self) {
        if self.is_live && !self.waiting.is_empty() {
            self.flush();
        }
    }

    /// Hands over what was written so far.
    pub(super) fn flush(&mut self) {
        self.hand_over();
        if self.failure.is_none() {
            self.failure = self.writer.flush().err();
        }
    }

    /// Hands over what was written so far, and what comes at the end of a file.
    pub(super) fn finish(&mut self) {
        self.flush();
        if self.failure.is_none() {
            self.failure = self.writer.finish().err();
        }
    }

    /// Makes sure that what was written so far outlives the machine's going down, and gives how
    /// long it is, if it is a file.
    pub(super) fn settle(&mut self) -> Option<u64> {
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
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// True if it goes to the terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// True if writing failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn write(&mut self, write: impl FnOnce(&Shapes, &mut Vec<u8>)) {
        if self.has_failed() {
            return;
        }
        match &mut self.times {
            None => write(&self.shapes, &mut self.waiting),
            Some(times) => times.render(|| write(&self.shapes, &mut self.waiting)),
        }
        self.hand_over_if_full();
    }

    /// Writes a line that [`Shapes`] made.
    pub(super) fn write_line(&mut self, line: &[u8]) {
        if self.has_failed() {
            return;
        }
        self.waiting.extend_from_slice(line);
        self.hand_over_if_full();
    }

    #[inline]
    fn hand_over_if_full(&mut self) {
        if self.waiting.len() >= BUFFERED {
            self.hand_over();
        }
    }

    /// Gives the written lines to the file. They are gone if that fails: nothing is written then.
    fn hand_over(&mut self) {
        if self.failure.is_none() && !self.waiting.is_empty() {
            let mut write = || self.writer.write_all(&self.waiting).err();
            self.failure = match &mut self.times {
                None => write(),
                Some(times) => times.hand_over(write),
            };
        }
        self.waiting.clear();
    }
}

impl Sink<Record> for LineWriter {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.write(|shapes, line| shapes.matched(line, &found));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.write(|shapes, line| shapes.timed_out(line, &timeout));
    }
}

/// Where a run ends early, by a panic of another thread as well, its results are written.
impl Drop for LineWriter {
    fn drop(&mut self) {
        self.finish();
    }
}
