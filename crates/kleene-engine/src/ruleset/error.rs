//! The mistakes of a rule set, as they are printed.

use std::fmt;

use crate::ruleset::diagnostic::RuleDiagnostic;
use crate::ruleset::screen;

/// A list of diagnostics to print. `Display` renders those that fit on a screen, errors first,
/// and counts the rest; `{:#}` renders all.
#[derive(Clone, Copy, Debug)]
pub struct RuleDiagnostics<'a>(pub &'a [RuleDiagnostic]);

impl fmt::Display for RuleDiagnostics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        screen::write(f, self.0, f.alternate())
    }
}

/// The reasons why rules cannot be used. `Display` renders the diagnostics that fit on a screen and
/// counts the rest; `{:#}` renders all. `Debug` prints the same text, for `unwrap` and for a `main`
/// that returns the error.
///
/// ```
/// let error = kleene::RuleSet::parse("rule paid { match payed }").unwrap_err();
/// let text = error.to_string();
/// assert!(text.starts_with("error[E0201]: there is no event type or define `payed`"));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct RulesError {
    pub(super) diagnostics: Vec<RuleDiagnostic>,
}

impl RulesError {
    /// Returns the errors and warnings, file by file in the order of the text.
    pub fn diagnostics(&self) -> &[RuleDiagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RuleDiagnostics(&self.diagnostics).fmt(f)
    }
}

impl fmt::Debug for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RulesError {}
