//! Expressions: types checked, constants computed. Names are `path`'s business.

mod bounds;
mod call;
mod foreign;
mod items;
mod known;
mod matches;
mod negation;
mod nothing;
mod path;
mod set;
mod text;

pub(in crate::hir::lower) use known::NeverHolds;

use self::items::TestedItems;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::Expr;
use crate::hir::eval::constant;
use crate::hir::expr::{BinaryOp, TextCase};
use crate::hir::functions::Callee;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::{convert, mismatch, plain};
use crate::hir::lower::terms::{ExprContext, TimeBound, Typed, What};
use crate::syntax::ast;
use crate::syntax::ast::{Name, Spanned};
use kleene_event::value::{Kind, Value};

/// True, false, or null for what is unknown.
const UNSURE: Kind = Kind::BOOL.or(Kind::NULL);

/// The type of a comparison of these types.
fn truth_of(kind: Kind) -> Kind {
    if kind.intersects(Kind::NULL) { UNSURE } else { Kind::BOOL }
}

/// What is no list and no record.
const SINGLE: Kind = Kind::ANY.without(Kind::LIST).without(Kind::RECORD).without(Kind::NULL);

const COMPARABLE: Kind = Kind::ANY.without(Kind::LIST).without(Kind::RECORD);

/// Returns an expression, or its negation.
fn negated_if(is_negated: bool, expr: Expr) -> Expr {
    if is_negated { Expr::Not(Box::new(expr)) } else { expr }
}

/// An operator as messages show it.
fn tick(op: BinaryOp) -> String {
    format!("`{}`", op.as_str())
}

fn literal(value: Value, span: Span) -> Typed {
    Typed { kind: value.kind(), expr: Expr::Literal(value), span }
}

/// The result for a refused expression: it fits everywhere, so that one mistake is reported once.
fn refused(span: Span) -> Typed {
    Typed { expr: Expr::Literal(Value::Null), kind: Kind::NEVER, span }
}

fn non_null(kind: Kind) -> Kind {
    kind.without(Kind::NULL)
}

/// True if values of these types ever compare.
fn compare(a: Kind, b: Kind) -> bool {
    let (a, b) = (non_null(a), non_null(b));
    a.intersects(b) || a.intersects(Kind::NUMBER) && b.intersects(Kind::NUMBER)
}

