//! Expressions: names to fields and captured events, types checked, constants computed.

use std::sync::Arc;

use super::literal::{add_to_set, convert, misfit, plain};
use super::names::{self, listed};
use super::rule::Cx;
use super::{canon, unknown};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::hir::eval::constant;
use crate::hir::expr::{
    Aggregate, AggregateOp, BinaryOp, Captured, FieldRef, MatchFact, Pick, Regex, Set, ValueSet,
};
use crate::hir::functions::{self, Function, net::parse_network, time::parse_zone};
use crate::hir::{Expr, StageId};
use crate::schema::TypeId;
use crate::syntax::ast::{self, Name, Path, PathPart, Spanned};
use crate::value::{Kind, Value};

/// Levels of an expression, and steps of a chain of operators.
const MAX_DEPTH: usize = 200;

/// The most bytes that a compiled regular expression may take.
const MAX_REGEX: usize = 1 << 20;

/// A checked expression with the types that it can have.
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// Where an expression stands, which says what its names mean.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The type of the event that is looked at, if there is one.
    pub(super) candidate: Option<TypeId>,
    pub(super) what: What,
    pub(super) bound: Option<Bound>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum What {
    /// The condition of the step with this index.
    Step(usize),
    /// The condition that ends the loop which ends with this step.
    Until(usize),
    Emit,
    Timeout,
    /// Where no event is at hand.
    Constant,
}

/// Inside of an aggregate, one step's name means one event.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    /// Each of the step's events in turn, as the candidate.
    Each(usize),
    /// The step's first or last event.
    Pick(usize, Pick),
}

const AGGREGATES: [(&str, AggregateOp); 10] = [
    ("count", AggregateOp::Count),
    ("sum", AggregateOp::Sum),
    ("avg", AggregateOp::Avg),
    ("min", AggregateOp::Min),
    ("max", AggregateOp::Max),
    ("first", AggregateOp::First),
    ("last", AggregateOp::Last),
    ("distinct", AggregateOp::Distinct),
    ("collect", AggregateOp::Collect),
    ("stddev", AggregateOp::Stddev),
];

const FACTS: [(&str, MatchFact, Kind); 5] = [
    ("start", MatchFact::Start, Kind::TIME),
    ("end", MatchFact::End, Kind::TIME),
    ("step", MatchFact::Step, Kind::STRING),
    ("awaits", MatchFact::Awaits, Kind::ANY),
    ("id", MatchFact::Id, Kind::ANY),
];

const COMPARABLE: Kind = Kind::ANY.without(Kind::LIST).without(Kind::RECORD);

/// Which step a name means.
enum Found {
    Nothing,
    One(usize),
    Several(usize, usize),
}

fn literal(value: Value, span: Span) -> Typed {
    Typed { kind: value.kind(), expr: Expr::Literal(value), span }
}

/// What was refused: it goes with everything, so that one mistake is told once.
fn refused(span: Span) -> Typed {
    Typed { expr: Expr::Literal(Value::Null), kind: Kind::NEVER, span }
}

fn non_null(kind: Kind) -> Kind {
    kind.without(Kind::NULL)
}

/// Whether values of these types ever compare.
fn compare(a: Kind, b: Kind) -> bool {
    let (a, b) = (non_null(a), non_null(b));
    a.intersects(b) || a.intersects(Kind::NUMBER) && b.intersects(Kind::NUMBER)
}

/// The types that `a op b` can have; none where the types don't go together.
fn arithmetic(op: BinaryOp, a: Kind, b: Kind) -> Kind {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    let mut result = Kind::NEVER;
    let mut rule = |on: bool, left: Kind, right: Kind, gives: Kind| {
        if on && a.intersects(left) && b.intersects(right) {
            result = result.or(gives);
        }
    };
    let (int, float, time, span) = (Kind::INT, Kind::FLOAT, Kind::TIME, Kind::DURATION);
    rule(op != Div, int, int, int);
    rule(op == Div, int, int, float);
    rule(true, float, Kind::NUMBER, float);
    rule(true, Kind::NUMBER, float, float);
    rule(op == Add, Kind::STRING, Kind::STRING, Kind::STRING);
    rule(op == Sub, time, time, span);
    rule(matches!(op, Add | Sub), time, span, time);
    rule(op == Add, span, time, time);
    rule(matches!(op, Add | Sub | Rem), span, span, span);
    rule(op == Div, span, span, float);
    rule(matches!(op, Mul | Div), span, Kind::NUMBER, span);
    rule(op == Mul, Kind::NUMBER, span, span);
    if (a.or(b)).intersects(Kind::NULL) && !result.is_never() {
        result = result.or(Kind::NULL);
    }
    result
}

