//! Parses the repetitions of a step or a group, and their end.

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::MAX_REPETITIONS;
use crate::syntax::ast::{Contiguity, LoopMode, Quant, Until};
use crate::syntax::lex::{self, LexemeKind};
use crate::syntax::parse::{Lexeme, Parsed, Parser};

const LOOP_WORDS: [&str; 5] = ["next", "any", "greedy", "each", "longest"];

impl Parser<'_> {
    pub(super) fn until(&mut self) -> Parsed<Option<Until>> {
        if !self.eat_joint("until") {
            return Ok(None);
        }
        if self.is(LexemeKind::OpenBracket) {
            return Ok(self.condition()?.map(Until::Condition));
        }
        let choice =
            self.choice("a step or a condition in brackets, such as `logout` or `[amount > 5]`")?;
        Ok(Some(Until::Step(choice)))
    }

    pub(super) fn quant(&mut self) -> Parsed<Option<Quant>> {
        let start = self.peek().span;
        let (min, max) = match self.kind() {
            LexemeKind::Question => (0, Some(1)),
            LexemeKind::Star => (0, None),
            LexemeKind::Plus => (1, None),
            LexemeKind::OpenBrace => return self.braces(),
            _ => return Ok(None),
        };
        self.bump();
        if let word @ ("next" | "any" | "greedy" | "each" | "longest") = self.word() {
            let shown = match max {
                None => format!("{{{min}.. {word}}}"),
                Some(max) => format!("{{{min}..{max} {word}}}"),
            };
            return self.fail_unexpected("`->` or the end of the step", format!("write `{shown}`"));
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
                    let help = "a loop can have `next` or `any`, then one of `greedy`, `each` and \
                                `longest`";
                    return this.fail_unexpected("`}`", help);
                }
                this.bump();
            }
            if matches!(this.word(), "times" | "x" | "or") {
                let help = format!("write `{{{min}}}`, or `{{{min}..}}` for at least {min}");
                return this.fail_unexpected("`..` or `}`", help);
            }
            if let Some(meant) = this.misspelled(&LOOP_WORDS) {
                let diagnostic =
                    this.not_expected("`next`, `any`, `greedy`, `each`, `longest` or `}`");
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
        if start.kind != LexemeKind::Int {
            let diagnostic = self.not_expected("a number of repetitions");
            let next = self.nth(1);
            if matches!(start.kind, LexemeKind::DotDot | LexemeKind::Comma)
                && next.kind == LexemeKind::Int
            {
                let most = self.text_of(next);
                let help = format!("write `{{0..{most}}}`, or `{{1..{most}}}` for at least one");
                return self.fail(diagnostic.help(help));
            }
            let bound = lex::int(self.text_of(next)).filter(|_| next.kind == LexemeKind::Int);
            let range = bound.and_then(|bound| match start.kind {
                LexemeKind::Ge => Some(format!("{{{bound}..}}")),
                LexemeKind::Gt => Some(format!("{{{}..}}", bound.saturating_add(1))),
                LexemeKind::Le => Some(format!("{{1..{bound}}}")),
                LexemeKind::Lt if bound > 1 => Some(format!("{{1..{}}}", bound - 1)),
                LexemeKind::Eq | LexemeKind::Assign => Some(format!("{{{bound}}}")),
                _ => None,
            });
            if let Some(range) = range {
                return self.fail(diagnostic.help(format!("write `{range}`")));
            }
            let help = "write `{3}`, `{3..}` or `{3..5}`";
            return self.fail(diagnostic.help(help));
        }
        self.bump();
        let min = self.repetitions(start);
        let separator = self.peek();
        match separator.kind {
            LexemeKind::DotDot => {}
            LexemeKind::Comma | LexemeKind::Minus => {
                let least = self.text_of(start);
                let most = self.nth(1);
                let most = if most.kind == LexemeKind::Int { self.text_of(most) } else { "" };
                let help = format!("write `{{{least}..{most}}}`");
                self.report_unexpected("`..` between least and most", help);
            }
            _ => return Ok((min, Some(min))),
        }
        self.bump();
        let end = self.peek();
        if end.kind != LexemeKind::Int {
            return Ok((min, None));
        }
        self.bump();
        Ok((min, Some(self.repetitions(end))))
    }

    /// The number that `token` is, reported if it is beyond the limit.
    pub(super) fn repetitions(&mut self, token: Lexeme) -> u64 {
        let text = self.text_of(token);
        match lex::int(text) {
            Some(number) if number <= MAX_REPETITIONS => number,
            // A number that is beyond an int was reported already.
            None => MAX_REPETITIONS,
            Some(_) => {
                self.diagnostics.push(Diagnostic::error(
                    Code::LimitExceeded,
                    token.span,
                    format!("`{text}` exceeds the limit of {MAX_REPETITIONS}"),
                ));
                MAX_REPETITIONS
            }
        }
    }
}
