//! The seeds of the fuzz targets that read input, and what fuzzing has found.

#[path = "../../../fuzz/checks/csv.rs"]
mod csv;
#[path = "../../../fuzz/checks/files.rs"]
mod files;
#[path = "../../../fuzz/checks/input.rs"]
mod input;
#[path = "../../../fuzz/checks/jsonl.rs"]
mod jsonl;

#[test]
fn what_was_fuzzed_stays_fixed() {
    let targets: [(&str, files::Check); 2] = [("jsonl", jsonl::check), ("csv", csv::check)];
    for (target, check) in targets {
        assert!(files::replay(target, check) >= 5, "{target} has too few seeds");
    }
}