/// An operator between two operands.
struct Compared<'a> {
    op: BinaryOp,
    case: TextCase,
    left: &'a Spanned<ast::Expr>,
    right: &'a Spanned<ast::Expr>,
    span: Span,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Reports an error, and what to write instead. Returns the result for a refused expression.
    fn refuse(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Typed {
        self.error(code, span, message, help);
        refused(span)
    }

    /// A condition: a bool, constants computed.
    pub(in crate::hir::lower) fn condition(
        &mut self,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let typed = self.expr(expr, context);
        self.expect_bool(&typed, "a condition");
        typed
    }

    fn expect_bool(&mut self, typed: &Typed, what: &str) {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(Kind::BOOL) {
            return;
        }
        let message = format!("{what} must be true or false, but this has type {kind}");
        let diagnostic = Diagnostic::error(Code::NotABool, typed.span, message);
        let help = match kind {
            Kind::STRING => "compare it: `== \"...\"`",
            Kind::INT | Kind::FLOAT | Kind::NUMBER => "compare it: `!= 0`",
            _ => "compare it, or write `is not null`",
        };
        self.report(diagnostic.help(help));
    }

    pub(in crate::hir::lower) fn expr(
        &mut self,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let span = expr.span;
        if self.env.has_too_many_errors() {
            return refused(span);
        }
        if self.refuses_null(expr) {
            return refused(span);
        }
        let (result, kind) = match &expr.node {
            ast::Expr::Literal(value) => return literal(plain(value), span),
            ast::Expr::Path(path) => return self.path(path, context),
            ast::Expr::Param(name) => return self.param(name),
            ast::Expr::Call(name, args) => {
                return self.call(name, args, (TextCase::Exact, span), context);
            }
            ast::Expr::OfMatches(name, args) => {
                return self.of_matches(name, args, span, context);
            }
            ast::Expr::In { negated, value, set } => {
                return self.membership(*negated, (value, set), TextCase::Exact, span, context);
            }
            ast::Expr::NoCase(inner) => return self.without_case(inner, span, context),
            ast::Expr::Quantified(quantifier, _) => {
                let word = quantifier.as_str();
                let message = format!("`{word}` has no meaning here");
                let help = format!("write `{word}` before a comparison: `{word} args == \"-e\"`");
                return self.refuse(Code::NotAllowedHere, span, message, help);
            }
            ast::Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => {
                return self.junction(*op, expr, context);
            }
            ast::Expr::Binary(op, left, right) => {
                let case = TextCase::Exact;
                return self.binary(&Compared { op: *op, case, left, right, span }, context);
            }
            ast::Expr::List(items) => {
                let items: Vec<_> = items.iter().map(|i| self.expr(i, context).expr).collect();
                (Expr::List(items), Kind::LIST)
            }
            ast::Expr::Not(x) => {
                let x = self.expr(x, context);
                self.expect_bool(&x, "the operand of `not`");
                (Expr::Not(Box::new(x.expr)), truth_of(x.kind))
            }
            ast::Expr::Neg(x) => {
                let x = self.expr(x, context);
                let signed = Kind::NUMBER.or(Kind::DURATION);
                if !self.expect(&x, signed, "`-`") {
                    return refused(span);
                }
                (Expr::Neg(Box::new(x.expr)), x.kind.and(signed.or(Kind::NULL)))
            }
            ast::Expr::IsNull { negated, value } => {
                let (value, items) = self.subject(value, context);
                let asked = negated_if(*negated, Expr::IsNull(Box::new(value.expr)));
                let test = fold(Typed { expr: asked, kind: Kind::BOOL, span });
                return TestedItems::test(items, test);
            }
            ast::Expr::Is { negated, truth, value } => {
                let (value, items) = self.subject(value, context);
                self.expect_bool(&value, "the operand of `is`");
                let asked = Expr::IsTrue(Box::new(negated_if(!*truth, value.expr)));
                let asked = negated_if(*negated, asked);
                let test = fold(Typed { expr: asked, kind: Kind::BOOL, span });
                return TestedItems::test(items, test);
            }
            ast::Expr::Range(..) => {
                let message = "a range can only follow `in`";
                return self.refuse(Code::NotAllowedHere, span, message, "write `x in 1..5`");
            }
            ast::Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let condition = self.condition(condition, context);
                let then = self.expr(then, context);
                let otherwise = self.expr(otherwise, context);
                let kind = then.kind.or(otherwise.kind);
                (Expr::If(Box::new([condition.expr, then.expr, otherwise.expr])), kind)
            }
        };
        fold(Typed { expr: result, kind, span })
    }

    /// `a and b and c`: a long chain becomes a balanced tree, so that its depth stays small.
    fn junction(
        &mut self,
        op: BinaryOp,
        expr: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        let mut operands = Vec::new();
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match &next.node {
                ast::Expr::Binary(other, a, b) if *other == op => open.extend([&**b, &**a]),
                _ => operands.push(next),
            }
        }
        let absorbing = op == BinaryOp::Or;
        let mut parts = Vec::new();
        let mut absorbed = false;
        let mut failed = false;
        let mut nullable = false;
        for operand in operands {
            let typed = self.expr(operand, context);
            nullable |= typed.kind.intersects(Kind::NULL);
            self.expect_bool(&typed, &format!("an operand of `{}`", op.as_str()));
            failed |= typed.kind.is_never();
            match typed.expr {
                Expr::Literal(Value::Bool(value)) => absorbed |= value == absorbing,
                part => parts.push(part),
            }
        }
        let span = expr.span;
        if failed {
            return Typed { kind: Kind::NEVER, ..literal(Value::Null, span) };
        }
        if absorbed || parts.is_empty() {
            return literal(Value::Bool(absorbing == absorbed), span);
        }
        if parts.len() == 1 && nullable {
            // The other operands say nothing, but what is no bool is null all the same.
            parts.push(Expr::Literal(Value::Bool(!absorbing)));
        }
        let kind = if nullable { UNSURE } else { Kind::BOOL };
        Typed { expr: balanced(op, parts), kind, span }
    }

    fn binary(&mut self, of: &Compared<'a>, context: ExprContext) -> Typed {
        let (left, items) = self.subject(of.left, context);
        let (op, span) = (of.op, of.span);
        let plain = Compared { op: op.without_not().unwrap_or(op), ..*of };
        let mut test = self.comparison_of(left, &plain, context);
        if op != plain.op && !test.kind.is_never() {
            test = fold(Typed { expr: Expr::Not(Box::new(test.expr)), kind: test.kind, span });
        }
        TestedItems::test(items, test)
    }

    /// `a op b`, where `a` is checked already.
    fn comparison_of(&mut self, mut a: Typed, of: &Compared<'a>, context: ExprContext) -> Typed {
        let Compared { op, case, left, right, span } = *of;
        let is_pattern = matches!(op, BinaryOp::Like | BinaryOp::Matches);
        if is_pattern && non_null(a.kind) == Kind::LIST {
            self.expr(right, context);
            self.report_list_compared(&a, left, op.as_str());
            return refused(span);
        }
        let is_list = match &right.node {
            ast::Expr::List(_) => true,
            ast::Expr::Path(path) => {
                path.rest.is_empty() && self.is_list_name(&path.root.node, context)
            }
            _ => false,
        };
        if is_pattern && is_list {
            let is_text = a.kind.is_never() || self.expect(&a, Kind::STRING, &tick(op));
            let found = self.patterns(a, of, context);
            return if is_text { found } else { refused(span) };
        }
        let mut b = self.expr(right, context);
        if a.kind.is_never() || b.kind.is_never() {
            return refused(span);
        }
        let kind = match op {
            BinaryOp::Matches => return self.regex(a, &b, (case, span)),
            BinaryOp::Like => {
                let text = self.expect(&a, Kind::STRING, "`like`");
                if !(self.expect(&b, Kind::STRING, "`like`") && text) {
                    return refused(span);
                }
                // A parameter is there to be changed.
                if let ast::Expr::Literal(_) = right.node {
                    self.warn_of_no_wildcard(&b, case);
                }
                if let (Expr::Literal(Value::String(text)), TextCase::Exact) = (&b.expr, case) {
                    self.warn_of_case(&a, text, span);
                }
                truth_of(a.kind.or(b.kind))
            }
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => {
                if non_null(a.kind) == Kind::LIST && b.kind.is_subset_of(SINGLE) {
                    self.report_list_compared(&a, left, op.as_str());
                    return refused(span);
                }
                if !self.comparison(op, &mut a, &mut b, span) {
                    return refused(span);
                }
                if case == TextCase::Exact {
                    self.warn_of_bounds(op, (&a, &b), span, context);
                }
                truth_of(a.kind.or(b.kind))
            }
            _ => match self.arithmetic(op, (&a, &b), span) {
                Some(kind) => kind,
                None => return refused(span),
            },
        };
        if kind.is_subset_of(UNSURE) && !self.fold_sides(case, [&mut a, &mut b]) {
            return refused(span);
        }
        fold(Typed { expr: Expr::Binary(op, Box::new(a.expr), Box::new(b.expr)), kind, span })
    }

    /// The types of `a op b` for an operator of arithmetic; `None` where it was refused.
    fn arithmetic(&mut self, op: BinaryOp, (a, b): (&Typed, &Typed), span: Span) -> Option<Kind> {
        let kind = arithmetic(op, a.kind, b.kind);
        if kind.is_never() {
            let (left, right) = (non_null(a.kind), non_null(b.kind));
            if left.is_never() || right.is_never() {
                return Some(Kind::NULL);
            }
            let message = format!("`{}` can't be applied to {left} and {right}", op.as_str());
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            self.report(match (left, right) {
                (Kind::TIME, Kind::TIME) if op == BinaryOp::Add => {
                    diagnostic.help("you can subtract two times, or add a duration to a time")
                }
                (Kind::STRING, other) | (other, Kind::STRING) if op == BinaryOp::Add => {
                    diagnostic.help(format!("`+` joins two strings, and {other} is not a string"))
                }
                (Kind::TIME | Kind::DURATION, k) if k.is_subset_of(Kind::NUMBER) => {
                    diagnostic.help("add a unit to the duration: `10s`, `5m`")
                }
                _ => diagnostic,
            });
            return None;
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Rem) {
            self.warn_of_zero(b);
        }
        Some(kind)
    }

    /// Warns of a `like` whose constant text has no wildcard: it means `==`, which is seldom meant.
    fn warn_of_no_wildcard(&mut self, pattern: &Typed, case: TextCase) {
        let Expr::Literal(Value::String(text)) = &pattern.expr else { return };
        if text.contains(['*', '?']) {
            return;
        }
        let message = "this pattern has no wildcard, so `like` means `==`";
        let nocase = if case == TextCase::Ignored { " .. nocase" } else { "" };
        let sql = text.replace('%', "*");
        let help = if text.contains('%') {
            format!("`%` is not a wildcard; `*` matches any text and `?` one character: {sql:?}")
        } else {
            format!(
                "use `*` for any text and `?` for one character, as in \"*{text}*\", or write \
                 `=={nocase}`"
            )
        };
        self.warn(Code::NoWildcard, pattern.span, message, help);
    }

    /// Reports if something is divided by a constant zero.
    fn warn_of_zero(&mut self, divisor: &Typed) {
        let zero = match &divisor.expr {
            Expr::Literal(Value::Int(n) | Value::Duration(n)) => *n == 0,
            Expr::Literal(Value::Float(x)) => *x == 0.0,
            _ => false,
        };
        if zero {
            let message = "a division by zero is always null";
            let help = "divide by a value other than 0";
            self.warn(Code::DivisionByZero, divisor.span, message, help);
        }
    }

    /// Checks what `==` and its like compare; a text is read as what it is compared with.
    fn comparison(&mut self, op: BinaryOp, a: &mut Typed, b: &mut Typed, span: Span) -> bool {
        if !(self.coerce(a, b.kind) && self.coerce(b, a.kind)) {
            return false;
        }
        if non_null(a.kind).is_never() || non_null(b.kind).is_never() {
            let null = if non_null(a.kind).is_never() { &*a } else { &*b };
            self.warn_of_null(null, span);
            return true;
        }
        let (left, right) = (non_null(a.kind), non_null(b.kind));
        let ordered = !matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        if ordered {
            for typed in [&*a, &*b] {
                if !non_null(typed.kind).intersects(COMPARABLE) {
                    let message = format!("{} has no order", non_null(typed.kind));
                    let help = "compare it only with `==` and `!=`";
                    self.error(Code::TypeMismatch, typed.span, message, help);
                    return false;
                }
            }
        }
        if !compare(left, right) {
            let message = format!("{left} can't be compared with {right}");
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            self.report(match (left, right) {
                (Kind::DURATION, Kind::TIME) | (Kind::TIME, Kind::DURATION) => {
                    diagnostic.help("subtract the two times: `at - order.at > 5m`")
                }
                (Kind::DURATION, other) | (other, Kind::DURATION)
                    if other.intersects(Kind::NUMBER) =>
                {
                    diagnostic.help("add a unit to the duration: `10s`, `5m`")
                }
                (Kind::STRING, other) if other.intersects(Kind::NUMBER) => {
                    diagnostic.help("put strings in quotes: \"5\"")
                }
                (Kind::LIST, _) | (_, Kind::LIST) => {
                    diagnostic.help("to search a list, write `x in list`")
                }
                _ => diagnostic,
            });
            return false;
        }
        true
    }

    /// Reads a constant text as the address or time that is asked for.
    pub(in crate::hir::lower) fn coerce(&mut self, typed: &mut Typed, wanted: Kind) -> bool {
        let wanted = non_null(wanted);
        let Expr::Literal(value @ Value::String(_)) = &typed.expr else { return true };
        if wanted != Kind::IP && wanted != Kind::TIME {
            return true;
        }
        match convert(value.clone(), wanted) {
            Ok(value) => {
                *typed = literal(value, typed.span);
                true
            }
            Err(value) => {
                self.report(mismatch(&value, wanted, typed.span));
                false
            }
        }
    }

    /// Reports if `typed` can't have a type of `wanted`.
    pub(in crate::hir::lower) fn expect(
        &mut self,
        typed: &Typed,
        wanted: Kind,
        what: &str,
    ) -> bool {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(wanted) {
            return true;
        }
        let wanted = non_null(wanted);
        let message = format!("{what} takes {wanted}, but this has type {kind}");
        self.report(Diagnostic::error(Code::TypeMismatch, typed.span, message));
        false
    }

    fn param(&mut self, name: &'a Name) -> Typed {
        let span = name.span;
        let example = format!("param {}: int = 10", name.node);
        if let Some(param) = self.find_param(name, &example) {
            return Typed { kind: param.kind, expr: Expr::Literal(param.value), span };
        }
        refused(span)
    }
}

