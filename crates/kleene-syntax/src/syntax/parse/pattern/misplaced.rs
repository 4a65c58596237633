//! Parts of a step in the wrong place, as in `pay as p[amount > 3]`. Each is reported with the step
//! as it is written right, and then read as meant.

use crate::diagnostic::Span;
use crate::syntax::ast::{ANY_EVENT, Dur, Spanned, Step, Take, Unit, Until};
use crate::syntax::lex::{self, LexemeKind};
use crate::syntax::parse::{Parsed, Parser};
use crate::syntax::words;

/// The longest text of a user that a help repeats.
const MAX_SHOWN: usize = 60;

impl<'s> Parser<'s> {
    /// The text of a part of the pattern, if it is short enough for a help.
    pub(in crate::syntax::parse) fn shown(&self, span: Span) -> Option<&'s str> {
        let text = self.text.get(span.start as usize..span.end as usize)?.trim();
        let is_short = text.len() <= MAX_SHOWN && !text.contains(['\n', '#']);
        (is_short && !text.is_empty()).then_some(text)
    }

    /// The text from the bracket that is looked at to its partner, if it is short enough.
    pub(super) fn shown_brackets(&self) -> Option<&'s str> {
        let close = self.brackets.partner(self.at)?;
        self.shown(self.peek().span.to(self.tokens[close].span))
    }

    /// Takes what belongs before the quantifier or the name of `take`: a condition, a quantifier,
    /// an `until`.
    pub(super) fn misplaced_parts(&mut self, take: &mut Take) -> Parsed<()> {
        while !self.peek().first_on_line {
            if self.is(LexemeKind::OpenBracket) && !self.at_bracketed_event() {
                self.misplaced_condition(take)?;
                if take.alias.is_none() && self.eat_joint("as") {
                    take.alias = Some(self.name("a name")?);
                }
            } else if take.alias.is_some() && self.at_quantifier() {
                self.misplaced_quantifier(take)?;
            } else if take.alias.is_some() && self.is_word("until") {
                self.misplaced_until(take)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// The step as it is written right, with the parts that are given in place of its own.
    fn rewritten(&self, take: &Take, condition: &str, quant: Option<&str>) -> String {
        let mut unit = match &take.unit {
            Unit::Step(step) => self.shown(step.span).unwrap_or(&step.name.node).to_owned(),
            _ => "(...)".to_owned(),
        };
        if let Unit::Step(Step { condition: Some(moved), .. }) = &take.unit
            && !unit.contains('[')
        {
            // It stood in the wrong place, too.
            unit = format!("{unit}[{}]", self.shown(moved.span).unwrap_or("..."));
        }
        let own = take.quant.as_ref().and_then(|quant| self.shown(quant.span));
        let mut text = format!("{unit}{condition}{}", quant.or(own).unwrap_or(""));
        let until = match &take.until {
            Some(Until::Step(choice)) => self.shown(choice.span).map(str::to_owned),
            Some(Until::Condition(test)) => self.shown(test.span).map(|test| format!("[{test}]")),
            None => None,
        };
        if let Some(until) = until {
            text = format!("{text} until {until}");
        }
        if let Some(alias) = take.alias.as_ref().and_then(|alias| self.shown(alias.span)) {
            text = format!("{text} as {alias}");
        }
        text
    }

    /// `pay as p[amount > 3]`, `pay{2}[amount > 3]`
    fn misplaced_condition(&mut self, take: &mut Take) -> Parsed<()> {
        let place = self.peek().span;
        let before = if take.alias.is_some() { "`as`" } else { "the quantifier" };
        let Unit::Step(Step { condition: own, .. }) = &take.unit else {
            let help = "put the condition on a step of the group: `(a -> b[v > 3])`";
            self.report_at(place, "a group can't have a condition", help);
            self.condition()?;
            return Ok(());
        };
        if own.is_some() {
            let help = "join both with `and` in one pair of brackets: `pay[amount > 3 and ok]`";
            self.report_at(place, "a step can have only one condition", help);
            self.condition()?;
            return Ok(());
        }
        let condition = self.shown_brackets().unwrap_or("[...]");
        let message = format!("put the condition before {before}");
        let help =
            format!("write `{}{}`", self.rewritten(take, condition, None), self.name_behind());
        self.report_at(place, message, help);
        let condition = self.condition()?;
        if let Unit::Step(step) = &mut take.unit {
            step.condition = condition;
        }
        Ok(())
    }

    /// The ` as p` after the brackets that are looked at.
    fn name_behind(&self) -> String {
        let Some(close) = self.brackets.partner(self.at) else { return String::new() };
        let behind = |n: usize| self.text_of(self.tokens[(close + n).min(self.tokens.len() - 1)]);
        if behind(1) == "as" { format!(" as {}", behind(2)) } else { String::new() }
    }

    /// `pay as p{3}`
    fn misplaced_quantifier(&mut self, take: &mut Take) -> Parsed<()> {
        if take.quant.is_some() {
            return self.fail_unexpected("`->` or the end of the step", words::ONE_QUANTIFIER);
        }
        let place = self.peek().span;
        let shown = if self.is(LexemeKind::OpenBrace) {
            self.shown_brackets().unwrap_or("{...}")
        } else {
            self.text_of(self.peek())
        };
        let help = format!("write `{}`", self.rewritten(take, "", Some(shown)));
        self.report_at(place, "put the quantifier before `as`", help);
        take.quant = self.quant()?;
        Ok(())
    }

    /// `pay+ as p until login`, and `pay as p until login`, which means `without login`.
    fn misplaced_until(&mut self, take: &mut Take) -> Parsed<()> {
        let place = self.peek().span;
        let is_loop = take.quant.as_ref().is_some_and(|quant| quant.max.is_none());
        let ending = self.nth(1).span;
        // Reported below: what is wrong in the `until` itself comes after it in the text.
        let noticed = self.noticed;
        let until = self.until()?;
        let end = self.shown(self.since(ending)).unwrap_or("x");
        let (message, help) = if is_loop && take.until.is_none() {
            take.until = until;
            ("put `until` before `as`", format!("write `{}`", self.rewritten(take, "", None)))
        } else if is_loop {
            let help = "write both in one: `a+ until (b or c)`".to_owned();
            ("a loop can have only one `until`", help)
        } else {
            let forbidden = if end.starts_with('[') { "x[...]" } else { end };
            let help = format!(
                "to forbid the event during the whole match, write `without {forbidden}` after the \
                 pattern"
            );
            ("`until` ends a loop, and this step does not repeat", help)
        };
        if noticed == self.noticed {
            self.report_at(place, message, help);
        }
        Ok(())
    }

    /// True at `any` where no step follows, so that it is meant as a step itself: `any[v > 3]`,
    /// `-> any -> b`.
    pub(super) fn at_bare_any(&self) -> bool {
        if !self.is_word("any") {
            return false;
        }
        let next = self.nth(1);
        match next.kind {
            LexemeKind::OpenBracket => {
                !(self.nth(2).kind == LexemeKind::Word
                    && self.word_at(3).eq_ignore_ascii_case("where"))
            }
            LexemeKind::OpenBrace
            | LexemeKind::Plus
            | LexemeKind::Star
            | LexemeKind::Question
            | LexemeKind::Arrow
            | LexemeKind::FatArrow
            | LexemeKind::CloseParen
            | LexemeKind::CloseBrace => true,
            LexemeKind::Word => {
                let word = self.word_at(1);
                matches!(word, "as" | "until" | "within" | "and" | "or" | "without" | "for")
                    || next.first_on_line && words::CLAUSES.contains(&word)
            }
            _ => false,
        }
    }

    /// `any[v > 3]`, which is reported and read as `any event[v > 3]`.
    pub(super) fn bare_any(&mut self) -> Parsed<Step> {
        let start = self.bump().span;
        let is_condition = self.is(LexemeKind::OpenBracket);
        let condition = if is_condition { self.shown_brackets().unwrap_or("[...]") } else { "" };
        let message = "an event of any type is called `any event`";
        self.report_at(start, message, format!("write `any event{condition}`"));
        let name = Spanned { node: ANY_EVENT.to_owned(), span: start };
        let condition = if is_condition { self.condition()? } else { None };
        Ok(Step { name, wildcard: true, condition, span: self.since(start) })
    }

    /// Takes the `repeat` of `not b repeat for 1h`, which is reported. The `not` begins at `start`.
    /// Returns the place of the word.
    pub(super) fn repeat_before_time(&mut self, start: Span) -> Option<Span> {
        if !self.is_word("repeat") || self.word_at(1) != "for" || self.peek().first_on_line {
            return None;
        }
        let not = self.shown(self.since(start)).unwrap_or("not b");
        let time = self.nth(2);
        let time = if time.kind == LexemeKind::Duration { self.text_of(time) } else { "10m" };
        let help = format!("write `{not} for {time} repeat`");
        self.report_at(self.peek().span, "put `repeat` after the time", help);
        Some(self.bump().span)
    }

    /// Takes the `repeat` after the `time` of a `not` that begins at `start`, also in the words of
    /// other languages, which are reported. Returns the place of the word.
    pub(super) fn repeat(&mut self, start: Span, time: &Dur) -> Option<Span> {
        let word = self.peek().span;
        let not = self.shown(self.since(start)).unwrap_or("not b for 10m");
        if self.eat_joint("repeat") {
            self.behind_repeat(not, time);
            return Some(word);
        }
        let foreign = ["every", "again", "repeats", "repeated", "repeating", "repeatedly"];
        if !foreign.contains(&self.word()) || self.peek().first_on_line {
            return None;
        }
        let help = format!("write `{not} repeat`");
        self.report_at(word, "the word for a silence that is reported again is `repeat`", help);
        self.bump();
        self.skip_interval();
        Some(word)
    }

    /// Takes the number or the interval that others write after `repeat`, which is reported.
    fn behind_repeat(&mut self, not: &str, time: &Dur) {
        let next = self.peek();
        let place = next.span;
        if next.first_on_line {
            return;
        }
        if next.kind == LexemeKind::Int && lex::unit_elsewhere(self.word_at(1)).is_none() {
            let number = self.text_of(next);
            let help = format!(
                "write `{not} repeat`; to report only the first {number}, add `having \
                 match.repetition <= {number}`"
            );
            self.report_at(place, "`repeat` takes no number", help);
            self.bump();
            if matches!(self.word(), "times" | "x") {
                self.bump();
            }
        } else if matches!(next.kind, LexemeKind::Int | LexemeKind::Duration)
            || matches!(self.word(), "every" | "each")
        {
            let time = self.shown(time.span()).unwrap_or("10m");
            let help = format!(
                "write `{not} repeat`, which reports again after each further `{time}` of silence"
            );
            self.report_at(place, "`repeat` has no interval of its own", help);
            if next.kind == LexemeKind::Word {
                self.bump();
            }
            self.skip_interval();
        }
    }

    /// Takes a duration that belongs to a mistake.
    pub(in crate::syntax::parse) fn skip_interval(&mut self) {
        let is_number = matches!(self.kind(), LexemeKind::Duration | LexemeKind::Int);
        if !is_number || self.peek().first_on_line {
            return;
        }
        let number = self.bump();
        if number.kind == LexemeKind::Int
            && !self.peek().first_on_line
            && lex::unit_elsewhere(self.word()).is_some()
        {
            self.bump();
        }
    }
}
