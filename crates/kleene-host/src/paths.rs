//! The rule files that a command line names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The depth to which directories are searched: a deeper one is a loop of links.
const DEPTH: usize = 32;

/// Returns the files that `paths` speak of: a file is itself, a directory all `*.cep` in it and
/// below it, sorted by path. A file that is named twice is taken once.
///
/// # Errors
/// Says which path cannot be read, and why.
pub fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    collect_with(paths, &["cep"])
}

/// Returns the files that `paths` speak of, where a directory stands for its files with one of
/// these endings.
///
/// # Errors
/// Says which path cannot be read, and why.
pub fn collect_with(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let meta = fs::metadata(path)
            .with_context(|| format!("cannot read the rules {}", path.display()))?;
        if meta.is_dir() {
            let before = files.len();
            collect_directory(path, DEPTH, endings, &mut files)?;
            if files.len() == before {
                let endings: Vec<_> = endings.iter().map(|ending| format!("*.{ending}")).collect();
                let endings = endings.join(", ");
                bail!("no rule files ({endings}) in the directory {}", path.display());
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = Vec::new();
    files.retain(|file| {
        let canonical = file.canonicalize().unwrap_or_else(|_| file.clone());
        let is_new = !seen.contains(&canonical);
        if is_new {
            seen.push(canonical);
        }
        is_new
    });
    Ok(files)
}

fn collect_directory(
    directory: &Path,
    depth: usize,
    endings: &[&str],
    files: &mut Vec<PathBuf>,
) -> Result<()> {
    let failed = || format!("cannot read the directory {}", directory.display());
    if depth == 0 {
        bail!("directories are nested too deeply: {}", directory.display());
    }
    let entries = fs::read_dir(directory).with_context(failed)?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.with_context(failed)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect_directory(&path, depth - 1, endings, files)?;
        } else if path
            .extension()
            .is_some_and(|found| endings.iter().any(|ending| found == *ending))
        {
            // Nobody has asked for this pipe by its name, and to read it is to wait.
            if path.exists() && !path.is_file() {
                bail!("{} is not a regular file", path.display());
            }
            files.push(path);
        }
    }
    Ok(())
}

/// Fails if a rule file is a pipe or a device, which cannot be read again.
///
/// # Errors
/// Says which path cannot be read, and why.
pub fn require_regular(paths: &[PathBuf]) -> Result<()> {
    for path in collect(paths)? {
        if path.exists() && !path.is_file() {
            bail!("{} is not a regular file: --watch cannot read it again", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_their_rule_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        for name in ["z.cep", "a.cep", "b/x.cep", "b/c/y.cep", "b/notes.txt"] {
            fs::write(root.join(name), "").unwrap();
        }
        let names = |paths: &[&str]| -> Result<Vec<String>> {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let files = collect(&paths)?;
            Ok(files
                .iter()
                .map(|file| file.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
                .collect())
        };
        let all = ["a.cep", "b/c/y.cep", "b/x.cep", "z.cep"];
        assert_eq!(names(&[""]).unwrap(), all);
        assert_eq!(
            names(&["z.cep", "b", "b/../z.cep"]).unwrap(),
            ["z.cep", "b/c/y.cep", "b/x.cep"]
        );
        assert_eq!(names(&["b/notes.txt"]).unwrap(), ["b/notes.txt"]);
        assert!(names(&["empty"]).unwrap_err().to_string().starts_with("no rule files"));
        assert!(names(&["nowhere"]).unwrap_err().to_string().starts_with("cannot read the rules"));
    }
}
