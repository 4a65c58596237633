//! The outline of a document.

use gen_lsp_types::{DocumentSymbol, SymbolKind};
use kleene_language::scan::{ItemKind, scan};

use super::position::Lines;

/// Returns the declarations of a text, with the fields of its event types.
pub(super) fn symbols(text: &str) -> Vec<DocumentSymbol> {
    let lines = Lines::new(text);
    let mut symbols = Vec::new();
    for item in scan(text).items {
        let (kind, detail) = match item.kind {
            ItemKind::Event => (SymbolKind::Struct, String::new()),
            ItemKind::List => (SymbolKind::Array, item.detail),
            ItemKind::Param => (SymbolKind::Constant, item.detail),
            ItemKind::Define => (SymbolKind::Variable, item.detail),
            ItemKind::Rule => (SymbolKind::Class, String::new()),
            ItemKind::Test => (SymbolKind::Method, String::from("test")),
            ItemKind::Use => continue,
        };
        // Editors refuse an outline with a nameless part.
        if item.name.is_empty() {
            continue;
        }
        let fields = item.fields.iter().map(|field| {
            symbol(&field.name, SymbolKind::Field, &field.ty, lines.range(field.span), None)
        });
        let fields: Vec<DocumentSymbol> = fields.collect();
        let mut symbol = symbol(
            &item.name,
            kind,
            &detail,
            lines.range(item.span),
            (!fields.is_empty()).then_some(fields),
        );
        symbol.selection_range = lines.range(item.name_span);
        symbols.push(symbol);
    }
    symbols
}

fn symbol(
    name: &str,
    kind: SymbolKind,
    detail: &str,
    range: gen_lsp_types::Range,
    children: Option<Vec<DocumentSymbol>>,
) -> DocumentSymbol {
    #[expect(deprecated, reason = "the type has a field that is no longer used, and no default")]
    DocumentSymbol {
        name: name.to_owned(),
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
        kind,
        tags: None,
        deprecated: None,
        range,
        selection_range: range,
        children,
    }
}
