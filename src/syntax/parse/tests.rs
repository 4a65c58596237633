use crate::diagnostic::Source;
use crate::syntax::{parse, print};

const LANGUAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/language.cep"));

fn rendered(text: &str) -> String {
    let source = Source::new("test.cep", text);
    let (_, diagnostics) = parse(&source);
    diagnostics.iter().map(|diagnostic| diagnostic.render(&source)).collect()
}

#[test]
fn every_example_of_the_language_is_read() {
    assert_eq!(rendered(LANGUAGE), "");
}

#[test]
fn what_is_printed_reads_back() {
    let (file, _) = parse(&Source::new("a", LANGUAGE));
    let printed = print(&file);
    let (again, diagnostics) = parse(&Source::new("b", printed.as_str()));
    assert_eq!(diagnostics, []);
    assert_eq!(file, again, "{printed}");
    assert_eq!(print(&again), printed);
}
