//! The rules of several files and folders, as one set.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use kleene::diagnostic::Source;
use kleene::ruleset::{FileLoader, RuleSet, RulesError};

use crate::paths;
use crate::watch::Files;

/// Names the rules of a program.
#[derive(Clone, Copy, Debug)]
pub struct RulePaths<'a> {
    /// Rule files and directories with such.
    pub paths: &'a [PathBuf],
    /// Parameters, as `name=value`.
    pub params: &'a [String],
    /// Folders in which rule files may name files, beside their own.
    pub allowed: &'a [PathBuf],
}

/// A rule file with another text than the one on the disk, or without a text: as if it were removed.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    /// The path of the file.
    pub path: &'a Path,
    /// The text; `None` leaves the file out.
    pub text: Option<&'a str>,
}

/// Loads rule files as one set, and notes each file before it is read: those of the paths, and
/// those that they name.
///
/// # Errors
/// The outer error says which file cannot be found, or which parameter has no value; the inner one
/// has the mistakes in the rules.
pub fn load(given: RulePaths<'_>, files: &mut Files) -> Result<Result<RuleSet, RulesError>> {
    load_edited(given, None, files)
}

/// Loads rule files as [`load`] does, as if one of them had been edited: a change can be checked
/// before it is written.
///
/// # Errors
/// As for [`load`].
pub fn load_edited(
    given: RulePaths<'_>,
    edit: Option<Edit<'_>>,
    files: &mut Files,
) -> Result<Result<RuleSet, RulesError>> {
    let RulePaths { paths, params, allowed } = given;
    // Also those that are missing.
    paths.iter().filter(|path| !path.is_dir()).for_each(|path| files.note(path));
    let mut reachable = FileLoader::default();
    let mut builder = RuleSet::builder();
    for folder in allowed.iter().chain(paths.iter().filter(|path| path.is_dir())) {
        reachable.allow(folder);
    }
    let mut found = paths::collect(paths)?;
    if let Some(Edit { path, .. }) = edit
        && !found.iter().any(|file| file == path)
    {
        found.push(path.to_path_buf());
    }
    for file in found {
        files.note(&file);
        reachable.allow_beside(&file);
        builder = match edit.filter(|edit| edit.path == file) {
            Some(Edit { text: Some(text), .. }) => {
                builder.source(Source::new(file.display().to_string(), text))
            }
            Some(Edit { text: None, .. }) => builder,
            None => builder.path(file),
        };
    }
    builder = builder.loader(move |from, path| {
        files.note(&Path::new(&*from.name).parent().unwrap_or(Path::new("")).join(path));
        reachable.load(from, path)
    });
    for param in params {
        let Some((name, value)) = param.split_once('=') else {
            bail!("--param {param}: expected a name and a value, such as rule.name=10");
        };
        builder = builder.param(name.trim(), value.trim());
    }
    Ok(builder.build())
}
