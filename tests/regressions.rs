//! The seeds of the fuzz targets, and what fuzzing has found: each input goes through the same
//! function as when it is fuzzed.

#[path = "../fuzz/checks/cold.rs"]
mod cold;
#[path = "../fuzz/checks/files.rs"]
mod files;
#[path = "../fuzz/checks/parse.rs"]
mod parse;
#[path = "../fuzz/checks/reorder.rs"]
mod reorder;
#[path = "../fuzz/checks/replace.rs"]
mod replace;
#[path = "../fuzz/checks/roundtrip.rs"]
mod roundtrip;
#[path = "../fuzz/checks/shards.rs"]
mod shards;
#[path = "../fuzz/checks/snapshot.rs"]
mod snapshot;

use crate::{engines, made};

#[test]
fn what_was_fuzzed_stays_fixed() {
    let targets: [(&str, files::Check); 8] = [
        ("parse", parse::check),
        ("roundtrip", roundtrip::check),
        ("engines", engines::check),
        ("reorder", reorder::check),
        ("cold", cold::check),
        ("shards", shards::check),
        ("replace", replace::check),
        ("snapshot", snapshot::check),
    ];
    for (target, check) in targets {
        assert!(files::replay(target, check) >= 5, "{target} has too few seeds");
    }
}
