//! `any event` in a stream of one event type (`W0013`). See `wildcard.cep` of
//! `testdata/diagnostics/hir`.

use super::subject::{Findings, Subject};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::ANY_EVENT;

pub(super) fn of_one_type(rule: &Subject<'_>, findings: &mut Findings) {
    if let (Some(site), [one]) = (rule.written.wildcard, &rule.rule.types[..])
        && !rule.written.clauses.contains_key("from")
    {
        let name = &rule.schema.ty(*one).name;
        let message = format!("`{ANY_EVENT}` can only be `{name}` here");
        let diagnostic = Diagnostic::warning(Code::NarrowWildcard, site.span, message)
            .label("the rule's stream contains only the types that the rule names")
            .help(format!("name the other types: `from {name}, ...`, or use `from *`"));
        findings.add(site.source, diagnostic);
    }
}
