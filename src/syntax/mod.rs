//! Rule text to [`ast::File`] and back. Knows no schema; never fails: what cannot be read becomes
//! a diagnostic, and reading goes on behind it.
//!
//! ```
//! use kleene::diagnostic::Source;
//! use kleene::syntax::{parse, print};
//!
//! let (file, diagnostics) = parse(&Source::new("shop.cep", "rule r { match a -> b{2,} }"));
//! assert_eq!(diagnostics[0].help.as_deref(), Some("write `{2..}`"));
//!
//! let (file, diagnostics) = parse(&Source::new("shop.cep", "rule r {match a->b+ within 60s}"));
//! assert!(diagnostics.is_empty());
//! assert_eq!(print(&file), "rule r {\n  match a -> b+\n  within 1m\n}\n");
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

/// So many mistakes of a file are reported, then no more.
pub const MAX_DIAGNOSTICS: usize = 50;