impl<'a> Cx<'_, 'a> {
    /// A condition: a bool, constants computed.
    pub(super) fn condition(&mut self, expr: &'a Spanned<ast::Expr>, place: Place) -> Typed {
        let typed = self.expr(expr, place);
        self.expect_bool(&typed, "a condition");
        typed
    }

    fn expect_bool(&mut self, typed: &Typed, what: &str) {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(Kind::BOOL) {
            return;
        }
        let message = format!("{what} has to be true or false, this is {kind}");
        let diagnostic = Diagnostic::error(Code::NotABool, typed.span, message);
        let help = match kind {
            Kind::STRING => "compare it: `== \"...\"`",
            Kind::INT | Kind::FLOAT | Kind::NUMBER => "compare it: `!= 0`",
            _ => "compare it, or ask `is not null`",
        };
        self.report(diagnostic.help(help));
    }

    pub(super) fn expr(&mut self, expr: &'a Spanned<ast::Expr>, place: Place) -> Typed {
        self.depth += 1;
        let typed = if self.depth > MAX_DEPTH {
            let message = format!("this expression is longer than {MAX_DEPTH} levels");
            self.report(
                Diagnostic::error(Code::LimitExceeded, expr.span, message)
                    .help("write it in parts, or as a list: `x in [...]`"),
            );
            refused(expr.span)
        } else {
            self.expr_inner(expr, place)
        };
        self.depth -= 1;
        typed
    }

    fn expr_inner(&mut self, expr: &'a Spanned<ast::Expr>, place: Place) -> Typed {
        let span = expr.span;
        let (result, kind) = match &expr.node {
            ast::Expr::Literal(value) => return literal(plain(value), span),
            ast::Expr::Path(path) => return self.path(path, place),
            ast::Expr::Param(name) => return self.param(name),
            ast::Expr::Call(name, args) => return self.call(name, args, span, place),
            ast::Expr::In { negated, value, set } => {
                let found = self.membership(value, set, place, span);
                (if *negated { Expr::Not(Box::new(found)) } else { found }, Kind::BOOL)
            }
            ast::Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => {
                return self.junction(*op, expr, place);
            }
            ast::Expr::Binary(op, a, b) => return self.binary(*op, a, b, span, place),
            ast::Expr::List(items) => {
                let items: Vec<_> = items.iter().map(|i| self.expr(i, place).expr).collect();
                (Expr::List(items), Kind::LIST)
            }
            ast::Expr::Not(x) => {
                let x = self.expr(x, place);
                self.expect_bool(&x, "what `not` negates");
                (Expr::Not(Box::new(x.expr)), Kind::BOOL)
            }
            ast::Expr::Neg(x) => {
                let x = self.expr(x, place);
                let signed = Kind::NUMBER.or(Kind::DURATION);
                if !self.expect(&x, signed, "`-`") {
                    return refused(span);
                }
                (Expr::Neg(Box::new(x.expr)), x.kind.and(signed.or(Kind::NULL)))
            }
            ast::Expr::IsNull { negated, value } => {
                let asked = Expr::IsNull(Box::new(self.expr(value, place).expr));
                (if *negated { Expr::Not(Box::new(asked)) } else { asked }, Kind::BOOL)
            }
            ast::Expr::Range(..) => {
                let message = "a range stands behind `in` only";
                self.report(
                    Diagnostic::error(Code::NotAllowedHere, span, message)
                        .help("write `x in 1..5`"),
                );
                return refused(span);
            }
            ast::Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let condition = self.condition(condition, place);
                let then = self.expr(then, place);
                let otherwise = self.expr(otherwise, place);
                let kind = then.kind.or(otherwise.kind);
                (Expr::If(Box::new([condition.expr, then.expr, otherwise.expr])), kind)
            }
        };
        fold(Typed { expr: result, kind, span })
    }

    /// `a and b and c`: a long chain becomes a balanced tree, so that its depth stays small.
    fn junction(&mut self, op: BinaryOp, expr: &'a Spanned<ast::Expr>, place: Place) -> Typed {
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
        for operand in operands {
            let typed = self.expr(operand, place);
            self.expect_bool(&typed, &format!("what stands beside `{}`", op.as_str()));
            failed |= typed.kind.is_never();
            match typed.expr {
                Expr::Literal(value) => {
                    absorbed |= matches!(value, Value::Bool(true)) == absorbing;
                }
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
        Typed { expr: balanced(op, parts), kind: Kind::BOOL, span }
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &'a Spanned<ast::Expr>,
        right: &'a Spanned<ast::Expr>,
        span: Span,
        place: Place,
    ) -> Typed {
        let mut a = self.expr(left, place);
        let mut b = self.expr(right, place);
        if a.kind.is_never() || b.kind.is_never() {
            return refused(span);
        }
        if op == BinaryOp::Matches {
            return self.regex(a, &b, span);
        }
        let kind = match op {
            BinaryOp::Like => {
                let text = self.expect(&a, Kind::STRING, "`like`");
                if !(self.expect(&b, Kind::STRING, "`like`") && text) {
                    return refused(span);
                }
                Kind::BOOL
            }
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => {
                if !self.comparison(op, &mut a, &mut b, span) {
                    return refused(span);
                }
                Kind::BOOL
            }
            _ => {
                let kind = arithmetic(op, a.kind, b.kind);
                if kind.is_never() {
                    let (left, right) = (non_null(a.kind), non_null(b.kind));
                    if left.is_never() || right.is_never() {
                        return literal(Value::Null, span);
                    }
                    let message = format!("`{}` does not go with {left} and {right}", op.as_str());
                    let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
                    self.report(match (left, right) {
                        (Kind::TIME, Kind::TIME) if op == BinaryOp::Add => {
                            diagnostic.help("two moments subtract; a duration can be added")
                        }
                        (Kind::TIME | Kind::DURATION, k) if k.is_subset_of(Kind::NUMBER) => {
                            diagnostic.help("a duration has a unit: `10s`, `5m`")
                        }
                        _ => diagnostic,
                    });
                    return refused(span);
                }
                kind
            }
        };
        fold(Typed { expr: Expr::Binary(op, Box::new(a.expr), Box::new(b.expr)), kind, span })
    }

    /// Checks what `==` and its like compare; a text is read as what it is compared with.
    fn comparison(&mut self, op: BinaryOp, a: &mut Typed, b: &mut Typed, span: Span) -> bool {
        if !(self.coerce(a, b.kind) && self.coerce(b, a.kind)) {
            return false;
        }
        if non_null(a.kind).is_never() || non_null(b.kind).is_never() {
            let message = "a comparison with null is always false";
            let asked = if op == BinaryOp::Ne { "is not null" } else { "is null" };
            self.report(
                Diagnostic::warning(Code::AlwaysFalse, span, message)
                    .help(format!("write `{asked}`")),
            );
            return true;
        }
        let (left, right) = (non_null(a.kind), non_null(b.kind));
        let ordered = !matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        if ordered {
            for typed in [&*a, &*b] {
                if !non_null(typed.kind).intersects(COMPARABLE) {
                    let message = format!("{} has no order", non_null(typed.kind));
                    let diagnostic = Diagnostic::error(Code::TypeMismatch, typed.span, message);
                    self.report(diagnostic.help("only `==` and `!=` compare it"));
                    return false;
                }
            }
        }
        if !compare(left, right) {
            let message = format!("{left} does not compare with {right}");
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            self.report(match (left, right) {
                (Kind::DURATION, other) | (other, Kind::DURATION)
                    if other.intersects(Kind::NUMBER) =>
                {
                    diagnostic.help("a duration has a unit: `10s`, `5m`")
                }
                (Kind::STRING, other) if other.intersects(Kind::NUMBER) => {
                    diagnostic.help("a text stands in quotes: \"5\"")
                }
                (Kind::LIST, _) | (_, Kind::LIST) => {
                    diagnostic.help("to look into a list write `x in list`")
                }
                _ => diagnostic,
            });
            return false;
        }
        true
    }

    /// Reads a constant text as the address or time that is asked for.
    fn coerce(&mut self, typed: &mut Typed, wanted: Kind) -> bool {
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
                self.report(misfit(&value, wanted, typed.span));
                false
            }
        }
    }

    /// Tells if `typed` can't have a type of `wanted`.
    fn expect(&mut self, typed: &Typed, wanted: Kind, what: &str) -> bool {
        let kind = non_null(typed.kind);
        if kind.is_never() || kind.intersects(wanted) {
            return true;
        }
        let wanted = non_null(wanted);
        let message = format!("{what} takes {wanted}, this is {kind}");
        self.report(Diagnostic::error(Code::TypeMismatch, typed.span, message));
        false
    }

    fn regex(&mut self, text: Typed, pattern: &Typed, span: Span) -> Typed {
        if !self.expect(&text, Kind::STRING, "`~`") {
            return refused(span);
        }
        let Expr::Literal(Value::String(source)) = &pattern.expr else {
            let message = "a regular expression is a text in quotes or a parameter";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, pattern.span, message)
                    .help("to look for a computed text use `contains` or `like`"),
            );
            return refused(span);
        };
        match regex::RegexBuilder::new(source).size_limit(MAX_REGEX).build() {
            Ok(regex) => {
                let expr = Expr::Regex(Box::new(text.expr), Arc::new(Regex(regex)));
                fold(Typed { expr, kind: Kind::BOOL, span })
            }
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default();
                let reason = reason.trim_start_matches("error: ").to_owned();
                let message = "this regular expression does not compile";
                self.report(
                    Diagnostic::error(Code::BadRegex, pattern.span, message).label(reason).help(
                        "the syntax is that of the Rust crate `regex`: no look-around, no \
                         back-references; a backslash in quotes is written `\\\\`",
                    ),
                );
                refused(span)
            }
        }
    }

    fn param(&mut self, name: &'a Name) -> Typed {
        let span = name.span;
        if let Some(param) = self.find_param(name) {
            return Typed { kind: param.kind, expr: Expr::Literal(param.value), span };
        }
        refused(span)
    }

    // ---- sets ----

    fn membership(
        &mut self,
        value: &'a Spanned<ast::Expr>,
        set: &'a Spanned<ast::Expr>,
        place: Place,
        span: Span,
    ) -> Expr {
        let value = self.expr(value, place);
        let Some(set) = self.set(&value, set, place) else {
            return Expr::Literal(Value::Null);
        };
        if let Set::Values(values) = &set
            && values.values.is_empty()
            && values.networks.is_empty()
        {
            let message = "this list is empty: nothing is in it";
            self.report(Diagnostic::warning(Code::AlwaysFalse, span, message));
        }
        fold(Typed { expr: Expr::In(Box::new(value.expr), Box::new(set)), kind: Kind::BOOL, span })
            .expr
    }

    /// `None` where something was refused.
    fn set(&mut self, value: &Typed, set: &'a Spanned<ast::Expr>, place: Place) -> Option<Set> {
        let failed = value.kind.is_never();
        match &set.node {
            ast::Expr::Range(low, high) => {
                let mut low = self.expr(low, place);
                let mut high = self.expr(high, place);
                for end in [&mut low, &mut high] {
                    if end.kind.is_never() || failed {
                        return None;
                    }
                    if !self.coerce(end, value.kind) {
                        return None;
                    }
                    if !compare(value.kind, end.kind) && !non_null(value.kind).is_never() {
                        let message = format!(
                            "{} does not compare with {}",
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
                    self.report(
                        Diagnostic::warning(Code::AlwaysFalse, set.span, message)
                            .help("the lesser end comes first"),
                    );
                }
                Some(Set::Range(low.expr, high.expr))
            }
            ast::Expr::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.expr(item, place)).collect();
                if failed || items.iter().any(|item| item.kind.is_never()) {
                    return None;
                }
                let constant = items.iter().all(|item| matches!(item.expr, Expr::Literal(_)));
                if !constant {
                    for item in &items {
                        self.expect_element(value, item.kind, item.span);
                    }
                    return Some(Set::Expr(Expr::List(
                        items.into_iter().map(|item| item.expr).collect(),
                    )));
                }
                let mut values = ValueSet::default();
                for item in items {
                    if let Expr::Literal(constant) = item.expr {
                        self.add_element(&mut values, value, constant, item.span);
                    }
                }
                Some(Set::Values(Arc::new(values)))
            }
            ast::Expr::Path(path)
                if path.rest.is_empty() && self.is_list_name(&path.root.node, place) =>
            {
                let list = &self.env.lists[path.root.node.as_str()];
                let (set, kind) = (Arc::clone(&list.set), list.kind);
                if failed || !self.expect_element(value, kind, path.span) {
                    return None;
                }
                Some(Set::Values(set))
            }
            ast::Expr::Call(name, args) if name.node == "cidr" && args.len() == 1 => {
                let network = self.expr(&args[0], place);
                self.network(value, &network)
            }
            _ => {
                if let ast::Expr::Path(path) = &set.node
                    && path.rest.is_empty()
                    && self.means_nothing(&path.root.node, place)
                {
                    let near = nearest(&path.root.node, self.env.lists.keys().copied());
                    let mut diagnostic = unknown(Code::UnknownList, "list", &path.root, near);
                    if near.is_none() {
                        diagnostic = diagnostic
                            .help(format!("declare it: `list {}: string = [...]`", path.root.node));
                    }
                    self.report(diagnostic);
                    return None;
                }
                let list = self.expr(set, place);
                if failed || list.kind.is_never() {
                    return None;
                }
                if matches!(list.expr, Expr::Literal(Value::String(_))) {
                    return self.network(value, &list);
                }
                if !non_null(list.kind).intersects(Kind::LIST) {
                    let message = format!("`in` looks into a list, this is {}", list.kind);
                    let help = "a list is `[1, 2]`, a range `1..5`, a network \"10.0.0.0/8\"";
                    self.report(
                        Diagnostic::error(Code::TypeMismatch, list.span, message).help(help),
                    );
                    return None;
                }
                Some(Set::Expr(list.expr))
            }
        }
    }

    fn expect_element(&mut self, value: &Typed, kind: Kind, span: Span) -> bool {
        let wanted = non_null(value.kind);
        if wanted.is_never() || compare(wanted, kind) {
            return true;
        }
        let message = format!("{wanted} is never equal to {}", non_null(kind));
        self.report(
            Diagnostic::error(Code::TypeMismatch, span, message)
                .context(value.span, format!("this is {wanted}")),
        );
        false
    }

    fn add_element(&mut self, set: &mut ValueSet, value: &Typed, constant: Value, span: Span) {
        let wanted = non_null(value.kind);
        if wanted == Kind::IP || wanted == Kind::TIME {
            if let Err(constant) = add_to_set(set, constant, wanted) {
                self.report(misfit(&constant, wanted, span));
            }
        } else if constant.is_null() {
            let message = "null is equal to nothing, not even to null";
            self.report(
                Diagnostic::warning(Code::AlwaysFalse, span, message)
                    .help("ask with `is null` beside the list"),
            );
        } else if self.expect_element(value, constant.kind(), span) {
            set.insert(&constant);
        }
    }

    fn network(&mut self, value: &Typed, network: &Typed) -> Option<Set> {
        if network.kind.is_never() || value.kind.is_never() {
            return None;
        }
        if !self.expect(value, Kind::IP, "a network") {
            return None;
        }
        let Expr::Literal(constant) = &network.expr else {
            let message = "a network is a text in quotes or a parameter";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, network.span, message)
                    .help("use `cidr(address, network)` for a computed one"),
            );
            return None;
        };
        let mut set = ValueSet::default();
        if let Err(constant) = add_to_set(&mut set, constant.clone(), Kind::IP) {
            let message = format!("{constant} is no network");
            self.report(
                Diagnostic::error(Code::BadLiteral, network.span, message)
                    .help("a network is written as \"10.0.0.0/8\" or \"fe80::/10\""),
            );
            return None;
        }
        Some(Set::Values(Arc::new(set)))
    }

    /// Whether a bare name behind `in` is a declared list: a field of that name comes first.
    fn is_list_name(&self, name: &str, place: Place) -> bool {
        let is_field =
            place.candidate.is_some_and(|ty| self.env.schema.ty(ty).field_id(name).is_some());
        self.env.lists.contains_key(name) && !is_field
    }

    /// Whether a bare name is neither a field nor a part of the key.
    fn means_nothing(&self, name: &str, place: Place) -> bool {
        let is_field =
            place.candidate.is_some_and(|ty| names::field(&self.env.schema, ty, name).is_some());
        !is_field && !self.key.iter().any(|(key, _)| **key == *name)
    }

    // ---- paths ----

    fn path(&mut self, path: &Path, place: Place) -> Typed {
        let root = path.root.node.as_str();
        let span = path.span;
        if root == "prev" && !path.rest.is_empty() {
            return self.prev(path, place);
        }
        if root == "match" && !path.rest.is_empty() {
            return self.fact(path, place);
        }
        if let Some(bound) = place.bound {
            return self.bound_path(path, bound, place);
        }
        let dotted = dotted_field(path);
        let field = match (&dotted, place.candidate) {
            (Some((dotted, _)), Some(ty)) => names::field(&self.env.schema, ty, dotted),
            _ => None,
        };
        if path.rest.is_empty() {
            return match (field, place.candidate) {
                (Some((field, kind)), _) => Typed { expr: Expr::Field(field), kind, span },
                (None, Some(ty)) => self.no_such_field(ty, path),
                (None, None) => self.bare_in_emit(path, place),
            };
        }
        let step = match self.find_step(root) {
            Found::Nothing => None,
            Found::One(step) => Some(step),
            Found::Several(first, second) => {
                self.ambiguous(root, span, first, second);
                return refused(span);
            }
        };
        // `order[order.total > 5]` is about the nested field; a dynamic field gives way to a step.
        let own = matches!((step, place.what), (Some(step), What::Step(own)) if step == own);
        match (field, step) {
            (Some((FieldRef::Declared(_), _)), Some(_)) if !own => {
                let message = format!("`{root}` is a step and a field of this event");
                self.report(
                    Diagnostic::error(Code::AmbiguousAlias, span, message)
                        .help("give the step another name with `as`"),
                );
                refused(span)
            }
            (Some((field @ FieldRef::Declared(_), kind)), _) | (Some((field, kind)), None) => {
                let index = dotted.and_then(|(_, index)| index);
                element(Typed { expr: Expr::Field(field), kind, span }, index)
            }
            (_, Some(step)) => self.captured(path, step, place),
            (None, None) => self.unknown_path(path, place),
        }
    }

    fn no_such_field(&mut self, ty: TypeId, path: &Path) -> Typed {
        let root = &path.root.node;
        let mut diagnostic = names::unknown_field(&self.env.schema, ty, root, path.span);
        if let Found::One(step) = self.find_step(root) {
            let message = format!("`{root}` is a step, not a field of this event");
            let own = self.env.schema.ty(ty).fields.first();
            let field = self.steps[step]
                .ty
                .and_then(|ty| self.env.schema.ty(ty).fields.first())
                .or(own)
                .map_or("field", |field| &field.name);
            diagnostic = Diagnostic::error(Code::UnknownField, path.span, message)
                .help(format!("say which of its fields: `{root}.{field}`"));
        } else if self.params.contains_key(root.as_str())
            || self.env.params.contains_key(root.as_str())
        {
            diagnostic = diagnostic.help(format!("the parameter is written `${root}`"));
        } else if self.env.lists.contains_key(root.as_str()) {
            diagnostic = diagnostic.help(format!("a list goes with `in`: `x in {root}`"));
        }
        self.report(diagnostic);
        refused(path.span)
    }

    /// In an emit a bare name is a part of the key.
    pub(super) fn bare_in_emit(&mut self, path: &Path, place: Place) -> Typed {
        let root = path.root.node.as_str();
        let span = path.span;
        if place.what == What::Constant {
            let message = "only constants can stand here";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message)
                    .help(format!("a text stands in quotes: \"{root}\"")),
            );
            return refused(span);
        }
        if let Some(index) = self.key.iter().position(|(key, _)| **key == *root) {
            return Typed { expr: Expr::Key(index), kind: self.key[index].1, span };
        }
        if let Found::One(step) = self.find_step(root) {
            let message = format!("`{root}` is a step: a whole event can't be emitted");
            let help = self.fields_of(step).map_or_else(
                || format!("count its repetitions: `count({root})`"),
                |fields| format!("say which of its fields: {fields}"),
            );
            self.report(Diagnostic::error(Code::NotAllowedHere, span, message).help(help));
            return refused(span);
        }
        let owners: Vec<_> = self
            .steps
            .iter()
            .filter(|step| !step.negated && self.has_field(step.ty, root))
            .map(|step| format!("{}.{root}", step.name))
            .collect();
        let message = format!("`{root}` is no part of the key");
        let diagnostic = Diagnostic::error(Code::UnknownField, span, message);
        self.report(if let Some(near) = nearest(root, self.key.iter().map(|(key, _)| &**key)) {
            diagnostic.help(format!("did you mean `{near}`?"))
        } else if owners.is_empty() {
            diagnostic.help("here a bare name is a part of the key; a field is `step.field`")
        } else {
            diagnostic.help(format!(
                "say whose field it is: {}",
                listed(owners.iter().map(String::as_str))
            ))
        });
        refused(span)
    }

    fn has_field(&self, ty: Option<TypeId>, field: &str) -> bool {
        ty.is_some_and(|ty| self.env.schema.ty(ty).field_id(field).is_some())
    }

    fn fields_of(&self, step: usize) -> Option<String> {
        let step = &self.steps[step];
        let ty = step.ty?;
        let names: Vec<_> = self
            .env
            .schema
            .ty(ty)
            .fields
            .iter()
            .map(|field| format!("{}.{}", step.name, field.name))
            .collect();
        (!names.is_empty()).then(|| listed(names.iter().map(String::as_str)))
    }

    fn unknown_path(&mut self, path: &Path, place: Place) -> Typed {
        let root = &path.root.node;
        let negated = self.steps.iter().find(|step| step.negated && *step.name == **root);
        if let Some(step) = negated {
            let message = format!("`{root}` must not come, so there is no event of it");
            let diagnostic = Diagnostic::error(Code::UnknownAlias, path.root.span, message);
            let diagnostic = if step.site.source == self.source {
                diagnostic.context(step.site.span, "negated here")
            } else {
                diagnostic
            };
            self.report(diagnostic);
            return refused(path.span);
        }
        // A nested field of the candidate, misspelled, rather than a step.
        if let (Some((dotted, _)), Some(ty)) = (dotted_field(path), place.candidate) {
            let prefix = format!("{root}.");
            let event = self.env.schema.ty(ty);
            if event.fields.iter().any(|field| field.name.starts_with(&prefix)) {
                let diagnostic = names::unknown_field(&self.env.schema, ty, &dotted, path.span);
                self.report(diagnostic);
                return refused(path.span);
            }
        }
        let steps = self.steps.iter().filter(|step| !step.negated).map(|step| &*step.name);
        let near = nearest(root, steps.chain(["prev", "match"]));
        let mut diagnostic = unknown(Code::UnknownAlias, "step", &path.root, near);
        if near.is_none() {
            let steps = self.steps.iter().filter(|step| !step.negated).map(|step| &*step.name);
            let steps = listed(steps);
            if !steps.is_empty() {
                diagnostic = diagnostic.help(format!("the steps are {steps}"));
            }
        }
        self.report(diagnostic);
        refused(path.span)
    }

    fn find_step(&self, name: &str) -> Found {
        let named = |explicit: bool| {
            let steps = self.steps.iter().enumerate();
            steps.filter(move |(_, step)| {
                !step.negated && *step.name == *name && (step.explicit || !explicit)
            })
        };
        // A name that someone chose goes before one that a type gave.
        let explicit = named(true).next().is_some();
        let mut found = named(explicit).map(|(index, _)| index);
        match (found.next(), found.next()) {
            (None, _) => Found::Nothing,
            (Some(step), None) => Found::One(step),
            (Some(first), Some(second)) => Found::Several(first, second),
        }
    }

    fn ambiguous(&mut self, name: &str, span: Span, first: usize, second: usize) {
        let message = format!("two steps are called `{name}`");
        let mut diagnostic = Diagnostic::error(Code::AmbiguousAlias, span, message)
            .help(format!("give each a name of its own: `{name} as first_{name}`"));
        for (step, text) in [(first, "this one"), (second, "or this one?")] {
            let site = self.steps[step].site;
            if site.source == self.source {
                diagnostic = diagnostic.context(site.span, text);
            }
        }
        self.report(diagnostic);
    }

    /// Whether an expression at `place` can see what step `index` captured.
    fn sees(&self, place: Place, index: usize) -> bool {
        let step = &self.steps[index];
        match place.what {
            What::Emit | What::Timeout => true,
            What::Constant => false,
            What::Until(last) => index <= last,
            What::Step(own) => {
                index < own
                    || index == own && step.many
                    || self.steps[own].loops.iter().any(|one| step.loops.contains(one))
            }
        }
    }

    /// Tells if an expression at `place` can't see step `index` yet.
    fn expect_visible(&mut self, place: Place, index: usize, span: Span) -> bool {
        if self.sees(place, index) {
            return true;
        }
        let name = self.steps[index].name.clone();
        let own = place.what == What::Step(index);
        let message = if own {
            format!("`{name}` is not captured yet when its own condition is tested")
        } else {
            format!("`{name}` comes later")
        };
        let diagnostic = Diagnostic::error(Code::AliasNotYetCaptured, span, message);
        self.report(if own {
            diagnostic.help("a field of the event that is tested is a bare name, without the step")
        } else {
            let help = format!("put the condition at `{name}`, which sees what came before it");
            diagnostic.help(help)
        });
        false
    }

    /// `step.field`, `step[0].field`
    fn captured(&mut self, path: &Path, index: usize, place: Place) -> Typed {
        let span = path.span;
        if !self.expect_visible(place, index, span) {
            return refused(span);
        }
        let (pick, rest) = match path.rest.split_first() {
            Some((PathPart::Index(number), rest)) => (Some(nth(number.node)), rest),
            _ => (None, path.rest.as_slice()),
        };
        let name = self.steps[index].name.clone();
        if self.steps[index].group {
            let message = format!("`{name}` is a group, which has no fields");
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message).help(format!(
                    "`count({name})` is how often it came; a field belongs to a step"
                )),
            );
            return refused(span);
        }
        let Some(ty) = self.steps[index].ty else { return refused(span) };
        let Some((field, kind, element_index)) = self.field_at(ty, rest, span, &name) else {
            return refused(span);
        };
        let pick = match pick {
            Some(Some(pick)) => pick,
            Some(None) => {
                let message = "no step holds so many events";
                self.report(Diagnostic::error(Code::LimitExceeded, span, message));
                return refused(span);
            }
            None if self.steps[index].many => {
                let spelled = rest_text(rest);
                let message = format!("`{name}` can hold several events");
                self.report(
                    Diagnostic::error(Code::NeedsAggregate, span, message)
                        .label("of which one?")
                        .help(format!(
                            "write `first({name}.{spelled})`, `last({name}.{spelled})`, \
                             `{name}[0].{spelled}`, or an aggregate such as `max({name}.{spelled})`"
                        )),
                );
                return refused(span);
            }
            None => Pick::Last,
        };
        let captured = Captured { stage: Some(StageId::new(index)), pick, field };
        let expr = Expr::Captured(captured);
        element(Typed { expr, kind: kind.or(Kind::NULL), span }, element_index)
    }

    /// The field that the rest of a path names, and the index of a list's item behind it.
    fn field_at(
        &mut self,
        ty: TypeId,
        rest: &[PathPart],
        span: Span,
        step: &str,
    ) -> Option<(FieldRef, Kind, Option<i64>)> {
        let Some((dotted, index)) = dotted_parts(None, rest) else {
            let message = format!("an index comes right behind `{step}` or at the end");
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message)
                    .help(format!("write `{step}[0].field` or `{step}.list[0]`")),
            );
            return None;
        };
        if dotted.is_empty() {
            let event = self.env.schema.ty(ty);
            let field = event.fields.first().map_or("field", |field| &field.name);
            let message = format!("this is a whole event of `{step}`");
            let help = format!("say which of its fields, such as `.{field}`");
            self.report(Diagnostic::error(Code::NotAllowedHere, span, message).help(help));
            return None;
        }
        let Some((field, kind)) = names::field(&self.env.schema, ty, &dotted) else {
            let diagnostic = names::unknown_field(&self.env.schema, ty, &dotted, span);
            self.report(diagnostic);
            return None;
        };
        if index.is_some() && !kind.intersects(Kind::LIST) {
            let message = format!("`{dotted}` is no list but {}", non_null(kind));
            self.report(Diagnostic::error(Code::TypeMismatch, span, message));
            return None;
        }
        Some((field, kind, index))
    }

    /// Inside of an aggregate.
    fn bound_path(&mut self, path: &Path, bound: Bound, place: Place) -> Typed {
        let span = path.span;
        let (Bound::Each(step) | Bound::Pick(step, _)) = bound;
        let name = self.steps[step].name.clone();
        let Some(ty) = self.steps[step].ty else { return refused(span) };
        if *path.root.node != *name || path.rest.is_empty() {
            if let Bound::Pick(..) = bound {
                return self.path(path, Place { bound: None, ..place });
            }
            let message = "inside of an aggregate stand fields of one step and constants only";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message)
                    .help(format!("a field of the events of `{name}` is `{name}.field`")),
            );
            return refused(span);
        }
        let Some((field, kind, index)) = self.field_at(ty, &path.rest, span, &name) else {
            return refused(span);
        };
        let typed = match bound {
            Bound::Each(_) => Typed { expr: Expr::Field(field), kind, span },
            Bound::Pick(_, pick) => {
                let captured = Captured { stage: Some(StageId::new(step)), pick, field };
                Typed { expr: Expr::Captured(captured), kind: kind.or(Kind::NULL), span }
            }
        };
        element(typed, index)
    }

    /// `prev.field`: of the event captured last, whichever step's it is.
    fn prev(&mut self, path: &Path, place: Place) -> Typed {
        let span = path.span;
        if matches!(place.what, What::Emit | What::Timeout | What::Constant)
            || matches!(place.bound, Some(Bound::Each(_)))
        {
            let message = "`prev` is the event captured before the one that a condition tests";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message)
                    .help("name the step instead: `step.field`, `last(step.field)`"),
            );
            return refused(span);
        }
        let Some((dotted, index)) = dotted_parts(None, &path.rest) else {
            let message = "`prev` is one event, it has no index";
            self.report(
                Diagnostic::error(Code::NotAllowedHere, span, message).help("write `prev.field`"),
            );
            return refused(span);
        };
        let visible: Vec<_> = (0..self.steps.len())
            .filter(|index| self.sees(place, *index))
            .filter(|index| !self.steps[*index].negated && !self.steps[*index].group)
            .collect();
        if visible.is_empty() {
            let message = "there is no event before the first step";
            self.report(
                Diagnostic::error(Code::AliasNotYetCaptured, span, message)
                    .help("begin with a step without `prev`: `tick -> next down{2..}`"),
            );
            return refused(span);
        }
        let mut types: Vec<_> = visible.iter().filter_map(|index| self.steps[*index].ty).collect();
        types.sort_unstable();
        types.dedup();
        let mut fields = Vec::new();
        let mut kind = Kind::NULL;
        for &ty in &types {
            if let Some((field, field_kind)) = names::field(&self.env.schema, ty, &dotted) {
                kind = kind.or(field_kind);
                fields.push((ty, field));
            }
        }
        if fields.is_empty() {
            if let Some(ty) = types.first() {
                let diagnostic = names::unknown_field(&self.env.schema, *ty, &dotted, span);
                self.report(diagnostic);
            }
            return refused(span);
        }
        let field = FieldRef::ByType(Arc::from(fields));
        let captured = Captured { stage: None, pick: Pick::Last, field };
        element(Typed { expr: Expr::Captured(captured), kind, span }, index)
    }

    /// `match.step` and its like.
    fn fact(&mut self, path: &Path, place: Place) -> Typed {
        let span = path.span;
        let name = match path.rest.as_slice() {
            [PathPart::Field(name)] => name.node.as_str(),
            _ => "",
        };
        let Some((_, fact, kind)) = FACTS.iter().find(|(fact, ..)| *fact == name) else {
            let message = format!("there is no `match.{name}`");
            let near = nearest(name, FACTS.iter().map(|(fact, ..)| *fact));
            let help = near.map_or_else(
                || format!("there are {}", listed(FACTS.iter().map(|(fact, ..)| *fact))),
                |near| format!("did you mean `match.{near}`?"),
            );
            self.report(Diagnostic::error(Code::UnknownField, span, message).help(help));
            return refused(span);
        };
        match place.what {
            What::Timeout => {}
            What::Emit if *fact != MatchFact::Awaits => {}
            What::Emit => {
                let message = "a match awaits nothing any more";
                self.report(
                    Diagnostic::error(Code::NotAllowedHere, span, message)
                        .help("`match.awaits` belongs in `on timeout emit`"),
                );
                return refused(span);
            }
            _ => {
                let message = "`match` is known when it is told, not in a condition";
                self.report(
                    Diagnostic::error(Code::NotAllowedHere, span, message)
                        .help("use `match` in `emit` and `on timeout emit`"),
                );
                return refused(span);
            }
        }
        Typed { expr: Expr::Match(*fact), kind: *kind, span }
    }

    // ---- calls ----

    fn call(
        &mut self,
        name: &'a Name,
        args: &'a [Spanned<ast::Expr>],
        span: Span,
        place: Place,
    ) -> Typed {
        let aggregate = AGGREGATES.iter().find(|(aggregate, _)| *aggregate == name.node);
        if let Some((_, op)) = aggregate {
            let of_values = matches!(op, AggregateOp::Min | AggregateOp::Max) && args.len() != 1;
            if !of_values {
                return self.aggregate(*op, name, args, span, place);
            }
        }
        if name.node == "matches" {
            let [text, pattern] = args else {
                return self.wrong_count(name, "matches(text, regex)", args.len(), span);
            };
            let text = self.expr(text, place);
            let pattern = self.expr(pattern, place);
            if text.kind.is_never() || pattern.kind.is_never() {
                return refused(span);
            }
            return self.regex(text, &pattern, span);
        }
        let Some(function) = functions::lookup(&name.node) else {
            let known = functions::FUNCTIONS.iter().map(|function| function.name);
            let known = known.chain(AGGREGATES.iter().map(|(name, _)| *name)).chain(["matches"]);
            let near = nearest(&name.node, known);
            let diagnostic = unknown(Code::UnknownFunction, "function", name, near);
            self.report(diagnostic);
            for arg in args {
                self.expr(arg, place);
            }
            return refused(span);
        };
        let most = if function.variadic { usize::MAX } else { function.params.len() };
        if args.len() < function.required || args.len() > most {
            return self.wrong_count(name, &function.signature(), args.len(), span);
        }
        let mut typed = Vec::with_capacity(args.len());
        let mut fine = true;
        for (i, arg) in args.iter().enumerate() {
            let mut arg = self.expr(arg, place);
            let (param, wanted) = function.params[i.min(function.params.len() - 1)];
            let what = format!("`{param}` of `{}`", function.name);
            fine &= !arg.kind.is_never()
                && self.coerce(&mut arg, wanted)
                && self.expect(&arg, wanted, &what)
                && self.check_constant(param, &arg);
            typed.push(arg);
        }
        if !fine {
            return refused(span);
        }
        self.finish_call(function, typed, span)
    }

    fn finish_call(&mut self, function: &'static Function, args: Vec<Typed>, span: Span) -> Typed {
        let mut kind = function.result;
        if kind == Kind::ANY {
            kind = args.iter().fold(Kind::NEVER, |kind, arg| kind.or(arg.kind));
            // Values that a choice is made of have to compare.
            if function.variadic && function.name != "coalesce" {
                for pair in args.windows(2) {
                    let (a, b) = (non_null(pair[0].kind), non_null(pair[1].kind));
                    if !(a.is_never() || b.is_never() || compare(a, b)) {
                        let message = format!("{a} does not compare with {b}");
                        self.report(Diagnostic::error(Code::TypeMismatch, pair[1].span, message));
                        return refused(span);
                    }
                }
            }
        }
        if function.name == "contains"
            && args[0].kind.is_subset_of(Kind::STRING.or(Kind::NULL))
            && !self.expect(&args[1], Kind::STRING, "`part` of `contains`")
        {
            return refused(span);
        }
        let kind = kind.or(Kind::NULL);
        let args = args.into_iter().map(|arg| arg.expr).collect();
        fold(Typed { expr: Expr::Call(function, args), kind, span })
    }

    /// Time zones and networks that are constants are checked now.
    fn check_constant(&mut self, param: &str, arg: &Typed) -> bool {
        let Expr::Literal(Value::String(text)) = &arg.expr else { return true };
        let diagnostic = match param {
            "zone" if parse_zone(text).is_none() => {
                let message = format!("{text:?} is no time zone that is known here");
                Diagnostic::error(Code::BadLiteral, arg.span, message)
                    .help("write a fixed offset such as \"+02:00\", or \"UTC\"")
            }
            "network" if parse_network(text).is_none() => {
                Diagnostic::error(Code::BadLiteral, arg.span, format!("{text:?} is no network"))
                    .help("a network is written as \"10.0.0.0/8\" or \"fe80::/10\"")
            }
            _ => return true,
        };
        self.report(diagnostic);
        false
    }

    fn wrong_count(&mut self, name: &Name, signature: &str, found: usize, span: Span) -> Typed {
        let message = format!("`{}` does not take {found} arguments", name.node);
        let message = if found == 1 { message.replace("arguments", "argument") } else { message };
        let help = format!("write `{signature}`");
        self.report(Diagnostic::error(Code::WrongArgumentCount, span, message).help(help));
        refused(span)
    }

    fn aggregate(
        &mut self,
        op: AggregateOp,
        name: &Name,
        args: &'a [Spanned<ast::Expr>],
        span: Span,
        place: Place,
    ) -> Typed {
        let spelled = name.node.as_str();
        let [arg] = args else {
            let signature = format!("{spelled}(step.field)");
            return self.wrong_count(name, &signature, args.len(), span);
        };
        if place.bound.is_some() {
            let message = "an aggregate inside of an aggregate";
            self.report(Diagnostic::error(Code::NotAllowedHere, span, message));
            return refused(span);
        }
        let mut roots = Vec::new();
        step_roots(arg, &mut roots);
        let whole = matches!(&arg.node, ast::Expr::Path(path) if path.rest.is_empty());
        let mut steps = Vec::new();
        for root in roots {
            match self.find_step(&root.root.node) {
                Found::One(step) if whole || !root.rest.is_empty() => steps.push(step),
                Found::Several(first, second) if whole || !root.rest.is_empty() => {
                    self.ambiguous(&root.root.node, root.span, first, second);
                    return refused(span);
                }
                _ => {}
            }
        }
        steps.dedup();
        let step = match steps.as_slice() {
            [step] => *step,
            [] => return self.aggregate_of_nothing(op, spelled, arg, place),
            _ => {
                let message = format!("`{spelled}` is over the events of one step");
                self.report(
                    Diagnostic::error(Code::NotAllowedHere, arg.span, message)
                        .help("compute one aggregate for each step"),
                );
                return refused(span);
            }
        };
        if !self.expect_visible(place, step, span) {
            return refused(span);
        }
        let stage = StageId::new(step);
        let step_name = self.steps[step].name.clone();
        if whole && op == AggregateOp::Count {
            let aggregate = Aggregate { op, stage, arg: None };
            return Typed { expr: Expr::Aggregate(Box::new(aggregate)), kind: Kind::INT, span };
        }
        if whole || self.steps[step].group {
            let message = if self.steps[step].group {
                format!("`{step_name}` is a group: only `count({step_name})` goes with it")
            } else {
                format!("`{spelled}` of which field?")
            };
            let diagnostic = Diagnostic::error(Code::NotAllowedHere, arg.span, message);
            self.report(match self.fields_of(step) {
                Some(fields) => diagnostic.help(format!("fields are {fields}")),
                None => diagnostic,
            });
            return refused(span);
        }
        let pick = match op {
            AggregateOp::First => Some(Pick::First),
            AggregateOp::Last => Some(Pick::Last),
            _ => None,
        };
        if let Some(pick) = pick {
            let bound = Some(Bound::Pick(step, pick));
            let typed = self.expr(arg, Place { bound, ..place });
            return Typed { span, ..typed };
        }
        let each =
            Place { candidate: self.steps[step].ty, bound: Some(Bound::Each(step)), ..place };
        let typed = self.expr(arg, each);
        if typed.kind.is_never() {
            return refused(span);
        }
        let arg_kind = non_null(typed.kind);
        let (wanted, kind) = match op {
            AggregateOp::Count => (Kind::ANY, Kind::INT),
            AggregateOp::Sum => (Kind::NUMBER.or(Kind::DURATION), arg_kind),
            AggregateOp::Avg => {
                let kind = if arg_kind == Kind::DURATION { arg_kind } else { Kind::FLOAT };
                (Kind::NUMBER.or(Kind::DURATION), kind)
            }
            AggregateOp::Min | AggregateOp::Max => (COMPARABLE, arg_kind),
            AggregateOp::Stddev => (Kind::NUMBER, Kind::FLOAT),
            AggregateOp::Distinct | AggregateOp::Collect => (Kind::ANY, Kind::LIST),
            AggregateOp::First | AggregateOp::Last => (Kind::ANY, arg_kind),
        };
        if !self.expect(&typed, wanted, &format!("`{spelled}`")) {
            return refused(span);
        }
        let aggregate = Aggregate { op, stage, arg: Some(typed.expr) };
        let kind = kind.or(Kind::NULL);
        Typed { expr: Expr::Aggregate(Box::new(aggregate)), kind, span }
    }

    /// `sum(amount)`: of whose events?
    fn aggregate_of_nothing(
        &mut self,
        op: AggregateOp,
        spelled: &str,
        arg: &'a Spanned<ast::Expr>,
        place: Place,
    ) -> Typed {
        if let ast::Expr::Path(path) = &arg.node
            && !path.rest.is_empty()
        {
            // The root is no step: say so.
            return self.path(path, place);
        }
        let mut help = format!("write `{spelled}(step.field)`");
        if let ast::Expr::Path(path) = &arg.node {
            let field = path.root.node.as_str();
            let mut owners: Vec<_> = self
                .steps
                .iter()
                .filter(|step| !step.negated && self.has_field(step.ty, field))
                .collect();
            owners.sort_by_key(|step| !step.many);
            if let Some(owner) = owners.first() {
                help = format!("write `{spelled}({}.{field})`", owner.name);
            } else if let steps = self.steps.iter().filter(|step| !step.negated)
                && let Some(near) = nearest(field, steps.map(|step| &*step.name))
            {
                help = format!("did you mean `{spelled}({near})`?");
            }
        }
        if matches!(op, AggregateOp::Min | AggregateOp::Max) {
            help = format!("{help}, or `{spelled}(a, b)` for the {spelled} of values");
        }
        let message = format!("`{spelled}` over which events?");
        self.report(Diagnostic::error(Code::NotAllowedHere, arg.span, message).help(help));
        refused(arg.span)
    }

    /// Whether a condition contradicts itself: `x > 5 and x < 3`.
    pub(super) fn contradiction(&self, expr: &Expr, ty: TypeId) -> bool {
        let mut facts: Vec<(String, BinaryOp, &Value)> = Vec::new();
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match next {
                Expr::Binary(BinaryOp::And, a, b) => open.extend([&**a, &**b]),
                Expr::Binary(op, a, b) => {
                    let (field, op, value) = match (&**a, &**b) {
                        (Expr::Field(field), Expr::Literal(value)) => (field, *op, value),
                        (Expr::Literal(value), Expr::Field(field)) => (field, mirror(*op), value),
                        _ => continue,
                    };
                    facts.push((canon::field(field, ty, &self.env.schema), op, value));
                }
                _ => {}
            }
        }
        let mut pairs = facts.iter().enumerate().flat_map(|(i, a)| {
            facts[i + 1..].iter().map(move |b| (a, b)).filter(|(a, b)| a.0 == b.0)
        });
        pairs.any(|(a, b)| excludes((a.1, a.2), (b.1, b.2)))
    }
}

