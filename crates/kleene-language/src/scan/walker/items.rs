//! The items of a file, and the fields of events.

use kleene_syntax::syntax::Token;

use super::{ITEMS, TEST_STEPS, Walker};
use crate::scan::{FieldScan, ItemKind, ItemScan, Role, RuleScan, Slot};

impl Walker<'_> {
    /// Starts an item.
    fn item(&mut self, token: Token, kind: ItemKind) {
        self.scan.items.push(ItemScan {
            kind,
            name: String::new(),
            name_span: token.span,
            span: token.span,
            fields: Vec::new(),
            open: false,
            detail: String::new(),
            rule: None,
        });
        self.rule = None;
    }

    pub(super) fn in_file(&mut self, token: Token, name: &str, is_word: bool) {
        let index = self.scan.items.len();
        let kind = match name {
            "event" => ItemKind::Event,
            "list" => ItemKind::List,
            "param" => ItemKind::Param,
            "define" => ItemKind::Define,
            "rule" => ItemKind::Rule,
            "test" => ItemKind::Test,
            _ => ItemKind::Use,
        };
        let top = self.top();
        let may_start = matches!(top.slot, Slot::Item | Slot::AfterStep) || token.first_on_line;
        if is_word && ITEMS.contains(&name) && may_start && top.slot != Slot::Type {
            name.clone_into(&mut top.head);
            top.slot = if name == "test" { Slot::Rule } else { Slot::Free };
            top.last.clear();
            self.mark(token.span, Role::Keyword);
            self.item(token, kind);
            return;
        }
        let (head, is_first) = (top.head.clone(), top.last.is_empty());
        match (head.as_str(), self.before) {
            ("event" | "list" | "param" | "define" | "rule" | "test", _) if is_first => {
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = match head.as_str() {
                    "rule" | "event" | "test" => Slot::Words(&[]),
                    _ => Slot::Free,
                };
                let index = index.saturating_sub(1);
                let is_rule = head == "rule";
                if is_rule {
                    let rule = RuleScan { name: name.to_owned(), ..RuleScan::default() };
                    self.scan.rules.push(rule);
                    self.rule = Some(self.scan.rules.len() - 1);
                }
                let rule = self.rule;
                if let Some(item) = self.scan.items.get_mut(index) {
                    name.clone_into(&mut item.name);
                    item.name_span = token.span;
                    item.rule = rule;
                }
                let role = if head == "test" { Role::Rule } else { Role::Item(index) };
                self.mark(token.span, role);
            }
            ("rule", "=") => {
                self.mark(token.span, Role::Rule);
                if let Some(rule) = self.current() {
                    rule.base = Some(name.to_owned());
                }
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            ("list" | "param", _) if name == "from" => {
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Free;
            }
            ("list" | "param", ":" | "<") => {
                if let Some(item) = self.scan.items.last_mut() {
                    name.clone_into(&mut item.detail);
                }
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(if head == "list" { &["from"] } else { &[] });
            }
            ("define", "=") => {
                if let Some(item) = self.scan.items.last_mut() {
                    name.clone_into(&mut item.detail);
                }
                self.mark(token.span, Role::Step);
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            _ => {}
        }
    }

    pub(super) fn in_event(&mut self, token: Token, name: &str, prefix: &str) {
        let index = self.scan.items.len().saturating_sub(1);
        let Some(item) = self.scan.items.last_mut() else { return };
        match self.before {
            "{" | "," => {
                let full = format!("{prefix}{name}");
                item.fields.push(FieldScan { name: full, span: token.span, ty: String::new() });
                let field = item.fields.len() - 1;
                self.mark(token.span, Role::Field(index, field));
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            ":" | "<" => {
                if let Some(field) = item.fields.last_mut() {
                    field.ty.push_str(name);
                }
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(&[]);
            }
            "=" | "event" => {
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(if name == "event" { &["time"] } else { &[] });
            }
            _ => {}
        }
    }

    pub(super) fn in_test(&mut self, token: Token, name: &str, is_word: bool) {
        let before = self.before;
        let top = self.top();
        let is_step = is_word && TEST_STEPS.contains(&name);
        // `expect match {...} at 5s` goes on with `at`.
        if is_step && !(name == "at" && top.head == "expect" && !token.first_on_line) {
            name.clone_into(&mut top.head);
            top.last.clear();
            top.slot = match name {
                "advance" => Slot::Words(&["to"]),
                "expect" => Slot::Words(&["match", "no match", "timeout", "no timeout"]),
                _ => Slot::Free,
            };
            self.mark(token.span, Role::Keyword);
            return;
        }
        if top.head == "at" && top.last.is_empty() {
            name.clone_into(&mut top.last);
            top.slot = Slot::Free;
            self.mark(token.span, Role::Event);
        } else {
            top.slot = match name {
                "no" => Slot::Words(&["match", "timeout"]),
                "match" => Slot::Words(&["count", "at"]),
                "timeout" => Slot::Words(&["at"]),
                _ => Slot::Free,
            };
            if before != "at" {
                self.mark(token.span, Role::Keyword);
            }
        }
    }
}
