//! The table of limits in docs/operations.md: every limit that can be set stands in it, and each
//! row names the tests that reach the limit, which exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kleene::RuleSet;
use kleene::diagnostic::Code;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The cells of each row of the tables under the heading.
fn rows() -> Vec<Vec<String>> {
    let text = read("docs/operations.md");
    let (_, section) = text.split_once("\n### Every limit\n").expect("the heading is there");
    let section = section.split("\n#").next().unwrap_or_default();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.contains("|---"));
    lines.map(cells).filter(|cells| cells[0] != "limit").collect()
}

/// Returns the texts in back-quotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_names_a_test_that_is_there() {
    let rows = rows();
    assert!(rows.len() > 30, "{rows:?}");
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let tests: Vec<&str> = quoted(&row[4]).collect();
        assert!(!tests.is_empty(), "no test reaches it: {row:?}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{row:?}"));
            if Path::new(name).extension().is_some() {
                // A recorded text of mistakes, which `tests/diagnostics.rs` compares.
                assert!(!read(&format!("{file}/{name}")).is_empty());
                continue;
            }
            assert!(read(file).contains(&format!("fn {name}(")), "{file} has no test {name}");
        }
    }
}

/// The words that follow `before` in a file, as far as they are names.
fn names_after(file: &str, before: &str) -> Vec<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    read(file).split(before).skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

/// The options of the command line that are numbers.
fn numbers_of_the_command_line() -> Vec<String> {
    let text = read("crates/kleene-cli/src/args.rs");
    let options = text.lines().filter_map(|line| {
        let (name, ty) = line.trim().strip_prefix("pub(crate) ")?.split_once(": ")?;
        let ty = ty.trim_start_matches("Option<").trim_end_matches(',').trim_end_matches('>');
        let is_number = matches!(ty, "usize" | "u64" | "u32" | "u8");
        // A delimiter is a character.
        (is_number && name != "delimiter").then(|| format!("--{}", name.replace('_', "-")))
    });
    options.collect()
}

#[test]
fn every_limit_that_can_be_set_stands_in_the_table() {
    let rows = rows();
    let shown: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[1])).collect();
    let mut limits = numbers_of_the_command_line();
    assert!(limits.len() >= 6, "{limits:?}");
    let setters = names_after("crates/kleene-engine/src/stream/builder.rs", "pub fn limit_");
    assert!(setters.len() >= 7, "{setters:?}");
    limits.extend(setters.iter().map(|name| format!("EngineBuilder::limit_{name}")));
    let of_a_key = ["partial_matches_per_key", "steps_per_event", "matches_per_set"];
    limits.extend(of_a_key.map(|limit| format!("Limits::{limit}")));
    limits.extend(
        names_after("crates/kleene-syntax/src/syntax/limits.rs", "pub const ")
            .iter()
            .map(|name| format!("syntax::{name}")),
    );
    limits.extend(["Config::waiting", "Config::batch"].map(str::to_owned));
    for limit in limits {
        assert!(shown.contains(&*limit), "`{limit}` is not in the table of docs/operations.md");
    }
}

#[test]
fn more_files_than_a_set_may_have_are_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("more_files_than_a_set_may_have");
    fs::create_dir_all(&folder).expect("it fits");
    let mut main = String::from("event a { at: time }\nrule r { match a }\n");
    for index in 0..1001 {
        let _ = writeln!(main, "use \"f{index}.cep\"");
        fs::write(folder.join(format!("f{index}.cep")), "").expect("it fits");
    }
    let file = folder.join("main.cep");
    fs::write(&file, &main).expect("it fits");
    let code = || {
        let error = RuleSet::from_path(&file).err()?;
        error.diagnostics().first().map(|report| report.diagnostic.code)
    };
    assert_eq!(code(), Some(Code::UnreadableFile));
    fs::write(&file, main.replace("use \"f1000.cep\"\n", "")).expect("it fits");
    assert_eq!(code(), None);
}
