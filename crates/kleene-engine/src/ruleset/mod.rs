//! Rule files, checked and ready for an [`Engine`](crate::stream).

mod archive;
mod builder;
mod cascade;
pub(crate) mod compiled;
mod diagnostic;
mod error;
mod files;
mod origin;
mod reach;
pub(crate) mod relink;
mod screen;
mod set;
mod sources;
#[cfg(test)]
mod tests;

pub use builder::RuleSetBuilder;
pub use diagnostic::RuleDiagnostic;
pub use error::{RuleDiagnostics, RulesError};
pub use files::FileLoader;
#[doc(inline)]
pub use kleene_syntax::hir::functions::HostFunction;
#[doc(inline)]
pub use kleene_syntax::hir::{KeyPart, Limit, Meta, Once, Rule, TestBlock};
pub use set::RuleSet;
