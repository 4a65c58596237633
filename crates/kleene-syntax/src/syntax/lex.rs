//! Text to tokens. Every token is a kind and a place; names, numbers and strings are read from the
//! text when they are needed. What cannot be read is reported here, once, and becomes a
//! [`LexemeKind::Bad`] that the parser stays silent about.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::{char, one_of, satisfy};
use nom::combinator::{opt, recognize, value};
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser as _};

use crate::diagnostic::{Code, Diagnostic, Span};
use kleene_event::time::format_millis;

use super::MAX_DIAGNOSTICS;

/// The kind of a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum LexemeKind {
    /// A name or a word of the language.
    Word,
    /// A name in back-quotes.
    Quoted,
    /// A string, quotes included.
    Str,
    /// `12`
    Int,
    /// `1.5`
    Float,
    /// `1h30m`
    Duration,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Comma,
    Colon,
    Dot,
    DotDot,
    Arrow,
    Assign,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Tilde,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Question,
    Dollar,
    /// `=>`, which people write for `->`.
    FatArrow,
    /// `&&` or `&`, for `and`.
    AndAnd,
    /// `||` or `|`, for `or`.
    OrOr,
    /// `!`, for `not`.
    Bang,
    /// `<>`, for `!=`.
    LtGt,
    /// `=~`, for `~`.
    EqTilde,
    /// `;`
    Semicolon,
    /// Something that was reported already.
    Bad,
    /// The end of the text.
    End,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexeme {
    pub(super) kind: LexemeKind,
    /// True if nothing but blanks stands before it on its line.
    pub(super) first_on_line: bool,
    pub(super) span: Span,
}

/// The tokens of `text`, the last one of them [`LexemeKind::End`], and what could not be read.
pub(super) fn tokens(text: &str) -> (Vec<Lexeme>, Vec<Diagnostic>) {
    let mut lexer = Lexer { text, diagnostics: Vec::new() };
    // Rules have a token every four or five bytes.
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut first_on_line = true;
    loop {
        let (after_blank, newline) = blank(rest);
        first_on_line |= newline;
        let start = text.len() - after_blank.len();
        if after_blank.is_empty() {
            let span = Span::new(start, start);
            tokens.push(Lexeme { kind: LexemeKind::End, first_on_line: true, span });
            return (tokens, lexer.diagnostics);
        }
        let (kind, after) = lexer.token(after_blank);
        let span = Span::new(start, text.len() - after.len());
        if let Some(kind) = kind {
            tokens.push(Lexeme { kind, first_on_line, span });
            first_on_line = false;
        }
        rest = after;
    }
}

/// Skips blanks and comments; whether a line ended in them.
fn blank(input: &str) -> (&str, bool) {
    let mut newline = false;
    let mut rest = input;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
        newline |= rest[..rest.len() - trimmed.len()].contains('\n');
        rest = trimmed;
        if !rest.starts_with('#') {
            return (rest, newline);
        }
        rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
    }
}

struct Lexer<'s> {
    text: &'s str,
    diagnostics: Vec<Diagnostic>,
}

