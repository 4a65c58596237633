//! The pattern of a rule: sequences and how they are joined.

mod arrow;
mod misplaced;
mod quant;
mod unit;

use crate::diagnostic::{Code, Diagnostic, Span};

use super::super::ast::{Arrow, Body, Junction, Sequence};
use super::super::lex::LexemeKind;
use super::super::words;
use super::{AlreadyReported, Parsed, Parser};

pub(super) const EXPECTED_STEP: &str = "a step such as `login` or `login[not ok]`";

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
                    let help = "add parentheses: `(a and b) or c`, or `a and (b or c)`";
                    self.report(
                        Diagnostic::error(Code::MixedAndOr, token.span, message)
                            .context(place, "the other operator is here")
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
            LexemeKind::AndAnd => (Junction::And, "and"),
            LexemeKind::OrOr => (Junction::Or, "or"),
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
            format!("{found} must be in lower case")
        } else {
            format!("{found} is not part of the language")
        };
        self.report_at(self.peek().span, message, format!("write `{shown}`"));
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
                    return Err(AlreadyReported);
                }
            }
            arrow = loop {
                match self.arrow() {
                    Ok(Some(arrow)) => break arrow,
                    Ok(None) if failed => return Err(AlreadyReported),
                    Ok(None) => return Ok(Sequence { parts, span: self.since(start) }),
                    Err(AlreadyReported) => {
                        failed = true;
                        if !self.skip_to_arrow(depth) {
                            return Err(AlreadyReported);
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
            if here < depth || token.kind == LexemeKind::End {
                return false;
            }
            if here == depth {
                match token.kind {
                    LexemeKind::Arrow | LexemeKind::FatArrow => {
                        // A part may have failed at the arrow itself, as in `-> -> b`.
                        self.jump(at);
                        return true;
                    }
                    LexemeKind::CloseBrace | LexemeKind::CloseParen | LexemeKind::CloseBracket
                        if at == self.at =>
                    {
                        return false;
                    }
                    LexemeKind::Word if token.first_on_line && at > self.at => {
                        let word = self.text_of(token);
                        if words::CLAUSES.contains(&word) || words::ITEMS.contains(&word) {
                            return false;
                        }
                    }
                    LexemeKind::Word
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
}
