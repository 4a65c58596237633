//! The format of an input, and what the name of a file says of it.

use std::path::Path;

/// The format of an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header row.
    Csv,
}

impl Format {
    /// The format that a file's name speaks of; JSON lines where it says nothing.
    pub fn of(path: &Path) -> Format {
        match inner_extension(path).as_deref() {
            Some("csv" | "tsv") => Format::Csv,
            _ => Format::Jsonl,
        }
    }
}

/// The format of an input, with its options.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The format.
    pub format: Format,
    /// The separator of the cells of CSV: an ASCII character.
    pub delimiter: u8,
    /// Lines (in CSV: records) of more bytes are rejected.
    pub max_line: usize,
}

impl Form {
    /// Returns the separator of the cells of CSV; `None` for JSON lines.
    pub(crate) fn separator(self) -> Option<u8> {
        (self.format == Format::Csv).then_some(self.delimiter)
    }
}

/// The delimiter that a file's name speaks of.
pub fn delimiter_of(path: &Path) -> u8 {
    if inner_extension(path).as_deref() == Some("tsv") { b'\t' } else { b',' }
}

/// The extension without a `.gz` behind it.
fn inner_extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if extension == "gz" { inner_extension(Path::new(path.file_stem()?)) } else { Some(extension) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_guessed_from_the_name() {
        let cases = [
            ("x.csv", Format::Csv, b','),
            ("a.b/x.CSV.gz", Format::Csv, b','),
            ("x.tsv", Format::Csv, b'\t'),
            ("x.jsonl", Format::Jsonl, b','),
            ("x.json.gz", Format::Jsonl, b','),
            ("x.gz", Format::Jsonl, b','),
            ("csv", Format::Jsonl, b','),
            ("-", Format::Jsonl, b','),
        ];
        for (name, format, delimiter) in cases {
            let path = Path::new(name);
            assert_eq!((Format::of(path), delimiter_of(path)), (format, delimiter), "{name}");
        }
    }
}