impl<'s> Lexer<'s> {
    /// The next token (none for what reads as blank) and the text behind it.
    fn token(&mut self, input: &'s str) -> (Option<LexemeKind>, &'s str) {
        if input.starts_with("//") || input.starts_with("/*") || self.at_dashes(input) {
            return (None, self.foreign_comment(input));
        }
        if let Ok((rest, _)) = word(input) {
            return (Some(LexemeKind::Word), rest);
        }
        if let Ok((rest, kind)) = number(input) {
            let kind = self.number(kind, &input[..input.len() - rest.len()], input);
            return (Some(kind), rest);
        }
        if let Ok((rest, kind)) = punctuation(input) {
            return (Some(kind), rest);
        }
        let Some(first) = input.chars().next() else { return (None, input) };
        match first {
            '"' | '\'' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                self.string(first, input)
            }
            '`' => self.back_quoted(input),
            '\u{2192}' => {
                let rest = &input[first.len_utf8()..];
                self.bad_character(input, rest, "write arrows as `->`");
                (Some(LexemeKind::Arrow), rest)
            }
            _ if first.is_whitespace() || first == '\u{200b}' || first == '\u{feff}' => {
                let rest = input.trim_start_matches(|c: char| {
                    !c.is_ascii() && (c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'))
                });
                let rest = if rest.len() == input.len() { &input[1..] } else { rest };
                self.bad_character(input, rest, "put a plain space here");
                (None, rest)
            }
            _ => {
                let rest = input.trim_start_matches(|c: char| {
                    !c.is_ascii() && !c.is_whitespace() && c != '\u{2192}'
                });
                if rest.len() == input.len() {
                    let rest = &input[first.len_utf8()..];
                    let help = match first {
                        '^' => {
                            "remove `^`: a match begins wherever its first step comes; to test a \
                             regular expression, write `~`"
                        }
                        '@' if self.text[..self.text.len() - input.len()]
                            .trim_end_matches([' ', '\t'])
                            .bytes()
                            .last()
                            .is_none_or(|before| before == b'\n') =>
                        {
                            "rules have no annotations: use the clauses `about \"...\"`, `severity \
                             high`, `tags [\"...\"]` and `meta { owner: \"...\" }`"
                        }
                        '@' => {
                            "put a name with characters other than a-z, A-Z, 0-9 and _ in \
                             back-quotes"
                        }
                        _ => "remove it",
                    };
                    self.bad_character(input, rest, help);
                    return (Some(LexemeKind::Bad), rest);
                }
                let rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                self.bad_character(
                    input,
                    rest,
                    "put a name with characters other than a-z, A-Z, 0-9 and _ in back-quotes",
                );
                (Some(LexemeKind::Bad), rest)
            }
        }
    }

