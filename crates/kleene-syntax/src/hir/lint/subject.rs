//! The rule that the lints look at, and what they find.

use super::written::{WrittenItem, WrittenRule};
use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::hir::site::Site;
use crate::hir::{Condition, ConditionId, Expr, Item, ItemKind, Pattern, Rule, Sequence, Test};
use kleene_event::schema::Schema;

/// A lowered rule, and how it is written. A rule with mistakes is looked at, too; its sequence is
/// empty if its pattern was refused.
#[derive(Clone, Copy)]
pub(super) struct Subject<'r> {
    pub(super) rule: &'r Rule,
    pub(super) written: &'r WrittenRule,
    pub(super) schema: &'r Schema,
}

impl<'r> Subject<'r> {
    pub(super) fn pattern(self) -> &'r Pattern {
        &self.rule.pattern
    }

    /// The pattern's sequence.
    pub(super) fn body(self) -> Row<'r> {
        Row { sequence: &self.rule.pattern.body, written: &self.written.items }
    }

    /// The pattern's sequence, if its steps and quantifiers were not refused.
    pub(super) fn sound_body(self) -> Option<Row<'r>> {
        self.written.is_sound.then(|| self.body())
    }

    /// The conditions of which one has to hold.
    pub(super) fn alternatives(self, id: ConditionId) -> Vec<&'r Condition> {
        let condition = |id: &ConditionId| &self.rule.pattern.conditions[id.index()];
        match condition(&id) {
            Condition { test: Test::OneOf(ids), .. } => ids.iter().map(condition).collect(),
            one => vec![one],
        }
    }
}

/// True if a condition asks for nothing but the event type and the key.
pub(super) fn is_plain(condition: &Condition) -> bool {
    matches!(condition.test, Test::True | Test::Expr(Expr::StepKey(_)))
}

/// A sequence, and how its items are written.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    pub(super) sequence: &'r Sequence,
    written: &'r [WrittenItem],
}

impl<'r> Row<'r> {
    pub(super) fn parts(self) -> Vec<RowPart<'r>> {
        let items = self.sequence.items.iter().zip(self.written);
        items.map(|(item, written)| RowPart { item, written }).collect()
    }
}

/// An item of a sequence, and how it is written.
#[derive(Clone, Copy)]
pub(super) struct RowPart<'r> {
    pub(super) item: &'r Item,
    pub(super) written: &'r WrittenItem,
}

impl<'r> RowPart<'r> {
    /// The sequence of a group, or the branches.
    pub(super) fn inside(self) -> impl Iterator<Item = Row<'r>> {
        let sequences = match &self.item.kind {
            ItemKind::Group { body, .. } => std::slice::from_ref(body),
            ItemKind::Alternatives { branches, .. } => branches,
            ItemKind::Step { .. } | ItemKind::Not { .. } => &[],
        };
        let inside = sequences.iter().zip(&self.written.inside);
        inside.map(|(sequence, written)| Row { sequence, written })
    }
}

/// The diagnostics of the lints, each with the number of its file.
pub(super) struct Findings {
    /// The file of the pattern.
    source: usize,
    pub(super) found: Vec<(usize, Diagnostic)>,
}

impl Findings {
    pub(super) fn new(written: &WrittenRule) -> Findings {
        let source = written.pattern.map_or(0, |site| site.source);
        Findings { source, found: Vec::new() }
    }

    pub(super) fn add(&mut self, source: usize, diagnostic: Diagnostic) {
        self.found.push((source, diagnostic));
    }

    /// True if a lint refuses the rule.
    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, diagnostic)| diagnostic.severity == Severity::Error)
    }

    /// Adds a diagnostic about the pattern.
    pub(super) fn add_here(&mut self, diagnostic: Diagnostic) {
        self.add(self.source, diagnostic);
    }

    /// Adds a warning, and what to write instead.
    pub(super) fn warn(
        &mut self,
        site: Site,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(site.source, Diagnostic::warning(code, site.span, message).help(help));
    }

    /// Adds a warning about the pattern, and what to write instead.
    pub(super) fn warn_here(
        &mut self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warn(Site { source: self.source, span }, code, message, help);
    }
}
