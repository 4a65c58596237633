//! Tokens to the tree: a recursive descent by hand, because the messages matter most.
//!
//! A function that cannot go on reports why and returns [`AlreadyReported`]; whoever knows a place
//! to go on from (the end of a bracket, the next clause, the next item) catches it there. Where it
//! is plain what was meant (`&&`, a missing arrow), it is reported and taken as that.

mod brackets;
mod clause;
mod expr;
mod foreign;
mod habits;
mod item;
mod pattern;

use crate::diagnostic::{Code, Diagnostic, Label, Source, Span};
use kleene_event::util::spelling::nearest;

use super::ast::{File, Literal, Name, Spanned};
use super::lex::{self, Lexeme, LexemeKind};
use super::{MAX_DIAGNOSTICS, MAX_NESTING, MAX_TEXT, words};

use brackets::Brackets;
use kleene_event::util::order;

/// Reads a rule file. What is wrong with it is in the diagnostics, in the order of the text; the
/// tree is whole only if there are none.
pub fn parse(source: &Source) -> (File, Vec<Diagnostic>) {
    let text: &str = &source.text;
    if text.len() > MAX_TEXT {
        let message = format!("a rule file has at most {} MiB", MAX_TEXT >> 20);
        let diagnostic = Diagnostic::error(Code::LimitExceeded, Span::default(), message);
        return (File::default(), vec![diagnostic]);
    }
    let (tokens, mut diagnostics) = lex::tokens(text);
    let brackets = Brackets::new(text, &tokens);
    let mut parser = Parser::new(text, &tokens, &brackets);
    let file = parser.file();
    let covered = |at: Span| {
        parser.covered.iter().any(|whole| whole.start <= at.start && at.end <= whole.end)
    };
    diagnostics.retain(|diagnostic| !covered(diagnostic.primary.span));
    diagnostics.append(&mut parser.diagnostics);
    order::sort_by_key(&mut diagnostics, |diagnostic| diagnostic.primary.span);
    if diagnostics.len() > MAX_DIAGNOSTICS {
        diagnostics.truncate(MAX_DIAGNOSTICS);
        let last = diagnostics[MAX_DIAGNOSTICS - 1].primary.span;
        let message = "too many errors: the rest are not reported";
        let help = format!("the first {MAX_DIAGNOSTICS} are listed above");
        diagnostics.push(Diagnostic::error(Code::LimitExceeded, last, message).help(help));
    }
    (file, diagnostics)
}

/// Reads a single literal, such as the value of a parameter: `10m`, `-1.5`, `"text"`, `true`.
pub fn parse_literal(text: &str) -> Option<Literal> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let (tokens, diagnostics) = lex::tokens(text);
    let brackets = Brackets::new(text, &tokens);
    let mut parser = Parser::new(text, &tokens, &brackets);
    let literal = parser.literal().ok()?;
    let whole = parser.kind() == LexemeKind::End;
    (whole && diagnostics.is_empty() && parser.diagnostics.is_empty()).then_some(literal.node)
}

/// The number of mistakes, reported or not, after which reading stops.
const MAX_MISTAKES: usize = 4 * MAX_DIAGNOSTICS;

/// A mistake that has been reported.
struct AlreadyReported;

type Parsed<T> = Result<T, AlreadyReported>;

struct Parser<'s> {
    text: &'s str,
    tokens: &'s [Lexeme],
    brackets: &'s Brackets,
    /// The index of the current token; at most the index of the end.
    at: usize,
    /// The number of open brackets and prefixes.
    nesting: u32,
    diagnostics: Vec<Diagnostic>,
    /// The token at which the last mistake was noticed: one mistake, one message.
    noticed: Option<usize>,
    /// The number of mistakes, reported or not. Each can mean a long search for its end.
    mistakes: usize,
    /// True if a `;` was reported; they come in dozens.
    reported_semicolon: bool,
    /// True if a `:` behind the word of a clause was reported.
    reported_colon: bool,
    /// After a sentence of another language: go on with the next line.
    to_next_line: bool,
    /// The places of lexer errors that belong to a mistake that is reported.
    covered: Vec<Span>,
}

