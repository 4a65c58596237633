//! `kleene fmt`: rules in their one spelling, in rule files and in Markdown.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kleene::diagnostic::Source;
use kleene_syntax::syntax;

use crate::args::FmtArgs;
use crate::ending::Ending;
use crate::markdown;
use crate::stderr::say;
use kleene_host::paths;
use kleene_report::counts::counted;

/// Formats rule files in place, or reports what would change.
pub(crate) fn fmt(args: &FmtArgs) -> Result<Ending> {
    let (mut changed, mut unchanged, mut errors) = (0, 0, 0);
    for source in sources(&args.rules)? {
        let (name, text) = (&source.name, &*source.text);
        let (formatted, mistakes) = formatted(&source);
        if !mistakes.is_empty() {
            errors += mistakes.len();
            say(&mistakes.join("\n"));
        }
        let Some(formatted) = formatted else { continue };
        let is_input = &**name == STDIN;
        if (is_input || args.stdout) && !args.check {
            // A closed pipe has heard enough.
            let _ = io::stdout().write_all(formatted.as_bytes());
        } else if formatted == text {
            unchanged += 1;
        } else {
            changed += 1;
            if args.check {
                report(&difference(name, text, &formatted));
            } else {
                replace(Path::new(&**name), &formatted)
                    .with_context(|| format!("cannot write {name}"))?;
                report(&format!("formatted {name}\n"));
            }
        }
    }
    if errors > 0 {
        say(&counted(errors, "error"));
    }
    if changed + unchanged > 0 {
        let would = if args.check { "to format" } else { "formatted" };
        report(&format!("{} {would}, {unchanged} unchanged\n", counted(changed, "file")));
    }
    Ok(if errors > 0 || args.check && changed > 0 { Ending::WrongRules } else { Ending::Fine })
}

/// A file as it should be, unless mistakes prevent it, and the mistakes as they are printed.
fn formatted(source: &Source) -> (Option<String>, Vec<String>) {
    if Path::new(&*source.name).extension().is_some_and(|extension| extension == "md") {
        let page = markdown::format(source);
        return (Some(page.text), page.errors);
    }
    match syntax::format(source) {
        Ok(text) => (Some(text), Vec::new()),
        Err(diagnostics) => {
            let reported = diagnostics.iter().map(|diagnostic| diagnostic.render(source));
            (None, reported.collect())
        }
    }
}

/// The name of standard input.
const STDIN: &str = "-";

/// The rules that `paths` speak of. All are read before anything is written.
fn sources(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let (inputs, paths): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| path.as_os_str() == STDIN);
    let mut sources = Vec::new();
    if !inputs.is_empty() {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        sources.push(Source::new(STDIN, text));
    }
    for path in paths::collect_with(&paths, &["cep", "md"])? {
        let name = path
            .to_str()
            .with_context(|| format!("the name of this file is not UTF-8: {}", path.display()))?;
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the rules {}", path.display()))?;
        sources.push(Source::new(name, text));
    }
    Ok(sources)
}

fn report(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Writes a file anew: whoever reads it sees the old text or the new one, never a part.
fn replace(path: &Path, text: &str) -> Result<()> {
    // A link stays one.
    let path = path.canonicalize()?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write_new(&beside, text, fs::metadata(&path)?.permissions())
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // A rest that cannot be removed is no second error: the first one is reported.
        let _ = fs::remove_file(&beside);
    }
    Ok(written?)
}

fn write_new(path: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}

/// The number of lines of a difference that are shown on each side.
const SHOWN: usize = 8;

/// The first place at which two texts differ, as a unified diff.
fn difference(name: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (gone, come) = next_same(&old[same..], &new[same..]);
    let before = same.saturating_sub(1);
    let mut out = format!("--- {name}\n+++ {name} (formatted)\n");
    let range = |lines: usize| match lines {
        0 => format!("{before},0"),
        _ => format!("{},{lines}", before + 1),
    };
    let _ =
        writeln!(out, "@@ -{} +{} @@", range(same - before + gone), range(same - before + come));
    let mut lines = |sign: char, lines: &[&str]| {
        for line in lines {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let _ = writeln!(out, "{sign}{}", line.replace('\r', "\\r"));
        }
    };
    lines(' ', &old[before..same]);
    lines('-', &old[same..same + gone]);
    lines('+', &new[same..same + come]);
    let rest = old.len() - same - gone + new.len() - same - come;
    if rest > 0 && old[same + gone..] != new[same + come..] {
        out.push_str("...\n");
    }
    out
}

/// Returns the numbers of lines of each side before the next line that both have; at most
/// [`SHOWN`].
fn next_same(old: &[&str], new: &[&str]) -> (usize, usize) {
    for sum in 1..=2 * SHOWN {
        for gone in sum.saturating_sub(SHOWN)..=sum.min(SHOWN) {
            let come = sum - gone;
            let is_same = match (old.get(gone), new.get(come)) {
                (Some(old), Some(new)) => old == new && !old.trim().is_empty(),
                (None, None) => old.len() == gone && new.len() == come,
                _ => false,
            };
            if is_same {
                return (gone, come);
            }
        }
    }
    (old.len().min(SHOWN), new.len().min(SHOWN))
}
