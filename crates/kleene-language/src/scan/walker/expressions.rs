//! Names in expressions, and everything that is no name.

use kleene_syntax::syntax::{Token, TokenKind};

use super::{OPERATORS, Walker};
use crate::scan::{BracketKind, FieldScan, Role, Slot};

impl Walker<'_> {
    pub(super) fn in_expression(&mut self, token: Token, name: &str, is_word: bool, next: &str) {
        let before = self.before;
        let top = self.top();
        if top.slot == Slot::RecordField {
            name.clone_into(&mut top.last);
            let is_short = next != ":";
            match top.kind.clone() {
                BracketKind::Record(given) => self.mark(token.span, Role::Record(given)),
                BracketKind::Emit => {
                    if let Some(rule) = self.current() {
                        rule.emits.push((name.to_owned(), token.span));
                    }
                    if let Some(item) = self.emitted() {
                        let (name, ty) = (name.to_owned(), String::new());
                        item.fields.push(FieldScan { name, span: token.span, ty });
                    }
                    // `{ user }` is `{ user: user }`.
                    if is_short {
                        let names = vec![name.to_owned()];
                        self.mark(token.span, Role::Path { names, candidate: None });
                    }
                }
                _ => {}
            }
            self.top().slot = if is_short { Slot::Operator } else { Slot::Free };
            return;
        }
        if before == "." {
            return self.path(token, name);
        }
        if is_word && next == "(" && !OPERATORS.contains(&name) {
            self.mark(token.span, Role::Function);
            self.top().slot = Slot::Operand;
        } else if is_word && OPERATORS.contains(&name) {
            top.slot = match name {
                "is" => {
                    Slot::Words(&["null", "not null", "true", "false", "not true", "not false"])
                }
                "not" if before == "is" => Slot::Words(&["null", "true", "false"]),
                _ => Slot::Operand,
            };
            self.mark(token.span, Role::Keyword);
        } else if is_word && matches!(name, "any" | "all") && begins_operand(next) {
            top.slot = Slot::Operand;
            self.mark(token.span, Role::Keyword);
        } else if is_word && name == "nocase" && top.slot == Slot::Operator {
            self.mark(token.span, Role::Keyword);
        } else if is_word && matches!(name, "null" | "true" | "false") {
            top.slot = Slot::Operator;
            self.mark(token.span, Role::Keyword);
        } else {
            self.path(token, name);
        }
    }

    /// A name of a path.
    pub(super) fn path(&mut self, token: Token, name: &str) {
        let goes_on = self.before == ".";
        let candidate = self.frames.iter().rev().find_map(|frame| match &frame.kind {
            BracketKind::Condition(step) => Some(step.clone()),
            BracketKind::KeyPaths => Some(frame.last.clone()),
            _ => None,
        });
        let top = self.top();
        if !goes_on {
            top.path.clear();
        }
        top.path.push(name.to_owned());
        let names = top.path.clone();
        top.slot = if top.is_expression() { Slot::Operator } else { Slot::AfterStep };
        if top.kind == BracketKind::RuleBody && top.head != "match" {
            top.slot = Slot::Clause;
        }
        self.mark(token.span, Role::Path { names, candidate });
    }

    /// Numbers, texts and symbols.
    pub(super) fn other(&mut self, token: Token, text: &str) {
        let is_symbol = token.kind == TokenKind::Symbol;
        if text == "$" && is_symbol {
            self.top().slot = Slot::Param;
            return;
        }
        if text == "." && is_symbol {
            let top = self.top();
            let path = if top.kind == BracketKind::Other { Vec::new() } else { top.path.clone() };
            top.slot = Slot::Member(path);
            return;
        }
        let is_file_end = {
            let top = self.top();
            top.kind == BracketKind::File && token.kind != TokenKind::Symbol
        };
        if is_file_end {
            // `use "file"`, `param p: int = 5`, `list l: ip from "file"`
            let top = self.top();
            if top.head == "use"
                && let Some(item) = self.scan.items.last_mut()
            {
                text.trim_matches('"').clone_into(&mut item.name);
                item.name_span = token.span;
                self.mark(token.span, Role::Used);
            }
            self.top().slot = Slot::Item;
            return;
        }
        match self.top().kind {
            BracketKind::File | BracketKind::EventBody { .. } => self.in_declaration(text),
            _ => self.in_body(token, text),
        }
    }

    /// A symbol of an item, or of the fields of an event.
    fn in_declaration(&mut self, text: &str) {
        let top = self.top();
        match (&top.kind, text) {
            (BracketKind::File, ":" | "<") => top.slot = Slot::Type,
            (BracketKind::File, ">") => top.slot = Slot::Words(&["from"]),
            (BracketKind::File, "=") => {
                top.slot = match top.head.as_str() {
                    "rule" => Slot::Rule,
                    "define" => Slot::Step,
                    _ => Slot::Free,
                };
            }
            (BracketKind::EventBody { .. }, ":" | "<") => {
                top.slot = Slot::Type;
                if text == "<" {
                    self.append_type("<");
                }
            }
            (BracketKind::EventBody { .. }, ">" | "?") => self.append_type(text),
            (BracketKind::EventBody { .. }, "=") => top.slot = Slot::Words(&["event time"]),
            (BracketKind::EventBody { .. }, ",") => top.slot = Slot::Free,
            (BracketKind::EventBody { .. }, "..") => {
                if let Some(item) = self.scan.items.last_mut() {
                    item.open = true;
                }
            }
            _ => {}
        }
    }

    /// A number, a text or a symbol inside of a rule or a test.
    fn in_body(&mut self, token: Token, text: &str) {
        let is_symbol = token.kind == TokenKind::Symbol;
        let top = self.top();
        match (&top.kind, text) {
            (BracketKind::Emit | BracketKind::Meta | BracketKind::Record(_), ",") => {
                top.slot = Slot::RecordField;
            }
            (BracketKind::Emit | BracketKind::Meta | BracketKind::Record(_), ":")
                if top.slot != Slot::Operator =>
            {
                top.slot = Slot::Operand;
            }
            (BracketKind::Arguments(_), ",") => top.slot = Slot::Argument,
            (BracketKind::KeyPaths, ",") => top.slot = Slot::Event,
            (BracketKind::KeyPaths, ":") => top.slot = Slot::Operand,
            (BracketKind::RuleBody, ",") if top.head == "key" => top.slot = Slot::Key,
            (BracketKind::RuleBody, ",") if top.head == "suppress" => top.slot = Slot::Key,
            (BracketKind::RuleBody, ",") if top.head == "from" => top.slot = Slot::Event,
            (BracketKind::RuleBody, ":" | "<") if top.head == "param" => top.slot = Slot::Type,
            (BracketKind::RuleBody, "=") if top.head == "define" => top.slot = Slot::Step,
            (BracketKind::RuleBody, "=") if top.head == "param" => top.slot = Slot::Free,
            (BracketKind::TestBody, _) if token.kind == TokenKind::Duration => {
                let is_event = top.head == "at";
                top.slot = if is_event { Slot::Event } else { Slot::TestStep };
            }
            (BracketKind::Gap, "..") => top.slot = Slot::Duration,
            _ if top.is_pattern() => match text {
                "->" | "," => top.slot = Slot::Step,
                _ if token.kind == TokenKind::Number => top.slot = Slot::Words(&["of"]),
                _ => top.slot = Slot::AfterStep,
            },
            (BracketKind::RuleBody, _) if is_symbol && top.head == "having" => {
                top.slot = Slot::Operand;
            }
            (BracketKind::RuleBody, _) if !is_symbol => {
                top.slot = match top.head.as_str() {
                    "suppress" => Slot::Words(&["by"]),
                    "limit" => Slot::Words(&["partials"]),
                    _ => Slot::Clause,
                };
            }
            _ if top.is_expression() => {
                let is_value = !is_symbol || text == "]" || text == ")";
                top.slot = if is_value { Slot::Operator } else { Slot::Operand };
            }
            _ => {}
        }
    }

    fn append_type(&mut self, text: &str) {
        let field = self.scan.items.last_mut().and_then(|item| item.fields.last_mut());
        if let Some(field) = field {
            field.ty.push_str(text);
        }
    }
}

/// True if a list whose items are compared can begin with the token, or nothing follows yet.
fn begins_operand(next: &str) -> bool {
    let is_name = next.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '`');
    next.is_empty() || is_name && !OPERATORS.contains(&next)
}
