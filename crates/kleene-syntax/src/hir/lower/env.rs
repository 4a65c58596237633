//! What all rules are checked with: declarations, and what was reported so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fed::Fed;
use super::host::{Host, HostParam};
use super::layout::Layout;
use super::reported::FileDiagnostics;
use crate::diagnostic::{Code, Diagnostic, Severity, Source, Span};
use crate::hir::expr::{PatternSyntax, TextCase, TextPatterns, ValueSet};
use crate::hir::functions::HostFunction;
use crate::hir::site::Site;
use crate::syntax::ast::{self, Name};
use kleene_event::schema::{EventType, Schema};
use kleene_event::value::{Kind, Value};

/// The number of errors after which checking stops.
const MAX_ERRORS: usize = 1000;

/// The most steps of all patterns together, their repetitions written out: those of a hundred
/// patterns that are as large as one can be.
const MAX_ALL_STEPS: u64 = 3_000_000;

/// All that rules are checked with, and what came of it so far.
pub(super) struct Env<'a> {
    pub(super) schema: Schema,
    pub(super) declarations: Declarations<'a>,
    pub(super) host: Host<'a>,
    /// The event types that only rules make.
    pub(super) fed: BTreeMap<&'a str, Fed>,
    pub(super) sources: Vec<Source>,
    reported: FileDiagnostics,
    /// The types of the rules' outputs.
    pub(super) outputs: BTreeMap<Arc<str>, OutputTypes>,
    /// The places of the patterns of the rules.
    pub(super) layouts: BTreeMap<Arc<str>, Layout>,
    /// The number of steps of all patterns so far, with their repetitions written out.
    steps: u64,
    /// True if defines that build on each other too deeply were reported.
    pub(super) too_deep: bool,
    /// The number of errors found so far, including those that are not shown.
    pub(super) errors: usize,
}

/// The declarations of all files, each with the file that it is in.
#[derive(Default)]
pub(super) struct Declarations<'a> {
    pub(super) lists: BTreeMap<&'a str, List>,
    pub(super) params: BTreeMap<&'a str, Param>,
    pub(super) defines: BTreeMap<&'a str, (usize, &'a ast::Define)>,
    pub(super) rules: BTreeMap<&'a str, (usize, &'a ast::Rule)>,
    pub(super) instances: BTreeMap<&'a str, (usize, &'a ast::Instance)>,
    /// The kind and the place of each declared name.
    pub(super) declared: BTreeMap<(&'static str, &'a str), Site>,
}

/// A declared list.
pub(super) struct List {
    pub(super) set: Arc<ValueSet>,
    pub(super) kind: Kind,
    /// True if all of it could be read.
    pub(super) known: bool,
    /// Its entries without case, once they were asked for.
    pub(super) folded: Option<Arc<ValueSet>>,
    /// Its entries as patterns, in the ways that were asked for.
    pub(super) patterns: BTreeMap<(PatternSyntax, TextCase), Arc<TextPatterns>>,
}

/// A parameter's value.
#[derive(Clone)]
pub(super) struct Param {
    pub(super) value: Value,
    pub(super) kind: Kind,
}

/// The types of what a rule reports, by name, for its tests.
#[derive(Default)]
pub(super) struct OutputTypes {
    pub(super) emit: Vec<(Arc<str>, Kind)>,
    pub(super) timeout: Vec<(Arc<str>, Kind)>,
    pub(super) key: Vec<(Arc<str>, Kind)>,
}

