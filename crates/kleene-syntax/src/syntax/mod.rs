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
mod limits;
mod parse;
mod print;
mod tokens;
mod words;

pub use format::format;
pub use limits::{MAX_DIAGNOSTICS, MAX_ITEMS, MAX_NESTING, MAX_REPETITIONS, MAX_TEXT};
pub use parse::{parse, parse_literal};
pub use print::print;
pub use tokens::{Token, TokenKind, tokens};
pub(crate) use words::MATCHES;
pub use words::{is_name, reserved_words};
