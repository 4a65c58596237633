//! Rule files: which ones, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kleene::diagnostic::{Code, Severity};
use kleene::hir::Rule;
use kleene::ruleset::{FileLoader, Report, Reports, RuleSet};
use kleene::schema::Schema;

use crate::Ending;
use crate::args::InputArgs;
use crate::summary::counted;
use crate::watch::Files;

/// How deep directories are searched: more is a loop of links.
const DEPTH: usize = 32;

/// Rules that can be run.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// All of it.
    pub(crate) set: RuleSet,
    pub(crate) schema: Arc<Schema>,
    pub(crate) rules: Vec<Arc<Rule>>,
    /// What may not be meant as it is written, as it is printed; empty if there is nothing.
    pub(crate) warnings: String,
}

impl Loaded {
    /// The declared types, for messages.
    pub(crate) fn declared(&self) -> String {
        const SHOWN: usize = 10;
        let types = self.schema.types().take(SHOWN);
        let mut names: Vec<&str> = types.map(|(_, ty)| &*ty.name).collect();
        match self.schema.len() {
            0 => return String::from("the rules declare none"),
            length if length > SHOWN => names.push("..."),
            _ => {}
        }
        format!("the rules declare {}", names.join(", "))
    }

    /// The rule of this name, or the only one where none is named.
    pub(crate) fn pick<'a>(&'a self, name: Option<&'a str>) -> Result<&'a Rule> {
        let names = || self.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>().join(", ");
        match (name, &self.rules[..]) {
            (_, []) => bail!("there is no rule in these files"),
            (Some(name), _) => match self.set.rule(name) {
                Some(rule) => Ok(rule),
                None => bail!("there is no rule `{name}` (--rule); there are: {}", names()),
            },
            (None, [rule]) => Ok(rule),
            (None, _) => bail!("which rule? `--rule NAME` names one of: {}", names()),
        }
    }

    /// Fails if the input is said to be of a type that no rule declares.
    pub(crate) fn refuse_unknown_type(&self, events: &InputArgs) -> Result<()> {
        match &events.event_type {
            Some(name) if self.schema.type_id(name).is_none() => {
                bail!("the rules declare no event type `{name}` (--type): {}", self.declared())
            }
            _ => Ok(()),
        }
    }
}

/// Rules that cannot be run.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Every reason and their number, as it is printed.
    pub(crate) text: String,
    /// How the command ends.
    pub(crate) ending: Ending,
}

/// Rules as a command line gives them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// Rule files and directories with such.
    pub(crate) paths: &'a [PathBuf],
    /// Parameters, as `name=value`.
    pub(crate) params: &'a [String],
    /// Folders in which rule files may name files, beside their own.
    pub(crate) allowed: &'a [PathBuf],
}

/// Loads rule files as one set. Fails if files cannot be found.
pub(crate) fn load(given: Given<'_>) -> Result<Result<Loaded, Refused>> {
    load_and_note(given, false, &mut Files::default())
}

/// The same; if `whole`, all that is wrong is printed, not what fits on a screen.
pub(crate) fn load_and_report(given: Given<'_>, whole: bool) -> Result<Result<Loaded, Refused>> {
    load_and_note(given, whole, &mut Files::default())
}

/// The same, and notes each file before it is read: those of the paths, and those that they name.
pub(crate) fn load_and_note(
    given: Given<'_>,
    whole: bool,
    files: &mut Files,
) -> Result<Result<Loaded, Refused>> {
    let Given { paths, params, allowed } = given;
    // Where one is missing, too.
    paths.iter().filter(|path| !path.is_dir()).for_each(|path| files.note(path));
    let mut reachable = FileLoader::default();
    let mut builder = RuleSet::builder();
    for folder in allowed.iter().chain(paths.iter().filter(|path| path.is_dir())) {
        reachable.allow(folder);
    }
    for file in collect(paths)? {
        files.note(&file);
        reachable.allow_beside(&file);
        builder = builder.path(file);
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
    let rules = match builder.build() {
        Ok(rules) => rules,
        Err(error) => {
            let (errors, warnings): (Vec<&Report>, Vec<&Report>) = error
                .diagnostics()
                .iter()
                .partition(|report| report.diagnostic.severity == Severity::Error);
            let is_usage = errors.iter().all(|report| is_about_usage(report));
            let ending = if is_usage { Ending::WrongUsage } else { Ending::WrongRules };
            let (errors, warnings) =
                (counted(errors.len(), "error"), counted(warnings.len(), "warning"));
            let reported = reported(error.diagnostics(), whole);
            let hint = match paths.iter().find(|path| is_named_as_data(path)) {
                Some(path) => format!(
                    "\nhint: a file of events is given with `--input`: `kleene run RULES --input {}`",
                    path.display()
                ),
                None => String::new(),
            };
            let text = format!("{reported}\n{errors}, {warnings}{hint}");
            return Ok(Err(Refused { text, ending }));
        }
    };
    Ok(Ok(Loaded {
        schema: Arc::new(rules.schema().clone()),
        rules: rules.rules().iter().cloned().map(Arc::new).collect(),
        warnings: reported(rules.warnings(), whole),
        set: rules,
    }))
}

/// Fails if a rule file is a pipe or a device, which cannot be read again.
pub(crate) fn require_regular(paths: &[PathBuf]) -> Result<()> {
    for path in collect(paths)? {
        if path.exists() && !path.is_file() {
            bail!("{} is not a regular file: --watch cannot read it again", path.display());
        }
    }
    Ok(())
}

/// Whether a file that should hold rules is called as files of events are.
fn is_named_as_data(path: &Path) -> bool {
    let endings = ["csv", "json", "jsonl", "log", "ndjson", "tsv"];
    path.extension().is_some_and(|found| endings.iter().any(|ending| found == *ending))
}

/// Reports as they are printed, and how to learn more about them.
fn reported(reports: &[Report], whole: bool) -> String {
    let is_error = |report: &&Report| report.diagnostic.severity == Severity::Error;
    let Some(first) = reports.iter().find(is_error).or(reports.first()) else {
        return String::new();
    };
    let listed = Reports(reports);
    let listed = if whole { format!("{listed:#}") } else { listed.to_string() };
    format!("{listed}\n\nFor more about a code, try `kleene explain {}`.", first.diagnostic.code)
}

/// Whether the rules themselves are without blame.
fn is_about_usage(report: &Report) -> bool {
    let is_whole_file = report.source.text.is_empty();
    match report.diagnostic.code {
        Code::BadParam => true,
        Code::UnreadableFile => is_whole_file,
        _ => false,
    }
}

/// The files that `paths` speak of: a file is itself, a directory all `*.cep` in it and below it,
/// sorted by path. A file that is named twice is taken once.
pub(crate) fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    collect_with(paths, &["cep"])
}

/// The same for directories of which all files with one of these endings count.
pub(crate) fn collect_with(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>> {
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
