//! Comparisons as EQL writes them. The first of a condition is reported, with its spelling here, and
//! the rest of the condition is not read.

use super::super::ast::{Expr, Literal, level};
use super::super::lex::LexemeKind;
use super::expr::ExprTree;
use super::{AlreadyReported, Parsed, Parser};

/// The longest operand that a message repeats.
const SHOWN: usize = 40;

impl<'s> Parser<'s> {
    /// The number of tokens of the operator of EQL that is looked at: `:`, `like~`, `in~`, `regex`
    /// or `regex~`, the words with a `not` before them or without.
    pub(super) fn eql_operator(&self) -> Option<usize> {
        if self.is(LexemeKind::Colon) {
            return Some(1);
        }
        let first = usize::from(self.is_word("not"));
        let (word, sign) = (self.nth(first), self.nth(first + 1));
        let is_joined = sign.kind == LexemeKind::Tilde && sign.span.start == word.span.end;
        match self.word_at(first) {
            "like" | "in" | "regex" if is_joined => Some(first + 2),
            "regex" if matches!(sign.kind, LexemeKind::Str | LexemeKind::OpenParen) => {
                Some(first + 1)
            }
            _ => None,
        }
    }

    /// Reports an operator of EQL of `width` tokens, with what it compares.
    pub(super) fn foreign_comparison(&mut self, left: &ExprTree, width: usize) -> Parsed<ExprTree> {
        let place = self.peek().span.to(self.nth(width - 1).span);
        let operator = self.slice(place.start, place.end);
        self.jump(self.at + width);
        let right = if self.at_list_in_parentheses() {
            self.list_in_parentheses()?
        } else {
            self.tree(level::ADD)?
        };
        let compared = match left.expr.node {
            Expr::Path(_) | Expr::Quantified(..) => {
                short(self.slice(left.expr.span.start, left.expr.span.end), "x")
            }
            _ => "x",
        };
        let of_items = match left.expr.node {
            Expr::Path(_) => format!("; for the items of a list, `any {compared} ..`"),
            _ => String::new(),
        };
        let value = self.slice(right.expr.span.start, right.expr.span.end);
        let value = match right.expr.node {
            Expr::List(_) => {
                format!("[{}]", short(value.trim_matches(['(', ')', '[', ']']), ".."))
            }
            _ => short(value, "..").to_owned(),
        };
        let of_all = match right.expr.node {
            Expr::List(_) if operator.contains("regex") => {
                "; a pattern of EQL matches the whole string: `\"^(a.*)$\"`"
            }
            _ => "",
        };
        let new = operator_for(operator, &right.expr.node);
        let value = if new.contains('~') && !matches!(right.expr.node, Expr::List(_)) {
            // A regular expression of EQL is about the whole text.
            value.replacen('"', "\"^(", 1).trim_end_matches('"').to_owned() + ")$\""
        } else {
            value
        };
        let case =
            if new.ends_with("==") && !is_text(&right.expr.node) || operator.ends_with("regex") {
                ""
            } else {
                " nocase"
            };
        let message = format!("`{operator}` is not part of the language");
        let help = format!("write `{compared} {new} {value}{case}`{of_items}{of_all}");
        self.report_at(place, message, help);
        Err(AlreadyReported)
    }

    /// `?field`, which EQL writes for a field that a document may lack.
    pub(super) fn optional_field(&mut self) -> Parsed<ExprTree> {
        let sign = self.bump().span;
        let field = self.path_operand()?;
        let name = short(self.slice(field.expr.span.start, field.expr.span.end), "x");
        let message = "only a declaration can mark a field as optional";
        let help = format!("write `{name}` here, and `{name}: string?` in the event's declaration");
        self.report_at(sign, message, help);
        Ok(field)
    }

    fn slice(&self, start: u32, end: u32) -> &'s str {
        &self.text[start as usize..end as usize]
    }
}

/// The text, or `other` where it is too long for a message.
fn short<'t>(text: &'t str, other: &'t str) -> &'t str {
    if text.len() <= SHOWN && !text.contains(['\n', '`']) { text } else { other }
}

fn is_text(value: &Expr) -> bool {
    matches!(value, Expr::Literal(Literal::String(_)) | Expr::List(_))
}

/// The operator that says what one of EQL says before `value`.
fn operator_for(operator: &str, value: &Expr) -> &'static str {
    let has_wildcard = |value: &Expr| match value {
        Expr::Literal(Literal::String(text)) => text.contains(['*', '?']),
        _ => false,
    };
    let any_wildcard = match value {
        Expr::List(items) => items.iter().any(|item| has_wildcard(&item.node)),
        other => has_wildcard(other),
    };
    let is_negated = operator.starts_with("not");
    match value {
        _ if operator.contains("regex") => {
            if is_negated {
                "not ~"
            } else {
                "~"
            }
        }
        _ if operator.contains("like") || any_wildcard => {
            if is_negated {
                "not like"
            } else {
                "like"
            }
        }
        Expr::List(_) => {
            if is_negated {
                "not in"
            } else {
                "in"
            }
        }
        _ => "==",
    }
}
