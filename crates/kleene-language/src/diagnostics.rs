//! The mistakes of rules, as data for JavaScript.

use kleene::diagnostic::{Severity, Source, Span};
use kleene::ruleset::RuleDiagnostic;
use serde::Serialize;

use crate::fixes::{fix, message};
use crate::utf16::Utf16;
use kleene_event::util::order;

/// An error or a warning. Places are UTF-16 offsets.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostic {
    severity: &'static str,
    code: &'static str,
    message: String,
    start: usize,
    end: usize,
    line: usize,
    column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    related: Vec<Related>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    fixes: Vec<Fix>,
    rendered: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// Another place that matters.
#[derive(Clone, Debug, Serialize)]
struct Related {
    start: usize,
    end: usize,
    message: String,
}

/// A fix, with the edits that it is.
#[derive(Clone, Debug, Serialize)]
struct Fix {
    title: String,
    edits: Vec<TextEdit>,
}

/// A replacement of a part of the text.
#[derive(Clone, Debug, Serialize)]
pub struct TextEdit {
    /// The start of the part.
    pub start: usize,
    /// The end of the part.
    pub end: usize,
    /// The new text.
    pub text: String,
}

/// The reports as data: those about the source `name` first, and then by their places.
pub fn diagnostics(reports: &[RuleDiagnostic], name: &str) -> Vec<Diagnostic> {
    let mut all: Vec<(bool, Diagnostic)> = Vec::new();
    for of_source in reports.chunk_by(|a, b| a.source.name == b.source.name) {
        let Some(first) = of_source.first() else { continue };
        let is_other = *first.source.name != *name;
        let places = Utf16::new(&first.source.text);
        let converted = of_source.iter().map(|report| (is_other, of(report, &places, is_other)));
        all.extend(converted);
    }
    order::sort_by_key(&mut all, |(is_other, diagnostic)| (*is_other, diagnostic.start));
    all.into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

/// Mistakes of syntax alone, as they are reported for `source`.
pub fn of_source(reported: &[kleene::diagnostic::Diagnostic], source: &Source) -> Vec<Diagnostic> {
    let places = Utf16::new(&source.text);
    let report = |diagnostic: &kleene::diagnostic::Diagnostic| {
        let rendered = diagnostic.render(source);
        one(diagnostic, source, &places, rendered.trim_end_matches('\n').to_owned())
    };
    reported.iter().map(report).collect()
}

fn of(report: &RuleDiagnostic, places: &Utf16<'_>, is_other: bool) -> Diagnostic {
    let mut diagnostic = one(&report.diagnostic, &report.source, places, report.to_string());
    diagnostic.file = is_other.then(|| report.source.name.to_string());
    diagnostic
}

fn one(
    reported: &kleene::diagnostic::Diagnostic,
    source: &Source,
    places: &Utf16<'_>,
    rendered: String,
) -> Diagnostic {
    let text = &*source.text;
    let span = reported.primary.span;
    let (start, end) = widened(text, span);
    let (line, column) = source.line_column(span.start);
    let found = text.get(start..end).unwrap_or_default();
    let (start, end) = (places.unit(start), places.unit(end));
    let fixes = fix(&message(reported), found).map(|fix| {
        let edit = TextEdit { start, end, text: fix.text };
        Fix { title: fix.title, edits: vec![edit] }
    });
    let related = reported.context.iter().filter(|label| !label.text.is_empty()).map(|label| {
        let (start, end) = widened(text, label.span);
        Related { start: places.unit(start), end: places.unit(end), message: label.text.clone() }
    });
    Diagnostic {
        severity: match reported.severity {
            Severity::Error => "error",
            _ => "warning",
        },
        code: reported.code.as_str(),
        message: reported.message.clone(),
        start,
        end,
        line,
        column,
        label: Some(reported.primary.text.clone()).filter(|text| !text.is_empty()),
        related: related.collect(),
        help: reported.help.clone(),
        fixes: fixes.into_iter().collect(),
        rendered,
        file: None,
    }
}

/// The bytes of a span. An empty one is widened to the character behind or before it, as editors
/// underline nothing of it.
pub fn widened(text: &str, span: Span) -> (usize, usize) {
    let (mut start, mut end) = (span.start as usize, span.end as usize);
    if start >= end {
        let rest = text.get(start..).unwrap_or_default();
        if let Some(next) = rest.chars().next().filter(|c| !matches!(c, '\n' | '\r')) {
            end = start + next.len_utf8();
        } else {
            let before = text.get(..start).unwrap_or_default();
            start -= before.chars().next_back().map_or(0, char::len_utf8);
        }
    }
    (start, end)
}
