//! Rules: their clauses, and what they emit.

use std::fmt::Write as _;

use super::Printer;
use crate::syntax::ast::{
    Clause, Dur, Emit, Expr, KeyPart, LimitPolicy, Name, Once, Report, Skip, SkipStrategy, Spanned,
};
use crate::syntax::layout::BreakEdge;
use kleene_event::time::format_millis;

type FieldEntry = (Name, Option<Spanned<Expr>>);

impl Printer {
    pub(super) fn clauses(&mut self, clauses: &[Spanned<Clause>]) {
        self.block(clauses, |this, clause| this.clause(&clause.node));
    }

    /// `{ ... }` with a line for each item.
    pub(super) fn block<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            return self.empty_brackets(("{", "}"));
        }
        self.push("{");
        self.indented(|this| {
            for (i, one) in items.iter().enumerate() {
                this.line(if i == 0 { BreakEdge::Open } else { BreakEdge::Between });
                item(this, one);
            }
            this.line(BreakEdge::Close);
        });
        self.push("}");
    }

    pub(super) fn clause(&mut self, clause: &Clause) {
        match clause {
            Clause::About(text) => {
                self.push("about ");
                self.string(&text.node);
            }
            Clause::Severity(name) => {
                self.push("severity ");
                self.name(&name.node);
            }
            Clause::Tags(tags) => {
                self.push("tags ");
                self.list(("[", "]"), tags, |this, tag| this.string(&tag.node));
            }
            Clause::Meta(fields) => {
                self.push("meta ");
                self.list(("{", "}"), fields, |this, (name, value)| {
                    this.free_name(&name.node);
                    this.push(": ");
                    this.expr(&value.node, 0);
                });
            }
            Clause::Param(param) => self.param(param),
            Clause::Define(define) => self.define(define),
            Clause::From(None) => self.push("from *"),
            Clause::From(Some(names)) => {
                self.push("from ");
                self.names(names);
            }
            Clause::Key(parts) => self.key(parts),
            Clause::Match(body) => {
                self.push("match ");
                self.body(body);
            }
            Clause::Within(dur) => {
                self.push("within ");
                self.dur(dur);
            }
            Clause::Skip(skip) => self.skip(skip),
            Clause::Report(report) => self.report(report),
            Clause::Emit(emit) => self.emit(emit),
            Clause::OnTimeout(emit) => {
                self.push("on timeout ");
                self.emit(emit);
            }
            Clause::Having(condition) => {
                self.push("having ");
                self.expr(&condition.node, 0);
            }
            Clause::Suppress(dur, by) => {
                self.push("suppress ");
                self.dur(dur);
                if !by.is_empty() {
                    self.push(" by ");
                    self.names(by);
                }
            }
            Clause::Once(Once::Key) => self.push("once"),
            Clause::Once(Once::Rule) => self.push("once per rule"),
            Clause::Limit(number, policy) => {
                let policy = match policy {
                    LimitPolicy::DropOldest => "drop oldest",
                    LimitPolicy::DropNewest => "drop newest",
                    LimitPolicy::Fail => "fail",
                };
                let _ = write!(self.out, "limit {} partials {policy}", number.node);
            }
        }
    }

    pub(super) fn key(&mut self, parts: &[KeyPart]) {
        self.push("key ");
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.name(&part.name.node);
            if !part.paths.is_empty() {
                self.push(" ");
                self.list(("{", "}"), &part.paths, |this, (ty, path)| {
                    this.free_name(&ty.node);
                    this.push(": ");
                    this.path(path);
                });
            }
        }
    }

    pub(super) fn names(&mut self, names: &[Name]) {
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.name(&name.node);
        }
    }

    pub(super) fn skip(&mut self, skip: &Skip) {
        self.push("skip ");
        match &skip.strategy {
            SkipStrategy::None => self.push("none"),
            SkipStrategy::PastLast => self.push("past last"),
            SkipStrategy::ToNext => self.push("to next"),
            SkipStrategy::ToFirst(name) => {
                self.push("to first ");
                self.name(&name.node);
            }
            SkipStrategy::ToLast(name) => {
                self.push("to last ");
                self.name(&name.node);
            }
        }
        if skip.ordered {
            self.push(" ordered");
        }
    }

    fn report(&mut self, report: &Report) {
        self.push("report ");
        match report {
            Report::All => self.push("all"),
            Report::Count => self.push("count"),
            Report::First(most) => {
                let _ = write!(self.out, "first {}", most.node);
            }
            Report::Last(most) => {
                let _ = write!(self.out, "last {}", most.node);
            }
            Report::Longest => self.push("longest"),
            Report::Shortest => self.push("shortest"),
        }
    }

    pub(super) fn emit(&mut self, emit: &Emit) {
        self.push("emit ");
        if let Some(name) = &emit.as_type {
            self.push("as ");
            self.name(&name.node);
            self.push(" ");
        }
        self.record(&emit.fields);
    }

    pub(super) fn record(&mut self, fields: &[FieldEntry]) {
        self.list(("{", "}"), fields, |this, (name, value)| match value {
            Some(value) => {
                this.free_name(&name.node);
                this.push(": ");
                this.expr(&value.node, 0);
            }
            None => this.root(&name.node),
        });
    }

    pub(super) fn dur(&mut self, dur: &Dur) {
        match dur {
            Dur::Literal(millis) => self.push(&format_millis(millis.node)),
            Dur::Param(name) => {
                self.push("$");
                self.free_name(&name.node);
            }
            Dur::Path(path) if path.root.node == "prev" => self.path(path),
            Dur::Path(path) => {
                self.name(&path.root.node);
                self.path_rest(path);
            }
        }
    }
}