    fn span(&self, from: &str, to: &str) -> Span {
        Span::new(self.text.len() - from.len(), self.text.len() - to.len())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    fn bad_character(&mut self, from: &str, to: &str, help: &str) {
        if self.diagnostics.len() > MAX_DIAGNOSTICS {
            return;
        }
        let found: String = from[..from.len() - to.len()].chars().take(12).collect();
        let printable = found.chars().all(|c| !c.is_control() && !c.is_whitespace());
        let message = match found.chars().next() {
            Some(c) if !printable => {
                format!("the character U+{:04X} does not belong here", u32::from(c))
            }
            _ => format!("`{found}` does not belong here"),
        };
        let span = self.span(from, to);
        self.report(Diagnostic::error(Code::BadCharacter, span, message).help(help));
    }

    /// True at `-- ...`, the comment of SQL; `a --b` subtracts.
    fn at_dashes(&self, input: &str) -> bool {
        let Some(behind) = input.strip_prefix("--") else { return false };
        let before = &self.text[..self.text.len() - input.len()];
        (before.is_empty() || before.ends_with(char::is_whitespace))
            && behind.trim_start_matches('-').chars().next().is_none_or(char::is_whitespace)
    }

    /// `// ...`, `-- ...` and `/* ... */`.
    fn foreign_comment(&mut self, input: &'s str) -> &'s str {
        let line = input.find('\n').unwrap_or(input.len());
        let end = if input.starts_with("/*") {
            input.find("*/").map_or(line, |end| end + 2)
        } else {
            let before = &self.text[..self.text.len() - input.len()];
            closer_in_comment(before, &input[..line]).unwrap_or(line)
        };
        let span = self.span(input, &input[2..]);
        self.report(
            Diagnostic::error(
                Code::BadCharacter,
                span,
                format!("`{}` does not start a comment", &input[..2]),
            )
            .help("write comments with `#`; a comment ends at the end of its line"),
        );
        &input[end..]
    }

    /// Checks a number and says what is wrong with it.
    fn number(&mut self, kind: LexemeKind, text: &str, input: &str) -> LexemeKind {
        let span = self.span(input, &input[text.len()..]);
        let bad = |message: String| Diagnostic::error(Code::BadNumber, span, message);
        match kind {
            LexemeKind::Int if int(text).is_none() => {
                self.report(
                    bad(format!("`{text}` is too large for an `int`"))
                        .help(format!("the largest `int` is {}", i64::MAX)),
                );
            }
            LexemeKind::Float if float(text).is_none() => {
                self.report(bad(format!("`{text}` is too large for a `float`")));
            }
            LexemeKind::Duration => {
                if let Err(problem) = duration(text) {
                    self.report(problem.diagnostic(text, span));
                }
            }
            _ => {}
        }
        kind
    }

    fn back_quoted(&mut self, input: &'s str) -> (Option<LexemeKind>, &'s str) {
        let mut name = preceded(char('`'), take_till(|c: char| c == '`' || c.is_control()));
        let result: IResult<&str, &str> = name.parse(input);
        let Ok((rest, name)) = result else { return (None, input) };
        let Some(after) = rest.strip_prefix('`') else {
            let span = self.span(input, rest);
            self.report(
                Diagnostic::error(
                    Code::UnterminatedString,
                    span,
                    "this name has no closing back-quote",
                )
                .help("close it with a back-quote on the same line"),
            );
            return (Some(LexemeKind::Bad), rest);
        };
        if name.is_empty() {
            let span = self.span(input, after);
            self.report(Diagnostic::error(Code::BadCharacter, span, "this name is empty"));
            return (Some(LexemeKind::Bad), after);
        }
        (Some(LexemeKind::Quoted), after)
    }

    /// A string in whatever quotes; it ends with its line at the latest.
    fn string(&mut self, quote: char, input: &'s str) -> (Option<LexemeKind>, &'s str) {
        let closing: &[char] = match quote {
            '"' => &['"'],
            '\'' => &['\''],
            '\u{2018}' | '\u{2019}' => &['\u{2019}', '\u{2018}'],
            _ => &['\u{201d}', '\u{201c}'],
        };
        let body = &input[quote.len_utf8()..];
        let mut end = None;
        let mut escaped = false;
        let mut stop = body.len();
        for (i, c) in body.char_indices() {
            if c == '\n' {
                stop = i;
                break;
            }
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if closing.contains(&c) {
                end = Some((i, i + c.len_utf8()));
                break;
            }
        }
        let Some((end, after)) = end else {
            let line = body[..stop].trim_end_matches('\r');
            let span = self.span(input, &body[line.len()..]);
            self.report(
                Diagnostic::error(
                    Code::UnterminatedString,
                    span,
                    "this string has no closing quote",
                )
                .label("starts here")
                .help("close it with `\"` on the same line; write a line break as `\\n`"),
            );
            return (Some(LexemeKind::Bad), &body[stop..]);
        };
        let (content, rest) = (&body[..end], &body[after..]);
        let span = self.span(input, rest);
        if quote != '"' {
            let help = if content.contains('"') {
                "write `\"...\"`, with `\\\"` for a quote inside".to_owned()
            } else {
                let short: String = content.chars().take(40).collect();
                let dots = if short.len() < content.len() { "..." } else { "" };
                format!("write `\"{short}{dots}\"`")
            };
            self.report(
                Diagnostic::error(Code::BadCharacter, span, "a string needs double quotes")
                    .help(help),
            );
        }
        let at = span.start as usize + quote.len_utf8();
        unescape(content, |range, problem| {
            let span = Span::new(at + range.start, at + range.end);
            let text = &content[range];
            let diagnostic =
                Diagnostic::error(Code::BadEscape, span, format!("unknown escape `{text}`"));
            self.report(diagnostic.help(problem));
        });
        (Some(LexemeKind::Str), rest)
    }
}

/// The place in a comment of the bracket that closes one which the same line opened `before` it:
/// without that bracket, the rest of the file would look wrong.
fn closer_in_comment(before: &str, comment: &str) -> Option<usize> {
    let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
    let mut open = Vec::new();
    let mut is_string = false;
    for c in line.chars() {
        match c {
            '"' => is_string = !is_string,
            _ if is_string => {}
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    let closer = match open.last()? {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    comment.find(closer)
}

fn word(input: &str) -> IResult<&str, &str> {
    recognize(pair(
        satisfy(|c| c.is_ascii_alphabetic() || c == '_'),
        take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
    ))
    .parse(input)
}

fn digits(input: &str) -> IResult<&str, &str> {
    recognize(pair(
        satisfy(|c| c.is_ascii_digit()),
        take_while(|c: char| c.is_ascii_digit() || c == '_'),
    ))
    .parse(input)
}

/// A number, or a duration as far as letters and digits go.
fn number(input: &str) -> IResult<&str, LexemeKind> {
    let (rest, _) = digits(input)?;
    let (rest, fraction) = opt(preceded(char('.'), digits)).parse(rest)?;
    let (rest, exponent) =
        opt((one_of("eE"), opt(one_of("+-")), take_while1(|c: char| c.is_ascii_digit())))
            .parse(rest)?;
    let (rest, unit) = take_while(|c: char| {
        c.is_ascii_alphanumeric() || c == '_' || c == '\u{b5}' || c == '\u{3bc}'
    })
    .parse(rest)?;
    let kind = match (unit, fraction.is_some() || exponent.is_some()) {
        ("", false) => LexemeKind::Int,
        ("", true) => LexemeKind::Float,
        _ => LexemeKind::Duration,
    };
    Ok((rest, kind))
}

fn punctuation(input: &str) -> IResult<&str, LexemeKind> {
    use LexemeKind as T;
    let two = alt((
        value(T::Arrow, tag("->")),
        value(T::FatArrow, tag("=>")),
        value(T::Eq, tag("==")),
        value(T::EqTilde, tag("=~")),
        value(T::Ne, tag("!=")),
        value(T::Le, tag("<=")),
        value(T::Ge, tag(">=")),
        value(T::LtGt, tag("<>")),
        value(T::DotDot, tag("..")),
        value(T::AndAnd, tag("&&")),
        value(T::OrOr, tag("||")),
    ));
    let bracket = alt((
        value(T::OpenBrace, char('{')),
        value(T::CloseBrace, char('}')),
        value(T::OpenParen, char('(')),
        value(T::CloseParen, char(')')),
        value(T::OpenBracket, char('[')),
        value(T::CloseBracket, char(']')),
    ));
    let one = alt((
        value(T::Comma, char(',')),
        value(T::Colon, char(':')),
        value(T::Dot, char('.')),
        value(T::Assign, char('=')),
        value(T::Lt, char('<')),
        value(T::Gt, char('>')),
        value(T::Question, char('?')),
        value(T::Dollar, char('$')),
        value(T::AndAnd, char('&')),
        value(T::OrOr, char('|')),
        value(T::Bang, char('!')),
        value(T::Semicolon, char(';')),
    ));
    let arithmetic = alt((
        value(T::Tilde, char('~')),
        value(T::Plus, char('+')),
        value(T::Minus, char('-')),
        value(T::Star, char('*')),
        value(T::Slash, char('/')),
        value(T::Percent, char('%')),
    ));
    alt((two, bracket, one, arithmetic)).parse(input)
}

/// The value of an int as written, without sign. At most 2^63, which only `-` makes an `i64` of.
pub(super) fn int(text: &str) -> Option<u64> {
    let number: u64 =
        if text.contains('_') { text.replace('_', "").parse().ok()? } else { text.parse().ok()? };
    (number <= i64::MIN.unsigned_abs()).then_some(number)
}

/// The value of a float as written, without sign; none if it is too big.
pub(super) fn float(text: &str) -> Option<f64> {
    let number: f64 =
        if text.contains('_') { text.replace('_', "").parse().ok()? } else { text.parse().ok()? };
    number.is_finite().then_some(number)
}

const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The reason why a duration cannot be read.
#[derive(Debug)]
pub(super) enum BadDuration<'t> {
    /// A number at the end without unit.
    NoUnit,
    /// A unit that does not exist.
    UnknownUnit(&'t str),
    /// Units that do not go from large to small.
    Order,
    /// A fraction such as `1.5h`.
    Fraction,
    /// Beyond what fits.
    TooBig,
}

/// Milliseconds of a duration as written, without sign.
pub(super) fn duration(text: &str) -> Result<u64, BadDuration<'_>> {
    if text.contains('.') {
        return Err(BadDuration::Fraction);
    }
    let (mut rest, mut total, mut smallest) = (text, 0u64, u64::MAX);
    while !rest.is_empty() {
        let number;
        (rest, number) = digits(rest).map_err(|_| BadDuration::NoUnit)?;
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = &rest[..end];
        rest = &rest[end..];
        if unit.is_empty() {
            return Err(BadDuration::NoUnit);
        }
        let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(BadDuration::UnknownUnit(unit));
        };
        if *size >= smallest {
            return Err(BadDuration::Order);
        }
        smallest = *size;
        total = int(number)
            .and_then(|number| number.checked_mul(*size))
            .and_then(|millis| total.checked_add(millis))
            .filter(|total| *total <= i64::MIN.unsigned_abs())
            .ok_or(BadDuration::TooBig)?;
    }
    Ok(total)
}

impl BadDuration<'_> {
    fn diagnostic(&self, text: &str, span: Span) -> Diagnostic {
        let error = |message: String| Diagnostic::error(Code::BadNumber, span, message);
        let units = "the units are `w`, `d`, `h`, `m`, `s` and `ms`, as in `1h30m`";
        match self {
            BadDuration::NoUnit => {
                error(format!("the duration `{text}` ends with a number without a unit"))
                    .help(units)
            }
            BadDuration::UnknownUnit(unit) => {
                let meant = unit_elsewhere(unit);
                let error = error(format!("`{text}` is not a number or a duration"));
                let error = error.label(format!("unknown unit `{unit}`"));
                match meant {
                    Some(meant) if text.ends_with(unit) => {
                        error.help(format!("write `{}`", text.replace(unit, meant)))
                    }
                    _ => error.help(units),
                }
            }
            BadDuration::Order => error(format!("the units of `{text}` are not in order"))
                .help("use each unit once, the largest first, as in `1h30m`"),
            BadDuration::Fraction => {
                let error = error("a duration must use whole numbers".to_owned());
                match fraction(text) {
                    Some(millis) => error.help(format!("write `{}`", format_millis(millis))),
                    None => error.help(units),
                }
            }
            BadDuration::TooBig => error(format!("the duration `{text}` is too long")),
        }
    }
}

/// `1.5h` in milliseconds, where that is whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked below")]
fn fraction(text: &str) -> Option<i64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let millis = float(&text[..text.len() - unit.len()])? * *size as f64;
    (millis < 9e15 && millis.fract() == 0.0).then_some(millis as i64)
}

/// The unit that is meant by other spellings of it.
pub(super) fn unit_elsewhere(unit: &str) -> Option<&'static str> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "milli" | "millis" | "msec" | "msecs" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "wk" | "wks" | "week" | "weeks" => "w",
        _ => return None,
    })
}

