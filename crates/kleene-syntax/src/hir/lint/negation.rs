//! Negations of what may be null (`W0009`): an event that lacks the field does not fit, which is
//! easily missed. See `null_in_negations.cep` of `testdata/diagnostics/hir`.

use super::subject::{Findings, Subject};
use super::written::NegatedField;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::KeyPart;

/// Warns of negated fields, but not of parts of the key: an event that lacks one is in no stream.
pub(super) fn of_null(rule: &Subject<'_>, findings: &mut Findings) {
    for NegatedField { site, name, ty, field, instead } in &rule.written.negated {
        let has_several = rule.rule.step_keys.iter().any(|keys| keys.ty == *ty);
        let is_key = |part: &KeyPart| part.fields.iter().any(|of| of.0 == *ty && of.1 == *field);
        if !has_several && rule.rule.key.iter().any(is_key) {
            continue;
        }
        let message = format!("an event without `{name}` does not match this");
        let diagnostic = Diagnostic::warning(Code::NullInNegation, site.span, message)
            .label("if it is null, the negation is null too")
            .help(format!(
                "write {instead} to accept these events too, or `{name} is not null and ..` to \
                 exclude them on purpose"
            ));
        findings.add(site.source, diagnostic);
    }
}
