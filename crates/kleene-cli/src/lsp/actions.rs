//! Quick fixes: the name that was most likely meant, where a diagnostic says so.

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionResponse, Diagnostic, Message, TextEdit, Uri,
    WorkspaceEdit,
};

use super::position::Lines;

/// How diagnostics say which name was meant.
const MEANT: &str = "did you mean `";

/// The fixes for the diagnostics that the editor shows at a place.
pub(super) fn actions(
    uri: &Uri,
    text: &str,
    diagnostics: &[Diagnostic],
) -> Vec<CodeActionResponse> {
    let lines = Lines::new(text);
    let fixes = diagnostics.iter().filter(|one| one.source.as_deref() == Some("kleene"));
    let fixes = fixes.filter_map(|diagnostic| {
        let Message::String(message) = &diagnostic.message else { return None };
        let (_, meant) = message.split_once(MEANT)?;
        let (meant, _) = meant.split_once("`?")?;
        // What is replaced has to be one name, as the diagnostic may be about more than that.
        let (start, end) =
            (lines.offset(diagnostic.range.start), lines.offset(diagnostic.range.end));
        let found = text.get(start..end)?;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if found.is_empty() || !found.chars().all(is_name) || !meant.chars().all(is_name) {
            return None;
        }
        let edit = TextEdit { range: diagnostic.range, new_text: meant.to_owned() };
        Some(CodeActionResponse::CodeAction(CodeAction {
            title: format!("Write `{meant}`"),
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: Some(vec![diagnostic.clone()]),
            edit: Some(WorkspaceEdit {
                changes: Some([(uri.clone(), vec![edit])].into_iter().collect()),
                ..WorkspaceEdit::default()
            }),
            is_preferred: Some(true),
            ..CodeAction::default()
        }))
    });
    fixes.collect()
}
