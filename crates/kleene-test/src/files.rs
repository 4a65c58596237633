//! Finds files.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The rule files in a folder and below it, sorted.
///
/// # Panics
/// If the folder does not exist or cannot be listed.
pub fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, "cep", &mut files).expect("the folder can be listed");
    files.sort();
    files
}

/// The files of cases in a folder and below it, in the order of their names; a file is itself.
///
/// # Errors
/// If the path does not exist or cannot be listed.
pub fn case_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::metadata(path)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, "jsonl", &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, extension, files)?;
        } else if path.extension().is_some_and(|of| of == extension) {
            files.push(path);
        }
    }
    Ok(())
}
