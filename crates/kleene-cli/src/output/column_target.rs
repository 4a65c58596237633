//! Results as rows of columns.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use kleene_arrow::{ColumnFormat, ResultWriter};

use super::target::Target;
use kleene_host::disk::Written;

/// Rows of columns, made of lines.
struct ColumnTarget {
    /// `None` once it is finished.
    writer: Option<ResultWriter<Written<File>>>,
    /// The start of a line whose end has not come.
    rest: Vec<u8>,
}

/// Returns the target of a file: columns if its name says so.
pub(super) fn target(path: &Path, file: Written<File>) -> Result<Box<dyn Target>> {
    let Some(format) = ColumnFormat::of(path) else { return Ok(Box::new(file)) };
    let writer = ResultWriter::new(file, format);
    let writer = writer.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(ColumnTarget { writer: Some(writer), rest: Vec::new() }))
}

impl Write for ColumnTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(writer) = &mut self.writer else {
            return Err(io::Error::other("the file is complete"));
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !piece.ends_with(b"\n") {
                self.rest.extend_from_slice(piece);
            } else if self.rest.is_empty() {
                writer.write_line(piece).map_err(io::Error::other)?;
            } else {
                self.rest.extend_from_slice(piece);
                writer.write_line(&self.rest).map_err(io::Error::other)?;
                self.rest.clear();
            }
        }
        Ok(bytes.len())
    }

    /// Rows are written when there are enough of them.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for ColumnTarget {
    fn finish(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        writer.finish().map_err(io::Error::other)?.flush()
    }
}
