//! Completions at a place, in the words of the protocol.

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind, Range, TextEdit,
};
use kleene_language::{self, Completion, CompletionKind, Set};

use super::position::Lines;

/// Returns the completions at the byte `at` of the first file of `set`.
pub(super) fn completions(set: &Set, at: usize) -> Vec<CompletionItem> {
    let Some(own) = set.files.first() else { return Vec::new() };
    let lines = Lines::new(&own.source.text);
    kleene_language::complete(set, at).into_iter().map(|found| converted(found, &lines)).collect()
}

fn converted(found: Completion, lines: &Lines<'_>) -> CompletionItem {
    let range = Range {
        start: lines.position(found.replaced.start),
        end: lines.position(found.replaced.end),
    };
    let kind = match found.kind {
        CompletionKind::Keyword => CompletionItemKind::Keyword,
        CompletionKind::Event => CompletionItemKind::Struct,
        CompletionKind::Field => CompletionItemKind::Field,
        CompletionKind::Rule => CompletionItemKind::Class,
        CompletionKind::List => CompletionItemKind::Enum,
        CompletionKind::Step => CompletionItemKind::Variable,
        CompletionKind::Param => CompletionItemKind::Constant,
        CompletionKind::Function => CompletionItemKind::Function,
    };
    let markup = |about: &str| {
        let value = about.to_owned();
        Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
    };
    CompletionItem {
        label: found.label,
        kind: Some(kind),
        detail: (!found.detail.is_empty()).then_some(found.detail),
        documentation: found.about.map(markup),
        filter_text: Some(found.filter),
        sort_text: Some(found.sort),
        text_edit: Some(TextEdit { range, new_text: found.text }.into()),
        ..CompletionItem::default()
    }
}
