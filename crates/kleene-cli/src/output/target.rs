//! What the lines of results are written to: bytes as they are, or columns.

use std::fs::File;
use std::io::{self, Stdout, Write};

use kleene_host::disk::Written;

/// What lines are written to.
pub(super) trait Target: Write + Send {
    /// Writes what comes at the end.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Stdout {}

impl Target for Written<File> {}
