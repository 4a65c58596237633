//! Places in rule files.

use crate::diagnostic::Span;

/// A place in a file, with the number of the file.
#[derive(Clone, Copy, Default)]
pub(super) struct Site {
    pub(super) source: usize,
    pub(super) span: Span,
}
