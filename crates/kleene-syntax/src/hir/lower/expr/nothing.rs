//! Comparisons with null, which never hold, and calls that are always null.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::plain;
use crate::hir::lower::terms::Typed;
use crate::syntax::ast::{self, BinaryOp, Spanned};
use kleene_event::value::Value;

/// The longest text of a user that a help repeats.
const MAX_SHOWN: usize = 60;

impl RuleLowerer<'_, '_> {
    /// The text of an expression as it is written, if it is short.
    pub(in crate::hir::lower) fn text_at(&self, span: Span) -> &str {
        let text = &self.env.sources[self.source].text;
        let text = text.get(span.start as usize..span.end as usize).unwrap_or_default();
        if text.len() <= MAX_SHOWN && !text.contains(['\n', '#']) { text } else { "..." }
    }

    /// Reports a comparison with the word `null`: it never holds, so that nobody can mean it.
    pub(super) fn refuses_null(&mut self, expr: &Spanned<ast::Expr>) -> bool {
        let diagnostic = match &expr.node {
            ast::Expr::Binary(op, a, b) if is_comparison(*op) && (is_null(a) || is_null(b)) => {
                let other = if is_null(a) { b } else { a };
                self.null_compared(*op, other, expr.span)
            }
            ast::Expr::In { negated, value, set } => {
                let ast::Expr::List(items) = &set.node else { return false };
                let Some(null) = items.iter().find(|item| is_null(item)) else { return false };
                if !negated && !items.iter().all(is_null) {
                    return false;
                }
                let value = self.text_at(value.span);
                let message = if *negated {
                    "`not in` never holds if the list contains null"
                } else {
                    "nothing is equal to null, so nothing is in this list"
                };
                let help = if *negated {
                    format!("remove null from the list, and write `{value} is not null and ...`")
                } else {
                    format!("write `{value} is null`")
                };
                Diagnostic::error(Code::NullCompared, null.span, message).help(help)
            }
            _ => return false,
        };
        self.report(diagnostic);
        true
    }

    fn null_compared(&self, op: BinaryOp, other: &Spanned<ast::Expr>, span: Span) -> Diagnostic {
        let value = self.text_at(other.span);
        let (message, help) = match op {
            _ if is_null(other) => (
                "a comparison with null never holds",
                "remove this: null is not equal to null either".to_owned(),
            ),
            BinaryOp::Eq => {
                ("a comparison with null never holds", format!("write `{value} is null`"))
            }
            BinaryOp::Ne => {
                ("a comparison with null never holds", format!("write `{value} is not null`"))
            }
            _ => (
                "a comparison with null never holds",
                format!("to test for a value, write `{value} is not null`"),
            ),
        };
        Diagnostic::error(Code::NullCompared, span, message).help(help)
    }

    /// Warns of a comparison with what is always null, though it is not written so.
    pub(super) fn warn_of_null(&mut self, null: &Typed, span: Span) {
        let shown = self.text_at(null.span);
        let mut conversions = ["int", "float", "bool", "time"].into_iter();
        if conversions
            .any(|name| shown.strip_prefix(name).is_some_and(|rest| rest.starts_with("(\"")))
        {
            // The call itself was reported, with the text that it cannot read.
            return;
        }
        let shown = if shown == "..." { "this value".to_owned() } else { format!("`{shown}`") };
        let message = format!("{shown} is always null, so the comparison never holds");
        let help = "compare with a value that can be other than null";
        self.warn(Code::AlwaysFalse, span, message, help);
    }

    /// Warns of a call that reads a constant text which does not hold a value of the type.
    pub(super) fn warn_of_conversion(&mut self, function: &str, text: Option<Typed>, call: &Typed) {
        let Some(Typed { expr: Expr::Literal(Value::String(text)), span, .. }) = text else {
            return;
        };
        let is_null = matches!(call.expr, Expr::Literal(Value::Null));
        // A parameter is there to be changed.
        if !is_null || !self.text_at(span).starts_with('"') {
            return;
        }
        let point = text.replace(',', ".");
        let help = match function {
            "int" | "float" if is_number(&point) && text.matches(',').count() == 1 => {
                format!("use a decimal point: `{point}`")
            }
            "int" if is_number(&text) => format!("write `round({text})` or `floor({text})`"),
            "int" | "float" => {
                format!("the string must be a number and nothing else, as in `{function}(\"12\")`")
            }
            "bool" => "`bool` reads \"true\", \"false\", \"1\" and \"0\"".to_owned(),
            "time" => {
                "`time` reads \"2024-05-01T08:27:14Z\"; for another layout, write `time(text, \
                 \"%Y-%m-%d %H:%M:%S\")`"
                    .to_owned()
            }
            _ => return,
        };
        let message = format!("`{function}` cannot read {text:?}, so this is always null");
        self.warn(Code::AlwaysNull, call.span, message, help);
    }
}

fn is_number(text: &str) -> bool {
    text.parse().is_ok_and(f64::is_finite)
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge)
}

fn is_null(expr: &Spanned<ast::Expr>) -> bool {
    matches!(&expr.node, ast::Expr::Literal(value) if plain(value).is_null())
}
