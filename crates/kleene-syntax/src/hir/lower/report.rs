//! The clauses on reporting: `emit`, `having`, `suppress`, `once` and `limit`.

use std::num::NonZeroU32;

use hashbrown::HashMap;

use super::clauses::Clauses;
use super::context::RuleLowerer;
use super::terms::{ExprContext, Typed, What};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::site::Site;
use crate::hir::{Emit, Expr, Limit, LimitPolicy, Report, Suppress};
use crate::syntax::ast::{self, Clause, Name, Spanned};
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

impl<'a> RuleLowerer<'_, 'a> {
    pub(super) fn emit(&mut self, emit: &'a ast::Emit, what: What) -> Emit {
        let context = ExprContext { candidate: None, what, bound: None };
        let mut fields: Vec<(&'a Name, Typed)> = Vec::new();
        let mut firsts: HashMap<&str, Span> = HashMap::new();
        for (name, value) in &emit.fields {
            let first = *firsts.entry(&name.node).or_insert(name.span);
            if first != name.span {
                let message = format!("`{}` is emitted twice", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .context(first, "emitted here first");
                self.report(diagnostic);
            }
            let typed = match value {
                Some(value) => self.expr(value, context),
                None => self.bare_name(name),
            };
            let types = if what == What::Timeout {
                &mut self.reporting.outputs.timeout
            } else {
                &mut self.reporting.outputs.emit
            };
            types.push((name.node.as_str().into(), typed.kind));
            fields.push((name, typed));
        }
        if let Some(name) = &emit.as_type {
            self.feed(name, &mut fields);
        }
        let fields =
            fields.into_iter().map(|(name, typed)| (name.node.as_str().into(), typed.expr));
        Emit { fields: fields.collect(), feeds: None }
    }

    fn bare_name(&mut self, name: &'a Name) -> Typed {
        let path = ast::Path { root: name.clone(), rest: Vec::new(), span: name.span };
        self.bare_in_emit(&path)
    }

    /// A condition on a match. A bare name is an emitted field; all else is as in an emit.
    pub(super) fn having(
        &mut self,
        condition: &'a Spanned<ast::Expr>,
        emit: Option<&Emit>,
    ) -> Expr {
        let fields = emit.iter().flat_map(|emit| &emit.fields);
        let kinds = self.reporting.outputs.emit.iter().map(|(_, kind)| *kind);
        self.reporting.emitted = fields
            .zip(kinds)
            .map(|((name, expr), kind)| (name.clone(), expr.clone(), kind))
            .collect();
        let context = ExprContext { candidate: None, what: What::Emit, bound: None };
        let errors = self.env.errors;
        let typed = self.condition(condition, context);
        self.reporting.emitted.clear();
        if self.env.errors == errors && !typed.kind.is_never() {
            let site = Site { source: self.source, span: condition.span };
            self.written.having = Some(site);
        }
        typed.expr
    }

    pub(super) fn suppress(
        &mut self,
        dur: &'a ast::Dur,
        by: &'a [Name],
        emit: Option<&Emit>,
    ) -> Option<Suppress> {
        let duration = if let ast::Dur::Path(path) = dur {
            let context = ExprContext { candidate: None, what: What::Emit, bound: None };
            let typed = self.path(path, context);
            if !self.expect(&typed, Kind::DURATION, "`suppress`") {
                return None;
            }
            typed.expr
        } else {
            let millis = self.duration(dur)?;
            if millis == 0 {
                let message = "this duration is zero, so nothing is suppressed";
                let help = "`suppress 1m` reports at most one match a minute";
                self.error(Code::BadBound, dur.span(), message, help);
                return None;
            }
            Expr::Literal(Value::Duration(millis))
        };
        let mut values = Vec::with_capacity(by.len());
        for (index, name) in by.iter().enumerate() {
            if let Some(first) = by[..index].iter().find(|other| *other == name) {
                let message = format!("`{}` is named twice", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .context(first.span, "named here first");
                self.report(diagnostic);
            }
            values.push(self.suppress_by(name, emit)?);
        }
        Some(Suppress { duration, by: (!by.is_empty()).then_some(values) })
    }

    /// Reports `ordered` and `once` beside a silence that repeats: others would wait for it as long
    /// as it lasts, and nothing of it would follow.
    pub(super) fn check_ordered_repeat(&mut self, clauses: &Clauses<'a>) {
        if !self.traits.repeats {
            return;
        }
        if let Some((source, clause)) = clauses.get("skip")
            && let Clause::Skip(ast::Skip { ordered: true, .. }) = &clause.node
        {
            let message = "with `ordered`, matches would wait for the repeating silence";
            let help = "remove `ordered` or `repeat`";
            self.env.error(source, Code::BadRepeat, clause.span, message, help);
        }
        // With `having`, the first reports can be left out.
        if let Some((source, clause)) = clauses.get("once")
            && clauses.get("having").is_none()
        {
            let message = "with `once`, nothing is reported after the first match";
            let help = "remove `once` or `repeat`; to report only the second one, keep both and \
                        add `having match.repetition >= 2`";
            self.env.error(source, Code::BadRepeat, clause.span, message, help);
        }
    }

    /// Reports a clause that contradicts `once`.
    pub(super) fn check_once(&mut self, clauses: &Clauses<'a>) {
        let Some((source, clause)) = clauses.get("once") else { return };
        if let Some((_, suppress)) = clauses.get("suppress") {
            let message = "`suppress` and `once` contradict each other";
            let mut diagnostic = Diagnostic::error(Code::BadOnce, clause.span, message).help(
                "remove `suppress` to report only the first match, or remove `once` to report \
                 later ones",
            );
            if clauses.get("suppress").is_some_and(|(other, _)| other == source) {
                diagnostic = diagnostic.context(suppress.span, "this reports later matches");
            }
            self.env.report(source, diagnostic);
        }
    }

    /// Lowers the clause that chooses among the matches of a set.
    pub(super) fn report_clause(&mut self, clause: Option<(usize, &'a Spanned<Clause>)>) -> Report {
        let Some((source, clause)) = clause else { return Report::All };
        let Clause::Report(report) = &clause.node else { return Report::All };
        let number = match report {
            ast::Report::All => return Report::All,
            ast::Report::Count => return Report::Count,
            ast::Report::Longest => return Report::Longest,
            ast::Report::Shortest => return Report::Shortest,
            ast::Report::First(number) | ast::Report::Last(number) => number,
        };
        let most = u32::try_from(number.node).ok().and_then(NonZeroU32::new);
        let Some(most) = most else {
            let message = match number.node {
                0 => "`report` needs at least one match",
                _ => "this number is too large",
            };
            let help = "use a number from 1 to 4294967295: `report first 1`";
            self.env.error(source, Code::BadBound, number.span, message, help);
            return Report::First(NonZeroU32::MIN);
        };
        match report {
            ast::Report::Last(_) => Report::Last(most),
            _ => Report::First(most),
        }
    }

    /// Resolves a name behind `suppress ... by`: an emitted field, or a part of the key.
    fn suppress_by(&mut self, name: &'a Name, emit: Option<&Emit>) -> Option<Expr> {
        let emitted = || emit.iter().flat_map(|emit| &emit.fields);
        if let Some((_, expr)) = emitted().find(|(field, _)| **field == *name.node) {
            return Some(expr.clone());
        }
        if let Some(index) = self.key.iter().position(|(key, _)| **key == *name.node) {
            return Some(Expr::Key(index));
        }
        let known = || emitted().map(|(name, _)| &**name).chain(self.key.iter().map(|(k, _)| &**k));
        let help = match nearest(&name.node, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("emit it: `emit {{ {}: ... }}`", name.node),
        };
        let message = format!("the rule's `emit` and its key have no field `{}`", name.node);
        self.error(Code::UnknownField, name.span, message, help);
        None
    }

    pub(super) fn limit(&mut self, number: &Spanned<u64>, policy: LimitPolicy) -> Option<Limit> {
        if number.node == 0 {
            let message = "with a limit of 0 partial matches, no match can begin";
            let help = "use a limit of at least 1: `limit 1000 partials drop oldest`";
            self.error(Code::BadBound, number.span, message, help);
            return None;
        }
        Some(Limit { partials: usize::try_from(number.node).unwrap_or(usize::MAX), policy })
    }
}