/// `5 < x` as `x > 5`.
fn mirror(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

/// Whether no value fulfils both.
fn excludes(a: (BinaryOp, &Value), b: (BinaryOp, &Value)) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let Some(ordering) = a.1.as_ref().compare(b.1.as_ref()) else { return false };
    match (a.0, b.0) {
        (Eq, Eq) => ordering.is_ne(),
        (Eq, Ne) | (Ne, Eq) => ordering.is_eq(),
        (Eq | Ge, Lt) | (Gt, Lt | Le | Eq) => ordering.is_ge(),
        (Eq | Ge, Le) | (Ge, Eq) => ordering.is_gt(),
        (Lt, Eq | Ge | Gt) | (Le | Eq, Gt) => ordering.is_le(),
        (Eq, Ge) | (Le, Eq | Ge) => ordering.is_lt(),
        _ => false,
    }
}

/// `[i]` of a step's events; `None` where the number is absurd.
fn nth(index: i64) -> Option<Pick> {
    let number = u32::try_from(index.unsigned_abs()).ok()?;
    Some(if index < 0 { Pick::FromEnd(number) } else { Pick::Nth(number) })
}

/// `a.b.c` and the index behind it; `None` where an index stands in between.
fn dotted_field(path: &Path) -> Option<(String, Option<i64>)> {
    dotted_parts(Some(&path.root.node), &path.rest)
}

