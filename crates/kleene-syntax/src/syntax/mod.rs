//! Rule text: its layout, its tokens and its names.
//!
//! The parser knows no schema and never fails. A mistake becomes a diagnostic, and the parser goes
//! on behind it. The syntax tree is for Kleene's own crates and is not in the documentation.
//!
//! ```
//! use kleene::diagnostic::Source;
//! use kleene_syntax::syntax::{format, is_name};
//!
//! let mistakes = format(&Source::new("shop.cep", "rule r { match a -> b{2,} }")).unwrap_err();
//! assert_eq!(mistakes[0].help.as_deref(), Some("write `{2..}`"));
//! assert!(is_name("paid") && !is_name("match"));
//! ```

pub mod ast;
mod format;
mod layout;
mod lex;
mod parse;
mod print;
mod tokens;
mod words;

pub use format::format;
pub use parse::{parse, parse_literal};
pub use print::print;
pub use tokens::{Token, TokenKind, tokens};
pub(crate) use words::MATCHES;
pub use words::reserved_words;

/// True if `text` is a name that can be written as it is, without back-quotes, wherever a name can
/// stand.
pub fn is_name(text: &str) -> bool {
    words::is_word(text) && !words::is_reserved(text)
}

/// Levels that groups, brackets and operators may nest.
pub const MAX_NESTING: u32 = 64;

/// The most repetitions that a quantifier may name.
pub const MAX_REPETITIONS: u64 = 10_000;

/// The longest rule file, in bytes.
pub const MAX_TEXT: usize = 64 << 20;

/// The maximum number of declarations, rules and tests of a file. The tree of a short rule takes a
/// hundred times the memory of its text, so that a file of [`MAX_TEXT`] bytes could take gigabytes.
pub const MAX_ITEMS: usize = 250_000;

/// The maximum number of reported mistakes of a file.
pub const MAX_DIAGNOSTICS: usize = 50;
