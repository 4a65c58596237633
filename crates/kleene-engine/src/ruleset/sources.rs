//! The sources of a rule set: the texts and files that the host gives, and those that they use.

use std::path::{Path, PathBuf};

use crate::ruleset::diagnostic::RuleDiagnostic;
use crate::ruleset::files;
use kleene_syntax::diagnostic::{Code, Diagnostic, Source, Span};
use kleene_syntax::hir::lower;
use kleene_syntax::syntax::{self, ast};

/// The maximum number of files that one rule set reads through `use`.
const MAX_FILES: usize = 1000;

/// Reads a file that the host has named.
pub(super) fn read(path: &Path) -> Result<Source, Box<RuleDiagnostic>> {
    let name = path.display().to_string();
    match files::read_given(path) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(reason) => {
            let message = format!("`{name}` can't be read: {reason}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, Span::default(), message);
            Err(Box::new(RuleDiagnostic { source: Source::new(name, ""), diagnostic }))
        }
    }
}

/// Parses a source and the files that it uses, each file once.
pub(super) fn take_in(
    source: Source,
    files: &mut Vec<(Source, ast::File)>,
    reports: &mut Vec<RuleDiagnostic>,
    loader: &mut lower::Loader<'_>,
) {
    let mut waiting = vec![source];
    while let Some(source) = waiting.pop() {
        if files.iter().any(|(other, _)| other.name == source.name && other.text == source.text) {
            continue;
        }
        let (file, diagnostics) = syntax::parse(&source);
        reports.extend(
            diagnostics
                .into_iter()
                .map(|diagnostic| RuleDiagnostic { source: source.clone(), diagnostic }),
        );
        for item in &file.items {
            let ast::FileItem::Use(path) = item else { continue };
            let name = beside_name(&source, &path.node);
            if files.iter().any(|(other, _)| *other.name == *name)
                || waiting.iter().any(|other| *other.name == *name)
            {
                continue;
            }
            let text = if files.len() + waiting.len() >= MAX_FILES {
                Err(format!("more than {MAX_FILES} files are in use"))
            } else if Path::new(&path.node).extension().is_none_or(|ending| ending != "cep") {
                // Its mistakes would be shown with their lines, whatever file it is.
                Err(files::NO_RULE_FILE.to_owned())
            } else {
                loader(&source, &path.node)
            };
            match text {
                Ok(text) => waiting.push(Source::new(name, text)),
                Err(reason) => {
                    let message = format!("`{}` can't be read: {reason}", path.node);
                    let diagnostic = Diagnostic::error(Code::UnreadableFile, path.span, message)
                        .help("the path is relative to the rule file");
                    reports.push(RuleDiagnostic { source: source.clone(), diagnostic });
                }
            }
        }
        files.push((source, file));
    }
}

/// Returns the name of a used file: its path relative to the start of the first file's path.
fn beside_name(from: &Source, path: &str) -> String {
    let mut name = PathBuf::new();
    let joined = Path::new(&*from.name).parent().unwrap_or(Path::new("")).join(path);
    // `a/../b` is `b`, so that a circle of files comes back to the same names.
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if matches!(
                    name.components().next_back(),
                    Some(std::path::Component::Normal(_))
                ) =>
            {
                name.pop();
            }
            part => name.push(part),
        }
    }
    name.display().to_string()
}
