//! Items of a file, declarations, tests.

use crate::diagnostic::{Code, Diagnostic, Span};
use kleene_event::util::spelling::nearest;

use super::super::ast::{
    Define, EventDecl, FieldDecl, File, FileItem, Instance, ListDecl, ListSource, Literal,
    ParamDecl, Rule, Spanned, Test, TestStep, Type,
};
use super::super::lex::{self, LexemeKind};
use super::super::{MAX_ITEMS, words};
use super::brackets::starts_item;
use super::{AlreadyReported, Parsed, Parser};

const EXPECTED_ITEM: &str = "`event`, `list`, `param`, `define`, `rule`, `test` or `use`";

const RULE: &str = "write a rule as `rule name { key user  match a -> b  within 5m }`";

/// The sign before a number.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    pub(super) fn minus_if(is_negative: bool) -> Sign {
        if is_negative { Sign::Minus } else { Sign::Plus }
    }
}

impl Parser<'_> {
    pub(super) fn file(&mut self) -> File {
        let mut file = File::default();
        while !self.is(LexemeKind::End) {
            if self.semicolon() {
                continue;
            }
            let start = self.at;
            if file.items.len() == MAX_ITEMS {
                let message = format!("a rule file has at most {MAX_ITEMS} rules and other items");
                let at = self.peek().span;
                let diagnostic = Diagnostic::error(Code::LimitExceeded, at, message);
                self.report(diagnostic.label("the rest is not read"));
                break;
            }
            self.nesting = 0;
            match self.item() {
                Ok(item) => file.items.push(item),
                Err(AlreadyReported) => self.skip_to_item(start),
            }
        }
        file
    }

    /// Goes on to the next item, behind the token `start` at least.
    fn skip_to_item(&mut self, start: usize) {
        self.jump(start + 1);
        while !self.is(LexemeKind::End) && !self.at_item() {
            self.bump();
        }
        if self.text_of(self.tokens[start]) == "@" {
            // An annotation: what is wrong in it is the same mistake.
            self.covered.push(self.since(self.tokens[start + 1].span));
        }
    }

    /// True if an item starts here.
    pub(super) fn at_item(&self) -> bool {
        let token = self.peek();
        if token.kind != LexemeKind::Word || !words::ITEMS.contains(&self.word()) {
            return false;
        }
        let alone = token.first_on_line
            || self.at > 0 && self.tokens[self.at - 1].kind == LexemeKind::CloseBrace;
        alone && (self.brackets.depth(self.at) == 0 || starts_item(self.text, self.tokens, self.at))
    }

    /// Takes a `;`, which the language has no use for, or a `,` at the end of a line.
    pub(super) fn semicolon(&mut self) -> bool {
        if self.is(LexemeKind::Comma) && (self.nth(1).first_on_line || self.clause_behind_comma()) {
            let span = self.peek().span;
            let help = "clauses and items need no separator";
            self.report_at(span, "no `,` is needed here", help);
            self.bump();
            return true;
        }
        if !self.is(LexemeKind::Semicolon) {
            return false;
        }
        if !self.reported_semicolon {
            self.reported_semicolon = true;
            let span = self.peek().span;
            let help = "clauses and items need no separator: remove every `;`";
            self.report_at(span, "no `;` is needed here", help);
        }
        self.bump();
        true
    }

    fn item(&mut self) -> Parsed<FileItem> {
        let word = self.word();
        let word = if words::ITEMS.contains(&word) { word } else { self.misspelled_item()? };
        self.bump();
        match word {
            "event" => Ok(FileItem::Event(self.event()?)),
            "list" => Ok(FileItem::List(self.list()?)),
            "param" => Ok(FileItem::Param(self.param()?)),
            "define" => Ok(FileItem::Define(self.define()?)),
            "rule" => self.rule(),
            "test" => Ok(FileItem::Test(self.test()?)),
            _ => Ok(FileItem::Use(self.string("the file to use as a string")?)),
        }
    }

    /// The item that the word looked at is meant to be, which is reported; fails if there is none.
    fn misspelled_item(&mut self) -> Parsed<&'static str> {
        let message = format!("expected {EXPECTED_ITEM}, found {}", self.found());
        let diagnostic = Diagnostic::error(Code::UnexpectedToken, self.peek().span, message);
        if let Some(meant) = self.misspelled(&words::ITEMS) {
            self.report(diagnostic.help(format!("did you mean `{meant}`?")));
            return Ok(meant);
        }
        let word = self.word();
        let diagnostic = if words::CLAUSES.contains(&word) {
            diagnostic.help(format!("`{word}` is a clause: put it inside `rule name {{ ... }}`"))
        } else if self.is(LexemeKind::Minus) && self.at_adjacent(LexemeKind::Minus) {
            diagnostic.help(words::COMMENT)
        } else if self.is(LexemeKind::CloseBrace) {
            diagnostic.help("this closes no `{`")
        } else if self.is(LexemeKind::OpenBrace) || words::starts_rule_elsewhere(word) {
            diagnostic.help(RULE)
        } else {
            diagnostic
        };
        self.fail(diagnostic)
    }

    fn event(&mut self) -> Parsed<EventDecl> {
        let name = self.name("the name of the event type")?;
        let open = self.open_brace("`{` and the fields")?;
        let mut event = EventDecl { name, fields: Vec::new(), open: false };
        let mistakes = self.mistakes;
        let fields = &mut event.fields;
        let is_open = &mut event.open;
        self.recover_in(open, |this| {
            this.comma_list(
                open,
                LexemeKind::CloseBrace,
                "a field such as `user: string`",
                |this| {
                    if this.is(LexemeKind::DotDot) {
                        this.bump();
                        *is_open = true;
                        if !this.is(LexemeKind::CloseBrace) && !this.is(LexemeKind::Comma) {
                            return this.unexpected("`}` after `..`");
                        }
                        if this.is(LexemeKind::Comma) && this.nth(1).kind != LexemeKind::CloseBrace
                        {
                            let help = "put `..` after the last field";
                            return this.fail_unexpected("`}` after `..`", help);
                        }
                        return Ok(());
                    }
                    fields.push(this.field()?);
                    Ok(())
                },
            )
        })?;
        // Fields that could not be read must not be reported as missing in rules.
        event.open |= self.mistakes > mistakes;
        Ok(event)
    }

    fn field(&mut self) -> Parsed<FieldDecl> {
        let name = self.free_name("a field such as `user: string`")?;
        if !self.is(LexemeKind::Colon) {
            let help = format!("write `{}: string`", name.node);
            return self.fail_unexpected("`:` and the type of the field", help);
        }
        self.bump();
        let ty = self.ty()?;
        let optional = self.eat(LexemeKind::Question);
        let mut event_time = false;
        if self.eat(LexemeKind::Assign) {
            if !self.is_word("event") || self.word_at(1) != "time" {
                let help = "fields have no default values; `at: time = event time` marks the field \
                            with the event time";
                return self.fail_unexpected("`event time` after `=`", help);
            }
            self.bump();
            self.bump();
            event_time = true;
        }
        Ok(FieldDecl { name, ty, optional, event_time })
    }

    pub(super) fn ty(&mut self) -> Parsed<Spanned<Type>> {
        const EXPECTED: &str = "a type";
        let token = self.peek();
        if token.kind == LexemeKind::OpenBrace {
            return self.nested(|this| {
                let open = this.bump_open();
                let mut fields = Vec::new();
                let expected = "a field such as `user: string`";
                this.recover_in(open, |this| {
                    this.comma_list(open, LexemeKind::CloseBrace, expected, |this| {
                        fields.push(this.field()?);
                        Ok(())
                    })
                })?;
                Ok(Spanned { node: Type::Record(fields), span: this.since(token.span) })
            });
        }
        let node = match self.word() {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "float" => Type::Float,
            "string" => Type::String,
            "time" => Type::Time,
            "duration" => Type::Duration,
            "ip" => Type::Ip,
            "list" => {
                return self.nested(|this| {
                    this.bump();
                    if !this.is(LexemeKind::Lt) {
                        let help = "write `list<string>`";
                        return this.fail_unexpected("`<` and the type of the entries", help);
                    }
                    this.bump();
                    let inner = this.ty()?;
                    this.expect(LexemeKind::Gt, "`>` after the type of the entries")?;
                    let span = this.since(token.span);
                    Ok(Spanned { node: Type::List(Box::new(inner)), span })
                });
            }
            "" => return self.unexpected(EXPECTED),
            word => {
                let meant = words::type_elsewhere(word).or_else(|| nearest(word, words::TYPES));
                let message = format!("no type `{word}`");
                let diagnostic = Diagnostic::error(Code::UnexpectedToken, token.span, message);
                let types = "the types are bool, int, float, string, time, duration, ip, list<...> and { ... }";
                let diagnostic = diagnostic.help(match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => types.to_owned(),
                });
                return self.fail(diagnostic);
            }
        };
        self.bump();
        Ok(Spanned { node, span: token.span })
    }

    fn list(&mut self) -> Parsed<ListDecl> {
        let name = self.free_name("the name of the list")?;
        if !self.eat(LexemeKind::Colon) {
            let help = format!("write `list {}: string = [\"...\"]`", name.node);
            return self.fail_unexpected("`:` and the type of the entries", help);
        }
        let ty = self.ty()?;
        if self.eat_word("from") {
            let file = self.string("the list's file as a string")?;
            return Ok(ListDecl { name, ty, source: ListSource::File(file) });
        }
        self.expect(LexemeKind::Assign, "`= [...]` or `from \"file\"`")?;
        let open = self.at;
        self.expect(LexemeKind::OpenBracket, "`[` and the entries")?;
        let mut entries = Vec::new();
        self.recover_in(open, |this| {
            this.comma_list(open, LexemeKind::CloseBracket, "an entry", |this| {
                entries.push(this.literal()?);
                Ok(())
            })
        })?;
        Ok(ListDecl { name, ty, source: ListSource::Inline(entries) })
    }

    pub(super) fn param(&mut self) -> Parsed<ParamDecl> {
        let name = self.free_name("the name of the parameter")?;
        if !self.is(LexemeKind::Colon) {
            let value = self.nth(1);
            let (ty, value) = match value.kind {
                LexemeKind::Int => ("int", self.text_of(value)),
                LexemeKind::Float => ("float", self.text_of(value)),
                LexemeKind::Str => ("string", self.text_of(value)),
                LexemeKind::Duration => ("duration", self.text_of(value)),
                _ => ("duration", "10m"),
            };
            let help = format!("write `param {}: {ty} = {value}`", name.node);
            return self.fail_unexpected("`:` and the type of the parameter", help);
        }
        self.bump();
        let ty = self.ty()?;
        self.expect(LexemeKind::Assign, "`=` and the value of the parameter")?;
        let value = self.literal()?;
        Ok(ParamDecl { name, ty, value })
    }

    pub(super) fn define(&mut self) -> Parsed<Define> {
        let name = self.name("the name that is defined")?;
        self.expect(LexemeKind::Assign, "`=` and a step")?;
        let step = self.step("an event type")?;
        Ok(Define { name, step })
    }

    fn rule(&mut self) -> Parsed<FileItem> {
        if self.is(LexemeKind::Colon) {
            return self.fail_unexpected("the name of the rule", RULE);
        }
        let name = self.name("the name of the rule")?;
        if self.eat(LexemeKind::Assign) {
            return Ok(FileItem::Instance(self.instance(name)?));
        }
        if matches!(self.word(), "extends" | "from" | "is" | "like") && !self.peek().first_on_line {
            let help = format!(
                "write an instance of another rule as `rule {} = other(wait: 2m)`",
                name.node
            );
            return self.fail_unexpected("`{` and the clauses of the rule", help);
        }
        let open = self.open_brace("`{` and the clauses of the rule")?;
        let clauses = self.clauses(open);
        Ok(FileItem::Rule(Rule { name, clauses }))
    }

    fn instance(&mut self, name: super::Name) -> Parsed<Instance> {
        let base = self.name("the rule that this is an instance of")?;
        let open = self.at;
        if !self.is(LexemeKind::OpenParen) {
            let help = format!("without parameters, write `{}()`", base.node);
            return self.fail_unexpected("`(` and values for parameters", help);
        }
        self.bump();
        let mut args = Vec::new();
        self.recover_in(open, |this| {
            this.comma_list(
                open,
                LexemeKind::CloseParen,
                "a parameter such as `wait: 2m`",
                |this| {
                    let name = this.free_name("a parameter such as `wait: 2m`")?;
                    if this.is(LexemeKind::Assign) {
                        this.colon_instead();
                    } else {
                        this.expect(LexemeKind::Colon, "`:` and the value of the parameter")?;
                    }
                    args.push((name, this.literal()?));
                    Ok(())
                },
            )
        })?;
        let open = self.at;
        let overrides =
            if self.eat(LexemeKind::OpenBrace) { self.clauses(open) } else { Vec::new() };
        Ok(Instance { name, base, args, overrides })
    }

    /// Takes a `=` for the `:` that belongs between a name and its value.
    pub(super) fn colon_instead(&mut self) {
        self.report_unexpected("`:` between name and value", "write `:` here, as in `name: value`");
        self.bump();
    }

    pub(super) fn literal(&mut self) -> Parsed<Spanned<Literal>> {
        let start = self.peek().span;
        let negative = self.is(LexemeKind::Minus)
            && matches!(
                self.nth(1).kind,
                LexemeKind::Int | LexemeKind::Float | LexemeKind::Duration
            );
        if negative {
            self.bump();
        }
        let literal = self.plain_literal(Sign::minus_if(negative))?;
        let Some(node) = literal else {
            let diagnostic = self.not_expected("a literal");
            let word = self.word();
            let help = match word.to_ascii_lowercase().as_str() {
                "" if self.is(LexemeKind::OpenBracket) => {
                    "declare a list of literals with `list name: type = [...]`".to_owned()
                }
                "" => return self.fail(diagnostic),
                lower @ ("true" | "false" | "null") => format!("write `{lower}`"),
                _ => format!("put strings in double quotes: `\"{word}\"`"),
            };
            return self.fail(diagnostic.help(help));
        };
        Ok(Spanned { node, span: self.since(start) })
    }

    /// The literal that is looked at, behind `sign`; none if it is no literal.
    pub(super) fn plain_literal(&mut self, sign: Sign) -> Parsed<Option<Literal>> {
        let token = self.peek();
        let text = self.text_of(token);
        let signed = |magnitude: u64| {
            if sign == Sign::Minus {
                0i64.checked_sub_unsigned(magnitude)
            } else {
                i64::try_from(magnitude).ok()
            }
        };
        // A number that cannot be read was reported already. The exception is the magnitude that is
        // valid only with a minus.
        let too_big = |this: &mut Self, fits_negated: bool| {
            if fits_negated {
                this.report(
                    Diagnostic::error(
                        Code::BadNumber,
                        token.span,
                        format!("`{text}` is too large for an `int`"),
                    )
                    .help(format!("the largest `int` is {}", i64::MAX)),
                );
            }
            0
        };
        let literal = match token.kind {
            LexemeKind::Int => {
                let magnitude = lex::int(text);
                let value = magnitude.and_then(signed);
                Literal::Int(value.unwrap_or_else(|| too_big(self, magnitude.is_some())))
            }
            LexemeKind::Duration => {
                let magnitude = lex::duration(text).ok();
                let value = magnitude.and_then(signed);
                Literal::Duration(value.unwrap_or_else(|| too_big(self, magnitude.is_some())))
            }
            LexemeKind::Float => {
                let value = lex::float(text).unwrap_or(0.0);
                Literal::Float(if sign == Sign::Minus { -value } else { value })
            }
            LexemeKind::Str => Literal::String(self.string_text(token)),
            LexemeKind::Word => match text {
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "null" => Literal::Null,
                _ => return Ok(None),
            },
            LexemeKind::Bad => return self.unexpected("a literal"),
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(literal))
    }

    // Tests.

    fn test(&mut self) -> Parsed<Test> {
        let rule = self.name("the name of the rule that is tested")?;
        let open = self.open_brace("`{` and the steps of the test")?;
        let mut steps = Vec::new();
        let depth = self.brackets.depth(open) + 1;
        loop {
            if self.eat(LexemeKind::CloseBrace) {
                break;
            }
            if self.is(LexemeKind::End) || self.at_item() {
                let diagnostic = self.unclosed(open);
                self.report(diagnostic);
                break;
            }
            if self.semicolon() {
                continue;
            }
            let start = self.peek().span;
            let index = self.at;
            self.nesting = 0;
            match self.test_step() {
                Ok(step) => steps.push(Spanned { node: step, span: self.since(start) }),
                Err(AlreadyReported) => {
                    self.skip_in_body(index, open, depth, |this| {
                        this.peek().first_on_line && words::TEST_STEPS.contains(&this.word())
                            || this.at_test_step()
                    });
                }
            }
        }
        Ok(Test { rule, steps })
    }

    /// After a mistake in the body of a rule or test that the brace at `open` opens: goes on to its
    /// end, to where `resumes` says so, or to the next item. Behind the token `start` at least.
    pub(super) fn skip_in_body(
        &mut self,
        start: usize,
        open: usize,
        depth: u32,
        resumes: impl Fn(&Self) -> bool,
    ) {
        let close = self.brackets.partner(open);
        loop {
            if self.is(LexemeKind::End) || close == Some(self.at) || self.at_item() {
                return;
            }
            if self.at > start && self.brackets.depth(self.at) == depth && resumes(self) {
                return;
            }
            if self.brackets.depth(self.at) < depth && self.at > start {
                return;
            }
            self.bump();
        }
    }

    /// True if a step of a test plainly starts here.
    pub(super) fn at_test_step(&self) -> bool {
        match self.word() {
            "at" => self.nth(1).kind == LexemeKind::Duration,
            "advance" => self.word_at(1) == "to",
            "expect" => matches!(self.word_at(1), "no" | "match" | "timeout"),
            _ => false,
        }
    }

    fn test_step(&mut self) -> Parsed<TestStep> {
        const EXPECTED: &str = "`at`, `advance` or `expect`";
        let word = self.word();
        let word = if words::TEST_STEPS.contains(&word) {
            word
        } else {
            let diagnostic = self.not_expected(EXPECTED);
            let Some(meant) = self.misspelled(&words::TEST_STEPS) else {
                let help = "write an event as `at 5s login { user: \"ann\" }`";
                return self.fail(diagnostic.help(help));
            };
            self.report(diagnostic.help(format!("did you mean `{meant}`?")));
            meant
        };
        self.bump();
        match word {
            "at" => {
                let at = self.moment()?;
                let ty = self.name("the event type")?;
                if !self.is(LexemeKind::OpenBrace) {
                    let diagnostic = self.not_expected("`{` and the event's fields");
                    let help = format!("without fields, write `{} {{}}`", ty.node);
                    return self.fail(diagnostic.help(help));
                }
                let fields = self.record()?;
                Ok(TestStep::Event { at, ty, fields })
            }
            "advance" => {
                if self.is(LexemeKind::Duration) {
                    let shown = self.text_of(self.peek());
                    self.report_unexpected("`to`", format!("write `advance to {shown}`"));
                } else {
                    self.expect_word("to")?;
                }
                Ok(TestStep::Advance(self.moment()?))
            }
            _ => self.expectation(),
        }
    }

    /// Parses the text behind `expect`.
    fn expectation(&mut self) -> Parsed<TestStep> {
        let no = if self.is_word("not") {
            let help = "write `no`, as in `expect no match`";
            self.report_unexpected("`match`, `timeout` or `no`", help);
            self.bump();
            true
        } else {
            self.eat_word("no")
        };
        let timeout = match self.word() {
            "match" => false,
            "timeout" => true,
            _ => {
                let expected =
                    if no { "`match` or `timeout`" } else { "`match`, `timeout` or `no`" };
                let help = "write `expect match { ... }` or `expect no match`";
                return self.fail_unexpected(expected, help);
            }
        };
        self.bump();
        let fields = if self.is(LexemeKind::OpenBrace) { self.record()? } else { Vec::new() };
        let count = self.expected_count(timeout)?;
        // `at 11m`, unless an event follows: `at 11m login {`.
        let mut at = None;
        if self.is_word("at") && !self.at_test_event() {
            self.bump();
            at = Some(self.moment()?);
        }
        Ok(TestStep::Expect { no, timeout, fields, count, at })
    }

    /// `count 31`, behind what a match holds.
    fn expected_count(&mut self, timeout: bool) -> Parsed<Option<Spanned<u64>>> {
        if !self.is_word("count") {
            return Ok(None);
        }
        if timeout {
            let help = "`count` only counts matches, not timeouts";
            return self.fail_unexpected("`at` or the next line of the test", help);
        }
        self.bump();
        let token = self.peek();
        if token.kind != LexemeKind::Int {
            return self.fail_unexpected("the number of matches", "write `expect match count 3`");
        }
        let number = lex::int(self.text_of(token)).unwrap_or(u64::MAX);
        self.bump();
        Ok(Some(Spanned { node: number, span: token.span }))
    }

    fn at_test_event(&self) -> bool {
        self.nth(1).kind == LexemeKind::Duration
            && matches!(self.nth(2).kind, LexemeKind::Word | LexemeKind::Quoted)
            && self.nth(3).kind == LexemeKind::OpenBrace
    }

    /// A duration in a test: so long after its start.
    fn moment(&mut self) -> Parsed<Spanned<i64>> {
        let span = self.peek().span;
        let node = self.duration_literal("a duration since the start of the test, such as `5s`")?;
        Ok(Spanned { node, span })
    }

    /// A duration as written, in milliseconds.
    pub(super) fn duration_literal(&mut self, expected: &str) -> Parsed<i64> {
        if self.is(LexemeKind::Duration) {
            let Some(Literal::Duration(millis)) = self.plain_literal(Sign::Plus)? else {
                return Err(AlreadyReported);
            };
            return Ok(millis);
        }
        let diagnostic = self.not_expected(expected);
        self.fail(self.with_unit_help(diagnostic))
    }

    /// Says how a duration is written, if a number without unit is looked at.
    pub(super) fn with_unit_help(&self, diagnostic: Diagnostic) -> Diagnostic {
        if !matches!(self.kind(), LexemeKind::Int | LexemeKind::Float) {
            return diagnostic;
        }
        let number = self.text_of(self.peek());
        let next = self.nth(1);
        let unit = lex::unit_elsewhere(self.word_at(1)).filter(|_| !next.first_on_line);
        match unit {
            Some(unit) => {
                let span: Span = self.peek().span.to(next.span);
                let message = "a number and its unit must be one word";
                let diagnostic = Diagnostic::error(Code::UnexpectedToken, span, message);
                diagnostic.help(format!("write `{number}{unit}`"))
            }
            None if number == "0" => diagnostic.help("write `0s`"),
            None => diagnostic.help(format!(
                "add a unit: `{number}ms`, `{number}s`, `{number}m`, `{number}h` or `{number}d`"
            )),
        }
    }
}
