//! The tokens of a text, for tools that look at text which may be half typed.

use super::lex::{self, LexemeKind as Kind};
use crate::diagnostic::Span;

/// The kind of a [`Token`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenKind {
    /// A name or a word of the language.
    Word,
    /// A name in back-quotes.
    Quoted,
    /// A string in double quotes.
    String,
    /// `12`, `1.5`
    Number,
    /// `1h30m`
    Duration,
    /// Anything else: `{`, `->`, `==`
    Symbol,
    /// Text that cannot be read, such as a string without its end.
    Bad,
}

/// A piece of rule text that is no blank and no comment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Token {
    /// The kind of the token.
    pub kind: TokenKind,
    /// Its place in the text.
    pub span: Span,
    /// True if nothing but blanks stands before it on its line.
    pub first_on_line: bool,
}

/// The tokens of a text, whatever is in it.
///
/// ```
/// let tokens = kleene_syntax::syntax::tokens("match a[x > 1.5 # the rest is missing");
/// let words: Vec<&str> = tokens
///     .iter()
///     .map(|token| &"match a[x > 1.5"[token.span.start as usize..token.span.end as usize])
///     .collect();
/// assert_eq!(words, ["match", "a", "[", "x", ">", "1.5"]);
/// ```
pub fn tokens(text: &str) -> Vec<Token> {
    let (tokens, _) = lex::tokens(text);
    tokens
        .iter()
        .filter(|token| token.kind != Kind::End)
        .map(|token| Token {
            kind: match token.kind {
                Kind::Word => TokenKind::Word,
                Kind::Quoted => TokenKind::Quoted,
                Kind::Str => TokenKind::String,
                Kind::Int | Kind::Float => TokenKind::Number,
                Kind::Duration => TokenKind::Duration,
                Kind::Bad => TokenKind::Bad,
                _ => TokenKind::Symbol,
            },
            span: token.span,
            first_on_line: token.first_on_line,
        })
        .collect()
}
