//! The pairs of brackets, found before the parser runs, so that a mistake can be skipped
//! to where it ends and a bracket that was forgotten does not swallow the rest of the file.

use super::super::lex::{Lexeme, LexemeKind};
use super::super::words;

const NONE: u32 = u32::MAX;

pub(super) struct Brackets {
    /// For a bracket, the index of its partner.
    partners: Vec<u32>,
    /// The number of open brackets around each token; a bracket is outside of itself.
    depths: Vec<u32>,
}

impl Brackets {
    pub(super) fn new(text: &str, tokens: &[Lexeme]) -> Brackets {
        let mut finder = Finder {
            text,
            tokens,
            partners: vec![NONE; tokens.len()],
            stack: Vec::new(),
            counts: [0; 3],
            body: 0,
        };
        let depths = (0..tokens.len()).map(|i| finder.visit(i)).collect();
        Brackets { partners: finder.partners, depths }
    }

    /// The partner of the bracket at the index `bracket`.
    pub(super) fn partner(&self, bracket: usize) -> Option<usize> {
        let partner = self.partners.get(bracket)?;
        (*partner != NONE).then_some(*partner as usize)
    }

    pub(super) fn depth(&self, token: usize) -> u32 {
        self.depths.get(token).copied().unwrap_or(0)
    }
}

struct Finder<'s> {
    text: &'s str,
    tokens: &'s [Lexeme],
    partners: Vec<u32>,
    stack: Vec<u32>,
    /// The number of open brackets of each kind.
    counts: [u32; 3],
    /// The length of the stack inside the body of the rule or test that is open, 0 if none is.
    body: usize,
}

impl Finder<'_> {
    /// Takes the token `i` into account; how many brackets are open around it.
    fn visit(&mut self, i: usize) -> u32 {
        match self.tokens[i].kind {
            LexemeKind::OpenBrace | LexemeKind::OpenParen | LexemeKind::OpenBracket => {
                let depth = self.stack.len();
                self.counts[side(self.tokens[i].kind)] += 1;
                self.stack.push(u32::try_from(i).unwrap_or(NONE));
                if depth == 0 && self.opens_body(i) {
                    self.body = 1;
                }
                u32::try_from(depth).unwrap_or(NONE)
            }
            LexemeKind::CloseBrace | LexemeKind::CloseParen | LexemeKind::CloseBracket => {
                let side_of_closer = side(self.tokens[i].kind);
                // A closer without partner is skipped; any other one ends what it closes and all
                // that was left open inside.
                while self.counts[side_of_closer] > 0 {
                    let Some(open) = self.pop() else { break };
                    if side(self.tokens[open].kind) == side_of_closer {
                        self.partners[open] = u32::try_from(i).unwrap_or(NONE);
                        self.partners[i] = u32::try_from(open).unwrap_or(NONE);
                        break;
                    }
                }
                self.depth()
            }
            LexemeKind::Word if self.tokens[i].first_on_line && !self.stack.is_empty() => {
                if starts_item(self.text, self.tokens, i) {
                    self.truncate(0);
                } else if self.body > 0
                    && self.stack.len() > self.body
                    && starts_line(self.text, self.tokens, i)
                {
                    self.truncate(self.body);
                }
                self.depth()
            }
            LexemeKind::End => 0,
            _ => self.depth(),
        }
    }

    fn depth(&self) -> u32 {
        u32::try_from(self.stack.len()).unwrap_or(NONE)
    }

    fn pop(&mut self) -> Option<usize> {
        let open = self.stack.pop()? as usize;
        self.counts[side(self.tokens[open].kind)] -= 1;
        self.body = self.body.min(self.stack.len());
        Some(open)
    }

    fn truncate(&mut self, len: usize) {
        while self.stack.len() > len {
            self.pop();
        }
    }

    /// True if the brace at `i` opens the body of a rule or test.
    fn opens_body(&self, i: usize) -> bool {
        let back = |n: usize| i.checked_sub(n).map(|i| self.tokens[i]);
        back(1).is_some_and(|token| token.kind == LexemeKind::CloseParen)
            || back(2).is_some_and(|token| matches!(word(self.text, token), "rule" | "test"))
    }
}

fn side(kind: LexemeKind) -> usize {
    match kind {
        LexemeKind::OpenBrace | LexemeKind::CloseBrace => 0,
        LexemeKind::OpenParen | LexemeKind::CloseParen => 1,
        _ => 2,
    }
}

fn word(text: &str, token: Lexeme) -> &str {
    if token.kind == LexemeKind::Word {
        &text[token.span.start as usize..token.span.end as usize]
    } else {
        ""
    }
}

fn at(tokens: &[Lexeme], i: usize) -> Lexeme {
    tokens[i.min(tokens.len() - 1)]
}

/// True if an item plainly starts at `i`, whatever is open there: `rule NAME {`.
pub(super) fn starts_item(text: &str, tokens: &[Lexeme], i: usize) -> bool {
    let next = at(tokens, i + 1).kind;
    let behind = at(tokens, i + 2).kind;
    let named = matches!(next, LexemeKind::Word | LexemeKind::Quoted);
    match word(text, at(tokens, i)) {
        "event" | "test" => named && behind == LexemeKind::OpenBrace,
        "rule" => named && matches!(behind, LexemeKind::OpenBrace | LexemeKind::Assign),
        "list" => named && behind == LexemeKind::Colon,
        "use" => next == LexemeKind::Str,
        _ => false,
    }
}

/// True if a clause plainly starts at `i`: no expression has two operands side by side.
/// `within` does not count in brackets, where it belongs to a group.
pub(super) fn starts_clause(text: &str, tokens: &[Lexeme], i: usize) -> bool {
    let next = at(tokens, i + 1);
    let next_word = word(text, next);
    let operand = !next.first_on_line
        && match next.kind {
            LexemeKind::Word => {
                !matches!(next_word, "and" | "or" | "in" | "is" | "not" | "like" | "then" | "else")
            }
            LexemeKind::Quoted
            | LexemeKind::Str
            | LexemeKind::Int
            | LexemeKind::Duration
            | LexemeKind::Dollar => true,
            _ => false,
        };
    match word(text, at(tokens, i)) {
        "emit" => next.kind == LexemeKind::OpenBrace || next_word == "as",
        "meta" => next.kind == LexemeKind::OpenBrace,
        "tags" => next.kind == LexemeKind::OpenBracket && at(tokens, i + 2).kind == LexemeKind::Str,
        word => operand && words::CLAUSES.contains(&word),
    }
}

/// True if a clause or a step of a test plainly starts at `i`, though brackets are open.
fn starts_line(text: &str, tokens: &[Lexeme], i: usize) -> bool {
    let next = at(tokens, i + 1);
    match word(text, at(tokens, i)) {
        "within" => false,
        "at" => next.kind == LexemeKind::Duration,
        "advance" => word(text, next) == "to",
        "expect" => matches!(word(text, next), "no" | "match" | "timeout"),
        _ => starts_clause(text, tokens, i),
    }
}
