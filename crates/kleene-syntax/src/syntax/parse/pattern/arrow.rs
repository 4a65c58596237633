//! Parses the arrow between two steps, with its contiguity and its gap.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Arrow, Contiguity, Gap};
use crate::syntax::lex::LexemeKind;
use crate::syntax::parse::{AlreadyReported, Parsed, Parser};
use crate::syntax::{ast, words};
use kleene_event::util::spelling::nearest;

impl Parser<'_> {
    /// The arrow that is looked at, or that is missing before another part; none if the sequence
    /// ends here.
    pub(super) fn arrow(&mut self) -> Parsed<Option<Arrow>> {
        let start = self.peek().span;
        match self.kind() {
            LexemeKind::Arrow => {}
            LexemeKind::FatArrow => self.spelled("->"),
            LexemeKind::OrOr if self.at_pipe() => {
                let help = words::joint_elsewhere(self.word_at(1)).unwrap_or(words::JOINED);
                return self.fail_unexpected("`->` or the end of the pattern", help);
            }
            _ if self.foreign_arrow() => return Ok(Some(Arrow::default())),
            _ if self.at_foreign_bound().is_some() => return Ok(None),
            LexemeKind::Semicolon if self.arrow_is_meant() => {
                return self.fail_unexpected("`->` or the end of the pattern", words::JOINED);
            }
            LexemeKind::Minus if self.nth(1).kind == LexemeKind::Gt => {
                let place = start.to(self.nth(1).span);
                let message = "an arrow has no space in it";
                self.report_at(place, message, "write `->`");
                self.bump();
            }
            _ if self.arrow_is_missing() => {
                let next = self.nth(1);
                let foreign = words::joint_elsewhere(self.word());
                if self.word_at(1) != "as"
                    && !next.first_on_line
                    && (foreign.is_some()
                        || next.kind == LexemeKind::Int
                        || next.kind == LexemeKind::Word
                            && self.is(LexemeKind::Word)
                            && !words::CLAUSES.contains(&self.word_at(1)))
                    && !self.is_word("not")
                {
                    if let Some(diagnostic) = self.misspelled_not() {
                        return self.fail(diagnostic);
                    }
                    // Words in a row: this is prose, and none of them may be a step.
                    let diagnostic = self.not_expected("`->` or the end of the pattern");
                    let timer = self.word_at(1) == "timer";
                    let help = foreign
                        .filter(|_| !timer)
                        .filter(|_| !self.at_runs())
                        .or_else(|| self.at_runs().then_some(words::HOW_OFTEN))
                        .or_else(|| {
                            words::clause_elsewhere(if timer { "window" } else { self.word() })
                        })
                        .unwrap_or("join steps with `->`; to repeat a step, write `a{3}`");
                    return self.fail(diagnostic.help(help));
                }
                let place = self.last_end().end;
                let place = Span { start: place, end: place };
                let help = format!("write `->` before {}", self.found());
                self.report_at(place, "missing `->` between two steps", help);
                return Ok(Some(Arrow::default()));
            }
            LexemeKind::Word if matches!(self.word(), "next" | "any") && !self.is_any_event() => {
                // `a next b`, `a next -> b`
                let word = self.word();
                self.report_unexpected("`->`", format!("write `-> {word}`"));
                let contiguity = if word == "next" { Contiguity::Next } else { Contiguity::Any };
                self.bump();
                if matches!(self.kind(), LexemeKind::Arrow | LexemeKind::FatArrow) {
                    self.bump();
                }
                return Ok(Some(Arrow { contiguity, gap: None, span: Some(self.since(start)) }));
            }
            _ => return Ok(None),
        }
        self.bump();
        let gap = if self.is(LexemeKind::OpenBracket) && !self.at_bracketed_event() {
            Some(self.gap()?)
        } else {
            None
        };
        let contiguity = self.contiguity();
        Ok(Some(Arrow { contiguity, gap, span: Some(self.since(start)) }))
    }

    /// What is wrong with `a -> nt b for 5m`: the word before the one that is looked at is meant to be
    /// `not`.
    fn misspelled_not(&self) -> Option<Diagnostic> {
        let last = self.tokens[self.at.checked_sub(1)?];
        let (word, next) = (self.text_of(last), self.word());
        let is_name = |before: usize| self.text_of(self.tokens[before]) == "as";
        if last.kind != LexemeKind::Word
            || self.at.checked_sub(2).is_some_and(is_name)
            || self.peek().first_on_line
            || words::is_reserved(word)
            || words::is_reserved(next)
        {
            return None;
        }
        let meant = nearest(word, ["not"])?;
        let message = format!("expected `->` between `{word}` and `{next}`");
        let diagnostic = Diagnostic::error(Code::UnexpectedToken, last.span, message);
        Some(diagnostic.help(format!("did you mean `{meant}`?")))
    }

    /// True at a `;` between two steps.
    fn arrow_is_meant(&self) -> bool {
        let next = self.nth(1);
        let is_step = match next.kind {
            LexemeKind::Word => !words::CLAUSES.contains(&self.word_at(1)),
            LexemeKind::Quoted | LexemeKind::OpenParen => true,
            _ => false,
        };
        is_step && !next.first_on_line
    }

    /// True if another part stands here without arrow.
    fn arrow_is_missing(&self) -> bool {
        let token = self.peek();
        let next = self.nth(1);
        match token.kind {
            LexemeKind::OpenParen | LexemeKind::Quoted => true,
            _ if self.is_any_event() => true,
            LexemeKind::Int => self.word_at(1) == "of",
            LexemeKind::Word => {
                let word = self.text_of(token);
                if word == "not" {
                    let begins = [LexemeKind::Word, LexemeKind::Quoted, LexemeKind::OpenParen];
                    return begins.contains(&next.kind);
                }
                let lower = word.to_ascii_lowercase();
                if words::is_reserved(word)
                    || matches!(lower.as_str(), "and" | "or" | "without" | "within")
                {
                    return false;
                }
                // No step has a time after it: this is a clause, or `for`, that is misspelled.
                if next.kind == LexemeKind::Duration {
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
                    LexemeKind::OpenBracket
                        | LexemeKind::Arrow
                        | LexemeKind::FatArrow
                        | LexemeKind::Plus
                        | LexemeKind::Star
                        | LexemeKind::Question
                        | LexemeKind::CloseParen
                ) || next.kind == LexemeKind::Word
                    && (next.first_on_line || self.word_at(1) == "as")
            }
            _ => false,
        }
    }

    /// True at the wildcard `any event`. `event` is a word of the language, so that `any` before it
    /// is not the word of an arrow: a type of that name stands in back-quotes.
    pub(super) fn is_any_event(&self) -> bool {
        self.is_word("any") && self.word_at(1) == "event" && !self.nth(1).first_on_line
    }

    fn contiguity(&mut self) -> Contiguity {
        if self.is_any_event() || self.at_bare_any() {
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

    /// The help for `[< 5m]`.
    fn help_for_compared_gap(&self) -> Option<String> {
        let bound = self.nth(1);
        let text = self.text_of(bound);
        let is_duration = bound.kind == LexemeKind::Duration;
        match self.kind() {
            LexemeKind::Lt | LexemeKind::Le if is_duration => Some(format!("write `[..{text}]`")),
            LexemeKind::Gt | LexemeKind::Ge if is_duration => Some(format!("write `[{text}..]`")),
            _ => None,
        }
    }

    /// `[ dur? .. dur? ]`
    fn gap(&mut self) -> Parsed<Gap> {
        let open = self.at;
        let start = self.bump().span;
        let gap = self.recover_in(open, |this| {
            let expected = "a duration or `..`";
            if let Some(help) = this.help_for_compared_gap() {
                return this.fail_unexpected(expected, help);
            }
            let min = if this.is(LexemeKind::DotDot) { None } else { Some(this.dur(expected)?) };
            if !this.is(LexemeKind::DotDot) {
                let diagnostic = this.not_expected("`..` between the ends of a gap");
                let separator = matches!(this.kind(), LexemeKind::Comma | LexemeKind::Minus);
                if separator && this.nth(1).kind != LexemeKind::CloseBracket {
                    this.report(diagnostic.help("write `..` here, as in `[1m..5m]`"));
                    this.bump();
                    let max = this.dur("a duration or `]`")?;
                    this.close(open, "")?;
                    return Ok((min, Some(max)));
                }
                let shown = min.as_ref().map_or(Span::default(), ast::Dur::span);
                let shown = &this.text[shown.start as usize..shown.end as usize];
                let alone = this.is(LexemeKind::CloseBracket)
                    && matches!(this.nth(1).kind, LexemeKind::Arrow | LexemeKind::FatArrow);
                let help = if alone {
                    "for one of several event types, write `(a or b)`; for a gap, `->[..5m] b`"
                        .to_owned()
                } else {
                    format!("write `[..{shown}]` for at most, `[{shown}..]` for at least")
                };
                this.report(diagnostic.help(help));
                if alone {
                    // No step stands behind it: that is the same mistake.
                    this.noticed = Some(this.at + 1);
                }
                return Err(AlreadyReported);
            }
            this.bump();
            let max = if this.is(LexemeKind::CloseBracket) {
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
}
