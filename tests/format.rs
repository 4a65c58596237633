//! Every file under `testdata/format` formats as the `.expected` beside it says, and every rule
//! file here keeps its meaning and its comments. `KLEENE_TEST_UPDATE=1` writes the expected files
//! anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kleene::diagnostic::Source;
use kleene_syntax::syntax::{format, parse, print};
use kleene_test::files;

#[test]
fn files_format_as_recorded() {
    let update = std::env::var_os("KLEENE_TEST_UPDATE").is_some();
    let mut wrong = String::new();
    let files = rule_files("testdata/format");
    assert!(files.len() >= 12);
    for path in files {
        let found = format(&read(&path)).expect("there are no mistakes");
        let record = path.with_extension("expected");
        let expected = fs::read_to_string(&record).unwrap_or_default();
        if update {
            fs::write(&record, found).unwrap();
        } else if found != expected {
            let _ = writeln!(wrong, "{}: expected\n{expected}\nfound\n{found}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_file_keeps_its_meaning_and_its_comments() {
    let mut count = 0;
    for folder in ["testdata", "patterns", "examples", "benches", "fuzz/seeds"] {
        for path in rule_files(folder) {
            let source = read(&path);
            let (file, diagnostics) = parse(&source);
            if !diagnostics.is_empty() {
                assert!(format(&source).is_err(), "{}", path.display());
                continue;
            }
            count += 1;
            let formatted = Source::new("formatted.cep", format(&source).unwrap());
            assert_eq!(parse(&formatted), (file, Vec::new()), "{}", path.display());
            assert_eq!(format(&formatted).as_deref(), Ok(&*formatted.text), "{}", path.display());
            // No string in these files holds a `#`.
            let comments = |text: &str| -> Vec<String> {
                text.lines()
                    .filter_map(|line| line.split_once('#'))
                    .map(|(_, comment)| comment.trim_end().to_owned())
                    .collect()
            };
            assert_eq!(comments(&formatted.text), comments(&source.text), "{}", path.display());
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn what_is_printed_is_formatted() {
    for path in rule_files("testdata/format") {
        let printed = print(&parse(&read(&path)).0);
        assert_eq!(format(&Source::new("printed.cep", printed.as_str())), Ok(printed));
    }
}

#[test]
fn texts_without_items_are_formatted() {
    for (text, expected) in [
        ("", ""),
        ("\u{feff}", ""),
        (" \r\n\n", ""),
        ("# a", "# a\n"),
        ("\n\n  # a  \r\n\r\n\r\n#b\n\n", "# a\n\n#b\n"),
    ] {
        assert_eq!(format(&Source::new("a.cep", text)).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn mistakes_are_reported_instead() {
    let reported = format(&Source::new("a.cep", "rule r { match a[ }\n")).unwrap_err();
    assert_eq!(reported, parse(&Source::new("a.cep", "rule r { match a[ }\n")).1);
}

fn read(path: &Path) -> Source {
    Source::new(path.display().to_string(), fs::read_to_string(path).expect("it can be read"))
}

/// The rule files in a folder of the repository and below it.
fn rule_files(folder: &str) -> Vec<PathBuf> {
    files::rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}
