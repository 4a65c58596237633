//! The rule files of `testdata/suite`, one for each construct of the language: their tests, whose
//! expectations were worked out by hand from the documentation, hold.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kleene::testing;
use kleene::{RuleSet, hir::TestBlock};

#[test]
fn the_language_does_what_its_documentation_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/suite");
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let (mut tests, mut wrong) = (0, String::new());
    for file in &files {
        let rules = RuleSet::from_path(file).unwrap_or_else(|error| panic!("{error}"));
        for test in rules.tests() {
            tests += 1;
            let failures = testing::run(&rules, test).expect("the rule can be run");
            for failure in failures {
                let _ = writeln!(wrong, "{}: {}", test.rule, failure.render(test));
            }
        }
        let is_tested =
            |name: &str| rules.tests().iter().any(|test: &TestBlock| *test.rule == *name);
        let untested = rules.rules().iter().find(|rule| !is_tested(&rule.name));
        assert!(
            untested.is_none(),
            "{}: {:?} has no test",
            file.display(),
            untested.map(|r| &r.name)
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tests > 150, "only {tests} tests in {} files", files.len());
}