fn dotted_parts(root: Option<&str>, rest: &[PathPart]) -> Option<(String, Option<i64>)> {
    let mut out = root.unwrap_or_default().to_owned();
    for (i, part) in rest.iter().enumerate() {
        match part {
            PathPart::Field(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&name.node);
            }
            PathPart::Index(index) if i + 1 == rest.len() && !out.is_empty() => {
                return Some((out, Some(index.node)));
            }
            PathPart::Index(_) => return None,
        }
    }
    Some((out, None))
}

fn rest_text(rest: &[PathPart]) -> String {
    dotted_parts(None, rest).map_or_else(String::new, |(text, _)| text)
}

/// `list[i]`
fn element(list: Typed, index: Option<i64>) -> Typed {
    match index {
        None => list,
        Some(index) => {
            let args = vec![list.expr, Expr::Literal(Value::Int(index))];
            let expr = Expr::Call(functions::ELEMENT, args);
            Typed { expr, kind: Kind::ANY, span: list.span }
        }
    }
}

/// The paths of an expression that can name a step.
fn step_roots<'e>(expr: &'e Spanned<ast::Expr>, out: &mut Vec<&'e Path>) {
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        match &next.node {
            ast::Expr::Path(path) => out.push(path),
            ast::Expr::Literal(_) | ast::Expr::Param(_) => {}
            ast::Expr::List(items) | ast::Expr::Call(_, items) => open.extend(items),
            ast::Expr::Not(x) | ast::Expr::Neg(x) | ast::Expr::IsNull { value: x, .. } => {
                open.push(x);
            }
            ast::Expr::Binary(_, a, b)
            | ast::Expr::Range(a, b)
            | ast::Expr::In { value: a, set: b, .. } => open.extend([&**a, &**b]),
            ast::Expr::If(parts) => open.extend(parts.iter()),
        }
    }
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
        Expr::Not(x) | Expr::Neg(x) | Expr::IsNull(x) | Expr::Regex(x, _) => is_literal(x),
        Expr::Binary(_, a, b) => is_literal(a) && is_literal(b),
        Expr::If(parts) => parts.iter().all(is_literal),
        Expr::Call(_, args) | Expr::List(args) => args.iter().all(is_literal),
        Expr::In(x, set) => {
            is_literal(x)
                && match &**set {
                    Set::Values(_) => true,
                    Set::Range(low, high) => is_literal(low) && is_literal(high),
                    Set::Expr(list) => is_literal(list),
                }
        }
        _ => false,
    };
    if !constant_parts || typed.kind.is_never() {
        return typed;
    }
    literal(constant(&typed.expr), typed.span)
}
