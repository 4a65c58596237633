//! Expressions, by precedence: `or`, `and`, `not`, comparisons, `+ -`, `* / %`, unary `-`.

use crate::diagnostic::{Code, Diagnostic, Span};

use super::super::ast::{
    BinaryOp, Expr, ItemQuantifier, Literal, Name, Path, PathPart, Spanned, level,
};
use super::super::lex::LexemeKind;
use super::super::{MAX_NESTING, words};
use super::item::Sign;
use super::{Parsed, Parser, too_deep};

const EXPECTED: &str = "a value";

/// An expression with the number of its levels, which is limited because everything that walks
/// the tree recurses.
pub(super) struct ExprTree {
    pub(super) expr: Spanned<Expr>,
    pub(super) height: u32,
}

/// An operator between two operands, or behind one.
enum Infix {
    Binary(BinaryOp),
    In {
        negated: bool,
    },
    Is,
    /// An operator of EQL, with the number of its tokens.
    Foreign(usize),
}

impl Infix {
    fn level(&self) -> u8 {
        match self {
            Infix::Binary(op) => op.level(),
            _ => level::COMPARE,
        }
    }
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Spanned<Expr>> {
        Ok(self.tree(level::OR)?.expr)
    }

    /// One node above `below`, or a mistake if that makes too many levels.
    pub(super) fn grow(&mut self, span: Span, node: Expr, below: u32) -> Parsed<ExprTree> {
        let height = below + 1;
        if height > MAX_NESTING {
            return self.fail(too_deep(span));
        }
        Ok(ExprTree { expr: Spanned { node, span }, height })
    }

    /// An expression whose operators bind at least as strongly as `min`.
    pub(super) fn tree(&mut self, min: u8) -> Parsed<ExprTree> {
        let mut left = self.prefix(min)?;
        if min <= level::COMPARE && matches!(left.expr.node, Expr::Call(..)) {
            left = self.without_case(left)?;
        }
        // Once there was a comparison, what follows may only bind less.
        let mut compared: Option<Span> = None;
        while let Some(infix) = self.infix() {
            let level = infix.level();
            if level < min {
                break;
            }
            if level == level::COMPARE
                && let Some(first) = compared
            {
                let place = self.peek().span;
                self.report(
                    Diagnostic::error(
                        Code::UnexpectedToken,
                        place,
                        format!("comparisons can't be chained: {} after another", self.found()),
                    )
                    .context(first, "the first comparison")
                    .help("join them with `and`: `a < b and b < c`, or write `x in a..b`"),
                );
            }
            let operator = self.peek().span;
            left = match infix {
                Infix::Binary(op @ (BinaryOp::And | BinaryOp::Or)) => self.chain(op, left)?,
                Infix::Binary(op) => {
                    self.take_operator(op);
                    let right = self.right_side(op)?;
                    let span = left.expr.span.to(right.expr.span);
                    let height = left.height.max(right.height);
                    let node = Expr::Binary(op, Box::new(left.expr), Box::new(right.expr));
                    self.grow(span, node, height)?
                }
                Infix::In { negated } => {
                    self.bump();
                    if negated {
                        self.bump();
                    }
                    self.membership(left, negated)?
                }
                Infix::Is => self.is_value(left)?,
                Infix::Foreign(width) => return self.foreign_comparison(&left, width),
            };
            if level == level::COMPARE {
                left = self.without_case(left)?;
                compared = Some(operator);
            }
        }
        Ok(left)
    }

