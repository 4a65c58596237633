//! Any text is read to its end; every diagnostic can be shown.

use kleene::diagnostic::Source;
use kleene_syntax::syntax::{MAX_DIAGNOSTICS, parse};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = Source::new("fuzz.cep", text);
    let (_, diagnostics) = parse(&source);
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS + 1);
    for diagnostic in &diagnostics {
        let span = diagnostic.primary.span;
        assert!(span.start <= span.end && span.end as usize <= text.len());
        assert!(!diagnostic.render(&source).is_empty());
    }
}
