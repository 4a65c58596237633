//! A diagnostic of rule text, with the text.

use std::fmt;

use kleene_syntax::diagnostic::{Diagnostic, Source};

/// A diagnostic with its source text. `Display` renders the diagnostic with the source line,
/// without a newline at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleDiagnostic {
    /// The source text.
    pub source: Source,
    /// The diagnostic.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for RuleDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.diagnostic.render(&self.source).trim_end_matches('\n'))
    }
}
