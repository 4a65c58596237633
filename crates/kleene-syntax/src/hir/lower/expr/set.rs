//! The right side of `in`: lists, ranges and networks.

use std::net::IpAddr;
use std::sync::Arc;

use super::items::TestedItems;
use super::text::fold_typed;
use super::typed::{UNSURE, compare, fold, non_null, refused, truth_of};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, Set, TextCase, ValueSet};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::{add_to_set, mismatch, plain};
use crate::hir::lower::names::unknown;
use crate::hir::lower::terms::{ExprContext, Typed};
use crate::syntax::ast;
use crate::syntax::ast::Spanned;
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

impl<'a> RuleLowerer<'_, 'a> {
    pub(super) fn membership(
        &mut self,
        negated: bool,
        (value, set): (&'a Spanned<ast::Expr>, &'a Spanned<ast::Expr>),
        case: TextCase,
        span: Span,
        context: ExprContext,
    ) -> Typed {
        let left = value;
        let (value, items) = self.subject(left, context);
        if non_null(value.kind) == Kind::LIST && self.is_list_of_single(set, context) {
            self.report_list_compared(&value, left, "in");
            return refused(span);
        }
        let Some(mut found) = self.is_in(value, set, case, span, context) else {
            return refused(span);
        };
        if negated {
            let expr = Expr::Not(Box::new(found.expr));
            found = fold(Typed { expr, ..found });
        }
        TestedItems::test(items, found)
    }

    /// True if a set has single values, which no list is equal to.
    fn is_list_of_single(&self, set: &Spanned<ast::Expr>, context: ExprContext) -> bool {
        match &set.node {
            ast::Expr::List(items) => {
                let is_literal = |item: &Spanned<_>| matches!(item.node, ast::Expr::Literal(_));
                !items.is_empty() && items.iter().all(is_literal)
            }
            ast::Expr::Path(path) => {
                path.rest.is_empty() && self.is_list_name(&path.root.node, context)
            }
            _ => false,
        }
    }

    /// `value in set`; `None` where something was refused.
    fn is_in(
        &mut self,
        mut value: Typed,
        set: &'a Spanned<ast::Expr>,
        case: TextCase,
        span: Span,
        context: ExprContext,
    ) -> Option<Typed> {
        let is_null = |item: &Spanned<ast::Expr>| matches!(&item.node, ast::Expr::Literal(value) if plain(value).is_null());
        let has_null = matches!(&set.node, ast::Expr::List(items) if items.iter().any(is_null));
        let mut set = self.set((&value, case), set, context)?;
        if case == TextCase::Ignored {
            if !self.expect_text(&value, Kind::STRING) {
                return None;
            }
            fold_typed(&mut value);
            set = self.folded_set(set);
        }
        if let Set::Values(values) = &set
            && values.values.is_empty()
            && values.networks.is_empty()
        {
            let message = "this list is empty, so nothing is in it";
            self.report(Diagnostic::warning(Code::AlwaysFalse, span, message));
        }
        let kind = match &set {
            Set::Values(_) => truth_of(value.kind),
            Set::Range(..) | Set::Expr(_) => UNSURE,
        };
        let expr = Expr::In(Box::new(value.expr), Box::new(set));
        if has_null && matches!(&expr, Expr::In(_, set) if matches!(**set, Set::Values(_))) {
            // The list contains null, so a value that is not found may equal it: the answer is
            // null.
            let null = Box::new(Expr::Literal(Value::Null));
            let expr = Expr::Binary(BinaryOp::Or, Box::new(expr), null);
            return Some(Typed { expr, kind: UNSURE, span });
        }
        Some(fold(Typed { expr, kind, span }))
    }

    /// `None` where something was refused.
    pub(super) fn set(
        &mut self,
        (value, case): (&Typed, TextCase),
        set: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Option<Set> {
        let failed = value.kind.is_never();
        match &set.node {
            ast::Expr::Range(low, high) => self.range(value, (low, high), set.span, context),
            ast::Expr::List(items) => self.listed((value, case), items, context),
            ast::Expr::Path(path)
                if path.rest.is_empty() && self.is_list_name(&path.root.node, context) =>
            {
                let list = &self.env.declarations.lists[path.root.node.as_str()];
                let (set, kind, known) = (Arc::clone(&list.set), list.kind, list.known);
                if failed || !known || !self.expect_element(value, kind, path.span) {
                    return None;
                }
                Some(Set::Values(set))
            }
            ast::Expr::Call(name, args) if name.node == "cidr" && args.len() == 1 => {
                let network = self.expr(&args[0], context);
                self.network(value, &network)
            }
            _ => {
                if let ast::Expr::Path(path) = &set.node
                    && path.rest.is_empty()
                    && self.means_nothing(&path.root.node, context)
                {
                    let near =
                        nearest(&path.root.node, self.env.declarations.lists.keys().copied());
                    let mut diagnostic = unknown(Code::UnknownList, "list", &path.root, near);
                    if near.is_none() {
                        diagnostic = diagnostic
                            .help(format!("declare it: `list {}: string = [...]`", path.root.node));
                    }
                    self.report(diagnostic);
                    return None;
                }
                let list = self.expr(set, context);
                if failed || list.kind.is_never() {
                    return None;
                }
                if let Expr::Literal(Value::String(text)) = &list.expr {
                    // A parameter is there to be changed.
                    if let ast::Expr::Literal(_) = set.node {
                        self.warn_of_one_address(text, list.span);
                    }
                    return self.network(value, &list);
                }
                if !non_null(list.kind).intersects(Kind::LIST) {
                    let message = format!(
                        "`in` needs a list, a range or a network, but this has type {}",
                        list.kind
                    );
                    let help =
                        "write a list as `[1, 2]`, a range as `1..5`, a network as \"10.0.0.0/8\"";
                    self.error(Code::TypeMismatch, list.span, message, help);
                    return None;
                }
                Some(Set::Expr(list.expr))
            }
        }
    }

    /// The set of a range; `None` where something was refused.
    fn range(
        &mut self,
        value: &Typed,
        (low, high): (&'a Spanned<ast::Expr>, &'a Spanned<ast::Expr>),
        span: Span,
        context: ExprContext,
    ) -> Option<Set> {
        let failed = value.kind.is_never();
        let mut low = self.expr(low, context);
        let mut high = self.expr(high, context);
        for end in [&mut low, &mut high] {
            if end.kind.is_never() || failed {
                return None;
            }
            if !self.coerce(end, value.kind) {
                return None;
            }
            if !compare(value.kind, end.kind) && !non_null(value.kind).is_never() {
                let message = format!(
                    "{} can't be compared with {}",
                    non_null(value.kind),
                    non_null(end.kind)
                );
                self.report(Diagnostic::error(Code::TypeMismatch, end.span, message));
                return None;
            }
        }
        if let (Expr::Literal(low), Expr::Literal(high)) = (&low.expr, &high.expr)
            && low.as_ref().compare(high.as_ref()).is_none_or(std::cmp::Ordering::is_gt)
        {
            let message = format!("the range {low}..{high} is empty");
            self.warn(Code::AlwaysFalse, span, message, "write the smaller end first");
        }
        Some(Set::Range(low.expr, high.expr))
    }

    /// The set of a list that is written out; `None` where something was refused.
    fn listed(
        &mut self,
        (value, case): (&Typed, TextCase),
        items: &'a [Spanned<ast::Expr>],
        context: ExprContext,
    ) -> Option<Set> {
        let failed = value.kind.is_never();
        let items: Vec<_> = items.iter().map(|item| self.expr(item, context)).collect();
        if failed || items.iter().any(|item| item.kind.is_never()) {
            return None;
        }
        let constant = items.iter().all(|item| matches!(item.expr, Expr::Literal(_)));
        if !constant {
            for item in &items {
                self.expect_element(value, item.kind, item.span);
            }
            return Some(Set::Expr(Expr::List(items.into_iter().map(|item| item.expr).collect())));
        }
        let mut values = ValueSet::default();
        let mut fine = true;
        for item in items {
            if let Expr::Literal(constant) = item.expr {
                if case == TextCase::Exact {
                    self.warn_of_item(value, &constant, item.span, context);
                }
                fine &= self.add_element(&mut values, value, constant, item.span);
            }
        }
        fine.then(|| Set::Values(Arc::new(values)))
    }

    pub(super) fn expect_element(&mut self, value: &Typed, kind: Kind, span: Span) -> bool {
        let wanted = non_null(value.kind);
        if wanted.is_never() || compare(wanted, kind) {
            return true;
        }
        let message = format!("{wanted} is never equal to {}", non_null(kind));
        self.report(
            Diagnostic::error(Code::TypeMismatch, span, message)
                .context(value.span, format!("this has type {wanted}")),
        );
        false
    }

    pub(super) fn add_element(
        &mut self,
        set: &mut ValueSet,
        value: &Typed,
        constant: Value,
        span: Span,
    ) -> bool {
        let wanted = non_null(value.kind);
        if constant.is_null() {
            let message = "null is equal to nothing, not even to null";
            self.warn(
                Code::AlwaysFalse,
                span,
                message,
                "remove null from the list, and add `or .. is null`",
            );
            return true;
        }
        if wanted == Kind::IP || wanted == Kind::TIME {
            if let Err(constant) = add_to_set(set, constant, wanted) {
                self.report(mismatch(&constant, wanted, span));
                return false;
            }
            return true;
        }
        let fine = self.expect_element(value, constant.kind(), span);
        if fine {
            set.insert(&constant);
        }
        fine
    }

    pub(super) fn network(&mut self, value: &Typed, network: &Typed) -> Option<Set> {
        if network.kind.is_never() || value.kind.is_never() {
            return None;
        }
        if !self.expect(value, Kind::IP, "a network") {
            return None;
        }
        let Expr::Literal(constant) = &network.expr else {
            let message = "a network must be a string in quotes or a parameter";
            let help = "for a computed network, use `cidr(address, network)`";
            self.error(Code::NotAllowedHere, network.span, message, help);
            return None;
        };
        let mut set = ValueSet::default();
        if let Err(constant) = add_to_set(&mut set, constant.clone(), Kind::IP) {
            let message = format!("{constant} is not a network");
            let help = "write a network as \"10.0.0.0/8\" or \"fe80::/10\"";
            self.error(Code::BadLiteral, network.span, message, help);
            return None;
        }
        Some(Set::Values(Arc::new(set)))
    }

    /// Warns of a network that is a single address, as it has no length of a prefix.
    pub(super) fn warn_of_one_address(&mut self, text: &str, span: Span) {
        let Ok(address) = text.parse::<IpAddr>() else { return };
        let message = "this network has no prefix length, so it is only this one address";
        let prefix = match address {
            IpAddr::V4(address) => match address.octets() {
                [_, 0, 0, 0] => Some(8),
                [.., 0, 0] => Some(16),
                [.., 0] => Some(24),
                _ => None,
            },
            IpAddr::V6(address) => match address.segments() {
                [_, _, 0, 0, 0, 0, 0, 0] => Some(32),
                [_, _, _, 0, 0, 0, 0, 0] => Some(48),
                [_, _, _, _, 0, 0, 0, 0] => Some(64),
                _ => None,
            },
        };
        let one = "compare one address with `==` or `!=`";
        let help = match prefix {
            Some(prefix) => {
                format!("add a prefix length: \"{text}/{prefix}\"; {one}")
            }
            None => format!("{one}; for a network, add a prefix length, as in \"10.0.0.0/8\""),
        };
        self.warn(Code::OneAddress, span, message, help);
    }

    /// True if a bare name behind `in` is a declared list: a field of that name comes first.
    pub(super) fn is_list_name(&self, name: &str, context: ExprContext) -> bool {
        let is_field = self.has_field(context.candidate, name);
        self.env.declarations.lists.contains_key(name) && !is_field
    }

    /// True if a bare name is neither a field nor a part of the key.
    pub(super) fn means_nothing(&self, name: &str, context: ExprContext) -> bool {
        let is_field = context.candidate.is_some_and(|of| self.field_of(of, name).is_some());
        !is_field && !self.key.iter().any(|(key, _)| **key == *name)
    }
}
