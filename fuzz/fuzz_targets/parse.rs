//! Any text is read to its end; every diagnostic can be shown.
//!
//! `cargo +nightly fuzz run parse fuzz/corpus/parse fuzz/seeds/parse`

#![no_main]

use kleene::diagnostic::Source;
use kleene::syntax::{MAX_DIAGNOSTICS, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz.cep", text);
    let (_, diagnostics) = parse(&source);
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS + 1);
    for diagnostic in &diagnostics {
        let span = diagnostic.primary.span;
        assert!(span.start <= span.end && span.end as usize <= text.len());
        assert!(!diagnostic.render(&source).is_empty());
    }
});
