//! The recorded answers of Flink CEP, through every engine. `examples/conformance.rs` reports more.

use std::path::Path;
use std::{fs, iter};

use kleene_test::engine::{Engine, GeneralEngine, MatcherEngine, ReferenceEngine, TextEngine};
use kleene_test::format::Case;
use kleene_test::judge::{self, Odd, Verdict};
use kleene_test::{convert, format};

/// Every recorded case with its flags.
fn cases() -> impl Iterator<Item = (Case, Vec<String>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let mut flags = format::read_flags(&dir).expect("the flags can be read");
    let files = fs::read_dir(&dir).expect("the cases are there");
    let mut paths: Vec<_> =
        files.map(|entry| entry.expect("the directory can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let mut cases = paths
        .into_iter()
        .flat_map(|path| format::read_cases(&path).expect("the cases can be read"));
    iter::from_fn(move || {
        let case = cases.next()?;
        let flags = flags.remove(&case.id).unwrap_or_default();
        Some((case, flags))
    })
}

/// Every case through `engine`: as recorded, or different for a stated reason.
fn agrees_with_the_record(engine: &dyn Engine) {
    let mut failures = Vec::new();
    let (mut all, mut recorded, mut different) = (0, 0, 0);
    for (case, flags) in cases() {
        all += 1;
        if case.steps.is_empty() {
            if let Odd::Failed(difference) = judge::judge_odd(engine, &case) {
                failures.push(format!("{}:\n{difference}", case.id));
            }
            continue;
        }
        recorded += 1;
        match judge::judge(engine, &case, &flags) {
            Verdict::Passed | Verdict::Tied => {}
            Verdict::Failed(difference) => failures.push(format!("{}:\n{difference}", case.id)),
            Verdict::Known(_) => different += 1,
        }
    }
    assert!(recorded > 3000, "only {recorded} cases");
    assert!(failures.is_empty(), "{}:\n{}", engine.name(), failures.join(""));
    assert!(different * 20 < all, "{different} of {all} are knowingly different");
}

#[test]
fn the_reference_agrees_with_the_record() {
    agrees_with_the_record(&ReferenceEngine);
}

#[test]
fn the_matcher_agrees_with_the_record() {
    agrees_with_the_record(&MatcherEngine);
    agrees_with_the_record(&GeneralEngine);
}

/// The cases that the language has words for, through the parser and the checker. It refuses some
/// of the others on purpose, such as conditions on what is captured later.
#[test]
fn rule_text_agrees_with_the_record() {
    let (mut recorded, mut said, mut failures) = (0, 0, Vec::new());
    for (case, flags) in cases() {
        if case.steps.is_empty() {
            continue;
        }
        recorded += 1;
        let pattern = convert::pattern(&case.pattern).expect("recorded cases can be expressed");
        if TextEngine::read_back(&pattern).is_err() {
            continue;
        }
        said += 1;
        if let Verdict::Failed(difference) = judge::judge(&TextEngine, &case, &flags) {
            failures.push(format!("{}:\n{difference}", case.id));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join(""));
    assert!(said * 3 > recorded * 2, "only {said} of {recorded} cases can be said");
}
