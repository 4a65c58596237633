//! From token to token, with what is open around them.

mod brackets;
mod expressions;
mod items;
mod patterns;
mod rules;

use kleene::diagnostic::Span;
use kleene_syntax::syntax::{Token, TokenKind};

use super::{BracketKind, End, Mark, Role, RuleScan, Scan, Slot, bare};

/// Words that start an item.
const ITEMS: [&str; 7] = ["event", "list", "param", "define", "rule", "test", "use"];

/// Words that start a clause, without those that start an item.
const CLAUSES: [&str; 16] = [
    "about", "severity", "tags", "meta", "from", "key", "match", "within", "skip", "report",
    "emit", "having", "on", "suppress", "once", "limit",
];

/// Words that start a step of a test.
const TEST_STEPS: [&str; 3] = ["at", "advance", "expect"];

/// Words of expressions behind which an operand has to come.
const OPERATORS: [&str; 9] = ["and", "or", "not", "in", "like", "is", "if", "then", "else"];

/// Brackets nest no deeper in what is looked at; what is below is taken for one level.
const MAX_FRAMES: usize = 200;

/// Brackets that are open, and what goes on in them.
#[derive(Clone, Debug)]
struct Frame {
    kind: BracketKind,
    closer: &'static str,
    /// The word that started what is being read.
    head: String,
    slot: Slot,
    /// The path that is being read.
    path: Vec<String>,
    /// The steps of the last unit of a pattern.
    unit: (usize, usize),
    /// The last name, if it matters later.
    last: String,
    /// True if the next step must not come.
    negated: bool,
    /// Of a group behind `not`, `without` or `until`: none of its steps is captured.
    all_negated: bool,
}

impl Frame {
    fn new(kind: BracketKind, closer: &'static str, slot: Slot) -> Frame {
        Frame {
            kind,
            closer,
            head: String::new(),
            slot,
            path: Vec::new(),
            unit: (0, 0),
            last: String::new(),
            negated: false,
            all_negated: false,
        }
    }

    fn is_expression(&self) -> bool {
        match self.kind {
            BracketKind::Condition(_) | BracketKind::Index | BracketKind::Inner => true,
            BracketKind::Emit | BracketKind::Meta | BracketKind::Record(_) => {
                self.slot != Slot::RecordField
            }
            _ => false,
        }
    }

    fn is_pattern(&self) -> bool {
        matches!(self.kind, BracketKind::Group(_))
            || self.kind == BracketKind::RuleBody && self.head == "match"
    }
}

/// The position of the walk.
pub(super) struct Walker<'t> {
    text: &'t str,
    frames: Vec<Frame>,
    scan: Scan,
    rule: Option<usize>,
    /// The token before this one.
    before: &'t str,
    /// Brackets that are open beyond [`MAX_FRAMES`].
    too_deep: usize,
}

impl<'t> Walker<'t> {
    /// At the start of a text.
    pub(super) fn new(text: &'t str) -> Walker<'t> {
        Walker {
            text,
            frames: vec![Frame::new(BracketKind::File, "", Slot::Item)],
            scan: Scan {
                marks: Vec::new(),
                items: Vec::new(),
                emitted: Vec::new(),
                rules: Vec::new(),
                end: End { slot: Slot::Item, kinds: Vec::new(), rule: None, last: String::new() },
            },
            rule: None,
            before: "",
            too_deep: 0,
        }
    }

    fn slice(&self, token: Token) -> &'t str {
        self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or_default()
    }

    /// Returns the names, and the state at the end.
    pub(super) fn finish(mut self) -> Scan {
        let kinds = self.frames.iter().map(|frame| frame.kind.clone()).collect();
        let rule = self.rule;
        let before = self.before.to_owned();
        let top = self.top();
        // After the colon in the braces of a key, the name before it says whose fields are meant.
        let last = if top.kind == BracketKind::KeyPaths && before == ":" {
            top.last.clone()
        } else {
            before
        };
        let slot = top.slot.clone();
        self.scan.end = End { slot, kinds, rule, last };
        self.scan
    }

