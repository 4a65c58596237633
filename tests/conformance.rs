//! The recorded answers of Flink CEP, through every engine. `examples/conformance.rs` tells more.

use std::fs;
use std::path::Path;

use kleene_test::engine::{Engine, MatcherEngine, ReferenceEngine};
use kleene_test::format;
use kleene_test::judge::{self, Odd, Verdict};

/// Every case through `engine`: as recorded, or different for a stated reason.
fn agrees_with_the_record(engine: &dyn Engine) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let flags = format::read_flags(&dir).expect("the flags can be read");
    let mut failures = Vec::new();
    let (mut cases, mut different) = (0, 0);
    for entry in fs::read_dir(&dir).expect("the cases are there") {
        let path = entry.expect("the directory can be read").path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for case in format::read_cases(&path).expect("the cases can be read") {
            if case.steps.is_empty() {
                if let Odd::Failed(difference) = judge::judge_odd(engine, &case) {
                    failures.push(format!("{}:\n{difference}", case.id));
                }
                continue;
            }
            cases += 1;
            let flags = flags.get(&case.id).map_or(&[][..], Vec::as_slice);
            match judge::judge(engine, &case, flags) {
                Verdict::Passed => {}
                Verdict::Failed(difference) => {
                    failures.push(format!("{}:\n{difference}", case.id));
                }
                Verdict::Tied | Verdict::Known(_) => different += 1,
            }
        }
    }
    assert!(cases > 3000, "only {cases} cases");
    assert!(failures.is_empty(), "{}:\n{}", engine.name(), failures.join(""));
    assert!(different * 20 < cases, "{different} of {cases} cases are knowingly different");
}

#[test]
fn the_reference_agrees_with_the_record() {
    agrees_with_the_record(&ReferenceEngine);
}

#[test]
fn the_matcher_agrees_with_the_record() {
    agrees_with_the_record(&MatcherEngine);
}