impl<'s> Parser<'s> {
    fn new(text: &'s str, tokens: &'s [Lexeme], brackets: &'s Brackets) -> Parser<'s> {
        Parser {
            text,
            tokens,
            brackets,
            at: 0,
            nesting: 0,
            diagnostics: Vec::new(),
            noticed: None,
            mistakes: 0,
            reported_semicolon: false,
            reported_colon: false,
            to_next_line: false,
            covered: Vec::new(),
        }
    }

    // Looking.

    fn peek(&self) -> Lexeme {
        self.tokens[self.at]
    }

    fn kind(&self) -> LexemeKind {
        self.tokens[self.at].kind
    }

    /// The token `n` behind the one that is looked at.
    fn nth(&self, n: usize) -> Lexeme {
        self.tokens[(self.at + n).min(self.tokens.len() - 1)]
    }

    fn text_of(&self, token: Lexeme) -> &'s str {
        &self.text[token.span.start as usize..token.span.end as usize]
    }

    /// The word that is looked at, or nothing if it is no word.
    fn word(&self) -> &'s str {
        self.word_at(0)
    }

    fn word_at(&self, n: usize) -> &'s str {
        let token = self.nth(n);
        if token.kind == LexemeKind::Word { self.text_of(token) } else { "" }
    }

    fn is(&self, kind: LexemeKind) -> bool {
        self.kind() == kind
    }

    /// True if a token of this kind follows without a space.
    fn at_adjacent(&self, kind: LexemeKind) -> bool {
        let next = self.nth(1);
        next.kind == kind && next.span.start == self.peek().span.end
    }

    fn is_word(&self, word: &str) -> bool {
        self.word() == word
    }

    /// The place of the token before this one.
    fn last_end(&self) -> Span {
        self.at.checked_sub(1).map_or(Span::default(), |last| self.tokens[last].span)
    }

    /// The kind of the token before this one.
    fn last_kind(&self) -> Option<LexemeKind> {
        self.at.checked_sub(1).map(|last| self.tokens[last].kind)
    }

    /// From `start` to the last token that was taken.
    fn since(&self, start: Span) -> Span {
        start.to(self.last_end())
    }

    // Taking.

    fn bump(&mut self) -> Lexeme {
        let token = self.peek();
        if token.kind != LexemeKind::End {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, kind: LexemeKind) -> bool {
        let is = self.is(kind);
        if is {
            self.bump();
        }
        is
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.bump();
        }
        is
    }

    fn expect(&mut self, kind: LexemeKind, expected: &str) -> Parsed<Lexeme> {
        if self.is(kind) { Ok(self.bump()) } else { self.unexpected(expected) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        self.expect_word_of(word, None)
    }

    /// Takes a word of a clause; `whole` is the clause as it is written.
    fn expect_word_of(&mut self, word: &str, whole: Option<&str>) -> Parsed<()> {
        if self.eat_word(word) {
            return Ok(());
        }
        let diagnostic = self.not_expected(&format!("`{word}`"));
        if self.peek().first_on_line || nearest(self.word(), [word]).is_none() {
            return self.fail(match whole {
                Some(whole) => diagnostic.help(format!("write `{whole}`")),
                None => diagnostic,
            });
        }
        self.report(diagnostic.help(format!("did you mean `{word}`?")));
        self.bump();
        Ok(())
    }

    /// Takes an opening bracket. Returns its index.
    fn bump_open(&mut self) -> usize {
        let open = self.at;
        self.bump();
        open
    }

    /// Goes on to the token `index`, never back.
    fn jump(&mut self, index: usize) {
        self.at = self.at.max(index).min(self.tokens.len() - 1);
    }

    // Reporting.

    /// Returns the current token as messages name it.
    fn found(&self) -> String {
        let token = self.peek();
        if token.kind == LexemeKind::End {
            return "the end of the file".to_owned();
        }
        let text = self.text_of(token);
        if text.chars().count() <= 30 {
            return format!("`{text}`");
        }
        let short: String = text.chars().take(26).collect();
        format!("`{short}...`")
    }

    fn not_expected(&self, expected: &str) -> Diagnostic {
        let token = self.peek();
        if let Some(opener) = self.stray_closer() {
            let found = self.found();
            let message = format!("this {found} has no matching `{opener}`");
            return Diagnostic::error(Code::UnexpectedToken, token.span, message)
                .label(format!("expected {expected}"));
        }
        let message = format!("expected {expected}, found {}", self.found());
        let diagnostic = Diagnostic::error(Code::UnexpectedToken, token.span, message);
        if !self.something_else_follows() {
            return diagnostic;
        }
        // A missing token is reported where the text breaks off.
        let place = self.last_end().end;
        let diagnostic = Diagnostic { primary: point(place), ..diagnostic };
        if token.kind == LexemeKind::End {
            return diagnostic;
        }
        let before = self.text_of(self.tokens[self.at - 1]);
        let message = if before.len() <= 30 {
            format!("expected {expected} after `{before}`")
        } else {
            format!("expected {expected} at the end of this line")
        };
        Diagnostic { message, ..diagnostic }
    }

    /// The bracket that is missing for the closing one that is looked at.
    fn stray_closer(&self) -> Option<char> {
        let opener = match self.kind() {
            LexemeKind::CloseBrace => '{',
            LexemeKind::CloseParen => '(',
            LexemeKind::CloseBracket => '[',
            _ => return None,
        };
        self.brackets.partner(self.at).is_none().then_some(opener)
    }

    /// True if what is looked at belongs to something else, mostly on another line.
    fn something_else_follows(&self) -> bool {
        let token = self.peek();
        let breaks_off = token.first_on_line
            && (matches!(token.kind, LexemeKind::End | LexemeKind::CloseBrace)
                || self.at_item()
                || self.at_test_step());
        self.at > 0 && (breaks_off || self.at_clause())
    }

    /// Something like [`not_expected`](Self::not_expected), where words were expected.
    fn not_expected_word(&self, expected: &str, words: &[&'static str]) -> Diagnostic {
        let diagnostic = self.not_expected(expected);
        match self.misspelled(words) {
            Some(meant) if !self.something_else_follows() => {
                diagnostic.help(format!("did you mean `{meant}`?"))
            }
            _ => diagnostic,
        }
    }

    fn unexpected<T>(&mut self, expected: &str) -> Parsed<T> {
        let diagnostic = self.not_expected(expected);
        self.fail(diagnostic)
    }

    /// Reports that something else was expected and what to write instead, and gives up.
    fn fail_unexpected<T>(&mut self, expected: &str, help: impl Into<String>) -> Parsed<T> {
        self.report_unexpected(expected, help);
        Err(AlreadyReported)
    }

    /// Reports that something else was expected, and what to write instead.
    fn report_unexpected(&mut self, expected: &str, help: impl Into<String>) {
        let diagnostic = self.not_expected(expected);
        self.report(diagnostic.help(help));
    }

    /// Reports that what stands at `span` does not belong there, and what to write instead.
    fn report_at(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic::error(Code::UnexpectedToken, span, message).help(help));
    }

    /// Reports a mistake noticed at the token that is looked at, and gives up.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report(diagnostic);
        Err(AlreadyReported)
    }

    /// Reports a mistake noticed at the token that is looked at.
    fn report(&mut self, diagnostic: Diagnostic) {
        // The lexer has reported a token that cannot be read.
        if self.noticed != Some(self.at) && !self.is(LexemeKind::Bad) {
            self.diagnostics.push(diagnostic);
        }
        self.noticed = Some(self.at);
        self.mistakes += 1;
        if self.diagnostics.len() > MAX_DIAGNOSTICS || self.mistakes > MAX_MISTAKES {
            // No one reads more: go to the end.
            self.at = self.tokens.len() - 1;
            self.noticed = Some(self.at);
        }
    }

    // Brackets.

    /// Takes the bracket that closes the one at the index `open`.
    fn close(&mut self, open: usize, expected: &str) -> Parsed<()> {
        let (closer, shown) = closer_of(self.tokens[open].kind);
        if self.eat(closer) {
            return Ok(());
        }
        let opener = self.tokens[open].span;
        if self.brackets.partner(open).is_none() {
            return self.fail(self.unclosed(open));
        }
        let expected = if expected.is_empty() {
            format!("`{shown}`")
        } else {
            format!("{expected} or `{shown}`")
        };
        let mut diagnostic = self.not_expected(&expected);
        if self.text[opener.start as usize..self.peek().span.start as usize].contains('\n') {
            diagnostic = diagnostic.context(opener, "opened here");
        }
        self.fail(diagnostic)
    }

    /// The bracket at the index `open` has no partner, which is noticed here.
    fn unclosed(&self, open: usize) -> Diagnostic {
        let opener = self.tokens[open].span;
        let shown = self.text_of(self.tokens[open]);
        let (_, closer) = closer_of(self.tokens[open].kind);
        let message = format!("this `{shown}` is never closed");
        let diagnostic = Diagnostic::error(Code::UnclosedBracket, opener, message);
        if let Some(comment) = self.commented_out(open, closer) {
            let help = format!("the `{closer}` on this line is part of the comment");
            return diagnostic.context(comment, "the comment begins here").help(help);
        }
        if self.is(LexemeKind::End) {
            diagnostic.help(format!("the file ends without a matching `{closer}`"))
        } else {
            diagnostic.context(self.peek().span, format!("expected `{closer}` before this"))
        }
    }

    /// The `#` of a comment with a `closer` in it, on the line of the bracket at the index `open`.
    fn commented_out(&self, open: usize, closer: &str) -> Option<Span> {
        let behind = self.tokens[open].span.end as usize;
        let end = self.text[behind..].find('\n').map_or(self.text.len(), |n| behind + n);
        let tokens = self.tokens[open..].iter();
        let last = tokens.take_while(|token| token.span.end as usize <= end).last()?;
        let comment = self.text.get(last.span.end as usize..end)?.trim_start();
        let start = end - comment.len();
        (comment.starts_with('#') && comment.contains(closer)).then(|| Span::new(start, start + 1))
    }

    /// Runs `inner` behind the bracket at the index `open`. If it fails, goes on behind the
    /// partner of that bracket, where there is one.
    fn recover_in<T>(
        &mut self,
        open: usize,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<Option<T>> {
        let nesting = self.nesting;
        if let Ok(node) = inner(self) {
            return Ok(Some(node));
        }
        self.nesting = nesting;
        match self.brackets.partner(open) {
            Some(closer) if closer >= self.at => {
                self.jump(closer + 1);
                Ok(None)
            }
            _ => Err(AlreadyReported),
        }
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return self.fail(too_deep(self.peek().span));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting = self.nesting.saturating_sub(1);
        result
    }

    /// `item, item, ... closer`, a comma before the closer allowed. The opening bracket is at the
    /// index `open` and taken already.
    fn comma_list(
        &mut self,
        open: usize,
        closer: LexemeKind,
        expected: &str,
        mut item: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        let mut reported_comma = false;
        loop {
            if self.is(closer) {
                self.bump();
                return Ok(());
            }
            let nesting = self.nesting;
            if item(self).is_err() {
                self.nesting = nesting;
                self.skip_to_comma(open)?;
            }
            if self.eat(LexemeKind::Comma) || self.is(closer) {
                continue;
            }
            // A new line, or a name behind a value: the comma is missing.
            let starts_item =
                matches!(self.kind(), LexemeKind::Word | LexemeKind::Quoted | LexemeKind::Str);
            if !starts_item || self.brackets.partner(open).is_none() {
                return self.close(open, expected);
            }
            if !reported_comma {
                reported_comma = true;
                self.missing_comma();
            }
            self.noticed = Some(self.at);
        }
    }

    /// Reports that a comma is missing before what is looked at.
    fn missing_comma(&mut self) {
        let diagnostic = Diagnostic {
            primary: point(self.last_end().end),
            ..Diagnostic::error(Code::UnexpectedToken, Span::default(), "missing `,`")
        };
        self.report(diagnostic.help(format!("put a `,` before {}", self.found())));
    }

    /// After a mistake in a list: goes on to its next comma or its end, if the bracket at the index
    /// `open` has one.
    fn skip_to_comma(&mut self, open: usize) -> Parsed<()> {
        let Some(closer) = self.brackets.partner(open).filter(|closer| *closer >= self.at) else {
            return Err(AlreadyReported);
        };
        let depth = self.brackets.depth(open) + 1;
        while self.at < closer
            && !(self.is(LexemeKind::Comma) && self.brackets.depth(self.at) == depth)
        {
            self.bump();
        }
        Ok(())
    }

    // Small things.

    /// A name of an event type, rule or step: reserved words need back-quotes.
    fn name(&mut self, expected: &str) -> Parsed<Name> {
        match self.kind() {
            LexemeKind::Word if !words::is_reserved(self.word()) => Ok(self.any_name()),
            LexemeKind::Quoted => Ok(self.any_name()),
            LexemeKind::Word => {
                let word = self.word();
                let diagnostic = self.not_expected(expected);
                if self.something_else_follows() {
                    return self.fail(diagnostic);
                }
                if word == "prev" && self.nth(1).kind == LexemeKind::Dot {
                    return self.fail(diagnostic.help(words::PREV));
                }
                self.fail(
                    diagnostic
                        .label("a keyword")
                        .help(format!("if it is a name, write it in back-quotes: `` `{word}` ``")),
                )
            }
            LexemeKind::Str => {
                let diagnostic = self.not_expected(expected);
                let text = self.string_text(self.peek());
                if words::is_word(&text) {
                    return self.fail(diagnostic.help(format!("write `{text}` without quotes")));
                }
                if text.is_empty() || text.contains('`') || text.len() > 40 {
                    return self.fail(diagnostic);
                }
                let help =
                    format!("put a name with other characters in back-quotes: `` `{text}` ``");
                self.fail(diagnostic.help(help))
            }
            _ => self.unexpected(expected),
        }
    }

    /// A name where every word may be one.
    fn free_name(&mut self, expected: &str) -> Parsed<Name> {
        match self.kind() {
            LexemeKind::Word | LexemeKind::Quoted => Ok(self.any_name()),
            _ => self.name(expected),
        }
    }

    /// Takes the `{` after the name of something.
    fn open_brace(&mut self, expected: &str) -> Parsed<usize> {
        let open = self.at;
        if self.eat(LexemeKind::OpenBrace) {
            return Ok(open);
        }
        let diagnostic = self.not_expected(expected);
        if self.is(LexemeKind::Colon) && self.nth(1).kind == LexemeKind::OpenBrace {
            self.report(diagnostic.help("remove the `:`"));
            self.bump();
            let open = self.bump_open();
            return Ok(open);
        }
        let adjacent = self.peek().span.start == self.last_end().end;
        if adjacent
            && matches!(self.kind(), LexemeKind::Minus | LexemeKind::Dot | LexemeKind::Slash)
        {
            let help = "put a name with characters other than a-z, A-Z, 0-9 and _ in back-quotes";
            return self.fail(diagnostic.help(help));
        }
        self.fail(diagnostic)
    }

    /// The word or quoted name that is looked at.
    fn any_name(&mut self) -> Name {
        let token = self.bump();
        let text = self.text_of(token);
        let text = if token.kind == LexemeKind::Quoted { &text[1..text.len() - 1] } else { text };
        Spanned { node: text.to_owned(), span: token.span }
    }

    fn string(&mut self, expected: &str) -> Parsed<Spanned<String>> {
        if self.is(LexemeKind::Str) {
            let token = self.bump();
            return Ok(Spanned { node: self.string_text(token), span: token.span });
        }
        let diagnostic = self.not_expected(expected);
        if self.word().is_empty() || self.something_else_follows() {
            self.fail(diagnostic)
        } else {
            self.fail(diagnostic.help("put strings in double quotes"))
        }
    }

    /// Returns the text that a string token stands for.
    fn string_text(&self, token: Lexeme) -> String {
        let text = self.text_of(token);
        let mut content = text.chars();
        content.next();
        content.next_back();
        lex::unescape(content.as_str(), |_, _| ())
    }

    /// The words that `found` may be a misspelling of, in other letters or a letter off.
    fn misspelled(&self, candidates: &[&'static str]) -> Option<&'static str> {
        let found = self.word();
        if found.is_empty() {
            return None;
        }
        nearest(found, candidates.iter().copied())
    }
}

/// The bracket that closes one of this kind, and its text.
fn closer_of(opener: LexemeKind) -> (LexemeKind, &'static str) {
    match opener {
        LexemeKind::OpenBrace => (LexemeKind::CloseBrace, "}"),
        LexemeKind::OpenParen => (LexemeKind::CloseParen, ")"),
        _ => (LexemeKind::CloseBracket, "]"),
    }
}

/// A place between two characters.
fn point(at: u32) -> Label {
    Label { span: Span { start: at, end: at }, text: String::new() }
}

fn too_deep(span: Span) -> Diagnostic {
    let message = format!("this nests more than {MAX_NESTING} levels deep");
    Diagnostic::error(Code::LimitExceeded, span, message)
}

#[cfg(test)]
mod tests;
