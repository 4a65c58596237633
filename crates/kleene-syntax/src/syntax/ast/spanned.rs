//! Things with the place where they are written.

use crate::diagnostic::Span;

/// Something with the place where it was written.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The thing.
    pub node: T,
    /// Its place in the text.
    pub span: Span,
}

/// Trees are equal if they say the same, wherever it stands.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// A name, without the back-quotes that it may have been written in.
pub type Name = Spanned<String>;
