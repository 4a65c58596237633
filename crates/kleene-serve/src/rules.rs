//! The rule files of a service: loaded, watched, edited over HTTP, and written to the audit log.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use kleene::RuleSet;
use kleene::stream::Replacement;
use kleene_host::disk::{self, Durability};
use kleene_host::paths;
use kleene_host::rules::{Edit, RulePaths, load_edited};
use kleene_host::watch::{Files, Watch};
use serde_json::{Value, json};

use crate::config::Rules;
use crate::control::{ChangeError, RuleFile};
use crate::status::time_of;

/// The rule files of a service.
#[derive(Debug)]
pub(crate) struct RuleFolder {
    rules: Rules,
    watch: Mutex<Option<Watch>>,
}

impl RuleFolder {
    /// Loads the rules and, if the file says so, watches them from now on; `wake` is called after a
    /// change. The error is printed as it is.
    pub(crate) fn open(
        rules: Rules,
        wake: impl Fn() + Send + 'static,
    ) -> Result<(RuleFolder, RuleSet), String> {
        let mut files = Files::default();
        let set = load(&rules, None, &mut files)?;
        let watch = rules.is_watched.then(|| Watch::start(&rules.paths, files, wake));
        Ok((RuleFolder { rules, watch: Mutex::new(watch) }, set))
    }

    /// Returns the rules again if their files have changed; the error has the diagnostics.
    pub(crate) fn changed(&self) -> Option<Result<RuleSet, String>> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watch.as_ref().filter(|watch| watch.has_changed())?;
        let mut files = Files::default();
        let set = load(&self.rules, None, &mut files);
        watch.was_read(files);
        Some(set)
    }

    /// Returns the rules as if one of their files had been edited.
    pub(crate) fn edited(&self, edit: Edit<'_>) -> Result<RuleSet, ChangeError> {
        load(&self.rules, Some(edit), &mut Files::default()).map_err(ChangeError::Mistakes)
    }

    /// The files were written: what they say now runs.
    pub(crate) fn was_edited(&self) {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watch.as_ref() {
            let mut files = Files::default();
            if load(&self.rules, None, &mut files).is_ok() {
                watch.was_read(files);
            }
        }
    }

    /// Returns the path of a rule file with this name: that of a file of this name, or where a new
    /// one is made.
    pub(crate) fn path_of(&self, name: &str) -> Result<PathBuf, ChangeError> {
        let found = paths::collect(&self.rules.paths).unwrap_or_default();
        let has_name = |path: &&PathBuf| path.file_name().is_some_and(|found| found == name);
        if let Some(path) = found.iter().find(has_name) {
            return Ok(path.clone());
        }
        match self.rules.paths.iter().find(|path| path.is_dir()) {
            Some(folder) => Ok(folder.join(name)),
            None => Err(ChangeError::Failed(String::from(
                "a new file needs a folder: name one in `rules.paths`",
            ))),
        }
    }

    /// Returns the rule files.
    pub(crate) fn files(&self) -> Vec<RuleFile> {
        let found = paths::collect(&self.rules.paths).unwrap_or_default();
        let read = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(RuleFile { name, text: fs::read_to_string(path).ok()? })
        };
        found.iter().filter_map(read).collect()
    }
}

/// Loads rules. The error has the diagnostics.
fn load(rules: &Rules, edit: Option<Edit<'_>>, files: &mut Files) -> Result<RuleSet, String> {
    let Rules { paths, params, allowed, .. } = rules;
    let given = RulePaths { paths, params, allowed };
    let set = load_edited(given, edit, files).map_err(|error| format!("error: {error:#}\n"))?;
    let set = set.map_err(|error| format!("{error:#}\n"))?;
    if set.rules().is_empty() {
        return Err(String::from("error: these files contain no rule\n"));
    }
    Ok(set)
}

/// Writes a rule file, so that it is there as a whole or not at all; without a text removes it.
pub(crate) fn write_file(path: &Path, text: Option<&str>) -> Result<()> {
    let name = path.display();
    let Some(text) = text else {
        return disk::remove(path).with_context(|| format!("cannot remove {name}"));
    };
    let written = disk::replace(path, Durability::Synced, |file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {name}"))
}

/// The log of all changes of rules, in the state directory: who, when, what, and the verdicts.
#[derive(Debug)]
pub(crate) struct AuditLog(Mutex<File>, PathBuf);

impl AuditLog {
    pub(crate) fn open(state: &Path) -> Result<AuditLog> {
        let path = state.join("audit.jsonl");
        let mut options = File::options();
        options.create(true).append(true);
        let file = disk::open_own(&path, &mut options);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(AuditLog(Mutex::new(file), path))
    }

    /// Adds a change of files on the disk, with the verdicts or why it was refused.
    pub(crate) fn add_files(&self, result: &Result<Value, String>) {
        let result = match result {
            Ok(verdicts) => verdicts.clone(),
            Err(reason) => json!({ "refused": reason }),
        };
        if let Err(error) = self.add("files", "files have changed", &result) {
            tracing::error!("{error:#}");
        }
    }

    /// Adds a change. It is on the disk when this returns.
    pub(crate) fn add(&self, who: &str, what: &str, result: &Value) -> Result<()> {
        let at = time_of(SystemTime::now()).to_string();
        let line = json!({ "at": at, "who": who, "what": what, "result": result });
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written.and_then(|()| disk::sync_data(&file)) {
            bail!("cannot write {}: {error}", self.1.display());
        }
        Ok(())
    }
}

/// Returns the verdicts as JSON.
pub(crate) fn verdicts(replacement: &Replacement) -> Value {
    let changes = replacement.rules.iter().map(|change| {
        let version = |version: Option<u64>| version.map(|version| format!("{version:016x}"));
        json!({
            "rule": &*change.rule,
            "verdict": change.verdict.to_string(),
            "old_version": version(change.old_version),
            "version": version(change.new_version),
            "kept": change.kept,
            "dropped": change.dropped,
        })
    });
    changes.collect()
}

/// Says which rules are not as they were.
pub(crate) fn log_changes(replacement: &Replacement) {
    let mut unchanged = 0;
    for change in &replacement.rules {
        if change.verdict == kleene::stream::Verdict::Unchanged {
            unchanged += 1;
        } else {
            tracing::info!("rules: {change}");
        }
    }
    tracing::info!("rules: {unchanged} unchanged");
}
