//! Steps and groups, and what must not come.

use super::EXPECTED_STEP;
use crate::diagnostic::Span;
use crate::syntax::ast::{ANY_EVENT, Choice, Junction, Part, Spanned, Step, Take, Unit};
use crate::syntax::lex::LexemeKind;
use crate::syntax::parse::{AlreadyReported, Parsed, Parser};
use crate::syntax::{ast, words};

const NO_GROUP: &str = "`not` takes single steps joined with `or`: `not (a or b[v > 3])`";

impl Parser<'_> {
    pub(super) fn part(&mut self) -> Parsed<Part> {
        let start = self.peek().span;
        self.foreign_prefix()?;
        if self.foreign_not() || self.eat_word("not") {
            return self.negated(start);
        }
        let name = self.foreign_alias();
        let mut take = self.take()?;
        take.alias = take.alias.or(name);
        Ok(Part::Take(Box::new(take)))
    }

    /// Parses the step behind `not`.
    fn negated(&mut self, start: Span) -> Parsed<Part> {
        let what = self.choice(EXPECTED_STEP)?;
        let early = self.repeat_before_time(start);
        let duration = if self.eat_joint("for") || self.misspelled_for() {
            Some(self.dur("a duration such as `10m`")?)
        } else if matches!(self.kind(), LexemeKind::Duration | LexemeKind::Dollar) {
            let shown = self.text_of(self.peek());
            let shown =
                if shown == "$" { format!("${}", self.word_at(1)) } else { shown.to_owned() };
            let place = self.peek().span;
            let help = format!("write `not {} for {shown}`", what.name());
            self.report_at(place, "missing `for`", help);
            Some(self.dur("a duration such as `10m`")?)
        } else {
            None
        };
        if self.at_quantifier() {
            let help = "a `not` step can't have a quantifier";
            return self.fail_unexpected("the end of the `not` step", help);
        }
        let repeat = match &duration {
            Some(time) => self.repeat(start, time).or(early),
            None => None,
        };
        Ok(Part::Not { what, duration, repeat, span: self.since(start) })
    }

    /// Takes a misspelled `for` before a duration, and reports it.
    fn misspelled_for(&mut self) -> bool {
        let is_meant = self.nth(1).kind == LexemeKind::Duration
            && self.misspelled(&["for", "within"]) == Some("for");
        if is_meant {
            self.report_unexpected("`for`", "did you mean `for`?".to_owned());
            self.bump();
        }
        is_meant
    }

    pub(super) fn at_quantifier(&self) -> bool {
        matches!(
            self.kind(),
            LexemeKind::OpenBrace | LexemeKind::Plus | LexemeKind::Star | LexemeKind::Question
        )
    }

    /// `unit quant? (until ...)? (as NAME)?`
    fn take(&mut self) -> Parsed<Take> {
        let start = self.peek().span;
        let unit = self.unit()?;
        let quant = self.quant()?;
        self.end_anchor();
        let until = self.until()?;
        let alias = if self.eat_joint("as") { Some(self.name("a name")?) } else { None };
        let mut take = Take { unit, quant, until, alias, span: start };
        self.misplaced_parts(&mut take)?;
        if self.is_word("for") {
            let help = "only `not` steps have `for`; to set a bound, write `(a -> b within 10m)` \
                        or `a ->[..10m] b`";
            return self.fail_unexpected("`->` or the end of the step", help);
        }
        Ok(Take { span: self.since(start), ..take })
    }

    fn unit(&mut self) -> Parsed<Unit> {
        if self.is(LexemeKind::OpenParen) {
            return self.nested(Self::group);
        }
        if self.is(LexemeKind::Int) {
            if self.word_at(1) != "of" {
                let diagnostic = self.not_expected(EXPECTED_STEP);
                let step = if self.word_at(1).is_empty() { "a" } else { self.word_at(1) };
                let number = self.text_of(self.peek());
                let help = format!(
                    "to repeat a step, write `{step}{{{number}}}`; to choose two of three, write \
                     `2 of (a, b, c)`"
                );
                return self.fail(diagnostic.help(help));
            }
            return self.nested(Self::of);
        }
        Ok(Unit::Step(self.step(EXPECTED_STEP)?))
    }

    /// `( body within dur )`
    fn group(&mut self) -> Parsed<Unit> {
        let open = self.bump_open();
        let inner = self.recover_in(open, |this| {
            let body = this.body()?;
            let within = this.group_within()?;
            if this.is(LexemeKind::Comma) {
                return this.fail_unexpected("`->`, `within` or `)`", words::JOINED);
            }
            this.close(open, "`->`, `within`")?;
            Ok((body, within))
        })?;
        let (body, within) = inner.ok_or(AlreadyReported)?;
        Ok(Unit::Group(body, within))
    }

    fn group_within(&mut self) -> Parsed<Option<ast::Dur>> {
        if !self.foreign_bound() && !self.eat_joint("within") {
            return Ok(None);
        }
        Ok(Some(self.dur("a duration such as `10m`")?))
    }

    /// `N of ( seq, seq, ... within dur )`
    fn of(&mut self) -> Parsed<Unit> {
        let token = self.bump();
        self.bump();
        let count = self.repetitions(token);
        let open = self.at;
        self.expect(LexemeKind::OpenParen, "`(` and the steps to choose from")?;
        let inner = self.recover_in(open, |this| {
            let mut sequences = vec![this.sequence()?];
            while this.eat(LexemeKind::Comma) {
                sequences.push(this.sequence()?);
            }
            if sequences.len() < 2 {
                let help = "`of` needs two or more steps to choose from: `2 of (a, b, c)`";
                return this.fail_unexpected("`,` and another step", help);
            }
            let within = this.group_within()?;
            this.close(open, "`,`, `within`")?;
            Ok((sequences, within))
        })?;
        let (sequences, within) = inner.ok_or(AlreadyReported)?;
        Ok(Unit::Of(Spanned { node: count, span: token.span }, sequences, within))
    }

    /// `step`, or `( step (or step)* )`, behind `not`, `without` and `until`.
    pub(super) fn choice(&mut self, expected: &str) -> Parsed<Choice> {
        let start = self.peek().span;
        if !self.is(LexemeKind::OpenParen) {
            let steps = vec![self.step(expected)?];
            return Ok(Choice { steps, span: self.since(start) });
        }
        let open = self.bump_open();
        let inner = self.recover_in(open, |this| {
            let mut steps = vec![this.step(EXPECTED_STEP)?];
            while let Some(junction) = this.junction() {
                if junction == Junction::And {
                    return this.fail_unexpected("`or` or `)`", NO_GROUP);
                }
                this.bump();
                steps.push(this.step(EXPECTED_STEP)?);
            }
            if !this.is(LexemeKind::CloseParen) {
                return this.fail_unexpected("`or` or `)`", NO_GROUP);
            }
            this.close(open, "`or`")?;
            Ok(steps)
        })?;
        let steps = inner.ok_or(AlreadyReported)?;
        Ok(Choice { steps, span: self.since(start) })
    }

    /// `NAME [ expr ]`, or `any event [ expr ]`
    pub(in crate::syntax::parse) fn step(&mut self, expected: &str) -> Parsed<Step> {
        let start = self.peek().span;
        if self.is_any_event() {
            self.bump();
            self.bump();
            let name = Spanned { node: ANY_EVENT.to_owned(), span: self.since(start) };
            let condition = if self.is(LexemeKind::OpenBracket) { self.condition()? } else { None };
            return Ok(Step { name, wildcard: true, condition, span: self.since(start) });
        }
        if self.at_bare_any() {
            return self.bare_any();
        }
        if matches!(self.word(), "next" | "any") {
            let word = self.word();
            let help = format!("put `{word}` after an arrow: `a -> {word} b`");
            return self.fail_unexpected(expected, help);
        }
        if self.at_bracketed_event() {
            return self.bracketed_event();
        }
        let name = self.name(expected)?;
        if self.is(LexemeKind::Dot) && self.nth(2).kind == LexemeKind::OpenParen {
            let help = words::call_elsewhere(self.word_at(1));
            return self.fail_unexpected("`->` or the end of the step", help);
        }
        if self.is(LexemeKind::Dot) && self.peek().span.start == self.last_end().end {
            let rest = self.word_at(1);
            let help =
                format!("put a name with a dot in back-quotes: `` `{}.{rest}` ``", name.node);
            return self.fail_unexpected("the end of the event type's name", help);
        }
        let condition = if self.is(LexemeKind::OpenBracket) {
            self.condition()?
        } else {
            self.parentheses_behind(&name)?
        };
        Ok(Step { name, wildcard: false, condition, span: self.since(start) })
    }

    /// `[ expr ]`; none if something is wrong in it, which is reported.
    pub(super) fn condition(&mut self) -> Parsed<Option<Spanned<ast::Expr>>> {
        let open = self.bump_open();
        self.recover_in(open, |this| {
            let expr = this.expr()?;
            if this.is(LexemeKind::Comma) {
                let listed = matches!(
                    this.nth(1).kind,
                    LexemeKind::Int | LexemeKind::Float | LexemeKind::Str | LexemeKind::Duration
                );
                let help = if listed {
                    "put a list in square brackets: `x in [1, 2]`"
                } else {
                    "join several conditions with `and`"
                };
                return this.fail_unexpected("`]` or an operator", help);
            }
            this.close_expr(open)?;
            Ok(expr)
        })
    }
}