    /// The innermost brackets; the file itself is never closed.
    fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(BracketKind::File, "", Slot::Item));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn mark(&mut self, span: Span, role: Role) {
        self.scan.marks.push(Mark { span, role, rule: self.rule });
    }

    fn current(&mut self) -> Option<&mut RuleScan> {
        self.rule.and_then(|rule| self.scan.rules.get_mut(rule))
    }

    /// Takes the next token; `next` is the one behind it.
    pub(super) fn token(&mut self, token: Token, next: Option<Token>) {
        let text = self.slice(token);
        let next = next.map_or("", |next| self.slice(next));
        if self.too_deep > 0 {
            match text {
                "{" | "(" | "[" => self.too_deep += 1,
                "}" | ")" | "]" => self.too_deep -= 1,
                _ => {}
            }
            if !Self::starts_item(token, text, next) {
                return;
            }
            self.too_deep = 0;
        }
        if let Some(item) = self.scan.items.last_mut()
            && !ITEMS.contains(&text)
        {
            item.span.end = token.span.end;
        }
        self.recover(token, text, next);
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
        match text {
            "{" | "(" | "[" if token.kind == TokenKind::Symbol => self.open(text),
            "}" | ")" | "]" if token.kind == TokenKind::Symbol => self.close(text),
            _ if is_name => self.name(token, text, next),
            _ => self.other(token, text),
        }
        self.before = text;
        if let Some(item) = self.emitted() {
            item.span.end = token.span.end;
        }
        let body = self.frames.iter().find(|frame| frame.kind == BracketKind::RuleBody);
        let is_local = body.is_some_and(|body| {
            matches!(body.head.as_str(), "param" | "define") && !body.last.is_empty()
        });
        if is_local && let Some(local) = self.current().and_then(|rule| rule.locals.last_mut()) {
            local.span.end = token.span.end;
        }
    }

    /// True if an item starts here, whatever brackets are open.
    fn starts_item(token: Token, text: &str, next: &str) -> bool {
        let is_name = next.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '`');
        token.first_on_line
            && token.kind == TokenKind::Word
            && match text {
                "event" | "list" | "rule" | "test" => is_name,
                "use" => next.starts_with('"'),
                _ => false,
            }
    }

    /// Leaves brackets that were never closed.
    fn recover(&mut self, token: Token, text: &str, next: &str) {
        if Self::starts_item(token, text, next) {
            self.frames.truncate(1);
            self.rule = None;
            self.top().slot = Slot::Item;
            return;
        }
        if !token.first_on_line || token.kind != TokenKind::Word {
            return;
        }
        let is_clause = CLAUSES.contains(&text) || matches!(text, "param" | "define");
        let body = if is_clause && !is_operator(next) {
            BracketKind::RuleBody
        } else if TEST_STEPS.contains(&text) && !is_operator(next) {
            BracketKind::TestBody
        } else {
            return;
        };
        // `within` ends a group, too.
        if matches!(self.top().kind, BracketKind::Group(_)) && text == "within" {
            return;
        }
        if let Some(at) = self.frames.iter().rposition(|frame| frame.kind == body) {
            self.frames.truncate(at + 1);
        }
    }

    fn name(&mut self, token: Token, text: &str, next: &str) {
        let name = bare(text);
        let is_word = token.kind == TokenKind::Word;
        if self.before == "$" {
            self.mark(token.span, Role::Param);
            let top = self.top();
            top.slot = if top.is_pattern() { Slot::AfterStep } else { Slot::Operator };
            return;
        }
        let kind = self.top().kind.clone();
        match kind {
            BracketKind::File => self.in_file(token, name, is_word),
            BracketKind::EventBody { prefix } => self.in_event(token, name, &prefix),
            BracketKind::RuleBody => self.in_rule(token, name, is_word),
            BracketKind::TestBody => self.in_test(token, name, is_word),
            BracketKind::Group(_) => self.in_pattern(token, name, is_word),
            BracketKind::Quant => self.mark(token.span, Role::Keyword),
            BracketKind::Gap => self.path(token, name),
            BracketKind::KeyPaths => {
                if self.before == "{" || self.before == "," {
                    self.mark(token.span, Role::Keyed);
                    name.clone_into(&mut self.top().last);
                    self.top().slot = Slot::Free;
                } else {
                    self.path(token, name);
                }
            }
            BracketKind::Arguments(rule) => {
                if self.before == "(" || self.before == "," {
                    self.mark(token.span, Role::Argument(rule));
                }
                self.top().slot = Slot::Free;
            }
            BracketKind::Condition(_)
            | BracketKind::Index
            | BracketKind::Inner
            | BracketKind::Emit
            | BracketKind::Meta
            | BracketKind::Record(_) => self.in_expression(token, name, is_word, next),
            BracketKind::Other => {}
        }
    }
}

/// True if the next token shows that the word before is no keyword.
fn is_operator(next: &str) -> bool {
    matches!(
        next,
        ":" | "."
            | ","
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "~"
            | "+"
            | "*"
            | "/"
            | "%"
            | ")"
            | "]"
            | "in"
            | "is"
            | "like"
            | "and"
            | "or"
    )
}
