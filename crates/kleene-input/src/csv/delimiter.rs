//! The delimiter of cells: which one divides a header, and how a shell takes it.

use super::record::Cells;

/// Returns the likely separator of a CSV header that has one column when it is read with
/// `delimiter`. `None` if it has several columns, or if no other separator divides it.
pub fn other_delimiter(header: &str, delimiter: u8) -> Option<u8> {
    let header = header.trim_start_matches('\u{feff}');
    let mut cells = Cells::default();
    let mut columns = |delimiter| cells.split(header, header.contains('"'), delimiter).len();
    if columns(delimiter) > 1 {
        return None;
    }
    let others = b",;\t|".iter().map(|other| (columns(*other), *other));
    // Of equals the first.
    others.rev().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 1).map(|(_, d)| d)
}

/// A delimiter as `--delimiter` takes it in a shell.
pub fn delimiter_argument(delimiter: u8) -> String {
    match delimiter {
        b'\t' => String::from("'\\t'"),
        byte if byte.is_ascii_alphanumeric() || b",:.-_/".contains(&byte) => {
            char::from(byte).into()
        }
        byte => format!("'{}'", char::from(byte)),
    }
}
