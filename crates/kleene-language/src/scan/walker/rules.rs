//! The clauses of a rule.

use kleene_syntax::syntax::Token;

use super::{CLAUSES, OPERATORS, Walker};
use crate::scan::{BracketKind, ItemKind, ItemScan, LocalKind, LocalScan, Role, Slot};

impl Walker<'_> {
    pub(super) fn in_rule(&mut self, token: Token, name: &str, is_word: bool) {
        let top = self.top();
        // A word on the same line as one that wants a name is the name.
        let wants_name = matches!(top.slot, Slot::Key | Slot::StepName)
            || matches!(top.head.as_str(), "param" | "define" | "severity") && top.last.is_empty();
        let is_emit = top.head == "on" && name == "emit";
        let is_clause = is_word
            && (CLAUSES.contains(&name) || matches!(name, "param" | "define"))
            && (token.first_on_line || !wants_name)
            && !is_emit;
        if is_clause {
            self.start_clause(token, name);
        } else {
            self.in_clause(token, name, is_word);
        }
    }

    fn start_clause(&mut self, token: Token, name: &str) {
        let top = self.top();
        name.clone_into(&mut top.head);
        top.last.clear();
        top.negated = false;
        top.slot = match name {
            "from" => Slot::Event,
            "key" => Slot::Key,
            "match" => Slot::Step,
            "within" | "suppress" => Slot::Duration,
            "skip" => Slot::Words(&["none", "past last", "to next", "to first", "to last"]),
            "report" => Slot::Words(&["all", "count", "first 1", "last 1", "longest", "shortest"]),
            "emit" => Slot::Words(&["as"]),
            "having" => Slot::Operand,
            "once" => Slot::Words(&["per rule"]),
            "on" => Slot::Words(&["timeout"]),
            "severity" => Slot::Words(&["info", "low", "medium", "high", "critical"]),
            _ => Slot::Free,
        };
        self.mark(token.span, Role::Keyword);
    }

    fn in_clause(&mut self, token: Token, name: &str, is_word: bool) {
        let (head, before) = (self.top().head.clone(), self.before);
        let top = self.top();
        match head.as_str() {
            "match" => self.in_pattern(token, name, is_word),
            "from" => {
                top.slot = Slot::Clause;
                self.mark(token.span, Role::Event);
                if let Some(rule) = self.current() {
                    rule.from.push(name.to_owned());
                }
            }
            "key" if before == "key" || before == "," => {
                top.slot = Slot::Clause;
                self.mark(token.span, Role::Key);
                if let Some(rule) = self.current() {
                    rule.key.push((name.to_owned(), token.span));
                }
            }
            "having" if OPERATORS.contains(&name) => {
                top.slot = Slot::Operand;
                self.mark(token.span, Role::Keyword);
            }
            "within" | "having" => self.path(token, name),
            "suppress" => {
                if name == "by" {
                    top.slot = Slot::Key;
                    self.mark(token.span, Role::Keyword);
                } else if before == "by" || before == "," {
                    top.slot = Slot::Clause;
                    self.mark(token.span, Role::Key);
                } else {
                    self.path(token, name);
                }
            }
            "once" => {
                top.slot = if name == "per" { Slot::Words(&["rule"]) } else { Slot::Clause };
                self.mark(token.span, Role::Keyword);
            }
            "skip" => self.in_skip(token, name),
            "report" => {
                top.slot = if matches!(name, "first" | "last") { Slot::Free } else { Slot::Clause };
                self.mark(token.span, Role::Keyword);
            }
            "emit" | "on" => self.in_emit(token, name),
            "limit" => {
                top.slot = match name {
                    "partials" => Slot::Words(&["drop oldest", "drop newest", "fail"]),
                    "drop" => Slot::Words(&["oldest", "newest"]),
                    _ => Slot::Clause,
                };
                self.mark(token.span, Role::Keyword);
            }
            "param" => self.local(token, name, LocalKind::Param),
            "define" => self.local(token, name, LocalKind::Define),
            "severity" => {
                name.clone_into(&mut top.last);
                top.slot = Slot::Clause;
            }
            _ => {}
        }
    }

    fn in_skip(&mut self, token: Token, name: &str) {
        let before = self.before;
        let top = self.top();
        let role = match (before, name) {
            ("first" | "last", _) if name != "ordered" => Role::StepName,
            _ => Role::Keyword,
        };
        top.slot = match (before, name) {
            ("skip", "to") => Slot::Words(&["next", "first", "last"]),
            ("skip", "past") => Slot::Words(&["last"]),
            ("to", "first" | "last") => Slot::StepName,
            (_, "none" | "ordered") => Slot::Clause,
            _ => Slot::Words(&["ordered"]),
        };
        self.mark(token.span, role);
    }

    fn in_emit(&mut self, token: Token, name: &str) {
        let before = self.before;
        let top = self.top();
        let role = if before == "as" { Role::Event } else { Role::Keyword };
        if before == "as" {
            name.clone_into(&mut top.last);
            self.emits_as(token, name);
        }
        self.top().slot = match name {
            _ if before == "as" => Slot::Free,
            "as" => Slot::Event,
            "timeout" => Slot::Words(&["emit"]),
            _ => Slot::Words(&["as"]),
        };
        self.mark(token.span, role);
    }

    /// Returns the event type whose record is being read, if it is one.
    pub(super) fn emitted(&mut self) -> Option<&mut ItemScan> {
        let body = self.frames.iter().rfind(|frame| frame.kind == BracketKind::RuleBody)?;
        let is_as = matches!(body.head.as_str(), "emit" | "on") && !body.last.is_empty();
        if is_as { self.scan.emitted.last_mut() } else { None }
    }

    /// The event type that an `emit as` makes, where none of its name is declared.
    fn emits_as(&mut self, token: Token, name: &str) {
        self.scan.emitted.push(ItemScan {
            kind: ItemKind::Event,
            name: name.to_owned(),
            name_span: token.span,
            span: token.span,
            fields: Vec::new(),
            open: false,
            detail: String::new(),
            rule: self.rule,
        });
    }

    /// A name in a `param` or `define` of a rule.
    fn local(&mut self, token: Token, name: &str, kind: LocalKind) {
        let before = self.before;
        let top = self.top();
        if top.last.is_empty() {
            name.clone_into(&mut top.last);
            top.slot = Slot::Free;
            self.mark(token.span, Role::Local);
            if let Some(rule) = self.current() {
                rule.locals.push(LocalScan {
                    kind,
                    name: name.to_owned(),
                    name_span: token.span,
                    span: token.span,
                    detail: String::new(),
                });
            }
            return;
        }
        if before == ":" || before == "<" || before == "=" {
            top.slot = Slot::Clause;
            if kind == LocalKind::Define {
                name.clone_into(&mut top.last);
            }
            let role = match kind {
                LocalKind::Param => Role::Keyword,
                LocalKind::Define => Role::Step,
            };
            self.mark(token.span, role);
            if let Some(local) = self.current().and_then(|rule| rule.locals.last_mut())
                && local.detail.is_empty()
            {
                name.clone_into(&mut local.detail);
            }
        }
    }
}
