//! Text of several lines without a newline at its end.

use std::fmt::{self, Write};

/// Writes text of several lines as `Display` gives it everywhere in this crate: the newline at the
/// end is left out.
pub(crate) fn write_unended(
    f: &mut fmt::Formatter<'_>,
    lines: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    lines(&mut Unended { out: f, newlines: 0 })
}

/// A writer that holds back newlines until something follows them.
struct Unended<'a> {
    out: &'a mut dyn Write,
    newlines: usize,
}

impl Write for Unended<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let lines = text.trim_end_matches('\n');
        if !lines.is_empty() {
            for _ in 0..std::mem::take(&mut self.newlines) {
                self.out.write_char('\n')?;
            }
            self.out.write_str(lines)?;
        }
        self.newlines += text.len() - lines.len();
        Ok(())
    }
}
