//! Parameters and defines that a rule declares and does not use (`W0006`).

use super::subject::{Findings, Subject};
use super::written::UnusedName;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn declarations(rule: &Subject<'_>, findings: &mut Findings) {
    if findings.has_errors() {
        return;
    }
    for UnusedName { what, name, site } in &rule.written.unused {
        let message = format!("the {what} `{name}` is never used");
        findings.add(site.source, Diagnostic::warning(Code::Unused, site.span, message));
    }
}
