//! Spellings that users of other languages write in a pattern, and their replacements here. If the
//! meaning is plain, the spelling is reported and then read as meant: one mistake, one message.

use crate::diagnostic::Span;
use kleene_event::util::spelling::nearest;

use super::super::ast::{ANY_EVENT, Name, Spanned, Step};
use super::super::lex::{self, LexemeKind};
use super::super::words;
use super::brackets::starts_clause;
use super::pattern::EXPECTED_STEP;
use super::{Parsed, Parser};

impl Parser<'_> {
    /// Takes what other languages put before a step, and reports it.
    pub(super) fn foreign_prefix(&mut self) -> Parsed<()> {
        let next = self.nth(1);
        let begins_step =
            matches!(next.kind, LexemeKind::Word | LexemeKind::Quoted | LexemeKind::OpenParen);
        match self.word() {
            "every"
                if begins_step
                    && !next.first_on_line
                    && (self.word_at(1) == "not" || !words::is_reserved(self.word_at(1))) =>
            {
                let help = "remove `every`: each event that fits the first step already begins a \
                            match; to report overlapping matches too, add `skip none`";
                self.report_unexpected(EXPECTED_STEP, help);
                self.bump();
                Ok(())
            }
            "within" => self.bound_before_step(),
            "at" | "more" | "exactly" | "up" if self.at_number_of_times() => {
                self.fail(self.not_expected(EXPECTED_STEP).help(words::HOW_OFTEN))
            }
            "if" => self.fail(self.not_expected(EXPECTED_STEP).help(
                "join steps with `->`, and put a condition in brackets after its step: `a[v > 3] \
                 -> b`",
            )),
            "timer" if next.kind == LexemeKind::Colon => {
                self.fail(self.not_expected(EXPECTED_STEP).help(
                    "for a time bound, write `within 10m` after the pattern; to wait for a \
                     silence, write `a -> not b for 10m`",
                ))
            }
            _ => self.foreign_sign(),
        }
    }

    /// True at `at least 3`, `more than 3`, `up to 3`, `exactly 3`.
    fn at_number_of_times(&self) -> bool {
        let width = match (self.word(), self.word_at(1)) {
            ("at", "least" | "most") | ("more", "than") | ("up", "to") => 2,
            ("exactly", _) => 1,
            _ => return false,
        };
        self.nth(width).kind == LexemeKind::Int
    }

    /// Signs of regular expressions before a step.
    fn foreign_sign(&mut self) -> Parsed<()> {
        let help = match self.kind() {
            LexemeKind::Dot | LexemeKind::Star => {
                "write `a -> b`: other events may come between two steps; for a step of any type, \
                 write `any event`"
            }
            LexemeKind::OpenBrace => words::HOW_OFTEN,
            LexemeKind::Arrow | LexemeKind::FatArrow => {
                "put a step before this arrow, or remove the arrow"
            }
            LexemeKind::Question => "write a group as `(a or b)`",
            LexemeKind::OpenBracket if !self.at_bracketed_event() => {
                "put the event type before its condition: `login[not ok]`"
            }
            _ => return Ok(()),
        };
        self.fail(self.not_expected(EXPECTED_STEP).help(help))
    }

    /// `within 5m b`, where a step belongs.
    fn bound_before_step(&mut self) -> Parsed<()> {
        let width = match self.nth(1).kind {
            LexemeKind::Dollar => 3,
            LexemeKind::Int if lex::unit_elsewhere(self.word_at(2)).is_some() => 3,
            LexemeKind::Duration | LexemeKind::Int => 2,
            _ => 0,
        };
        let word = self.word_at(width);
        let step_follows = width > 0
            && match self.nth(width).kind {
                LexemeKind::Quoted | LexemeKind::OpenParen => true,
                LexemeKind::Word if word == "not" => true,
                LexemeKind::Word => {
                    !words::is_reserved(word) && nearest(word, words::CLAUSES).is_none()
                }
                _ => false,
            };
        let before = self.at.checked_sub(1).map(|at| self.tokens[at].kind);
        let behind_arrow = matches!(before, Some(LexemeKind::Arrow | LexemeKind::FatArrow));
        if !step_follows {
            let diagnostic = self.not_expected(EXPECTED_STEP);
            return self.fail(if behind_arrow {
                diagnostic.help("put a step after the last `->`, or remove that arrow")
            } else {
                diagnostic
            });
        }
        let place = self.peek().span.to(self.nth(width - 1).span);
        let bound = &self.text[self.nth(1).span.start as usize..place.end as usize];
        let step = self.text_of(self.nth(width));
        let step = if step == "(" { "(...)" } else { step };
        let help = if behind_arrow {
            format!(
                "to bound one arrow, write `->[..{bound}] {step}`; a part, `(a -> {step} within \
                 {bound})`; the whole match, `within {bound}` after the pattern"
            )
        } else {
            format!("put it after the pattern: `{step} ... within {bound}`")
        };
        let message = "a bound can't come before a step";
        self.report_at(place, message, help);
        self.bump();
        self.dur("a duration such as `10m`")?;
        Ok(())
    }

    /// Takes a `not` in the spelling of other languages, which is reported.
    pub(super) fn foreign_not(&mut self) -> bool {
        let next = self.nth(1);
        let begins_step = match next.kind {
            LexemeKind::Quoted | LexemeKind::OpenParen => true,
            LexemeKind::Word => !words::is_reserved(self.word_at(1)) && !next.first_on_line,
            _ => false,
        };
        let word = self.word();
        let meant = self.is(LexemeKind::Bang)
            || begins_step && word != "not" && word.eq_ignore_ascii_case("not")
            || begins_step
                && next.kind != LexemeKind::OpenParen
                && matches!(word, "no" | "absent" | "never" | "missing")
                && words::joint_elsewhere(self.word_at(1)).is_none();
        if meant {
            self.spelled("not");
            self.bump();
        }
        meant
    }

    /// Takes the `x =` of `x = a`, which is reported: the name that the step is meant to have.
    pub(super) fn foreign_alias(&mut self) -> Option<Name> {
        let named = matches!(self.kind(), LexemeKind::Word | LexemeKind::Quoted)
            && self.nth(1).kind == LexemeKind::Assign
            && matches!(
                self.nth(2).kind,
                LexemeKind::Word | LexemeKind::Quoted | LexemeKind::OpenParen
            );
        if !named || words::is_reserved(self.word()) {
            return None;
        }
        let name = self.text_of(self.peek());
        let step = match self.nth(2).kind {
            LexemeKind::OpenParen => "(...)".to_owned(),
            _ if self.nth(3).kind == LexemeKind::OpenBracket => {
                format!("{}[...]", self.text_of(self.nth(2)))
            }
            _ => self.text_of(self.nth(2)).to_owned(),
        };
        let place = self.peek().span.to(self.nth(1).span);
        let message = "the name of a step comes after the step";
        self.report_at(place, message, format!("write `{step} as {name}`"));
        let name = self.any_name();
        self.bump();
        Some(name)
    }

    /// True at `[process where ...]`.
    pub(super) fn at_bracketed_event(&self) -> bool {
        self.is(LexemeKind::OpenBracket)
            && self.nth(1).kind == LexemeKind::Word
            && self.word_at(2).eq_ignore_ascii_case("where")
    }

    /// `[process where ...]`, which is reported and read as `process[...]`.
    pub(super) fn bracketed_event(&mut self) -> Parsed<Step> {
        let open = self.at;
        let start = self.peek().span;
        let name = self.word_at(1);
        let condition = self.brackets.partner(open).map_or("...", |close| {
            let from = self.nth(2).span.end as usize;
            self.text[from..self.tokens[close].span.start as usize].trim()
        });
        let short = condition.len() <= 40 && !condition.contains('\n');
        let condition = if short { condition } else { "..." };
        let message = "the event type comes before its condition";
        let place = start.to(self.nth(2).span);
        let wildcard = name == "any";
        let shown = if wildcard { ANY_EVENT } else { name };
        self.report_at(place, message, format!("write `{shown}[{condition}]`"));
        self.bump();
        let mut name = self.any_name();
        shown.clone_into(&mut name.node);
        self.bump();
        let condition = self.recover_in(open, |this| this.closed_expr(open))?;
        Ok(Step { name, wildcard, condition, span: self.since(start) })
    }

    /// Parses parentheses behind `name`: a condition, which is reported and read as one, or the
    /// call of another language's pattern.
    pub(super) fn parentheses_behind(
        &mut self,
        name: &Name,
    ) -> Parsed<Option<Spanned<super::super::ast::Expr>>> {
        let open = self.at;
        let adjacent = self.peek().span.start == self.last_end().end;
        if !self.is(LexemeKind::OpenParen) || !adjacent {
            return Ok(None);
        }
        let help = match name.node.as_str() {
            "count" => Some(words::HOW_OFTEN),
            "sum" | "avg" | "min" | "max" => Some(
                "`match` contains only steps; to test a sum over several events, use `having`: \
                 `emit { total: sum(x.amount) } having total > 100`",
            ),
            _ if self.nth(1).kind == LexemeKind::Str => Some(words::CALLS),
            _ if self.nth(2).kind == LexemeKind::CloseParen
                && self.nth(1).kind == LexemeKind::Int =>
            {
                Some(words::HOW_OFTEN)
            }
            _ if self.nth(1).kind == LexemeKind::CloseParen => Some(
                "write an event type without parentheses, and its condition in brackets: \
                 `login[not ok]`",
            ),
            _ => None,
        };
        if let Some(help) = help {
            return self.fail_unexpected("`->` or the end of the step", help);
        }
        if !self.compares_in(open) {
            return Ok(None);
        }
        let message = "a condition must be in square brackets";
        self.report_at(self.peek().span, message, format!("write `{}[...]`", name.node));
        self.bump();
        self.recover_in(open, |this| this.closed_expr(open))
    }

    /// True if values are compared, and no steps joined, in the bracket at the index `open`.
    fn compares_in(&self, open: usize) -> bool {
        let Some(close) = self.brackets.partner(open) else { return false };
        let inside = &self.tokens[open..close];
        let arrow = |kind| matches!(kind, LexemeKind::Arrow | LexemeKind::FatArrow);
        let compares = |kind| {
            matches!(
                kind,
                LexemeKind::Eq
                    | LexemeKind::Assign
                    | LexemeKind::Ne
                    | LexemeKind::LtGt
                    | LexemeKind::Lt
                    | LexemeKind::Le
                    | LexemeKind::Gt
                    | LexemeKind::Ge
                    | LexemeKind::Tilde
                    | LexemeKind::EqTilde
            )
        };
        // A comparison in brackets is the condition of a step in a group.
        let depth = self.brackets.depth(open) + 1;
        !inside.iter().any(|token| arrow(token.kind))
            && (open..close)
                .any(|at| self.brackets.depth(at) == depth && compares(self.tokens[at].kind))
    }

    /// True at `| where`, a pipe as query languages have it.
    pub(super) fn at_pipe(&self) -> bool {
        self.is(LexemeKind::OrOr)
            && self.text_of(self.peek()) == "|"
            && words::joint_elsewhere(self.word_at(1)).is_some()
    }

    /// Takes `then`, `followed by`, `followedBy` between two steps, and reports it.
    pub(super) fn foreign_arrow(&mut self) -> bool {
        let token = self.peek();
        let width = match self.word().to_ascii_lowercase().as_str() {
            "followed" if self.word_at(1).eq_ignore_ascii_case("by") => 2,
            "then" | "followedby" | "before" => 1,
            _ => return false,
        };
        let next = self.nth(width);
        let begins_step = match next.kind {
            LexemeKind::Quoted | LexemeKind::OpenParen | LexemeKind::Bang => true,
            LexemeKind::Word => {
                self.word_at(width) == "not" || !words::is_reserved(self.word_at(width))
            }
            _ => false,
        };
        if token.first_on_line || next.first_on_line || !begins_step {
            return false;
        }
        let place: Span = token.span.to(self.nth(width - 1).span);
        let shown = &self.text[place.start as usize..place.end as usize];
        let message = format!("expected `->`, found `{shown}`");
        self.report_at(place, message, "join steps with `->`: `a -> b`");
        self.jump(self.at + width);
        true
    }

    /// True at `name|contains: "a"`, a modifier of Sigma.
    pub(super) fn at_modifier(&self) -> bool {
        self.is(LexemeKind::OrOr)
            && self.text_of(self.peek()) == "|"
            && self.at_adjacent(LexemeKind::Word)
            && matches!(self.nth(2).kind, LexemeKind::Colon | LexemeKind::OrOr)
    }

    /// True at `with runs=3`.
    pub(super) fn at_runs(&self) -> bool {
        self.is_word("with") && self.word_at(1).eq_ignore_ascii_case("runs")
    }

    /// The number of tokens before the duration of `maxspan 1m`, `with maxspan=1m`.
    pub(super) fn at_foreign_bound(&self) -> Option<usize> {
        let word = usize::from(self.is_word("with"));
        if !words::is_bound_elsewhere(self.word_at(word)) {
            return None;
        }
        let sign = matches!(self.nth(word + 1).kind, LexemeKind::Assign | LexemeKind::Colon);
        let width = word + 1 + usize::from(sign);
        let duration = self.nth(width);
        let is_duration = matches!(
            duration.kind,
            LexemeKind::Duration | LexemeKind::Int | LexemeKind::Dollar | LexemeKind::Str
        );
        (is_duration && !duration.first_on_line).then_some(width)
    }

    /// Takes the words of `maxspan = 1m` before the duration, which are reported.
    pub(super) fn foreign_bound(&mut self) -> bool {
        let Some(width) = self.at_foreign_bound() else { return false };
        let place = self.peek().span.to(self.nth(width - 1).span);
        let duration = self.nth(width);
        let shown = match duration.kind {
            LexemeKind::Duration => self.text_of(duration).to_owned(),
            LexemeKind::Dollar => format!("${}", self.word_at(width + 1)),
            _ => "10m".to_owned(),
        };
        let message = "the clause for the time bound of a match is `within`";
        self.report_at(place, message, format!("write `within {shown}`"));
        self.jump(self.at + width);
        true
    }

    /// Takes what others write after the duration of a `within`, which is reported.
    pub(super) fn behind_bound(&mut self, bound: &str) {
        if self.peek().first_on_line {
            return;
        }
        let place = self.peek().span;
        match self.word() {
            "every" | "sliding" | "slide" | "hop" | "hopping" | "tumbling" => {
                let message = "a bound has no interval";
                let help = format!(
                    "`within {bound}` counts from the first event of each match; to report a key \
                     at most once in ten minutes, write `suppress 10m`; to report a silence \
                     repeatedly, write `a -> not b for 10m repeat`"
                );
                self.report_at(place, message, help);
                self.bump();
                self.eat_word("by");
                self.skip_interval();
            }
            "of" | "after" | "from" | "since" => {
                let message = "a bound always counts from the first event of the match to the last";
                let help = format!(
                    "write only `within {bound}`; between two steps, write `a ->[..{bound}] b`"
                );
                self.report_at(place, message, help);
                self.bump();
                while !self.peek().first_on_line
                    && self.is(LexemeKind::Word)
                    && !words::CLAUSES.contains(&self.word())
                {
                    self.bump();
                }
            }
            _ => {}
        }
    }

    /// Takes the `$` of a regular expression behind a step, and reports it.
    pub(super) fn end_anchor(&mut self) {
        let token = self.peek();
        if token.kind != LexemeKind::Dollar {
            return;
        }
        let behind = token.span.start == self.last_end().end;
        let names = matches!(self.nth(1).kind, LexemeKind::Word | LexemeKind::Quoted)
            && self.nth(1).span.start == token.span.end;
        if names && !behind {
            return;
        }
        let help = "remove `$`: a match ends with its last step";
        self.report_at(token.span, "`$` does not belong here", help);
        self.bump();
    }

    /// Returns the replacement for a clause of another language, if two of its words say more than
    /// the first.
    pub(super) fn phrase_elsewhere(&self) -> Option<&'static str> {
        let lower = |n: usize| self.word_at(n).to_ascii_lowercase();
        Some(match (lower(0).as_str(), lower(1).as_str()) {
            ("sequence", "by" | "with") => {
                "write the pattern in the `match` clause: `key user  match process[...] -> \
                 network[...]  within 5m`"
            }
            ("one", "row") | ("all", "rows") => {
                "remove this: each match gives one output, which `emit { ... }` describes"
            }
            ("after", "match") => {
                "use the `skip` clause for where the next match may begin: `skip past last`"
            }
            ("define", _) if lower(2) == "as" => {
                "put a condition in brackets after its step, and write `prev` for the event \
                 before: `b[price > prev.price]`"
            }
            ("order", "by") => "remove this: events are always read in time order",
            ("insert", "into") => {
                "to give other rules an event `alerts`, write `emit as alerts { ... }`"
            }
            _ => return None,
        })
    }

    /// True if a comma is looked at that stands between two clauses.
    pub(super) fn clause_behind_comma(&self) -> bool {
        self.is(LexemeKind::Comma)
            && words::CLAUSES.contains(&self.word_at(1))
            && (self.nth(2).kind == LexemeKind::Colon
                || starts_clause(self.text, self.tokens, self.at + 1))
    }

    /// True if a clause of another language starts on this line.
    pub(super) fn at_foreign_clause(&self) -> bool {
        let next = self.nth(1);
        self.peek().first_on_line
            && !next.first_on_line
            && matches!(
                next.kind,
                LexemeKind::Word
                    | LexemeKind::Str
                    | LexemeKind::OpenParen
                    | LexemeKind::OpenBracket
            )
            && (words::clause_elsewhere(self.word()).is_some() || self.phrase_elsewhere().is_some())
    }
}
