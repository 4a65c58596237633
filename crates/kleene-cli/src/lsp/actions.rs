//! Quick fixes: the name that was most likely meant, where a diagnostic says so.

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Diagnostic, TextEdit, Uri, WorkspaceEdit,
};

use super::position::Lines;

/// How diagnostics say which name was meant.
const MEANT: &str = "did you mean `";

/// The fixes for the diagnostics that the editor shows at a place.
pub(super) fn actions(
    uri: &Uri,
    text: &str,
    diagnostics: &[Diagnostic],
) -> Vec<CodeActionOrCommand> {
    let lines = Lines::new(text);
    let fixes = diagnostics.iter().filter(|one| one.source.as_deref() == Some("kleene"));
    let fixes = fixes.filter_map(|diagnostic| {
        let (_, meant) = diagnostic.message.split_once(MEANT)?;
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
        Some(CodeActionOrCommand::CodeAction(CodeAction {
            title: format!("Write `{meant}`"),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![diagnostic.clone()]),
            edit: Some(WorkspaceEdit::new([(uri.clone(), vec![edit])].into_iter().collect())),
            is_preferred: Some(true),
            ..CodeAction::default()
        }))
    });
    fixes.collect()
}
