//! Comparisons of text: patterns, one or a list of them, and `nocase`.

use std::sync::Arc;

use super::comparison::Compared;
use super::typed::{fold, non_null, refused, truth_of};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, PatternSyntax, Regex, Set, TextCase, TextPatterns, ValueSet};
use crate::hir::functions::Callee;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::{ExprContext, Typed};
use crate::hir::text::{self, PatternListError};
use crate::syntax::ast::{self, Spanned};
use kleene_event::value::{Kind, Value};

/// The functions that `nocase` can stand after.
const WITHOUT_CASE: [&str; 3] = ["contains", "starts_with", "ends_with"];

impl<'a> RuleLowerer<'_, 'a> {
    /// A comparison or a call with `nocase` after it.
    pub(super) fn without_case(
        &mut self,
        inner: &'a Spanned<ast::Expr>,
        span: Span,
        context: ExprContext,
    ) -> Typed {
        let case = TextCase::Ignored;
        match &inner.node {
            ast::Expr::Binary(op, left, right) => {
                self.binary(&Compared { op: *op, case, left, right, span }, context)
            }
            ast::Expr::In { negated, value, set } => {
                self.membership(*negated, (value, set), case, span, context)
            }
            ast::Expr::Call(name, args) if WITHOUT_CASE.contains(&name.node.as_str()) => {
                self.call(name, args, (case, span), context)
            }
            ast::Expr::Call(name, _) => {
                let message = format!("`nocase` has no meaning after `{}`", name.node);
                let help = "use `nocase` after a comparison of strings, or after `contains`, \
                            `starts_with` or `ends_with`";
                self.refuse(Code::MisplacedNoCase, span, message, help)
            }
            _ => {
                let message = "`nocase` has no meaning after this";
                let help =
                    "use `nocase` after a comparison of strings: `name == \"cmd.exe\" nocase`";
                self.refuse(Code::MisplacedNoCase, span, message, help)
            }
        }
    }

    /// Reports if something is compared without case that is never a text.
    pub(super) fn expect_text(&mut self, typed: &Typed, wanted: Kind) -> bool {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(wanted) {
            return true;
        }
        let message = format!("`nocase` compares strings, but this has type {kind}");
        let help = "remove `nocase`";
        self.error(Code::MisplacedNoCase, typed.span, message, help);
        false
    }

    /// Folds both sides of a comparison without case; false if one of them is no text.
    pub(super) fn fold_sides(&mut self, case: TextCase, sides: [&mut Typed; 2]) -> bool {
        if case == TextCase::Exact {
            return true;
        }
        let mut fine = true;
        for side in sides {
            fine = fine && self.expect_text(side, Kind::STRING);
            fold_typed(side);
        }
        fine
    }

    /// Returns a set whose texts are folded.
    pub(super) fn folded_set(&mut self, set: Set) -> Set {
        let values = match set {
            Set::Values(values) => values,
            Set::Range(low, high) => {
                let fold = |end| constant_fold(Expr::Fold(Box::new(end)));
                return Set::Range(fold(low), fold(high));
            }
            Set::Expr(list) => return Set::Expr(Expr::Fold(Box::new(list))),
        };
        let name = values.list.clone();
        let list = name.and_then(|name| self.env.declarations.lists.get_mut(&*name));
        if let Some(folded) = list.as_ref().and_then(|list| list.folded.as_ref()) {
            return Set::Values(Arc::clone(folded));
        }
        let mut folded = ValueSet { values: hashbrown::HashSet::new(), ..(*values).clone() };
        for value in &values.values {
            match value {
                Value::String(text) => folded.insert(&Value::from(text::fold(text).into_owned())),
                other => folded.insert(other),
            }
        }
        let folded = Arc::new(folded);
        if let Some(list) = list {
            list.folded = Some(Arc::clone(&folded));
        }
        Set::Values(folded)
    }

    /// `x like ["a*", "b*"]`, `x ~ names`: several patterns.
    pub(super) fn patterns(
        &mut self,
        mut text: Typed,
        of: &Compared<'a>,
        context: ExprContext,
    ) -> Typed {
        let syntax = match of.op {
            BinaryOp::Like => PatternSyntax::Wildcards,
            _ => PatternSyntax::Regex,
        };
        let found = match &of.right.node {
            ast::Expr::List(items) => {
                self.written_patterns(&text, items, (syntax, of.case), context)
            }
            ast::Expr::Path(path) => self.named_patterns(path, (syntax, of.case)),
            _ => None,
        };
        let Some(patterns) = found else { return refused(of.span) };
        if patterns.texts().is_empty() {
            let message = "this list is empty, so nothing matches it";
            self.report(Diagnostic::warning(Code::AlwaysFalse, of.span, message));
        }
        if of.case == TextCase::Ignored {
            if !self.expect_text(&text, Kind::STRING) {
                return refused(of.span);
            }
            if syntax == PatternSyntax::Wildcards {
                fold_typed(&mut text);
            }
        }
        let kind = truth_of(text.kind);
        fold(Typed { expr: Expr::Fits(Box::new(text.expr), patterns), kind, span: of.span })
    }

    /// The patterns of a list that is written out; `None` where something was refused.
    fn written_patterns(
        &mut self,
        text: &Typed,
        items: &'a [Spanned<ast::Expr>],
        (syntax, case): (PatternSyntax, TextCase),
        context: ExprContext,
    ) -> Option<Arc<TextPatterns>> {
        let operator = name_of(syntax);
        let mut texts = Vec::with_capacity(items.len());
        let mut fine = true;
        for item in items {
            let typed = self.expr(item, context);
            if typed.kind.is_never() {
                fine = false;
                continue;
            }
            match &typed.expr {
                Expr::Literal(Value::String(pattern)) => {
                    if syntax == PatternSyntax::Wildcards && case == TextCase::Exact {
                        self.warn_of_case(text, pattern, typed.span);
                    }
                    texts.push(folded_pattern(pattern, syntax, case));
                }
                Expr::Literal(value) => {
                    fine = false;
                    let message =
                        format!("a pattern must be a string, but this has type {}", value.kind());
                    self.report(Diagnostic::error(Code::TypeMismatch, typed.span, message));
                }
                _ => {
                    fine = false;
                    let message = "the patterns of a list must be strings in quotes or parameters";
                    let help = format!(
                        "compare with a computed pattern on its own: `x {operator} a.name or ..`"
                    );
                    self.error(Code::NotAllowedHere, typed.span, message, help);
                }
            }
        }
        if !fine {
            return None;
        }
        let place = items.first().map_or(text.span, |item| item.span);
        match TextPatterns::new(syntax, case, texts) {
            Ok(patterns) => Some(Arc::new(patterns)),
            Err(PatternListError::Wrong(index, reason)) => {
                let place = items.get(index).map_or(place, |item| item.span);
                self.report_bad_regex(place, reason);
                None
            }
            Err(PatternListError::TooLarge) => self.report_too_large(place),
        }
    }

    /// The patterns of a declared list, which are compiled once for each use of their kind.
    fn named_patterns(
        &mut self,
        path: &ast::Path,
        (syntax, case): (PatternSyntax, TextCase),
    ) -> Option<Arc<TextPatterns>> {
        let name = path.root.node.as_str();
        let list = self.env.declarations.lists.get(name)?;
        if let Some(patterns) = list.patterns.get(&(syntax, case)) {
            return Some(Arc::clone(patterns));
        }
        let (set, kind) = (Arc::clone(&list.set), list.kind);
        if !list.known {
            return None;
        }
        if kind != Kind::STRING {
            let message = format!("patterns must be strings, but `{name}` is a list of {kind}");
            let help = format!("search the list with `in`: `x in {name}`");
            self.error(Code::TypeMismatch, path.span, message, help);
            return None;
        }
        let mut texts: Vec<Arc<str>> = set
            .values
            .iter()
            .filter_map(|value| match value {
                Value::String(text) => Some(folded_pattern(text, syntax, case)),
                _ => None,
            })
            .collect();
        texts.sort_unstable();
        match TextPatterns::new(syntax, case, texts) {
            Ok(mut patterns) => {
                patterns.list.clone_from(&set.list);
                let patterns = Arc::new(patterns);
                let list = self.env.declarations.lists.get_mut(name)?;
                list.patterns.insert((syntax, case), Arc::clone(&patterns));
                Some(patterns)
            }
            // The message does not show the entry: the author of a rule may not be allowed to read
            // the file that it comes from.
            Err(PatternListError::Wrong(_, reason)) => {
                let message = format!("an entry of `{name}` is not a valid regular expression");
                let diagnostic = Diagnostic::error(Code::BadRegex, path.span, message);
                self.report(diagnostic.label(reason));
                None
            }
            Err(PatternListError::TooLarge) => self.report_too_large(path.span),
        }
    }

    fn report_too_large<T>(&mut self, span: Span) -> Option<T> {
        let message = "these patterns together take more than 16 MiB";
        let help = "split the list into several rules";
        self.error(Code::LimitExceeded, span, message, help);
        None
    }

    fn report_bad_regex(&mut self, span: Span, reason: String) {
        let message = "this regular expression does not compile";
        self.report(Diagnostic::error(Code::BadRegex, span, message).label(reason).help(
            "use the syntax of the Rust crate `regex`, without look-around and back-references; \
             write a backslash in quotes as `\\\\`",
        ));
    }

    /// A text in which one regular expression is found.
    pub(super) fn regex(
        &mut self,
        text: Typed,
        pattern: &Typed,
        (case, span): (TextCase, Span),
    ) -> Typed {
        if !self.expect(&text, Kind::STRING, "`~`") {
            return refused(span);
        }
        let Expr::Literal(Value::String(source)) = &pattern.expr else {
            let message = "a regular expression must be a string in quotes or a parameter";
            let help = "to search for a computed string, use `contains` or `like`";
            self.error(Code::NotAllowedHere, pattern.span, message, help);
            return refused(span);
        };
        match Regex::new(source, case) {
            Ok(regex) => {
                let expr = Expr::Regex(Box::new(text.expr), Arc::new(regex));
                fold(Typed { expr, kind: truth_of(text.kind), span })
            }
            Err(reason) => {
                self.report_bad_regex(pattern.span, reason);
                refused(span)
            }
        }
    }

    /// Warns of a constant in a case that the result of `lower` or `upper` never has.
    pub(super) fn warn_of_case(&mut self, subject: &Typed, constant: &str, span: Span) {
        if let Some(reason) = other_case(subject, constant) {
            let message = "this condition is always false";
            self.warn(Code::AlwaysFalse, span, message, reason);
        }
    }
}