impl<'a> Env<'a> {
    pub(super) fn new(
        files: &'a [(Source, ast::File)],
        types: &'a [EventType],
        host: &'a [HostParam],
        functions: &'a [Arc<HostFunction>],
    ) -> Env<'a> {
        Env {
            schema: Schema::new(),
            declarations: Declarations::default(),
            host: Host::new(types, host, functions),
            fed: BTreeMap::new(),
            sources: files.iter().map(|(source, _)| source.clone()).collect(),
            reported: FileDiagnostics::default(),
            outputs: BTreeMap::new(),
            layouts: BTreeMap::new(),
            steps: 0,
            too_deep: false,
            errors: 0,
        }
    }

    /// True if there are enough errors to stop checking.
    pub(super) fn has_too_many_errors(&self) -> bool {
        self.errors > MAX_ERRORS
    }

    /// Reports a diagnostic once, however often its place is looked at.
    pub(super) fn report(&mut self, source: usize, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        self.reported.add(source, diagnostic);
    }

    /// Reports what is wrong with what the host gives, by the numbers of its
    /// [sources](Host::sources).
    pub(super) fn report_of_host(&mut self, diagnostics: Vec<(usize, Diagnostic)>) {
        for (source, diagnostic) in diagnostics {
            self.report(self.sources.len() + source, diagnostic);
        }
    }

    /// Reports an error in a file, and what to write instead.
    pub(super) fn error(
        &mut self,
        source: usize,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(source, Diagnostic::error(code, span, message).help(help));
    }

    /// Reports a warning in a file, and what to write instead.
    pub(super) fn warn(
        &mut self,
        source: usize,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(source, Diagnostic::warning(code, span, message).help(help));
    }

    /// Notes that `name` is declared as a `what`; reports if it was before.
    pub(super) fn declare_once(
        &mut self,
        what: &'static str,
        source: usize,
        name: &'a Name,
    ) -> bool {
        let site = Site { source, span: name.span };
        let Some(first) = self.declarations.declared.get(&(what, name.node.as_str())).copied()
        else {
            self.declarations.declared.insert((what, &name.node), site);
            return true;
        };
        let message = format!("the {what} `{}` is declared twice", name.node);
        let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message);
        let diagnostic = self.point_at(diagnostic, source, first, "declared here first");
        self.report(source, diagnostic.help("rename one of them"));
        false
    }

    /// Adds a place to a diagnostic, in words where it is in another file.
    pub(super) fn point_at(
        &self,
        diagnostic: Diagnostic,
        source: usize,
        at: Site,
        text: &str,
    ) -> Diagnostic {
        if at.source == source {
            return diagnostic.context(at.span, text);
        }
        let other = &self.sources[at.source];
        let (line, column) = other.line_column(at.span.start);
        diagnostic.label(format!("{text}: {}:{line}:{column}", other.name))
    }

    /// Returns the first place where a rule feeds an event type that no `event` declares.
    pub(super) fn fed_at(&self, name: &str) -> Option<Site> {
        self.fed.get(name).map(|fed| fed.site)
    }

    /// True if a define's name is free of event types; reports if not.
    pub(super) fn is_no_event(&mut self, source: usize, name: &Name) -> bool {
        if self.schema.type_id(&name.node).is_none() && self.fed_at(&name.node).is_none() {
            return true;
        }
        let message = format!("`{}` is already an event type", name.node);
        let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message);
        let first = self.declarations.declared.get(&("event type", name.node.as_str())).copied();
        let diagnostic = match first.or_else(|| self.fed_at(&name.node)) {
            Some(first) => self.point_at(diagnostic, source, first, "declared here"),
            None => diagnostic,
        };
        self.report(source, diagnostic.help("give the define another name"));
        false
    }

    /// Counts the steps of one more pattern, and reports where all together become too many.
    pub(super) fn add_steps(&mut self, source: usize, rule: &Name, steps: u64) {
        let before = self.steps;
        self.steps = before.saturating_add(steps);
        if before <= MAX_ALL_STEPS && self.steps > MAX_ALL_STEPS {
            let message = "the patterns of this rule set are too large in total".to_owned();
            let diagnostic = Diagnostic::error(Code::LimitExceeded, rule.span, message)
                .label(format!("with this one they have more than {MAX_ALL_STEPS} steps"))
                .help("use smaller counts, or loops without an upper bound");
            self.report(source, diagnostic);
        }
    }

    /// Returns the event types, and what was reported with its source, in the order of the files.
    pub(super) fn finish(self) -> (Schema, Vec<(Source, Diagnostic)>) {
        let mut sources = self.sources;
        sources.extend(self.host.sources());
        let diagnostics = self.reported.into_sorted().into_iter();
        (self.schema, diagnostics.map(|(at, d)| (sources[at].clone(), d)).collect())
    }
}
