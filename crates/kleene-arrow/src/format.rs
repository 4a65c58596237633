//! The formats, recognised by their first bytes.

use std::fmt;
use std::path::Path;

/// A format of columns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ColumnFormat {
    /// Apache Parquet: a file that is read from its end.
    Parquet,
    /// The file format of Arrow IPC, also called Feather version 2: read from its end, too.
    ArrowFile,
    /// The stream format of Arrow IPC: read from its start, so that it can come from a pipe.
    ArrowStream,
}

impl ColumnFormat {
    /// The number of bytes that [`detect`](ColumnFormat::detect) needs.
    pub const MAGIC: usize = 8;

    /// Returns the format of an input from its first bytes; `None` for any other format.
    /// Text such as JSON lines and CSV is never taken for one.
    ///
    /// Give it [`MAGIC`](ColumnFormat::MAGIC) bytes, or fewer if the input has no more.
    ///
    /// ```
    /// use kleene_arrow::ColumnFormat;
    ///
    /// assert_eq!(ColumnFormat::detect(b"PAR1\x15\x04\x15\x10"), Some(ColumnFormat::Parquet));
    /// assert_eq!(ColumnFormat::detect(b"ARROW1\0\0"), Some(ColumnFormat::ArrowFile));
    /// assert_eq!(ColumnFormat::detect(b"type,ts\n"), None);
    /// ```
    pub fn detect(start: &[u8]) -> Option<ColumnFormat> {
        if start.starts_with(b"PAR1") {
            return Some(ColumnFormat::Parquet);
        }
        if start.starts_with(b"ARROW1") {
            return Some(ColumnFormat::ArrowFile);
        }
        // A continuation marker, which is not UTF-8, and then the length of the schema.
        let length = start.strip_prefix(&[0xff; 4])?.first_chunk()?;
        (i32::from_le_bytes(*length) > 0).then_some(ColumnFormat::ArrowStream)
    }

    /// Returns the format that the name of a file speaks of, for a file that is to be written:
    /// `.parquet`, `.arrow`, `.feather` or `.ipc` for an Arrow IPC file, `.arrows` for a stream.
    ///
    /// ```
    /// use std::path::Path;
    /// use kleene_arrow::ColumnFormat;
    ///
    /// assert_eq!(ColumnFormat::of(Path::new("out.parquet")), Some(ColumnFormat::Parquet));
    /// assert_eq!(ColumnFormat::of(Path::new("out.jsonl")), None);
    /// ```
    pub fn of(path: &Path) -> Option<ColumnFormat> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "parquet" => Some(ColumnFormat::Parquet),
            "arrow" | "feather" | "ipc" => Some(ColumnFormat::ArrowFile),
            "arrows" => Some(ColumnFormat::ArrowStream),
            _ => None,
        }
    }

    /// True if the format is read from its end: the input must be a file.
    pub fn needs_seek(self) -> bool {
        self != ColumnFormat::ArrowStream
    }
}

/// Writes the name of the format as messages have it.
impl fmt::Display for ColumnFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnFormat::Parquet => "Parquet",
            ColumnFormat::ArrowFile => "Arrow IPC file",
            ColumnFormat::ArrowStream => "Arrow IPC stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_starts_with_a_marker_and_a_length() {
        let marker = [0xff, 0xff, 0xff, 0xff];
        let with = |length: i32| [marker, length.to_le_bytes()].concat();
        assert_eq!(ColumnFormat::detect(&with(200)), Some(ColumnFormat::ArrowStream));
        assert_eq!(ColumnFormat::detect(&with(0)), None);
        assert_eq!(ColumnFormat::detect(&marker), None);
        assert_eq!(ColumnFormat::detect(b""), None);
    }
}