fn name_of(syntax: PatternSyntax) -> &'static str {
    match syntax {
        PatternSyntax::Wildcards => "like",
        PatternSyntax::Regex => "~",
    }
}

/// A pattern as it is compared: with wildcards, it is folded as the text is.
fn folded_pattern(pattern: &str, syntax: PatternSyntax, case: TextCase) -> Arc<str> {
    match (syntax, case) {
        (PatternSyntax::Wildcards, TextCase::Ignored) => Arc::from(&*text::fold(pattern)),
        _ => Arc::from(pattern),
    }
}

/// Puts an expression into one case.
pub(super) fn fold_typed(typed: &mut Typed) {
    let expr = std::mem::replace(&mut typed.expr, Expr::Literal(Value::Null));
    typed.expr = constant_fold(Expr::Fold(Box::new(expr)));
}

fn constant_fold(expr: Expr) -> Expr {
    fold(Typed { expr, kind: Kind::ANY, span: Span::default() }).expr
}

/// Returns why the result of `lower` or `upper` never has a text of the other case in it.
pub(super) fn other_case(subject: &Typed, text: &str) -> Option<String> {
    let Expr::Call(Callee::BuiltIn(function), _) = &subject.expr else { return None };
    let (turned, letters) = match function.name {
        "lower" => (text.to_lowercase(), "an upper-case letter"),
        "upper" => (text.to_uppercase(), "a lower-case letter"),
        _ => return None,
    };
    let name = function.name;
    (turned != text).then(|| {
        format!(
            "the result of `{name}` never contains {letters}: write {turned:?}, or remove `{name}` \
             and put `nocase` after the comparison"
        )
    })
}
