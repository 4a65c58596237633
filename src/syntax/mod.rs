//! Rule text to [`ast::File`] and back. Knows no schema; never fails: what cannot be read becomes
//! a diagnostic, and reading goes on behind it.

pub mod ast;