    /// The operator that is looked at, none if the expression ends here.
    fn infix(&mut self) -> Option<Infix> {
        if let Some(width) = self.eql_operator() {
            return Some(Infix::Foreign(width));
        }
        let op = match self.kind() {
            LexemeKind::Eq | LexemeKind::Assign => BinaryOp::Eq,
            LexemeKind::Ne | LexemeKind::LtGt => BinaryOp::Ne,
            LexemeKind::Lt => BinaryOp::Lt,
            LexemeKind::Le => BinaryOp::Le,
            LexemeKind::Gt => BinaryOp::Gt,
            LexemeKind::Ge | LexemeKind::FatArrow => BinaryOp::Ge,
            LexemeKind::Tilde | LexemeKind::EqTilde => BinaryOp::Matches,
            LexemeKind::Plus => BinaryOp::Add,
            LexemeKind::Minus => BinaryOp::Sub,
            LexemeKind::Star => BinaryOp::Mul,
            LexemeKind::Slash => BinaryOp::Div,
            LexemeKind::Percent => BinaryOp::Rem,
            LexemeKind::AndAnd => BinaryOp::And,
            LexemeKind::OrOr if self.at_modifier() => return None,
            LexemeKind::OrOr => BinaryOp::Or,
            LexemeKind::Word => {
                let word = self.word();
                let lower = word.to_ascii_lowercase();
                if lower != word && words::is_operator(&lower) && !self.peek().first_on_line {
                    // `AND`: reported where it is taken.
                    return match lower.as_str() {
                        "and" => Some(Infix::Binary(BinaryOp::And)),
                        "or" => Some(Infix::Binary(BinaryOp::Or)),
                        "like" => Some(Infix::Binary(BinaryOp::Like)),
                        "in" => {
                            self.spelled("in");
                            Some(Infix::In { negated: false })
                        }
                        "is" => {
                            self.spelled("is");
                            Some(Infix::Is)
                        }
                        _ => None,
                    };
                }
                match word {
                    "and" => BinaryOp::And,
                    "or" => BinaryOp::Or,
                    "like" => BinaryOp::Like,
                    "in" => return Some(Infix::In { negated: false }),
                    "is" => return Some(Infix::Is),
                    "not" if self.word_at(1) == "like" => BinaryOp::NotLike,
                    "not" if self.nth(1).kind == LexemeKind::Tilde => BinaryOp::NotMatches,
                    "not" if self.word_at(1).eq_ignore_ascii_case("in") => {
                        return Some(Infix::In { negated: true });
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Infix::Binary(op))
    }

    /// Takes the operator `op`, reporting if it is spelled in another way.
    fn take_operator(&mut self, op: BinaryOp) {
        if op.without_not().is_some() {
            self.bump();
            self.bump();
            return;
        }
        let shown = op.as_str();
        let kind = self.kind();
        if kind == LexemeKind::Assign {
            let message = "`=` is not a comparison";
            self.report_at(self.peek().span, message, "write `==`");
        } else if self.text_of(self.peek()) != shown {
            self.spelled(shown);
        }
        self.bump();
        // `===`, `!==`
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne)
            && self.is(LexemeKind::Assign)
            && self.peek().span.start == self.last_end().end
        {
            let place = self.last_end().to(self.peek().span);
            let message = format!("`{shown}=` is not part of the language");
            self.report_at(place, message, format!("write `{shown}`"));
            self.bump();
        }
    }

    /// Parses the right side of an operator that is neither `and` nor `or`.
    fn right_side(&mut self, op: BinaryOp) -> Parsed<ExprTree> {
        if op.level() == level::COMPARE && self.at_list_in_parentheses() {
            let help = format!("write `x {} [\"a*\", \"b*\"]`", op.as_str());
            self.report_at(self.peek().span, "a list must be in square brackets", help);
            return self.list_in_parentheses();
        }
        self.tree(op.level() + 1)
    }

    /// True at `(a, b`: a list as EQL and SQL write it.
    pub(super) fn at_list_in_parentheses(&self) -> bool {
        self.is(LexemeKind::OpenParen) && self.nth(2).kind == LexemeKind::Comma
    }

    /// `(a, b)`, read as a list.
    pub(super) fn list_in_parentheses(&mut self) -> Parsed<ExprTree> {
        self.nested(|this| {
            let start = this.peek().span;
            let open = this.bump_open();
            let (entries, height) = this.arguments(open, LexemeKind::CloseParen, "a value")?;
            this.grow(this.since(start), Expr::List(entries), height)
        })
    }

    /// Takes the `nocase` after a comparison or a call, if it is there.
    fn without_case(&mut self, compared: ExprTree) -> Parsed<ExprTree> {
        if !self.is_word("nocase") {
            return Ok(compared);
        }
        self.bump();
        let span = self.since(compared.expr.span);
        self.grow(span, Expr::NoCase(Box::new(compared.expr)), compared.height)
    }

    /// The quantifier that is looked at, if the items of a list are compared here: `any` or `all`
    /// before a path, a call or a list that stands before a comparison. Otherwise it is a field of
    /// that name.
    fn quantifier(&self) -> Option<ItemQuantifier> {
        let word = self.word();
        let quantifier = ItemQuantifier::ALL.into_iter().find(|of| of.as_str() == word)?;
        let behind = |bracket: usize| {
            let partner = self.brackets.partner(self.at + bracket)?;
            Some(partner - self.at + 1)
        };
        let mut end = match self.nth(1).kind {
            LexemeKind::Quoted => 2,
            LexemeKind::Word if !words::is_operator(self.word_at(1)) => 2,
            LexemeKind::OpenBracket => {
                let number = 2 + usize::from(self.nth(2).kind == LexemeKind::Minus);
                let is_index = self.nth(number).kind == LexemeKind::Int
                    && self.nth(number + 1).kind == LexemeKind::CloseBracket;
                if is_index {
                    return None;
                }
                behind(1)?
            }
            _ => return None,
        };
        if self.nth(end).kind == LexemeKind::OpenParen {
            end = behind(end)?;
        }
        loop {
            end = match self.nth(end).kind {
                LexemeKind::Dot => end + 2,
                LexemeKind::OpenBracket => behind(end)?,
                _ => break,
            };
        }
        let compares = match self.nth(end).kind {
            LexemeKind::Eq
            | LexemeKind::Assign
            | LexemeKind::Ne
            | LexemeKind::LtGt
            | LexemeKind::Lt
            | LexemeKind::Le
            | LexemeKind::Gt
            | LexemeKind::Ge
            | LexemeKind::FatArrow
            | LexemeKind::Tilde
            | LexemeKind::EqTilde
            | LexemeKind::Colon => true,
            _ => matches!(self.word_at(end), "in" | "like" | "not" | "is" | "regex"),
        };
        compares.then_some(quantifier)
    }

    /// `first op b op c ...` for `and` or `or`, any number of operands.
    fn chain(&mut self, op: BinaryOp, first: ExprTree) -> Parsed<ExprTree> {
        let start = first.expr.span;
        let mut height = first.height;
        let mut operands = vec![first.expr];
        loop {
            self.take_operator(op);
            let next = self.tree(op.level() + 1)?;
            height = height.max(next.height);
            operands.push(next.expr);
            if !matches!(self.infix(), Some(Infix::Binary(next)) if next == op) {
                break;
            }
        }
        let span = start.to(operands.last().map_or(start, |last| last.span));
        let tree = Expr::join(op, operands);
        // The operands stand at most so far below the root of the balanced tree.
        let height = height.max(height_of(&tree));
        if height > MAX_NESTING {
            return self.fail(too_deep(span));
        }
        Ok(ExprTree { expr: Spanned { node: tree.node, span }, height })
    }

    /// Parses the right side of `in`.
    fn membership(&mut self, value: ExprTree, negated: bool) -> Parsed<ExprTree> {
        if self.is(LexemeKind::OpenBrace) || self.at_list_in_parentheses() {
            let help = "write a list as `x in [1, 2]`, a range as `x in 1..5`";
            return self.fail_unexpected("a list after `in`", help);
        }
        let from = self.tree(level::ADD)?;
        let set = if self.eat(LexemeKind::DotDot) {
            let to = self.tree(level::ADD)?;
            let span = from.expr.span.to(to.expr.span);
            let height = from.height.max(to.height);
            self.grow(span, Expr::Range(Box::new(from.expr), Box::new(to.expr)), height)?
        } else {
            from
        };
        let span = value.expr.span.to(set.expr.span);
        let height = value.height.max(set.height);
        let node = Expr::In { negated, value: Box::new(value.expr), set: Box::new(set.expr) };
        self.grow(span, node, height)
    }

    /// `is null`, `is true`, `is false`, each with `not` or without
    fn is_value(&mut self, value: ExprTree) -> Parsed<ExprTree> {
        let reported = self.noticed == Some(self.at);
        self.bump();
        let negated = self.word().eq_ignore_ascii_case("not");
        if negated {
            if !reported && !self.is_word("not") {
                self.spelled("not");
            }
            self.bump();
        }
        let lower = self.word().to_ascii_lowercase();
        if !matches!(lower.as_str(), "null" | "true" | "false") {
            let help =
                "use `is` only with `null`, `true` and `false`; compare other values with `==`";
            return self.fail_unexpected("`null`, `true` or `false` after `is`", help);
        }
        if !reported && !self.is_word(&lower) {
            self.spelled(&lower);
        }
        self.bump();
        let span = self.since(value.expr.span);
        let (height, value) = (value.height, Box::new(value.expr));
        let node = match lower.as_str() {
            "null" => Expr::IsNull { negated, value },
            word => Expr::Is { negated, truth: word == "true", value },
        };
        self.grow(span, node, height)
    }

    /// `not x`, `-x`, `if ...` or an operand. `min` is what binds around it.
    fn prefix(&mut self, min: u8) -> Parsed<ExprTree> {
        let start = self.peek().span;
        let next = self.nth(1).kind;
        let not_in_capitals = self.word() != "not"
            && self.word().eq_ignore_ascii_case("not")
            && matches!(
                next,
                LexemeKind::Word | LexemeKind::Quoted | LexemeKind::OpenParen | LexemeKind::Str
            )
            && !words::is_operator(&self.word_at(1).to_ascii_lowercase());
        if self.is_word("not") || self.is(LexemeKind::Bang) || not_in_capitals {
            if !self.is_word("not") {
                self.spelled("not");
            } else if min >= level::COMPARE {
                return self.fail_unexpected(EXPECTED, "put it in parentheses: `(not ...)`");
            }
            let bang = self.is(LexemeKind::Bang);
            self.bump();
            // `!` binds more strongly where people know it from.
            let inner = if bang { level::UNARY } else { level::COMPARE };
            return self.nested(|this| {
                let operand =
                    if this.is_word("not") { this.prefix(level::AND)? } else { this.tree(inner)? };
                let span = start.to(operand.expr.span);
                this.grow(span, Expr::Not(Box::new(operand.expr)), operand.height)
            });
        }
        if self.is_word("if") {
            if min > level::OR {
                let help = "put it in parentheses: `(if ... then ... else ...)`";
                return self.fail_unexpected(EXPECTED, help);
            }
            return self.nested(Self::if_else);
        }
        if min <= level::COMPARE
            && let Some(quantifier) = self.quantifier()
        {
            self.bump();
            return self.nested(|this| {
                let list = this.operand()?;
                let span = start.to(list.expr.span);
                this.grow(span, Expr::Quantified(quantifier, Box::new(list.expr)), list.height)
            });
        }
        if self.is(LexemeKind::Minus) {
            let literal =
                matches!(next, LexemeKind::Int | LexemeKind::Float | LexemeKind::Duration);
            self.bump();
            if literal {
                let literal = self.plain_literal(Sign::Minus)?.unwrap_or(Literal::Null);
                return self.grow(self.since(start), Expr::Literal(literal), 0);
            }
            return self.nested(|this| {
                let operand = this.prefix(level::UNARY)?;
                let span = start.to(operand.expr.span);
                this.grow(span, Expr::Neg(Box::new(operand.expr)), operand.height)
            });
        }
        self.operand()
    }

    fn if_else(&mut self) -> Parsed<ExprTree> {
        let start = self.bump().span;
        let condition = self.tree(level::OR)?;
        self.expect_word("then")?;
        let yes = self.tree(level::OR)?;
        if !self.is_word("else") {
            let diagnostic = self.not_expected("`else`");
            let help = "an `if` needs both `then` and `else`: `if c then a else b`; for no value, \
                        write `else null`";
            return self.fail(diagnostic.help(help));
        }
        self.bump();
        let no = self.tree(level::OR)?;
        let height = condition.height.max(yes.height).max(no.height);
        let span = self.since(start);
        self.grow(span, Expr::If(Box::new([condition.expr, yes.expr, no.expr])), height)
    }

    /// A literal, a path, a call, a list, a parameter or an expression in parentheses.
    fn operand(&mut self) -> Parsed<ExprTree> {
        let token = self.peek();
        match token.kind {
            LexemeKind::OpenParen => self.nested(|this| {
                let open = this.bump_open();
                let mut inner = this.tree(level::OR)?;
                this.close_expr(open)?;
                inner.expr.span = this.since(token.span);
                Ok(inner)
            }),
            LexemeKind::OpenBracket => self.nested(|this| {
                let open = this.bump_open();
                let (entries, height) =
                    this.arguments(open, LexemeKind::CloseBracket, "a value")?;
                this.grow(this.since(token.span), Expr::List(entries), height)
            }),
            LexemeKind::Dollar => {
                self.bump();
                let name = self.free_name("the name of a parameter")?;
                self.grow(self.since(token.span), Expr::Param(name), 0)
            }
            LexemeKind::Word => {
                let word = self.text_of(token);
                let lower = word.to_ascii_lowercase();
                let plain = !matches!(
                    self.nth(1).kind,
                    LexemeKind::Dot | LexemeKind::OpenBracket | LexemeKind::OpenParen
                );
                if plain && word != lower && matches!(lower.as_str(), "true" | "false" | "null") {
                    self.spelled(&lower);
                    self.bump();
                    return self.grow(token.span, Expr::Literal(Literal::Null), 0);
                }
                if let Some(literal) = self.plain_literal(Sign::Plus)? {
                    return self.grow(token.span, Expr::Literal(literal), 0);
                }
                if word == words::MATCHES
                    && self.nth(1).kind == LexemeKind::Dot
                    && self.nth(3).kind == LexemeKind::OpenParen
                {
                    return self.nested(Self::call_of_matches);
                }
                if self.nth(1).kind == LexemeKind::OpenParen && !words::is_operator(word) {
                    return self.nested(Self::call);
                }
                self.path_operand()
            }
            LexemeKind::Quoted => {
                if self.nth(1).kind == LexemeKind::OpenParen {
                    return self.nested(Self::call);
                }
                self.path_operand()
            }
            LexemeKind::Question
                if self.at_adjacent(LexemeKind::Word) || self.at_adjacent(LexemeKind::Quoted) =>
            {
                self.optional_field()
            }
            LexemeKind::Dot if self.nth(1).kind == LexemeKind::Int => {
                let digits = self.text_of(self.nth(1));
                self.fail_unexpected(EXPECTED, format!("write `0.{digits}`"))
            }
            _ => {
                if let Some(literal) = self.plain_literal(Sign::Plus)? {
                    return self.grow(token.span, Expr::Literal(literal), 0);
                }
                if self.last_kind() == Some(LexemeKind::Percent) {
                    let help = "`%` is the remainder of a division; for ten percent of `x`, write \
                                `0.1 * x`";
                    return self.fail_unexpected(EXPECTED, help);
                }
                self.unexpected(EXPECTED)
            }
        }
    }

    /// An expression, and the bracket behind it that closes the one at the index `open`.
    pub(super) fn closed_expr(&mut self, open: usize) -> Parsed<Spanned<Expr>> {
        let expr = self.expr()?;
        self.close_expr(open)?;
        Ok(expr)
    }

    /// Takes the bracket behind an expression that closes the one at the index `open`.
    pub(super) fn close_expr(&mut self, open: usize) -> Parsed<()> {
        if let Some(help) = words::operator_elsewhere(self.word()) {
            return self.fail_unexpected("an operator", help);
        }
        if self.is(LexemeKind::Question) {
            let help = "write `if x > 3 then \"high\" else \"low\"`";
            return self.fail_unexpected("an operator", help);
        }
        if self.is_word("not") && self.word_at(1).eq_ignore_ascii_case("null") {
            return self.fail_unexpected("an operator", "write `is not null`");
        }
        if self.at_modifier() {
            let help = words::modifier_elsewhere(self.word_at(1));
            return self.fail_unexpected("an operator", help);
        }
        if self.is_word("nocase") {
            let help = "put `nocase` after a single comparison: `a == \"x\" nocase`";
            return self.fail_unexpected("an operator", help);
        }
        let before = self.at.checked_sub(1).map_or("", |at| self.text_of(self.tokens[at]));
        if matches!(before, "any" | "all")
            && matches!(self.kind(), LexemeKind::Word | LexemeKind::Quoted)
        {
            let help = format!("put a comparison after it: `{before} args like \"-e*\"`");
            return self.fail_unexpected("an operator", help);
        }
        self.close(open, "an operator")
    }

    pub(super) fn path_operand(&mut self) -> Parsed<ExprTree> {
        let path = self.path()?;
        self.grow(path.span, Expr::Path(path), 0)
    }

    fn call(&mut self) -> Parsed<ExprTree> {
        let name = self.any_name();
        let open = self.bump_open();
        if self.is(LexemeKind::Star) && self.nth(1).kind == LexemeKind::CloseParen {
            let help = "`count(step)` is the number of events of a step, `matches.count` the \
                        number of matches";
            return self.fail_unexpected("a step", help);
        }
        let (arguments, height) = self.arguments(open, LexemeKind::CloseParen, "an argument")?;
        if self.is(LexemeKind::Dot) && self.at_adjacent(LexemeKind::Word) {
            let inner = self.shown(self.tokens[open + 1].span.to(self.tokens[self.at - 2].span));
            let (function, inner) = (&name.node, inner.unwrap_or("x"));
            let help = format!("write `{function}({inner}.{})`", self.word_at(1));
            return self.fail_unexpected("an operator", help);
        }
        self.grow(self.since(name.span), Expr::Call(name, arguments), height)
    }

    /// `matches.sum(arg, ...)`
    fn call_of_matches(&mut self) -> Parsed<ExprTree> {
        let start = self.bump().span;
        self.bump();
        let name = self.free_name("`sum`, `avg`, `min` or `max`")?;
        let open = self.bump_open();
        let (arguments, height) = self.arguments(open, LexemeKind::CloseParen, "an argument")?;
        self.grow(self.since(start), Expr::OfMatches(name, arguments), height)
    }

    /// `expr, expr, ... closer`
    pub(super) fn arguments(
        &mut self,
        open: usize,
        closer: LexemeKind,
        expected: &str,
    ) -> Parsed<(Vec<Spanned<Expr>>, u32)> {
        let mut arguments = Vec::new();
        let mut height = 0;
        self.comma_list(open, closer, expected, |this| {
            let tree = this.tree(level::OR)?;
            height = height.max(tree.height);
            arguments.push(tree.expr);
            Ok(())
        })?;
        Ok((arguments, height))
    }

    /// `a.b[2].c`
    pub(super) fn path(&mut self) -> Parsed<Path> {
        let root = self.root()?;
        let start = root.span;
        let mut rest = Vec::new();
        loop {
            if self.is(LexemeKind::Dot) {
                self.bump();
                rest.push(PathPart::Field(self.free_name("the name of a field")?));
                if self.is(LexemeKind::OpenParen) {
                    return self.method_call(start);
                }
            } else if self.is(LexemeKind::OpenBracket) {
                let open = self.at;
                let span = self.bump().span;
                let negative = self.eat(LexemeKind::Minus);
                if !self.is(LexemeKind::Int) {
                    let help = "write `x[0]` for the first, `x[-1]` for the last";
                    return self.fail_unexpected("a number as index", help);
                }
                let Some(Literal::Int(index)) = self.plain_literal(Sign::minus_if(negative))?
                else {
                    return self.unexpected("a number as index");
                };
                self.close(open, "")?;
                rest.push(PathPart::Index(Spanned { node: index, span: self.since(span) }));
            } else {
                break;
            }
        }
        Ok(Path { root, rest, span: self.since(start) })
    }

    /// `a.count(`: a call as other languages write it.
    fn method_call(&mut self, start: Span) -> Parsed<Path> {
        let name = self.text_of(self.tokens[self.at - 1]);
        let value =
            self.text[start.start as usize..self.tokens[self.at - 2].span.start as usize].trim();
        let diagnostic = self.not_expected("an operator");
        let help = match words::operator_elsewhere(name) {
            Some(help) => help.to_owned(),
            None if value.len() <= 40 => {
                format!("put the function before its value: `{name}({value})`")
            }
            None => format!("put the function before its value: `{name}(...)`"),
        };
        self.fail(diagnostic.help(help))
    }

    /// The first name of a path.
    fn root(&mut self) -> Parsed<Name> {
        let word = self.word();
        if words::is_operator(word) {
            let diagnostic = self.not_expected(EXPECTED);
            let diagnostic = match word {
                "then" | "else" | "and" | "or" | "in" | "like" | "is" => diagnostic,
                _ => diagnostic
                    .help(format!("if it is a name, write it in back-quotes: `` `{word}` ``")),
            };
            return self.fail(diagnostic);
        }
        self.free_name(EXPECTED)
    }
}

/// The number of levels of `expr`. Only for trees that are known to be within the limits.
fn height_of(expr: &Spanned<Expr>) -> u32 {
    1 + expr.node.parts().into_iter().map(height_of).max().unwrap_or(0)
}
