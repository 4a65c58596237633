//! Mistakes in a configuration file, printed as mistakes in rules are.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

/// A mistake in a configuration file.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    /// The bytes of the file that it is about; `None` if something is missing in the whole file.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) message: String,
    /// The way out, if there is one to name.
    pub(crate) help: Option<String>,
}

impl Mistake {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake { span: Some(span), message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Mistake {
        Mistake { help: Some(help.into()), ..self }
    }
}

/// Returns the mistakes with the lines that they are in.
pub(crate) fn render(path: &Path, text: &str, mistakes: &[Mistake]) -> String {
    let mut out = String::new();
    for mistake in mistakes {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a string does not fail.
        let _ = render_one(&mut out, path, text, mistake);
    }
    out
}

fn render_one(
    out: &mut String,
    path: &Path,
    text: &str,
    mistake: &Mistake,
) -> Result<(), std::fmt::Error> {
    writeln!(out, "error: {}", mistake.message)?;
    let Some(span) = &mistake.span else {
        writeln!(out, " --> {}", path.display())?;
        return help(out, mistake, 0);
    };
    let start = floor(text, span.start.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[line_start..line_end].trim_end();
    let number = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let width = number.to_string().len();
    let end = floor(text, span.end.clamp(start, line_end));
    let carets = text[start..end].chars().count().max(1);
    writeln!(out, "{:width$}--> {}:{number}:{column}", "", path.display())?;
    writeln!(out, "{:width$} |", "")?;
    writeln!(out, "{number} | {line}")?;
    writeln!(out, "{:width$} | {:indent$}{:^<carets$}", "", "", "", indent = column - 1)?;
    help(out, mistake, width)
}

fn help(out: &mut String, mistake: &Mistake, width: usize) -> Result<(), std::fmt::Error> {
    match &mistake.help {
        Some(help) => writeln!(out, "{:width$} = help: {help}", ""),
        None => Ok(()),
    }
}

/// Returns the start of the character at a byte.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
