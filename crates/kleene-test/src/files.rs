//! Finds rule files.

use std::fs;
use std::path::{Path, PathBuf};

/// The rule files in a folder and below it, sorted.
///
/// # Panics
/// If the folder does not exist or cannot be listed.
pub fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("it can be listed").path()) {
        if path.is_dir() {
            files.extend(rule_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "cep") {
            files.push(path);
        }
    }
    files.sort();
    files
}
