//! Places in an input.

/// A place between two lines of an input (in CSV: records).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// The number of bytes of the unpacked input before it.
    pub offset: u64,
    /// The number of the line that is next, from 1.
    pub line: u64,
}

impl Default for Position {
    /// The start.
    fn default() -> Position {
        Position { offset: 0, line: 1 }
    }
}
