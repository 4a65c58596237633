//! A text without mistakes prints as one that reads back as the same tree.

use kleene::diagnostic::Source;
use kleene_syntax::syntax::{parse, print};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (file, diagnostics) = parse(&Source::new("fuzz.cep", text));
    if !diagnostics.is_empty() {
        return;
    }
    let printed = print(&file);
    let (again, diagnostics) = parse(&Source::new("printed.cep", printed.as_str()));
    assert!(diagnostics.is_empty(), "{diagnostics:?}\n{printed}");
    assert_eq!(again, file, "{printed}");
    assert_eq!(print(&again), printed);
}
