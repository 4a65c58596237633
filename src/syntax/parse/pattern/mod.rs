//! The pattern of a rule: sequences, steps, quantifiers.

use crate::diagnostic::{Code, Diagnostic, Span, nearest};

use super::super::ast::{
    ANY_EVENT, Arrow, Body, Choice, Contiguity, Gap, Junction, LoopMode, Part, Quant, Sequence,
    Spanned, Step, Take, Unit, Until,
};
use super::super::lex::{self, TokenKind};
use super::super::{MAX_REPETITIONS, words};
use super::{Parsed, Parser, Reported};

pub(super) const EXPECTED_STEP: &str = "a step such as `login` or `login[not ok]`";

const NO_GROUP: &str = "here stand single steps, joined by `or`: `not (a or b[v > 3])`";

const LOOP_WORDS: [&str; 5] = ["next", "any", "greedy", "each", "longest"];

impl Parser<'_> {
    /// `seq ((and seq)+ | (or seq)+)? (without choice)?`
    pub(super) fn body(&mut self) -> Parsed<Body> {
        let start = self.peek().span;
        let mut sequences = vec![self.sequence()?];
        let mut first: Option<(Junction, Span)> = None;
        while let Some(junction) = self.junction() {
            let token = self.peek();
            match first {
                Some((first, place)) if first != junction => {
                    let message = "`and` and `or` are mixed without parentheses";
                    let help = "say what belongs together: `(a and b) or c`, or `a and (b or c)`";
                    self.report(
                        Diagnostic::error(Code::MixedAndOr, token.span, message)
                            .context(place, "the other one is here")
                            .help(help),
                    );
                }
                Some(_) => {}
                None => first = Some((junction, token.span)),
            }
            self.bump();
            sequences.push(self.sequence()?);
        }
        let without =
            if self.eat_joint("without") { Some(self.choice(EXPECTED_STEP)?) } else { None };
        let joined_by = first.map(|(junction, _)| junction);
        Ok(Body { sequences, joined_by, without, span: self.since(start) })
    }

    /// The `and` or `or` that is looked at, however it is spelled.
    fn junction(&mut self) -> Option<Junction> {
        if self.at_pipe() {
            return None;
        }
        let (junction, shown) = match self.kind() {
            TokenKind::AndAnd => (Junction::And, "and"),
            TokenKind::OrOr => (Junction::Or, "or"),
            _ => match self.word() {
                "and" => return Some(Junction::And),
                "or" => return Some(Junction::Or),
                word if word.eq_ignore_ascii_case("and") => (Junction::And, "and"),
                word if word.eq_ignore_ascii_case("or") => (Junction::Or, "or"),
                _ => return None,
            },
        };
        self.spelled(shown);
        Some(junction)
    }

    /// Takes `word` where no name can stand, in capitals too, which is reported.
    fn eat_joint(&mut self, word: &str) -> bool {
        let found = self.word();
        if !found.eq_ignore_ascii_case(word) || found != word && self.peek().first_on_line {
            return false;
        }
        if found != word {
            self.spelled(word);
        }
        self.bump();
        true
    }

    /// Reports that what is looked at is spelled `shown` here.
    pub(super) fn spelled(&mut self, shown: &str) {
        let found = self.found();
        let message = if self.word().eq_ignore_ascii_case(shown) {
            format!("{found} is written in lower case")
        } else {
            format!("{found} is not part of the language")
        };
        let diagnostic = Diagnostic::error(Code::UnexpectedToken, self.peek().span, message);
        self.report(diagnostic.help(format!("write `{shown}`")));
    }

    fn sequence(&mut self) -> Parsed<Sequence> {
        let start = self.peek().span;
        let depth = self.brackets.depth(self.at);
        let mut parts = Vec::new();
        let mut failed = false;
        let mut arrow = Arrow::default();
        loop {
            if let Ok(part) = self.part() {
                parts.push((arrow, part));
            } else {
                failed = true;
                if !self.skip_to_arrow(depth) {
                    return Err(Reported);
                }
            }
            arrow = loop {
                match self.arrow() {
                    Ok(Some(arrow)) => break arrow,
                    Ok(None) if failed => return Err(Reported),
                    Ok(None) => return Ok(Sequence { parts, span: self.since(start) }),
                    Err(Reported) => {
                        failed = true;
                        if !self.skip_to_arrow(depth) {
                            return Err(Reported);
                        }
                    }
                }
            };
        }
    }

    /// After a mistake in a sequence: goes on to its next arrow, if one comes before the sequence
    /// surely ends.
    fn skip_to_arrow(&mut self, depth: u32) -> bool {
        let mut at = self.at;
        loop {
            let token = self.tokens[at];
            let here = self.brackets.depth(at);
            if here < depth || token.kind == TokenKind::End {
                return false;
            }
            if here == depth {
                match token.kind {
                    TokenKind::Arrow | TokenKind::FatArrow => {
                        // A part may have failed at the arrow itself, as in `-> -> b`.
                        self.jump(at);
                        return true;
                    }
                    TokenKind::CloseBrace | TokenKind::CloseParen | TokenKind::CloseBracket
                        if at == self.at =>
                    {
                        return false;
                    }
                    TokenKind::Word if token.first_on_line && at > self.at => {
                        let word = self.text_of(token);
                        if words::CLAUSES.contains(&word) || words::ITEMS.contains(&word) {
                            return false;
                        }
                    }
                    TokenKind::Word
                        if matches!(self.text_of(token), "within" | "emit" | "and" | "or") =>
                    {
                        return false;
                    }
                    _ => {}
                }
            }
            at += 1;
        }
    }

    /// The arrow that is looked at, or that is missing before another part; none if the sequence
    /// ends here.
    fn arrow(&mut self) -> Parsed<Option<Arrow>> {
        let start = self.peek().span;
        match self.kind() {
            TokenKind::Arrow => {}
            TokenKind::FatArrow => self.spelled("->"),
            TokenKind::OrOr if self.at_pipe() => {
                let diagnostic = self.not_expected("`->` or the end of the pattern");
                let help = words::joint_elsewhere(self.word_at(1)).unwrap_or(words::JOINED);
                return self.fail(diagnostic.help(help));
            }
            _ if self.foreign_arrow() => return Ok(Some(Arrow::default())),
            TokenKind::Minus if self.nth(1).kind == TokenKind::Gt => {
                let place = start.to(self.nth(1).span);
                let message = "an arrow is written without a space in it";
                self.report(
                    Diagnostic::error(Code::UnexpectedToken, place, message).help("write `->`"),
                );
                self.bump();
            }
            _ if self.arrow_is_missing() => {
                let next = self.nth(1);
                let foreign = words::joint_elsewhere(self.word());
                if self.word_at(1) != "as"
                    && !next.first_on_line
                    && (foreign.is_some()
                        || next.kind == TokenKind::Int
                        || next.kind == TokenKind::Word
                            && self.is(TokenKind::Word)
                            && !words::CLAUSES.contains(&self.word_at(1)))
                    && !self.is_word("not")
                {
                    // Words in a row: this is prose, and none of them may be a step.
                    let diagnostic = self.not_expected("`->` or the end of the pattern");
                    let timer = self.word_at(1) == "timer";
                    let help = foreign
                        .filter(|_| !timer)
                        .or_else(|| {
                            words::clause_elsewhere(if timer { "window" } else { self.word() })
                        })
                        .unwrap_or("steps are joined with `->`; `a{3}` is three times `a`");
                    return self.fail(diagnostic.help(help));
                }
                let place = self.last_end().end;
                let place = Span { start: place, end: place };
                let help = format!("write `->` before {}", self.found());
                self.report(
                    Diagnostic::error(
                        Code::UnexpectedToken,
                        place,
                        "missing `->` between two steps",
                    )
                    .help(help),
                );
                return Ok(Some(Arrow::default()));
            }
            TokenKind::Word if matches!(self.word(), "next" | "any") && !self.is_any_event() => {
                // `a next b`, `a next -> b`
                let word = self.word();
                let diagnostic = self.not_expected("`->`");
                self.report(diagnostic.help(format!("write `-> {word}`")));
                let contiguity = self.contiguity();
                if matches!(self.kind(), TokenKind::Arrow | TokenKind::FatArrow) {
                    self.bump();
                }
                return Ok(Some(Arrow { contiguity, gap: None, span: Some(self.since(start)) }));
            }
            _ => return Ok(None),
        }
        self.bump();
        let gap = if self.is(TokenKind::OpenBracket) && !self.at_bracketed_event() {
            Some(self.gap()?)
        } else {
            None
        };
        let contiguity = self.contiguity();
        Ok(Some(Arrow { contiguity, gap, span: Some(self.since(start)) }))
    }

    /// Whether another part stands here without arrow.
    fn arrow_is_missing(&self) -> bool {
        let token = self.peek();
        let next = self.nth(1);
        match token.kind {
            TokenKind::OpenParen | TokenKind::Quoted => true,
            _ if self.is_any_event() => true,
            TokenKind::Int => self.word_at(1) == "of",
            TokenKind::Word => {
                let word = self.text_of(token);
                if word == "not" {
                    let begins = [TokenKind::Word, TokenKind::Quoted, TokenKind::OpenParen];
                    return begins.contains(&next.kind);
                }
                let lower = word.to_ascii_lowercase();
                if words::is_reserved(word)
                    || matches!(lower.as_str(), "and" | "or" | "without" | "within")
                {
                    return false;
                }
                if !token.first_on_line {
                    return true;
                }
                // On a line of its own it may be a clause that is misspelled.
                if nearest(word, words::CLAUSES).is_some() {
                    return false;
                }
                matches!(
                    next.kind,
                    TokenKind::OpenBracket
                        | TokenKind::Arrow
                        | TokenKind::FatArrow
                        | TokenKind::Plus
                        | TokenKind::Star
                        | TokenKind::Question
                        | TokenKind::CloseParen
                ) || next.kind == TokenKind::Word && (next.first_on_line || self.word_at(1) == "as")
            }
            _ => false,
        }
    }

    /// True at the wildcard `any event`. `event` is a word of the language, so that `any` before it
    /// is not the word of an arrow: a type of that name stands in back-quotes.
    fn is_any_event(&self) -> bool {
        self.is_word("any") && self.word_at(1) == "event" && !self.nth(1).first_on_line
    }

    fn contiguity(&mut self) -> Contiguity {
        if self.is_any_event() {
            return Contiguity::Relaxed;
        }
        if self.eat_word("next") {
            Contiguity::Next
        } else if self.eat_word("any") {
            Contiguity::Any
        } else {
            Contiguity::Relaxed
        }
    }

    /// `[ dur? .. dur? ]`
    fn gap(&mut self) -> Parsed<Gap> {
        let open = self.at;
        let start = self.bump().span;
        let gap = self.recover_in(open, |this| {
            let expected = "a duration or `..`";
            let min = if this.is(TokenKind::DotDot) { None } else { Some(this.dur(expected)?) };
            if !this.is(TokenKind::DotDot) {
                let diagnostic = this.not_expected("`..` between the ends of a gap");
                let separator = matches!(this.kind(), TokenKind::Comma | TokenKind::Minus);
                if separator && this.nth(1).kind != TokenKind::CloseBracket {
                    this.report(diagnostic.help("write `..` here, as in `[1m..5m]`"));
                    this.bump();
                    let max = this.dur("a duration or `]`")?;
                    this.close(open, "")?;
                    return Ok((min, Some(max)));
                }
                let shown = min.as_ref().map_or(Span::default(), super::super::ast::Dur::span);
                let shown = &this.text[shown.start as usize..shown.end as usize];
                let alone = this.is(TokenKind::CloseBracket)
                    && matches!(this.nth(1).kind, TokenKind::Arrow | TokenKind::FatArrow);
                let help = if alone {
                    "one of several event types is `(a or b)`; a gap is `->[..5m] b`".to_owned()
                } else {
                    format!("write `[..{shown}]` for at most, `[{shown}..]` for at least")
                };
                this.report(diagnostic.help(help));
                if alone {
                    // No step stands behind it: that is the same mistake.
                    this.noticed = Some(this.at + 1);
                }
                return Err(Reported);
            }
            this.bump();
            let max = if this.is(TokenKind::CloseBracket) {
                None
            } else {
                Some(this.dur("a duration or `]`")?)
            };
            this.close(open, "")?;
            Ok((min, max))
        })?;
        let (min, max) = gap.unwrap_or_default();
        Ok(Gap { min, max, span: self.since(start) })
    }

    fn part(&mut self) -> Parsed<Part> {
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

    /// What follows a `not`.
    fn negated(&mut self, start: Span) -> Parsed<Part> {
        let what = self.choice(EXPECTED_STEP)?;
        let duration = if self.eat_joint("for") {
            Some(self.dur("a duration such as `10m`")?)
        } else if matches!(self.kind(), TokenKind::Duration | TokenKind::Dollar) {
            let shown = self.text_of(self.peek());
            let shown =
                if shown == "$" { format!("${}", self.word_at(1)) } else { shown.to_owned() };
            let place = self.peek().span;
            self.report(
                Diagnostic::error(Code::UnexpectedToken, place, "missing `for`")
                    .help(format!("write `not {} for {shown}`", what.name())),
            );
            Some(self.dur("a duration such as `10m`")?)
        } else {
            None
        };
        let quantified = matches!(
            self.kind(),
            TokenKind::OpenBrace | TokenKind::Plus | TokenKind::Star | TokenKind::Question
        );
        if quantified {
            let diagnostic = self.not_expected("the end of the `not` step");
            return self.fail(diagnostic.help("what must not come has no number"));
        }
        let word = self.peek().span;
        let repeat = (duration.is_some() && self.eat_joint("repeat")).then_some(word);
        Ok(Part::Not { what, duration, repeat, span: self.since(start) })
    }

    /// `unit quant? (until ...)? (as NAME)?`
    fn take(&mut self) -> Parsed<Take> {
        let start = self.peek().span;
        let unit = self.unit()?;
        let quant = self.quant()?;
        self.end_anchor();
        let until = self.until()?;
        let alias = if self.eat_joint("as") { Some(self.name("a name")?) } else { None };
        if alias.is_some() {
            let what = match self.kind() {
                TokenKind::OpenBrace | TokenKind::Plus | TokenKind::Star | TokenKind::Question => {
                    Some("a quantifier")
                }
                _ if self.is_word("until") => Some("`until`"),
                _ => None,
            };
            if let Some(what) = what {
                let diagnostic = self.not_expected("`->` or the end of the step");
                return self.fail(diagnostic.help(format!(
                    "{what} stands before `as`: `login{{3}} until logout as fails`"
                )));
            }
        }
        if self.is_word("for") {
            let diagnostic = self.not_expected("`->` or the end of the step");
            return self.fail(diagnostic.help(
                "only `not` steps have `for`; for a bound write `(a -> b within 10m)` or `a ->[..10m] b`",
            ));
        }
        Ok(Take { unit, quant, until, alias, span: self.since(start) })
    }

    fn unit(&mut self) -> Parsed<Unit> {
        if self.is(TokenKind::OpenParen) {
            return self.nested(Self::group);
        }
        if self.is(TokenKind::Int) {
            if self.word_at(1) != "of" {
                let diagnostic = self.not_expected(EXPECTED_STEP);
                let step = if self.word_at(1).is_empty() { "a" } else { self.word_at(1) };
                let number = self.text_of(self.peek());
                let help = format!(
                    "`{step}{{{number}}}` is {number} times `{step}`; `2 of (a, b, c)` is any two of three"
                );
                return self.fail(diagnostic.help(help));
            }
            return self.nested(Self::of);
        }
        Ok(Unit::Step(self.step(EXPECTED_STEP)?))
    }

    /// `( body within dur )`
    fn group(&mut self) -> Parsed<Unit> {
        let open = self.at;
        self.bump();
        let inner = self.recover_in(open, |this| {
            let body = this.body()?;
            let within = this.group_within()?;
            if this.is(TokenKind::Comma) {
                let diagnostic = this.not_expected("`->`, `within` or `)`");
                return this.fail(diagnostic.help(words::JOINED));
            }
            this.close(open, "`->`, `within`")?;
            Ok((body, within))
        })?;
        let Some((body, within)) = inner else {
            return Err(Reported);
        };
        Ok(Unit::Group(body, within))
    }

    fn group_within(&mut self) -> Parsed<Option<super::super::ast::Dur>> {
        if !self.eat_joint("within") {
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
        self.expect(TokenKind::OpenParen, "`(` and the steps to choose from")?;
        let inner = self.recover_in(open, |this| {
            let mut sequences = vec![this.sequence()?];
            while this.eat(TokenKind::Comma) {
                sequences.push(this.sequence()?);
            }
            if sequences.len() < 2 {
                let diagnostic = this.not_expected("`,` and another step");
                let help = "`of` chooses from two steps or more: `2 of (a, b, c)`";
                return this.fail(diagnostic.help(help));
            }
            let within = this.group_within()?;
            this.close(open, "`,`, `within`")?;
            Ok((sequences, within))
        })?;
        let Some((sequences, within)) = inner else {
            return Err(Reported);
        };
        Ok(Unit::Of(Spanned { node: count, span: token.span }, sequences, within))
    }

    /// `step`, or `( step (or step)* )`, behind `not`, `without` and `until`.
    fn choice(&mut self, expected: &str) -> Parsed<Choice> {
        let start = self.peek().span;
        if !self.is(TokenKind::OpenParen) {
            let steps = vec![self.step(expected)?];
            return Ok(Choice { steps, span: self.since(start) });
        }
        let open = self.at;
        self.bump();
        let inner = self.recover_in(open, |this| {
            let mut steps = vec![this.step(EXPECTED_STEP)?];
            while let Some(junction) = this.junction() {
                if junction == Junction::And {
                    let diagnostic = this.not_expected("`or` or `)`");
                    return this.fail(diagnostic.help(NO_GROUP));
                }
                this.bump();
                steps.push(this.step(EXPECTED_STEP)?);
            }
            if !this.is(TokenKind::CloseParen) {
                let diagnostic = this.not_expected("`or` or `)`");
                return this.fail(diagnostic.help(NO_GROUP));
            }
            this.close(open, "`or`")?;
            Ok(steps)
        })?;
        let Some(steps) = inner else { return Err(Reported) };
        Ok(Choice { steps, span: self.since(start) })
    }

    /// `NAME [ expr ]`, or `any event [ expr ]`
    pub(super) fn step(&mut self, expected: &str) -> Parsed<Step> {
        let start = self.peek().span;
        if self.is_any_event() {
            self.bump();
            self.bump();
            let name = Spanned { node: ANY_EVENT.to_owned(), span: self.since(start) };
            let condition = if self.is(TokenKind::OpenBracket) { self.condition()? } else { None };
            return Ok(Step { name, wildcard: true, condition, span: self.since(start) });
        }
        if matches!(self.word(), "next" | "any") {
            let word = self.word();
            let diagnostic = self.not_expected(expected);
            let help = format!("`{word}` stands after an arrow: `a -> {word} b`");
            return self.fail(diagnostic.help(help));
        }
        if self.at_bracketed_event() {
            return self.bracketed_event();
        }
        let name = self.name(expected)?;
        if self.is(TokenKind::Dot) && self.nth(2).kind == TokenKind::OpenParen {
            let diagnostic = self.not_expected("`->` or the end of the step");
            let help = words::call_elsewhere(self.word_at(1));
            return self.fail(diagnostic.help(help));
        }
        if self.is(TokenKind::Dot) && self.peek().span.start == self.last_end().end {
            let diagnostic = self.not_expected("the end of the event type's name");
            let rest = self.word_at(1);
            let help =
                format!("a name with a dot stands in back-quotes: `` `{}.{rest}` ``", name.node);
            return self.fail(diagnostic.help(help));
        }
        let condition = if self.is(TokenKind::OpenBracket) {
            self.condition()?
        } else {
            self.parentheses_behind(&name)?
        };
        Ok(Step { name, wildcard: false, condition, span: self.since(start) })
    }

    /// `[ expr ]`; none if something is wrong in it, which is reported.
    fn condition(&mut self) -> Parsed<Option<Spanned<super::super::ast::Expr>>> {
        let open = self.at;
        self.bump();
        self.recover_in(open, |this| {
            let expr = this.expr()?;
            if this.is(TokenKind::Comma) {
                let diagnostic = this.not_expected("`]` or an operator");
                let listed = matches!(
                    this.nth(1).kind,
                    TokenKind::Int | TokenKind::Float | TokenKind::Str | TokenKind::Duration
                );
                return this.fail(diagnostic.help(if listed {
                    "a list stands in square brackets: `x in [1, 2]`"
                } else {
                    "several conditions are joined with `and`"
                }));
            }
            this.close_expr(open)?;
            Ok(expr)
        })
    }

    fn until(&mut self) -> Parsed<Option<Until>> {
        if !self.eat_joint("until") {
            return Ok(None);
        }
        if self.is(TokenKind::OpenBracket) {
            return Ok(self.condition()?.map(Until::Condition));
        }
        let choice =
            self.choice("a step or a condition in brackets, such as `logout` or `[amount > 5]`")?;
        Ok(Some(Until::Step(choice)))
    }

    fn quant(&mut self) -> Parsed<Option<Quant>> {
        let start = self.peek().span;
        let (min, max) = match self.kind() {
            TokenKind::Question => (0, Some(1)),
            TokenKind::Star => (0, None),
            TokenKind::Plus => (1, None),
            TokenKind::OpenBrace => return self.braces(),
            _ => return Ok(None),
        };
        self.bump();
        if let word @ ("next" | "any" | "greedy" | "each" | "longest") = self.word() {
            let shown = match max {
                None => format!("{{{min}.. {word}}}"),
                Some(max) => format!("{{{min}..{max} {word}}}"),
            };
            let diagnostic = self.not_expected("`->` or the end of the step");
            return self.fail(diagnostic.help(format!("write `{shown}`")));
        }
        Ok(Some(Quant {
            min,
            max,
            contiguity: Contiguity::Relaxed,
            mode: None,
            span: self.since(start),
        }))
    }

    /// `{ INT (.. INT?)? (next | any)? (greedy | each | longest)? }`
    fn braces(&mut self) -> Parsed<Option<Quant>> {
        let open = self.at;
        let start = self.bump().span;
        let inner = self.recover_in(open, |this| {
            let (min, max) = this.range()?;
            let mut contiguity = None;
            let mut mode = None;
            loop {
                let word = this.word();
                let repeated = match word {
                    "next" => contiguity.replace(Contiguity::Next).is_some(),
                    "any" => contiguity.replace(Contiguity::Any).is_some(),
                    "greedy" => mode.replace(LoopMode::Greedy).is_some(),
                    "each" => mode.replace(LoopMode::Each).is_some(),
                    "longest" => mode.replace(LoopMode::Longest).is_some(),
                    _ => break,
                };
                if repeated {
                    let help = "a loop has one of `next` and `any`, then one of `greedy`, `each` and `longest`";
                    let diagnostic = this.not_expected("`}`");
                    return this.fail(diagnostic.help(help));
                }
                this.bump();
            }
            if matches!(this.word(), "times" | "x" | "or") {
                let diagnostic = this.not_expected("`..` or `}`");
                return this.fail(diagnostic.help(format!("write `{{{min}}}`, or `{{{min}..}}` for at least so many")));
            }
            if let Some(meant) = this.misspelled(&LOOP_WORDS) {
                let diagnostic = this.not_expected("`next`, `any`, `greedy`, `each`, `longest` or `}`");
                return this.fail(diagnostic.help(format!("did you mean `{meant}`?")));
            }
            let expected = if contiguity.is_none() && mode.is_none() {
                "`..`, `next`, `any`, `greedy`, `each`, `longest`"
            } else {
                ""
            };
            this.close(open, expected)?;
            Ok((min, max, contiguity.unwrap_or_default(), mode))
        })?;
        Ok(inner.map(|(min, max, contiguity, mode)| Quant {
            min,
            max,
            contiguity,
            mode,
            span: self.since(start),
        }))
    }

    /// `INT (.. INT?)?` in the braces of a quantifier.
    fn range(&mut self) -> Parsed<(u64, Option<u64>)> {
        let start = self.peek();
        if start.kind != TokenKind::Int {
            let diagnostic = self.not_expected("a number of repetitions");
            let next = self.nth(1);
            if matches!(start.kind, TokenKind::DotDot | TokenKind::Comma)
                && next.kind == TokenKind::Int
            {
                let most = self.text_of(next);
                let help = format!("write `{{0..{most}}}`, or `{{1..{most}}}` for at least one");
                return self.fail(diagnostic.help(help));
            }
            let help = "write `{3}`, `{3..}` or `{3..5}`";
            return self.fail(diagnostic.help(help));
        }
        self.bump();
        let min = self.repetitions(start);
        let separator = self.peek();
        match separator.kind {
            TokenKind::DotDot => {}
            TokenKind::Comma | TokenKind::Minus => {
                let least = self.text_of(start);
                let most = self.nth(1);
                let most = if most.kind == TokenKind::Int { self.text_of(most) } else { "" };
                let diagnostic = self.not_expected("`..` between least and most");
                self.report(diagnostic.help(format!("write `{{{least}..{most}}}`")));
            }
            _ => return Ok((min, Some(min))),
        }
        self.bump();
        let end = self.peek();
        if end.kind != TokenKind::Int {
            return Ok((min, None));
        }
        self.bump();
        Ok((min, Some(self.repetitions(end))))
    }

    /// The number that `token` is, reported if it is beyond the limit.
    fn repetitions(&mut self, token: super::Token) -> u64 {
        let text = self.text_of(token);
        match lex::int(text) {
            Some(number) if number <= MAX_REPETITIONS => number,
            // A number that is beyond an int was reported already.
            None => MAX_REPETITIONS,
            Some(_) => {
                self.diagnostics.push(Diagnostic::error(
                    Code::LimitExceeded,
                    token.span,
                    format!("`{text}` is beyond the limit of {MAX_REPETITIONS}"),
                ));
                MAX_REPETITIONS
            }
        }
    }
}
