//! A text without mistakes prints as one that reads back as the same tree.
//!
//! `cargo +nightly fuzz run roundtrip fuzz/corpus/roundtrip fuzz/seeds/roundtrip`

#![no_main]

use kleene::diagnostic::Source;
use kleene::syntax::{parse, print};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (file, diagnostics) = parse(&Source::new("fuzz.cep", text));
    if !diagnostics.is_empty() {
        return;
    }
    let printed = print(&file);
    let (again, diagnostics) = parse(&Source::new("printed.cep", printed.as_str()));
    assert!(diagnostics.is_empty(), "{diagnostics:?}\n{printed}");
    assert_eq!(again, file, "{printed}");
    assert_eq!(print(&again), printed);
});