/// The types that `a op b` can have; none where the types don't go together.
fn arithmetic(op: BinaryOp, a: Kind, b: Kind) -> Kind {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    let mut result = Kind::NEVER;
    let (int, float, time, span) = (Kind::INT, Kind::FLOAT, Kind::TIME, Kind::DURATION);
    // When the row counts, the kinds of both sides, and the kind of the result.
    let rows = [
        (op != Div, int, int, int),
        (op == Div, int, int, float),
        (true, float, Kind::NUMBER, float),
        (true, Kind::NUMBER, float, float),
        (op == Add, Kind::STRING, Kind::STRING, Kind::STRING),
        (op == Sub, time, time, span),
        (matches!(op, Add | Sub), time, span, time),
        (op == Add, span, time, time),
        (matches!(op, Add | Sub | Rem), span, span, span),
        (op == Div, span, span, float),
        (matches!(op, Mul | Div), span, Kind::NUMBER, span),
        (op == Mul, Kind::NUMBER, span, span),
    ];
    for (on, left, right, gives) in rows {
        if on && a.intersects(left) && b.intersects(right) {
            result = result.or(gives);
        }
    }
    if (a.or(b)).intersects(Kind::NULL) && !result.is_never() {
        result = result.or(Kind::NULL);
    }
    result
}

/// A tree of `op` over `parts` whose depth is the logarithm of their number.
fn balanced(op: BinaryOp, mut parts: Vec<Expr>) -> Expr {
    if parts.len() < 2 {
        return parts.pop().unwrap_or(Expr::Literal(Value::Null));
    }
    let right = parts.split_off(parts.len().div_ceil(2));
    Expr::Binary(op, Box::new(balanced(op, parts)), Box::new(balanced(op, right)))
}

/// Computes what consists of constants.
fn fold(typed: Typed) -> Typed {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(_));
    let constant_parts = match &typed.expr {
        Expr::Call(Callee::Host(_), _) => false,
        Expr::Not(_)
        | Expr::Neg(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::Fold(_)
        | Expr::Fits(..)
        | Expr::Regex(..)
        | Expr::Binary(..)
        | Expr::If(_)
        | Expr::Call(..)
        | Expr::List(_)
        | Expr::In(..) => typed.expr.parts().into_iter().all(is_literal),
        _ => false,
    };
    if !constant_parts || typed.kind.is_never() {
        return typed;
    }
    literal(constant(&typed.expr), typed.span)
}
