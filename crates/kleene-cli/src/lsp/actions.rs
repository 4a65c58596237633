//! Quick fixes: the name that was most likely meant, where a diagnostic says so.

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionResponse, Diagnostic, Message, TextEdit, Uri,
    WorkspaceEdit,
};

use kleene_language::fixes::fix;

use super::position::Lines;

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
        let (start, end) =
            (lines.offset(diagnostic.range.start), lines.offset(diagnostic.range.end));
        let found = text.get(start..end)?;
        let fix = fix(message, found)?;
        let edit = TextEdit { range: diagnostic.range, new_text: fix.text };
        Some(CodeActionResponse::CodeAction(CodeAction {
            title: fix.title,
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
