//! Rules for unit tests.

use kleene_syntax::diagnostic::{Severity, Source};
use kleene_syntax::hir::lower::{self, Checked};
use kleene_syntax::syntax;

/// Returns what a text says.
///
/// # Panics
/// The text has a mistake.
pub(crate) fn checked(text: &str) -> Checked {
    let source = Source::new("test.cep", text);
    let (file, of_text) = syntax::parse(&source);
    let mut loader = |_: &Source, path: &str| Err(format!("{path} is not read here"));
    let (checked, of_rules) = lower::check(&[(source.clone(), file)], &[], &[], &[], &mut loader);
    let mut found = of_text.into_iter().chain(of_rules.into_iter().map(|(_, found)| found));
    if let Some(mistake) = found.find(|found| found.severity == Severity::Error) {
        panic!("{}", mistake.render(&source));
    }
    checked
}
