//! Columns, recognised by their first bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use kleene_input::Opened;

/// What is said where columns cannot be read.
pub(super) const NOT_BUILT_IN: &str = "the input is Parquet or Arrow IPC, which this program was \
                                       built without\nhelp: build it with `cargo build --release -p \
                                       kleene-cli --features arrow`";

/// The first bytes of the formats, and the names of these.
const FORMATS: [(&[u8], &str); 3] =
    [(b"PAR1", "Parquet"), (b"ARROW1", "Arrow IPC"), (&[0xff; 4], "an Arrow IPC stream")];

/// Returns the name of the format of columns that starts like this.
fn columns(start: &[u8]) -> Option<&'static str> {
    FORMATS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name)
}

/// True if an input is a file that can be read from its end; others are pipes.
pub(super) fn is_regular(input: &Path) -> bool {
    input != Path::new("-") && input.is_file()
}

/// Returns the name of the format of a file, if it is a regular one that holds columns. Of a file that
/// cannot be read, the reason comes when it is opened.
pub(crate) fn columns_of_file(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    let file = Some(path).filter(|path| is_regular(path)).and_then(|path| File::open(path).ok())?;
    file.take(8).read_to_end(&mut start).ok()?;
    columns(&start)
}

/// Returns the name of the format of a pipe, if it holds columns. No more is waited for than is needed
/// to know.
///
/// # Errors
/// The input cannot be read.
pub(super) fn columns_of_pipe(opened: &mut Opened) -> io::Result<Option<&'static str>> {
    let may_be = |start: &[u8]| {
        FORMATS.iter().any(|(magic, _)| magic.starts_with(start) && magic.len() > start.len())
    };
    Ok(columns(&opened.peek(may_be)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_column() {
        for text in ["", "P", "PAR", "ARROW", "{\"type\":\"PAR1\"}", "PARTS,ts\n", "\u{ff}\u{ff}"] {
            assert_eq!(columns(text.as_bytes()), None, "{text}");
        }
        assert_eq!(columns(b"PAR1\x15\x04"), Some("Parquet"));
        assert_eq!(columns(b"\xff\xff\xff\xff\x10\0\0\0"), Some("an Arrow IPC stream"));
    }
}
