//! Seeds and what was found, for tests that replay them.

use std::fs;
use std::path::{Path, PathBuf};

/// The check of a target, for any bytes; it panics if something is wrong.
pub(crate) type Check = fn(&[u8]);

/// Runs `check` on all files of `seeds/TARGET` and `regressions/TARGET`; how many there are.
///
/// # Panics
/// If the check does: the file was printed before.
#[expect(clippy::print_stdout, reason = "which file it was, where a check fails")]
pub(crate) fn replay(target: &str, check: Check) -> usize {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fuzz = fuzz.ancestors().map(|dir| dir.join("fuzz")).find(|dir| dir.is_dir());
    let fuzz = fuzz.expect("the folder `fuzz` is in one of those that hold the crate");
    let mut replayed = 0;
    for folder in ["seeds", "regressions"] {
        let Ok(entries) = fs::read_dir(fuzz.join(folder).join(target)) else { continue };
        let mut files: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for file in files {
            println!("{}", file.display());
            check(&fs::read(&file).expect("it can be read"));
            replayed += 1;
        }
    }
    replayed
}
