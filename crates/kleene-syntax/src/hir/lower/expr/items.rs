//! `any args like "-e*"`: comparisons of the items of a list.

use super::path::dotted_field;
use super::typed::{UNSURE, non_null, refused};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::Expr;
use crate::hir::expr::{Aggregate, AggregateOp, CapturedField, FieldRef, ItemQuantifier};
use crate::hir::functions::Callee;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::{ExprContext, StepInfo, Takes, Typed};
use crate::syntax::ast::{self, Spanned};
use kleene_event::schema::{FieldType, TypeId};
use kleene_event::value::Kind;

/// The list whose items the left side of a comparison stands for.
pub(super) struct TestedItems {
    quantifier: ItemQuantifier,
    list: Expr,
}

impl TestedItems {
    /// Returns the test of the items that a comparison of one of them is, where there are items.
    pub(super) fn test(items: Option<TestedItems>, comparison: Typed) -> Typed {
        match items {
            Some(TestedItems { quantifier, list }) if !comparison.kind.is_never() => {
                let test = Box::new(comparison.expr);
                let expr = Expr::Items(quantifier, Box::new(list), test);
                Typed { expr, kind: UNSURE, span: comparison.span }
            }
            _ => comparison,
        }
    }
}

impl<'a> RuleLowerer<'_, 'a> {
    /// The left side of a comparison. After `any` and `all` it is one item of a list.
    pub(super) fn subject(
        &mut self,
        left: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> (Typed, Option<TestedItems>) {
        let ast::Expr::Quantified(quantifier, list) = &left.node else {
            return (self.expr(left, context), None);
        };
        let (list, item) = if let ast::Expr::List(entries) = &list.node {
            self.entries(entries, list, context)
        } else {
            let list = self.expr(list, context);
            let item = self.item_kind(&list.expr, context);
            (list, item)
        };
        if list.kind.is_never() {
            return (refused(left.span), None);
        }
        if !non_null(list.kind).intersects(Kind::LIST) {
            let word = quantifier.as_str();
            let message = format!(
                "`{word}` tests the items of a list, but this has type {}",
                non_null(list.kind)
            );
            let help = format!("remove `{word}`");
            self.error(Code::TypeMismatch, list.span, message, help);
            return (refused(left.span), None);
        }
        let item = Typed { expr: Expr::Item, kind: item.or(Kind::NULL), span: left.span };
        (item, Some(TestedItems { quantifier: *quantifier, list: list.expr }))
    }

    /// A list that is written out, and the types of its entries.
    fn entries(
        &mut self,
        entries: &'a [Spanned<ast::Expr>],
        list: &Spanned<ast::Expr>,
        context: ExprContext,
    ) -> (Typed, Kind) {
        let entries: Vec<Typed> = entries.iter().map(|entry| self.expr(entry, context)).collect();
        let kinds = entries.iter().fold(Kind::NULL, |kinds, entry| kinds.or(entry.kind));
        let item = if non_null(kinds).is_never() { Kind::ANY } else { kinds };
        let is_refused = entries.iter().any(|entry| entry.kind.is_never());
        let kind = if is_refused { Kind::NEVER } else { Kind::LIST };
        let expr = Expr::List(entries.into_iter().map(|entry| entry.expr).collect());
        (Typed { expr, kind, span: list.span }, item)
    }

    /// The types that the items of a list can have, as far as the list says.
    fn item_kind(&self, list: &Expr, context: ExprContext) -> Kind {
        let of_step = |step: usize| self.steps.get(step).and_then(StepInfo::one_type);
        match list {
            Expr::Field(field) => self.item_of_field(field, context.candidate.and_then(Takes::one)),
            Expr::Captured(CapturedField { step, field, .. }) => {
                self.item_of_field(field, step.and_then(|step| of_step(step.index())))
            }
            Expr::Aggregate(of) => match &**of {
                Aggregate {
                    op: AggregateOp::Collect | AggregateOp::Distinct,
                    step,
                    arg: Some(Expr::Field(FieldRef::Declared(field))),
                    ..
                } => match of_step(step.index()) {
                    Some(ty) => self.env.schema.ty(ty).field(*field).kind(),
                    None => Kind::ANY,
                },
                _ => Kind::ANY,
            },
            Expr::Call(Callee::BuiltIn(function), args) => match (function.name, args.first()) {
                ("split", _) => Kind::STRING,
                ("largest" | "smallest", Some(list)) => self.item_kind(list, context),
                _ => Kind::ANY,
            },
            _ => Kind::ANY,
        }
    }

    fn item_of_field(&self, field: &FieldRef, ty: Option<TypeId>) -> Kind {
        match (field, ty) {
            (FieldRef::Declared(id), Some(ty)) => match &self.env.schema.ty(ty).field(*id).ty {
                FieldType::List(item) => item.kind(),
                _ => Kind::ANY,
            },
            (FieldRef::ByType(fields), _) => {
                fields.iter().fold(Kind::NEVER, |kind, (ty, field)| {
                    kind.or(self.item_of_field(field, Some(*ty)))
                })
            }
            _ => Kind::ANY,
        }
    }

    /// Reports a list that is compared as one value is, with what to write instead.
    pub(super) fn report_list_compared(
        &mut self,
        list: &Typed,
        left: &Spanned<ast::Expr>,
        comparison: &str,
    ) {
        let name = match &left.node {
            ast::Expr::Path(path) => dotted_field(path).map(|(name, _)| name),
            _ => None,
        };
        let name = name.unwrap_or_else(|| "args".to_owned());
        let message = format!("`{comparison}` compares one value, but this is a list");
        let diagnostic = Diagnostic::error(Code::TypeMismatch, list.span, message);
        self.report(diagnostic.help(format!(
            "write which items: `any {name} {comparison} ..` or `all {name} {comparison} ..`"
        )));
    }
}
