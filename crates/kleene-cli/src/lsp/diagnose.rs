//! The mistakes of a document, as `kleene check` reports them.

use gen_lsp_types::{Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Uri};
use kleene::diagnostic::{Diagnostic as LibraryDiagnostic, Severity, Source, Span};
use kleene::ruleset::{RuleDiagnostic, RuleSet};

use super::documents::Documents;
use super::position::Lines;
use kleene_language::fixes;
use kleene_language::scan::{ItemKind, scan};
use kleene_report::counts::counted;

/// Checks a document with the files that it uses. If names are missing then, those beside it are
/// taken for parts of the same set, as `kleene check DIRECTORY` takes them.
pub(super) fn diagnose(documents: &Documents, uri: &str, source: &Source) -> Vec<Diagnostic> {
    let mut reports = check(documents, source, Vec::new());
    let errors = |reports: &[RuleDiagnostic]| {
        let own = reports.iter().filter(|report| report.source.name == source.name);
        own.filter(|report| report.diagnostic.severity == Severity::Error).count()
    };
    let found = errors(&reports);
    if found > 0 {
        let beside = documents.beside(source);
        if !beside.is_empty() {
            let together = check(documents, source, beside);
            let own = |report: &RuleDiagnostic| report.source.name == source.name;
            if errors(&together) < found {
                reports = together.into_iter().filter(own).collect();
            }
        }
    }
    let lines = Lines::new(&source.text);
    let (own, others): (Vec<_>, Vec<_>) =
        reports.iter().partition(|report| report.source.name == source.name);
    let uri = Uri(uri.to_owned());
    let mut all: Vec<Diagnostic> =
        own.iter().map(|report| converted(&report.diagnostic, &lines, &uri)).collect();
    all.extend(of_used(source, &lines, &others));
    all
}

fn check(documents: &Documents, source: &Source, beside: Vec<Source>) -> Vec<RuleDiagnostic> {
    let mut builder = RuleSet::builder().source(source.clone());
    for other in beside {
        builder = builder.source(other);
    }
    match builder.loader(|from, path| documents.load(from, path)).build() {
        Ok(rules) => rules.warnings().to_vec(),
        Err(error) => error.diagnostics().to_vec(),
    }
}

fn converted(reported: &LibraryDiagnostic, lines: &Lines<'_>, uri: &Uri) -> Diagnostic {
    let labels = reported.context.iter().filter(|label| !label.text.is_empty());
    let related = labels.map(|label| DiagnosticRelatedInformation {
        location: Location { uri: uri.clone(), range: lines.range(label.span) },
        message: label.text.clone(),
    });
    let related: Vec<_> = related.collect();
    Diagnostic {
        range: lines.range(reported.primary.span),
        severity: Some(match reported.severity {
            Severity::Error => DiagnosticSeverity::Error,
            _ => DiagnosticSeverity::Warning,
        }),
        code: Some(reported.code.as_str().into()),
        source: Some(String::from("kleene")),
        message: fixes::message(reported).into(),
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

/// Mistakes in used files, reported where the document uses them.
fn of_used(source: &Source, lines: &Lines<'_>, others: &[&RuleDiagnostic]) -> Vec<Diagnostic> {
    let errors = others.iter().filter(|report| report.diagnostic.severity == Severity::Error);
    let mut files: Vec<(&str, usize, &RuleDiagnostic)> = Vec::new();
    for report in errors {
        match files.iter_mut().find(|(name, ..)| *name == &*report.source.name) {
            Some((_, count, _)) => *count += 1,
            None => files.push((&report.source.name, 1, report)),
        }
    }
    let scan = scan(&source.text);
    let uses: Vec<_> = scan.items.iter().filter(|item| item.kind == ItemKind::Use).collect();
    let reported = files.iter().map(|(name, count, first)| {
        // Mistakes in files that a used file uses are reported at the first `use`.
        let used = uses.iter().find(|item| name.ends_with(item.name.trim_start_matches("./")));
        let place = used.or(uses.first()).map_or(Span::default(), |item| item.name_span);
        let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let (line, _) = first.source.line_column(first.diagnostic.primary.span.start);
        Diagnostic {
            range: lines.range(place),
            severity: Some(DiagnosticSeverity::Error),
            code: Some(first.diagnostic.code.as_str().into()),
            source: Some(String::from("kleene")),
            message: format!(
                "{} in `{file}`, the first in line {line}: {}",
                counted(*count, "error"),
                first.diagnostic.message
            )
            .into(),
            ..Diagnostic::default()
        }
    });
    reported.collect()
}