/// The text that a string's content means; `problem` gets what is no escape (as a range of
/// `content`) with what to type instead.
pub(super) fn unescape(
    content: &str,
    mut problem: impl FnMut(std::ops::Range<usize>, &'static str),
) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(slash) = rest.find('\\') {
        out.push_str(&rest[..slash]);
        let at = content.len() - rest.len() + slash;
        let after = &rest[slash + 1..];
        let next = after.chars().next();
        let mut used = next.map_or(0, char::len_utf8);
        match next {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(c @ ('"' | '\\' | '\'')) => out.push(c),
            Some('u') => {
                let digits = after[1..]
                    .strip_prefix('{')
                    .and_then(|hex| hex.split_once('}'))
                    .map(|(digits, _)| digits)
                    .filter(|digits| (1..=6).contains(&digits.len()))
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let c = digits
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                    .and_then(char::from_u32);
                match (c, digits) {
                    (Some(c), Some(digits)) => {
                        out.push(c);
                        used += digits.len() + 2;
                    }
                    _ => problem(at..at + 2, "write a character by its code as `\\u{e9}`"),
                }
            }
            _ => problem(
                at..at + 1 + used,
                "write a backslash as `\\\\`; the escapes are \\n \\r \\t \\\" \\\\ \\u{e9}",
            ),
        }
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}
